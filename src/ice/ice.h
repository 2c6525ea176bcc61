/* SPDX-License-Identifier: Apache-2.0
 * An ICE agent (RFC 8445) for one component (RTP and RTCP on one port), full, in both roles, or
 * lite, with trickle (8838), consent freshness (7675) and patience (8863).
 *
 * Life: create, gather; local credentials are there from the start and candidates come as events.
 * set_remote() and add_remote_candidate() in any order; checks start by themselves. Data is the
 * owner's: what arrives goes through ln_ice_unwrap(), what is to be sent goes to
 * ln_ice_send_path(). After restart() the selected path of the old generation lives on until the
 * new one has one.
 *
 * Calls that take no `now` only queue work: ln_ice_next_timeout() is LN_TIME_IMMEDIATE until
 * ln_ice_on_timeout() has done it. Everything is safe in any order and state; after ln_ice_close()
 * calls do nothing (those that return a value: LN_ERR_CLOSED).
 *
 * What a peer sends is never trusted: nothing is sent to an address but checks before a check of
 * ours was answered from it (a lite agent has other rules, in lite.c), checks are not answered for
 * a ufrag that is not ours or with a wrong password, and every table has a limit below. */
#ifndef LN_ICE_ICE_H
#define LN_ICE_ICE_H

#include "base/endpoint.h"
#include "ice/addresses.h"
#include "ice/candidate.h"
#include "ice/failure.h"

#include <linnet/configuration.h>
#include <linnet/enums.h>
#include <linnet/env.h>
#include <linnet/error.h>

#define LN_ICE_PAIRS_MAX             100u /* RFC 8445, 6.1.2.5 */
#define LN_ICE_REMOTE_CANDIDATES_MAX 100u /* of one generation; more are refused */
#define LN_ICE_LOCAL_CANDIDATES_MAX  64u
#define LN_ICE_SERVERS_MAX           8u
#define LN_ICE_ADDRESSES_MAX         16u /* local addresses used at once */
#define LN_ICE_LINKS_MAX             32u /* their sockets, in two generations */
#define LN_ICE_ANSWERS_MAX           64u /* answers to checks that wait for poll_transmit */
#define LN_ICE_EARLY_MAX             16u /* senders of checks that came before set_remote() */
#define LN_ICE_EVENTS_MAX            512u
#define LN_ICE_ROLE_SWITCHES_MAX     8u /* of one generation (a peer may ask for ever) */
#define LN_ICE_UFRAG_LEN             8u
#define LN_ICE_PWD_LEN               24u
#define LN_ICE_UNWRAP_MAX            1280u /* bytes of a check; a longer one is dropped */
/* Longer datagrams look for what the path takes (RFC 8899): they are lost rather than cut. Shorter
 * ones fit the least that IPv6 allows; where that is not so, they may be cut. */
#define LN_ICE_WHOLE_ABOVE 1232u

struct ln_ice; /* opaque */

/* How a server is spoken to. */
enum ln_ice_over { LN_ICE_OVER_UDP, LN_ICE_OVER_TCP, LN_ICE_OVER_TLS, LN_ICE_OVER_DTLS };

/* A STUN server for server-reflexive candidates, or a TURN server for relayed ones (and
 * server-reflexive ones with them). */
struct ln_ice_server_address {
    const char *url;  /* given back in events: "stun:host:port" */
    const char *host; /* a name, or an address in text (without brackets) */
    uint16_t port;    /* 0: 3478, with TLS or DTLS 5349 */
    bool relays;      /* TURN */
    enum ln_ice_over transport;
    const char *username, *password; /* TURN */
};

