/* SPDX-License-Identifier: Apache-2.0
 * Local candidates (RFC 8445, 5.1.1): host candidates of sockets, and what others see instead:
 * server-reflexive, relayed and peer-reflexive ones, with their foundations. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/trace.h"

struct ln_ice_local *ln_ice_find_host(const struct ln_ice_generation *g, ln_link link)
{
    LN_LIST_EACH (at, &g->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->type == LN_CANDIDATE_HOST && local->link == link)
            return local;
    }
    return NULL;
}

struct ln_ice_local *ln_ice_find_base(const struct ln_ice_generation *g, const struct ln_path *path)
{
    LN_LIST_EACH (at, &g->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (ln_ice_is_base(local) && local->link == path->link &&
            local->base.family == path->remote.family)
            return local;
    }
    return NULL;
}

static struct ln_ice_local *find_local(const struct ln_ice_generation *g, ln_link link,
                                       const struct ln_address *address)
{
    LN_LIST_EACH (at, &g->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->link == link && ln_address_equal(&local->address, address))
            return local;
    }
    return NULL;
}

/* One foundation for each combination of type, base address, server and transport (RFC 8445,
 * 5.1.1.3). */
static uint32_t foundation_for(struct ln_ice_generation *g, const struct ln_ice_local *model)
{
    LN_LIST_EACH (at, &g->locals) {
        const struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->type == model->type && local->server == model->server &&
            local->tcp_type == model->tcp_type && ln_address_equal_ip(&local->base, &model->base))
            return local->foundation;
    }
    return ++g->foundations;
}

static struct ln_ice_local *add_local(struct ln_ice *ice, struct ln_ice_generation *g,
                                      const struct ln_ice_local *model)
{
    struct ln_ice_local *local;

    if (g->local_count >= LN_ICE_LOCAL_CANDIDATES_MAX)
        return NULL;
    local = ln_alloc_copy(ice->env->allocator, model, sizeof *model);
    if (!local)
        return NULL;
    local->id = ln_ice_new_id(ice);
    local->priority = model->tcp_type ? ln_candidate_tcp_priority(model->type, model->preference)
                                      : ln_candidate_priority(model->type, model->preference);
    local->foundation = foundation_for(g, model);
    ln_list_append(&g->locals, &local->in_generation);
    g->local_count++;
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_CANDIDATE, ice->trace_id, 1, local->type,
                  0, 0);
    if (model->signalled)
        ln_ice_signal_local(ice, local);
    return local;
}

void ln_ice_signal_local(struct ln_ice *ice, struct ln_ice_local *local)
{
    local->signalled = true;
    ln_ice_push_event(
        ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_CANDIDATE, .value = local->id });
}

/* What hides the address behind another one (RFC 8839, 5.1: "0.0.0.0" and port 9). */
static struct ln_address nobody(uint8_t family)
{
    return (struct ln_address){ .family = family, .port = 9 };
}

/* The related address of what is seen through a host candidate. */
static struct ln_address related_to(const struct ln_ice_local *host)
{
    bool hidden = host->name || !ln_address_equal(&host->address, &host->base);

    return hidden ? nobody(host->base.family) : host->base;
}

struct ln_ice_local *ln_ice_local_seen_as(struct ln_ice *ice, struct ln_ice_generation *g,
                                          struct ln_ice_local *base,
                                          const struct ln_address *address)
{
    struct ln_address seen = *address;
    struct ln_ice_local *local, model = *base;

    if (base->type == LN_CANDIDATE_RELAY && base->tcp_type == LN_CANDIDATE_TCP_ACTIVE &&
        ln_address_equal_ip(&base->address, address))
        return base;               /* but for a port that nobody knew before */
    seen.scope = base->base.scope; /* the wire carries none */
    local = find_local(g, base->link, &seen);
    if (local)
        return local;
    model.type = LN_CANDIDATE_PRFLX;
    model.address = seen;
    model.relay = NULL;
    model.related = related_to(base);
    model.name = NULL;
    model.server = -1;
    model.signalled = false;
    return add_local(ice, g, &model);
}

static bool has_reflexive(const struct ln_ice_generation *g, ln_link link,
                          const struct ln_address *address)
{
    LN_LIST_EACH (at, &g->locals) {
        const struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->type == LN_CANDIDATE_SRFLX && local->link == link &&
            ln_address_equal(&local->address, address))
            return true;
    }
    return false;
}

/* False if it is redundant: no NAT, or seen so by another server (RFC 8445, 5.1.3). What a name
 * hides is not known to others, who may be far away and find no address behind the name. */
