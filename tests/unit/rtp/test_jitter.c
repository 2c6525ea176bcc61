/* SPDX-License-Identifier: Apache-2.0
 * The jitter buffer by itself: order, delay, what it does about gaps. Frames of one or more packets
 * are put in at chosen moments of virtual time. */
#include "base/time.h"
#include "rtp/jitter_buffer.h"
#include "rtp/sync.h"
#include "tests/unit/rtp/link.h"

#define FRAME_TIME (LN_SECONDS(1) / 30)

static int put_video(struct ln_jitter_buffer *jb, ln_time now, int64_t sequence, uint32_t frame,
                     bool start, bool end, bool key)
{
    struct ln_jitter_packet p;
    uint8_t byte = (uint8_t)(start && key ? 0x10 : 0x11);

    memset(&p, 0, sizeof p);
    ln_vp8_descriptor_init(&p.vp8);
    p.sequence = sequence;
    p.timestamp = (int64_t)frame * 3000;
    p.arrival = now;
    p.marker = end;
    p.starts = start;
    p.key = key && start;
    p.codec = LN_CODEC_VP8;
    p.buffer = ln_buffer_copy(test_env()->pool, &byte, 1);
    if (!p.buffer)
        return LN_ERR_NOMEM;
    p.payload = (struct ln_bytes){ ln_buffer_bytes(p.buffer), 1 };
    return ln_jitter_buffer_insert(jb, now, &p);
}

static int put_audio(struct ln_jitter_buffer *jb, ln_time now, int64_t sequence, int64_t timestamp)
{
    static const uint8_t opus[3] = { 0x78, 1, 2 };
    struct ln_jitter_packet p;

    memset(&p, 0, sizeof p);
    p.sequence = sequence;
    p.timestamp = timestamp;
    p.arrival = now;
    p.codec = LN_CODEC_OPUS;
    p.buffer = ln_buffer_copy(test_env()->pool, opus, sizeof opus);
    if (!p.buffer)
        return LN_ERR_NOMEM;
    p.payload = (struct ln_bytes){ ln_buffer_bytes(p.buffer), sizeof opus };
    return ln_jitter_buffer_insert(jb, now, &p);
}

/* The frame's number (by its timestamp) or -1; `lost` ones count as -2. */
static int64_t take(struct ln_jitter_buffer *jb, ln_time now)
{
    struct ln_frame *frame;
    int64_t number;

    if (ln_jitter_buffer_poll(jb, now, &frame) == 0)
        return -1;
    number = frame->lost                     ? -2
             : frame->kind == LN_MEDIA_VIDEO ? (int64_t)frame->rtp_timestamp / 3000
                                             : (int64_t)frame->rtp_timestamp / 960;
    ln_frame_unref(frame);
    return number;
}