struct ln_ice_config {
    const struct ln_ice_server_address *servers; /* copied; at most LN_ICE_SERVERS_MAX are used */
    size_t server_count;
    enum ln_ice_transport_policy policy; /* RELAY: nothing is gathered but relayed candidates, and
                                            no address of this host is told to anybody */
    bool controlling;                    /* the role to begin with */
    bool ipv4, ipv6;                     /* true, true */
    bool include_loopback;               /* false: loopback addresses are not gathered */
    const char *const *filter; /* which addresses of the host are used (ice/addresses.h) */
    size_t filter_count;
    const char *const *externals; /* under which addresses others see them, if not by STUN */
    size_t external_count;
    bool external_replaces; /* false: told as server-reflexive beside the host candidate; true: in
                               its place */
    const char *http_proxy; /* NULL; the way to servers over TCP and TLS (stun/proxy.h) */
    bool mdns_names;        /* false; true: host candidates are told by names that the
                               driver publishes, and addresses of this host by nobody */
    bool tcp; /* false; true: TCP candidates too (RFC 6544): of this host, as STUN servers over TCP
                 and TLS see it, and of TURN servers over these that relay TCP (RFC 6062) */
    bool consent; /* true; false: a valid pair stays valid (RFC 7675 off) */
    bool lite; /* false; true: for a host that everybody reaches: host candidates only, under their
                  external addresses if there are any, no servers, no names, no checks of ours; of
                  TCP candidates the passive ones (RFC 8445, 2.5; RFC 6544, 4.4). Not with RELAY */
    uint16_t port_min, port_max; /* local ports, of UDP and of TCP; 0, 0: any */
    uint16_t max_pairs;          /* LN_ICE_PAIRS_MAX */
    uint8_t request_tag; /* the upper 8 bits of request ids, so that one driver serves several */
    char ufrag_first;    /* first character of local ufrags (an ice-char); 0: by chance */
    ln_duration pacing;  /* Ta, 50 ms: between ordinary checks once the first few are out */
    ln_duration rto;     /* 500 ms, and never less (RFC 8445, 14.3) */
    ln_duration settle;  /* 100 ms: the controlling side waits so long for a better valid pair, */
    ln_duration settle_relayed; /* 2 s: if the best is a relayed one; data flows on it meanwhile */
    ln_duration grace; /* 1.5 s: what silent servers are waited for once another of the kind gave a
                          candidate, and an address where there is none yet */
    ln_duration patience; /* 39.5 s: not failed before (RFC 8863, 4) */
};

void ln_ice_config_init(struct ln_ice_config *config);

/* Texts are read during the call. Returns 0, LN_ERR_INVALID_ARGUMENT, LN_ERR_SYNTAX or LN_ERR_LIMIT
 * (of filter and externals), LN_ERR_SYNTAX or LN_ERR_NOT_SUPPORTED (of the proxy), or LN_ERR_NOMEM.
 */
LN_NODISCARD int ln_ice_create(struct ln_ice **ret_ice, const struct ln_ice_config *config,
                               const struct ln_env *env);
void ln_ice_free(struct ln_ice *ice); /* NULL is fine; the driver closes what links are left */

/* State closed; the links are closed by requests. */
void ln_ice_close(struct ln_ice *ice);

/* --- negotiation ------------------------------------------------------------------------- */

/* Other servers and policy: for the present generation if it does not gather yet, else for the
 * next. Returns 0, LN_ERR_NOMEM or LN_ERR_CLOSED. */
LN_NODISCARD int ln_ice_set_servers(struct ln_ice *ice, const struct ln_ice_server_address *servers,
                                    size_t count, enum ln_ice_transport_policy policy);

/* The driver gives sockets that other agents share (ice/mux.h): allocations over UDP or DTLS, which
 * a server tells apart by address alone (RFC 8656, 2), get sockets of their own, and no STUN server
 * is asked over TCP from a port that all share. Before gathering. */
void ln_ice_share_port(struct ln_ice *ice);

/* Starts gathering for the present generation; harmless twice. Interfaces are watched, a socket is
 * opened for each usable address, servers are looked up and asked. */
void ln_ice_gather(struct ln_ice *ice);

/* Local credentials of the present generation, as long as it lasts. */
const char *ln_ice_local_ufrag(const struct ln_ice *ice);
const char *ln_ice_local_pwd(const struct ln_ice *ice);
const char *ln_ice_remote_ufrag(const struct ln_ice *ice); /* "" before set_remote() */
const char *ln_ice_remote_pwd(const struct ln_ice *ice);

