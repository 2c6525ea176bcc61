/* SPDX-License-Identifier: Apache-2.0
 * Scenarios of media: order and dependencies are checked in each (call_media.c), here is what must
 * hold in time. */
#include "base/time.h"
#include "tests/sim/call.h"
#include "tests/sim/turn_host.h"
#include "tests/support/test.h"

#include <stdlib.h>

#define MS LN_MILLISECONDS
#define S  LN_SECONDS

#define BASE_DELAY    MS(20) /* of the lines of the jitter scenarios */
#define JITTER        MS(80)
#define JITTER_BEGINS S(3)
#define JITTER_ENDS   S(28)

/* What happened to the frames that left the jitter buffer in a span of time. */
struct span {
    size_t frames, late;
    double buffer_ms; /* mean: from the earliest possible arrival to the play time */
    ln_duration longest_gap;
    ln_time first;
};

static struct span look(const struct call *call, const struct media_in *in, ln_time from,
                        ln_time to, ln_duration base)
{
    struct span span = { .first = LN_TIME_NEVER };
    ln_time before = from;

    (void)call;
    for (size_t i = 0; i < in->count; i++) {
        const struct frame_note *n = &in->notes[i];

        if (n->out < from || n->out >= to)
            continue;
        span.frames++;
        span.late += n->out > n->play;
        span.buffer_ms += (double)(n->play - n->sent - base) / 1e6;
        span.longest_gap = ln_time_max(span.longest_gap, n->out - before);
        span.first = ln_time_min(span.first, n->out);
        before = n->out;
    }
    if (span.frames > 0)
        span.buffer_ms /= (double)span.frames;
    return span;
}

static void set_figure(struct call *call, double figure)
{
    call->figure = figure;
    call->has_figure = true;
}

/* --- what flows */

static void all_frames_arrive(struct call *call)
{
    for (int p = 0; p < 2; p++) {
        const struct party *from = &call->parties[p], *to = &call->parties[1 - p];

        CHECK(from->video_out.number > 150);
        CHECK(to->video_in.count + 5 >= from->video_out.number);
        CHECK(to->audio_in.count + 8 >= from->audio_out.number);
    }
}

LN_SCENARIO(media_both_ways) = {
    .line = { .delay = MS(20) },
    .audio = true,
    .video = true,
    .both_send = true,
    .messages = 20,
    .length = S(8),
    .holds = all_frames_arrive,
};

LN_SCENARIO(media_glare) = {
    .line = { .delay = MS(20) },
    .audio = true,
    .video = true,
    .both_send = true,
    .glare = true,
    .messages = 20,
    .length = S(8),
    .holds = all_frames_arrive,
};

/* Lost packets come again in time: nearly every frame is shown. */
static void most_frames_arrive(struct call *call)
{
    const struct media_in *in = &call->parties[1].video_in;
    double share = (double)in->count / (double)call->parties[0].video_out.number;

    CHECK(in->count > 100);
    CHECK(share > 0.9);
    set_figure(call, 1 - share);
}

LN_SCENARIO(media_loss_5) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .audio = true,
    .video = true,
    .length = S(15),
    .holds = most_frames_arrive,
    .figure = "frames not shown",
};

LN_SCENARIO(media_reorder) = {
    .line = { .delay = MS(30), .reorder = 0.2, .reorder_by = MS(15), .duplicate = 0.05 },
    .audio = true,
    .video = true,
    .length = S(10),
    .holds = most_frames_arrive,
    .figure = "frames not shown",
};

static void some_frames_arrive(struct call *call)
{
    const struct media_in *in = &call->parties[1].video_in;

    CHECK(in->count > 20);
    set_figure(call, 1 - (double)in->count / (double)call->parties[0].video_out.number);
}

LN_SCENARIO(media_loss_20) = {
    .line = { .delay = MS(30), .loss = 0.2 },
    .audio = true,
    .video = true,
    .length = S(15),
    .holds = some_frames_arrive,
    .figure = "frames not shown",
};

/* --- a burst in which everything is lost: a frame again within 2 round trips + 500 ms */

static void frames_again(struct call *call)
{
    const struct scenario *s = call->scenario;
    const struct media_in *in = &call->parties[1].video_in;
    ln_duration limit = 4 * s->line.delay + MS(500), worst = 0;

    for (size_t i = 0; i < SCENARIO_ACTS; i++) {
        ln_time from = call->opened + s->acts[i].at;
        struct span span;

        if (s->acts[i].kind != ACT_UP)
            continue;
        /* What had arrived before the burst may still be on its way out of the buffer. */
        span = look(call, in, from + s->line.delay, from + S(4), 0);
        CHECK(span.first != LN_TIME_NEVER);
        worst = ln_time_max(worst, span.first - from);
        CHECK(span.first - from <= limit);
    }
    set_figure(call, (double)worst / 1e6);
}

