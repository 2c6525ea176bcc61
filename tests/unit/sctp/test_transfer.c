/* SPDX-License-Identifier: Apache-2.0
 * Moving data: checksum vectors, sizes of packets, memory, recovery, windows, partial reliability,
 * resets. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "sctp/crc32c.h"
#include "sctp/loss.h"
#include "sctp/outstanding.h"
#include "sctp/packet.h"
#include "sctp/ranges.h"
#include "sctp/rto.h"
#include "sctp/sack.h"

LN_TEST(sctp_checksum, vectors_and_both_implementations)
{
    uint8_t data[1500];

    CHECK_EQUAL(ln_crc32c(0, "123456789", 9), 0xe3069283u);
    memset(data, 0, 32); /* RFC 3720, B.4 */
    CHECK_EQUAL(ln_crc32c(0, data, 32), 0x8a9136aau);
    memset(data, 0xff, 32);
    CHECK_EQUAL(ln_crc32c(0, data, 32), 0x62a8ab43u);
    for (size_t i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    CHECK_EQUAL(ln_crc32c(0, data, 32), 0x46dd794eu);
    ln_rng_bytes(test_env()->rng, data, sizeof data);
    for (size_t len = 0; len <= sizeof data; len += 1 + len / 37) {
        CHECK_EQUAL(ln_crc32c(0, data, len), ln_crc32c_table(0, data, len));
        CHECK_EQUAL(ln_crc32c(ln_crc32c(0, data, len / 3), data + len / 3, len - len / 3),
                    ln_crc32c(0, data, len));
    }
}

LN_TEST(sctp_ranges, merge_and_stay_sorted)
{
    struct ln_ranges set;
    bool model[300] = { false };

    ln_ranges_init(&set, test_env()->allocator, 1000);
    for (int i = 0; i < 500; i++) {
        uint32_t first = ln_rng_below(test_env()->rng, 280), len = ln_rng_below(test_env()->rng, 9);

        CHECK(ln_ranges_reserve(&set) == 0);
        ln_ranges_add(&set, first, first + len);
        for (uint32_t k = first; k <= first + len; k++)
            model[k] = true;
        if (i % 50 == 49) {
            ln_ranges_remove_to(&set, (uint64_t)i / 2);
            for (int k = 0; k <= i / 2; k++)
                model[k] = false;
        }
        for (uint32_t k = 0; k < 300; k++)
            CHECK_EQUAL(ln_ranges_contain(&set, k), model[k]);
        for (size_t k = 1; k < set.count; k++)
            CHECK(set.items[k].first > set.items[k - 1].last + 1);
    }
    ln_ranges_deinit(&set);
}

LN_TEST(sctp_rto, follows_the_round_trip_and_backs_off)
{
    struct ln_rto rto;

    ln_rto_init(&rto, LN_MILLISECONDS(500), LN_MILLISECONDS(300), LN_SECONDS(5));
    CHECK(rto.value == LN_MILLISECONDS(500));
    ln_rto_measure(&rto, LN_MILLISECONDS(200));
    CHECK(rto.value == LN_MILLISECONDS(600)); /* R + 4 * R / 2 */
    for (int i = 0; i < 100; i++)
        ln_rto_measure(&rto, LN_MILLISECONDS(200));
    CHECK(rto.value == LN_MILLISECONDS(300));
    for (int i = 0; i < 10; i++)
        ln_rto_back_off(&rto);
    CHECK(rto.value == LN_SECONDS(5));
    ln_rto_recover(&rto);
    CHECK(rto.value == LN_MILLISECONDS(300));
}

static size_t sizes[70000], size_count;

static bool note_size(struct pipe *pipe, int from, uint8_t *data, size_t *len)
{
    (void)pipe;
    if (from == 0 && pipe_is_data(data[12]) && size_count < 70000)
        sizes[size_count++] = *len;
    return true;
}

LN_TEST(sctp_transfer, bulk_data_leaves_in_packets_of_one_size)
{
    static uint8_t data[65536];
    struct ln_sctp_config config;
    struct pipe pipe;
    size_t full = 0;

    ln_sctp_config_init(&config);
    config.receive_window_first = config.receive_window_bytes; /* nobody takes */
    size_count = 0;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, &config);
    pipe_connect(&pipe);
    pipe.filter = note_size;
    for (int i = 0; i < (pipe_sweeping() ? 2 : 60); i++)
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(10), NULL);
    for (size_t i = 0; i < size_count; i++)
        full += sizes[i] == LN_SCTP_PACKET_BYTES;
    CHECK(size_count > 3000);
    CHECK(full * 1000 >= size_count * 985);
    pipe_free(&pipe);
}

