/* SPDX-License-Identifier: Apache-2.0
 * RTCRtpTransceiver, RTCRtpSender and RTCRtpReceiver
 * (https://www.w3.org/TR/webrtc/#rtcrtptransceiver-interface).
 *
 * The objects belong to their peer connection and live until ln_peer_connection_free(). All calls
 * on its owner thread. Beside the W3C members stand the two calls that carry encoded frames. */
#ifndef LINNET_RTP_TRANSCEIVER_H
#define LINNET_RTP_TRANSCEIVER_H

#include <linnet/media_stream_track.h>
#include <linnet/rtp_parameters.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_rtp_transceiver ln_rtp_transceiver;
typedef struct ln_rtp_sender ln_rtp_sender;
typedef struct ln_rtp_receiver ln_rtp_receiver;
typedef struct ln_dtls_transport ln_dtls_transport;
typedef uint64_t ln_op_id;

/* RTCRtpTransceiverInit. */
struct ln_rtp_transceiver_init {
    size_t size;
    enum ln_rtp_transceiver_direction direction; /* default sendrecv */
    const char *const *stream_ids;
    size_t stream_count;
    const struct ln_rtp_encoding_parameters *send_encodings; /* at most one is sent at present */
    size_t send_encoding_count;
};

LN_API void ln_rtp_transceiver_init_init(struct ln_rtp_transceiver_init *init);

/* mid: NULL before it is negotiated. */
LN_API const char *ln_rtp_transceiver_mid(const ln_rtp_transceiver *transceiver);
LN_API enum ln_media_kind ln_rtp_transceiver_kind(const ln_rtp_transceiver *transceiver);
LN_API ln_rtp_sender *ln_rtp_transceiver_sender(ln_rtp_transceiver *transceiver);
LN_API ln_rtp_receiver *ln_rtp_transceiver_receiver(ln_rtp_transceiver *transceiver);
LN_API enum ln_rtp_transceiver_direction
ln_rtp_transceiver_direction(const ln_rtp_transceiver *transceiver);
/* Returns 0, LN_ERR_INVALID_STATE (closed or stopping) or LN_ERR_INVALID_ARGUMENT (stopped). */
LN_API LN_NODISCARD int
ln_rtp_transceiver_set_direction(ln_rtp_transceiver *transceiver,
                                 enum ln_rtp_transceiver_direction direction);
/* currentDirection: false while it is null. */
LN_API bool ln_rtp_transceiver_current_direction(const ln_rtp_transceiver *transceiver,
                                                 enum ln_rtp_transceiver_direction *ret_direction);
LN_API LN_NODISCARD int ln_rtp_transceiver_stop(ln_rtp_transceiver *transceiver);
/* setCodecPreferences(): count 0 restores the default order. Returns 0 or
 * LN_ERR_INVALID_MODIFICATION (a codec that is not in the capabilities, or only resiliency ones).
 */
LN_API LN_NODISCARD int ln_rtp_transceiver_set_codec_preferences(
    ln_rtp_transceiver *transceiver, const struct ln_rtp_codec_parameters *codecs, size_t count);

LN_API ln_media_stream_track *ln_rtp_sender_track(const ln_rtp_sender *sender); /* NULL: null */
LN_API ln_dtls_transport *ln_rtp_sender_transport(const ln_rtp_sender *sender);
LN_API void ln_rtp_sender_get_parameters(ln_rtp_sender *sender, struct ln_rtp_parameters *ret);
/* setParameters(): done at the next call with now, LN_EVENT_OPERATION_DONE tells. */
LN_API LN_NODISCARD int ln_rtp_sender_set_parameters(ln_rtp_sender *sender,
                                                     const struct ln_rtp_parameters *parameters,
                                                     ln_op_id *ret_op);
/* replaceTrack(): NULL stops sending. The kinds must agree (LN_ERR_INVALID_ARGUMENT). */
LN_API LN_NODISCARD int ln_rtp_sender_replace_track(ln_rtp_sender *sender,
                                                    ln_media_stream_track *with_track,
                                                    ln_op_id *ret_op);
LN_API LN_NODISCARD int ln_rtp_sender_set_streams(ln_rtp_sender *sender,
                                                  const char *const *stream_ids, size_t count);
