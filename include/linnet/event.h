/* SPDX-License-Identifier: Apache-2.0
 * What ln_peer_connection_poll_event() gives: the W3C task queue as a list. Completions and events
 * come in the order the specification fires them; a state getter shows the value of the last event
 * taken, and each state event carries its value. */
#ifndef LINNET_EVENT_H
#define LINNET_EVENT_H

#include <linnet/data_channel.h>
#include <linnet/enums.h>
#include <linnet/error.h>
#include <linnet/ice_candidate.h>
#include <linnet/rtp_transceiver.h>
#include <linnet/stats.h>
#include <linnet/transports.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RTCSessionDescriptionInit. sdp NULL stands for an absent or empty text. */
struct ln_session_description {
    enum ln_sdp_type type;
    const char *sdp;
};

/* RTCError beside its DOMException kind (ln_error_dom_name(error)). -1 stands for null. */
struct ln_rtc_error {
    int error;
    enum ln_error_detail detail;
    const char *message;
    int32_t sdp_line_number;
    int32_t sctp_cause_code;
    int32_t received_alert;
    int32_t sent_alert;
};

/* What an encoder should do from now on. */
struct ln_encoder_target {
    ln_rtp_sender *sender;
    uint8_t encoding;
    bool active;
    uint32_t bitrate_bps;
    uint16_t max_width, max_height; /* 0: no limit */
    double max_framerate;           /* 0: no limit */
    bool key_frame;                 /* the next frame must be a key frame */
    uint8_t loss_percent;           /* reported by the other side; for in-band FEC */
};

enum ln_event_kind {
    LN_EVENT_OPERATION_DONE,     /* a promise: op, error, and what it resolves to */
    LN_EVENT_NEGOTIATION_NEEDED, /* negotiationneeded */
    LN_EVENT_ICE_CANDIDATE, /* icecandidate: candidate; its text "" ends a generation, `last` is
                               the null candidate */
    LN_EVENT_ICE_CANDIDATE_ERROR,
    LN_EVENT_SIGNALING_STATE_CHANGE,
    LN_EVENT_ICE_CONNECTION_STATE_CHANGE,
    LN_EVENT_ICE_GATHERING_STATE_CHANGE,
    LN_EVENT_CONNECTION_STATE_CHANGE,
    LN_EVENT_TRACK,
    LN_EVENT_DATA_CHANNEL, /* datachannel: the other side opened one */

    LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE, /* RTCDtlsTransport: statechange */
    LN_EVENT_DTLS_TRANSPORT_ERROR,        /* RTCDtlsTransport: error */
    LN_EVENT_ICE_TRANSPORT_STATE_CHANGE,
    LN_EVENT_ICE_TRANSPORT_GATHERING_STATE_CHANGE,
    LN_EVENT_SELECTED_CANDIDATE_PAIR_CHANGE,
    LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE,

    LN_EVENT_OPEN, /* RTCDataChannel: open, message, ... */
    LN_EVENT_MESSAGE,
    LN_EVENT_BUFFERED_AMOUNT_LOW,
    LN_EVENT_CLOSING,
    LN_EVENT_ERROR,
    LN_EVENT_CLOSE,
    LN_EVENT_MESSAGE_PART,      /* linnet: the next bytes of a message, where they were asked for */
    LN_EVENT_MESSAGE_ABANDONED, /* linnet: one of which parts were given will not go on */
    LN_EVENT_WRITABLE, /* linnet: a write that was cut short can go on, or its message is gone */

    LN_EVENT_MUTE, /* MediaStreamTrack */
    LN_EVENT_UNMUTE,
    LN_EVENT_ENDED,

    LN_EVENT_ENCODER_TARGET, /* linnet: see struct ln_encoder_target */
    LN_EVENT_FRAME,          /* linnet: ln_rtp_receiver_poll_frame() has something */
};

/* Everything in it is borrowed until the next call on the peer connection that takes now, or the
 * next poll_event. */
struct ln_event {
    enum ln_event_kind kind;
    union {
        struct {
            ln_op_id op;
            struct ln_rtc_error error;                 /* error.error 0: resolved */
            struct ln_session_description description; /* createOffer, createAnswer */
            const ln_stats_report *stats;              /* getStats */
        } operation;
        struct {
            struct ln_ice_candidate candidate;
            bool last;
        } ice_candidate;
        struct {
            const char *address; /* NULL: null */
            uint16_t port;
            const char *url;
            uint16_t error_code;
            const char *error_text;
        } ice_candidate_error;
        enum ln_signaling_state signaling_state;
        enum ln_ice_connection_state ice_connection_state;
        enum ln_ice_gathering_state ice_gathering_state;
        enum ln_peer_connection_state connection_state;
        enum ln_dtls_transport_state dtls_transport_state;
        enum ln_ice_connection_state ice_transport_state;
        enum ln_sctp_transport_state sctp_transport_state;
        struct {
            ln_rtp_transceiver *transceiver;
            ln_rtp_receiver *receiver;
            ln_media_stream_track *track;
            const char *const *stream_ids;
            size_t stream_count;
        } track;                  /* also MUTE, UNMUTE, ENDED (stream_count 0) */
        ln_data_channel *channel; /* DATA_CHANNEL, OPEN, BUFFERED_AMOUNT_LOW, CLOSING, CLOSE,
                                     WRITABLE */
        struct {
            ln_data_channel *channel;
            const uint8_t *data;
            size_t len;
            bool text;
        } message;
        struct {
            ln_data_channel *channel;
            uint64_t message; /* its name on the connection, never used again */
            const uint8_t *data;
            size_t len;
            bool text, first, last; /* both: all of it */
        } part;                     /* MESSAGE_PART; MESSAGE_ABANDONED: channel and message */
        struct {
            ln_data_channel *channel; /* NULL for a transport's error */
            struct ln_rtc_error error;
        } error;
        struct ln_encoder_target encoder_target;
        ln_rtp_receiver *receiver; /* FRAME */
    } u;
};

#ifdef __cplusplus
}
#endif
#endif