LN_TEST(sctp_transfer, allocates_nothing_once_it_is_warm)
{
    static uint8_t data[65536];
    struct ln_pool *pool = test_env()->pool;
    struct pipe pipe;
    uint64_t allocations = 0;

    pool->keep = 1; /* keep blocks, as outside of sanitizers */
    pipe_init(&pipe, 1);
    pipe.delay = LN_MILLISECONDS(1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    for (int round = 0; round < (pipe_sweeping() ? 3 : 200); round++) {
        struct ln_sctp_event event;

        for (int end = 0; end < 2; end++)
            while (ln_sctp_buffered_amount(pipe.end[end], 0) < 300000)
                CHECK(ln_sctp_send(pipe.end[end], 0, 53, data, round % 2 ? sizeof data : 1000,
                                   NULL) == 0);
        for (int i = 0; i < 4; i++) {
            pipe_step(&pipe, pipe.now + LN_MILLISECONDS(5));
            for (int end = 0; end < 2; end++)
                while (ln_sctp_poll_event(pipe.end[end], &event))
                    ;
        }
        if (round == 150)
            allocations = test_allocator()->allocations;
    }
    CHECK(test_allocator()->allocations - allocations <= 2);
    pipe_free(&pipe);
    pool->keep = 0;
}

static bool drop_some_data(struct pipe *pipe, int from, uint8_t *data, size_t *len)
{
    int *left = pipe->context;

    (void)len;
    if (from != 0 || !pipe_is_data(data[12]) || *left <= 0)
        return true;
    return --*left % 3 != 0;
}

LN_TEST(sctp_transfer, three_missing_reports_bring_it_again_without_a_timeout)
{
    static uint8_t data[200000];
    struct ln_sctp_config config;
    struct ln_sctp_stats stats;
    struct pipe pipe;
    int left = 60;

    ln_sctp_config_init(&config);
    config.loss = &ln_sctp_loss_missing_reports;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, &config, NULL);
    pipe_connect(&pipe);
    pipe.filter = drop_some_data;
    pipe.context = &left;
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, NULL));
    ln_sctp_stats(pipe.end[0], &stats);
    CHECK(stats.fast_retransmissions >= 8);
    CHECK(stats.timeouts <= 2);
    pipe_free(&pipe);
}

LN_TEST(sctp_transfer, a_full_receiver_closes_its_window_and_opens_it_again)
{
    struct ln_sctp_config config;
    static uint8_t data[20000];
    struct ln_sctp_event event;
    struct ln_sctp_stats stats;
    struct pipe pipe;
    size_t got = 0;

    ln_sctp_config_init(&config);
    config.receive_window_bytes = 100000;
    config.max_message_bytes = 20000;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, &config);
    pipe_connect(&pipe);
    for (int i = 0; i < (pipe_sweeping() ? 4 : 50); i++)
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(30), NULL); /* nobody takes */
    ln_sctp_stats(pipe.end[1], &stats);
    CHECK(stats.receive_buffered_bytes <= 100000 + 2 * 20000);
    ln_time begin = pipe.now;
    while (got < (pipe_sweeping() ? 4 : 50) && pipe.now < begin + LN_SECONDS(60)) {
        while (ln_sctp_poll_event(pipe.end[1], &event))
            got += event.kind == LN_SCTP_EVENT_MESSAGE;
        pipe_step(&pipe, begin + LN_SECONDS(60));
    }
    CHECK_EQUAL(got, 50);
    CHECK(pipe.now < begin + LN_SECONDS(8)); /* the opened window was told, not waited for */
    pipe_free(&pipe);
}

/* Nothing of ends[0] arrives for a while. */
static bool cut(struct pipe *pipe, int from, uint8_t *data, size_t *len)
{
    const bool *off = pipe->context;

    (void)data;
    (void)len;
    return from != 0 || !*off;
}

LN_TEST(sctp_transfer, messages_are_abandoned_in_the_queue_in_flight_and_half_sent)
{
    static uint8_t data[60000];
    struct ln_sctp_send_options brief = LN_SCTP_RELIABLE;
    struct ln_sctp_event event;
    struct ln_sctp_stats stats;
    struct pipe pipe;
    bool off = true;

    brief.lifetime = LN_MILLISECONDS(400);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    pipe.filter = cut;
    pipe.context = &off;
    /* In flight, half sent (the window is ten packets) and never begun. */
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 500, &brief) == 0);
    CHECK(ln_sctp_send(pipe.end[0], 1, 53, data, sizeof data, &brief) == 0);
    CHECK(ln_sctp_send(pipe.end[0], 2, 53, data, 500, &brief) == 0);
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, (const uint8_t *)"keep", 4, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
    off = false;
    pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event));
    CHECK_EQUAL(event.len, 4);
    CHECK(!pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event));
    ln_sctp_stats(pipe.end[0], &stats);
    CHECK_EQUAL(stats.messages_abandoned, 3);
    CHECK_EQUAL(stats.send_buffered_bytes, 0);
    ln_sctp_stats(pipe.end[1], &stats);
    CHECK_EQUAL(stats.receive_buffered_bytes, 0);
    CHECK(ln_sctp_send(pipe.end[0], 1, 53, data, sizeof data, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(10), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event) && event.len == sizeof data);
    pipe_free(&pipe);
}

