/* SPDX-License-Identifier: Apache-2.0
 * CUBIC (RFC 9438) over bytes, with HyStart++ in slow start. The window is a cubic of the time
 * since the last loss, so that growth does not depend on the round trip; where a TCP by the rules
 * of Reno would have more, it follows that. Times stand in seconds, windows in packets. */
#include "sctp/pace.h"
#include "sctp/slow_start.h"

#include <stdint.h>
#include <string.h>

#define C               0.4
#define BETA            0.7
#define MINIMUM_PACKETS 2u
#define PACE_SLOW_START 2.0
#define PACE_CONGESTION 1.25
#define RECOVERED_PART  1.5 /* RFC 9438, 4.4: the target in one round trip at most */

/* All that a loss changes, so that it can be taken back. */
struct course {
    size_t window, threshold;
    double w_max, w_est, w_prior; /* packets; W_est and cwnd_prior of the RFC */
    double k;                     /* seconds from the epoch to w_max */
    ln_time epoch;                /* congestion avoidance began; NEVER: not yet */
};

struct cubic {
    size_t packet_bytes, max_window, initial_window;
    struct course now, prior;
    double remainder; /* growth of less than a byte */
    bool recovering, after_timeout;
    uint64_t recovery_end;
    ln_time limited_at; /* the window was last what limited */
    struct ln_slow_start slow_start;
    struct ln_pace pace;
};

static void cubic_init(void *cc, const struct ln_sctp_cc_config *config, ln_time now)
{
    struct cubic *c = cc;

    (void)now;
    memset(c, 0, sizeof *c);
    c->packet_bytes = config->packet_bytes;
    c->initial_window = c->now.window = config->initial_window;
    c->max_window = config->max_window;
    c->now.threshold = SIZE_MAX;
    c->now.epoch = LN_TIME_NEVER;
    ln_slow_start_init(&c->slow_start);
    ln_pace_init(&c->pace, c->packet_bytes);
}

static void cubic_on_sent(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes)
{
    (void)in_flight_bytes;
    ln_pace_sent(&((struct cubic *)cc)->pace, now, bytes);
}

/* By Newton's method: the core has no mathematics library. */
static double cube_root(double x)
{
    double y = x > 1 ? x / 2 : 1;

    if (x <= 0)
        return 0;
    for (int i = 0; i < 60; i++) {
        double next = (2 * y + x / (y * y)) / 3;

        if (next == y)
            break;
        y = next;
    }
    return y;
}

static double packets(const struct cubic *c, size_t bytes)
{
    return (double)bytes / (double)c->packet_bytes;
}

static void begin_epoch(struct cubic *c, ln_time now)
{
    double window = packets(c, c->now.window);

    c->now.epoch = now;
    c->now.w_est = window;
    if (c->after_timeout || c->now.w_max < window) { /* RFC 9438, 4.8 */
        c->now.w_max = window;
        c->now.k = 0;
    } else {
        c->now.k = cube_root((c->now.w_max - window) / C);
    }
    c->after_timeout = false;
}

static double w_cubic(const struct cubic *c, ln_duration since)
{
    double t = (double)since / 1e9 - c->now.k;

    return C * t * t * t + c->now.w_max;
}

/* RFC 9438, 4.2 to 4.5. */
static void avoid_congestion(struct cubic *c, const struct ln_sctp_cc_ack *ack)
{
    double window = packets(c, c->now.window), acked = packets(c, ack->acked_bytes), target, alpha;
    ln_duration since;

    if (c->now.epoch == LN_TIME_NEVER)
        begin_epoch(c, ack->now);
    since = ack->now - c->now.epoch;
    alpha = c->now.w_est < c->now.w_prior ? 3 * (1 - BETA) / (1 + BETA) : 1;
    c->now.w_est += alpha * acked / window;
    if (w_cubic(c, since) < c->now.w_est) {
        target = c->now.w_est;
        if (target > window)
            c->remainder += (target - window) * (double)c->packet_bytes;
    } else {
        target = w_cubic(c, since + ack->smoothed_rtt);
        if (target > window * RECOVERED_PART)
            target = window * RECOVERED_PART;
        if (target > window)
            c->remainder += (target - window) / window * (double)ack->acked_bytes;
    }
    if (c->remainder >= 1) {
        c->now.window += (size_t)c->remainder;
        c->remainder -= (double)(size_t)c->remainder;
    }
}

