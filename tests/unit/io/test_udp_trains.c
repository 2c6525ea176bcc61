/* SPDX-License-Identifier: Apache-2.0
 * Many datagrams through real loopback sockets: trains, with and without the system's help, of
 * every size, for many receivers, and while the socket is full. */
#include "tests/unit/io/datagrams.h"
#include "tests/unit/io/fault.h"

#include <errno.h>

LN_TEST(io_udp, ten_thousand_datagrams_arrive_unchanged_and_in_order)
{
    struct stream s = { .total = 10000, .size = 1200 };
    struct ln_loop_stats stats;

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.datagrams_received, 10000);
    TRY(stats.send_calls < 1000);    /* trains */
    TRY(stats.receive_calls < 1000); /* coalesced */
    probe_loop_close();
}

LN_TEST(io_udp, the_same_over_ipv6)
{
    struct stream s = { .total = 2000, .size = 1200 };

    probe_loop(NULL);
    run_stream(&s, "[::1]:0");
    probe_loop_close();
}

LN_TEST(io_udp, lent_slices_arrive_like_written_bytes)
{
    struct stream s = { .total = 1000, .size = 700, .slices = true };

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    TRY(s.largest_train > 20);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0); /* every reference was released */
}

LN_TEST(io_udp, a_datagram_that_is_kept_stays_as_it_came)
{
    static struct ln_buffer *kept[200];
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 200, .size = 1200, .kept = kept };
    static uint8_t expected[1200];

    memset(kept, 0, sizeof kept);
    probe_loop(&config);
    run_stream(&s, "127.0.0.1");
    probe_loop_close();
    for (size_t i = 0; i < s.total; i++) {
        TRY(kept[i] != NULL);
        datagram_fill(expected, kept[i]->len, i);
        TRY(memcmp(ln_buffer_bytes(kept[i]), expected, kept[i]->len) == 0);
        ln_buffer_unref(kept[i]);
    }
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, without_offload_the_same_arrives)
{
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 1000, .size = 1200 };
    struct ln_loop_stats stats;

    probe_loop(&config);
    run_stream(&s, "127.0.0.1");
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.send_calls, 1000);
    probe_loop_close();
}

LN_TEST(io_udp, trains_of_the_smallest_datagrams_stay_apart)
{
    struct stream s = { .total = 640, .size = 1 };

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    probe_loop_close();
}

LN_TEST(io_udp, every_size_up_to_the_largest_payload_passes)
{
    static const size_t sizes[] = { 1, 2, 3, 100, 1200, 1472, 1473, 9000, 65506, 65507 };

    probe_loop(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct stream s = { .total = 3, .size = sizes[i] };

        run_stream(&s, "127.0.0.1");
        s = (struct stream){ .total = 3, .size = sizes[i] };
        run_stream(&s, "[::1]:0");
    }
    probe_loop_close();
}

/* ---- for many receivers ---- */

#define RECEIVERS 5u
#define ROUNDS    40u

/* Trains of three for each of several receivers in turn; the bytes say which train and place. */
struct scatter {
    struct ln_path to[RECEIVERS];
    size_t next, got[RECEIVERS], wrong;
    size_t whole_every; /* 0: none */
    ln_link links[RECEIVERS];
};

static int send_scattered(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct scatter *s = probe->ctx;

    (void)now;
    if (s->next == ROUNDS * RECEIVERS)
        return 0;
    out->path = s->to[s->next % RECEIVERS];
    out->segment = 100;
    out->whole = s->whole_every > 0 && s->next % s->whole_every == 0;
    for (size_t i = 0; i < 3; i++) {
        struct ln_buffer *buffer = ln_buffer_create(test_env()->pool, 100);

        if (!buffer)
            return i > 0; /* then it is wrong, which only a sweep of failing memory sees */
        datagram_fill(ln_buffer_bytes(buffer), 100, 3 * (s->next / RECEIVERS) + i);
        out->slices[out->slice_count++] = (struct ln_slice){ ln_buffer_bytes(buffer), 100, buffer };
        out->len += 100;
    }
    s->next++;
    return 1;
}

