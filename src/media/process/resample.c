/* SPDX-License-Identifier: Apache-2.0
 * Polyphase resampler: conceptually the input with `up` - 1 zeros between samples, through a
 * low-pass, every `down`-th value taken. Each output needs only the taps that do not meet zeros:
 * one phase of the filter.
 *
 * The low-pass is a sinc under a Kaiser window, cut off a little below the lower of the two
 * Nyquist frequencies.
 * Invariant: `at` is the time of the next output, in 1/up of an input sample, from the start of the
 * next chunk. */
#include "media/process/resample.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <math.h>
#include <string.h>

#define PI         3.14159265358979323846
#define RATE_MIN   8000u
#define RATE_MAX   192000u
#define PHASES_MAX 1024u
#define TAPS       40u  /* a phase, at the lower of the rates */
#define CUTOFF     0.92 /* of the lower Nyquist frequency */
#define BETA       6.0  /* Kaiser: 63 dB in the stop band */
#define CHUNK      480u

struct ln_resampler {
    struct ln_allocator *allocator;
    uint32_t from_hz, to_hz;
    uint32_t up, down;
    uint32_t taps; /* a phase */
    uint8_t channels;
    uint64_t at;
    float *filter; /* [up][taps], newest sample first to be multiplied last */
    float *work;   /* a channel: taps - 1 old samples, then a chunk */
};

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t r = a % b;

        a = b;
        b = r;
    }
    return a;
}

/* The modified Bessel function of order zero, by its series. */
static double bessel(double x)
{
    double sum = 1, term = 1;

    for (int k = 1; k < 50 && term > sum * 1e-12; k++) {
        term *= x / 2 / k * (x / 2 / k);
        sum += term;
    }
    return sum;
}

static void design(struct ln_resampler *r)
{
    uint32_t len = r->taps * r->up;
    double middle = (len - 1) / 2.0;
    double nyquist = 0.5 / (r->up > r->down ? r->up : r->down) * CUTOFF; /* turns a fine step */

    for (uint32_t phase = 0; phase < r->up; phase++) {
        float *taps = r->filter + (size_t)phase * r->taps;
        double sum = 0;

        for (uint32_t k = 0; k < r->taps; k++) {
            /* Tap k meets the sample taps-1-k back, which lies phase + (taps-1-k) * up fine steps
             * before the output. */
            double n = phase + (double)(r->taps - 1 - k) * r->up - middle, x = n / middle;
            double sinc = n == 0 ? 2 * nyquist : sin(2 * PI * nyquist * n) / (PI * n);
            double window = fabs(x) > 1 ? 0 : bessel(BETA * sqrt(1 - x * x));

            taps[k] = (float)(sinc * window);
            sum += sinc * window;
        }
        for (uint32_t k = 0; k < r->taps; k++) /* a constant stays that constant in each phase */
            taps[k] = (float)(taps[k] / sum);
    }
}

int ln_resampler_create(struct ln_resampler **ret_resampler, uint32_t from_hz, uint32_t to_hz,
                        uint8_t channels, struct ln_allocator *allocator)
{
    struct ln_resampler *r;
    uint32_t divisor;

    if (from_hz < RATE_MIN || to_hz < RATE_MIN || from_hz > RATE_MAX || to_hz > RATE_MAX ||
        channels == 0)
        return LN_ERR_RANGE;
    divisor = gcd(from_hz, to_hz);
    if (to_hz / divisor > PHASES_MAX)
        return LN_ERR_RANGE;
    r = ln_alloc_zero(allocator, sizeof *r);
    if (!r)
        return LN_ERR_NOMEM;
    r->allocator = allocator;
    r->from_hz = from_hz;
    r->to_hz = to_hz;
    r->up = to_hz / divisor;
    r->down = from_hz / divisor;
    r->channels = channels;
    r->taps = r->down > r->up ? (TAPS * r->down + r->up - 1) / r->up : TAPS;
    r->filter = ln_alloc_array(allocator, (size_t)r->up * r->taps, sizeof *r->filter);
    r->work = ln_alloc_array(allocator, (size_t)channels * (r->taps - 1 + CHUNK), sizeof *r->work);
    if (!r->filter || !r->work) {
        ln_resampler_free(r);
        return LN_ERR_NOMEM;
    }
    design(r);
    *ret_resampler = r;
    return 0;
}

void ln_resampler_free(struct ln_resampler *resampler)
{
    if (!resampler)
        return;
    ln_free(resampler->allocator, resampler->filter);
    ln_free(resampler->allocator, resampler->work);
    ln_free(resampler->allocator, resampler);
}

size_t ln_resampler_bound(const struct ln_resampler *resampler, size_t count)
{
    return count * resampler->up / resampler->down + 1;
}

static int16_t round_sample(float v)
{
    return (int16_t)(v >= 32767 ? 32767 : v <= -32768 ? -32768 : lrintf(v));
}

static size_t put_chunk(struct ln_resampler *r, const int16_t *data, size_t count, int16_t *out)
{
    size_t stride = r->taps - 1 + CHUNK, made = 0;

    for (uint8_t c = 0; c < r->channels; c++)
        for (size_t i = 0; i < count; i++)
            r->work[c * stride + r->taps - 1 + i] = data[i * r->channels + c];
    for (; r->at < (uint64_t)count * r->up; r->at += r->down, made++) {
        const float *taps = r->filter + (size_t)(r->at % r->up) * r->taps;

        for (uint8_t c = 0; c < r->channels; c++) {
            const float *in = r->work + c * stride + r->at / r->up;
            float sum = 0;

            for (uint32_t k = 0; k < r->taps; k++)
                sum += taps[k] * in[k];
            out[made * r->channels + c] = round_sample(sum);
        }
    }
    r->at -= (uint64_t)count * r->up;
    for (uint8_t c = 0; c < r->channels; c++)
        memmove(r->work + c * stride, r->work + c * stride + count,
                (r->taps - 1) * sizeof *r->work);
    return made;
}

size_t ln_resampler_put(struct ln_resampler *resampler, const int16_t *data, size_t count,
                        int16_t *out)
{
    size_t made = 0;

    while (count > 0) {
        size_t part = count < CHUNK ? count : CHUNK;

        made += put_chunk(resampler, data, part, out + made * resampler->channels);
        data += part * resampler->channels;
        count -= part;
    }
    return made;
}

ln_duration ln_resampler_delay(const struct ln_resampler *resampler)
{
    double fine = ((double)resampler->taps * resampler->up - 1) / 2;

    return (ln_duration)(fine / resampler->up / resampler->from_hz * 1e9);
}
