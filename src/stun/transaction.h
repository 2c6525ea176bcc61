/* SPDX-License-Identifier: Apache-2.0
 * The timers of one client transaction over UDP (RFC 8489, 6.2.1): requests at 0, RTO, 3 RTO,
 * 7 RTO, ... until Rc were sent, then Rm times RTO of silence, then it has failed.
 *
 * A value object: embed it in what waits for the answer. It sends nothing; it says when. */
#ifndef LN_STUN_TRANSACTION_H
#define LN_STUN_TRANSACTION_H

#include "stun/message.h"

#include <linnet/env.h>

#define LN_STUN_RTO    LN_MILLISECONDS(500) /* RFC 8489, 6.2.1; ICE forbids less (RFC 8445, 14.3) */
#define LN_STUN_RC     7u
#define LN_STUN_RM     16u
#define LN_STUN_TI_TCP LN_MILLISECONDS(39500) /* RFC 8489, 6.2.2 */

struct ln_stun_timing {
    ln_duration rto;
    uint8_t rc, rm;
    ln_duration wait_max; /* between two requests; 0: it doubles without end */
};

#define LN_STUN_TIMING_DEFAULT ((struct ln_stun_timing){ LN_STUN_RTO, LN_STUN_RC, LN_STUN_RM, 0 })

enum ln_stun_transaction_state {
    LN_STUN_IDLE,
    LN_STUN_RUNNING,
    LN_STUN_ANSWERED,
    LN_STUN_TIMED_OUT
};

struct ln_stun_transaction {
    struct ln_stun_id id;
    struct ln_stun_timing timing;
    ln_time next;      /* the next request, or the end */
    ln_time last_sent; /* LN_TIME_IMMEDIATE before the first */
    ln_duration wait;  /* until the request after the next */
    uint8_t state;     /* enum ln_stun_transaction_state */
    uint8_t planned;   /* requests whose moment has come */
    uint16_t sent;     /* requests that were taken for sending, early ones too */
    bool due;          /* a request is to be sent now */
};

/* Starts (or starts again, with a new id): the first request is due at once. */
void ln_stun_transaction_begin(struct ln_stun_transaction *t, struct ln_stun_timing timing,
                               struct ln_rng *rng, ln_time now);
/* LN_TIME_NEVER unless it runs. */
ln_time ln_stun_transaction_next_timeout(const struct ln_stun_transaction *t);
/* May set `due`, or end it: state LN_STUN_TIMED_OUT. */
void ln_stun_transaction_on_timeout(struct ln_stun_transaction *t, ln_time now);
/* True if a request is to be sent now; it then counts as sent. */
bool ln_stun_transaction_take(struct ln_stun_transaction *t, ln_time now);
/* Makes one more request due at once, outside the schedule, unless the last is younger than
 * `spacing`: something just showed that the way may now be open. */
void ln_stun_transaction_hasten(struct ln_stun_transaction *t, ln_time now, ln_duration spacing);
/* True if it runs and has this id; the state is then LN_STUN_ANSWERED. `ret_rtt` (may be NULL) is
 * the time since the last request, or -1 when it was sent more than once (Karn's rule). */
bool ln_stun_transaction_answer(struct ln_stun_transaction *t, const struct ln_stun_id *id,
                                ln_time now, ln_duration *ret_rtt);
void ln_stun_transaction_cancel(struct ln_stun_transaction *t);

#endif
