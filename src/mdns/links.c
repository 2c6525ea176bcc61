/* SPDX-License-Identifier: Apache-2.0
 * The sockets of mDNS (mdns/links.h): from interfaces to links.
 *
 * Invariant: a free link's other members mean nothing; one that was asked for is never forgotten
 * before its answer. */
#include "mdns/links.h"

#include "base/address.h"

#include <string.h>

static struct ln_address group_address(uint8_t family)
{
    struct ln_address a = ln_address_ipv4(224, 0, 0, 251, LN_MDNS_PORT);

    if (family == LN_FAMILY_IPV6) { /* ff02::fb */
        memset(&a, 0, sizeof a);
        a.family = LN_FAMILY_IPV6;
        a.ip[0] = 0xff;
        a.ip[1] = 0x02;
        a.ip[15] = 0xfb;
        a.port = LN_MDNS_PORT;
    }
    return a;
}

struct ln_path ln_mdns_link_path(const struct ln_mdns_link *link)
{
    struct ln_path path = { link->link, link->bound, group_address(link->interface.family) };

    if (link->interface.family == LN_FAMILY_IPV6)
        path.remote.scope = link->index;
    return path;
}

void ln_mdns_links_want(struct ln_mdns_links *links)
{
    links->watch_wanted = !links->watch_asked;
}

/* --- interfaces ----------------------------------------------------------------------------- */

static bool interface_wanted(const struct ln_mdns_links *links, const struct ln_interface *in)
{
    if (!in->up || (in->loopback && !links->include_loopback))
        return false;
    return in->address.family == LN_FAMILY_IPV4 ? links->ipv4 : links->ipv6;
}

/* One socket a family and interface. */
static struct ln_mdns_link *link_of_interface(struct ln_mdns_links *links,
                                              const struct ln_interface *in)
{
    size_t i;

    for (i = 0; i < LN_MDNS_LINKS_MAX; i++) {
        struct ln_mdns_link *link = &links->links[i];

        if (link->state != LN_MDNS_LINK_FREE && link->state != LN_MDNS_LINK_CLOSING &&
            link->index == in->index && link->interface.family == in->address.family)
            return link;
    }
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if (links->links[i].state == LN_MDNS_LINK_FREE) {
            links->links[i] = (struct ln_mdns_link){ .state = LN_MDNS_LINK_WANTED,
                                                     .group = true,
                                                     .index = in->index,
                                                     .interface = in->address };
            return &links->links[i];
        }
    return NULL;
}

static void take_place(struct ln_mdns_links *links, const struct ln_interface *in)
{
    if (links->place_count == LN_MDNS_PLACES_MAX)
        return;
    links->places[links->place_count++] = (struct ln_mdns_place){ in->index, in->prefix_len,
                                                                  in->address };
}

static void let_go(struct ln_mdns_link *link)
{
    if (link->state == LN_MDNS_LINK_OPEN)
        link->state = LN_MDNS_LINK_CLOSING;
    else if (link->state == LN_MDNS_LINK_ASKED)
        link->gone = true;
    else if (link->state == LN_MDNS_LINK_WANTED)
        link->state = LN_MDNS_LINK_FREE;
}

static void take_interfaces(struct ln_mdns_links *links, const struct ln_answer *answer)
{
    bool present[LN_MDNS_LINKS_MAX] = { false };
    struct ln_mdns_link *link;
    size_t i;

    links->known = true;
    links->place_count = 0;
    for (i = 0; i < answer->interface_count; i++) {
        const struct ln_interface *in = &answer->interfaces[i];

        if (!interface_wanted(links, in))
            continue;
        take_place(links, in);
        link = link_of_interface(links, in);
        if (link)
            present[link - links->links] = true;
    }
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if (!present[i])
            let_go(&links->links[i]);
}

