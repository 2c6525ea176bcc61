/* SPDX-License-Identifier: Apache-2.0
 * A participant's connection. Everything happens in after(): events are taken, then what the
 * events and the outside asked for is done by calls that only queue; the loop drives them. */
#include "client/call.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/ring.h"
#include "client/call_figures.h"

#include <linnet/error.h>

#include <string.h>

#define DISCONNECTED_WAIT LN_SECONDS(3)
#define RESTART_FIRST     LN_SECONDS(4)
#define RESTART_LAST      LN_SECONDS(30)
#define ANSWER_WAIT       LN_SECONDS(3) /* for the answer to an offer, while another offer comes */
#define FIGURES_INTERVAL  LN_SECONDS(1)
#define OFFER_WAIT        LN_SECONDS(10)      /* for the other side's first offer */
#define LAST_WORDS        LN_MILLISECONDS(50) /* for the close to leave */

struct text {
    char *text;
    size_t len;
};

struct ln_call {
    struct ln_list ending; /* of the list given to ln_call_end() */
    struct ln_call_config config;
    struct ln_allocator *allocator;
    ln_peer_connection *pc;
    struct ln_place *place;
    struct ln_media_engine *engine;
    ln_media_stream_track *video_track, *audio_track;
    ln_rtp_sender *video_sender, *audio_sender;
    enum ln_peer_connection_state state;
    bool ended;

    /* negotiation */
    bool may_offer; /* the first offer is ours, or has been taken */
    bool offer_due; /* negotiation is needed, and may_offer is not yet */
    bool making_offer, ignore_offer;
    ln_op_id local_op;  /* setLocalDescription under way, 0: none */
    ln_op_id remote_op; /* setRemoteDescription of an offer: an answer follows */
    ln_op_id answer_op; /* setRemoteDescription of an answer: what follows finds it done */
    ln_op_id stats_op;
    ln_time offer_at;
    ln_time offered_at; /* the last offer went out then */

    /* recovery */
    ln_time restart_at;
    ln_duration restart_wait;
    uint32_t restarts;

    ln_data_channel *chat; /* the one we write to; open */
    struct ln_ring texts;  /* struct text */
    struct ln_figures_state figures;
    ln_time figures_at;
    struct ln_loop_timer timer;
};

static ln_time loop_now(const struct ln_call *call)
{
    return ln_loop_now(call->config.loop);
}

static void set_timer(struct ln_call *call)
{
    ln_time at = call->figures_at;

    at = call->offer_at < at ? call->offer_at : at;
    at = call->restart_at < at ? call->restart_at : at;
    ln_loop_timer_set(&call->timer, at);
}

/* ---- negotiation ---- */

static void make_offer(struct ln_call *call)
{
    if (!call->may_offer || call->local_op) {
        call->offer_due = true;
        return;
    }
    call->offer_due = false;
    if (ln_peer_connection_set_local_description(call->pc, NULL, &call->local_op) == 0)
        call->making_offer = true;
    ln_place_touch(call->place);
}

static void local_done(struct ln_call *call, int error)
{
    struct ln_session_description description;
    /* The polite side's offer, which the remote one pushes aside: nobody waits for it. */
    bool overtaken = call->making_offer && call->remote_op != 0;

    call->local_op = 0;
    call->making_offer = false;
    if (!error && !overtaken && ln_peer_connection_local_description(call->pc, &description) &&
        description.sdp) {
        if (description.type == LN_SDP_TYPE_OFFER)
            call->offered_at = loop_now(call);
        call->config.describe(call->config.ctx, call, ln_sdp_type_name(description.type),
                              description.sdp);
    }
    if (call->offer_due &&
        ln_peer_connection_signaling_state(call->pc) == LN_SIGNALING_STATE_STABLE)
        make_offer(call);
}

static void remote_offer_done(struct ln_call *call, int error)
{
    call->remote_op = 0;
    if (error)
        return;
    call->may_offer = true;
    call->offer_at = LN_TIME_NEVER;
    if (ln_peer_connection_set_local_description(call->pc, NULL, &call->local_op) != 0)
        call->local_op = 0;
}

/* Our offer is not answered: the other side could not take it, or never will. */
static bool offer_is_overdue(const struct ln_call *call)
{
    return !call->making_offer &&
           ln_peer_connection_signaling_state(call->pc) == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER &&
           loop_now(call) - call->offered_at >= ANSWER_WAIT;
}

