/* SPDX-License-Identifier: Apache-2.0
 * Gathering (RFC 8445, 5.1.1): addresses of interfaces to sockets, sockets to host candidates,
 * bindings at STUN servers to server-reflexive candidates.
 *
 * Everything is derived anew at each run from what is known (addresses, open links, resolved
 * servers), so that answers may come in any order. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/trace.h"

#include <string.h>

/* Whether addresses of this host may be told. */
static bool open_to_all(const struct ln_ice *ice)
{
    return ice->current->servers->policy == LN_ICE_TRANSPORT_POLICY_ALL;
}

static bool is_gathering(const struct ln_ice_generation *g)
{
    return g->gathering == LN_ICE_GATHERING_STATE_GATHERING;
}

/* Interfaces that come during a call get sockets, candidates and checks too. These are not
 * signalled any more: the other side sees them as peer-reflexive. */
static bool goes_on(const struct ln_ice_generation *g)
{
    return is_gathering(g) || (g->gathering == LN_ICE_GATHERING_STATE_COMPLETE && g->selected);
}

static bool watching(const struct ln_ice *ice)
{
    return open_to_all(ice) || ice->current->servers->relays;
}

void ln_ice_gather(struct ln_ice *ice)
{
    struct ln_ice_servers *set = ice->current->servers;
    size_t i;

    if (ice->closed || ice->current->gathering != LN_ICE_GATHERING_STATE_NEW)
        return;
    ln_ice_set_gathering(ice, LN_ICE_GATHERING_STATE_GATHERING);
    ice->watch_wanted = watching(ice) && !ice->watch_asked;
    for (i = 0; i < set->count; i++)
        if ((open_to_all(ice) || set->entries[i].relays) &&
            (set->entries[i].state == LN_ICE_SERVER_NEW ||
             set->entries[i].state == LN_ICE_SERVER_FAILED))
            set->entries[i].state = LN_ICE_SERVER_WANTED;
    ice->wake = true;
}

/* --- addresses and links ------------------------------------------------------------------- */

static bool address_wanted(const struct ln_ice *ice, const struct ln_interface *in)
{
    const struct ln_address *a = &in->address;

    if (!in->up || in->deprecated || ln_address_is_unspecified(a) || ln_address_is_multicast(a))
        return false;
    if (a->family == LN_FAMILY_IPV4 ? !ice->config.ipv4 : !ice->config.ipv6)
        return false;
    if (ice->filter && !ln_ice_filter_allows(ice->filter, in))
        return false;
    if (in->loopback || ln_address_is_loopback(a))
        return ice->config.include_loopback;
    /* IPv6 link-local, site-local and mapped addresses are not gathered (RFC 8445, 5.1.1.1). */
    return a->family == LN_FAMILY_IPV4 ||
           (!ln_address_is_link_local(a) && !ln_address_is_mapped(a) &&
            !ln_address_is_site_local(a));
}

/* A stable IPv6 address gives way to a temporary one of the same network (RFC 8445, 5.1.1.1). */
static bool has_temporary_twin(const struct ln_ice *ice, const struct ln_answer *answer,
                               const struct ln_interface *in)
{
    size_t i;

    if (in->address.family != LN_FAMILY_IPV6 || in->temporary)
        return false;
    for (i = 0; i < answer->interface_count; i++) {
        const struct ln_interface *other = &answer->interfaces[i];

        if (other->temporary && other->index == in->index &&
            other->address.family == LN_FAMILY_IPV6 && address_wanted(ice, other) &&
            memcmp(other->address.ip, in->address.ip, 8) == 0)
            return true;
    }
    return false;
}

static bool still_known(const struct ln_ice *ice, const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < ice->known_count; i++)
        if (ln_address_equal_ip(&ice->known[i].address, address))
            return true;
    return false;
}

static void let_go(struct ln_ice_link *link)
{
    if (link->state == LN_ICE_LINK_OPEN)
        link->state = LN_ICE_LINK_CLOSING;
    else if (link->state == LN_ICE_LINK_ASKED)
        link->gone = true;
    else
        link->state = LN_ICE_LINK_FREE;
}

