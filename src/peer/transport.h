/* SPDX-License-Identifier: Apache-2.0
 * The one transport of a peer connection: ICE under DTLS, with data channels and media on top.
 * RTCDtlsTransport and RTCIceTransport are views of it. */
#ifndef LN_PEER_TRANSPORT_H
#define LN_PEER_TRANSPORT_H

#include "dtls/dtls.h"
#include "ice/ice.h"
#include "sdp/jsep.h"

#include <linnet/transports.h>

struct ln_peer_connection;

/* Why packets are dropped above ICE. X(NAME, "name") */
#define LN_TRANSPORT_DROP_TABLE(X)                                                                 \
    X(UNKNOWN_KIND, "packet_of_unknown_kind")                                                      \
    X(NO_KEYS, "media_before_keys")                                                                \
    X(SRTP, "srtp_not_authentic")                                                                  \
    X(RTP, "rtp_not_usable")                                                                       \
    X(NO_DATA, "data_without_association")
enum ln_transport_drop {
#define LN_X(name, text) LN_TRANSPORT_DROP_##name,
    LN_TRANSPORT_DROP_TABLE(LN_X)
#undef LN_X
        LN_TRANSPORT_DROPS
};

/* The public handles point at these two, which say whose they are. */
struct ln_ice_transport {
    struct ln_peer_connection *pc;
};
struct ln_dtls_transport {
    struct ln_peer_connection *pc;
};

struct ln_transport {
    struct ln_ice_transport ice_handle;
    struct ln_dtls_transport dtls_handle;
    struct ln_ice *ice;
    struct ln_dtls *dtls;
    struct ln_certificate *certificate; /* a reference */
    struct ln_sdp_fingerprint fingerprint;
    bool role_set;         /* ICE's role follows the first description */
    bool closing;          /* after close(): close_notify was written */
    bool single;           /* the path takes one datagram at a time */
    bool proven;           /* the packet in hand was written by who has the session's keys */
    uint8_t priority;      /* enum ln_network_priority */
    uint8_t data_priority; /* so; of the data that went out last */
    size_t head;           /* bytes that it wants before each datagram */
    enum ln_ice_connection_state ice_state;
    enum ln_ice_gathering_state gathering_state;
    enum ln_dtls_state dtls_state;
    struct ln_arena views;   /* texts of candidates shown by getters; emptied with each now */
    struct ln_buffer *stash; /* a record that did not fit the train before it */
    bool stash_may_fragment;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint64_t dropped[LN_TRANSPORT_DROPS];
};

/* Makes ICE and DTLS from the configuration; a certificate too, if none was given. */
LN_NODISCARD int ln_transport_init(struct ln_peer_connection *pc,
                                   const struct ln_configuration *configuration);
void ln_transport_deinit(struct ln_peer_connection *pc);

/* Servers and policy for what is gathered from now on. */
LN_NODISCARD int ln_transport_set_configuration(struct ln_peer_connection *pc,
                                                const struct ln_configuration *configuration);

/* Negotiation's wishes. */
void ln_transport_gather(struct ln_peer_connection *pc);
/* A local offer with new credentials: true if ICE has a new generation now or had it already. */
LN_NODISCARD int ln_transport_restart(struct ln_peer_connection *pc);
/* Takes back a restart that stands in no applied exchange: its offer was rolled back. */
void ln_transport_rollback(struct ln_peer_connection *pc);
void ln_transport_set_first_role(struct ln_peer_connection *pc, bool controlling);
/* The other side's ICE parameters and candidates of its section. */
LN_NODISCARD int ln_transport_set_remote_ice(struct ln_peer_connection *pc,
                                             const struct ln_sdp *remote, size_t section);
/* The agreed DTLS role and fingerprints. */
LN_NODISCARD int ln_transport_set_remote_dtls(struct ln_peer_connection *pc,
                                              const struct ln_jsep_agreed *agreed);
/* The candidates gathered so far, as lines in the arena. */
LN_NODISCARD int ln_transport_candidates(struct ln_peer_connection *pc, struct ln_arena *arena,
                                         struct ln_jsep_transport *ret_transport);

/* The endpoint's share. */
void ln_transport_receive(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet);
/* Hands a datagram to DTLS (NULL: only asks for what it kept), and what comes out to the channels.
 */
void ln_transport_receive_dtls(struct ln_peer_connection *pc, ln_time now, const uint8_t *data,
                               size_t len);
void ln_transport_on_timeout(struct ln_peer_connection *pc, ln_time now);
ln_time ln_transport_next_timeout(const struct ln_peer_connection *pc);
LN_NODISCARD int ln_transport_poll_transmit(struct ln_peer_connection *pc, ln_time now,
                                            struct ln_transmit *out);
/* What one more datagram of a train may take: it begins transport.head bytes behind what is in
 * `out`; 0 when none fits. */
size_t ln_transport_train_room(const struct ln_peer_connection *pc, const struct ln_transmit *out);
/* Takes the events of ICE and DTLS. */
void ln_transport_process(struct ln_peer_connection *pc, ln_time now);
static inline void ln_transport_drop(struct ln_transport *transport, enum ln_transport_drop reason)
{
    transport->dropped[reason]++;
}

/* Writes a candidate as its public form; texts go into `arena`. False when out of memory. */
bool ln_transport_describe_candidate(struct ln_arena *arena, const struct ln_candidate *candidate,
                                     const char *url, const char *relay_protocol,
                                     struct ln_ice_candidate *ret_candidate);

#endif
