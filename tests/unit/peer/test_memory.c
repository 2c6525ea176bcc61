/* SPDX-License-Identifier: Apache-2.0
 * Allocations that fail in a whole set-up of two peer connections. Every one of them would take
 * minutes under a sanitizer: here some, others in each seed of the simulation (memory_fails), all
 * in its long tier. */
#include "peer/peer_connection.h"
#include "tests/sim/call.h"
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

static struct call call; /* large */

static bool media_came_early(struct call *c)
{
    return c->parties[0].pc->media.early_count > 0 || c->parties[1].pc->media.early_count > 0;
}

LN_TEST(oom, packets_kept_for_keys_that_cannot_be_made_are_dropped_once)
{
    static const struct scenario jittery = {
        .line = { .delay = LN_MILLISECONDS(20), .jitter = LN_MILLISECONDS(30), .loss = 0.1 },
        .audio = true,
        .video = true,
        .both_send = true,
        .length = LN_SECONDS(2),
    };

    if (test_allocator()->fail_at > 0)
        return;
    for (uint64_t k = 1; k <= 30; k++) {
        CHECK(call_init(&call, &jittery, 7, true) == 0);
        CHECK(call_run(&call, LN_SECONDS(30), media_came_early));
        test_allocator()->fail_at = test_allocator()->allocations + k;
        (void)call_run(&call, LN_SECONDS(1), call_failed);
        test_allocator()->fail_at = 0;
        call_free(&call);
    }
}
