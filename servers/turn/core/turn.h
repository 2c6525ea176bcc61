/* SPDX-License-Identifier: Apache-2.0
 * A STUN and TURN server as an endpoint (linnet/endpoint.h): RFC 8489 and 8656 over UDP and
 * streams, RFC 8016; RFC 6062 where the operator wants it.
 *
 * One object is one worker: it owns the clients whose packets its driver hands it, and their relay
 * sockets. Several workers share a struct ln_turn_shared (quotas, relay ports, residents) and
 * nothing else; what a client sends to another worker's client, or to an endpoint of this program
 * (residents.h), goes over as a parcel.
 *
 * Nothing is remembered of a UDP client before he has proved his password: nonces are stateless,
 * answers to the unknown are short and limited per source prefix. Streams are bounded per source
 * and in all, and end when they bring no allocation in time.
 *
 * Without a user or a secret it is a STUN server and answers nothing else.
 *
 * What a client may reach is decided by credentials (who), policy (where to) and limits (how much);
 * all three can be replaced while it runs. */
#ifndef LN_TURN_TURN_H
#define LN_TURN_TURN_H

#include "base/endpoint.h"
#include "crypto/certificate.h"
#include "servers/turn/core/credentials.h"
#include "servers/turn/core/policy.h"
#include "servers/turn/core/quota.h"

#include <linnet/env.h>

#define LN_TURN_LISTEN_MAX           16u
#define LN_TURN_PERMISSIONS_MAX      1024u /* of one allocation, whatever is configured */
#define LN_TURN_CHANNELS_MAX         1024u
#define LN_TURN_QUEUE_MAX            4096u /* packets that wait to be sent */
#define LN_TURN_TRAINS_MAX           1024u /* destinations among them */
#define LN_TURN_PARCELS_MAX          4096u /* datagrams for other workers and residents */
#define LN_TURN_CLIENTS_MAX          131072u
#define LN_TURN_SHARED_PORTS_MAX     1024u    /* of one family */
#define LN_TURN_CLAIMS_MAX           1048576u /* of peers on them */
#define LN_TURN_REQUESTS_MAX         4096u    /* sockets to be opened and closed */
#define LN_TURN_EVENTS_MAX           1024u
#define LN_TURN_ANSWER_MAX           1024u
#define LN_TURN_LIFETIME_DEFAULT     LN_SECONDS(600) /* RFC 8656, 7.2 */
#define LN_TURN_LIFETIME_MAX         LN_SECONDS(3600)
#define LN_TURN_PERMISSION_LIFETIME  LN_SECONDS(300) /* RFC 8656, 9 */
#define LN_TURN_CHANNEL_LIFETIME     LN_SECONDS(600) /* RFC 8656, 12 */
#define LN_TURN_RESERVATION_LIFETIME LN_SECONDS(30)  /* RFC 8656, 7.2 */
#define LN_TURN_CONNECTION_PATIENCE  LN_SECONDS(30)  /* RFC 6062, 5.2 and 5.3 */
#define LN_TURN_CONNECTIONS_MAX      256u            /* of one allocation, whatever is configured */
#define LN_TURN_TICKET_KEY_LEN       32u
#define LN_TURN_ICMP_BURST           20u /* told to a client of one allocation: see core/icmp.c */
#define LN_TURN_ICMP_INTERVAL        LN_MILLISECONDS(50)
#define LN_TURN_ADRIFT               LN_SECONDS(30) /* an allocation whose stream broke may be moved */

enum ln_turn_transport {
    LN_TURN_UDP,
    LN_TURN_TCP,
    LN_TURN_TLS,
    LN_TURN_DTLS,
    LN_TURN_TRANSPORT_COUNT
};
const char *ln_turn_transport_name(enum ln_turn_transport transport); /* "udp" */

struct ln_turn_listen {
    struct ln_address address;
    bool stream;
};

struct ln_turn_relay {
    struct ln_address bind;     /* without a port */
    struct ln_address external; /* what clients are told instead (1:1 NAT); no family: bind */
};

/* All zero but listen, relays, shared, credentials, policy and nonce_key is a good configuration.
 */
