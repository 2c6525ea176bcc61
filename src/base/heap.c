/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

void ln_heap_init(struct ln_heap *heap, struct ln_allocator *allocator, size_t limit)
{
    memset(heap, 0, sizeof *heap);
    heap->allocator = allocator;
    heap->limit = limit;
}

void ln_heap_deinit(struct ln_heap *heap)
{
    ln_free(heap->allocator, heap->nodes);
    heap->nodes = NULL;
    heap->count = heap->capacity = 0;
}

static bool before(const struct ln_heap_node *a, const struct ln_heap_node *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void put(struct ln_heap *heap, size_t at, struct ln_heap_node *node)
{
    heap->nodes[at] = node;
    node->index = at + 1;
}

static void sift(struct ln_heap *heap, size_t at)
{
    struct ln_heap_node *node = heap->nodes[at];

    while (at > 0 && before(node, heap->nodes[(at - 1) / 2])) {
        put(heap, at, heap->nodes[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!before(heap->nodes[child], node))
            break;
        put(heap, at, heap->nodes[child]);
        at = child;
    }
    put(heap, at, node);
}

int ln_heap_set(struct ln_heap *heap, struct ln_heap_node *node, ln_time time)
{
    int error;

    if (node->index == 0) {
        error = ln_grow(heap->allocator, &heap->nodes, sizeof *heap->nodes, heap->count,
                        &heap->capacity, heap->limit);
        if (error)
            return error;
        put(heap, heap->count++, node);
    }
    node->time = time;
    node->order = heap->next_order++;
    sift(heap, node->index - 1);
    return 0;
}

void ln_heap_remove(struct ln_heap *heap, struct ln_heap_node *node)
{
    size_t at;

    if (node->index == 0)
        return;
    at = node->index - 1;
    node->index = 0;
    heap->count--;
    if (at < heap->count) {
        put(heap, at, heap->nodes[heap->count]);
        sift(heap, at);
    }
}

struct ln_heap_node *ln_heap_first(const struct ln_heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}
