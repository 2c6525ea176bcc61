/* SPDX-License-Identifier: Apache-2.0
 * A remote track: frames wait in order for their decoder, pictures for their time.
 *
 * One decoding job at a time. Sound is measured on the worker, beside the decoder; pictures are
 * looked at when they are shown, which is a few microseconds (docs/test-picture.md). */
#include "base/alloc.h"
#include "base/time.h"
#include "client/media_track.h"
#include "media/process/level.h"

#include <linnet/error.h>

#include <string.h>

#define CHANNELS  2
#define NEXT_WAIT LN_MILLISECONDS(20) /* for the packet after a lost one */

/* ---- on a worker ---- */

static int decode_video(struct ln_receive_track *track)
{
    const struct ln_frame *frame = track->work.frame;

    if (!track->work.video || track->work.decoder_codec != frame->codec) {
        struct ln_video_decoder_config config = { .codec = frame->codec };
        int error;

        ln_video_decoder_free(track->work.video);
        track->work.video = NULL;
        error = ln_video_decoder_create(&track->work.video, &config, track->allocator);
        if (error)
            return error;
        track->work.decoder_codec = frame->codec;
    }
    return ln_video_decoder_decode(track->work.video, frame, &track->work.picture);
}

static int open_audio_decoder(struct ln_receive_track *track)
{
    const struct ln_frame *frame = track->work.frame;
    struct ln_audio_decoder_config config = { .codec = frame->codec, .channels = CHANNELS };
    int error;

    if (track->work.audio && (frame->lost || track->work.decoder_codec == frame->codec))
        return 0;
    if (frame->lost)
        return LN_ERR_AGAIN; /* nothing has come yet that could be continued */
    ln_audio_decoder_free(track->work.audio);
    track->work.audio = NULL;
    error = ln_audio_decoder_create(&track->work.audio, &config, track->allocator);
    if (!error)
        track->work.decoder_codec = frame->codec;
    return error;
}

static int decode_audio(struct ln_receive_track *track)
{
    int error = open_audio_decoder(track);
    struct ln_samples *samples;

    if (!error)
        error = ln_audio_decoder_decode(track->work.audio, track->work.frame, track->work.next,
                                        &track->work.samples);
    if (error)
        return error;
    samples = track->work.samples;
    track->work.rms = ln_level_rms(samples->data, (size_t)samples->count * samples->channels);
    ln_audio_sink_put(track->work.sink, samples, samples->play_time);
    return 0;
}

static void run_job(struct ln_job *job)
{
    struct ln_receive_track *track = (struct ln_receive_track *)job;
    ln_time begin = ln_engine_clock();

    track->work.error = track->kind == LN_MEDIA_VIDEO ? decode_video(track) : decode_audio(track);
    track->work.time = ln_engine_clock() - begin;
}

/* ---- on the loop ---- */

static void drop_frames(struct ln_receive_track *track)
{
    struct ln_frame *frame;

    while (ln_ring_pop(&track->frames, &frame))
        ln_frame_unref(frame);
}

static void free_work(struct ln_receive_track *track)
{
    ln_frame_unref(track->work.frame);
    ln_frame_unref(track->work.next);
    ln_picture_unref(track->work.picture);
    ln_samples_unref(track->work.samples);
    track->work.frame = track->work.next = NULL;
    track->work.picture = NULL;
    track->work.samples = NULL;
}

static void free_track(struct ln_receive_track *track)
{
    struct ln_picture *picture;

    free_work(track);
    drop_frames(track);
    while (ln_ring_pop(&track->pictures, &picture))
        ln_picture_unref(picture);
    ln_ring_deinit(&track->frames);
    ln_ring_deinit(&track->pictures);
    ln_video_decoder_free(track->work.video);
    ln_audio_decoder_free(track->work.audio);
    ln_free(track->allocator, track->work.sink);
    ln_video_sink_close(&track->video_sink);
    ln_loop_timer_deinit(&track->timer);
    ln_free(track->allocator, track);
}

static void ask_for_key(struct ln_receive_track *track)
{
    ln_rtp_receiver_request_key_frame(track->receiver);
    ln_place_touch(track->engine->config.place);
}

/* The lost frame at the head waits for its follower, which may know what was in it. */
static ln_time lost_waits_until(const struct ln_receive_track *track)
{
    struct ln_frame *const *head = ln_ring_at(&track->frames, 0);

    if (track->kind != LN_MEDIA_AUDIO || track->busy || !head || !(*head)->lost ||
        (*head)->silence || track->frames.count > 1)
        return LN_TIME_NEVER;
    return (*head)->play_time + NEXT_WAIT;
}

