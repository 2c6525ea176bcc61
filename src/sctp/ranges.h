/* SPDX-License-Identifier: Apache-2.0
 * A set of TSNs as sorted, disjoint, non-adjacent ranges: what was received above the cumulative
 * point, and what the peer reported in gap blocks. Cost goes with the number of gaps, not of TSNs.
 */
#ifndef LN_SCTP_RANGES_H
#define LN_SCTP_RANGES_H

#include <linnet/env.h>

struct ln_range {
    uint64_t first, last; /* both included */
};

struct ln_ranges {
    struct ln_allocator *allocator;
    struct ln_range *items;
    size_t count, capacity, limit;
};

void ln_ranges_init(struct ln_ranges *set, struct ln_allocator *allocator, size_t limit);
void ln_ranges_deinit(struct ln_ranges *set);
void ln_ranges_clear(struct ln_ranges *set); /* gives its memory back too */

/* Makes the next ln_ranges_add() safe. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_ranges_reserve(struct ln_ranges *set);
/* Adds first..last; room for one more range was reserved. */
void ln_ranges_add(struct ln_ranges *set, uint64_t first, uint64_t last);
/* Removes everything up to and including `last`. */
void ln_ranges_remove_to(struct ln_ranges *set, uint64_t last);

bool ln_ranges_contain(const struct ln_ranges *set, uint64_t value);
/* The index of the first range whose end is at or after value; count when there is none. */
size_t ln_ranges_find(const struct ln_ranges *set, uint64_t value);

#endif
