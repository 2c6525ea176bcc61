/* SPDX-License-Identifier: Apache-2.0
 * Residents with threads: the table that workers read while it is written, and residents that come
 * and go while workers have parcels for them. For the thread sanitizer, and for who counts. */
#include "servers/turn/wiring/resident.h"

#include "base/alloc.h"
#include "base/endpoint.h"
#include "base/time.h"
#include "io/thread.h"
#include "servers/turn/wiring/hall.h"
#include "tests/support/idle.h"
#include "tests/support/test.h"

#include <sched.h>

#define WRITES   3000u
#define WORKERS  2u
#define LIVES    60u
#define PER_LIFE 300u

static struct ln_address home(unsigned port)
{
    return (struct ln_address){ LN_FAMILY_IPV4, { 203, 0, 113, 9 }, (uint16_t)port, 0 };
}

/* ---- the table ---- */

static struct {
    struct ln_turn_residents residents;
    _Atomic bool over;
    _Atomic unsigned wrong, missed, found;
} table;

static void read_table(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; !atomic_load(&table.over); i++) {
        struct ln_address address = home(5000 + i % 64), always = home(4000);
        unsigned box = 0;

        if (ln_turn_residents_find(&table.residents, &address, &box)) {
            atomic_fetch_add(&table.found, 1);
            if (box != address.port)
                atomic_fetch_add(&table.wrong, 1);
        }
        if (!ln_turn_residents_find(&table.residents, &always, &box) || box != 4000)
            atomic_fetch_add(&table.missed, 1);
        if (!ln_turn_residents_at(&table.residents, &always))
            atomic_fetch_add(&table.missed, 1);
    }
}

LN_TEST(residents, threads_find_who_is_there_and_never_another)
{
    struct ln_thread readers[2];
    struct ln_address always = home(4000);

    memset(&table, 0, sizeof table);
    ln_turn_residents_init(&table.residents);
    CHECK(ln_turn_residents_enter(&table.residents, &always, 4000) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(ln_thread_start(&readers[i], "reader", read_table, NULL) == 0);
    for (unsigned i = 0; i < WRITES || atomic_load(&table.found) == 0; i++) {
        struct ln_address address = home(5000 + i * 7 % 64);

        if (ln_turn_residents_enter(&table.residents, &address, address.port) != 0)
            ln_turn_residents_leave(&table.residents, &address);
        if (i % 64 == 0)
            sched_yield();
    }
    atomic_store(&table.over, true);
    for (int i = 0; i < 2; i++)
        ln_thread_join(&readers[i]);
    CHECK_EQUAL(table.wrong, 0);
    CHECK_EQUAL(table.missed, 0);
}

/* ---- the boxes ---- */

/* A worker of the test's: it sends to the resident while it finds it, and takes what comes. What it
 * is ordered, it follows between two turns. */
struct worker {
    struct turn_hall *hall;
    struct ln_thread thread;
    struct ln_pool pool;
    unsigned index;
    _Atomic unsigned ordered, followed;
    _Atomic bool over;
    uint64_t sent, heard;
};
static struct worker workers[WORKERS];

static void hear(void *ctx, struct ln_buffer *buffer)
{
    (void)buffer;
    ((struct worker *)ctx)->heard++;
}

static void say(struct worker *w)
{
    struct ln_address address = home(5000);
    struct {
        int kind;
        struct ln_address from, to;
    } header = { 0, { LN_FAMILY_IPV4, { 203, 0, 113, 1 }, 50000, 0 }, address }; /* handover.c */
    struct ln_buffer *buffer;
    unsigned box;

    if (!ln_turn_residents_find(ln_turn_shared_residents(w->hall->shared), &address, &box))
        return;
    buffer = ln_buffer_copy(&w->pool, &header, sizeof header);
    CHECK(buffer != NULL);
    exchange_add(w->hall->boxes, w->index, box, buffer);
    w->sent++;
}

static void work(void *ctx)
{
    struct worker *w = ctx;

    for (unsigned i = 0; !atomic_load(&w->over); i++) {
        unsigned order = atomic_load(&w->ordered);

        say(w);
        if (i % 4 == 0)
            exchange_flush(w->hall->boxes, w->index);
        exchange_take(w->hall->boxes, w->index, hear, w);
        if (order != atomic_load(&w->followed)) {
            exchange_flush(w->hall->boxes, w->index);
            exchange_take_all(w->hall->boxes, w->index, hear, w);
            atomic_store(&w->followed, order);
        }
        if (i % 16 == 0)
            sched_yield();
    }
}

static void settle(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < WORKERS; i++)
        atomic_fetch_add(&workers[i].ordered, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        while (atomic_load(&workers[i].followed) != atomic_load(&workers[i].ordered))
            sched_yield();
}

static void end_workers(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < WORKERS; i++)
        atomic_store(&workers[i].over, true);
    for (unsigned i = 0; i < WORKERS; i++)
        ln_thread_join(&workers[i].thread);
}

