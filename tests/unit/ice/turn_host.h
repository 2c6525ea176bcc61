/* SPDX-License-Identifier: Apache-2.0
 * This tree's own TURN server at 203.0.113.1:3478 of the wire, for the user alice with the password
 * "secret"; its relays may meet each other. */
#ifndef TESTS_UNIT_ICE_TURN_HOST_H
#define TESTS_UNIT_ICE_TURN_HOST_H

#include "servers/turn/core/turn.h"
#include "tests/support/wire.h"

struct turn_host {
    struct ln_turn_shared *shared;
    struct ln_turn_credentials *credentials;
    struct ln_turn_policy policy;
    struct ln_turn_server *server;
    struct ln_turn_listen listen[2]; /* datagrams, streams */
};

/* Over datagrams and streams; the environment is borrowed. */
void turn_host_start(struct turn_host *host, struct wire *wire, const struct ln_env *env,
                     bool no_mobility);
/* Without mobility, and with allocations of TCP (RFC 6062). */
void turn_host_start_tcp(struct turn_host *host, struct wire *wire, const struct ln_env *env);
/* Also over TLS, with this certificate (borrowed). */
void turn_host_start_tls(struct turn_host *host, struct wire *wire, const struct ln_env *env,
                         struct ln_certificate *certificate);
/* Harmless twice. */
void turn_host_stop(struct turn_host *host);

/* Two sides behind NATs that let in only whom they sent to. */
void turn_host_set_nats(struct wire *wire, int first, int second);

#endif
