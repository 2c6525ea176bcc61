/* SPDX-License-Identifier: Apache-2.0
 * RTCRtpTransceiver (https://www.w3.org/TR/webrtc/#rtcrtptransceiver-interface), and the calls of
 * RTCPeerConnection that make them: addTrack, removeTrack, addTransceiver. */
#include "peer/transceiver.h"

#include "base/alloc.h"
#include "peer/codecs.h"
#include "peer/peer_connection.h"

#include <string.h>

bool ln_direction_sends(enum ln_rtp_transceiver_direction direction)
{
    return direction == LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV ||
           direction == LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY;
}

bool ln_direction_receives(enum ln_rtp_transceiver_direction direction)
{
    return direction == LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV ||
           direction == LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY;
}

enum ln_rtp_transceiver_direction ln_direction_make(bool sends, bool receives)
{
    if (sends)
        return receives ? LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV
                        : LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY;
    return receives ? LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY : LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE;
}

enum ln_sdp_direction ln_direction_to_sdp(enum ln_rtp_transceiver_direction direction)
{
    return (enum ln_sdp_direction)((ln_direction_sends(direction) ? LN_SDP_SENDONLY : 0) |
                                   (ln_direction_receives(direction) ? LN_SDP_RECVONLY : 0));
}

enum ln_rtp_transceiver_direction ln_direction_from_sdp(enum ln_sdp_direction direction)
{
    return ln_direction_make(direction & LN_SDP_SENDONLY, direction & LN_SDP_RECVONLY);
}

int ln_stream_ids_set(struct ln_stream_ids *ids, const char *const *stream_ids, size_t count)
{
    size_t i;

    if (count > LN_STREAM_IDS_MAX)
        return LN_ERR_LIMIT;
    for (i = 0; i < count; i++)
        if (!ln_msid_valid(stream_ids[i]))
            return LN_ERR_INVALID_ARGUMENT;
    for (i = 0; i < count; i++)
        strcpy(ids->id[i], stream_ids[i]);
    ids->count = count;
    return 0;
}

int ln_transceiver_create(struct ln_peer_connection *pc, enum ln_media_kind kind,
                          ln_media_stream_track *track, enum ln_rtp_transceiver_direction direction,
                          ln_rtp_transceiver **ret_transceiver)
{
    struct ln_allocator *allocator = pc->env.allocator;
    ln_rtp_transceiver *t;
    int error;

    if (ln_peer_connection_transceiver_count(pc) >= LN_TRANSCEIVERS_MAX)
        return LN_ERR_LIMIT;
    error = ln_grow(allocator, &pc->transceivers, sizeof *pc->transceivers, pc->transceiver_count,
                    &pc->transceiver_capacity, LN_TRANSCEIVER_HANDLES_MAX);
    if (error)
        return error;
    t = ln_alloc_zero(allocator, sizeof *t);
    if (!t)
        return LN_ERR_NOMEM;
    error = ln_media_stream_track_create(&pc->env, kind, NULL, &t->receiver.track);
    if (error) {
        ln_free(allocator, t);
        return error;
    }
    t->pc = pc;
    t->kind = kind;
    t->m_line = t->offered_line = t->stable_line = -1;
    t->direction = direction;
    t->receiver.transceiver = t->sender.transceiver = t;
    t->receiver.track->muted = true; /* until media is expected */
    t->receiver.jitter_buffer_target_ms = -1;
    t->sender.track = track ? ln_media_stream_track_ref(track) : NULL;
    ln_rtp_encoding_parameters_init(&t->sender.encoding);
    t->sender.ssrc = ln_media_new_ssrc(pc);
    if (kind == LN_MEDIA_VIDEO)
        t->sender.rtx_ssrc = ln_media_new_ssrc(pc);
    pc->transceivers[pc->transceiver_count++] = t;
    *ret_transceiver = t;
    return 0;
}

void ln_transceiver_free(ln_rtp_transceiver *transceiver)
{
    struct ln_allocator *allocator = transceiver->pc->env.allocator;

    ln_media_stream_track_unref(transceiver->sender.track);
    ln_media_stream_track_unref(transceiver->receiver.track);
    ln_free(allocator, transceiver->preferences);
    ln_free(allocator, transceiver);
}

ln_rtp_transceiver *ln_transceiver_of_line(const struct ln_peer_connection *pc, int m_line)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++)
        if (!pc->transceivers[i]->stopped && pc->transceivers[i]->m_line == m_line)
            return pc->transceivers[i];
    return NULL;
}

