/* SPDX-License-Identifier: Apache-2.0
 * RFC 9406, 4.2 and 4.3. */
#include "sctp/slow_start.h"

#include <string.h>

#define THRESHOLD_MIN    LN_MILLISECONDS(4)
#define THRESHOLD_MAX    LN_MILLISECONDS(16)
#define THRESHOLD_PART   8
#define SAMPLES_MIN      8u
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

/* Returns true when the last cautious round is over. */
static bool begin_round(struct ln_slow_start *s, uint64_t next_tsn)
{
    s->round_end = next_tsn;
    s->last_rtt = s->rtt;
    s->rtt = 0;
    s->samples = 0;
    return s->cautious && ++s->cautious_rounds >= CAUTIOUS_ROUNDS;
}

static void judge(struct ln_slow_start *s)
{
    if (s->samples < SAMPLES_MIN)
        return;
    if (s->cautious) {
        if (s->rtt < s->baseline)
            s->cautious = false;
        else if (s->rtt >= s->before + s->before) /* beyond the RFC: that is no noise */
            s->cautious_rounds = CAUTIOUS_ROUNDS;
    } else if (s->last_rtt > 0 && s->rtt >= s->last_rtt + threshold(s->last_rtt)) {
        s->cautious = true;
        s->cautious_rounds = 0;
        s->baseline = s->rtt;
        s->before = s->last_rtt;
    }
}

size_t ln_slow_start_on_ack(struct ln_slow_start *s, const struct ln_sctp_cc_ack *ack,
                            bool *ret_end)
{
    bool end = false;

    if (ack->highest_tsn >= s->round_end)
        end = begin_round(s, ack->next_tsn);
    if (ack->rtt > 0) {
        s->samples++;
        if (s->rtt == 0 || ack->rtt < s->rtt)
            s->rtt = ack->rtt;
        judge(s);
    }
    *ret_end = end || (s->cautious && s->cautious_rounds >= CAUTIOUS_ROUNDS);
    return s->cautious ? ack->acked_bytes / CAUTIOUS_DIVISOR : ack->acked_bytes;
}
