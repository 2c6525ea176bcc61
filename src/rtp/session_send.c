/* SPDX-License-Identifier: Apache-2.0
 * Frames to packets, the queue, and what leaves: RFC 3550, 5.1; RFC 7741; RFC 4588, 4.
 *
 * A packet is written once, into a pool buffer, with zeros where send time and transport-wide
 * sequence number go; they are filled in when it leaves. A retransmission is wrapped when it
 * leaves. Without an RTX stream the very same bytes leave again: with other header bytes under the
 * same SRTP index, AES-GCM would give its key away. */
#include "base/time.h"
#include "rtp/rtcp.h"
#include "rtp/session_state.h"

#include <assert.h>
#include <string.h>

#define RTX_HEADER  2u   /* the original sequence number, RFC 4588, 4 */
#define PADDING_MAX 224u /* bytes of padding in a packet of it */
#define RTCP_GUESS  200u
#define PAYLOAD_MIN 100u

/* ---- header extensions ---- */

struct extension_plan {
    bool names, repaired;         /* MID and RID; RID as that of a repaired stream */
    const struct ln_frame *frame; /* audio level and rotation; NULL: without */
};

static void add_element(struct ln_rtp_extension_writer *w, const struct ln_rtp_extension_map *map,
                        enum ln_rtp_extension kind, const void *value, size_t len)
{
    if (map->id[kind] != 0)
        (void)ln_rtp_extension_writer_add(w, map->id[kind], value, len);
}

static void add_names(struct ln_rtp_extension_writer *w, const struct ln_send_stream *s,
                      bool repaired)
{
    const struct ln_rtp_outbound_config *c = &s->outbound->config;

    if (c->mid[0])
        add_element(w, &c->extensions, LN_RTP_EXTENSION_MID, c->mid, strlen(c->mid));
    if (s->stats.rid[0])
        add_element(w, &c->extensions,
                    repaired ? LN_RTP_EXTENSION_REPAIRED_RID : LN_RTP_EXTENSION_RID, s->stats.rid,
                    strlen(s->stats.rid));
}

static void add_media(struct ln_rtp_extension_writer *w, const struct ln_rtp_extension_map *map,
                      const struct ln_frame *f)
{
    if (f->kind == LN_MEDIA_AUDIO && f->audio_level_dbov <= 0) {
        uint8_t level = (uint8_t)((f->silence ? 0u : 0x80u) | (uint8_t)-f->audio_level_dbov);

        add_element(w, map, LN_RTP_EXTENSION_AUDIO_LEVEL, &level, 1);
    }
    if (f->kind == LN_MEDIA_VIDEO && (f->key || f->rotation != 0)) {
        uint8_t turns = (uint8_t)(f->rotation / 90 & 3);

        add_element(w, map, LN_RTP_EXTENSION_ORIENTATION, &turns, 1);
    }
}

static void plan_extensions(struct ln_rtp_extension_writer *w, const struct ln_send_stream *s,
                            const struct extension_plan *plan)
{
    static const uint8_t zeros[3];
    const struct ln_rtp_extension_map *map = &s->outbound->config.extensions;

    ln_rtp_extension_writer_init(w, map->two_byte);
    add_element(w, map, LN_RTP_EXTENSION_TRANSPORT_SEQUENCE, zeros, 2);
    add_element(w, map, LN_RTP_EXTENSION_ABS_SEND_TIME, zeros, 3);
    if (plan->names)
        add_names(w, s, plan->repaired);
    if (plan->frame)
        add_media(w, map, plan->frame);
}

/* The most that header, extensions and RTX take, so that a payload fits whatever they will be. */
static size_t overhead(const struct ln_send_stream *s, const struct ln_frame *frame)
{
    struct extension_plan plan = { true, true, frame };
    struct ln_rtp_extension_writer w;

    plan_extensions(&w, s, &plan);
    return LN_RTP_HEADER_MIN + ln_rtp_extension_writer_size(&w) + RTX_HEADER;
}

/* ---- frames to packets ---- */

struct cut {
    struct ln_rtp_session *session;
    struct ln_send_stream *stream;
    const struct ln_rtp_codec *codec;
    const struct ln_frame *frame;
    ln_time now;
    size_t payload_max;
    struct ln_ring *queue;
};

