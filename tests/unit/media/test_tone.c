/* SPDX-License-Identifier: Apache-2.0
 * The tone is heard as what it is; the beep begins when the picture flashes. */
#include "media/frame/test_picture.h"
#include "media/frame/tone.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

static struct ln_samples *fill(struct ln_tone *tone, uint32_t rate_hz, uint8_t channels,
                               uint32_t count, ln_time time)
{
    struct ln_samples *samples = ln_samples_create(ln_allocator_libc(), rate_hz, channels, count);

    CHECK(samples != NULL);
    ln_tone_fill(tone, samples, time);
    return samples;
}

LN_TEST(tone, its_frequency_is_found_within_one_hertz)
{
    static const double frequencies[] = { 82.4, 100, 261.6, 440, 444.7, 999.5, 1000, 2500 };
    static const uint32_t rates[] = { 8000, 16000, 44100, 48000 };

    for (size_t r = 0; r < 4; r++) {
        for (size_t f = 0; f < 8; f++) {
            struct ln_tone tone;
            struct ln_samples *samples;
            double found;

            ln_tone_init(&tone, frequencies[f], 0);
            samples = fill(&tone, rates[r], 2, rates[r] / 2, 0);
            found = ln_tone_frequency(samples->data, samples->count, 2, rates[r]);
            CHECK(fabs(found - frequencies[f]) < 1);
            ln_samples_unref(samples);
        }
    }
}

LN_TEST(tone, its_frequency_is_found_under_the_beep_and_in_noise)
{
    struct ln_tone tone;
    struct ln_samples *samples;

    ln_tone_init(&tone, LN_TONE_HZ, LN_TONE_BEEP_HZ);
    samples = fill(&tone, 48000, 1, 24000, LN_MILLISECONDS(900));
    for (uint32_t i = 0; i < samples->count; i++)
        samples->data[i] = (int16_t)(samples->data[i] + (int)ln_rng_below(test_env()->rng, 4000) -
                                     2000);
    CHECK(fabs(ln_tone_frequency(samples->data, samples->count, 1, 48000) - LN_TONE_HZ) < 1);
    ln_samples_unref(samples);
}

LN_TEST(tone, silence_and_a_few_samples_have_no_frequency)
{
    int16_t *data = calloc(48000, sizeof *data);

    CHECK(ln_tone_frequency(data, 24000, 1, 48000) == 0);
    data[5] = 1000;
    CHECK(ln_tone_frequency(data, 0, 1, 48000) == 0);
    CHECK(ln_tone_frequency(data, 4000, 1, 48000) == 0);
    CHECK(ln_tone_frequency(data, 24000, 2, 48000) == 0);
    free(data);
}

LN_TEST(tone, goes_on_without_a_step_from_piece_to_piece)
{
    struct ln_tone tone;
    int last = 0;

    ln_tone_init(&tone, LN_TONE_HZ, LN_TONE_BEEP_HZ);
    for (int i = 0; i < 300; i++) {
        struct ln_samples *samples = fill(&tone, 48000, 1, 480, i * LN_MILLISECONDS(10));

        for (uint32_t k = 0; k < samples->count; k++) {
            CHECK(abs(samples->data[k] - last) < 2200); /* 440 Hz and 1000 Hz at their steepest */
            last = samples->data[k];
        }
        ln_samples_unref(samples);
    }
}

LN_TEST(beep, is_heard_once_a_second_when_the_picture_flashes)
{
    struct ln_tone tone;
    struct ln_beep_detector detector;
    int beeps = 0;

    ln_tone_init(&tone, LN_TONE_HZ, LN_TONE_BEEP_HZ);
    ln_beep_detector_init(&detector, LN_TONE_BEEP_HZ);
    for (int i = 0; i < 500; i++) {
        ln_time time = LN_MILLISECONDS(400) + i * LN_MILLISECONDS(10);
        struct ln_samples *samples = fill(&tone, 48000, 1, 480, time);

        if (ln_beep_detector_put(&detector, samples, time)) {
            beeps++;
            CHECK(llabs(detector.last_beep - LN_SECONDS(beeps)) <= LN_MILLISECONDS(10));
            CHECK(ln_test_picture_flash_at((uint64_t)(detector.last_beep / 1000000 + 10)));
        }
        ln_samples_unref(samples);
    }
    CHECK_EQUAL(beeps, 5);
    CHECK_EQUAL(detector.beeps, 5);
}

LN_TEST(beep, is_not_heard_in_tone_noise_or_silence)
{
    struct ln_beep_detector detector;
    struct ln_tone tone;

    ln_beep_detector_init(&detector, LN_TONE_BEEP_HZ);
    ln_tone_init(&tone, LN_TONE_HZ, 0);
    for (int i = 0; i < 300; i++) {
        struct ln_samples *samples = fill(&tone, 48000, 1, 480, 0);

        for (uint32_t k = 0; i >= 100 && k < 480; k++)
            samples->data[k] = i < 200
                                   ? (int16_t)((int)ln_rng_below(test_env()->rng, 20000) - 10000)
                                   : 0;
        CHECK(!ln_beep_detector_put(&detector, samples, i * LN_MILLISECONDS(10)));
        ln_samples_unref(samples);
    }
    CHECK_EQUAL(detector.beeps, 0);
    CHECK_EQUAL(detector.last_beep, LN_TIME_NEVER);
}
