/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet_ring.h"

#include "base/alloc.h"

#include <string.h>

#define CAPACITY_FIRST 32u

void ln_packet_ring_init(struct ln_packet_ring *ring, struct ln_allocator *allocator, size_t limit)
{
    memset(ring, 0, sizeof *ring);
    ring->allocator = allocator;
    ring->limit = limit;
}

void ln_packet_ring_deinit(struct ln_packet_ring *ring)
{
    ln_packet_ring_clear(ring);
    ln_free(ring->allocator, ring->slots);
    ring->slots = NULL;
    ring->capacity = 0;
}

static struct ln_jitter_packet *slot_of(const struct ln_packet_ring *ring, int64_t sequence)
{
    return &ring->slots[(uint64_t)sequence & (ring->capacity - 1)];
}

struct ln_jitter_packet *ln_packet_ring_get(const struct ln_packet_ring *ring, int64_t sequence)
{
    struct ln_jitter_packet *slot;

    if (ring->count == 0)
        return NULL;
    slot = slot_of(ring, sequence);
    return slot->buffer && slot->sequence == sequence ? slot : NULL;
}

static int grow(struct ln_packet_ring *ring, size_t spread)
{
    size_t capacity = ring->capacity ? ring->capacity : CAPACITY_FIRST;
    struct ln_jitter_packet *old = ring->slots, *slots;
    size_t old_capacity = ring->capacity;

    while (capacity < spread)
        capacity *= 2;
    if (capacity == ring->capacity)
        return 0;
    slots = ln_alloc_array(ring->allocator, capacity, sizeof *slots);
    if (!slots)
        return LN_ERR_NOMEM;
    ring->slots = slots;
    ring->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].buffer)
            *slot_of(ring, old[i].sequence) = old[i];
    ln_free(ring->allocator, old);
    return 0;
}

int ln_packet_ring_insert(struct ln_packet_ring *ring, const struct ln_jitter_packet *packet)
{
    int64_t low = packet->sequence, high = packet->sequence;
    int error;

    if (ln_packet_ring_get(ring, packet->sequence))
        return LN_ERR_REPLAY;
    if (ring->count > 0) {
        low = ring->low < low ? ring->low : low;
        high = ring->high > high ? ring->high : high;
    }
    if (high - low >= (int64_t)ring->limit)
        return LN_ERR_LIMIT;
    error = grow(ring, (size_t)(high - low + 1));
    if (error)
        return error;
    *slot_of(ring, packet->sequence) = *packet;
    ring->low = low;
    ring->high = high;
    ring->count++;
    return 0;
}

void ln_packet_ring_remove(struct ln_packet_ring *ring, int64_t sequence)
{
    struct ln_jitter_packet *slot = ln_packet_ring_get(ring, sequence);

    if (!slot)
        return;
    ln_buffer_unref(slot->buffer);
    slot->buffer = NULL;
    ring->count--;
    while (ring->count > 0 && !ln_packet_ring_get(ring, ring->low))
        ring->low++;
    while (ring->count > 0 && !ln_packet_ring_get(ring, ring->high))
        ring->high--;
}

void ln_packet_ring_remove_below(struct ln_packet_ring *ring, int64_t sequence)
{
    while (ring->count > 0 && ring->low < sequence)
        ln_packet_ring_remove(ring, ring->low);
}

void ln_packet_ring_clear(struct ln_packet_ring *ring)
{
    while (ring->count > 0)
        ln_packet_ring_remove(ring, ring->low);
}
