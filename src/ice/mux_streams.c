/* SPDX-License-Identifier: Apache-2.0
 * Streams that a shared listener accepted, until it is known whose they are (ice/mux.h): the first
 * packet of an ICE-TCP stream is a check (RFC 6544, 7; RFC 4571, 2), and its USERNAME names a
 * ufrag.
 *
 * Until then a stream costs one small object, may say one packet no longer than a check, and has
 * ten seconds. Beyond a limit the oldest goes: of its own address if that has many, else of all. */
#include "ice/mux_internal.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "ice/ice.h"

#include <string.h>

void ln_mux_stream_free(struct ln_ice_mux *mux, struct ln_mux_stream *stream)
{
    ln_mux_unset_object(mux, &stream->object);
    ln_list_remove(&stream->in_all);
    mux->stream_count--;
    ln_ice_tcp_frames_deinit(&stream->frames);
    ln_free(mux->env->allocator, stream);
}

static void drop(struct ln_ice_mux *mux, struct ln_mux_stream *stream)
{
    ln_link link = stream->object.link;

    ln_mux_drop(mux, LN_ICE_MUX_DROP_STREAM);
    ln_mux_stream_free(mux, stream);
    ln_mux_close_unwanted(mux, link);
}

void ln_mux_end_streams(struct ln_ice_mux *mux, const struct ln_mux_base *base)
{
    LN_LIST_EACH_SAFE (at, after, &mux->streams) {
        struct ln_mux_stream *stream = LN_CONTAINER(at, struct ln_mux_stream, in_all);

        if (stream->base == base)
            drop(mux, stream);
    }
}

/* --- accepting ----------------------------------------------------------------------------- */

static void make_room(struct ln_ice_mux *mux, const struct ln_address *source)
{
    struct ln_mux_stream *oldest = NULL;
    size_t count = 0;

    LN_LIST_EACH (at, &mux->streams) {
        struct ln_mux_stream *stream = LN_CONTAINER(at, struct ln_mux_stream, in_all);

        if (!ln_address_equal_ip(&stream->remote, source))
            continue;
        oldest = oldest ? oldest : stream;
        count++;
    }
    if (count >= LN_ICE_MUX_STREAMS_SOURCE)
        drop(mux, oldest);
    else if (mux->stream_count >= LN_ICE_MUX_STREAMS_MAX)
        drop(mux, LN_CONTAINER(mux->streams.next, struct ln_mux_stream, in_all));
}

void ln_mux_accept(struct ln_ice_mux *mux, struct ln_mux_base *base, ln_time now,
                   const struct ln_answer *answer)
{
    struct ln_mux_stream *stream;

    make_room(mux, &answer->remote);
    stream = answer->link < LN_ICE_MUX_LINK ? ln_alloc_zero(mux->env->allocator, sizeof *stream)
                                            : NULL;
    if (stream) {
        stream->object = (struct ln_mux_object){ LN_MUX_STREAM, answer->link };
        stream->base = base;
        stream->local = answer->local;
        stream->remote = answer->remote;
        stream->room = answer->bytes;
        stream->give_up_at = now + LN_ICE_MUX_STREAM_TIME;
        stream->frames.allocator = mux->env->allocator;
        stream->frames.limit = LN_ICE_UNWRAP_MAX;
    }
    if (!stream || ln_mux_set_object(mux, &stream->object) != 0) {
        ln_free(mux->env->allocator, stream);
        ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
        ln_mux_close_unwanted(mux, answer->link);
        return;
    }
    ln_list_append(&mux->streams, &stream->in_all);
    mux->stream_count++;
}

/* --- whose it is --------------------------------------------------------------------------- */

static void hand_up(struct ln_ice_mux_member *member, ln_time now, const struct ln_packet *model,
                    uint8_t *data, size_t len)
{
    struct ln_packet piece = *model;

    piece.data = data;
    piece.len = len;
    piece.buffer = NULL;
    if (len > 0)
        member->endpoint.ops->receive(member->endpoint.object, now, &piece);
}

/* The member learns of it as if its own listener had accepted it, then gets what came. */
static void give(struct ln_ice_mux *mux, ln_time now, const struct ln_mux_stream *from,
                 const struct ln_mux_link *listener, struct ln_bytes first, struct ln_bytes rest,
                 const struct ln_packet *packet)
{
    struct ln_ice_mux_member *member = listener->member;
    struct ln_answer opened = { .kind = LN_ANSWER_OPENED,
                                .id = listener->request,
                                .link = from->object.link,
                                .local = from->local,
                                .remote = from->remote,
                                .bytes = from->room };
    uint8_t frame[LN_ICE_TCP_HEAD + LN_ICE_UNWRAP_MAX];

    if (!ln_mux_give(member, opened.link)) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
        ln_mux_close_unwanted(mux, opened.link);
        return;
    }
    ln_store16(frame, (uint16_t)first.len);
    memcpy(frame + LN_ICE_TCP_HEAD, first.data, first.len);
    member->endpoint.ops->answer(member->endpoint.object, now, &opened);
    hand_up(member, now, packet, frame, LN_ICE_TCP_HEAD + first.len);
    hand_up(member, now, packet, (uint8_t *)(uintptr_t)rest.data, rest.len);
    ln_mux_stir(member);
}

void ln_mux_stream_receive(struct ln_ice_mux *mux, ln_time now, struct ln_mux_stream *stream,
                           struct ln_packet *packet)
{
    struct ln_bytes rest = { packet->data, packet->len }, first, ufrag;
    const struct ln_mux_link *listener = NULL;
    struct ln_mux_stream found;
    int result = ln_ice_tcp_frames_next(&stream->frames, &rest, &first);

    if (result == 0)
        return;
    if (result > 0 && ln_mux_read_ufrag(first.data, first.len, &ufrag))
        listener = ln_mux_link_of_ufrag(mux, stream->base, ufrag);
    if (!listener || listener->tell == LN_MUX_TELL_OPENED) {
        drop(mux, stream);
        return;
    }
    found = *stream;
    stream->frames.held = NULL; /* `first` may lie there */
    ln_mux_stream_free(mux, stream);
    give(mux, now, &found, listener, first, rest, packet);
    ln_ice_tcp_frames_deinit(&found.frames);
}

/* --- time ---------------------------------------------------------------------------------- */

void ln_mux_streams_on_timeout(struct ln_ice_mux *mux, ln_time now)
{
    while (ln_time_due(ln_mux_streams_next_timeout(mux), now))
        drop(mux, LN_CONTAINER(mux->streams.next, struct ln_mux_stream, in_all));
}

ln_time ln_mux_streams_next_timeout(const struct ln_ice_mux *mux)
{
    return ln_list_empty(&mux->streams)
               ? LN_TIME_NEVER
               : LN_CONTAINER(mux->streams.next, struct ln_mux_stream, in_all)->give_up_at;
}
