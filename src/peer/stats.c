/* SPDX-License-Identifier: Apache-2.0
 * The statistics selection algorithm and the collectors, one a dictionary of webrtc-stats
 * (https://www.w3.org/TR/webrtc-stats/). Ids are stable over the life of what they name:
 *   P peer connection, T0 transport, CP<n> pair, L<n>/R<n> candidates, CFlocal/CFremote
 * certificates, D<n> data channel, I<ssrc>/O<ssrc> streams in and out, RI<ssrc>/RO<ssrc> the other
 * side's view, S<ssrc> media source, C<in|out><mid>_<payload type> codec. */
#include "peer/stats.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/certificate.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "peer/stats_report.h"
#include "rtp/session.h"

#include <stdio.h>
#include <string.h>

#define SECONDS(d) ((double)(d) / 1e9)

static const char transport_id[] = "T0";

static void add_wall(struct ln_peer_connection *pc, ln_stats_report *report, const char *name,
                     ln_time when)
{
    if (when != LN_TIME_NEVER)
        ln_stats_add_number(report, name, ln_wall_ms(pc, when));
}

static void collect_peer_connection(struct ln_peer_connection *pc, ln_stats_report *report)
{
    ln_stats_begin(report, "peer-connection", "P");
    ln_stats_add_integer(report, "dataChannelsOpened", (int64_t)pc->data.opened);
    ln_stats_add_integer(report, "dataChannelsClosed", (int64_t)pc->data.closed);
}

static void collect_transport(struct ln_peer_connection *pc, ln_stats_report *report)
{
    const struct ln_transport *t = &pc->transport;
    struct ln_ice_pair_info pair;

    ln_stats_begin(report, "transport", "%s", transport_id);
    ln_stats_add_integer(report, "packetsSent", (int64_t)t->packets_sent);
    ln_stats_add_integer(report, "packetsReceived", (int64_t)t->packets_received);
    ln_stats_add_integer(report, "bytesSent", (int64_t)t->bytes_sent);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)t->bytes_received);
    ln_stats_add_text(report, "iceRole", ln_ice_role_name(ln_ice_transport_role(&t->ice_handle)));
    ln_stats_add_text(report, "iceLocalUsernameFragment", ln_ice_local_ufrag(t->ice));
    ln_stats_add_text(report, "dtlsState",
                      ln_dtls_transport_state_name((enum ln_dtls_transport_state)t->dtls_state));
    ln_stats_add_text(report, "iceState", ln_ice_connection_state_name(t->ice_state));
    if (ln_ice_selected_pair(t->ice, &pair))
        ln_stats_add_format(report, "selectedCandidatePairId", "CP%u", pair.id);
    ln_stats_add_text(report, "localCertificateId", "CFlocal");
    if (ln_dtls_remote_certificate(t->dtls).len > 0)
        ln_stats_add_text(report, "remoteCertificateId", "CFremote");
    ln_stats_add_text(report, "dtlsRole", ln_dtls_role_text(ln_dtls_role(t->dtls)));
    if (ln_dtls_version(t->dtls))
        ln_stats_add_format(report, "tlsVersion", "%04X", ln_dtls_version(t->dtls));
    if (ln_dtls_cipher_name(t->dtls)[0])
        ln_stats_add_text(report, "dtlsCipher", ln_dtls_cipher_name(t->dtls));
    if (ln_dtls_srtp_profile(t->dtls))
        ln_stats_add_text(report, "srtpCipher",
                          ln_srtp_profile_name(ln_dtls_srtp_profile(t->dtls)));
    ln_stats_add_integer(report, "selectedCandidatePairChanges",
                         ln_ice_selected_pair_changes(t->ice));
}

static void collect_certificate(ln_stats_report *report, struct ln_allocator *allocator,
                                const char *id, struct ln_bytes der)
{
    char fingerprint[LN_FINGERPRINT_TEXT_MAX], *base64;

    if (der.len == 0 || ln_fingerprint_format(der, "sha-256", fingerprint) != 0)
        return;
    base64 = ln_alloc(allocator, 4 * ((der.len + 2) / 3) + 1);
    ln_stats_begin(report, "certificate", "%s", id);
    ln_stats_add_text(report, "fingerprint", fingerprint);
    ln_stats_add_text(report, "fingerprintAlgorithm", "sha-256");
    if (base64)
        ln_stats_add_text(report, "base64Certificate", ln_base64_encode(der.data, der.len, base64));
    else
        report->failed = true;
    ln_free(allocator, base64);
}