LN_TEST(jitter_buffer, gives_frames_in_order_whatever_order_their_packets_have)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    CHECK_EQUAL(put_video(&jb, now, 11, 0, false, true, true), 0);
    CHECK_EQUAL(take(&jb, now), -1);
    CHECK_EQUAL(put_video(&jb, now, 13, 1, false, true, false), 0);
    CHECK_EQUAL(put_video(&jb, now, 12, 1, true, false, false), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), -1); /* nothing before a key frame */
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, false, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 1);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), -1);
    CHECK_EQUAL(put_video(&jb, now, 12, 1, true, false, false), LN_ERR_REPLAY);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, frames_never_share_a_packet)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    CHECK_EQUAL(put_video(&jb, now, 12, 0, false, true, false), 0);
    CHECK_EQUAL(put_video(&jb, now, 11, 0, true, false, true), 0); /* a start */
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, false, true), 0); /* and another of the same */
    CHECK_EQUAL(jb.frame_count, 1);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), -1);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, waits_for_a_repair_and_goes_on_with_it)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, true, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_MILLISECONDS(5)), 0);
    CHECK(ln_jitter_buffer_blocked_since(&jb) == LN_TIME_NEVER);
    now += 2 * FRAME_TIME;
    CHECK_EQUAL(put_video(&jb, now, 12, 2, true, true, false), 0);
    CHECK_EQUAL(ln_jitter_buffer_blocked_since(&jb), now);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), -1);
    CHECK_EQUAL(put_video(&jb, now + LN_MILLISECONDS(50), 11, 1, true, true, false), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 1);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 2);
    CHECK(ln_jitter_buffer_blocked_since(&jb) == LN_TIME_NEVER);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, jumps_to_a_key_frame_and_never_goes_back)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, true, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_MILLISECONDS(5)), 0);
    CHECK_EQUAL(put_video(&jb, now + 2 * FRAME_TIME, 12, 2, true, true, false), 0);
    CHECK_EQUAL(put_video(&jb, now + 3 * FRAME_TIME, 13, 3, true, true, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 3);
    CHECK_EQUAL(put_video(&jb, now + 4 * FRAME_TIME, 11, 1, true, true, false), LN_ERR_REPLAY);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(2)), -1);
    CHECK_EQUAL(jb.counters.frames_dropped, 1);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, what_has_left_does_not_leave_again_after_all_was_dropped)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, true, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_MILLISECONDS(5)), 0);
    CHECK_EQUAL(put_video(&jb, now, 12, 2, true, true, false), 0);
    CHECK_EQUAL(put_video(&jb, now, 12 + LN_JITTER_VIDEO_PACKETS_MAX, 700, true, true, false),
                LN_ERR_LIMIT);
    CHECK_EQUAL(jb.ring.count, 0);
    CHECK_EQUAL(put_video(&jb, now, 10, 0, true, true, true), LN_ERR_REPLAY); /* repaired late */
    CHECK_EQUAL(put_video(&jb, now, 13, 3, true, true, true), 0);
    CHECK_EQUAL(take(&jb, now + LN_SECONDS(1)), 3);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, a_stream_that_never_completes_is_bounded)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);

    LINK_NOT_IN_SWEEP();
    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_VIDEO, 90000);
    for (int64_t s = 0; s < 20000; s++)
        (void)put_video(&jb, now, 2 * s, (uint32_t)s, s % 2, false, false);
    CHECK(jb.ring.count <= LN_JITTER_VIDEO_PACKETS_MAX);
    CHECK(jb.ring.capacity <= LN_JITTER_VIDEO_PACKETS_MAX);
    for (int64_t s = 0; s < 3000; s++) /* whole frames that no key frame precedes */
        (void)put_video(&jb, now, 100000 + 2 * s, (uint32_t)s, true, true, false);
    CHECK(jb.frame_count <= LN_JITTER_FRAMES_MAX);
    ln_jitter_buffer_deinit(&jb);
}

/* ---- delay ---- */

struct flow {
    struct ln_jitter_buffer jb;
    struct ln_rng rng;
    ln_time start, now;
    uint32_t number, got, late;
    int64_t last;
    ln_duration delay_sum;
    uint32_t delay_count;
    ln_time arrivals[4000];
};

static void flow_init(struct flow *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    ln_rng_seed(&f->rng, seed);
    f->start = f->now = LN_SECONDS(50);
    f->last = -1;
    ln_jitter_buffer_init(&f->jb, test_env(), LN_MEDIA_VIDEO, 90000);
}

/* Runs frames through a path of 30 ms and up to `jitter` more. */
static void flow_run(struct flow *f, ln_duration time, ln_duration jitter)
{
    ln_time until = f->now + time;
    uint32_t sent_first = f->number, sent = f->number;
    uint64_t late_before = f->jb.counters.frames_late;

    f->delay_sum = f->delay_count = 0;
    while (f->start + (ln_time)sent * FRAME_TIME < until) {
        ln_time at = f->start + (ln_time)sent * FRAME_TIME + LN_MILLISECONDS(30);

        f->arrivals[sent % 4000] = at + (ln_time)(ln_rng_unit(&f->rng) * (double)jitter);
        sent++;
    }
    f->number = sent;
    for (; f->now < until + LN_MILLISECONDS(200); f->now += LN_MILLISECONDS(1)) {
        int64_t number;

        for (uint32_t i = sent_first; i < sent; i++)
            if (f->arrivals[i % 4000] > f->now - LN_MILLISECONDS(1) &&
                f->arrivals[i % 4000] <= f->now)
                (void)put_video(&f->jb, f->now, i, i, true, true, i == 0);
        while (sent_first < sent && f->arrivals[sent_first % 4000] < f->now - LN_MILLISECONDS(2))
            sent_first++;
        while ((number = take(&f->jb, f->now)) >= 0) {
            CHECK(number > f->last);
            f->last = number;
            f->got++;
            f->delay_sum += f->now - f->arrivals[number % 4000];
            f->delay_count++;
        }
    }
    f->now = until;
    f->late = (uint32_t)(f->jb.counters.frames_late - late_before);
}

