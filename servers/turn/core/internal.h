/* SPDX-License-Identifier: Apache-2.0
 * What the files of the TURN server share. Not for other folders.
 *
 *   listener or stream --> client (a 5-tuple) --> allocation --> relay (a socket) --> peers
 *   relays of several allocations --> port (a socket) --> peers
 *   stream --> client <--> connection of a TCP allocation <--> the peer's stream
 *   stream --> client <--> connection without an allocation <--> a pair to who serves pages
 *
 * Invariants: a client of UDP exists exactly as long as its allocation is his, here or at another
 * worker, one of a stream as long as the stream, one that is away as long as its allocation is his;
 * an allocation has one client, a second one while it moves, and none while it is adrift; every
 * open socket is a listener, a stream, a relay or a port, and `links` finds all but the listeners;
 * whatever has a deadline is in the heap. */
#ifndef LN_TURN_INTERNAL_H
#define LN_TURN_INTERNAL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "crypto/aead.h"
#include "servers/turn/core/turn.h"
#include "stun/framing.h"
#include "stun/message.h"
#include "stun/server.h"

struct turn_allocation;
struct ln_session;

#define TURN_SCRATCH      16640u /* plaintext of one record */
#define TURN_TLS_OVERHEAD 256u   /* of the records of one message */
#define TURN_RECORD       16384u /* plain bytes of one record (RFC 8446, 5.1) */
#define TURN_PAGE_EARLY   65536u /* plain bytes of a page's client before its pair is open */
#define TURN_TLS_SLACK    20480u /* a record that has begun, and what records add in one turn */

/* What a deadline, and what a link, belongs to. */
enum turn_kind {
    TURN_ALLOCATION,
    TURN_CLIENT,
    TURN_RESERVATION,
    TURN_RELAY,
    TURN_PORT,
    TURN_CONNECTION
};

struct turn_timer {
    struct ln_heap_node node;
    enum turn_kind kind;
};

struct turn_client {
    struct turn_timer timer; /* streams and DTLS: patience, and the session's own */
    enum turn_kind kind;     /* as `links` finds it */
    struct ln_path path;
    enum ln_turn_transport transport;
    struct turn_allocation *allocation;
    /* streams and DTLS only */
    struct ln_list siblings;    /* of all of them */
    struct ln_session *session; /* TLS and DTLS */
    uint8_t hello[8];           /* DTLS: the beginning of the ClientHello's random value */
    ln_time leave_at;           /* when patience ends */
    bool spoke;                 /* a stream: its first byte has been seen */
    bool heard;                 /* the same of its plain bytes */
    struct ln_stun_stream frames;
    size_t room;                        /* what the driver's queue takes */
    bool guest;                         /* without an allocation, and counted as such */
    struct turn_connection *connection; /* whose data it carries, and nothing else any more */
    /* an allocation moved to where another worker hears its client (forward.c) */
    uint8_t away;     /* its packets come by way of the worker away - 1; 0: to this one */
    bool forwarded;   /* its messages go to the worker `home` */
    uint8_t home;     /* which has the allocation */
    ln_time heard_at; /* of UDP, and forwarded */
};

enum turn_relay_state { TURN_RELAY_NONE, TURN_RELAY_ASKED, TURN_RELAY_OPEN, TURN_RELAY_FAILED };

/* What a request asks of its port (RFC 8656, 7.2): nothing, an even one, the next one as well. */
enum turn_even { TURN_EVEN_NO, TURN_EVEN, TURN_EVEN_AND_NEXT };

/* One socket towards peers, of an allocation or of a reservation: of UDP, or one that accepts. */
struct turn_relay {
    enum turn_kind kind; /* TURN_RELAY, as `links` finds it */
    enum turn_relay_state state;
    struct turn_allocation *allocation;
    struct ln_address local, told; /* with the port */
    uint8_t place;                 /* in server->relays */
    uint8_t attempts;
    uint32_t id; /* of the request, while asked */
    ln_link link;
    ln_time expires; /* each family by itself (RFC 8656, 8.1) */
    /* on a port that is shared */
    struct turn_port *port;
    struct ln_list on_port;
    struct ln_list claims; /* struct turn_claim (port.c) */
    size_t claim_count;
};

