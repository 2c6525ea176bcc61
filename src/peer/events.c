/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/events.h"

#include "base/alloc.h"

#include <string.h>

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

    while (ln_ring_pop(&events->ring, &entry))
        release(events, &entry);
    release(events, &events->current);
}

void ln_events_deinit(struct ln_events *events)
{
    ln_events_clear(events);
    ln_ring_deinit(&events->ring);
}

void ln_events_push(struct ln_events *events, const struct ln_event *event, void *owned)
{
    struct ln_event_entry entry = { .event = *event, .owned = owned };

    if (event->kind == LN_EVENT_OPERATION_DONE)
        entry.stats = (ln_stats_report *)(uintptr_t)event->u.operation.stats;
    if (ln_ring_push(&events->ring, &entry) != 0) {
        events->dropped++;
        release(events, &entry);
    }
}

bool ln_events_pop(struct ln_events *events, struct ln_event *ret_event)
{
    release(events, &events->current);
    if (!ln_ring_pop(&events->ring, &events->current))
        return false;
    *ret_event = events->current.event;
    return true;
}

bool ln_events_empty(const struct ln_events *events)
{
    return events->ring.count == 0;
}
