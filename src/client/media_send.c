/* SPDX-License-Identifier: Apache-2.0
 * A local track: a tick of the loop (or a push of the application) begins a job that draws or
 * fetches, scales and encodes; what comes back is sent.
 *
 * One job at a time. What comes while the encoder is busy waits: one picture, the newest; sound up
 * to LN_ENGINE_SAMPLES_MAX blocks. So no queue of pictures grows in front of a slow encoder. */
#include "base/alloc.h"
#include "base/time.h"
#include "client/media_track.h"
#include "media/codec/codec.h"
#include "media/process/scale.h"

#include <linnet/error.h>

#include <math.h>
#include <string.h>

#define AUDIO_TICK         LN_MILLISECONDS(20)
#define AUDIO_CATCH_UP     5u /* blocks made at once after a late tick; more late: the time jumps */
#define LOSS_PERCENT_LEAST 5  /* that forward error correction is made for */
#define FPS_MAX            120u

static void begin_job(struct ln_send_track *track, ln_time now);

/* ---- on a worker ---- */

static void make_even_within(uint16_t *width, uint16_t *height, uint16_t max_width,
                             uint16_t max_height)
{
    double scale = 1;

    if (max_width && *width > max_width)
        scale = (double)max_width / *width;
    if (max_height && *height * scale > max_height)
        scale = (double)max_height / *height;
    if (scale < 1) {
        *width = (uint16_t)((unsigned)(*width * scale) & ~1u);
        *height = (uint16_t)((unsigned)(*height * scale) & ~1u);
    }
    *width = *width < 2 ? 2 : *width;
    *height = *height < 2 ? 2 : *height;
}

static struct ln_picture *draw(struct ln_send_track *track)
{
    struct ln_test_picture what = { .number = track->work.number };
    uint16_t width = track->work.draw_width, height = track->work.draw_height;
    struct ln_picture *picture;

    make_even_within(&width, &height, track->work.width, track->work.height);
    picture = ln_picture_create(track->allocator, width, height);
    if (!picture)
        return NULL;
    picture->capture_time = track->work.capture_time;
    what.time_ms = (uint64_t)((track->work.capture_time + track->work.wall_offset) / 1000000) &
                   LN_TEST_PICTURE_TIME_MAX_MS;
    what.flash = ln_test_picture_flash_at(what.time_ms);
    ln_test_picture_draw(picture, &what);
    return picture;
}

static struct ln_picture *fit(struct ln_send_track *track, struct ln_picture *picture)
{
    uint16_t width = picture->width, height = picture->height;
    struct ln_picture *scaled = NULL;

    make_even_within(&width, &height, track->work.width, track->work.height);
    if (ln_picture_scale(picture, width, height, track->allocator, &scaled) != 0)
        scaled = NULL;
    ln_picture_unref(picture);
    return scaled;
}

static int open_video_encoder(struct ln_send_track *track, const struct ln_picture *picture)
{
    struct ln_video_encoder_config config;
    int error;

    if (track->work.video && track->work.encoder_codec == track->work.codec)
        return 0;
    ln_video_encoder_free(track->work.video);
    track->work.video = NULL;
    ln_video_encoder_config_init(&config);
    config.codec = track->work.codec;
    config.width = picture->width;
    config.height = picture->height;
    config.fps = track->work.fps;
    config.bps = track->work.bps;
    error = ln_video_encoder_create(&track->work.video, &config, track->allocator);
    if (!error)
        track->work.encoder_codec = track->work.codec;
    return error;
}

static int encode_video(struct ln_send_track *track)
{
    struct ln_picture *picture = track->work.picture;
    int error;

    track->work.picture = NULL;
    picture = picture ? fit(track, picture) : draw(track);
    if (!picture)
        return LN_ERR_NOMEM;
    error = open_video_encoder(track, picture);
    if (!error) {
        ln_video_encoder_set_rate(track->work.video, track->work.bps, track->work.fps);
        error = ln_video_encoder_encode(track->work.video, picture, track->work.key,
                                        &track->work.frames[0]);
    }
    if (!error) {
        track->work.frame_count = 1;
        track->work.number++; /* numbers count what was encoded, not what rate control dropped */
    }
    ln_picture_unref(picture);
    return error;
}

