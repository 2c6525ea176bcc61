/* SPDX-License-Identifier: Apache-2.0
 * What both kinds of jitter buffer share: see rtp/jitter_buffer.h. */
#include "rtp/jitter_buffer.h"

#include "base/alloc.h"
#include "base/time.h"

#include <string.h>

#define AUDIO_MARGIN LN_MILLISECONDS(5)  /* a sink's own grain */
#define AUDIO_START  LN_MILLISECONDS(60) /* the threads of a sender that begins take turns */
#define VIDEO_MARGIN LN_MILLISECONDS(2)

void ln_jitter_buffer_init(struct ln_jitter_buffer *jb, const struct ln_env *env,
                           enum ln_media_kind kind, uint32_t clock_hz)
{
    bool audio = kind == LN_MEDIA_AUDIO;

    memset(jb, 0, sizeof *jb);
    jb->env = env;
    jb->kind = kind;
    jb->clock_hz = clock_hz;
    ln_delay_init(&jb->delay, clock_hz, audio ? AUDIO_MARGIN : VIDEO_MARGIN,
                  audio ? AUDIO_START : 0);
    ln_packet_ring_init(&jb->ring, env->allocator,
                        audio ? LN_JITTER_AUDIO_PACKETS_MAX : LN_JITTER_VIDEO_PACKETS_MAX);
    jb->last_picture_id = -1;
    jb->last_tl0picidx = -1;
    jb->floor = INT64_MIN;
    jb->blocked_since = LN_TIME_NEVER;
    jb->step = clock_hz / 50;
}

void ln_jitter_buffer_deinit(struct ln_jitter_buffer *jb)
{
    ln_packet_ring_deinit(&jb->ring);
    ln_free(jb->env->allocator, jb->frames);
    jb->frames = NULL;
    jb->frame_count = jb->frame_capacity = 0;
}

void ln_jitter_buffer_reset(struct ln_jitter_buffer *jb)
{
    ln_packet_ring_clear(&jb->ring);
    jb->counters.frames_dropped += jb->frame_count;
    jb->frame_count = 0;
    jb->synced = false;
    jb->last_picture_id = -1;
    jb->last_tl0picidx = -1;
    jb->picture_ids.started = false;
    jb->floor = INT64_MIN;
    jb->blocked_since = LN_TIME_NEVER;
    jb->concealed_in_row = 0;
    jb->resting = false;
}

int ln_jitter_buffer_insert(struct ln_jitter_buffer *jb, ln_time now,
                            const struct ln_jitter_packet *packet)
{
    int error = jb->kind == LN_MEDIA_AUDIO ? ln_jitter_audio_insert(jb, now, packet)
                                           : ln_jitter_video_insert(jb, now, packet);

    if (error)
        ln_buffer_unref(packet->buffer);
    return error;
}

int ln_jitter_buffer_poll(struct ln_jitter_buffer *jb, ln_time now, struct ln_frame **ret)
{
    ln_delay_update(&jb->delay, now);
    return jb->kind == LN_MEDIA_AUDIO ? ln_jitter_audio_poll(jb, now, ret)
                                      : ln_jitter_video_poll(jb, now, ret);
}

ln_time ln_jitter_buffer_next_release(const struct ln_jitter_buffer *jb)
{
    return jb->kind == LN_MEDIA_AUDIO ? ln_jitter_audio_next_release(jb)
                                      : ln_jitter_video_next_release(jb);
}

ln_time ln_jitter_buffer_blocked_since(const struct ln_jitter_buffer *jb)
{
    return jb->blocked_since;
}

int64_t ln_jitter_buffer_useful_from(const struct ln_jitter_buffer *jb)
{
    return jb->synced ? jb->next_sequence : INT64_MIN;
}

void ln_jitter_count_emitted(struct ln_jitter_buffer *jb, ln_time now, ln_time arrival,
                             uint64_t units)
{
    struct ln_jitter_counters *c = &jb->counters;

    c->emitted += units;
    c->delay_sum += (now - arrival) * (ln_duration)units;
    c->target_sum += ln_delay_current(&jb->delay) * (ln_duration)units;
    c->minimum_sum += ln_delay_target(&jb->delay) * (ln_duration)units;
}
