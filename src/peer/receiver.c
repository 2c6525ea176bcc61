/* SPDX-License-Identifier: Apache-2.0
 * RTCRtpReceiver (https://www.w3.org/TR/webrtc/#rtcrtpreceiver-interface). */
#include "peer/peer_connection.h"
#include "rtp/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define JITTER_BUFFER_TARGET_MAX_MS 4000

ln_media_stream_track *ln_rtp_receiver_track(const ln_rtp_receiver *receiver)
{
    return receiver->track;
}

ln_dtls_transport *ln_rtp_receiver_transport(const ln_rtp_receiver *receiver)
{
    return receiver->transceiver->has_current ? &receiver->transceiver->pc->transport.dtls_handle
                                              : NULL;
}

void ln_rtp_receiver_get_parameters(ln_rtp_receiver *receiver, struct ln_rtp_parameters *ret)
{
    memset(ret, 0, sizeof *ret);
    ln_parameters_fill(receiver->transceiver, false, ret);
}

int ln_rtp_receiver_poll_frame(ln_rtp_receiver *receiver, ln_time now, struct ln_frame **ret_frame)
{
    if (!receiver->inbound || receiver->transceiver->stopping)
        return 0;
    return ln_rtp_session_poll_frame(receiver->transceiver->pc->media.rtp, receiver->inbound, now,
                                     ret_frame);
}

void ln_rtp_receiver_request_key_frame(ln_rtp_receiver *receiver)
{
    struct ln_peer_connection *pc = receiver->transceiver->pc;

    if (receiver->inbound) {
        ln_rtp_session_request_key_frame(pc->media.rtp, receiver->inbound, pc->now);
        ln_stir(pc);
    }
}

int ln_rtp_receiver_set_jitter_buffer_target(ln_rtp_receiver *receiver, double target_ms)
{
    if (target_ms > JITTER_BUFFER_TARGET_MAX_MS || isnan(target_ms))
        return LN_ERR_RANGE;
    receiver->jitter_buffer_target_ms = target_ms < 0 ? -1 : target_ms;
    if (receiver->inbound)
        ln_rtp_inbound_set_target_delay(receiver->inbound,
                                        target_ms < 0 ? 0 : (ln_duration)(target_ms * 1e6));
    return 0;
}

double ln_rtp_receiver_jitter_buffer_target(const ln_rtp_receiver *receiver)
{
    return receiver->jitter_buffer_target_ms;
}

void ln_rtp_receiver_report(ln_rtp_receiver *receiver, const struct ln_rtp_decoder_report *report)
{
    struct ln_rtp_decoder_report *total = &receiver->total;

    total->frames_decoded += report->frames_decoded;
    total->key_frames_decoded += report->key_frames_decoded;
    total->frames_rendered += report->frames_rendered;
    total->frames_dropped += report->frames_dropped;
    total->decode_time += report->decode_time;
    total->qp_sum += report->qp_sum;
    total->width = report->width;
    total->height = report->height;
    total->samples_received += report->samples_received;
    total->samples_concealed += report->samples_concealed;
    total->samples_silent_concealed += report->samples_silent_concealed;
    total->concealment_events += report->concealment_events;
    total->audio_energy += report->audio_energy;
    total->audio_level = report->audio_level;
    if (report->implementation)
        snprintf(receiver->implementation, sizeof receiver->implementation, "%s",
                 report->implementation);
}

static size_t sources_of(const ln_rtp_receiver *receiver, ln_time now, bool contributing,
                         struct ln_rtp_contributing_source *ret, size_t cap)
{
    struct ln_rtp_source sources[LN_RTP_SOURCES_MAX];
    size_t count, i, filled = 0;

    if (!receiver->inbound)
        return 0;
    count = ln_rtp_inbound_sources(receiver->inbound, now, sources, LN_RTP_SOURCES_MAX);
    for (i = 0; i < count && filled < cap; i++) {
        if (sources[i].contributing != contributing)
            continue;
        ret[filled].time = sources[i].time;
        ret[filled].source = sources[i].source;
        ret[filled].rtp_timestamp = sources[i].rtp_timestamp;
        ret[filled].audio_level = sources[i].audio_level_dbov > 0
                                      ? -1
                                      : pow(10.0, sources[i].audio_level_dbov / 20.0);
        filled++;
    }
    return filled;
}

size_t ln_rtp_receiver_synchronization_sources(const ln_rtp_receiver *receiver, ln_time now,
                                               struct ln_rtp_contributing_source *ret, size_t cap)
{
    return sources_of(receiver, now, false, ret, cap);
}

size_t ln_rtp_receiver_contributing_sources(const ln_rtp_receiver *receiver, ln_time now,
                                            struct ln_rtp_contributing_source *ret, size_t cap)
{
    return sources_of(receiver, now, true, ret, cap);
}
