/* SPDX-License-Identifier: Apache-2.0
 * Picture to picture: from the moment that a test picture is drawn at one end to the moment that it
 * is shown at the other, over loopback, both ends in this process, with real encoding and decoding.
 */
#include "bench/bench.h"
#include "bench/duo.h"

#include "client/media_engine.h"

#include <linnet/error.h>

#include <stdlib.h>
#include <string.h>

#define SECONDS  10
#define FRAME_MS (1000.0 / 30)

struct call {
    struct ln_driver *driver;
    struct duo_side sides[2];
    struct ln_workers *workers;
    struct ln_media_engine *engines[2];
    struct ln_loop_timer end;
    long seconds;
    struct ln_track_figures figures;
};

static void on_event(struct duo_side *side, ln_time now, const struct ln_event *event)
{
    struct call *call = side->ctx;

    ln_media_engine_handle_event(call->engines[side - call->sides], now, event);
}

static void begin(struct duo_side *side, ln_time now)
{
    struct call *call = side->ctx;

    ln_loop_timer_set(&call->end, now + LN_SECONDS(call->seconds));
}

static void finish(void *ctx, ln_time now)
{
    struct call *call = ctx;
    ln_rtp_transceiver *t = ln_peer_connection_transceiver(call->sides[1].pc, 0);

    (void)now;
    if (t)
        ln_media_engine_receiver_figures(call->engines[1], ln_rtp_transceiver_receiver(t),
                                         &call->figures);
    ln_loop_stop(ln_driver_loop(call->driver));
}

static int add_picture(struct call *call)
{
    struct ln_media_source source = { .kind = LN_SOURCE_TEST };
    ln_media_stream_track *track;
    ln_rtp_sender *sender;
    int error = ln_media_stream_track_create(ln_driver_env(call->driver), LN_MEDIA_VIDEO, NULL,
                                             &track);

    if (error)
        return error;
    error = ln_peer_connection_add_track(call->sides[0].pc, track, NULL, 0, &sender);
    ln_media_stream_track_unref(track);
    return error ? error : ln_media_engine_set_source(call->engines[0], sender, &source);
}

static int start(struct call *call)
{
    struct ln_loop *loop = ln_driver_loop(call->driver);
    int error = duo_create(call->sides, call->driver, call->driver), i;

    if (!error)
        error = ln_workers_create(&call->workers, loop, 0, ln_driver_env(call->driver)->allocator);
    for (i = 0; i < 2 && !error; i++) {
        struct ln_media_engine_config config = { .loop = loop, .workers = call->workers };

        config.pc = call->sides[i].pc;
        config.handle = call->sides[i].handle;
        call->sides[i].ctx = call;
        call->sides[i].on_event = on_event;
        error = ln_media_engine_create(&call->engines[i], &config);
    }
    call->sides[0].on_open = begin;
    if (!error)
        error = ln_loop_timer_init(loop, &call->end, finish, call);
    if (!error)
        error = add_picture(call);
    return error ? error : duo_start(call->sides);
}

int bench_latency(const struct bench_options *options, json_t *rows)
{
    struct call *call = calloc(1, sizeof *call);
    int error = call ? ln_driver_create(&call->driver) : LN_ERR_NOMEM, i;

    if (!call)
        return error;
    call->seconds = options->seconds ? options->seconds : SECONDS;
    if (!error)
        error = start(call);
    if (!error)
        error = ln_loop_run(ln_driver_loop(call->driver));
    if (!error)
        json_array_append_new(rows, json_pack("{s:s, s:i, s:f, s:f, s:f}", "stack", "linnet",
                                              "frames", (int)call->figures.frames, "p50_ms",
                                              (double)call->figures.latency_p50_ms, "p95_ms",
                                              (double)call->figures.latency_p95_ms, "frame_ms",
                                              FRAME_MS));
    for (i = 0; i < 2; i++)
        ln_media_engine_free(call->engines[i]);
    ln_workers_free(call->workers);
    for (i = 0; i < 2; i++)
        duo_close(&call->sides[i]);
    ln_loop_timer_deinit(&call->end);
    ln_driver_free(call->driver);
    free(call);
    return error;
}
