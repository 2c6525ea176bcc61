/* SPDX-License-Identifier: Apache-2.0
 * One received stream: see rtp/receive_stream.h. */
#include "rtp/receive_stream.h"

#include "base/alloc.h"
#include "base/time.h"
#include "base/trace.h"

#include <string.h>

/* How long a gap may wait for its repair before a key frame is asked for as well. */
#define REPAIR_WAIT_MIN LN_MILLISECONDS(60)
#define REPAIR_WAIT_MAX LN_MILLISECONDS(400)
#define RTT_UNKNOWN     LN_MILLISECONDS(100)

int ln_receive_stream_create(struct ln_receive_stream **ret, const struct ln_env *env,
                             enum ln_media_kind kind, uint32_t clock_hz, uint32_t ssrc)
{
    struct ln_receive_stream *s = ln_alloc_zero(env->allocator, sizeof *s);

    if (!s)
        return LN_ERR_NOMEM;
    s->env = env;
    s->ssrc = ssrc;
    s->clock_hz = clock_hz;
    s->media_route = (struct ln_ssrc_route){ s, false };
    s->rtx_route = (struct ln_ssrc_route){ s, true };
    s->last_packet = LN_TIME_NEVER;
    s->last_key_request = LN_TIME_IMMEDIATE;
    s->key_wanted_since = LN_TIME_NEVER;
    s->payload_type = -1;
    s->audio_level = -1;
    ln_nack_init(&s->nacks, env->allocator);
    ln_jitter_buffer_init(&s->jitter, env, kind, clock_hz);
    *ret = s;
    return 0;
}

void ln_receive_stream_free(struct ln_receive_stream *s)
{
    if (!s)
        return;
    ln_nack_deinit(&s->nacks);
    ln_jitter_buffer_deinit(&s->jitter);
    ln_free(s->env->allocator, s);
}

/* ---- packets ---- */

static void count_packet(struct ln_receive_stream *s, ln_time now,
                         const struct ln_rtp_packet *packet)
{
    s->last_packet = now;
    s->packets++;
    s->bytes += packet->payload.len;
    s->header_bytes += packet->header_len + packet->padding;
}

void ln_receive_stream_count_rtx(struct ln_receive_stream *s, ln_time now,
                                 const struct ln_rtp_packet *packet)
{
    count_packet(s, now, packet);
    s->rtx_packets++;
    s->rtx_bytes += packet->payload.len;
}

/* What stands between the highest number so far and this one is missing. */
static void note_gap(struct ln_receive_stream *s, ln_time now, int64_t previous, int64_t sequence)
{
    if (sequence <= previous + 1)
        return;
    ln_trace_emit(s->env->trace, now, LN_TRACE_RTP_LOSS, s->ssrc, s->ssrc, previous + 1,
                  sequence - previous - 1, 0);
    if (!s->nack)
        return;
    if (ln_nack_on_gap(&s->nacks, now, previous + 1, sequence) != 0 &&
        s->jitter.kind == LN_MEDIA_VIDEO && s->key_wanted_since == LN_TIME_NEVER)
        s->key_wanted_since = now;
}

static void forget(struct ln_receive_stream *s)
{
    ln_nack_clear(&s->nacks);
    ln_jitter_buffer_reset(&s->jitter);
}

/* Finds the packet's place among all; 0, or why it is dropped. */
static int place(struct ln_receive_stream *s, ln_time now, const struct ln_rtp_packet *packet,
                 bool repaired, int64_t *ret_sequence)
{
    const struct ln_rtp_header *h = &packet->header;
    int64_t previous = s->reception.sequence.last;
    bool first = !s->reception.started;

    if (repaired) {
        if (!ln_reception_on_repaired(&s->reception, h->sequence, ret_sequence))
            return LN_ERR_REPLAY;
    } else {
        switch (ln_reception_on_packet(&s->reception, now, h->sequence, h->timestamp, s->clock_hz,
                                       ret_sequence)) {
        case LN_RECEPTION_NEW:
            break;
        case LN_RECEPTION_RESTART:
            forget(s);
            first = true;
            break;
        case LN_RECEPTION_DUPLICATE:
            return LN_ERR_REPLAY;
        case LN_RECEPTION_TOO_OLD:
        case LN_RECEPTION_SUSPECT:
            s->discarded++;
            return LN_ERR_REPLAY;
        }
    }
    if (!ln_nack_on_packet(&s->nacks, now, *ret_sequence, repaired) && !first)
        note_gap(s, now, previous, *ret_sequence);
    return 0;
}

