/* SPDX-License-Identifier: Apache-2.0
 * A queue of equal-sized elements in a growing ring with a limit. First in, first out. */
#ifndef LN_BASE_RING_H
#define LN_BASE_RING_H

#include <linnet/env.h>

struct ln_ring {
    struct ln_allocator *allocator;
    uint8_t *data;
    size_t element_size, capacity, limit;
    size_t head, count;
};

void ln_ring_init(struct ln_ring *ring, struct ln_allocator *allocator, size_t element_size,
                  size_t limit);
void ln_ring_deinit(struct ln_ring *ring);

/* Copies the element to the end. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_ring_push(struct ln_ring *ring, const void *element);
/* Gives the memory of an empty one back until the next push. */
void ln_ring_trim(struct ln_ring *ring);
/* The i-th element from the front, to read or change in place; NULL past the end. */
void *ln_ring_at(const struct ln_ring *ring, size_t i);
/* Copies the first element out and removes it; false when empty. `ret_element` may be NULL. */
bool ln_ring_pop(struct ln_ring *ring, void *ret_element);

#endif
