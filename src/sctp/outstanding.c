/* SPDX-License-Identifier: Apache-2.0
 * RFC 9260, 6.2.1 and 6.3.1; RFC 3758, 3.5.
 *
 * Invariants: in_flight_bytes is the sum of len over IN_FLIGHT slots; lost_count and
 * abandoned_count count theirs; a message's fragments have ascending TSNs, without interleaving
 * consecutive ones. */
#include "sctp/outstanding.h"

#include "base/alloc.h"
#include "sctp/packet.h"
#include "sctp/tsn.h"

#include <assert.h>
#include <string.h>

#define FIRST_CAPACITY   32u
#define CAPACITY_MAX     (1u << 20)
#define ACKED_RANGES_MAX 4096u

void ln_outstanding_init(struct ln_outstanding *o, struct ln_allocator *allocator,
                         struct ln_send_queue *queue, uint64_t first_tsn)
{
    memset(o, 0, sizeof *o);
    o->allocator = allocator;
    o->queue = queue;
    o->first = o->next = o->lost_from = o->rtt_from = first_tsn;
    o->told_to = UINT64_MAX;
    ln_ranges_init(&o->acked, allocator, ACKED_RANGES_MAX);
}

/* The list of those resent and in flight. A neighbour's whole TSN is the one nearest to `first`. */

static uint64_t whole(const struct ln_outstanding *o, uint32_t tsn)
{
    return ln_tsn_widen(o->first, tsn);
}

static void link_resent(struct ln_outstanding *o, uint64_t tsn, struct ln_slot *slot)
{
    slot->older = (uint32_t)o->newest_resent;
    if (o->newest_resent)
        ln_outstanding_slot(o, o->newest_resent)->newer = (uint32_t)tsn;
    else
        o->oldest_resent = tsn;
    o->newest_resent = tsn;
}

static void unlink_resent(struct ln_outstanding *o, uint64_t tsn, const struct ln_slot *slot)
{
    uint64_t older = tsn == o->oldest_resent ? 0 : whole(o, slot->older);
    uint64_t newer = tsn == o->newest_resent ? 0 : whole(o, slot->newer);

    if (older)
        ln_outstanding_slot(o, older)->newer = (uint32_t)newer;
    else
        o->oldest_resent = newer;
    if (newer)
        ln_outstanding_slot(o, newer)->older = (uint32_t)older;
    else
        o->newest_resent = older;
}

uint64_t ln_outstanding_newer_resent(const struct ln_outstanding *o, uint64_t tsn)
{
    return tsn == o->newest_resent ? 0 : whole(o, ln_outstanding_slot(o, tsn)->newer);
}

/* An IN_FLIGHT slot is about to be something else. */
static void leave_flight(struct ln_outstanding *o, uint64_t tsn, const struct ln_slot *slot)
{
    o->in_flight_bytes -= slot->len;
    if (slot->transmits > 1)
        unlink_resent(o, tsn, slot);
}

static void drop_first(struct ln_outstanding *o)
{
    struct ln_slot *slot = ln_outstanding_slot(o, o->first);

    if (slot->state == LN_SLOT_IN_FLIGHT)
        leave_flight(o, o->first, slot);
    else if (slot->state == LN_SLOT_LOST)
        o->lost_count--;
    else if (slot->state == LN_SLOT_ACKED)
        o->gap_acked_count--;
    else if (slot->state == LN_SLOT_ABANDONED)
        o->abandoned_count--;
    ln_send_queue_release(o->queue, slot->part);
    o->first++;
}

void ln_outstanding_deinit(struct ln_outstanding *o)
{
    while (!ln_outstanding_empty(o))
        drop_first(o);
    ln_free(o->allocator, o->slots);
    o->slots = NULL;
    o->capacity = 0;
    ln_ranges_deinit(&o->acked);
}

void ln_outstanding_trim(struct ln_outstanding *o)
{
    if (!ln_outstanding_empty(o))
        return;
    ln_free(o->allocator, o->slots);
    o->slots = NULL;
    o->capacity = 0;
}

