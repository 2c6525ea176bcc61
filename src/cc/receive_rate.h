/* SPDX-License-Identifier: Apache-2.0
 * The receiver's estimate for peers that want REMB and know no transport-cc: what arrives, and how
 * much of it is lost, give a value that lets a healthy sender grow.
 *
 * Without loss the value is well above what arrives and never below a floor that lets a sender
 * begin (it passes 1 Mbit/s on a healthy link); loss over a tenth lowers it. No allocation; embed
 * it. */
#ifndef LN_CC_RECEIVE_RATE_H
#define LN_CC_RECEIVE_RATE_H

#include <linnet/types.h>

struct ln_receive_rate {
    uint64_t estimate_bps, max_bps;
    uint64_t bytes;          /* in the present window */
    ln_time window_from;     /* LN_TIME_NEVER before the first packet */
    uint64_t rate_bps;       /* smoothed throughput */
    uint64_t expected, lost; /* as of the last window */
    double loss;             /* smoothed */
    bool changed;
};

void ln_receive_rate_init(struct ln_receive_rate *r, uint64_t start_bps, uint64_t max_bps);
/* A packet arrived, `len` bytes. */
void ln_receive_rate_on_packet(struct ln_receive_rate *r, ln_time now, size_t len);
/* Cumulative figures of all streams (rtp/session.h: packets_expected, packets_lost). */
void ln_receive_rate_on_totals(struct ln_receive_rate *r, ln_time now, uint64_t expected,
                               uint64_t lost);
/* True once after each half second with packets, and after bad news: put it into REMB. */
bool ln_receive_rate_poll(struct ln_receive_rate *r, uint64_t *ret_bps);

#endif