LN_TEST(sctp_reset, waits_for_the_data_before_it_and_begins_at_0_again)
{
    static uint8_t data[50000];

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct ln_sctp_event event;
        int order = 0;
        struct pipe pipe;

        pipe_init(&pipe, seed);
        pipe.loss = seed > 10 ? 0.15 : 0;
        pipe_create(&pipe, NULL, NULL);
        pipe_connect(&pipe);
        CHECK(ln_sctp_send(pipe.end[0], 4, 53, data, sizeof data, NULL) == 0);
        CHECK(ln_sctp_send(pipe.end[0], 4, 53, data, 10, NULL) == 0);
        CHECK(ln_sctp_reset_stream(pipe.end[0], 4) == 0);
        CHECK(ln_sctp_reset_stream(pipe.end[1], 4) == 0); /* they cross */
        CHECK(ln_sctp_send(pipe.end[0], 4, 53, data, 10, NULL) == LN_ERR_INVALID_STATE);
        pipe_run(&pipe, pipe.now + LN_SECONDS(60), NULL);
        while (ln_sctp_poll_event(pipe.end[1], &event)) {
            if (event.kind == LN_SCTP_EVENT_MESSAGE)
                CHECK_EQUAL(event.len, order++ == 0 ? sizeof data : 10);
            if (event.kind == LN_SCTP_EVENT_INCOMING_RESET)
                CHECK_EQUAL(order++, 2);
        }
        CHECK_EQUAL(order, 3);
        CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_OUTGOING_RESET, &event) && event.error == 0);
        CHECK(ln_sctp_send(pipe.end[0], 4, 53, data, 20, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
        CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event) && event.len == 20);
        pipe_free(&pipe);
    }
}

/* A long message is half sent when its stream is reset: a reliable one still arrives whole; of one
 * that may be given up nothing is left at either end, whatever became of it. */
LN_TEST(sctp_reset, a_message_half_sent_arrives_whole_or_leaves_nothing)
{
    static uint8_t data[60000];

    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 4 : 60); seed++) {
        struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
        struct ln_sctp_config config;
        struct ln_sctp_stats stats;
        struct ln_sctp_event event;
        bool reliable = seed % 3 == 0;
        size_t whole = 0, resets = 0;
        struct pipe pipe;

        ln_sctp_config_init(&config);
        config.interleaving = seed % 2;
        pipe_init(&pipe, seed);
        pipe_create(&pipe, &config, &config);
        pipe_connect(&pipe);
        if (!reliable)
            options.lifetime = LN_MILLISECONDS(60);
        options.unordered = seed % 5 == 0;
        CHECK_EQUAL(ln_sctp_send(pipe.end[0], 4, 53, data, sizeof data, &options), 0);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(15), NULL); /* the first window is away */
        CHECK(ln_sctp_buffered_amount(pipe.end[0], 4) > 0);
        CHECK(ln_sctp_buffered_amount(pipe.end[0], 4) < sizeof data);
        CHECK_EQUAL(ln_sctp_reset_stream(pipe.end[0], 4), 0);
        pipe.loss = 0.3;
        pipe_run(&pipe, pipe.now + LN_SECONDS(60), NULL);
        while (ln_sctp_poll_event(pipe.end[1], &event)) {
            if (event.kind == LN_SCTP_EVENT_MESSAGE) {
                CHECK(event.len == sizeof data && resets == 0);
                whole++;
            }
            resets += event.kind == LN_SCTP_EVENT_INCOMING_RESET;
        }
        CHECK(resets == 1 && (reliable ? whole == 1 : whole <= 1));
        CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_OUTGOING_RESET, &event) && event.error == 0);
        ln_sctp_stats(pipe.end[0], &stats);
        CHECK_EQUAL(stats.send_buffered_bytes, 0);
        ln_sctp_stats(pipe.end[1], &stats);
        CHECK_EQUAL(stats.receive_buffered_bytes, 0);
        CHECK_EQUAL(ln_sctp_send(pipe.end[0], 4, 53, data, 20, NULL), 0); /* from 0 again */
        pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
        CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event) && event.len == 20);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_transfer, a_withdrawn_gap_report_is_sent_again)
{
    struct ln_blocks blocks;
    struct ln_list news;
    struct ln_send_queue queue;
    struct ln_outstanding o;
    struct ln_range gap = { 102, 104 };
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    static uint8_t data[1000];
    struct ln_ack ack;

    ln_list_init(&news);
    ln_blocks_init(&blocks, test_env()->allocator, 0);
    CHECK(ln_send_queue_init(&queue, test_env()->allocator, &blocks, &news, 64u << 20,
                             &ln_sctp_scheduler_round_robin) == 0);
    ln_outstanding_init(&o, test_env()->allocator, &queue, 100);
    struct ln_out_stream *stream = ln_send_queue_make_stream(&queue, 0);

    if (stream && ln_send_queue_push(&queue, stream, 53, data, sizeof data, &options) == 0) {
        for (int i = 0; i < 10; i++) {
            CHECK(ln_outstanding_reserve(&o) == 0);
            ln_outstanding_push(&o, ln_send_queue_next(&queue, 0), 100, 0);
        }
        ln_outstanding_ack(&o, 100, &gap, 1, 0, &ack);
        CHECK_EQUAL(ack.acked_bytes, 400);
        CHECK_EQUAL(o.in_flight_bytes, 600);
        ln_outstanding_ack(&o, 100, &gap, 1, 0, &ack); /* repeated: nothing new */
        CHECK_EQUAL(ack.acked_bytes, 0);
        ln_outstanding_ack(&o, 101, NULL, 0, 0, &ack); /* 102 is taken back */
        CHECK_EQUAL(ln_outstanding_next_lost(&o), 102);
        CHECK_EQUAL(o.lost_count, 3);
    }
    ln_outstanding_deinit(&o);
    ln_send_queue_deinit(&queue);
}

