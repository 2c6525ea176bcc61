/* SPDX-License-Identifier: Apache-2.0
 * ChannelData messages (RFC 8656, 12.4 to 12.7) and how STUN and ChannelData follow one another on
 * a stream (RFC 8489, 6.2.2; RFC 8656, 3.5).
 *
 *   |  channel number (16)  |  length (16)  |  data ...  |  padding to a multiple of four  |
 *
 * The length counts the data alone. On a stream the padding is always there and is zero; in a
 * datagram it may be missing, and receivers ignore what follows the data. A STUN message is a
 * multiple of four bytes by itself, and its first two bits are zero; a channel's are 01. Anything
 * else begins no frame, and a stream that brings it is out of step for good.
 *
 * RFC 8656 leaves channels 0x4000 to 0x4FFF, RFC 5766 had 0x4000 to 0x7FFF: both are read here,
 * ln_channel_valid() is the newer. */
#ifndef LN_STUN_FRAMING_H
#define LN_STUN_FRAMING_H

#include "base/bytes.h"

#include <linnet/env.h>

#define LN_CHANNEL_MIN        0x4000u /* RFC 8656, 12 */
#define LN_CHANNEL_MAX        0x4FFFu
#define LN_CHANNEL_MAX_OLD    0x7FFFu /* RFC 5766, 11 */
#define LN_CHANNEL_HEADER_LEN 4u
#define LN_CHANNEL_DATA_MAX   65535u
#define LN_STUN_FRAME_PREFIX  4u                  /* bytes that tell a frame's length */
#define LN_STUN_FRAME_MAX     (20u + 65535u + 1u) /* the longest frame, a STUN message */

/* Whether the number may name a channel. */
static inline bool ln_channel_valid(uint16_t channel)
{
    return channel >= LN_CHANNEL_MIN && channel <= LN_CHANNEL_MAX;
}

/* Zero bytes that follow `len` bytes of data on a stream: 0 to 3. */
static inline size_t ln_channel_data_padding(size_t len)
{
    return (4 - len % 4) % 4;
}

/* What the frame that begins with these bytes takes on a stream, padding included: at least 4.
 * LN_ERR_AGAIN when there are fewer than LN_STUN_FRAME_PREFIX bytes, LN_ERR_MALFORMED when no frame
 * begins so. */
LN_NODISCARD int ln_stun_frame_length(const void *prefix, size_t len);

/* Writes the header of `len` (at most LN_CHANNEL_DATA_MAX) bytes of data on a valid channel. */
void ln_channel_data_write_header(uint8_t header[LN_CHANNEL_HEADER_LEN], uint16_t channel,
                                  size_t len);

/* Reads a ChannelData message: a datagram, or a frame of a stream. ret_payload borrows it. Returns
 * 0, or LN_ERR_MALFORMED (no channel number, or data that ends past the message) with both outputs
 * untouched. */
LN_NODISCARD int ln_channel_data_read(const void *data, size_t len, uint16_t *ret_channel,
                                      struct ln_bytes *ret_payload);

/* Cuts a stream into frames. A frame that lies whole in one piece is lent from there; one that is
 * split is collected in memory that exists only while it is incomplete. Zeroed but for the
 * allocator and the limit it is ready; ln_stun_stream_deinit() frees it. */
struct ln_stun_stream {
    struct ln_allocator *allocator; /* borrowed */
    size_t limit;                   /* the longest frame taken; at most LN_STUN_FRAME_MAX */
    uint8_t *held;                  /* the beginning of a frame */
    size_t len, cap;
    bool lent; /* `held` was handed out whole by the last call */
};

void ln_stun_stream_deinit(struct ln_stun_stream *stream);

/* The next frame, padding included. `piece` is what came and is shortened by what was used; call
 * again until 0. Returns 1 with ret_frame (borrowed until the next call, or as long as the piece is
 * there), 0 when the piece is used up, LN_ERR_MALFORMED, LN_ERR_LIMIT (a frame above the limit) or
 * LN_ERR_NOMEM; after an error the stream is to be closed. */
LN_NODISCARD int ln_stun_stream_next(struct ln_stun_stream *stream, struct ln_bytes *piece,
                                     struct ln_bytes *ret_frame);
/* Whether a frame has begun and is not complete. */
bool ln_stun_stream_inside(const struct ln_stun_stream *stream);

#endif
