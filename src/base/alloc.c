/* SPDX-License-Identifier: Apache-2.0
 * Allocation helpers, the C library's allocator and the counting one. */
#include "base/alloc.h"

#include <linnet/error.h>

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

void *ln_alloc(struct ln_allocator *allocator, size_t size)
{
    return size == 0 ? NULL : allocator->resize(allocator->ctx, NULL, size);
}

void *ln_alloc_zero(struct ln_allocator *allocator, size_t size)
{
    void *block = ln_alloc(allocator, size);

    if (block)
        memset(block, 0, size);
    return block;
}

void *ln_alloc_array(struct ln_allocator *allocator, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return ln_alloc_zero(allocator, count * size);
}

void *ln_realloc(struct ln_allocator *allocator, void *block, size_t size)
{
    assert(size > 0);
    return allocator->resize(allocator->ctx, block, size);
}

void ln_free(struct ln_allocator *allocator, void *block)
{
    if (block)
        (void)allocator->resize(allocator->ctx, block, 0);
}

void *ln_alloc_copy(struct ln_allocator *allocator, const void *data, size_t len)
{
    void *copy = ln_alloc(allocator, len);

    if (copy)
        memcpy(copy, data, len);
    return copy;
}

char *ln_alloc_text_n(struct ln_allocator *allocator, const char *text, size_t len)
{
    char *copy = ln_alloc(allocator, len + 1);

    if (copy) {
        if (len > 0)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *ln_alloc_text(struct ln_allocator *allocator, const char *text)
{
    return ln_alloc_text_n(allocator, text, strlen(text));
}

int ln_grow(struct ln_allocator *allocator, void *array, size_t element_size, size_t count,
            size_t *capacity, size_t limit)
{
    void *old, *grown;
    size_t wanted;

    if (count < *capacity)
        return 0;
    if (count >= limit)
        return LN_ERR_LIMIT;
    wanted = *capacity == 0 ? 4 : *capacity * 2;
    if (wanted > limit)
        wanted = limit;
    if (wanted > SIZE_MAX / element_size)
        return LN_ERR_NOMEM;
    memcpy(&old, array, sizeof old);
    grown = ln_realloc(allocator, old, wanted * element_size);
    if (!grown)
        return LN_ERR_NOMEM;
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return 0;
}

void ln_wipe(void *data, size_t len)
{
    if (len > 0)
        memset(data, 0, len);
    __asm__ volatile("" : : "r"(data) : "memory"); /* it may be read: not to be left out */
}

static void *libc_resize(void *ctx, void *block, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

struct ln_allocator *ln_allocator_libc(void)
{
    static struct ln_allocator libc = { libc_resize, NULL }; /* immutable; no state */

    return &libc;
}

/* Each counted block begins with its size, kept at the strictest alignment. */
#define COUNT_HEADER alignof(max_align_t)

static void *counting_resize(void *ctx, void *block, size_t size)
{
    struct ln_counting_allocator *c = ctx;
    uint8_t *raw = block ? (uint8_t *)block - COUNT_HEADER : NULL;
    size_t old = 0;

    if (raw)
        memcpy(&old, raw, sizeof old);
    if (size == 0) {
        if (raw) {
            c->frees++;
            c->live_bytes -= old;
            c->live_blocks--;
            c->below->resize(c->below->ctx, raw, 0);
        }
        return NULL;
    }
    c->allocations++;
    if (c->fail_at > 0 && (c->allocations == c->fail_at || (c->sticky && c->failed))) {
        c->failed = true;
        return NULL;
    }
    if (size > SIZE_MAX - COUNT_HEADER)
        return NULL;
    raw = c->below->resize(c->below->ctx, raw, size + COUNT_HEADER);
    if (!raw)
        return NULL;
    memcpy(raw, &size, sizeof size);
    if (!block)
        c->live_blocks++;
    c->live_bytes = c->live_bytes - old + size;
    if (c->live_bytes > c->peak_bytes)
        c->peak_bytes = c->live_bytes;
    return raw + COUNT_HEADER;
}

void ln_counting_allocator_init(struct ln_counting_allocator *counting, struct ln_allocator *below)
{
    memset(counting, 0, sizeof *counting);
    counting->allocator.resize = counting_resize;
    counting->allocator.ctx = counting;
    counting->below = below;
}
