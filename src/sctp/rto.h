/* SPDX-License-Identifier: Apache-2.0
 * Round-trip time and retransmission timeout (RFC 9260, 6.3.1 and 6.3.3). */
#ifndef LN_SCTP_RTO_H
#define LN_SCTP_RTO_H

#include <linnet/types.h>

struct ln_rto {
    ln_duration initial, min, max;
    ln_duration smoothed, variation; /* smoothed 0: nothing measured */
    ln_duration value;               /* the timeout now, with back-off */
};

void ln_rto_init(struct ln_rto *rto, ln_duration initial, ln_duration min, ln_duration max);
void ln_rto_measure(struct ln_rto *rto, ln_duration sample);
void ln_rto_back_off(struct ln_rto *rto);
/* Forgets the back-off: the path answers again. */
void ln_rto_recover(struct ln_rto *rto);

#endif
