/* SPDX-License-Identifier: Apache-2.0
 * A room on the loop's thread, from the inside: room_core.c and room_orders.c. */
#ifndef LN_CLIENT_ROOM_CORE_H
#define LN_CLIENT_ROOM_CORE_H

#include "client/call.h"
#include "client/client_internal.h"
#include "client/ice_servers.h"
#include "client/room_session.h"
#include "client/wire.h"

#define PARTICIPANTS_MAX 64u

struct ln_room_member {
    struct ln_list link; /* of core->members */
    struct ln_room_core *core;
    uint64_t key;
    char id[64];
    bool figures_told; /* set on the loop */
    struct ln_call *call;
};

struct ln_room_core {
    struct ln_list link; /* of client->cores; from start() on */
    struct ln_client *client;
    ln_room *room;
    struct ln_allocator *allocator;
    struct ln_room_options options;
    char *url;
    struct ln_room_session session;
    struct ln_wire *wire;
    struct ln_loop_timer timer;
    struct ln_ice_servers ice;
    struct ln_list members;
    size_t member_count;
    uint64_t last_key;
    bool timer_ready, freeing, left;
    size_t snapshots; /* under way; the room stays for them */
    atomic_size_t media_queued;
};

/* News with a text, to be told; NULL without memory. */
struct ln_room_news *ln_room_core_news(struct ln_room_core *core, enum ln_room_news_kind kind,
                                       uint64_t participant, const char *text, size_t len);
/* NULL is fine. `lossy`: may be dropped when the application is slow. */
void ln_room_core_tell(struct ln_room_core *core, struct ln_room_news *news, bool lossy);
struct ln_room_member *ln_room_core_find(struct ln_room_core *core, uint64_t key);
/* Left, and nothing is under way any more: the room is freed. */
void ln_room_core_end_if_done(struct ln_room_core *core);

#endif
