/* SPDX-License-Identifier: Apache-2.0
 * When media is released from a jitter buffer: timestamps mapped to the local clock, with as much
 * delay as the jitter of the last seconds asks for.
 *
 *   release(ts) = media time of ts + offset,   offset -> base + max(target, minimum) + extra
 *
 * base is the smallest transit time (arrival less media time) of a window, target a high quantile
 * of what transit times exceed it by. The offset follows slowly (media is stretched by the sink),
 * but a late frame moves it at once. Quantile and window: old jitter is forgotten WINDOW after it
 * ended.
 *
 * A stall is no jitter: when a machine has slept or a path was away, all that was held up comes at
 * once, later than jitter ever makes it, and the stream is on time again. Such frames leave the
 * delay as it is. If they stay late, the sender's clock has jumped: timing begins anew. */
#ifndef LN_RTP_DELAY_H
#define LN_RTP_DELAY_H

#include <linnet/types.h>

#define LN_DELAY_SAMPLES 512u
#define LN_DELAY_MAX     LN_SECONDS(4) /* no target, minimum or extra is larger */

struct ln_delay_sample {
    ln_time time;
    int64_t transit;
};

struct ln_delay {
    uint32_t clock_hz;
    ln_duration margin; /* added to the quantile */
    bool started;
    int64_t origin; /* timestamp of media time 0 */
    struct ln_delay_sample samples[LN_DELAY_SAMPLES];
    size_t head, count;
    int64_t base;
    ln_duration quantile; /* target without margin and bump */
    ln_duration bump;     /* after late frames; decays */
    ln_duration minimum, extra;
    bool stalled;       /* the last clean frame had been held up */
    ln_time stall_time; /* since then, or when it was seen to catch up */
    int64_t stall_transit;
    int64_t offset;  /* applied */
    ln_time updated; /* when bump and offset last moved */
};

void ln_delay_init(struct ln_delay *d, uint32_t clock_hz, ln_duration margin, ln_duration start);

/* A frame is complete. `clean`: its arrival tells of the path (it was not repaired). Returns how
 * late it is: 0 or more; below 0 it is early. */
ln_duration ln_delay_on_frame(struct ln_delay *d, ln_time now, int64_t timestamp, bool clean);
/* Lets the offset follow; call it before release() is used with a new now. */
void ln_delay_update(struct ln_delay *d, ln_time now);

/* What comes now had been held up by a stall: it is of the past. */
bool ln_delay_stalled(const struct ln_delay *d);

/* LN_TIME_NEVER before the first frame. */
ln_time ln_delay_release(const struct ln_delay *d, int64_t timestamp);
/* Of the timestamp, on the media clock that offset is added to. */
ln_time ln_delay_media_time(const struct ln_delay *d, int64_t timestamp);
/* What is aimed at, without extra. */
ln_duration ln_delay_target(const struct ln_delay *d);
/* What is in effect now, extra included. */
ln_duration ln_delay_current(const struct ln_delay *d);

#endif