static void close_link(struct ln_ice *ice, struct ln_ice_link *link, enum ln_ice_failure failure)
{
    struct ln_ice_generation *generations[2] = { ice->current, ice->previous };
    size_t g, i;

    for (g = 0; g < 2; g++)
        for (i = 0;
             generations[g] && link->state == LN_ICE_LINK_OPEN && i < generations[g]->list.count;
             i++)
            if (generations[g]->list.pairs[i]->path.link == link->link)
                ln_ice_pair_fail(ice, generations[g]->list.pairs[i], failure);
    LN_LIST_EACH (at, &ice->current->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        if (link->state == LN_ICE_LINK_OPEN && probe->link == link->link) {
            probe->done = true;
            probe->keepalive_at = LN_TIME_NEVER;
            ln_stun_transaction_cancel(&probe->transaction);
        }
    }
    if (link->state == LN_ICE_LINK_OPEN)
        ln_ice_relays_link_closed(ice, link->link);
    let_go(link);
}

void ln_ice_release_links(struct ln_ice *ice, const struct ln_ice_generation *g)
{
    size_t i;

    for (i = 0; i < LN_ICE_LINKS_MAX; i++) {
        struct ln_ice_link *link = &ice->links[i];

        if (link->state == LN_ICE_LINK_FREE || link->state == LN_ICE_LINK_CLOSING)
            continue;
        if (g == ice->previous) {
            link->taken = false; /* nobody is left to whom it could go back */
        } else if (link->generation == g && link->taken && ice->previous) {
            link->generation = ice->previous;
            link->taken = false;
        }
        if (link->generation == g)
            let_go(link);
    }
}

void ln_ice_close_links(struct ln_ice *ice)
{
    size_t i;

    ice->known_count = 0;
    for (i = 0; i < LN_ICE_LINKS_MAX; i++)
        if (ice->links[i].state != LN_ICE_LINK_CLOSING)
            close_link(ice, &ice->links[i], LN_ICE_FAILURE_LINK_CLOSED);
}

static void take_interfaces(struct ln_ice *ice, const struct ln_answer *answer)
{
    size_t i;

    ice->known_once = true;
    ice->known_count = 0;
    for (i = 0; i < answer->interface_count && ice->known_count < LN_ICE_ADDRESSES_MAX; i++) {
        const struct ln_interface *in = &answer->interfaces[i];

        if (!address_wanted(ice, in) || has_temporary_twin(ice, answer, in) ||
            still_known(ice, &in->address))
            continue;
        ice->known[ice->known_count] = (struct ln_ice_known_address){
            in->address, in->index, in->loopback || ln_address_is_loopback(&in->address),
            in->point_to_point
        };
        ice->known[ice->known_count++].address.port = 0;
    }
    for (i = 0; i < LN_ICE_LINKS_MAX; i++)
        if ((ice->links[i].state == LN_ICE_LINK_OPEN || ice->links[i].state == LN_ICE_LINK_ASKED ||
             ice->links[i].state == LN_ICE_LINK_WANTED) &&
            !still_known(ice, &ice->links[i].address))
            close_link(ice, &ice->links[i], LN_ICE_FAILURE_ADDRESS_GONE);
}

static struct ln_ice_link *link_of_address(struct ln_ice *ice, const struct ln_ice_generation *g,
                                           const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < LN_ICE_LINKS_MAX && g; i++)
        if (ice->links[i].state != LN_ICE_LINK_FREE && ice->links[i].state != LN_ICE_LINK_CLOSING &&
            !ice->links[i].gone && ice->links[i].generation == g &&
            ln_address_equal_ip(&ice->links[i].address, address))
            return &ice->links[i];
    return NULL;
}

static size_t port_count(const struct ln_ice *ice)
{
    return ice->config.port_min == 0 ? 0
                                     : (size_t)(ice->config.port_max - ice->config.port_min + 1);
}

uint16_t ln_ice_address_preference(const struct ln_ice_known_address *known, size_t index)
{
    unsigned value = known->loopback ? 16383 : known->tunnel ? 32767 : 65535;

    if (known->address.family == LN_FAMILY_IPV4)
        value -= LN_ICE_ADDRESSES_MAX;
    return (uint16_t)(value - index);
}

/* Sockets for addresses that have none yet. */
static void want_links(struct ln_ice *ice)
{
    size_t i, slot;

    for (i = 0; i < ice->known_count; i++) {
        struct ln_ice_link *link = link_of_address(ice, ice->current, &ice->known[i].address);

        for (slot = 0; !link && slot < LN_ICE_LINKS_MAX; slot++)
            if (ice->links[slot].state == LN_ICE_LINK_FREE) {
                link = &ice->links[slot];
                memset(link, 0, sizeof *link);
                link->state = LN_ICE_LINK_WANTED;
                link->address = ice->known[i].address;
                link->generation = ice->current;
                link->interface = ice->known[i].interface;
                link->preference = ln_ice_address_preference(&ice->known[i], i);
                if (port_count(ice) > 0)
                    link->first_port = (uint16_t)ln_rng_below(ice->env->rng,
                                                              (uint32_t)port_count(ice));
            }
    }
}

