/* SPDX-License-Identifier: Apache-2.0
 * A peer of the TURN server's clients that lives in the same program: an endpoint
 * (linnet/endpoint.h) that stands between a driver and another endpoint, say the mux of many ICE
 * agents, so that what clients' relays and that endpoint say to each other never sees a socket.
 *
 *   driver                 resident                        endpoint
 *   its UDP sockets   <->  all others                 <->  its links, as ever
 *                          relays of the service  <=====>  the same links, from and to the relay
 *                             || parcels, by boxes (exchange.h)
 *                          the workers
 *
 * Every UDP socket that the endpoint opens is an address of the resident, while it is open: clients
 * may name it as a peer although it is the machine's own (servers/turn/core/residents.h), by the
 * address that is bound and, where that is a relay's behind a 1:1 NAT, by the one outside. TCP is
 * passed through: there is nothing for allocations of RFC 6062.
 *
 * Relays of several clients may share one port. The resident is told them apart by the scope of
 * their address, which no socket ever says: each is a peer of its own, known by what it sends.
 *
 * What arrives in memory is no more to be trusted than what a socket brings: only that the source
 * is the relay that it names is certain. So that this holds for all, a datagram of the network with
 * such a source is dropped. ECN and DSCP end here as they do at a relay, nothing is held back for
 * its time (not_before), and a full box drops as a network does. All is counted.
 *
 * Thread rule: on one thread, that of the driver, and not on a worker's. */
#ifndef LN_TURN_WIRING_RESIDENT_H
#define LN_TURN_WIRING_RESIDENT_H

#include "io/loop.h"

#define LN_TURN_RESIDENT_HOMES_MAX 32u /* sockets of one; what is above is an address like any */
#define LN_TURN_RESIDENT_ASKED_MAX 64u /* of them not opened yet */

struct ln_turn_resident;
struct ln_turn_service;

/* `inner` and env (with its pool) are borrowed. To be made before the driver asks `inner` for its
 * sockets. Returns 0, LN_ERR_INVALID_ARGUMENT (no pool), LN_ERR_LIMIT (LN_TURN_RESIDENTS_MAX, or no
 * descriptor), LN_ERR_NOMEM or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_turn_resident_create(struct ln_turn_resident **ret_resident,
                                         struct ln_turn_service *service, struct ln_endpoint inner,
                                         const struct ln_env *env);
/* Its addresses are the machine's again, its buffers are back in their pool; waits for one turn of
 * each worker. The driver lets go of it before; a loop does so here. NULL is fine. A service that
 * was stopped before is missed by nobody: all goes by the sockets then. */
void ln_turn_resident_free(struct ln_turn_resident *resident);

/* Drives it on this loop from now on, in the place of ln_loop_add_endpoint() for `inner`; `after`
 * as there. Returns 0, LN_ERR_NOMEM, LN_ERR_LIMIT or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_turn_resident_drive(struct ln_turn_resident *resident, struct ln_loop *loop,
                                        ln_loop_after_fn after, void *ctx);
/* The owner called into `inner`. */
void ln_turn_resident_touch(struct ln_turn_resident *resident);

/* ---- for another driver than a loop ---- */

/* What it drives in the place of `inner`. */
struct ln_endpoint ln_turn_resident_endpoint(struct ln_turn_resident *resident);
/* Readable while parcels wait, to be watched by the driver; then they are to be taken, and the
 * endpoint is to be looked after as when a packet came. */
int ln_turn_resident_fd(const struct ln_turn_resident *resident);
void ln_turn_resident_take(struct ln_turn_resident *resident, ln_time now);

/* ---- what happened ---- */

/* X(NAME, "what it is"): datagrams. */
#define LN_TURN_RESIDENT_COUNTER_TABLE(X)                                                          \
    X(handed_in, "from clients' relays, in memory")                                                \
    X(handed_out, "to clients' relays, in memory")                                                 \
    X(received, "from the network")                                                                \
    X(sent, "to the network")                                                                      \
    X(dropped_full, "to workers that take no more, or after the service ended")                    \
    X(dropped_memory, "to relays, without memory")                                                 \
    X(dropped_gone, "from relays to a socket, or to one of many on a port, that is closed")        \
    X(dropped_spoofed, "from the network, as if from a relay of this service")                     \
    X(homeless, "sockets that are no address of the resident: too many, or not to be named")

struct ln_turn_resident_counts {
#define LN_TURN_RESIDENT_COUNTER_MEMBER(name, what) uint64_t name;
    LN_TURN_RESIDENT_COUNTER_TABLE(LN_TURN_RESIDENT_COUNTER_MEMBER)
#undef LN_TURN_RESIDENT_COUNTER_MEMBER
};
struct ln_turn_resident_counts ln_turn_resident_counts(const struct ln_turn_resident *resident);

#endif
