/* SPDX-License-Identifier: Apache-2.0
 * Datagrams from worker to worker: in order, each buffer back to its pool, bounded, with threads.
 */
#include "servers/turn/wiring/exchange.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "tests/support/test.h"

#include <poll.h>
#include <sched.h>

#define WORKERS 3u
#define ROUNDS  20000u

struct hall {
    struct exchange_box boxes[EXCHANGE_BOXES_MAX];
    struct ln_pool pools[WORKERS];
};

static void open_hall(struct hall *hall)
{
    memset(hall, 0, sizeof *hall);
    for (unsigned i = 0; i < WORKERS; i++) {
        CHECK(exchange_init(&hall->boxes[i]) == 0);
        ln_pool_init(&hall->pools[i], ln_allocator_libc(), 64, 16, 65536);
    }
}

static void close_hall(struct hall *hall)
{
    for (unsigned i = 0; i < WORKERS; i++)
        exchange_drain(hall->boxes, i);
    for (unsigned i = 0; i < WORKERS; i++) {
        exchange_recover(hall->boxes, i);
        exchange_deinit(&hall->boxes[i]);
        CHECK_EQUAL(hall->pools[i].in_use, 0);
        ln_pool_deinit(&hall->pools[i]);
    }
}

static void add(struct hall *hall, unsigned from, unsigned to, uint32_t number)
{
    uint8_t bytes[8];
    struct ln_buffer *buffer;

    ln_store32(bytes, from);
    ln_store32(bytes + 4, number);
    buffer = ln_buffer_copy(&hall->pools[from], bytes, sizeof bytes);
    CHECK(buffer != NULL);
    exchange_add(hall->boxes, from, to, buffer);
}

/* What a worker saw: how many of each, and whether the numbers grew. */
struct seen {
    uint32_t count[WORKERS], last[WORKERS];
    bool grew;
};

static void see(void *ctx, struct ln_buffer *buffer)
{
    const uint8_t *bytes = buffer->data + buffer->offset;
    struct seen *seen = ctx;
    uint32_t from = ln_load32(bytes), number = ln_load32(bytes + 4);

    seen->grew &= seen->count[from] == 0 || number > seen->last[from];
    seen->last[from] = number;
    seen->count[from]++;
}

static bool is_readable(const struct exchange_box *box)
{
    struct pollfd fd = { .fd = ln_mailbox_fd(&box->inbox), .events = POLLIN };

    return poll(&fd, 1, 0) == 1;
}

LN_TEST(exchange, a_turn_is_one_batch_and_every_buffer_comes_back)
{
    struct hall hall;
    struct seen seen = { .grew = true };

    open_hall(&hall);
    for (uint32_t i = 0; i < 10; i++)
        add(&hall, 0, 1 + i % 2, i);
    CHECK(!is_readable(&hall.boxes[1])); /* nobody is woken before the flush */
    exchange_flush(hall.boxes, 0);
    CHECK(is_readable(&hall.boxes[1]) && is_readable(&hall.boxes[2]));
    CHECK_EQUAL(hall.boxes[1].inbox.count, 1);
    exchange_take(hall.boxes, 1, see, &seen);
    CHECK(!is_readable(&hall.boxes[1]));
    CHECK(seen.grew && seen.count[0] == 5 && seen.last[0] == 8);
    CHECK_EQUAL(hall.pools[0].in_use, 10); /* returned, and not yet taken back */
    exchange_flush(hall.boxes, 0);
    CHECK_EQUAL(hall.pools[0].in_use, 5);
    close_hall(&hall);
}

LN_TEST(exchange, a_worker_that_takes_nothing_costs_a_bounded_queue)
{
    struct hall hall;
    struct seen seen = { .grew = true };

    open_hall(&hall);
    for (uint32_t i = 0; i < 3 * EXCHANGE_DATAGRAMS_MAX; i++) {
        add(&hall, 0, 1, i);
        if (i % 64 == 63)
            exchange_flush(hall.boxes, 0);
    }
    CHECK_EQUAL(hall.boxes[0].dropped, 2 * EXCHANGE_DATAGRAMS_MAX);
    CHECK_EQUAL(hall.pools[0].in_use, EXCHANGE_DATAGRAMS_MAX);
    for (uint32_t i = 0; i < 64 && is_readable(&hall.boxes[1]); i++)
        exchange_take(hall.boxes, 1, see, &seen);
    CHECK_EQUAL(seen.count[0], EXCHANGE_DATAGRAMS_MAX); /* the first ones */
    CHECK_EQUAL(seen.last[0], EXCHANGE_DATAGRAMS_MAX - 1);
    for (uint32_t i = 0; i < 2 * EXCHANGE_BATCHES_MAX; i++) { /* one by one: batches have a limit */
        add(&hall, 0, 1, i);
        exchange_flush(hall.boxes, 0);
    }
    CHECK_EQUAL(hall.boxes[0].dropped, 2 * EXCHANGE_DATAGRAMS_MAX + EXCHANGE_BATCHES_MAX);
    CHECK_EQUAL(hall.boxes[1].waiting, EXCHANGE_BATCHES_MAX);
    close_hall(&hall);
}

LN_TEST(exchange, what_is_left_goes_back_at_the_end)
{
    struct hall hall;

    open_hall(&hall);
    add(&hall, 0, 1, 1);
    exchange_flush(hall.boxes, 0);
    add(&hall, 1, 2, 1);
    exchange_flush(hall.boxes, 1);
    add(&hall, 2, 0, 1); /* never flushed */
    close_hall(&hall);   /* asserts that nothing is in use */
}

struct player {
    struct hall *hall;
    struct ln_thread thread;
    unsigned self;
    _Atomic unsigned *done;
    struct seen seen;
};

static void play(void *ctx)
{
    struct player *p = ctx;
    struct exchange_box *boxes = p->hall->boxes;
    bool told = false;

    for (uint32_t i = 0;; i++) {
        for (unsigned to = 0; to < WORKERS && i < ROUNDS; to++)
            if (to != p->self)
                add(p->hall, p->self, to, i);
        if (i % 7 == 0 || i >= ROUNDS)
            exchange_flush(boxes, p->self);
        if (i % 5 == 0 || i >= ROUNDS)
            exchange_take(boxes, p->self, see, &p->seen);
        if (i >= ROUNDS && !told) {
            told = true;
            atomic_fetch_add(p->done, 1);
        }
        if (i >= ROUNDS && atomic_load(p->done) == WORKERS &&
            atomic_load(&boxes[p->self].waiting) == 0)
            return;
        if (i >= ROUNDS)
            sched_yield();
    }
}

LN_TEST(exchange, threads_lose_nothing_but_what_they_count)
{
    struct hall hall;
    struct player players[WORKERS];
    _Atomic unsigned done = 0;

    open_hall(&hall);
    for (unsigned i = 0; i < WORKERS; i++) {
        players[i] = (struct player){ .hall = &hall, .self = i, .done = &done };
        players[i].seen.grew = true;
    }
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK(ln_thread_start(&players[i].thread, "player", play, &players[i]) == 0);
    for (unsigned i = 0; i < WORKERS; i++)
        ln_thread_join(&players[i].thread);
    for (unsigned from = 0; from < WORKERS; from++) {
        uint64_t arrived = hall.boxes[from].dropped;

        for (unsigned to = 0; to < WORKERS; to++)
            arrived += players[to].seen.count[from];
        CHECK_EQUAL(arrived, (WORKERS - 1) * ROUNDS);
        CHECK(players[from].seen.grew);
    }
    close_hall(&hall);
}