/* A buffer with the header of the stream's next packet, its payload still to come. */
static struct ln_buffer *begin_packet(const struct cut *c, bool marker)
{
    const struct ln_send_stream *s = c->stream;
    struct extension_plan plan = { !s->acked, false, NULL };
    struct ln_rtp_extension_writer w;
    struct ln_rtp_header h;
    struct ln_buffer *buffer = ln_buffer_create(c->session->env->pool,
                                                c->session->config.max_packet);
    int len;

    if (!buffer)
        return NULL;
    /* Audio tells its level on each packet, video its rotation on the last one of a frame. */
    plan.frame = marker || c->frame->kind == LN_MEDIA_AUDIO ? c->frame : NULL;
    plan_extensions(&w, s, &plan);
    memset(&h, 0, sizeof h);
    h.payload_type = c->codec->payload_type;
    h.marker = marker;
    h.sequence = s->sequence;
    h.timestamp = c->frame->rtp_timestamp + s->timestamp_offset;
    h.ssrc = s->ssrc;
    len = ln_rtp_header_write(&h, &w, ln_buffer_bytes(buffer), ln_buffer_room(buffer));
    assert(len > 0);
    buffer->len = (uint32_t)len;
    return buffer;
}

/* Takes over the buffer. */
static int queue_packet(const struct cut *c, struct ln_buffer *buffer)
{
    struct ln_queued q = { c->stream, buffer, c->now, buffer->len, 0, false };
    int error = ln_ring_push(c->queue, &q);

    if (error) {
        ln_buffer_unref(buffer);
        return error;
    }
    c->session->queued_bytes += q.len;
    c->stream->sequence++;
    return 0;
}

static int cut_audio(const struct cut *c)
{
    struct ln_buffer *buffer;

    if (c->frame->len > c->payload_max)
        return LN_ERR_TOO_BIG;
    buffer = begin_packet(c, false);
    if (!buffer)
        return LN_ERR_NOMEM;
    memcpy(ln_buffer_bytes(buffer) + buffer->len, c->frame->data, c->frame->len);
    buffer->len += (uint32_t)c->frame->len;
    return queue_packet(c, buffer);
}

static void describe_vp8(struct ln_send_stream *s, const struct ln_frame *f,
                         struct ln_vp8_descriptor *d)
{
    ln_vp8_descriptor_init(d);
    d->non_reference = f->non_reference;
    d->picture_id = s->picture_id;
    d->long_picture_id = true;
    s->layers |= f->temporal_layer > 0 || f->layer_sync;
    if (f->temporal_layer == 0)
        s->tl0picidx++;
    if (s->layers) {
        d->tl0picidx = s->tl0picidx;
        d->temporal_layer = (int8_t)(f->temporal_layer & 3);
        d->layer_sync = f->layer_sync;
    }
    s->picture_id = (s->picture_id + 1) & 0x7fff;
}

static int cut_vp8(const struct cut *c)
{
    struct ln_vp8_packetizer packetizer;
    struct ln_vp8_descriptor descriptor;
    int left, error;

    describe_vp8(c->stream, c->frame, &descriptor);
    left = ln_vp8_packetizer_init(&packetizer, &descriptor,
                                  (struct ln_bytes){ c->frame->data, c->frame->len },
                                  c->payload_max);
    if (left < 0)
        return left;
    if (c->queue->count + (size_t)left > c->queue->limit)
        return LN_ERR_LIMIT;
    for (; left > 0; left--) {
        struct ln_buffer *buffer = begin_packet(c, left == 1);

        if (!buffer)
            return LN_ERR_NOMEM;
        buffer->len += (uint32_t)ln_vp8_packetizer_next(
            &packetizer, ln_buffer_bytes(buffer) + buffer->len, ln_buffer_room(buffer));
        error = queue_packet(c, buffer);
        if (error)
            return error;
    }
    return 0;
}

