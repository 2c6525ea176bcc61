/* SPDX-License-Identifier: Apache-2.0
 * The collectors of media: sources, streams out and in, the other side's view of them, codecs. */
#include "base/alloc.h"
#include "peer/peer_connection.h"
#include "peer/stats_parts.h"
#include "rtp/session.h"

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
    ln_stats_add_text(report, "transportId", LN_STATS_TRANSPORT_ID);
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
        ln_stats_add_text(report, "transportId", LN_STATS_TRANSPORT_ID);
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
    ln_stats_add_number(report, "totalEncodeTime", LN_STATS_SECONDS(total->encode_time));
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
    ln_stats_add_number(report, "totalPacketSendDelay",
                        LN_STATS_SECONDS(s.total_packet_send_delay));
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
            ln_stats_add_number(report, "roundTripTime", LN_STATS_SECONDS(s.round_trip_time));
        ln_stats_add_number(report, "totalRoundTripTime",
                            LN_STATS_SECONDS(s.total_round_trip_time));
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
    ln_stats_add_number(report, "totalDecodeTime", LN_STATS_SECONDS(total->decode_time));
    ln_stats_add_integer(report, "qpSum", (int64_t)total->qp_sum);
    if (total->width) {
        ln_stats_add_integer(report, "frameWidth", total->width);
        ln_stats_add_integer(report, "frameHeight", total->height);
    }
    ln_stats_add_integer(report, "framesReceived", (int64_t)s->frames_received);
    ln_stats_add_integer(report, "framesAssembledFromMultiplePackets",
                         (int64_t)s->frames_assembled_from_multiple_packets);
    ln_stats_add_number(report, "totalAssemblyTime", LN_STATS_SECONDS(s->total_assembly_time));
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
    ln_stats_add_wall(pc, report, "lastPacketReceivedTimestamp", s->last_packet_received);
    ln_stats_add_integer(report, "headerBytesReceived", (int64_t)s->header_bytes_received);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)s->bytes_received);
    ln_stats_add_integer(report, "packetsDiscarded", (int64_t)s->packets_discarded);
    ln_stats_add_integer(report, "nackCount", (int64_t)s->nack_count);
    if (s->estimated_playout != LN_TIME_NEVER) /* of the NTP epoch, 1900 */
        ln_stats_add_number(report, "estimatedPlayoutTimestamp",
                            (double)s->estimated_playout / 1e6 + 2208988800e3);
    ln_stats_add_number(report, "jitterBufferDelay", LN_STATS_SECONDS(s->jitter_buffer_delay));
    ln_stats_add_number(report, "jitterBufferTargetDelay",
                        LN_STATS_SECONDS(s->jitter_buffer_target_delay));
    ln_stats_add_number(report, "jitterBufferMinimumDelay",
                        LN_STATS_SECONDS(s->jitter_buffer_minimum_delay));
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

void ln_stats_collect_receiver(struct ln_peer_connection *pc, ln_stats_report *report,
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

void ln_stats_collect_sender(ln_stats_report *report, const ln_rtp_sender *sender)
{
    collect_source(report, sender);
    collect_outbound(report, sender);
}