/* Takes the payload format off. */
static int describe(struct ln_jitter_packet *p, const struct ln_rtp_packet *packet)
{
    struct ln_vp8_frame_header frame;

    p->payload = packet->payload;
    p->padding = packet->payload.len == 0;
    if (p->padding || p->codec != LN_CODEC_VP8)
        return 0;
    if (ln_vp8_parse(packet->payload.data, packet->payload.len, &p->vp8, &p->payload) != 0)
        return LN_ERR_MALFORMED;
    p->starts = p->vp8.start && p->vp8.partition == 0;
    p->key = p->starts && ln_vp8_frame_header(p->payload, &frame) == 0 && frame.key;
    return 0;
}

/* Keeps the payload: a reference if the caller has a buffer, else a copy. */
static int keep(struct ln_receive_stream *s, struct ln_jitter_packet *p, struct ln_buffer *buffer)
{
    if (buffer) {
        p->buffer = ln_buffer_ref(buffer);
        return 0;
    }
    p->buffer = ln_buffer_copy(s->env->pool, p->payload.data, p->payload.len);
    if (!p->buffer)
        return LN_ERR_NOMEM;
    p->payload.data = ln_buffer_bytes(p->buffer);
    return 0;
}

int ln_receive_stream_on_packet(struct ln_receive_stream *s, ln_time now,
                                const struct ln_rtp_packet *packet,
                                const struct ln_rtp_codec *codec,
                                const struct ln_rtp_extension_values *extensions,
                                struct ln_buffer *buffer, bool repaired)
{
    struct ln_jitter_packet p;
    int error;

    memset(&p, 0, sizeof p);
    p.codec = codec->codec;
    if (describe(&p, packet) != 0) {
        s->discarded++;
        return LN_ERR_MALFORMED;
    }
    s->nack = codec->nack;
    error = place(s, now, packet, repaired, &p.sequence);
    if (error)
        return error;
    if (!repaired)
        count_packet(s, now, packet);
    if (!p.padding)
        s->payload_type = packet->header.payload_type;
    p.timestamp = ln_rtp_unwrap32_peek(&s->reception.timestamp, packet->header.timestamp);
    p.arrival = now;
    p.marker = packet->header.marker;
    p.repaired = repaired;
    p.encoding = s->encoding;
    p.audio_level_dbov = extensions->has_audio_level ? (int8_t)-extensions->audio_level : 1;
    p.has_rotation = extensions->has_orientation;
    p.rotation = extensions->rotation;
    if (extensions->has_audio_level)
        s->audio_level = extensions->audio_level;
    error = keep(s, &p, buffer);
    if (error)
        return error;
    error = ln_jitter_buffer_insert(&s->jitter, now, &p);
    if (error == LN_ERR_LIMIT)
        forget(s);
    return error;
}

void ln_receive_stream_on_sender_report(struct ln_receive_stream *s, ln_time now,
                                        const struct ln_rtcp_report *report)
{
    int64_t offset = now - ln_ntp_to_unix(report->ntp);

    s->reception.last_sr = (uint32_t)(report->ntp >> 16);
    s->reception.last_sr_arrival = now;
    s->reports++;
    s->report_packets = report->packets;
    s->report_octets = report->octets;
    if (!s->reception.started)
        return;
    /* The fastest report came nearest to its own time; the window is short as clocks drift. */
    if (!s->has_report || offset < s->clock_offset || s->reports % 16 == 0)
        s->clock_offset = offset;
    s->has_report = true;
    s->report_ntp = report->ntp;
    s->report_timestamp = ln_rtp_unwrap32_peek(&s->reception.timestamp, report->rtp_timestamp);
    s->report_arrival = now;
}