/* A socket towards peers that relays of several allocations share. */
struct turn_port {
    enum turn_kind kind; /* TURN_PORT, as `links`, `asked` and `relayed` find it */
    enum turn_relay_state state;
    struct ln_list siblings; /* of this worker */
    struct ln_list relays;   /* by turn_relay.on_port */
    size_t relay_count;
    struct ln_address local, told;
    uint8_t place, attempts;
    uint32_t id;
    ln_link link;
};

/* The end of a token that this worker gave out, redeemed or not. */
struct turn_reservation {
    struct turn_timer timer;
    uint64_t token;
};

struct turn_permission {
    struct ln_address peer; /* port 0 */
    ln_time expires;
    bool ours; /* for the sake of relays and residents: no other port of it is heard */
};

struct turn_channel {
    struct ln_address peer;
    ln_time expires;
    uint16_t number;
    bool ours; /* it may be reached only while it is a relay's or a resident's */
};

/* One connection of a TCP allocation to a peer (RFC 6062). Connecting: `ask`; then there is
 * path.link; bound: `data` as well. Or, without an allocation, of a client who speaks HTTP: bound
 * from the beginning. */
struct turn_connection {
    struct turn_timer timer; /* connecting and unbound: its end; bound: that of a pause */
    enum turn_kind kind;     /* TURN_CONNECTION, as `links` and `asked` find it */
    struct ln_list siblings; /* of its allocation */
    struct ln_list due;      /* whose windows the driver is to be told */
    struct turn_allocation *allocation;
    struct turn_client *data;
    struct ln_address peer; /* as the client knows it */
    struct ln_path path;
    size_t room; /* what the driver's queue to the peer takes */
    uint32_t id; /* CONNECTION-ID */
    uint32_t ask;
    struct ln_stun_id request; /* the Connect that made it */
    bool strong, paused, client_told;
    struct ln_buffer *early, **early_end; /* of a page: what came before its pair was open */
    size_t early_bytes;
};

#define TURN_FAMILIES 2u

struct turn_allocation {
    struct turn_timer timer; /* its expiry; never while it is being opened */
    struct ln_list siblings;
    struct turn_client *client; /* whom data goes to; NULL: adrift */
    struct turn_client *next;   /* where it moves to, from his first data on; or NULL */
    struct ln_turn_user *user;
    char *name;
    size_t name_len;
    struct ln_turn_key key;
    uint64_t number;
    struct turn_relay relays[TURN_FAMILIES]; /* IPv4, IPv6 */
    uint8_t even;                            /* enum turn_even: what the request asked for */
    uint16_t next_port;                      /* claimed behind the relay's; 0: none */
    struct turn_permission *permissions;
    struct turn_channel *channels;
    size_t permission_count, permission_cap, channel_count, channel_cap;
    size_t last_channel, last_permission; /* where the last look-up ended */
    ln_time born;
    uint64_t bytes_from_client, bytes_to_client, packets_dropped;
    ln_time icmp_spent; /* when the bucket is full again (icmp.c) */

    /* the request that made it, to answer it (again) */
    struct ln_stun_id id;
    ln_duration lifetime;
    uint64_t token;
    bool opening, strong, dual, redeemed;

    bool mobile;             /* RFC 8016 */
    uint8_t transport;       /* enum ln_turn_transport, of the last client */
    uint32_t serial;         /* of the ticket that is good */
    struct ln_stun_id mover; /* the request that moved it last */
    ln_time expires;         /* with its last relay; the timer may be set to less */

    bool tcp; /* RFC 6062 */
    struct ln_list connections;
    size_t connection_count;
};

/* One request, and who sent it. */
struct turn_request {
    struct ln_turn_server *server;
    ln_time now;
    struct turn_client *client;
    const struct ln_stun_message *message;
    struct ln_bytes name; /* after authentication */
    struct ln_turn_key key;
    bool strong; /* MESSAGE-INTEGRITY-SHA256 */
};