static uint16_t link_port(const struct ln_ice *ice, const struct ln_ice_link *link)
{
    if (port_count(ice) == 0)
        return 0;
    return (uint16_t)(ice->config.port_min + (link->first_port + link->tries) % port_count(ice));
}

int ln_ice_gather_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    size_t i;

    if (ice->watch_wanted) {
        ice->watch_wanted = false;
        ice->watch_asked = true;
        ice->watch_request = ln_ice_new_request(ice);
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_WATCH_INTERFACES,
                                            .id = ice->watch_request };
        return 1;
    }
    for (i = 0; i < LN_ICE_LINKS_MAX; i++) {
        struct ln_ice_link *link = &ice->links[i];

        if (link->state == LN_ICE_LINK_WANTED) {
            link->state = LN_ICE_LINK_ASKED;
            link->request = ln_ice_new_request(ice);
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                                .id = link->request,
                                                .local = link->address };
            ret_request->local.port = link_port(ice, link);
            return 1;
        }
        if (link->state == LN_ICE_LINK_CLOSING && !ln_ice_relays_hold(ice, link->link)) {
            link->state = LN_ICE_LINK_FREE;
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .link = link->link };
            return 1;
        }
    }
    for (i = 0; i < ice->current->servers->count; i++) {
        struct ln_ice_server_entry *server = &ice->current->servers->entries[i];

        if (server->state == LN_ICE_SERVER_WANTED && !ice->closed) {
            server->state = LN_ICE_SERVER_ASKED;
            server->request = ln_ice_new_request(ice);
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_RESOLVE,
                                                .id = server->request,
                                                .name = server->host };
            return 1;
        }
    }
    return 0;
}

/* No port is left: the new generation uses the socket of the old one. */
static bool take_old_link(struct ln_ice *ice, const struct ln_address *address)
{
    struct ln_ice_link *old = link_of_address(ice, ice->previous, address);

    if (!old || old->state != LN_ICE_LINK_OPEN)
        return false;
    old->generation = ice->current;
    old->taken = true;
    return true;
}

/* It is not asked for again until the interfaces change. */
static void forget_address(struct ln_ice *ice, const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < ice->known_count; i++)
        if (ln_address_equal_ip(&ice->known[i].address, address))
            ice->known[i--] = ice->known[--ice->known_count];
}

static bool link_answer(struct ln_ice *ice, struct ln_ice_link *link,
                        const struct ln_answer *answer)
{
    if (answer->kind == LN_ANSWER_CLOSED) {
        if (link->state != LN_ICE_LINK_OPEN || link->link != answer->link)
            return false;
        close_link(ice, link, LN_ICE_FAILURE_LINK_CLOSED);
        link->state = LN_ICE_LINK_FREE;
        return true;
    }
    if (link->state != LN_ICE_LINK_ASKED || link->request != answer->id)
        return false;
    if (answer->kind == LN_ANSWER_OPENED) {
        link->state = link->gone || ice->closed ? LN_ICE_LINK_CLOSING : LN_ICE_LINK_OPEN;
        link->link = answer->link;
        link->address = answer->local;
        return true;
    }
    if (answer->kind != LN_ANSWER_FAILED)
        return false;
    link->tries++;
    link->state = !link->gone && !ice->closed && link->tries < port_count(ice) &&
                          link->tries < LN_ICE_PORT_TRIES_MAX
                      ? LN_ICE_LINK_WANTED
                      : LN_ICE_LINK_FREE;
    if (link->state == LN_ICE_LINK_FREE && !take_old_link(ice, &link->address))
        forget_address(ice, &link->address);
    return true;
}

/* The first address of each family counts. */
static void server_answer(struct ln_ice *ice, size_t index, const struct ln_answer *answer)
{
    struct ln_ice_server_entry *server = &ice->current->servers->entries[index];
    size_t i;

    server->address_count = 0;
    for (i = 0; answer->kind == LN_ANSWER_RESOLVED && i < answer->address_count; i++) {
        const struct ln_address *a = &answer->addresses[i];

        if (server->address_count == 2 ||
            (server->address_count == 1 && server->addresses[0].family == a->family) ||
            ln_address_is_unspecified(a) || ln_address_is_multicast(a))
            continue;
        server->addresses[server->address_count] = *a;
        server->addresses[server->address_count++].port = server->port;
    }
    server->state = server->address_count > 0 ? LN_ICE_SERVER_READY : LN_ICE_SERVER_FAILED;
    if (server->state == LN_ICE_SERVER_FAILED)
        ln_ice_push_error(ice, (uint8_t)index, NULL, 701, LN_ICE_TEXT_NAME);
}

