/* SPDX-License-Identifier: Apache-2.0
 * The video half of the jitter buffer: packets to frames, frames in decodable order.
 *
 * A frame follows the last one that left if their sequence numbers touch (padding packets between
 * do not count), or their picture ids do (what is missing between was no frame). Otherwise only a
 * key frame may go on, or a base layer frame whose TL0PICIDX follows (RFC 7741, 4.2), and it does
 * so when it is due: until then a repair may still come. */
#include "base/alloc.h"
#include "base/time.h"
#include "rtp/jitter_buffer.h"

#include <string.h>

#define PICTURE_ID_MODULUS 0x8000

/* Picture ids of 7 bits are extended like those of 15, only in smaller steps. */
static int64_t unwrap_picture_id(struct ln_jitter_buffer *jb, const struct ln_vp8_descriptor *d)
{
    int64_t modulus = d->long_picture_id ? PICTURE_ID_MODULUS : 0x80, difference;

    if (d->picture_id < 0)
        return -1;
    if (!jb->picture_ids.started) {
        jb->picture_ids.started = true;
        jb->picture_ids.last = d->picture_id;
        return d->picture_id;
    }
    difference = (d->picture_id - jb->picture_ids.last) % modulus;
    if (difference < 0)
        difference += modulus;
    if (difference >= modulus / 2)
        difference -= modulus;
    if (jb->picture_ids.last + difference < 0)
        difference += modulus;
    if (difference > 0)
        jb->picture_ids.last += difference;
    return difference > 0 ? jb->picture_ids.last : jb->picture_ids.last + difference;
}

/* Whether a frame ends with this packet. */
static bool ends_frame(const struct ln_jitter_buffer *jb, const struct ln_jitter_packet *p)
{
    const struct ln_jitter_packet *next = ln_packet_ring_get(&jb->ring, p->sequence + 1);

    return p->marker || (next && !next->padding && next->timestamp != p->timestamp && next->starts);
}

/* The run of packets around `sequence` that makes a whole frame; false when one is missing. */
static bool find_run(const struct ln_jitter_buffer *jb, int64_t sequence, int64_t *ret_first,
                     int64_t *ret_last)
{
    const struct ln_jitter_packet *p = ln_packet_ring_get(&jb->ring, sequence), *other;

    for (other = p; !other->starts;) {
        other = ln_packet_ring_get(&jb->ring, other->sequence - 1);
        if (!other || other->padding || other->timestamp != p->timestamp)
            return false;
    }
    *ret_first = other->sequence;
    for (other = p; !ends_frame(jb, other);) {
        other = ln_packet_ring_get(&jb->ring, other->sequence + 1);
        if (!other || other->padding || other->timestamp != p->timestamp)
            return false;
    }
    *ret_last = other->sequence;
    return true;
}

static int insert_frame(struct ln_jitter_buffer *jb, const struct ln_jitter_frame *frame)
{
    size_t at = jb->frame_count;
    int error = ln_grow(jb->env->allocator, &jb->frames, sizeof *jb->frames, jb->frame_count,
                        &jb->frame_capacity, LN_JITTER_FRAMES_MAX);

    if (error)
        return error;
    while (at > 0 && jb->frames[at - 1].first > frame->first)
        at--;
    memmove(jb->frames + at + 1, jb->frames + at, (jb->frame_count - at) * sizeof *frame);
    jb->frames[at] = *frame;
    jb->frame_count++;
    return 0;
}

/* Frames do not share packets: of a malformed stream whose runs overlap the first one counts. */
static bool overlaps_known(const struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    for (size_t i = jb->frame_count; i > 0; i--)
        if (jb->frames[i - 1].first <= f->last && jb->frames[i - 1].last >= f->first)
            return true;
    return false;
}

