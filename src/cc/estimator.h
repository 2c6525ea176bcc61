/* SPDX-License-Identifier: Apache-2.0
 * The interface of a bandwidth estimator: told what is sent and what comes back, it says how fast
 * the path may be used. Implementations are interchangeable; the owner never asks which one it has.
 *
 * Laws: target stays within [min, max]; on_timeout(now) leaves next_timeout() after now; getters
 * change nothing; results for sequence numbers that were never sent change nothing; same calls,
 * same target. */
#ifndef LN_CC_ESTIMATOR_H
#define LN_CC_ESTIMATOR_H

#include "cc/feedback.h"

#include <linnet/env.h>
#include <linnet/error.h>

struct ln_estimator;

struct ln_estimator_config {
    uint64_t start_bps; /* 0: 300 000 */
    uint64_t min_bps;   /* 0: 30 000 */
    uint64_t max_bps;   /* 0: 20 000 000 */
};

struct ln_estimator_stats {
    uint64_t target_bps;
    uint64_t acked_bps;          /* what arrived lately; 0: not known */
    double loss;                 /* 0..1, smoothed */
    ln_duration queue_delay;     /* estimated standing queue of the path */
    ln_duration round_trip_time; /* 0: not known */
    uint64_t results_unknown;    /* results for packets never sent */
};

struct ln_estimator_ops {
    void (*free)(struct ln_estimator *e);
    /* A packet left (every one, also those without sequence number). */
    void (*on_sent)(struct ln_estimator *e, const struct ln_cc_sent *sent);
    /* One feedback message, in sequence order. */
    void (*on_feedback)(struct ln_estimator *e, ln_time now, const struct ln_cc_result *results,
                        size_t count);
    /* The loss that receiver reports tell: fraction 0..1 over `packets` packets. */
    void (*on_loss)(struct ln_estimator *e, ln_time now, double fraction, uint32_t packets);
    /* The receiver's own estimate (REMB). */
    void (*on_remb)(struct ln_estimator *e, ln_time now, uint64_t bps);
    void (*on_rtt)(struct ln_estimator *e, ln_time now, ln_duration rtt);
    /* How much the encoders could use in all; 0: not known. Growth stops where nobody uses it. */
    void (*on_demand)(struct ln_estimator *e, ln_time now, uint64_t bps);
    /* The path changed (another ICE pair): what was learnt is void. */
    void (*on_path_change)(struct ln_estimator *e, ln_time now);
    void (*on_timeout)(struct ln_estimator *e, ln_time now);
    ln_time (*next_timeout)(const struct ln_estimator *e);
    uint64_t (*target_bps)(const struct ln_estimator *e);
    /* Padding to send now to learn more, in bytes; 0: none. Taking it clears it. */
    size_t (*poll_probe)(struct ln_estimator *e, ln_time now);
    void (*set_limits)(struct ln_estimator *e, uint64_t min_bps, uint64_t max_bps);
    void (*get_stats)(const struct ln_estimator *e, struct ln_estimator_stats *ret);
};

/* Every implementation begins with this. */
struct ln_estimator {
    const struct ln_estimator_ops *ops;
};

/* Loss, REMB and transport-cc with a guard on the queue that builds up (estimator_simple.c). */
LN_NODISCARD int ln_estimator_simple_create(struct ln_estimator **ret, const struct ln_env *env,
                                            const struct ln_estimator_config *config, ln_time now);

static inline void ln_estimator_free(struct ln_estimator *e) /* NULL is fine */
{
    if (e)
        e->ops->free(e);
}

#endif
