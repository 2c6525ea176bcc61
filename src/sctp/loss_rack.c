/* SPDX-License-Identifier: Apache-2.0
 * Loss by time (RFC 8985 with TSNs for sequence numbers). A fragment is lost when something sent
 * after it has arrived and it has had a round trip and the reordering window to arrive itself,
 * whether it was sent once or again. When no SACK comes for two round trips, one packet is sent as
 * a probe, so that a lost tail is repaired without the retransmission timer.
 *
 * Both walks are in the order of sending and stop at the first fragment that is not lost: those
 * sent once by TSN, from where the last walk stopped; those resent by their list. */
#include "sctp/loss.h"

#include "base/time.h"

#include <string.h>

#define GAPS_FOR_NO_WINDOW 3u  /* RFC 8985, 6.2 step 4: as many as RFC 9260 counts */
#define KEEP_RECOVERIES    16u /* a wider window is kept that long */
#define WIDEN_MAX          16u
#define PROBE_SLACK        LN_MILLISECONDS(10)
#define PROBE_FIRST        LN_SECONDS(1) /* before anything was measured */

struct rack {
    ln_time newest_sent; /* of what arrived, that sent last, and its TSN */
    uint64_t newest_tsn;
    ln_duration rtt; /* of it */
    uint64_t from;   /* before it, every fragment sent once is decided */
    bool reordered;
    unsigned widen, keep; /* window in quarters of the least round trip; recoveries that it stays */
    uint64_t widened_at;  /* once a round trip: until this TSN is acknowledged */
    ln_duration window;   /* as of the last SACK */
    ln_time reorder_deadline, probe_deadline;
    bool probing;
    uint64_t probe_tsn; /* resent as a probe; 0: new data was */
    ln_time probe_sent;
};

static void init(void *loss)
{
    struct rack *r = loss;

    memset(r, 0, sizeof *r);
    r->widen = 1;
    r->reorder_deadline = r->probe_deadline = LN_TIME_NEVER;
}

/* Sent before the newest that arrived? Within one moment the TSN decides. */
static bool overtaken(const struct rack *r, uint64_t tsn, const struct ln_slot *slot)
{
    return slot->sent_at < r->newest_sent ||
           (slot->sent_at == r->newest_sent && tsn < r->newest_tsn);
}

/* Decides one fragment in flight. Returns false when the walk ends here: it still has time, or
 * nothing sent later has arrived. */
static bool decide(struct rack *r, struct ln_outstanding *o, uint64_t tsn,
                   const struct ln_slot *slot, ln_time now, uint64_t *highest)
{
    ln_time until;

    if (!overtaken(r, tsn, slot))
        return false;
    until = ln_time_add(slot->sent_at, r->rtt + r->window);
    if (until > now) {
        r->reorder_deadline = ln_time_min(r->reorder_deadline, until);
        return false;
    }
    ln_outstanding_lose(o, tsn);
    if (tsn > *highest)
        *highest = tsn;
    return true;
}

static void decide_sent_once(struct rack *r, struct ln_outstanding *o, ln_time now,
                             uint64_t *highest)
{
    uint64_t tsn = r->from > o->first ? r->from : o->first;
    size_t range = ln_ranges_find(&o->acked, tsn);

    for (; tsn < o->next && tsn <= o->told_to; tsn++) {
        const struct ln_slot *slot;

        if (range < o->acked.count && tsn >= o->acked.items[range].first) {
            tsn = o->acked.items[range++].last;
            continue;
        }
        slot = ln_outstanding_slot(o, tsn);
        if (slot->state == LN_SLOT_IN_FLIGHT && slot->transmits == 1 &&
            !decide(r, o, tsn, slot, now, highest))
            break;
    }
    r->from = tsn;
}

static void decide_resent(struct rack *r, struct ln_outstanding *o, ln_time now, uint64_t *highest)
{
    uint64_t tsn = o->oldest_resent;

    while (tsn != 0) {
        uint64_t newer = ln_outstanding_newer_resent(o, tsn);

        if (tsn <= o->told_to && !decide(r, o, tsn, ln_outstanding_slot(o, tsn), now, highest))
            break;
        tsn = newer;
    }
}

static uint64_t decide_all(struct rack *r, struct ln_outstanding *o, ln_time now)
{
    uint64_t highest = 0;

    r->reorder_deadline = LN_TIME_NEVER;
    decide_sent_once(r, o, now, &highest);
    decide_resent(r, o, now, &highest);
    return highest;
}

/* RFC 8985, 6.2 step 4: none while nothing came out of order and something is surely missing. */
static ln_duration reordering_window(const struct rack *r, const struct ln_outstanding *o,
                                     bool in_recovery, ln_duration smoothed_rtt)
{
    ln_duration window = o->min_rtt / 4 * r->widen;

    if (!r->reordered && (in_recovery || o->gap_acked_count >= GAPS_FOR_NO_WINDOW))
        return 0;
    return window < smoothed_rtt ? window : smoothed_rtt;
}