/* Time during which something else limited does not count (RFC 9438, 5.8). */
static void skip_unlimited_time(struct cubic *c, ln_time now)
{
    if (c->now.epoch != LN_TIME_NEVER && c->limited_at > c->now.epoch)
        c->now.epoch += now - c->limited_at;
}

static void grow(struct cubic *c, const struct ln_sctp_cc_ack *ack)
{
    bool end;

    if (c->now.window < c->now.threshold) {
        c->now.window += ln_slow_start_on_ack(&c->slow_start, ack, &end);
        if (end)
            c->now.threshold = c->now.window;
    } else {
        avoid_congestion(c, ack);
    }
    if (c->now.window > c->max_window)
        c->now.window = c->max_window;
}

static void cubic_on_ack(void *cc, const struct ln_sctp_cc_ack *ack)
{
    struct cubic *c = cc;
    bool slow;

    if (c->recovering && ack->cumulative_tsn >= c->recovery_end)
        c->recovering = false;
    if (!ack->limited)
        skip_unlimited_time(c, ack->now);
    c->limited_at = ack->now;
    if (!c->recovering && ack->cumulative && ack->limited)
        grow(c, ack);
    slow = c->now.window < c->now.threshold;
    ln_pace_set_window(&c->pace, c->now.window, ack->smoothed_rtt,
                       slow ? PACE_SLOW_START : PACE_CONGESTION);
}

/* RFC 9438, 4.6 and 4.7. */
static void reduce(struct cubic *c)
{
    double window = packets(c, c->now.window);
    size_t floor = MINIMUM_PACKETS * c->packet_bytes;

    c->now.w_prior = window;
    c->now.w_max = window < c->now.w_max ? window * (1 + BETA) / 2 : window;
    c->now.threshold = (size_t)((double)c->now.window * BETA);
    if (c->now.threshold < floor)
        c->now.threshold = floor;
    c->now.epoch = LN_TIME_NEVER;
}

static void cubic_on_loss(void *cc, ln_time now, size_t bytes, uint64_t largest_tsn,
                          uint64_t next_tsn)
{
    struct cubic *c = cc;

    (void)now;
    (void)bytes;
    (void)largest_tsn;
    if (c->recovering)
        return;
    c->prior = c->now;
    reduce(c);
    c->now.window = c->now.threshold;
    c->recovering = true;
    c->recovery_end = next_tsn - 1;
}

static void cubic_on_timeout(void *cc, ln_time now, bool again)
{
    struct cubic *c = cc;

    (void)now;
    if (!again) {
        c->prior = c->now;
        reduce(c);
    }
    c->now.window = c->packet_bytes;
    c->recovering = false;
    c->after_timeout = true;
    ln_slow_start_init(&c->slow_start);
}

static void cubic_undo(void *cc, ln_time now)
{
    struct cubic *c = cc;
    size_t window = c->now.window;

    (void)now;
    c->now = c->prior;
    if (c->now.window < window)
        c->now.window = window;
    c->recovering = c->after_timeout = false;
}

static void cubic_on_idle(void *cc, ln_time now, ln_duration idle, ln_duration rto)
{
    struct cubic *c = cc;

    (void)now;
    c->now.epoch = LN_TIME_NEVER;
    for (; idle >= rto && c->now.window > c->initial_window; idle -= rto) {
        c->now.window /= 2;
        if (c->now.window < c->initial_window)
            c->now.window = c->initial_window;
    }
}

static void cubic_set_packet_bytes(void *cc, size_t packet_bytes)
{
    struct cubic *c = cc;
    double factor = (double)c->packet_bytes / (double)packet_bytes;

    c->now.w_max *= factor;
    c->now.w_est *= factor;
    c->now.w_prior *= factor;
    c->packet_bytes = c->pace.packet_bytes = packet_bytes;
}

static size_t cubic_window(const void *cc)
{
    return ((const struct cubic *)cc)->now.window;
}

static bool cubic_in_recovery(const void *cc)
{
    return ((const struct cubic *)cc)->recovering;
}

static ln_time cubic_next_send(const void *cc)
{
    return ln_pace_next(&((const struct cubic *)cc)->pace);
}

const struct ln_sctp_cc_ops ln_sctp_cc_cubic = {
    .name = "cubic",
    .state_bytes = sizeof(struct cubic),
    .init = cubic_init,
    .on_sent = cubic_on_sent,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_timeout = cubic_on_timeout,
    .undo = cubic_undo,
    .on_idle = cubic_on_idle,
    .set_packet_bytes = cubic_set_packet_bytes,
    .window = cubic_window,
    .in_recovery = cubic_in_recovery,
    .next_send = cubic_next_send,
};
