/* SPDX-License-Identifier: Apache-2.0
 * Whether what was sent again had to be. After each loss or timeout the retransmissions are noted;
 * each is struck out again when the peer reports its TSN twice (RFC 9260, 3.3.4), or when the
 * answer came sooner than a round trip takes. If that leaves none, nothing was lost, and what
 * congestion control took back can be given again (the ideas of RFC 3708, 3 and RFC 5682, 2.1). */
#ifndef LN_SCTP_SPURIOUS_H
#define LN_SCTP_SPURIOUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LN_SPURIOUS_NOTED_MAX 64u

struct ln_spurious {
    uint32_t resent[LN_SPURIOUS_NOTED_MAX];
    size_t count;
    size_t in_vain;  /* struck out since the loss */
    size_t not_lost; /* arrived although held lost, before they were sent again */
    bool watching, by_timeout, too_many;
};

/* Something was found lost, or the timer ran out: from here on it is watched. */
void ln_spurious_begin(struct ln_spurious *spurious, bool by_timeout);
void ln_spurious_end(struct ln_spurious *spurious);
void ln_spurious_resent(struct ln_spurious *spurious, uint32_t tsn);
/* That TSN arrived twice, or too early; ignored unless it is one of those noted. */
void ln_spurious_in_vain(struct ln_spurious *spurious, uint32_t tsn);
void ln_spurious_not_lost(struct ln_spurious *spurious);
/* Nothing was lost: to be asked after each SACK. */
bool ln_spurious_all(const struct ln_spurious *spurious);

#endif
