/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/blocks.h"

#include "base/alloc.h"

#include <string.h>

#define SMALLEST 64u
#define LARGEST  (1u << 20)

/* The class whose size is the smallest at or above `size`, and that size. */
static unsigned class_of(size_t size, size_t *ret_size)
{
    unsigned long long below = size - 1;
    unsigned exponent, quarter;

    if (size <= SMALLEST) {
        *ret_size = SMALLEST;
        return 0;
    }
    exponent = 63u - (unsigned)__builtin_clzll(below);
    quarter = (unsigned)(below >> (exponent - 2)) & 3u;
    *ret_size = (size_t)(quarter + 5) << (exponent - 2);
    return (exponent - 6) * 4 + quarter + 1;
}

void ln_blocks_init(struct ln_blocks *blocks, struct ln_allocator *allocator, size_t limit)
{
    memset(blocks, 0, sizeof *blocks);
    blocks->allocator = allocator;
    blocks->limit = limit;
}

void ln_blocks_trim(struct ln_blocks *blocks)
{
    for (size_t i = 0; blocks->kept && i < LN_BLOCK_CLASSES; i++) {
        while (blocks->kept[i]) {
            void *block = blocks->kept[i];

            memcpy(&blocks->kept[i], block, sizeof(void *));
            ln_free(blocks->allocator, block);
        }
    }
    ln_free(blocks->allocator, blocks->kept);
    blocks->kept = NULL;
    blocks->kept_bytes = 0;
}

void *ln_blocks_get(struct ln_blocks *blocks, size_t size, size_t *ret_cap)
{
    size_t cap = size;
    unsigned class;
    void *block;

    if (size > LARGEST) {
        block = ln_alloc(blocks->allocator, size);
        if (block)
            *ret_cap = size;
        return block;
    }
    class = class_of(size, &cap);
    block = blocks->kept ? blocks->kept[class] : NULL;
    if (block) {
        memcpy(&blocks->kept[class], block, sizeof(void *));
        blocks->kept_bytes -= cap;
    } else {
        block = ln_alloc(blocks->allocator, cap);
    }
    if (block)
        *ret_cap = cap;
    return block;
}

static bool may_keep(struct ln_blocks *blocks)
{
    if (!blocks->kept)
        blocks->kept = ln_alloc_array(blocks->allocator, LN_BLOCK_CLASSES, sizeof *blocks->kept);
    return blocks->kept != NULL;
}

void ln_blocks_put(struct ln_blocks *blocks, void *block, size_t cap)
{
    size_t size;
    unsigned class;

    if (!block)
        return;
    if (cap > LARGEST || blocks->kept_bytes + cap > blocks->limit || !may_keep(blocks)) {
        ln_free(blocks->allocator, block);
        return;
    }
    class = class_of(cap, &size);
    memcpy(block, &blocks->kept[class], sizeof(void *));
    blocks->kept[class] = block;
    blocks->kept_bytes += cap;
}
