/* SPDX-License-Identifier: Apache-2.0
 * Messages in pieces: written as they come at one end, told in parts at the other. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "base/time.h"
#include "sctp/association.h"

#define STREAM     3
#define OTHER      7
#define PPID       53u
#define PPID_EMPTY 57u
#define KIB        ((size_t)1 << 10)
#define MIB        ((size_t)1 << 20)

/* What the end that reads has seen of its streamed message, and of others. */
struct reader {
    uint64_t bytes, message;
    size_t parts, firsts, lasts, abandoned, whole, resets, closed, too_big;
    size_t most_held;
    int order[64]; /* kinds of events */
    size_t order_count;
};

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 251 + at / 65537);
}

static void note_part(struct reader *r, const struct ln_sctp_event *event)
{
    CHECK(event->len > 0);
    CHECK_EQUAL(event->ppid, PPID);
    if (event->first) {
        r->firsts++;
        r->bytes = 0;
        r->message = event->message;
    }
    CHECK(event->message == r->message);
    for (size_t i = 0; i < event->len; i++)
        CHECK(event->data[i] == pattern(r->bytes + i));
    r->bytes += event->len;
    r->parts++;
    r->lasts += event->last;
}

static void read_all(struct pipe *pipe, struct reader *r)
{
    struct ln_sctp_event event;
    struct ln_sctp_stats stats;

    ln_sctp_stats(pipe->end[1], &stats);
    if (stats.receive_buffered_bytes > r->most_held)
        r->most_held = stats.receive_buffered_bytes;
    while (ln_sctp_poll_event(pipe->end[1], &event)) {
        if (event.kind == LN_SCTP_EVENT_PART && event.stream == STREAM)
            note_part(r, &event);
        r->whole += event.kind == LN_SCTP_EVENT_MESSAGE;
        r->abandoned += event.kind == LN_SCTP_EVENT_ABANDONED;
        r->resets += event.kind == LN_SCTP_EVENT_INCOMING_RESET;
        r->closed += event.kind == LN_SCTP_EVENT_CLOSED;
        r->too_big += event.kind == LN_SCTP_EVENT_MESSAGE_TOO_BIG;
        if (event.kind == LN_SCTP_EVENT_ABANDONED)
            CHECK(event.message == r->message && event.stream == STREAM);
        if (r->order_count < 64)
            r->order[r->order_count++] = (int)event.kind;
    }
}

static void run_reading(struct pipe *pipe, struct reader *r, ln_duration duration)
{
    ln_time until = pipe->now + duration;

    read_all(pipe, r);
    while (pipe_step(pipe, until))
        read_all(pipe, r);
    read_all(pipe, r);
}

/* Both ends connected, the second told in parts of STREAM. */
static void begin(struct pipe *pipe, struct reader *r, struct ln_sctp_config *config)
{
    struct ln_sctp_config defaults;

    memset(r, 0, sizeof *r);
    if (!config) {
        ln_sctp_config_init(&defaults);
        config = &defaults;
    }
    pipe_init(pipe, 1);
    pipe_create(pipe, config, config);
    pipe_connect(pipe);
    CHECK(ln_sctp_set_parts(pipe->end[1], STREAM, true) == 0);
}

static void begin_plain(struct pipe *pipe, struct reader *r)
{
    struct ln_sctp_config config;

    ln_sctp_config_init(&config);
    config.interleaving = false;
    begin(pipe, r, &config);
}

static int open_message(struct pipe *pipe, const struct ln_sctp_send_options *options)
{
    return ln_sctp_begin_message(pipe->end[0], STREAM, PPID, UINT64_MAX, options);
}