static void take_offer_back(struct ln_call *call)
{
    static const struct ln_session_description rollback = { LN_SDP_TYPE_ROLLBACK, NULL };
    ln_op_id op;

    if (ln_peer_connection_set_local_description(call->pc, &rollback, &op) == 0)
        ln_place_touch(call->place);
}

void ln_call_described(struct ln_call *call, const char *type, const char *sdp)
{
    struct ln_session_description description = { .sdp = sdp };
    bool offer = strcmp(type, "offer") == 0, collision;
    ln_op_id op;

    if (offer)
        description.type = LN_SDP_TYPE_OFFER;
    else if (strcmp(type, "answer") == 0)
        description.type = LN_SDP_TYPE_ANSWER;
    else if (strcmp(type, "pranswer") == 0)
        description.type = LN_SDP_TYPE_PRANSWER;
    else
        return;
    collision = offer && (call->making_offer ||
                          (!call->answer_op && ln_peer_connection_signaling_state(call->pc) !=
                                                   LN_SIGNALING_STATE_STABLE));
    call->ignore_offer = collision && !call->config.polite && !offer_is_overdue(call);
    if (call->ignore_offer)
        return;
    if (ln_peer_connection_set_remote_description(call->pc, &description, &op) != 0)
        return;
    *(offer ? &call->remote_op : &call->answer_op) = op;
    ln_place_touch(call->place);
}

void ln_call_candidate(struct ln_call *call, const struct ln_ice_candidate_init *candidate)
{
    ln_op_id op;

    /* One of an offer that we ignored does not fit, and fails without harm. */
    if (ln_peer_connection_add_ice_candidate(call->pc, candidate, &op) == 0)
        ln_place_touch(call->place);
}

void ln_call_restart_ice(struct ln_call *call)
{
    call->restarts++;
    ln_peer_connection_restart_ice(call->pc);
    ln_place_touch(call->place);
}

/* ---- chat ---- */

static void tell_state(struct ln_call *call)
{
    call->config.state(call->config.ctx, call, call->state, call->chat != NULL);
}

static void send_waiting(struct ln_call *call)
{
    struct text *text;

    while (call->chat && (text = ln_ring_at(&call->texts, 0)) != NULL) {
        int error = ln_data_channel_send_text(call->chat, text->text, text->len);

        if (error == LN_ERR_LIMIT || error == LN_ERR_INVALID_STATE)
            break; /* bufferedamountlow, or another channel, comes */
        ln_free(call->allocator, text->text);
        ln_ring_pop(&call->texts, NULL);
    }
    ln_place_touch(call->place);
}

int ln_call_send_text(struct ln_call *call, const char *text, size_t len)
{
    struct text item = { .text = ln_alloc_text_n(call->allocator, text, len), .len = len };
    int error = item.text ? ln_ring_push(&call->texts, &item) : LN_ERR_NOMEM;

    if (error)
        ln_free(call->allocator, item.text);
    else
        send_waiting(call);
    return error;
}

static void channel_open(struct ln_call *call, ln_data_channel *channel)
{
    if (call->chat || strcmp(ln_data_channel_label(channel), LN_CALL_CHANNEL) != 0)
        return;
    call->chat = channel;
    ln_data_channel_set_buffered_amount_low_threshold(channel, LN_CALL_TEXT_BYTES);
    tell_state(call);
    send_waiting(call);
}

static void channel_closed(struct ln_call *call, ln_data_channel *channel)
{
    bool was_chat = call->chat == channel;

    if (was_chat)
        call->chat = NULL;
    ln_data_channel_release(channel);
    if (was_chat)
        tell_state(call);
}

/* ---- events ---- */

static void connection_state(struct ln_call *call, ln_time now, enum ln_peer_connection_state state)
{
    call->state = state;
    switch (state) {
    case LN_PEER_CONNECTION_STATE_CONNECTED:
        call->restart_at = LN_TIME_NEVER;
        call->restart_wait = RESTART_FIRST;
        break;
    case LN_PEER_CONNECTION_STATE_DISCONNECTED:
        if (call->restart_at == LN_TIME_NEVER)
            call->restart_at = now + DISCONNECTED_WAIT;
        break;
    case LN_PEER_CONNECTION_STATE_FAILED:
        if (call->restart_at == LN_TIME_NEVER || call->restarts == 0)
            call->restart_at = now;
        break;
    default:
        break;
    }
    tell_state(call);
}

static void report_figures(struct ln_call *call, const ln_stats_report *report)
{
    struct ln_participant_figures figures;

    ln_figures_collect(&call->figures, report, call->engine, call->pc, &figures);
    figures.state = call->state;
    figures.ice_restarts = call->restarts;
    call->config.figures(call->config.ctx, call, &figures);
}

