/* SPDX-License-Identifier: Apache-2.0
 * Leaving slow start before anything is lost (HyStart++, RFC 9406): when the least round trip has
 * grown well above that of the round before, growth is slowed to a quarter for five rounds; if the
 * delay falls again it was noise, else slow start ends.
 *
 * Two things are not the RFC's. It looks at the least round trip of a whole round, which stands at
 * the round's beginning: on a long path a window doubles between two looks, and the queue is full
 * at the second. Here a part of a round is looked at, of as many samples as the RFC wants. The
 * delay has fallen again when half of what it grew by is gone: what is paced makes waves. And slow
 * start ends at once when the round trip has grown by a quarter. */
#ifndef LN_SCTP_SLOW_START_H
#define LN_SCTP_SLOW_START_H

#include "sctp/cc.h"

struct ln_slow_start {
    uint64_t round_end;                /* the TSN that ends this round when acknowledged */
    ln_duration last_rtt, rtt;         /* the least of a round; 0: none */
    ln_time part_from;                 /* the present part of a round, */
    ln_duration part_rtt;              /* its least round trip */
    ln_duration baseline, before;      /* when the delay grew, and in the round before */
    unsigned samples, cautious_rounds; /* samples: of the part */
    bool cautious;
};

void ln_slow_start_init(struct ln_slow_start *slow_start);
/* Returns the bytes by which the window grows; ret_end: it is over now. */
size_t ln_slow_start_on_ack(struct ln_slow_start *slow_start, const struct ln_sctp_cc_ack *ack,
                            bool *ret_end);

#endif
