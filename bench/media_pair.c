/* SPDX-License-Identifier: Apache-2.0
 * Two connections that negotiate by handing each other's events over. */
#include "bench/media_pair.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

static void keep_error(struct media_pair *pair, int error)
{
    if (!pair->error)
        pair->error = error;
}

static void operation_done(struct media_side *side, const struct ln_event *event)
{
    struct ln_session_description description;
    ln_op_id op = event->u.operation.op;
    bool answer;

    keep_error(side->pair, event->u.operation.error.error);
    if (op == side->local_op && ln_peer_connection_local_description(side->pc, &description)) {
        answer = description.type == LN_SDP_TYPE_ANSWER;
        keep_error(side->pair,
                   ln_peer_connection_set_remote_description(side->other->pc, &description, &op));
        side->other->remote_op = answer ? 0 : op;
        ln_place_touch(side->other->place);
    } else if (op == side->remote_op) {
        keep_error(side->pair,
                   ln_peer_connection_set_local_description(side->pc, NULL, &side->local_op));
    }
}

static void hand_candidate(struct media_side *side, const struct ln_event *event)
{
    const struct ln_ice_candidate *candidate = &event->u.ice_candidate.candidate;
    struct ln_ice_candidate_init init = { .candidate = candidate->candidate,
                                          .sdp_mid = candidate->sdp_mid,
                                          .sdp_m_line_index = candidate->sdp_m_line_index,
                                          .username_fragment = candidate->username_fragment };
    ln_op_id op;

    if (event->u.ice_candidate.last)
        return;
    keep_error(side->pair, ln_peer_connection_add_ice_candidate(side->other->pc, &init, &op));
    ln_place_touch(side->other->place);
}

static void after(void *ctx, ln_time now)
{
    struct media_side *side = ctx;
    struct ln_event event;

    while (ln_peer_connection_poll_event(side->pc, &event) > 0) {
        if (event.kind == LN_EVENT_OPERATION_DONE)
            operation_done(side, &event);
        else if (event.kind == LN_EVENT_ICE_CANDIDATE)
            hand_candidate(side, &event);
        else if (event.kind == LN_EVENT_CONNECTION_STATE_CHANGE)
            side->connected = event.u.connection_state == LN_PEER_CONNECTION_STATE_CONNECTED;
        else if (event.kind == LN_EVENT_TRACK &&
                 ln_media_stream_track_kind(event.u.track.track) == LN_MEDIA_VIDEO)
            side->video_receiver = event.u.track.receiver;
        else if (event.kind == LN_EVENT_TRACK)
            side->audio_receiver = event.u.track.receiver;
        ln_media_engine_handle_event(side->engine, now, &event);
    }
}

static void on_picture(void *ctx, ln_rtp_receiver *receiver, struct ln_picture *picture,
                       ln_time now)
{
    struct media_side *side = ctx;

    (void)receiver;
    if (side->pair->picture)
        side->pair->picture(side->pair->ctx, picture, now);
}

static void on_samples(void *ctx, ln_rtp_receiver *receiver, struct ln_samples *samples,
                       ln_time now)
{
    struct media_side *side = ctx;

    (void)receiver;
    if (side->pair->samples)
        side->pair->samples(side->pair->ctx, samples, now);
}

static int open_side(struct media_pair *pair, struct media_side *side, struct media_side *other)
{
    struct ln_media_engine_config engine = { .loop = pair->loop,
                                             .workers = pair->workers,
                                             .picture = on_picture,
                                             .samples = on_samples,
                                             .ctx = side };
    struct ln_configuration configuration;
    int error;

    ln_configuration_init(&configuration);
    configuration.include_loopback = true;
    configuration.start_bitrate_bps = 1500000;
    configuration.wall_offset = ln_loop_wall_offset(pair->loop);
    side->pair = pair;
    side->other = other;
    error = ln_peer_connection_create(&configuration, ln_driver_env(pair->driver), &side->pc);
    if (!error)
        error = ln_place_take(&side->place, pair->loop, NULL, side->pc, after, side);
    engine.pc = side->pc;
    engine.place = side->place;
    return error ? error : ln_media_engine_create(&side->engine, &engine);
}

static int add_source(struct media_side *side, enum ln_media_kind kind,
                      const struct ln_media_source *source, ln_media_stream_track **track,
                      ln_rtp_sender **sender)
{
    int error;

    if (source->kind == LN_SOURCE_NONE)
        return 0;
    error = ln_media_stream_track_create(ln_driver_env(side->pair->driver), kind, NULL, track);
    if (!error)
        error = ln_peer_connection_add_track(side->pc, *track, NULL, 0, sender);
    return error ? error : ln_media_engine_set_source(side->engine, *sender, source);
}

int media_pair_open(struct media_pair *pair, const struct ln_media_source *video,
                    const struct ln_media_source *audio)
{
    struct media_side *sender = &pair->sender;
    int error;

    memset(pair, 0, sizeof *pair);
    error = ln_driver_create(&pair->driver);
    if (error)
        return error;
    pair->loop = ln_driver_loop(pair->driver);
    error = ln_workers_create(&pair->workers, pair->loop, 0, ln_allocator_libc());
    if (!error)
        error = open_side(pair, sender, &pair->receiver);
    if (!error)
        error = open_side(pair, &pair->receiver, sender);
    if (!error)
        error = add_source(sender, LN_MEDIA_AUDIO, audio, &sender->audio_track,
                           &sender->audio_sender);
    if (!error)
        error = add_source(sender, LN_MEDIA_VIDEO, video, &sender->video_track,
                           &sender->video_sender);
    if (!error)
        error = ln_peer_connection_set_local_description(sender->pc, NULL, &sender->local_op);
    if (!error)
        ln_place_touch(sender->place);
    return error;
}

static void close_side(struct media_side *side)
{
    ln_media_engine_free(side->engine);
    ln_place_leave(side->place);
    ln_peer_connection_free(side->pc);
    ln_media_stream_track_unref(side->video_track);
    ln_media_stream_track_unref(side->audio_track);
}

void media_pair_close(struct media_pair *pair)
{
    close_side(&pair->sender);
    close_side(&pair->receiver);
    ln_workers_free(pair->workers);
    ln_driver_free(pair->driver);
}

bool media_pair_run(struct media_pair *pair, bool (*done)(struct media_pair *pair),
                    ln_duration limit)
{
    ln_time now = ln_loop_now(pair->loop), deadline = now + limit;

    while (!done(pair)) {
        now = ln_loop_now(pair->loop);
        if (pair->error || now >= deadline || ln_loop_run_once(pair->loop, deadline - now) != 0)
            return false;
    }
    return true;
}

void media_pair_figures(struct media_pair *pair, struct ln_track_figures *ret_video,
                        struct ln_track_figures *ret_audio)
{
    struct media_side *side = &pair->receiver;

    memset(ret_video, 0, sizeof *ret_video);
    memset(ret_audio, 0, sizeof *ret_audio);
    if (side->video_receiver)
        ln_media_engine_receiver_figures(side->engine, side->video_receiver, ret_video);
    if (side->audio_receiver)
        ln_media_engine_receiver_figures(side->engine, side->audio_receiver, ret_audio);
}