LN_TEST(jitter_buffer, under_80_ms_jitter_few_are_late_and_it_decays_within_15_s)
{
    static struct flow f;

    LINK_NOT_IN_SWEEP();
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint32_t before;

        flow_init(&f, seed);
        flow_run(&f, LN_SECONDS(10), LN_MILLISECONDS(2));
        CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(15));
        flow_run(&f, LN_SECONDS(2), LN_MILLISECONDS(80)); /* gets used to it */
        before = f.number;
        flow_run(&f, LN_SECONDS(40), LN_MILLISECONDS(80));
        CHECK(f.late * 100 <= f.number - before);
        CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(114)); /* 1.5 times p95 */
        CHECK(f.delay_sum / f.delay_count < LN_MILLISECONDS(114));
        flow_run(&f, LN_SECONDS(15), LN_MILLISECONDS(1));
        CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(40));
        CHECK(f.got + 3 >= f.number);
        ln_jitter_buffer_deinit(&f.jb);
    }
}

LN_TEST(jitter_buffer, follows_a_path_that_got_longer_by_200_ms)
{
    static struct flow f;

    LINK_NOT_IN_SWEEP();
    flow_init(&f, 9);
    flow_run(&f, LN_SECONDS(5), LN_MILLISECONDS(5));
    f.start += LN_MILLISECONDS(200); /* all arrivals later, same media time */
    flow_run(&f, LN_SECONDS(20), LN_MILLISECONDS(5));
    CHECK(f.late < 15);
    CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(40));
    ln_jitter_buffer_deinit(&f.jb);
}

/* Frames of a machine that slept come all at once when it wakes. */
LN_TEST(jitter_buffer, is_on_time_again_as_soon_as_what_a_stall_held_up_has_come)
{
    static struct flow f;
    static const ln_duration stalls[] = { LN_MILLISECONDS(1500), LN_SECONDS(4), LN_SECONDS(30) };

    LINK_NOT_IN_SWEEP();
    for (size_t i = 0; i < sizeof stalls / sizeof *stalls; i++) {
        uint32_t first;

        flow_init(&f, 9);
        flow_run(&f, LN_SECONDS(5), LN_MILLISECONDS(5));
        first = f.number;
        f.now += stalls[i];
        for (; f.start + f.number * FRAME_TIME + LN_MILLISECONDS(30) < f.now; f.number++) {
            f.arrivals[f.number % 4000] = f.now;
            CHECK(put_video(&f.jb, f.now, f.number, f.number, true, true, false) == 0);
            if (i < 2) /* of 30 s some leave before all are there, as they would */
                continue;
            while ((f.last = take(&f.jb, f.now)) >= 0)
                f.got++;
        }
        for (int64_t number; (number = take(&f.jb, f.now)) >= 0;)
            f.got++;
        CHECK(f.got + 1 >= f.number); /* late, but each is decoded; one may not be due */
        f.last = first;
        flow_run(&f, LN_SECONDS(1), LN_MILLISECONDS(5));
        CHECK(f.delay_sum / f.delay_count < LN_MILLISECONDS(15));
        CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(15));
        ln_jitter_buffer_deinit(&f.jb);
    }
}

LN_TEST(jitter_buffer, begins_anew_when_the_senders_clock_jumped)
{
    static struct flow f;

    LINK_NOT_IN_SWEEP();
    for (int64_t jump = -20; jump <= 20; jump += 5) {
        flow_init(&f, 9);
        flow_run(&f, LN_SECONDS(5), LN_MILLISECONDS(5));
        f.start += LN_SECONDS(jump); /* the same numbers and times, at another time */
        f.now += LN_SECONDS(jump > 0 ? jump : 0);
        f.number = (uint32_t)((f.now - f.start) / FRAME_TIME);
        flow_run(&f, LN_SECONDS(3), LN_MILLISECONDS(5));
        flow_run(&f, LN_SECONDS(3), LN_MILLISECONDS(5));
        CHECK(ln_delay_current(&f.jb.delay) < LN_MILLISECONDS(15));
        CHECK_EQUAL(f.late, 0);
        ln_jitter_buffer_deinit(&f.jb);
    }
}