LN_SCENARIO(media_bursts) = {
    .line = { .delay = MS(40) },
    .audio = true,
    .video = true,
    .length = S(20),
    .acts = { { ACT_DOWN, S(4), 0 },
              { ACT_UP, S(4) + MS(200), 0 },
              { ACT_DOWN, S(9), 0 },
              { ACT_UP, S(9) + MS(600), 0 },
              { ACT_DOWN, S(14), 0 },
              { ACT_UP, S(15) + MS(500), 0 } },
    .holds = frames_again,
    .figure = "first frame after (ms)",
};

LN_SCENARIO(media_bursts_far) = {
    .line = { .delay = MS(120) },
    .audio = true,
    .video = true,
    .length = S(20),
    .acts = { { ACT_DOWN, S(5), 0 },
              { ACT_UP, S(5) + MS(400), 0 },
              { ACT_DOWN, S(12), 0 },
              { ACT_UP, S(13), 0 } },
    .holds = frames_again,
    .figure = "first frame after (ms)",
};

/* --- jitter */

static int compare_durations(const void *a, const void *b)
{
    ln_duration x = *(const ln_duration *)a, y = *(const ln_duration *)b;

    return x < y ? -1 : x > y;
}

/* The 95 % quantile of how much later than possible frames were complete, in milliseconds. */
static double jitter_p95(const struct media_in *in, ln_time from, ln_time to)
{
    ln_duration *extra = calloc(in->count + 1, sizeof *extra), result;
    size_t count = 0;

    CHECK(extra != NULL);
    for (size_t i = 0; i < in->count; i++)
        if (in->notes[i].out >= from && in->notes[i].out < to)
            extra[count++] = in->notes[i].complete - in->notes[i].sent - BASE_DELAY;
    qsort(extra, count, sizeof *extra, compare_durations);
    result = count > 0 ? extra[count * 95 / 100] : 0;
    free(extra);
    return (double)result / 1e6;
}

/* Under 1 % late and a buffer under 1.5 times the p95 jitter while it lasts, from 5 s after its
 * begin; below 40 ms within 15 s after its end. */
static void buffer_adapts(struct call *call, const struct media_in *in)
{
    ln_time settled = call->opened + JITTER_BEGINS + S(5), ends = call->opened + JITTER_ENDS;
    struct span during = look(call, in, settled, ends, BASE_DELAY);
    struct span after = look(call, in, ends + S(15), ends + S(17), BASE_DELAY);
    double p95 = jitter_p95(in, settled, ends);

    CHECK(during.frames > 300 && after.frames > 30);
    CHECK((double)during.late < 0.01 * (double)during.frames + 1);
    CHECK(during.buffer_ms < 1.5 * p95);
    CHECK(after.buffer_ms < 40);
    set_figure(call, during.buffer_ms / p95);
}

static void audio_adapts(struct call *call)
{
    const struct media_in *in = &call->parties[1].audio_in;

    CHECK(in->lost < 0.015 * (double)in->count);
    buffer_adapts(call, in);
}

static void video_adapts(struct call *call)
{
    buffer_adapts(call, &call->parties[1].video_in);
}

#define JITTER_ACTS(in_order_)                                                                     \
    {                                                                                              \
        { ACT_LINE,                                                                                \
          JITTER_BEGINS,                                                                           \
          0,                                                                                       \
          { .delay = BASE_DELAY, .jitter = JITTER, .in_order = in_order_ } },                      \
            { ACT_LINE, JITTER_ENDS, 0, { .delay = BASE_DELAY } },                                 \
    }

LN_SCENARIO(jitter_audio) = {
    .line = { .delay = BASE_DELAY },
    .audio = true,
    .length = S(46),
    .acts = JITTER_ACTS(false),
    .holds = audio_adapts,
    .figure = "buffer / p95 jitter",
};

LN_SCENARIO(jitter_video) = {
    .line = { .delay = BASE_DELAY },
    .video = true,
    .video_max_bps = 300000,
    .length = S(46),
    .acts = JITTER_ACTS(true),
    .holds = video_adapts,
    .figure = "buffer / p95 jitter",
};

LN_SCENARIO(jitter_video_overtaking) = {
    .line = { .delay = BASE_DELAY },
    .video = true,
    .video_max_bps = 300000,
    .length = S(46),
    .acts = JITTER_ACTS(false),
    .holds = video_adapts,
    .figure = "buffer / p95 jitter",
};

/* --- studio over 500 kbit/s and 100 ms: after 15 s loss < 3 %, queue < 300 ms, use >= 60 % */

static void uses_the_link(struct call *call)
{
    const struct net_line *line = &call->scenario->line0;
    const struct net_figures *now = &call->net.hosts[0].up_figures;
    double seconds = (double)(call->ended - call->mark) / 1e9;
    double sent = (double)(now->sent - call->figures_at_mark.sent);
    double gone = (double)(now->lost + now->overflowed - call->figures_at_mark.lost -
                           call->figures_at_mark.overflowed);
    double used = (double)(now->delivered_bytes - call->figures_at_mark.delivered_bytes) * 8 /
                  seconds / (double)line->rate_bps;

    CHECK(seconds > 10);
    CHECK(gone < 0.03 * sent);
    CHECK(now->longest_queue < MS(300));
    CHECK(used >= 0.6);
    set_figure(call, 1 - used);
}

