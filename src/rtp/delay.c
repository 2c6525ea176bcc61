/* SPDX-License-Identifier: Apache-2.0
 * Play-out delay: see rtp/delay.h. */
#include "rtp/delay.h"

#include "base/time.h"

#include <string.h>

#define WINDOW        LN_SECONDS(8)
#define QUANTILE      33            /* one in so many samples is above it: the 97 % quantile */
#define STALL         LN_SECONDS(1) /* a transit that far off is no jitter */
#define STALL_WATCHED LN_MILLISECONDS(200)
#define BUMP_MAX      LN_MILLISECONDS(500)
#define BUMP_DECAY    50 /* one part in so many of the elapsed time: 20 ms a second */
#define SLEW_UP       2  /* the offset grows by half of the elapsed time, */
#define SLEW_DOWN     20 /* and shrinks by a twentieth */

void ln_delay_init(struct ln_delay *d, uint32_t clock_hz, ln_duration margin, ln_duration start)
{
    memset(d, 0, sizeof *d);
    d->clock_hz = clock_hz;
    d->margin = margin;
    d->bump = start;
}

ln_time ln_delay_media_time(const struct ln_delay *d, int64_t timestamp)
{
    int64_t ticks = timestamp - d->origin, hz = d->clock_hz;

    return ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
}

ln_duration ln_delay_target(const struct ln_delay *d)
{
    ln_duration target = d->quantile + d->quantile / 10 + d->margin;

    target = ln_time_max(ln_time_max(target, d->bump), d->minimum);
    return ln_time_min(target, LN_DELAY_MAX);
}

static int64_t wanted_offset(const struct ln_delay *d)
{
    return d->base + ln_delay_target(d) + d->extra;
}

ln_duration ln_delay_current(const struct ln_delay *d)
{
    return d->offset - d->base;
}

ln_time ln_delay_release(const struct ln_delay *d, int64_t timestamp)
{
    return d->started ? ln_delay_media_time(d, timestamp) + d->offset : LN_TIME_NEVER;
}

void ln_delay_update(struct ln_delay *d, ln_time now)
{
    ln_duration elapsed = now - d->updated;
    int64_t wanted;

    if (!d->started || elapsed <= 0)
        return;
    d->updated = now;
    d->bump = ln_time_max(0, d->bump - elapsed / BUMP_DECAY);
    wanted = wanted_offset(d);
    if (wanted > d->offset)
        d->offset = ln_time_min(wanted, d->offset + elapsed / SLEW_UP);
    else
        d->offset = ln_time_max(wanted, d->offset - elapsed / SLEW_DOWN);
}

static struct ln_delay_sample *sample(struct ln_delay *d, size_t i)
{
    return &d->samples[(d->head + i) % LN_DELAY_SAMPLES];
}

static void add_sample(struct ln_delay *d, ln_time now, int64_t transit)
{
    while (d->count > 0 && (d->count == LN_DELAY_SAMPLES || sample(d, 0)->time < now - WINDOW)) {
        d->head = (d->head + 1) % LN_DELAY_SAMPLES;
        d->count--;
    }
    *sample(d, d->count++) = (struct ln_delay_sample){ now, transit };
}

/* The smallest transit, and the one that only one sample in QUANTILE exceeds. */
static void measure(struct ln_delay *d)
{
    int64_t largest[LN_DELAY_SAMPLES / QUANTILE + 1], smallest = INT64_MAX;
    size_t keep = d->count / QUANTILE + 1, kept = 0;

    for (size_t i = 0; i < d->count; i++) {
        int64_t transit = sample(d, i)->transit;
        size_t at;

        smallest = transit < smallest ? transit : smallest;
        if (kept == keep && transit <= largest[kept - 1])
            continue;
        at = kept < keep ? kept++ : kept - 1;
        for (; at > 0 && largest[at - 1] < transit; at--)
            largest[at] = largest[at - 1];
        largest[at] = transit;
    }
    d->base = smallest;
    d->quantile = largest[kept - 1] - smallest;
}

static void start(struct ln_delay *d, ln_time now, int64_t timestamp)
{
    d->started = true;
    d->origin = timestamp;
    d->head = d->count = 0;
    d->quantile = 0;
    d->stalled = false;
    d->base = now;
    d->updated = now;
    d->offset = wanted_offset(d);
}

bool ln_delay_stalled(const struct ln_delay *d)
{
    return d->stalled;
}

/* Whether a frame with this transit is one of a stall. It is over when frames are on time again;
 * a stream that does not catch up by half of the time that passes never will. */
static bool in_stall(struct ln_delay *d, ln_time now, int64_t transit)
{
    if (d->stalled ? transit <= d->offset : transit - d->base <= STALL)
        return d->stalled = false;
    if (!d->stalled || now - d->stall_time >= STALL_WATCHED) {
        if (d->stalled && d->stall_transit - transit < (now - d->stall_time) / 2)
            return d->stalled = false;
        d->stalled = true;
        d->stall_time = now;
        d->stall_transit = transit;
    }
    return true;
}

/* Timing begins anew with a frame that does not fit: one that does not catch up, or that is early
 * by as much, since then those before it had been held up. */
static bool begins_anew(const struct ln_delay *d, int64_t transit)
{
    return !d->stalled && (transit - d->base > STALL || d->base - transit > STALL);
}

ln_duration ln_delay_on_frame(struct ln_delay *d, ln_time now, int64_t timestamp, bool clean)
{
    int64_t transit;
    ln_duration late;

    if (!d->started)
        start(d, now, timestamp);
    ln_delay_update(d, now);
    transit = now - ln_delay_media_time(d, timestamp);
    if (!clean || in_stall(d, now, transit))
        return transit - d->offset;
    if (begins_anew(d, transit)) {
        start(d, now, timestamp);
        transit = now;
    }
    late = transit - d->offset;
    add_sample(d, now, transit);
    measure(d);
    if (late > 0) {
        /* One late frame says little, but waiting for the quantile would make more late. A single
         * spike may at most double the delay. */
        ln_duration now_needed = ln_time_min(transit - d->base + d->margin, BUMP_MAX);
        ln_duration limit = 2 * ln_delay_target(d) + LN_MILLISECONDS(20);

        d->bump = ln_time_max(d->bump, ln_time_min(now_needed, limit));
        d->offset = ln_time_max(d->offset, ln_time_min(wanted_offset(d), d->offset + late));
    }
    return late;
}
