/* SPDX-License-Identifier: Apache-2.0
 * Congestion control that lives on what others leave: it holds the queueing delay at a small target
 * and gives way to whoever fills the queue more (the ideas of LEDBAT, RFC 6817, with round trips
 * for one-way delays). Below the target the window grows by up to a packet a round trip, above it
 * shrinks in proportion, and a loss halves it. Now and then it steps aside for two round trips, so
 * that the least delay of an empty queue is seen though it is itself what fills it. */
#include "sctp/pace.h"
#include "sctp/slow_start.h"

#include <stdint.h>
#include <string.h>

#define TARGET           LN_MILLISECONDS(12)
#define SLOW_START_PART  0.75 /* of the target ends slow start */
#define MINIMUM_PACKETS  2u
#define BASE_PERIOD      LN_SECONDS(60) /* of each half of the base delay's memory */
#define STEP_ASIDE_EVERY 20             /* times the length of stepping aside */
#define PACE_FACTOR      1.1
#define PACE_SLOW_START  2.0

struct delay {
    size_t packet_bytes, window, threshold, max_window, initial_window;
    size_t prior_window, prior_threshold;
    double remainder;
    ln_duration base[2]; /* the least round trip of this period and the last; 0: none */
    ln_time base_from;
    uint64_t round_end;
    ln_duration round_rtt; /* the least of this round; 0: none */
    bool recovering;
    uint64_t recovery_end;
    ln_time aside_from, aside_until; /* NEVER: not now */
    struct ln_pace pace;
};

static void delay_init(void *cc, const struct ln_sctp_cc_config *config, ln_time now)
{
    struct delay *d = cc;

    memset(d, 0, sizeof *d);
    d->packet_bytes = config->packet_bytes;
    d->initial_window = d->window = config->initial_window;
    d->max_window = config->max_window;
    d->threshold = SIZE_MAX;
    d->base_from = now;
    d->aside_from = d->aside_until = LN_TIME_NEVER;
    ln_pace_init(&d->pace, d->packet_bytes);
}

static void delay_on_sent(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes)
{
    (void)in_flight_bytes;
    ln_pace_sent(&((struct delay *)cc)->pace, now, bytes);
}

static ln_duration base_delay(const struct delay *d)
{
    if (d->base[0] == 0 || (d->base[1] > 0 && d->base[1] < d->base[0]))
        return d->base[1];
    return d->base[0];
}

static void note_rtt(struct delay *d, const struct ln_sctp_cc_ack *ack)
{
    if (ack->now - d->base_from > BASE_PERIOD) {
        d->base_from = ack->now;
        d->base[1] = d->base[0];
        d->base[0] = 0;
    }
    if (ack->rtt == 0)
        return;
    if (d->base[0] == 0 || ack->rtt < d->base[0])
        d->base[0] = ack->rtt;
    if (d->round_rtt == 0 || ack->rtt < d->round_rtt)
        d->round_rtt = ack->rtt;
}

static size_t floor_bytes(const struct delay *d)
{
    return MINIMUM_PACKETS * d->packet_bytes;
}

static void change(struct delay *d, double bytes)
{
    double window;

    d->remainder += bytes;
    window = (double)d->window + d->remainder;
    if (window < (double)floor_bytes(d))
        window = (double)floor_bytes(d);
    if (window > (double)d->max_window)
        window = (double)d->max_window;
    d->remainder = window - (double)(size_t)window;
    d->window = (size_t)window;
}

/* What the round that has just ended says. */
static void judge_round(struct delay *d, const struct ln_sctp_cc_ack *ack)
{
    double queue = (double)(d->round_rtt - base_delay(d)) / (double)TARGET;

    if (d->window < d->threshold) {
        if (queue > SLOW_START_PART) {
            d->threshold = d->window;
            d->aside_from = ack->now + 2 * ack->smoothed_rtt; /* the first time: soon */
        }
    } else if (queue > 1) {
        double less = (queue - 1) * (double)d->window;

        change(d, less > (double)d->window / 2 ? -(double)d->window / 2 : -less);
        d->threshold = d->window;
    }
}