/* ---- frames ---- */

/* The sender's capture time on the local clock, as far as sender reports tell. */
static ln_time capture_time(const struct ln_receive_stream *s, uint32_t timestamp)
{
    int64_t ticks;

    if (!s->has_report)
        return LN_TIME_NEVER;
    ticks = (int32_t)(timestamp - (uint32_t)s->report_timestamp);
    return ln_ntp_to_unix(s->report_ntp) + ticks * 1000000000 / s->clock_hz + s->clock_offset -
           s->rtt / 2;
}

int ln_receive_stream_poll_frame(struct ln_receive_stream *s, ln_time now, struct ln_frame **ret)
{
    struct ln_frame *frame;

    if (ln_jitter_buffer_poll(&s->jitter, now, &frame) == 0) {
        s->frame_signalled = false;
        return 0;
    }
    frame->capture_time = capture_time(s, frame->rtp_timestamp);
    if (frame->key && !frame->lost)
        s->key_wanted_since = LN_TIME_NEVER;
    ln_nack_drop_below(&s->nacks, ln_jitter_buffer_useful_from(&s->jitter));
    ln_trace_emit(s->env->trace, now, LN_TRACE_RTP_FRAME, s->ssrc, s->ssrc, frame->rtp_timestamp,
                  (int64_t)frame->len, ln_delay_current(&s->jitter.delay) / 1000);
    *ret = frame;
    return 1;
}

/* ---- time ---- */

/* When a key frame is to be asked for; LN_TIME_NEVER while none is needed. Without a packet since
 * the last request nobody is there to answer another one. */
static ln_time key_request_time(const struct ln_receive_stream *s)
{
    ln_time blocked = ln_jitter_buffer_blocked_since(&s->jitter), at = s->key_wanted_since;
    ln_duration rtt = s->rtt ? s->rtt : RTT_UNKNOWN, wait = 0;
    ln_duration interval = ln_time_max(LN_KEY_FRAME_REQUEST_INTERVAL, rtt + rtt / 2);

    if (s->jitter.kind != LN_MEDIA_VIDEO || s->last_packet == LN_TIME_NEVER ||
        s->last_packet <= s->last_key_request)
        return LN_TIME_NEVER;
    if (blocked != LN_TIME_NEVER) {
        if (s->nack && s->jitter.synced)
            wait = ln_time_min(ln_time_max(2 * rtt + LN_MILLISECONDS(20), REPAIR_WAIT_MIN),
                               REPAIR_WAIT_MAX);
        at = ln_time_min(at, blocked + wait);
    }
    if (at == LN_TIME_NEVER || s->last_key_request == LN_TIME_IMMEDIATE)
        return at;
    return ln_time_max(at, s->last_key_request + interval);
}

bool ln_receive_stream_check_due(struct ln_receive_stream *s, ln_time now)
{
    if (!s->nack_due && ln_time_due(ln_nack_next_timeout(&s->nacks), now))
        s->nack_due = true;
    if (ln_time_due(key_request_time(s), now)) {
        s->key_request_due = true;
        s->last_key_request = now;
    }
    if (!s->frame_signalled && ln_time_due(ln_jitter_buffer_next_release(&s->jitter), now))
        s->frame_signalled = s->frame_event = true;
    return s->nack_due || s->key_request_due;
}

ln_time ln_receive_stream_next_timeout(const struct ln_receive_stream *s)
{
    ln_time next = key_request_time(s);

    if (!s->nack_due)
        next = ln_time_min(next, ln_nack_next_timeout(&s->nacks));
    if (!s->frame_signalled)
        next = ln_time_min(next, ln_jitter_buffer_next_release(&s->jitter));
    return next;
}