static int open_audio_encoder(struct ln_send_track *track)
{
    struct ln_audio_encoder_config config;
    int error;

    if (track->work.audio && track->work.encoder_codec == track->work.codec)
        return 0;
    ln_audio_encoder_free(track->work.audio);
    track->work.audio = NULL;
    ln_audio_encoder_config_init(&config);
    config.codec = track->work.codec;
    if (track->work.bps)
        config.bps = track->work.bps;
    error = ln_audio_encoder_create(&track->work.audio, &config, track->allocator);
    if (!error)
        track->work.encoder_codec = track->work.codec;
    return error;
}

static int put_tone(struct ln_send_track *track)
{
    int error = 0;

    for (unsigned i = 0; i < track->work.blocks && !error; i++) {
        struct ln_samples *samples = ln_samples_create(track->allocator, LN_AUDIO_RATE_HZ, 1,
                                                       LN_AUDIO_PACKET_SAMPLES);

        if (!samples)
            return LN_ERR_NOMEM;
        samples->capture_time = track->work.capture_time + AUDIO_TICK * i;
        ln_tone_fill(&track->work.tone, samples, samples->capture_time + track->work.wall_offset);
        error = ln_audio_encoder_put(track->work.audio, samples);
        ln_samples_unref(samples);
    }
    return error;
}

static int encode_audio(struct ln_send_track *track)
{
    int error = open_audio_encoder(track), got = 1;

    if (!error) {
        ln_audio_encoder_set_rate(track->work.audio, track->work.bps);
        ln_audio_encoder_set_loss(track->work.audio, track->work.loss_percent);
        error = track->work.samples ? ln_audio_encoder_put(track->work.audio, track->work.samples)
                                    : put_tone(track);
    }
    ln_samples_unref(track->work.samples);
    track->work.samples = NULL;
    while (!error && got > 0 && track->work.frame_count < LN_SEND_FRAMES_MAX) {
        got = ln_audio_encoder_poll(track->work.audio,
                                    &track->work.frames[track->work.frame_count]);
        if (got > 0)
            track->work.frame_count++;
        else
            error = got;
    }
    return error;
}

static void run_job(struct ln_job *job)
{
    struct ln_send_track *track = (struct ln_send_track *)job;
    ln_time begin = ln_engine_clock();

    track->work.frame_count = 0;
    track->work.error = track->kind == LN_MEDIA_VIDEO ? encode_video(track) : encode_audio(track);
    track->work.time = ln_engine_clock() - begin;
    for (size_t i = 0; i < track->work.frame_count; i++)
        track->work.frames[i]->encode_time = track->work.time /
                                             (ln_duration)track->work.frame_count;
}

/* ---- on the loop ---- */

static void free_track(struct ln_send_track *track)
{
    struct ln_samples *samples;

    for (size_t i = 0; i < track->work.frame_count; i++)
        ln_frame_unref(track->work.frames[i]);
    ln_picture_unref(track->work.picture);
    ln_samples_unref(track->work.samples);
    ln_video_encoder_free(track->work.video);
    ln_audio_encoder_free(track->work.audio);
    ln_picture_unref(track->waiting_picture);
    while (ln_ring_pop(&track->waiting_samples, &samples))
        ln_samples_unref(samples);
    ln_ring_deinit(&track->waiting_samples);
    ln_loop_timer_deinit(&track->timer);
    ln_free(track->allocator, track);
}

static void send_frame(struct ln_send_track *track, ln_time now, const struct ln_frame *frame)
{
    struct ln_rtp_encoder_report report = { .frames_encoded = 1,
                                            .key_frames_encoded = frame->key,
                                            .encode_time = frame->encode_time,
                                            .width = frame->width,
                                            .height = frame->height };
    int error;

    report.implementation = track->kind == LN_MEDIA_VIDEO ? "libvpx" : "libopus";
    if (track->kind == LN_MEDIA_AUDIO && frame->codec != LN_CODEC_OPUS)
        report.implementation = "linnet";
    error = ln_rtp_sender_send_frame(track->sender, now, frame);
    if (error) {
        track->dropped++;
        track->key_due = true; /* what follows would build on a frame that never left */
        return;
    }
    track->frames++;
    track->key_frames += frame->key && track->kind == LN_MEDIA_VIDEO;
    track->encode_time += frame->encode_time;
    track->width = frame->width;
    track->height = frame->height;
    ln_rtp_sender_report(track->sender, &report);
}

static bool runs(const struct ln_send_track *track)
{
    return track->engine->connected && track->target.active &&
           track->source.kind != LN_SOURCE_NONE &&
           ln_rtp_sender_codec(track->sender) != LN_CODEC_NONE;
}

