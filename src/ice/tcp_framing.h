/* SPDX-License-Identifier: Apache-2.0
 * Packets on a stream (RFC 4571, 2; RFC 6544, 7.1): checks, DTLS and media alike.
 *
 *   |  length (16, big-endian)  |  one packet of `length` bytes  |
 *
 * A length of 0 carries nothing and is passed over. There is no way back into step: whoever sends a
 * frame above the limit has broken the stream. */
#ifndef LN_ICE_TCP_FRAMING_H
#define LN_ICE_TCP_FRAMING_H

#include "base/bytes.h"

#include <linnet/env.h>

#define LN_ICE_TCP_HEAD 2u

/* Cuts a stream into packets. One that lies whole in a piece is lent from there; one that is split
 * is collected in memory that exists only while it is incomplete. Zeroed but for the allocator and
 * the limit it is ready. */
struct ln_ice_tcp_frames {
    struct ln_allocator *allocator; /* borrowed */
    size_t limit;                   /* bytes of the longest packet taken */
    uint8_t *held;                  /* the packet that is incomplete */
    size_t want, len;               /* its bytes in all, and those that are there */
    uint8_t head[LN_ICE_TCP_HEAD];
    uint8_t head_len;
    bool lent; /* `held` was handed out by the last call */
};

void ln_ice_tcp_frames_deinit(struct ln_ice_tcp_frames *frames);

/* The next packet. `piece` is what came and is shortened by what was used; call again until 0.
 * Returns 1 with ret_packet (borrowed until the next call, or as long as the piece is there), 0
 * when the piece is used up, LN_ERR_LIMIT or LN_ERR_NOMEM; after an error the stream is to be
 * closed. */
LN_NODISCARD int ln_ice_tcp_frames_next(struct ln_ice_tcp_frames *frames, struct ln_bytes *piece,
                                        struct ln_bytes *ret_packet);

#endif
