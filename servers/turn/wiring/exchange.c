/* SPDX-License-Identifier: Apache-2.0
 * The boxes of workers and residents (exchange.h). Inboxes are io's mailboxes; the way back is a
 * list without a lock, which never refuses: one thread takes all of it at once, so that no element
 * of it can come again while another thread looks at it. */
#include "servers/turn/wiring/exchange.h"

#include <linnet/error.h>

#define BATCHES_PER_TURN 64

int exchange_init(struct exchange_box *box)
{
    return ln_mailbox_init(&box->inbox, sizeof(struct exchange_batch), EXCHANGE_BATCHES_MAX,
                           LN_MAILBOX_REFUSE);
}

void exchange_deinit(struct exchange_box *box)
{
    ln_mailbox_deinit(&box->inbox);
}

static void unref_all(struct ln_buffer *buffer)
{
    while (buffer) {
        struct ln_buffer *next = buffer->next;

        ln_buffer_unref(buffer);
        buffer = next;
    }
}

static void take_returned(struct exchange_box *box)
{
    if (atomic_load_explicit(&box->returned, memory_order_relaxed))
        unref_all(atomic_exchange_explicit(&box->returned, NULL, memory_order_acquire));
}

static void give_back(struct exchange_box *owner, struct ln_buffer *first, struct ln_buffer *last)
{
    struct ln_buffer *head = atomic_load_explicit(&owner->returned, memory_order_relaxed);

    do
        last->next = head;
    while (!atomic_compare_exchange_weak_explicit(&owner->returned, &head, first,
                                                  memory_order_release, memory_order_relaxed));
}

void exchange_add(struct exchange_box *boxes, unsigned self, unsigned to, struct ln_buffer *buffer)
{
    struct exchange_box *box = &boxes[self];

    buffer->next = NULL;
    if (box->out[to].last)
        box->out[to].last->next = buffer;
    else
        box->out[to].first = buffer;
    box->out[to].last = buffer;
    if (box->out[to].count++ == 0)
        box->filled[box->filled_count++] = (uint8_t)to;
}

/* False when the inbox has no room for it. */
static bool put(struct exchange_box *to, const struct exchange_batch *batch)
{
    uint32_t waiting = atomic_fetch_add(&to->waiting, batch->count) + batch->count;

    if (waiting <= EXCHANGE_DATAGRAMS_MAX && ln_mailbox_put(&to->inbox, batch, NULL) == 0)
        return true;
    atomic_fetch_sub(&to->waiting, batch->count);
    return false;
}

void exchange_flush(struct exchange_box *boxes, unsigned self)
{
    struct exchange_box *box = &boxes[self];

    while (box->filled_count > 0) {
        uint8_t to = box->filled[--box->filled_count];
        struct exchange_batch batch = { box->out[to].first, box->out[to].count, self };

        if (!put(&boxes[to], &batch)) {
            box->dropped += batch.count;
            unref_all(batch.first);
        }
        box->out[to].first = box->out[to].last = NULL;
        box->out[to].count = 0;
    }
    take_returned(box);
}

void exchange_take(struct exchange_box *boxes, unsigned self,
                   void (*each)(void *ctx, struct ln_buffer *buffer), void *ctx)
{
    struct exchange_box *box = &boxes[self];
    struct exchange_batch batch;

    for (int i = 0; i < BATCHES_PER_TURN && ln_mailbox_take(&box->inbox, &batch, 0) == 0; i++) {
        struct ln_buffer *last = batch.first;

        atomic_fetch_sub(&box->waiting, batch.count);
        for (struct ln_buffer *at = batch.first; at; at = at->next) {
            each(ctx, at);
            last = at;
        }
        give_back(&boxes[batch.from], batch.first, last);
    }
}

void exchange_take_all(struct exchange_box *boxes, unsigned self,
                       void (*each)(void *ctx, struct ln_buffer *buffer), void *ctx)
{
    for (unsigned i = 0; i < EXCHANGE_BATCHES_MAX / BATCHES_PER_TURN; i++)
        exchange_take(boxes, self, each, ctx);
}

static void ignore(void *ctx, struct ln_buffer *buffer)
{
    (void)ctx;
    (void)buffer;
}

void exchange_drain(struct exchange_box *boxes, unsigned self)
{
    if (boxes[self].inbox.elements)
        exchange_take_all(boxes, self, ignore, NULL);
}

void exchange_recover(struct exchange_box *boxes, unsigned self)
{
    struct exchange_box *box = &boxes[self];

    while (box->filled_count > 0) {
        uint8_t to = box->filled[--box->filled_count];

        unref_all(box->out[to].first);
        box->out[to].first = box->out[to].last = NULL;
        box->out[to].count = 0;
    }
    take_returned(box);
}