static void collect_candidate(ln_stats_report *report, const struct ln_ice_candidate_info *info)
{
    const struct ln_candidate *c = &info->candidate;
    char ip[LN_ADDRESS_TEXT_MAX];

    ln_stats_begin(report, info->remote ? "remote-candidate" : "local-candidate", "%c%u",
                   info->remote ? 'R' : 'L', info->id);
    ln_stats_add_text(report, "transportId", transport_id);
    ln_stats_add_text(report, "address",
                      c->name[0] ? c->name : ln_address_format_ip(&c->address, ip));
    ln_stats_add_integer(report, "port", c->address.port);
    ln_stats_add_text(report, "protocol", ln_candidate_protocol_name(c->protocol));
    ln_stats_add_text(report, "candidateType", ln_candidate_type_name(c->type));
    ln_stats_add_integer(report, "priority", c->priority);
    ln_stats_add_text(report, "url", info->url);
    ln_stats_add_text(report, "foundation", c->foundation);
    if (c->related.family != LN_FAMILY_NONE) {
        ln_stats_add_text(report, "relatedAddress", ln_address_format_ip(&c->related, ip));
        ln_stats_add_integer(report, "relatedPort", c->related.port);
    }
    if (c->ufrag[0])
        ln_stats_add_text(report, "usernameFragment", c->ufrag);
    if (c->tcp_type != LN_CANDIDATE_TCP_NONE)
        ln_stats_add_text(report, "tcpType", ln_candidate_tcp_type_name(c->tcp_type));
}

static void collect_pair(struct ln_peer_connection *pc, ln_stats_report *report,
                         const struct ln_ice_pair_info *pair)
{
    const struct ln_media *m = &pc->media;

    ln_stats_begin(report, "candidate-pair", "CP%u", pair->id);
    ln_stats_add_text(report, "transportId", transport_id);
    ln_stats_add_format(report, "localCandidateId", "L%u", pair->local_id);
    ln_stats_add_format(report, "remoteCandidateId", "R%u", pair->remote_id);
    ln_stats_add_text(report, "state", ln_ice_pair_state_name(pair->state));
    ln_stats_add_boolean(report, "nominated", pair->nominated);
    ln_stats_add_integer(report, "packetsSent", (int64_t)pair->packets_sent);
    ln_stats_add_integer(report, "packetsReceived", (int64_t)pair->packets_received);
    ln_stats_add_integer(report, "bytesSent", (int64_t)pair->bytes_sent);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)pair->bytes_received);
    add_wall(pc, report, "lastPacketSentTimestamp", pair->last_sent);
    add_wall(pc, report, "lastPacketReceivedTimestamp", pair->last_received);
    ln_stats_add_number(report, "totalRoundTripTime", SECONDS(pair->total_rtt));
    if (pair->current_rtt >= 0)
        ln_stats_add_number(report, "currentRoundTripTime", SECONDS(pair->current_rtt));
    if (pair->selected && m->estimator)
        ln_stats_add_number(report, "availableOutgoingBitrate",
                            (double)m->estimator->ops->target_bps(m->estimator));
    ln_stats_add_integer(report, "requestsReceived", (int64_t)pair->requests_received);
    ln_stats_add_integer(report, "requestsSent", (int64_t)pair->requests_sent);
    ln_stats_add_integer(report, "responsesReceived", (int64_t)pair->responses_received);
    ln_stats_add_integer(report, "responsesSent", (int64_t)pair->responses_sent);
    ln_stats_add_integer(report, "consentRequestsSent", (int64_t)pair->consent_requests_sent);
    ln_stats_add_integer(report, "packetsDiscardedOnSend", (int64_t)pair->packets_discarded);
    ln_stats_add_integer(report, "bytesDiscardedOnSend", (int64_t)pair->bytes_discarded);
}

