/* SPDX-License-Identifier: Apache-2.0
 * RFC 9260, 7.2 with an initial window of ten packets and growth by the bytes acknowledged, since
 * one SACK stands for a whole burst here. The window grows only while it is what limits. */
#include "sctp/pace.h"
#include "sctp/slow_start.h"

#include <stdint.h>
#include <string.h>

#define MINIMUM_PACKETS 4u
#define PACE_SLOW_START 2.0
#define PACE_CONGESTION 1.25

struct reno {
    size_t packet_bytes, window, threshold, max_window, initial_window;
    size_t partial_acked;                 /* RFC 9260, 7.2.2 */
    size_t prior_window, prior_threshold; /* before the last loss */
    bool recovering;
    uint64_t recovery_end; /* the TSN that ends recovery when cumulatively acknowledged */
    struct ln_slow_start slow_start;
    struct ln_pace pace;
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
    ln_slow_start_init(&r->slow_start);
    ln_pace_init(&r->pace, r->packet_bytes);
}

static void reno_on_sent(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes)
{
    (void)in_flight_bytes;
    ln_pace_sent(&((struct reno *)cc)->pace, now, bytes);
}

static void set_pace(struct reno *r, ln_duration rtt)
{
    ln_pace_set_window(&r->pace, r->window, rtt,
                       r->window < r->threshold ? PACE_SLOW_START : PACE_CONGESTION);
}

static void grow(struct reno *r, const struct ln_sctp_cc_ack *ack)
{
    bool end;

    if (r->window < r->threshold) {
        r->window += ln_slow_start_on_ack(&r->slow_start, ack, &end);
        if (end)
            r->threshold = r->window;
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

static void reno_on_ack(void *cc, const struct ln_sctp_cc_ack *ack)
{
    struct reno *r = cc;

    if (r->recovering && ack->cumulative_tsn >= r->recovery_end)
        r->recovering = false;
    if (!r->recovering && ack->cumulative && ack->limited)
        grow(r, ack);
    set_pace(r, ack->smoothed_rtt);
}

static size_t halved(const struct reno *r)
{
    size_t floor = MINIMUM_PACKETS * r->packet_bytes;

    return r->window / 2 > floor ? r->window / 2 : floor;
}

static void keep_prior(struct reno *r)
{
    r->prior_window = r->window;
    r->prior_threshold = r->threshold;
}

static void reno_on_loss(void *cc, ln_time now, size_t bytes, uint64_t largest_tsn,
                         uint64_t next_tsn)
{
    struct reno *r = cc;

    (void)now;
    (void)bytes;
    (void)largest_tsn;
    if (r->recovering)
        return;
    keep_prior(r);
    r->threshold = r->window = halved(r);
    r->partial_acked = 0;
    r->recovering = true;
    r->recovery_end = next_tsn - 1;
}

static void reno_on_timeout(void *cc, ln_time now, bool again)
{
    struct reno *r = cc;

    (void)now;
    if (!again)
        keep_prior(r);
    r->threshold = halved(r);
    r->window = r->packet_bytes;
    r->partial_acked = 0;
    r->recovering = false;
    ln_slow_start_init(&r->slow_start);
}

static void reno_undo(void *cc, ln_time now)
{
    struct reno *r = cc;

    (void)now;
    if (r->window < r->prior_window)
        r->window = r->prior_window;
    r->threshold = r->prior_threshold;
    r->recovering = false;
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
    struct reno *r = cc;

    r->packet_bytes = r->pace.packet_bytes = packet_bytes;
}

static size_t reno_window(const void *cc)
{
    return ((const struct reno *)cc)->window;
}

static bool reno_in_recovery(const void *cc)
{
    return ((const struct reno *)cc)->recovering;
}

static ln_time reno_next_send(const void *cc)
{
    return ln_pace_next(&((const struct reno *)cc)->pace);
}

const struct ln_sctp_cc_ops ln_sctp_cc_reno = {
    .name = "reno",
    .state_bytes = sizeof(struct reno),
    .init = reno_init,
    .on_sent = reno_on_sent,
    .on_ack = reno_on_ack,
    .on_loss = reno_on_loss,
    .on_timeout = reno_on_timeout,
    .undo = reno_undo,
    .on_idle = reno_on_idle,
    .set_packet_bytes = reno_set_packet_bytes,
    .window = reno_window,
    .in_recovery = reno_in_recovery,
    .next_send = reno_next_send,
};
