/* SPDX-License-Identifier: Apache-2.0
 * Consent to send on one candidate pair (RFC 7675): a check every 5 s (0.8 to 1.2 of it), and the
 * end 30 s after the last answer. Embedded in its pair; allocates nothing.
 *
 * Only answers to our own checks renew it. What the other side asks shows that the pair is alive,
 * not that it consents to be sent to. (A lite agent has no checks to be answered: lite.c.) */
#ifndef LN_ICE_CONSENT_H
#define LN_ICE_CONSENT_H

#include "stun/message.h"

#include <linnet/env.h>

#define LN_CONSENT_PERIOD      LN_SECONDS(5)  /* RFC 7675, 5.1 */
#define LN_CONSENT_REST        LN_SECONDS(12) /* of a pair that carries no data, once answered */
#define LN_CONSENT_LIFETIME    LN_SECONDS(30) /* RFC 7675, 5.1 */
#define LN_CONSENT_STEP        LN_MILLISECONDS(50) /* between the times at which checks are sent */
#define LN_CONSENT_OUTSTANDING 4u                  /* checks whose answers are still taken */

struct ln_consent {
    ln_time valid_until; /* LN_TIME_IMMEDIATE before the first answer */
    ln_time next_check;
    /* The last checks. */
    ln_time sent[LN_CONSENT_OUTSTANDING]; /* LN_TIME_NEVER: none, or answered */
    struct ln_stun_id ids[LN_CONSENT_OUTSTANDING];
    uint8_t next_slot;
    bool active;   /* checks are sent */
    bool due;      /* one is to be sent now */
    bool lost;     /* final (RFC 7675, 5.1): only an ICE restart brings it back */
    bool for_ever; /* consent is switched off: it never expires, checks are keepalives */
};

void ln_consent_init(struct ln_consent *c);
/* An answer to a check of ours arrived. */
void ln_consent_renew(struct ln_consent *c, ln_time now);
/* From now on checks are sent, at the usual pace; harmless while they are. */
void ln_consent_start(struct ln_consent *c, struct ln_rng *rng, ln_time now);
/* The pair carries no data and was just answered: the next check comes later. If nothing answers
 * that one, the usual pace is back, and leaves three more before consent ends. */
void ln_consent_rest(struct ln_consent *c, struct ln_rng *rng, ln_time now);
/* Nothing is sent, the other side renews it: it is lost when that ends. */
void ln_consent_await(struct ln_consent *c);
/* No more checks; what was granted runs out by itself. */
void ln_consent_stop(struct ln_consent *c);
ln_time ln_consent_next_timeout(const struct ln_consent *c);
void ln_consent_on_timeout(struct ln_consent *c, struct ln_rng *rng, ln_time now);
/* True if a check is to be sent now, with the id it has to carry. */
bool ln_consent_take(struct ln_consent *c, struct ln_rng *rng, ln_time now,
                     struct ln_stun_id *ret_id);
/* When the last check was sent, if it is not answered yet; else LN_TIME_NEVER. */
ln_time ln_consent_waits_since(const struct ln_consent *c);
/* Whether this id is of a check that was not answered yet. It is forgotten and ret_rtt set. */
bool ln_consent_answer(struct ln_consent *c, const struct ln_stun_id *id, ln_time now,
                       ln_duration *ret_rtt);
/* The same without forgetting it: for an answer whose integrity is still to be checked. */
bool ln_consent_expects(const struct ln_consent *c, const struct ln_stun_id *id);

#endif
