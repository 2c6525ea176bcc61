/* SPDX-License-Identifier: Apache-2.0
 * Rooms and the messages between their participants (docs/signalling.md), without any socket.
 *
 * The driver names each WebSocket by a number, says when it opens, speaks and closes, and takes
 * from ln_signal_poll() what is to be written where. The server never calls back.
 *
 * A participant outlives its socket by a grace period; what is sent to it meanwhile waits in its
 * queue, and a resumed session goes on where it stopped. Every table and queue has a limit in
 * struct ln_signal_config. One owner thread, no lock. */
#ifndef LN_SIGNAL_CORE_SIGNAL_H
#define LN_SIGNAL_CORE_SIGNAL_H

#include <linnet/address.h>
#include <linnet/env.h>
#include <linnet/error.h>

/* Error codes of the protocol: X(constant, "code", "sentence", close code or 0). */
#define LN_SIGNAL_ERROR_TABLE(X)                                                                   \
    X(BAD_JSON, "bad_json", "The message is not a JSON object in UTF-8.", 0)                       \
    X(BAD_MESSAGE, "bad_message", "A member of the message is missing or wrong.", 0)               \
    X(UNKNOWN_TYPE, "unknown_type", "There is no message of this type.", 0)                        \
    X(WRONG_STATE, "wrong_state", "This message is not allowed now.", 0)                           \
    X(ROOM_FULL, "room_full", "The room is full.", 0)                                              \
    X(TOO_MANY_ROOMS, "too_many_rooms", "The server has as many rooms as it may have.", 0)         \
    X(NOT_ALLOWED, "not_allowed", "The room asks for a token, and this is not it.", 0)             \
    X(NO_SUCH_PARTICIPANT, "no_such_participant", "Nobody in this room has this id.", 0)           \
    X(SEQUENCE_GAP, "sequence_gap", "A message before this one is missing; resume.", 4004)         \
    X(RESUME_FAILED, "resume_failed", "The session cannot be resumed; join again.", 0)             \
    X(RATE_LIMITED, "rate_limited", "Too many messages; wait and resume.", 1008)                   \
    X(TOO_BIG, "too_big", "The message is too large.", 1009)                                       \
    X(QUEUE_FULL, "queue_full", "Too many messages were not acknowledged.", 4005)                  \
    X(TOO_SLOW, "too_slow", "Nothing was heard in time.", 4002)                                    \
    X(TOO_MANY_ERRORS, "too_many_errors", "Too many wrong messages.", 1008)                        \
    X(OUT_OF_MEMORY, "out_of_memory", "The server has no memory left for this.", 1013)

enum ln_signal_error {
#define LN_SIGNAL_ERROR_ENUM(name, code, sentence, close) LN_SIGNAL_ERROR_##name,
    LN_SIGNAL_ERROR_TABLE(LN_SIGNAL_ERROR_ENUM)
#undef LN_SIGNAL_ERROR_ENUM
        LN_SIGNAL_ERROR_COUNT
};

const char *ln_signal_error_code(enum ln_signal_error error);

/* Close codes that are not in the table. */
#define LN_SIGNAL_CLOSE_LEFT     1000
#define LN_SIGNAL_CLOSE_REPLACED 4001

struct ln_signal_ice_server { /* RTCIceServer; texts borrowed for the server's life */
    const char *url, *username, *credential;
};

struct ln_signal_room_token { /* a room that asks for a token; texts borrowed likewise */
    const char *room, *token;
};

struct ln_signal_config {
    size_t rooms, room_participants, connections, source_connections;
    size_t message_bytes, queue_messages, queue_bytes;
    size_t name_bytes, room_bytes;
    unsigned messages_per_second, message_burst;
    ln_duration join_time, idle_time, grace_time;
    const char *token; /* asked for by every room not in room_tokens; NULL: by none */
    const struct ln_signal_room_token *room_tokens;
    size_t room_token_count;
    const char *const *origins; /* accepted besides the host's own; "*" accepts any */
    size_t origin_count;
    const struct ln_signal_ice_server *ice_servers;
    size_t ice_server_count;
    ln_duration wall_offset; /* what `now` lacks of nanoseconds since 1970-01-01, for `view` */
    uint16_t
        stun_port; /* not 0: participants are told stun:HOST:PORT, with the host they came to */
    /* Not NULL: they are also told turn:HOST:PORT (and turns: where a port is not 0), with
     * ephemeral credentials that this secret signs. Borrowed. */
    const char *turn_secret;
    uint16_t turn_udp_port, turn_tcp_port, turns_port;
    ln_duration turn_lifetime; /* of the credentials */
};

void ln_signal_config_init(struct ln_signal_config *config);

