/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/events.h"

#include "base/alloc.h"

#include <string.h>

#define CAPACITY_KEPT 2u /* what a burst, as of connecting, takes beyond is given back after it */

void ln_events_init(struct ln_events *events, struct ln_allocator *allocator)
{
    memset(events, 0, sizeof *events);
    events->allocator = allocator;
    ln_ring_init(&events->ring, allocator, sizeof(struct ln_event_entry), LN_EVENTS_MAX);
}

static void release(struct ln_events *events, struct ln_event_entry *entry)
{
    ln_free(events->allocator, entry->owned);
    ln_stats_report_free(entry->stats);
    memset(entry, 0, sizeof *entry);
}

void ln_events_clear(struct ln_events *events)
{
    struct ln_event_entry entry;

    events->reserved = 0;
    while (ln_ring_pop(&events->ring, &entry))
        release(events, &entry);
    release(events, &events->current);
}

void ln_events_deinit(struct ln_events *events)
{
    ln_events_clear(events);
    ln_ring_deinit(&events->ring);
}

void ln_events_close(struct ln_events *events)
{
    ln_events_clear(events);
    events->closed = true;
}

/* The ring has space for so many more: it is made to grow, and shrunk again. */
static int make_room(struct ln_events *events, size_t count)
{
    static const struct ln_event_entry nothing;
    struct ln_ring *ring = &events->ring;
    size_t before = ring->count;
    int error = 0;

    if (before + count <= ring->capacity)
        return 0;
    while (!error && ring->count < before + count)
        error = ln_ring_push(ring, &nothing);
    ring->count = before;
    return error;
}

int ln_events_reserve(struct ln_events *events)
{
    int error = make_room(events, events->reserved + 1);

    if (!error)
        events->reserved++;
    return error;
}

bool ln_events_push(struct ln_events *events, const struct ln_event *event, void *owned)
{
    struct ln_event_entry entry = { .event = *event, .owned = owned };
    bool done = event->kind == LN_EVENT_OPERATION_DONE;

    if (done)
        entry.stats = (ln_stats_report *)(uintptr_t)event->u.operation.stats;
    if (done && events->reserved > 0)
        events->reserved--;
    if (!events->closed && make_room(events, events->reserved + 1) == 0 &&
        ln_ring_push(&events->ring, &entry) == 0)
        return true;
    events->dropped += !events->closed;
    release(events, &entry);
    return false;
}

bool ln_events_pop(struct ln_events *events, struct ln_event *ret_event)
{
    release(events, &events->current);
    if (!ln_ring_pop(&events->ring, &events->current)) {
        if (events->reserved == 0 && events->ring.capacity > CAPACITY_KEPT)
            ln_ring_deinit(&events->ring);
        return false;
    }
    *ret_event = events->current.event;
    return true;
}

bool ln_events_empty(const struct ln_events *events)
{
    return events->ring.count == 0;
}
