/* SPDX-License-Identifier: Apache-2.0
 * The TURN client's inside, shared by turn_client.c (the allocation, messages in and out),
 * turn_mobility.c (taking it elsewhere), turn_peers.c (permissions, channels, data) and
 * turn_connections.c (TCP with peers).
 *
 * Every request is a struct ln_turn_client_request: what it is stands in the table that holds it,
 * so an answer is matched by transaction id over all of them. */
#ifndef LN_STUN_TURN_STATE_H
#define LN_STUN_TURN_STATE_H

#include "stun/transaction.h"
#include "stun/turn_client.h"

/* Requests at 0, 100, 300, 700 ms, then every 500 ms, for 9 s. */
#define LN_TURN_CLIENT_MOVE_TIMING                                                                 \
    ((struct ln_stun_timing){ LN_MILLISECONDS(100), 20, 4, LN_MILLISECONDS(500) })

struct ln_turn_client_request {
    struct ln_stun_transaction transaction;
    uint16_t method;    /* enum ln_stun_method */
    uint16_t held_back; /* an error without integrity, believed at the end; 0: none */
    uint8_t challenges; /* answered in a row */
    bool signed_;       /* carries credentials */
};

struct ln_turn_client_permission {
    struct ln_address peer; /* family NONE: free; the port does not count */
    struct ln_turn_client_request request;
    bool granted, refused;
    bool used;          /* since it was last asked for */
    ln_time refresh_at; /* LN_TIME_NEVER unless granted */
    ln_time expires_at;
};

struct ln_turn_client_channel {
    struct ln_address peer; /* family NONE: free */
    uint16_t number;
    struct ln_turn_client_request request;
    bool bound, refused;
    bool used;
    ln_time refresh_at, expires_at;
};

struct ln_turn_client_connection {
    uint32_t number; /* 0: free */
    uint32_t id;     /* CONNECTION-ID */
    uint8_t state;   /* enum ln_turn_client_connection_state */
    bool told;       /* of an attempt: the owner knows */
    struct ln_address peer;
    struct ln_turn_client_request request; /* Connect, then ConnectionBind */
    ln_time expires_at;                    /* THERE: the server forgets it; LN_TIME_NEVER */
};

/* Of an allocation of TCP alone. */
struct ln_turn_client_connections {
    struct ln_turn_client_connection table[LN_TURN_CLIENT_CONNECTIONS_MAX];
    uint32_t last_number;
};

struct ln_turn_client {
    const struct ln_env *env;
    struct ln_turn_client_config config; /* its texts are copies */
    char *username, *password;
    struct ln_turn_client_auth auth;
    uint8_t state; /* enum ln_turn_client_state */
    uint16_t code;
    bool release_due; /* the Refresh that gives the allocation back is to be sent */
    struct ln_turn_client_request request; /* Allocate or Refresh */
    struct ln_address mapped, relayed[2], alternate;
    char alternate_domain[256];
    size_t relayed_count;
    ln_time refresh_at;
    ln_time expires_at;
    struct ln_turn_client_permission permissions[LN_TURN_CLIENT_PERMISSIONS_MAX];
    size_t permission_count; /* slots used at least once */
    struct ln_turn_client_channel channels[LN_TURN_CLIENT_CHANNELS_MAX];
    size_t channel_count;
    uint16_t next_channel;
    struct ln_address icmp_peer; /* family NONE: nothing new */
    struct ln_icmp icmp;
    struct ln_turn_client_connections *connections; /* NULL: of UDP */
    uint16_t ticket_len;                            /* 0: none */
    uint8_t ticket[LN_TURN_CLIENT_TICKET_MAX];
    bool with_ticket; /* the running Refresh carries it */
    bool immobile;
    unsigned moves;
    uint64_t drops[LN_TURN_CLIENT_DROPS];
};

