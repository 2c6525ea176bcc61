/* SPDX-License-Identifier: Apache-2.0
 * RTCP that arrives: reports, requests, feedback for congestion control.
 *
 * One table says what each packet type does. What speaks of SSRCs that are not ours is counted and
 * has no other effect; requests are limited where they are acted on (send_stream.c, history.h). */
#include "base/alloc.h"
#include "base/time.h"
#include "base/trace.h"
#include "rtp/session_state.h"

#include <string.h>

#define NACKS_MAX          1024u /* sequence numbers of one NACK that are looked at */
#define REPORT_RESULTS_MAX 2048u /* of one transport-cc report */
#define RTT_MAX            LN_SECONDS(10)

/* What one compound packet adds up to. */
struct compound {
    struct ln_rtp_session *session;
    ln_time now;
    double lost; /* packets, by fraction */
    uint64_t packets;
};

static void push_feedback(struct ln_rtp_session *s, const struct ln_rtp_feedback *f, size_t first)
{
    struct ln_feedback_item item = { *f, first };

    if (ln_ring_push(&s->feedback, &item) != 0)
        s->stats.feedback_dropped++; /* nobody takes them: the newest are left out */
}

/* ---- reports ---- */

static void note_rtt(struct ln_rtp_session *s, ln_duration rtt)
{
    struct ln_rtp_feedback f = { .kind = LN_RTP_FEEDBACK_RTT };

    if (rtt <= 0 || rtt > RTT_MAX)
        return;
    s->rtt = s->rtt == 0 ? rtt : s->rtt + (rtt - s->rtt) / 8;
    s->stats.round_trip_time = s->rtt;
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++) {
            s->inbounds[i]->streams[j]->rtt = s->rtt;
            ln_nack_set_rtt(&s->inbounds[i]->streams[j]->nacks, s->rtt);
        }
    f.rtt = rtt;
    push_feedback(s, &f, 0);
}

static void on_block(struct compound *c, const struct ln_rtcp_block *block)
{
    struct ln_send_stream *stream;
    uint32_t packets;
    double fraction;
    bool rtx;

    stream = ln_rtp_session_find_send(c->session, block->ssrc, &rtx);
    if (!stream || !stream->has_sent) {
        c->session->stats.rtcp_foreign++;
        return;
    }
    if (rtx) {
        stream->rtx_acked = true;
        return;
    }
    note_rtt(c->session, ln_send_stream_on_block(stream, c->now, block, &fraction, &packets));
    c->lost += fraction * packets;
    c->packets += packets;
}

static void on_report(struct compound *c, const struct ln_rtcp_packet *p)
{
    struct ln_rtcp_report report;
    struct ln_ssrc_route *route;

    if (ln_rtcp_parse_report(p, &report) != 0) {
        c->session->stats.rtcp_malformed++;
        return;
    }
    route = ln_map_get_u64(&c->session->routes, report.ssrc);
    if (report.sender && route && !route->rtx)
        ln_receive_stream_on_sender_report(route->stream, c->now, &report);
    for (size_t i = 0; i < report.block_count; i++)
        on_block(c, &report.blocks[i]);
}

static void on_sdes(struct compound *c, const struct ln_rtcp_packet *p)
{
    struct ln_rtcp_sdes_iterator it;

    ln_rtcp_sdes_begin(&it, p);
    while (ln_rtcp_sdes_next(&it)) {
        struct ln_ssrc_route *route;

        if (it.item != LN_RTCP_SDES_CNAME || it.text.len == 0)
            continue;
        route = ln_map_get_u64(&c->session->routes, it.ssrc);
        if (route && !route->rtx && it.text.len < sizeof route->stream->cname) {
            memcpy(route->stream->cname, it.text.data, it.text.len);
            route->stream->cname[it.text.len] = '\0';
        }
    }
}