/* ---- audio ---- */

LN_TEST(jitter_buffer, audio_leaves_every_20_ms_with_gaps_marked_lost)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1), last = 0;
    int64_t expected = 0;
    int real = 0, lost = 0;

    LINK_NOT_IN_SWEEP();
    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
    for (int ms = 0; ms < 4000; ms++, now += LN_MILLISECONDS(1)) {
        int64_t number;

        if (ms % 20 == 0 && ms / 20 % 10 != 7)
            CHECK_EQUAL(put_audio(&jb, now, ms / 20, ms / 20 * 960), 0);
        while ((number = take(&jb, now)) != -1) {
            CHECK(number == -2 ? expected % 10 == 7 : number == expected);
            CHECK(last == 0 ||
                  (now - last >= LN_MILLISECONDS(18) && now - last <= LN_MILLISECONDS(22)));
            real += number >= 0;
            lost += number == -2;
            last = now;
            expected++;
        }
    }
    CHECK(real > 170 && lost >= 19 && lost <= 20);
    CHECK_EQUAL(jb.counters.concealed_samples, (uint64_t)lost * 960);
    CHECK_EQUAL(jb.counters.concealment_events, (uint64_t)lost);
    ln_jitter_buffer_deinit(&jb);
}

/* An encoder's lead-in shortens the first packet; GStreamer's Opus does so by 312 of 960. */
LN_TEST(jitter_buffer, audio_goes_on_when_its_time_moves_by_a_part_of_a_step)
{
    LINK_NOT_IN_SWEEP();
    for (int64_t first = 8; first < 1920; first += 40) {
        struct ln_jitter_buffer jb;
        ln_time now = LN_SECONDS(1);
        int real = 0;

        ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
        for (int i = 0; i < 100; i++, now += LN_MILLISECONDS(20)) {
            int64_t number;

            CHECK_EQUAL(put_audio(&jb, now, i, i == 0 ? 0 : first + (i - 1) * 960), 0);
            while ((number = take(&jb, now)) != -1)
                real += number >= 0;
        }
        CHECK(real > 90);
        CHECK(jb.counters.packets_discarded <= 1);
        ln_jitter_buffer_deinit(&jb);
    }
}

LN_TEST(jitter_buffer, audio_rests_when_nothing_comes_and_starts_again)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);
    unsigned lost = 0, real = 0;

    LINK_NOT_IN_SWEEP();
    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
    for (int i = 0; i < 1000; i++, now += LN_MILLISECONDS(20)) {
        int64_t number;

        if (i < 50 || i >= 500)
            CHECK_EQUAL(put_audio(&jb, now, i < 50 ? i : i - 450, (int64_t)i * 960), 0);
        while ((number = take(&jb, now)) != -1) {
            lost += number == -2;
            real += number >= 0;
        }
        if (i == 400)
            CHECK(ln_jitter_buffer_next_release(&jb) == LN_TIME_NEVER);
    }
    CHECK(lost >= LN_JITTER_CONCEAL_MAX && lost <= LN_JITTER_CONCEAL_MAX + 3);
    CHECK(real >= 545);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, audio_that_comes_too_late_is_dropped_and_more_is_waited_for)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);
    ln_duration before;

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
    CHECK_EQUAL(put_audio(&jb, now, 0, 0), 0);
    now += LN_MILLISECONDS(61);
    CHECK_EQUAL(take(&jb, now), 0);
    CHECK_EQUAL(put_audio(&jb, now, 2, 1920), 0);
    now += LN_MILLISECONDS(20);
    CHECK_EQUAL(take(&jb, now), -2);
    before = ln_delay_target(&jb.delay);
    CHECK_EQUAL(put_audio(&jb, now + LN_MILLISECONDS(1), 1, 960), LN_ERR_REPLAY);
    CHECK(ln_delay_target(&jb.delay) > before);
    CHECK_EQUAL(jb.counters.packets_discarded, 1);
    ln_jitter_buffer_deinit(&jb);
}

