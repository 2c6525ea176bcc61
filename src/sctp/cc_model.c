/* SPDX-License-Identifier: Apache-2.0
 * Congestion control by a model of the path: the bandwidth that deliveries show and the least round
 * trip. It sends at that bandwidth, paced, with at most two of their products in flight, and looks
 * for more by sending faster for a round trip now and then; a loss by itself says nothing (the
 * published ideas of BBR). Deliveries are measured round by round: a round ends when something sent
 * after its beginning is acknowledged.
 *
 *   startup   twice as fast each round, until three rounds brought no quarter more
 *   drain     until the queue that startup built is gone
 *   cruise    gains 1.25, 0.75, then 1 for a round each; 1.25 again while that brings more
 *   probe     every ten seconds four packets for 200 ms, if no round trip as short was seen since
 */
#include "sctp/cc.h"
#include "sctp/pace.h"

#include "base/time.h"

#include <stdint.h>
#include <string.h>

#define STARTUP_GAIN     2.885 /* 2 / ln 2 */
#define DRAIN_GAIN       (1 / STARTUP_GAIN)
#define WINDOW_GAIN      2.0
#define FULL_GROWTH      1.25
#define FULL_ROUNDS      3u
#define QUEUE_PART       4 /* of a round trip: so much more is a queue */
#define MORE             1.1
#define RATE_ROUNDS      10u
#define RTT_LIFETIME     LN_SECONDS(10)
#define PROBE_TIME       LN_MILLISECONDS(200)
#define PROBE_PACKETS    4u
#define PACED_PART       0.99 /* of the measured rate: the queue does not grow by rounding */
#define LOSS_TOO_MUCH    0.2  /* of a round: the path drops what is sent beyond some rate */
#define LOSS_RATE_FACTOR 0.7
#define FIRST_RTT        LN_MILLISECONDS(1)

static const double cycle_gains[] = { 1.25, 0.75, 1, 1, 1, 1, 1, 1 };
#define CYCLE_LENGTH (sizeof cycle_gains / sizeof *cycle_gains)

enum phase { STARTUP, DRAIN, CRUISE, PROBE };

struct model {
    enum phase phase;
    size_t packet_bytes, window, max_window, initial_window;
    struct ln_pace pace;
    /* The round under way. */
    uint64_t round_end;
    ln_time round_start;
    size_t delivered, lost;
    bool had_enough;           /* there was always something to send */
    double rates[RATE_ROUNDS]; /* bytes a second, of the last rounds */
    unsigned round;
    double full_rate;
    unsigned full_rounds;
    bool queue_seen; /* since the rate last grew */
    unsigned cycle;
    bool found_more;
    bool disturbed; /* by a timeout: the round says nothing about the path */
    ln_duration min_rtt;
    ln_time min_rtt_at, probe_until;
    bool probe_empty; /* few enough packets are in flight: the time runs */
    bool collapsed;   /* after a timeout the window opens with what is acknowledged */
    bool recovering;
    uint64_t recovery_end;
};

static void model_init(void *cc, const struct ln_sctp_cc_config *config, ln_time now)
{
    struct model *m = cc;

    (void)now;
    memset(m, 0, sizeof *m);
    m->packet_bytes = config->packet_bytes;
    m->initial_window = m->window = config->initial_window;
    m->max_window = config->max_window;
    m->round_start = LN_TIME_NEVER;
    ln_pace_init(&m->pace, m->packet_bytes);
}

static void model_on_sent(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes)
{
    struct model *m = cc;

    (void)in_flight_bytes;
    ln_pace_sent(&m->pace, now, bytes);
}

static double bandwidth(const struct model *m)
{
    double most = 0;

    for (size_t i = 0; i < RATE_ROUNDS; i++)
        if (m->rates[i] > most)
            most = m->rates[i];
    return most;
}

/* Bandwidth times the least round trip. */
static double product(const struct model *m)
{
    return bandwidth(m) * (double)m->min_rtt / 1e9;
}

static void note_rate(struct model *m, double rate)
{
    /* What an idle sender delivers, or one held back by a timeout, shows only that the path can do
     * at least that. */
    if ((!m->had_enough || m->disturbed) && rate < bandwidth(m))
        return;
    /* A probe that found more, a good deal more, is repeated at once. */
    m->found_more = rate > bandwidth(m) * MORE;
    m->rates[m->round++ % RATE_ROUNDS] = rate;
}

