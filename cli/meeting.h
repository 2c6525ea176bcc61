/* SPDX-License-Identifier: Apache-2.0
 * Where the ends of a transfer meet: a room of the signalling server, and a link (a peer connection
 * with one data channel) to those of its participants who are wanted. All on one loop's thread; the
 * WebSocket has its own.
 *
 * Callbacks come from the loop and may call anything here but meeting_free(). */
#ifndef LN_CLI_MEETING_H
#define LN_CLI_MEETING_H

#include "io/loop.h"

#include <linnet/client.h>
#include <linnet/env.h>

struct meeting;
struct link;

struct meeting_config {
    const char *url;  /* "ws://…" */
    const char *name; /* of ourselves */
    const char *token;
    const char *proxy; /* NULL: none; borrowed */
    bool ice_tcp;      /* TCP candidates too */
    bool insecure, loopback, relay_only;
    bool answers; /* takes offers of others */

    /* As in linnet/client.h; LEFT is the end. */
    void (*state)(void *ctx, enum ln_room_state state, int error, const char *sentence);
    /* Somebody is in the room; present: was there before us. */
    void (*came)(void *ctx, const char *id, const char *name, bool present);
    void (*went)(void *ctx, const char *id);
    /* A link's channel is open; it was dialled, or its offer taken. */
    void (*open)(void *ctx, struct link *link);
    void (*message)(void *ctx, struct link *link, const uint8_t *data, size_t len);
    /* Fewer than MEETING_BUFFER_LOW bytes wait to be sent. */
    void (*writable)(void *ctx, struct link *link);
    /* It could not be opened, or broke, or the other side closed it. It is gone after this. */
    void (*broken)(void *ctx, struct link *link, const char *sentence);
    void *ctx;
};

#define MEETING_BUFFER_HIGH (4u << 20) /* bytes that wait to be sent: no more, please */
#define MEETING_BUFFER_LOW  (1u << 20)

/* The config's texts are copied. Returns 0 or an error of the library. */
LN_NODISCARD int meeting_create(struct meeting **ret_meeting, const struct meeting_config *config);
/* Ends all links, says goodbye to the server if it was not left, frees everything. */
void meeting_free(struct meeting *meeting);

struct ln_loop *meeting_loop(struct meeting *meeting);
struct ln_env *meeting_env(struct meeting *meeting);

/* Enters a room, after leaving the one before. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int meeting_enter(struct meeting *meeting, const char *room);

/* Begins to make a link to a participant; open() or broken() follows. Returns 0 or an error. */
LN_NODISCARD int meeting_dial(struct meeting *meeting, const char *id, struct link **ret_link);
/* Closes it; broken() does not follow. */
void link_close(struct link *link);
/* The same once what was sent had time to arrive; the other side may be quicker. */
void link_close_soon(struct link *link);
/* Whether links are still closing. */
bool meeting_is_closing(const struct meeting *meeting);

/* Returns 0, LN_ERR_LIMIT (too much waits already), LN_ERR_TOO_BIG or LN_ERR_INVALID_STATE. */
LN_NODISCARD int link_send(struct link *link, const uint8_t *data, size_t len);
size_t link_buffered(const struct link *link);
const char *link_id(const struct link *link);
void link_set_user_data(struct link *link, void *user_data);
void *link_user_data(const struct link *link);
/* The certificates of both ends, in DER; borrowed. */
struct ln_bytes link_own_certificate(const struct link *link);
struct ln_bytes link_other_certificate(const struct link *link);
/* "host", "srflx", "prflx" or "relay", of the path in use; "" while there is none. */
const char *link_path(const struct link *link);
/* Whether packets of the other end come. */
bool link_alive(const struct link *link);

#endif