/* Who opens a socket. Borrowed for the call. */
struct ln_signal_visitor {
    const char *origin; /* the Origin header, NULL if there was none */
    const char *host;   /* the Host header ("name", "name:port", "[ip]:port") */
    struct ln_address source;
};

enum ln_signal_type { /* of messages, for the figures */
                      LN_SIGNAL_JOIN,
                      LN_SIGNAL_RESUME,
                      LN_SIGNAL_OFFER,
                      LN_SIGNAL_ANSWER,
                      LN_SIGNAL_CANDIDATE,
                      LN_SIGNAL_ACK,
                      LN_SIGNAL_PING,
                      LN_SIGNAL_LEAVE,
                      LN_SIGNAL_VIEW,
                      LN_SIGNAL_TYPE_COUNT
};

const char *ln_signal_type_name(enum ln_signal_type type);

/* What /metrics shows. The first four are present values, the others only grow. */
struct ln_signal_figures {
    size_t rooms, participants, connections, resumable;
    uint64_t joined, resumed, lost, refused_origins, refused_limits, duplicates;
    uint64_t received[LN_SIGNAL_TYPE_COUNT], errors[LN_SIGNAL_ERROR_COUNT];
    uint64_t received_bytes, sent_messages, sent_bytes;
};

/* One thing to do on one socket: write a text, or (close_code not 0) close it. The text is borrowed
 * until the next call on the server. After a close the server forgets the number; the driver need
 * not report it closed. */
struct ln_signal_output {
    uint64_t connection;
    const char *text;
    size_t len;
    uint16_t close_code;
};

/* What our TURN server saw of one of its users lately. */
#define LN_SIGNAL_TURN_SEEN_MAX 16u

struct ln_signal_turn_seen { /* an allocation, or its refusal */
    const char *transport;   /* "udp" */
    struct ln_address client;
    struct ln_address relayed; /* no family: refused with `code` */
    uint16_t code;
    bool open;                                   /* it has not ended: what follows is not known */
    uint64_t bytes_from_client, bytes_to_client; /* relayed */
    uint64_t packets_dropped;
};

struct ln_signal_turn_view {
    struct ln_signal_turn_seen seen[LN_SIGNAL_TURN_SEEN_MAX];
    size_t count;
    uint64_t wrong_credentials; /* requests under his name that did not prove the password */
};

struct ln_signal;

/* Returns 0, LN_ERR_INVALID_ARGUMENT (a limit is 0) or LN_ERR_NOMEM. config's texts and arrays
 * outlive the server. */
LN_NODISCARD int ln_signal_create(struct ln_signal **ret_signal,
                                  const struct ln_signal_config *config, struct ln_env *env);
void ln_signal_free(struct ln_signal *signal);

/* Whether a handshake would be accepted: 0, LN_ERR_NOT_ALLOWED (foreign origin) or LN_ERR_LIMIT. */
LN_NODISCARD int ln_signal_admit(const struct ln_signal *signal,
                                 const struct ln_signal_visitor *visitor);

/* A socket opened; `connection` was never used before. Returns what ln_signal_admit() would, or
 * LN_ERR_NOMEM; unless 0 the driver closes the socket, and the server does not know it. */
LN_NODISCARD int ln_signal_open(struct ln_signal *signal, ln_time now, uint64_t connection,
                                const struct ln_signal_visitor *visitor);
/* A whole text message came. Numbers the server has forgotten are ignored here and below. */
void ln_signal_receive(struct ln_signal *signal, ln_time now, uint64_t connection, const char *text,
                       size_t len);
void ln_signal_closed(struct ln_signal *signal, ln_time now, uint64_t connection);

void ln_signal_on_timeout(struct ln_signal *signal, ln_time now);
ln_time ln_signal_next_timeout(const struct ln_signal *signal);

/* 1 = ret_output filled, 0 = nothing to do. */
int ln_signal_poll(struct ln_signal *signal, struct ln_signal_output *ret_output);

/* Somebody has shown the credential of the user who is returned (borrowed until the next call) and
 * asks what TURN saw of him; to be answered by ln_signal_answer_view(). NULL: nobody. */
const char *ln_signal_poll_view(struct ln_signal *signal, uint64_t *ret_connection);
void ln_signal_answer_view(struct ln_signal *signal, ln_time now, uint64_t connection,
                           const struct ln_signal_turn_view *view);

void ln_signal_get_figures(const struct ln_signal *signal, struct ln_signal_figures *ret_figures);

/* Checks shared with clients: text of A-Z a-z 0-9 . _ - ; UTF-8 without control characters. */
bool ln_signal_room_valid(const char *room, size_t max);
bool ln_signal_name_valid(const char *name, size_t max);

#endif
