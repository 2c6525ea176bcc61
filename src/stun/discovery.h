/* SPDX-License-Identifier: Apache-2.0
 * What the network between us and STUN servers does to UDP: NAT behaviour discovery (RFC 5780, 4)
 * in the words of RFC 4787, hairpinning, how long a mapping lives, and the largest packet that
 * passes.
 *
 * An endpoint for one address family. Everything that can be asked at once is: with a server that
 * has two addresses all but the lifetime is known within four seconds, whatever is lost or blocked.
 * A server without a second address (no OTHER-ADDRESS) leaves filtering unknown; mapping is then
 * told by comparing what two servers see.
 *
 *     servers       each is asked for our address, from one socket
 *     mapping       the same socket asks the server's other addresses (RFC 5780, 4.3)
 *     filtering     fresh sockets ask for answers from elsewhere (4.4)
 *     hairpin       one socket sends to the public address of another (4.5)
 *     path MTU      requests of falling size that may not be fragmented
 *     lifetime      a socket waits, another asks for an answer to its mapping (4.6)
 *
 * Answers are not authenticated (STUN to strangers has no keys): tell people, decide nothing. */
#ifndef LN_STUN_DISCOVERY_H
#define LN_STUN_DISCOVERY_H

#include "base/endpoint.h"

#include <linnet/env.h>

#define LN_STUN_DISCOVERY_SERVERS_MAX 8u

/* RFC 4787, 4.1 (mapping) and 5 (filtering). */
enum ln_nat_behavior {
    LN_NAT_UNKNOWN,
    LN_NAT_NONE, /* mapping: our own address is what servers see */
    LN_NAT_INDEPENDENT,
    LN_NAT_ADDRESS_DEPENDENT,
    LN_NAT_ADDRESS_AND_PORT_DEPENDENT,
    LN_NAT_DEPENDENT, /* mapping: on the address at least; the server could not tell more */
};
/* "endpoint-independent", … */
const char *ln_nat_behavior_name(enum ln_nat_behavior behavior);

enum ln_nat_answer { LN_NAT_NOT_ASKED, LN_NAT_YES, LN_NAT_NO };

struct ln_stun_discovery_config {
    struct ln_address local;          /* the address of ours by which the servers are reached */
    const struct ln_address *servers; /* of its family, with ports; copied */
    size_t server_count;              /* 1..LN_STUN_DISCOVERY_SERVERS_MAX */
    bool hairpin, mtu;
    ln_duration lifetime; /* of mappings: waits at most so long; 0: not asked for */
};

struct ln_stun_server_result {
    struct ln_address address;
    bool answered;
    uint16_t code;            /* STUN error, 0: none */
    int error;                /* LN_ERR_… when the system could not send, else 0 */
    ln_duration rtt;          /* -1: a request had to be repeated */
    struct ln_address mapped; /* our address, as it sees it */
    bool two_addresses;       /* it has another (RFC 5780) */
};

struct ln_stun_discovery_result {
    struct ln_stun_server_result servers[LN_STUN_DISCOVERY_SERVERS_MAX];
    size_t server_count;
    enum ln_nat_behavior mapping, filtering;
    bool port_preserved; /* the mapping has the port of the socket */
    enum ln_nat_answer hairpin;
    uint16_t mtu;             /* the largest packet that passed, IP header included; 0: not known */
    uint16_t mtu_asked;       /* the largest that was tried */
    ln_duration lifetime_min; /* a mapping lived at least so long; 0: not known */
    ln_duration lifetime_max; /* and no longer than this; 0: not known */
};

struct ln_stun_discovery;

/* Starts at the first on_timeout. Returns 0, LN_ERR_INVALID_ARGUMENT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_stun_discovery_create(struct ln_stun_discovery **ret_discovery,
                                          const struct ln_stun_discovery_config *config,
                                          const struct ln_env *env);
void ln_stun_discovery_free(struct ln_stun_discovery *discovery); /* NULL is fine */
struct ln_endpoint ln_stun_discovery_endpoint(struct ln_stun_discovery *discovery);
/* Nothing more will come to the result. */
bool ln_stun_discovery_done(const struct ln_stun_discovery *discovery);
/* What is known by now. */
void ln_stun_discovery_result(const struct ln_stun_discovery *discovery,
                              struct ln_stun_discovery_result *ret_result);

#endif
