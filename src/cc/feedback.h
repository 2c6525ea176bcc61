/* SPDX-License-Identifier: Apache-2.0
 * What congestion control is told about packets: plain records, no protocol.
 *
 * The owner copies them from its transport (rtp/session.h has the same members). */
#ifndef LN_CC_FEEDBACK_H
#define LN_CC_FEEDBACK_H

#include <linnet/types.h>

/* A packet that left. */
struct ln_cc_sent {
    int64_t sequence; /* grows by one a packet that feedback will speak of; -1: none will */
    uint32_t size;    /* bytes, with what SRTP adds if the owner knows it */
    ln_time send_time;
    bool paced; /* false: audio or RTCP, which do not wait */
    bool probe; /* padding that was asked for */
};

/* What the other side says of it. */
struct ln_cc_result {
    int64_t sequence;
    uint32_t size;
    ln_time send_time;
    ln_time arrival_time; /* on the other side's clock; LN_TIME_NEVER: lost */
};

#endif
