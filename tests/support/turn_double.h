/* SPDX-License-Identifier: Apache-2.0
 * A small TURN server over UDP for unit tests of the client: it does what RFC 8656 says for one
 * user, and what a test asks it to do wrong. An endpoint for tests/support/wire.h. */
#ifndef LN_TEST_TURN_DOUBLE_H
#define LN_TEST_TURN_DOUBLE_H

#include "base/endpoint.h"
#include "stun/message.h"

#define TURN_DOUBLE_ALLOCATIONS 8
#define TURN_DOUBLE_PEERS       16
#define TURN_DOUBLE_QUEUE       64

struct turn_double_allocation {
    struct ln_address client; /* family NONE: free */
    struct ln_address relayed;
    ln_link relay;
    uint32_t request;     /* of its socket, while it opens */
    struct ln_stun_id id; /* of the Allocate that waits for it */
    ln_time expires_at;
    struct ln_address permissions[TURN_DOUBLE_PEERS];
    ln_time permission_until[TURN_DOUBLE_PEERS];
    size_t permission_count;
    struct ln_address channels[TURN_DOUBLE_PEERS]; /* 0x4000 + index */
    bool bound[TURN_DOUBLE_PEERS];
    uint32_t ticket; /* 0: none was asked for */
};

enum turn_double_mobility {
    TURN_DOUBLE_KNOWS_NO_TICKETS, /* passes over the attribute */
    TURN_DOUBLE_FORBIDS_MOVES,
    TURN_DOUBLE_MOVES, /* at once, with the first Refresh */
};

struct turn_double {
    struct ln_address listen; /* with its port; set before the first turn */
    struct ln_address relay_ip;
    const char *username, *password, *realm;
    uint16_t algorithm;       /* 0: MD5 without a word; 1, 2: offered in PASSWORD-ALGORITHMS */
    bool cut_algorithms;      /* an attacker takes the list out */
    bool anonymous;           /* asks for USERHASH */
    uint16_t refuse_allocate; /* a code, 0: none */
    unsigned refusals;        /* so many of the first Allocates; 0: all */
    bool unsigned_errors;
    bool wrong_integrity; /* its successes are signed with another key */
    bool weak_integrity;  /* with SHA-1, whatever was agreed on */
    bool silent;
    uint16_t refuse_permission, refuse_channel;
    enum turn_double_mobility mobility;
    uint16_t refuse_move;        /* a code, 0: none */
    size_t ticket_len;           /* 0: 4 */
    struct ln_address alternate; /* 300 with this address, family NONE: none */
    bool relayed_nowhere;        /* it gives 0.0.0.0 */
    uint32_t lifetime_s;         /* 0: 600 */
    unsigned stale_every;        /* each n-th signed request gets 438; 0: none */

    /* what happened */
    unsigned allocates, refreshes, releases, permissions, bindings, signed_requests, moves;
    uint64_t indications_in, channel_data_in, indications_out, channel_data_out, refused_data;
    unsigned nonce; /* counts up with each 438 */

    /* inside */
    const struct ln_env *env;
    bool asked, open;
    ln_link link;
    uint32_t last_request;
    struct turn_double_allocation allocations[TURN_DOUBLE_ALLOCATIONS];
    struct {
        struct ln_path path;
        size_t len;
        uint8_t data[1600];
    } queue[TURN_DOUBLE_QUEUE];
    size_t queued;
};

/* User "user", password "secret", realm "example.org", listening at "ip:3478". */
void turn_double_init(struct turn_double *t, const struct ln_env *env, const char *ip);
struct ln_endpoint turn_double_endpoint(struct turn_double *t);
size_t turn_double_allocated(const struct turn_double *t);

#endif
