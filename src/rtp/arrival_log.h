/* SPDX-License-Identifier: Apache-2.0
 * When packets with a transport-wide sequence number arrived, until it has been reported
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3). */
#ifndef LN_RTP_ARRIVAL_LOG_H
#define LN_RTP_ARRIVAL_LOG_H

#include "rtp/packet.h"

#include <linnet/env.h>

#define LN_ARRIVAL_LOG_SIZE      2048 /* packets back, a power of two */
#define LN_FEEDBACK_INTERVAL_MIN LN_MILLISECONDS(50)
#define LN_FEEDBACK_INTERVAL_MAX LN_MILLISECONDS(250)

struct ln_arrival_log {
    struct ln_allocator *allocator;
    ln_time *arrivals; /* LN_TIME_NEVER: did not come; NULL until the first packet */
    struct ln_rtp_unwrap sequence;
    int64_t base; /* the first that was not reported */
    bool pending; /* something arrived since the last report */
    uint8_t feedback_count;
    uint32_t media_ssrc;
    uint64_t bytes; /* since the last report */
    ln_time reported;
    ln_duration interval;
};

void ln_arrival_log_init(struct ln_arrival_log *log, struct ln_allocator *allocator);
void ln_arrival_log_deinit(struct ln_arrival_log *log);
/* Out of memory is a packet that did not arrive. */
void ln_arrival_log_add(struct ln_arrival_log *log, ln_time now, uint16_t sequence, uint32_t ssrc,
                        size_t len);
/* When the next report is due; LN_TIME_NEVER when there is nothing to tell. */
ln_time ln_arrival_log_next_report(const struct ln_arrival_log *log);
/* Appends one report; true if it did. Call until next_report() lies ahead. */
bool ln_arrival_log_report(struct ln_arrival_log *log, ln_time now, uint32_t sender_ssrc,
                           struct ln_writer *w);

#endif
