/* SPDX-License-Identifier: Apache-2.0
 * Setting up and ending: collisions, losses and duplicates at each step, restart, shutdown from
 * every state, heartbeats; and the laws of every object without IO. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "sctp/packet.h"

/* Drops the n-th packet of one end; or duplicates it. */
struct nth {
    int end;
    uint64_t n;
};

static bool drop_nth(struct pipe *pipe, int from, uint8_t *data, size_t *len)
{
    const struct nth *nth = pipe->context;

    (void)data;
    (void)len;
    return from != nth->end || pipe->sent[from] != nth->n;
}

static void exchange(struct pipe *pipe)
{
    struct ln_sctp_event event;

    for (int i = 0; i < 2; i++)
        CHECK(ln_sctp_send(pipe->end[i], 1, 51, (const uint8_t *)"hello", 5, NULL) == 0);
    pipe_run(pipe, pipe->now + LN_SECONDS(20), NULL);
    for (int i = 0; i < 2; i++) {
        CHECK(pipe_event(pipe, i, LN_SCTP_EVENT_MESSAGE, &event));
        CHECK(!pipe_event(pipe, i, LN_SCTP_EVENT_MESSAGE, &event)); /* once */
    }
}

LN_TEST(sctp_handshake, init_carries_tag_0_and_stands_alone)
{
    struct ln_sctp_config config;
    uint8_t out[1200];
    struct pipe pipe;
    size_t len;

    ln_sctp_config_init(&config);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, &config, &config);
    CHECK(ln_sctp_send(pipe.end[0], 1, 51, (const uint8_t *)"x", 1, NULL) == 0);
    ln_sctp_start(pipe.end[0], pipe.now);
    len = ln_sctp_poll_transmit(pipe.end[0], pipe.now, out, sizeof out);
    CHECK_EQUAL(ln_load32(out + 4), 0);
    CHECK_EQUAL(out[12], LN_CHUNK_INIT);
    CHECK_EQUAL(len, 12u + ((ln_load16(out + 14) + 3u) & ~3u));
    CHECK_EQUAL(ln_sctp_poll_transmit(pipe.end[0], pipe.now, out, sizeof out), 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_handshake, one_side_alone_may_start)
{
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    ln_sctp_start(pipe.end[0], pipe.now);
    pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL);
    CHECK(ln_sctp_state(pipe.end[1]) == LN_SCTP_CONNECTED);
    exchange(&pipe);
    pipe_free(&pipe);
}

LN_TEST(sctp_handshake, every_packet_may_come_twice_and_late)
{
    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 1 : 40); seed++) {
        struct pipe pipe;

        pipe_init(&pipe, seed);
        pipe.duplicate = 1;
        pipe.reorder = 0.5;
        pipe.reorder_by = LN_MILLISECONDS(300);
        pipe_create(&pipe, NULL, NULL);
        pipe_connect(&pipe);
        exchange(&pipe);
        CHECK(!pipe_event(&pipe, 0, LN_SCTP_EVENT_RESTARTED, NULL));
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_handshake, data_travels_with_the_cookie)
{
    struct ln_sctp_event event;
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    ln_sctp_start(pipe.end[0], pipe.now);
    CHECK(ln_sctp_send(pipe.end[0], 1, 51, (const uint8_t *)"early", 5, NULL) == 0);
    /* INIT, INIT ACK, COOKIE ECHO with data: three times the delay of 10 ms. */
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(31), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event));
    pipe_free(&pipe);
}

LN_TEST(sctp_handshake, loss_of_any_one_packet_only_delays)
{
    for (int both = 0; both < 2; both++) {
        for (int end = 0; end < 2; end++) {
            for (uint64_t n = 1; n <= 5; n++) {
                struct nth nth = { end, n };
                struct pipe pipe;

                pipe_init(&pipe, n);
                pipe_create(&pipe, NULL, NULL);
                pipe.filter = drop_nth;
                pipe.context = &nth;
                ln_sctp_start(pipe.end[0], pipe.now);
                if (both)
                    ln_sctp_start(pipe.end[1], pipe.now + LN_MILLISECONDS(both));
                exchange(&pipe);
                pipe_free(&pipe);
            }
        }
    }
}