int ln_outstanding_reserve(struct ln_outstanding *o)
{
    size_t capacity = o->capacity ? o->capacity * 2 : FIRST_CAPACITY;
    struct ln_slot *slots;

    if (o->next - o->first < o->capacity)
        return 0;
    if (capacity > CAPACITY_MAX)
        return LN_ERR_LIMIT;
    slots = ln_alloc(o->allocator, capacity * sizeof *slots);
    if (!slots)
        return LN_ERR_NOMEM;
    for (uint64_t tsn = o->first; tsn < o->next; tsn++)
        slots[tsn & (capacity - 1)] = *ln_outstanding_slot(o, tsn);
    ln_free(o->allocator, o->slots);
    o->slots = slots;
    o->capacity = capacity;
    return 0;
}

uint64_t ln_outstanding_push(struct ln_outstanding *o, struct ln_outgoing *message, size_t len,
                             ln_time now)
{
    struct ln_slot *slot = ln_outstanding_slot(o, o->next);

    assert(o->next - o->first < o->capacity && len > 0 && len <= UINT16_MAX);
    slot->part = message->sending;
    slot->sent_at = now;
    slot->offset = slot->part->assigned;
    slot->fsn = message->next_fsn++;
    slot->len = (uint16_t)len;
    slot->transmits = 1;
    slot->flags = (uint8_t)((message->begun ? 0 : LN_DATA_BEGIN) |
                            (len == message->unsent && !message->open ? LN_DATA_END : 0) |
                            (message->unordered ? LN_DATA_UNORDERED : 0));
    slot->state = LN_SLOT_IN_FLIGHT;
    slot->misses = 0;
    if (!message->begun)
        message->first_tsn = o->next;
    o->in_flight_bytes += len;
    ln_send_queue_assign(o->queue, message, len);
    return o->next++;
}

/* Sooner than any answer can come: it was an earlier copy that arrived. */
static bool too_early(const struct ln_outstanding *o, const struct ln_slot *slot, ln_time now)
{
    return slot->transmits > 1 && now - slot->sent_at < o->min_rtt - o->min_rtt / 4;
}

static void note_newest(struct ln_outstanding *o, uint64_t tsn, const struct ln_slot *slot,
                        ln_time now, struct ln_ack *ack)
{
    if (slot->sent_at < ack->newest_sent ||
        (slot->sent_at == ack->newest_sent && tsn < ack->newest_tsn))
        return;
    ack->newest_sent = slot->sent_at;
    ack->newest_tsn = tsn;
    if (slot->transmits > 1)
        return; /* Karn: never of a resent one */
    ack->latest_rtt = now > slot->sent_at ? now - slot->sent_at : 1;
    if (tsn >= o->rtt_from)
        ack->rtt = ack->latest_rtt;
}

/* Counts one acknowledged slot. */
static void count_acked(struct ln_outstanding *o, uint64_t tsn, const struct ln_slot *slot,
                        ln_time now, struct ln_ack *ack)
{
    if (slot->state != LN_SLOT_IN_FLIGHT && slot->state != LN_SLOT_LOST)
        return;
    ack->acked_bytes += slot->len;
    if (tsn > ack->highest)
        ack->highest = tsn;
    if (slot->transmits == 1 && tsn < o->highest_acked)
        ack->reordered = true;
    if (slot->state == LN_SLOT_LOST && slot->transmits == 1)
        ln_spurious_not_lost(&o->spurious);
    if (too_early(o, slot, now))
        ln_spurious_in_vain(&o->spurious, (uint32_t)tsn);
    else
        note_newest(o, tsn, slot, now, ack);
}

static void ack_cumulative(struct ln_outstanding *o, uint64_t cumulative, ln_time now,
                           struct ln_ack *ack)
{
    ack->advanced = cumulative >= o->first;
    while (o->first <= cumulative) {
        count_acked(o, o->first, ln_outstanding_slot(o, o->first), now, ack);
        drop_first(o);
    }
    ln_ranges_remove_to(&o->acked, cumulative);
}