/* Writes the bytes of the pattern from `at` on; returns how many were taken. */
static size_t write_at(struct pipe *pipe, uint64_t at, size_t len)
{
    static uint8_t data[2 << 20];
    size_t taken = 0;
    int error;

    CHECK(len <= sizeof data);
    for (size_t i = 0; i < len; i++)
        data[i] = pattern(at + i);
    error = ln_sctp_write_message(pipe->end[0], STREAM, data, len, &taken);
    CHECK(error == 0 || error == LN_ERR_LIMIT || (error == LN_ERR_NOMEM && pipe_sweeping()));
    return taken;
}

static int finish_message(struct pipe *pipe)
{
    return ln_sctp_finish_message(pipe->end[0], STREAM, PPID_EMPTY);
}

static void send_other(struct pipe *pipe, size_t len)
{
    static const uint8_t zeros[8192];

    CHECK(ln_sctp_send(pipe->end[0], OTHER, PPID, zeros, len, NULL) == 0);
}

static struct ln_sctp_stats stats_of(struct pipe *pipe, int end)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(pipe->end[end], &stats);
    return stats;
}

LN_TEST(sctp_streaming, what_is_written_arrives_before_the_message_is_finished)
{
    struct pipe pipe;
    struct reader r;

    begin(&pipe, &r, NULL);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 1000), 1000);
    run_reading(&pipe, &r, LN_MILLISECONDS(100));
    CHECK(r.firsts == 1 && r.lasts == 0);
    CHECK_EQUAL(r.bytes, 999); /* the last one waits: nobody knows yet that it is the last */
    CHECK_EQUAL(ln_sctp_buffered_amount(pipe.end[0], STREAM), 0);
    CHECK_EQUAL(write_at(&pipe, 1000, 5), 5);
    run_reading(&pipe, &r, LN_MILLISECONDS(100));
    CHECK_EQUAL(r.bytes, 1004);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_MILLISECONDS(100));
    CHECK_EQUAL(r.bytes, 1005);
    CHECK(r.firsts == 1 && r.lasts == 1);
    CHECK(finish_message(&pipe) == LN_ERR_INVALID_STATE);
    CHECK_EQUAL(stats_of(&pipe, 0).messages_sent, 1);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    CHECK_EQUAL(stats_of(&pipe, 1).receive_buffered_bytes, 0);
    pipe_free(&pipe);
}

/* Streams `total` bytes as fast as they are taken; what memory it took stands in r and the result.
 */
static size_t stream_through(struct pipe *pipe, struct reader *r, uint64_t total)
{
    ln_time until = pipe->now + LN_SECONDS(3600);
    uint64_t written = 0;
    size_t most = 0, held;

    while (r->lasts == 0 && pipe->now < until) {
        size_t more = total - written < 64 * KIB ? (size_t)(total - written) : 64 * KIB;

        if (more > 0) {
            written += write_at(pipe, written, more);
            if (written == total)
                CHECK(finish_message(pipe) == 0);
        }
        held = stats_of(pipe, 0).send_buffered_bytes;
        most = held > most ? held : most;
        pipe_step(pipe, until);
        read_all(pipe, r);
    }
    CHECK_EQUAL(r->lasts, 1);
    CHECK_EQUAL(r->bytes, total);
    return most;
}

static void any_length(bool interleaving)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;
    uint64_t total = pipe_sweeping() ? 150 * KIB : 24 * MIB;
    size_t most;

    ln_sctp_config_init(&config);
    config.interleaving = interleaving;
    config.send_buffer_bytes = 256 * KIB;
    config.receive_window_first = config.receive_window_bytes = 256 * KIB;
    config.max_message_bytes = 64 * KIB; /* of those told whole */
    begin(&pipe, &r, &config);
    pipe.loss = 0.01;
    pipe.reorder = 0.05;
    CHECK(open_message(&pipe, NULL) == 0);
    most = stream_through(&pipe, &r, total);
    CHECK(most <= 256 * KIB);
    CHECK(r.most_held <= (256 + 64) * KIB * 5 / 4);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, a_message_of_any_length_passes_in_bounded_memory)
{
    any_length(true);
    any_length(false);
}

