/* SPDX-License-Identifier: Apache-2.0
 * From a packet to its stream: RFC 9143, 9.2 (by SSRC, then MID, then payload type), RFC 8852
 * (RID), RFC 4588 (RTX).
 *
 * An SSRC that has found its receiver stays with it: a packet with another's MID cannot take a
 * running stream away. Only a stream that was placed by payload type alone moves when a MID tells
 * better. */
#include "base/alloc.h"
#include "base/time.h"
#include "rtp/session_state.h"

#include <assert.h>
#include <string.h>

#define IDLE LN_SECONDS(5) /* an unsignalled stream that may make room for another */

/* ---- the table of streams ---- */

void ln_rtp_session_drop_stream(struct ln_rtp_session *session, struct ln_receive_stream *s)
{
    struct ln_rtp_inbound *in = s->inbound;
    size_t at = 0;

    ln_map_remove_u64(&session->routes, s->ssrc);
    if (s->rtx_ssrc != 0 && ln_map_get_u64(&session->routes, s->rtx_ssrc) == &s->rtx_route)
        ln_map_remove_u64(&session->routes, s->rtx_ssrc);
    while (in->streams[at] != s)
        at++;
    in->streams[at] = in->streams[--in->stream_count];
    if (in->latest == s)
        in->latest = NULL;
    ln_receive_stream_free(s);
}

/* Room for one more stream of the receiver, by dropping one that is long silent if need be. */
static int make_room(struct ln_rtp_session *session, struct ln_rtp_inbound *in, ln_time now)
{
    struct ln_receive_stream *idle = NULL;

    if (in->stream_count < LN_RTP_INBOUND_SSRCS_MAX &&
        session->routes.count + 2 <= LN_RTP_STREAMS_MAX)
        return 0;
    for (size_t i = 0; i < in->stream_count; i++) {
        struct ln_receive_stream *s = in->streams[i];

        if (!s->signalled && s->last_packet != LN_TIME_NEVER && now - s->last_packet > IDLE &&
            (!idle || s->last_packet < idle->last_packet))
            idle = s;
    }
    if (!idle)
        return LN_ERR_LIMIT;
    ln_rtp_session_drop_stream(session, idle);
    return 0;
}

static int add_stream(struct ln_rtp_session *session, struct ln_rtp_inbound *in, ln_time now,
                      uint32_t ssrc, uint32_t clock_hz, struct ln_receive_stream **ret)
{
    struct ln_receive_stream *s;
    int error = make_room(session, in, now);

    if (!error)
        error = ln_receive_stream_create(&s, session->env, in->config.kind, clock_hz, ssrc);
    if (error)
        return error;
    error = ln_map_set_u64(&session->routes, ssrc, &s->media_route);
    if (error) {
        ln_receive_stream_free(s);
        return error;
    }
    s->inbound = in;
    s->rtt = session->rtt;
    if (session->rtt > 0)
        ln_nack_set_rtt(&s->nacks, session->rtt);
    s->jitter.delay.minimum = in->target_delay;
    s->new_event = true;
    in->streams[in->stream_count++] = s;
    *ret = s;
    return 0;
}

static void bind_rtx(struct ln_rtp_session *session, struct ln_receive_stream *s, uint32_t rtx_ssrc)
{
    if (s->rtx_ssrc == 0 && rtx_ssrc != 0 && !ln_map_get_u64(&session->routes, rtx_ssrc) &&
        ln_map_set_u64(&session->routes, rtx_ssrc, &s->rtx_route) == 0)
        s->rtx_ssrc = rtx_ssrc;
}

/* ---- finding the receiver of an unknown SSRC ---- */

