/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer on a peer connection: creating and applying descriptions (RFC 8829, 5;
 * W3C 4.4.1.5 and 4.4.1.6).
 *
 * Applying goes in one order: check everything that can be refused, then change objects, then
 * states and events. What runs out of memory half-way fails the operation and leaves the signalling
 * state. */
#include "peer/negotiation.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "peer/peer_connection.h"

#include <stdlib.h>
#include <string.h>

void ln_negotiation_init(struct ln_peer_connection *pc)
{
    /* 62 bits: the session id is below 2^63 (RFC 8829, 5.2.1). */
    pc->negotiation.session_id = ln_rng_u64(pc->env.rng) >> 2;
    pc->negotiation.session_version = 1;
}

static void drop(struct ln_description **description)
{
    ln_description_free(*description);
    *description = NULL;
}

void ln_negotiation_deinit(struct ln_peer_connection *pc)
{
    struct ln_negotiation *n = &pc->negotiation;

    drop(&n->created_offer);
    drop(&n->created_answer);
    drop(&n->pending_local);
    drop(&n->pending_remote);
    drop(&n->current_local);
    drop(&n->current_remote);
}

struct ln_description *ln_negotiation_local(const struct ln_peer_connection *pc)
{
    return pc->negotiation.pending_local ? pc->negotiation.pending_local
                                         : pc->negotiation.current_local;
}

struct ln_description *ln_negotiation_remote(const struct ln_peer_connection *pc)
{
    return pc->negotiation.pending_remote ? pc->negotiation.pending_remote
                                          : pc->negotiation.current_remote;
}

/* --- making descriptions */

static int make(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                struct ln_description **slot)
{
    struct ln_jsep_state state = ln_sections_state(pc);
    struct ln_description *made;
    struct ln_jsep_local local;
    int error;

    made = ln_description_create(pc->env.allocator, purpose == LN_SECTIONS_FOR_OFFER
                                                        ? LN_SDP_TYPE_OFFER
                                                        : LN_SDP_TYPE_ANSWER);
    if (!made)
        return LN_ERR_NOMEM;
    error = ln_sections_build(pc, purpose, &made->arena, &local);
    if (!error) {
        local.session_version++;
        error = purpose == LN_SECTIONS_FOR_OFFER
                    ? ln_jsep_create_offer(&local, &state, &made->arena, &made->sdp)
                    : ln_jsep_create_answer(&local, pc->negotiation.pending_remote->sdp,
                                            &made->arena, &made->sdp);
    }
    if (error) {
        ln_description_free(made);
        return error;
    }
    drop(slot);
    *slot = made;
    return 0;
}

static int make_offer(struct ln_peer_connection *pc, bool ice_restart)
{
    int error = 0;

    if (ice_restart || pc->negotiation.ice_restart)
        error = ln_transport_restart(pc);
    return error ? error : make(pc, LN_SECTIONS_FOR_OFFER, &pc->negotiation.created_offer);
}

static void give(struct ln_peer_connection *pc, struct ln_description *made,
                 struct ln_operation_result *result)
{
    const char *text = ln_description_text(made);

    result->text = text ? ln_alloc_text(pc->env.allocator, text) : NULL;
    if (!result->text) {
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
        return;
    }
    result->description.type = made->type;
    result->description.sdp = result->text;
}

