/* SPDX-License-Identifier: Apache-2.0
 * Received packets kept by sequence number: a ring of slots that grows with the spread of the
 * sequence numbers up to a limit.
 *
 * Invariant: all kept packets lie in [low, low + capacity), each in the slot of its low bits. */
#ifndef LN_RTP_PACKET_RING_H
#define LN_RTP_PACKET_RING_H

#include "base/pool.h"
#include "rtp/vp8.h"

#include <linnet/frame.h>

/* One received packet, headers taken off. */
struct ln_jitter_packet {
    int64_t sequence;  /* unwrapped */
    int64_t timestamp; /* unwrapped */
    ln_time arrival;
    bool marker;
    bool repaired; /* came by retransmission */
    enum ln_codec codec;
    uint8_t encoding;
    int8_t audio_level_dbov; /* 1: not known */
    bool has_rotation;
    uint16_t rotation;
    struct ln_vp8_descriptor vp8; /* video */
    bool key, starts, padding;    /* key: starts a key frame; padding: nothing in it */
    struct ln_bytes payload;      /* behind the descriptor; lies in `buffer` */
    struct ln_buffer *buffer;     /* NULL: the slot is free */
};

struct ln_packet_ring {
    struct ln_allocator *allocator;
    struct ln_jitter_packet *slots;
    size_t capacity, limit; /* powers of two; capacity 0 at first */
    size_t count;
    int64_t low, high; /* kept packets lie between, both included; meaningless when count is 0 */
};

void ln_packet_ring_init(struct ln_packet_ring *ring, struct ln_allocator *allocator, size_t limit);
void ln_packet_ring_deinit(struct ln_packet_ring *ring);

/* Takes over packet->buffer's reference. Returns 0, LN_ERR_REPLAY (already there), LN_ERR_LIMIT
 * (the spread would pass the limit) or LN_ERR_NOMEM; the reference stays with the caller then. */
LN_NODISCARD int ln_packet_ring_insert(struct ln_packet_ring *ring,
                                       const struct ln_jitter_packet *packet);
struct ln_jitter_packet *ln_packet_ring_get(const struct ln_packet_ring *ring, int64_t sequence);
void ln_packet_ring_remove(struct ln_packet_ring *ring, int64_t sequence);
/* Drops all packets below `sequence`. */
void ln_packet_ring_remove_below(struct ln_packet_ring *ring, int64_t sequence);
void ln_packet_ring_clear(struct ln_packet_ring *ring);

#endif