/* Datagrams, one that is not to be cut (DONT-FRAGMENT), or pieces of a stream. */
enum turn_load { TURN_DATAGRAM, TURN_WHOLE, TURN_STREAM };

/* Datagrams of one size for one path, or pieces of one stream, that wait to be sent. */
struct turn_train {
    struct ln_path path;
    struct ln_buffer *first, *last;
    size_t segment, len, count;
    enum turn_load load;
    bool closed;
};

/* A datagram for another worker or a resident. */
struct turn_outgoing {
    unsigned box;
    struct ln_buffer *parcel;
};

struct turn_listener {
    enum { LISTEN_WANTED, LISTEN_ASKED, LISTEN_OPEN, LISTEN_FAILED } state;
    struct ln_turn_listen what; /* address: asked for, then bound */
    ln_link link;
    int error;
};

struct ln_turn_server {
    const struct ln_env *env;
    struct ln_turn_config config; /* its arrays are not kept */
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    struct turn_listener listeners[LN_TURN_LISTEN_MAX];
    struct ln_turn_policy policy; /* the config's, with what the driver told beside it */
    size_t own_given;             /* of its own addresses, those of the config */
    bool watch_due;               /* the driver is to be asked for them */
    ln_duration wall_offset;
    bool draining;
    struct ln_stun_rate_limit limit;

    struct ln_map clients;   /* struct turn_client of UDP, by 5-tuple */
    struct ln_map links;     /* enum turn_kind of relays, ports, streams, connections; by link */
    struct ln_map asked;     /* the same of relays, ports, connections; by id of the request */
    struct ln_map accepting; /* struct turn_relay of TCP, by id of the request it was opened with */
    struct ln_map connections; /* struct turn_connection, by CONNECTION-ID */
    struct ln_map relayed;     /* enum turn_kind of relays and ports, by the address told */
    struct ln_map claims;      /* struct turn_claim, by port and peer */
    struct ln_map mobile;      /* struct turn_allocation, by number */
    struct ln_map sources;     /* streams without an allocation, by address: a count as a pointer */
    struct ln_heap heap;       /* struct turn_timer */
    struct ln_list allocations, streams, due, ports;
    struct ln_list forwarded; /* struct turn_client of UDP, by siblings */
    size_t allocation_count, waiting_streams;
    uint32_t next_id;
    uint64_t next_number;
    struct turn_client *last_client;
    struct turn_relay *last_relay;

    struct ln_aead seal, unseal; /* of tickets */
    bool tickets;                /* there is a key for them */

    uint8_t *scratch;                /* TURN_SCRATCH bytes, once there is a session */
    struct ln_buffer *arrived;       /* with the datagram that receive() has in hand; or NULL */
    struct ln_ring requests, events; /* struct ln_request, struct ln_turn_event */
    struct ln_ring parcels;          /* struct turn_outgoing */
    ln_link *closes; /* to be closed; room for every open link is made when it opens */
    size_t close_count, close_cap, open_links;
    struct turn_train *trains;
    size_t train_head, train_count, queued;
    uint32_t slots[256];  /* by destination: its open train's number + 1 */
    uint32_t first_train; /* number of trains[train_head] */
    struct ln_turn_counts counts;
};

/* server.c */
int64_t turn_wall_seconds(const struct ln_turn_server *server, ln_time now);
void turn_set_timer(struct ln_turn_server *server, struct turn_timer *timer, ln_time when);
void turn_tell(struct ln_turn_server *server, const struct ln_turn_event *event);
void turn_event_name(struct ln_turn_event *event, struct ln_bytes name);

/* driver.c */
/* The next thing that the driver is to do: 1, or 0. */
int turn_poll_request(struct ln_turn_server *server, struct ln_request *ret_request);
void turn_driver_answered(struct ln_turn_server *server, ln_time now,
                          const struct ln_answer *answer);
/* The open one with this link, or NULL. */
struct turn_listener *turn_listener_find(struct ln_turn_server *server, ln_link link);
/* Makes sure that every link that may open has its place among those to be closed. */
bool turn_reserve_close(struct ln_turn_server *server);
/* Asks for something that is not answered, as a window. False when too much is asked for already,
 * or there is no memory. */
