/* SPDX-License-Identifier: Apache-2.0
 * RTCIceCandidate and its dictionary (https://www.w3.org/TR/webrtc/#rtcicecandidate-interface). */
#ifndef LINNET_ICE_CANDIDATE_H
#define LINNET_ICE_CANDIDATE_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RTCIceCandidateInit. NULL and -1 stand for the members that are null. An empty `candidate` is the
 * end of candidates. */
struct ln_ice_candidate_init {
    const char *candidate; /* "candidate:...", with or without "a=" */
    const char *sdp_mid;
    int32_t sdp_m_line_index;
    const char *username_fragment;
};

/* The attributes of RTCIceCandidate that are parsed from the line. Texts live as long as the object
 * they came with. NULL, 0 and -1 stand for null. */
struct ln_ice_candidate {
    const char *candidate;
    const char *sdp_mid;
    int32_t sdp_m_line_index;
    const char *username_fragment;
    const char *foundation;
    const char *component; /* "rtp" or "rtcp" */
    uint32_t priority;
    const char *address;
    const char *protocol; /* "udp" or "tcp" */
    uint16_t port;
    const char *type;     /* "host", "srflx", "prflx", "relay" */
    const char *tcp_type; /* "active", "passive", "so" */
    const char *related_address;
    uint16_t related_port;
    const char *relay_protocol; /* "udp", "tcp", "tls" */
    const char *url;
};

#ifdef __cplusplus
}
#endif
#endif