static const struct ln_rtp_codec *codec_of(const struct ln_rtp_outbound *o,
                                           const struct ln_frame *frame)
{
    for (size_t i = 0; i < o->config.codec_count; i++)
        if (o->config.codecs[i].codec == frame->codec &&
            o->config.codecs[i].clock_rate_hz == frame->clock_rate_hz)
            return &o->config.codecs[i];
    return NULL;
}

/* Where RTP time stands, for sender reports. A capture time that cannot be is taken as now. */
static void note_time(struct ln_send_stream *s, ln_time now, const struct ln_frame *f)
{
    bool sane = f->capture_time != 0 && f->capture_time <= now &&
                now - f->capture_time < LN_SECONDS(10);

    s->last_timestamp = f->rtp_timestamp + s->timestamp_offset;
    s->last_capture = sane ? f->capture_time : now;
    s->clock_hz = f->clock_rate_hz;
}

static int check_frame(const struct ln_rtp_outbound *o, const struct ln_frame *frame)
{
    if (!o->config.active)
        return LN_ERR_INVALID_STATE;
    if (frame->encoding >= o->stream_count || frame->len == 0)
        return LN_ERR_INVALID_ARGUMENT;
    if (!codec_of(o, frame))
        return LN_ERR_NOT_SUPPORTED;
    if (frame->kind == LN_MEDIA_VIDEO && frame->codec != LN_CODEC_VP8)
        return LN_ERR_NOT_SUPPORTED;
    return 0;
}

int ln_rtp_session_send_frame(struct ln_rtp_session *session, struct ln_rtp_outbound *o,
                              ln_time now, const struct ln_frame *frame)
{
    struct cut c = { session, NULL, NULL, frame, now, 0, NULL };
    struct ln_send_stream *s;
    uint16_t first;
    size_t taken;
    int error = check_frame(o, frame);

    if (error)
        return error;
    c.stream = s = &o->streams[frame->encoding];
    c.codec = codec_of(o, frame);
    taken = overhead(s, frame);
    if (session->config.max_packet < taken + PAYLOAD_MIN)
        return LN_ERR_INVALID_ARGUMENT;
    c.payload_max = session->config.max_packet - taken;
    if (s->needs_key && !frame->key) {
        s->stats.frames_dropped++;
        return LN_ERR_LIMIT;
    }
    c.queue =
        &session->queues[frame->kind == LN_MEDIA_AUDIO ? LN_RTP_CLASS_AUDIO : LN_RTP_CLASS_VIDEO];
    first = s->sequence;
    error = frame->kind == LN_MEDIA_AUDIO ? cut_audio(&c) : cut_vp8(&c);
    if (error) {
        if (s->sequence != first)
            s->sequence++; /* a gap tells the receiver that this frame has no end */
        s->stats.frames_dropped++;
        s->needs_key = frame->kind == LN_MEDIA_VIDEO;
        return error;
    }
    s->needs_key = false;
    s->stats.frames_sent++;
    s->stats.key_frames_sent += frame->key && frame->kind == LN_MEDIA_VIDEO;
    s->stats.payload_type = c.codec->payload_type;
    note_time(s, now, frame);
    return 0;
}

/* ---- the queue ---- */

static enum ln_rtp_class first_class(const struct ln_rtp_session *session)
{
    for (unsigned i = LN_RTP_CLASS_AUDIO; i <= LN_RTP_CLASS_PADDING; i++)
        if (session->queues[i].count > 0)
            return (enum ln_rtp_class)i;
    return LN_RTP_CLASS_RTCP;
}

bool ln_rtp_session_peek(const struct ln_rtp_session *session, struct ln_rtp_head *ret)
{
    enum ln_rtp_class class = first_class(session);
    const struct ln_queued *q;

    if (session->rtcp_waiting) {
        *ret = (struct ln_rtp_head){ LN_RTP_CLASS_RTCP, RTCP_GUESS, LN_TIME_IMMEDIATE, NULL };
        return true;
    }
    if (class == LN_RTP_CLASS_RTCP)
        return false;
    q = ln_ring_at(&session->queues[class], 0);
    *ret = (struct ln_rtp_head){ class, q->len, q->queued_at, q->stream->outbound };
    return true;
}

size_t ln_rtp_session_queued_bytes(const struct ln_rtp_session *session)
{
    return session->queued_bytes;
}

