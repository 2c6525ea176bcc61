/* SPDX-License-Identifier: Apache-2.0
 * Clocks, memory, quantiles and the machine's description, and the drivers of other stacks. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_quantile(double *values, size_t count, double q)
{
    size_t at;

    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, compare);
    at = (size_t)(q * (double)(count - 1) + 0.5);
    return values[at];
}

double bench_wall_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

long bench_resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void cpu_model(char *text, size_t cap)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(text, cap, "unknown");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(text, cap, "%s", strchr(line, ':') + 2);
            break;
        }
    if (file)
        fclose(file);
}

json_t *bench_machine(void)
{
    struct utsname name;
    char cpu[256];

    cpu_model(cpu, sizeof cpu);
    uname(&name);
    return json_pack("{s:s, s:i, s:s, s:s}", "cpu", cpu, "cores",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", name.release, "linnet",
                     LINNET_VERSION);
}

/* bench/peers/run STACK BENCH [SIZES] prints rows, one JSON object a line. */
static void run_stack(const char *stack, const char *bench, const struct bench_options *options,
                      json_t *rows)
{
    const char *folder = getenv("LINNET_BENCH_PEERS");
    char command[1024], line[4096];
    size_t before = json_array_size(rows);
    FILE *pipe;

    snprintf(command, sizeof command, "'%s/run' '%s' '%s' '%s'", folder ? folder : "bench/peers",
             stack, bench, options->sizes ? options->sizes : "");
    pipe = popen(command, "r");
    while (pipe && fgets(line, sizeof line, pipe)) {
        json_t *row = json_loads(line, 0, NULL);

        if (json_is_object(row))
            json_array_append(rows, row);
        json_decref(row);
    }
    if (!pipe || pclose(pipe) != 0 || json_array_size(rows) == before)
        fprintf(stderr, "linnet bench: %s gave no figures (is it installed?)\n", stack);
}

void bench_other_stacks(const char *bench, const struct bench_options *options, json_t *rows)
{
    char list[256], *at, *rest;

    if (!options->with)
        return;
    snprintf(list, sizeof list, "%s", options->with);
    for (at = strtok_r(list, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
        if (strspn(at, "abcdefghijklmnopqrstuvwxyz-") != strlen(at))
            fprintf(stderr, "linnet bench: \"%s\" names no stack\n", at);
        else
            run_stack(at, bench, options, rows);
    }
}
