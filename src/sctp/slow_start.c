/* SPDX-License-Identifier: Apache-2.0
 * RFC 9406, 4.2 and 4.3. */
#include "sctp/slow_start.h"

#include <string.h>

#define THRESHOLD_MIN    LN_MILLISECONDS(4)
#define THRESHOLD_MAX    LN_MILLISECONDS(16)
#define THRESHOLD_PART   8
#define QUEUED_MIN       LN_MILLISECONDS(16)
#define QUEUED_PART      4
#define SAMPLES_MIN      8u
#define PARTS            8 /* of a round trip */
#define CAUTIOUS_DIVISOR 4u
#define CAUTIOUS_ROUNDS  5u

void ln_slow_start_init(struct ln_slow_start *s)
{
    memset(s, 0, sizeof *s);
}

static ln_duration threshold(ln_duration rtt)
{
    ln_duration value = rtt / THRESHOLD_PART;

    if (value < THRESHOLD_MIN)
        return THRESHOLD_MIN;
    return value < THRESHOLD_MAX ? value : THRESHOLD_MAX;
}

/* No noise is that long: there is a queue. */
static ln_duration queued(ln_duration rtt)
{
    return rtt / QUEUED_PART > QUEUED_MIN ? rtt / QUEUED_PART : QUEUED_MIN;
}

/* Returns true when the last cautious round is over. */
static bool begin_round(struct ln_slow_start *s, uint64_t next_tsn)
{
    s->round_end = next_tsn;
    s->last_rtt = s->rtt;
    s->rtt = 0;
    return s->cautious && ++s->cautious_rounds >= CAUTIOUS_ROUNDS;
}

static void judge(struct ln_slow_start *s)
{
    if (s->cautious) {
        if (s->part_rtt < s->before + (s->baseline - s->before) / 2)
            s->cautious = false;
        else if (s->part_rtt >= s->before + queued(s->before))
            s->cautious_rounds = CAUTIOUS_ROUNDS;
    } else if (s->last_rtt > 0 && s->part_rtt >= s->last_rtt + threshold(s->last_rtt)) {
        s->cautious = true;
        s->cautious_rounds = 0;
        s->baseline = s->part_rtt;
        s->before = s->last_rtt;
    }
}

static void take_sample(struct ln_slow_start *s, ln_duration rtt, ln_time now)
{
    if (s->rtt == 0 || rtt < s->rtt)
        s->rtt = rtt;
    if (s->samples == 0)
        s->part_from = now;
    if (s->samples == 0 || rtt < s->part_rtt)
        s->part_rtt = rtt;
    s->samples++;
    if (s->samples < SAMPLES_MIN || now - s->part_from < s->rtt / PARTS)
        return;
    judge(s);
    s->samples = 0;
}

size_t ln_slow_start_on_ack(struct ln_slow_start *s, const struct ln_sctp_cc_ack *ack,
                            bool *ret_end)
{
    bool end = false;

    if (ack->highest_tsn >= s->round_end)
        end = begin_round(s, ack->next_tsn);
    if (ack->rtt > 0)
        take_sample(s, ack->rtt, ack->now);
    *ret_end = end || (s->cautious && s->cautious_rounds >= CAUTIOUS_ROUNDS);
    return s->cautious ? ack->acked_bytes / CAUTIOUS_DIVISOR : ack->acked_bytes;
}
