/* SPDX-License-Identifier: Apache-2.0
 * The sockets of mDNS: one a family and interface, in the group on port 5353; where that cannot be
 * had an ordinary one, from which questions can be asked and none are heard (RFC 6762, 5.1). Also
 * which addresses the interfaces have: who is a neighbour, and where a name of ours is valid. */
#ifndef LN_MDNS_LINKS_H
#define LN_MDNS_LINKS_H

#include "base/endpoint.h"

#define LN_MDNS_PORT       5353u
#define LN_MDNS_LINKS_MAX  16u
#define LN_MDNS_PLACES_MAX 64u /* addresses of interfaces; more have no neighbours */

enum ln_mdns_link_state {
    LN_MDNS_LINK_FREE,
    LN_MDNS_LINK_WANTED,
    LN_MDNS_LINK_ASKED,
    LN_MDNS_LINK_OPEN,
    LN_MDNS_LINK_CLOSING
};

struct ln_mdns_link {
    uint8_t state; /* enum ln_mdns_link_state */
    bool group;    /* on port 5353 in the group; else an ordinary port */
    bool gone;
    uint32_t index; /* of the interface */
    uint32_t request;
    ln_link link;
    struct ln_address interface; /* the interface's address */
    struct ln_address bound;
};

struct ln_mdns_place {
    uint32_t index;
    uint8_t prefix_len;
    struct ln_address address;
};

struct ln_mdns_links {
    bool ipv4, ipv6, include_loopback;
    bool watch_wanted, watch_asked, known; /* known: the interfaces were told */
    uint8_t request_tag;
    uint32_t watch_request, last_request;
    struct ln_mdns_link links[LN_MDNS_LINKS_MAX];
    struct ln_mdns_place places[LN_MDNS_PLACES_MAX];
    size_t place_count;
};

/* The interfaces are watched from now on, and sockets opened. Harmless twice. */
void ln_mdns_links_want(struct ln_mdns_links *links);
int ln_mdns_links_poll_request(struct ln_mdns_links *links, struct ln_request *ret_request);
/* Returns the index of a link that has just been opened, or -1. */
int ln_mdns_links_answer(struct ln_mdns_links *links, const struct ln_answer *answer);

/* The open one of this name, or NULL. */
struct ln_mdns_link *ln_mdns_links_find(struct ln_mdns_links *links, ln_link link);
/* A bit for each that is open. */
uint32_t ln_mdns_links_open(const struct ln_mdns_links *links);
/* A bit for each that is open in the group on the interface that has the address. */
uint32_t ln_mdns_links_of_address(const struct ln_mdns_links *links,
                                  const struct ln_address *address);
/* Whether such a link may still come. */
bool ln_mdns_links_may_come(const struct ln_mdns_links *links, const struct ln_address *address);
/* Whether the address belongs to a network of the link's interface (RFC 6762, 11). */
bool ln_mdns_links_neighbour(const struct ln_mdns_links *links, const struct ln_mdns_link *link,
                             const struct ln_address *address);
/* From the link to the group. */
struct ln_path ln_mdns_link_path(const struct ln_mdns_link *link);

#endif
