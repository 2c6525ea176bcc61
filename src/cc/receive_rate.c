/* SPDX-License-Identifier: Apache-2.0
 * A receiver's estimate from throughput and loss: see cc/receive_rate.h. */
#include "cc/receive_rate.h"

#include "base/time.h"

#include <string.h>

#define WINDOW    LN_MILLISECONDS(500)
#define FLOOR_BPS 50000u
#define LOSS_HIGH 0.10 /* above it the value falls */
#define LOSS_LOW  0.02 /* below it the value grows */
#define GROWTH    1.08 /* a second */
#define HEADROOM  2.0  /* times what arrives: the sender is never held by us while it grows */

void ln_receive_rate_init(struct ln_receive_rate *r, uint64_t start_bps, uint64_t max_bps)
{
    memset(r, 0, sizeof *r);
    r->estimate_bps = start_bps;
    r->max_bps = max_bps;
    r->window_from = LN_TIME_NEVER;
}

static void clamp(struct ln_receive_rate *r)
{
    if (r->estimate_bps < FLOOR_BPS)
        r->estimate_bps = FLOOR_BPS;
    if (r->estimate_bps > r->max_bps)
        r->estimate_bps = r->max_bps;
}

/* Ends a window of throughput. */
static void end_window(struct ln_receive_rate *r, ln_time now)
{
    double elapsed = ln_time_seconds(now - r->window_from);
    uint64_t rate = (uint64_t)((double)r->bytes * 8 / elapsed);

    r->rate_bps = r->rate_bps ? (r->rate_bps * 3 + rate) / 4 : rate;
    r->window_from = now;
    r->bytes = 0;
    if (r->loss < LOSS_LOW) {
        uint64_t room = (uint64_t)(HEADROOM * (double)r->rate_bps);
        uint64_t grown = (uint64_t)((double)r->estimate_bps * (1 + (GROWTH - 1) * elapsed)) + 1000;

        r->estimate_bps = grown > room ? grown : room;
    }
    clamp(r);
    r->changed = true;
}

void ln_receive_rate_on_packet(struct ln_receive_rate *r, ln_time now, size_t len)
{
    if (r->window_from == LN_TIME_NEVER)
        r->window_from = now;
    r->bytes += len;
    if (now - r->window_from >= WINDOW)
        end_window(r, now);
}

void ln_receive_rate_on_totals(struct ln_receive_rate *r, ln_time now, uint64_t expected,
                               uint64_t lost)
{
    uint64_t packets = expected - r->expected;
    double loss;

    (void)now;
    if (expected < r->expected || lost < r->lost) { /* a stream went away: begin anew */
        r->expected = expected;
        r->lost = lost;
        return;
    }
    if (packets < 20)
        return;
    loss = (double)(lost - r->lost) / (double)packets;
    r->loss = (r->loss + loss) / 2;
    r->expected = expected;
    r->lost = lost;
    if (r->loss > LOSS_HIGH && r->rate_bps > 0) {
        uint64_t lowered = (uint64_t)((double)r->rate_bps * (1 - r->loss / 2));

        if (lowered < r->estimate_bps)
            r->estimate_bps = lowered;
        clamp(r);
        r->changed = true;
    }
}

bool ln_receive_rate_poll(struct ln_receive_rate *r, uint64_t *ret_bps)
{
    bool was = r->changed;

    r->changed = false;
    *ret_bps = was ? r->estimate_bps : *ret_bps;
    return was;
}
