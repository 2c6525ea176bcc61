/* SPDX-License-Identifier: Apache-2.0
 * Binary search for the place, memmove for insertion; in a stream without loss the set is empty and
 * nothing here runs. */
#include "sctp/ranges.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

void ln_ranges_init(struct ln_ranges *set, struct ln_allocator *allocator, size_t limit)
{
    memset(set, 0, sizeof *set);
    set->allocator = allocator;
    set->limit = limit;
}

void ln_ranges_clear(struct ln_ranges *set)
{
    ln_free(set->allocator, set->items);
    set->items = NULL;
    set->count = set->capacity = 0;
}

void ln_ranges_deinit(struct ln_ranges *set)
{
    ln_ranges_clear(set);
}

int ln_ranges_reserve(struct ln_ranges *set)
{
    if (set->count < set->capacity)
        return 0;
    return ln_grow(set->allocator, &set->items, sizeof *set->items, set->count, &set->capacity,
                   set->limit);
}

size_t ln_ranges_find(const struct ln_ranges *set, uint64_t value)
{
    size_t low = 0, high = set->count;

    if (high > 0 && set->items[high - 1].last < value)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->items[middle].last < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ln_ranges_contain(const struct ln_ranges *set, uint64_t value)
{
    size_t at = ln_ranges_find(set, value);

    return at < set->count && set->items[at].first <= value;
}

void ln_ranges_add(struct ln_ranges *set, uint64_t first, uint64_t last)
{
    size_t at = ln_ranges_find(set, first > 0 ? first - 1 : 0), end = at;

    assert(first <= last);
    while (end < set->count && set->items[end].first <= last + 1)
        end++;
    if (end == at) {
        assert(set->count < set->capacity);
        memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof *set->items);
        set->items[at] = (struct ln_range){ first, last };
        set->count++;
        return;
    }
    if (first < set->items[at].first)
        set->items[at].first = first;
    set->items[at].last = set->items[end - 1].last > last ? set->items[end - 1].last : last;
    memmove(set->items + at + 1, set->items + end, (set->count - end) * sizeof *set->items);
    set->count -= end - at - 1;
}

void ln_ranges_remove_to(struct ln_ranges *set, uint64_t last)
{
    size_t at;

    if (set->count == 0 || set->items[0].first > last)
        return;
    at = ln_ranges_find(set, last + 1);
    memmove(set->items, set->items + at, (set->count - at) * sizeof *set->items);
    set->count -= at;
    if (set->count > 0 && set->items[0].first <= last)
        set->items[0].first = last + 1;
}
