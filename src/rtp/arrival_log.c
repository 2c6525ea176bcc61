/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/arrival_log.h"

#include "base/alloc.h"
#include "base/time.h"
#include "rtp/rtcp.h"

#include <string.h>

#define REPORT_BITS  800  /* a usual report on the wire */
#define SHARE        20   /* reports take at most one part in so many of what arrives */
#define PENDING_MANY 1000 /* report at once */

void ln_arrival_log_init(struct ln_arrival_log *log, struct ln_allocator *allocator)
{
    memset(log, 0, sizeof *log);
    log->allocator = allocator;
    log->interval = LN_MILLISECONDS(100);
}

void ln_arrival_log_deinit(struct ln_arrival_log *log)
{
    ln_free(log->allocator, log->arrivals);
    log->arrivals = NULL;
}

static ln_time *slot(const struct ln_arrival_log *log, int64_t sequence)
{
    return &log->arrivals[(uint64_t)sequence % LN_ARRIVAL_LOG_SIZE];
}

static bool prepare(struct ln_arrival_log *log, ln_time now, uint16_t sequence)
{
    if (log->arrivals)
        return true;
    log->arrivals = ln_alloc_array(log->allocator, LN_ARRIVAL_LOG_SIZE, sizeof *log->arrivals);
    if (!log->arrivals)
        return false;
    for (size_t i = 0; i < LN_ARRIVAL_LOG_SIZE; i++)
        log->arrivals[i] = LN_TIME_NEVER;
    log->sequence.started = true;
    log->sequence.last = 0x10000 + (int64_t)sequence - 1;
    log->base = log->sequence.last + 1;
    log->reported = now;
    return true;
}

void ln_arrival_log_add(struct ln_arrival_log *log, ln_time now, uint16_t sequence, uint32_t ssrc,
                        size_t len)
{
    int64_t s;

    if (!prepare(log, now, sequence))
        return;
    s = ln_rtp_unwrap16_peek(&log->sequence, sequence);
    if (s <= log->sequence.last - LN_ARRIVAL_LOG_SIZE)
        return;
    for (int64_t between = ln_time_max(log->sequence.last + 1, s - LN_ARRIVAL_LOG_SIZE + 1);
         between <= s; between++)
        *slot(log, between) = LN_TIME_NEVER;
    if (*slot(log, s) != LN_TIME_NEVER)
        return; /* the first arrival counts */
    *slot(log, s) = now;
    if (s > log->sequence.last)
        log->sequence.last = s;
    log->base = ln_time_max(ln_time_min(log->base, s),
                            log->sequence.last - LN_ARRIVAL_LOG_SIZE + 1);
    if (!log->pending)
        log->reported = ln_time_max(log->reported, now - log->interval);
    log->pending = true;
    log->media_ssrc = ssrc;
    log->bytes += len;
}

ln_time ln_arrival_log_next_report(const struct ln_arrival_log *log)
{
    if (!log->pending)
        return LN_TIME_NEVER;
    if (log->sequence.last - log->base >= PENDING_MANY)
        return log->reported;
    return log->reported + log->interval;
}

/* The next interval, so that reports take a small share of what arrives. */
static void adapt(struct ln_arrival_log *log, ln_time now)
{
    ln_duration elapsed = now - log->reported;
    ln_duration interval = LN_FEEDBACK_INTERVAL_MAX;

    if (elapsed > 0 && log->bytes > 0)
        interval = (ln_duration)((double)elapsed * REPORT_BITS * SHARE /
                                 (8.0 * (double)log->bytes));
    log->interval = ln_time_max(LN_FEEDBACK_INTERVAL_MIN,
                                ln_time_min(interval, LN_FEEDBACK_INTERVAL_MAX));
    log->bytes = 0;
    log->reported = now;
}

bool ln_arrival_log_report(struct ln_arrival_log *log, ln_time now, uint32_t sender_ssrc,
                           struct ln_writer *w)
{
    ln_time arrivals[LN_RTCP_TRANSPORT_STATUSES_MAX];
    size_t count = 0, told;
    bool any = false;

    if (!log->pending)
        return false;
    /* Long runs of losses are passed over until at least one arrival fits into the record. */
    for (;;) {
        for (count = 0; count < LN_RTCP_TRANSPORT_STATUSES_MAX &&
                        log->base + (int64_t)count <= log->sequence.last;
             count++) {
            arrivals[count] = *slot(log, log->base + (int64_t)count);
            any = any || arrivals[count] != LN_TIME_NEVER;
        }
        if (any || count == 0)
            break;
        log->base += (int64_t)count;
    }
    if (count == 0) {
        log->pending = false;
        return false;
    }
    told = ln_rtcp_write_transport(w, sender_ssrc, log->media_ssrc, (uint16_t)log->base,
                                   log->feedback_count, arrivals, count);
    if (told == 0)
        return false;
    log->feedback_count++;
    log->base += (int64_t)told;
    if (log->base > log->sequence.last) {
        log->pending = false;
        adapt(log, now);
    }
    return true;
}