/* turn_client.c */
void ln_turn_client_begin(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                          uint16_t method, ln_time now);
int ln_turn_client_drop(struct ln_turn_client *turn, enum ln_turn_client_drop reason, int error);
/* A request is over: its code, or 0 while it runs. */
uint16_t ln_turn_client_timed_out(struct ln_turn_client_request *request, ln_time now);
/* An answer to this request. */
int ln_turn_client_answered(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                            const struct ln_stun_message *message, ln_time now);
/* Writes a request: what it is about is in `about`. */
struct ln_turn_client_subject {
    const struct ln_address *peer; /* NULL: none */
    uint16_t channel;              /* 0: none */
    uint32_t connection;           /* 0: none */
};
int ln_turn_client_write(struct ln_turn_client *turn, const struct ln_turn_client_request *request,
                         struct ln_turn_client_subject about, void *data, size_t cap);
/* Bytes that the longest request takes. */
size_t ln_turn_client_room_needed(const struct ln_turn_client *turn);

/* turn_mobility.c */
/* The attribute of an Allocate or a Refresh, if it is to have one. */
void ln_turn_client_add_ticket(const struct ln_turn_client *turn, struct ln_stun_builder *b,
                               uint16_t method);
/* What a success brings: the next ticket, and how the server sees us now. */
void ln_turn_client_take_ticket(struct ln_turn_client *turn, const struct ln_stun_message *message);
/* Whether an error is about mobility alone: then the request runs again without it. */
bool ln_turn_client_goes_without_ticket(struct ln_turn_client *turn, uint16_t code, ln_time now);

/* turn_peers.c */
void ln_turn_client_peers_on_timeout(struct ln_turn_client *turn, ln_time now);
ln_time ln_turn_client_peers_next_timeout(const struct ln_turn_client *turn);
/* The request with this id, or NULL. */
struct ln_turn_client_request *ln_turn_client_peers_find(struct ln_turn_client *turn,
                                                         const struct ln_stun_id *id);
/* What its final answer says: 0 for success, else the code. */
void ln_turn_client_peers_answer(struct ln_turn_client *turn,
                                 const struct ln_turn_client_request *request, uint16_t code,
                                 ln_time now);
/* The next request of a permission or channel, or NULL; ret_peer and ret_channel (0: none) are what
 * it is about. */
struct ln_turn_client_request *ln_turn_client_peers_due(struct ln_turn_client *turn, ln_time now,
                                                        struct ln_address *ret_peer,
                                                        uint16_t *ret_channel);
/* Whether we let the peer talk to us. */
bool ln_turn_client_peer_granted(const struct ln_turn_client *turn, const struct ln_address *peer);
int ln_turn_client_receive_channel(struct ln_turn_client *turn, ln_time now, uint8_t *data,
                                   size_t len, struct ln_address *ret_peer, uint8_t **ret_data,
                                   size_t *ret_len);
int ln_turn_client_receive_indication(struct ln_turn_client *turn, ln_time now,
                                      const struct ln_stun_message *message,
                                      struct ln_address *ret_peer, struct ln_bytes *ret_data);

/* turn_connections.c; all do nothing for an allocation of UDP */
LN_NODISCARD int ln_turn_client_connections_create(struct ln_turn_client *turn);
void ln_turn_client_connections_stop(struct ln_turn_client *turn);
void ln_turn_client_connections_on_timeout(struct ln_turn_client *turn, ln_time now);
ln_time ln_turn_client_connections_next_timeout(const struct ln_turn_client *turn);
/* The running Connect with this id, or NULL. */
struct ln_turn_client_request *ln_turn_client_connections_find(struct ln_turn_client *turn,
                                                               const struct ln_stun_id *id);
/* The final answer to a request of a connection; false: it is of none. */
bool ln_turn_client_connections_answer(struct ln_turn_client *turn,
                                       const struct ln_turn_client_request *request,
                                       const struct ln_stun_message *message, uint16_t code,
                                       ln_time now);
/* The next Connect that is due, as ln_turn_client_peers_due(). */
struct ln_turn_client_request *ln_turn_client_connections_due(struct ln_turn_client *turn,
                                                              ln_time now,
                                                              struct ln_address *ret_peer);
int ln_turn_client_receive_attempt(struct ln_turn_client *turn, ln_time now,
                                   const struct ln_stun_message *message);

#endif
