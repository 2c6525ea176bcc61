/* SPDX-License-Identifier: Apache-2.0
 * Memory blocks that come and go with messages: given back ones are kept by size class (four to a
 * doubling) up to a limit, so that a transfer under way allocates nothing. */
#ifndef LN_SCTP_BLOCKS_H
#define LN_SCTP_BLOCKS_H

#include <linnet/env.h>

#define LN_BLOCK_CLASSES 57u /* 64 bytes to 1 MiB; larger ones are not kept */

struct ln_blocks {
    struct ln_allocator *allocator;
    void **kept; /* LN_BLOCK_CLASSES chains through first words; NULL while nothing is kept */
    size_t kept_bytes, limit; /* limit 0: nothing is kept (for sanitizers) */
};

void ln_blocks_init(struct ln_blocks *blocks, struct ln_allocator *allocator, size_t limit);
/* Frees all that is kept; blocks stays usable. */
void ln_blocks_trim(struct ln_blocks *blocks);

/* At least size bytes, ret_cap in fact; NULL when out of memory. */
LN_NODISCARD void *ln_blocks_get(struct ln_blocks *blocks, size_t size, size_t *ret_cap);
void ln_blocks_put(struct ln_blocks *blocks, void *block, size_t cap); /* NULL is fine */

#endif
