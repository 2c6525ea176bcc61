/* SPDX-License-Identifier: Apache-2.0
 * Which stream sends next: a table of functions over a state of the scheduler's own. It sees
 * streams that have something queued. Without interleaving it is asked for each message, and a
 * message once begun is finished first; with it, for each fragment.
 *
 *   scheduler_rr.c        each stream in turn (RFC 8260, 3.2)
 *   scheduler_ordered.c   first come first served (3.1), by priority (3.4), weighted fair (3.6) */
#ifndef LN_SCTP_SCHEDULER_H
#define LN_SCTP_SCHEDULER_H

#include "base/list.h"

#include <linnet/types.h>

/* Embedded in each outgoing stream. */
struct ln_schedulable {
    struct ln_list link;                             /* the scheduler's, as the next four */
    struct ln_schedulable *child, *sibling, *parent; /* in a heap; parent: or the elder sibling */
    uint64_t key;
    uint64_t arrival;  /* of its first message; kept by the queue */
    uint16_t priority; /* RFC 8831, 6.4: more is more */
    bool waiting;      /* has something queued; kept by the queue */
};

struct ln_sctp_scheduler_ops {
    const char *name;
    size_t state_bytes;
    void (*init)(void *scheduler);
    void (*add)(void *scheduler, struct ln_schedulable *stream);
    void (*remove)(void *scheduler, struct ln_schedulable *stream);
    struct ln_schedulable *(*next)(void *scheduler); /* NULL when none waits */
    /* The next `bytes` of its first message go; whole: the last of them. The stream is still in. */
    void (*sent)(void *scheduler, struct ln_schedulable *stream, size_t bytes, bool whole,
                 bool interleaving);
};

extern const struct ln_sctp_scheduler_ops ln_sctp_scheduler_first_come;
extern const struct ln_sctp_scheduler_ops ln_sctp_scheduler_round_robin;
extern const struct ln_sctp_scheduler_ops ln_sctp_scheduler_priority;
extern const struct ln_sctp_scheduler_ops ln_sctp_scheduler_weighted_fair;

#endif
