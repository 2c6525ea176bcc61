/* SPDX-License-Identifier: Apache-2.0
 * The common half of encoders: choice of the codec, and for sound the queue that makes 20 ms
 * packets out of whatever pieces come.
 *
 * Invariants: `position` is the time of the first queued sample in ticks of 48 kHz, so that frames
 * without a pause between them are exactly 960 ticks apart; a packet that could not be given out
 * for want of memory waits in `packet`. */
#include "media/codec/encoder.h"

#include "base/alloc.h"
#include "media/codec/codec.h"
#include "media/codec/ops.h"
#include "media/process/level.h"
#include "media/process/mix.h"

#include <linnet/error.h>

#include <string.h>

/* How far capture times may stray from the count of samples before they are believed: less than
 * this is the jitter of a device, more is a pause. */
#define CLOCK_TOLERANCE ((int64_t)(LN_AUDIO_RATE_HZ / 25))

struct ln_audio_encoder {
    const struct ln_audio_encoder_ops *ops;
    void *state;
    struct ln_allocator *allocator;
    enum ln_codec codec;
    uint8_t channels;
    uint32_t clock_rate_hz;
    int64_t position;
    int64_t frame_id;
    uint32_t queued; /* samples a channel */
    int packet_len;  /* > 0: a packet waits */
    bool packet_silence;
    uint8_t packet[LN_AUDIO_PACKET_MAX];
    int16_t queue[LN_AUDIO_ENCODER_QUEUE_MAX * 2];
};

void ln_video_encoder_config_init(struct ln_video_encoder_config *config)
{
    memset(config, 0, sizeof *config);
    config->codec = LN_CODEC_VP8;
    config->width = 640;
    config->height = 480;
    config->fps = 30;
    config->bps = 800000;
}

int ln_video_encoder_create(struct ln_video_encoder **ret_encoder,
                            const struct ln_video_encoder_config *config,
                            struct ln_allocator *allocator)
{
    const struct ln_video_encoder_ops *ops = ln_codec_ops(config->codec)->video_encoder;

    if (!ops)
        return LN_ERR_NOT_SUPPORTED;
    if (config->width == 0 || config->height == 0 || config->width > LN_PICTURE_SIDE_MAX ||
        config->height > LN_PICTURE_SIDE_MAX || config->fps == 0 || config->fps > 120)
        return LN_ERR_RANGE;
    return ops->create(ret_encoder, config, allocator);
}

void ln_video_encoder_free(struct ln_video_encoder *encoder)
{
    if (encoder)
        encoder->ops->destroy(encoder);
}

int ln_video_encoder_encode(struct ln_video_encoder *encoder, const struct ln_picture *picture,
                            bool force_key, struct ln_frame **ret_frame)
{
    if (picture->width == 0 || picture->height == 0 || picture->width > LN_PICTURE_SIDE_MAX ||
        picture->height > LN_PICTURE_SIDE_MAX)
        return LN_ERR_RANGE;
    return encoder->ops->encode(encoder, picture, force_key, ret_frame);
}

void ln_video_encoder_set_rate(struct ln_video_encoder *encoder, uint32_t bps, uint32_t fps)
{
    encoder->ops->set_rate(encoder, bps, fps);
}

uint64_t ln_video_encoder_dropped(const struct ln_video_encoder *encoder)
{
    return encoder->dropped;
}

void ln_audio_encoder_config_init(struct ln_audio_encoder_config *config)
{
    memset(config, 0, sizeof *config);
    config->codec = LN_CODEC_OPUS;
    config->channels = 1;
    config->bps = 32000;
    config->fec = true;
    config->loss_percent = 5;
}

int ln_audio_encoder_create(struct ln_audio_encoder **ret_encoder,
                            const struct ln_audio_encoder_config *config,
                            struct ln_allocator *allocator)
{
    const struct ln_audio_encoder_ops *ops = ln_codec_ops(config->codec)->audio_encoder;
    struct ln_audio_encoder *encoder;
    int error;

    if (!ops)
        return LN_ERR_NOT_SUPPORTED;
    if (config->codec == LN_CODEC_OPUS && config->channels != 1 && config->channels != 2)
        return LN_ERR_RANGE;
    encoder = ln_alloc_zero(allocator, sizeof *encoder);
    if (!encoder)
        return LN_ERR_NOMEM;
    encoder->ops = ops;
    encoder->allocator = allocator;
    encoder->codec = config->codec;
    encoder->channels = config->codec == LN_CODEC_OPUS ? config->channels : 1;
    encoder->clock_rate_hz = ln_codec_info(config->codec)->clock_rate_hz;
    error = ops->create(&encoder->state, config, allocator);
    if (error) {
        ln_free(allocator, encoder);
        return error;
    }
    *ret_encoder = encoder;
    return 0;
}

