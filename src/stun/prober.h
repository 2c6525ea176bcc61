/* SPDX-License-Identifier: Apache-2.0
 * Many binding requests at once, from sockets of its own: the hands of stun/discovery.h.
 *
 * A probe names its socket, where it goes and what it asks for beyond an address: an answer from
 * elsewhere (CHANGE-REQUEST) or to another port (RESPONSE-PORT), or its own size. An answer is
 * known by its transaction id and may arrive on any socket: which one is part of the result.
 *
 * A value object inside its owner, who forwards the six calls of an endpoint. Sockets open when the
 * first probe names them; a probe that fails to be sent ends as UNREACHABLE. Nothing here is
 * authenticated, and nothing depends on it but what a person is told. */
#ifndef LN_STUN_PROBER_H
#define LN_STUN_PROBER_H

#include "base/endpoint.h"
#include "stun/transaction.h"

#include <linnet/env.h>

#define LN_STUN_PROBE_SOCKETS_MAX 16u
#define LN_STUN_PROBES_MAX        48u
#define LN_STUN_PROBE_BYTES_MAX   1472u /* of a padded request: 1500 with the headers of IPv4 */

enum ln_stun_probe_state {
    LN_STUN_PROBE_UNUSED,
    LN_STUN_PROBE_WAITING, /* for its socket */
    LN_STUN_PROBE_RUNNING,
    LN_STUN_PROBE_ANSWERED,
    LN_STUN_PROBE_REFUSED, /* the server said `code` */
    LN_STUN_PROBE_TIMED_OUT,
    LN_STUN_PROBE_UNREACHABLE, /* `error`: no socket, or the system could not send */
};

struct ln_stun_probe {
    /* what is asked */
    uint8_t socket;
    struct ln_address to;
    bool change_ip, change_port;
    uint16_t response_port; /* 0: none */
    uint16_t bytes;         /* of the whole request, a multiple of 4; 0: as short as it can be */
    struct ln_stun_timing timing;
    /* what came of it */
    uint8_t state; /* enum ln_stun_probe_state */
    uint8_t answered_on;
    uint16_t code;
    int error;
    struct ln_address from;   /* of the answer */
    struct ln_address mapped; /* no family: the answer named none */
    struct ln_address other;  /* OTHER-ADDRESS, or no family */
    ln_duration rtt;          /* -1: the request was sent more than once */
    struct ln_stun_transaction transaction;
};

struct ln_stun_prober_socket {
    uint8_t state; /* private */
    bool dont_fragment;
    ln_link link;
    struct ln_address local; /* bound */
    int error;
    bool asked_from_inside; /* a binding request of ours arrived here: hairpin */
};

struct ln_stun_prober {
    const struct ln_env *env;
    struct ln_address local; /* sockets are bound to it; port 0 */
    struct ln_stun_prober_socket sockets[LN_STUN_PROBE_SOCKETS_MAX];
    struct ln_stun_probe probes[LN_STUN_PROBES_MAX];
    size_t probe_count;
};

void ln_stun_prober_init(struct ln_stun_prober *p, const struct ln_env *env,
                         const struct ln_address *local);
/* Starts it. NULL when there is no room. */
struct ln_stun_probe *ln_stun_prober_ask(struct ln_stun_prober *p, ln_time now,
                                         const struct ln_stun_probe *probe);
bool ln_stun_probe_over(const struct ln_stun_probe *probe);
/* No more requests of a probe that runs; it ends as TIMED_OUT. */
void ln_stun_probe_give_up(struct ln_stun_probe *probe);

void ln_stun_prober_receive(struct ln_stun_prober *p, ln_time now, const struct ln_packet *packet);
void ln_stun_prober_on_timeout(struct ln_stun_prober *p, ln_time now);
ln_time ln_stun_prober_next_timeout(const struct ln_stun_prober *p);
int ln_stun_prober_poll_transmit(struct ln_stun_prober *p, ln_time now, struct ln_transmit *out);
int ln_stun_prober_poll_request(struct ln_stun_prober *p, struct ln_request *ret_request);
void ln_stun_prober_answer(struct ln_stun_prober *p, ln_time now, const struct ln_answer *answer);

#endif
