/* SPDX-License-Identifier: Apache-2.0
 * A TURN client (RFC 8656): one allocation, its permissions and channels, data both ways; it may be
 * moved to another address of ours (RFC 8016).
 *
 * It knows messages and time, not sockets: what is to be sent is polled, what came is handed in,
 * one message a call (a datagram, or a frame of a stream: stun/framing.h). The owner sees to it
 * that only what came from the server is handed in, and sets up TCP, TLS or DTLS under it.
 *
 *     start -> ALLOCATING -> READY (refreshed until closed) -> CLOSED
 *                    \-> ALTERNATE (another server is named)    \-> FAILED
 *
 * The first request goes without credentials; the server's challenge is answered once. A success
 * counts only with the right integrity; an error without integrity is held back and believed when
 * nothing better has come by the end of the transaction. Permissions and channels are kept alive
 * for as long as they are used. Every table has a limit; a request is repeated for a stale nonce at
 * most LN_TURN_CLIENT_CHALLENGES_MAX times in a row. */
#ifndef LN_STUN_TURN_CLIENT_H
#define LN_STUN_TURN_CLIENT_H

#include "stun/turn_auth.h"

#include <linnet/endpoint.h>
#include <linnet/env.h>

#define LN_TURN_CLIENT_PERMISSIONS_MAX 48u
#define LN_TURN_CLIENT_CHANNELS_MAX    16u
#define LN_TURN_CLIENT_CONNECTIONS_MAX 16u
#define LN_TURN_CLIENT_CHALLENGES_MAX  3u
#define LN_TURN_CLIENT_TICKET_MAX      256u /* bytes; with a longer one the allocation stays */
#define LN_TURN_CLIENT_MESSAGE_MAX     2560u /* bytes of the longest message that we write but data */
#define LN_TURN_CLIENT_CHANNEL_HEAD    4u    /* bytes before the data on a channel */
#define LN_TURN_CLIENT_HEAD_MAX        48u   /* in a Send indication to an IPv6 peer */
#define LN_TURN_CLIENT_PERMISSION_LIFE LN_SECONDS(300) /* RFC 8656, 9 */
#define LN_TURN_CLIENT_CHANNEL_LIFE    LN_SECONDS(600) /* RFC 8656, 12 */
#define LN_TURN_CLIENT_ATTEMPT_LIFE    LN_SECONDS(30)  /* RFC 6062, 5.3 */

struct ln_turn_client;

struct ln_turn_client_config {
    const char *username, *password;  /* copied; UTF-8, as they are */
    bool stream;                      /* TCP or TLS: requests are not repeated */
    bool connections;                 /* an allocation of TCP (RFC 6062); with stream alone */
    bool both_families;               /* also asks for an address of IPv6 (RFC 8656, 7.2) */
    bool mobile;                      /* asks for a ticket (RFC 8016) */
    uint8_t allocate_rc, allocate_rm; /* of requests before the allocation; 0: RFC 8489's */
    ln_duration rto;                  /* 0: LN_STUN_RTO */
};

enum ln_turn_client_state {
    LN_TURN_CLIENT_NEW,
    LN_TURN_CLIENT_ALLOCATING,
    LN_TURN_CLIENT_READY,
    LN_TURN_CLIENT_ALTERNATE, /* 300: ln_turn_client_alternate() says where */
    LN_TURN_CLIENT_FAILED,    /* ln_turn_client_error_code() */
    LN_TURN_CLIENT_CLOSED,
};

/* Returns 0, LN_ERR_INVALID_ARGUMENT (a text that is too long) or LN_ERR_NOMEM. */
LN_NODISCARD int ln_turn_client_create(struct ln_turn_client **ret_turn,
                                       const struct ln_turn_client_config *config,
                                       const struct ln_env *env);
void ln_turn_client_free(struct ln_turn_client *turn); /* NULL is fine; tells the server nothing */

/* Once: the first Allocate request is due. */
void ln_turn_client_start(struct ln_turn_client *turn, ln_time now);
/* Gives the allocation back: one Refresh with lifetime 0 is due, and the state CLOSED. */
void ln_turn_client_close(struct ln_turn_client *turn, ln_time now);

enum ln_turn_client_state ln_turn_client_state(const struct ln_turn_client *turn);
/* FAILED: what the server said (401 after our credentials: they are wrong), or 701: no answer, and
 * 702: an answer that makes no sense or was tampered with. */
