/* SPDX-License-Identifier: Apache-2.0
 * The enumerations of webrtc.idl. Each has a table X(C_NAME, "w3c-string"), an enum made from it,
 * and ln_<enum>_name(), which gives the exact W3C string ("unknown" for a value out of range). */
#ifndef LINNET_ENUMS_H
#define LINNET_ENUMS_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LN_ENUM_VALUE_(prefix, name) LN_##prefix##_##name

/* RTCSignalingState, https://www.w3.org/TR/webrtc/#dom-rtcsignalingstate */
#define LN_SIGNALING_STATE_TABLE(X)                                                                \
    X(STABLE, "stable")                                                                            \
    X(HAVE_LOCAL_OFFER, "have-local-offer")                                                        \
    X(HAVE_REMOTE_OFFER, "have-remote-offer")                                                      \
    X(HAVE_LOCAL_PRANSWER, "have-local-pranswer")                                                  \
    X(HAVE_REMOTE_PRANSWER, "have-remote-pranswer")                                                \
    X(CLOSED, "closed")
enum ln_signaling_state {
#define LN_X(name, text) LN_ENUM_VALUE_(SIGNALING_STATE, name),
    LN_SIGNALING_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_signaling_state_name(enum ln_signaling_state value);

/* RTCIceGatheringState */
#define LN_ICE_GATHERING_STATE_TABLE(X)                                                            \
    X(NEW, "new")                                                                                  \
    X(GATHERING, "gathering")                                                                      \
    X(COMPLETE, "complete")
enum ln_ice_gathering_state {
#define LN_X(name, text) LN_ENUM_VALUE_(ICE_GATHERING_STATE, name),
    LN_ICE_GATHERING_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_ice_gathering_state_name(enum ln_ice_gathering_state value);

/* RTCIceConnectionState; RTCIceTransportState has the same values. */
#define LN_ICE_CONNECTION_STATE_TABLE(X)                                                           \
    X(NEW, "new")                                                                                  \
    X(CHECKING, "checking")                                                                        \
    X(CONNECTED, "connected")                                                                      \
    X(COMPLETED, "completed")                                                                      \
    X(DISCONNECTED, "disconnected")                                                                \
    X(FAILED, "failed")                                                                            \
    X(CLOSED, "closed")
enum ln_ice_connection_state {
#define LN_X(name, text) LN_ENUM_VALUE_(ICE_CONNECTION_STATE, name),
    LN_ICE_CONNECTION_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_ice_connection_state_name(enum ln_ice_connection_state value);

/* RTCPeerConnectionState */
#define LN_PEER_CONNECTION_STATE_TABLE(X)                                                          \
    X(NEW, "new")                                                                                  \
    X(CONNECTING, "connecting")                                                                    \
    X(CONNECTED, "connected")                                                                      \
    X(DISCONNECTED, "disconnected")                                                                \
    X(FAILED, "failed")                                                                            \
    X(CLOSED, "closed")
enum ln_peer_connection_state {
#define LN_X(name, text) LN_ENUM_VALUE_(PEER_CONNECTION_STATE, name),
    LN_PEER_CONNECTION_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_peer_connection_state_name(enum ln_peer_connection_state value);

/* RTCSdpType. IMPLICIT stands for a missing type: setLocalDescription() without an argument. */
#define LN_SDP_TYPE_TABLE(X)                                                                       \
    X(OFFER, "offer")                                                                              \
    X(PRANSWER, "pranswer")                                                                        \
    X(ANSWER, "answer")                                                                            \
    X(ROLLBACK, "rollback")
enum ln_sdp_type {
#define LN_X(name, text) LN_ENUM_VALUE_(SDP_TYPE, name),
    LN_SDP_TYPE_TABLE(LN_X)
#undef LN_X
        LN_SDP_TYPE_IMPLICIT
};
LN_API const char *ln_sdp_type_name(enum ln_sdp_type value);

/* RTCRtpTransceiverDirection */
#define LN_RTP_TRANSCEIVER_DIRECTION_TABLE(X)                                                      \
    X(SENDRECV, "sendrecv")                                                                        \
    X(SENDONLY, "sendonly")                                                                        \
    X(RECVONLY, "recvonly")                                                                        \
    X(INACTIVE, "inactive")                                                                        \
    X(STOPPED, "stopped")
enum ln_rtp_transceiver_direction {
#define LN_X(name, text) LN_ENUM_VALUE_(RTP_TRANSCEIVER_DIRECTION, name),
    LN_RTP_TRANSCEIVER_DIRECTION_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_rtp_transceiver_direction_name(enum ln_rtp_transceiver_direction value);

/* RTCDtlsTransportState */
#define LN_DTLS_TRANSPORT_STATE_TABLE(X)                                                           \
    X(NEW, "new")                                                                                  \
    X(CONNECTING, "connecting")                                                                    \
    X(CONNECTED, "connected")                                                                      \
    X(CLOSED, "closed")                                                                            \
    X(FAILED, "failed")
enum ln_dtls_transport_state {
#define LN_X(name, text) LN_ENUM_VALUE_(DTLS_TRANSPORT_STATE, name),
    LN_DTLS_TRANSPORT_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_dtls_transport_state_name(enum ln_dtls_transport_state value);

/* RTCSctpTransportState */
#define LN_SCTP_TRANSPORT_STATE_TABLE(X)                                                           \
    X(CONNECTING, "connecting")                                                                    \
    X(CONNECTED, "connected")                                                                      \
    X(CLOSED, "closed")
enum ln_sctp_transport_state {
#define LN_X(name, text) LN_ENUM_VALUE_(SCTP_TRANSPORT_STATE, name),
    LN_SCTP_TRANSPORT_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_sctp_transport_state_name(enum ln_sctp_transport_state value);

/* RTCDataChannelState */
#define LN_DATA_CHANNEL_STATE_TABLE(X)                                                             \
    X(CONNECTING, "connecting")                                                                    \
    X(OPEN, "open")                                                                                \
    X(CLOSING, "closing")                                                                          \
    X(CLOSED, "closed")
enum ln_data_channel_state {
#define LN_X(name, text) LN_ENUM_VALUE_(DATA_CHANNEL_STATE, name),
    LN_DATA_CHANNEL_STATE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_data_channel_state_name(enum ln_data_channel_state value);

/* RTCIceRole */
#define LN_ICE_ROLE_TABLE(X)                                                                       \
    X(UNKNOWN, "unknown")                                                                          \
    X(CONTROLLING, "controlling")                                                                  \
    X(CONTROLLED, "controlled")
enum ln_ice_role {
#define LN_X(name, text) LN_ENUM_VALUE_(ICE_ROLE, name),
    LN_ICE_ROLE_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_ice_role_name(enum ln_ice_role value);

/* RTCErrorDetailType */
#define LN_ERROR_DETAIL_TABLE(X)                                                                   \
    X(NONE, "")                                                                                    \
    X(DATA_CHANNEL_FAILURE, "data-channel-failure")                                                \
    X(DTLS_FAILURE, "dtls-failure")                                                                \
    X(FINGERPRINT_FAILURE, "fingerprint-failure")                                                  \
    X(SCTP_FAILURE, "sctp-failure")                                                                \
    X(SDP_SYNTAX_ERROR, "sdp-syntax-error")                                                        \
    X(HARDWARE_ENCODER_NOT_AVAILABLE, "hardware-encoder-not-available")                            \
    X(HARDWARE_ENCODER_ERROR, "hardware-encoder-error")
enum ln_error_detail {
#define LN_X(name, text) LN_ENUM_VALUE_(ERROR_DETAIL, name),
    LN_ERROR_DETAIL_TABLE(LN_X)
#undef LN_X
};
LN_API const char *ln_error_detail_name(enum ln_error_detail value);

#ifdef __cplusplus
}
#endif
#endif