ln_time ln_rtp_session_oldest_queued(const struct ln_rtp_session *session)
{
    ln_time oldest = LN_TIME_NEVER;

    for (unsigned i = LN_RTP_CLASS_RETRANSMISSION; i <= LN_RTP_CLASS_PADDING; i++) {
        const struct ln_queued *q = ln_ring_at(&session->queues[i], 0);

        if (q)
            oldest = ln_time_min(oldest, q->queued_at);
    }
    return oldest;
}

/* Takes what a sender has queued out of all queues; the order of the rest stays. */
void ln_rtp_session_forget_queued(struct ln_rtp_session *session, const struct ln_rtp_outbound *o)
{
    for (unsigned i = LN_RTP_CLASS_AUDIO; i <= LN_RTP_CLASS_PADDING; i++) {
        struct ln_ring *ring = &session->queues[i];
        struct ln_queued q;

        for (size_t n = ring->count; n > 0; n--) {
            bool popped = ln_ring_pop(ring, &q);

            assert(popped);
            if (q.stream->outbound != o) {
                int error = ln_ring_push(ring, &q); /* into the place just freed */

                assert(error == 0);
                continue;
            }
            session->queued_bytes -= q.len;
            ln_buffer_unref(q.buffer);
        }
    }
}

/* ---- what leaves ---- */

/* Fills in what only the moment of sending knows. `stamp` false: these bytes left before. */
static int64_t stamp(struct ln_rtp_session *session, const struct ln_send_stream *s, ln_time now,
                     uint8_t *data, size_t len, uint32_t ssrc)
{
    const struct ln_rtp_extension_map *map = &s->outbound->config.extensions;
    int64_t sequence = -1;
    size_t size;
    uint8_t *at;

    at = ln_rtp_extension_locate(data, len, map->id[LN_RTP_EXTENSION_ABS_SEND_TIME], &size);
    if (at && size == 3)
        ln_store24(at, ln_rtp_abs_send_time(now));
    at = ln_rtp_extension_locate(data, len, map->id[LN_RTP_EXTENSION_TRANSPORT_SEQUENCE], &size);
    if (at && size == 2) {
        sequence = ln_sent_log_add(&session->sent, now, (uint32_t)len, ssrc);
        ln_store16(at, (uint16_t)sequence);
    }
    return sequence;
}

static void count_sent(struct ln_send_stream *s, ln_time now, size_t header, size_t payload)
{
    s->stats.packets_sent++;
    s->stats.bytes_sent += payload;
    s->stats.header_bytes_sent += header;
    s->stats.last_packet_sent = now;
}

static bool keeps_history(const struct ln_send_stream *s)
{
    const struct ln_rtp_outbound_config *c = &s->outbound->config;

    for (size_t i = 0; i < c->codec_count; i++)
        if (c->codecs[i].nack)
            return true;
    return false;
}

/* A packet for the first time. */
static void emit_first(struct ln_rtp_session *session, ln_time now, const struct ln_queued *q,
                       struct ln_rtp_out *out)
{
    struct ln_send_stream *s = q->stream;
    uint8_t *data = ln_buffer_bytes(q->buffer);
    size_t len = q->buffer->len;
    int header = ln_rtp_header_len(data, len);

    assert(header > 0);
    out->header_len = (size_t)header;
    out->ssrc = s->ssrc;
    out->sequence = ln_load16(data + 2);
    out->transport_sequence = stamp(session, s, now, data, len, s->ssrc);
    memcpy(out->data, data, len);
    out->len = len;
    if (keeps_history(s))
        ln_history_add(&s->history, now, out->sequence, q->buffer);
    count_sent(s, now, out->header_len, len - out->header_len);
    s->stats.total_packet_send_delay += now - q->queued_at;
    s->report_packets++;
    s->report_octets += (uint32_t)(len - out->header_len);
    s->budget_sent += len;
    s->has_sent = true;
}