LN_TEST(sctp_streaming, a_write_takes_what_fits_and_room_is_told)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct reader r;
    struct pipe pipe;
    size_t taken;

    ln_sctp_config_init(&config);
    config.send_buffer_bytes = 300000;
    begin(&pipe, &r, &config);
    CHECK(open_message(&pipe, NULL) == 0);
    taken = write_at(&pipe, 0, MIB);
    CHECK(taken > 150000 && taken < 300000);
    CHECK_EQUAL(write_at(&pipe, taken, 100000), 0);
    CHECK(stats_of(&pipe, 0).send_buffered_bytes <= 300000);
    CHECK(!pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL));
    run_reading(&pipe, &r, LN_SECONDS(2));
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, &event));
    CHECK_EQUAL(event.stream, STREAM);
    CHECK_EQUAL(r.bytes, taken - 1);
    CHECK(ln_sctp_message_room(pipe.end[0], STREAM) > 200000);
    CHECK(write_at(&pipe, taken, 100000) == 100000);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(2));
    CHECK_EQUAL(r.bytes, taken + 100000);
    CHECK(!pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL)); /* nobody waits */
    pipe_free(&pipe);
}

/* Messages behind an open one fill the buffer; its writer comes to the end all the same. */
static void fill_behind(bool interleaving, size_t begin_with)
{
    static uint8_t data[4096];
    struct ln_sctp_config config;
    uint64_t written, total = 200000;
    struct reader r;
    struct pipe pipe;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = pattern(i);
    ln_sctp_config_init(&config);
    config.interleaving = interleaving;
    config.send_buffer_bytes = 300000;
    begin(&pipe, &r, &config);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, begin_with), begin_with);
    written = begin_with;
    run_reading(&pipe, &r, LN_MILLISECONDS(100));
    while (ln_sctp_send(pipe.end[0], STREAM, PPID, data, sizeof data, NULL) == 0)
        ; /* they all wait behind it */
    CHECK(ln_sctp_send(pipe.end[0], STREAM, PPID, data, sizeof data, NULL) == LN_ERR_LIMIT);
    for (int i = 0; i < 100 && written < total; i++) {
        size_t taken = write_at(&pipe, written, (size_t)(total - written));

        CHECK(taken > 0); /* each time that room was told there is some */
        written += taken;
        run_reading(&pipe, &r, LN_MILLISECONDS(200));
        CHECK(written == total || pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL));
    }
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(3));
    CHECK(r.lasts > 1); /* those behind it too, as parts that are first and last */
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, whole_messages_leave_the_writer_room_to_go_on)
{
    fill_behind(true, 1000);
    fill_behind(true, 0);
    fill_behind(false, 1000);
    fill_behind(false, 0);
}

