/* SPDX-License-Identifier: Apache-2.0
 * What a pair of descriptions settles, taken into the objects, and taken back again by a rollback
 * (RFC 8829, 5.11 and 5.7; W3C 4.4.1.5). */
#include "peer/negotiation_parts.h"

#include "base/alloc.h"
#include "peer/peer_connection.h"

#include <string.h>

static int agree_media(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                       const struct ln_jsep_agreed *agreed, bool final)
{
    if (agreed->rejected) {
        if (final)
            ln_transceiver_stop_now(t, true);
        return 0;
    }
    t->has_current = true;
    t->current_direction = ln_direction_from_sdp(agreed->direction);
    if (ln_direction_sends(t->current_direction))
        t->ever_sent = true;
    return ln_media_agree(pc, t, agreed);
}

int ln_negotiation_settle(struct ln_peer_connection *pc, const struct ln_sdp *local,
                          const struct ln_sdp *remote, bool local_offered, bool final)
{
    size_t transport = SIZE_MAX, i;
    struct ln_arena arena;
    int error = 0;

    ln_arena_init(&arena, pc->env.allocator, LN_SDP_ARENA_BYTES);
    for (i = 0; i < remote->media_count && i < local->media_count && !error; i++) {
        ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)i);
        struct ln_jsep_agreed agreed;

        error = ln_jsep_negotiate(local, remote, local_offered, i, &arena, &agreed);
        if (error)
            break;
        if (!agreed.rejected && transport == SIZE_MAX) {
            transport = agreed.transport_section;
            error = ln_transport_set_remote_dtls(pc, &agreed);
            if (error)
                break;
        }
        /* There is one transport: what the other side keeps out of the bundle is as refused. */
        agreed.rejected = agreed.rejected || agreed.transport_section != transport;
        if (t)
            error = agree_media(pc, t, &agreed, final);
        else if (pc->data.m_line == (int)i && agreed.rejected && final)
            ln_data_refuse(pc);
        else if (pc->data.m_line == (int)i && agreed.rejected)
            continue; /* a provisional answer may still change its mind */
        else if (pc->data.m_line == (int)i)
            error = ln_data_agree(pc, &agreed);
    }
    ln_arena_deinit(&arena);
    return error;
}

/* The credentials that restartIce() wanted replaced are when the exchange has others. */
static void end_restart(struct ln_negotiation *n)
{
    const struct ln_sdp *local = n->current_local->sdp;

    if (n->ice_restart && ln_negotiation_has_transport(local) &&
        strcmp(ln_sdp_ufrag(local, &local->media[ln_negotiation_transport_section(local)]),
               n->replaced_ufrag) != 0)
        n->ice_restart = false;
}

void ln_negotiation_keep_as_stable(struct ln_peer_connection *pc)
{
    struct ln_negotiation *n = &pc->negotiation;
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        memcpy(t->stable_mid, t->mid, sizeof t->stable_mid);
        t->stable_line = t->m_line;
        t->stable_fired_receiving = t->fired_receiving;
        t->stable_streams = t->receiver.streams;
        t->made_by_remote_offer = false;
        if ((t->stopping || t->refused) && !t->stopped && t->m_line >= 0 &&
            ln_sdp_is_rejected(&n->current_local->sdp->media[t->m_line]))
            ln_transceiver_stop_now(t, true);
        t->refused = false;
    }
    pc->data.stable_line = pc->data.m_line;
    ln_description_drop(&n->created_offer); /* made for the exchange before */
    ln_description_drop(&n->created_answer);
    end_restart(n);
    n->needed = false;
    n->check_needed = true;
}

static void fire_track(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    const char **ids = ln_alloc_array(pc->env.allocator, LN_STREAM_IDS_MAX, sizeof *ids);
    struct ln_event event = { .kind = LN_EVENT_TRACK };
    size_t s;

    for (s = 0; ids && s < t->receiver.streams.count; s++)
        ids[s] = t->receiver.streams.id[s];
    event.u.track.transceiver = t;
    event.u.track.receiver = &t->receiver;
    event.u.track.track = t->receiver.track;
    event.u.track.stream_ids = ids;
    event.u.track.stream_count = ids ? t->receiver.streams.count : 0;
    (void)ln_events_push(&pc->events, &event, ids);
}

void ln_negotiation_fire(struct ln_peer_connection *pc)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->mute_due)
            ln_media_push_track(pc, t, LN_EVENT_MUTE);
        if (t->ended_due)
            ln_media_push_track(pc, t, LN_EVENT_ENDED);
        t->mute_due = t->ended_due = false;
    }
    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->track_due)
            fire_track(pc, t);
        if (t->unmute_due)
            ln_media_push_track(pc, t, LN_EVENT_UNMUTE);
        t->track_due = t->unmute_due = false;
    }
}

/* --- rollback */

static void roll_back_transceiver(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    memcpy(t->mid, t->stable_mid, sizeof t->mid);
    t->m_line = t->stable_line;
    t->refused = false;
    t->track_due = false;
    t->receiver.streams = t->stable_streams;
    if (t->fired_receiving && !t->stable_fired_receiving)
        ln_media_mute(pc, t);
    if (!t->fired_receiving && t->stable_fired_receiving)
        ln_media_resume(pc, t);
    t->fired_receiving = t->stable_fired_receiving;
    if (t->made_by_remote_offer && t->stable_line < 0)
        ln_transceiver_stop_now(t, true);
    else if (t->stable_line < 0)
        ln_media_remove(pc, t); /* what it expected under a mid that is free again */
}

void ln_negotiation_forget_beyond(struct ln_peer_connection *pc, const struct ln_sdp *offer)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++)
        if (!pc->transceivers[i]->stopped && pc->transceivers[i]->stable_line < 0 &&
            pc->transceivers[i]->m_line >= (int)offer->media_count)
            roll_back_transceiver(pc, pc->transceivers[i]);
    if (pc->data.m_line >= (int)offer->media_count)
        pc->data.m_line = pc->data.stable_line;
}

void ln_negotiation_roll_back(struct ln_peer_connection *pc)
{
    struct ln_negotiation *n = &pc->negotiation;
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++)
        if (!pc->transceivers[i]->stopped)
            roll_back_transceiver(pc, pc->transceivers[i]);
    pc->data.m_line = pc->data.stable_line;
    if (pc->data.m_line < 0 && pc->data.handle_count == 0)
        pc->data.wanted = false;
    ln_transport_rollback(pc);
    ln_description_drop(&n->pending_local);
    ln_description_drop(&n->pending_remote);
    ln_description_drop(&n->created_answer);
    n->state = LN_SIGNALING_STATE_STABLE;
    n->needed = false;
    n->check_needed = true;
}

void ln_negotiation_rollback(struct ln_peer_connection *pc, struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;

    if (state != LN_SIGNALING_STATE_HAVE_LOCAL_OFFER &&
        state != LN_SIGNALING_STATE_HAVE_REMOTE_OFFER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "there is no offer to roll back in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    ln_negotiation_roll_back(pc);
    ln_states_update(pc);
    ln_negotiation_fire(pc);
}
