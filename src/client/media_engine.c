/* SPDX-License-Identifier: Apache-2.0
 * The media engine: which track an event or a call is for. The tracks do the rest. */
#include "client/media_engine.h"

#include "base/alloc.h"
#include "client/media_track.h"

#include <linnet/error.h>

#include <math.h>
#include <time.h>

#define RATE_WINDOW       LN_MILLISECONDS(500)
#define FLASH_TO_BEEP_MAX LN_MILLISECONDS(500) /* further apart they are of two seconds */

ln_time ln_engine_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return LN_SECONDS(t.tv_sec) + t.tv_nsec;
}

double ln_frame_rate_update(struct ln_frame_rate *rate, ln_time now, uint64_t count)
{
    if (rate->since == 0) {
        rate->since = now;
        rate->count = count;
    } else if (now - rate->since >= RATE_WINDOW) {
        rate->fps = (double)(count - rate->count) * 1e9 / (double)(now - rate->since);
        rate->since = now;
        rate->count = count;
    }
    return rate->fps;
}

static bool is_connected(enum ln_peer_connection_state state)
{
    return state == LN_PEER_CONNECTION_STATE_CONNECTED ||
           state == LN_PEER_CONNECTION_STATE_DISCONNECTED;
}

int ln_media_engine_create(struct ln_media_engine **ret_engine,
                           const struct ln_media_engine_config *config)
{
    struct ln_allocator *allocator = config->allocator ? config->allocator : ln_allocator_libc();
    struct ln_media_engine *engine = ln_alloc_zero(allocator, sizeof *engine);

    if (!engine)
        return LN_ERR_NOMEM;
    engine->config = *config;
    engine->config.allocator = allocator;
    engine->connected = is_connected(ln_peer_connection_connection_state(config->pc));
    *ret_engine = engine;
    return 0;
}

void ln_media_engine_free(struct ln_media_engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 0; i < engine->send_count; i++)
        ln_send_track_detach(engine->send[i]);
    for (size_t i = 0; i < engine->receive_count; i++)
        ln_receive_track_detach(engine->receive[i]);
    ln_free(engine->config.allocator, engine);
}

static struct ln_send_track *find_send(const struct ln_media_engine *engine,
                                       const ln_rtp_sender *sender)
{
    for (size_t i = 0; i < engine->send_count; i++)
        if (engine->send[i]->sender == sender)
            return engine->send[i];
    return NULL;
}

static struct ln_receive_track *find_receive(const struct ln_media_engine *engine,
                                             const ln_rtp_receiver *receiver)
{
    for (size_t i = 0; i < engine->receive_count; i++)
        if (engine->receive[i]->receiver == receiver)
            return engine->receive[i];
    return NULL;
}

static bool kind_of_sender(const ln_peer_connection *pc, const ln_rtp_sender *sender,
                           enum ln_media_kind *ret_kind)
{
    for (size_t i = 0; i < ln_peer_connection_transceiver_count(pc); i++) {
        ln_rtp_transceiver *transceiver = ln_peer_connection_transceiver(pc, i);

        if (ln_rtp_transceiver_sender(transceiver) == sender) {
            *ret_kind = ln_rtp_transceiver_kind(transceiver);
            return true;
        }
    }
    return false;
}

/* The track of a sender, made when it is not there. */
static int need_send(struct ln_media_engine *engine, ln_rtp_sender *sender,
                     struct ln_send_track **ret_track)
{
    struct ln_send_track *track = find_send(engine, sender);
    enum ln_media_kind kind;
    int error;

    if (!track) {
        if (engine->send_count == LN_ENGINE_TRACKS_MAX)
            return LN_ERR_LIMIT;
        if (!kind_of_sender(engine->config.pc, sender, &kind))
            return LN_ERR_INVALID_ARGUMENT;
        error = ln_send_track_create(&track, engine, sender, kind);
        if (error)
            return error;
        engine->send[engine->send_count++] = track;
    }
    *ret_track = track;
    return 0;
}

static struct ln_receive_track *need_receive(struct ln_media_engine *engine,
                                             ln_rtp_receiver *receiver)
{
    struct ln_receive_track *track = find_receive(engine, receiver);

    if (track || engine->receive_count == LN_ENGINE_TRACKS_MAX)
        return track;
    if (ln_receive_track_create(&track, engine, receiver,
                                ln_media_stream_track_kind(ln_rtp_receiver_track(receiver))) != 0)
        return NULL;
    engine->receive[engine->receive_count++] = track;
    return track;
}