LN_TEST(sctp_streaming, a_send_buffer_of_a_few_kilobytes_is_enough)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;

    ln_sctp_config_init(&config);
    config.send_buffer_bytes = 3000;
    begin(&pipe, &r, &config);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK(stream_through(&pipe, &r, 50000) <= 3000);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, other_streams_go_on_in_the_middle_with_interleaving)
{
    struct reader r;
    struct pipe pipe;

    begin(&pipe, &r, NULL);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 100000), 100000);
    run_reading(&pipe, &r, LN_SECONDS(1));
    for (int i = 0; i < 20; i++)
        send_other(&pipe, 5000);
    run_reading(&pipe, &r, LN_SECONDS(60)); /* the writer sleeps; nobody minds */
    CHECK_EQUAL(r.whole, 20);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.lasts == 1 && r.bytes == 100000);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, without_interleaving_a_short_one_goes_when_it_is_whole)
{
    struct reader r;
    struct pipe pipe;

    begin_plain(&pipe, &r);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 100000), 100000);
    CHECK_EQUAL(ln_sctp_buffered_amount(pipe.end[0], STREAM), 0); /* it waits for the writer */
    send_other(&pipe, 5000);
    run_reading(&pipe, &r, LN_SECONDS(60));
    CHECK(r.whole == 1 && r.firsts == 0);
    CHECK(finish_message(&pipe) == 0);
    CHECK_EQUAL(ln_sctp_buffered_amount(pipe.end[0], STREAM), 100000);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.lasts == 1 && r.bytes == 100000);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, without_interleaving_a_writer_who_sleeps_is_given_up_after_5_s)
{
    struct reader r;
    struct pipe pipe;
    size_t taken;

    begin_plain(&pipe, &r);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 2 * MIB), 2 * MIB);
    run_reading(&pipe, &r, LN_SECONDS(20)); /* nobody waits for it: it may sleep */
    CHECK_EQUAL(r.bytes, 2 * MIB - 1);
    CHECK_EQUAL(r.abandoned, 0);
    send_other(&pipe, 5000);
    run_reading(&pipe, &r, LN_MILLISECONDS(4900));
    CHECK(r.whole == 0 && r.abandoned == 0);
    run_reading(&pipe, &r, LN_MILLISECONDS(200));
    CHECK(r.whole == 1 && r.abandoned == 1);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL)); /* the writer is woken, and told once */
    CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) == LN_ERR_ABORT);
    CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) == LN_ERR_INVALID_STATE);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 10), 10);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.lasts == 1 && r.bytes == 10);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, without_interleaving_a_trickle_keeps_nobody_waiting_for_longer)
{
    struct reader r;
    struct pipe pipe;
    uint64_t at = 2 * MIB;
    int seconds = 0;

    begin_plain(&pipe, &r);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 2 * MIB), 2 * MIB);
    run_reading(&pipe, &r, LN_SECONDS(5));
    send_other(&pipe, 5000);
    while (r.whole == 0 && seconds++ < 20) {
        if (r.abandoned == 0)
            at += write_at(&pipe, at, 10);
        run_reading(&pipe, &r, LN_MILLISECONDS(999));
    }
    CHECK(r.abandoned == 1 && r.whole == 1);
    CHECK(seconds >= 5 && seconds <= 7);
    pipe_free(&pipe);
}

/* Writers of many streams, none of whom can finish because the others hold the memory. */
LN_TEST(sctp_streaming, without_interleaving_full_memory_lets_one_begin)
{
    static uint8_t data[300 * 1024];
    struct ln_sctp_config config;
    size_t taken, left[4] = { 0, 0, 0, 0 };
    struct reader r;
    struct pipe pipe;
    int done = 0;

    ln_sctp_config_init(&config);
    config.interleaving = false;
    config.send_buffer_bytes = 600000;
    begin(&pipe, &r, &config);
    for (uint16_t i = 0; i < 4; i++) {
        CHECK(ln_sctp_begin_message(pipe.end[0], i, PPID, UINT64_MAX, NULL) == 0);
        left[i] = sizeof data;
    }
    CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, false) == 0);
    for (int step = 0; step < 400 && done < 4; step++) {
        for (uint16_t i = 0; i < 4; i++) {
            size_t more = left[i] < 20000 ? left[i] : 20000;

            taken = 0;
            if (left[i] == 0 || ln_sctp_write_message(pipe.end[0], i, data, more, &taken) != 0)
                continue;
            left[i] -= taken;
            if (left[i] > 0)
                continue;
            CHECK(ln_sctp_finish_message(pipe.end[0], i, PPID_EMPTY) == 0);
            done++;
        }
        CHECK(stats_of(&pipe, 0).send_buffered_bytes <= 600000);
        run_reading(&pipe, &r, LN_MILLISECONDS(10));
    }
    run_reading(&pipe, &r, LN_SECONDS(3));
    CHECK_EQUAL(done, 4);
    CHECK_EQUAL(r.whole + r.too_big, 4); /* 300 KiB are above what is told whole */
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, a_message_of_nothing_is_an_empty_one)
{
    struct ln_sctp_event event;
    struct reader r;
    struct pipe pipe;

    begin(&pipe, &r, NULL);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK(open_message(&pipe, NULL) == LN_ERR_INVALID_STATE); /* one at a time */
    CHECK(finish_message(&pipe) == 0);
    CHECK(pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL));
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_PART, &event));
    CHECK(event.first && event.last && event.len == 1 && event.data[0] == 0);
    CHECK_EQUAL(event.ppid, PPID_EMPTY);
    pipe_free(&pipe);
}

