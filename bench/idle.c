/* SPDX-License-Identifier: Apache-2.0
 * What connections cost that have nothing to say: resident memory of 250 pairs in one process after
 * a while of silence, less that of before the first; what of it is ours by our own allocator, and
 * what OpenSSL's; and the processor time that they take meanwhile. */
#include "bench/bench.h"
#include "bench/duo.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <dirent.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define PAIRS       250
#define SECONDS     30
#define OPEN_WITHIN LN_SECONDS(30) /* a pair */

struct idle {
    struct ln_driver *driver;
    struct ln_port *port; /* of the first of each pair; NULL: each has its own */
    struct ln_counting_allocator counting;
    struct ln_env env; /* the driver's, with that allocator */
    struct duo_side (*pairs)[2];
    size_t pair_count, open;
    struct ln_loop_timer timer; /* ends the present wait */
};

/* What OpenSSL holds. It asks from this thread alone. */
static size_t openssl_bytes;

static void *openssl_resize(void *block, size_t size, const char *file, int line)
{
    size_t before = block ? malloc_usable_size(block) : 0;
    void *resized = realloc(block, size);

    (void)file;
    (void)line;
    if (resized)
        openssl_bytes += malloc_usable_size(resized) - before;
    return resized;
}

static void *openssl_alloc(size_t size, const char *file, int line)
{
    return openssl_resize(NULL, size, file, line);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    if (block)
        openssl_bytes -= malloc_usable_size(block);
    free(block);
}

/* Descriptors of this process. */
static size_t open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

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
    int error = duo_create_on_port(pair, idle->driver, &idle->env, idle->port);

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
    size_t own = 0, openssl = 0, files = 0, peers = 2 * pairs;
    long seconds = options->seconds ? options->seconds : SECONDS, before, resident = 0;
    double from = 0, cpu_from = 0, cores = 0;
    struct idle idle = { .pairs = calloc(pairs, sizeof *idle.pairs) };
    /* Only before its first allocation. */
    bool counted = CRYPTO_set_mem_functions(openssl_alloc, openssl_resize, openssl_free) == 1;
    int error = idle.pairs ? ln_driver_create(&idle.driver) : LN_ERR_NOMEM;

    before = bench_resident_kib();
    ln_counting_allocator_init(&idle.counting, ln_allocator_libc());
    if (!error) {
        idle.env = *ln_driver_env(idle.driver);
        idle.env.allocator = &idle.counting.allocator;
        openssl = openssl_bytes;
    }
    if (!error)
        error = ln_loop_timer_init(ln_driver_loop(idle.driver), &idle.timer, stop, &idle);
    if (!error && options->one_port)
        error = ln_port_create(&idle.port, ln_driver_loop(idle.driver), &idle.env, NULL);
    files = open_files();
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
        own = idle.counting.live_bytes / peers;
        openssl = (openssl_bytes - openssl) / peers;
        files = open_files() - files;
    }
    if (!error)
        json_array_append_new(
            rows, json_pack("{s:s, s:b, s:i, s:i, s:I, s:i, s:o, s:f}", "stack", "linnet",
                            "one_port", options->one_port, "peers", (int)peers, "bytes_per_peer",
                            (int)((double)resident * 1024 / (double)peers), "own_bytes_per_peer",
                            (json_int_t)own, "descriptors", (int)files, "openssl_bytes_per_peer",
                            counted ? json_integer((json_int_t)openssl) : json_null(), "idle_cores",
                            cores));
    for (i = 0; i < idle.pair_count; i++) {
        duo_close(&idle.pairs[i][0]);
        duo_close(&idle.pairs[i][1]);
    }
    ln_port_free(idle.port);
    ln_loop_timer_deinit(&idle.timer);
    ln_driver_free(idle.driver);
    free(idle.pairs);
    if (!error)
        bench_other_stacks("idle", options, rows);
    return error;
}
