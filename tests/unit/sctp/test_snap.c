/* SPDX-License-Identifier: Apache-2.0
 * Associations that begin with the INITs of the descriptions (draft-hancke-tsvwg-snap): both sides
 * at any offset, one side that shakes hands after all, restart, and what is no INIT. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"

/* The offer's value in the draft's example. */
static const char draft_offer[] = "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA";

static void tell(struct pipe *pipe, int from)
{
    uint8_t init[LN_SCTP_INIT_BYTES_MAX], again[LN_SCTP_INIT_BYTES_MAX];
    size_t len = ln_sctp_own_init(pipe->end[from], init, sizeof init);

    CHECK(len > 0);
    CHECK_EQUAL(ln_sctp_own_init(pipe->end[from], again, sizeof again), len);
    CHECK(memcmp(init, again, len) == 0);
    CHECK_EQUAL(ln_sctp_set_peer_init(pipe->end[!from], init, len), 0);
}

static void send_text(struct pipe *pipe, int from, const char *text)
{
    CHECK_EQUAL(ln_sctp_send(pipe->end[from], 1, 51, (const uint8_t *)text, strlen(text), NULL), 0);
}

/* The messages of the other side, all of them, once each and in order. */
static void expect(struct pipe *pipe, int at, const char *const *texts, size_t count)
{
    struct ln_sctp_event event;
    size_t seen = 0;

    while (ln_sctp_poll_event(pipe->end[at], &event)) {
        CHECK(event.kind != LN_SCTP_EVENT_RESTARTED && event.kind != LN_SCTP_EVENT_CLOSED);
        if (event.kind != LN_SCTP_EVENT_MESSAGE)
            continue;
        CHECK(seen < count);
        CHECK_EQUAL(event.len, strlen(texts[seen]));
        CHECK(memcmp(event.data, texts[seen], event.len) == 0);
        seen++;
    }
    CHECK_EQUAL(seen, count);
}

static bool no_handshake(struct pipe *pipe, int from, uint8_t *data, size_t *len)
{
    (void)pipe;
    (void)from;
    (void)len;
    CHECK(data[12] != LN_CHUNK_INIT && data[12] != LN_CHUNK_INIT_ACK);
    CHECK(data[12] != LN_CHUNK_COOKIE_ECHO && data[12] != LN_CHUNK_COOKIE_ACK);
    return true;
}

LN_TEST(sctp_snap, the_first_message_takes_one_way_and_no_handshake_is_sent)
{
    struct ln_sctp_stats stats;
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe.filter = no_handshake;
    pipe_create(&pipe, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        tell(&pipe, i);
        CHECK(ln_sctp_state(pipe.end[i]) == LN_SCTP_NEW);
        CHECK(ln_sctp_next_timeout(pipe.end[i]) == LN_TIME_NEVER); /* no timer runs yet */
    }
    for (int i = 0; i < 2; i++) {
        send_text(&pipe, i, "hello");
        ln_sctp_start(pipe.end[i], pipe.now);
        CHECK(ln_sctp_state(pipe.end[i]) == LN_SCTP_CONNECTED);
        CHECK_EQUAL(ln_sctp_own_init(pipe.end[i], (uint8_t[64]){ 0 }, 64), 0);
    }
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(11), NULL); /* the delay is 10 ms */
    for (int i = 0; i < 2; i++) {
        CHECK(pipe_event(&pipe, i, LN_SCTP_EVENT_MESSAGE, NULL));
        ln_sctp_stats(pipe.end[i], &stats);
        CHECK(stats.snap && stats.interleaving && stats.zero_checksum_sent);
        CHECK(stats.peer_partial_reliability && stats.peer_reset);
        CHECK_EQUAL(stats.dropped_state + stats.dropped_tag + stats.dropped_checksum, 0);
    }
    pipe_free(&pipe);
}

LN_TEST(sctp_snap, limits_and_extensions_are_those_that_both_have)
{
    struct ln_sctp_config plain, full;
    struct ln_sctp_stats stats;
    struct pipe pipe;

    ln_sctp_config_init(&full);
    ln_sctp_config_init(&plain);
    plain.interleaving = plain.zero_checksum = false;
    plain.streams = 7;
    plain.receive_window_first = 5000;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, &full, &plain);
    tell(&pipe, 0);
    tell(&pipe, 1);
    for (int i = 0; i < 2; i++) {
        ln_sctp_start(pipe.end[i], pipe.now);
        ln_sctp_stats(pipe.end[i], &stats);
        CHECK(!stats.interleaving && !stats.zero_checksum_sent);
        CHECK(stats.outgoing_streams == 7 && stats.incoming_streams == 7);
        CHECK_EQUAL(stats.peer_window_bytes, i == 0 ? 5000 : full.receive_window_first);
    }
    pipe_free(&pipe);
}

