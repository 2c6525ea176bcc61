/* SPDX-License-Identifier: Apache-2.0
 * The timers of one client transaction over UDP (RFC 8489, 6.2.1).
 *
 * Invariant: while it runs `next` is the moment of the next planned request or, once all Rc are
 * out, of the end. */
#include "stun/transaction.h"

#include "base/rng.h"
#include "base/time.h"

void ln_stun_transaction_begin(struct ln_stun_transaction *t, struct ln_stun_timing timing,
                               struct ln_rng *rng, ln_time now)
{
    ln_rng_bytes(rng, t->id.bytes, sizeof t->id.bytes);
    t->timing = timing;
    t->state = LN_STUN_RUNNING;
    t->planned = 1;
    t->sent = 0;
    t->due = true;
    t->last_sent = LN_TIME_IMMEDIATE;
    t->wait = timing.rto;
    t->next = ln_time_add(now, timing.rc > 1 ? timing.rto : timing.rto * timing.rm);
}

ln_time ln_stun_transaction_next_timeout(const struct ln_stun_transaction *t)
{
    return t->state == LN_STUN_RUNNING ? t->next : LN_TIME_NEVER;
}

void ln_stun_transaction_on_timeout(struct ln_stun_transaction *t, ln_time now)
{
    if (t->state != LN_STUN_RUNNING || !ln_time_due(t->next, now))
        return;
    if (t->planned >= t->timing.rc) {
        t->state = LN_STUN_TIMED_OUT;
        t->due = false;
        return;
    }
    t->planned++;
    t->due = true;
    /* From `now`, not from `next`: after a late call requests do not come in a burst. */
    t->wait *= 2;
    if (t->timing.wait_max > 0 && t->wait > t->timing.wait_max)
        t->wait = t->timing.wait_max;
    t->next = ln_time_add(now, t->planned < t->timing.rc ? t->wait : t->timing.rto * t->timing.rm);
}

bool ln_stun_transaction_take(struct ln_stun_transaction *t, ln_time now)
{
    if (t->state != LN_STUN_RUNNING || !t->due)
        return false;
    t->due = false;
    t->sent++;
    t->last_sent = now;
    return true;
}

void ln_stun_transaction_hasten(struct ln_stun_transaction *t, ln_time now, ln_duration spacing)
{
    if (t->state == LN_STUN_RUNNING && ln_time_add(t->last_sent, spacing) <= now)
        t->due = true;
}

bool ln_stun_transaction_answer(struct ln_stun_transaction *t, const struct ln_stun_id *id,
                                ln_time now, ln_duration *ret_rtt)
{
    if (t->state != LN_STUN_RUNNING || t->sent == 0 || !ln_stun_id_equal(&t->id, id))
        return false;
    t->state = LN_STUN_ANSWERED;
    t->due = false;
    if (ret_rtt)
        *ret_rtt = t->sent == 1 ? now - t->last_sent : -1;
    return true;
}

void ln_stun_transaction_cancel(struct ln_stun_transaction *t)
{
    t->state = LN_STUN_IDLE;
    t->due = false;
}
