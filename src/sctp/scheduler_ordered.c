/* SPDX-License-Identifier: Apache-2.0
 * Schedulers that take the stream with the least key: a pairing heap whose nodes are the streams,
 * so that nothing can fail for want of memory. RFC 8260, 3.1, 3.4 and 3.6.
 *
 *   first come      key: when its first message came
 *   priority        key: the priority, then when its first message came
 *   weighted fair   key: the virtual time at which its next bytes are due. Sending n bytes moves it
 *                   by n over its weight; who was idle begins at the present virtual time */
#include "sctp/scheduler.h"

#define WEIGHT_UNIT 65536u /* virtual time of one byte at weight 1 */
#define NO_WEIGHT   1u

struct ordered {
    struct ln_schedulable *first;
    uint64_t clock; /* weighted fair */
    uint64_t (*key)(const struct ordered *o, const struct ln_schedulable *s);
};

/* The heap. */

static bool before(const struct ln_schedulable *a, const struct ln_schedulable *b)
{
    return a->key != b->key ? a->key < b->key : a->arrival < b->arrival;
}

static struct ln_schedulable *meld(struct ln_schedulable *a, struct ln_schedulable *b)
{
    struct ln_schedulable *top = a, *under = b;

    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        top = b;
        under = a;
    }
    under->parent = top;
    under->sibling = top->child;
    if (top->child)
        top->child->parent = under;
    top->child = under;
    top->sibling = top->parent = NULL;
    return top;
}

/* Melds the children in pairs, then the pairs from the last to the first. */
static struct ln_schedulable *meld_children(struct ln_schedulable *child)
{
    struct ln_schedulable *pairs = NULL, *whole = NULL;

    while (child) {
        struct ln_schedulable *a = child, *b = a->sibling;

        child = b ? b->sibling : NULL;
        a->sibling = a->parent = NULL;
        if (b)
            b->sibling = b->parent = NULL;
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while (pairs) {
        struct ln_schedulable *a = pairs;

        pairs = a->sibling;
        a->sibling = NULL;
        whole = meld(whole, a);
    }
    return whole;
}

static void heap_remove(struct ordered *o, struct ln_schedulable *s)
{
    struct ln_schedulable *rest = meld_children(s->child);

    if (s == o->first) {
        o->first = rest;
    } else {
        if (s->parent->child == s)
            s->parent->child = s->sibling;
        else
            s->parent->sibling = s->sibling;
        if (s->sibling)
            s->sibling->parent = s->parent;
        o->first = meld(o->first, rest);
    }
    s->child = s->sibling = s->parent = NULL;
}

/* The table's functions. */

static void add(void *scheduler, struct ln_schedulable *s)
{
    struct ordered *o = scheduler;

    s->key = o->key(o, s);
    s->child = s->sibling = s->parent = NULL;
    o->first = meld(o->first, s);
}

static void drop(void *scheduler, struct ln_schedulable *s)
{
    heap_remove(scheduler, s);
}

static struct ln_schedulable *next(void *scheduler)
{
    return ((struct ordered *)scheduler)->first;
}

static void sent_nothing_changes(void *scheduler, struct ln_schedulable *s, size_t bytes,
                                 bool whole, bool interleaving)
{
    (void)scheduler;
    (void)s;
    (void)bytes;
    (void)whole;
    (void)interleaving;
}

static void start(void *scheduler,
                  uint64_t (*key)(const struct ordered *, const struct ln_schedulable *))
{
    struct ordered *o = scheduler;

    o->first = NULL;
    o->clock = 0;
    o->key = key;
}

static uint64_t key_of_first_come(const struct ordered *o, const struct ln_schedulable *s)
{
    (void)o;
    return s->arrival;
}

static void init_first_come(void *scheduler)
{
    start(scheduler, key_of_first_come);
}

static uint64_t key_of_priority(const struct ordered *o, const struct ln_schedulable *s)
{
    (void)o;
    return UINT16_MAX - s->priority;
}

static void init_priority(void *scheduler)
{
    start(scheduler, key_of_priority);
}

static uint64_t key_of_weighted_fair(const struct ordered *o, const struct ln_schedulable *s)
{
    return s->key > o->clock ? s->key : o->clock;
}

static void init_weighted_fair(void *scheduler)
{
    start(scheduler, key_of_weighted_fair);
}

static void sent_weighted_fair(void *scheduler, struct ln_schedulable *s, size_t bytes, bool whole,
                               bool interleaving)
{
    struct ordered *o = scheduler;
    uint64_t weight = s->priority > 0 ? s->priority : NO_WEIGHT;

    (void)whole;
    (void)interleaving;
    heap_remove(o, s);
    if (s->key > o->clock)
        o->clock = s->key;
    s->key += bytes * WEIGHT_UNIT / weight;
    o->first = meld(o->first, s);
}

const struct ln_sctp_scheduler_ops ln_sctp_scheduler_first_come = {
    .name = "first come",
    .state_bytes = sizeof(struct ordered),
    .init = init_first_come,
    .add = add,
    .remove = drop,
    .next = next,
    .sent = sent_nothing_changes,
};

const struct ln_sctp_scheduler_ops ln_sctp_scheduler_priority = {
    .name = "priority",
    .state_bytes = sizeof(struct ordered),
    .init = init_priority,
    .add = add,
    .remove = drop,
    .next = next,
    .sent = sent_nothing_changes,
};

const struct ln_sctp_scheduler_ops ln_sctp_scheduler_weighted_fair = {
    .name = "weighted fair",
    .state_bytes = sizeof(struct ordered),
    .init = init_weighted_fair,
    .add = add,
    .remove = drop,
    .next = next,
    .sent = sent_weighted_fair,
};