LN_TEST(sctp_snap, both_sides_may_begin_at_any_offset_over_a_bad_line)
{
    static const char *const from[2][2] = { { "a", "b" }, { "c", "d" } };

    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 2 : 120); seed++) {
        struct pipe pipe;
        int first = (int)(seed & 1);

        pipe_init(&pipe, seed);
        pipe.filter = no_handshake;
        pipe.loss = seed % 3 ? 0.2 : 0;
        pipe.duplicate = pipe.reorder = 0.3;
        pipe.reorder_by = LN_MILLISECONDS(100);
        pipe_create(&pipe, NULL, NULL);
        tell(&pipe, 0);
        tell(&pipe, 1);
        for (int i = 0; i < 2; i++)
            send_text(&pipe, i, from[i][0]);
        ln_sctp_start(pipe.end[first], pipe.now);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS((int64_t)seed), NULL);
        ln_sctp_start(pipe.end[!first], pipe.now);
        for (int i = 0; i < 2; i++)
            send_text(&pipe, i, from[i][1]);
        pipe_run(&pipe, pipe.now + LN_SECONDS(60), NULL);
        for (int i = 0; i < 2; i++)
            expect(&pipe, i, from[!i], 2);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_snap, the_first_packet_of_the_peer_begins_it_too)
{
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    tell(&pipe, 0);
    tell(&pipe, 1);
    ln_sctp_start(pipe.end[0], pipe.now);
    send_text(&pipe, 0, "before");
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(11), NULL);
    CHECK(ln_sctp_state(pipe.end[1]) == LN_SCTP_CONNECTED);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, NULL));
    ln_sctp_start(pipe.end[1], pipe.now); /* no effect */
    pipe_free(&pipe);
}

/* One side alone took the other's word, as when an answer is lost on the way or not believed. */
LN_TEST(sctp_snap, a_peer_that_shakes_hands_after_all_comes_to_the_same_association)
{
    static const char *const from[2][2] = { { "a", "b" }, { "c", "d" } };

    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 2 : 120); seed++) {
        struct ln_sctp_stats stats;
        struct pipe pipe;
        int believer = (int)(seed & 1);

        pipe_init(&pipe, seed);
        pipe.loss = seed % 3 == 0 ? 0.1 : 0;
        pipe.duplicate = seed % 5 == 0 ? 0.3 : 0;
        pipe_create(&pipe, NULL, NULL);
        tell(&pipe, !believer);
        for (int i = 0; i < 2; i++)
            send_text(&pipe, i, from[i][0]);
        ln_sctp_start(pipe.end[believer], pipe.now);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS((int64_t)seed), NULL);
        ln_sctp_start(pipe.end[!believer], pipe.now);
        pipe_run(&pipe, pipe.now + LN_SECONDS(10), NULL);
        for (int i = 0; i < 2; i++)
            send_text(&pipe, i, from[i][1]);
        pipe_run(&pipe, pipe.now + LN_SECONDS(60), NULL);
        for (int i = 0; i < 2; i++) {
            ln_sctp_stats(pipe.end[i], &stats);
            CHECK_EQUAL(stats.snap, i == believer);
            expect(&pipe, i, from[!i], 2);
        }
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_snap, a_peer_that_restarts_is_recognised)
{
    for (int restarter = 0; restarter < 2; restarter++) {
        struct pipe pipe;

        pipe_init(&pipe, 1);
        pipe_create(&pipe, NULL, NULL);
        for (int i = 0; i < 2; i++)
            tell(&pipe, i);
        for (int i = 0; i < 2; i++) {
            ln_sctp_start(pipe.end[i], pipe.now);
            send_text(&pipe, i, "x");
        }
        pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL);
        ln_sctp_free(pipe.end[restarter]);
        pipe.end[restarter] = NULL;
        struct ln_sctp_config config;

        ln_sctp_config_init(&config);
        CHECK(ln_sctp_create(&pipe.end[restarter], &config, test_env()) == 0);
        ln_sctp_start(pipe.end[restarter], pipe.now);
        pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
        CHECK(ln_sctp_state(pipe.end[restarter]) == LN_SCTP_CONNECTED);
        CHECK(pipe_event(&pipe, !restarter, LN_SCTP_EVENT_RESTARTED, NULL));
        send_text(&pipe, restarter, "anew");
        pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL);
        CHECK(pipe_event(&pipe, !restarter, LN_SCTP_EVENT_MESSAGE, NULL));
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_snap, reads_the_example_of_the_draft)
{
    struct ln_sctp_stats stats;
    struct ln_sctp_config config;
    struct ln_sctp *sctp;
    uint8_t init[64], out[1200];
    int len = ln_base64_decode(draft_offer, strlen(draft_offer), init, sizeof init);
    size_t sent;

    CHECK_EQUAL(len, 30);
    ln_sctp_config_init(&config);
    CHECK(ln_sctp_create(&sctp, &config, test_env()) == 0);
    CHECK(ln_sctp_init_acceptable(sctp, init, (size_t)len));
    CHECK_EQUAL(ln_sctp_set_peer_init(sctp, init, (size_t)len), 0);
    ln_sctp_start(sctp, LN_SECONDS(1));
    ln_sctp_stats(sctp, &stats);
    CHECK_EQUAL(stats.peer_window_bytes, 0x500000);
    CHECK(stats.peer_partial_reliability && stats.peer_reset && !stats.interleaving);
    CHECK(!stats.zero_checksum_sent);
    CHECK(ln_sctp_send(sctp, 1, 51, (const uint8_t *)"x", 1, NULL) == 0);
    sent = ln_sctp_poll_transmit(sctp, LN_SECONDS(1), out, sizeof out);
    CHECK(sent > 12);
    CHECK_EQUAL(ln_load32(out + 4), 0x896cdd1d);
    CHECK_EQUAL(out[12], LN_CHUNK_DATA);
    ln_sctp_free(sctp);
}

