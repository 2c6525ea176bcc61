/* SPDX-License-Identifier: Apache-2.0
 * Allocations that fail in a whole set-up of two peer connections. Every one of them would take
 * minutes under a sanitizer: here some, others in each seed of the simulation (memory_fails), all
 * in its long tier. */
#include "tests/sim/memory.h"
#include "tests/support/test.h"

#define RUNS 40u

LN_TEST(oom, a_whole_set_up_survives_every_failed_allocation)
{
    uint64_t total, step;

    if (test_allocator()->fail_at > 0)
        return; /* a sweep over this sweep adds nothing */
    CHECK(!memory_run(0, false));
    total = test_allocator()->allocations;
    CHECK(total > 500);
    step = total / RUNS | 1;
    for (uint64_t n = 1; n <= total; n += n < 20 ? 1 : step)
        (void)memory_run(n, n & 1);
}
