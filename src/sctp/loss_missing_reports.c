/* SPDX-License-Identifier: Apache-2.0
 * Three missing reports make a loss (RFC 9260, 7.2.4, with the highest-newly-acknowledged rule).
 * Beyond the RFC a retransmission may be found lost again, when something sent after it arrives:
 * bounded in work per SACK, since that looks at fragments again and again. */
#include "sctp/loss.h"

#define REPORTS         3u
#define AGAIN_LOOKED_AT 256u

struct missing_reports {
    uint64_t from; /* every fragment before it was found lost once, or acknowledged */
};

static void init(void *loss)
{
    ((struct missing_reports *)loss)->from = 0;
}

static bool report(struct ln_outstanding *o, uint64_t tsn, struct ln_slot *slot)
{
    if (++slot->misses < REPORTS)
        return false;
    ln_outstanding_lose(o, tsn);
    return true;
}

/* Fragments sent once. Each is visited at most three times, so the walk is paid by its results. */
static uint64_t look_at_new(struct missing_reports *m, struct ln_outstanding *o, uint64_t end)
{
    uint64_t tsn = m->from > o->first ? m->from : o->first, open = 0, highest = 0;
    size_t range = ln_ranges_find(&o->acked, tsn);

    for (; tsn < end; tsn++) {
        struct ln_slot *slot;

        if (range < o->acked.count && tsn >= o->acked.items[range].first) {
            tsn = o->acked.items[range++].last;
            continue;
        }
        slot = ln_outstanding_slot(o, tsn);
        if (slot->state != LN_SLOT_IN_FLIGHT || slot->transmits > 1)
            continue;
        if (report(o, tsn, slot))
            highest = tsn;
        else if (open == 0)
            open = tsn;
    }
    if (open > 0)
        m->from = open;
    else if (end > m->from)
        m->from = end;
    return highest;
}

static uint64_t look_again(const struct missing_reports *m, struct ln_outstanding *o,
                           const struct ln_ack *ack, uint64_t end)
{
    uint64_t tsn = o->first, highest = 0;
    size_t range = ln_ranges_find(&o->acked, tsn);

    if (end > m->from)
        end = m->from;
    for (unsigned looked = 0; tsn < end && looked < AGAIN_LOOKED_AT; tsn++, looked++) {
        struct ln_slot *slot;

        if (range < o->acked.count && tsn >= o->acked.items[range].first) {
            tsn = o->acked.items[range++].last;
            continue;
        }
        slot = ln_outstanding_slot(o, tsn);
        if (slot->state == LN_SLOT_IN_FLIGHT && slot->transmits > 1 &&
            slot->sent_at < ack->newest_sent && report(o, tsn, slot))
            highest = tsn;
    }
    return highest;
}

static uint64_t on_ack(void *loss, struct ln_outstanding *o, const struct ln_ack *ack,
                       bool in_recovery, ln_duration smoothed_rtt, ln_time now)
{
    struct missing_reports *m = loss;
    uint64_t end = ack->highest, fresh, again;

    (void)smoothed_rtt;
    (void)now;
    if (in_recovery && ack->advanced && o->acked.count > 0 &&
        o->acked.items[o->acked.count - 1].last > end)
        end = o->acked.items[o->acked.count - 1].last;
    if (end <= o->first)
        return 0;
    again = look_again(m, o, ack, end);
    fresh = look_at_new(m, o, end);
    return fresh > again ? fresh : again;
}

const struct ln_sctp_loss_ops ln_sctp_loss_missing_reports = {
    .name = "missing reports",
    .state_bytes = sizeof(struct missing_reports),
    .init = init,
    .on_ack = on_ack,
};
