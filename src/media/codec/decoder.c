/* SPDX-License-Identifier: Apache-2.0
 * The common half of decoders: choice of the codec, and for sound the length of gaps and the
 * frames' times. */
#include "media/codec/decoder.h"

#include "base/alloc.h"
#include "media/codec/ops.h"

#include <linnet/error.h>

struct ln_audio_decoder {
    const struct ln_audio_decoder_ops *ops;
    void *state;
    struct ln_allocator *allocator;
    enum ln_codec codec;
    uint8_t channels;
    size_t last_count; /* samples a channel of the last packet: the guess for a lost one */
    struct ln_audio_decoder_counts counts;
};

int ln_video_decoder_create(struct ln_video_decoder **ret_decoder,
                            const struct ln_video_decoder_config *config,
                            struct ln_allocator *allocator)
{
    const struct ln_video_decoder_ops *ops = ln_codec_ops(config->codec)->video_decoder;

    return ops ? ops->create(ret_decoder, config, allocator) : LN_ERR_NOT_SUPPORTED;
}

void ln_video_decoder_free(struct ln_video_decoder *decoder)
{
    if (decoder)
        decoder->ops->destroy(decoder);
}

int ln_video_decoder_decode(struct ln_video_decoder *decoder, const struct ln_frame *frame,
                            struct ln_picture **ret_picture)
{
    return decoder->ops->decode(decoder, frame, ret_picture);
}

bool ln_video_decoder_needs_key(const struct ln_video_decoder *decoder)
{
    return decoder->needs_key;
}

int ln_audio_decoder_create(struct ln_audio_decoder **ret_decoder,
                            const struct ln_audio_decoder_config *config,
                            struct ln_allocator *allocator)
{
    const struct ln_audio_decoder_ops *ops = ln_codec_ops(config->codec)->audio_decoder;
    struct ln_audio_decoder *decoder;
    int error;

    if (!ops)
        return LN_ERR_NOT_SUPPORTED;
    if (config->channels != 1 && config->channels != 2)
        return LN_ERR_INVALID_ARGUMENT;
    decoder = ln_alloc_zero(allocator, sizeof *decoder);
    if (!decoder)
        return LN_ERR_NOMEM;
    decoder->ops = ops;
    decoder->allocator = allocator;
    decoder->codec = config->codec;
    decoder->channels = config->channels;
    decoder->last_count = LN_AUDIO_PACKET_SAMPLES;
    error = ops->create(&decoder->state, config, allocator);
    if (error) {
        ln_free(allocator, decoder);
        return error;
    }
    *ret_decoder = decoder;
    return 0;
}

void ln_audio_decoder_free(struct ln_audio_decoder *decoder)
{
    if (!decoder)
        return;
    decoder->ops->destroy(decoder->state, decoder->allocator);
    ln_free(decoder->allocator, decoder);
}

/* The length of a gap in samples: whole steps, at least one, at most what a decoder gives. */
static size_t gap_length(const struct ln_audio_decoder *decoder, ln_duration duration)
{
    const ln_duration step = LN_MICROSECONDS(2500);
    const ln_duration steps_max = LN_AUDIO_DECODE_MAX / LN_AUDIO_CONCEAL_STEP;
    ln_duration steps;

    if (duration <= 0)
        steps = (ln_duration)(decoder->last_count / LN_AUDIO_CONCEAL_STEP);
    else if (duration >= steps_max * step)
        steps = steps_max;
    else
        steps = (duration + step / 2) / step;
    return (size_t)(steps > 0 ? steps : 1) * LN_AUDIO_CONCEAL_STEP;
}

static int fill(struct ln_audio_decoder *decoder, const struct ln_frame *frame,
                const struct ln_frame *next, struct ln_samples *samples)
{
    struct ln_bytes packet = { frame->data, frame->len }, after = { NULL, 0 };
    size_t corrected;
    int error;

    if (!frame->lost) {
        error = decoder->ops->decode(decoder->state, packet, samples->data);
        if (error)
            return error;
        decoder->last_count = samples->count;
        decoder->counts.decoded += samples->count;
        return 0;
    }
    if (next && !next->lost && next->codec == decoder->codec)
        after = (struct ln_bytes){ next->data, next->len };
    corrected = decoder->ops->conceal(decoder->state, after, samples->count, samples->data);
    samples->concealed = true;
    decoder->counts.corrected += corrected;
    decoder->counts.concealed += samples->count - corrected;
    return 0;
}

int ln_audio_decoder_decode(struct ln_audio_decoder *decoder, const struct ln_frame *frame,
                            const struct ln_frame *next, struct ln_samples **ret_samples)
{
    struct ln_bytes packet = { frame->data, frame->len };
    struct ln_samples *samples;
    int count, error;

    if (frame->lost)
        count = (int)gap_length(decoder, frame->duration);
    else if (frame->len == 0 || frame->codec != decoder->codec)
        return LN_ERR_MALFORMED;
    else
        count = decoder->ops->length(decoder->state, packet);
    if (count < 0)
        return count;
    samples = ln_samples_create(decoder->allocator, LN_AUDIO_RATE_HZ, decoder->channels,
                                (uint32_t)count);
    if (!samples)
        return LN_ERR_NOMEM;
    error = fill(decoder, frame, next, samples);
    if (error) {
        ln_samples_unref(samples);
        return error;
    }
    samples->capture_time = frame->capture_time;
    samples->play_time = frame->play_time;
    samples->rtp_timestamp = frame->rtp_timestamp;
    *ret_samples = samples;
    return 0;
}

void ln_audio_decoder_get_counts(const struct ln_audio_decoder *decoder,
                                 struct ln_audio_decoder_counts *ret_counts)
{
    *ret_counts = decoder->counts;
}
