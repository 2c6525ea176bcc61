/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/sent_log.h"

#include "base/alloc.h"

#include <string.h>

enum { NONE, SENT, LOST, ARRIVED };

void ln_sent_log_init(struct ln_sent_log *log, struct ln_allocator *allocator)
{
    memset(log, 0, sizeof *log);
    log->allocator = allocator;
    log->next = 1;
}

void ln_sent_log_deinit(struct ln_sent_log *log)
{
    ln_free(log->allocator, log->packets);
    log->packets = NULL;
}

static struct ln_sent_packet *slot(const struct ln_sent_log *log, int64_t sequence)
{
    return &log->packets[(uint64_t)sequence % LN_SENT_LOG_SIZE];
}

int64_t ln_sent_log_add(struct ln_sent_log *log, ln_time now, uint32_t size, uint32_t ssrc)
{
    if (!log->packets)
        log->packets = ln_alloc_array(log->allocator, LN_SENT_LOG_SIZE, sizeof *log->packets);
    if (!log->packets)
        return -1;
    *slot(log, log->next) = (struct ln_sent_packet){ log->next, now, size, ssrc, SENT };
    return log->next++;
}

/* The packet that a 16-bit number means: the nearest to the last one sent. */
static struct ln_sent_packet *find(const struct ln_sent_log *log, uint16_t sequence)
{
    const struct ln_rtp_unwrap last = { log->next - 1, true };
    int64_t s = ln_rtp_unwrap16_peek(&last, sequence);
    struct ln_sent_packet *p;

    if (!log->packets || s < 0)
        return NULL;
    p = slot(log, s);
    return p->sequence == s && p->state != NONE ? p : NULL;
}

/* The record's reference time has 24 bits; its moments shall grow for ever. */
static int64_t unwrap_reference(struct ln_sent_log *log, int32_t reference)
{
    if (!log->has_reference) {
        log->has_reference = true;
        log->reference = reference;
    } else {
        int64_t difference = (reference - log->reference) % 0x1000000;

        if (difference < 0)
            difference += 0x1000000;
        if (difference >= 0x800000)
            difference -= 0x1000000;
        log->reference += difference;
    }
    return log->reference;
}

int ln_sent_log_read(struct ln_sent_log *log, struct ln_bytes fci,
                     struct ln_rtp_packet_result *results, uint32_t *ssrcs, size_t cap)
{
    struct ln_rtcp_transport_iterator it;
    struct ln_rtcp_transport_status status;
    int64_t shift;
    size_t n = 0;
    int error = ln_rtcp_transport_begin(&it, fci);

    if (error)
        return error;
    shift = (unwrap_reference(log, it.reference) - it.reference) *
            (LN_RTCP_TRANSPORT_REFERENCE / LN_RTCP_TRANSPORT_TICK);
    while (n < cap && ln_rtcp_transport_next(&it, &status)) {
        struct ln_sent_packet *p = find(log, status.sequence);

        if (!p) {
            log->unknown++;
            continue;
        }
        if (p->state == ARRIVED || (p->state == LOST && !status.received))
            continue;
        p->state = status.received ? ARRIVED : LOST;
        results[n].transport_sequence = p->sequence;
        results[n].size = p->size;
        results[n].send_time = p->send_time;
        results[n].arrival_time = status.received ? (status.ticks + shift) * LN_RTCP_TRANSPORT_TICK
                                                  : LN_TIME_NEVER;
        ssrcs[n++] = status.received ? p->ssrc : 0;
    }
    return (int)n;
}
