/* SPDX-License-Identifier: Apache-2.0
 * The jitter buffer of one received stream: orders and times encoded frames.
 *
 * Video: packets become frames (complete only), frames leave in decodable order. A gap waits for
 * its repair until a key frame (or a base layer frame that does not need it) is due; after an
 * undecodable loss nothing leaves before such a frame. Never out of order.
 * Audio: one packet is one frame; places where nothing arrived in time leave as `lost` frames, at
 * most CONCEAL_MAX of them in a row, then the stream rests until a packet comes. A silence that the
 * sender announced by a jump of the timestamp leaves as `lost` and `silence`.
 *
 * A frame leaves `lead` before its play_time. Time is given by delay.h. */
#ifndef LN_RTP_JITTER_BUFFER_H
#define LN_RTP_JITTER_BUFFER_H

#include "rtp/delay.h"
#include "rtp/packet_ring.h"

#define LN_JITTER_LEAD              LN_MILLISECONDS(10)
#define LN_JITTER_VIDEO_PACKETS_MAX 2048u
#define LN_JITTER_AUDIO_PACKETS_MAX 256u
#define LN_JITTER_FRAMES_MAX        256u
#define LN_JITTER_CONCEAL_MAX       50u /* of 20 ms */

/* A complete video frame in the ring. */
struct ln_jitter_frame {
    int64_t first, last; /* sequence numbers */
    int64_t timestamp;
    int64_t picture_id; /* unwrapped; -1: not told */
    bool key;
    int16_t tl0picidx;
    int8_t temporal_layer;
    ln_time completed;
};

struct ln_jitter_counters {
    uint64_t frames_received, key_frames_received, frames_dropped, frames_late;
    uint64_t frames_assembled_from_multiple_packets;
    ln_duration total_assembly_time;
    ln_duration delay_sum, target_sum, minimum_sum; /* per emitted frame or sample */
    uint64_t emitted;                               /* video: frames; audio: samples */
    uint64_t packets_discarded;
    uint64_t concealed_samples, concealment_events, total_samples;
};

struct ln_jitter_buffer {
    const struct ln_env *env;
    enum ln_media_kind kind;
    uint32_t clock_hz;
    struct ln_delay delay;
    struct ln_packet_ring ring;
    struct ln_jitter_counters counters;
    uint16_t rotation; /* the last one told */

    bool synced; /* next_sequence is meant */
    int64_t next_sequence;

    /* video */
    struct ln_jitter_frame *frames; /* complete ones, by sequence */
    size_t frame_count, frame_capacity;
    struct ln_rtp_unwrap15 {
        int64_t last;
        bool started;
    } picture_ids;
    int64_t last_picture_id; /* of the last frame that left; -1 */
    int16_t last_tl0picidx;
    int64_t frames_out;
    int64_t floor;         /* nothing below it is taken again, even when all was dropped */
    ln_time blocked_since; /* LN_TIME_NEVER while the next frame is there or nothing came */

    /* audio */
    int64_t next_timestamp;
    uint32_t step; /* the packet time, in timestamp units */
    unsigned concealed_in_row;
    bool resting; /* nothing leaves until a packet comes */
    bool concealing;
};

void ln_jitter_buffer_init(struct ln_jitter_buffer *jb, const struct ln_env *env,
                           enum ln_media_kind kind, uint32_t clock_hz);
void ln_jitter_buffer_deinit(struct ln_jitter_buffer *jb);
/* Forgets all packets and waits for a start (the remote restarted its numbers). */
void ln_jitter_buffer_reset(struct ln_jitter_buffer *jb);

/* Takes over the reference in packet->buffer, whatever the result: 0, LN_ERR_REPLAY (duplicate, or
 * its frame has left), LN_ERR_LIMIT (all was dropped: a key frame is needed), LN_ERR_NOMEM. */
int ln_jitter_buffer_insert(struct ln_jitter_buffer *jb, ln_time now,
                            const struct ln_jitter_packet *packet);

/* The frame that is due at now: 1 and a reference, or 0. */
LN_NODISCARD int ln_jitter_buffer_poll(struct ln_jitter_buffer *jb, ln_time now,
                                       struct ln_frame **ret);
/* When poll() will have one, as far as is known now. */
ln_time ln_jitter_buffer_next_release(const struct ln_jitter_buffer *jb);

/* Video: when decoding began to wait for something that is missing; LN_TIME_NEVER if it does not.
 */
ln_time ln_jitter_buffer_blocked_since(const struct ln_jitter_buffer *jb);
/* No packet below it is of use any more (NACKs for them may stop). */
int64_t ln_jitter_buffer_useful_from(const struct ln_jitter_buffer *jb);

/* The two halves. */
int ln_jitter_video_insert(struct ln_jitter_buffer *jb, ln_time now,
                           const struct ln_jitter_packet *packet);
int ln_jitter_video_poll(struct ln_jitter_buffer *jb, ln_time now, struct ln_frame **ret);
ln_time ln_jitter_video_next_release(const struct ln_jitter_buffer *jb);
int ln_jitter_audio_insert(struct ln_jitter_buffer *jb, ln_time now,
                           const struct ln_jitter_packet *packet);
int ln_jitter_audio_poll(struct ln_jitter_buffer *jb, ln_time now, struct ln_frame **ret);
ln_time ln_jitter_audio_next_release(const struct ln_jitter_buffer *jb);

/* Both: the figures of a frame that leaves. `units`: samples or 1. */
void ln_jitter_count_emitted(struct ln_jitter_buffer *jb, ln_time now, ln_time arrival,
                             uint64_t units);

#endif
