/* SPDX-License-Identifier: Apache-2.0
 * The pacer as a debt of time: each packet adds what it takes at the pace, time pays it off. */
#include "cc/pacer.h"

#include "base/time.h"

#define RATE_MIN 10000u /* bit/s: no division by nothing */

static uint64_t pace(uint64_t target_bps)
{
    uint64_t rate = target_bps / 100 * LN_PACER_FACTOR_PERCENT;

    return rate < RATE_MIN ? RATE_MIN : rate;
}

void ln_pacer_init(struct ln_pacer *p, uint64_t target_bps, ln_time now)
{
    p->target_bps = target_bps;
    p->rate_bps = pace(target_bps);
    p->debt_ns = 0;
    p->updated = now;
}

/* Debt below zero is credit for a burst after a pause. */
static int64_t debt_at(const struct ln_pacer *p, ln_time now)
{
    ln_duration elapsed = ln_time_max(0, now - p->updated);

    return ln_time_max(p->debt_ns - elapsed, -LN_PACER_BURST);
}

static void settle(struct ln_pacer *p, ln_time now)
{
    p->debt_ns = debt_at(p, now);
    p->updated = ln_time_max(p->updated, now);
}

/* A debt is bytes at heart: at another pace it takes another time. */
static void set_rate(struct ln_pacer *p, ln_time now, uint64_t rate_bps)
{
    settle(p, now);
    if (p->debt_ns > 0)
        p->debt_ns = (int64_t)((double)p->debt_ns * (double)p->rate_bps / (double)rate_bps);
    p->rate_bps = rate_bps;
}

void ln_pacer_set_target(struct ln_pacer *p, ln_time now, uint64_t target_bps)
{
    p->target_bps = target_bps;
    set_rate(p, now, pace(target_bps));
}

void ln_pacer_set_queue(struct ln_pacer *p, ln_time now, size_t queued_bytes, ln_time oldest)
{
    uint64_t rate = pace(p->target_bps);

    if (oldest != LN_TIME_NEVER && queued_bytes > 0) {
        /* What waits must be out when its oldest packet reaches the limit. */
        ln_duration left = ln_time_max(LN_PACER_QUEUE_LIMIT - (now - oldest), LN_MILLISECONDS(50));
        uint64_t needed = (uint64_t)((double)queued_bytes * 8e9 / (double)left);

        rate = needed > rate ? needed : rate;
    }
    if (rate != p->rate_bps)
        set_rate(p, now, rate);
}

bool ln_pacer_may_send(const struct ln_pacer *p, ln_time now)
{
    return debt_at(p, now) <= 0;
}

void ln_pacer_on_sent(struct ln_pacer *p, ln_time now, size_t len)
{
    settle(p, now);
    p->debt_ns += (int64_t)((double)len * 8e9 / (double)p->rate_bps);
}

ln_time ln_pacer_next_timeout(const struct ln_pacer *p)
{
    return p->debt_ns <= 0 ? p->updated : p->updated + p->debt_ns;
}