void ln_transceiver_stop_now(ln_rtp_transceiver *t, bool fire_ended)
{
    if (t->stopped)
        return;
    t->stopping = t->stopped = true;
    t->has_current = true;
    t->current_direction = LN_RTP_TRANSCEIVER_DIRECTION_STOPPED;
    t->direction = LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE;
    ln_media_remove(t->pc, t);
    if (t->receiver.track->live) {
        t->receiver.track->live = false;
        t->ended_due = fire_ended;
    }
}

/* --- the public attributes */

void ln_rtp_transceiver_init_init(struct ln_rtp_transceiver_init *init)
{
    memset(init, 0, sizeof *init);
    init->size = sizeof *init;
    init->direction = LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV;
}

const char *ln_rtp_transceiver_mid(const ln_rtp_transceiver *transceiver)
{
    return transceiver->mid[0] ? transceiver->mid : NULL;
}

enum ln_media_kind ln_rtp_transceiver_kind(const ln_rtp_transceiver *transceiver)
{
    return transceiver->kind;
}

ln_rtp_sender *ln_rtp_transceiver_sender(ln_rtp_transceiver *transceiver)
{
    return &transceiver->sender;
}

ln_rtp_receiver *ln_rtp_transceiver_receiver(ln_rtp_transceiver *transceiver)
{
    return &transceiver->receiver;
}

enum ln_rtp_transceiver_direction
ln_rtp_transceiver_direction(const ln_rtp_transceiver *transceiver)
{
    return transceiver->stopping ? LN_RTP_TRANSCEIVER_DIRECTION_STOPPED : transceiver->direction;
}

int ln_rtp_transceiver_set_direction(ln_rtp_transceiver *transceiver,
                                     enum ln_rtp_transceiver_direction direction)
{
    if (transceiver->pc->closed || transceiver->stopping)
        return LN_ERR_INVALID_STATE;
    if (direction == LN_RTP_TRANSCEIVER_DIRECTION_STOPPED)
        return LN_ERR_INVALID_ARGUMENT;
    if (direction != transceiver->direction) {
        transceiver->direction = direction;
        transceiver->pc->negotiation.check_needed = true;
        ln_stir(transceiver->pc);
    }
    return 0;
}

bool ln_rtp_transceiver_current_direction(const ln_rtp_transceiver *transceiver,
                                          enum ln_rtp_transceiver_direction *ret_direction)
{
    if (transceiver->has_current)
        *ret_direction = transceiver->current_direction;
    return transceiver->has_current;
}

int ln_rtp_transceiver_stop(ln_rtp_transceiver *transceiver)
{
    if (transceiver->pc->closed)
        return LN_ERR_INVALID_STATE;
    if (!transceiver->stopping) {
        transceiver->stopping = true;
        transceiver->direction = LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE;
        ln_media_update(transceiver->pc, transceiver);
        if (transceiver->receiver.track->live) {
            transceiver->receiver.track->live = false;
            ln_media_push_track(transceiver->pc, transceiver, LN_EVENT_ENDED);
        }
        if (transceiver->m_line < 0) /* never negotiated: nobody else needs to know */
            ln_transceiver_stop_now(transceiver, false);
        transceiver->pc->negotiation.check_needed = true;
        ln_stir(transceiver->pc);
    }
    return 0;
}

int ln_rtp_transceiver_set_codec_preferences(ln_rtp_transceiver *transceiver,
                                             const struct ln_rtp_codec_parameters *codecs,
                                             size_t count)
{
    struct ln_allocator *allocator = transceiver->pc->env.allocator;
    struct ln_rtp_codec_parameters *copy = NULL;
    size_t i, kept = 0;
    bool codes_media = false;

    if (count > LN_CODECS_MAX)
        return LN_ERR_INVALID_MODIFICATION;
    if (count > 0) {
        copy = ln_alloc_array(allocator, count, sizeof *copy);
        if (!copy)
            return LN_ERR_NOMEM;
        for (i = 0; i < count; i++) {
            const struct ln_known_codec *known = ln_known_codec_match(transceiver->kind,
                                                                      &codecs[i]);

            if (!known) {
                ln_free(allocator, copy);
                return LN_ERR_INVALID_MODIFICATION;
            }
            codes_media = codes_media || known->codec != LN_CODEC_NONE;
            if (!ln_known_codec_in(known, copy, kept))
                copy[kept++] = codecs[i];
        }
        if (!codes_media) {
            ln_free(allocator, copy);
            return LN_ERR_INVALID_MODIFICATION;
        }
    }
    ln_free(allocator, transceiver->preferences);
    transceiver->preferences = copy;
    transceiver->preference_count = kept;
    return 0;
}