/* The role by JSEP; a conflict on the wire may change it again. One side lite: the other controls
 * whatever is asked here (RFC 8445, 6.1.1). */
void ln_ice_set_role(struct ln_ice *ice, bool controlling);
bool ln_ice_is_controlling(const struct ln_ice *ice);

/* The other side's credentials. `options` are the values of all a=ice-options, separated by blanks
 * (may be NULL). The same credentials again change nothing but lite and options. Others need
 * ln_ice_restart() first. Returns 0, LN_ERR_SYNTAX (length or characters, RFC 8839, 5.4),
 * LN_ERR_INVALID_STATE (others without a restart), LN_ERR_NOMEM, LN_ERR_CLOSED. */
LN_NODISCARD int ln_ice_set_remote(struct ln_ice *ice, const char *ufrag, const char *pwd,
                                   bool lite, const char *options);

/* One candidate of the other side. Returns 0 also for those that get no pair (TCP where it was not
 * asked for, or active; an address that may not be checked, component 2, one that is there
 * already); LN_ERR_NOT_FOUND: its ufrag is of
 * another generation; LN_ERR_LIMIT; LN_ERR_NOMEM; LN_ERR_CLOSED. The text form also
 * LN_ERR_SYNTAX and LN_ERR_NOT_SUPPORTED; an empty text is the end of candidates. */
LN_NODISCARD int ln_ice_add_remote_candidate(struct ln_ice *ice,
                                             const struct ln_candidate *candidate);
LN_NODISCARD int ln_ice_add_remote_candidate_text(struct ln_ice *ice, const char *text, size_t len);
/* No more remote candidates come (RFC 8838, 14). */
void ln_ice_end_of_candidates(struct ln_ice *ice);

/* New local credentials, new sockets, new candidates, new checks (RFC 8445, 9); call
 * ln_ice_gather() again. The old path stays usable. Returns 0, LN_ERR_NOMEM (nothing changed) or
 * LN_ERR_CLOSED. */
LN_NODISCARD int ln_ice_restart(struct ln_ice *ice);
/* Takes back a restart that was never answered (an offer was rolled back): the generation before is
 * the present one again. False when there is none, or the new one has a path already. */
bool ln_ice_rollback(struct ln_ice *ice);

/* --- endpoint (linnet/endpoint.h) --------------------------------------------------------- */

/* For a driver that runs the agent alone; packets that are not for it are dropped. */
struct ln_endpoint ln_ice_endpoint(struct ln_ice *ice);

