/* SPDX-License-Identifier: Apache-2.0
 * Sockets (RFC 8445, 5.1.1.1): addresses of interfaces, a socket for each that is wanted, the port
 * that it gets; and what is asked of the driver for gathering: interfaces, sockets, names of
 * servers. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

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

bool ln_ice_knows(const struct ln_ice *ice, const struct ln_address *address)
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
        ln_ice_relays_link_closed(ice, link->link,
                                  failure == LN_ICE_FAILURE_ADDRESS_GONE ? &link->address : NULL);
    let_go(link);
}

void ln_ice_release_links(struct ln_ice *ice, const struct ln_ice_generation *g)
{
    size_t i;

    for (i = 0; i < ice->link_count; i++) {
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
    for (i = 0; i < ice->link_count; i++)
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
            ln_ice_knows(ice, &in->address) ||
            ln_grow(ice->env->allocator, &ice->known, sizeof *ice->known, ice->known_count,
                    &ice->known_capacity, LN_ICE_ADDRESSES_MAX) != 0)
            continue;
        ice->known[ice->known_count] = (struct ln_ice_known_address){
            in->address, in->index, in->loopback || ln_address_is_loopback(&in->address),
            in->point_to_point, false
        };
        ice->known[ice->known_count++].address.port = 0;
    }
    for (i = 0; i < ice->link_count; i++)
        if ((ice->links[i].state == LN_ICE_LINK_OPEN || ice->links[i].state == LN_ICE_LINK_ASKED ||
             ice->links[i].state == LN_ICE_LINK_WANTED) &&
            !ln_ice_knows(ice, &ice->links[i].address))
            close_link(ice, &ice->links[i], LN_ICE_FAILURE_ADDRESS_GONE);
}

static struct ln_ice_link *link_of_address(struct ln_ice *ice, const struct ln_ice_generation *g,
                                           const struct ln_address *address, bool apart)
{
    size_t i;

    for (i = 0; i < ice->link_count && g; i++)
        if (ice->links[i].state != LN_ICE_LINK_FREE && ice->links[i].state != LN_ICE_LINK_CLOSING &&
            !ice->links[i].gone && ice->links[i].generation == g && ice->links[i].apart == apart &&
            ln_address_equal_ip(&ice->links[i].address, address))
            return &ice->links[i];
    return NULL;
}

uint16_t ln_ice_address_preference(const struct ln_ice_known_address *known, size_t index)
{
    unsigned value = known->loopback ? 16383 : known->tunnel ? 32767 : 65535;

    if (known->address.family == LN_FAMILY_IPV4)
        value -= LN_ICE_ADDRESSES_MAX;
    return (uint16_t)(value - index);
}

/* A place for one more; NULL at the limit or out of memory. */
static struct ln_ice_link *free_link(struct ln_ice *ice)
{
    size_t i;

    for (i = 0; i < ice->link_count; i++)
        if (ice->links[i].state == LN_ICE_LINK_FREE)
            return &ice->links[i];
    if (ln_grow(ice->env->allocator, &ice->links, sizeof *ice->links, ice->link_count,
                &ice->link_capacity, LN_ICE_LINKS_MAX) != 0)
        return NULL;
    return &ice->links[ice->link_count++];
}

static void want_link(struct ln_ice *ice, size_t known, bool apart)
{
    struct ln_ice_link *link;

    if (link_of_address(ice, ice->current, &ice->known[known].address, apart))
        return;
    link = free_link(ice);
    if (!link)
        return;
    memset(link, 0, sizeof *link);
    link->state = LN_ICE_LINK_WANTED;
    link->apart = apart;
    link->address = ice->known[known].address;
    link->generation = ice->current;
    link->interface = ice->known[known].interface;
    link->preference = ln_ice_address_preference(&ice->known[known], known);
    if (ln_ice_port_count(ice) > 0)
        link->first_port = (uint16_t)ln_rng_below(ice->env->rng, (uint32_t)ln_ice_port_count(ice));
}

bool ln_ice_relays_by(const struct ln_ice *ice, const struct ln_ice_link *link)
{
    return link->state == LN_ICE_LINK_OPEN && link->generation == ice->current &&
           link->apart == ice->shares_port;
}

void ln_ice_want_links(struct ln_ice *ice)
{
    size_t i;

    for (i = 0; i < ice->known_count; i++) {
        if (ice->known[i].refused)
            continue;
        want_link(ice, i, false);
        if (ice->shares_port && ice->current->servers->relays)
            want_link(ice, i, true);
    }
}

static uint16_t link_port(const struct ln_ice *ice, const struct ln_ice_link *link)
{
    if (ln_ice_port_count(ice) == 0)
        return 0;
    return (uint16_t)(ice->config.port_min +
                      (link->first_port + link->tries) % ln_ice_port_count(ice));
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
    for (i = 0; i < ice->link_count; i++) { /* before another is opened on the same address */
        struct ln_ice_link *link = &ice->links[i];

        if (link->state == LN_ICE_LINK_CLOSING && !ln_ice_relays_hold(ice, link->link)) {
            link->state = LN_ICE_LINK_FREE;
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .link = link->link };
            return 1;
        }
    }
    for (i = 0; i < ice->link_count; i++) {
        struct ln_ice_link *link = &ice->links[i];

        if (link->state == LN_ICE_LINK_WANTED) {
            link->state = LN_ICE_LINK_ASKED;
            link->request = ln_ice_new_request(ice);
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                                .id = link->request,
                                                .local = link->address,
                                                .name = link->apart ? NULL
                                                                    : link->generation->ufrag,
                                                .whole_above = LN_ICE_WHOLE_ABOVE };
            ret_request->local.port = link_port(ice, link);
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
                                                .name = server->proxied ? ice->proxy->host
                                                                        : server->host };
            return 1;
        }
    }
    return 0;
}

/* No port is left: the new generation uses the socket of the old one. */
static bool take_old_link(struct ln_ice *ice, const struct ln_ice_link *link)
{
    struct ln_ice_link *old = link_of_address(ice, ice->previous, &link->address, link->apart);

    if (!old || old->state != LN_ICE_LINK_OPEN)
        return false;
    old->generation = ice->current;
    old->taken = true;
    return true;
}

/* It may have TCP candidates still. */
static void refuse_address(struct ln_ice *ice, const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < ice->known_count; i++)
        if (ln_address_equal_ip(&ice->known[i].address, address))
            ice->known[i].refused = true;
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
    link->state = !link->gone && !ice->closed && link->tries < ln_ice_port_count(ice) &&
                          link->tries < LN_ICE_PORT_TRIES_MAX
                      ? LN_ICE_LINK_WANTED
                      : LN_ICE_LINK_FREE;
    if (link->state == LN_ICE_LINK_FREE && !take_old_link(ice, link))
        refuse_address(ice, &link->address);
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
        server->addresses[server->address_count++].port = server->proxied ? ice->proxy->port
                                                                          : server->port;
    }
    server->state = server->address_count > 0 ? LN_ICE_SERVER_READY : LN_ICE_SERVER_FAILED;
    if (server->state == LN_ICE_SERVER_FAILED)
        ln_ice_push_error(ice, (uint8_t)index, NULL, 701,
                          server->proxied ? LN_ICE_TEXT_PROXY_NAME : LN_ICE_TEXT_NAME);
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
    for (i = 0; i < ice->link_count; i++)
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
