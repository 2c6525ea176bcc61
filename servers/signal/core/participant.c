/* SPDX-License-Identifier: Apache-2.0
 * Participants: their rooms, their queues of numbered messages, their grace periods.
 *
 * Invariants: queue[i] has the number acked + 1 + i; sent <= queue.count; a participant is always
 * in the heap, with its grace period's end or never; a room in the map has participants. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "servers/signal/core/internal.h"
#include "servers/signal/core/json.h"

#include <string.h>

static struct room *room_get(struct ln_signal *signal, const char *name,
                             enum ln_signal_error *ret_error)
{
    struct ln_allocator *allocator = signal->env->allocator;
    struct room *room = ln_map_get(&signal->rooms, name, strlen(name));

    if (room) {
        *ret_error = LN_SIGNAL_ERROR_ROOM_FULL;
        return room->count < signal->config.room_participants ? room : NULL;
    }
    *ret_error = LN_SIGNAL_ERROR_TOO_MANY_ROOMS;
    if (signal->rooms.count == signal->config.rooms)
        return NULL;
    *ret_error = LN_SIGNAL_ERROR_OUT_OF_MEMORY;
    room = ln_alloc_zero(allocator, sizeof *room);
    if (!room)
        return NULL;
    ln_list_init(&room->participants);
    room->name = ln_alloc_text(allocator, name);
    if (!room->name || ln_map_set(&signal->rooms, name, strlen(name), room) != 0) {
        ln_free(allocator, room->name);
        ln_free(allocator, room);
        return NULL;
    }
    return room;
}

static void room_free_if_empty(struct ln_signal *signal, struct room *room)
{
    if (room->count > 0)
        return;
    ln_map_remove(&signal->rooms, room->name, strlen(room->name));
    ln_free(signal->env->allocator, room->name);
    ln_free(signal->env->allocator, room);
}

/* Tells everybody in the room but the one it is about. */
static void tell_presence(struct ln_signal *signal, const struct room *room,
                          const struct participant *about, const char *reason)
{
    LN_LIST_EACH (at, &room->participants) {
        struct participant *p = LN_CONTAINER(at, struct participant, in_room);
        json_t *value;
        char *text;
        size_t len = 0;

        if (p == about)
            continue;
        value = json_pack("{s:s, s:I, s:s, s:{s:s, s:s}, s:s*}", "type", "presence", "seq",
                          (json_int_t)participant_next(p), "event", reason ? "left" : "joined",
                          "participant", "id", about->id, "name", about->name, "reason", reason);
        text = json_to_text(signal->env->allocator, value, &len);
        participant_send(signal, p, text, len);
    }
}

void participant_free(struct ln_signal *signal, struct participant *p)
{
    struct ln_allocator *allocator = signal->env->allocator;
    struct text text;

    while (ln_ring_pop(&p->queue, &text))
        ln_free(allocator, text.data);
    ln_ring_deinit(&p->queue);
    ln_wipe(p->secret, sizeof p->secret);
    ln_free(allocator, p->name);
    ln_free(allocator, p);
}

int participant_create(struct ln_signal *signal, const char *room_name, const char *name,
                       struct participant **ret_participant, enum ln_signal_error *ret_error)
{
    struct ln_allocator *allocator = signal->env->allocator;
    uint8_t chance[SIGNAL_SECRET_LEN / 2];
    struct room *room = room_get(signal, room_name, ret_error);
    struct participant *p;

