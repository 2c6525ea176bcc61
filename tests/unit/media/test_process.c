/* SPDX-License-Identifier: Apache-2.0
 * Scaling, rotation, resampling, mixing and levels. */
#include "media/frame/tone.h"
#include "media/process/level.h"
#include "media/process/mix.h"
#include "media/process/resample.h"
#include "media/process/scale.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

LN_TEST(level, of_full_scale_a_sine_and_silence)
{
    int16_t data[4800];

    for (int i = 0; i < 4800; i++)
        data[i] = i % 2 ? 32767 : -32767;
    CHECK_EQUAL(ln_level_dbov(data, 4800), 0);
    for (int i = 0; i < 4800; i++)
        data[i] = INT16_MIN;
    CHECK_EQUAL(ln_level_dbov(data, 4800), 0);
    for (int i = 0; i < 4800; i++)
        data[i] = (int16_t)lrint(32767 * sin(i * 2 * PI / 48));
    CHECK_EQUAL(ln_level_dbov(data, 4800), -3);
    for (int i = 0; i < 4800; i++)
        data[i] = (int16_t)(data[i] / 100);
    CHECK_EQUAL(ln_level_dbov(data, 4800), -43);
    memset(data, 0, sizeof data);
    CHECK_EQUAL(ln_level_dbov(data, 4800), -127);
    CHECK_EQUAL(ln_level_dbov(data, 0), -127);
    CHECK(ln_level_rms(data, 4800) == 0);
}

LN_TEST(mix, adds_and_saturates)
{
    struct ln_samples *a = ln_samples_create(ln_allocator_libc(), 48000, 1, 3);
    struct ln_samples *b = ln_samples_create(ln_allocator_libc(), 48000, 1, 3);
    struct ln_samples *other = ln_samples_create(ln_allocator_libc(), 48000, 2, 3), *sum = NULL;
    const struct ln_samples *inputs[3] = { a, b, other };

    CHECK(a && b && other);
    memcpy(a->data, (int16_t[]){ 1000, 30000, -30000 }, 6);
    memcpy(b->data, (int16_t[]){ -300, 30000, -30000 }, 6);
    CHECK_EQUAL(ln_mix_samples(inputs, 2, ln_allocator_libc(), &sum), 0);
    CHECK(sum->data[0] == 700 && sum->data[1] == 32767 && sum->data[2] == -32768);
    ln_samples_unref(sum);
    CHECK_EQUAL(ln_mix_samples(inputs, 3, ln_allocator_libc(), &sum), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_mix_samples(inputs, 0, ln_allocator_libc(), &sum), LN_ERR_INVALID_ARGUMENT);
    ln_samples_unref(a);
    ln_samples_unref(b);
    ln_samples_unref(other);
}

LN_TEST(mix, changes_channels)
{
    int16_t stereo[] = { 100, 300, -32768, -32768 }, mono[2], again[4];

    ln_mix_channels(stereo, 2, mono, 1, 2);
    CHECK(mono[0] == 200 && mono[1] == -32768);
    ln_mix_channels(mono, 1, again, 2, 2);
    CHECK(again[0] == 200 && again[1] == 200 && again[3] == -32768);
}

/* One second of a sine in pieces of odd length; returns the samples out. */
static size_t resample(uint32_t from, uint32_t to, double hz, int16_t *out)
{
    struct ln_resampler *r = NULL;
    int16_t *in = malloc(from * sizeof *in);
    size_t made = 0, part;

    CHECK_EQUAL(ln_resampler_create(&r, from, to, 1, ln_allocator_libc()), 0);
    CHECK(ln_resampler_delay(r) > 0 && ln_resampler_delay(r) < LN_MILLISECONDS(4));
    for (uint32_t i = 0; i < from; i++)
        in[i] = (int16_t)lrint(16000 * sin(2 * PI * hz * i / from));
    for (size_t at = 0; at < from; at += part) {
        size_t got;

        part = 1 + ln_rng_below(test_env()->rng, 1000);
        part = part < from - at ? part : from - at;
        got = ln_resampler_put(r, in + at, part, out + made);
        CHECK(got <= ln_resampler_bound(r, part));
        made += got;
    }
    ln_resampler_free(r);
    free(in);
    return made;
}

LN_TEST(resampler, keeps_pitch_loudness_and_duration)
{
    static const uint32_t rates[] = { 8000, 16000, 24000, 32000, 44100, 48000 };
    int16_t *out = malloc(50000 * sizeof *out);

    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 6; k++) {
            size_t made = resample(rates[i], rates[k], 700, out);

            CHECK_EQUAL(made, rates[k]);
            CHECK(fabs(ln_tone_frequency(out + made / 2, made / 2, 1, rates[k]) - 700) < 1);
            CHECK(fabs(ln_level_rms(out + made / 2, made / 2) - 16000.0 / 32767 / sqrt(2)) < 0.005);
        }
    }
    free(out);
}