static void operation_done(struct ln_call *call, const struct ln_event *event)
{
    ln_op_id op = event->u.operation.op;

    if (op == call->local_op) {
        local_done(call, event->u.operation.error.error);
    } else if (op == call->remote_op) {
        remote_offer_done(call, event->u.operation.error.error);
    } else if (op == call->answer_op) {
        call->answer_op = 0;
    } else if (op == call->stats_op) {
        call->stats_op = 0;
        report_figures(call, event->u.operation.stats);
    }
}

static void handle_event(struct ln_call *call, ln_time now, const struct ln_event *event)
{
    const struct ln_call_config *config = &call->config;

    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        operation_done(call, event);
        break;
    case LN_EVENT_NEGOTIATION_NEEDED:
        make_offer(call);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        if (!event->u.ice_candidate.last)
            config->candidate(config->ctx, call, &event->u.ice_candidate.candidate);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        connection_state(call, now, event->u.connection_state);
        break;
    case LN_EVENT_UNMUTE:
    case LN_EVENT_MUTE:
    case LN_EVENT_ENDED:
        config->track(config->ctx, call, ln_media_stream_track_kind(event->u.track.track),
                      event->kind == LN_EVENT_UNMUTE);
        break;
    case LN_EVENT_OPEN:
        channel_open(call, event->u.channel);
        break;
    case LN_EVENT_CLOSE:
        channel_closed(call, event->u.channel);
        break;
    case LN_EVENT_MESSAGE:
        if (event->u.message.text &&
            strcmp(ln_data_channel_label(event->u.message.channel), LN_CALL_CHANNEL) == 0)
            config->message(config->ctx, call, (const char *)event->u.message.data,
                            event->u.message.len);
        break;
    case LN_EVENT_BUFFERED_AMOUNT_LOW:
        send_waiting(call);
        break;
    default:
        break;
    }
    ln_media_engine_handle_event(call->engine, now, event);
}

static void after(void *ctx, ln_time now)
{
    struct ln_call *call = ctx;
    struct ln_event event;

    while (ln_peer_connection_poll_event(call->pc, &event) > 0)
        if (!call->ended)
            handle_event(call, now, &event);
    if (!call->ended)
        set_timer(call);
}

static void on_timer(void *ctx, ln_time now)
{
    struct ln_call *call = ctx;

    if (call->ended) {
        ln_call_free(call);
        return;
    }
    if (now >= call->offer_at) { /* the other side should have, and did not */
        call->offer_at = LN_TIME_NEVER;
        call->may_offer = true;
        if (call->offer_due)
            make_offer(call);
    }
    if (now >= call->restart_at) {
        if (offer_is_overdue(call))
            take_offer_back(call);
        ln_call_restart_ice(call);
        call->restart_at = now + call->restart_wait;
        call->restart_wait *= 2;
        if (call->restart_wait > RESTART_LAST)
            call->restart_wait = RESTART_LAST;
    }
    if (now >= call->figures_at) {
        call->figures_at = now + FIGURES_INTERVAL;
        ln_peer_connection_set_wall_offset(call->pc, ln_loop_wall_offset(call->config.loop));
        if (!call->stats_op && ln_peer_connection_get_stats(call->pc, NULL, &call->stats_op) == 0)
            ln_place_touch(call->place);
    }
    set_timer(call);
}

/* ---- media ---- */

static void on_picture(void *ctx, ln_rtp_receiver *receiver, struct ln_picture *picture,
                       ln_time now)
{
    struct ln_call *call = ctx;

    (void)receiver;
    (void)now;
    call->config.picture(call->config.ctx, call, picture);
}

static void on_samples(void *ctx, ln_rtp_receiver *receiver, struct ln_samples *samples,
                       ln_time now)
{
    struct ln_call *call = ctx;

    (void)receiver;
    (void)now;
    call->config.samples(call->config.ctx, call, samples);
}

void ln_call_push_picture(struct ln_call *call, struct ln_picture *picture)
{
    if (call->video_sender)
        (void)!ln_media_engine_push_picture(call->engine, call->video_sender, picture);
}

void ln_call_push_samples(struct ln_call *call, struct ln_samples *samples)
{
    if (call->audio_sender) /* when the encoder is behind, this is dropped and counted */
        (void)!ln_media_engine_push_samples(call->engine, call->audio_sender, samples);
}

struct ln_picture *ln_call_latest(const struct ln_call *call)
{
    return ln_media_engine_latest(call->engine, NULL);
}

