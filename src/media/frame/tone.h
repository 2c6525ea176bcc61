/* SPDX-License-Identifier: Apache-2.0
 * The test tone: a sine, with a beep at each full second, when the test picture flashes; and the
 * ears to hear both again: frequency, beep detector.
 *
 * Plain structs without memory of their own. */
#ifndef LN_MEDIA_FRAME_TONE_H
#define LN_MEDIA_FRAME_TONE_H

#include "base/frame.h"

#define LN_TONE_HZ      440u
#define LN_TONE_BEEP_HZ 1000u
#define LN_TONE_BEEP_MS 100u

struct ln_tone {
    double frequency_hz, beep_hz; /* beep_hz 0: no beep */
    double phase, beep_phase;     /* turns, 0 to 1 */
    double beep_gain;             /* follows its goal smoothly, so that nothing clicks */
};

/* A quiet sine (a quarter of full scale); the beep is added to it. */
void ln_tone_init(struct ln_tone *tone, double frequency_hz, double beep_hz);

/* Fills samples that are not yet handed on: all of `count`, both channels alike. time_ns is the
 * time of the first sample on the clock by which ln_test_picture_flash_at() flashes. */
void ln_tone_fill(struct ln_tone *tone, struct ln_samples *samples, ln_time time_ns);

/* The strongest frequency between 60 Hz and 3 kHz, in Hz, of the first channel, within 1 Hz for
 * half a second of a steady tone. 0 for silence (below -60 dBov) or fewer than 100 ms. */
double ln_tone_frequency(const int16_t *data, size_t count, uint8_t channels, uint32_t rate_hz);

/* Finds the beginnings of beeps in a stream of samples. */
struct ln_beep_detector {
    double frequency_hz;
    uint32_t block_count;  /* samples of the present 5 ms block */
    double s1, s2, energy; /* Goertzel's state, and the block's energy */
    bool inside;
    uint8_t run; /* blocks in a row that speak for a change of `inside` */
    ln_time run_start;
    uint64_t beeps;    /* counted since init */
    ln_time last_beep; /* the beginning of the last one, LN_TIME_NEVER before the first */
};

void ln_beep_detector_init(struct ln_beep_detector *detector, double frequency_hz);

/* Eats samples whose first was (or will be) heard at `time`. Returns whether a beep began in them;
 * detector->last_beep then says when, within 10 ms. */
bool ln_beep_detector_put(struct ln_beep_detector *detector, const struct ln_samples *samples,
                          ln_time time);

#endif
