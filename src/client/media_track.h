/* SPDX-License-Identifier: Apache-2.0
 * The tracks of a media engine, from the inside: one for each sender with a source (media_send.c)
 * and one for each receiver (media_receive.c).
 *
 * While `busy`, what stands under "the job's" belongs to the worker and nobody else looks at it. A
 * track whose engine is gone (engine NULL) is freed when its job comes back. */
#ifndef LN_CLIENT_MEDIA_TRACK_H
#define LN_CLIENT_MEDIA_TRACK_H

#include "base/ring.h"
#include "client/media_engine.h"
#include "media/codec/decoder.h"
#include "media/codec/encoder.h"
#include "media/frame/sink.h"
#include "media/frame/test_picture.h"
#include "media/frame/tone.h"

#define LN_SEND_FRAMES_MAX 16u /* of one encoding job */

/* Frames a second over the last while, for figures. */
struct ln_frame_rate {
    ln_time since;
    uint64_t count;
    double fps;
};
double ln_frame_rate_update(struct ln_frame_rate *rate, ln_time now, uint64_t count);

struct ln_send_track {
    struct ln_job job;              /* first: a job is its track */
    struct ln_media_engine *engine; /* NULL: free it when the job is done */
    struct ln_allocator *allocator;
    ln_rtp_sender *sender;
    enum ln_media_kind kind;
    struct ln_media_source source;
    struct ln_encoder_target target;
    bool key_due, busy, tick_waits, tone_due;
    struct ln_loop_timer timer;
    ln_time next_tick;
    struct ln_picture *waiting_picture;
    struct ln_ring waiting_samples; /* struct ln_samples * */

    /* the job's */
    struct {
        enum ln_codec codec;
        ln_time capture_time;
        int64_t wall_offset;
        struct ln_picture *picture; /* NULL: to be drawn */
        struct ln_samples *samples; /* NULL: `blocks` of tone to be made */
        unsigned blocks;
        uint16_t draw_width, draw_height; /* of the test picture */
        uint16_t width, height;           /* limits; 0: none */
        uint32_t bps, fps;
        uint8_t loss_percent;
        bool key;
        uint32_t number; /* of the next test picture */
        struct ln_tone tone;
        struct ln_video_encoder *video;
        struct ln_audio_encoder *audio;
        enum ln_codec encoder_codec;
        struct ln_frame *frames[LN_SEND_FRAMES_MAX];
        size_t frame_count;
        ln_duration time;
        int error;
    } work;

    uint64_t frames, key_frames, dropped;
    uint16_t width, height;
    ln_duration encode_time;
    struct ln_frame_rate rate;
};

struct ln_receive_track {
    struct ln_job job;
    struct ln_media_engine *engine;
    struct ln_allocator *allocator;
    ln_rtp_receiver *receiver;
    enum ln_media_kind kind;
    enum ln_codec codec;
    bool busy, needs_key;
    struct ln_loop_timer timer;
    struct ln_ring frames;   /* struct ln_frame *: wait for the decoder */
    struct ln_ring pictures; /* struct ln_picture *: wait for their time */

    /* the job's */
    struct {
        struct ln_frame *frame, *next;
        struct ln_video_decoder *video;
        struct ln_audio_decoder *audio;
        enum ln_codec decoder_codec;
        struct ln_audio_sink *sink; /* audio */
        struct ln_picture *picture;
        struct ln_samples *samples;
        double rms;
        ln_duration time;
        int error;
    } work;

    struct ln_video_sink video_sink; /* video */
    struct {                         /* audio: what the sink said last */
        int8_t level_dbov;
        double frequency_hz;
        ln_time last_beep;
        uint64_t samples, concealed;
    } heard;
    uint64_t frames_decoded, key_frames, dropped;
    ln_duration decode_time;
    struct ln_frame_rate rate;
};

struct ln_media_engine {
    struct ln_media_engine_config config;
    bool connected;
    struct ln_send_track *send[LN_ENGINE_TRACKS_MAX];
    size_t send_count;
    struct ln_receive_track *receive[LN_ENGINE_TRACKS_MAX];
    size_t receive_count;
};

/* The clock of the loop, on any thread. */
ln_time ln_engine_clock(void);

/* media_send.c */
LN_NODISCARD int ln_send_track_create(struct ln_send_track **ret_track,
                                      struct ln_media_engine *engine, ln_rtp_sender *sender,
                                      enum ln_media_kind kind);
void ln_send_track_detach(struct ln_send_track *track);
void ln_send_track_set_source(struct ln_send_track *track, const struct ln_media_source *source);
void ln_send_track_set_target(struct ln_send_track *track, ln_time now,
                              const struct ln_encoder_target *target);
/* The connection was established (again), or lost. */
void ln_send_track_connected(struct ln_send_track *track, ln_time now, bool connected);
LN_NODISCARD int ln_send_track_push_picture(struct ln_send_track *track,
                                            struct ln_picture *picture);
LN_NODISCARD int ln_send_track_push_samples(struct ln_send_track *track,
                                            struct ln_samples *samples);
void ln_send_track_figures(struct ln_send_track *track, ln_time now, struct ln_track_figures *ret);

/* media_receive.c */
LN_NODISCARD int ln_receive_track_create(struct ln_receive_track **ret_track,
                                         struct ln_media_engine *engine, ln_rtp_receiver *receiver,
                                         enum ln_media_kind kind);
void ln_receive_track_detach(struct ln_receive_track *track);
/* Frames are there. */
void ln_receive_track_poll(struct ln_receive_track *track, ln_time now);
void ln_receive_track_figures(struct ln_receive_track *track, ln_time now,
                              struct ln_track_figures *ret);

#endif