bool ln_ice_gather_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i;

    (void)now;
    if (answer->kind == LN_ANSWER_INTERFACES ||
        (answer->kind == LN_ANSWER_FAILED && answer->id == ice->watch_request)) {
        if (!ice->watch_asked || answer->id != ice->watch_request)
            return false;
        if (!ice->closed)
            take_interfaces(ice, answer);
        return true;
    }
    for (i = 0; i < LN_ICE_LINKS_MAX; i++)
        if (link_answer(ice, &ice->links[i], answer))
            return true;
    for (i = 0; i < set->count; i++)
        if (set->entries[i].state == LN_ICE_SERVER_ASKED && set->entries[i].request == answer->id &&
            (answer->kind == LN_ANSWER_RESOLVED || answer->kind == LN_ANSWER_FAILED)) {
            server_answer(ice, i, answer);
            return true;
        }
    return false;
}

/* --- local candidates ---------------------------------------------------------------------- */

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
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_CANDIDATE, ice->tie_breaker, 1,
                  local->type, 0, 0);
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
                                          const struct ln_ice_local *base,
                                          const struct ln_address *address)
{
    struct ln_address seen = *address;
    struct ln_ice_local *local, model = *base;

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
static bool add_server_reflexive(struct ln_ice *ice, const struct ln_ice_local *host, int server,
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
                                  .signalled = is_gathering(ice->current) };

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
    model.signalled = is_gathering(ice->current);
    if (!dress_host(ice, &model))
        return;
    host = add_local(ice, ice->current, &model);
    if (!host)
        return;
    ln_ice_pair_up_local(ice, host);
    if (ice->externals && !ice->config.external_replaces &&
        model.tcp_type == LN_CANDIDATE_TCP_NONE &&
        ln_ice_external_of(ice->externals, &model.base, &external))
        (void)add_server_reflexive(ice, host, -1, &external);
}

static void add_host_of(struct ln_ice *ice, const struct ln_ice_link *link)
{
    ln_ice_add_host(ice, &(struct ln_ice_local){ .address = link->address,
                                                 .base = link->address,
                                                 .link = link->link,
                                                 .interface = link->interface,
                                                 .preference = link->preference });
}

void ln_ice_add_relayed(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_local *host = ln_ice_find_host(g, relay->via), *local;
    struct ln_address mapped = { 0 }, address;
    bool seen = ln_turn_client_mapped(relay->turn, &mapped) && mapped.family == relay->base.family;
    size_t i;

    if (seen && host)
        (void)add_server_reflexive(ice, host, relay->server_index, &mapped);
    for (i = 0; ln_turn_client_relayed(relay->turn, i, &address); i++) {
        struct ln_ice_local model = { .address = address,
                                      .base = address,
                                      .link = relay->link,
                                      .relay = relay,
                                      .related = seen && open_to_all(ice) ? mapped
                                                                          : nobody(address.family),
                                      .interface = relay->interface,
                                      .preference = relay->preference,
                                      .server = (int8_t)relay->server_index,
                                      .type = LN_CANDIDATE_RELAY,
                                      .signalled = is_gathering(g) };

        local = add_local(ice, g, &model);
        if (local)
            ln_ice_pair_up_local(ice, local);
    }
}

/* --- probes -------------------------------------------------------------------------------- */

static bool has_probe(const struct ln_ice_generation *g, ln_link link, size_t server)
{
    LN_LIST_EACH (at, &g->probes) {
        const struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        if (probe->link == link && probe->server == server)
            return true;
    }
    return false;
}

static void begin_probe(struct ln_ice *ice, struct ln_ice_probe *probe, ln_time now)
{
    struct ln_stun_timing timing = { ice->config.rto, LN_ICE_PROBE_RC, LN_ICE_PROBE_RM };

    ln_stun_transaction_begin(&probe->transaction, timing, ice->env->rng, now);
    ln_list_remove(&probe->outbox);
    ln_list_append(&ice->probe_outbox, &probe->outbox);
}

