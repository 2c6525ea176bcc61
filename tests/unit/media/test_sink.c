/* SPDX-License-Identifier: Apache-2.0
 * The sinks' counters. */
#include "base/alloc.h"
#include "media/frame/sink.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

static void show(struct ln_video_sink *sink, uint32_t number, uint64_t sent_ms, uint64_t latency_ms)
{
    struct ln_picture *p = ln_picture_create(ln_allocator_libc(), 160, 120);
    struct ln_test_picture what = { number, sent_ms, ln_test_picture_flash_at(sent_ms) };

    CHECK(p != NULL);
    ln_test_picture_draw(p, &what);
    ln_video_sink_put(sink, p, (ln_time)(sent_ms + latency_ms) * 1000000, sent_ms + latency_ms);
    ln_picture_unref(p);
}

LN_TEST(video_sink, counts_numbers_gaps_disorder_flashes_and_latency)
{
    static const uint32_t numbers[] = { 10, 11, 14, 13, 13, 15 };
    struct ln_video_sink sink;
    struct ln_picture *latest, *blank = ln_picture_create(ln_allocator_libc(), 64, 64);

    CHECK(blank != NULL);
    ln_video_sink_init(&sink, true);
    CHECK(ln_video_sink_latest(&sink) == NULL);
    CHECK_EQUAL(ln_video_sink_latency_ms(&sink, 50), -1);
    for (uint32_t i = 0; i < 6; i++)
        show(&sink, numbers[i], 1900 + i * 33, 10 + i);
    CHECK_EQUAL(sink.pictures, 6);
    CHECK_EQUAL(sink.read, 6);
    CHECK_EQUAL(sink.first_number, 10);
    CHECK_EQUAL(sink.last_number, 15);
    CHECK_EQUAL(sink.missing, 2);
    CHECK_EQUAL(sink.disordered, 2);
    CHECK_EQUAL(sink.flashes, 1);
    CHECK_EQUAL(sink.flash_time, (1900 + 4 * 33 + 14) * LN_MILLISECONDS(1));
    CHECK_EQUAL(ln_video_sink_latency_ms(&sink, 50), 12);
    CHECK_EQUAL(ln_video_sink_latency_ms(&sink, 100), 15);
    CHECK_EQUAL(ln_video_sink_latency_ms(&sink, 0), 10);
    CHECK_EQUAL(sink.latency_sum_ms, 75);
    memset(blank->plane[0], 16, blank->stride[0] * 64);
    ln_video_sink_put(&sink, blank, 0, 0);
    CHECK_EQUAL(sink.unread, 1);
    CHECK_EQUAL(sink.latency_count, 6);
    latest = ln_video_sink_latest(&sink);
    CHECK(latest == blank);
    ln_picture_unref(latest);
    ln_picture_unref(blank);
    ln_video_sink_close(&sink);
}

LN_TEST(video_sink, numbers_wrap_and_latency_is_capped)
{
    struct ln_video_sink sink;

    ln_video_sink_init(&sink, false);
    show(&sink, UINT32_MAX, 5000, 1000000);
    show(&sink, 0, 5033, 3);
    show(&sink, 1, 5066, 3);
    CHECK_EQUAL(sink.missing, 0);
    CHECK_EQUAL(sink.disordered, 0);
    CHECK_EQUAL(ln_video_sink_latency_ms(&sink, 100), LN_SINK_LATENCY_MAX_MS);
    CHECK(ln_video_sink_latest(&sink) == NULL);
    ln_video_sink_close(&sink);
}

LN_TEST(audio_sink, measures_level_frequency_and_beeps)
{
    struct ln_audio_sink *sink = malloc(sizeof *sink);
    struct ln_tone tone;

    ln_audio_sink_init(sink);
    CHECK_EQUAL(sink->level_dbov, -127);
    ln_tone_init(&tone, LN_TONE_HZ, LN_TONE_BEEP_HZ);
    for (int i = 0; i < 120; i++) {
        ln_time time = LN_MILLISECONDS(500) + i * LN_MILLISECONDS(20);
        struct ln_samples *samples = ln_samples_create(ln_allocator_libc(), 48000, 2, 960);

        CHECK(samples != NULL);
        ln_tone_fill(&tone, samples, time);
        samples->concealed = i == 7;
        ln_audio_sink_put(sink, samples, time);
        ln_samples_unref(samples);
    }
    CHECK_EQUAL(sink->samples, 120 * 960);
    CHECK_EQUAL(sink->concealed, 960);
    CHECK(fabs(sink->frequency_hz - LN_TONE_HZ) < 1);
    CHECK_EQUAL(sink->level_dbov, -15);
    CHECK_EQUAL(sink->beep.beeps, 2);
    CHECK(llabs(sink->beep.last_beep - LN_SECONDS(2)) <= LN_MILLISECONDS(10));
    free(sink);
}
