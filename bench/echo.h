/* SPDX-License-Identifier: Apache-2.0
 * An endpoint that sends every datagram back where it came from, a run of them as one train. */
#ifndef LN_BENCH_ECHO_H
#define LN_BENCH_ECHO_H

#include "base/ring.h"

#include <linnet/endpoint.h>
#include <linnet/env.h>

#define ECHO_SOCKETS_MAX 2u
#define ECHO_QUEUE_MAX   16384u /* datagrams; more are dropped, as by a socket */

struct echo {
    const struct ln_env *env;
    struct ln_address addresses[ECHO_SOCKETS_MAX]; /* bound, when `opened` counts them */
    uint32_t count, asked, opened, failed;
    struct ln_ring queue;
    uint64_t received, dropped;
};

/* Opens a socket at each of these addresses. env with its pool is borrowed. */
void echo_init(struct echo *echo, const struct ln_address *addresses, uint32_t count,
               const struct ln_env *env);
void echo_deinit(struct echo *echo);
struct ln_endpoint echo_endpoint(struct echo *echo);

#endif