LN_TEST(sctp_handshake, inits_that_cross_at_any_offset_make_one_association)
{
    for (int offset = 0; offset < 60; offset++) {
        struct pipe pipe;

        pipe_init(&pipe, 3);
        pipe.duplicate = offset % 3 ? 0.5 : 0;
        pipe_create(&pipe, NULL, NULL);
        ln_sctp_start(pipe.end[0], pipe.now);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(offset), NULL);
        ln_sctp_start(pipe.end[1], pipe.now);
        exchange(&pipe);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_handshake, a_peer_that_restarts_with_a_new_tag_is_recognised)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct pipe pipe;

    ln_sctp_config_init(&config);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    exchange(&pipe);
    ln_sctp_free(pipe.end[0]);
    pipe.end[0] = NULL;
    CHECK(ln_sctp_create(&pipe.end[0], &config, test_env()) == 0);
    ln_sctp_start(pipe.end[0], pipe.now);
    pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
    CHECK(ln_sctp_state(pipe.end[0]) == LN_SCTP_CONNECTED);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_RESTARTED, &event));
    exchange(&pipe);
    pipe_free(&pipe);
}

LN_TEST(sctp_handshake, gives_up_after_the_configured_tries)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct pipe pipe;

    ln_sctp_config_init(&config);
    config.max_init_retransmits = 4;
    pipe_init(&pipe, 1);
    pipe.loss = 1;
    pipe_create(&pipe, &config, &config);
    ln_sctp_start(pipe.end[0], pipe.now);
    pipe_run(&pipe, pipe.now + LN_SECONDS(100), NULL);
    CHECK_EQUAL(pipe.sent[0], 5);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_CLOSED, &event));
    CHECK_EQUAL(event.error, LN_ERR_TIMEOUT);
    CHECK(ln_sctp_next_timeout(pipe.end[0]) == LN_TIME_NEVER);
    pipe_free(&pipe);
}

LN_TEST(sctp_handshake, shutdown_delivers_everything_first)
{
    for (int ends = 1; ends <= 3; ends++) {
        static uint8_t data[50000];
        struct ln_sctp_event event;
        struct pipe pipe;

        pipe_init(&pipe, 7);
        pipe.loss = 0.1;
        pipe_create(&pipe, NULL, NULL);
        pipe_connect(&pipe);
        for (int i = 0; i < 2; i++)
            CHECK(ln_sctp_send(pipe.end[i], 1, 51, data, sizeof data, NULL) == 0);
        for (int i = 0; i < 2; i++)
            if (ends & (1 << i))
                ln_sctp_shutdown(pipe.end[i]);
        CHECK(ln_sctp_send(pipe.end[ends == 2], 1, 51, data, 1, NULL) == LN_ERR_INVALID_STATE);
        pipe_run(&pipe, pipe.now + LN_SECONDS(120), NULL);
        for (int i = 0; i < 2; i++) {
            CHECK(pipe_event(&pipe, i, LN_SCTP_EVENT_MESSAGE, &event));
            CHECK_EQUAL(event.len, sizeof data);
            CHECK(pipe_event(&pipe, i, LN_SCTP_EVENT_CLOSED, &event));
            CHECK_EQUAL(event.error, 0);
            CHECK(ln_sctp_send(pipe.end[i], 1, 51, data, 1, NULL) == LN_ERR_CLOSED);
        }
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_handshake, shutdown_and_abort_are_legal_in_every_state)
{
    for (int abort_it = 0; abort_it < 2; abort_it++) {
        for (int step = 0; step < 90; step += 3) {
            struct pipe pipe;

            pipe_init(&pipe, 7);
            pipe_create(&pipe, NULL, NULL);
            ln_sctp_start(pipe.end[0], pipe.now);
            pipe_run(&pipe, pipe.now + LN_MILLISECONDS(step), NULL);
            if (step == 60)
                ln_sctp_shutdown(pipe.end[1]);
            if (abort_it)
                ln_sctp_abort(pipe.end[0]);
            else
                ln_sctp_shutdown(pipe.end[0]);
            pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
            CHECK(ln_sctp_state(pipe.end[0]) == LN_SCTP_CLOSED);
            CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_CLOSED, NULL));
            if (step >= 40)
                CHECK(ln_sctp_state(pipe.end[1]) == LN_SCTP_CLOSED);
            pipe_free(&pipe);
        }
    }
}