/* The frame of the packet at `sequence`, if it is whole now. */
static int complete_frame(struct ln_jitter_buffer *jb, ln_time now, int64_t sequence)
{
    struct ln_jitter_frame frame;
    const struct ln_jitter_packet *p;
    ln_time earliest = now;
    bool clean = true;
    int error;

    p = ln_packet_ring_get(&jb->ring, sequence);
    if (!p || p->padding || !find_run(jb, sequence, &frame.first, &frame.last) ||
        overlaps_known(jb, &frame))
        return 0;
    for (int64_t s = frame.first; s <= frame.last; s++) {
        const struct ln_jitter_packet *q = ln_packet_ring_get(&jb->ring, s);

        earliest = ln_time_min(earliest, q->arrival);
        clean = clean && !q->repaired;
    }
    p = ln_packet_ring_get(&jb->ring, frame.first);
    frame.timestamp = p->timestamp;
    frame.picture_id = unwrap_picture_id(jb, &p->vp8);
    frame.key = p->key;
    frame.tl0picidx = p->vp8.tl0picidx;
    frame.temporal_layer = p->vp8.temporal_layer;
    frame.completed = now;
    error = insert_frame(jb, &frame);
    if (error)
        return error;
    jb->counters.frames_received++;
    jb->counters.key_frames_received += frame.key;
    if (frame.last > frame.first) {
        jb->counters.frames_assembled_from_multiple_packets++;
        jb->counters.total_assembly_time += now - earliest;
    }
    if (ln_delay_on_frame(&jb->delay, now, frame.timestamp, clean) > LN_MILLISECONDS(1))
        jb->counters.frames_late++;
    return 0;
}

/* ---- what may leave next ---- */

/* The sequence number behind the last frame that left and the padding after it. */
static int64_t skip_padding(const struct ln_jitter_buffer *jb)
{
    int64_t next = jb->next_sequence;
    const struct ln_jitter_packet *p;

    while ((p = ln_packet_ring_get(&jb->ring, next)) != NULL && p->padding)
        next++;
    return next;
}

static bool follows(const struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    if (!jb->synced)
        return false;
    return f->first == skip_padding(jb) || (f->picture_id >= 0 && jb->last_picture_id >= 0 &&
                                            f->picture_id == jb->last_picture_id + 1);
}

static bool may_jump_to(const struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    if (f->key)
        return true;
    return jb->synced && f->temporal_layer == 0 && f->tl0picidx >= 0 && jb->last_tl0picidx >= 0 &&
           f->tl0picidx == (jb->last_tl0picidx + 1) % 256;
}

/* The frame that leaves next; NULL when there is none that can be decoded. */
static const struct ln_jitter_frame *candidate(const struct ln_jitter_buffer *jb)
{
    if (jb->frame_count > 0 && follows(jb, &jb->frames[0]))
        return &jb->frames[0];
    for (size_t i = 0; i < jb->frame_count; i++)
        if (may_jump_to(jb, &jb->frames[i]))
            return &jb->frames[i];
    return NULL;
}

static ln_time release_of(const struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    return ln_delay_release(&jb->delay, f->timestamp);
}

ln_time ln_jitter_video_next_release(const struct ln_jitter_buffer *jb)
{
    const struct ln_jitter_frame *f = candidate(jb);

    return f ? release_of(jb, f) : LN_TIME_NEVER;
}

/* Decoding waits if packets are there behind the last frame but no frame that follows is whole. */
static void update_blocked(struct ln_jitter_buffer *jb, ln_time now)
{
    bool waits = false;

    if (jb->frame_count > 0)
        waits = !follows(jb, &jb->frames[0]) && !(jb->frames[0].key && !jb->synced);
    else if (jb->ring.count > 0 && jb->synced)
        waits = !ln_packet_ring_get(&jb->ring, skip_padding(jb)) &&
                jb->ring.high >= skip_padding(jb);
    else if (jb->ring.count > 0)
        waits = !ln_packet_ring_get(&jb->ring, jb->ring.low)->key;
    if (!waits)
        jb->blocked_since = LN_TIME_NEVER;
    else if (jb->blocked_since == LN_TIME_NEVER)
        jb->blocked_since = now;
}

/* ---- in ---- */

/* Drops everything and waits for a key frame. What has left does not come again, should it be
 * repaired now, and picture ids go on. */
static void start_over(struct ln_jitter_buffer *jb, ln_time now)
{
    struct ln_rtp_unwrap15 picture_ids = jb->picture_ids;
    int64_t floor = jb->floor;

    jb->counters.packets_discarded += jb->ring.count;
    ln_jitter_buffer_reset(jb);
    jb->floor = floor;
    jb->picture_ids = picture_ids;
    jb->blocked_since = now;
}

static int overflow(struct ln_jitter_buffer *jb, ln_time now)
{
    start_over(jb, now);
    return LN_ERR_LIMIT;
}

