/* SPDX-License-Identifier: Apache-2.0
 * One message as long as wanted over loopback, written in pieces and read in parts, both ends in
 * this process, a thread each: what it costs, and how much memory the process had at most. */
#include "bench/bench.h"
#include "bench/duo.h"

#include "io/thread.h"

#include <linnet/error.h>

#include <stdlib.h>

#define PIECE_BYTES 65536u
#define LOOK_EACH   (64u << 20) /* bytes read: how often memory is looked at */

struct streamed {
    struct ln_driver *drivers[2];
    struct duo_side sides[2];
    uint8_t piece[PIECE_BYTES];
    uint64_t total, written, read, look_at;
    double from, cpu_from, seconds, cpu;
    long resident_before, resident_most;
    int error; /* of the writer */
    bool arrived;
};

/* As much as is taken; the rest when there is room. */
static void write_on(struct streamed *s)
{
    ln_data_channel *channel = s->sides[0].channel;

    while (s->written < s->total && !s->error) {
        size_t more = s->total - s->written < PIECE_BYTES ? (size_t)(s->total - s->written)
                                                          : PIECE_BYTES;
        size_t taken = 0;
        int error = ln_data_channel_write(channel, s->piece, more, &taken);

        s->written += taken;
        if (error == LN_ERR_LIMIT || (!error && taken < more))
            break;
        s->error = error;
    }
    if (s->written == s->total && !s->error)
        s->error = ln_data_channel_finish_message(channel);
    ln_place_touch(s->sides[0].place);
}

static void look(struct streamed *s)
{
    long resident = bench_resident_kib();

    s->resident_most = resident > s->resident_most ? resident : s->resident_most;
    s->look_at += LOOK_EACH;
}

static void begin(struct duo_side *side, ln_time now)
{
    struct streamed *s = side->ctx;

    (void)now;
    s->from = bench_wall_seconds();
    s->cpu_from = bench_cpu_seconds();
    s->resident_before = bench_resident_kib();
    s->error = ln_data_channel_begin_message(side->channel, false);
    write_on(s);
}

static void stop(struct streamed *s)
{
    ln_loop_stop(ln_driver_loop(s->drivers[0]));
    ln_loop_stop(ln_driver_loop(s->drivers[1]));
}

static void on_writer(struct duo_side *side, ln_time now, const struct ln_event *event)
{
    struct streamed *s = side->ctx;

    (void)now;
    if (event->kind == LN_EVENT_WRITABLE)
        write_on(s);
    if (s->error || event->kind == LN_EVENT_CLOSE)
        stop(s);
}

static void on_reader(struct duo_side *side, ln_time now, const struct ln_event *event)
{
    struct streamed *s = side->ctx;

    (void)now;
    if (event->kind == LN_EVENT_DATA_CHANNEL) {
        if (ln_data_channel_set_receive_parts(event->u.channel, true) != 0)
            stop(s);
    } else if (event->kind == LN_EVENT_MESSAGE_PART) {
        s->read += event->u.part.len;
        if (s->read >= s->look_at)
            look(s);
        if (!event->u.part.last)
            return;
        s->arrived = true;
        s->seconds = bench_wall_seconds() - s->from;
        s->cpu = bench_cpu_seconds() - s->cpu_from;
        look(s);
        stop(s);
    } else if (event->kind == LN_EVENT_MESSAGE_ABANDONED) {
        stop(s);
    }
}

static void run_reader(void *ctx)
{
    struct streamed *s = ctx;

    (void)!ln_loop_run(ln_driver_loop(s->drivers[1]));
}

static int run(struct streamed *s)
{
    struct ln_thread thread;
    bool started = false;
    int error = ln_driver_create(&s->drivers[0]);

    if (!error)
        error = ln_driver_create(&s->drivers[1]);
    if (!error)
        error = duo_create(s->sides, s->drivers[0], s->drivers[1], NULL, true);
    if (!error) {
        s->sides[0].ctx = s->sides[1].ctx = s;
        s->sides[0].on_open = begin;
        s->sides[0].on_event = on_writer;
        s->sides[1].on_event = on_reader;
        error = ln_thread_start(&thread, "reader", run_reader, s);
        started = !error;
    }
    if (!error)
        error = duo_start(s->sides);
    if (!error)
        error = ln_loop_run(ln_driver_loop(s->drivers[0]));
    if (error && started)
        ln_loop_stop(ln_driver_loop(s->drivers[1]));
    if (started)
        ln_thread_join(&thread);
    duo_close(&s->sides[0]);
    duo_close(&s->sides[1]);
    ln_driver_free(s->drivers[0]);
    ln_driver_free(s->drivers[1]);
    if (error || s->error)
        return error ? error : s->error;
    return s->arrived && s->read == s->total ? 0 : LN_ERR_OPERATION;
}

int bench_streamed(uint64_t bytes, json_t *rows)
{
    struct streamed *s = calloc(1, sizeof *s);
    int error;

    if (!s)
        return LN_ERR_NOMEM;
    s->total = bytes;
    s->look_at = LOOK_EACH;
    error = run(s);
    if (!error)
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:I, s:f, s:f, s:i, s:i}", "stack", "linnet", "direction",
                            "streamed", "message_bytes", (json_int_t)bytes, "mb_per_s",
                            (double)bytes / 1e6 / s->seconds, "cpu_s_per_gib",
                            s->cpu / ((double)bytes / (1 << 30)), "rss_kib", (int)s->resident_most,
                            "rss_before_kib", (int)s->resident_before));
    free(s);
    return error;
}
