/* SPDX-License-Identifier: Apache-2.0
 * mDNS (RFC 6762) for the names that ICE agents put in place of their addresses
 * ("8c1f...-....local", draft-ietf-mmusic-mdns-ice-candidates): the querier for those of others and
 * the responder for our own. An endpoint of its own, one a loop, shared by all connections on it.
 *
 * Each interface gets a socket in the group 224.0.0.251 (and ff02::fb) on port 5353; where that
 * cannot be had, an ordinary one whose questions are answered by unicast (RFC 6762, 6.7). A name is
 * asked for at 0, 1 and 2 seconds and given up at 3. Answers are taken only from port 5353 and only
 * for names that were asked for; of each family the first address counts, and it must be one that a
 * neighbour can have: private or link-local, for IPv6 also global unless `strict`. So a name cannot
 * lead our checks to the outside.
 *
 * An own name stands for one address, and is told on the interfaces that have it, to neighbours. */
#ifndef LN_MDNS_MDNS_H
#define LN_MDNS_MDNS_H

#include "base/endpoint.h"
#include "mdns/links.h"
#include "mdns/message.h"

#include <linnet/env.h>

#define LN_MDNS_QUERIES_MAX 256u /* names asked for at once; more fail with LN_ERR_LIMIT */
#define LN_MDNS_CACHE_MAX   64u  /* names remembered */

struct ln_mdns; /* opaque */

struct ln_mdns_config {
    bool ipv4, ipv6;       /* true, true */
    bool include_loopback; /* false: ask on loopback interfaces too */
    bool strict;           /* false: global IPv6 addresses are taken */
    ln_duration wait;      /* 3 s: then a query fails */
    ln_duration gather;    /* 20 ms: after the first address, the other family is waited for */
    uint8_t request_tag;   /* the upper 8 bits of request ids */
};
void ln_mdns_config_init(struct ln_mdns_config *config);

/* config NULL: the defaults. Returns 0 or LN_ERR_NOMEM. No socket is opened before the first
 * query. */
LN_NODISCARD int ln_mdns_create(struct ln_mdns **ret_mdns, const struct ln_mdns_config *config,
                                const struct ln_env *env);
void ln_mdns_free(struct ln_mdns *mdns);
struct ln_endpoint ln_mdns_endpoint(struct ln_mdns *mdns);

/* Asks for a name. `id` is the caller's and comes back in the event; several may ask for one name.
 * Returns 0, LN_ERR_SYNTAX (not a single label under .local), LN_ERR_LIMIT, LN_ERR_NOMEM. */
LN_NODISCARD int ln_mdns_query(struct ln_mdns *mdns, const char *name, uint64_t id);
/* Forgets a query: no event comes for it. */
void ln_mdns_cancel(struct ln_mdns *mdns, uint64_t id);

/* Answers for a name of ours from now on; the event with `id` (the caller's, unlike that of any
 * other name) says when others can ask for it. Returns 0, LN_ERR_SYNTAX (as above),
 * LN_ERR_ADDRESS_IN_USE (the name stands for something already), LN_ERR_LIMIT, LN_ERR_NOMEM. */
LN_NODISCARD int ln_mdns_publish(struct ln_mdns *mdns, const char *name,
                                 const struct ln_address *address, uint64_t id);
/* Takes it back; those who heard it are told. No event comes for it any more. */
void ln_mdns_withdraw(struct ln_mdns *mdns, uint64_t id);

enum ln_mdns_event_kind {
    LN_MDNS_RESOLVED,  /* ln_mdns_query(): addresses, or error */
    LN_MDNS_PUBLISHED, /* ln_mdns_publish(): announced, or error: the name is gone */
};

struct ln_mdns_event {
    enum ln_mdns_event_kind kind;
    uint64_t id;
    int error; /* 0, or LN_ERR_NOT_FOUND: no answer in time; no interface with that address on which
                  the port of mDNS could be had */
    struct ln_address addresses[2]; /* IPv4 first; ports 0 */
    size_t address_count;
};
/* False when there is none. */
bool ln_mdns_poll_event(struct ln_mdns *mdns, struct ln_mdns_event *ret_event);

#endif
