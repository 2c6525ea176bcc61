/* SPDX-License-Identifier: Apache-2.0
 * Encoders: pictures or samples in, encoded frames out. One interface for all codecs; which of them
 * exist says ln_codec_list().
 *
 * An encoder belongs to one thread at a time (any codec worker), never to a loop. The allocator is
 * the one of the frames it gives out, so it must be usable from every thread that drops a frame.
 * After the first frames nothing is allocated through it but those frames. */
#ifndef LN_MEDIA_CODEC_ENCODER_H
#define LN_MEDIA_CODEC_ENCODER_H

#include "base/frame.h"
#include "media/frame/limits.h"

struct ln_video_encoder;
struct ln_audio_encoder;

struct ln_video_encoder_config {
    enum ln_codec codec;
    uint16_t width, height; /* of the first picture; the encoder follows when pictures change */
    uint32_t fps;           /* 1 to 120; what is expected, not a promise */
    uint32_t bps;           /* target; 10,000 to 100,000,000, else clamped */
    uint8_t threads;        /* 0: as many as the size deserves */
    uint8_t speed;          /* 0: chosen by size; 1 (slow, best) to 16 (fast) */
    uint8_t encoding;       /* copied to the frames: index of the simulcast encoding */
    bool screen;            /* screen content rather than a camera */
};

/* Fills in VP8, 640 x 480, 30 a second, 800 kbit/s. */
void ln_video_encoder_config_init(struct ln_video_encoder_config *config);

/* Returns 0, LN_ERR_NOT_SUPPORTED (no such encoder built in), LN_ERR_RANGE (size or rate),
 * LN_ERR_NOMEM, LN_ERR_OPERATION (the codec library refused). */
LN_NODISCARD int ln_video_encoder_create(struct ln_video_encoder **ret_encoder,
                                         const struct ln_video_encoder_config *config,
                                         struct ln_allocator *allocator);
void ln_video_encoder_free(struct ln_video_encoder *encoder);

/* Encodes one picture. A picture of another size than the one before reconfigures the encoder and
 * gives a key frame. Key frames come only at the start, when the size changes, and where force_key
 * is set; a frame that is lost must be asked for.
 *
 * ret_frame  one reference, the caller's: kind, codec, capture_time and rotation from the picture;
 *            rtp_timestamp = capture_time in the 90 kHz clock, modulo 2^32; key, width, height,
 *            frame_id (from 0, one more a frame given out), dependencies (the frame
 *            before). encode_time is 0: the caller has the clock.
 *
 * Returns 0; LN_ERR_AGAIN when the rate control drops this picture (the key frame that was asked
 * for is then kept in mind for the next); LN_ERR_RANGE for a picture without size or over
 * LN_PICTURE_SIDE_MAX; LN_ERR_NOMEM; LN_ERR_OPERATION. */
LN_NODISCARD int ln_video_encoder_encode(struct ln_video_encoder *encoder,
                                         const struct ln_picture *picture, bool force_key,
                                         struct ln_frame **ret_frame);

/* Takes effect with the next picture, without a key frame. fps 0 keeps the present one. */
void ln_video_encoder_set_rate(struct ln_video_encoder *encoder, uint32_t bps, uint32_t fps);

/* Tells the number of pictures that the rate control dropped since creation. */
uint64_t ln_video_encoder_dropped(const struct ln_video_encoder *encoder);

struct ln_audio_encoder_config {
    enum ln_codec codec;
    uint8_t channels;     /* Opus 1 or 2; G.711 is always 1 */
    uint32_t bps;         /* Opus: 6,000 to 510,000, else clamped; G.711: ignored */
    bool constant;        /* Opus: constant bit rate */
    bool dtx;             /* Opus: discontinuous transmission */
    bool fec;             /* Opus: in-band forward error correction */
    uint8_t loss_percent; /* Opus: expected packet loss; FEC is worth nothing with 0 */
    bool music;           /* Opus: tuned for music rather than voice */
};

/* Fills in Opus, mono, 32 kbit/s, VBR, FEC with 5 % expected loss. */
void ln_audio_encoder_config_init(struct ln_audio_encoder_config *config);

#define LN_AUDIO_ENCODER_QUEUE_MAX 9600u /* samples a channel that wait for poll: 200 ms */

/* Errors as ln_video_encoder_create(). */
LN_NODISCARD int ln_audio_encoder_create(struct ln_audio_encoder **ret_encoder,
                                         const struct ln_audio_encoder_config *config,
                                         struct ln_allocator *allocator);
void ln_audio_encoder_free(struct ln_audio_encoder *encoder);

/* Takes samples of 48 kHz, any count (10 ms at a time is usual), 1 or 2 channels, mixed to the
 * encoder's. They are copied. The capture time of a frame is that of its first sample; a capture
 * time more than 40 ms off what the samples before promise moves the clock of the frames with it
 * (so a pause is a gap in the timestamps, not a delay).
 *
 * Returns 0, LN_ERR_INVALID_ARGUMENT (rate or channels), LN_ERR_LIMIT when the queue is full
 * (nothing is taken). */
LN_NODISCARD int ln_audio_encoder_put(struct ln_audio_encoder *encoder,
                                      const struct ln_samples *samples);

/* Gives the next 20 ms packet. ret_frame: one reference, the caller's; kind, codec, capture_time,
 * duration, rtp_timestamp (in the codec's RTP clock, 48000 or 8000, zero at capture time zero),
 * frame_id, audio_level_dbov, key = true. With DTX, a frame with `silence` need not be sent.
 *
 * Returns 1 with a frame, 0 when there are fewer samples than a packet needs, LN_ERR_NOMEM (the
 * packet stays for the next call), LN_ERR_OPERATION. */
LN_NODISCARD int ln_audio_encoder_poll(struct ln_audio_encoder *encoder,
                                       struct ln_frame **ret_frame);

/* Opus; others ignore it. bps 0 keeps the rate. */
void ln_audio_encoder_set_rate(struct ln_audio_encoder *encoder, uint32_t bps);
void ln_audio_encoder_set_loss(struct ln_audio_encoder *encoder, uint8_t loss_percent);

#endif
