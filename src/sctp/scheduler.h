/* SPDX-License-Identifier: Apache-2.0
 * Which stream sends its next message: a table of functions over a state of the scheduler's own.
 * It sees streams that have something queued; a message once begun is finished first, unless
 * interleaving (RFC 8260) is in use. RFC 8260, 3 names the usual ones; scheduler_rr.c is 3.2. */
#ifndef LN_SCTP_SCHEDULER_H
#define LN_SCTP_SCHEDULER_H

#include "base/list.h"

#include <linnet/types.h>

/* Embedded in each outgoing stream. */
struct ln_schedulable {
    struct ln_list link; /* the scheduler's */
    uint64_t key;        /* the scheduler's */
    uint16_t priority;
    bool waiting; /* has something queued; kept by the queue */
};

struct ln_sctp_scheduler_ops {
    const char *name;
    size_t state_bytes;
    void (*init)(void *scheduler);
    void (*add)(void *scheduler, struct ln_schedulable *stream);
    void (*remove)(void *scheduler, struct ln_schedulable *stream);
    struct ln_schedulable *(*next)(void *scheduler); /* NULL when none waits */
    void (*sent)(void *scheduler, struct ln_schedulable *stream, size_t bytes, bool whole);
};

extern const struct ln_sctp_scheduler_ops ln_sctp_scheduler_round_robin;

#endif