struct ln_turn_config {
    const struct ln_turn_listen *listen; /* read during create */
    size_t listen_count;
    const struct ln_turn_relay *relays; /* read during create */
    size_t relay_count;
    uint16_t port_min, port_max; /* relay ports; 49152 to 65535 */
    uint16_t relay_ports; /* so many of each family carry all relays that need no port of their own
                              (see core/port.c); 0: one port a relay */
    uint8_t nonce_key[LN_TURN_NONCE_KEY_LEN];
    ln_duration nonce_lifetime; /* 1 h */
    ln_duration lifetime_max;   /* of an allocation between refreshes; 1 h */
    uint32_t permissions_max;   /* of one allocation; 128 */
    uint32_t channels_max;      /* of one allocation; 64 */
    bool strict_channels; /* only those of RFC 8656; else RFC 5766's too, which coturn's client uses
                           */
    uint32_t streams_max; /* without an allocation, in all; 1024 */
    uint32_t streams_per_source_max; /* of them from one address; 64 */
    ln_duration stream_patience; /* until an allocation, or the rest of a frame, is there; 30 s */
    bool tcp_relay;              /* TCP allocations (RFC 6062); else 442 */
    uint32_t connections_max;    /* of one of them; 16 */
    bool watch_own; /* asks the driver for the machine's addresses: they are own ones as well, from
                       when they come until they go */
    bool shared_port; /* HTTP comes to the same streams: see ln_turn_is_http() */
    bool no_mobility; /* no tickets (RFC 8016): 405. They need env->crypto */
    uint8_t ticket_key[LN_TURN_TICKET_KEY_LEN]; /* all zero: one by chance */
    uint32_t per_second, burst; /* unauthenticated answers a source prefix: see stun/server.h */

    uint8_t worker; /* which one of those that share `shared`; below LN_TURN_WORKERS_MAX */
    struct ln_certificate *certificate; /* for TLS and DTLS; NULL: neither. Borrowed as well */
    struct ln_turn_shared *shared;      /* borrowed, as the next two */
    const struct ln_turn_credentials *credentials; /* see ln_turn_server_reload() */
    const struct ln_turn_policy *policy;           /* copied */
};

/* Whether a stream that begins so, or whose plain bytes do, is HTTP's: a method's first letter
 * (RFC 9110, 9.1). STUN begins with two bits that are zero, TLS with 22, and a channel's data is
 * never the first. Plain streams of a shared port may be the driver's taker's (io/loop.h); what
 * this server finds inside TLS goes through a pair (LN_REQUEST_OPEN_PAIR). */
static inline bool ln_turn_is_http(uint8_t first)
{
    return first >= 'A' && first <= 'Z';
}

struct ln_turn_server;

/* Returns 0, LN_ERR_INVALID_ARGUMENT or LN_ERR_NOMEM. env->pool must be there. */
LN_NODISCARD int ln_turn_server_create(struct ln_turn_server **ret_server,
                                       const struct ln_turn_config *config,
                                       const struct ln_env *env);
void ln_turn_server_free(struct ln_turn_server *server); /* NULL is fine */
struct ln_endpoint ln_turn_server_endpoint(struct ln_turn_server *server);

/* What to add to `now` for nanoseconds since 1970 (UTC): for nonces and expiries. At the start and
 * whenever it changed. */
void ln_turn_server_set_wall_offset(struct ln_turn_server *server, ln_duration offset);

/* Takes other credentials and another policy, also limits of the config; the old ones may be freed
 * afterwards. With watch_own the driver is asked once more. Allocations stay; what is no longer
 * allowed ends when its permission does. Listeners, relays, realm and nonce key stay as they are.
 */
void ln_turn_server_reload(struct ln_turn_server *server, const struct ln_turn_config *config);

/* Draining: no new allocation (508), what is there goes on. Reversible. */
void ln_turn_server_drain(struct ln_turn_server *server, bool drain);

/* Listener i: 0 with its bound address, LN_ERR_AGAIN while it is being opened, why it failed, or
 * LN_ERR_RANGE. */
LN_NODISCARD int ln_turn_server_listening(const struct ln_turn_server *server, size_t i,
                                          struct ln_address *ret_bound);

