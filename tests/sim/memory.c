/* SPDX-License-Identifier: Apache-2.0
 * The run of memory.h. What may happen when memory fails: a call returns LN_ERR_NOMEM, an
 * operation fails, the connection fails, a packet is lost. What may not: a crash, a leak, a broken
 * law, a message twice. */
#include "tests/sim/memory.h"

#include "base/alloc.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

#define MESSAGES    3u
#define FRAMES      8u
#define LONG_ENOUGH LN_SECONDS(4)

static struct call call; /* large */

static const struct scenario set_up = {
    .name = "memory",
    .line = { .delay = LN_MILLISECONDS(5) },
    .channels = 1u << CHANNEL_ORDERED | 1u << CHANNEL_LOSSY,
    .messages = MESSAGES,
    .audio = true,
    .video = true,
    .both_send = true,
    .video_max_bps = 200000,
};

static bool complete(struct call *c)
{
    if (c->opened == LN_TIME_NEVER && call_open(c))
        c->opened = c->next_message = c->net.now;
    for (int p = 0; p < 2; p++) {
        const struct party *party = &c->parties[p];

        if (party->flow_count < 2 || party->video_in.count < FRAMES ||
            party->audio_in.count < FRAMES)
            return false;
        for (size_t i = 0; i < party->flow_count; i++)
            if (party->flows[i].received < MESSAGES)
                return false;
    }
    return true;
}

bool memory_run(uint64_t n, bool sticky)
{
    struct ln_counting_allocator *memory = test_allocator();
    size_t blocks = memory->live_blocks;
    bool done = false, failed;

    memory->allocations = 0;
    memory->failed = false;
    memory->sticky = sticky;
    memory->fail_at = n;
    if (call_init(&call, &set_up, 1, true) == 0)
        done = call_run(&call, LONG_ENOUGH, complete);
    failed = memory->failed;
    call_free(&call);
    memory->fail_at = 0;
    memory->sticky = false;
    CHECK(failed || done);
    CHECK_EQUAL(memory->live_blocks, blocks);
    return failed;
}