static void add_probe(struct ln_ice *ice, const struct ln_ice_link *link, size_t server,
                      const struct ln_address *to, ln_time now)
{
    struct ln_ice_probe *probe;

    if (has_probe(ice->current, link->link, server) ||
        ln_address_is_loopback(to) != ln_address_is_loopback(&link->address))
        return;
    probe = ln_alloc_zero(ice->env->allocator, sizeof *probe);
    if (!probe)
        return;
    probe->to = *to;
    probe->base = link->address;
    probe->link = link->link;
    probe->preference = link->preference;
    probe->server = (uint8_t)server;
    probe->keepalive_at = LN_TIME_NEVER;
    ln_list_init(&probe->outbox);
    ln_list_append(&ice->current->probes, &probe->in_generation);
    begin_probe(ice, probe, now);
}

static bool is_ours(const struct ln_ice *ice, const struct ln_ice_link *link)
{
    return link->state == LN_ICE_LINK_OPEN && link->generation == ice->current;
}

static void want_probes(struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i, s, a;

    for (i = 0; i < LN_ICE_LINKS_MAX; i++)
        for (s = 0; is_ours(ice, &ice->links[i]) && s < set->count; s++) {
            const struct ln_ice_server_entry *server = &set->entries[s];

            for (a = 0; !server->relays && server->transport == LN_ICE_OVER_UDP &&
                        server->state == LN_ICE_SERVER_READY && a < server->address_count;
                 a++)
                if (server->addresses[a].family == ice->links[i].address.family)
                    add_probe(ice, &ice->links[i], s, &server->addresses[a], now);
        }
}

static void probe_failed(struct ln_ice *ice, struct ln_ice_probe *probe, uint16_t code,
                         enum ln_ice_error_text text)
{
    if (!probe->done)
        ln_ice_push_error(ice, probe->server, &probe->base, code, (uint8_t)text);
    probe->done = true;
    ln_stun_transaction_cancel(&probe->transaction);
}

static void run_probe(struct ln_ice *ice, struct ln_ice_probe *probe, ln_time now)
{
    ln_stun_transaction_on_timeout(&probe->transaction, now);
    if (probe->transaction.state == LN_STUN_TIMED_OUT)
        probe_failed(ice, probe, 701, LN_ICE_TEXT_TIMEOUT);
    if (ln_time_due(probe->keepalive_at, now)) {
        if (!ice->current->selected)
            begin_probe(ice, probe, now);
        probe->keepalive_at = ice->current->selected ? LN_TIME_NEVER : now + LN_ICE_KEEPALIVE;
    }
    if (probe->transaction.due && ln_list_empty(&probe->outbox))
        ln_list_append(&ice->probe_outbox, &probe->outbox);
}

bool ln_ice_gather_response(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                            const struct ln_stun_message *message)
{
    LN_LIST_EACH (at, &ice->current->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);
        struct ln_bytes reason;
        struct ln_address mapped;
        uint16_t code;

        if (probe->link != path->link || !ln_address_equal(&probe->to, &path->remote) ||
            !ln_stun_transaction_answer(&probe->transaction, &message->id, now, NULL))
            continue;
        if (message->kind == LN_STUN_ERROR) {
            probe_failed(ice, probe, ln_stun_find_error(message, &code, &reason) ? code : 500,
                         LN_ICE_TEXT_REFUSED);
        } else if (!ln_stun_find_mapped(message, &mapped) || mapped.family != probe->base.family ||
                   ln_address_is_unspecified(&mapped) || ln_address_is_multicast(&mapped) ||
                   mapped.port == 0) {
            probe_failed(ice, probe, 701, LN_ICE_TEXT_NONSENSE);
        } else if (!probe->done) {
            struct ln_ice_local *host = ln_ice_find_host(ice->current, probe->link);

            probe->done = probe->answered = true;
            probe->mapped = host && add_server_reflexive(ice, host, probe->server, &mapped);
            if (probe->mapped)
                probe->keepalive_at = now + LN_ICE_KEEPALIVE;
        }
        return true;
    }
    return false;
}

void ln_ice_send_failed(struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_pair *pair = ln_ice_check_list_find(&ice->current->list, path);

    ln_ice_relays_send_failed(ice, path);
    LN_LIST_EACH (at, &ice->current->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        if (probe->link == path->link && ln_address_equal(&probe->to, &path->remote) &&
            !probe->done && ++probe->send_failures >= 2)
            probe_failed(ice, probe, 701, LN_ICE_TEXT_UNREACHABLE);
    }
    if (pair && !pair->authenticated && pair->state == LN_ICE_PAIR_IN_PROGRESS &&
        ++pair->send_failures >= LN_ICE_SEND_FAILURES)
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_UNREACHABLE);
}

