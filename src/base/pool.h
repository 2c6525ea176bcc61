/* SPDX-License-Identifier: Apache-2.0
 * Packet buffers of one size with a plain reference count, owned by one worker thread.
 *
 * A buffer's bytes begin at data[offset]: what stands before is head room for headers that are put
 * in front later, so that a relay or the SFU copies nothing. Free buffers are kept up to a limit;
 * with `keep` 0 every buffer is its own allocation, so that a sanitizer sees each misuse. */
#ifndef LN_BASE_POOL_H
#define LN_BASE_POOL_H

#include <linnet/env.h>

#define LN_BUFFER_HEADROOM 64u

struct ln_buffer {
    struct ln_pool *pool;
    uint32_t references;
    uint32_t cap;           /* bytes in data, head room included */
    uint32_t offset;        /* where the content begins */
    uint32_t len;           /* of the content */
    struct ln_buffer *next; /* free list, and free to use for the one owner of an unshared buffer */
    uint8_t data[];
};

struct ln_pool {
    struct ln_allocator *allocator;
    uint32_t buffer_cap; /* content bytes that fit behind the head room */
    uint32_t keep;       /* free buffers kept at most */
    uint32_t limit;      /* buffers in use at most; more gives NULL */
    uint32_t in_use, free_count, peak;
    struct ln_buffer *free_list;
};

void ln_pool_init(struct ln_pool *pool, struct ln_allocator *allocator, uint32_t buffer_cap,
                  uint32_t keep, uint32_t limit);
/* All buffers must have come back. */
void ln_pool_deinit(struct ln_pool *pool);

/* An empty buffer with one reference and LN_BUFFER_HEADROOM before its content; NULL when out of
 * memory or at the limit. A size above buffer_cap gives a buffer of its own, not kept afterwards.
 */
LN_NODISCARD struct ln_buffer *ln_buffer_create(struct ln_pool *pool, size_t size);
/* The same, filled with a copy. */
LN_NODISCARD struct ln_buffer *ln_buffer_copy(struct ln_pool *pool, const void *data, size_t len);

struct ln_buffer *ln_buffer_ref(struct ln_buffer *buffer);
void ln_buffer_unref(struct ln_buffer *buffer); /* NULL is fine */

static inline uint8_t *ln_buffer_bytes(struct ln_buffer *buffer)
{
    return buffer->data + buffer->offset;
}

/* Bytes that may still be appended. */
static inline size_t ln_buffer_room(const struct ln_buffer *buffer)
{
    return (size_t)buffer->cap - buffer->offset - buffer->len;
}

#endif