bool ln_ice_add_server_reflexive(struct ln_ice *ice, const struct ln_ice_local *host, int server,
                                 const struct ln_address *mapped)
{
    struct ln_ice_local *known = find_local(ice->current, host->link, mapped);
    struct ln_ice_local model = { .address = *mapped,
                                  .base = host->base,
                                  .related = related_to(host),
                                  .link = host->link,
                                  .interface = host->interface,
                                  .preference = host->preference,
                                  .server = (int8_t)server,
                                  .type = LN_CANDIDATE_SRFLX,
                                  .tcp_type = host->tcp_type,
                                  .signalled = ln_ice_is_gathering(ice->current) };

    if (host->tcp_type)
        model.preference = ln_ice_tcp_reflexive_preference(host->tcp_type, host->preference);
    if (has_reflexive(ice->current, host->link, mapped) ||
        (known && known->type != LN_CANDIDATE_PRFLX && !known->name))
        return false;
    add_local(ice, ice->current, &model);
    return true;
}

/* How the others see a host candidate, when that is not how the socket is bound. False: it cannot
 * be told yet (no memory). */
static bool dress_host(struct ln_ice *ice, struct ln_ice_local *model)
{
    const struct ln_ice_own_name *name;

    if (ice->externals && ice->config.external_replaces &&
        ln_ice_external_of(ice->externals, &model->base, &model->address))
        return true;
    if (!ice->config.mdns_names)
        return true;
    name = ln_ice_name_of(ice, ice->current, &model->base);
    if (!name)
        return false;
    model->name = name;
    model->signalled = model->signalled && name->state == LN_ICE_NAME_DONE;
    return true;
}

void ln_ice_add_host(struct ln_ice *ice, const struct ln_ice_local *from)
{
    struct ln_ice_local *host, model = *from;
    struct ln_address external;

    model.type = LN_CANDIDATE_HOST;
    model.server = -1;
    model.signalled = ln_ice_is_gathering(ice->current);
    if (!dress_host(ice, &model))
        return;
    host = add_local(ice, ice->current, &model);
    if (!host)
        return;
    ln_ice_pair_up_local(ice, host);
    if (ice->externals && !ice->config.external_replaces &&
        model.tcp_type != LN_CANDIDATE_TCP_ACTIVE && /* nobody connects to that (RFC 6544, 4.1) */
        ln_ice_external_of(ice->externals, &model.base, &external))
        (void)ln_ice_add_server_reflexive(ice, host, -1, &external);
}

void ln_ice_add_host_of(struct ln_ice *ice, const struct ln_ice_link *link)
{
    ln_ice_add_host(ice, &(struct ln_ice_local){ .address = link->address,
                                                 .base = link->address,
                                                 .link = link->link,
                                                 .interface = link->interface,
                                                 .preference = link->preference });
}

/* What is the same of all candidates of a relay. */
static struct ln_ice_local relayed_model(const struct ln_ice *ice, const struct ln_ice_relay *relay,
                                         const struct ln_address *address)
{
    struct ln_address mapped = { 0 };
    bool seen = ln_turn_client_mapped(relay->turn, &mapped) &&
                mapped.family == relay->way.base.family && ln_ice_open_to_all(ice);

    return (struct ln_ice_local){ .address = *address,
                                  .base = *address,
                                  .related = seen ? mapped : nobody(address->family),
                                  .interface = relay->interface,
                                  .server = (int8_t)relay->server_index,
                                  .type = LN_CANDIDATE_RELAY,
                                  .signalled = ln_ice_is_gathering(ice->current) };
}

static void add_relayed(struct ln_ice *ice, const struct ln_ice_local *model)
{
    struct ln_ice_local *local = add_local(ice, ice->current, model);

    if (local)
        ln_ice_pair_up_local(ice, local);
}

void ln_ice_add_relayed(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    struct ln_ice_local *host = ln_ice_find_host(ice->current, relay->way.link), model;
    struct ln_address mapped, address;

    if (host && ln_turn_client_mapped(relay->turn, &mapped) &&
        mapped.family == relay->way.base.family)
        (void)ln_ice_add_server_reflexive(ice, host, relay->server_index, &mapped);
    for (size_t i = 0; ln_turn_client_relayed(relay->turn, i, &address); i++) {
        model = relayed_model(ice, relay, &address);
        model.link = relay->link;
        model.relay = relay;
        model.preference = relay->preference;
        add_relayed(ice, &model);
    }
}

/* Its relay may be given back while the candidate is there. */
void ln_ice_add_relayed_tcp(struct ln_ice *ice, const struct ln_ice_tcp_base *base)
{
    struct ln_ice_local model = relayed_model(ice, base->relay, &base->address);

    model.link = base->link;
    model.preference = base->preference;
    model.tcp_type = base->tcp_type;
    add_relayed(ice, &model);
}