static void take_scattered(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct scatter *s = probe->ctx;
    uint8_t expected[100];

    (void)now;
    for (size_t i = 0; i < RECEIVERS; i++) {
        if (packet->path.link != s->links[i])
            continue;
        datagram_fill(expected, 100, s->got[i]++);
        s->wrong += packet->len != 100 || memcmp(packet->data, expected, 100) != 0;
    }
}

static bool all_scattered(void *ctx)
{
    const struct scatter *s = ctx;
    size_t sum = 0;

    for (size_t i = 0; i < RECEIVERS; i++)
        sum += s->got[i];
    return sum == 3 * ROUNDS * RECEIVERS;
}

static void scatter(size_t whole_every)
{
    struct scatter s = { .next = ROUNDS * RECEIVERS, .whole_every = whole_every };
    struct probe sender, receiver;

    probe_loop(NULL);
    probe_init(&sender);
    probe_init(&receiver);
    sender.ctx = receiver.ctx = &s;
    sender.transmit = send_scattered;
    receiver.receive = take_scattered;
    probe_add(&sender);
    probe_add(&receiver);
    for (size_t i = 0; i < RECEIVERS; i++) {
        struct ln_path path = probe_udp(&receiver, "127.0.0.1");

        s.links[i] = path.link;
        s.to[i].remote = path.local;
    }
    s.to[0].link = probe_udp(&sender, "127.0.0.1").link;
    for (size_t i = 1; i < RECEIVERS; i++)
        s.to[i].link = s.to[0].link;
    s.next = 0;
    ln_loop_touch(sender.handle);
    run_until(all_scattered, &s);
    TRY_EQUAL(s.wrong, 0);
}

LN_TEST(io_udp, trains_for_many_leave_in_few_calls_and_in_order)
{
    struct ln_loop_stats stats;

    scatter(0);
    ln_loop_stats(test_loop, &stats);
    TRY(stats.send_calls <= ROUNDS * RECEIVERS / 8);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, trains_for_many_stay_in_order_when_the_socket_is_full)
{
    sendmsg_fault = (struct fault){ EAGAIN, 2, 3, false };
    scatter(0);
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, what_is_to_stay_whole_leaves_in_order_with_the_rest)
{
    scatter(7);
    probe_loop_close();
    sendmsg_fault = (struct fault){ EAGAIN, 2, 3, false };
    scatter(7);
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

/* ---- a system that refuses ---- */

LN_TEST(io_udp, a_full_socket_keeps_datagrams_in_order_until_it_is_writable)
{
    struct stream s = { .total = 300, .size = 500 };

    probe_loop(NULL);
    sendmsg_fault = (struct fault){ EAGAIN, 3, 1, false };
    run_stream(&s, "127.0.0.1");
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
}

LN_TEST(io_udp, a_path_without_segmentation_gets_datagram_by_datagram)
{
    static const int numbers[] = { EIO, EINVAL, EMSGSIZE };

    for (size_t i = 0; i < 3; i++) {
        struct stream s = { .total = 500, .size = 900, .slices = i == 1 };
        struct ln_loop_stats stats;

        probe_loop(NULL);
        sendmsg_fault = (struct fault){ numbers[i], 100000, 0, true };
        run_stream(&s, "127.0.0.1");
        sendmsg_fault.times = 0;
        ln_loop_stats(test_loop, &stats);
        /* EIO is remembered at once, the others after eight times in a row */
        TRY_EQUAL(stats.segmentation_refused, numbers[i] == EIO ? 1 : 8);
        TRY_EQUAL(stats.send_calls, 500);
        probe_loop_close();
    }
}

LN_TEST(io_udp, a_socket_that_fills_up_amid_single_datagrams_keeps_the_rest)
{
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 300, .size = 500 };

    probe_loop(&config);
    sendmsg_fault = (struct fault){ EAGAIN, 2, 7, false };
    run_stream(&s, "127.0.0.1");
    probe_loop_close();
}