/* Each of these, and then the handshake as ever. */
LN_TEST(sctp_snap, what_is_no_init_is_dropped_and_the_handshake_is_as_ever)
{
    enum { TAG = 4, WINDOW = 8, OUTGOING = 12, INCOMING = 14 };
    static const struct {
        int at, bytes;
        uint32_t value;
    } wrong[] = {
        { 0, 1, LN_CHUNK_INIT_ACK },
        { 0, 1, LN_CHUNK_DATA },
        { 2, 2, 0 },
        { 2, 2, 3 },
        { 2, 2, 19 },
        { 2, 2, 41 },
        { 2, 2, 0xffff },
        { TAG, 4, 0 },
        { WINDOW, 4, 0 },
        { WINDOW, 4, 1499 },
        { OUTGOING, 2, 0 },
        { INCOMING, 2, 0 },
        { 22, 2, 0 },
        { 22, 2, 3 },
        { 26, 2, 0xffff },
    };
    struct ln_sctp_stats stats;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong + 5; i++) {
        uint8_t init[LN_SCTP_INIT_BYTES_MAX + 4] = { 0 };
        struct pipe pipe;
        size_t len, k = i - sizeof wrong / sizeof *wrong;

        pipe_init(&pipe, 1);
        pipe_create(&pipe, NULL, NULL);
        len = ln_sctp_own_init(pipe.end[1], init, sizeof init);
        CHECK_EQUAL(len, 40);
        CHECK(ln_sctp_init_acceptable(pipe.end[0], init, len));
        if (i < sizeof wrong / sizeof *wrong) {
            for (int b = 0; b < wrong[i].bytes; b++)
                init[wrong[i].at + b] = (uint8_t)(wrong[i].value >> 8 * (wrong[i].bytes - 1 - b));
        } else if (k == 0) {
            len = 0;
        } else if (k == 1) {
            len = 12; /* cut */
        } else if (k == 2) {
            len += 4; /* something follows */
        } else if (k == 3) {
            len = sizeof init; /* too long, whatever it is */
            ln_store16(init + 2, (uint16_t)len);
        } else {
            len = ln_sctp_own_init(pipe.end[0], init, sizeof init); /* our own come back */
        }
        CHECK(!ln_sctp_init_acceptable(pipe.end[0], init, len));
        CHECK_EQUAL(ln_sctp_set_peer_init(pipe.end[0], init, len), LN_ERR_MALFORMED);
        ln_sctp_stats(pipe.end[0], &stats);
        CHECK_EQUAL(stats.dropped_malformed, 1);
        pipe_connect(&pipe);
        ln_sctp_stats(pipe.end[0], &stats);
        CHECK(!stats.snap);
        CHECK_EQUAL(ln_sctp_set_peer_init(pipe.end[0], init, len), LN_ERR_INVALID_STATE);
        pipe_free(&pipe);
    }
}
