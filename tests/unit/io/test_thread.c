/* SPDX-License-Identifier: Apache-2.0
 * Threads and mailboxes. These tests, and those of posts, are what ThreadSanitizer is for. */
#include "io/thread.h"
#include "tests/support/test.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#define PRODUCERS 4
#define EACH      500

static bool readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    return poll(&poll_fd, 1, 0) == 1;
}

LN_TEST(io_mailbox, gives_back_what_was_put_in_order_and_signals_it)
{
    struct ln_mailbox box;
    int values[3] = { 1, 2, 3 }, value;

    CHECK(ln_mailbox_init(&box, sizeof(int), 3, LN_MAILBOX_REFUSE) == 0);
    CHECK(!readable(ln_mailbox_fd(&box)));
    CHECK(ln_mailbox_take(&box, &value, 0) == LN_ERR_AGAIN);
    CHECK(ln_mailbox_take(&box, &value, LN_MILLISECONDS(2)) == LN_ERR_AGAIN);
    for (int round = 0; round < 5; round++) { /* over the ring's end */
        for (int i = 0; i < 3; i++)
            CHECK(ln_mailbox_put(&box, &values[i], NULL) == 0);
        CHECK(readable(ln_mailbox_fd(&box)));
        for (int i = 0; i < 3; i++) {
            CHECK(ln_mailbox_take(&box, &value, 0) == 0);
            CHECK(value == values[i]);
        }
        CHECK(!readable(ln_mailbox_fd(&box)));
    }
    ln_mailbox_deinit(&box);
}

LN_TEST(io_mailbox, refuses_when_full_and_counts_it)
{
    struct ln_mailbox box;
    int value = 1;

    CHECK(ln_mailbox_init(&box, sizeof value, 1, LN_MAILBOX_REFUSE) == 0);
    CHECK(ln_mailbox_put(&box, &value, NULL) == 0);
    CHECK(ln_mailbox_put(&box, &value, NULL) == LN_ERR_LIMIT);
    CHECK_EQUAL(ln_mailbox_dropped(&box), 1);
    ln_mailbox_deinit(&box);
}

LN_TEST(io_mailbox, drops_the_oldest_and_hands_it_back)
{
    struct ln_mailbox box;
    int dropped = 0, value;

    CHECK(ln_mailbox_init(&box, sizeof(int), 2, LN_MAILBOX_DROP_OLDEST) == 0);
    for (value = 1; value <= 2; value++)
        CHECK(ln_mailbox_put(&box, &value, &dropped) == 0);
    CHECK(ln_mailbox_put(&box, &value, &dropped) == 1);
    CHECK_EQUAL(dropped, 1);
    CHECK(ln_mailbox_take(&box, &value, 0) == 0 && value == 2);
    CHECK(ln_mailbox_take(&box, &value, 0) == 0 && value == 3);
    CHECK(!readable(ln_mailbox_fd(&box)));
    CHECK_EQUAL(ln_mailbox_dropped(&box), 1);
    ln_mailbox_deinit(&box);
}

LN_TEST(io_mailbox, gives_the_rest_after_it_is_closed)
{
    struct ln_mailbox box;
    int value = 5;

    CHECK(ln_mailbox_init(&box, sizeof value, 2, LN_MAILBOX_REFUSE) == 0);
    CHECK(ln_mailbox_put(&box, &value, NULL) == 0);
    ln_mailbox_close(&box);
    ln_mailbox_close(&box);
    CHECK(ln_mailbox_put(&box, &value, NULL) == LN_ERR_CLOSED);
    CHECK(ln_mailbox_take(&box, &value, LN_TIME_NEVER) == 0);
    CHECK(readable(ln_mailbox_fd(&box)));
    CHECK(ln_mailbox_take(&box, &value, LN_TIME_NEVER) == LN_ERR_CLOSED);
    ln_mailbox_deinit(&box);
}

struct producer {
    struct ln_thread thread;
    struct ln_mailbox *box;
    uintptr_t first;
    atomic_int refused;
};

static void produce(void *ctx)
{
    struct producer *p = ctx;

    for (uintptr_t i = 0; i < EACH;) {
        uintptr_t item = p->first + i;

        if (ln_mailbox_put(p->box, &item, NULL) == 0)
            i++;
        else
            atomic_fetch_add(&p->refused, 1);
    }
}

LN_TEST(io_mailbox, of_many_producers_loses_nothing)
{
    static struct producer producers[PRODUCERS];
    size_t next[PRODUCERS] = { 0 };
    struct ln_mailbox box;

    CHECK(ln_mailbox_init(&box, sizeof(uintptr_t), 64, LN_MAILBOX_REFUSE) == 0);
    memset(producers, 0, sizeof producers);
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i].box = &box;
        producers[i].first = i * 1000;
        CHECK(ln_thread_start(&producers[i].thread, "producer", produce, &producers[i]) == 0);
    }
    for (size_t i = 0; i < PRODUCERS * EACH; i++) {
        uintptr_t item = 0;

        CHECK(ln_mailbox_take(&box, &item, LN_SECONDS(5)) == 0);
        CHECK(item / 1000 < PRODUCERS && item % 1000 == next[item / 1000]);
        next[item / 1000]++;
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        ln_thread_join(&producers[i].thread);
    ln_mailbox_deinit(&box);
}

static void block_forever(void *ctx)
{
    int value;

    CHECK(ln_mailbox_take(ctx, &value, LN_TIME_NEVER) == LN_ERR_CLOSED);
}

LN_TEST(io_mailbox, a_waiting_taker_wakes_when_it_is_closed)
{
    struct ln_thread thread = { 0 };
    struct ln_mailbox box;

    CHECK(ln_mailbox_init(&box, sizeof(int), 4, LN_MAILBOX_REFUSE) == 0);
    CHECK(ln_thread_start(&thread, "taker", block_forever, &box) == 0);
    ln_mailbox_close(&box);
    ln_thread_join(&thread);
    ln_mailbox_deinit(&box);
}

struct look {
    char name[16];
    bool interrupt_blocked;
};

static void look_around(void *ctx)
{
    struct look *look = ctx;
    sigset_t set;

    /* The name is set by the starter just after the start: wait for it. */
    do {
        pthread_getname_np(pthread_self(), look->name, sizeof look->name);
    } while (strcmp(look->name, "a-very-long-nam") != 0);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    look->interrupt_blocked = sigismember(&set, SIGINT);
}

LN_TEST(io_thread, has_a_name_and_takes_no_signals)
{
    struct ln_thread thread = { 0 };
    struct look look = { 0 };

    ln_thread_join(&thread); /* never started */
    CHECK(ln_thread_start(&thread, "a-very-long-name-indeed", look_around, &look) == 0);
    ln_thread_join(&thread);
    ln_thread_join(&thread);
    CHECK(look.interrupt_blocked);
}