/* Sends one encoded frame; a reference is taken. The frame's codec must be the negotiated one
 * (ln_rtp_sender_codec). Returns 0; LN_ERR_INVALID_STATE when the transceiver does not send now or
 * the connection has no path and keys; LN_ERR_NOT_SUPPORTED for another codec; LN_ERR_LIMIT when
 * the queue is full (the frame is counted as dropped). After an error the next picture to be
 * encoded is a key frame. */
LN_API LN_NODISCARD int ln_rtp_sender_send_frame(ln_rtp_sender *sender, ln_time now,
                                                 const struct ln_frame *frame);
/* The codec to encode with, LN_CODEC_NONE before negotiation or when nothing may be sent. */
LN_API enum ln_codec ln_rtp_sender_codec(const ln_rtp_sender *sender);

/* What the encoder did since the last report, for getStats (RTCOutboundRtpStreamStats). */
struct ln_rtp_encoder_report {
    uint32_t frames_encoded, key_frames_encoded;
    ln_duration encode_time;
    uint64_t qp_sum;
    uint16_t width, height; /* of the last frame */
    const char *implementation;
};
LN_API void ln_rtp_sender_report(ln_rtp_sender *sender, const struct ln_rtp_encoder_report *report);

LN_API ln_media_stream_track *ln_rtp_receiver_track(const ln_rtp_receiver *receiver);
LN_API ln_dtls_transport *ln_rtp_receiver_transport(const ln_rtp_receiver *receiver);
LN_API void ln_rtp_receiver_get_parameters(ln_rtp_receiver *receiver,
                                           struct ln_rtp_parameters *ret);
/* The next frame whose time has come, in decoding order; the caller owns the reference. Returns 1
 * and the frame, or 0. After each call with `now` until it returns 0. */
LN_API LN_NODISCARD int ln_rtp_receiver_poll_frame(ln_rtp_receiver *receiver, ln_time now,
                                                   struct ln_frame **ret_frame);
/* Asks the sender for a key frame (RFC 4585 PLI, limited in rate): after a decoder error. */
LN_API void ln_rtp_receiver_request_key_frame(ln_rtp_receiver *receiver);
/* jitterBufferTarget in milliseconds, 0 to 4000; negative: null (automatic). */
LN_API LN_NODISCARD int ln_rtp_receiver_set_jitter_buffer_target(ln_rtp_receiver *receiver,
                                                                 double target_ms);
LN_API double ln_rtp_receiver_jitter_buffer_target(const ln_rtp_receiver *receiver);

/* What the decoder and the player did since the last report (RTCInboundRtpStreamStats). */
struct ln_rtp_decoder_report {
    uint32_t frames_decoded, key_frames_decoded, frames_rendered, frames_dropped;
    ln_duration decode_time;
    uint64_t qp_sum;
    uint16_t width, height;
    uint64_t samples_received, samples_concealed, samples_silent_concealed, concealment_events;
    double audio_energy; /* sum of squared level times duration, webrtc-stats totalAudioEnergy */
    double audio_level;  /* 0..1, latest */
    const char *implementation;
};
LN_API void ln_rtp_receiver_report(ln_rtp_receiver *receiver,
                                   const struct ln_rtp_decoder_report *report);

/* RTCRtpContributingSource, to which RTCRtpSynchronizationSource adds nothing. audio_level < 0:
 * absent, as it is for contributing sources (RFC 6465 is not negotiated). */
struct ln_rtp_contributing_source {
    ln_time time;
    uint32_t source;
    double audio_level;
    uint32_t rtp_timestamp;
};
/* The sources of the last ten seconds; returns how many were written. Contributing ones are those
 * that a mixer names (CSRC). */
LN_API size_t ln_rtp_receiver_synchronization_sources(const ln_rtp_receiver *receiver, ln_time now,
                                                      struct ln_rtp_contributing_source *ret,
                                                      size_t cap);
LN_API size_t ln_rtp_receiver_contributing_sources(const ln_rtp_receiver *receiver, ln_time now,
                                                   struct ln_rtp_contributing_source *ret,
                                                   size_t cap);

#ifdef __cplusplus
}
#endif
#endif