/* ---- to clients of other workers, of this one's that are heard by others, and to residents ----
 *
 * Boxes below LN_TURN_WORKERS_MAX are those of workers by their numbers, the others of residents as
 * they were entered (residents.h). The scope of a relayed address that a resident is told, or sends
 * to, is a number that tells clients on one shared port apart; 0 for a port of one client. */

/* A datagram for the box *ret_box, or NULL. The reference is the caller's, who returns it on this
 * object's thread; meanwhile another thread may have the buffer to itself. */
struct ln_buffer *ln_turn_server_poll_parcel(struct ln_turn_server *server, unsigned *ret_box);
/* One that another worker's object gave, or a resident. Borrowed for the call. */
void ln_turn_server_take_parcel(struct ln_turn_server *server, ln_time now,
                                const struct ln_buffer *parcel);

/* What a parcel for a resident says: which relayed address sent what, to which of his addresses.
 * The bytes are the buffer's, and may be written to. */
struct ln_turn_parcel {
    struct ln_address from, to;
    uint8_t *data;
    size_t len;
};
struct ln_turn_parcel ln_turn_parcel_read(struct ln_buffer *parcel);

/* How clients may know a resident's address: from outside a 1:1 NAT (or no family), and as it is
 * bound. */
struct ln_turn_names {
    struct ln_address external, bound;
};
/* One of a resident for the worker that has the relayed address `to`, which decides about it as it
 * does for any peer: under the first of the names that the client has permitted. NULL without
 * memory. */
LN_NODISCARD struct ln_buffer *ln_turn_parcel_create(struct ln_pool *pool,
                                                     const struct ln_turn_names *names,
                                                     const struct ln_address *to, const void *data,
                                                     size_t len);

/* ---- what happened ---- */

/* X(NAME, "help"): things counted by reason. */
#define LN_TURN_COUNTER_TABLE(X)                                                                   \
    X(messages, "STUN messages received.")                                                         \
    X(message_bytes, "Bytes of them.")                                                             \
    X(answers, "STUN answers sent.")                                                               \
    X(answer_bytes, "Bytes of them.")                                                              \
    X(bindings, "Binding requests answered.")                                                      \
    X(requests, "Authenticated requests.")                                                         \
    X(allocations, "Allocations made.")                                                            \
    X(challenges, "Requests answered 401 or 438: the client has to prove its password.")           \
    X(wrong_credentials, "Requests with an unknown user or a wrong password.")                     \
    X(errors, "Other error answers.")                                                              \
    X(refused_user_quota, "Allocations refused: the user holds as many as he may.")                \
    X(refused_capacity, "Allocations refused: limit of all, no port, or draining.")                \
    X(collisions,                                                                                  \
      "Permissions, and data to other clients, refused: the peer is another's on that port.")      \
    X(refused_places, "Permissions and channels refused: an allocation, its user or all hold as "  \
                      "many as they may.")                                                         \
    X(refused_peers, "Peer addresses refused by the policy.")                                      \
    X(dropped_malformed, "Dropped: not well-formed.")                                              \
    X(dropped_limited, "Dropped: unauthenticated requests above the limit of their source.")       \
    X(dropped_no_allocation, "Dropped: data of a client without an allocation.")                   \
    X(dropped_no_channel, "Dropped: data on a channel that is not bound.")                         \
    X(dropped_no_permission, "Dropped: data from or to a peer without permission.")                \
    X(dropped_policy, "Dropped: data and connections of an address that the policy refuses.")      \
    X(dropped_rate, "Dropped: above the bandwidth of the user.")                                   \
    X(dropped_queue, "Dropped: no room to queue, or no memory.")                                   \
    X(dropped_stream_full, "Dropped: the client's stream takes no more.")                          \
    X(handed_over, "Packets handed to a client or a peer of this program in memory.")              \
    X(handed_to_workers, "Of them, to a client of another worker.")                                \
    X(handed_to_residents, "Of them, from a client to a peer in this program.")                    \
    X(handed_from_residents, "Of them, from such a peer to a client that permits it.")             \
    X(dropped_exchange, "Dropped: the other worker, or the peer in this program, takes no more.")  \
    X(send_failed, "Sends that the network refused.")                                              \
    X(icmp_told, "ICMP messages about packets to peers, told to the client who sent them.")        \
    X(icmp_ignored, "ICMP messages not told: about clients, of no use to one, or about a peer he " \
                    "may not reach.")                                                              \
    X(icmp_limited, "ICMP messages not told: more than a client is told.")                         \
    X(whole, "Packets sent to peers with DF, as their clients asked.")                             \
    X(streams_refused, "Streams and sessions refused: too many without an allocation.")            \
    X(streams_timed_out, "Streams closed: no allocation, or half a frame, for too long.")          \
    X(streams_broken, "Streams closed: out of step, or their handshake failed.")                   \
    X(pages, "TLS streams handed on as HTTP.")                                                     \
    X(pages_refused, "TLS streams that nobody took, or that said too much before.")                \
    X(connections, "TCP connections to or from peers made.")                                       \
    X(connections_open, "TCP connections to or from peers: being made, waiting, bound.")           \
    X(connections_bound, "Connections bound to a stream of their client.")                         \
    X(connections_failed, "Connects answered 447: the peer did not take the connection.")          \
    X(connections_refused,                                                                         \
      "Connections refused: as many as an allocation may have, or no memory.")                     \
    X(connections_timed_out, "Connections ended: no client bound them in time.")                   \
    X(connections_broken, "Connections ended: no room for what came.")                             \
    X(moved, "Allocations moved to another address of their client.")                              \
    X(forwarded, "Messages for the worker that has their client's allocation.")                    \
    X(tickets_forged, "Mobility tickets refused: not ours, or changed.")                           \
    X(tickets_expired, "Mobility tickets refused: expired.")                                       \
    X(tickets_replayed, "Mobility tickets refused: used already, or without need.")                \
    X(tickets_of_others, "Mobility tickets refused: of another user.")                             \
    X(events_lost, "Log events lost because nobody took them in time.")

