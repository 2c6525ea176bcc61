/* SPDX-License-Identifier: Apache-2.0
 * The size of packets that the path carries (RFC 8899): probes of a HEARTBEAT and padding (RFC
 * 4820), between a base that always fits and a limit. The limit is tried first, then halves of what
 * is left. A probe that is lost three times does not fit. Probes are packets of their own: their
 * loss costs nothing. When packets of a size found vanish later, the base holds again. */
#ifndef LN_SCTP_PMTU_H
#define LN_SCTP_PMTU_H

#include <linnet/types.h>

struct ln_pmtu {
    size_t base, limit; /* bytes of SCTP packets, whole words */
    size_t best;        /* known to fit */
    size_t failed;      /* known not to, or the limit and a word */
    size_t probe;       /* under way or due; 0: none */
    unsigned tries;     /* of it */
    bool due, started;
    uint64_t nonce;   /* of its HEARTBEAT, once sent */
    ln_time deadline; /* of its answer, or when to search again; NEVER */
};

void ln_pmtu_init(struct ln_pmtu *pmtu, size_t base, size_t limit);
/* There is data to make it worth while. No effect once started, or when there is nothing to find.
 */
void ln_pmtu_start(struct ln_pmtu *pmtu);
/* The probe that is due leaves. */
void ln_pmtu_sent(struct ln_pmtu *pmtu, ln_time now, uint64_t nonce, ln_duration rto);
/* Returns true when the answer is to a probe, and with it a larger size fits. */
bool ln_pmtu_answered(struct ln_pmtu *pmtu, ln_time now, uint64_t nonce);
void ln_pmtu_timeout(struct ln_pmtu *pmtu, ln_time now); /* at its deadline */
/* Nothing large arrives any more. Returns true when the size went back to the base. */
bool ln_pmtu_fall_back(struct ln_pmtu *pmtu, ln_time now);

#endif