LN_TEST(sctp_transfer, the_receive_window_grows_with_what_is_taken_and_stays_small_else)
{
    static uint8_t data[100000];
    struct ln_sctp_config config;
    struct ln_sctp_stats stats;
    struct ln_sctp_event event;
    struct pipe pipe;

    if (pipe_sweeping())
        return;
    ln_sctp_config_init(&config);
    config.receive_window_first = 200000;
    config.receive_window_bytes = 3000000;
    pipe_init(&pipe, 1);
    pipe.delay = LN_MILLISECONDS(50);
    pipe_create(&pipe, &config, &config);
    pipe_connect(&pipe);
    for (int i = 0; i < 300; i++) {
        while (ln_sctp_buffered_amount(pipe.end[0], 0) < 4000000)
            CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(10), NULL);
        while (ln_sctp_poll_event(pipe.end[1], &event))
            ;
    }
    ln_sctp_stats(pipe.end[1], &stats);
    CHECK_EQUAL(stats.receive_window_limit, 3000000);
    ln_sctp_stats(pipe.end[0], &stats);
    CHECK(stats.in_flight_bytes > 1500000);
    CHECK_EQUAL(stats.receive_window_limit, 200000);
    pipe_free(&pipe);
}

LN_TEST(sctp_transfer, holes_and_duplicates_are_counted_within_limits_and_a_report_fits_a_packet)
{
    uint8_t packet[LN_SCTP_PACKET_BYTES];
    struct ln_received received;
    struct ln_writer w;
    size_t holes = 0;

    ln_received_init(&received, test_env()->allocator, 1000);
    while (holes < 10000 && ln_received_reserve(&received, 1001 + 2 * holes) == 0) {
        ln_received_add(&received, 1001 + 2 * holes);
        holes++;
    }
    CHECK(holes >= 1000 && holes <= 4096);
    for (uint32_t i = 0; i < 1000; i++)
        ln_received_note_duplicate(&received, i);
    ln_writer_init(&w, packet, sizeof packet);
    CHECK(ln_sack_write(&received, &w, 1000));
    CHECK(w.ok && ln_load16(packet + 12) > 100 && ln_load16(packet + 14) <= LN_DUPLICATES_MAX);
    CHECK_EQUAL(ln_load16(packet + 2), w.len);
    /* Neighbours merge: what fills the holes leaves one range, then none. */
    for (size_t i = 1; i < holes; i++) {
        CHECK(ln_received_reserve(&received, 1000 + 2 * i) == 0);
        ln_received_add(&received, 1000 + 2 * i);
    }
    CHECK_EQUAL(received.above.count, 1);
    CHECK(ln_received_reserve(&received, 1000) == 0);
    ln_received_add(&received, 1000);
    CHECK_EQUAL(received.above.count, 0);
    CHECK_EQUAL(received.cumulative, 1000 + 2 * (holes - 1) + 1);
    ln_received_deinit(&received);
}
