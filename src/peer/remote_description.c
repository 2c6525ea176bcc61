/* SPDX-License-Identifier: Apache-2.0
 * setRemoteDescription() (RFC 8829, 5.10; W3C 4.4.1.5). */
#include "peer/negotiation_parts.h"

#include "peer/peer_connection.h"

#include <string.h>

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
    t->refused = false;
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
                t->refused = true;
        } else {
            error = adopt(pc, media, i, &t);
        }
        if (t)
            note_remote_direction(pc, t, media);
    }
    return error;
}

static int apply_remote(struct ln_peer_connection *pc, struct ln_description *description)
{
    struct ln_negotiation *n = &pc->negotiation;
    bool final = description->type == LN_SDP_TYPE_ANSWER;
    size_t i;
    int error = 0;

    if (description->type == LN_SDP_TYPE_OFFER) {
        if (n->state == LN_SIGNALING_STATE_STABLE)
            ln_transport_rollback(pc); /* of a restart that was created and never offered */
        ln_transport_set_first_role(pc, false);
        ln_negotiation_forget_beyond(pc, description->sdp);
        ln_description_drop(&n->created_answer); /* it answers the offer before */
        error = adopt_offer(pc, description->sdp);
    }
    if (!error && ln_negotiation_has_transport(description->sdp))
        error = ln_transport_set_remote_ice(pc, description->sdp,
                                            ln_negotiation_transport_section(description->sdp));
    if (!error && description->type != LN_SDP_TYPE_OFFER)
        error = ln_negotiation_settle(pc, ln_negotiation_local(pc)->sdp, description->sdp, true,
                                      final);
    if (error)
        return error;
    if (description->type != LN_SDP_TYPE_OFFER)
        for (i = 0; i < description->sdp->media_count; i++) {
            ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)i);

            if (t)
                note_remote_direction(pc, t, &description->sdp->media[i]);
        }
    ln_description_drop(&n->pending_remote);
    if (final) {
        ln_description_drop(&n->current_local);
        ln_description_drop(&n->current_remote);
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
        ln_negotiation_rollback(pc, result);
        return;
    }
    if (!glare && ln_negotiation_refuse_state(pc, false, operation->type, result))
        return;
    error = ln_description_parse(pc->env.allocator, operation->type,
                                 operation->text ? operation->text : "", &description, &why);
    if (!error)
        error = check_remote(pc, description, &why);
    if (error) {
        ln_description_free(description);
        ln_negotiation_fail_sdp(pc, result, error, &why);
        return;
    }
    if (glare) /* an offer over our own one rolls that back (W3C 4.4.1.6) */
        ln_negotiation_roll_back(pc);
    ln_states_update(pc);
    next = ln_negotiation_next_state(n->state, false, operation->type);
    error = apply_remote(pc, description);
    if (error) {
        if (description->type == LN_SDP_TYPE_OFFER)
            ln_negotiation_roll_back(pc); /* nothing of it stays */
        ln_description_free(description);
        ln_states_update(pc);
        ln_negotiation_fire(pc);
        ln_operation_fail(pc, result, error, "the remote description could not be applied: %s",
                          ln_error_sentence(error));
        if (error == LN_ERR_FINGERPRINT)
            result->error.detail = LN_ERROR_DETAIL_FINGERPRINT_FAILURE;
        return;
    }
    n->state = next;
    if (next == LN_SIGNALING_STATE_STABLE)
        ln_negotiation_keep_as_stable(pc);
    ln_states_update(pc);
    ln_negotiation_fire(pc);
}
