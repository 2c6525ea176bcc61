/* SPDX-License-Identifier: Apache-2.0
 * The hall of workers and residents (hall.h).
 *
 * A buffer is given back to its pool on its owner's thread alone. So whoever goes waits until the
 * others have given back what is his (settle), and a service that ends takes everything out of the
 * boxes in the place of those who will not any more. */
#include "servers/turn/wiring/hall.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

int turn_hall_create(struct turn_hall **ret_hall, struct ln_turn_shared *shared)
{
    struct turn_hall *hall = ln_alloc_zero(ln_allocator_libc(), sizeof *hall);

    if (!hall)
        return LN_ERR_NOMEM;
    hall->shared = shared;
    hall->references = 1;
    pthread_mutex_init(&hall->life, NULL);
    for (unsigned i = 0; i < LN_TURN_RESIDENTS_MAX; i++)
        pthread_mutex_init(&hall->rooms[i].gate, NULL);
    *ret_hall = hall;
    return 0;
}

/* Under `life`, which it opens. */
static void unlock_and_unref(struct turn_hall *hall)
{
    bool last = --hall->references == 0;

    pthread_mutex_unlock(&hall->life);
    if (!last)
        return;
    for (unsigned i = 0; i < EXCHANGE_BOXES_MAX; i++)
        exchange_deinit(&hall->boxes[i]);
    for (unsigned i = 0; i < LN_TURN_RESIDENTS_MAX; i++)
        pthread_mutex_destroy(&hall->rooms[i].gate);
    pthread_mutex_destroy(&hall->life);
    ln_turn_shared_free(hall->shared);
    ln_free(ln_allocator_libc(), hall);
}

void turn_hall_unref(struct turn_hall *hall)
{
    if (!hall)
        return;
    pthread_mutex_lock(&hall->life);
    unlock_and_unref(hall);
}

int turn_hall_enter(struct turn_hall *hall, unsigned *ret_room)
{
    unsigned room = 0;
    int error = 0;

    pthread_mutex_lock(&hall->life);
    while (room < LN_TURN_RESIDENTS_MAX && hall->rooms[room].taken)
        room++;
    if (room == LN_TURN_RESIDENTS_MAX)
        error = LN_ERR_LIMIT;
    if (!error)
        error = exchange_init(&hall->boxes[turn_room_box(room)]);
    if (!error) {
        hall->rooms[room].taken = true;
        hall->rooms[room].shut = hall->closed;
        hall->references++;
        *ret_room = room;
    }
    pthread_mutex_unlock(&hall->life);
    return error;
}

void turn_hall_leave(struct turn_hall *hall, unsigned room)
{
    unsigned box = turn_room_box(room);

    pthread_mutex_lock(&hall->life);
    if (!hall->closed && hall->settle)
        hall->settle(hall->ctx);
    exchange_drain(hall->boxes, box);
    exchange_recover(hall->boxes, box);
    exchange_deinit(&hall->boxes[box]);
    memset(&hall->boxes[box], 0, sizeof hall->boxes[box]);
    hall->rooms[room].taken = false;
    unlock_and_unref(hall);
}

static void shut(struct turn_room *room)
{
    pthread_mutex_lock(&room->gate);
    room->shut = true;
    pthread_mutex_unlock(&room->gate);
}

void turn_hall_close(struct turn_hall *hall, void (*end_workers)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&hall->life); /* who is leaving still needs the workers */
    end_workers(ctx);
    hall->closed = true;
    for (unsigned i = 0; i < LN_TURN_RESIDENTS_MAX; i++)
        shut(&hall->rooms[i]);
    for (unsigned i = 0; i < EXCHANGE_BOXES_MAX; i++)
        exchange_drain(hall->boxes, i);
    for (unsigned i = 0; i < LN_TURN_WORKERS_MAX; i++)
        exchange_recover(hall->boxes, i);
    pthread_mutex_unlock(&hall->life);
}

bool turn_room_begin(struct turn_hall *hall, unsigned room)
{
    pthread_mutex_lock(&hall->rooms[room].gate);
    if (!hall->rooms[room].shut)
        return true;
    pthread_mutex_unlock(&hall->rooms[room].gate);
    return false;
}

void turn_room_end(struct turn_hall *hall, unsigned room)
{
    pthread_mutex_unlock(&hall->rooms[room].gate);
}
