/* SPDX-License-Identifier: Apache-2.0
 * The dictionaries of RTP parameters (https://www.w3.org/TR/webrtc/#rtcrtpparameters). Fixed arrays
 * with counts: copies own nothing. Fill a structure with its _init() first where it has one. */
#ifndef LINNET_RTP_PARAMETERS_H
#define LINNET_RTP_PARAMETERS_H

#include <linnet/configuration.h>
#include <linnet/enums.h>
#include <linnet/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LN_CODECS_MAX            32u
#define LN_HEADER_EXTENSIONS_MAX 16u
#define LN_ENCODINGS_MAX         8u

/* RTCRtpCodec and RTCRtpCodecParameters. */
struct ln_rtp_codec_parameters {
    char mime_type[32]; /* "video/VP8" */
    uint32_t clock_rate;
    uint16_t channels; /* 0: absent (video) */
    char sdp_fmtp_line[256];
    uint8_t payload_type; /* 0 in capabilities, where it means nothing */
};

/* RTCRtpHeaderExtensionParameters and -Capability. */
struct ln_rtp_header_extension_parameters {
    char uri[128];
    uint16_t id;
    bool encrypted; /* always false */
};

/* RTCRtpCapabilities: what this build of the core can packetise. */
struct ln_rtp_capabilities {
    struct ln_rtp_codec_parameters codecs[LN_CODECS_MAX];
    size_t codec_count;
    struct ln_rtp_header_extension_parameters header_extensions[LN_HEADER_EXTENSIONS_MAX];
    size_t header_extension_count;
};

/* RTCRtpSender.getCapabilities() and RTCRtpReceiver.getCapabilities(), which agree. */
LN_API void ln_rtp_capabilities_get(enum ln_media_kind kind, struct ln_rtp_capabilities *ret);

/* RTCRtpEncodingParameters. */
struct ln_rtp_encoding_parameters {
    char rid[32];                    /* "" without simulcast */
    bool active;                     /* default true */
    uint32_t max_bitrate_bps;        /* 0: absent */
    double max_framerate;            /* < 0: absent */
    double scale_resolution_down_by; /* 0: absent; else >= 1 */
    /* webrtc-priority: the share of the bandwidth that this encoding takes where senders of one
     * kind compete; 1, 2, 4 and 8 parts (RFC 8835, 4.1). Default LOW; NONE: absent, which is that.
     */
    enum ln_network_priority priority;
    /* webrtc-priority: how the network is asked to treat its packets (RFC 8837, 5). NONE: absent,
     * as network.priority of the configuration says. */
    enum ln_network_priority network_priority;
};

LN_API void ln_rtp_encoding_parameters_init(struct ln_rtp_encoding_parameters *encoding);

/* RTCRtpSendParameters; RTCRtpReceiveParameters has no encodings and no transaction id. */
struct ln_rtp_parameters {
    char transaction_id[40];
    struct ln_rtp_encoding_parameters encodings[LN_ENCODINGS_MAX];
    size_t encoding_count;
    struct ln_rtp_header_extension_parameters header_extensions[LN_HEADER_EXTENSIONS_MAX];
    size_t header_extension_count;
    char rtcp_cname[64];
    bool rtcp_reduced_size;
    struct ln_rtp_codec_parameters codecs[LN_CODECS_MAX];
    size_t codec_count;
};

#ifdef __cplusplus
}
#endif
#endif
