/* SPDX-License-Identifier: Apache-2.0
 * Pacing for the controllers: what is sent is paid for at a rate. Sending stops when the payment
 * reaches into the future, and goes on when a burst has been earned: a millisecond's worth, at most
 * one send with segmentation offload (64 packets), at least one packet. Somebody who comes late, or
 * was idle, has that much more in hand, up to the slack. */
#ifndef LN_SCTP_PACE_H
#define LN_SCTP_PACE_H

#include <linnet/types.h>

#define LN_PACE_BURST         LN_MILLISECONDS(1)
#define LN_PACE_BURST_PACKETS 64
#define LN_PACE_SLACK         LN_MILLISECONDS(4)
#define LN_PACE_SLACK_PACKETS 10 /* as the initial window: a short message is not delayed */

struct ln_pace {
    double ns_per_byte; /* 0: not paced */
    size_t packet_bytes;
    ln_time paid_until, resume;
};

void ln_pace_init(struct ln_pace *pace, size_t packet_bytes);
void ln_pace_set_rate(struct ln_pace *pace, double bytes_per_s); /* 0: none */
/* `window` bytes a round trip, times factor. */
void ln_pace_set_window(struct ln_pace *pace, size_t window, ln_duration rtt, double factor);
void ln_pace_sent(struct ln_pace *pace, ln_time now, size_t bytes);

static inline ln_time ln_pace_next(const struct ln_pace *pace)
{
    return pace->resume;
}

#endif
