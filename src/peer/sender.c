/* SPDX-License-Identifier: Apache-2.0
 * RTCRtpSender (https://www.w3.org/TR/webrtc/#rtcrtpsender-interface). */
#include "base/alloc.h"
#include "peer/codecs.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "rtp/session.h"

#include <stdio.h>
#include <string.h>

ln_media_stream_track *ln_rtp_sender_track(const ln_rtp_sender *sender)
{
    return sender->track;
}

ln_dtls_transport *ln_rtp_sender_transport(const ln_rtp_sender *sender)
{
    return sender->transceiver->has_current ? &sender->transceiver->pc->transport.dtls_handle
                                            : NULL;
}

/* Codecs and extensions as the section of the agreed descriptions has them. */
void ln_parameters_fill(const ln_rtp_transceiver *t, bool sending, struct ln_rtp_parameters *ret)
{
    const struct ln_negotiation *n = &t->pc->negotiation;
    struct ln_jsep_agreed agreed;
    const struct ln_jsep_codec *codecs;
    const struct ln_jsep_agreed_extension *extensions;
    size_t codec_count, extension_count, i;
    struct ln_arena arena;

    if (t->m_line < 0 || !n->current_local || !n->current_remote ||
        (size_t)t->m_line >= n->current_local->sdp->media_count)
        return;
    ln_arena_init(&arena, t->pc->env.allocator, LN_SDP_ARENA_BYTES);
    if (ln_jsep_negotiate(n->current_local->sdp, n->current_remote->sdp, n->local_offered,
                          (size_t)t->m_line, &arena, &agreed) == 0 &&
        !agreed.rejected) {
        codecs = sending ? agreed.send : agreed.receive;
        codec_count = sending ? agreed.send_count : agreed.receive_count;
        extensions = sending ? agreed.send_extensions : agreed.receive_extensions;
        extension_count = sending ? agreed.send_extension_count : agreed.receive_extension_count;
        for (i = 0; i < codec_count && ret->codec_count < LN_CODECS_MAX; i++)
            ln_rtp_codec_fill(t->kind, &codecs[i].parameters, &ret->codecs[ret->codec_count++]);
        for (i = 0; i < extension_count && i < LN_HEADER_EXTENSIONS_MAX; i++) {
            ret->header_extensions[i].id = extensions[i].id;
            snprintf(ret->header_extensions[i].uri, sizeof ret->header_extensions[i].uri, "%s",
                     extensions[i].uri);
            ret->header_extension_count++;
        }
        ret->rtcp_reduced_size = agreed.rtcp_rsize;
    }
    ln_arena_deinit(&arena);
}

void ln_rtp_sender_get_parameters(ln_rtp_sender *sender, struct ln_rtp_parameters *ret)
{
    struct ln_peer_connection *pc = sender->transceiver->pc;

    memset(ret, 0, sizeof *ret);
    if (!sender->transaction_id[0])
        ln_uuid_text(pc->env.rng, sender->transaction_id);
    memcpy(ret->transaction_id, sender->transaction_id, sizeof sender->transaction_id);
    ret->encodings[0] = sender->encoding;
    ret->encoding_count = 1;
    snprintf(ret->rtcp_cname, sizeof ret->rtcp_cname, "%s", pc->cname);
    ln_parameters_fill(sender->transceiver, true, ret);
}

int ln_rtp_sender_set_parameters(ln_rtp_sender *sender, const struct ln_rtp_parameters *parameters,
                                 ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_SET_PARAMETERS, .sender = sender };
    struct ln_peer_connection *pc = sender->transceiver->pc;

    operation.parameters = ln_alloc_copy(pc->env.allocator, parameters, sizeof *parameters);
    if (!operation.parameters)
        return LN_ERR_NOMEM;
    return ln_operations_add(pc, &operation, ret_op);
}

/* Codecs, header extensions, RTCP and rids belong to negotiation (W3C 5.2, setParameters). */
static bool changes_what_is_fixed(ln_rtp_sender *sender, const struct ln_rtp_parameters *wanted)
{
    struct ln_rtp_parameters now;
    size_t i;

    ln_rtp_sender_get_parameters(sender, &now);
    if (wanted->codec_count != now.codec_count ||
        wanted->rtcp_reduced_size != now.rtcp_reduced_size ||
        wanted->header_extension_count != now.header_extension_count ||
        strncmp(wanted->rtcp_cname, now.rtcp_cname, sizeof now.rtcp_cname) != 0 ||
        strncmp(wanted->encodings[0].rid, now.encodings[0].rid, sizeof now.encodings[0].rid) != 0)
        return true;
    for (i = 0; i < now.codec_count; i++)
        if (strncmp(wanted->codecs[i].mime_type, now.codecs[i].mime_type,
                    sizeof now.codecs[i].mime_type) != 0 ||
            wanted->codecs[i].payload_type != now.codecs[i].payload_type)
            return true;
    for (i = 0; i < now.header_extension_count; i++)
        if (wanted->header_extensions[i].id != now.header_extensions[i].id ||
            strncmp(wanted->header_extensions[i].uri, now.header_extensions[i].uri,
                    sizeof now.header_extensions[i].uri) != 0)
            return true;
    return false;
}