static ln_duration period_of(const struct ln_send_track *track)
{
    double fps = track->source.fps;

    if (track->kind == LN_MEDIA_AUDIO)
        return AUDIO_TICK;
    if (track->target.max_framerate > 0 && track->target.max_framerate < fps)
        fps = track->target.max_framerate;
    return (ln_duration)(1e9 / fps);
}

static void set_timer(struct ln_send_track *track)
{
    bool ticks = track->source.kind == LN_SOURCE_TEST && runs(track);

    ln_loop_timer_set(&track->timer, ticks ? track->next_tick : LN_TIME_NEVER);
}

static void job_done(struct ln_job *job)
{
    struct ln_send_track *track = (struct ln_send_track *)job;
    ln_time now;

    track->busy = false;
    if (!track->engine) {
        free_track(track);
        return;
    }
    now = ln_loop_now(track->engine->config.loop);
    if (track->work.error)
        track->dropped++;
    if (track->work.error && track->work.error != LN_ERR_AGAIN && track->work.key)
        track->key_due = true;
    for (size_t i = 0; i < track->work.frame_count; i++) {
        send_frame(track, now, track->work.frames[i]);
        ln_frame_unref(track->work.frames[i]);
    }
    track->work.frame_count = 0;
    ln_place_touch(track->engine->config.place);
    begin_job(track, now);
}

static bool fetch_video(struct ln_send_track *track, ln_time now)
{
    if (track->source.kind == LN_SOURCE_TEST) {
        if (!track->tick_waits)
            return false;
        track->tick_waits = false;
        track->work.capture_time = now;
        return true;
    }
    track->work.picture = track->waiting_picture;
    track->waiting_picture = NULL;
    return track->work.picture != NULL;
}

static bool fetch_audio(struct ln_send_track *track, ln_time now)
{
    track->work.blocks = 0;
    if (track->source.kind != LN_SOURCE_TEST)
        return ln_ring_pop(&track->waiting_samples, &track->work.samples);
    if (!track->tick_waits)
        return false;
    track->tick_waits = false;
    if (track->next_tick + AUDIO_TICK * AUDIO_CATCH_UP < now)
        track->next_tick = now;
    track->work.capture_time = track->next_tick;
    for (; track->next_tick <= now; track->next_tick += AUDIO_TICK)
        track->work.blocks++;
    return track->work.blocks > 0;
}

static void begin_job(struct ln_send_track *track, ln_time now)
{
    bool video = track->kind == LN_MEDIA_VIDEO;

    if (track->busy || !runs(track))
        return;
    if (!(video ? fetch_video(track, now) : fetch_audio(track, now))) {
        set_timer(track);
        return;
    }
    track->work.codec = ln_rtp_sender_codec(track->sender);
    track->work.wall_offset = ln_loop_wall_offset(track->engine->config.loop);
    track->work.bps = track->target.bitrate_bps;
    track->work.fps = (uint32_t)lround(1e9 / (double)period_of(track));
    track->work.draw_width = track->source.width;
    track->work.draw_height = track->source.height;
    track->work.width = track->target.max_width;
    track->work.height = track->target.max_height;
    track->work.loss_percent = track->target.loss_percent > LOSS_PERCENT_LEAST
                                   ? track->target.loss_percent
                                   : LOSS_PERCENT_LEAST;
    track->work.key = track->key_due;
    if (track->tone_due)
        ln_tone_init(&track->work.tone, track->source.frequency_hz, LN_TONE_BEEP_HZ);
    track->tone_due = false;
    track->busy = ln_workers_submit(track->engine->config.workers,
                                    video ? LN_WORK_PICTURES : LN_WORK_SOUND, &track->job) == 0;
    if (track->busy) {
        track->key_due = false;
    } else {
        track->dropped++;
        ln_picture_unref(track->work.picture);
        ln_samples_unref(track->work.samples);
        track->work.picture = NULL;
        track->work.samples = NULL;
    }
    set_timer(track);
}

static void tick(void *ctx, ln_time now)
{
    struct ln_send_track *track = ctx;

    if (track->kind == LN_MEDIA_VIDEO) {
        ln_duration period = period_of(track);

        track->dropped += track->tick_waits;
        track->next_tick += period;
        if (track->next_tick <= now) /* the loop was late: no burst of pictures */
            track->next_tick = now + period;
    }
    track->tick_waits = true;
    if (!track->busy)
        begin_job(track, now);
    else if (track->kind == LN_MEDIA_VIDEO)
        set_timer(track);
}