void ln_negotiation_create_offer(struct ln_peer_connection *pc, ln_time now,
                                 struct ln_operation *operation, struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;
    int error;

    (void)now;
    if (state != LN_SIGNALING_STATE_STABLE && state != LN_SIGNALING_STATE_HAVE_LOCAL_OFFER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "an offer cannot be made in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    error = make_offer(pc, operation->ice_restart);
    if (error)
        ln_operation_fail(pc, result, error, "the offer could not be made: %s",
                          ln_error_sentence(error));
    else
        give(pc, pc->negotiation.created_offer, result);
}

void ln_negotiation_create_answer(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;
    int error;

    (void)now;
    (void)operation;
    if (state != LN_SIGNALING_STATE_HAVE_REMOTE_OFFER &&
        state != LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "an answer cannot be made in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    error = make(pc, LN_SECTIONS_FOR_ANSWER, &pc->negotiation.created_answer);
    if (error)
        ln_operation_fail(pc, result, error, "the answer could not be made: %s",
                          ln_error_sentence(error));
    else
        give(pc, pc->negotiation.created_answer, result);
}

/* --- what both sides agreed */

static void agree_media(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                        const struct ln_jsep_agreed *agreed, bool final)
{
    if (agreed->rejected) {
        if (final)
            ln_transceiver_stop_now(t, true);
        return;
    }
    t->has_current = true;
    t->current_direction = ln_direction_from_sdp(agreed->direction);
    if (ln_direction_sends(t->current_direction))
        t->ever_sent = true;
    ln_media_agree(pc, t, agreed);
}

/* Takes what a pair of descriptions settles into the objects. */
static int settle(struct ln_peer_connection *pc, const struct ln_sdp *local,
                  const struct ln_sdp *remote, bool local_offered, bool final)
{
    bool transport_done = false;
    struct ln_arena arena;
    size_t i;
    int error = 0;

    ln_arena_init(&arena, pc->env.allocator, LN_SDP_ARENA_BYTES);
    for (i = 0; i < remote->media_count && i < local->media_count && !error; i++) {
        ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)i);
        struct ln_jsep_agreed agreed;

        error = ln_jsep_negotiate(local, remote, local_offered, i, &arena, &agreed);
        if (error)
            break;
        if (!agreed.rejected && !transport_done) {
            transport_done = true;
            error = ln_transport_set_remote_dtls(pc, &agreed);
            if (error)
                break;
        }
        if (t)
            agree_media(pc, t, &agreed, final);
        else if (pc->data.m_line == (int)i && agreed.rejected)
            ln_data_refuse(pc);
        else if (pc->data.m_line == (int)i)
            error = ln_data_agree(pc, &agreed);
    }
    ln_arena_deinit(&arena);
    return error;
}

/* An exchange is over: this is where a rollback goes back to. */
static void keep_as_stable(struct ln_peer_connection *pc)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        memcpy(t->stable_mid, t->mid, sizeof t->stable_mid);
        t->stable_line = t->m_line;
        t->stable_fired_receiving = t->fired_receiving;
        t->made_by_remote_offer = false;
        if (t->stopping && !t->stopped && t->m_line >= 0 &&
            ln_sdp_is_rejected(&pc->negotiation.current_local->sdp->media[t->m_line]))
            ln_transceiver_stop_now(t, true);
    }
    pc->data.stable_line = pc->data.m_line;
    pc->negotiation.needed = false;
    pc->negotiation.check_needed = true;
}

static void fire_tracks(struct ln_peer_connection *pc)
{
    size_t i, s;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];
        struct ln_event event = { .kind = LN_EVENT_TRACK };
        const char **ids;

        if (!t->track_due)
            continue;
        t->track_due = false;
        ids = ln_alloc_array(pc->env.allocator, LN_STREAM_IDS_MAX, sizeof *ids);
        for (s = 0; ids && s < t->receiver.streams.count; s++)
            ids[s] = t->receiver.streams.id[s];
        event.u.track.transceiver = t;
        event.u.track.receiver = &t->receiver;
        event.u.track.track = t->receiver.track;
        event.u.track.stream_ids = ids;
        event.u.track.stream_count = ids ? t->receiver.streams.count : 0;
        ln_events_push(&pc->events, &event, ids);
    }
}

/* --- rollback */

static void roll_back(struct ln_peer_connection *pc)
{
    struct ln_negotiation *n = &pc->negotiation;
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        memcpy(t->mid, t->stable_mid, sizeof t->mid);
        t->m_line = t->stable_line;
        t->offered_line = -1;
        t->track_due = false;
        if (t->fired_receiving && !t->stable_fired_receiving)
            ln_media_mute(pc, t);
        t->fired_receiving = t->stable_fired_receiving;
        if (t->made_by_remote_offer && t->stable_line < 0)
            ln_transceiver_stop_now(t, true);
        else if (!t->stopped)
            ln_media_update(pc, t);
    }
    pc->data.m_line = pc->data.stable_line;
    if (pc->data.m_line < 0 && pc->data.handle_count == 0)
        pc->data.wanted = false;
    (void)ln_ice_rollback(pc->transport.ice);
    drop(&n->pending_local);
    drop(&n->pending_remote);
    drop(&n->created_answer);
    n->state = LN_SIGNALING_STATE_STABLE;
    n->needed = false;
    n->check_needed = true;
}