static void set_timer(struct ln_receive_track *track)
{
    struct ln_picture *const *picture = ln_ring_at(&track->pictures, 0);

    ln_loop_timer_set(&track->timer, ln_time_min(picture ? (*picture)->play_time : LN_TIME_NEVER,
                                                 lost_waits_until(track)));
}

static void begin_job(struct ln_receive_track *track, ln_time now)
{
    ln_time waits = lost_waits_until(track);
    struct ln_frame *frame, **next;

    if (track->busy || (waits != LN_TIME_NEVER && now < waits) ||
        !ln_ring_pop(&track->frames, &frame)) {
        set_timer(track);
        return;
    }
    next = ln_ring_at(&track->frames, 0);
    track->work.frame = frame;
    track->work.next = next && frame->lost && !(*next)->lost ? ln_frame_ref(*next) : NULL;
    track->busy = ln_workers_submit(track->engine->config.workers,
                                    track->kind == LN_MEDIA_VIDEO ? LN_WORK_PICTURES
                                                                  : LN_WORK_SOUND,
                                    &track->job) == 0;
    if (!track->busy) {
        free_work(track);
        track->dropped++;
        track->needs_key = track->kind == LN_MEDIA_VIDEO;
    }
    set_timer(track);
}

static void show(struct ln_receive_track *track, ln_time now, struct ln_picture *picture)
{
    const struct ln_media_engine_config *config = &track->engine->config;
    struct ln_rtp_decoder_report report = { .frames_rendered = 1,
                                            .width = picture->width,
                                            .height = picture->height };
    int64_t wall_ms = (now + ln_loop_wall_offset(config->loop)) / 1000000;

    ln_video_sink_put(&track->video_sink, picture, now, (uint64_t)wall_ms);
    ln_rtp_receiver_report(track->receiver, &report);
    if (config->picture)
        config->picture(config->ctx, track->receiver, picture, now);
}

static void on_timer(void *ctx, ln_time now)
{
    struct ln_receive_track *track = ctx;
    struct ln_picture *const *head;

    while ((head = ln_ring_at(&track->pictures, 0)) != NULL && (*head)->play_time <= now) {
        struct ln_picture *picture;

        ln_ring_pop(&track->pictures, &picture);
        show(track, now, picture);
        ln_picture_unref(picture);
    }
    begin_job(track, now);
}

static void take_picture(struct ln_receive_track *track)
{
    if (ln_ring_push(&track->pictures, &track->work.picture) != 0) {
        struct ln_picture *oldest;

        track->dropped++;
        if (!ln_ring_pop(&track->pictures, &oldest))
            return;
        ln_picture_unref(oldest);
        if (ln_ring_push(&track->pictures, &track->work.picture) != 0)
            return;
    }
    track->work.picture = NULL;
}

static void take_samples(struct ln_receive_track *track, ln_time now)
{
    const struct ln_media_engine_config *config = &track->engine->config;
    const struct ln_samples *samples = track->work.samples;
    const struct ln_audio_sink *sink = track->work.sink;
    struct ln_rtp_decoder_report report = { .samples_received = samples->count,
                                            .audio_level = track->work.rms };

    report.implementation = track->codec == LN_CODEC_OPUS ? "libopus" : "linnet";
    report.audio_energy = track->work.rms * track->work.rms * samples->count / LN_AUDIO_RATE_HZ;
    if (samples->concealed) {
        report.samples_concealed = samples->count;
        report.samples_silent_concealed = track->work.rms < 1e-4 ? samples->count : 0;
        report.concealment_events = track->heard.concealed == 0 ||
                                    track->heard.samples != sink->samples - samples->count;
    }
    ln_rtp_receiver_report(track->receiver, &report);
    track->heard.level_dbov = sink->level_dbov;
    track->heard.frequency_hz = sink->frequency_hz;
    track->heard.last_beep = sink->beep.last_beep;
    track->heard.samples = sink->samples;
    track->heard.concealed = sink->concealed;
    if (config->samples)
        config->samples(config->ctx, track->receiver, track->work.samples, now);
}

static void count_decoded(struct ln_receive_track *track)
{
    const struct ln_frame *frame = track->work.frame;
    struct ln_rtp_decoder_report report = { .frames_decoded = 1,
                                            .key_frames_decoded = frame->key,
                                            .decode_time = track->work.time,
                                            .width = track->work.picture->width,
                                            .height = track->work.picture->height,
                                            .implementation = "libvpx" };

    track->key_frames += frame->key;
    ln_rtp_receiver_report(track->receiver, &report);
    take_picture(track);
}

