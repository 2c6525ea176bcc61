/* SPDX-License-Identifier: Apache-2.0
 * RTCDtlsTransport, RTCIceTransport and RTCSctpTransport
 * (https://www.w3.org/TR/webrtc/#rtcdtlstransport-interface). They belong to their peer connection.
 */
#ifndef LINNET_TRANSPORTS_H
#define LINNET_TRANSPORTS_H

#include <linnet/enums.h>
#include <linnet/ice_candidate.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_dtls_transport ln_dtls_transport;
typedef struct ln_ice_transport ln_ice_transport;
typedef struct ln_sctp_transport ln_sctp_transport;

LN_API ln_ice_transport *ln_dtls_transport_ice_transport(ln_dtls_transport *transport);
LN_API enum ln_dtls_transport_state ln_dtls_transport_state(const ln_dtls_transport *transport);
/* getRemoteCertificates(): DER, borrowed; the leaf is index 0, {NULL, 0} past the end. */
LN_API struct ln_bytes ln_dtls_transport_remote_certificate(const ln_dtls_transport *transport,
                                                            size_t index);

LN_API enum ln_ice_role ln_ice_transport_role(const ln_ice_transport *transport);
/* component: always "rtp", RTCP being multiplexed. */
LN_API const char *ln_ice_transport_component(const ln_ice_transport *transport);
LN_API enum ln_ice_connection_state ln_ice_transport_state(const ln_ice_transport *transport);
LN_API enum ln_ice_gathering_state
ln_ice_transport_gathering_state(const ln_ice_transport *transport);
/* getLocalCandidates(), getRemoteCandidates(): the index-th; false past the end. Texts are borrowed
 * until the next call with now. */
LN_API bool ln_ice_transport_local_candidate(const ln_ice_transport *transport, size_t index,
                                             struct ln_ice_candidate *ret_candidate);
LN_API bool ln_ice_transport_remote_candidate(const ln_ice_transport *transport, size_t index,
                                              struct ln_ice_candidate *ret_candidate);
/* getSelectedCandidatePair(): false while it is null. */
LN_API bool ln_ice_transport_selected_candidate_pair(const ln_ice_transport *transport,
                                                     struct ln_ice_candidate *ret_local,
                                                     struct ln_ice_candidate *ret_remote);
/* getLocalParameters(), getRemoteParameters(): borrowed; false while they are null. */
LN_API bool ln_ice_transport_local_parameters(const ln_ice_transport *transport,
                                              const char **ret_username_fragment,
                                              const char **ret_password);
LN_API bool ln_ice_transport_remote_parameters(const ln_ice_transport *transport,
                                               const char **ret_username_fragment,
                                               const char **ret_password);

LN_API ln_dtls_transport *ln_sctp_transport_transport(ln_sctp_transport *transport);
LN_API enum ln_sctp_transport_state ln_sctp_transport_state(const ln_sctp_transport *transport);
/* maxMessageSize in bytes; SIZE_MAX stands for infinity. */
LN_API size_t ln_sctp_transport_max_message_size(const ln_sctp_transport *transport);
/* maxChannels: false while it is null. */
LN_API bool ln_sctp_transport_max_channels(const ln_sctp_transport *transport,
                                           uint16_t *ret_channels);

#ifdef __cplusplus
}
#endif
#endif