void ln_ice_on_timeout(struct ln_ice *ice, ln_time now);
ln_time ln_ice_next_timeout(const struct ln_ice *ice);
LN_NODISCARD int ln_ice_poll_transmit(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
LN_NODISCARD int ln_ice_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
void ln_ice_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
/* Whether this link, or this request id, is the agent's: for an owner that has others too. */
bool ln_ice_owns_link(const struct ln_ice *ice, ln_link link);
bool ln_ice_owns_request(const struct ln_ice *ice, uint32_t id);

/* Any datagram that arrived on a link of the agent.
 * 1: data, from a (link, remote) on which an authenticated check, request or answer, was seen: the
 *    owner takes it. What came through a relay is unpacked: `packet` is then the peer's datagram
 * and its path the pair's.  0: a STUN message, consumed. < 0: dropped and counted:
 * LN_ERR_NOT_ALLOWED (data from elsewhere), LN_ERR_MALFORMED, LN_ERR_INTEGRITY, LN_ERR_NOT_FOUND
 * (unknown ufrag or transaction), LN_ERR_LIMIT. */
LN_NODISCARD int ln_ice_unwrap(struct ln_ice *ice, ln_time now, struct ln_packet *packet);
/* A piece of a stream may hold several datagrams: after each 1, to be called with the same packet
 * until it is not 1, while the bytes that were handed in are still there. */
LN_NODISCARD int ln_ice_unwrap_more(struct ln_ice *ice, ln_time now, struct ln_packet *packet);

/* Where data may be sent now: the selected pair, before nomination the best valid one, after a
 * restart the old one until the new generation has one as good; always one where our own check was
 * answered and consent lives; if we are lite, the one that the other side nominated and goes on
 * checking. False when there is none, or when it has got all that it gets before anything authentic
 * came from it (lite). */
bool ln_ice_send_path(const struct ln_ice *ice, struct ln_path *ret_path);

/* What a path asks of the owner's datagrams: so many bytes left free before each of them (0 on a
 * path over UDP without a relay), and whether several may be laid back to back. */
size_t ln_ice_headroom(const struct ln_ice *ice, const struct ln_path *path);
bool ln_ice_takes_trains(const struct ln_ice *ice, const struct ln_path *path);
#define LN_ICE_HEADROOM_MAX 72u
#define LN_ICE_TAILROOM     24u /* bytes of `cap` to be left behind the last one */
/* Makes what the owner wrote for a path ready to be sent: fills the heads and gives `out` the path
 * that the driver knows. out->segment counts a datagram with its head. Returns 1, or < 0 when the
 * path does not take it any more (it is dropped, as on the wire). */
LN_NODISCARD int ln_ice_wrap(struct ln_ice *ice, ln_time now, struct ln_transmit *out);

/* The owner's data on a path, for statistics; received data (of which the owner knows that it is
 * authentic) also keeps the pair alive: connected rather than disconnected. */
void ln_ice_count_sent(struct ln_ice *ice, ln_time now, const struct ln_path *path, size_t packets,
                       size_t bytes);
void ln_ice_count_received(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                           size_t packets, size_t bytes);
/* What came on this path was authentic: only the holder of the session's keys can have written it.
 * For lite agents, others need it not. */
void ln_ice_confirm(struct ln_ice *ice, ln_time now, const struct ln_path *path);
/* Data that could not be sent (packetsDiscardedOnSend). */
void ln_ice_count_discarded(struct ln_ice *ice, size_t packets, size_t bytes);

/* --- events ------------------------------------------------------------------------------- */

enum ln_ice_event_kind {
    LN_ICE_EVENT_GATHERING_STATE, /* gathering_state */
    LN_ICE_EVENT_CANDIDATE,       /* candidate: a local one to be signalled */
    LN_ICE_EVENT_CANDIDATE_ERROR, /* error */
    LN_ICE_EVENT_STATE,           /* state */
    LN_ICE_EVENT_SELECTED_PAIR,   /* pair: what ln_ice_selected_pair() gives has changed */
    LN_ICE_EVENT_ROLE,            /* controlling */
};

struct ln_ice_event {
    enum ln_ice_event_kind kind;
    union {
        enum ln_ice_gathering_state gathering_state;
        enum ln_ice_connection_state state; /* RTCIceTransportState has the same values */
        bool controlling;
        uint32_t pair; /* its id, 0: none any more */
        struct {
            struct ln_candidate candidate;
            const char *url;            /* of the server it came from; NULL for host candidates */
            const char *relay_protocol; /* as in struct ln_ice_candidate_info */
        } candidate;
        struct { /* RTCPeerConnectionIceErrorEvent */
            const char *url;
            struct ln_address address; /* the host candidate's; family NONE: none */
            uint16_t code;             /* STUN's 300..699, or 701: the server was not reached */
            char text[128];
        } error;
    };
};

/* False when there is none. Texts are borrowed until the next call on the agent. */
bool ln_ice_poll_event(struct ln_ice *ice, struct ln_ice_event *ret_event);

enum ln_ice_connection_state ln_ice_state(const struct ln_ice *ice);
enum ln_ice_gathering_state ln_ice_gathering_state(const struct ln_ice *ice);

/* --- statistics (webrtc-stats: RTCIceCandidateStats, RTCIceCandidatePairStats) ------------- */

struct ln_ice_candidate_info {
    uint32_t id;                   /* never given twice by one agent */
    struct ln_candidate candidate; /* with the ufrag of its generation */
    const char *url;               /* srflx, relay: the server's, else NULL */
    const char *relay_protocol;    /* relay: "udp", "tcp" or "tls", how we speak to it; else NULL */
    bool remote;
    bool signalled; /* local: reported by an event; remote: not only seen in a check */
};

enum ln_ice_pair_state { /* RTCStatsIceCandidatePairState */
                         LN_ICE_PAIR_FROZEN,
                         LN_ICE_PAIR_WAITING,
                         LN_ICE_PAIR_IN_PROGRESS,
                         LN_ICE_PAIR_FAILED,
                         LN_ICE_PAIR_SUCCEEDED,
};
const char *ln_ice_pair_state_name(enum ln_ice_pair_state state); /* "in-progress" */

struct ln_ice_pair_info {
    uint32_t id, local_id, remote_id;
    enum ln_ice_pair_state state;
    enum ln_ice_failure failure; /* why state is FAILED, else NONE or the last trouble */
    bool nominated;
    bool selected;
    uint64_t priority;
    struct ln_path path;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received; /* the owner's data */
    uint64_t requests_sent, requests_received, responses_sent, responses_received;
    uint64_t consent_requests_sent;
    uint64_t packets_discarded, bytes_discarded;
    ln_time last_sent, last_received;   /* data; LN_TIME_NEVER: none yet */
    ln_duration current_rtt, total_rtt; /* current -1: not measured yet */
};

/* The i-th of the present generation (and, while it lives, the old selected pair with its two
 * candidates); false past the end. */
bool ln_ice_local_candidate(const struct ln_ice *ice, size_t i,
                            struct ln_ice_candidate_info *ret_info);
bool ln_ice_remote_candidate(const struct ln_ice *ice, size_t i,
                             struct ln_ice_candidate_info *ret_info);
bool ln_ice_pair(const struct ln_ice *ice, size_t i, struct ln_ice_pair_info *ret_info);
/* The pair of ln_ice_send_path(); false when there is none. */
bool ln_ice_selected_pair(const struct ln_ice *ice, struct ln_ice_pair_info *ret_info);
/* Times that the selected pair changed (RTCTransportStats). */
uint32_t ln_ice_selected_pair_changes(const struct ln_ice *ice);

/* Why packets were dropped. X(NAME, "name_for_metrics") */
#define LN_ICE_DROP_TABLE(X)                                                                       \
    X(UNCHECKED, "data_from_unchecked_address")                                                    \
    X(UNKNOWN_LINK, "unknown_link")                                                                \
    X(MALFORMED, "malformed_stun")                                                                 \
    X(NOT_A_CHECK, "stun_of_another_kind")                                                         \
    X(UNKNOWN_UFRAG, "unknown_ufrag")                                                              \
    X(HIDDEN, "check_past_the_relay")                                                              \
    X(INTEGRITY, "wrong_integrity")                                                                \
    X(NO_TRANSACTION, "answer_without_request")                                                    \
    X(LIMIT, "table_full")                                                                         \
    X(RELAY, "relay_message_not_usable")                                                           \
    X(TCP_FRAME, "tcp_packet_too_long")                                                            \
    X(TCP_STREAM, "tcp_connection_not_wanted")                                                     \
    X(TCP_FULL, "tcp_queue_full")                                                                  \
    X(REMOTE_CANDIDATE, "remote_candidate_not_usable")
enum ln_ice_drop {
#define LN_ICE_DROP_ENUM(name, text) LN_ICE_DROP_##name,
    LN_ICE_DROP_TABLE(LN_ICE_DROP_ENUM)
#undef LN_ICE_DROP_ENUM
        LN_ICE_DROPS
};
uint64_t ln_ice_dropped(const struct ln_ice *ice, enum ln_ice_drop reason);
const char *ln_ice_drop_name(enum ln_ice_drop reason);

#endif