int ln_jitter_video_insert(struct ln_jitter_buffer *jb, ln_time now,
                           const struct ln_jitter_packet *packet)
{
    int error;

    if ((jb->synced && packet->sequence < jb->next_sequence) || packet->sequence < jb->floor) {
        jb->counters.packets_discarded++;
        return LN_ERR_REPLAY;
    }
    error = ln_packet_ring_insert(&jb->ring, packet);
    if (error == LN_ERR_LIMIT)
        return overflow(jb, now);
    if (error)
        return error;
    /* The packet is in the ring: from here its reference is the ring's. */
    if (packet->padding && jb->synced) {
        jb->next_sequence = skip_padding(jb);
        ln_packet_ring_remove_below(&jb->ring, jb->next_sequence);
    }
    error = complete_frame(jb, now, packet->sequence);
    if (!error && packet->starts)
        error = complete_frame(jb, now, packet->sequence - 1); /* the marker before it was lost */
    if (error) {
        start_over(jb, now); /* a whole frame cannot be noted */
        return 0;
    }
    update_blocked(jb, now);
    return 0;
}

/* ---- out ---- */

static struct ln_frame *build(struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    const struct ln_jitter_packet *first = ln_packet_ring_get(&jb->ring, f->first);
    struct ln_vp8_frame_header header;
    struct ln_frame *frame;
    size_t len = 0;
    uint8_t *to;

    for (int64_t s = f->first; s <= f->last; s++)
        len += ln_packet_ring_get(&jb->ring, s)->payload.len;
    frame = ln_frame_create(jb->env->allocator, len);
    if (!frame)
        return NULL;
    to = ln_frame_data(frame);
    for (int64_t s = f->first; s <= f->last; s++) {
        const struct ln_jitter_packet *p = ln_packet_ring_get(&jb->ring, s);

        if (p->payload.len > 0)
            memcpy(to, p->payload.data, p->payload.len);
        to += p->payload.len;
        if (p->has_rotation)
            jb->rotation = p->rotation;
    }
    frame->kind = LN_MEDIA_VIDEO;
    frame->codec = first->codec;
    frame->encoding = first->encoding;
    frame->key = f->key;
    frame->non_reference = first->vp8.non_reference;
    frame->temporal_layer = f->temporal_layer > 0 ? (uint8_t)f->temporal_layer : 0;
    frame->layer_sync = first->vp8.layer_sync;
    frame->rotation = jb->rotation;
    if (ln_vp8_frame_header((struct ln_bytes){ frame->data, frame->len }, &header) == 0) {
        frame->width = header.width;
        frame->height = header.height;
    }
    return frame;
}

/* Drops what stands before a frame that is jumped to. */
static void drop_before(struct ln_jitter_buffer *jb, int64_t first)
{
    size_t n = 0;

    while (n < jb->frame_count && jb->frames[n].first < first)
        n++;
    jb->counters.frames_dropped += n;
    jb->frame_count -= n;
    memmove(jb->frames, jb->frames + n, jb->frame_count * sizeof *jb->frames);
    ln_packet_ring_remove_below(&jb->ring, first);
}

/* The frame has left: what follows must follow it. */
static void advance(struct ln_jitter_buffer *jb, const struct ln_jitter_frame *f)
{
    jb->frame_count--;
    memmove(jb->frames, jb->frames + 1, jb->frame_count * sizeof *jb->frames);
    ln_packet_ring_remove_below(&jb->ring, f->last + 1);
    jb->synced = true;
    jb->next_sequence = jb->floor = f->last + 1;
    jb->last_picture_id = f->picture_id;
    if (f->tl0picidx >= 0 && f->temporal_layer <= 0)
        jb->last_tl0picidx = f->tl0picidx;
    if (f->key)
        jb->last_tl0picidx = f->tl0picidx;
    jb->frames_out++;
}

int ln_jitter_video_poll(struct ln_jitter_buffer *jb, ln_time now, struct ln_frame **ret)
{
    const struct ln_jitter_frame *found = candidate(jb);
    struct ln_jitter_frame f;
    struct ln_frame *frame;
    ln_time release;

    if (!found || !ln_time_due(release_of(jb, found), now))
        return 0;
    f = *found;
    release = release_of(jb, &f);
    frame = build(jb, &f);
    drop_before(jb, f.first);
    if (!frame) { /* out of memory: as if it had been lost */
        start_over(jb, now);
        return 0;
    }
    advance(jb, &f);
    frame->rtp_timestamp = (uint32_t)f.timestamp;
    frame->clock_rate_hz = jb->clock_hz;
    frame->capture_time = LN_TIME_NEVER;
    frame->receive_time = f.completed;
    frame->play_time = ln_time_max(release, now) + LN_JITTER_LEAD;
    frame->frame_id = f.picture_id >= 0 ? f.picture_id : jb->frames_out;
    ln_jitter_count_emitted(jb, now, f.completed, 1);
    update_blocked(jb, now);
    *ret = frame;
    return 1;
}