static void do_rollback(struct ln_peer_connection *pc, struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;

    if (state != LN_SIGNALING_STATE_HAVE_LOCAL_OFFER &&
        state != LN_SIGNALING_STATE_HAVE_REMOTE_OFFER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "there is no offer to roll back in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    roll_back(pc);
    ln_states_update(pc);
}

/* --- local descriptions */

static void associate_offered(struct ln_peer_connection *pc, const struct ln_sdp *offer)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->stopped || t->offered_line < 0 || (size_t)t->offered_line >= offer->media_count)
            continue;
        t->m_line = t->offered_line;
        strncpy(t->mid, offer->media[t->m_line].mid, sizeof t->mid - 1);
        ln_media_expect(pc, t, offer);
    }
    for (i = 0; i < offer->media_count && pc->data.m_line < 0 && pc->data.wanted; i++)
        if (offer->media[i].kind == LN_SDP_APPLICATION && !ln_sdp_is_rejected(&offer->media[i]))
            pc->data.m_line = (int)i;
}

/* The signalling state that a description leads to, or that it must not come now (CLOSED). */
static enum ln_signaling_state next_state(enum ln_signaling_state state, bool local,
                                          enum ln_sdp_type type)
{
    enum ln_signaling_state own_offer = local ? LN_SIGNALING_STATE_HAVE_LOCAL_OFFER
                                              : LN_SIGNALING_STATE_HAVE_REMOTE_OFFER;
    enum ln_signaling_state their_offer = local ? LN_SIGNALING_STATE_HAVE_REMOTE_OFFER
                                                : LN_SIGNALING_STATE_HAVE_LOCAL_OFFER;
    enum ln_signaling_state provisional = local ? LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER
                                                : LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER;

    if (type == LN_SDP_TYPE_OFFER)
        return state == LN_SIGNALING_STATE_STABLE || state == own_offer ? own_offer
                                                                        : LN_SIGNALING_STATE_CLOSED;
    if (state != their_offer && state != provisional)
        return LN_SIGNALING_STATE_CLOSED;
    return type == LN_SDP_TYPE_PRANSWER ? provisional : LN_SIGNALING_STATE_STABLE;
}

static bool refuse_state(struct ln_peer_connection *pc, bool local, enum ln_sdp_type type,
                         struct ln_operation_result *result)
{
    if (next_state(pc->negotiation.state, local, type) != LN_SIGNALING_STATE_CLOSED)
        return false;
    ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                      "a %s %s cannot be set in the signaling state %s", local ? "local" : "remote",
                      ln_sdp_type_name(type), ln_signaling_state_name(pc->negotiation.state));
    return true;
}

static void fail_sdp(struct ln_peer_connection *pc, struct ln_operation_result *result, int error,
                     const struct ln_sdp_error *why)
{
    if (error == LN_ERR_SYNTAX || error == LN_ERR_LIMIT) {
        /* W3C: an SDP syntax error is an OperationError with this detail. */
        ln_operation_fail(pc, result, LN_ERR_OPERATION, "%s%s", why->reason,
                          why->line ? "" : " (no line)");
        result->error.detail = LN_ERROR_DETAIL_SDP_SYNTAX_ERROR;
        result->error.sdp_line_number = (int32_t)why->line;
        return;
    }
    ln_operation_fail(pc, result, error, "%s",
                      why->reason[0] ? why->reason : ln_error_sentence(error));
}

/* The description to apply: made now when the application gave no text, else its text, which must
 * be what was created with no more than the usual changes. */
static struct ln_description *local_to_apply(struct ln_peer_connection *pc,
                                             struct ln_operation *operation, enum ln_sdp_type type,
                                             struct ln_operation_result *result)
{
    struct ln_negotiation *n = &pc->negotiation;
    struct ln_description **created = type == LN_SDP_TYPE_OFFER ? &n->created_offer
                                                                : &n->created_answer;
    struct ln_sdp_error why = { 0, 0, "" };
    struct ln_description *description = NULL;
    enum ln_jsep_type jsep_type = type == LN_SDP_TYPE_OFFER    ? LN_JSEP_OFFER
                                  : type == LN_SDP_TYPE_ANSWER ? LN_JSEP_ANSWER
                                                               : LN_JSEP_PRANSWER;
    int error;