uint16_t ln_turn_client_error_code(const struct ln_turn_client *turn);
#define LN_TURN_CLIENT_CODE_TIMEOUT  701u
#define LN_TURN_CLIENT_CODE_NONSENSE 702u

/* READY: the i-th relayed address, at most one a family; false past the end. */
bool ln_turn_client_relayed(const struct ln_turn_client *turn, size_t i,
                            struct ln_address *ret_address);
/* READY: how the server sees us; false when it did not say. */
bool ln_turn_client_mapped(const struct ln_turn_client *turn, struct ln_address *ret_address);
/* ALTERNATE: the other server, and the name in its certificate ("": the one asked for before). */
void ln_turn_client_alternate(const struct ln_turn_client *turn, struct ln_address *ret_server,
                              char ret_domain[256]);

/* --- moving (RFC 8016; turn_mobility.c) ----------------------------------------------------- */

/* The allocation is to go on from where the next messages leave, or from where the server sees them
 * come: a Refresh with the ticket is due. Where nothing has changed, the server says so and nothing
 * is lost; what it does not let us take along ends: FAILED. False, and nothing done, when there is
 * no ticket, one is under way, or the state is not READY. */
bool ln_turn_client_move(struct ln_turn_client *turn, ln_time now);
/* Refreshes it now, which the server answers at once. False when it is not READY. */
bool ln_turn_client_refresh(struct ln_turn_client *turn, ln_time now);
/* Whether there is a ticket to move with. */
bool ln_turn_client_mobile(const struct ln_turn_client *turn);
/* Whether a move is under way: data may not pass meanwhile. */
bool ln_turn_client_moving(const struct ln_turn_client *turn);
/* Moves that succeeded. The server sends to the new address once data has come from there (RFC
 * 8016, 3.2.2). */
unsigned ln_turn_client_moves(const struct ln_turn_client *turn);
/* The server gives no tickets (405): it should not be asked again (RFC 8016, 3.1.4). */
bool ln_turn_client_immobile(const struct ln_turn_client *turn);

/* --- peers --------------------------------------------------------------------------------- */

enum ln_turn_client_permit {
    LN_TURN_CLIENT_PERMIT_NONE, /* not asked for, or run out */
    LN_TURN_CLIENT_PERMIT_ASKED,
    LN_TURN_CLIENT_PERMIT_GRANTED,
    LN_TURN_CLIENT_PERMIT_REFUSED, /* 403, 443, or no answer */
};
/* Asks for permission to talk to this IP address, unless that is under way or done. Returns 0,
 * LN_ERR_LIMIT or LN_ERR_INVALID_STATE (not READY). */
LN_NODISCARD int ln_turn_client_permit(struct ln_turn_client *turn, ln_time now,
                                       const struct ln_address *peer);
enum ln_turn_client_permit ln_turn_client_permitted(const struct ln_turn_client *turn,
                                                    const struct ln_address *peer);
/* Asks for a channel to this address, unless there is one. Returns as above. */
LN_NODISCARD int ln_turn_client_bind(struct ln_turn_client *turn, ln_time now,
                                     const struct ln_address *peer);

/* What ICMP said at the server about a datagram to a peer (RFC 8656, 11.6), once; the last, if none
 * was taken since. The port is 0 where the server does not know it. Anybody may forge it. */
bool ln_turn_client_next_icmp(struct ln_turn_client *turn, struct ln_address *ret_peer,
                              struct ln_icmp *ret_icmp);

/* Bytes that ln_turn_client_wrap() puts in front of data for this peer now:
 * LN_TURN_CLIENT_CHANNEL_HEAD on a channel, else more. */
size_t ln_turn_client_head(const struct ln_turn_client *turn, const struct ln_address *peer);
/* Puts a header in front of len bytes of data at message + ln_turn_client_head(), and zero padding
 * behind them if the form asks for it (up to 3 bytes). Returns the whole length,
 * LN_ERR_INVALID_STATE (not READY, or no permission) or LN_ERR_TOO_BIG. */
LN_NODISCARD int ln_turn_client_wrap(struct ln_turn_client *turn, ln_time now,
                                     const struct ln_address *peer, uint8_t *message, size_t len);

/* --- connections of an allocation of TCP (RFC 6062; turn_connections.c) -------------------- */

/* Each has a number here, given out once. Its bytes pass on a stream of its own to the same server:
 * the owner opens one when the connection is THERE, sends what _bind_poll() writes, hands in what
 * comes until the state is BOUND, and then has the peer's bytes as they are. */