static void collect_ice(struct ln_peer_connection *pc, ln_stats_report *report)
{
    const struct ln_ice *ice = pc->transport.ice;
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair;
    size_t i;

    for (i = 0; ln_ice_pair(ice, i, &pair); i++)
        collect_pair(pc, report, &pair);
    for (i = 0; ln_ice_local_candidate(ice, i, &info); i++)
        collect_candidate(report, &info);
    for (i = 0; ln_ice_remote_candidate(ice, i, &info); i++)
        collect_candidate(report, &info);
}

static void collect_channels(struct ln_peer_connection *pc, ln_stats_report *report)
{
    size_t number = 0;

    LN_LIST_EACH (at, &pc->data.handles) {
        const struct ln_data_channel *channel = LN_CONTAINER(at, struct ln_data_channel, link);
        struct ln_channel_info info = { .messages_sent = channel->messages_sent,
                                        .bytes_sent = channel->bytes_sent,
                                        .messages_received = channel->messages_received,
                                        .bytes_received = channel->bytes_received };
        int32_t id = ln_data_channel_id(channel);

        if (channel->channel)
            (void)ln_data_channels_get(pc->data.channels, channel->channel, &info);
        ln_stats_begin(report, "data-channel", "D%zu", ++number);
        ln_stats_add_text(report, "label", channel->label);
        ln_stats_add_text(report, "protocol", channel->protocol);
        if (id >= 0)
            ln_stats_add_integer(report, "dataChannelIdentifier", id);
        ln_stats_add_text(report, "state", ln_data_channel_state_name(channel->state));
        ln_stats_add_integer(report, "messagesSent", (int64_t)info.messages_sent);
        ln_stats_add_integer(report, "bytesSent", (int64_t)info.bytes_sent);
        ln_stats_add_integer(report, "messagesReceived", (int64_t)info.messages_received);
        ln_stats_add_integer(report, "bytesReceived", (int64_t)info.bytes_received);
    }
}

/* --- media */

static const char *kind_name(enum ln_media_kind kind)
{
    return kind == LN_MEDIA_AUDIO ? "audio" : "video";
}

static void begin_stream(ln_stats_report *report, const ln_rtp_transceiver *t, const char *type,
                         const char *prefix, uint32_t ssrc)
{
    ln_stats_begin(report, type, "%s%u", prefix, ssrc);
    ln_stats_add_integer(report, "ssrc", ssrc);
    ln_stats_add_text(report, "kind", kind_name(t->kind));
    ln_stats_add_text(report, "transportId", transport_id);
}

static void add_codec_id(ln_stats_report *report, const ln_rtp_transceiver *t, bool sending,
                         int payload_type)
{
    if (payload_type >= 0)
        ln_stats_add_format(report, "codecId", "C%s%s_%d", sending ? "out" : "in", t->mid,
                            payload_type);
}

static void collect_codec(ln_stats_report *report, const ln_rtp_transceiver *t, bool sending,
                          int payload_type)
{
    struct ln_rtp_parameters *parameters;
    size_t i;

    if (payload_type < 0)
        return;
    parameters = ln_alloc_zero(t->pc->env.allocator, sizeof *parameters);
    if (!parameters) {
        report->failed = true;
        return;
    }
    ln_parameters_fill(t, sending, parameters);
    for (i = 0; i < parameters->codec_count; i++) {
        const struct ln_rtp_codec_parameters *codec = &parameters->codecs[i];

        if (codec->payload_type != payload_type)
            continue;
        ln_stats_begin(report, "codec", "C%s%s_%d", sending ? "out" : "in", t->mid, payload_type);
        ln_stats_add_integer(report, "payloadType", payload_type);
        ln_stats_add_text(report, "transportId", transport_id);
        ln_stats_add_text(report, "mimeType", codec->mime_type);
        ln_stats_add_integer(report, "clockRate", codec->clock_rate);
        if (codec->channels)
            ln_stats_add_integer(report, "channels", codec->channels);
        if (codec->sdp_fmtp_line[0])
            ln_stats_add_text(report, "sdpFmtpLine", codec->sdp_fmtp_line);
        break;
    }
    ln_free(t->pc->env.allocator, parameters);
}