    if (!operation->text || !operation->text[0]) {
        error = type == LN_SDP_TYPE_OFFER ? make_offer(pc, false)
                                          : make(pc, LN_SECTIONS_FOR_ANSWER, created);
        if (error) {
            ln_operation_fail(pc, result, error, "the description could not be made: %s",
                              ln_error_sentence(error));
            return NULL;
        }
        description = *created;
        description->type = type;
        *created = NULL;
        return description;
    }
    if (!*created) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_MODIFICATION,
                          "the %s was not made by this peer connection", ln_sdp_type_name(type));
        return NULL;
    }
    error = ln_description_parse(pc->env.allocator, type, operation->text, &description, &why);
    if (!error)
        error = ln_jsep_validate_local(jsep_type, description->sdp, (*created)->sdp, &why);
    if (error) {
        ln_description_free(description);
        fail_sdp(pc, result, error, &why);
        return NULL;
    }
    return description;
}

static int apply_local(struct ln_peer_connection *pc, struct ln_description *description)
{
    struct ln_negotiation *n = &pc->negotiation;
    int error = 0;

    if (description->type == LN_SDP_TYPE_OFFER) {
        ln_transport_set_first_role(pc, true);
        drop(&n->pending_local);
        n->pending_local = description;
        associate_offered(pc, description->sdp);
        n->ice_restart = false;
    } else {
        struct ln_description *remote = ln_negotiation_remote(pc);
        bool final = description->type == LN_SDP_TYPE_ANSWER;

        error = settle(pc, description->sdp, remote->sdp, false, final);
        if (error)
            return error;
        drop(&n->pending_local);
        if (final) {
            drop(&n->current_local);
            drop(&n->current_remote);
            n->current_local = description;
            n->current_remote = n->pending_remote;
            n->pending_remote = NULL;
            n->local_offered = false;
        } else {
            n->pending_local = description;
        }
    }
    n->session_version = strtoull(description->sdp->session_version, NULL, 10);
    ln_transport_gather(pc);
    return error;
}

void ln_negotiation_set_local(struct ln_peer_connection *pc, ln_time now,
                              struct ln_operation *operation, struct ln_operation_result *result)
{
    struct ln_negotiation *n = &pc->negotiation;
    enum ln_sdp_type type = operation->type;
    struct ln_description *description;
    enum ln_signaling_state next;
    int error;

    (void)now;
    if (type == LN_SDP_TYPE_IMPLICIT)
        type = n->state == LN_SIGNALING_STATE_STABLE ||
                       n->state == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER ||
                       n->state == LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER
                   ? LN_SDP_TYPE_OFFER
                   : LN_SDP_TYPE_ANSWER;
    if (type == LN_SDP_TYPE_ROLLBACK) {
        do_rollback(pc, result);
        return;
    }
    if (refuse_state(pc, true, type, result))
        return;
    description = local_to_apply(pc, operation, type, result);
    if (!description)
        return;
    next = next_state(n->state, true, type);
    error = apply_local(pc, description);
    if (error) {
        ln_description_free(description);
        ln_operation_fail(pc, result, error, "the local description could not be applied: %s",
                          ln_error_sentence(error));
        return;
    }
    n->state = next;
    if (next == LN_SIGNALING_STATE_STABLE)
        keep_as_stable(pc);
    ln_states_update(pc);
}

/* --- remote descriptions */

static void take_remote_streams(ln_rtp_receiver *receiver, const struct ln_sdp_media *media)
{
    size_t i;

    receiver->streams.count = 0;
    for (i = 0; i < media->msid_count && receiver->streams.count < LN_STREAM_IDS_MAX; i++)
        if (strcmp(media->msids[i].stream, "-") != 0 && ln_msid_valid(media->msids[i].stream))
            strcpy(receiver->streams.id[receiver->streams.count++], media->msids[i].stream);
    if (media->msid_count == 0 && media->ssrc_count > 0 && media->ssrcs[0].msid.stream &&
        ln_msid_valid(media->ssrcs[0].msid.stream))
        strcpy(receiver->streams.id[receiver->streams.count++], media->ssrcs[0].msid.stream);
}