enum ln_turn_client_connection_state {
    LN_TURN_CLIENT_CONNECTION_NONE,    /* no such number, or it was refused or has run out */
    LN_TURN_CLIENT_CONNECTION_ASKED,   /* Connect is under way */
    LN_TURN_CLIENT_CONNECTION_THERE,   /* at the server, which waits for the stream */
    LN_TURN_CLIENT_CONNECTION_BINDING, /* ConnectionBind is under way */
    LN_TURN_CLIENT_CONNECTION_BOUND,
};
/* Asks the server to connect to the peer. Returns 0, LN_ERR_LIMIT or LN_ERR_INVALID_STATE (not
 * READY, or not of TCP). */
LN_NODISCARD int ln_turn_client_connect(struct ln_turn_client *turn, ln_time now,
                                        const struct ln_address *peer, uint32_t *ret_number);
/* The next peer that has connected to us by itself: THERE. Only those with a permission come. */
bool ln_turn_client_next_attempt(struct ln_turn_client *turn, struct ln_address *ret_peer,
                                 uint32_t *ret_number);
enum ln_turn_client_connection_state
ln_turn_client_connection_state(const struct ln_turn_client *turn, uint32_t number);
/* THERE: its stream is open, ConnectionBind is due. Does nothing in other states. */
void ln_turn_client_bind_connection(struct ln_turn_client *turn, ln_time now, uint32_t number);
/* What is to be sent on its stream: the length, 0, or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_turn_client_bind_poll(struct ln_turn_client *turn, ln_time now, uint32_t number,
                                          void *data, size_t cap);
/* One message that came on its stream. Returns 0, or < 0 as ln_turn_client_receive(). */
LN_NODISCARD int ln_turn_client_bind_receive(struct ln_turn_client *turn, ln_time now,
                                             uint32_t number, const uint8_t *data, size_t len);
/* It is not wanted any more, or over. The owner closes the stream; harmless for any number. */
void ln_turn_client_forget_connection(struct ln_turn_client *turn, uint32_t number);

/* --- in and out ---------------------------------------------------------------------------- */

/* One message of the server. Returns 1 for data: the peer's address and the bytes within `data`;
 * 0 consumed; < 0 dropped and counted: LN_ERR_MALFORMED, LN_ERR_NOT_FOUND (no such transaction,
 * channel or permission), LN_ERR_INTEGRITY. */
LN_NODISCARD int ln_turn_client_receive(struct ln_turn_client *turn, ln_time now, uint8_t *data,
                                        size_t len, struct ln_address *ret_peer, uint8_t **ret_data,
                                        size_t *ret_len);
/* The next message to the server (of a stream: bytes to be appended). Returns its length, 0 when
 * there is none, LN_ERR_NO_SPACE (LN_TURN_CLIENT_MESSAGE_MAX always suffices). */
LN_NODISCARD int ln_turn_client_poll(struct ln_turn_client *turn, ln_time now, void *data,
                                     size_t cap);
void ln_turn_client_on_timeout(struct ln_turn_client *turn, ln_time now);
ln_time ln_turn_client_next_timeout(const struct ln_turn_client *turn);

/* Why messages were dropped. X(NAME, "name_for_metrics") */
#define LN_TURN_CLIENT_DROP_TABLE(X)                                                               \
    X(MALFORMED, "malformed")                                                                      \
    X(TRANSACTION, "answer_without_request")                                                       \
    X(INTEGRITY, "wrong_integrity")                                                                \
    X(CHANNEL, "unknown_channel")                                                                  \
    X(PERMISSION, "data_without_permission")                                                       \
    X(CONNECTION, "connection_not_wanted")                                                         \
    X(KIND, "message_of_another_kind")
enum ln_turn_client_drop {
#define LN_TURN_CLIENT_DROP_ENUM(name, text) LN_TURN_CLIENT_DROP_##name,
    LN_TURN_CLIENT_DROP_TABLE(LN_TURN_CLIENT_DROP_ENUM)
#undef LN_TURN_CLIENT_DROP_ENUM
        LN_TURN_CLIENT_DROPS
};
uint64_t ln_turn_client_dropped(const struct ln_turn_client *turn, enum ln_turn_client_drop reason);
const char *ln_turn_client_drop_name(enum ln_turn_client_drop reason);

#endif