static void on_bye(struct compound *c, const struct ln_rtcp_packet *p)
{
    struct ln_rtcp_bye bye;

    if (ln_rtcp_parse_bye(p, &bye) != 0) {
        c->session->stats.rtcp_malformed++;
        return;
    }
    for (size_t i = 0; i < bye.count; i++) {
        struct ln_ssrc_route *route = ln_map_get_u64(&c->session->routes, bye.ssrcs[i]);

        if (!route || route->rtx) {
            c->session->stats.rtcp_foreign++;
            continue;
        }
        route->stream->inbound->bye_event = true;
        route->stream->inbound->bye_ssrc = bye.ssrcs[i];
    }
}

/* ---- feedback about what we send ---- */

static void on_nack(struct compound *c, const struct ln_rtcp_feedback *f)
{
    struct ln_rtcp_nack_iterator it;
    struct ln_send_stream *stream;
    uint16_t sequence;
    bool rtx;

    stream = ln_rtp_session_find_send(c->session, f->media_ssrc, &rtx);
    if (!stream || rtx) {
        c->session->stats.rtcp_foreign++;
        return;
    }
    stream->stats.nack_count++;
    ln_rtcp_nack_begin(&it, f->fci);
    for (unsigned n = 0; n < NACKS_MAX && ln_rtcp_nack_next(&it, &sequence); n++)
        ln_rtp_session_queue_retransmission(c->session, c->now, stream, sequence);
}

/* Room for one more report's results behind those that wait; false when there is none. */
static bool reserve_results(struct ln_rtp_session *s)
{
    size_t needed;
    void *grown;

    if (s->feedback.count == 0)
        s->result_count = 0;
    needed = s->result_count + REPORT_RESULTS_MAX;
    if (needed <= s->result_capacity)
        return true;
    if (needed > LN_RTP_RESULTS_MAX)
        return false;
    grown = ln_realloc(s->env->allocator, s->results, needed * sizeof *s->results);
    if (!grown)
        return false;
    s->results = grown;
    grown = ln_realloc(s->env->allocator, s->result_ssrcs, needed * sizeof *s->result_ssrcs);
    if (!grown)
        return false;
    s->result_ssrcs = grown;
    s->result_capacity = needed;
    return true;
}

/* A stream of which packets arrived need not tell its name any more. */
static void note_arrived(struct ln_rtp_session *s, const uint32_t *ssrcs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ln_send_stream *stream;
        bool rtx;

        if (ssrcs[i] == 0 || (i > 0 && ssrcs[i] == ssrcs[i - 1]))
            continue;
        stream = ln_rtp_session_find_send(s, ssrcs[i], &rtx);
        if (stream && rtx)
            stream->rtx_acked = true;
        else if (stream)
            stream->acked = true;
    }
}

/* Reads one report; what it says of packets of ours waits for poll_feedback(). */
static void on_transport(struct compound *c, const struct ln_rtcp_feedback *f)
{
    struct ln_rtp_session *s = c->session;
    struct ln_rtp_feedback item = { .kind = LN_RTP_FEEDBACK_TRANSPORT };
    size_t first;
    int n;

    if (!reserve_results(s)) {
        s->stats.feedback_dropped++;
        return;
    }
    first = s->result_count;
    n = ln_sent_log_read(&s->sent, f->fci, s->results + first, s->result_ssrcs + first,
                         REPORT_RESULTS_MAX);
    s->stats.feedback_unknown = s->sent.unknown;
    if (n < 0) {
        s->stats.rtcp_malformed++;
        return;
    }
    if (n == 0)
        return;
    note_arrived(s, s->result_ssrcs + first, (size_t)n);
    item.count = (size_t)n;
    s->result_count = first + (size_t)n;
    push_feedback(s, &item, first);
}

static void on_transport_feedback(struct compound *c, const struct ln_rtcp_packet *p)
{
    struct ln_rtcp_feedback f;

    if (ln_rtcp_parse_feedback(p, &f) != 0)
        c->session->stats.rtcp_malformed++;
    else if (p->count == LN_RTCP_RTPFB_NACK)
        on_nack(c, &f);
    else if (p->count == LN_RTCP_RTPFB_TRANSPORT_CC)
        on_transport(c, &f);
}