/* Startup ends after rounds that brought no more; also where the other side's window held it back,
 * if a queue stands meanwhile: then it was the path that brought no more. */
static void look_for_the_end_of_startup(struct model *m, double rate)
{
    if (m->phase != STARTUP || m->disturbed || (!m->had_enough && !m->queue_seen))
        return;
    if (rate >= m->full_rate * FULL_GROWTH) {
        m->full_rate = rate;
        m->full_rounds = 0;
        m->queue_seen = false;
    } else if (++m->full_rounds >= FULL_ROUNDS) {
        m->phase = DRAIN;
    }
}

/* A path that throws away what is beyond its rate shows no smaller deliveries: its rate is noted
 * for all rounds that are remembered. */
static void heed_heavy_loss(struct model *m, double rate)
{
    if ((double)m->lost <= LOSS_TOO_MUCH * (double)(m->lost + m->delivered))
        return;
    for (size_t i = 0; i < RATE_ROUNDS; i++)
        if (m->rates[i] > rate)
            m->rates[i] = rate + (m->rates[i] - rate) * LOSS_RATE_FACTOR;
    if (m->phase == STARTUP)
        m->phase = DRAIN;
}

static void end_round(struct model *m, const struct ln_sctp_cc_ack *ack)
{
    ln_duration took = m->round_start == LN_TIME_NEVER ? 0 : ack->now - m->round_start;

    if (took > 0 && m->delivered > 0) {
        double rate = (double)m->delivered * 1e9 / (double)took;

        note_rate(m, rate);
        look_for_the_end_of_startup(m, rate);
        heed_heavy_loss(m, rate);
    }
    if (m->phase == CRUISE)
        m->cycle = m->found_more ? 0 : (m->cycle + 1) % CYCLE_LENGTH;
    m->found_more = false;
    m->disturbed = m->collapsed;
    m->round_start = ack->now;
    m->round_end = ack->next_tsn;
    m->delivered = m->lost = 0;
    m->had_enough = true;
}

static void note_rtt(struct model *m, const struct ln_sctp_cc_ack *ack)
{
    bool old = m->min_rtt > 0 && ack->now - m->min_rtt_at > RTT_LIFETIME;

    if (ack->rtt > m->min_rtt + m->min_rtt / QUEUE_PART && m->min_rtt > 0)
        m->queue_seen = true;
    if (ack->rtt > 0 && (m->min_rtt == 0 || ack->rtt <= m->min_rtt)) {
        m->min_rtt = ack->rtt;
        m->min_rtt_at = ack->now;
    } else if (old && m->phase == CRUISE) {
        m->phase = PROBE;
        m->probe_empty = false;
    }
}

static void run_probe(struct model *m, const struct ln_sctp_cc_ack *ack)
{
    if (!m->probe_empty) {
        if (ack->in_flight_bytes > (PROBE_PACKETS + 2) * m->packet_bytes)
            return;
        m->probe_empty = true;
        m->probe_until = ack->now + PROBE_TIME;
        m->min_rtt = 0; /* measured anew */
    } else if (ack->now >= m->probe_until && m->min_rtt > 0) {
        m->min_rtt_at = ack->now;
        m->phase = CRUISE;
        m->cycle = 2;
    }
}

static double pacing_gain(const struct model *m)
{
    switch (m->phase) {
    case STARTUP:
        return STARTUP_GAIN;
    case DRAIN:
        return DRAIN_GAIN;
    case CRUISE:
        return cycle_gains[m->cycle];
    default:
        return 1;
    }
}

static size_t target_window(const struct model *m)
{
    double gain = m->phase == STARTUP ? STARTUP_GAIN : WINDOW_GAIN;
    double target = product(m) * gain + (double)(3 * m->packet_bytes);
    double bursts = bandwidth(m) * 2 * (double)LN_PACE_BURST /
                    1e9; /* in hand for sends in bursts */

    target += bursts;
    if (target < (double)(PROBE_PACKETS * m->packet_bytes))
        target = (double)(PROBE_PACKETS * m->packet_bytes);
    return target < (double)m->max_window ? (size_t)target : m->max_window;
}

