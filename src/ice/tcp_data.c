/* SPDX-License-Identifier: Apache-2.0
 * What passes on the streams of TCP pairs (RFC 4571, 2; RFC 6544, 7.1 and 10): frames,
 * back-pressure, what must prove a stream, and the session inside which it goes if it passes a
 * relay over TLS. */
#include "ice/agent.h"

#include "base/bytes.h"

/* The one with this link of the driver, open or on its way through a relay. */
static struct ln_ice_tcp_stream *find_open(const struct ln_ice *ice, ln_link link)
{
    for (size_t i = 0; i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_stream *stream = &ice->tcp->streams[i];

        if ((stream->state == LN_ICE_TCP_STREAM_OPEN && stream->link == link) ||
            (stream->state == LN_ICE_TCP_STREAM_RELAYED &&
             stream->relayed->way.stream == LN_ICE_STREAM_OPEN &&
             stream->relayed->way.link == link))
            return stream;
    }
    return NULL;
}

/* --- out ----------------------------------------------------------------------------------- */

static void write_heads(struct ln_transmit *out)
{
    size_t at, len;

    for (at = 0; at < out->len; at += len) {
        len = out->segment > 0 && out->segment < out->len - at ? out->segment : out->len - at;
        ln_store16(out->data + at, (uint16_t)(len - LN_ICE_TCP_HEAD));
    }
}

/* What goes into a session goes packet by packet. */
bool ln_ice_tcp_takes_trains(const struct ln_ice *ice, const struct ln_path *path)
{
    const struct ln_ice_tcp_stream *stream = ice->tcp ? ln_ice_tcp_find_stream(ice, path) : NULL;

    return !stream || !stream->relayed || !stream->relayed->way.session;
}

/* 0, or why it does not leave. */
static int wrap_relayed(struct ln_ice_tcp_stream *stream, ln_time now, struct ln_transmit *out)
{
    int len = ln_ice_way_wrap(&stream->relayed->way, now, out->data, out->len, out->cap);

    if (len <= 0)
        return len < 0 ? len : LN_ERR_AGAIN;
    out->len = (size_t)len;
    return 0;
}

int ln_ice_tcp_wrap(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_tcp_stream *stream = ln_ice_tcp_find_stream(ice, &out->path);
    size_t packets = out->segment > 0 ? (out->len + out->segment - 1) / out->segment : 1;
    bool check = ln_packet_classify(out->data + LN_ICE_TCP_HEAD, out->len - LN_ICE_TCP_HEAD) ==
                 LN_PACKET_STUN;
    int error;

    if (!stream || stream->state != LN_ICE_TCP_STREAM_OPEN)
        return LN_ERR_NOT_FOUND;
    if (out->len + (check ? 0 : stream->reserve) > stream->room) {
        if (!check) /* the stream is slower than what is to go over it */
            ln_ice_count_discarded(ice, packets, out->len - packets * LN_ICE_TCP_HEAD);
        return ln_ice_drop(ice, LN_ICE_DROP_TCP_FULL, LN_ERR_LIMIT);
    }
    write_heads(out);
    out->segment = 0;
    error = stream->relayed ? wrap_relayed(stream, now, out) : 0;
    if (error)
        return error;
    stream->room -= out->len < stream->room ? out->len : stream->room;
    out->path = (struct ln_path){ stream->link, stream->local, stream->path.remote };
    if (stream->relayed)
        out->path.remote = stream->relayed->way.server;
    return 1;
}

/* --- in ------------------------------------------------------------------------------------ */

/* Through a relay the bytes are in the way, and before it is bound they are its own. False when
 * nothing is left to be cut. */
static bool enter_way(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    ln_link link = stream->relayed->way.link;

    stream->relayed->way.rest = stream->rest;
    stream->rest.len = 0;
    if (stream->state == LN_ICE_TCP_STREAM_RELAYED) {
        ln_ice_tcp_relayed_bind(ice, stream, now);
        ln_ice_run(ice, now);
    }
    return find_open(ice, link) == stream && stream->state == LN_ICE_TCP_STREAM_OPEN;
}

bool ln_ice_tcp_unwrap(struct ln_ice *ice, ln_time now, const struct ln_packet *packet)
{
    struct ln_ice_tcp_stream *stream = ice->tcp ? find_open(ice, packet->path.link) : NULL;

    if (!stream)
        return false;
    stream->rest = (struct ln_bytes){ packet->data, packet->len };
    if (!stream->relayed || enter_way(ice, stream, now))
        ice->tcp->draining = stream;
    return true;
}

/* The next packet of the piece in hand. */
static int cut(struct ln_ice_tcp_stream *stream, ln_time now, struct ln_bytes *ret_packet)
{
    int result;

    do {
        result = ln_ice_tcp_frames_next(&stream->frames, &stream->rest, ret_packet);
    } while (result == 0 && stream->relayed &&
             ln_ice_way_read(&stream->relayed->way, now, &stream->rest));
    return result;
}

int ln_ice_tcp_next(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    struct ln_ice_tcp_stream *stream = ice->tcp->draining;
    struct ln_bytes data;
    int result = cut(stream, now, &data);

    if (result == 1) {
        packet->data = (uint8_t *)(uintptr_t)data.data;
        packet->len = data.len;
        packet->path = stream->path;
        packet->buffer = NULL;
        return 1;
    }
    ice->tcp->draining = NULL;
    if (result < 0) { /* out of step for good */
        ln_ice_drop(ice, LN_ICE_DROP_TCP_FRAME, 0);
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_STREAM_CLOSED);
        ln_ice_run(ice, now);
    }
    return result;
}

void ln_ice_tcp_judge(struct ln_ice *ice)
{
    struct ln_ice_tcp_stream *stream = ice->tcp ? ice->tcp->draining : NULL;

    if (!stream || stream->proven)
        return;
    if (ln_ice_is_proven(ice, &stream->path)) {
        stream->proven = true;
        stream->frames.limit = LN_ICE_TCP_PACKET_MAX;
        stream->give_up_at = LN_TIME_NEVER;
    } else if (++stream->tries >= LN_ICE_TCP_UNPROVEN_TRIES) {
        ln_ice_drop(ice, LN_ICE_DROP_TCP_STREAM, 0);
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_STREAM_CLOSED);
        ice->wake = true;
    }
}