bool turn_ask(struct ln_turn_server *server, const struct ln_request *request);
/* Asks for a socket or stream; `asked` finds who wants it by the id, which is returned. 0 when it
 * cannot be asked for, as above. */
uint32_t turn_ask_for(struct ln_turn_server *server, enum turn_kind *who,
                      struct ln_request *request);
void turn_close_link(struct ln_turn_server *server, ln_link link);

/* client.c */
bool turn_is_stream(const struct turn_client *client);
struct turn_client *turn_client_find(struct ln_turn_server *server, const struct ln_path *path);
/* One whose packets come by way of another worker. */
struct turn_client *turn_client_find_away(struct ln_turn_server *server, const struct ln_path *path,
                                          uint8_t away);
struct turn_client *turn_client_keep(struct ln_turn_server *server,
                                     const struct turn_client *client);
void turn_client_free(struct ln_turn_server *server, struct turn_client *client);
/* Makes a client of a stream or a DTLS session, if there is room for a guest; else it is counted.
 */
struct turn_client *turn_guest_create(struct ln_turn_server *server, ln_time now,
                                      const struct ln_path *path, enum ln_turn_transport transport);
void turn_stream_opened(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer);
void turn_stream_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_packet *packet);
/* Plain bytes of a stream; false when it is out of step. */
bool turn_stream_bytes(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                       struct ln_bytes piece);
void turn_set_patience(struct ln_turn_server *server, ln_time now, struct turn_client *client);
void turn_stream_has_allocation(struct ln_turn_server *server, ln_time now,
                                struct turn_client *client, bool has);
/* The allocation is not his any more. */
void turn_client_part(struct ln_turn_server *server, ln_time now, struct turn_client *client);
/* Ends a stream or a DTLS session, its allocation too. */
void turn_client_end(struct ln_turn_server *server, ln_time now, struct turn_client *client);
/* A message of a client, whatever brought it: STUN or ChannelData. */
void turn_client_message(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         const uint8_t *data, size_t len);

/* secure.c */
/* Looks at the first bytes of a stream, and makes a session if they are of TLS. False when that
 * failed. */
bool turn_secure_begins(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                        const uint8_t *data, size_t len);
void turn_secure_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_bytes packet);
bool turn_secure_send(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                      struct ln_buffer *buffer);
/* True if the client goes on: it was its session's time, not its own. */
bool turn_secure_on_timeout(struct ln_turn_server *server, ln_time now, struct turn_client *client);
void turn_secure_deinit(struct ln_turn_server *server, struct turn_client *client);
void turn_client_set_deadline(struct ln_turn_server *server, struct turn_client *client,
                              ln_time leave_at);
void turn_dtls_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                       struct ln_packet *packet);

/* behaviour.c */
/* The answer to a Binding request where there are two addresses with two ports each: its length,
 * and from where it goes; 0 when it is to be answered plainly. */
int turn_behaviour_answer(const struct turn_request *request, uint8_t *data, size_t cap,
                          struct ln_path *ret_path);

/* request.c */
bool turn_same_name(const struct turn_allocation *allocation, struct ln_bytes name);
void turn_request_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                          const struct ln_stun_message *message);
void turn_indication_begin(struct ln_turn_server *server, struct ln_stun_builder *b, uint8_t *data,
                           size_t cap, uint16_t method, const struct ln_address *peer);
void turn_answer_begin(struct ln_stun_builder *b, uint8_t *data, const struct turn_request *request,
                       enum ln_stun_class kind);
void turn_answer_send(struct ln_stun_builder *b, const struct turn_request *request);
void turn_refuse(const struct turn_request *request, uint16_t code);

/* allocation.c */
void turn_allocate(struct turn_request *request);
/* What LIFETIME asks for, within the limits. */
ln_duration turn_lifetime_of(const struct turn_request *request, ln_duration least);
/* The relay's index for a value of REQUESTED-ADDRESS-FAMILY; false when it is none. */
bool turn_family_index(uint32_t value, size_t *ret_index);
/* Gives its relays this lifetime: that of one family, or (TURN_FAMILIES) all. */
void turn_allocation_prolong(struct ln_turn_server *server, ln_time now, struct turn_allocation *a,
                             size_t index, ln_duration lifetime);
