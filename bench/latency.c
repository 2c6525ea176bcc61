/* SPDX-License-Identifier: Apache-2.0
 * The latency measurement. Each shown picture carries the wall time of its capture in whole
 * milliseconds; half a millisecond of rounding is taken out of the mean by the reader's own. */
#include "bench/latency.h"

#include "base/alloc.h"
#include "bench/media_pair.h"
#include "media/frame/test_picture.h"

#include <linnet/error.h>

#include <stdlib.h>

#define FPS          30
#define WARM_UP      LN_SECONDS(1)
#define CONNECT_WAIT LN_SECONDS(10)

struct measure {
    struct media_pair pair;
    ln_time begin, end;
    double *values;
    size_t count, capacity;
    uint32_t last_number;
    uint64_t missing, disordered;
};

static void on_picture(void *ctx, struct ln_picture *picture, ln_time now)
{
    struct measure *measure = ctx;
    struct ln_test_picture what;
    int64_t step;

    if (measure->begin == 0) {
        measure->begin = now + WARM_UP;
        measure->end += measure->begin;
    }
    if (now < measure->begin || ln_test_picture_read(picture, &what) != 0)
        return;
    if (measure->count == measure->capacity)
        return;
    step = (int64_t)what.number - measure->last_number;
    if (measure->count > 0 && step <= 0)
        measure->disordered++;
    else if (measure->count > 0)
        measure->missing += (uint64_t)step - 1;
    measure->last_number = what.number;
    measure->values[measure->count++] =
        (double)(now + ln_loop_wall_offset(measure->pair.loop)) / 1e6 - (double)what.time_ms - 0.5;
}

static bool is_over(struct media_pair *pair)
{
    const struct measure *measure = pair->ctx;

    return measure->begin != 0 && ln_loop_now(pair->loop) >= measure->end;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void summarize(struct measure *measure, struct bench_latency *ret)
{
    struct ln_track_figures video, audio;

    media_pair_figures(&measure->pair, &video, &audio);
    qsort(measure->values, measure->count, sizeof *measure->values, compare);
    *ret = (struct bench_latency){ .p50_ms = measure->values[measure->count / 2],
                                   .p95_ms = measure->values[measure->count * 95 / 100],
                                   .max_ms = measure->values[measure->count - 1],
                                   .frame_ms = 1e3 / FPS,
                                   .pictures = measure->count,
                                   .missing = measure->missing,
                                   .disordered = measure->disordered,
                                   .tone_hz = audio.frequency_hz };
}

int bench_latency_run(unsigned seconds, struct bench_latency *ret)
{
    const struct ln_media_source test = { .kind = LN_SOURCE_TEST, .fps = FPS };
    struct measure measure = { .end = LN_SECONDS(seconds) };
    int error;

    measure.capacity = (size_t)seconds * FPS * 2 + FPS;
    measure.values = ln_alloc_array(ln_allocator_libc(), measure.capacity, sizeof(double));
    if (!measure.values)
        return LN_ERR_NOMEM;
    error = media_pair_open(&measure.pair, &test, &test);
    measure.pair.picture = on_picture;
    measure.pair.ctx = &measure;
    if (!error &&
        !media_pair_run(&measure.pair, is_over, CONNECT_WAIT + WARM_UP + LN_SECONDS(seconds)))
        error = measure.pair.error ? measure.pair.error : LN_ERR_TIMEOUT;
    if (!error && measure.count == 0)
        error = LN_ERR_TIMEOUT;
    if (!error)
        summarize(&measure, ret);
    media_pair_close(&measure.pair);
    ln_free(ln_allocator_libc(), measure.values);
    return error;
}
