/* SPDX-License-Identifier: Apache-2.0
 * PCMU and PCMA (RFC 3551, 4.5.14): G.711 at 8 kHz behind the interface of 48 kHz, with its own
 * concealment.
 *
 * Concealment (after the idea of G.711 appendix I, much reduced): the last pitch period goes on,
 * fading to silence; where packets come again, the made-up sound is blended into the real one. It
 * works at 8 kHz, before the resampler, so that no seam is ever filtered twice. */
#include "base/alloc.h"
#include "media/codec/g711.h"
#include "media/codec/ops.h"
#include "media/process/mix.h"
#include "media/process/resample.h"

#include <linnet/error.h>

#include <string.h>

#define RATE_HZ 8000u
#define RATIO   (LN_AUDIO_RATE_HZ / RATE_HZ)
#define LEN_MAX (LN_AUDIO_DECODE_MAX / RATIO) /* 120 ms */
#define HISTORY 400u                          /* 50 ms: two of the longest periods and a window */
#define LAG_MIN 40u                           /* 200 Hz */
#define LAG_MAX 160u                          /* 50 Hz */
#define WINDOW  160u                          /* over which periods are compared */
#define FADE    480                           /* 60 ms until silence */
#define BLEND   32u                           /* 4 ms */

struct pcm_encoder {
    uint8_t (*law)(int16_t sample);
    struct ln_resampler *down;
};

struct pcm_decoder {
    int16_t (*law)(uint8_t code);
    uint8_t channels;
    struct ln_resampler *up;
    int16_t history[HISTORY]; /* the last samples that came in packets */
    unsigned lag;
    unsigned gap; /* samples made up since the last packet */
};

static int encoder_create(void **ret_state, uint8_t (*law)(int16_t), struct ln_allocator *allocator)
{
    struct pcm_encoder *e = ln_alloc_zero(allocator, sizeof *e);
    int error;

    if (!e)
        return LN_ERR_NOMEM;
    e->law = law;
    error = ln_resampler_create(&e->down, LN_AUDIO_RATE_HZ, RATE_HZ, 1, allocator);
    if (error) {
        ln_free(allocator, e);
        return error;
    }
    *ret_state = e;
    return 0;
}

static int ulaw_encoder_create(void **ret_state, const struct ln_audio_encoder_config *config,
                               struct ln_allocator *allocator)
{
    (void)config;
    return encoder_create(ret_state, ln_g711_ulaw_encode, allocator);
}

static int alaw_encoder_create(void **ret_state, const struct ln_audio_encoder_config *config,
                               struct ln_allocator *allocator)
{
    (void)config;
    return encoder_create(ret_state, ln_g711_alaw_encode, allocator);
}

static void encoder_destroy(void *state, struct ln_allocator *allocator)
{
    struct pcm_encoder *e = state;

    ln_resampler_free(e->down);
    ln_free(allocator, e);
}

static int encoder_encode(void *state, const int16_t *data, uint8_t *packet, bool *ret_silence)
{
    struct pcm_encoder *e = state;
    int16_t narrow[LN_AUDIO_PACKET_SAMPLES / RATIO + 1];
    size_t count = ln_resampler_put(e->down, data, LN_AUDIO_PACKET_SAMPLES, narrow);

    for (size_t i = 0; i < count; i++)
        packet[i] = e->law(narrow[i]);
    *ret_silence = false;
    return (int)count;
}

static int decoder_create(void **ret_state, int16_t (*law)(uint8_t), uint8_t channels,
                          struct ln_allocator *allocator)
{
    struct pcm_decoder *d = ln_alloc_zero(allocator, sizeof *d);
    int error;

    if (!d)
        return LN_ERR_NOMEM;
    d->law = law;
    d->channels = channels;
    d->lag = LAG_MAX;
    error = ln_resampler_create(&d->up, RATE_HZ, LN_AUDIO_RATE_HZ, 1, allocator);
    if (error) {
        ln_free(allocator, d);
        return error;
    }
    *ret_state = d;
    return 0;
}

static int ulaw_decoder_create(void **ret_state, const struct ln_audio_decoder_config *config,
                               struct ln_allocator *allocator)
{
    return decoder_create(ret_state, ln_g711_ulaw_decode, config->channels, allocator);
}

static int alaw_decoder_create(void **ret_state, const struct ln_audio_decoder_config *config,
                               struct ln_allocator *allocator)
{
    return decoder_create(ret_state, ln_g711_alaw_decode, config->channels, allocator);
}