static void collect_source(ln_stats_report *report, const ln_rtp_sender *sender)
{
    if (!sender->track)
        return;
    ln_stats_begin(report, "media-source", "S%u", sender->ssrc);
    ln_stats_add_text(report, "trackIdentifier", sender->track->id);
    ln_stats_add_text(report, "kind", kind_name(sender->transceiver->kind));
    if (sender->transceiver->kind == LN_MEDIA_VIDEO && sender->total.width) {
        ln_stats_add_integer(report, "width", sender->total.width);
        ln_stats_add_integer(report, "height", sender->total.height);
        ln_stats_add_integer(report, "frames", sender->total.frames_encoded);
    }
}

static void add_encoder(ln_stats_report *report, const ln_rtp_sender *sender)
{
    const struct ln_rtp_encoder_report *total = &sender->total;

    ln_stats_add_number(report, "targetBitrate", sender->told.bitrate_bps);
    if (sender->transceiver->kind != LN_MEDIA_VIDEO)
        return;
    ln_stats_add_integer(report, "framesEncoded", total->frames_encoded);
    ln_stats_add_integer(report, "keyFramesEncoded", total->key_frames_encoded);
    ln_stats_add_number(report, "totalEncodeTime", SECONDS(total->encode_time));
    ln_stats_add_integer(report, "qpSum", (int64_t)total->qp_sum);
    if (total->width) {
        ln_stats_add_integer(report, "frameWidth", total->width);
        ln_stats_add_integer(report, "frameHeight", total->height);
    }
    if (sender->implementation[0])
        ln_stats_add_text(report, "encoderImplementation", sender->implementation);
}

static void collect_outbound(ln_stats_report *report, const ln_rtp_sender *sender)
{
    const ln_rtp_transceiver *t = sender->transceiver;
    struct ln_rtp_outbound_stats s;

    if (!sender->outbound || !ln_rtp_outbound_get_stats(sender->outbound, 0, &s))
        return;
    begin_stream(report, t, "outbound-rtp", "O", s.ssrc);
    add_codec_id(report, t, true, s.payload_type);
    ln_stats_add_integer(report, "packetsSent", (int64_t)s.packets_sent);
    ln_stats_add_integer(report, "bytesSent", (int64_t)s.bytes_sent);
    ln_stats_add_text(report, "mid", t->mid);
    if (sender->track)
        ln_stats_add_format(report, "mediaSourceId", "S%u", s.ssrc);
    if (s.has_remote)
        ln_stats_add_format(report, "remoteId", "RI%u", s.ssrc);
    ln_stats_add_integer(report, "headerBytesSent", (int64_t)s.header_bytes_sent);
    ln_stats_add_integer(report, "retransmittedPacketsSent", (int64_t)s.retransmitted_packets_sent);
    ln_stats_add_integer(report, "retransmittedBytesSent", (int64_t)s.retransmitted_bytes_sent);
    if (s.rtx_ssrc)
        ln_stats_add_integer(report, "rtxSsrc", s.rtx_ssrc);
    add_encoder(report, sender);
    if (t->kind == LN_MEDIA_VIDEO) {
        ln_stats_add_integer(report, "framesSent", (int64_t)s.frames_sent);
        ln_stats_add_integer(report, "firCount", (int64_t)s.fir_count);
        ln_stats_add_integer(report, "pliCount", (int64_t)s.pli_count);
    }
    ln_stats_add_number(report, "totalPacketSendDelay", SECONDS(s.total_packet_send_delay));
    ln_stats_add_integer(report, "nackCount", (int64_t)s.nack_count);
    ln_stats_add_boolean(report, "active", s.active && sender->encoding.active);
    if (s.has_remote) {
        begin_stream(report, t, "remote-inbound-rtp", "RI", s.ssrc);
        add_codec_id(report, t, true, s.payload_type);
        ln_stats_add_format(report, "localId", "O%u", s.ssrc);
        ln_stats_add_integer(report, "packetsReceived", (int64_t)s.remote_packets_received);
        ln_stats_add_integer(report, "packetsLost", s.remote_packets_lost);
        ln_stats_add_number(report, "jitter", s.remote_jitter_seconds);
        ln_stats_add_number(report, "fractionLost", s.remote_fraction_lost);
        if (s.round_trip_time_measurements > 0)
            ln_stats_add_number(report, "roundTripTime", SECONDS(s.round_trip_time));
        ln_stats_add_number(report, "totalRoundTripTime", SECONDS(s.total_round_trip_time));
        ln_stats_add_integer(report, "roundTripTimeMeasurements",
                             (int64_t)s.round_trip_time_measurements);
    }
    collect_codec(report, t, true, s.payload_type);
}