static void on_pli(struct compound *c, const struct ln_rtcp_feedback *f)
{
    struct ln_send_stream *stream;
    bool rtx;

    stream = ln_rtp_session_find_send(c->session, f->media_ssrc, &rtx);
    if (!stream || rtx) {
        c->session->stats.rtcp_foreign++;
        return;
    }
    stream->stats.pli_count++;
    ln_send_stream_request_key(stream, c->now);
}

/* A repeated command has the same sequence number (RFC 5104, 4.3.1.2). */
static void on_fir(struct compound *c, const struct ln_rtcp_feedback *f)
{
    uint8_t sequence;
    uint32_t ssrc;

    for (size_t i = 0; ln_rtcp_fir_entry(f->fci, i, &ssrc, &sequence); i++) {
        bool rtx;
        struct ln_send_stream *stream = ln_rtp_session_find_send(c->session, ssrc, &rtx);

        if (!stream || rtx) {
            c->session->stats.rtcp_foreign++;
            continue;
        }
        stream->stats.fir_count++;
        if (stream->has_fir && stream->fir_sequence == sequence &&
            stream->fir_sender == f->sender_ssrc)
            continue;
        stream->has_fir = true;
        stream->fir_sequence = sequence;
        stream->fir_sender = f->sender_ssrc;
        ln_send_stream_request_key(stream, c->now);
    }
}

/* Counts if it names one of our streams. */
static void on_remb(struct compound *c, const struct ln_rtcp_feedback *f)
{
    struct ln_rtp_feedback item = { .kind = LN_RTP_FEEDBACK_REMB };
    struct ln_rtcp_remb remb;
    bool ours = false;

    if (ln_rtcp_parse_remb(f->fci, &remb) != 0)
        return; /* another application's message */
    for (size_t i = 0; i < remb.ssrc_count; i++) {
        bool rtx;

        ours |= ln_rtp_session_find_send(c->session, ln_load32(remb.ssrcs.data + 4 * i), &rtx) !=
                NULL;
    }
    if (!ours) {
        c->session->stats.rtcp_foreign++;
        return;
    }
    item.bps = remb.bps;
    push_feedback(c->session, &item, 0);
}

static void on_payload_feedback(struct compound *c, const struct ln_rtcp_packet *p)
{
    struct ln_rtcp_feedback f;

    if (ln_rtcp_parse_feedback(p, &f) != 0)
        c->session->stats.rtcp_malformed++;
    else if (p->count == LN_RTCP_PSFB_PLI)
        on_pli(c, &f);
    else if (p->count == LN_RTCP_PSFB_FIR)
        on_fir(c, &f);
    else if (p->count == LN_RTCP_PSFB_AFB)
        on_remb(c, &f);
}

static const struct {
    uint8_t type;
    void (*handle)(struct compound *c, const struct ln_rtcp_packet *p);
} handlers[] = {
    { LN_RTCP_SR, on_report },
    { LN_RTCP_RR, on_report },
    { LN_RTCP_SDES, on_sdes },
    { LN_RTCP_BYE, on_bye },
    { LN_RTCP_RTPFB, on_transport_feedback },
    { LN_RTCP_PSFB, on_payload_feedback },
}; /* APP, XR and what is not known are passed over */

int ln_rtp_session_receive_rtcp(struct ln_rtp_session *session, ln_time now, const uint8_t *data,
                                size_t len)
{
    struct compound c = { session, now, 0, 0 };
    struct ln_rtcp_iterator it;
    struct ln_rtcp_packet p;

    session->stats.rtcp_received++;
    ln_rtcp_begin(&it, data, len);
    while (ln_rtcp_next(&it, &p))
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
            if (handlers[i].type == p.type)
                handlers[i].handle(&c, &p);
    if (c.packets > 0) {
        struct ln_rtp_feedback f = { .kind = LN_RTP_FEEDBACK_LOSS };

        f.fraction_lost = c.lost / (double)c.packets;
        f.packets = (uint32_t)c.packets;
        push_feedback(session, &f, 0);
    }
    if (!it.ok)
        session->stats.rtcp_malformed++;
    return it.ok ? 0 : LN_ERR_MALFORMED;
}