LN_SCENARIO(narrow_500) = {
    .line = { .delay = MS(100) },
    .line0 = { .delay = MS(100), .rate_bps = 500000, .queue = S(1) },
    .audio = true,
    .video = true,
    .video_max_bps = 2500000,
    .length = S(45),
    .acts = { { ACT_MARK, S(15) } },
    .holds = uses_the_link,
    .figure = "share not used",
};

LN_SCENARIO(narrow_500_short_queue) = {
    .line = { .delay = MS(100) },
    .line0 = { .delay = MS(100), .rate_bps = 500000, .queue = MS(200) },
    .audio = true,
    .video = true,
    .video_max_bps = 2500000,
    .length = S(45),
    .acts = { { ACT_MARK, S(15) } },
    .holds = uses_the_link,
    .figure = "share not used",
};

/* After a restart the path is used again within 3 s, and no queue overflows on the way. */
static void is_back_after_the_restart(struct call *call)
{
    const struct net_line *line = &call->scenario->line0;
    const struct net_figures *now = &call->net.hosts[0].up_figures;
    double seconds = (double)(call->ended - call->mark) / 1e9;
    double used = (double)(now->delivered_bytes - call->figures_at_mark.delivered_bytes) * 8 /
                  seconds / (double)line->rate_bps;

    CHECK(now->overflowed == 0);
    CHECK(now->longest_queue < MS(300));
    CHECK(used >= 0.5);
    set_figure(call, 1 - used);
}

LN_SCENARIO(ice_restart_keeps_the_rate) = {
    .line = { .delay = MS(50) },
    .line0 = { .delay = MS(50), .rate_bps = 2500000, .queue = MS(500) },
    .audio = true,
    .video = true,
    .video_max_bps = 4000000,
    .length = S(36),
    .acts = { { ACT_RESTART, S(30), 0 }, { ACT_MARK, S(33) } },
    .holds = is_back_after_the_restart,
    .figure = "share not used",
};

/* --- trouble in mid-call */

static void no_long_gap(struct call *call)
{
    struct span span = look(call, &call->parties[1].video_in, call->opened + S(1), call->ended, 0);

    CHECK(span.frames > 100);
    CHECK(span.longest_gap < MS(500));
    set_figure(call, (double)span.longest_gap / 1e6);
}

/* A new public address in mid-call: media flows again within a second, both ways. */
static void back_within_a_second(struct call *call)
{
    ln_duration longest = 0;

    for (int p = 0; p < 2; p++) {
        struct span span = look(call, &call->parties[p].video_in, call->opened + S(1), call->ended,
                                0);

        CHECK(span.frames > 100);
        longest = ln_time_max(longest, span.longest_gap);
        CHECK(call->parties[p].disconnected == LN_TIME_NEVER);
    }
    CHECK(longest < S(2));
    set_figure(call, (double)longest / 1e6);
}

LN_SCENARIO(nat_rebinds_before_the_controlling) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_FIRST,
    .audio = true,
    .video = true,
    .both_send = true,
    .messages = 20,
    .length = S(10),
    .acts = { { ACT_REBIND, S(3), 0 }, { ACT_REBIND, S(6), 0 } },
    .holds = back_within_a_second,
    .figure = "longest gap (ms)",
};

LN_SCENARIO(nat_rebinds_before_the_controlled) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_SECOND,
    .audio = true,
    .video = true,
    .both_send = true,
    .messages = 20,
    .length = S(10),
    .acts = { { ACT_REBIND, S(3), 1 }, { ACT_REBIND, S(6), 1 } },
    .holds = back_within_a_second,
    .figure = "longest gap (ms)",
};

/* Nothing that comes from the new address is let in: a relay that is kept warm carries on. */
LN_SCENARIO(nat_rebinds_where_both_sides_filter) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_FILTERED,
    .server = &turn_server,
    .audio = true,
    .video = true,
    .both_send = true,
    .messages = 20,
    .length = S(14),
    .acts = { { ACT_REBIND, S(4), 0 }, { ACT_REBIND, S(7), 1 }, { ACT_REBIND, S(10), 0 } },
    .holds = back_within_a_second,
    .figure = "longest gap (ms)",
};

LN_SCENARIO(media_ice_restart) = {
    .line = { .delay = MS(30) },
    .audio = true,
    .video = true,
    .both_send = true,
    .messages = 50,
    .length = S(10),
    .acts = { { ACT_RESTART, S(3), 0 }, { ACT_RESTART, S(6), 1 } },
    .holds = no_long_gap,
    .figure = "longest gap (ms)",
};