/* Whether something changed that starts or stops it. */
static void reconsider(struct ln_send_track *track, ln_time now, bool ran)
{
    if (!ran && runs(track)) {
        track->next_tick = now;
        track->tick_waits = false;
        track->key_due = true;
    }
    set_timer(track);
}

int ln_send_track_create(struct ln_send_track **ret_track, struct ln_media_engine *engine,
                         ln_rtp_sender *sender, enum ln_media_kind kind)
{
    struct ln_allocator *allocator = engine->config.allocator;
    struct ln_send_track *track = ln_alloc_zero(allocator, sizeof *track);
    int error;

    if (!track)
        return LN_ERR_NOMEM;
    track->engine = engine;
    track->allocator = allocator;
    track->sender = sender;
    track->kind = kind;
    track->job.run = run_job;
    track->job.done = job_done;
    ln_ring_init(&track->waiting_samples, allocator, sizeof(struct ln_samples *),
                 LN_ENGINE_SAMPLES_MAX);
    error = ln_loop_timer_init(engine->config.loop, &track->timer, tick, track);
    if (error)
        free_track(track);
    else
        *ret_track = track;
    return error;
}

void ln_send_track_detach(struct ln_send_track *track)
{
    track->engine = NULL;
    ln_loop_timer_deinit(&track->timer);
    if (!track->busy)
        free_track(track);
}

void ln_send_track_set_source(struct ln_send_track *track, const struct ln_media_source *source)
{
    track->source = *source;
    if (!track->source.width || !track->source.height) {
        track->source.width = 640;
        track->source.height = 480;
    }
    if (track->source.fps == 0 || track->source.fps > FPS_MAX)
        track->source.fps = 30;
    if (!(track->source.frequency_hz > 0))
        track->source.frequency_hz = LN_TONE_HZ;
    track->tone_due = true;
    reconsider(track, ln_loop_now(track->engine->config.loop), false);
}

void ln_send_track_set_target(struct ln_send_track *track, ln_time now,
                              const struct ln_encoder_target *target)
{
    bool ran = runs(track);

    track->target = *target;
    track->key_due = track->key_due || target->key_frame;
    reconsider(track, now, ran);
}

void ln_send_track_connected(struct ln_send_track *track, ln_time now, bool connected)
{
    if (connected)
        track->key_due = true;
    reconsider(track, now, !connected);
}

int ln_send_track_push_picture(struct ln_send_track *track, struct ln_picture *picture)
{
    if (track->source.kind != LN_SOURCE_APPLICATION || track->kind != LN_MEDIA_VIDEO)
        return LN_ERR_INVALID_STATE;
    if (!runs(track))
        return 0;
    if (track->waiting_picture) {
        track->dropped++;
        ln_picture_unref(track->waiting_picture);
    }
    track->waiting_picture = ln_picture_ref(picture);
    begin_job(track, ln_loop_now(track->engine->config.loop));
    return 0;
}

int ln_send_track_push_samples(struct ln_send_track *track, struct ln_samples *samples)
{
    int error;

    if (track->source.kind != LN_SOURCE_APPLICATION || track->kind != LN_MEDIA_AUDIO)
        return LN_ERR_INVALID_STATE;
    if (!runs(track))
        return 0;
    error = ln_ring_push(&track->waiting_samples, &samples);
    if (error) {
        track->dropped++;
        return error;
    }
    ln_samples_ref(samples);
    begin_job(track, ln_loop_now(track->engine->config.loop));
    return 0;
}

void ln_send_track_figures(struct ln_send_track *track, ln_time now, struct ln_track_figures *ret)
{
    *ret = (struct ln_track_figures){ .active = track->frames > 0 && runs(track),
                                      .codec = ln_rtp_sender_codec(track->sender),
                                      .frames = track->frames,
                                      .key_frames = track->key_frames,
                                      .dropped = track->dropped,
                                      .fps = ln_frame_rate_update(&track->rate, now, track->frames),
                                      .width = track->width,
                                      .height = track->height,
                                      .latency_p50_ms = -1,
                                      .latency_p95_ms = -1,
                                      .level_dbov = -127 };
    if (track->frames > 0)
        ret->codec_ms = (double)track->encode_time / 1e6 / (double)track->frames;
}