int ln_mdns_links_answer(struct ln_mdns_links *links, const struct ln_answer *answer)
{
    size_t i;

    if (answer->kind == LN_ANSWER_INTERFACES && links->watch_asked &&
        answer->id == links->watch_request)
        take_interfaces(links, answer);
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++) {
        struct ln_mdns_link *link = &links->links[i];

        if (answer->kind == LN_ANSWER_CLOSED && link->state == LN_MDNS_LINK_OPEN &&
            link->link == answer->link)
            link->state = LN_MDNS_LINK_FREE;
        if (link->state != LN_MDNS_LINK_ASKED || link->request != answer->id)
            continue;
        if (answer->kind == LN_ANSWER_OPENED) {
            link->link = answer->link;
            link->bound = answer->local;
            link->state = link->gone ? LN_MDNS_LINK_CLOSING : LN_MDNS_LINK_OPEN;
            return link->gone ? -1 : (int)i;
        }
        if (answer->kind == LN_ANSWER_FAILED) {
            link->state = link->group && !link->gone ? LN_MDNS_LINK_WANTED : LN_MDNS_LINK_FREE;
            link->group = false;
        }
    }
    return -1;
}

/* --- requests ------------------------------------------------------------------------------- */

static struct ln_request open_request(const struct ln_mdns_link *link)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_UDP, .id = link->request };

    if (link->group) {
        request.local = group_address(link->interface.family);
        if (link->interface.family == LN_FAMILY_IPV6)
            request.local.scope = link->index;
        else
            request.remote = link->interface;
    } else {
        request.local = link->interface;
        request.local.port = 0;
    }
    return request;
}

static uint32_t new_request(struct ln_mdns_links *links)
{
    links->last_request = (links->last_request + 1) & 0xffffffu;
    return ((uint32_t)links->request_tag << 24) | links->last_request;
}

int ln_mdns_links_poll_request(struct ln_mdns_links *links, struct ln_request *ret_request)
{
    size_t i;

    if (links->watch_wanted) {
        links->watch_wanted = false;
        links->watch_asked = true;
        links->watch_request = new_request(links);
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_WATCH_INTERFACES,
                                            .id = links->watch_request };
        return 1;
    }
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++) {
        struct ln_mdns_link *link = &links->links[i];

        if (link->state == LN_MDNS_LINK_WANTED) {
            link->state = LN_MDNS_LINK_ASKED;
            link->request = new_request(links);
            *ret_request = open_request(link);
            return 1;
        }
        if (link->state == LN_MDNS_LINK_CLOSING) {
            link->state = LN_MDNS_LINK_FREE;
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .link = link->link };
            return 1;
        }
    }
    return 0;
}

/* --- what the others ask -------------------------------------------------------------------- */

struct ln_mdns_link *ln_mdns_links_find(struct ln_mdns_links *links, ln_link link)
{
    size_t i;

    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if (links->links[i].state == LN_MDNS_LINK_OPEN && links->links[i].link == link)
            return &links->links[i];
    return NULL;
}

uint32_t ln_mdns_links_open(const struct ln_mdns_links *links)
{
    uint32_t bits = 0;
    size_t i;

    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if (links->links[i].state == LN_MDNS_LINK_OPEN)
            bits |= 1u << i;
    return bits;
}

static bool has_address(const struct ln_mdns_links *links, uint32_t index,
                        const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < links->place_count; i++)
        if (links->places[i].index == index &&
            ln_address_equal_ip(&links->places[i].address, address))
            return true;
    return false;
}

uint32_t ln_mdns_links_of_address(const struct ln_mdns_links *links,
                                  const struct ln_address *address)
{
    uint32_t bits = 0;
    size_t i;

    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if (links->links[i].state == LN_MDNS_LINK_OPEN && links->links[i].group &&
            has_address(links, links->links[i].index, address))
            bits |= 1u << i;
    return bits;
}

bool ln_mdns_links_may_come(const struct ln_mdns_links *links, const struct ln_address *address)
{
    size_t i;

    if (!links->known)
        return true;
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        if ((links->links[i].state == LN_MDNS_LINK_WANTED ||
             links->links[i].state == LN_MDNS_LINK_ASKED) &&
            links->links[i].group && has_address(links, links->links[i].index, address))
            return true;
    return false;
}

bool ln_mdns_links_neighbour(const struct ln_mdns_links *links, const struct ln_mdns_link *link,
                             const struct ln_address *address)
{
    size_t i;

    if (address->family != link->interface.family)
        return false;
    if (address->family == LN_FAMILY_IPV6 && ln_address_is_link_local(address))
        return true;
    for (i = 0; i < links->place_count; i++)
        if (links->places[i].index == link->index &&
            ln_address_in_prefix(address, &links->places[i].address, links->places[i].prefix_len))
            return true;
    return false;
}
