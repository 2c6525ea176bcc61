/* SPDX-License-Identifier: Apache-2.0
 * Reliable ordered messages over loopback, both ends in this process, a thread each: from the one
 * that offered, to it, or both ways at once (then the figures are of both together). */
#include "bench/bench.h"
#include "bench/duo.h"

#include "io/thread.h"

#include <linnet/error.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS         5
#define SECONDS      2
#define BUFFER_ABOVE (8u << 20)
#define BUFFER_BELOW (4u << 20)

enum direction { FORTH, BACK, BOTH };

static const char *const direction_names[] = { "forth", "back", "both" };

struct transfer {
    enum direction direction;
    struct ln_driver *drivers[2];
    struct duo_side sides[2];
    size_t message_bytes;
    uint8_t *message;
    double from, cpu_from, mb_per_s, messages_per_s, cpu_s_per_gib;
    _Atomic uint64_t received, messages;
    ln_duration length;
    struct ln_loop_timer end;
};

static bool sends(const struct transfer *t, const struct duo_side *side)
{
    return t->direction == BOTH || (t->direction == FORTH) == (side == &t->sides[0]);
}

static void fill(struct transfer *t, struct duo_side *side)
{
    ln_data_channel *channel = side->channel;

    while (ln_data_channel_buffered_amount(channel) < BUFFER_ABOVE)
        if (ln_data_channel_send(channel, t->message, t->message_bytes) != 0)
            break;
    ln_place_touch(side->place);
}

static void finish(void *ctx, ln_time now)
{
    struct transfer *t = ctx;
    double seconds = bench_wall_seconds() - t->from, cpu = bench_cpu_seconds() - t->cpu_from;
    double bytes = (double)atomic_load(&t->received);

    (void)now;
    t->mb_per_s = bytes / 1e6 / seconds;
    t->messages_per_s = (double)atomic_load(&t->messages) / seconds;
    t->cpu_s_per_gib = bytes > 0 ? cpu / (bytes / (1 << 30)) : 0;
    ln_loop_stop(ln_driver_loop(t->drivers[0]));
    ln_loop_stop(ln_driver_loop(t->drivers[1]));
}

static void begin(struct duo_side *side, ln_time now)
{
    struct transfer *t = side->ctx;

    ln_data_channel_set_buffered_amount_low_threshold(side->channel, BUFFER_BELOW);
    if (side == &t->sides[0]) { /* the timer is of this thread */
        t->from = bench_wall_seconds();
        t->cpu_from = bench_cpu_seconds();
        ln_loop_timer_set(&t->end, now + t->length);
    }
    if (sends(t, side))
        fill(t, side);
}

static void on_event(struct duo_side *side, ln_time now, const struct ln_event *event)
{
    struct transfer *t = side->ctx;

    (void)now;
    if (event->kind == LN_EVENT_MESSAGE) {
        atomic_fetch_add(&t->received, event->u.message.len);
        atomic_fetch_add(&t->messages, 1);
    } else if (event->kind == LN_EVENT_BUFFERED_AMOUNT_LOW && sends(t, side)) {
        fill(t, side);
    }
}

static void run_other(void *ctx)
{
    struct transfer *t = ctx;

    (void)!ln_loop_run(ln_driver_loop(t->drivers[1]));
}

static int run_once(struct transfer *t)
{
    struct ln_thread thread;
    bool started = false;
    int error = ln_driver_create(&t->drivers[0]);

    if (!error)
        error = ln_driver_create(&t->drivers[1]);
    if (!error)
        error = duo_create(t->sides, t->drivers[0], t->drivers[1], NULL, false);
    if (!error)
        error = ln_loop_timer_init(ln_driver_loop(t->drivers[0]), &t->end, finish, t);
    if (!error) {
        t->sides[0].ctx = t->sides[1].ctx = t;
        t->sides[0].on_open = t->sides[1].on_open = begin;
        t->sides[0].on_event = t->sides[1].on_event = on_event;
        error = ln_thread_start(&thread, "receiver", run_other, t);
        started = !error;
    }
    if (!error)
        error = duo_start(t->sides);
    if (!error)
        error = ln_loop_run(ln_driver_loop(t->drivers[0]));
    if (started)
        ln_thread_join(&thread);
    duo_close(&t->sides[0]);
    duo_close(&t->sides[1]);
    ln_loop_timer_deinit(&t->end);
    ln_driver_free(t->drivers[0]);
    ln_driver_free(t->drivers[1]);
    return error;
}

static int measure(size_t bytes, enum direction direction, const struct bench_options *options,
                   json_t *rows)
{
    size_t runs = options->runs ? (size_t)options->runs : RUNS, i;
    double mb[64], messages[64], cpu[64];
    int error = 0;

    if (runs > 64)
        runs = 64;
    for (i = 0; i < runs && !error; i++) {
        struct transfer *t = calloc(1, sizeof *t);

        if (!t)
            return LN_ERR_NOMEM;
        t->message_bytes = bytes;
        t->direction = direction;
        t->message = calloc(1, bytes);
        t->length = LN_SECONDS(options->seconds ? options->seconds : SECONDS);
        error = t->message ? run_once(t) : LN_ERR_NOMEM;
        mb[i] = t->mb_per_s;
        messages[i] = t->messages_per_s;
        cpu[i] = t->cpu_s_per_gib;
        free(t->message);
        free(t);
    }
    if (!error)
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:i}", "stack", "linnet",
                            "direction", direction_names[direction], "message_bytes", (int)bytes,
                            "runs", (int)runs, "mb_per_s", bench_quantile(mb, runs, 0.5),
                            "messages_per_s", bench_quantile(messages, runs, 0.5), "cpu_s_per_gib",
                            bench_quantile(cpu, runs, 0.5), "rss_kib", (int)bench_resident_kib()));
    return error;
}

int bench_data(const struct bench_options *options, json_t *rows)
{
    const char *directions = options->directions ? options->directions : "forth";
    char list[128], *at, *rest;
    int error = 0;

    snprintf(list, sizeof list, "%s", options->sizes ? options->sizes : "65536");
    for (at = strtok_r(list, ",", &rest); at && !error; at = strtok_r(NULL, ",", &rest)) {
        long bytes = strtol(at, NULL, 10);

        if (bytes < 1 || bytes > BENCH_MESSAGE_MAX)
            return LN_ERR_RANGE;
        for (int d = FORTH; d <= BOTH && !error; d++)
            if (strstr(directions, direction_names[d]))
                error = measure((size_t)bytes, (enum direction)d, options, rows);
    }
    if (!error && options->streamed)
        error = bench_streamed((uint64_t)options->streamed << 20, rows);
    if (!error)
        error = bench_floor(rows);
    if (!error)
        bench_other_stacks("data", options, rows);
    return error;
}