static void ack_gap(struct ln_outstanding *o, uint64_t first, uint64_t last, ln_time now,
                    struct ln_ack *ack)
{
    for (uint64_t tsn = first; tsn <= last; tsn++) {
        struct ln_slot *slot = ln_outstanding_slot(o, tsn);

        count_acked(o, tsn, slot, now, ack);
        if (slot->state == LN_SLOT_IN_FLIGHT)
            leave_flight(o, tsn, slot);
        else if (slot->state == LN_SLOT_LOST)
            o->lost_count--;
        else
            continue;
        slot->state = LN_SLOT_ACKED;
        o->gap_acked_count++;
    }
}

/* Acknowledges those of a block that no block named before. */
static void ack_block(struct ln_outstanding *o, struct ln_range block, ln_time now,
                      struct ln_ack *ack)
{
    uint64_t from = block.first;

    for (size_t i = ln_ranges_find(&o->acked, from); from <= block.last; i++) {
        if (i >= o->acked.count || o->acked.items[i].first > block.last) {
            ack_gap(o, from, block.last, now, ack);
            break;
        }
        if (from < o->acked.items[i].first)
            ack_gap(o, from, o->acked.items[i].first - 1, now, ack);
        from = o->acked.items[i].last + 1;
    }
    ln_ranges_add(&o->acked, block.first, block.last);
}

/* Nothing below the first hole can stand in a gap block: the peer took its word back. */
static void take_back(struct ln_outstanding *o)
{
    ln_ranges_clear(&o->acked);
    for (uint64_t tsn = o->first; tsn < o->next; tsn++) {
        struct ln_slot *slot = ln_outstanding_slot(o, tsn);

        if (slot->state == LN_SLOT_ACKED) {
            slot->state = LN_SLOT_LOST;
            o->lost_count++;
        }
    }
    o->gap_acked_count = 0;
    o->lost_from = o->first;
}

void ln_outstanding_ack(struct ln_outstanding *o, uint64_t cumulative,
                        const struct ln_range *blocks, size_t count, ln_time now,
                        struct ln_ack *ret_ack)
{
    struct ln_ack ack;

    memset(&ack, 0, sizeof ack);
    ack.cumulative = cumulative;
    assert(cumulative < o->next && cumulative + 1 >= o->first);
    ack_cumulative(o, cumulative, now, &ack);
    for (size_t i = 0; i < count; i++) {
        struct ln_range block = blocks[i];

        if (block.first <= o->first || block.last >= o->next || block.first > block.last)
            continue;
        if (ln_ranges_reserve(&o->acked) != 0)
            break; /* the peer will say it again */
        ack_block(o, block, now, &ack);
    }
    if (!ln_outstanding_empty(o) && ln_outstanding_slot(o, o->first)->state == LN_SLOT_ACKED)
        take_back(o);
    if (ack.rtt > 0)
        o->rtt_from = o->next;
    if (ack.latest_rtt > 0 && (o->min_rtt == 0 || ack.latest_rtt < o->min_rtt))
        o->min_rtt = ack.latest_rtt;
    if (ack.highest > o->highest_acked)
        o->highest_acked = ack.highest;
    *ret_ack = ack;
}

void ln_outstanding_lose(struct ln_outstanding *o, uint64_t tsn)
{
    struct ln_slot *slot = ln_outstanding_slot(o, tsn);

    assert(slot->state == LN_SLOT_IN_FLIGHT);
    leave_flight(o, tsn, slot);
    slot->state = LN_SLOT_LOST;
    slot->misses = 0;
    o->lost_bytes += slot->len;
    o->lost_count++;
    if (tsn < o->lost_from)
        o->lost_from = tsn;
}

void ln_outstanding_lose_all(struct ln_outstanding *o)
{
    o->untold_bytes = 0;
    for (uint64_t tsn = o->first; tsn < o->next; tsn++)
        if (ln_outstanding_slot(o, tsn)->state == LN_SLOT_IN_FLIGHT)
            ln_outstanding_lose(o, tsn);
}