void ln_sender_set_parameters_now(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result)
{
    const struct ln_rtp_parameters *wanted = operation->parameters;
    ln_rtp_sender *sender = operation->sender;
    int error;

    (void)now;
    if (sender->transceiver->stopping || !sender->transaction_id[0]) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "getParameters() comes first, and the transceiver must not be stopped");
        return;
    }
    if (wanted->encoding_count != 1 ||
        strncmp(wanted->transaction_id, sender->transaction_id, sizeof wanted->transaction_id)) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_MODIFICATION,
                          "the parameters are not those of the last getParameters()");
        return;
    }
    if (changes_what_is_fixed(sender, wanted)) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_MODIFICATION,
                          "only the encoding may be changed, and not its rid");
        return;
    }
    error = ln_rtp_encoding_check(sender->transceiver->kind, &wanted->encodings[0]);
    if (error) {
        ln_operation_fail(pc, result, error, "an encoding parameter is out of range");
        return;
    }
    sender->encoding = wanted->encodings[0];
    sender->transaction_id[0] = '\0';
}

int ln_rtp_sender_replace_track(ln_rtp_sender *sender, ln_media_stream_track *with_track,
                                ln_op_id *ret_op)
{
    struct ln_operation operation = { .kind = LN_OPERATION_REPLACE_TRACK, .sender = sender };

    if (with_track && with_track->kind != sender->transceiver->kind)
        return LN_ERR_INVALID_ARGUMENT;
    operation.track = with_track ? ln_media_stream_track_ref(with_track) : NULL;
    return ln_operations_add(sender->transceiver->pc, &operation, ret_op);
}

void ln_sender_replace_track_now(struct ln_peer_connection *pc, ln_time now,
                                 struct ln_operation *operation, struct ln_operation_result *result)
{
    ln_rtp_sender *sender = operation->sender;

    (void)now;
    if (sender->transceiver->stopping) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE, "the transceiver is stopped");
        return;
    }
    ln_media_stream_track_unref(sender->track);
    sender->track = operation->track;
    operation->track = NULL;
    sender->key_frame_due = true;
}

int ln_rtp_sender_set_streams(ln_rtp_sender *sender, const char *const *stream_ids, size_t count)
{
    struct ln_peer_connection *pc = sender->transceiver->pc;
    int error;

    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    error = ln_stream_ids_set(&sender->streams, stream_ids, count);
    if (!error) {
        pc->negotiation.check_needed = true;
        ln_stir(pc);
    }
    return error;
}

int ln_rtp_sender_send_frame(ln_rtp_sender *sender, ln_time now, const struct ln_frame *frame)
{
    struct ln_peer_connection *pc = sender->transceiver->pc;
    struct ln_path path;
    int error;

    if (pc->closed || !sender->sending || !sender->encoding.active || !sender->track)
        return LN_ERR_INVALID_STATE;
    /* What waited for a path would come late, and so would all that follows it. */
    if (!pc->media.protect || !ln_ice_send_path(pc->transport.ice, &path))
        return LN_ERR_INVALID_STATE;
    error = ln_rtp_session_send_frame(pc->media.rtp, sender->outbound, now, frame);
    if (error == LN_ERR_LIMIT)
        sender->key_frame_due = true;
    ln_pacer_set_queue(&pc->media.pacer, now, ln_rtp_session_queued_bytes(pc->media.rtp),
                       ln_rtp_session_oldest_queued(pc->media.rtp));
    ln_stir(pc);
    return error;
}

enum ln_codec ln_rtp_sender_codec(const ln_rtp_sender *sender)
{
    return sender->codec;
}

void ln_rtp_sender_report(ln_rtp_sender *sender, const struct ln_rtp_encoder_report *report)
{
    sender->total.frames_encoded += report->frames_encoded;
    sender->total.key_frames_encoded += report->key_frames_encoded;
    sender->total.encode_time += report->encode_time;
    sender->total.qp_sum += report->qp_sum;
    sender->total.width = report->width;
    sender->total.height = report->height;
    if (report->implementation)
        snprintf(sender->implementation, sizeof sender->implementation, "%s",
                 report->implementation);
}