/* Gives up the relay of one family; the other one goes on. */
void turn_allocation_drop_family(struct ln_turn_server *server, struct turn_allocation *a,
                                 size_t index);
void turn_allocation_on_timeout(struct ln_turn_server *server, ln_time now,
                                struct turn_allocation *a);
void turn_allocation_end(struct ln_turn_server *server, ln_time now,
                         struct turn_allocation *allocation, enum ln_turn_end end);
/* One of its sockets has been answered for. */
void turn_allocation_opened(struct ln_turn_server *server, ln_time now,
                            struct turn_allocation *allocation);
void turn_reservation_end(struct ln_turn_server *server, struct turn_reservation *reservation);

/* socket.c */
/* The relay address of the family, as an index; relay_count when there is none. */
size_t turn_place_of(const struct ln_turn_server *server, size_t index);
/* The open one of this family, or NULL. */
struct turn_relay *turn_relay_of(struct turn_allocation *allocation, uint8_t family);
/* Asks for a socket of that family. False when there is none to be had. */
bool turn_relay_begin(struct ln_turn_server *server, struct turn_allocation *allocation,
                      size_t index);
/* The same at a port that is claimed already. */
bool turn_relay_redeem(struct ln_turn_server *server, struct turn_allocation *allocation,
                       size_t place, uint16_t port);
void turn_relay_answer(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                       const struct ln_answer *answer);
void turn_relay_close(struct ln_turn_server *server, struct turn_relay *relay);
/* A free port of the range for this relay address, claimed; 0 when there is none. */
uint16_t turn_choose_port(struct ln_turn_server *server, size_t place, enum turn_even even);
void turn_place_address(const struct ln_turn_server *server, size_t place, uint16_t port,
                        struct ln_address *ret_local, struct ln_address *ret_told);

/* port.c */
/* Puts the relay on one of the shared ports; it is open then, or asked for. */
bool turn_port_join(struct ln_turn_server *server, struct turn_relay *relay, size_t place);
void turn_port_leave(struct ln_turn_server *server, struct turn_relay *relay);
void turn_port_answer(struct ln_turn_server *server, ln_time now, struct turn_port *port,
                      const struct ln_answer *answer);
void turn_port_closed(struct ln_turn_server *server, ln_time now, struct turn_port *port);
/* Whether what the peer sends to the relay's port may become the relay's, and makes it so for the
 * life of a permission; true where the port is the relay's alone. False when it is another's
 * (counted), or there is no room. */
bool turn_claim_free(const struct ln_turn_server *server, ln_time now,
                     const struct turn_relay *relay, const struct ln_address *peer);
bool turn_claim_take(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                     const struct ln_address *peer);
/* Whose it is, what this peer sends to the port: not `from`'s, who is the sender where that is a
 * relay of this worker; a resident sends to the one with this mark. NULL: nobody's. */
struct turn_relay *turn_port_receiver(const struct ln_turn_server *server, ln_time now,
                                      const struct turn_port *port, const struct turn_relay *from,
                                      const struct ln_address *peer, uint32_t mark);
/* By what a resident tells it from others on its port; 0 where it has the port to itself. */
uint32_t turn_relay_mark(const struct turn_relay *relay);

/* refresh.c */
void turn_refresh(struct turn_request *request);
/* A Refresh with a ticket. */
void turn_move(struct turn_request *request);
/* Data came from the client: if the allocation is to move to him, it does now. */
void turn_client_spoke(struct ln_turn_server *server, ln_time now, struct turn_client *client);
/* The client's stream is no more; his allocation ends, moves or goes adrift. */
void turn_client_left(struct ln_turn_server *server, ln_time now, struct turn_client *client);

