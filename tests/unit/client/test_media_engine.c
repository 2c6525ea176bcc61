/* SPDX-License-Identifier: Apache-2.0
 * Media engines on two connections over loopback: real sockets, clocks and threads, so each test
 * waits for what shall happen, with a deadline. */
#include "bench/latency.h"
#include "bench/media_pair.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>

#define LIMIT LN_SECONDS(20)

static const struct ln_media_source none = { .kind = LN_SOURCE_NONE };
static const struct ln_media_source test_source = { .kind = LN_SOURCE_TEST };

static bool has_picture_and_tone(struct media_pair *pair)
{
    struct ln_track_figures video, audio;

    media_pair_figures(pair, &video, &audio);
    return video.numbers_read >= 45 && fabs(audio.frequency_hz - 440) <= 5 && audio.samples > 48000;
}

LN_TEST(media_engine, brings_picture_and_tone_to_the_other_side)
{
    struct ln_track_figures video, audio, sent;
    struct media_pair pair;

    CHECK_EQUAL(media_pair_open(&pair, &test_source, &test_source), 0);
    CHECK(media_pair_run(&pair, has_picture_and_tone, LIMIT));
    media_pair_figures(&pair, &video, &audio);
    CHECK(video.active && audio.active);
    CHECK_EQUAL(video.codec, LN_CODEC_VP8);
    CHECK_EQUAL(audio.codec, LN_CODEC_OPUS);
    CHECK_EQUAL(video.width, 640);
    CHECK_EQUAL(video.height, 480);
    CHECK_EQUAL(video.numbers_disordered, 0);
    CHECK(video.numbers_missing <= video.numbers_read / 10);
    CHECK(audio.level_dbov > -40);
    CHECK(video.latency_p50_ms >= 0);
    CHECK(ln_media_engine_sender_figures(pair.sender.engine, pair.sender.video_sender, &sent));
    CHECK(sent.frames >= video.frames && sent.key_frames >= 1);
    media_pair_close(&pair);
}

/* Where others have the processors a beep may be late; on the whole it is not. */
static bool has_flash_with_beep(struct media_pair *pair)
{
    double between = ln_media_engine_flash_to_beep_ms(pair->receiver.engine);

    return !isnan(between) && fabs(between) < 200;
}

LN_TEST(media_engine, plays_the_beep_with_the_flash)
{
    struct media_pair pair;

    CHECK_EQUAL(media_pair_open(&pair, &test_source, &test_source), 0);
    CHECK(media_pair_run(&pair, has_flash_with_beep, LIMIT));
    media_pair_close(&pair);
}

static bool has_latest(struct media_pair *pair)
{
    struct ln_picture *picture = ln_media_engine_latest(pair->receiver.engine, NULL);

    ln_picture_unref(picture);
    return picture != NULL;
}

LN_TEST(media_engine, ends_while_jobs_are_under_way)
{
    struct media_pair pair;

    CHECK_EQUAL(media_pair_open(&pair, &test_source, &none), 0);
    CHECK(media_pair_run(&pair, has_latest, LIMIT));
    media_pair_close(&pair); /* encoder and decoder are most likely busy */
}

static bool is_connected(struct media_pair *pair)
{
    return pair->sender.connected && pair->receiver.connected;
}

static unsigned heard_rate;

static void hear(void *ctx, struct ln_samples *samples, ln_time now)
{
    (void)ctx;
    (void)now;
    heard_rate = samples->rate_hz;
}

static bool has_heard(struct media_pair *pair)
{
    struct ln_samples *samples = ln_samples_create(ln_allocator_libc(), 48000, 1, 960);
    struct ln_picture *picture = ln_picture_create(ln_allocator_libc(), 320, 240);

    (void)pair;
    for (int i = 0; i < 960; i++)
        samples->data[i] = (int16_t)(i % 48 < 24 ? 3000 : -3000);
    samples->capture_time = picture->capture_time = ln_loop_now(pair->loop);
    for (int i = 0; i < 3; i++)
        memset(picture->plane[i], 128, picture->stride[i] * (i ? 120 : 240));
    (void)!ln_media_engine_push_samples(pair->sender.engine, pair->sender.audio_sender, samples);
    (void)!ln_media_engine_push_picture(pair->sender.engine, pair->sender.video_sender, picture);
    ln_samples_unref(samples);
    ln_picture_unref(picture);
    return heard_rate != 0 && has_latest(pair);
}

LN_TEST(media_engine, sends_what_the_application_gives)
{
    const struct ln_media_source application = { .kind = LN_SOURCE_APPLICATION };
    struct ln_track_figures video, audio;
    struct media_pair pair;

    heard_rate = 0;
    CHECK_EQUAL(media_pair_open(&pair, &application, &application), 0);
    pair.samples = hear;
    CHECK(media_pair_run(&pair, is_connected, LIMIT));
    CHECK(media_pair_run(&pair, has_heard, LIMIT));
    CHECK_EQUAL(heard_rate, 48000);
    media_pair_figures(&pair, &video, &audio);
    CHECK_EQUAL(video.width, 320);
    CHECK_EQUAL(video.numbers_read, 0);
    media_pair_close(&pair);
}

LN_TEST(media_engine, refuses_media_for_a_sender_without_a_source)
{
    struct ln_picture *picture = ln_picture_create(ln_allocator_libc(), 64, 64);
    struct media_pair pair;

    CHECK_EQUAL(media_pair_open(&pair, &test_source, &none), 0);
    CHECK_EQUAL(ln_media_engine_push_picture(pair.sender.engine, pair.sender.video_sender, picture),
                LN_ERR_INVALID_STATE);
    ln_picture_unref(picture);
    media_pair_close(&pair);
}

LN_TEST(media_engine, shows_a_picture_soon_after_its_capture)
{
    struct bench_latency latency = { .pictures = 0 };

    for (unsigned seconds = 2; latency.pictures <= 20 && seconds <= 16; seconds *= 2)
        CHECK_EQUAL(bench_latency_run(seconds, &latency), 0);
    printf("    picture to picture: %.1f ms, 95 %% %.1f ms, %llu pictures, %llu missing\n",
           latency.p50_ms, latency.p95_ms, (unsigned long long)latency.pictures,
           (unsigned long long)latency.missing);
    CHECK_EQUAL(latency.disordered, 0);
    CHECK(latency.pictures > 20);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(latency.p50_ms < 50 + latency.frame_ms);
#endif
}