static bool arrived(const struct ln_outstanding *o, uint64_t tsn)
{
    return tsn < o->first || ln_outstanding_slot(o, tsn)->state == LN_SLOT_ACKED;
}

/* A probe whose answer took a round trip has repaired a loss that nothing else showed (RFC 8985,
 * 7.4). Returns its TSN then. */
static uint64_t judge_probe(struct rack *r, const struct ln_outstanding *o, ln_time now)
{
    bool repaired;

    if (!r->probing || (r->probe_tsn != 0 && !arrived(o, r->probe_tsn)))
        return 0;
    r->probing = false;
    repaired = r->probe_tsn != 0 && now - r->probe_sent >= o->min_rtt - o->min_rtt / 4;
    return repaired ? r->probe_tsn : 0;
}

/* Also while losses are repaired: the last of the retransmissions may be lost like any other. */
static void arm_probe(struct rack *r, const struct ln_outstanding *o, ln_duration smoothed_rtt,
                      ln_time now)
{
    ln_duration wait = smoothed_rtt > 0 ? smoothed_rtt * 2 + PROBE_SLACK : PROBE_FIRST;

    r->probe_deadline = o->in_flight_bytes > 0 && o->lost_count == 0 && !r->probing
                            ? ln_time_add(now, wait)
                            : LN_TIME_NEVER;
}

static uint64_t on_ack(void *loss, struct ln_outstanding *o, const struct ln_ack *ack,
                       bool in_recovery, ln_duration smoothed_rtt, ln_time now)
{
    struct rack *r = loss;
    uint64_t lost, repaired;

    if (ack->newest_sent > r->newest_sent ||
        (ack->newest_sent == r->newest_sent && ack->newest_tsn > r->newest_tsn)) {
        r->newest_sent = ack->newest_sent;
        r->newest_tsn = ack->newest_tsn;
        r->rtt = now - ack->newest_sent;
        if (o->told_to != UINT64_MAX && r->rtt > smoothed_rtt)
            r->rtt = smoothed_rtt; /* it may have arrived long before it was told */
    }
    if (ack->reordered)
        r->reordered = true;
    r->window = reordering_window(r, o, in_recovery, smoothed_rtt);
    lost = decide_all(r, o, now);
    if (lost != 0 && !in_recovery && r->keep > 0 && --r->keep == 0)
        r->widen = 1;
    repaired = judge_probe(r, o, now);
    arm_probe(r, o, smoothed_rtt, now);
    return lost > repaired ? lost : repaired;
}

static ln_time next_timeout(const void *loss)
{
    const struct rack *r = loss;

    return ln_time_min(r->reorder_deadline, r->probe_deadline);
}

static bool probe(struct rack *r, struct ln_outstanding *o, ln_time now)
{
    r->probe_deadline = LN_TIME_NEVER;
    if (o->in_flight_bytes == 0 || o->lost_count > 0)
        return false;
    r->probing = true;
    r->probe_sent = now;
    r->probe_tsn = 0;
    if (!ln_send_queue_ready(o->queue)) {
        r->probe_tsn = ln_outstanding_last_in_flight(o);
        ln_outstanding_lose(o, r->probe_tsn);
    }
    return true;
}

static uint64_t on_timeout(void *loss, struct ln_outstanding *o, ln_time now, bool *ret_probe)
{
    struct rack *r = loss;
    uint64_t highest = 0;

    if (ln_time_due(r->reorder_deadline, now))
        highest = decide_all(r, o, now);
    *ret_probe = ln_time_due(r->probe_deadline, now) && probe(r, o, now);
    return highest;
}

static void on_sent(void *loss, const struct ln_outstanding *o, ln_duration smoothed_rtt,
                    ln_time now)
{
    struct rack *r = loss;

    if (r->reorder_deadline == LN_TIME_NEVER)
        arm_probe(r, o, smoothed_rtt, now);
}

static void on_rto(void *loss)
{
    struct rack *r = loss;

    r->reorder_deadline = r->probe_deadline = LN_TIME_NEVER;
    r->probing = false;
}

static void on_in_vain(void *loss, const struct ln_outstanding *o)
{
    struct rack *r = loss;

    r->reordered = true;
    r->keep = KEEP_RECOVERIES;
    if (o->first <= r->widened_at)
        return;
    r->widened_at = o->next;
    if (r->widen < WIDEN_MAX)
        r->widen++;
}

static void on_undo(void *loss, const struct ln_outstanding *o, ln_time now)
{
    struct rack *r = loss;

    r->from = 0;
    r->reorder_deadline = ln_time_add(now, o->min_rtt / 4 + 1);
}

const struct ln_sctp_loss_ops ln_sctp_loss_rack = {
    .name = "rack",
    .state_bytes = sizeof(struct rack),
    .init = init,
    .on_ack = on_ack,
    .next_timeout = next_timeout,
    .on_timeout = on_timeout,
    .on_sent = on_sent,
    .on_rto = on_rto,
    .on_in_vain = on_in_vain,
    .on_undo = on_undo,
};
