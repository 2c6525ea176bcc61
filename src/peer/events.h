/* SPDX-License-Identifier: Apache-2.0
 * The queue behind ln_peer_connection_poll_event(): events with the memory they point into. */
#ifndef LN_PEER_EVENTS_H
#define LN_PEER_EVENTS_H

#include "base/ring.h"

#include <linnet/event.h>

#define LN_EVENTS_MAX 65536u

struct ln_event_entry {
    struct ln_event event;
    void *owned;            /* one block of the allocator that texts point into */
    ln_stats_report *stats; /* freed with the event */
};

struct ln_events {
    struct ln_allocator *allocator;
    struct ln_ring ring;           /* of struct ln_event_entry */
    struct ln_event_entry current; /* what the owner looks at */
    size_t reserved;               /* places kept free for the ends of operations */
    bool closed;                   /* after close(): nothing is queued any more */
    uint64_t dropped;              /* out of memory or at the limit */
};

void ln_events_init(struct ln_events *events, struct ln_allocator *allocator);
void ln_events_deinit(struct ln_events *events);

/* Keeps a place for the end of an operation that begins: no operation is left without an end for
 * want of memory. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_events_reserve(struct ln_events *events);

/* Takes over `owned` and the report in event->u.operation.stats (also when it fails: then they are
 * freed, the event is counted as dropped, and false comes back). */
bool ln_events_push(struct ln_events *events, const struct ln_event *event, void *owned);

/* The next event, which stays valid until the next call; false when there is none. */
bool ln_events_pop(struct ln_events *events, struct ln_event *ret_event);
bool ln_events_empty(const struct ln_events *events);
/* Drops what is queued. */
void ln_events_clear(struct ln_events *events);
/* Drops it, and all that would follow. */
void ln_events_close(struct ln_events *events);

#endif