static void job_done(struct ln_job *job)
{
    struct ln_receive_track *track = (struct ln_receive_track *)job;
    struct ln_rtp_decoder_report dropped = { .frames_dropped = 1 };
    ln_time now;

    track->busy = false;
    if (!track->engine) {
        free_track(track);
        return;
    }
    now = ln_loop_now(track->engine->config.loop);
    if (track->work.error && track->work.error != LN_ERR_AGAIN) {
        track->dropped++;
        dropped.width = track->video_sink.width;
        dropped.height = track->video_sink.height;
        ln_rtp_receiver_report(track->receiver, &dropped);
        if (track->kind == LN_MEDIA_VIDEO)
            ask_for_key(track);
    } else if (!track->work.error) {
        track->frames_decoded += !track->work.frame->lost;
        track->decode_time += track->work.time;
        if (track->work.picture)
            count_decoded(track);
        else if (track->work.samples)
            take_samples(track, now);
    }
    free_work(track);
    on_timer(track, now);
}

/* The decoder is far behind: what waits is given up, up to the next key frame. */
static void overflow(struct ln_receive_track *track)
{
    track->dropped += track->frames.count;
    drop_frames(track);
    if (track->kind == LN_MEDIA_VIDEO) {
        track->needs_key = true;
        ask_for_key(track);
    }
}

void ln_receive_track_poll(struct ln_receive_track *track, ln_time now)
{
    struct ln_frame *frame;

    while (ln_rtp_receiver_poll_frame(track->receiver, now, &frame) > 0) {
        if (frame->codec != LN_CODEC_NONE)
            track->codec = frame->codec;
        if (track->needs_key && frame->key)
            track->needs_key = false;
        if (track->frames.count >= LN_ENGINE_FRAMES_MAX)
            overflow(track);
        if (track->needs_key || ln_ring_push(&track->frames, &frame) != 0) {
            track->dropped++;
            ln_frame_unref(frame);
        }
    }
    begin_job(track, now);
}

int ln_receive_track_create(struct ln_receive_track **ret_track, struct ln_media_engine *engine,
                            ln_rtp_receiver *receiver, enum ln_media_kind kind)
{
    struct ln_allocator *allocator = engine->config.allocator;
    struct ln_receive_track *track = ln_alloc_zero(allocator, sizeof *track);
    int error = 0;

    if (!track)
        return LN_ERR_NOMEM;
    track->engine = engine;
    track->allocator = allocator;
    track->receiver = receiver;
    track->kind = kind;
    track->job.run = run_job;
    track->job.done = job_done;
    track->heard.level_dbov = -127;
    track->heard.last_beep = LN_TIME_NEVER;
    ln_ring_init(&track->frames, allocator, sizeof(struct ln_frame *), LN_ENGINE_FRAMES_MAX);
    ln_ring_init(&track->pictures, allocator, sizeof(struct ln_picture *), LN_ENGINE_PICTURES_MAX);
    ln_video_sink_init(&track->video_sink, true);
    if (kind == LN_MEDIA_AUDIO) {
        track->work.sink = ln_alloc(allocator, sizeof *track->work.sink);
        if (track->work.sink)
            ln_audio_sink_init(track->work.sink);
        else
            error = LN_ERR_NOMEM;
    }
    if (!error)
        error = ln_loop_timer_init(engine->config.loop, &track->timer, on_timer, track);
    if (error)
        free_track(track);
    else
        *ret_track = track;
    return error;
}

void ln_receive_track_detach(struct ln_receive_track *track)
{
    track->engine = NULL;
    ln_loop_timer_deinit(&track->timer);
    if (!track->busy)
        free_track(track);
}

void ln_receive_track_figures(struct ln_receive_track *track, ln_time now,
                              struct ln_track_figures *ret)
{
    const struct ln_video_sink *seen = &track->video_sink;
    double fps = ln_frame_rate_update(&track->rate, now, track->frames_decoded);

    *ret = (struct ln_track_figures){ .active = track->frames_decoded > 0,
                                      .codec = track->codec,
                                      .frames = track->frames_decoded,
                                      .key_frames = track->key_frames,
                                      .dropped = track->dropped,
                                      .fps = fps,
                                      .width = seen->width,
                                      .height = seen->height,
                                      .numbers_read = seen->read,
                                      .numbers_missing = seen->missing,
                                      .numbers_disordered = seen->disordered,
                                      .last_number = seen->last_number,
                                      .latency_p50_ms = ln_video_sink_latency_ms(seen, 50),
                                      .latency_p95_ms = ln_video_sink_latency_ms(seen, 95),
                                      .samples = track->heard.samples,
                                      .samples_concealed = track->heard.concealed,
                                      .level_dbov = track->heard.level_dbov,
                                      .frequency_hz = track->heard.frequency_hz };
    if (track->frames_decoded > 0)
        ret->codec_ms = (double)track->decode_time / 1e6 / (double)track->frames_decoded;
}