static void add_video_in(ln_stats_report *report, const ln_rtp_receiver *receiver,
                         const struct ln_rtp_inbound_stats *s)
{
    const struct ln_rtp_decoder_report *total = &receiver->total;

    ln_stats_add_integer(report, "framesDecoded", total->frames_decoded);
    ln_stats_add_integer(report, "keyFramesDecoded", total->key_frames_decoded);
    ln_stats_add_integer(report, "framesRendered", total->frames_rendered);
    ln_stats_add_integer(report, "framesDropped",
                         (int64_t)(s->frames_dropped + total->frames_dropped));
    ln_stats_add_number(report, "totalDecodeTime", SECONDS(total->decode_time));
    ln_stats_add_integer(report, "qpSum", (int64_t)total->qp_sum);
    if (total->width) {
        ln_stats_add_integer(report, "frameWidth", total->width);
        ln_stats_add_integer(report, "frameHeight", total->height);
    }
    ln_stats_add_integer(report, "framesReceived", (int64_t)s->frames_received);
    ln_stats_add_integer(report, "framesAssembledFromMultiplePackets",
                         (int64_t)s->frames_assembled_from_multiple_packets);
    ln_stats_add_number(report, "totalAssemblyTime", SECONDS(s->total_assembly_time));
    ln_stats_add_integer(report, "firCount", (int64_t)s->fir_count);
    ln_stats_add_integer(report, "pliCount", (int64_t)s->pli_count);
}

static void add_audio_in(ln_stats_report *report, const ln_rtp_receiver *receiver,
                         const struct ln_rtp_inbound_stats *s)
{
    const struct ln_rtp_decoder_report *total = &receiver->total;

    ln_stats_add_integer(report, "totalSamplesReceived", (int64_t)total->samples_received);
    ln_stats_add_integer(report, "concealedSamples", (int64_t)total->samples_concealed);
    ln_stats_add_integer(report, "silentConcealedSamples",
                         (int64_t)total->samples_silent_concealed);
    ln_stats_add_integer(report, "concealmentEvents", (int64_t)total->concealment_events);
    ln_stats_add_number(report, "totalAudioEnergy", total->audio_energy);
    ln_stats_add_number(report, "totalSamplesDuration", (double)total->samples_received / 48000.0);
    ln_stats_add_number(report, "audioLevel",
                        s->audio_level >= 0 ? s->audio_level : total->audio_level);
}

