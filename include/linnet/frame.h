/* SPDX-License-Identifier: Apache-2.0
 * Media between the protocols, the codecs and the application: encoded frames, pictures and
 * samples.
 *
 * All three are immutable once filled and atomically counted: a reference may be handed to another
 * thread. ln_..._ref() takes a reference, ln_..._unref(NULL) is fine. */
#ifndef LINNET_FRAME_H
#define LINNET_FRAME_H

#include <linnet/env.h>
#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ln_media_kind { LN_MEDIA_AUDIO, LN_MEDIA_VIDEO };

enum ln_codec {
    LN_CODEC_NONE,
    LN_CODEC_OPUS, /* RFC 7587 */
    LN_CODEC_PCMU, /* RFC 3551, 4.5.14 */
    LN_CODEC_PCMA,
    LN_CODEC_VP8, /* RFC 7741 */
    LN_CODEC_VP9,
    LN_CODEC_H264,
    LN_CODEC_AV1,
};

/* "opus", "PCMU", "VP8", ... as in an rtpmap line; LN_CODEC_NONE for a name that is not known (any
 * case). */
LN_API const char *ln_codec_name(enum ln_codec codec);
LN_API enum ln_codec ln_codec_from_name(const char *name);

#define LN_FRAME_DEPENDENCIES_MAX 8

/* One encoded frame: a whole video picture or one audio packet's worth. */
struct ln_frame {
    enum ln_media_kind kind;
    enum ln_codec codec;
    uint32_t rtp_timestamp; /* in the codec's RTP clock, without the sender's random offset */
    uint32_t clock_rate_hz; /* that clock: 90000 for video, 48000 for Opus */
    ln_time capture_time;   /* on the local clock; for a received frame the sender's capture time
                               mapped to it, LN_TIME_NEVER while not known */
    ln_time receive_time;   /* when its last packet arrived; 0 for a frame to send */
    ln_time play_time;      /* received: when it should be shown or played; 0 for a frame to send */
    ln_duration duration;   /* audio: its length; video: 0 if not known */
    ln_duration encode_time; /* spent by the encoder; 0 if not known */
    bool key;                /* decodable by itself */
    bool silence;            /* audio: the encoder found no voice (discontinuous transmission) */
    bool lost; /* received audio: nothing arrived in time for this place; len is 0: conceal */
    uint8_t encoding; /* index of the simulcast encoding (rid), 0 when there is one */
    uint8_t spatial_layer, temporal_layer;
    bool layer_sync;    /* VP8 Y bit, VP9 switching point */
    bool non_reference; /* no other frame depends on it */
    int64_t frame_id; /* grows by one a frame within an encoding; received: unwrapped picture id */
    int64_t dependencies[LN_FRAME_DEPENDENCIES_MAX]; /* frame ids */
    uint8_t dependency_count;
    uint16_t width, height;  /* video; 0 when not known */
    int8_t audio_level_dbov; /* audio: 0 (loudest) to -127 (RFC 6464), 1 when not known */
    uint16_t rotation;       /* video: 0, 90, 180, 270 clockwise */
    const uint8_t *data;
    size_t len;
};

/* A frame with room for len bytes of data, all other members zero (audio_level_dbov 1). Write to
 * ln_frame_data() before the frame is handed on. Returns NULL when out of memory. The allocator
 * must stay valid, and usable from any thread that drops the last reference. */
LN_API struct ln_frame *ln_frame_create(struct ln_allocator *allocator, size_t len);
LN_API uint8_t *ln_frame_data(struct ln_frame *frame);
LN_API struct ln_frame *ln_frame_ref(const struct ln_frame *frame);
LN_API void ln_frame_unref(const struct ln_frame *frame);

/* A raw picture, I420: three planes of 8 bits, chroma halved both ways (rounded up). */
struct ln_picture {
    uint16_t width, height;
    uint16_t rotation;
    ln_time capture_time;
    ln_time play_time;
    uint32_t rtp_timestamp; /* of the encoded frame it came from */
    uint8_t *plane[3];
    size_t stride[3];
};

LN_API struct ln_picture *ln_picture_create(struct ln_allocator *allocator, uint16_t width,
                                            uint16_t height);
LN_API struct ln_picture *ln_picture_ref(const struct ln_picture *picture);
LN_API void ln_picture_unref(const struct ln_picture *picture);

/* Raw sound: interleaved signed 16-bit samples. */
struct ln_samples {
    uint32_t rate_hz;
    uint8_t channels;
    uint32_t count; /* per channel */
    ln_time capture_time;
    ln_time play_time;
    uint32_t rtp_timestamp;
    bool concealed; /* made up for a lost packet */
    int16_t *data;  /* count * channels */
};

LN_API struct ln_samples *ln_samples_create(struct ln_allocator *allocator, uint32_t rate_hz,
                                            uint8_t channels, uint32_t count);
LN_API struct ln_samples *ln_samples_ref(const struct ln_samples *samples);
LN_API void ln_samples_unref(const struct ln_samples *samples);

#ifdef __cplusplus
}
#endif
#endif
