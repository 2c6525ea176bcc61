/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/history.h"

#include "base/alloc.h"

#include <string.h>

#define CAPACITY_FIRST 64u
#define RECENT         16u

void ln_history_init(struct ln_history *h, struct ln_allocator *allocator, ln_duration age)
{
    memset(h, 0, sizeof *h);
    h->allocator = allocator;
    h->age = age;
}

static struct ln_history_entry *slot(const struct ln_history *h, uint16_t sequence)
{
    return &h->entries[sequence & (h->capacity - 1)];
}

struct ln_history_entry *ln_history_find(struct ln_history *h, uint16_t sequence)
{
    struct ln_history_entry *e;

    if (h->count == 0)
        return NULL;
    e = slot(h, sequence);
    return e->buffer && e->sequence == sequence ? e : NULL;
}

static void drop_oldest(struct ln_history *h)
{
    struct ln_history_entry *e = ln_history_find(h, h->oldest);

    if (e) {
        ln_buffer_unref(e->buffer);
        e->buffer = NULL;
        h->count--;
    }
    h->oldest++;
}

void ln_history_deinit(struct ln_history *h)
{
    while (h->count > 0)
        drop_oldest(h);
    ln_free(h->allocator, h->entries);
    h->entries = NULL;
    h->capacity = 0;
}

void ln_history_prune(struct ln_history *h, ln_time now)
{
    while (h->count > 0) {
        struct ln_history_entry *e = ln_history_find(h, h->oldest);

        if (e && now - e->sent <= h->age)
            break;
        drop_oldest(h);
    }
}

/* Makes the slot of the sequence number free, by growing or by forgetting. */
static bool make_room(struct ln_history *h, uint16_t sequence)
{
    size_t capacity = h->capacity ? h->capacity : CAPACITY_FIRST;
    size_t spread = h->count > 0 ? (uint16_t)(sequence - h->oldest) + 1u : 1u;
    struct ln_history_entry *old = h->entries, *entries;
    size_t old_capacity = h->capacity;

    while (capacity < spread && capacity < LN_HISTORY_PACKETS_MAX)
        capacity *= 2;
    if (capacity != h->capacity) {
        entries = ln_alloc_array(h->allocator, capacity, sizeof *entries);
        if (entries) {
            h->entries = entries;
            h->capacity = capacity;
            for (size_t i = 0; i < old_capacity; i++)
                if (old[i].buffer)
                    *slot(h, old[i].sequence) = old[i];
            ln_free(h->allocator, old);
        }
    }
    while (h->count > 0 && (uint16_t)(sequence - h->oldest) >= h->capacity)
        drop_oldest(h);
    return h->capacity > 0;
}

void ln_history_add(struct ln_history *h, ln_time now, uint16_t sequence, struct ln_buffer *buffer)
{
    ln_history_prune(h, now);
    if (!make_room(h, sequence))
        return;
    if (h->count == 0)
        h->oldest = sequence;
    *slot(h, sequence) = (struct ln_history_entry){ ln_buffer_ref(buffer), sequence, 0, now,
                                                    LN_TIME_IMMEDIATE };
    h->newest = sequence;
    h->count++;
}

struct ln_history_entry *ln_history_recent(struct ln_history *h, size_t len)
{
    for (unsigned back = 0; back < RECENT; back++) {
        struct ln_history_entry *e = ln_history_find(h, (uint16_t)(h->newest - back));

        if (e && e->buffer->len <= len)
            return e;
    }
    return NULL;
}