static void abandon_in_the_middle(bool interleaving, bool parts)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;

    ln_sctp_config_init(&config);
    config.interleaving = interleaving;
    config.max_message_bytes = 4 * MIB;
    begin(&pipe, &r, &config);
    CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, parts) == 0);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 2 * MIB), 2 * MIB);
    run_reading(&pipe, &r, LN_MILLISECONDS(50));
    CHECK(ln_sctp_abandon_message(pipe.end[0], STREAM) == 0);
    CHECK(ln_sctp_abandon_message(pipe.end[0], STREAM) == LN_ERR_INVALID_STATE);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 77), 77);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(5));
    CHECK_EQUAL(r.abandoned, parts ? 1 : 0);
    CHECK_EQUAL(r.firsts, parts ? 2 : 0);
    CHECK_EQUAL(r.whole, parts ? 0 : 1);
    CHECK_EQUAL(r.lasts, parts ? 1 : 0);
    CHECK_EQUAL(stats_of(&pipe, 0).messages_abandoned, 1);
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    CHECK_EQUAL(stats_of(&pipe, 1).receive_buffered_bytes, 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, one_given_up_in_the_middle_is_skipped_and_the_stream_goes_on)
{
    for (int i = 0; i < 4; i++)
        abandon_in_the_middle(i & 1, i & 2);
}

