/* SPDX-License-Identifier: Apache-2.0
 * Recording trace events, and the sinks that keep or print them. */
#ifndef LN_BASE_TRACE_H
#define LN_BASE_TRACE_H

#include <linnet/env.h>
#include <linnet/trace.h>

/* Records an event; a NULL trace costs one comparison. */
static inline void ln_trace_emit(struct ln_trace *trace, ln_time now, enum ln_trace_type type,
                                 uint64_t object, int64_t a, int64_t b, int64_t c, int64_t d)
{
    if (trace) {
        struct ln_trace_event event = { type, now, object, { a, b, c, d }, { NULL, 0 } };

        trace->record(trace, &event);
    }
}

static inline void ln_trace_emit_bytes(struct ln_trace *trace, ln_time now, enum ln_trace_type type,
                                       uint64_t object, int64_t a, int64_t b, const void *data,
                                       size_t len)
{
    if (trace) {
        struct ln_trace_event event = { type, now, object, { a, b, 0, 0 }, { data, len } };

        trace->record(trace, &event);
    }
}

struct ln_trace_description {
    const char *module, *event;
    const char *value[4]; /* NULL: unused */
    const char *bytes;
};

/* The row of the table; type must be in range. */
const struct ln_trace_description *ln_trace_describe(enum ln_trace_type type);

/* One event as a line of JSON without its newline; bytes as hex, the first `bytes_max` of them.
 * Returns the length that the whole line has (as snprintf does). */
int ln_trace_format_json(const struct ln_trace_event *event, size_t bytes_max, char *text,
                         size_t cap);

/* The last `capacity` events without their bytes, for a look after something failed. */
struct ln_trace_ring {
    struct ln_trace trace; /* pass &this */
    struct ln_trace_event *events;
    size_t capacity;
    uint64_t count; /* recorded in all */
};

void ln_trace_ring_init(struct ln_trace_ring *ring, struct ln_trace_event *events, size_t capacity);
/* The i-th of those kept, 0 is the oldest; NULL past the end. */
const struct ln_trace_event *ln_trace_ring_get(const struct ln_trace_ring *ring, size_t i);

/* pcapng blocks of packets (link type raw IP is not at hand, so 147, "user 0": the bytes of one
 * datagram as it passed the endpoint). Header once, then a block a packet; each returns the bytes
 * written or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_pcapng_header(uint8_t *out, size_t cap);
LN_NODISCARD int ln_pcapng_packet(const struct ln_trace_event *event, uint8_t *out, size_t cap);

#endif
