/* SPDX-License-Identifier: Apache-2.0
 * The pacer: lets packets leave at 2.5 times the target, so that a key frame does not fill the
 * queues of the path. Audio and RTCP never wait, but what they take is counted.
 *
 * It holds no packets: the owner asks before each one. A queue that is older than the limit speeds
 * the pacer up until it empties in time. No allocation; embed it. */
#ifndef LN_CC_PACER_H
#define LN_CC_PACER_H

#include <linnet/types.h>

#define LN_PACER_FACTOR_PERCENT 250u
#define LN_PACER_BURST          LN_MILLISECONDS(5)    /* may leave at once after a pause */
#define LN_PACER_QUEUE_LIMIT    LN_MILLISECONDS(2000) /* the queue never holds more than this */

struct ln_pacer {
    uint64_t target_bps;
    uint64_t rate_bps; /* at which the debt is paid off */
    int64_t debt_ns;   /* time that what has left still takes at rate_bps */
    ln_time updated;   /* when debt_ns was true */
};

void ln_pacer_init(struct ln_pacer *pacer, uint64_t target_bps, ln_time now);
/* The estimator's target changed. */
void ln_pacer_set_target(struct ln_pacer *pacer, ln_time now, uint64_t target_bps);
/* Tells what waits, to speed up if it would wait beyond the limit; `oldest` LN_TIME_NEVER: nothing.
 * Call after frames were queued. */
void ln_pacer_set_queue(struct ln_pacer *pacer, ln_time now, size_t queued_bytes, ln_time oldest);

/* Whether a paced packet may leave now. Unpaced ones need not ask. */
bool ln_pacer_may_send(const struct ln_pacer *pacer, ln_time now);
/* A packet left, paced or not. */
void ln_pacer_on_sent(struct ln_pacer *pacer, ln_time now, size_t len);
/* When the next paced packet may leave (a past or present moment: now). Ask only while one waits.
 */
ln_time ln_pacer_next_timeout(const struct ln_pacer *pacer);

#endif