enum ln_turn_end { /* of an allocation */
                   LN_TURN_END_EXPIRED,
                   LN_TURN_END_DELETED,
                   LN_TURN_END_CLOSED,
                   LN_TURN_END_SERVER,
                   LN_TURN_END_COUNT
};
const char *ln_turn_end_name(enum ln_turn_end end); /* "expired" */

struct ln_turn_counts {
#define LN_TURN_COUNTER_MEMBER(name, help) uint64_t name;
    LN_TURN_COUNTER_TABLE(LN_TURN_COUNTER_MEMBER)
#undef LN_TURN_COUNTER_MEMBER
    struct {
        uint64_t packets_in, packets_out, bytes_in, bytes_out; /* payload, client's side */
        uint64_t allocations;                                  /* now */
        uint64_t sessions;                                     /* streams and DTLS sessions now */
    } transport[LN_TURN_TRANSPORT_COUNT];
    uint64_t shared_ports, shared_relays;        /* now: ports that are shared, relays on them */
    uint64_t refused_class[LN_TURN_CLASS_COUNT]; /* refused_peers by kind of address */
    uint64_t ended[LN_TURN_END_COUNT];
};

void ln_turn_server_counts(const struct ln_turn_server *server, struct ln_turn_counts *ret_counts);
size_t ln_turn_server_allocations(const struct ln_turn_server *server); /* of this worker */

enum ln_turn_event_kind {
    LN_TURN_EVENT_ALLOCATED,
    LN_TURN_EVENT_MOVED,        /* client: the new address */
    LN_TURN_EVENT_ENDED,        /* with bytes and reason */
    LN_TURN_EVENT_REFUSED,      /* an allocation: code */
    LN_TURN_EVENT_REFUSED_PEER, /* peer, kind */
    LN_TURN_EVENT_WRONG_CREDENTIALS,
};

struct ln_turn_event {
    enum ln_turn_event_kind kind;
    enum ln_turn_transport transport;
    uint64_t allocation; /* its number within this worker; 0: none */
    char user[65];       /* cut; control characters replaced */
    struct ln_address client, relayed, peer;
    uint16_t code;
    enum ln_turn_class peer_class;
    enum ln_turn_end end;
    ln_duration duration;
    uint64_t bytes_from_client, bytes_to_client;
    uint64_t packets_dropped; /* of its data, either way, that the server did not pass on */
};

/* 1 = ret_event filled, 0 = none. */
int ln_turn_server_poll_event(struct ln_turn_server *server, struct ln_turn_event *ret_event);

#endif
