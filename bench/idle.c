/* SPDX-License-Identifier: Apache-2.0
 * What connections cost that have nothing to say: resident memory of 250 pairs in one process after
 * a while of silence, less that of before the first; and the processor time that they take
 * meanwhile. */
#include "bench/bench.h"
#include "bench/duo.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>

#define PAIRS       250
#define SECONDS     30
#define OPEN_WITHIN LN_SECONDS(30) /* a pair */

struct idle {
    struct ln_driver *driver;
    struct duo_side (*pairs)[2];
    size_t pair_count, open;
    struct ln_loop_timer timer; /* ends the present wait */
};

static void count_open(struct duo_side *side, ln_time now)
{
    struct idle *idle = side->ctx;

    (void)now;
    if (++idle->open == 2)
        ln_loop_stop(ln_driver_loop(idle->driver));
}

static void stop(void *ctx, ln_time now)
{
    struct idle *idle = ctx;

    (void)now;
    ln_loop_stop(ln_driver_loop(idle->driver));
}

/* Until what runs calls ln_loop_stop(), and no longer than so. */
static int wait(struct idle *idle, ln_duration limit)
{
    struct ln_loop *loop = ln_driver_loop(idle->driver);

    ln_loop_timer_set(&idle->timer, ln_loop_now(loop) + limit);
    return ln_loop_run(loop);
}

static int open_pair(struct idle *idle, struct duo_side pair[2])
{
    int error = duo_create(pair, idle->driver, idle->driver);

    if (error)
        return error;
    pair[0].ctx = pair[1].ctx = idle;
    pair[0].on_open = pair[1].on_open = count_open;
    idle->open = 0;
    error = duo_start(pair);
    if (!error)
        error = wait(idle, OPEN_WITHIN);
    return !error && idle->open < 2 ? LN_ERR_TIMEOUT : error;
}

int bench_idle(const struct bench_options *options, json_t *rows)
{
    size_t pairs = options->runs ? (size_t)options->runs : PAIRS, i;
    long seconds = options->seconds ? options->seconds : SECONDS, before, resident = 0;
    double from = 0, cpu_from = 0, cores = 0;
    struct idle idle = { .pairs = calloc(pairs, sizeof *idle.pairs) };
    int error = idle.pairs ? ln_driver_create(&idle.driver) : LN_ERR_NOMEM;

    before = bench_resident_kib();
    if (!error)
        error = ln_loop_timer_init(ln_driver_loop(idle.driver), &idle.timer, stop, &idle);
    for (i = 0; i < pairs && !error; i++) {
        idle.pair_count++;
        error = open_pair(&idle, idle.pairs[i]);
    }
    if (!error) {
        from = bench_wall_seconds();
        cpu_from = bench_cpu_seconds();
        error = wait(&idle, LN_SECONDS(seconds));
        cores = (bench_cpu_seconds() - cpu_from) / (bench_wall_seconds() - from);
        resident = bench_resident_kib() - before;
    }
    if (!error)
        json_array_append_new(rows, json_pack("{s:s, s:i, s:i, s:f}", "stack", "linnet", "peers",
                                              (int)(2 * pairs), "bytes_per_peer",
                                              (int)((double)resident * 1024 / (double)(2 * pairs)),
                                              "idle_cores", cores));
    for (i = 0; i < idle.pair_count; i++) {
        duo_close(&idle.pairs[i][0]);
        duo_close(&idle.pairs[i][1]);
    }
    ln_loop_timer_deinit(&idle.timer);
    ln_driver_free(idle.driver);
    free(idle.pairs);
    if (!error)
        bench_other_stacks("idle", options, rows);
    return error;
}
