/* SPDX-License-Identifier: Apache-2.0
 * The W3C strings of the enumerations in linnet/enums.h. */
#include <linnet/enums.h>

#define LN_ROW(name, text) text,
#define LN_NAMES(function, type, TABLE)                                                            \
    const char *function(type value)                                                               \
    {                                                                                              \
        static const char *const names[] = { TABLE(LN_ROW) };                                      \
                                                                                                   \
        return (unsigned)value < sizeof names / sizeof *names ? names[value] : "unknown";          \
    }

LN_NAMES(ln_signaling_state_name, enum ln_signaling_state, LN_SIGNALING_STATE_TABLE)
LN_NAMES(ln_ice_gathering_state_name, enum ln_ice_gathering_state, LN_ICE_GATHERING_STATE_TABLE)
LN_NAMES(ln_ice_connection_state_name, enum ln_ice_connection_state, LN_ICE_CONNECTION_STATE_TABLE)
LN_NAMES(ln_peer_connection_state_name, enum ln_peer_connection_state,
         LN_PEER_CONNECTION_STATE_TABLE)
LN_NAMES(ln_sdp_type_name, enum ln_sdp_type, LN_SDP_TYPE_TABLE)
LN_NAMES(ln_rtp_transceiver_direction_name, enum ln_rtp_transceiver_direction,
         LN_RTP_TRANSCEIVER_DIRECTION_TABLE)
LN_NAMES(ln_dtls_transport_state_name, enum ln_dtls_transport_state, LN_DTLS_TRANSPORT_STATE_TABLE)
LN_NAMES(ln_sctp_transport_state_name, enum ln_sctp_transport_state, LN_SCTP_TRANSPORT_STATE_TABLE)
LN_NAMES(ln_data_channel_state_name, enum ln_data_channel_state, LN_DATA_CHANNEL_STATE_TABLE)
LN_NAMES(ln_ice_role_name, enum ln_ice_role, LN_ICE_ROLE_TABLE)
LN_NAMES(ln_error_detail_name, enum ln_error_detail, LN_ERROR_DETAIL_TABLE)