/* --- the calls of RTCPeerConnection that make transceivers */

size_t ln_peer_connection_transceiver_count(const ln_peer_connection *pc)
{
    size_t i, count = 0;

    for (i = 0; i < pc->transceiver_count; i++)
        count += !pc->transceivers[i]->stopped;
    return count;
}

ln_rtp_transceiver *ln_peer_connection_transceiver(const ln_peer_connection *pc, size_t index)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++)
        if (!pc->transceivers[i]->stopped && index-- == 0)
            return pc->transceivers[i];
    return NULL;
}

/* A transceiver that addTrack() may use: same kind, no track, never sent, not stopped. */
static ln_rtp_transceiver *reusable(const ln_peer_connection *pc, enum ln_media_kind kind)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->kind == kind && !t->stopping && !t->refused && !t->sender.track && !t->ever_sent)
            return t;
    }
    return NULL;
}

int ln_peer_connection_add_track(ln_peer_connection *pc, ln_media_stream_track *track,
                                 const char *const *stream_ids, size_t stream_count,
                                 ln_rtp_sender **ret_sender)
{
    struct ln_stream_ids streams = { .count = 0 };
    ln_rtp_transceiver *t;
    size_t i;
    int error;

    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    for (i = 0; i < pc->transceiver_count; i++)
        if (!pc->transceivers[i]->stopped && pc->transceivers[i]->sender.track == track)
            return LN_ERR_INVALID_ACCESS;
    error = ln_stream_ids_set(&streams, stream_ids, stream_count);
    if (error)
        return error;
    t = reusable(pc, track->kind);
    if (t) {
        t->sender.track = ln_media_stream_track_ref(track);
        t->direction = ln_direction_make(true, ln_direction_receives(t->direction));
    } else {
        error = ln_transceiver_create(pc, track->kind, track, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV,
                                      &t);
        if (error)
            return error;
    }
    t->added_by_track = true;
    t->made_by_remote_offer = false;
    t->sender.streams = streams;
    pc->negotiation.check_needed = true;
    ln_stir(pc);
    *ret_sender = &t->sender;
    return 0;
}

int ln_peer_connection_remove_track(ln_peer_connection *pc, ln_rtp_sender *sender)
{
    ln_rtp_transceiver *t = sender->transceiver;

    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    if (t->pc != pc)
        return LN_ERR_INVALID_ACCESS;
    if (t->stopping || !sender->track)
        return 0;
    ln_media_stream_track_unref(sender->track);
    sender->track = NULL;
    t->direction = ln_direction_make(false, ln_direction_receives(t->direction));
    ln_media_update(pc, t);
    pc->negotiation.check_needed = true;
    ln_stir(pc);
    return 0;
}

int ln_peer_connection_add_transceiver(ln_peer_connection *pc, enum ln_media_kind kind,
                                       ln_media_stream_track *track,
                                       const struct ln_rtp_transceiver_init *init,
                                       ln_rtp_transceiver **ret_transceiver)
{
    struct ln_rtp_transceiver_init defaults;
    struct ln_stream_ids streams = { .count = 0 };
    ln_rtp_transceiver *t;
    int error;

    ln_rtp_transceiver_init_init(&defaults);
    if (!init)
        init = &defaults;
    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    if (init->size != sizeof *init || init->direction == LN_RTP_TRANSCEIVER_DIRECTION_STOPPED)
        return LN_ERR_INVALID_ARGUMENT;
    if (init->send_encoding_count > 1)
        return LN_ERR_NOT_SUPPORTED;
    error = ln_stream_ids_set(&streams, init->stream_ids, init->stream_count);
    if (error)
        return error;
    if (init->send_encoding_count == 1) {
        error = ln_rtp_encoding_check(kind, &init->send_encodings[0]);
        if (error)
            return error;
    }
    error = ln_transceiver_create(pc, track ? track->kind : kind, track, init->direction, &t);
    if (error)
        return error;
    if (init->send_encoding_count == 1)
        t->sender.encoding = init->send_encodings[0];
    t->sender.streams = streams;
    pc->negotiation.check_needed = true;
    ln_stir(pc);
    *ret_transceiver = t;
    return 0;
}