/* The RTX type of a packet that left with `payload_type`; -1 if there is none. */
static int rtx_type(const struct ln_send_stream *s, uint8_t payload_type)
{
    const struct ln_rtp_outbound_config *c = &s->outbound->config;
    const struct ln_rtp_codec *codec;
    bool rtx;

    if (s->rtx_ssrc == 0)
        return -1;
    codec = ln_rtp_codec_by_type(c->codecs, c->codec_count, payload_type, &rtx);
    return codec && !rtx ? codec->rtx_payload_type : -1;
}

/* The header of the next RTX packet; its length. */
static size_t write_rtx_header(struct ln_send_stream *s, const struct ln_rtp_header *like,
                               uint8_t payload_type, struct ln_rtp_out *out)
{
    struct extension_plan plan = { !s->rtx_acked, true, NULL };
    struct ln_rtp_extension_writer w;
    struct ln_rtp_header h = *like;
    int len;

    plan_extensions(&w, s, &plan);
    h.csrc_count = 0;
    h.payload_type = payload_type;
    h.ssrc = s->rtx_ssrc;
    h.sequence = s->rtx_sequence++;
    len = ln_rtp_header_write(&h, &w, out->data, out->cap);
    assert(len > 0);
    out->ssrc = h.ssrc;
    out->sequence = h.sequence;
    out->header_len = (size_t)len;
    return (size_t)len;
}

/* RFC 4588, 4: the original sequence number goes before the payload. */
static void emit_rtx(struct ln_rtp_session *session, ln_time now, const struct ln_queued *q,
                     const struct ln_rtp_packet *packet, uint8_t type, struct ln_rtp_out *out)
{
    struct ln_send_stream *s = q->stream;
    size_t len = write_rtx_header(s, &packet->header, type, out);

    ln_store16(out->data + len, packet->header.sequence);
    memcpy(out->data + len + RTX_HEADER, packet->payload.data, packet->payload.len);
    out->len = len + RTX_HEADER + packet->payload.len;
    out->transport_sequence = stamp(session, s, now, out->data, out->len, s->rtx_ssrc);
}

static void emit_again(struct ln_rtp_session *session, ln_time now, const struct ln_queued *q,
                       struct ln_rtp_out *out)
{
    struct ln_send_stream *s = q->stream;
    struct ln_rtp_packet packet;
    int type, error = ln_rtp_packet_parse(ln_buffer_bytes(q->buffer), q->buffer->len, &packet);

    assert(error == 0);
    type = rtx_type(s, packet.header.payload_type);
    if (type >= 0) {
        emit_rtx(session, now, q, &packet, (uint8_t)type, out);
    } else {
        memcpy(out->data, ln_buffer_bytes(q->buffer), q->buffer->len);
        out->len = q->buffer->len;
        out->header_len = packet.header_len;
        out->ssrc = s->ssrc;
        out->sequence = packet.header.sequence;
        out->transport_sequence = -1;
    }
    count_sent(s, now, out->header_len, out->len - out->header_len);
    s->stats.retransmitted_packets_sent++;
    s->stats.retransmitted_bytes_sent += packet.payload.len;
}

/* Padding alone, on the RTX stream (RFC 4588 has no room for it on the other). */
static void emit_padding(struct ln_rtp_session *session, ln_time now, const struct ln_queued *q,
                         struct ln_rtp_out *out)
{
    struct ln_send_stream *s = q->stream;
    struct ln_rtp_header like;
    int type = rtx_type(s, (uint8_t)s->stats.payload_type);
    size_t len;

    memset(&like, 0, sizeof like);
    like.timestamp = s->last_timestamp;
    len = write_rtx_header(s, &like, (uint8_t)(type >= 0 ? type : s->stats.payload_type), out);
    memset(out->data + len, 0, q->padding);
    out->data[len + q->padding - 1] = (uint8_t)q->padding;
    out->data[0] |= 0x20;
    out->len = len + q->padding;
    out->transport_sequence = stamp(session, s, now, out->data, out->len, s->rtx_ssrc);
    count_sent(s, now, out->len, 0);
}

