/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/reception.h"

#include <string.h>

static void restart(struct ln_reception *r, uint16_t sequence, uint32_t timestamp)
{
    uint32_t last_sr = r->last_sr;
    ln_time last_sr_arrival = r->last_sr_arrival;
    uint64_t duplicates = r->duplicates;

    memset(r, 0, sizeof *r);
    r->last_sr = last_sr;
    r->last_sr_arrival = last_sr_arrival;
    r->duplicates = duplicates;
    r->started = true;
    r->sequence.started = true;
    r->sequence.last = (int64_t)sequence - 1 + 0x10000; /* room for older ones below */
    r->base = r->sequence.last + 1;
    (void)ln_rtp_unwrap32(&r->timestamp, timestamp);
}

static uint64_t *word_of(struct ln_reception *r, int64_t sequence, uint64_t *ret_bit)
{
    uint64_t at = (uint64_t)sequence % LN_RECEPTION_WINDOW;

    *ret_bit = 1ull << (at % 64);
    return &r->seen[at / 64];
}

/* Notes the number; false if it was noted before. */
static bool mark_seen(struct ln_reception *r, int64_t sequence)
{
    uint64_t bit, *word;
    bool seen;

    if (sequence > r->sequence.last) {
        int64_t from = r->sequence.last + 1;

        if (sequence - from >= LN_RECEPTION_WINDOW)
            memset(r->seen, 0, sizeof r->seen);
        else
            for (; from <= sequence; from++) {
                word = word_of(r, from, &bit);
                *word &= ~bit;
            }
    }
    word = word_of(r, sequence, &bit);
    seen = (*word & bit) != 0;
    *word |= bit;
    return !seen;
}

/* RFC 3550, A.8, with arrival in timestamp units. */
static void measure_jitter(struct ln_reception *r, ln_time now, int64_t timestamp,
                           uint32_t clock_hz)
{
    int64_t arrival = now / 1000000000 * clock_hz + now % 1000000000 * clock_hz / 1000000000;
    int64_t transit = arrival - timestamp, difference = transit - r->last_transit;

    if (difference < 0)
        difference = -difference;
    /* A step of the timestamps of seconds is no jitter. */
    if (r->has_transit && difference < 5 * (int64_t)clock_hz)
        r->jitter += ((double)difference - r->jitter) / 16;
    r->last_transit = transit;
    r->has_transit = true;
}

enum ln_reception_result ln_reception_on_packet(struct ln_reception *r, ln_time now,
                                                uint16_t sequence, uint32_t timestamp,
                                                uint32_t clock_hz, int64_t *ret_sequence)
{
    enum ln_reception_result result = LN_RECEPTION_NEW;
    int64_t extended, step;

    if (!r->started)
        restart(r, sequence, timestamp);
    extended = ln_rtp_unwrap16_peek(&r->sequence, sequence);
    step = extended - r->sequence.last;
    if (step > LN_RECEPTION_DROPOUT || step <= -LN_RECEPTION_WINDOW) {
        if (!r->restart_pending || r->restart_next != sequence) {
            r->restart_pending = true;
            r->restart_next = (uint16_t)(sequence + 1);
            return step > 0 ? LN_RECEPTION_SUSPECT : LN_RECEPTION_TOO_OLD;
        }
        restart(r, sequence, timestamp);
        extended = r->base;
        result = LN_RECEPTION_RESTART;
    }
    r->restart_pending = false;
    if (!mark_seen(r, extended)) {
        r->duplicates++;
        return LN_RECEPTION_DUPLICATE;
    }
    r->received++;
    if (extended > r->sequence.last)
        r->sequence.last = extended;
    if (extended < r->base)
        r->base = extended;
    if (clock_hz > 0)
        measure_jitter(r, now, ln_rtp_unwrap32(&r->timestamp, timestamp), clock_hz);
    *ret_sequence = extended;
    return result;
}

bool ln_reception_on_repaired(struct ln_reception *r, uint16_t sequence, int64_t *ret_sequence)
{
    int64_t extended = ln_rtp_unwrap16_peek(&r->sequence, sequence);

    /* A repair of something newer than all that came is possible after a burst, but not far. */
    if (!r->started || extended <= r->sequence.last - LN_RECEPTION_WINDOW ||
        extended > r->sequence.last + LN_RECEPTION_WINDOW)
        return false;
    if (!mark_seen(r, extended)) {
        r->duplicates++;
        return false;
    }
    if (extended > r->sequence.last)
        r->sequence.last = extended;
    *ret_sequence = extended;
    return true;
}

uint64_t ln_reception_expected(const struct ln_reception *r)
{
    return r->started ? (uint64_t)(r->sequence.last - r->base + 1) : 0;
}

int64_t ln_reception_lost(const struct ln_reception *r)
{
    return (int64_t)ln_reception_expected(r) - (int64_t)r->received;
}

void ln_reception_report(struct ln_reception *r, ln_time now, uint32_t ssrc,
                         struct ln_rtcp_block *ret)
{
    uint64_t expected = ln_reception_expected(r);
    int64_t interval = (int64_t)(expected - r->expected_prior);
    int64_t lost = interval - (int64_t)(r->received - r->received_prior);
    int64_t cumulative = ln_reception_lost(r);

    r->expected_prior = expected;
    r->received_prior = r->received;
    memset(ret, 0, sizeof *ret);
    ret->ssrc = ssrc;
    if (interval > 0 && lost > 0)
        ret->fraction_lost = (uint8_t)(lost >= interval ? 255 : (lost << 8) / interval);
    ret->lost = (int32_t)(cumulative > 0x7fffff    ? 0x7fffff
                          : cumulative < -0x800000 ? -0x800000
                                                   : cumulative);
    ret->highest = (uint32_t)(r->sequence.last - 0x10000); /* the first cycle counts as 0 */
    ret->jitter = (uint32_t)r->jitter;
    if (r->last_sr != 0) {
        ret->last_sr = r->last_sr;
        ret->delay_since_sr = (uint32_t)(((now - r->last_sr_arrival) / 1000 << 16) / 1000000);
    }
}