LN_TEST(sctp_streaming, one_given_up_before_it_began_leaves_nothing)
{
    struct reader r;
    struct pipe pipe;

    begin_plain(&pipe, &r);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 5000), 5000);
    CHECK(ln_sctp_abandon_message(pipe.end[0], STREAM) == 0);
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    CHECK(!pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL));
    CHECK(ln_sctp_finish_message(pipe.end[0], STREAM, PPID_EMPTY) == LN_ERR_INVALID_STATE);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.parts == 0 && r.abandoned == 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, a_reset_gives_an_open_one_up_and_what_waits_behind_it_is_sent)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;
    size_t taken;

    for (int interleaving = 0; interleaving < 2; interleaving++) {
        ln_sctp_config_init(&config);
        config.interleaving = interleaving;
        begin(&pipe, &r, &config);
        CHECK(open_message(&pipe, NULL) == 0);
        CHECK_EQUAL(write_at(&pipe, 0, 2 * MIB), 2 * MIB);
        CHECK(ln_sctp_send(pipe.end[0], STREAM, PPID, (const uint8_t[]){ 0 }, 1, NULL) == 0);
        run_reading(&pipe, &r, LN_SECONDS(1));
        CHECK_EQUAL(r.bytes, 2 * MIB - 1);
        CHECK(ln_sctp_reset_stream(pipe.end[0], STREAM) == 0);
        CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) == LN_ERR_INVALID_STATE);
        r.order_count = 0;
        run_reading(&pipe, &r, LN_SECONDS(2));
        CHECK_EQUAL(r.order_count, 3);
        CHECK_EQUAL(r.order[0], LN_SCTP_EVENT_ABANDONED);
        CHECK_EQUAL(r.order[1], LN_SCTP_EVENT_PART);
        CHECK_EQUAL(r.order[2], LN_SCTP_EVENT_INCOMING_RESET);
        CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_OUTGOING_RESET, NULL));
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_streaming, the_end_of_the_connection_is_told_after_what_it_cut)
{
    struct reader r;
    struct pipe pipe;
    size_t taken;

    for (int way = 0; way < 3; way++) {
        begin(&pipe, &r, NULL);
        CHECK(open_message(&pipe, NULL) == 0);
        CHECK_EQUAL(write_at(&pipe, 0, 1000), 1000);
        run_reading(&pipe, &r, LN_MILLISECONDS(100));
        if (way == 0)
            ln_sctp_abort(pipe.end[0]);
        else
            ln_sctp_shutdown(pipe.end[way - 1]);
        if (way < 2)
            CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) != 0);
        r.order_count = 0;
        run_reading(&pipe, &r, LN_SECONDS(5));
        CHECK(r.abandoned == 1 && r.closed == 1);
        CHECK_EQUAL(r.order[0], LN_SCTP_EVENT_ABANDONED);
        CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) == LN_ERR_CLOSED);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_streaming, limits_of_reliability_are_those_of_the_whole_message)
{
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    struct reader r;
    struct pipe pipe;
    size_t taken;

    begin(&pipe, &r, NULL);
    options.lifetime = LN_MILLISECONDS(500);
    CHECK(open_message(&pipe, &options) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 1000), 1000);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK_EQUAL(r.abandoned, 0); /* nothing of it was to be sent since */
    CHECK_EQUAL(write_at(&pipe, 1000, 1000), 1000);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.firsts == 1 && r.abandoned == 1);
    CHECK(ln_sctp_write_message(pipe.end[0], STREAM, "x", 1, &taken) == LN_ERR_ABORT);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, one_above_its_length_is_refused_and_can_still_be_finished)
{
    struct reader r;
    struct pipe pipe;
    size_t taken;

    begin(&pipe, &r, NULL);
    CHECK(ln_sctp_begin_message(pipe.end[0], STREAM, PPID, 1000, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 600), 600);
    CHECK(ln_sctp_write_message(pipe.end[0], STREAM, &r, 401, &taken) == LN_ERR_TOO_BIG);
    CHECK_EQUAL(write_at(&pipe, 600, 400), 400);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.lasts == 1 && r.bytes == 1000);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, parts_that_are_not_taken_hold_the_window)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;
    uint64_t written = 0, sent;

    ln_sctp_config_init(&config);
    config.receive_window_first = config.receive_window_bytes = 128 * KIB;
    config.send_buffer_bytes = 256 * KIB;
    begin(&pipe, &r, &config);
    CHECK(open_message(&pipe, NULL) == 0);
    for (int i = 0; i < 30; i++) {
        written += write_at(&pipe, written, 64 * KIB);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(100), NULL);
        CHECK(stats_of(&pipe, 0).send_buffered_bytes <= 256 * KIB);
        CHECK(stats_of(&pipe, 1).receive_buffered_bytes <= (128 + 64) * KIB * 5 / 4);
    }
    sent = written;
    CHECK(sent < 512 * KIB); /* a peer that does not read stops the writer */
    CHECK_EQUAL(write_at(&pipe, written, 64 * KIB), 0);
    run_reading(&pipe, &r, LN_SECONDS(5));
    CHECK_EQUAL(r.bytes, sent - 1);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_ROOM, NULL));
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, parts_asked_for_late_begin_with_what_has_gathered)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;

    for (int interleaving = 0; interleaving < 2; interleaving++) {
        ln_sctp_config_init(&config);
        config.interleaving = interleaving;
        config.receive_window_first = config.max_message_bytes = 4 * MIB;
        begin(&pipe, &r, &config);
        CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, false) == 0);
        CHECK(open_message(&pipe, NULL) == 0);
        CHECK_EQUAL(write_at(&pipe, 0, 3 * MIB / 2), 3 * MIB / 2);
        run_reading(&pipe, &r, LN_SECONDS(1));
        CHECK_EQUAL(r.parts, 0);
        CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, true) == 0);
        read_all(&pipe, &r);
        CHECK_EQUAL(r.bytes, 3 * MIB / 2 - 1);
        CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, false) == 0); /* this one ends as it began */
        CHECK(finish_message(&pipe) == 0);
        CHECK(open_message(&pipe, NULL) == 0);
        CHECK_EQUAL(write_at(&pipe, 0, 9), 9);
        CHECK(finish_message(&pipe) == 0);
        run_reading(&pipe, &r, LN_SECONDS(1));
        CHECK(r.lasts == 1 && r.bytes == 3 * MIB / 2 && r.whole == 1);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_streaming, unordered_ones_are_told_in_parts_too)
{
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;

    options.unordered = true;
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        ln_sctp_config_init(&config);
        config.interleaving = interleaving;
        begin(&pipe, &r, &config);
        pipe.loss = 0.05;
        CHECK(open_message(&pipe, &options) == 0);
        CHECK_EQUAL(write_at(&pipe, 0, 2 * MIB), 2 * MIB);
        run_reading(&pipe, &r, LN_SECONDS(30));
        CHECK_EQUAL(r.bytes, 2 * MIB - 1);
        CHECK(finish_message(&pipe) == 0);
        run_reading(&pipe, &r, LN_SECONDS(5));
        CHECK(r.lasts == 1 && r.bytes == 2 * MIB);
        pipe_free(&pipe);
    }
}