/* Whether the other side now sends to us: a track event, or the track falls silent. */
static void note_remote_direction(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                                  const struct ln_sdp_media *media)
{
    bool receives = !ln_sdp_is_rejected(media) && (media->direction & LN_SDP_SENDONLY) &&
                    !t->stopping;

    take_remote_streams(&t->receiver, media);
    if (receives && !t->fired_receiving)
        t->track_due = true;
    if (!receives && t->fired_receiving)
        ln_media_mute(pc, t);
    t->fired_receiving = receives;
}

/* The transceiver of an offered section: the associated one, one that addTrack() made, or a new
 * one (RFC 8829, 5.10). */
static int adopt(struct ln_peer_connection *pc, const struct ln_sdp_media *media, size_t line,
                 ln_rtp_transceiver **ret_transceiver)
{
    enum ln_media_kind kind = media->kind == LN_SDP_AUDIO ? LN_MEDIA_AUDIO : LN_MEDIA_VIDEO;
    ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)line);
    size_t i;
    int error;

    if (t && strcmp(t->mid, media->mid) != 0) { /* the place was recycled */
        ln_transceiver_stop_now(t, true);
        t = NULL;
    }
    for (i = 0; i < pc->transceiver_count && !t && (media->direction & LN_SDP_RECVONLY); i++) {
        ln_rtp_transceiver *candidate = pc->transceivers[i];

        if (candidate->kind == kind && candidate->added_by_track && candidate->m_line < 0 &&
            !candidate->stopping)
            t = candidate;
    }
    if (!t) {
        error = ln_transceiver_create(pc, kind, NULL, LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY, &t);
        if (error)
            return error;
        t->made_by_remote_offer = true;
    }
    t->m_line = (int)line;
    strncpy(t->mid, media->mid, sizeof t->mid - 1);
    *ret_transceiver = t;
    return 0;
}

static int adopt_offer(struct ln_peer_connection *pc, const struct ln_sdp *offer)
{
    size_t i;
    int error = 0;

    for (i = 0; i < offer->media_count && !error; i++) {
        const struct ln_sdp_media *media = &offer->media[i];
        ln_rtp_transceiver *t = NULL;

        if (ln_sdp_is_data(media)) {
            if (pc->data.m_line < 0 && !ln_sdp_is_rejected(media)) {
                pc->data.m_line = (int)i;
                pc->data.wanted = true;
            }
            continue;
        }
        if (!ln_sdp_is_rtp(media) || (media->kind != LN_SDP_AUDIO && media->kind != LN_SDP_VIDEO))
            continue;
        if (ln_sdp_is_rejected(media)) {
            t = ln_transceiver_of_line(pc, (int)i);
            if (t)
                t->stopping = true; /* stopped when the answer is applied */
        } else {
            error = adopt(pc, media, i, &t);
        }
        if (t)
            note_remote_direction(pc, t, media);
    }
    return error;
}

/* The section whose transport is ours in a remote description. */
static size_t transport_section(const struct ln_sdp *sdp)
{
    size_t i;

    for (i = 0; i < sdp->media_count; i++)
        if (!ln_sdp_is_rejected(&sdp->media[i]))
            return ln_jsep_transport_section(sdp, i);
    return 0;
}

static bool has_transport(const struct ln_sdp *sdp)
{
    size_t i;

    for (i = 0; i < sdp->media_count; i++)
        if (!ln_sdp_is_rejected(&sdp->media[i]))
            return true;
    return false;
}

static int apply_remote(struct ln_peer_connection *pc, struct ln_description *description)
{
    struct ln_negotiation *n = &pc->negotiation;
    bool final = description->type == LN_SDP_TYPE_ANSWER;
    size_t i;
    int error = 0;

    if (description->type == LN_SDP_TYPE_OFFER) {
        ln_transport_set_first_role(pc, false);
        error = adopt_offer(pc, description->sdp);
    }
    if (!error && has_transport(description->sdp))
        error = ln_transport_set_remote_ice(pc, description->sdp,
                                            transport_section(description->sdp));
    if (!error && description->type != LN_SDP_TYPE_OFFER)
        error = settle(pc, ln_negotiation_local(pc)->sdp, description->sdp, true, final);
    if (error)
        return error;
    if (description->type != LN_SDP_TYPE_OFFER)
        for (i = 0; i < description->sdp->media_count; i++) {
            ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)i);

            if (t)
                note_remote_direction(pc, t, &description->sdp->media[i]);
        }
    drop(&n->pending_remote);
    if (final) {
        drop(&n->current_local);
        drop(&n->current_remote);
        n->current_local = n->pending_local;
        n->pending_local = NULL;
        n->current_remote = description;
        n->local_offered = true;
    } else {
        n->pending_remote = description;
    }
    return 0;
}

