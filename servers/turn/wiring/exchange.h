/* SPDX-License-Identifier: Apache-2.0
 * Datagrams from worker to worker, and to and from residents (resident.h). Each of them has a box:
 * others put batches into its inbox, it takes them on its own thread and gives every buffer back to
 * the one whose pool it is of.
 *
 * A buffer has one owner at any time: the sender until it is in the inbox, the taker until it is on
 * the sender's list of returned ones, then the sender again, which alone puts it back into its
 * pool. A batch is one turn of the sender's loop, so that a busy taker is not woken at all and an
 * idle one once a batch. What does not fit is dropped and counted, as a network would. */
#ifndef LN_TURN_WIRING_EXCHANGE_H
#define LN_TURN_WIRING_EXCHANGE_H

#include "base/pool.h"
#include "io/thread.h"
#include "servers/turn/core/quota.h"

#include <stdatomic.h>

#define EXCHANGE_BOXES_MAX     (LN_TURN_WORKERS_MAX + LN_TURN_RESIDENTS_MAX)
#define EXCHANGE_DATAGRAMS_MAX 4096u /* that wait for one box */
#define EXCHANGE_BATCHES_MAX   1024u

struct exchange_batch {
    struct ln_buffer *first; /* by `next` */
    uint32_t count;
    uint32_t from;
};

struct exchange_box {
    struct ln_mailbox inbox; /* struct exchange_batch */
    _Atomic uint32_t waiting;
    _Atomic(struct ln_buffer *) returned;
    /* the owner's thread alone: what goes to others with the next flush */
    struct {
        struct ln_buffer *first, *last;
        uint32_t count;
    } out[EXCHANGE_BOXES_MAX];
    uint8_t filled[EXCHANGE_BOXES_MAX]; /* which of them are not empty */
    uint32_t filled_count;
    uint64_t dropped;
};

/* Returns 0, LN_ERR_NOMEM, LN_ERR_LIMIT or LN_ERR_SYSTEM. All zero before. */
LN_NODISCARD int exchange_init(struct exchange_box *box);
/* Gives back all that has come, on the owner's thread or after its end. Harmless on a zeroed one.
 */
void exchange_drain(struct exchange_box *boxes, unsigned self);
/* Forgets what was added and not handed over, and takes own buffers back: where all others were
 * drained and nobody takes any more, none is missing. Likewise. */
void exchange_recover(struct exchange_box *boxes, unsigned self);
void exchange_deinit(struct exchange_box *box); /* harmless on a zeroed one */

/* On the thread of the box `self`: takes the buffer, for the box `to`. */
void exchange_add(struct exchange_box *boxes, unsigned self, unsigned to, struct ln_buffer *buffer);
/* Hands over what was added, and takes own buffers back. */
void exchange_flush(struct exchange_box *boxes, unsigned self);
/* Calls `each` for what has come (borrowed for the call, and nobody else's meanwhile), at most 64
 * batches; gives it back. */
void exchange_take(struct exchange_box *boxes, unsigned self,
                   void (*each)(void *ctx, struct ln_buffer *buffer), void *ctx);
/* The same for all that had come when it was called. */
void exchange_take_all(struct exchange_box *boxes, unsigned self,
                       void (*each)(void *ctx, struct ln_buffer *buffer), void *ctx);

#endif