static void add_inbound(struct ln_peer_connection *pc, ln_stats_report *report,
                        const ln_rtp_receiver *receiver, const struct ln_rtp_inbound_stats *s)
{
    ln_stats_add_integer(report, "packetsReceived", (int64_t)s->packets_received);
    ln_stats_add_integer(report, "packetsLost", s->packets_lost);
    ln_stats_add_number(report, "jitter", s->jitter_seconds);
    ln_stats_add_text(report, "trackIdentifier", receiver->track->id);
    ln_stats_add_text(report, "mid", receiver->transceiver->mid);
    if (s->has_remote)
        ln_stats_add_format(report, "remoteId", "RO%u", s->ssrc);
    add_wall(pc, report, "lastPacketReceivedTimestamp", s->last_packet_received);
    ln_stats_add_integer(report, "headerBytesReceived", (int64_t)s->header_bytes_received);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)s->bytes_received);
    ln_stats_add_integer(report, "packetsDiscarded", (int64_t)s->packets_discarded);
    ln_stats_add_integer(report, "nackCount", (int64_t)s->nack_count);
    if (s->estimated_playout != LN_TIME_NEVER) /* of the NTP epoch, 1900 */
        ln_stats_add_number(report, "estimatedPlayoutTimestamp",
                            (double)s->estimated_playout / 1e6 + 2208988800e3);
    ln_stats_add_number(report, "jitterBufferDelay", SECONDS(s->jitter_buffer_delay));
    ln_stats_add_number(report, "jitterBufferTargetDelay", SECONDS(s->jitter_buffer_target_delay));
    ln_stats_add_number(report, "jitterBufferMinimumDelay",
                        SECONDS(s->jitter_buffer_minimum_delay));
    ln_stats_add_integer(report, "jitterBufferEmittedCount",
                         (int64_t)s->jitter_buffer_emitted_count);
    ln_stats_add_integer(report, "retransmittedPacketsReceived",
                         (int64_t)s->retransmitted_packets_received);
    ln_stats_add_integer(report, "retransmittedBytesReceived",
                         (int64_t)s->retransmitted_bytes_received);
    if (s->rtx_ssrc)
        ln_stats_add_integer(report, "rtxSsrc", s->rtx_ssrc);
    if (receiver->implementation[0])
        ln_stats_add_text(report, "decoderImplementation", receiver->implementation);
    if (receiver->transceiver->kind == LN_MEDIA_VIDEO)
        add_video_in(report, receiver, s);
    else
        add_audio_in(report, receiver, s);
}

static void collect_inbound(struct ln_peer_connection *pc, ln_stats_report *report,
                            const ln_rtp_receiver *receiver, ln_time now)
{
    const ln_rtp_transceiver *t = receiver->transceiver;
    struct ln_rtp_inbound_stats s;

    if (!receiver->inbound)
        return;
    ln_rtp_inbound_get_stats(receiver->inbound, now, &s);
    if (s.ssrc == 0)
        return;
    begin_stream(report, t, "inbound-rtp", "I", s.ssrc);
    add_codec_id(report, t, false, s.payload_type);
    add_inbound(pc, report, receiver, &s);
    if (s.has_remote) {
        begin_stream(report, t, "remote-outbound-rtp", "RO", s.ssrc);
        add_codec_id(report, t, false, s.payload_type);
        ln_stats_add_format(report, "localId", "I%u", s.ssrc);
        ln_stats_add_integer(report, "packetsSent", (int64_t)s.remote_packets_sent);
        ln_stats_add_integer(report, "bytesSent", (int64_t)s.remote_bytes_sent);
        ln_stats_add_number(report, "remoteTimestamp", s.remote_ntp_seconds * 1e3);
        ln_stats_add_integer(report, "reportsSent", (int64_t)s.remote_reports_sent);
    }
    collect_codec(report, t, false, s.payload_type);
}

void ln_stats_collect(struct ln_peer_connection *pc, ln_time now, struct ln_operation *operation,
                      struct ln_operation_result *result)
{
    const ln_media_stream_track *track = operation->track;
    ln_stats_report *report = ln_stats_report_create(pc->env.allocator, ln_wall_ms(pc, now));
    size_t i;

    if (!report) {
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
        return;
    }
    if (!track) {
        collect_peer_connection(pc, report);
        collect_channels(pc, report);
    }
    collect_transport(pc, report);
    collect_certificate(report, pc->env.allocator, "CFlocal",
                        ln_certificate_der(pc->transport.certificate));
    collect_certificate(report, pc->env.allocator, "CFremote",
                        ln_dtls_remote_certificate(pc->transport.dtls));
    collect_ice(pc, report);
    for (i = 0; i < pc->transceiver_count; i++) {
        const ln_rtp_transceiver *t = pc->transceivers[i];

        if (!track || t->sender.track == track) {
            collect_source(report, &t->sender);
            collect_outbound(report, &t->sender);
        }
        if (!track || t->receiver.track == track)
            collect_inbound(pc, report, &t->receiver, now);
    }
    if (ln_stats_finish(report) != 0)
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
    else
        result->stats = report;
}