static void set_window(struct model *m, size_t acked)
{
    size_t target = target_window(m);

    if (m->phase == PROBE) {
        m->window = PROBE_PACKETS * m->packet_bytes;
    } else if (bandwidth(m) == 0) {
        m->window += acked;
    } else if (m->phase == STARTUP || m->collapsed || m->window < target) {
        m->window += acked;
        if (m->window >= target) {
            m->collapsed = false;
            if (m->phase != STARTUP)
                m->window = target;
        }
    } else {
        m->window = target;
    }
    if (m->window > m->max_window)
        m->window = m->max_window;
}

static void set_pace(struct model *m, const struct ln_sctp_cc_ack *ack)
{
    double rate = bandwidth(m) * pacing_gain(m) * PACED_PART;
    ln_duration rtt = ack->smoothed_rtt > FIRST_RTT ? ack->smoothed_rtt : FIRST_RTT;
    double first = (double)m->initial_window * STARTUP_GAIN * 1e9 / (double)rtt;

    if (m->phase == STARTUP && rate < first)
        rate = first;
    ln_pace_set_rate(&m->pace, rate);
}

static void model_on_ack(void *cc, const struct ln_sctp_cc_ack *ack)
{
    struct model *m = cc;

    if (m->recovering && ack->cumulative_tsn >= m->recovery_end)
        m->recovering = false;
    m->delivered += ack->acked_bytes;
    if (!ack->limited && !ack->paced)
        m->had_enough = false;
    note_rtt(m, ack);
    if (ack->highest_tsn >= m->round_end)
        end_round(m, ack);
    if (m->phase == PROBE)
        run_probe(m, ack);
    if (m->phase == DRAIN && (double)ack->in_flight_bytes <= product(m)) {
        m->phase = CRUISE;
        m->cycle = 2;
    }
    set_window(m, ack->acked_bytes);
    set_pace(m, ack);
}

static void model_on_loss(void *cc, ln_time now, size_t bytes, uint64_t largest_tsn,
                          uint64_t next_tsn)
{
    struct model *m = cc;

    (void)now;
    (void)largest_tsn;
    m->lost += bytes;
    if (m->recovering)
        return;
    m->recovering = true;
    m->recovery_end = next_tsn - 1;
}

static void model_on_timeout(void *cc, ln_time now, bool again)
{
    struct model *m = cc;

    (void)now;
    (void)again;
    m->window = m->packet_bytes;
    m->collapsed = m->disturbed = true;
    m->recovering = false;
}

static void model_undo(void *cc, ln_time now)
{
    struct model *m = cc;

    (void)now;
    m->recovering = false;
    if (m->collapsed && bandwidth(m) > 0)
        m->window = target_window(m);
    m->collapsed = false;
}

static void model_on_idle(void *cc, ln_time now, ln_duration idle, ln_duration rto)
{
    struct model *m = cc;

    (void)idle;
    (void)rto;
    m->round_start = now; /* the pause is no part of a round */
    m->delivered = m->lost = 0;
    m->had_enough = false;
}

static void model_set_packet_bytes(void *cc, size_t packet_bytes)
{
    struct model *m = cc;

    m->packet_bytes = m->pace.packet_bytes = packet_bytes;
}

static size_t model_window(const void *cc)
{
    return ((const struct model *)cc)->window;
}

static bool model_in_recovery(const void *cc)
{
    return ((const struct model *)cc)->recovering;
}

static ln_time model_next_send(const void *cc)
{
    return ln_pace_next(&((const struct model *)cc)->pace);
}

const struct ln_sctp_cc_ops ln_sctp_cc_model = {
    .name = "model",
    .state_bytes = sizeof(struct model),
    .init = model_init,
    .on_sent = model_on_sent,
    .on_ack = model_on_ack,
    .on_loss = model_on_loss,
    .on_timeout = model_on_timeout,
    .undo = model_undo,
    .on_idle = model_on_idle,
    .set_packet_bytes = model_set_packet_bytes,
    .window = model_window,
    .in_recovery = model_in_recovery,
    .next_send = model_next_send,
};
