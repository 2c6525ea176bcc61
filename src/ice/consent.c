/* SPDX-License-Identifier: Apache-2.0
 * Consent freshness (RFC 7675, 5.1). Consent checks are not retransmitted: the next one is the
 * repetition. */
#include "ice/consent.h"

#include "base/rng.h"
#include "base/time.h"

#include <string.h>

/* Checks are spread over 0.8..1.2 of the period, else many peers send in step (RFC 7675, 5.1); but
 * in small steps, so that many peers of one loop share its wake-ups. */
static ln_time after(ln_time from, ln_duration period, struct ln_rng *rng)
{
    ln_time at = from + period / 1000 * (800 + ln_rng_below(rng, 401));

    return at - at % LN_CONSENT_STEP;
}

void ln_consent_init(struct ln_consent *c)
{
    size_t i;

    memset(c, 0, sizeof *c);
    c->valid_until = LN_TIME_IMMEDIATE;
    for (i = 0; i < LN_CONSENT_OUTSTANDING; i++)
        c->sent[i] = LN_TIME_NEVER;
}

void ln_consent_renew(struct ln_consent *c, ln_time now)
{
    if (!c->lost)
        c->valid_until = now + LN_CONSENT_LIFETIME;
}

/* A period after the last answer: what was not asked for long is asked now. */
static ln_time next_of(const struct ln_consent *c, struct ln_rng *rng, ln_time now)
{
    if (now < c->valid_until)
        return ln_time_max(now,
                           after(c->valid_until - LN_CONSENT_LIFETIME, LN_CONSENT_PERIOD, rng));
    return now;
}

void ln_consent_start(struct ln_consent *c, struct ln_rng *rng, ln_time now)
{
    ln_time next = next_of(c, rng, now);

    if (c->lost)
        return;
    c->next_check = c->active ? ln_time_min(c->next_check, next) : next;
    c->active = true;
}

void ln_consent_rest(struct ln_consent *c, struct ln_rng *rng, ln_time now)
{
    c->next_check = after(now, LN_CONSENT_REST, rng);
}

void ln_consent_await(struct ln_consent *c)
{
    c->next_check = LN_TIME_NEVER;
    c->active = !c->lost;
}

void ln_consent_stop(struct ln_consent *c)
{
    c->active = false;
    c->due = false;
}

ln_time ln_consent_next_timeout(const struct ln_consent *c)
{
    if (!c->active || c->lost)
        return LN_TIME_NEVER;
    return c->for_ever ? c->next_check : ln_time_min(c->next_check, c->valid_until);
}

void ln_consent_on_timeout(struct ln_consent *c, struct ln_rng *rng, ln_time now)
{
    if (!c->active || c->lost)
        return;
    if (now >= c->valid_until && !c->for_ever) {
        c->lost = true;
        c->due = false;
    } else if (now >= c->next_check) {
        c->due = true;
        c->next_check = after(now, LN_CONSENT_PERIOD, rng);
    }
}

bool ln_consent_take(struct ln_consent *c, struct ln_rng *rng, ln_time now,
                     struct ln_stun_id *ret_id)
{
    size_t slot = c->next_slot;

    if (!c->due)
        return false;
    c->due = false;
    c->next_slot = (uint8_t)((slot + 1) % LN_CONSENT_OUTSTANDING);
    ln_rng_bytes(rng, c->ids[slot].bytes, LN_STUN_ID_LEN);
    c->sent[slot] = now;
    *ret_id = c->ids[slot];
    return true;
}

ln_time ln_consent_waits_since(const struct ln_consent *c)
{
    size_t last = (c->next_slot + LN_CONSENT_OUTSTANDING - 1) % LN_CONSENT_OUTSTANDING;

    return c->sent[last];
}

static int find(const struct ln_consent *c, const struct ln_stun_id *id)
{
    int i;

    for (i = 0; i < (int)LN_CONSENT_OUTSTANDING; i++)
        if (c->sent[i] != LN_TIME_NEVER && ln_stun_id_equal(&c->ids[i], id))
            return i;
    return -1;
}

bool ln_consent_expects(const struct ln_consent *c, const struct ln_stun_id *id)
{
    return find(c, id) >= 0;
}

bool ln_consent_answer(struct ln_consent *c, const struct ln_stun_id *id, ln_time now,
                       ln_duration *ret_rtt)
{
    int i = find(c, id);

    if (i < 0)
        return false;
    *ret_rtt = now - c->sent[i];
    c->sent[i] = LN_TIME_NEVER;
    return true;
}
