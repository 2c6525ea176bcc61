/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

void ln_pool_init(struct ln_pool *pool, struct ln_allocator *allocator, uint32_t buffer_cap,
                  uint32_t keep, uint32_t limit)
{
    memset(pool, 0, sizeof *pool);
    pool->allocator = allocator;
    pool->buffer_cap = buffer_cap;
    pool->keep = keep;
    pool->limit = limit;
}

void ln_pool_deinit(struct ln_pool *pool)
{
    assert(pool->in_use == 0);
    while (pool->free_list) {
        struct ln_buffer *buffer = pool->free_list;

        pool->free_list = buffer->next;
        ln_free(pool->allocator, buffer);
    }
    pool->free_count = 0;
}

struct ln_buffer *ln_buffer_create(struct ln_pool *pool, size_t size)
{
    struct ln_buffer *buffer;
    size_t content = size > pool->buffer_cap ? size : pool->buffer_cap;

    if (pool->in_use >= pool->limit || content > UINT32_MAX - LN_BUFFER_HEADROOM)
        return NULL;
    if (content == pool->buffer_cap && pool->free_list) {
        buffer = pool->free_list;
        pool->free_list = buffer->next;
        pool->free_count--;
    } else {
        buffer = ln_alloc(pool->allocator, sizeof *buffer + LN_BUFFER_HEADROOM + content);
        if (!buffer)
            return NULL;
        buffer->pool = pool;
        buffer->cap = (uint32_t)(LN_BUFFER_HEADROOM + content);
    }
    buffer->references = 1;
    buffer->offset = LN_BUFFER_HEADROOM;
    buffer->len = 0;
    buffer->next = NULL;
    if (++pool->in_use > pool->peak)
        pool->peak = pool->in_use;
    return buffer;
}

struct ln_buffer *ln_buffer_copy(struct ln_pool *pool, const void *data, size_t len)
{
    struct ln_buffer *buffer = ln_buffer_create(pool, len);

    if (buffer && len > 0) {
        memcpy(ln_buffer_bytes(buffer), data, len);
        buffer->len = (uint32_t)len;
    }
    return buffer;
}

struct ln_buffer *ln_buffer_ref(struct ln_buffer *buffer)
{
    assert(buffer->references > 0 && buffer->references < UINT32_MAX);
    buffer->references++;
    return buffer;
}

void ln_buffer_unref(struct ln_buffer *buffer)
{
    struct ln_pool *pool;

    if (!buffer)
        return;
    assert(buffer->references > 0);
    if (--buffer->references > 0)
        return;
    pool = buffer->pool;
    assert(pool->in_use > 0);
    pool->in_use--;
    if (pool->free_count < pool->keep && buffer->cap == pool->buffer_cap + LN_BUFFER_HEADROOM) {
        buffer->next = pool->free_list;
        pool->free_list = buffer;
        pool->free_count++;
    } else {
        ln_free(pool->allocator, buffer);
    }
}