static void discard_frames(ln_rtp_receiver *receiver, ln_time now)
{
    struct ln_frame *frame;

    while (ln_rtp_receiver_poll_frame(receiver, now, &frame) > 0)
        ln_frame_unref(frame);
}

void ln_media_engine_handle_event(struct ln_media_engine *engine, ln_time now,
                                  const struct ln_event *event)
{
    struct ln_send_track *send;
    struct ln_receive_track *receive;

    switch (event->kind) {
    case LN_EVENT_ENCODER_TARGET: /* may come before the source */
        if (need_send(engine, event->u.encoder_target.sender, &send) == 0)
            ln_send_track_set_target(send, now, &event->u.encoder_target);
        break;
    case LN_EVENT_FRAME:
        receive = need_receive(engine, event->u.receiver);
        if (receive)
            ln_receive_track_poll(receive, now);
        else
            discard_frames(event->u.receiver, now);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        engine->connected = is_connected(event->u.connection_state);
        for (size_t i = 0; i < engine->send_count; i++)
            ln_send_track_connected(engine->send[i], now, engine->connected);
        break;
    default:
        break;
    }
}

int ln_media_engine_set_source(struct ln_media_engine *engine, ln_rtp_sender *sender,
                               const struct ln_media_source *source)
{
    struct ln_send_track *track;
    int error;

    if (source->width > LN_PICTURE_SIDE_MAX || source->height > LN_PICTURE_SIDE_MAX)
        return LN_ERR_RANGE;
    error = need_send(engine, sender, &track);
    if (!error)
        ln_send_track_set_source(track, source);
    return error;
}

int ln_media_engine_push_picture(struct ln_media_engine *engine, ln_rtp_sender *sender,
                                 struct ln_picture *picture)
{
    struct ln_send_track *track = find_send(engine, sender);

    return track ? ln_send_track_push_picture(track, picture) : LN_ERR_INVALID_STATE;
}

int ln_media_engine_push_samples(struct ln_media_engine *engine, ln_rtp_sender *sender,
                                 struct ln_samples *samples)
{
    struct ln_send_track *track = find_send(engine, sender);

    return track ? ln_send_track_push_samples(track, samples) : LN_ERR_INVALID_STATE;
}

bool ln_media_engine_sender_figures(struct ln_media_engine *engine, const ln_rtp_sender *sender,
                                    struct ln_track_figures *ret)
{
    struct ln_send_track *track = find_send(engine, sender);

    if (track)
        ln_send_track_figures(track, ln_loop_now(engine->config.loop), ret);
    return track != NULL;
}

bool ln_media_engine_receiver_figures(struct ln_media_engine *engine,
                                      const ln_rtp_receiver *receiver, struct ln_track_figures *ret)
{
    struct ln_receive_track *track = find_receive(engine, receiver);

    if (track)
        ln_receive_track_figures(track, ln_loop_now(engine->config.loop), ret);
    return track != NULL;
}

double ln_media_engine_flash_to_beep_ms(const struct ln_media_engine *engine)
{
    ln_time flash = LN_TIME_NEVER, beep = LN_TIME_NEVER;

    for (size_t i = 0; i < engine->receive_count; i++) {
        const struct ln_receive_track *track = engine->receive[i];

        if (track->kind == LN_MEDIA_VIDEO && track->video_sink.flash_time != LN_TIME_NEVER)
            flash = track->video_sink.flash_time;
        if (track->kind == LN_MEDIA_AUDIO && track->heard.last_beep != LN_TIME_NEVER)
            beep = track->heard.last_beep;
    }
    if (flash == LN_TIME_NEVER || beep == LN_TIME_NEVER || beep - flash > FLASH_TO_BEEP_MAX ||
        flash - beep > FLASH_TO_BEEP_MAX)
        return NAN;
    return (double)(beep - flash) / 1e6;
}

struct ln_picture *ln_media_engine_latest(const struct ln_media_engine *engine,
                                          const ln_rtp_receiver *receiver)
{
    for (size_t i = 0; i < engine->receive_count; i++) {
        const struct ln_receive_track *track = engine->receive[i];

        if (track->video_sink.latest && (!receiver || track->receiver == receiver))
            return ln_video_sink_latest(&track->video_sink);
    }
    return NULL;
}