static bool text_equal(struct ln_bytes a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

static struct ln_rtp_inbound *by_signalled(struct ln_rtp_session *session, uint32_t ssrc,
                                           struct ln_rtp_ssrc_pair *ret)
{
    for (size_t i = 0; i < session->inbound_count; i++)
        for (size_t j = 0; j < session->inbounds[i]->config.ssrc_count; j++) {
            *ret = session->inbounds[i]->config.ssrcs[j];
            if (ret->ssrc == ssrc || (ret->rtx_ssrc != 0 && ret->rtx_ssrc == ssrc))
                return session->inbounds[i];
        }
    memset(ret, 0, sizeof *ret);
    return NULL;
}

static struct ln_rtp_inbound *by_mid(struct ln_rtp_session *session, struct ln_bytes mid)
{
    for (size_t i = 0; i < session->inbound_count; i++)
        if (text_equal(mid, session->inbounds[i]->config.mid))
            return session->inbounds[i];
    return NULL;
}

static const struct ln_rtp_codec *codec_of(const struct ln_rtp_inbound *in, uint8_t payload_type,
                                           bool *ret_rtx)
{
    return ln_rtp_codec_by_type(in->config.codecs, in->config.codec_count, payload_type, ret_rtx);
}

/* Only if one receiver alone has the payload type. */
static struct ln_rtp_inbound *by_type(struct ln_rtp_session *session, uint8_t payload_type)
{
    struct ln_rtp_inbound *found = NULL;
    bool rtx;

    for (size_t i = 0; i < session->inbound_count; i++)
        if (session->inbounds[i]->config.active &&
            codec_of(session->inbounds[i], payload_type, &rtx)) {
            if (found)
                return NULL;
            found = session->inbounds[i];
        }
    return found;
}

static int encoding_of(const struct ln_rtp_inbound *in, struct ln_bytes rid)
{
    for (size_t i = 0; i < in->config.rid_count; i++)
        if (text_equal(rid, in->config.rids[i]))
            return (int)i;
    return -1;
}

/* The stream that an RTX SSRC repairs: by its RID, or as the only one that lacks RTX. */
static struct ln_receive_stream *repaired_stream(const struct ln_rtp_inbound *in,
                                                 struct ln_bytes rid)
{
    struct ln_receive_stream *found = NULL;
    int encoding = encoding_of(in, rid);

    for (size_t i = 0; i < in->stream_count; i++) {
        struct ln_receive_stream *s = in->streams[i];

        if (rid.len > 0 && s->encoding != encoding)
            continue;
        if (s->rtx_ssrc != 0)
            continue;
        if (found)
            return NULL;
        found = s;
    }
    return found;
}

struct arrival {
    const struct ln_rtp_packet *packet;
    struct ln_rtp_extension_values values;
    ln_time now;
};

static int learn_media(struct ln_rtp_session *session, struct ln_rtp_inbound *in,
                       const struct arrival *a, const struct ln_rtp_codec *codec,
                       struct ln_receive_stream **ret)
{
    int encoding = encoding_of(in, a->values.rid);
    int error = add_stream(session, in, a->now, a->packet->header.ssrc, codec->clock_rate_hz, ret);

    if (!error)
        (*ret)->encoding = (uint8_t)(encoding >= 0 ? encoding : 0);
    return error;
}

/* A new SSRC. Finds out what it is and enters it. */
static int learn(struct ln_rtp_session *session, const struct arrival *a,
                 struct ln_ssrc_route **ret)
{
    uint32_t ssrc = a->packet->header.ssrc;
    const struct ln_rtp_codec *codec;
    struct ln_receive_stream *s = NULL;
    struct ln_rtp_ssrc_pair pair;
    struct ln_rtp_inbound *in = by_signalled(session, ssrc, &pair);
    bool by_name = in != NULL, rtx;
    int error;

    if (!in && a->values.mid.len > 0) {
        in = by_mid(session, a->values.mid);
        by_name = true;
    } else if (!in) {
        in = by_type(session, a->packet->header.payload_type);
    }
    codec = in ? codec_of(in, a->packet->header.payload_type, &rtx) : NULL;
    if (!codec || !in->config.active)
        return LN_ERR_NOT_FOUND;
    if (rtx) {
        struct ln_ssrc_route *route = pair.ssrc ? ln_map_get_u64(&session->routes, pair.ssrc)
                                                : NULL;

        s = route ? route->stream : pair.ssrc ? NULL : repaired_stream(in, a->values.repaired_rid);
        if (!s)
            return LN_ERR_NOT_FOUND; /* nothing yet that it could repair */
        bind_rtx(session, s, ssrc);
        *ret = &s->rtx_route;
        return s->rtx_ssrc == ssrc ? 0 : LN_ERR_NOT_FOUND;
    }
    error = learn_media(session, in, a, codec, &s);
    if (error)
        return error;
    s->signalled = pair.ssrc == ssrc;
    s->routed_by_type = !by_name;
    if (s->signalled)
        bind_rtx(session, s, pair.rtx_ssrc);
    *ret = &s->media_route;
    return 0;
}

static int find_route(struct ln_rtp_session *session, const struct arrival *a,
                      struct ln_ssrc_route **ret)
{
    struct ln_ssrc_route *route = ln_map_get_u64(&session->routes, a->packet->header.ssrc);

    if (route && route->stream->routed_by_type && a->values.mid.len > 0) {
        struct ln_rtp_inbound *in = by_mid(session, a->values.mid);

        if (in && in != route->stream->inbound) {
            ln_rtp_session_drop_stream(session, route->stream);
            route = NULL;
        } else if (in) {
            route->stream->routed_by_type = false;
        }
    }
    if (!route)
        return learn(session, a, ret);
    *ret = route;
    return 0;
}

/* ---- getContributingSources() ---- */

static void note_source(struct ln_rtp_inbound *in, uint32_t source, bool contributing,
                        const struct arrival *a)
{
    size_t at = 0, oldest = 0;

    for (; at < in->source_count; at++) {
        if (in->sources[at].source == source && in->sources[at].contributing == contributing)
            break;
        if (in->sources[at].time < in->sources[oldest].time)
            oldest = at;
    }
    if (at == in->source_count && at < LN_RTP_SOURCES_MAX)
        in->source_count++;
    else if (at == in->source_count)
        at = oldest;
    in->sources[at] = (struct ln_rtp_source){
        source, contributing, a->now, a->packet->header.timestamp,
        !contributing && a->values.has_audio_level ? (int16_t)-a->values.audio_level : (int16_t)1
    };
}

static void note_sources(struct ln_rtp_inbound *in, const struct arrival *a)
{
    note_source(in, a->packet->header.ssrc, false, a);
    for (size_t i = 0; i < a->packet->header.csrc_count; i++)
        note_source(in, a->packet->header.csrc[i], true, a);
}

/* ---- a packet ---- */

/* Takes the repaired packet out of RTX (RFC 4588, 4): its own payload type, number and SSRC. */
static int unwrap_rtx(struct ln_receive_stream *s, const struct arrival *a,
                      const struct ln_rtp_codec *codec, struct ln_rtp_packet *ret)
{
    int64_t sequence;

    (void)ln_reception_on_packet(&s->rtx_reception, a->now, a->packet->header.sequence,
                                 a->packet->header.timestamp, 0, &sequence);
    ln_receive_stream_count_rtx(s, a->now, a->packet);
    *ret = *a->packet;
    if (ret->payload.len < 2)
        return LN_ERR_NOT_FOUND; /* padding, to probe the path */
    ret->header.sequence = ln_load16(ret->payload.data);
    ret->header.ssrc = s->ssrc;
    ret->header.payload_type = codec->payload_type;
    ret->payload.data += 2;
    ret->payload.len -= 2;
    return 0;
}

static int deliver(struct ln_rtp_session *session, const struct ln_ssrc_route *route,
                   const struct arrival *a, struct ln_buffer *buffer)
{
    struct ln_receive_stream *s = route->stream;
    struct ln_rtp_inbound *in = s->inbound;
    struct ln_rtp_packet unwrapped;
    const struct ln_rtp_codec *codec;
    bool rtx;
    int error;

    codec = codec_of(in, a->packet->header.payload_type, &rtx);
    if (!codec || !in->config.active || rtx != route->rtx)
        return LN_ERR_NOT_FOUND;
    if (rtx) {
        if (unwrap_rtx(s, a, codec, &unwrapped) != 0)
            return 0;
        error = ln_receive_stream_on_packet(s, a->now, &unwrapped, codec, &a->values, buffer, true);
    } else {
        in->latest = s;
        note_sources(in, a);
        error = ln_receive_stream_on_packet(s, a->now, a->packet, codec, &a->values, buffer, false);
    }
    if (ln_receive_stream_check_due(s, a->now))
        session->rtcp_waiting = true;
    return error;
}

static int count_drop(struct ln_rtp_session *session, int error)
{
    if (error == LN_ERR_MALFORMED)
        session->stats.packets_malformed++;
    else if (error == LN_ERR_NOT_FOUND)
        session->stats.packets_unroutable++;
    else if (error == LN_ERR_LIMIT)
        session->stats.packets_over_limit++;
    return error;
}

int ln_rtp_session_receive_rtp(struct ln_rtp_session *session, ln_time now, const uint8_t *data,
                               size_t len, struct ln_buffer *buffer)
{
    struct ln_rtp_packet packet;
    struct ln_ssrc_route *route;
    struct arrival a;
    bool own;
    int error = ln_rtp_packet_parse(data, len, &packet);

    if (error)
        return count_drop(session, error);
    session->stats.packets_received++;
    a.packet = &packet;
    a.now = now;
    ln_rtp_extensions_read(&packet.header, &session->receive_map, &a.values);
    /* Probes come with SSRC 0 and belong to no stream; their arrival is told all the same. */
    if (a.values.has_transport_sequence && session->transport_cc_wanted)
        ln_arrival_log_add(&session->arrivals, now, a.values.transport_sequence, packet.header.ssrc,
                           len);
    if (ln_rtp_session_find_send(session, packet.header.ssrc, &own))
        return count_drop(session, LN_ERR_NOT_FOUND); /* our own, reflected */
    ln_rtp_session_start_reports(session, now);
    error = find_route(session, &a, &route);
    if (!error)
        error = deliver(session, route, &a, buffer);
    return count_drop(session, error);
}