/* --- the whole ----------------------------------------------------------------------------- */

/* A server of the kind has given something to this generation. */
static bool another_gave(const struct ln_ice *ice, bool relays)
{
    size_t i;

    for (i = 0; relays && i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && ice->relays[i]->done &&
            !ice->relays[i]->failed)
            return true;
    if (relays)
        return false;
    LN_LIST_EACH (at, &ice->current->probes) {
        if (LN_CONTAINER(at, struct ln_ice_probe, in_generation)->answered)
            return true;
    }
    return false;
}

static bool links_settled(const struct ln_ice *ice)
{
    size_t i;

    for (i = 0; i < LN_ICE_LINKS_MAX; i++)
        if (ice->links[i].generation == ice->current &&
            (ice->links[i].state == LN_ICE_LINK_WANTED || ice->links[i].state == LN_ICE_LINK_ASKED))
            return false;
    return true;
}

static bool finished(const struct ln_ice *ice, bool late)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i;

    if (!watching(ice))
        return true;
    if (!ice->known_once || !links_settled(ice) || ln_ice_names_pending(ice->current))
        return false;
    for (i = 0; i < set->count; i++)
        if ((set->entries[i].state == LN_ICE_SERVER_WANTED ||
             set->entries[i].state == LN_ICE_SERVER_ASKED) &&
            !(late && another_gave(ice, set->entries[i].relays)))
            return false;
    LN_LIST_EACH (at, &ice->current->probes) {
        if (!LN_CONTAINER(at, struct ln_ice_probe, in_generation)->done)
            return false;
    }
    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && !ice->relays[i]->done)
            return false;
    return ln_ice_tcp_gathered(ice);
}

/* Servers are raced: those that are silent when the grace is over are given up, if another of the
 * kind gave what they are there for. */
static void give_up_silent(struct ln_ice *ice)
{
    size_t i;

    if (another_gave(ice, false))
        LN_LIST_EACH (at, &ice->current->probes) {
            struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

            if (!probe->done)
                probe_failed(ice, probe, 701, LN_ICE_TEXT_TIMEOUT);
        }
    for (i = 0; another_gave(ice, true) && i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && !ice->relays[i]->done)
            ln_ice_relay_give_up(ice, ice->relays[i]);
}

void ln_ice_gather_run(struct ln_ice *ice, ln_time now)
{
    bool late;
    size_t i;

    if (goes_on(ice->current)) {
        want_links(ice);
        for (i = 0; i < LN_ICE_LINKS_MAX; i++)
            if (is_ours(ice, &ice->links[i]) && open_to_all(ice) &&
                !ln_ice_find_host(ice->current, ice->links[i].link))
                add_host_of(ice, &ice->links[i]);
        if (open_to_all(ice) && is_gathering(ice->current))
            want_probes(ice, now);
        ln_ice_want_relays(ice, now);
        if (open_to_all(ice) && links_settled(ice)) /* UDP first */
            ln_ice_tcp_gather(ice);
    }
    LN_LIST_EACH (at, &ice->current->probes) {
        run_probe(ice, LN_CONTAINER(at, struct ln_ice_probe, in_generation), now);
    }
    if (ice->current->gathering != LN_ICE_GATHERING_STATE_GATHERING)
        return;
    if (ice->current->gather_from == LN_TIME_NEVER)
        ice->current->gather_from = now;
    late = now >= ice->current->gather_from + ice->config.grace;
    if (late)
        give_up_silent(ice);
    if (finished(ice, late))
        ln_ice_set_gathering(ice, LN_ICE_GATHERING_STATE_COMPLETE);
}

ln_time ln_ice_gather_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    ln_time next = LN_TIME_NEVER;

    if (g->gathering == LN_ICE_GATHERING_STATE_GATHERING && g->gather_from != LN_TIME_NEVER &&
        ice->now < g->gather_from + ice->config.grace)
        next = g->gather_from + ice->config.grace;
    LN_LIST_EACH (at, &ice->current->probes) {
        const struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        next = ln_time_min(next, ln_stun_transaction_next_timeout(&probe->transaction));
        next = ln_time_min(next, probe->keepalive_at);
    }
    return next;
}
