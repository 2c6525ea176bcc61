/* SPDX-License-Identifier: Apache-2.0
 * Memory through the allocator of an environment. Every allocation of base to peer passes here, so
 * that a test can count them and make the n-th one fail. */
#ifndef LN_BASE_ALLOC_H
#define LN_BASE_ALLOC_H

#include <linnet/env.h>

/* Uninitialised, zeroed, and zeroed array memory (the product is checked). NULL when out of memory
 * or for size 0. */
LN_NODISCARD void *ln_alloc(struct ln_allocator *allocator, size_t size);
LN_NODISCARD void *ln_alloc_zero(struct ln_allocator *allocator, size_t size);
LN_NODISCARD void *ln_alloc_array(struct ln_allocator *allocator, size_t count, size_t size);

/* Changes a block's size; NULL leaves the block as it was. */
LN_NODISCARD void *ln_realloc(struct ln_allocator *allocator, void *block, size_t size);
void ln_free(struct ln_allocator *allocator, void *block);

/* Copies; a text is ended by NUL. NULL when out of memory. */
LN_NODISCARD void *ln_alloc_copy(struct ln_allocator *allocator, const void *data, size_t len);
LN_NODISCARD char *ln_alloc_text(struct ln_allocator *allocator, const char *text);
LN_NODISCARD char *ln_alloc_text_n(struct ln_allocator *allocator, const char *text, size_t len);

/* Makes room for `count + 1` elements in a growing array: doubles *capacity up to `limit` elements.
 * Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM (array unchanged). `array` is the address of the pointer.
 */
LN_NODISCARD int ln_grow(struct ln_allocator *allocator, void *array, size_t element_size,
                         size_t count, size_t *capacity, size_t limit);

/* Overwrites a secret in a way that the compiler keeps. */
void ln_wipe(void *data, size_t len);

/* The C library's allocator. */
struct ln_allocator *ln_allocator_libc(void);

/* Counts blocks and bytes, and can fail one: the allocation after which `allocations` equals
 * fail_at (0: none); `sticky` makes all after it fail too. A resize counts as an allocation, a free
 * does not. */
struct ln_counting_allocator {
    struct ln_allocator allocator; /* pass &this */
    struct ln_allocator *below;
    uint64_t allocations, frees;
    size_t live_bytes, peak_bytes, live_blocks;
    uint64_t fail_at;
    bool sticky, failed;
};

void ln_counting_allocator_init(struct ln_counting_allocator *counting, struct ln_allocator *below);

#endif