LN_TEST(sctp_streaming, a_part_may_be_taken_over)
{
    struct ln_sctp_message *kept;
    struct ln_sctp_event event;
    struct reader r;
    struct pipe pipe;

    begin(&pipe, &r, NULL);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 1000), 1000);
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(100), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_PART, &event));
    kept = ln_sctp_take_message(pipe.end[1]);
    CHECK(kept || pipe_sweeping());
    CHECK(finish_message(&pipe) == 0);
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(100), NULL);
    CHECK(kept == NULL || event.data[998] == pattern(998));
    ln_sctp_message_free(kept);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_PART, &event));
    CHECK(event.last && event.len == 1 && event.data[0] == pattern(999));
    CHECK((kept = ln_sctp_take_message(pipe.end[1])) != NULL);
    pipe_free(&pipe);
    ln_sctp_message_free(kept);
}

LN_TEST(sctp_streaming, to_a_peer_that_skips_nothing_each_goes_when_it_is_whole)
{
    struct ln_sctp_config config;
    struct reader r;
    struct pipe pipe;
    size_t taken;

    ln_sctp_config_init(&config);
    config.send_buffer_bytes = 4 * MIB;
    begin(&pipe, &r, &config);
    pipe.end[0]->peer_partial_reliability = false; /* as a peer would say that has no RFC 3758 */
    ln_send_queue_agree(&pipe.end[0]->queue, true, false);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 3 * MIB / 2), 3 * MIB / 2);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK_EQUAL(r.parts, 0);
    CHECK(ln_sctp_write_message(pipe.end[0], STREAM, &r, MIB, &taken) == LN_ERR_TOO_BIG);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(2));
    CHECK(r.lasts == 1 && r.bytes == 3 * MIB / 2);
    pipe_free(&pipe);
}

LN_TEST(sctp_streaming, one_begun_before_the_association_is_up_goes_when_it_is)
{
    struct reader r;
    struct pipe pipe;

    memset(&r, 0, sizeof r);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    CHECK(open_message(&pipe, NULL) == 0);
    CHECK_EQUAL(write_at(&pipe, 0, 5000), 5000);
    pipe_connect(&pipe);
    CHECK(ln_sctp_set_parts(pipe.end[1], STREAM, true) == 0);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK_EQUAL(r.bytes, 4999);
    CHECK(finish_message(&pipe) == 0);
    run_reading(&pipe, &r, LN_SECONDS(1));
    CHECK(r.lasts == 1 && r.bytes == 5000);
    pipe_free(&pipe);
}
