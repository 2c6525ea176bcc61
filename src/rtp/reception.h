/* SPDX-License-Identifier: Apache-2.0
 * What RFC 3550 asks a receiver to count of one SSRC: extended sequence numbers, loss, interarrival
 * jitter, duplicates (6.4.1, appendices A.1, A.3, A.8). */
#ifndef LN_RTP_RECEPTION_H
#define LN_RTP_RECEPTION_H

#include "rtp/packet.h"
#include "rtp/rtcp.h"

#define LN_RECEPTION_WINDOW  1024 /* sequence numbers back of which duplicates are known */
#define LN_RECEPTION_DROPOUT 3000 /* a larger step forward is a restart (A.1) */

struct ln_reception {
    bool started;
    struct ln_rtp_unwrap sequence, timestamp;
    int64_t base;
    uint64_t received; /* duplicates not counted */
    uint64_t duplicates;
    uint64_t expected_prior, received_prior;
    uint64_t seen[LN_RECEPTION_WINDOW / 64];
    bool restart_pending;
    uint16_t restart_next;
    double jitter; /* in timestamp units */
    int64_t last_transit;
    bool has_transit;
    ln_time last_sr_arrival;
    uint32_t last_sr; /* middle 32 bits of its NTP time; 0: none came */
};

enum ln_reception_result {
    LN_RECEPTION_NEW,
    LN_RECEPTION_DUPLICATE,
    LN_RECEPTION_TOO_OLD,
    LN_RECEPTION_SUSPECT, /* far from all before: kept out until a second one follows it */
    LN_RECEPTION_RESTART, /* new, and all before it is void */
};

/* One packet arrived; *ret_sequence is its extended number if it is new. clock_hz 0: jitter is not
 * measured (RTX). */
enum ln_reception_result ln_reception_on_packet(struct ln_reception *r, ln_time now,
                                                uint16_t sequence, uint32_t timestamp,
                                                uint32_t clock_hz, int64_t *ret_sequence);
/* A repaired packet: false if it is a duplicate or too old; nothing is counted as received. */
bool ln_reception_on_repaired(struct ln_reception *r, uint16_t sequence, int64_t *ret_sequence);

uint64_t ln_reception_expected(const struct ln_reception *r);
int64_t ln_reception_lost(const struct ln_reception *r);
/* The block of the next report; begins a new interval. */
void ln_reception_report(struct ln_reception *r, ln_time now, uint32_t ssrc,
                         struct ln_rtcp_block *ret);

#endif
