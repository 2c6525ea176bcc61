/* SPDX-License-Identifier: Apache-2.0
 * Round robin (RFC 8260, 3.2): after each whole message, with interleaving after each fragment, the
 * next stream has its turn. */
#include "sctp/scheduler.h"

struct round_robin {
    struct ln_list waiting;
};

static void rr_init(void *scheduler)
{
    ln_list_init(&((struct round_robin *)scheduler)->waiting);
}

static void rr_add(void *scheduler, struct ln_schedulable *stream)
{
    ln_list_append(&((struct round_robin *)scheduler)->waiting, &stream->link);
}

static void rr_remove(void *scheduler, struct ln_schedulable *stream)
{
    (void)scheduler;
    ln_list_remove(&stream->link);
}

static struct ln_schedulable *rr_next(void *scheduler)
{
    struct round_robin *r = scheduler;

    if (ln_list_empty(&r->waiting))
        return NULL;
    return LN_CONTAINER(r->waiting.next, struct ln_schedulable, link);
}

static void rr_sent(void *scheduler, struct ln_schedulable *stream, size_t bytes, bool whole,
                    bool interleaving)
{
    struct round_robin *r = scheduler;

    (void)bytes;
    if (!whole && !interleaving)
        return;
    ln_list_remove(&stream->link);
    ln_list_append(&r->waiting, &stream->link);
}

const struct ln_sctp_scheduler_ops ln_sctp_scheduler_round_robin = {
    .name = "round robin",
    .state_bytes = sizeof(struct round_robin),
    .init = rr_init,
    .add = rr_add,
    .remove = rr_remove,
    .next = rr_next,
    .sent = rr_sent,
};