/* ticket.c */
#define TURN_TICKET_LEN 49u
enum turn_ticket { TURN_TICKET_GOOD, TURN_TICKET_FORGED, TURN_TICKET_EXPIRED };
struct turn_ticket_content {
    uint64_t allocation;
    uint32_t serial;
    ln_time expires;
    uint8_t worker; /* that has the allocation */
};
/* Tickets of a key of this server's. Returns 0 or LN_ERR_NOMEM. */
int turn_tickets_init(struct ln_turn_server *server);
void turn_tickets_deinit(struct ln_turn_server *server);
/* Whether the request wants one, or brings one. */
bool turn_ticket_in(const struct turn_request *request, struct ln_bytes *ret_ticket);
enum turn_ticket turn_ticket_read(struct ln_turn_server *server, ln_time now,
                                  struct ln_bytes ticket, struct turn_ticket_content *ret_content);
/* The allocation of the ticket that the request brings, good or not; NULL when there is none. */
struct turn_allocation *turn_ticket_owner(const struct turn_request *request);
/* Adds the allocation's ticket to an answer. */
void turn_ticket_add(struct ln_stun_builder *b, struct ln_turn_server *server,
                     const struct turn_allocation *allocation);

/* permission.c */
void turn_create_permission(struct turn_request *request);
void turn_channel_bind(struct turn_request *request);
struct turn_permission *turn_permission_find(struct turn_allocation *allocation, ln_time now,
                                             const struct ln_address *peer);
/* Whether it lets in this peer, and not only another on his address. */
bool turn_permission_covers(const struct ln_turn_server *server,
                            const struct turn_permission *permission, const struct ln_address *peer,
                            bool stream);
struct turn_channel *turn_channel_by_number(struct turn_allocation *allocation, ln_time now,
                                            uint16_t number);
struct turn_channel *turn_channel_by_peer(struct turn_allocation *allocation, ln_time now,
                                          const struct ln_address *peer);
/* Whether the address is one of our relays', and whether data may be sent to that very port (by
 * TCP, if `stream`). */
bool turn_peer_is_own(const struct ln_turn_server *server, const struct ln_address *peer,
                      size_t *ret_place);
bool turn_peer_port_allowed(const struct ln_turn_server *server, const struct ln_address *peer,
                            bool stream);
/* Whether a resident may be behind this address, without a port behind any of it. */
bool turn_peer_is_resident(const struct ln_turn_server *server, const struct ln_address *peer);
/* Whether the client may reach it; without a port, other clients' relays count. */
bool turn_peer_allowed(const struct turn_request *request, const struct ln_address *peer);

/* relay.c */
void turn_from_client_channel(struct ln_turn_server *server, ln_time now,
                              struct turn_client *client, const uint8_t *data, size_t len);
void turn_from_client_send(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                           const struct ln_stun_message *message);
void turn_from_peer(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                    const struct ln_address *peer, const uint8_t *data, size_t len);
/* The same at a port that several share. */
void turn_from_peer_to_port(struct ln_turn_server *server, ln_time now, struct turn_port *port,
                            const struct ln_packet *packet);

/* icmp.c */
/* What was said about a packet to a peer. */
void turn_icmp(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer);

/* handover.c */
/* True when the peer is a relay of another client, or a resident: then it has been dealt with. */
bool turn_hand_over(struct ln_turn_server *server, ln_time now, struct turn_relay *from,
                    const struct ln_address *peer, const uint8_t *data, size_t len);
/* What a parcel holds; its header begins with this. */
enum turn_parcel_kind { TURN_PARCEL_DATA, TURN_PARCEL_FORWARD, TURN_PARCEL_RESIDENT };
/* A parcel for another worker, or a resident's box. False when it was dropped, and counted. */
bool turn_parcel_send(struct ln_turn_server *server, unsigned box, const void *header,
                      size_t header_len, const uint8_t *data, size_t len);
void turn_parcels_free(struct ln_turn_server *server);

/* forward.c */
/* A message of a forwarded client. False if it is this worker's to answer. */
bool turn_forward(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                  const uint8_t *data, size_t len);
/* A Refresh whose ticket is another worker's; `worker` has the allocation. */
void turn_forward_request(const struct turn_request *request, unsigned worker);
/* To a client that is away; takes the buffer. */
bool turn_forward_answer(struct ln_turn_server *server, const struct turn_client *client,
                         struct ln_buffer *buffer);