static int poll_rtcp(struct ln_rtp_session *session, ln_time now, struct ln_rtp_out *out)
{
    size_t cap = session->config.max_packet < out->cap ? session->config.max_packet : out->cap;

    if (cap < LN_RTP_MAX_PACKET_MIN)
        return LN_ERR_NO_SPACE;
    out->len = ln_rtp_session_write_rtcp(session, now, out->data, cap);
    if (out->len == 0)
        return 0;
    out->rtcp = true;
    out->class = LN_RTP_CLASS_RTCP;
    out->outbound = NULL;
    out->header_len = 8;
    out->ssrc = ln_load32(out->data + 4);
    out->sequence = 0;
    out->transport_sequence = -1;
    session->stats.rtcp_sent++;
    return 1;
}

int ln_rtp_session_poll_packet(struct ln_rtp_session *session, ln_time now, struct ln_rtp_out *out)
{
    enum ln_rtp_class class;
    struct ln_queued q;

    if (session->rtcp_waiting) {
        int n = poll_rtcp(session, now, out);

        if (n != 0)
            return n;
    }
    class = first_class(session);
    if (class == LN_RTP_CLASS_RTCP)
        return 0;
    if (out->cap < session->config.max_packet)
        return LN_ERR_NO_SPACE;
    if (!ln_ring_pop(&session->queues[class], &q))
        return 0;
    session->queued_bytes -= q.len;
    out->rtcp = false;
    out->class = class;
    out->outbound = q.stream->outbound;
    if (!q.buffer)
        emit_padding(session, now, &q, out);
    else if (q.again)
        emit_again(session, now, &q, out);
    else
        emit_first(session, now, &q, out);
    ln_buffer_unref(q.buffer);
    ln_rtp_session_start_reports(session, now);
    return 1;
}

/* ---- again, and padding ---- */

void ln_rtp_session_queue_retransmission(struct ln_rtp_session *session, ln_time now,
                                         struct ln_send_stream *s, uint16_t sequence)
{
    struct ln_history_entry *e = ln_history_find(&s->history, sequence);
    ln_duration recent = ln_time_max(session->rtt * 3 / 4, LN_MILLISECONDS(5));
    struct ln_queued q;

    if (!e || !s->outbound->config.active || now - e->sent > s->history.age)
        return;
    if (e->resends >= LN_HISTORY_RESENDS_MAX || (e->resends > 0 && now - e->resent < recent) ||
        !ln_send_stream_take_budget(s, now, e->buffer->len)) {
        session->stats.retransmissions_refused++;
        return;
    }
    q = (struct ln_queued){ s, e->buffer, now, e->buffer->len + RTX_HEADER, 0, true };
    if (ln_ring_push(&session->queues[LN_RTP_CLASS_RETRANSMISSION], &q) != 0)
        return;
    ln_buffer_ref(e->buffer);
    session->queued_bytes += q.len;
    e->resends++;
    e->resent = now;
}

static struct ln_send_stream *padding_stream(struct ln_rtp_session *session)
{
    for (size_t i = 0; i < session->outbound_count; i++) {
        struct ln_rtp_outbound *o = session->outbounds[i];

        for (size_t j = 0; j < o->stream_count; j++)
            if (o->config.active && o->streams[j].has_sent &&
                o->streams[j].stats.payload_type >= 0 &&
                rtx_type(&o->streams[j], (uint8_t)o->streams[j].stats.payload_type) >= 0)
                return &o->streams[j];
    }
    return NULL;
}

size_t ln_rtp_session_send_padding(struct ln_rtp_session *session, ln_time now, size_t bytes)
{
    struct ln_send_stream *s = padding_stream(session);
    size_t queued = 0;

    while (s && queued < bytes) {
        struct ln_history_entry *e = ln_history_recent(&s->history, bytes - queued);
        struct ln_queued q = { s, NULL, now, 0, 0, false };

        if (e) { /* a repeat is worth more than zeros: it may repair something */
            q.buffer = e->buffer;
            q.again = true;
            q.len = e->buffer->len + RTX_HEADER;
        } else {
            q.padding = PADDING_MAX;
            q.len = (uint32_t)(PADDING_MAX + overhead(s, NULL));
        }
        if (ln_ring_push(&session->queues[LN_RTP_CLASS_PADDING], &q) != 0)
            break;
        if (q.buffer)
            ln_buffer_ref(q.buffer);
        session->queued_bytes += q.len;
        queued += q.len;
    }
    return queued;
}
