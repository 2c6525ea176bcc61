/* SPDX-License-Identifier: Apache-2.0
 * A binary heap of timed things whose nodes live inside them: insert, move and remove in O(log n),
 * the earliest in O(1). Nodes with equal times leave in the order they came (so that a seed
 * replays). */
#ifndef LN_BASE_HEAP_H
#define LN_BASE_HEAP_H

#include <linnet/env.h>

struct ln_heap_node {
    ln_time time;
    uint64_t order; /* set by the heap */
    size_t index;   /* place in the heap plus one; 0: in no heap */
};

struct ln_heap {
    struct ln_allocator *allocator;
    struct ln_heap_node **nodes;
    size_t count, capacity, limit;
    uint64_t next_order;
};

void ln_heap_init(struct ln_heap *heap, struct ln_allocator *allocator, size_t limit);
void ln_heap_deinit(struct ln_heap *heap);

/* Puts the node at a time, or moves it there. A move never fails; an insertion returns LN_ERR_LIMIT
 * or LN_ERR_NOMEM. */
LN_NODISCARD int ln_heap_set(struct ln_heap *heap, struct ln_heap_node *node, ln_time time);
void ln_heap_remove(struct ln_heap *heap,
                    struct ln_heap_node *node);                 /* harmless if it is in none */
struct ln_heap_node *ln_heap_first(const struct ln_heap *heap); /* NULL when empty */

#endif