void ln_audio_encoder_free(struct ln_audio_encoder *encoder)
{
    if (!encoder)
        return;
    encoder->ops->destroy(encoder->state, encoder->allocator);
    ln_free(encoder->allocator, encoder);
}

int ln_audio_encoder_put(struct ln_audio_encoder *encoder, const struct ln_samples *samples)
{
    int64_t position, off;

    if (samples->rate_hz != LN_AUDIO_RATE_HZ || samples->channels < 1 || samples->channels > 2)
        return LN_ERR_INVALID_ARGUMENT;
    if (samples->count > LN_AUDIO_ENCODER_QUEUE_MAX - encoder->queued)
        return LN_ERR_LIMIT;
    position = ln_rtp_ticks(samples->capture_time, LN_AUDIO_RATE_HZ) - encoder->queued;
    off = position - encoder->position;
    if (encoder->frame_id == 0 && encoder->queued == 0)
        encoder->position = position;
    else if (off > CLOCK_TOLERANCE || off < -CLOCK_TOLERANCE)
        encoder->position = position;
    ln_mix_channels(samples->data, samples->channels,
                    encoder->queue + (size_t)encoder->queued * encoder->channels, encoder->channels,
                    samples->count);
    encoder->queued += samples->count;
    return 0;
}

/* Encodes the first packet of the queue unless one waits. */
static int fill_packet(struct ln_audio_encoder *encoder)
{
    int len;

    if (encoder->packet_len > 0)
        return 0;
    len = encoder->ops->encode(encoder->state, encoder->queue, encoder->packet,
                               &encoder->packet_silence);
    if (len <= 0)
        return len < 0 ? len : LN_ERR_OPERATION;
    encoder->packet_len = len;
    return 0;
}

static void drop_packet(struct ln_audio_encoder *encoder)
{
    size_t values = (size_t)encoder->channels;

    encoder->packet_len = 0;
    encoder->position += LN_AUDIO_PACKET_SAMPLES;
    encoder->queued -= LN_AUDIO_PACKET_SAMPLES;
    memmove(encoder->queue, encoder->queue + LN_AUDIO_PACKET_SAMPLES * values,
            encoder->queued * values * sizeof *encoder->queue);
}

int ln_audio_encoder_poll(struct ln_audio_encoder *encoder, struct ln_frame **ret_frame)
{
    struct ln_frame *frame;
    int error;

    if (encoder->queued < LN_AUDIO_PACKET_SAMPLES)
        return 0;
    error = fill_packet(encoder);
    if (error) {
        drop_packet(encoder); /* else the same samples would fail for ever */
        return error;
    }
    frame = ln_frame_create(encoder->allocator, (size_t)encoder->packet_len);
    if (!frame)
        return LN_ERR_NOMEM;
    memcpy(ln_frame_data(frame), encoder->packet, frame->len);
    frame->kind = LN_MEDIA_AUDIO;
    frame->codec = encoder->codec;
    frame->clock_rate_hz = encoder->clock_rate_hz;
    frame->rtp_timestamp = (uint32_t)(encoder->position /
                                      (LN_AUDIO_RATE_HZ / encoder->clock_rate_hz));
    frame->capture_time = encoder->position / LN_AUDIO_RATE_HZ * 1000000000 +
                          encoder->position % LN_AUDIO_RATE_HZ * 1000000000 / LN_AUDIO_RATE_HZ;
    frame->duration = LN_MILLISECONDS(20);
    frame->key = true;
    frame->silence = encoder->packet_silence;
    frame->frame_id = encoder->frame_id++;
    frame->audio_level_dbov = ln_level_dbov(encoder->queue,
                                            (size_t)LN_AUDIO_PACKET_SAMPLES * encoder->channels);
    drop_packet(encoder);
    *ret_frame = frame;
    return 1;
}

void ln_audio_encoder_set_rate(struct ln_audio_encoder *encoder, uint32_t bps)
{
    if (encoder->ops->set_rate && bps > 0)
        encoder->ops->set_rate(encoder->state, bps);
}

void ln_audio_encoder_set_loss(struct ln_audio_encoder *encoder, uint8_t loss_percent)
{
    if (encoder->ops->set_loss)
        encoder->ops->set_loss(encoder->state, loss_percent);
}
