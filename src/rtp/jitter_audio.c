/* SPDX-License-Identifier: Apache-2.0
 * The audio half of the jitter buffer: a frame every step of media time, real or `lost`.
 *
 * next_timestamp is the media time of the next place to fill. A packet for it leaves when it is
 * due; if none is there by then, a `lost` frame fills one step of it. */
#include "base/time.h"
#include "rtp/audio.h"
#include "rtp/jitter_buffer.h"

#include <string.h>

/* The first packet kept at or behind next_sequence. */
static struct ln_jitter_packet *first_packet(const struct ln_jitter_buffer *jb)
{
    return jb->ring.count > 0 ? ln_packet_ring_get(&jb->ring, jb->ring.low) : NULL;
}

/* Whether the place of this timestamp is filled. Senders that round their clock are a little off.
 */
static bool is_past(const struct ln_jitter_buffer *jb, int64_t timestamp)
{
    return timestamp + jb->step / 2 < jb->next_timestamp;
}

ln_time ln_jitter_audio_next_release(const struct ln_jitter_buffer *jb)
{
    const struct ln_jitter_packet *p = first_packet(jb);

    if (!jb->synced || jb->resting)
        return p ? ln_delay_release(&jb->delay, p->timestamp) : LN_TIME_NEVER;
    return ln_delay_release(&jb->delay, jb->next_timestamp);
}

int ln_jitter_audio_insert(struct ln_jitter_buffer *jb, ln_time now,
                           const struct ln_jitter_packet *packet)
{
    int error;

    if (jb->synced && !jb->resting &&
        (packet->sequence < jb->next_sequence || is_past(jb, packet->timestamp))) {
        jb->counters.packets_discarded++;
        /* It tells of the path all the same: its place was filled too early. */
        if (!packet->padding &&
            ln_delay_on_frame(&jb->delay, now, packet->timestamp, !packet->repaired) > 0)
            jb->counters.frames_late++;
        return LN_ERR_REPLAY;
    }
    error = ln_packet_ring_insert(&jb->ring, packet);
    if (error == LN_ERR_LIMIT) {
        jb->counters.packets_discarded += jb->ring.count;
        ln_jitter_buffer_reset(jb);
        error = ln_packet_ring_insert(&jb->ring, packet);
    }
    if (error || packet->padding)
        return error;
    jb->counters.frames_received++;
    if (ln_delay_on_frame(&jb->delay, now, packet->timestamp, !packet->repaired) >
        LN_MILLISECONDS(1))
        jb->counters.frames_late++;
    if (ln_delay_stalled(&jb->delay)) { /* nobody waits for it any more */
        jb->counters.packets_discarded++;
        ln_packet_ring_remove(&jb->ring, packet->sequence);
    }
    return 0;
}

static struct ln_frame *new_frame(struct ln_jitter_buffer *jb, ln_time now, int64_t timestamp,
                                  uint32_t duration, size_t len)
{
    struct ln_frame *frame = ln_frame_create(jb->env->allocator, len);
    ln_time release = ln_delay_release(&jb->delay, timestamp);

    if (!frame)
        return NULL;
    frame->kind = LN_MEDIA_AUDIO;
    frame->rtp_timestamp = (uint32_t)timestamp;
    frame->clock_rate_hz = jb->clock_hz;
    frame->capture_time = LN_TIME_NEVER;
    frame->play_time = ln_time_max(release, now) + LN_JITTER_LEAD;
    frame->duration = (ln_duration)duration * 1000000000 / jb->clock_hz;
    frame->key = true;
    frame->frame_id = jb->frames_out;
    return frame;
}

/* The packet's own frame. */
static int emit_packet(struct ln_jitter_buffer *jb, ln_time now, struct ln_jitter_packet *p,
                       struct ln_frame **ret)
{
    uint32_t duration = ln_audio_payload_duration(p->codec, p->payload);
    struct ln_frame *frame;

    if (duration == 0)
        duration = jb->step;
    jb->step = duration;
    frame = new_frame(jb, now, p->timestamp, duration, p->payload.len);
    jb->synced = true;
    jb->resting = jb->concealing = false;
    jb->concealed_in_row = 0;
    jb->next_timestamp = p->timestamp + duration;
    jb->next_sequence = p->sequence + 1;
    if (frame) {
        if (p->payload.len > 0)
            memcpy(ln_frame_data(frame), p->payload.data, p->payload.len);
        frame->codec = p->codec;
        frame->audio_level_dbov = p->audio_level_dbov;
        frame->receive_time = p->arrival;
        jb->frames_out++;
        jb->counters.total_samples += duration;
        ln_jitter_count_emitted(jb, now, p->arrival, duration);
    }
    ln_packet_ring_remove(&jb->ring, p->sequence);
    if (!frame)
        return 0;
    *ret = frame;
    return 1;
}

/* A step of nothing. `silence`: the sender said so by what came after it. */
static int emit_lost(struct ln_jitter_buffer *jb, ln_time now, bool silence, struct ln_frame **ret)
{
    struct ln_frame *frame = new_frame(jb, now, jb->next_timestamp, jb->step, 0);

    jb->next_timestamp += jb->step;
    if (!silence && ++jb->concealed_in_row >= LN_JITTER_CONCEAL_MAX)
        jb->resting = true;
    if (!frame)
        return 0;
    frame->lost = true;
    frame->silence = silence;
    jb->frames_out++;
    jb->counters.total_samples += jb->step;
    jb->counters.concealed_samples += jb->step;
    jb->counters.concealment_events += !jb->concealing;
    jb->concealing = true;
    *ret = frame;
    return 1;
}

/* Drops padding, and packets whose place has been filled. */
static struct ln_jitter_packet *usable_packet(struct ln_jitter_buffer *jb)
{
    struct ln_jitter_packet *p;

    while ((p = first_packet(jb)) != NULL) {
        bool stale = jb->synced && !jb->resting && is_past(jb, p->timestamp);

        if (!p->padding && !stale)
            break;
        if (stale && !p->padding)
            jb->counters.packets_discarded++;
        if (jb->synced && p->sequence >= jb->next_sequence)
            jb->next_sequence = p->sequence + 1;
        ln_packet_ring_remove(&jb->ring, p->sequence);
    }
    return p;
}

int ln_jitter_audio_poll(struct ln_jitter_buffer *jb, ln_time now, struct ln_frame **ret)
{
    struct ln_jitter_packet *p = usable_packet(jb);

    if (!ln_time_due(ln_jitter_audio_next_release(jb), now))
        return 0;
    /* After a rest, or at the start, the next packet sets the time anew. */
    if (p && (!jb->synced || jb->resting || p->timestamp < jb->next_timestamp + jb->step / 2))
        return emit_packet(jb, now, p, ret);
    return emit_lost(jb, now, p && p->sequence == jb->next_sequence, ret);
}