LN_TEST(resampler, lets_pass_speech_and_stops_what_would_fold_over)
{
    int16_t *out = malloc(50000 * sizeof *out);
    size_t made;

    made = resample(48000, 8000, 3000, out);
    CHECK(ln_level_rms(out + made / 2, made / 2) > 0.3);
    made = resample(48000, 8000, 4700, out);
    CHECK(ln_level_dbov(out + made / 2, made / 2) < -55);
    made = resample(48000, 8000, 10000, out);
    CHECK(ln_level_dbov(out + made / 2, made / 2) < -55);
    made = resample(48000, 16000, 9200, out);
    CHECK(ln_level_dbov(out + made / 2, made / 2) < -50);
    free(out);
}

LN_TEST(resampler, refuses_rates_it_cannot_do)
{
    struct ln_resampler *r = NULL;

    CHECK_EQUAL(ln_resampler_create(&r, 48000, 4000, 1, ln_allocator_libc()), LN_ERR_RANGE);
    CHECK_EQUAL(ln_resampler_create(&r, 48000, 44099, 1, ln_allocator_libc()), LN_ERR_RANGE);
    CHECK_EQUAL(ln_resampler_create(&r, 48000, 8000, 0, ln_allocator_libc()), LN_ERR_RANGE);
    CHECK(r == NULL);
}

static struct ln_picture *half_white(uint16_t width, uint16_t height)
{
    struct ln_picture *p = ln_picture_create(ln_allocator_libc(), width, height);

    CHECK(p != NULL);
    for (size_t y = 0; y < height; y++)
        memset(p->plane[0] + y * p->stride[0], y < height / 2u ? 235 : 16, width);
    for (int i = 1; i < 3; i++)
        memset(p->plane[i], 128, p->stride[i] * ((height + 1u) / 2));
    p->capture_time = 5;
    return p;
}

static int luma(const struct ln_picture *p, unsigned x, unsigned y)
{
    return p->plane[0][y * p->stride[0] + x];
}

LN_TEST(scale, keeps_the_picture_and_its_time)
{
    struct ln_picture *p = half_white(640, 480), *small = NULL, *odd = NULL, *same = NULL;

    CHECK_EQUAL(ln_picture_scale(p, 320, 240, ln_allocator_libc(), &small), 0);
    CHECK(small->width == 320 && small->height == 240 && small->capture_time == 5);
    CHECK(luma(small, 319, 100) == 235 && luma(small, 0, 140) == 16);
    CHECK_EQUAL(ln_picture_scale(small, 333, 201, ln_allocator_libc(), &odd), 0);
    CHECK(luma(odd, 332, 80) == 235 && luma(odd, 332, 200) == 16);
    CHECK_EQUAL(ln_picture_scale(p, 640, 480, ln_allocator_libc(), &same), 0);
    CHECK(same == p);
    ln_picture_unref(same);
    same = NULL;
    CHECK_EQUAL(ln_picture_scale(p, 0, 240, ln_allocator_libc(), &same), LN_ERR_RANGE);
    CHECK_EQUAL(ln_picture_scale(p, 5000, 240, ln_allocator_libc(), &same), LN_ERR_RANGE);
    CHECK(same == NULL);
    ln_picture_unref(small);
    ln_picture_unref(odd);
    ln_picture_unref(p);
}

LN_TEST(scale, turns_pictures_upright)
{
    struct ln_picture *p = half_white(64, 48), *up = NULL;

    p->rotation = 90; /* clockwise: the top goes to the right */
    CHECK_EQUAL(ln_picture_upright(p, ln_allocator_libc(), &up), 0);
    CHECK(up->width == 48 && up->height == 64 && up->rotation == 0 && up->capture_time == 5);
    CHECK(luma(up, 40, 5) == 235 && luma(up, 5, 5) == 16);
    ln_picture_unref(up);
    p->rotation = 180;
    CHECK_EQUAL(ln_picture_upright(p, ln_allocator_libc(), &up), 0);
    CHECK(up->width == 64 && luma(up, 0, 0) == 16 && luma(up, 0, 47) == 235);
    ln_picture_unref(up);
    p->rotation = 270;
    CHECK_EQUAL(ln_picture_upright(p, ln_allocator_libc(), &up), 0);
    CHECK(luma(up, 5, 5) == 235 && luma(up, 40, 5) == 16);
    ln_picture_unref(up);
    p->rotation = 0;
    CHECK_EQUAL(ln_picture_upright(p, ln_allocator_libc(), &up), 0);
    CHECK(up == p);
    ln_picture_unref(up);
    p->rotation = 45;
    CHECK_EQUAL(ln_picture_upright(p, ln_allocator_libc(), &up), LN_ERR_RANGE);
    ln_picture_unref(p);
}

LN_TEST(scale, finds_the_size_within_a_number_of_pixels)
{
    uint16_t w, h;

    ln_picture_size_within(1280, 720, 0, &w, &h);
    CHECK(w == 1280 && h == 720);
    ln_picture_size_within(1280, 720, 640 * 360, &w, &h);
    CHECK(w == 640 && h == 360);
    ln_picture_size_within(1279, 719, 0, &w, &h);
    CHECK(w == 1278 && h == 718);
    ln_picture_size_within(640, 480, 100000, &w, &h);
    CHECK((unsigned)w * h <= 100000 && (unsigned)w * h > 97000 && w % 2 == 0 && h % 2 == 0);
    ln_picture_size_within(640, 480, 1, &w, &h);
    CHECK(w == 16 && h == 16);
}
