/* SPDX-License-Identifier: Apache-2.0
 * RTCP that leaves: regular reports (RFC 3550, 6.4), and feedback as soon as there is any (RFC
 * 4585), alone if reduced size was agreed (RFC 5506), else behind an empty report and a CNAME.
 *
 * What does not fit into one packet stays pending for the next. */
#include "base/time.h"
#include "base/trace.h"
#include "rtp/session_state.h"

#include <string.h>

#define NACKS_MAX 256u /* asked for in one packet */

/* The SSRC that speaks for us. */
static uint32_t speaker(const struct ln_rtp_session *s)
{
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++)
            if (s->outbounds[i]->streams[j].has_sent)
                return s->outbounds[i]->streams[j].ssrc;
    return s->local_ssrc;
}

/* Report blocks that are due, as many as are given room. */
static void take_blocks(struct ln_rtp_session *s, ln_time now, struct ln_rtcp_report *report,
                        size_t room)
{
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++) {
            struct ln_receive_stream *stream = s->inbounds[i]->streams[j];

            if (stream->report_pending && report->block_count < room) {
                ln_reception_report(&stream->reception, now, stream->ssrc,
                                    &report->blocks[report->block_count++]);
                stream->report_pending = false;
            }
            if (stream->rtx_report_pending && report->block_count < room) {
                ln_reception_report(&stream->rtx_reception, now, stream->rtx_ssrc,
                                    &report->blocks[report->block_count++]);
                stream->rtx_report_pending = false;
            }
        }
}

static struct ln_send_stream *next_sender(struct ln_rtp_session *s)
{
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++)
            if (s->outbounds[i]->streams[j].report_pending)
                return &s->outbounds[i]->streams[j];
    return NULL;
}

static bool blocks_pending(const struct ln_rtp_session *s)
{
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++)
            if (s->inbounds[i]->streams[j]->report_pending ||
                s->inbounds[i]->streams[j]->rtx_report_pending)
                return true;
    return false;
}

static size_t cname_size(const struct ln_rtp_session *s)
{
    return 8 + 2 + strlen(s->cname) + 4;
}

/* Blocks for which there is room beside a sender's report and a CNAME. */
static size_t block_room(const struct ln_rtp_session *s, const struct ln_writer *w)
{
    size_t fixed = 28 + cname_size(s), room = ln_writer_room(w);

    room = room > fixed ? (room - fixed) / 24 : 0;
    return room < LN_RTCP_BLOCKS_MAX ? room : LN_RTCP_BLOCKS_MAX;
}

/* A sender's report with its CNAME, for each stream that is due and fits. */
static void write_sender_reports(struct ln_rtp_session *s, ln_time now, struct ln_writer *w)
{
    struct ln_send_stream *stream;

    while ((stream = next_sender(s)) != NULL && ln_writer_room(w) >= 28 + cname_size(s)) {
        struct ln_rtcp_report report;

        ln_send_stream_report(stream, now, s->config.wall_offset, &report);
        take_blocks(s, now, &report, block_room(s, w));
        stream->report_pending = false;
        (void)ln_rtcp_write_report(w, &report);
        (void)ln_rtcp_write_sdes_cname(w, stream->ssrc, s->cname);
    }
}

/* A compound begins with a report (RFC 3550, 6.1): of a sender, else of a receiver. */
static void write_reports(struct ln_rtp_session *s, ln_time now, struct ln_writer *w, bool always)
{
    struct ln_rtcp_report report;

    write_sender_reports(s, now, w);
    if (w->len > 0 && !blocks_pending(s))
        return;
    if (w->len == 0 && !always && !blocks_pending(s))
        return;
    if (ln_writer_room(w) < 8 + 24 + cname_size(s))
        return;
    memset(&report, 0, sizeof report);
    report.ssrc = speaker(s);
    take_blocks(s, now, &report, block_room(s, w));
    (void)ln_rtcp_write_report(w, &report);
    (void)ln_rtcp_write_sdes_cname(w, report.ssrc, s->cname);
}

static void write_nack(struct ln_rtp_session *s, ln_time now, struct ln_receive_stream *stream,
                       struct ln_writer *w)
{
    uint16_t sequences[NACKS_MAX];
    size_t n, written;