/* Stepping aside: two packets for two round trips, then slow start up to where it was. */
static bool aside(struct delay *d, const struct ln_sctp_cc_ack *ack)
{
    if (d->aside_until != LN_TIME_NEVER) {
        if (ack->now < d->aside_until)
            return true;
        d->aside_until = LN_TIME_NEVER;
        return false;
    }
    if (d->aside_from == LN_TIME_NEVER || ack->now < d->aside_from)
        return false;
    d->threshold = d->window;
    d->window = floor_bytes(d);
    d->aside_until = ack->now + 2 * ack->smoothed_rtt;
    d->aside_from = ack->now + STEP_ASIDE_EVERY * 4 * ack->smoothed_rtt;
    return true;
}

static void grow(struct delay *d, const struct ln_sctp_cc_ack *ack)
{
    double acked = (double)ack->acked_bytes, queue;

    if (d->window < d->threshold) {
        change(d, acked);
        if (d->window > d->threshold)
            d->window = d->threshold;
        return;
    }
    queue = d->round_rtt > 0 ? (double)(d->round_rtt - base_delay(d)) / (double)TARGET : 0;
    if (queue < 1)
        change(d, (1 - queue) * (double)d->packet_bytes * acked / (double)d->window);
}

static void delay_on_ack(void *cc, const struct ln_sctp_cc_ack *ack)
{
    struct delay *d = cc;

    if (d->recovering && ack->cumulative_tsn >= d->recovery_end)
        d->recovering = false;
    note_rtt(d, ack);
    if (!aside(d, ack)) {
        if (ack->limited && !d->recovering)
            grow(d, ack);
        if (ack->highest_tsn >= d->round_end) {
            if (d->round_rtt > 0)
                judge_round(d, ack);
            d->round_end = ack->next_tsn;
            d->round_rtt = 0;
        }
    }
    ln_pace_set_window(&d->pace, d->window, ack->smoothed_rtt,
                       d->window < d->threshold ? PACE_SLOW_START : PACE_FACTOR);
}

static void halve(struct delay *d)
{
    d->threshold = d->window / 2 > floor_bytes(d) ? d->window / 2 : floor_bytes(d);
}

static void delay_on_loss(void *cc, ln_time now, size_t bytes, uint64_t largest_tsn,
                          uint64_t next_tsn)
{
    struct delay *d = cc;

    (void)now;
    (void)bytes;
    (void)largest_tsn;
    if (d->recovering)
        return;
    d->prior_window = d->window;
    d->prior_threshold = d->threshold;
    halve(d);
    d->window = d->threshold;
    d->recovering = true;
    d->recovery_end = next_tsn - 1;
}

static void delay_on_timeout(void *cc, ln_time now, bool again)
{
    struct delay *d = cc;

    (void)now;
    if (!again) {
        d->prior_window = d->window;
        d->prior_threshold = d->threshold;
        halve(d);
    }
    d->window = d->packet_bytes;
    d->recovering = false;
}

static void delay_undo(void *cc, ln_time now)
{
    struct delay *d = cc;

    (void)now;
    if (d->window < d->prior_window)
        d->window = d->prior_window;
    d->threshold = d->prior_threshold;
    d->recovering = false;
}

static void delay_on_idle(void *cc, ln_time now, ln_duration idle, ln_duration rto)
{
    struct delay *d = cc;

    (void)now;
    (void)idle;
    (void)rto;
    if (d->window > d->initial_window)
        d->window = d->initial_window;
}

static void delay_set_packet_bytes(void *cc, size_t packet_bytes)
{
    struct delay *d = cc;

    d->packet_bytes = d->pace.packet_bytes = packet_bytes;
}

static size_t delay_window(const void *cc)
{
    return ((const struct delay *)cc)->window;
}

static bool delay_in_recovery(const void *cc)
{
    return ((const struct delay *)cc)->recovering;
}

static ln_time delay_next_send(const void *cc)
{
    return ln_pace_next(&((const struct delay *)cc)->pace);
}

const struct ln_sctp_cc_ops ln_sctp_cc_delay = {
    .name = "delay",
    .state_bytes = sizeof(struct delay),
    .init = delay_init,
    .on_sent = delay_on_sent,
    .on_ack = delay_on_ack,
    .on_loss = delay_on_loss,
    .on_timeout = delay_on_timeout,
    .undo = delay_undo,
    .on_idle = delay_on_idle,
    .set_packet_bytes = delay_set_packet_bytes,
    .window = delay_window,
    .in_recovery = delay_in_recovery,
    .next_send = delay_next_send,
};