LN_TEST(jitter_buffer, audio_that_a_stall_held_up_is_not_played)
{
    struct ln_jitter_buffer jb;
    ln_time now = LN_SECONDS(1);
    unsigned real = 0;

    LINK_NOT_IN_SWEEP();
    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
    for (int i = 0; i < 600; i++, now += LN_MILLISECONDS(20)) {
        int64_t number;

        if (i == 400) /* what the 6 s before it held up */
            for (int held = 100; held < 400; held++)
                (void)put_audio(&jb, now, held, (int64_t)held * 960);
        if (i < 100 || i >= 400)
            CHECK_EQUAL(put_audio(&jb, now, i, (int64_t)i * 960), 0);
        while ((number = take(&jb, now)) != -1) {
            real += number >= 0;
            CHECK(i < 420 || number >= i - 6);
        }
    }
    CHECK(real >= 100 + 190 && real <= 100 + 200 + 50);
    ln_jitter_buffer_deinit(&jb);
}

/* How much later than the first each packet of 20 ms is, in ms, as browsers on a busy machine begin
 * to send: their threads take turns. */
static const int beginnings[][25] = {
    { 0, 54, 34, 14, 2, 14, 6, -6, 13, 0, 6, 28, 8, 3, 15 },
    { 0, 4, 41, 22, 2, 19, 0, 0, 1, -2, 6, 0, 4, 0, -2 },
    { 0, -9, 1, -9, -2, -10, 0, -12, 4, -12, -1, -9, -1, -9, 40, 21, 1, -9 },
    { 0, -20, -39, -59, -78, -98, -117, -114, -121, -120, -122, -120, -123, -126 },
    { 0, 0, 0, 55, 36, 16, 0, 0, 0, 54, 34, 14, 0, 0, 0, 0, 52, 32, 12 },
};

static size_t concealed_of(const int *late, size_t count)
{
    struct ln_jitter_buffer jb;
    ln_time start = LN_SECONDS(10), now;
    size_t concealed = 0, next = 0;

    ln_jitter_buffer_init(&jb, test_env(), LN_MEDIA_AUDIO, 48000);
    for (now = start; now < start + LN_MILLISECONDS(20) * (ln_duration)count;
         now += LN_MILLISECONDS(1)) {
        int64_t number;

        for (; next < count && start + LN_MILLISECONDS(20 * (int)next + late[next]) <= now; next++)
            (void)put_audio(&jb, now, (int64_t)next, (int64_t)next * 960);
        while ((number = take(&jb, now)) != -1)
            concealed += number == -2;
    }
    ln_jitter_buffer_deinit(&jb);
    return concealed;
}

LN_TEST(jitter_buffer, sound_begins_whole_though_its_sender_begins_unevenly)
{
    LINK_NOT_IN_SWEEP();
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        CHECK_EQUAL(concealed_of(beginnings[i], 25), 0);
}

/* ---- sync ---- */

LN_TEST(sync, audio_waits_for_video_that_takes_longer)
{
    struct ln_delay audio, video;
    struct ln_sync_stream streams[2];
    ln_time now = LN_SECONDS(100), unix_start = LN_SECONDS(1700000000);
    ln_duration difference;

    ln_delay_init(&audio, 48000, LN_MILLISECONDS(5), LN_MILLISECONDS(20));
    ln_delay_init(&video, 90000, LN_MILLISECONDS(2), 0);
    for (int i = 0; i < 600; i++) { /* video takes 150 ms more; both captured at 20 ms steps */
        ln_time captured = now + i * LN_MILLISECONDS(20);

        (void)ln_delay_on_frame(&audio, captured + LN_MILLISECONDS(20), 7000 + i * 960, true);
        (void)ln_delay_on_frame(&video, captured + LN_MILLISECONDS(170), 99000 + i * 1800, true);
        streams[0] = (struct ln_sync_stream){ &audio, unix_start + captured - now, 7000 + i * 960 };
        streams[1] = (struct ln_sync_stream){ &video, unix_start + captured - now,
                                              99000 + i * 1800 };
        if (i % 50 == 49)
            ln_sync_update(streams, 2);
    }
    difference = ln_delay_release(&audio, 7000 + 500 * 960) -
                 ln_delay_release(&video, 99000 + 500 * 1800);
    CHECK(difference > -LN_MILLISECONDS(10) && difference < LN_MILLISECONDS(10));
    CHECK_EQUAL(video.extra, 0);
    streams[0].report_unix -= LN_SECONDS(1000); /* a clock that cannot be right is left alone */
    ln_sync_update(streams, 2);
    CHECK_EQUAL(audio.extra + video.extra, 0);
}
