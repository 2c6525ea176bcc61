/* SPDX-License-Identifier: Apache-2.0
 * RTCConfiguration and RTCIceServer (https://www.w3.org/TR/webrtc/#rtcconfiguration-dictionary). */
#ifndef LINNET_CONFIGURATION_H
#define LINNET_CONFIGURATION_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_certificate ln_certificate; /* RTCCertificate, linnet/certificate.h */

/* RTCIceServer. Texts are read during the call that takes the configuration. */
struct ln_ice_server {
    const char *const *urls; /* "stun:host[:port]", RFC 7064 */
    size_t url_count;
    const char *username;   /* NULL: none */
    const char *credential; /* NULL: none */
};

enum ln_ice_transport_policy { LN_ICE_TRANSPORT_POLICY_ALL, LN_ICE_TRANSPORT_POLICY_RELAY };
enum ln_bundle_policy {
    LN_BUNDLE_POLICY_BALANCED,
    LN_BUNDLE_POLICY_MAX_COMPAT,
    LN_BUNDLE_POLICY_MAX_BUNDLE
};
enum ln_rtcp_mux_policy { LN_RTCP_MUX_POLICY_REQUIRE };

/* How fast data channels send (beyond the W3C: lnDataCongestionControl). */
enum ln_data_congestion_control {
    LN_DATA_CONGESTION_CONTROL_CUBIC, /* bulk data, fair to TCP (RFC 9438): the default */
    LN_DATA_CONGESTION_CONTROL_MODEL, /* measures bandwidth and least delay, does not mind single
                                         losses: long and lossy paths */
    LN_DATA_CONGESTION_CONTROL_DELAY, /* gives way as soon as a queue grows: beside live media */
    LN_DATA_CONGESTION_CONTROL_RENO,  /* RFC 9260's own */
};

/* How the network is asked to treat what a connection sends (RFC 8837, 5): code points by priority,
 * for sound, pictures and data. NONE: none are set, whatever the channels' priorities are, but for
 * senders that ask by themselves (RTCRtpEncodingParameters.networkPriority). All data of a
 * connection has one code point (RFC 8837, 5): that of the highest priority among this one and
 * those of its channels that are not the default. The values are RTCPriorityType's. */
enum ln_network_priority {
    LN_NETWORK_PRIORITY_NONE,
    LN_NETWORK_PRIORITY_VERY_LOW,
    LN_NETWORK_PRIORITY_LOW,
    LN_NETWORK_PRIORITY_MEDIUM,
    LN_NETWORK_PRIORITY_HIGH,
};

/* Which addresses of this host are used, and how they are told. All zero is the default. Texts are
 * read during the call that takes them, except where that says otherwise. */
struct ln_network_options {
    /* Which are used: "[!]NAME" (of an interface, with * and ?) and "[!]ADDRESS[/BITS]". None that
     * a rule with "!" matches; of the rules without, of names as of addresses, one has to match
     * where there are any. At most 32; none: all addresses. */
    const char *const *address_filter;
    size_t address_filter_count;
    /* Under which addresses others see this host behind a NAT that maps one to one, as clouds have:
     * "EXTERNAL" or "EXTERNAL=LOCAL"; ports are kept. At most 16. */
    const char *const *external_addresses;
    size_t external_address_count;
    bool external_replaces; /* they are told in place of host candidates; else beside them */
    /* Host candidates are told by random names under .local that only the local network can
     * resolve, and no address of this host is shown (draft-ietf-mmusic-mdns-ice-candidates); those
     * for which the driver cannot publish a name are not told. */
    bool mdns_names;
    /* TCP candidates too (RFC 6544). `stun:` and `stuns:` servers are then asked over TCP and TLS
     * as well, and so are TURN servers over these, which are asked for a relay of TCP too (RFC
     * 6062). */
    bool ice_tcp;
    enum ln_network_priority priority; /* of all that is sent; default NONE */
    /* "http://[user:password@]host[:port]": TURN over TCP and TLS, and the signalling of rooms,
     * pass through this HTTP proxy (CONNECT, RFC 9110, 9.3.6), which looks up their names as well.
     * What goes by UDP does not. NULL: no proxy. */
    const char *http_proxy;
};

/* RTCConfiguration, then what browsers take from their own settings. Fill it with
 * ln_configuration_init() first: `size` says which version of the structure the caller knows. */
struct ln_configuration {
    size_t size;
    const struct ln_ice_server *ice_servers;
    size_t ice_server_count;
    enum ln_ice_transport_policy ice_transport_policy;
    enum ln_bundle_policy
        bundle_policy; /* one transport carries everything whatever the policy: a
                          section that the other side does not bundle is rejected */
    enum ln_rtcp_mux_policy rtcp_mux_policy;
    ln_certificate *const *certificates; /* references are taken; none: one is made */
    size_t certificate_count;            /* at most 1 is used */
    uint8_t ice_candidate_pool_size;

    bool include_loopback; /* gather loopback addresses too; default false */
    struct ln_network_options network;
    bool ice_lite; /* for servers that everybody reaches: checks are answered and none are sent
                      (RFC 8445, 2.5). Host candidates only, under network.external_addresses if
                      there are any; servers and mdns_names are passed over. Not with the relay
                      policy; fixed when the connection is made; default false */
    uint16_t port_min, port_max; /* local ports; 0, 0: any */
    size_t max_message_size;     /* announced for data channels; default 262144, 0: no limit */
    size_t send_buffer_limit;    /* bytes queued on one connection's channels; default 64 MiB */
    int64_t wall_offset;         /* wall clock (nanoseconds since 1970) minus `now`, for statistics,
                                    certificates and RTCP; change it later with
                                    ln_peer_connection_set_wall_offset() */
    uint32_t start_bitrate_bps;  /* first estimate; default 600000 */
    uint32_t min_bitrate_bps;    /* default 50000 */
    uint32_t max_bitrate_bps;    /* default 20000000 */
    enum ln_data_congestion_control data_congestion_control; /* fixed with the first channel */
    bool data_snap; /* offers carry our SCTP INIT (draft-hancke-tsvwg-snap): where the answer has
                       one too, data channels open two round trips earlier. Offers that have it are
                       answered with ours in any case; default false */
};

LN_API void ln_configuration_init(struct ln_configuration *configuration);

#ifdef __cplusplus
}
#endif
#endif
