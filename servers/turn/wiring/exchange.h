/* SPDX-License-Identifier: Apache-2.0
 * Datagrams from worker to worker. Each worker has a box: others put batches into its inbox, it
 * takes them on its own thread and gives every buffer back to the worker whose pool it is of.
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

#define EXCHANGE_DATAGRAMS_MAX 4096u /* that wait for one worker */
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
    } out[LN_TURN_WORKERS_MAX];
    uint64_t filled; /* which of them are not empty, a bit each */
    uint64_t dropped;
};

/* Returns 0, LN_ERR_NOMEM, LN_ERR_LIMIT or LN_ERR_SYSTEM. All zero before. */
LN_NODISCARD int exchange_init(struct exchange_box *box);
/* Gives back what is left; every thread has ended, and every box is still there. */
void exchange_drain(struct exchange_box *boxes, unsigned count);
void exchange_deinit(struct exchange_box *box); /* harmless on a zeroed one */

/* On the thread of worker `self`: takes the buffer, for this worker. */
void exchange_add(struct exchange_box *boxes, unsigned self, unsigned to, struct ln_buffer *buffer);
/* Hands over what was added, and takes own buffers back. */
void exchange_flush(struct exchange_box *boxes, unsigned self);
/* Calls `each` for what has come (borrowed for the call), at most 64 batches; gives it back. */
void exchange_take(struct exchange_box *boxes, unsigned self,
                   void (*each)(void *ctx, const struct ln_buffer *buffer), void *ctx);

#endif
