/* SPDX-License-Identifier: Apache-2.0
 * The trace table as data, and the sinks. */
#include "base/trace.h"

#include "base/bytes.h"

#include <linnet/error.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct ln_trace_description descriptions[LN_TRACE_TYPES] = {
#define ROW(name, module, event, a, b, c, d, bytes)                                                \
    [LN_TRACE_##name] = { module, event, { a, b, c, d }, bytes },
    LN_TRACE_TABLE(ROW)
#undef ROW
};

const struct ln_trace_description *ln_trace_describe(enum ln_trace_type type)
{
    return &descriptions[type];
}

int ln_trace_format_json(const struct ln_trace_event *event, size_t bytes_max, char *text,
                         size_t cap)
{
    const struct ln_trace_description *d = &descriptions[event->type];
    size_t len = 0, i;

#define APPEND(...)                                                                                \
    len += (size_t)snprintf(len < cap ? text + len : NULL, len < cap ? cap - len : 0, __VA_ARGS__)
    APPEND("{\"time\":%.6f,\"name\":\"%s:%s\",\"object\":%" PRIu64, (double)event->time / 1e6,
           d->module, d->event, event->object);
    for (i = 0; i < 4; i++)
        if (d->value[i])
            APPEND(",\"%s\":%" PRId64, d->value[i], event->value[i]);
    if (d->bytes && event->bytes.len > 0) {
        APPEND(",\"%s\":\"", d->bytes);
        for (i = 0; i < event->bytes.len && i < bytes_max; i++)
            APPEND("%02x", event->bytes.data[i]);
        APPEND("\"");
    }
    APPEND("}");
#undef APPEND
    return (int)len;
}

static void ring_record(struct ln_trace *trace, const struct ln_trace_event *event)
{
    struct ln_trace_ring *ring = (struct ln_trace_ring *)trace;
    struct ln_trace_event *slot = &ring->events[ring->count++ % ring->capacity];

    *slot = *event;
    slot->bytes.data = NULL;
    slot->bytes.len = 0;
}

void ln_trace_ring_init(struct ln_trace_ring *ring, struct ln_trace_event *events, size_t capacity)
{
    ring->trace.record = ring_record;
    ring->events = events;
    ring->capacity = capacity;
    ring->count = 0;
}

const struct ln_trace_event *ln_trace_ring_get(const struct ln_trace_ring *ring, size_t i)
{
    uint64_t oldest = ring->count > ring->capacity ? ring->count - ring->capacity : 0;

    if (i >= ring->count - oldest)
        return NULL;
    return &ring->events[(oldest + i) % ring->capacity];
}

/* Little-endian whatever the machine: the section header says so. */
static uint8_t *little32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    return p + 4;
}

int ln_pcapng_header(uint8_t *out, size_t cap)
{
    uint8_t *p = out;

    if (cap < 28 + 32)
        return LN_ERR_NO_SPACE;
    p = little32(p, 0x0a0d0d0a); /* section header block */
    p = little32(p, 28);
    p = little32(p, 0x1a2b3c4d);
    p = little32(p, 1); /* version 1.0 */
    p = little32(p, 0xffffffff);
    p = little32(p, 0xffffffff); /* section length not given */
    p = little32(p, 28);
    p = little32(p, 1); /* interface description block */
    p = little32(p, 32);
    p = little32(p, 147);           /* LINKTYPE_USER0 */
    p = little32(p, 0);             /* no snapshot limit */
    p = little32(p, 9u | 1u << 16); /* if_tsresol, one byte: */
    p = little32(p, 9);             /* nanoseconds */
    p = little32(p, 0);             /* end of options */
    p = little32(p, 32);
    return (int)(p - out);
}

int ln_pcapng_packet(const struct ln_trace_event *event, uint8_t *out, size_t cap)
{
    size_t len = event->bytes.len, padded = (len + 3) & ~(size_t)3;
    uint8_t *p = out;

    if (len > UINT16_MAX || cap < 32 + padded)
        return LN_ERR_NO_SPACE;
    p = little32(p, 6); /* enhanced packet block */
    p = little32(p, (uint32_t)(32 + padded));
    p = little32(p, 0);
    p = little32(p, (uint32_t)((uint64_t)event->time >> 32));
    p = little32(p, (uint32_t)event->time);
    p = little32(p, (uint32_t)len);
    p = little32(p, (uint32_t)len);
    memset(p, 0, padded);
    if (len > 0)
        memcpy(p, event->bytes.data, len);
    p += padded;
    p = little32(p, (uint32_t)(32 + padded));
    return (int)(p - out);
}
