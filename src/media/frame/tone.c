/* SPDX-License-Identifier: Apache-2.0
 * Tone, beep, and their measurement by Goertzel's recursion: the amplitude of one frequency in a
 * block of samples for one multiplication a sample. */
#include "media/frame/tone.h"

#include <math.h>
#include <stddef.h>

#define PI             3.14159265358979323846
#define TONE_LEVEL     (0.25 * 32767)
#define BEEP_LEVEL     (0.35 * 32767)
#define SLOPE_S        0.002 /* the beep's rise and fall */
#define SCAN_RATE_HZ   8000u
#define SCAN_MAX       4000u /* 0.5 s */
#define SCAN_MIN       800u  /* 0.1 s */
#define SCAN_LOW_HZ    60.0
#define SCAN_HIGH_HZ   3000.0
#define SILENCE        (0.001 * 32767) /* -60 dBov */
#define BLOCKS_A_S     200u            /* beep detector: blocks of 5 ms */
#define BEEP_SHARE_ON  0.3             /* of a block's energy, to begin and to go on */
#define BEEP_SHARE_OFF 0.15
#define BEEP_FLOOR     (0.02 * 32767)
#define BLOCKS_ON      2u
#define BLOCKS_OFF     4u

void ln_tone_init(struct ln_tone *tone, double frequency_hz, double beep_hz)
{
    *tone = (struct ln_tone){ .frequency_hz = frequency_hz, .beep_hz = beep_hz };
}

static double turn(double *phase, double hz, uint32_t rate_hz)
{
    double value = sin(2 * PI * *phase);

    *phase += hz / rate_hz;
    *phase -= floor(*phase);
    return value;
}

void ln_tone_fill(struct ln_tone *tone, struct ln_samples *samples, ln_time time_ns)
{
    const int64_t second = 1000000000;
    double slope = 1 / (SLOPE_S * samples->rate_hz), into = (double)(time_ns % second) / 1e9;

    for (uint32_t i = 0; i < samples->count; i++) {
        double t = into + (double)i / samples->rate_hz, value;
        bool on = tone->beep_hz > 0 && t - floor(t) < LN_TONE_BEEP_MS / 1000.0;

        value = TONE_LEVEL * turn(&tone->phase, tone->frequency_hz, samples->rate_hz);
        tone->beep_gain = on ? fmin(1, tone->beep_gain + slope) : fmax(0, tone->beep_gain - slope);
        if (tone->beep_gain > 0)
            value += BEEP_LEVEL * tone->beep_gain *
                     turn(&tone->beep_phase, tone->beep_hz, samples->rate_hz);
        else
            tone->beep_phase = 0;
        for (uint8_t c = 0; c < samples->channels; c++)
            samples->data[i * samples->channels + c] = (int16_t)lrint(value);
    }
}

/* The power of one frequency in data, under a Hann window that the caller applied. */
static double power(const float *data, size_t count, double hz)
{
    double c = 2 * cos(2 * PI * hz / SCAN_RATE_HZ), s1 = 0, s2 = 0;

    for (size_t i = 0; i < count; i++) {
        double s = data[i] + c * s1 - s2;

        s2 = s1;
        s1 = s;
    }
    return s1 * s1 + s2 * s2 - c * s1 * s2;
}

/* About 8 kHz by means over `step` samples, without the mean, windowed. Returns the samples made, 0
 * when they are too few or silent. */
static size_t prepare(const int16_t *data, size_t count, uint8_t channels, uint32_t step,
                      float *out)
{
    size_t made = count / step < SCAN_MAX ? count / step : SCAN_MAX;
    double mean = 0, energy = 0;

    if (made < SCAN_MIN)
        return 0;
    for (size_t i = 0; i < made; i++) {
        float sum = 0;

        for (uint32_t k = 0; k < step; k++)
            sum += data[(i * step + k) * channels];
        out[i] = sum / (float)step;
        mean += out[i] / (double)made;
    }
    for (size_t i = 0; i < made; i++) {
        energy += (out[i] - mean) * (out[i] - mean);
        out[i] = (float)((out[i] - mean) * (0.5 - 0.5 * cos(2 * PI * (double)i / (double)made)));
    }
    return sqrt(energy / (double)made) < SILENCE ? 0 : made;
}

double ln_tone_frequency(const int16_t *data, size_t count, uint8_t channels, uint32_t rate_hz)
{
    static const double golden = 0.6180339887498949;
    uint32_t step = rate_hz > SCAN_RATE_HZ ? rate_hz / SCAN_RATE_HZ : 1;
    double scale = (double)rate_hz / step / SCAN_RATE_HZ, bin, best = 0, best_hz = 0, low, high;
    float work[SCAN_MAX];
    size_t made = prepare(data, count, channels, step, work);

    if (made == 0)
        return 0;
    bin = (double)SCAN_RATE_HZ / (double)made;
    for (double hz = SCAN_LOW_HZ; hz <= SCAN_HIGH_HZ; hz += bin * 1.5) {
        double p = power(work, made, hz);

        if (p > best) {
            best = p;
            best_hz = hz;
        }
    }
    low = best_hz - 1.5 * bin;
    high = best_hz + 1.5 * bin;
    while (high - low > 0.05) { /* one hump: narrow it down by the golden section */
        double a = high - golden * (high - low), b = low + golden * (high - low);

        if (power(work, made, a) > power(work, made, b))
            high = b;
        else
            low = a;
    }
    return (low + high) / 2 * scale;
}

void ln_beep_detector_init(struct ln_beep_detector *detector, double frequency_hz)
{
    *detector = (struct ln_beep_detector){ .frequency_hz = frequency_hz,
                                           .last_beep = LN_TIME_NEVER };
}

/* Ends a block: is the beep a good part of it? Returns whether one began (at `run_start`). */
static bool end_block(struct ln_beep_detector *d, double c, ln_time block_start)
{
    double n = d->block_count;
    double amplitude = 2 * sqrt(fmax(0, d->s1 * d->s1 + d->s2 * d->s2 - c * d->s1 * d->s2)) / n;
    double share = d->energy > 0 ? amplitude * amplitude / 2 * n / d->energy : 0;
    bool on = amplitude > BEEP_FLOOR && share > (d->inside ? BEEP_SHARE_OFF : BEEP_SHARE_ON);

    d->s1 = d->s2 = d->energy = 0;
    d->block_count = 0;
    if (on == d->inside) {
        d->run = 0;
        return false;
    }
    if (d->run++ == 0)
        d->run_start = block_start;
    if (d->run < (on ? BLOCKS_ON : BLOCKS_OFF))
        return false;
    d->run = 0;
    d->inside = on;
    if (on) {
        d->beeps++;
        d->last_beep = d->run_start;
    }
    return on;
}

bool ln_beep_detector_put(struct ln_beep_detector *detector, const struct ln_samples *samples,
                          ln_time time)
{
    uint32_t block = samples->rate_hz / BLOCKS_A_S;
    double c = 2 * cos(2 * PI * detector->frequency_hz / samples->rate_hz);
    bool began = false;

    for (uint32_t i = 0; i < samples->count; i++) {
        double v = samples->data[(size_t)i * samples->channels];
        double s = v + c * detector->s1 - detector->s2;

        detector->s2 = detector->s1;
        detector->s1 = s;
        detector->energy += v * v;
        if (++detector->block_count == block) {
            int64_t start = (int64_t)i + 1 - block; /* negative: in the samples before these */

            began |= end_block(detector, c, time + start * 1000000000 / samples->rate_hz);
        }
    }
    return began;
}
