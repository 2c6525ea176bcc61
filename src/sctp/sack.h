/* SPDX-License-Identifier: Apache-2.0
 * Which TSNs arrived, and when to say so (RFC 9260, 6.2; RFC 7053). Every second packet with data
 * makes a SACK due, any irregularity at once, else the delay; packets received before it is written
 * share one SACK. */
#ifndef LN_SCTP_SACK_H
#define LN_SCTP_SACK_H

#include "sctp/ranges.h"

#include "base/bytes.h"

#define LN_DUPLICATES_MAX 32u
/* Gap blocks count from the cumulative TSN with 16 bits. */
#define LN_TSN_AHEAD_MAX 65535u

enum ln_arrival { LN_ARRIVAL_NEW, LN_ARRIVAL_DUPLICATE, LN_ARRIVAL_TOO_FAR };

struct ln_received {
    uint64_t cumulative;
    struct ln_ranges above; /* received beyond a hole */
    uint32_t duplicates[LN_DUPLICATES_MAX];
    size_t duplicate_count;
    unsigned packets; /* with data, since the last SACK */
    bool packet_has_data;
    bool due;            /* write a SACK with the next packet */
    ln_time delay_until; /* NEVER: nothing to acknowledge */
};

void ln_received_init(struct ln_received *received, struct ln_allocator *allocator,
                      uint64_t first_tsn);
void ln_received_deinit(struct ln_received *received);

enum ln_arrival ln_received_classify(const struct ln_received *received, uint64_t tsn);
/* Room for one more hole. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_received_reserve(struct ln_received *received, uint64_t tsn);
void ln_received_add(struct ln_received *received, uint64_t tsn); /* after reserve */
void ln_received_note_duplicate(struct ln_received *received, uint32_t wire_tsn);
/* FORWARD TSN: everything up to it counts as received. */
void ln_received_skip_to(struct ln_received *received, uint64_t tsn);

/* Something with data was in the packet now ending (immediate: the I bit). */
void ln_received_packet_end(struct ln_received *received, ln_time now, ln_duration delay,
                            bool immediate);

/* Writes the chunk with as many gap blocks and duplicates as fit, and counts as said. Returns false
 * and writes nothing when there is no room. */
bool ln_sack_write(struct ln_received *received, struct ln_writer *w, uint32_t window);

/* A received SACK. */
#define LN_GAP_BLOCKS_MAX 512u
struct ln_sack {
    uint64_t cumulative;
    uint32_t window;
    size_t block_count, duplicate_count;
    uint32_t duplicates[LN_DUPLICATES_MAX];    /* the first of them */
    struct ln_range blocks[LN_GAP_BLOCKS_MAX]; /* ascending, disjoint, in range */
};
/* cumulative_reference widens TSNs. Blocks that are reversed, out of order or beyond `next` are
 * left out. Returns 0 or LN_ERR_MALFORMED. */
LN_NODISCARD int ln_sack_read(struct ln_bytes value, uint64_t cumulative_reference, uint64_t next,
                              struct ln_sack *ret_sack);

#endif