LN_TEST(sctp_handshake, an_idle_path_is_probed_and_a_dead_one_found)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct ln_sctp_stats stats;
    struct pipe pipe;

    ln_sctp_config_init(&config);
    config.max_retransmits = 3;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, &config, NULL);
    pipe_connect(&pipe);
    pipe_run(&pipe, pipe.now + LN_SECONDS(300), NULL);
    CHECK(ln_sctp_state(pipe.end[0]) == LN_SCTP_CONNECTED);
    ln_sctp_stats(pipe.end[0], &stats);
    CHECK(stats.smoothed_rtt > LN_MILLISECONDS(19) && stats.smoothed_rtt < LN_MILLISECONDS(22));
    pipe.loss = 1;
    pipe_run(&pipe, pipe.now + LN_SECONDS(300), NULL);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_CLOSED, &event));
    CHECK_EQUAL(event.error, LN_ERR_TIMEOUT);
    CHECK(ln_sctp_state(pipe.end[1]) == LN_SCTP_CONNECTED); /* no limit: consent decides */
    pipe_free(&pipe);
}

LN_TEST(sctp_laws, the_same_seed_gives_the_same_bytes)
{
    uint64_t hash[2];

    for (int i = 0; i < 2; i++) {
        struct pipe pipe;

        ln_rng_seed(test_env()->rng, 77);
        pipe_init(&pipe, 5);
        pipe.loss = 0.1;
        pipe_create(&pipe, NULL, NULL);
        pipe_connect(&pipe);
        exchange(&pipe);
        hash[i] = pipe.hash;
        pipe_free(&pipe);
    }
    CHECK(hash[0] == hash[1]);
}

LN_TEST(sctp_laws, polls_and_getters_on_an_idle_association_change_nothing)
{
    struct ln_sctp_event event;
    struct ln_sctp_stats before, after;
    uint8_t out[1200];
    struct pipe pipe;
    ln_time deadline;

    pipe_init(&pipe, 5);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL);
    ln_sctp_stats(pipe.end[0], &before);
    deadline = ln_sctp_next_timeout(pipe.end[0]);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(ln_sctp_poll_transmit(pipe.end[0], pipe.now, out, sizeof out), 0);
        CHECK(!ln_sctp_poll_event(pipe.end[0], &event));
        ln_sctp_on_timeout(pipe.end[0], pipe.now);
        CHECK(ln_sctp_next_timeout(pipe.end[0]) == deadline);
    }
    ln_sctp_stats(pipe.end[0], &after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_laws, a_late_on_timeout_catches_up)
{
    struct pipe pipe;

    pipe_init(&pipe, 5);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    CHECK(ln_sctp_send(pipe.end[0], 1, 51, (const uint8_t *)"x", 1, NULL) == 0);
    CHECK(ln_sctp_next_timeout(pipe.end[0]) == LN_TIME_IMMEDIATE);
    pipe_flush(&pipe);
    ln_sctp_on_timeout(pipe.end[0], pipe.now + LN_SECONDS(1000));
    CHECK(ln_sctp_next_timeout(pipe.end[0]) > pipe.now + LN_SECONDS(1000));
    pipe.now += LN_SECONDS(1000);
    pipe_run(&pipe, pipe.now + LN_SECONDS(10), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, NULL));
    pipe_free(&pipe);
}