static int check_remote(struct ln_peer_connection *pc, const struct ln_description *description,
                        struct ln_sdp_error *why)
{
    struct ln_jsep_state state = ln_sections_state(pc);
    enum ln_jsep_type type = description->type == LN_SDP_TYPE_OFFER    ? LN_JSEP_OFFER
                             : description->type == LN_SDP_TYPE_ANSWER ? LN_JSEP_ANSWER
                                                                       : LN_JSEP_PRANSWER;
    const struct ln_sdp *offer = type == LN_JSEP_OFFER ? NULL : ln_negotiation_local(pc)->sdp;

    return ln_jsep_validate_remote(type, description->sdp, offer, &state, why);
}

void ln_negotiation_set_remote(struct ln_peer_connection *pc, ln_time now,
                               struct ln_operation *operation, struct ln_operation_result *result)
{
    struct ln_negotiation *n = &pc->negotiation;
    struct ln_description *description = NULL;
    struct ln_sdp_error why = { 0, 0, "" };
    enum ln_signaling_state next;
    bool glare = operation->type == LN_SDP_TYPE_OFFER &&
                 n->state == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER;
    int error;

    (void)now;
    if (operation->type == LN_SDP_TYPE_ROLLBACK) {
        do_rollback(pc, result);
        return;
    }
    if (!glare && refuse_state(pc, false, operation->type, result))
        return;
    error = ln_description_parse(pc->env.allocator, operation->type,
                                 operation->text ? operation->text : "", &description, &why);
    if (!error)
        error = check_remote(pc, description, &why);
    if (error) {
        ln_description_free(description);
        fail_sdp(pc, result, error, &why);
        return;
    }
    if (glare) /* an offer over our own one rolls that back (W3C 4.4.1.6) */
        roll_back(pc);
    next = next_state(n->state, false, operation->type);
    error = apply_remote(pc, description);
    if (error) {
        ln_description_free(description);
        ln_operation_fail(pc, result, error, "the remote description could not be applied: %s",
                          ln_error_sentence(error));
        if (error == LN_ERR_FINGERPRINT)
            result->error.detail = LN_ERROR_DETAIL_FINGERPRINT_FAILURE;
        return;
    }
    n->state = next;
    if (next == LN_SIGNALING_STATE_STABLE)
        keep_as_stable(pc);
    ln_states_update(pc);
    fire_tracks(pc);
}

/* --- candidates */

static int section_of_candidate(const struct ln_sdp *remote, const struct ln_operation *operation)
{
    if (operation->mid)
        return ln_sdp_find_mid(remote, operation->mid);
    if (operation->m_line_index >= 0 && (size_t)operation->m_line_index < remote->media_count)
        return operation->m_line_index;
    return -1;
}

void ln_negotiation_add_candidate(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result)
{
    struct ln_description *remote = ln_negotiation_remote(pc);
    const struct ln_sdp *sdp;
    const char *ufrag;
    int section, error;

    (void)now;
    if (!remote) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE, "there is no remote description yet");
        return;
    }
    sdp = remote->sdp;
    if (operation->end_of_candidates) {
        ln_ice_end_of_candidates(pc->transport.ice);
        return;
    }
    section = section_of_candidate(sdp, operation);
    if (section < 0) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION,
                          "the remote description has no such section");
        return;
    }
    ufrag = ln_sdp_ufrag(sdp, &sdp->media[section]);
    if (operation->username_fragment && strcmp(operation->username_fragment, ufrag) != 0) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION,
                          "the candidate's username fragment is not the section's");
        return;
    }
    if (!operation->text || !operation->text[0]) {
        if ((size_t)section == transport_section(sdp))
            ln_ice_end_of_candidates(pc->transport.ice);
        return;
    }
    if (ln_jsep_transport_section(sdp, (size_t)section) != (size_t)section) {
        struct ln_candidate parsed; /* bundled: checked for its form only */

        error = ln_candidate_parse(operation->text, strlen(operation->text), &parsed);
    } else {
        error = ln_ice_add_remote_candidate_text(pc->transport.ice, operation->text,
                                                 strlen(operation->text));
    }
    if (error == LN_ERR_NOT_SUPPORTED || error == LN_ERR_LIMIT || error == LN_ERR_NOT_FOUND)
        error = 0; /* passed over and counted below */
    if (error) {
        ln_operation_fail(pc, result, LN_ERR_OPERATION, "the candidate could not be added: %s",
                          ln_error_sentence(error));
        return;
    }
    if (ln_sdp_add_candidate(remote->sdp, &remote->arena, (size_t)section, operation->text) == 0)
        ln_description_touch(remote);
}

