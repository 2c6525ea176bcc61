/* SPDX-License-Identifier: Apache-2.0
 * Picture to picture: from the capture of a test picture to its display behind another peer
 * connection over loopback, coding and decoding included. */
#ifndef LN_BENCH_LATENCY_H
#define LN_BENCH_LATENCY_H

#include <linnet/types.h>

struct bench_latency {
    double p50_ms, p95_ms, max_ms;
    double frame_ms; /* the time of one frame: 1 / frame rate */
    uint64_t pictures, missing, disordered;
    double tone_hz;
};

/* 640 x 480 at 30 a second, with sound. The first second after connecting does not count. Returns
 * 0, LN_ERR_TIMEOUT (no connection or no picture in time) or what failed. */
LN_NODISCARD int bench_latency_run(unsigned seconds, struct bench_latency *ret);

#endif