void ln_outstanding_find_again(struct ln_outstanding *o)
{
    for (uint64_t tsn = o->first; tsn < o->next && o->lost_count > 0; tsn++) {
        struct ln_slot *slot = ln_outstanding_slot(o, tsn);

        if (slot->state != LN_SLOT_LOST || slot->transmits > 1)
            continue;
        slot->state = LN_SLOT_IN_FLIGHT;
        o->in_flight_bytes += slot->len;
        o->lost_count--;
    }
}

uint64_t ln_outstanding_last_in_flight(const struct ln_outstanding *o)
{
    for (uint64_t tsn = o->next; tsn > o->first; tsn--)
        if (ln_outstanding_slot(o, tsn - 1)->state == LN_SLOT_IN_FLIGHT)
            return tsn - 1;
    return 0;
}

uint64_t ln_outstanding_next_lost(struct ln_outstanding *o)
{
    if (o->lost_count == 0) {
        o->lost_from = o->next;
        return 0;
    }
    if (o->lost_from < o->first)
        o->lost_from = o->first;
    while (ln_outstanding_slot(o, o->lost_from)->state != LN_SLOT_LOST) {
        o->lost_from++;
        assert(o->lost_from < o->next);
    }
    return o->lost_from;
}

void ln_outstanding_resent(struct ln_outstanding *o, uint64_t tsn, ln_time now)
{
    struct ln_slot *slot = ln_outstanding_slot(o, tsn);

    assert(slot->state == LN_SLOT_LOST);
    slot->state = LN_SLOT_IN_FLIGHT;
    slot->sent_at = now;
    slot->misses = 0;
    if (slot->transmits < UINT16_MAX)
        slot->transmits++;
    o->lost_count--;
    o->in_flight_bytes += slot->len;
    link_resent(o, tsn, slot);
    ln_spurious_resent(&o->spurious, (uint32_t)tsn);
}

static void abandon_slot(struct ln_outstanding *o, uint64_t tsn, struct ln_slot *slot)
{
    if (slot->state == LN_SLOT_IN_FLIGHT)
        leave_flight(o, tsn, slot);
    else if (slot->state == LN_SLOT_LOST)
        o->lost_count--;
    else if (slot->state == LN_SLOT_ACKED)
        o->gap_acked_count--;
    else if (slot->state == LN_SLOT_ABANDONED)
        return;
    slot->state = LN_SLOT_ABANDONED;
    o->abandoned_count++;
}

/* The unsent rest takes a TSN of its own, so that the peer learns that the message has ended even
 * if it has acknowledged every fragment sent. */
static void push_rest(struct ln_outstanding *o, struct ln_outgoing *message)
{
    struct ln_slot *slot = ln_outstanding_slot(o, o->next);

    assert(o->next - o->first < o->capacity);
    memset(slot, 0, sizeof *slot);
    slot->transmits = 1;
    slot->flags = (uint8_t)(LN_DATA_END | (message->unordered ? LN_DATA_UNORDERED : 0));
    slot->state = LN_SLOT_ABANDONED;
    o->abandoned_count++;
    slot->part = ln_send_queue_give_up_rest(o->queue, message);
    o->next++;
}

void ln_outstanding_abandon(struct ln_outstanding *o, struct ln_outgoing *message)
{
    uint64_t tsn = message->first_tsn > o->first ? message->first_tsn : o->first;
    uint32_t left = message->fragments;

    assert(message->begun && !message->abandoned);
    message->abandoned = true;
    o->queue->abandoned++;
    for (; tsn < o->next && left > 0; tsn++) {
        struct ln_slot *slot = ln_outstanding_slot(o, tsn);

        if (slot->part->message != message)
            continue;
        abandon_slot(o, tsn, slot);
        left--;
    }
    if (!message->out)
        push_rest(o, message);
}

uint64_t ln_outstanding_advance(const struct ln_outstanding *o)
{
    uint64_t tsn = o->first;

    if (o->abandoned_count == 0)
        return o->first - 1;
    while (tsn < o->next && ln_outstanding_slot(o, tsn)->state == LN_SLOT_ABANDONED)
        tsn++;
    return tsn - 1;
}
