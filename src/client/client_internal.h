/* SPDX-License-Identifier: Apache-2.0
 * The inside of a client, shared by client.c (threads), room.c (the application's side of a room)
 * and room_core.c (the loop's side).
 *
 * Three threads: the application's; the loop (peer connections, media engines, signalling state);
 * the control thread (WebSockets). Towards the loop go commands by ln_loop_post(), towards the
 * application go news by two mailboxes: one for what must not be lost, one for pictures and
 * samples, where the oldest makes room. Both are behind the one descriptor of the client. */
#ifndef LN_CLIENT_CLIENT_INTERNAL_H
#define LN_CLIENT_CLIENT_INTERNAL_H

#include "base/list.h"
#include "client/loop_driver.h"
#include "client/port.h"
#include "client/workers.h"
#include "http/loop.h"
#include "io/thread.h"

#include <linnet/client.h>

#include <stdatomic.h>

#define LN_CLIENT_NEWS_MAX    4096u
#define LN_CLIENT_NEWS_SPARED 1024u /* kept free for what is not a message or a figure */
#define LN_CLIENT_MEDIA_MAX   64u

struct ln_news;

/* One callback to be made: `tell` on the application's thread, then `drop` on any thread. */
struct ln_news {
    void (*tell)(struct ln_news *news);
    void (*drop)(struct ln_news *news);
};

struct ln_client {
    struct ln_client_config config;
    struct ln_allocator *allocator;

    /* the application's */
    int fd; /* epoll over both mailboxes */
    struct ln_list rooms;
    size_t rooms_open; /* not LEFT */
    int last_error;    /* of the last room that was left */
    bool muted;        /* ln_client_free(): no callback any more */
    bool dispatching;
    atomic_bool stopped;

    /* towards it */
    struct ln_mailbox news, media; /* struct ln_news * */
    atomic_size_t news_count;      /* in the mailbox */

    /* the loop's */
    struct ln_driver *driver;
    struct ln_port *port; /* of all calls; NULL: each has its own */
    struct ln_loop *loop;
    struct ln_workers *workers;
    struct ln_list cores;  /* struct ln_room_core */
    struct ln_list ending; /* calls that say good-bye */
    struct ln_thread loop_thread;
    bool loop_running;

    /* the control thread's */
    struct ln_http_loop *control;
    struct ln_thread control_thread;
    bool control_running;
};

/* From the loop. `lossy`: it is dropped (and counted) when the application is far behind. Takes the
 * news over. */
void ln_client_tell(struct ln_client *client, struct ln_news *news, bool lossy);
/* A picture or samples: the oldest is dropped when the application is slow. */
void ln_client_tell_media(struct ln_client *client, struct ln_news *news);
/* Inside a dispatch: what waits of them, before their room goes. Its loop adds none after its last
 * news. */
void ln_client_tell_waiting_media(struct ln_client *client);

/* From the application: runs call(ctx) on the loop. 0 or LN_ERR_LIMIT. */
LN_NODISCARD int ln_client_command(struct ln_client *client, void (*call)(void *ctx), void *ctx);
/* For what must not fail: waits until there is room. */
void ln_client_must_command(struct ln_client *client, void (*call)(void *ctx), void *ctx);

/* ---- room_core.c: the loop's side of a room. Its functions run on the loop. ---- */

struct ln_room_core;

struct ln_room_core_config {
    struct ln_client *client;
    ln_room *room; /* as an address only */
    const char *url, *room_name;
    const struct ln_room_options *options; /* texts copied */
};

/* Made on the application's thread, before anything is posted. */
LN_NODISCARD int ln_room_core_create(struct ln_room_core **ret_core,
                                     const struct ln_room_core_config *config);
void ln_room_core_start(void *core);
void ln_room_core_leave(void *core);
void ln_room_core_cut(void *core);
/* Leaves if that was not done; the last news of it is ln_room_gone(). */
void ln_room_core_free(void *core);
/* At the client's end: the loop does not run any more. */
void ln_room_core_discard(struct ln_room_core *core);
struct ln_room_core *ln_room_core_of(struct ln_list *link);
LN_NODISCARD int ln_room_core_post_text(struct ln_room_core *core, uint64_t to, const char *text,
                                        size_t len);
LN_NODISCARD int ln_room_core_post_media(struct ln_room_core *core, struct ln_picture *picture,
                                         struct ln_samples *samples);
LN_NODISCARD int ln_room_core_post_snapshot(struct ln_room_core *core, uint64_t participant,
                                            const char *path);

/* ---- room.c: the application's side; called by dispatched news. ---- */

enum ln_room_news_kind {
    LN_ROOM_NEWS_STATE,       /* state, error, text (sentence), id (our own) */
    LN_ROOM_NEWS_JOINED,      /* key, id, text (name) */
    LN_ROOM_NEWS_LEFT,        /* key */
    LN_ROOM_NEWS_PARTICIPANT, /* key, connection, can_receive */
    LN_ROOM_NEWS_TRACK,       /* key, kind, live */
    LN_ROOM_NEWS_MESSAGE,     /* key, text, len */
    LN_ROOM_NEWS_PICTURE,     /* key, picture */
    LN_ROOM_NEWS_SAMPLES,     /* key, samples */
    LN_ROOM_NEWS_FIGURES,     /* key, figures */
    LN_ROOM_NEWS_SNAPSHOT,    /* key, error, text (path) */
    LN_ROOM_NEWS_GONE,        /* the core is freed: the last */
};

struct ln_room_news {
    struct ln_news news; /* first */
    struct ln_client *client;
    ln_room *room;
    enum ln_room_news_kind kind;
    uint64_t key;
    int error;
    enum ln_room_state state;
    enum ln_peer_connection_state connection;
    enum ln_media_kind media;
    bool live, can_receive;
    char id[64];
    struct ln_picture *picture;
    struct ln_samples *samples;
    struct ln_participant_figures figures;
    size_t len;
    char text[];
};

/* NULL when out of memory. */
struct ln_room_news *ln_room_news_create(struct ln_client *client, ln_room *room,
                                         enum ln_room_news_kind kind, const char *text, size_t len);
/* ln_room_free() by the room's place in client->rooms, and, when no thread runs any more, its
 * memory alone. */
void ln_room_end(struct ln_list *link);
void ln_room_discard(struct ln_list *link);

#endif
