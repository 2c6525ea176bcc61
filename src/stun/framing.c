/* SPDX-License-Identifier: Apache-2.0
 * ChannelData and frames on a stream (RFC 8656, 12.4 to 12.7; RFC 8489, 6.2.2).
 *
 * Memory for a split frame grows with what has arrived, not with what the prefix claims: a peer
 * that announces 65,535 bytes and sends four costs a few bytes. */
#include "stun/framing.h"

#include "base/alloc.h"
#include "stun/message.h"

#include <linnet/error.h>

#include <string.h>

#define HELD_MIN 256u

static bool begins_channel(uint8_t first)
{
    return (first & 0xc0) == 0x40;
}

int ln_stun_frame_length(const void *prefix, size_t len)
{
    const uint8_t *p = prefix;
    size_t value;

    if (len < LN_STUN_FRAME_PREFIX)
        return LN_ERR_AGAIN;
    value = ln_load16(p + 2);
    if ((p[0] & 0xc0) == 0) {
        if (value % 4 != 0)
            return LN_ERR_MALFORMED;
        return (int)(LN_STUN_HEADER_LEN + value);
    }
    if (!begins_channel(p[0]))
        return LN_ERR_MALFORMED;
    return (int)(LN_CHANNEL_HEADER_LEN + value + ln_channel_data_padding(value));
}

void ln_channel_data_write_header(uint8_t header[LN_CHANNEL_HEADER_LEN], uint16_t channel,
                                  size_t len)
{
    ln_store16(header, channel);
    ln_store16(header + 2, (uint16_t)len);
}

int ln_channel_data_read(const void *data, size_t len, uint16_t *ret_channel,
                         struct ln_bytes *ret_payload)
{
    struct ln_reader r;
    struct ln_bytes payload;
    uint16_t channel;

    ln_reader_init(&r, data, len);
    channel = ln_read16(&r);
    payload = ln_read_bytes(&r, ln_read16(&r));
    if (!r.ok || !begins_channel((uint8_t)(channel >> 8)))
        return LN_ERR_MALFORMED;
    *ret_channel = channel;
    *ret_payload = payload;
    return 0;
}

void ln_stun_stream_deinit(struct ln_stun_stream *stream)
{
    ln_free(stream->allocator, stream->held);
    stream->held = NULL;
    stream->len = stream->cap = 0;
    stream->lent = false;
}

bool ln_stun_stream_inside(const struct ln_stun_stream *stream)
{
    return stream->len > 0 && !stream->lent;
}

static void advance(struct ln_bytes *piece, size_t len)
{
    piece->data += len;
    piece->len -= len;
}

/* Takes up to `want - len` bytes of the piece behind what is held. */
static int collect(struct ln_stun_stream *stream, struct ln_bytes *piece, size_t want)
{
    size_t take = want - stream->len < piece->len ? want - stream->len : piece->len;

    if (stream->len + take > stream->cap) {
        size_t cap = stream->cap * 2 > stream->len + take ? stream->cap * 2 : stream->len + take;
        uint8_t *held;

        cap = cap > HELD_MIN ? cap : HELD_MIN;
        held = ln_realloc(stream->allocator, stream->held, cap);
        if (!held)
            return LN_ERR_NOMEM;
        stream->held = held;
        stream->cap = cap;
    }
    if (take > 0)
        memcpy(stream->held + stream->len, piece->data, take);
    stream->len += take;
    advance(piece, take);
    return 0;
}

/* The length of the frame that begins with these bytes, or an error, the limit's too. */
static int bounded_length(const struct ln_stun_stream *stream, const uint8_t *data, size_t len)
{
    int length = ln_stun_frame_length(data, len);

    return length > 0 && (size_t)length > stream->limit ? LN_ERR_LIMIT : length;
}

/* Goes on with a frame that began in an earlier piece. */
static int next_held(struct ln_stun_stream *stream, struct ln_bytes *piece,
                     struct ln_bytes *ret_frame)
{
    int length, error;

    if (stream->len < LN_STUN_FRAME_PREFIX) {
        error = collect(stream, piece, LN_STUN_FRAME_PREFIX);
        if (error)
            return error;
    }
    length = bounded_length(stream, stream->held, stream->len);
    if (length < 0)
        return length == LN_ERR_AGAIN ? 0 : length;
    error = collect(stream, piece, (size_t)length);
    if (error)
        return error;
    if (stream->len < (size_t)length)
        return 0;
    stream->lent = true;
    *ret_frame = (struct ln_bytes){ stream->held, stream->len };
    return 1;
}

int ln_stun_stream_next(struct ln_stun_stream *stream, struct ln_bytes *piece,
                        struct ln_bytes *ret_frame)
{
    int length;

    if (stream->lent)
        ln_stun_stream_deinit(stream);
    if (stream->len > 0)
        return next_held(stream, piece, ret_frame);
    if (piece->len == 0)
        return 0;
    length = bounded_length(stream, piece->data, piece->len);
    if (length == LN_ERR_AGAIN || (length > 0 && (size_t)length > piece->len))
        return collect(stream, piece, piece->len);
    if (length < 0)
        return length;
    *ret_frame = (struct ln_bytes){ piece->data, (size_t)length };
    advance(piece, (size_t)length);
    return 1;
}
