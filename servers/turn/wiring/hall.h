/* SPDX-License-Identifier: Apache-2.0
 * What the workers of one service and the residents of the program share (resident.h): the boxes
 * between them, the shared tables of the core, and who is there. It ends with the last of them, so
 * that a resident may outlive the service. Not for other folders. */
#ifndef LN_TURN_WIRING_HALL_H
#define LN_TURN_WIRING_HALL_H

#include "servers/turn/core/turn.h"
#include "servers/turn/wiring/exchange.h"

struct ln_turn_service;
struct ln_turn_resident;

/* A resident's place. It holds the gate while it uses its box. */
struct turn_room {
    pthread_mutex_t gate;
    bool taken;
    bool shut; /* under the gate: the box is not used any more */
};

struct turn_hall {
    struct ln_turn_shared *shared;                   /* owned */
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX]; /* of every worker; set before they start */
    size_t relay_count;
    struct exchange_box boxes[EXCHANGE_BOXES_MAX]; /* the workers', then the rooms' */
    struct turn_room rooms[LN_TURN_RESIDENTS_MAX];
    /* Has every worker hand over what it has for others and take all that it was given, and waits.
     * May be NULL. */
    void (*settle)(void *ctx);
    void *ctx;
    pthread_mutex_t life; /* of what follows: one comes, goes, or closes at a time */
    unsigned references;
    bool closed; /* the workers have ended */
};

/* Takes over `shared` when it succeeds. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int turn_hall_create(struct turn_hall **ret_hall, struct ln_turn_shared *shared);
void turn_hall_unref(struct turn_hall *hall); /* NULL is fine */

/* One more shares it and has a room. Returns 0, LN_ERR_LIMIT, LN_ERR_NOMEM or LN_ERR_SYSTEM. */
LN_NODISCARD int turn_hall_enter(struct turn_hall *hall, unsigned *ret_room);
/* On the thread of who has the room, whom nobody finds any more: returns when no worker has
 * anything of his, nor he of theirs. He does not share it any more. */
void turn_hall_leave(struct turn_hall *hall, unsigned room);
/* Calls end_workers(ctx), which joins their threads, while nobody comes or goes. From then on no
 * box is used, and what was in one is its owner's again; the rooms stay until each is left. */
void turn_hall_close(struct turn_hall *hall, void (*end_workers)(void *ctx), void *ctx);

static inline unsigned turn_room_box(unsigned room)
{
    return LN_TURN_WORKERS_MAX + room;
}

/* Around every use of the room's box but exchange_add(), which is its owner's side alone. False,
 * and nothing to be ended, when it is not used any more. */
bool turn_room_begin(struct turn_hall *hall, unsigned room);
void turn_room_end(struct turn_hall *hall, unsigned room);

/* Of service.c. */
struct turn_hall *turn_service_hall(struct ln_turn_service *service);

/* Of resident.c: ln_turn_resident_create() with what it needs of a service. */
LN_NODISCARD int turn_resident_create(struct ln_turn_resident **ret_resident,
                                      struct turn_hall *hall, struct ln_endpoint inner,
                                      const struct ln_env *env);

#endif
