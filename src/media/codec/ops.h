/* SPDX-License-Identifier: Apache-2.0
 * What a codec supplies, and what all encoders and decoders have in common: the first member of
 * each. encoder.c and decoder.c find the functions in the table of codec.c.
 *
 * Video codecs speak frames and pictures themselves. Audio codecs only turn 20 ms of samples into
 * bytes and bytes into samples; queue, time and frames are done once, in encoder.c and decoder.c.
 */
#ifndef LN_MEDIA_CODEC_OPS_H
#define LN_MEDIA_CODEC_OPS_H

#include "media/codec/decoder.h"
#include "media/codec/encoder.h"

/* Room for the largest packet of 20 ms: Opus at its highest rate (RFC 6716, 3.2.1). */
#define LN_AUDIO_PACKET_MAX 1280u
/* The most samples a channel that one call to a decoder gives: 120 ms (RFC 6716, 2.1.4). */
#define LN_AUDIO_DECODE_MAX 5760u
/* Losses are made up in steps of 2.5 ms. */
#define LN_AUDIO_CONCEAL_STEP 120u

struct ln_video_encoder_ops {
    int (*create)(struct ln_video_encoder **ret_encoder,
                  const struct ln_video_encoder_config *config, struct ln_allocator *allocator);
    void (*destroy)(struct ln_video_encoder *encoder);
    int (*encode)(struct ln_video_encoder *encoder, const struct ln_picture *picture,
                  bool force_key, struct ln_frame **ret_frame);
    void (*set_rate)(struct ln_video_encoder *encoder, uint32_t bps, uint32_t fps);
};

struct ln_video_encoder {
    const struct ln_video_encoder_ops *ops;
    struct ln_allocator *allocator;
    uint64_t dropped;
};

struct ln_video_decoder_ops {
    int (*create)(struct ln_video_decoder **ret_decoder,
                  const struct ln_video_decoder_config *config, struct ln_allocator *allocator);
    void (*destroy)(struct ln_video_decoder *decoder);
    int (*decode)(struct ln_video_decoder *decoder, const struct ln_frame *frame,
                  struct ln_picture **ret_picture);
};

struct ln_video_decoder {
    const struct ln_video_decoder_ops *ops;
    struct ln_allocator *allocator;
    uint16_t side_max;
    bool needs_key;
};

struct ln_audio_encoder_ops {
    /* Makes the codec's own state. */
    int (*create)(void **ret_state, const struct ln_audio_encoder_config *config,
                  struct ln_allocator *allocator);
    void (*destroy)(void *state, struct ln_allocator *allocator);
    /* LN_AUDIO_PACKET_SAMPLES a channel to at most LN_AUDIO_PACKET_MAX bytes. Returns the length.
     */
    int (*encode)(void *state, const int16_t *data, uint8_t *packet, bool *ret_silence);
    void (*set_rate)(void *state, uint32_t bps);         /* may be NULL */
    void (*set_loss)(void *state, uint8_t loss_percent); /* may be NULL */
};

struct ln_audio_decoder_ops {
    int (*create)(void **ret_state, const struct ln_audio_decoder_config *config,
                  struct ln_allocator *allocator);
    void (*destroy)(void *state, struct ln_allocator *allocator);
    /* Samples a channel in a packet, at most LN_AUDIO_DECODE_MAX, or LN_ERR_MALFORMED. */
    int (*length)(void *state, struct ln_bytes packet);
    /* Fills exactly that many. Returns 0 or LN_ERR_MALFORMED. */
    int (*decode)(void *state, struct ln_bytes packet, int16_t *out);
    /* Makes up `count` samples a channel (a multiple of LN_AUDIO_CONCEAL_STEP); `next` is the
     * packet after the gap, or empty. Returns how many of them came from next. */
    size_t (*conceal)(void *state, struct ln_bytes next, size_t count, int16_t *out);
};

struct ln_codec_ops {
    const struct ln_video_encoder_ops *video_encoder;
    const struct ln_video_decoder_ops *video_decoder;
    const struct ln_audio_encoder_ops *audio_encoder;
    const struct ln_audio_decoder_ops *audio_decoder;
};

extern const struct ln_codec_ops ln_vp8_ops, ln_opus_ops, ln_pcmu_ops, ln_pcma_ops;

/* Never NULL; a codec that is not built in has no functions. */
const struct ln_codec_ops *ln_codec_ops(enum ln_codec codec);

/* A moment in ticks of an RTP clock, wrapping; exact over the whole range of ln_time. */
static inline int64_t ln_rtp_ticks(ln_time time, uint32_t rate_hz)
{
    return time / 1000000000 * rate_hz + time % 1000000000 * rate_hz / 1000000000;
}

#endif