/* The client that is away has an allocation here now, or none any more. */
void turn_forward_hold(struct ln_turn_server *server, const struct turn_client *client);
void turn_forward_release(struct ln_turn_server *server, const struct turn_client *client);
/* A forwarded client is no more: his worker is told. */
void turn_forward_gone(struct ln_turn_server *server, const struct turn_client *client);
void turn_forward_on_timeout(struct ln_turn_server *server, ln_time now,
                             struct turn_client *client);
void turn_forward_take(struct ln_turn_server *server, ln_time now, struct ln_bytes parcel);

/* A peer's address as clients know it, and as this machine reaches it: they differ for relays of
 * this server behind a 1:1 NAT. */
struct ln_address turn_peer_outer(const struct ln_turn_server *server,
                                  const struct ln_address *peer);
struct ln_address turn_peer_inner(const struct ln_turn_server *server,
                                  const struct ln_address *peer);

/* connection.c */
void turn_connect(struct turn_request *request);
void turn_connection_bind(struct turn_request *request);
/* Whose connection a ConnectionBind names; NULL when it names none. */
const struct turn_allocation *turn_connection_owner(const struct turn_request *request);
void turn_connection_answer(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                            const struct ln_answer *answer);
void turn_connection_accept(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                            const struct ln_answer *answer);
void turn_connection_on_timeout(struct ln_turn_server *server, ln_time now,
                                struct turn_connection *c);
/* The peer's stream has ended, in order or with an error. */
void turn_connection_closed(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                            int error);
/* Ends it, and the client's stream that is bound to it. */
void turn_connection_end(struct ln_turn_server *server, ln_time now, struct turn_connection *c);
/* False when the client's stream is to be ended. */
bool turn_connection_from_client(struct ln_turn_server *server, ln_time now,
                                 struct turn_client *client, struct ln_bytes piece);
void turn_connection_from_peer(struct ln_turn_server *server, ln_time now,
                               struct turn_connection *c, struct ln_bytes piece);
/* One of its sides takes more again. */
void turn_connection_writable(struct ln_turn_server *server, struct turn_connection *c);
bool turn_connection_poll_window(struct ln_turn_server *server, struct ln_request *ret_request);

void turn_connection_make_due(struct ln_turn_server *server, struct turn_connection *c);

/* page.c */
/* The first plain bytes of this client are HTTP's: opens a pair. False if it cannot. */
bool turn_page_begin(struct ln_turn_server *server, ln_time now, struct turn_client *client);
void turn_page_answer(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                      const struct ln_answer *answer);
/* Keeps what comes before the pair is open. False when it is too much. */
bool turn_page_keep(struct ln_turn_server *server, struct turn_connection *c,
                    struct ln_bytes piece);
void turn_page_deinit(struct turn_connection *c);

/* transmit.c */
/* Bytes that wait to be sent on this stream. */
size_t turn_queued_for(const struct ln_turn_server *server, ln_link link);
/* A buffer of len bytes for a message to this client; NULL is counted. */
struct ln_buffer *turn_buffer(struct ln_turn_server *server, size_t len);
/* A buffer with these bytes behind `before` others: the one in which they came, if there is one, so
 * that they stay where they are, else a copy. */
struct ln_buffer *turn_buffer_of(struct ln_turn_server *server, const uint8_t *data, size_t len,
                                 size_t before);
/* An empty one for a connection's data, which is bounded by windows instead of the queue's limit.
 */
struct ln_buffer *turn_stream_buffer(struct ln_turn_server *server, size_t len);
/* Takes the buffer. False when it was dropped. */
bool turn_send(struct ln_turn_server *server, const struct ln_path *path, enum turn_load load,
               struct ln_buffer *buffer);
/* Sends a message to the client by its transport; takes the buffer. False when it was dropped. */
bool turn_send_to_client(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_buffer *buffer);
/* The same below TLS or DTLS. */
bool turn_send_plain(struct ln_turn_server *server, struct turn_client *client,
                     struct ln_buffer *buffer);
int turn_poll_transmit(struct ln_turn_server *server, struct ln_transmit *out);
void turn_transmit_free(struct ln_turn_server *server);

#endif
