/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <string.h>

/* Blocks grow with what is in them between these, so that what is small and kept wastes little. */
#define BLOCK_BYTES_MIN 256u
#define BLOCK_BYTES_MAX 4096u

struct ln_arena_block {
    struct ln_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t data[];
};

void ln_arena_init(struct ln_arena *arena, struct ln_allocator *allocator, size_t limit)
{
    memset(arena, 0, sizeof *arena);
    arena->allocator = allocator;
    arena->limit = limit;
}

void ln_arena_deinit(struct ln_arena *arena)
{
    while (arena->blocks) {
        struct ln_arena_block *block = arena->blocks;

        arena->blocks = block->next;
        ln_free(arena->allocator, block);
    }
    arena->used = 0;
}

static size_t next_block_bytes(const struct ln_arena *arena, size_t needed)
{
    size_t cap = arena->used / 2 & ~(alignof(max_align_t) - 1);

    if (cap < BLOCK_BYTES_MIN)
        cap = BLOCK_BYTES_MIN;
    else if (cap > BLOCK_BYTES_MAX)
        cap = BLOCK_BYTES_MAX;
    return needed > cap ? needed : cap;
}

void *ln_arena_alloc(struct ln_arena *arena, size_t size)
{
    struct ln_arena_block *block = arena->blocks;
    size_t align = alignof(max_align_t), rounded;
    void *piece;

    if (size == 0)
        size = 1;
    if (size > arena->limit || arena->limit - size < arena->used)
        return NULL;
    rounded = (size + align - 1) / align * align;
    if (!block || block->cap - block->used < rounded) {
        size_t cap = next_block_bytes(arena, rounded);

        block = ln_alloc(arena->allocator, sizeof *block + cap);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        block->used = 0;
        block->cap = cap;
        arena->blocks = block;
    }
    piece = block->data + block->used;
    block->used += rounded;
    arena->used += size;
    memset(piece, 0, size);
    return piece;
}

char *ln_arena_text(struct ln_arena *arena, const char *text, size_t len)
{
    char *copy = ln_arena_alloc(arena, len + 1);

    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}
