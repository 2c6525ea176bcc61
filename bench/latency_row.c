/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"
#include "bench/latency.h"

#define SECONDS 10

int bench_latency_row(const struct bench_options *options, json_t *rows)
{
    struct bench_latency latency;
    int error = bench_latency_run(options->seconds ? (unsigned)options->seconds : SECONDS,
                                  &latency);

    if (!error)
        json_array_append_new(rows, json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "stack",
                                              "linnet", "pictures", (int)latency.pictures,
                                              "missing", (int)latency.missing, "p50_ms",
                                              latency.p50_ms, "p95_ms", latency.p95_ms, "max_ms",
                                              latency.max_ms, "frame_ms", latency.frame_ms));
    return error;
}