/* ---- life ---- */

/* A track to send, or a place to receive in. The answering side only adds what it sends: the rest
 * comes with the offer. */
static int add_media(struct ln_call *call, enum ln_media_kind kind,
                     const struct ln_media_source *source, bool receive,
                     ln_media_stream_track **track, ln_rtp_sender **sender)
{
    static const char *const streams[] = { "linnet" };
    struct ln_rtp_transceiver_init init;
    ln_rtp_transceiver *transceiver;
    int error;

    ln_rtp_transceiver_init_init(&init);
    init.direction = LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY;
    if (source->kind == LN_SOURCE_NONE) {
        if (!receive || !call->config.first_offer)
            return 0;
        return ln_peer_connection_add_transceiver(call->pc, kind, NULL, &init, &transceiver);
    }
    error = ln_media_stream_track_create(call->config.env, kind, NULL, track);
    if (!error)
        error = ln_peer_connection_add_track(call->pc, *track, streams, 1, sender);
    if (!error)
        error = ln_media_engine_set_source(call->engine, *sender, source);
    return error;
}

static int start(struct ln_call *call)
{
    const struct ln_call_config *config = &call->config;
    struct ln_media_engine_config engine = { .loop = config->loop,
                                             .workers = config->workers,
                                             .picture = on_picture,
                                             .samples = on_samples,
                                             .ctx = call };
    ln_data_channel *channel;
    int error = ln_loop_timer_init(config->loop, &call->timer, on_timer, call);

    if (!error)
        error = ln_peer_connection_create(config->configuration, config->env, &call->pc);
    if (!error)
        error = ln_place_take(&call->place, config->loop, config->port, call->pc, after, call);
    engine.pc = call->pc;
    engine.place = call->place;
    if (!error)
        error = ln_media_engine_create(&call->engine, &engine);
    if (!error)
        error = add_media(call, LN_MEDIA_AUDIO, &config->audio, config->receive_audio,
                          &call->audio_track, &call->audio_sender);
    if (!error)
        error = add_media(call, LN_MEDIA_VIDEO, &config->video, config->receive_video,
                          &call->video_track, &call->video_sender);
    if (!error && config->first_offer)
        error = ln_peer_connection_create_data_channel(call->pc, LN_CALL_CHANNEL, NULL, &channel);
    if (!error)
        ln_place_touch(call->place);
    return error;
}

int ln_call_create(struct ln_call **ret_call, const struct ln_call_config *config)
{
    struct ln_call *call = ln_alloc_zero(config->env->allocator, sizeof *call);
    ln_time now;
    int error;

    if (!call)
        return LN_ERR_NOMEM;
    ln_list_init(&call->ending);
    call->config = *config;
    call->allocator = config->env->allocator;
    ln_ring_init(&call->texts, call->allocator, sizeof(struct text), LN_CALL_TEXTS_MAX);
    now = loop_now(call);
    call->may_offer = config->first_offer;
    call->offer_at = config->first_offer ? LN_TIME_NEVER : now + OFFER_WAIT;
    call->figures_at = now + FIGURES_INTERVAL;
    call->restart_at = LN_TIME_NEVER;
    call->restart_wait = RESTART_FIRST;
    error = start(call);
    call->config.configuration = NULL;
    if (error) {
        ln_call_free(call);
        return error;
    }
    set_timer(call);
    *ret_call = call;
    return 0;
}

void ln_call_end(struct ln_call *call, struct ln_list *ending)
{
    call->ended = true;
    ln_media_engine_free(call->engine);
    call->engine = NULL;
    ln_peer_connection_close(call->pc);
    ln_place_touch(call->place);
    ln_list_append(ending, &call->ending);
    ln_loop_timer_set(&call->timer, loop_now(call) + LAST_WORDS);
}

void ln_call_free_ended(struct ln_list *ending)
{
    while (!ln_list_empty(ending))
        ln_call_free(LN_CONTAINER(ending->next, struct ln_call, ending));
}

void ln_call_free(struct ln_call *call)
{
    struct text text;

    if (!call)
        return;
    ln_list_remove(&call->ending);
    ln_media_engine_free(call->engine);
    ln_loop_timer_deinit(&call->timer);
    ln_place_leave(call->place);
    ln_peer_connection_free(call->pc);
    ln_media_stream_track_unref(call->video_track);
    ln_media_stream_track_unref(call->audio_track);
    while (ln_ring_pop(&call->texts, &text))
        ln_free(call->allocator, text.text);
    ln_ring_deinit(&call->texts);
    ln_free(call->allocator, call);
}
