/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

#define FIRST_CAPACITY 2u

void ln_ring_init(struct ln_ring *ring, struct ln_allocator *allocator, size_t element_size,
                  size_t limit)
{
    memset(ring, 0, sizeof *ring);
    ring->allocator = allocator;
    ring->element_size = element_size;
    ring->limit = limit;
}

void ln_ring_deinit(struct ln_ring *ring)
{
    ln_free(ring->allocator, ring->data);
    ring->data = NULL;
    ring->capacity = ring->count = ring->head = 0;
}

void ln_ring_trim(struct ln_ring *ring)
{
    if (ring->count == 0)
        ln_ring_deinit(ring);
}

void *ln_ring_at(const struct ln_ring *ring, size_t i)
{
    if (i >= ring->count)
        return NULL;
    return ring->data + (ring->head + i) % ring->capacity * ring->element_size;
}

static int grow(struct ln_ring *ring)
{
    size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY, i;
    uint8_t *data = ln_alloc(ring->allocator, capacity * ring->element_size);

    if (!data)
        return LN_ERR_NOMEM;
    for (i = 0; i < ring->count; i++)
        memcpy(data + i * ring->element_size, ln_ring_at(ring, i), ring->element_size);
    ln_free(ring->allocator, ring->data);
    ring->data = data;
    ring->capacity = capacity;
    ring->head = 0;
    return 0;
}

int ln_ring_push(struct ln_ring *ring, const void *element)
{
    int error;

    if (ring->count >= ring->limit)
        return LN_ERR_LIMIT;
    if (ring->count == ring->capacity) {
        error = grow(ring);
        if (error)
            return error;
    }
    ring->count++;
    memcpy(ln_ring_at(ring, ring->count - 1), element, ring->element_size);
    return 0;
}

bool ln_ring_pop(struct ln_ring *ring, void *ret_element)
{
    if (ring->count == 0)
        return false;
    if (ret_element)
        memcpy(ret_element, ln_ring_at(ring, 0), ring->element_size);
    ring->head = (ring->head + 1) % ring->capacity;
    ring->count--;
    return true;
}