void ln_negotiation_local_candidate(struct ln_peer_connection *pc, const char *line,
                                    const char **ret_mid, int *ret_m_line)
{
    struct ln_description *all[] = { pc->negotiation.pending_local, pc->negotiation.current_local };
    const char *ufrag = ln_ice_local_ufrag(pc->transport.ice);
    size_t i, section;

    *ret_mid = NULL;
    *ret_m_line = -1;
    for (i = 0; i < 2; i++) {
        if (!all[i] || !has_transport(all[i]->sdp))
            continue;
        section = transport_section(all[i]->sdp);
        if (strcmp(ln_sdp_ufrag(all[i]->sdp, &all[i]->sdp->media[section]), ufrag) != 0)
            continue;
        if (!line)
            ln_sdp_end_candidates(all[i]->sdp, section);
        else if (ln_sdp_add_candidate(all[i]->sdp, &all[i]->arena, section, line) != 0)
            continue; /* out of memory: the event still tells it */
        ln_description_touch(all[i]);
        if (*ret_m_line < 0) {
            *ret_mid = all[i]->sdp->media[section].mid;
            *ret_m_line = (int)section;
        }
    }
}

/* --- is negotiation needed (W3C 4.7.3) */

static bool msid_differs(const ln_rtp_transceiver *t, const struct ln_sdp_media *media)
{
    size_t i, s, wanted = t->sender.streams.count;

    if (media->msid_count != (wanted ? wanted : 1))
        return true;
    for (s = 0; s < wanted; s++) {
        for (i = 0; i < media->msid_count; i++)
            if (strcmp(media->msids[i].stream, t->sender.streams.id[s]) == 0)
                break;
        if (i == media->msid_count)
            return true;
    }
    return false;
}

static bool transceiver_needs(const struct ln_peer_connection *pc, const ln_rtp_transceiver *t)
{
    const struct ln_negotiation *n = &pc->negotiation;
    const struct ln_sdp_media *local, *remote;
    enum ln_sdp_direction wished = ln_direction_to_sdp(t->direction);

    if (t->stopped)
        return false;
    if (t->stopping || t->m_line < 0 || !n->current_local ||
        (size_t)t->m_line >= n->current_local->sdp->media_count)
        return true;
    local = &n->current_local->sdp->media[t->m_line];
    remote = &n->current_remote->sdp->media[t->m_line];
    if ((wished & LN_SDP_SENDONLY) && msid_differs(t, local))
        return true;
    if (n->local_offered)
        return local->direction != wished && ln_sdp_reverse(remote->direction) != wished;
    return local->direction != (wished & ln_sdp_reverse(remote->direction));
}

static bool needs(const struct ln_peer_connection *pc)
{
    size_t i;

    if (pc->negotiation.ice_restart)
        return true;
    if (pc->data.wanted && pc->data.m_line < 0)
        return true;
    for (i = 0; i < pc->transceiver_count; i++)
        if (transceiver_needs(pc, pc->transceivers[i]))
            return true;
    return false;
}

void ln_negotiation_check(struct ln_peer_connection *pc)
{
    struct ln_event event = { .kind = LN_EVENT_NEGOTIATION_NEEDED };
    struct ln_negotiation *n = &pc->negotiation;

    if (pc->closed || !n->check_needed || pc->operations.count > 0 ||
        n->state != LN_SIGNALING_STATE_STABLE)
        return;
    n->check_needed = false;
    if (!needs(pc)) {
        n->needed = false;
    } else if (!n->needed) {
        n->needed = true;
        ln_push_event(pc, &event);
    }
}
