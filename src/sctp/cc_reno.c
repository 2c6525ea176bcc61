/* SPDX-License-Identifier: Apache-2.0
 * RFC 9260, 7.2 with an initial window of ten packets and growth by the bytes acknowledged, since
 * one SACK stands for a whole burst here. The window grows only while it is what limits.
 *
 * Slow start ends, before anything is lost, when the round trip has grown well above its minimum
 * (the idea of HyStart, RFC 9406, 4.2): else a local path would fill megabytes of socket buffers.
 */
#include "sctp/cc.h"

#include <stdint.h>
#include <string.h>

#define MINIMUM_PACKETS     4u
#define DELAY_FLOOR         LN_MILLISECONDS(4)
#define DELAY_CEILING       LN_MILLISECONDS(16)
#define SLOW_START_MIN_RTTS 8u /* samples of a round trip before it counts */

struct reno {
    size_t packet_bytes, window, threshold, max_window, initial_window;
    size_t partial_acked; /* RFC 9260, 7.2.2 */
    bool recovering;
    uint64_t recovery_end; /* the TSN that ends recovery when cumulatively acknowledged */
    uint64_t round_end;    /* slow start: the TSN that ends this round trip */
    ln_duration round_rtt, last_round_rtt; /* the least of each; 0: none */
    unsigned round_samples;
};

static void reno_init(void *cc, const struct ln_sctp_cc_config *config, ln_time now)
{
    struct reno *r = cc;

    (void)now;
    memset(r, 0, sizeof *r);
    r->packet_bytes = config->packet_bytes;
    r->initial_window = r->window = config->initial_window;
    r->max_window = config->max_window;
    r->threshold = SIZE_MAX;
}

static void reno_on_sent(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes)
{
    (void)cc;
    (void)now;
    (void)bytes;
    (void)in_flight_bytes;
}

static void watch_delay(struct reno *r, const struct ln_sctp_cc_ack *ack)
{
    ln_duration allowed;

    if (ack->cumulative_tsn >= r->round_end) {
        r->round_end = ack->next_tsn;
        r->last_round_rtt = r->round_rtt;
        r->round_rtt = 0;
        r->round_samples = 0;
    }
    if (ack->rtt == 0)
        return;
    r->round_samples++;
    if (r->round_rtt == 0 || ack->rtt < r->round_rtt)
        r->round_rtt = ack->rtt;
    if (r->last_round_rtt == 0 || r->round_samples < SLOW_START_MIN_RTTS)
        return;
    allowed = r->last_round_rtt / 8;
    if (allowed < DELAY_FLOOR)
        allowed = DELAY_FLOOR;
    if (allowed > DELAY_CEILING)
        allowed = DELAY_CEILING;
    if (r->round_rtt >= r->last_round_rtt + allowed)
        r->threshold = r->window;
}

static void reno_on_ack(void *cc, const struct ln_sctp_cc_ack *ack)
{
    struct reno *r = cc;

    if (r->recovering) {
        if (ack->cumulative_tsn < r->recovery_end)
            return;
        r->recovering = false;
    }
    if (!ack->cumulative || !ack->limited)
        return;
    if (r->window < r->threshold) {
        r->window += ack->acked_bytes;
        watch_delay(r, ack);
    } else {
        r->partial_acked += ack->acked_bytes;
        if (r->partial_acked >= r->window) {
            r->partial_acked -= r->window;
            r->window += r->packet_bytes;
        }
    }
    if (r->window > r->max_window)
        r->window = r->max_window;
}

static size_t halved(const struct reno *r)
{
    size_t floor = MINIMUM_PACKETS * r->packet_bytes;

    return r->window / 2 > floor ? r->window / 2 : floor;
}

static void reno_on_loss(void *cc, ln_time now, uint64_t largest_tsn, uint64_t next_tsn)
{
    struct reno *r = cc;

    (void)now;
    (void)largest_tsn;
    if (r->recovering)
        return;
    r->threshold = r->window = halved(r);
    r->partial_acked = 0;
    r->recovering = true;
    r->recovery_end = next_tsn - 1;
}

static void reno_on_timeout(void *cc, ln_time now)
{
    struct reno *r = cc;

    (void)now;
    r->threshold = halved(r);
    r->window = r->packet_bytes;
    r->partial_acked = 0;
    r->recovering = false;
    r->round_end = 0;
    r->last_round_rtt = r->round_rtt = 0;
}

/* RFC 9260, 7.2.1: halved for each timeout's length without traffic. */
static void reno_on_idle(void *cc, ln_time now, ln_duration idle, ln_duration rto)
{
    struct reno *r = cc;

    (void)now;
    for (; idle >= rto && r->window > r->initial_window; idle -= rto) {
        r->window /= 2;
        if (r->window < r->initial_window)
            r->window = r->initial_window;
    }
}

static void reno_set_packet_bytes(void *cc, size_t packet_bytes)
{
    ((struct reno *)cc)->packet_bytes = packet_bytes;
}

static size_t reno_window(const void *cc)
{
    return ((const struct reno *)cc)->window;
}

static bool reno_in_recovery(const void *cc)
{
    return ((const struct reno *)cc)->recovering;
}

const struct ln_sctp_cc_ops ln_sctp_cc_reno = {
    "reno",          sizeof(struct reno), reno_init,
    reno_on_sent,    reno_on_ack,         reno_on_loss,
    reno_on_timeout, reno_on_idle,        reno_set_packet_bytes,
    reno_window,     reno_in_recovery,    NULL,
};
