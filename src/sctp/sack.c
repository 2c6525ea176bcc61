/* SPDX-License-Identifier: Apache-2.0
 *
 *   | cumulative TSN | a_rwnd | number of gap blocks 16 | number of duplicates 16 |
 *   | start 16 | end 16 | ... counted from the cumulative TSN
 *   | duplicate TSN | ...                                          (RFC 9260, 3.3.4) */
#include "sctp/sack.h"

#include "base/time.h"
#include "sctp/packet.h"
#include "sctp/tsn.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define SACK_HEAD_BYTES  16u
#define RANGES_MAX       4096u
#define PACKETS_PER_SACK 2u

void ln_received_init(struct ln_received *received, struct ln_allocator *allocator,
                      uint64_t first_tsn)
{
    memset(received, 0, sizeof *received);
    received->cumulative = first_tsn - 1;
    received->delay_until = LN_TIME_NEVER;
    ln_ranges_init(&received->above, allocator, RANGES_MAX);
}

void ln_received_deinit(struct ln_received *received)
{
    ln_ranges_deinit(&received->above);
}

enum ln_arrival ln_received_classify(const struct ln_received *received, uint64_t tsn)
{
    if (tsn <= received->cumulative)
        return LN_ARRIVAL_DUPLICATE;
    if (tsn - received->cumulative > LN_TSN_AHEAD_MAX)
        return LN_ARRIVAL_TOO_FAR;
    if (received->above.count > 0 && ln_ranges_contain(&received->above, tsn))
        return LN_ARRIVAL_DUPLICATE;
    return LN_ARRIVAL_NEW;
}

int ln_received_reserve(struct ln_received *received, uint64_t tsn)
{
    int error;

    if (tsn == received->cumulative + 1)
        return 0;
    error = ln_ranges_reserve(&received->above);
    /* What only makes a range longer needs no room. */
    if (error && (ln_ranges_contain(&received->above, tsn - 1) ||
                  ln_ranges_contain(&received->above, tsn + 1)))
        return 0;
    return error;
}

/* Moves the cumulative point over what follows it without a hole. */
static void absorb(struct ln_received *received)
{
    if (received->above.count > 0 && received->above.items[0].first <= received->cumulative + 1) {
        if (received->above.items[0].last > received->cumulative)
            received->cumulative = received->above.items[0].last;
        ln_ranges_remove_to(&received->above, received->cumulative);
    }
}

void ln_received_add(struct ln_received *received, uint64_t tsn)
{
    received->packet_has_data = true;
    if (tsn == received->cumulative + 1) {
        received->cumulative = tsn;
        if (received->above.count > 0) {
            absorb(received);
            received->due = true; /* a hole was filled (RFC 9260, 6.7) */
        }
        return;
    }
    ln_ranges_add(&received->above, tsn, tsn);
    received->due = true; /* a hole: the sender shall know at once */
}

void ln_received_note_duplicate(struct ln_received *received, uint32_t wire_tsn)
{
    received->packet_has_data = true;
    received->due = true;
    if (received->duplicate_count < LN_DUPLICATES_MAX)
        received->duplicates[received->duplicate_count++] = wire_tsn;
}

void ln_received_skip_to(struct ln_received *received, uint64_t tsn)
{
    received->due = true;
    if (tsn <= received->cumulative)
        return;
    received->cumulative = tsn;
    ln_ranges_remove_to(&received->above, tsn);
    absorb(received);
}

void ln_received_packet_end(struct ln_received *received, ln_time now, ln_duration delay,
                            bool immediate)
{
    if (!received->packet_has_data)
        return;
    received->packet_has_data = false;
    received->packets++;
    if (immediate || received->packets >= PACKETS_PER_SACK || received->above.count > 0)
        received->due = true;
    if (received->delay_until == LN_TIME_NEVER)
        received->delay_until = ln_time_add(now, delay);
}

bool ln_sack_write(struct ln_received *received, struct ln_writer *w, uint32_t window)
{
    size_t room = ln_writer_room(w), blocks = received->above.count,
           duplicates = received->duplicate_count, at;

    if (room < SACK_HEAD_BYTES)
        return false;
    room = (room - SACK_HEAD_BYTES) / 4;
    if (blocks > LN_GAP_BLOCKS_MAX)
        blocks = LN_GAP_BLOCKS_MAX;
    if (blocks > room)
        blocks = room;
    if (duplicates > room - blocks)
        duplicates = room - blocks;
    at = ln_chunk_begin(w, LN_CHUNK_SACK, 0);
    ln_write32(w, (uint32_t)received->cumulative);
    ln_write32(w, window);
    ln_write16(w, (uint16_t)blocks);
    ln_write16(w, (uint16_t)duplicates);
    for (size_t i = 0; i < blocks; i++) {
        ln_write16(w, (uint16_t)(received->above.items[i].first - received->cumulative));
        ln_write16(w, (uint16_t)(received->above.items[i].last - received->cumulative));
    }
    for (size_t i = 0; i < duplicates; i++)
        ln_write32(w, received->duplicates[i]);
    ln_chunk_finish(w, at);
    received->duplicate_count = 0;
    received->packets = 0;
    received->due = false;
    received->delay_until = LN_TIME_NEVER;
    return true;
}

int ln_sack_read(struct ln_bytes value, uint64_t cumulative_reference, uint64_t next,
                 struct ln_sack *ret_sack)
{
    uint16_t blocks, duplicates;
    uint64_t last;
    struct ln_reader r;

    ln_reader_init(&r, value.data, value.len);
    ret_sack->cumulative = ln_tsn_widen(cumulative_reference, ln_read32(&r));
    ret_sack->window = ln_read32(&r);
    blocks = ln_read16(&r);
    duplicates = ln_read16(&r);
    if (!r.ok || ln_reader_left(&r) < ((size_t)blocks + duplicates) * 4)
        return LN_ERR_MALFORMED;
    ret_sack->block_count = ret_sack->duplicate_count = 0;
    last = ret_sack->cumulative + 1;
    for (unsigned i = 0; i < blocks; i++) {
        uint64_t first = ret_sack->cumulative + ln_read16(&r);
        uint64_t end = ret_sack->cumulative + ln_read16(&r);

        if (first > end || first <= last || end >= next ||
            ret_sack->block_count == LN_GAP_BLOCKS_MAX)
            continue;
        ret_sack->blocks[ret_sack->block_count++] = (struct ln_range){ first, end };
        last = end;
    }
    for (unsigned i = 0; i < duplicates && i < LN_DUPLICATES_MAX; i++)
        ret_sack->duplicates[ret_sack->duplicate_count++] = ln_read32(&r);
    return 0;
}