    if (!room)
        return -1;
    *ret_error = LN_SIGNAL_ERROR_OUT_OF_MEMORY;
    p = ln_alloc_zero(allocator, sizeof *p);
    if (!p)
        goto no_participant;
    p->deadline.kind = TIMED_PARTICIPANT;
    p->room = room;
    ln_list_init(&p->in_room);
    ln_list_init(&p->doomed);
    ln_ring_init(&p->queue, allocator, sizeof(struct text), signal->config.queue_messages);
    ln_rng_bytes(signal->env->rng, chance, SIGNAL_ID_LEN / 2);
    ln_hex_encode(chance, SIGNAL_ID_LEN / 2, p->id);
    ln_rng_bytes(signal->env->rng, chance, SIGNAL_SECRET_LEN / 2);
    ln_hex_encode(chance, SIGNAL_SECRET_LEN / 2, p->secret);
    p->name = ln_alloc_text(allocator, name);
    if (!p->name || ln_heap_set(&signal->deadlines, &p->deadline.node, LN_TIME_NEVER) != 0)
        goto no_name;
    if (ln_map_set(&signal->participants, p->id, SIGNAL_ID_LEN, p) != 0)
        goto no_place;
    ln_list_append(&room->participants, &p->in_room);
    room->count++;
    tell_presence(signal, room, p, NULL);
    *ret_participant = p;
    return 0;

no_place:
    ln_heap_remove(&signal->deadlines, &p->deadline.node);
no_name:
    participant_free(signal, p);
no_participant:
    room_free_if_empty(signal, room);
    return -1;
}

void participant_remove(struct ln_signal *signal, struct participant *p, const char *reason)
{
    struct room *room = p->room;

    if (p->connection)
        p->connection->participant = NULL;
    ln_heap_remove(&signal->deadlines, &p->deadline.node);
    ln_map_remove(&signal->participants, p->id, SIGNAL_ID_LEN);
    ln_list_remove(&p->in_room);
    ln_list_remove(&p->doomed);
    room->count--;
    tell_presence(signal, room, p, reason);
    participant_free(signal, p);
    room_free_if_empty(signal, room);
}

void participant_attach(struct ln_signal *signal, struct participant *p, struct connection *c)
{
    (void)!ln_heap_set(&signal->deadlines, &p->deadline.node, LN_TIME_NEVER); /* moves never fail */
    p->connection = c;
    p->sent = 0;
    c->participant = p;
    if (p->queue.count > 0)
        signal_ready(signal, c);
}

void participant_detach(struct ln_signal *signal, ln_time now, struct participant *p)
{
    p->connection->participant = NULL;
    p->connection = NULL;
    p->sent = 0;
    (void)!ln_heap_set(&signal->deadlines, &p->deadline.node,
                       ln_time_add(now, signal->config.grace_time));
}

void participant_acknowledge(struct ln_signal *signal, struct participant *p, uint64_t ack)
{
    struct text text;

    if (ack > p->acked + p->queue.count)
        return;
    while (p->acked < ack && ln_ring_pop(&p->queue, &text)) {
        p->acked++;
        p->queue_bytes -= text.len;
        if (p->sent > 0)
            p->sent--;
        /* it may be the one that poll() gave out: the driver is done with it by now */
        ln_free(signal->env->allocator, text.data);
    }
}

uint64_t participant_next(const struct participant *p)
{
    return p->acked + p->queue.count + 1;
}

static void doom(struct ln_signal *signal, struct participant *p, enum ln_signal_error why)
{
    if (!ln_list_empty(&p->doomed))
        return;
    p->doom = why;
    ln_list_append(&signal->doomed, &p->doomed);
}

void participant_send(struct ln_signal *signal, struct participant *p, char *text, size_t len)
{
    struct text message = { text, len };

    if (!text) {
        doom(signal, p, LN_SIGNAL_ERROR_OUT_OF_MEMORY);
        return;
    }
    if (p->queue.count == signal->config.queue_messages ||
        len > signal->config.queue_bytes - p->queue_bytes) {
        ln_free(signal->env->allocator, text);
        doom(signal, p, LN_SIGNAL_ERROR_QUEUE_FULL);
        return;
    }
    if (ln_ring_push(&p->queue, &message) != 0) {
        ln_free(signal->env->allocator, text);
        doom(signal, p, LN_SIGNAL_ERROR_OUT_OF_MEMORY);
        return;
    }
    p->queue_bytes += len;
    if (p->connection)
        signal_ready(signal, p->connection);
}