static void decoder_destroy(void *state, struct ln_allocator *allocator)
{
    struct pcm_decoder *d = state;

    ln_resampler_free(d->up);
    ln_free(allocator, d);
}

static int decoder_length(void *state, struct ln_bytes packet)
{
    (void)state;
    if (packet.len == 0 || packet.len > LEN_MAX)
        return LN_ERR_MALFORMED;
    return (int)(packet.len * RATIO);
}

static void remember(struct pcm_decoder *d, const int16_t *narrow, size_t count)
{
    if (count > HISTORY) {
        narrow += count - HISTORY;
        count = HISTORY;
    }
    memmove(d->history, d->history + count, (HISTORY - count) * sizeof *d->history);
    memcpy(d->history + HISTORY - count, narrow, count * sizeof *narrow);
}

/* The shift at which the end of the history resembles itself most. */
static unsigned find_lag(const int16_t *history)
{
    const int16_t *end = history + HISTORY - WINDOW;
    double best = 0;
    unsigned best_lag = LAG_MAX;

    for (unsigned lag = LAG_MIN; lag <= LAG_MAX; lag++) {
        double cross = 0, energy = 1;

        for (unsigned i = 0; i < WINDOW; i++) {
            cross += (double)end[i] * (end - lag)[i];
            energy += (double)(end - lag)[i] * (end - lag)[i];
        }
        if (cross > 0 && cross * cross / energy > best * 1.01) { /* of equals the shortest */
            best = cross * cross / energy;
            best_lag = lag;
        }
    }
    return best_lag;
}

/* The next made-up sample: history[HISTORY - lag ...], round and round, fading. */
static int16_t made_up(const struct pcm_decoder *d, unsigned gap)
{
    int gain = FADE - (int)gap;

    if (gain <= 0)
        return 0;
    return (int16_t)(d->history[HISTORY - d->lag + gap % d->lag] * gain / FADE);
}

static void widen(struct pcm_decoder *d, const int16_t *narrow, size_t count, int16_t *out)
{
    int16_t wide[LN_AUDIO_DECODE_MAX + RATIO];
    size_t made = ln_resampler_put(d->up, narrow, count, wide);

    ln_mix_channels(wide, 1, out, d->channels, made);
}

static int decoder_decode(void *state, struct ln_bytes packet, int16_t *out)
{
    struct pcm_decoder *d = state;
    int16_t narrow[LEN_MAX];

    if (packet.len == 0 || packet.len > LEN_MAX)
        return LN_ERR_MALFORMED;
    for (size_t i = 0; i < packet.len; i++)
        narrow[i] = d->law(packet.data[i]);
    for (unsigned i = 0; d->gap > 0 && i < BLEND && i < packet.len; i++)
        narrow[i] = (int16_t)((narrow[i] * (int)i + made_up(d, d->gap + i) * (int)(BLEND - i)) /
                              (int)BLEND);
    d->gap = 0;
    remember(d, narrow, packet.len);
    widen(d, narrow, packet.len, out);
    return 0;
}

static size_t decoder_conceal(void *state, struct ln_bytes next, size_t count, int16_t *out)
{
    struct pcm_decoder *d = state;
    int16_t narrow[LEN_MAX];

    (void)next;
    if (d->gap == 0)
        d->lag = find_lag(d->history);
    for (size_t i = 0; i < count / RATIO; i++)
        narrow[i] = made_up(d, d->gap < FADE ? d->gap++ : FADE);
    widen(d, narrow, count / RATIO, out);
    return 0;
}

static const struct ln_audio_encoder_ops ulaw_encoder = { ulaw_encoder_create, encoder_destroy,
                                                          encoder_encode, NULL, NULL };
static const struct ln_audio_encoder_ops alaw_encoder = { alaw_encoder_create, encoder_destroy,
                                                          encoder_encode, NULL, NULL };
static const struct ln_audio_decoder_ops ulaw_decoder = { ulaw_decoder_create, decoder_destroy,
                                                          decoder_length, decoder_decode,
                                                          decoder_conceal };
static const struct ln_audio_decoder_ops alaw_decoder = { alaw_decoder_create, decoder_destroy,
                                                          decoder_length, decoder_decode,
                                                          decoder_conceal };
const struct ln_codec_ops ln_pcmu_ops = { NULL, NULL, &ulaw_encoder, &ulaw_decoder };
const struct ln_codec_ops ln_pcma_ops = { NULL, NULL, &alaw_encoder, &alaw_decoder };