/* Who lives here: answers all that it hears, to the relays of both workers. */
struct echo {
    unsigned heard, owed, asked;
};

static void echo_receive(void *object, ln_time now, struct ln_packet *packet)
{
    (void)now;
    (void)packet;
    ((struct echo *)object)->heard++;
    ((struct echo *)object)->owed++;
}

static int echo_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct echo *echo = object;

    (void)now;
    if (echo->owed == 0)
        return 0;
    ln_transmit_begin(out);
    out->path.link = 1;
    out->path.remote = (struct ln_address){ LN_FAMILY_IPV4, { 203, 0, 113, 1 }, 0, 0 };
    out->path.remote.port = (uint16_t)(50000 + echo->owed % WORKERS);
    out->len = 4;
    memcpy(out->data, "echo", 4);
    echo->owed--;
    return 1;
}

static int echo_poll_request(void *object, struct ln_request *ret_request)
{
    struct echo *echo = object;

    if (echo->asked > 0)
        return 0;
    echo->asked++;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .id = 1 };
    return 1;
}

static const struct ln_endpoint_ops echo_ops = { echo_receive,      idle_on_timeout,
                                                 idle_next_timeout, echo_poll_transmit,
                                                 echo_poll_request, idle_answer };

static struct ln_turn_resident_counts live(struct turn_hall *hall, const struct ln_env *env)
{
    struct ln_answer opened = { .kind = LN_ANSWER_OPENED, .id = 1, .link = 1, .local = home(5000) };
    struct ln_turn_resident_counts counts;
    struct ln_turn_resident *resident;
    struct ln_transmit out = { 0 };
    struct ln_request request;
    struct echo echo = { 0 };
    struct ln_endpoint e;
    uint8_t data[64];

    CHECK(turn_resident_create(&resident, hall, (struct ln_endpoint){ &echo_ops, &echo }, env) ==
          0);
    e = ln_turn_resident_endpoint(resident);
    CHECK(e.ops->poll_request(e.object, &request) == 1);
    e.ops->answer(e.object, 0, &opened);
    out.data = data;
    out.cap = sizeof data;
    while (echo.heard < PER_LIFE) {
        ln_turn_resident_take(resident, 0);
        while (e.ops->poll_transmit(e.object, 0, &out) == 0 && echo.owed > 0)
            e.ops->on_timeout(e.object, 0);
        sched_yield();
    }
    counts = ln_turn_resident_counts(resident);
    ln_turn_resident_free(resident);
    CHECK_EQUAL(env->pool->in_use, 0); /* in the middle of everything */
    return counts;
}

LN_TEST(resident, threads_come_and_go_and_every_buffer_comes_home)
{
    static const struct ln_turn_limits limits;
    uint64_t in = 0, out = 0, sent = 0, heard = 0;
    struct ln_env env = *test_env();
    struct ln_turn_shared *shared;
    struct turn_hall *hall;
    struct ln_pool pool;

    memset(workers, 0, sizeof workers);
    CHECK(ln_turn_shared_create(&shared, test_env(), &limits) == 0);
    CHECK(turn_hall_create(&hall, shared) == 0);
    hall->relays[0].bind = (struct ln_address){ LN_FAMILY_IPV4, { 203, 0, 113, 1 }, 0, 0 };
    hall->relay_count = 1;
    hall->settle = settle;
    ln_pool_init(&pool, ln_allocator_libc(), 256, 64, 65536);
    env.pool = &pool;
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].hall = hall;
        workers[i].index = i;
        ln_pool_init(&workers[i].pool, ln_allocator_libc(), 256, 64, 65536);
        CHECK(exchange_init(&hall->boxes[i]) == 0);
        CHECK(ln_turn_port_claim(shared, 0, (uint16_t)(50000 + i), i));
        CHECK(ln_thread_start(&workers[i].thread, "worker", work, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < LIVES; i++) {
        struct ln_turn_resident_counts counts = live(hall, &env);

        in += counts.handed_in;
        out += counts.handed_out;
        CHECK_EQUAL(counts.sent, 0);
    }
    turn_hall_close(hall, end_workers, NULL);
    for (unsigned i = 0; i < WORKERS; i++) {
        sent += workers[i].sent;
        heard += workers[i].heard;
        CHECK_EQUAL(workers[i].pool.in_use, 0);
        ln_pool_deinit(&workers[i].pool);
    }
    CHECK(in >= LIVES * PER_LIFE && in <= sent);
    CHECK_EQUAL(heard, out); /* each was asked to take what had come before one went */
    ln_pool_deinit(&pool);
    turn_hall_unref(hall);
}