    if (ln_writer_room(w) < 12 + 4 * 64)
        return;
    n = ln_nack_collect(&stream->nacks, now, sequences, NACKS_MAX);
    written = ln_rtcp_write_nack(w, speaker(s), stream->ssrc, sequences, n);
    /* What found no room is asked for at the next retry. */
    stream->nack_due = false;
    if (written > 0) {
        stream->nack_count++;
        s->stats.feedback_sent++;
        ln_trace_emit(s->env->trace, now, LN_TRACE_RTP_NACK, stream->ssrc, stream->ssrc,
                      (int64_t)written, 1, 0);
    }
}

/* The codec that is being received, for its rtcp-fb. */
static const struct ln_rtp_codec *codec_of(const struct ln_receive_stream *stream)
{
    const struct ln_rtp_inbound_config *c = &stream->inbound->config;
    bool rtx;

    return stream->payload_type >= 0 ? ln_rtp_codec_by_type(c->codecs, c->codec_count,
                                                            (uint8_t)stream->payload_type, &rtx)
                                     : NULL;
}

static void write_key_request(struct ln_rtp_session *s, ln_time now,
                              struct ln_receive_stream *stream, struct ln_writer *w)
{
    const struct ln_rtp_codec *codec = codec_of(stream);

    if (ln_writer_room(w) < 20)
        return;
    stream->key_request_due = false;
    if (!codec || (!codec->pli && !codec->fir))
        return;
    if (codec->pli) {
        stream->pli_count += ln_rtcp_write_pli(w, speaker(s), stream->ssrc);
    } else {
        stream->fir_count += ln_rtcp_write_fir(w, speaker(s), stream->ssrc, stream->fir_sequence++);
    }
    s->stats.feedback_sent++;
    ln_trace_emit(s->env->trace, now, LN_TRACE_RTP_KEY_FRAME_REQUEST, stream->ssrc, stream->ssrc, 1,
                  0, 0);
}

static void write_remb(struct ln_rtp_session *s, struct ln_writer *w)
{
    uint32_t ssrcs[32];
    size_t count = 0;

    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count && count < 32; j++)
            ssrcs[count++] = s->inbounds[i]->streams[j]->ssrc;
    if (count == 0 || ln_rtcp_write_remb(w, speaker(s), s->remb_bps, ssrcs, count))
        s->remb_pending = false;
}

static void write_byes(struct ln_rtp_session *s, struct ln_writer *w)
{
    if (ln_rtcp_write_bye(w, s->byes, s->bye_count, NULL))
        s->bye_count = 0;
}

static void write_transport(struct ln_rtp_session *s, ln_time now, struct ln_writer *w)
{
    while (ln_arrival_log_report(&s->arrivals, now, speaker(s), w))
        s->stats.feedback_sent++;
    s->feedback_due = ln_time_due(ln_arrival_log_next_report(&s->arrivals), now);
}

static bool anything_pending(struct ln_rtp_session *s)
{
    if (s->remb_pending || s->bye_count > 0 || s->feedback_due || next_sender(s) ||
        blocks_pending(s))
        return true;
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++)
            if (s->inbounds[i]->streams[j]->nack_due || s->inbounds[i]->streams[j]->key_request_due)
                return true;
    return false;
}

size_t ln_rtp_session_write_rtcp(struct ln_rtp_session *s, ln_time now, uint8_t *data, size_t cap)
{
    struct ln_writer w;

    s->rtcp_waiting = false;
    if (!anything_pending(s))
        return 0;
    ln_writer_init(&w, data, cap);
    write_reports(s, now, &w, !s->config.reduced_size || s->bye_count > 0);
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++) {
            struct ln_receive_stream *stream = s->inbounds[i]->streams[j];

            if (stream->nack_due)
                write_nack(s, now, stream, &w);
            if (stream->key_request_due)
                write_key_request(s, now, stream, &w);
        }
    if (s->remb_pending)
        write_remb(s, &w);
    if (s->bye_count > 0)
        write_byes(s, &w);
    if (s->feedback_due)
        write_transport(s, now, &w);
    s->rtcp_waiting = w.len > 0 && anything_pending(s);
    return w.len;
}
