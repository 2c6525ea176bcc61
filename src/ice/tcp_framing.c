/* SPDX-License-Identifier: Apache-2.0
 * Cutting a stream into packets (RFC 4571, 2). */
#include "ice/tcp_framing.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

void ln_ice_tcp_frames_deinit(struct ln_ice_tcp_frames *frames)
{
    ln_free(frames->allocator, frames->held);
    frames->held = NULL;
    frames->want = frames->len = 0;
    frames->lent = false;
}

static const uint8_t *take(struct ln_bytes *piece, size_t len)
{
    const uint8_t *data = piece->data;

    piece->data += len;
    piece->len -= len;
    return data;
}

/* The length of the next packet that is not empty. 1, or 0 when the piece ends before. */
static int read_head(struct ln_ice_tcp_frames *frames, struct ln_bytes *piece)
{
    while (piece->len > 0) {
        frames->head[frames->head_len++] = *take(piece, 1);
        if (frames->head_len < LN_ICE_TCP_HEAD)
            continue;
        frames->head_len = 0;
        frames->want = ln_load16(frames->head);
        if (frames->want > 0)
            return 1;
    }
    return 0;
}

/* The beginning of a packet, or more of it. */
static int collect(struct ln_ice_tcp_frames *frames, struct ln_bytes *piece,
                   struct ln_bytes *ret_packet)
{
    size_t more = frames->want - frames->len < piece->len ? frames->want - frames->len : piece->len;

    if (!frames->held && !(frames->held = ln_alloc(frames->allocator, frames->want)))
        return LN_ERR_NOMEM;
    if (more > 0)
        memcpy(frames->held + frames->len, take(piece, more), more);
    frames->len += more;
    if (frames->len < frames->want)
        return 0;
    frames->lent = true;
    *ret_packet = (struct ln_bytes){ frames->held, frames->len };
    return 1;
}

int ln_ice_tcp_frames_next(struct ln_ice_tcp_frames *frames, struct ln_bytes *piece,
                           struct ln_bytes *ret_packet)
{
    if (frames->lent)
        ln_ice_tcp_frames_deinit(frames);
    if (frames->want == 0 && !read_head(frames, piece))
        return 0;
    if (frames->want > frames->limit)
        return LN_ERR_LIMIT;
    if (frames->held || piece->len < frames->want)
        return piece->len > 0 ? collect(frames, piece, ret_packet) : 0;
    *ret_packet = (struct ln_bytes){ take(piece, frames->want), frames->want };
    frames->want = 0;
    return 1;
}
