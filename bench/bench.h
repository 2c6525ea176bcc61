/* SPDX-License-Identifier: Apache-2.0
 * The measurements behind `linnet bench`: each fills an array of rows, one JSON object a stack and
 * case. Numbers are medians of several runs unless a member says otherwise. */
#ifndef LN_BENCH_BENCH_H
#define LN_BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define BENCH_MESSAGE_MAX 262144 /* bytes */

struct bench_options {
    bool one_port;          /* of idle: half of the peers share a port */
    long runs;              /* 0: the bench's own number */
    long seconds;           /* of one run, where that means something; 0: the bench's own */
    const char *with;       /* other stacks, comma-separated; NULL: none */
    const char *directions; /* of data: forth, back, both, comma-separated; NULL: forth */
    const char *controls, *rates, *rtts, *losses; /* of paths: which cells; NULL: its own */
    long streamed;     /* of data: one message of so many MiB, in pieces; 0: none */
    const char *sizes; /* message sizes, comma-separated, each up to the largest; NULL: its own */
};

/* Each returns 0, or an LN_ERR_ value after a sentence on standard error. */
int bench_setup(const struct bench_options *options, json_t *rows);
int bench_idle(const struct bench_options *options, json_t *rows);
int bench_data(const struct bench_options *options, json_t *rows);
int bench_mixed(const struct bench_options *options, json_t *rows);
int bench_srtp(const struct bench_options *options, json_t *rows);
int bench_paths(const struct bench_options *options, json_t *rows);
int bench_turn(const struct bench_options *options, json_t *rows);
int bench_resident(const struct bench_options *options, json_t *rows);
int bench_latency_row(const struct bench_options *options, json_t *rows);

/* --- streamed.c: a row of one message in pieces. Returns as above. */
int bench_streamed(uint64_t bytes, json_t *rows);

/* --- figures.c */

/* Sorts the values in place; q from 0 to 1. NAN for none. */
double bench_quantile(double *values, size_t count, double q);
double bench_wall_seconds(void);
double bench_cpu_seconds(void); /* of the whole process */
long bench_resident_kib(void);
json_t *bench_machine(void);

/* Runs the drivers of the named stacks (bench/peers/) for a bench and appends their rows. A stack
 * that is not installed is told on standard error. */
/* A row of what this machine takes at least for a GiB over the loopback in packets like ours. */
int bench_floor(json_t *rows);
void bench_other_stacks(const char *bench, const struct bench_options *options, json_t *rows);

#endif
