/* SPDX-License-Identifier: Apache-2.0
 * The client's side of docs/signalling.md: one stay in one room, over as many sockets as it takes.
 *
 * Knows no socket and no clock: the room opens sockets when asked and hands in what they say. What
 * is addressed to others is numbered and kept until the server has acknowledged it; after a broken
 * socket the session resumes, nothing is lost and nothing comes twice. When that fails it joins
 * again, as somebody new. */
#ifndef LN_CLIENT_ROOM_SESSION_H
#define LN_CLIENT_ROOM_SESSION_H

#include "base/ring.h"

#include <linnet/client.h>

#include <jansson.h>

#define LN_ROOM_SESSION_KEPT_MAX   512u /* messages not yet acknowledged */
#define LN_ROOM_SESSION_ROOM_BYTES 64u
#define LN_ROOM_SESSION_NAME_BYTES 64u

/* All may call session functions, but not _deinit(). */
struct ln_room_session_ops {
    void (*open)(void *ctx); /* open a socket; the old one is gone */
    void (*send)(void *ctx, const char *text, size_t len);
    void (*close)(void *ctx); /* close the socket; nothing of it is of interest any more */
    void (*state)(void *ctx, enum ln_room_state state, int error, const char *sentence);
    /* Joined as somebody new: all participants known before are gone. */
    void (*joined)(void *ctx, const json_t *ice_servers);
    /* present: it was there before us, and waits for our offer. */
    void (*participant)(void *ctx, const char *id, const char *name, bool present);
    void (*left)(void *ctx, const char *id);
    void (*description)(void *ctx, const char *from, const char *type, const char *sdp);
    void (*candidate)(void *ctx, const char *from, const json_t *candidate);
};

enum ln_room_session_phase {
    LN_ROOM_SESSION_IDLE,
    LN_ROOM_SESSION_WAITING,  /* until the next try */
    LN_ROOM_SESSION_OPENING,  /* a socket */
    LN_ROOM_SESSION_ENTERING, /* join or resume is under way */
    LN_ROOM_SESSION_JOINED,
    LN_ROOM_SESSION_LEAVING,
    LN_ROOM_SESSION_ENDED
};

struct ln_room_session {
    struct ln_allocator *allocator;
    struct ln_rng *rng;
    const struct ln_room_session_ops *ops;
    void *ctx;
    char room[LN_ROOM_SESSION_ROOM_BYTES + 1], name[LN_ROOM_SESSION_NAME_BYTES + 1];
    char *token;
    enum ln_room_session_phase phase;
    char id[64], secret[128];
    bool resuming, was_joined;
    uint64_t sent, received, acknowledged; /* sequence numbers: ours, theirs, theirs told */
    struct ln_ring kept;                   /* struct kept_message */
    unsigned tries;
    ln_duration ping_interval;
    ln_time retry_at, give_up_at, ack_at, ping_at, heard_at;
};

/* Texts are copied. Returns 0, LN_ERR_INVALID_ARGUMENT (room or name) or LN_ERR_NOMEM. */
LN_NODISCARD int ln_room_session_init(struct ln_room_session *session, const char *room,
                                      const char *name, const char *token,
                                      const struct ln_room_session_ops *ops, void *ctx,
                                      struct ln_env *env);
void ln_room_session_deinit(struct ln_room_session *session);

void ln_room_session_start(struct ln_room_session *session, ln_time now);
void ln_room_session_opened(struct ln_room_session *session, ln_time now);
void ln_room_session_message(struct ln_room_session *session, ln_time now, const char *text,
                             size_t len);
/* The socket has gone, or could not be opened. */
void ln_room_session_closed(struct ln_room_session *session, ln_time now, unsigned code,
                            const char *sentence);
void ln_room_session_on_timeout(struct ln_room_session *session, ln_time now);
ln_time ln_room_session_next_timeout(const struct ln_room_session *session);

/* Returns 0, LN_ERR_INVALID_STATE (never joined, or left), LN_ERR_LIMIT or LN_ERR_NOMEM. Kept
 * while there is no socket. */
LN_NODISCARD int ln_room_session_send_description(struct ln_room_session *session, const char *to,
                                                  const char *type, const char *sdp);
LN_NODISCARD int ln_room_session_send_candidate(struct ln_room_session *session, const char *to,
                                                const char *candidate, const char *mid, int m_line,
                                                const char *username_fragment);
void ln_room_session_leave(struct ln_room_session *session, ln_time now);

#endif
