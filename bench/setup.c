/* SPDX-License-Identifier: Apache-2.0
 * From createOffer() to `open` on the offerer: two connections on one loop over loopback, trickled,
 * certificates made anew each time; and the round trips that it takes, counted on a path of 100 ms
 * in virtual time. */
#include "bench/bench.h"
#include "bench/duo.h"
#include "bench/virtual_path.h"

#include <linnet/error.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RUNS 250

static void stop(struct duo_side *side, ln_time now)
{
    (void)now;
    ln_loop_stop(ln_driver_loop(side->driver));
}

static int run_once(struct ln_driver *driver, double *ret_ms)
{
    struct duo_side sides[2];
    double from;
    int error = duo_create(sides, driver, driver, NULL, false);

    if (!error) {
        sides[0].on_open = stop;
        from = bench_wall_seconds();
        error = duo_start(sides);
        if (!error)
            error = ln_loop_run(ln_driver_loop(driver));
        *ret_ms = (bench_wall_seconds() - from) * 1e3;
    }
    duo_close(&sides[0]);
    duo_close(&sides[1]);
    while (!error && ln_loop_run_once(ln_driver_loop(driver), 0) != 0) /* what is on its way */
        break;
    return error;
}

int bench_setup(const struct bench_options *options, json_t *rows)
{
    size_t runs = options->runs ? (size_t)options->runs : RUNS, i;
    double *ms = calloc(runs, sizeof *ms), round_trips;
    struct ln_driver *driver = NULL;
    int error = ms ? ln_driver_create(&driver) : LN_ERR_NOMEM;

    for (i = 0; i < runs && !error; i++)
        error = run_once(driver, &ms[i]);
    ln_driver_free(driver);
    if (!error)
        error = bench_virtual_round_trips(&round_trips);
    if (!error)
        json_array_append_new(
            rows, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "stack", "linnet", "runs", (int)runs,
                            "connect_ms_median", bench_quantile(ms, runs, 0.5), "connect_ms_p95",
                            bench_quantile(ms, runs, 0.95), "connect_ms_max",
                            bench_quantile(ms, runs, 1), "round_trips", round_trips));
    free(ms);
    if (!error)
        bench_other_stacks("setup", options, rows);
    return error;
}
