/* SPDX-License-Identifier: Apache-2.0
 * Memory for one parse or one answer: many small pieces, freed together, with a limit in all. */
#ifndef LN_BASE_ARENA_H
#define LN_BASE_ARENA_H

#include <linnet/env.h>

struct ln_arena_block;

struct ln_arena {
    struct ln_allocator *allocator;
    struct ln_arena_block *blocks;
    size_t used, limit; /* bytes given out, and their limit */
};

void ln_arena_init(struct ln_arena *arena, struct ln_allocator *allocator, size_t limit);
void ln_arena_deinit(struct ln_arena *arena);

/* Zeroed, aligned for any type; NULL when out of memory or at the limit. */
LN_NODISCARD void *ln_arena_alloc(struct ln_arena *arena, size_t size);
LN_NODISCARD char *ln_arena_text(struct ln_arena *arena, const char *text, size_t len);

#endif
