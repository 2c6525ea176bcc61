/* SPDX-License-Identifier: Apache-2.0
 * What left under which transport-wide sequence number, to read transport-cc reports with.
 *
 * Invariant: a report about a number that was never given out, or is forgotten, yields nothing. */
#ifndef LN_RTP_SENT_LOG_H
#define LN_RTP_SENT_LOG_H

#include "rtp/rtcp.h"
#include "rtp/session.h"

#define LN_SENT_LOG_SIZE 4096 /* packets back */

struct ln_sent_packet {
    int64_t sequence;
    ln_time send_time;
    uint32_t size;
    uint32_t ssrc;
    uint8_t state; /* sent_log.c */
};

struct ln_sent_log {
    struct ln_allocator *allocator;
    struct ln_sent_packet *packets; /* NULL until the first */
    int64_t next;
    int64_t reference; /* of the last report, unwrapped; for the remote's clock */
    bool has_reference;
    uint64_t unknown;
};

void ln_sent_log_init(struct ln_sent_log *log, struct ln_allocator *allocator);
void ln_sent_log_deinit(struct ln_sent_log *log);
/* Gives out the next number. Out of memory: the packet cannot be reported on, -1. */
int64_t ln_sent_log_add(struct ln_sent_log *log, ln_time now, uint32_t size, uint32_t ssrc);

/* Reads one report: news in sequence order, at most `cap`, and the SSRC of each that arrived.
 * Returns how many, or LN_ERR_MALFORMED. */
LN_NODISCARD int ln_sent_log_read(struct ln_sent_log *log, struct ln_bytes fci,
                                  struct ln_rtp_packet_result *results, uint32_t *ssrcs,
                                  size_t cap);

#endif
