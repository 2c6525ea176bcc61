/* SPDX-License-Identifier: Apache-2.0
 * What waits to be sent, as trains: datagrams of one size for one path, which the driver sends with
 * one call (UDP_SEGMENT), or the pieces of one stream.
 *
 * Trains leave in the order in which they were begun, and a destination's newer train always stands
 * behind its older one, so that nothing overtakes. A table by hash of the destination finds the one
 * that may still grow; two destinations on one slot merely batch less. */
#include "base/endpoint.h"
#include "crypto/session.h"
#include "servers/turn/core/internal.h"

#include <string.h>

#define SLOTS (sizeof((struct ln_turn_server *)0)->slots / sizeof(uint32_t))

struct ln_buffer *turn_buffer(struct ln_turn_server *server, size_t len)
{
    struct ln_buffer *buffer = NULL;

    if (server->queued < LN_TURN_QUEUE_MAX)
        buffer = ln_buffer_create(server->env->pool, len + LN_SESSION_OVERHEAD_MAX);
    if (!buffer) {
        server->counts.dropped_queue++;
        return NULL;
    }
    buffer->len = (uint32_t)len;
    return buffer;
}

/* Whether the bytes are in a buffer that nobody has taken yet, with so much room before them. */
static bool arrived_alone(const struct ln_buffer *arrived, const uint8_t *data, size_t len,
                          size_t before)
{
    uintptr_t at = (uintptr_t)data, first = arrived ? (uintptr_t)arrived->data : 0;

    return arrived && arrived->references == 1 && at >= first + before &&
           at + len <= first + arrived->cap;
}

struct ln_buffer *turn_buffer_of(struct ln_turn_server *server, const uint8_t *data, size_t len,
                                 size_t before)
{
    struct ln_buffer *buffer = server->arrived;

    if (server->queued < LN_TURN_QUEUE_MAX && arrived_alone(buffer, data, len, before)) {
        buffer->offset = (uint32_t)((size_t)(data - buffer->data) - before);
        buffer->len = (uint32_t)(before + len);
        return ln_buffer_ref(buffer);
    }
    buffer = turn_buffer(server, before + len);
    if (buffer && len > 0)
        memcpy(ln_buffer_bytes(buffer) + before, data, len);
    return buffer;
}

struct ln_buffer *turn_stream_buffer(struct ln_turn_server *server, size_t len)
{
    struct ln_buffer *buffer = ln_buffer_create(server->env->pool, len + LN_SESSION_OVERHEAD_MAX);

    if (buffer)
        buffer->len = (uint32_t)len;
    return buffer;
}

static size_t slot_of(const struct ln_path *path)
{
    const struct ln_address *remote = &path->remote;
    uint32_t mix = path->link * 2654435761u ^ remote->port * 40503u;

    mix ^= (uint32_t)(remote->ip[3] ^ remote->ip[15] ^ remote->ip[2] << 4);
    return (mix ^ mix >> 16 ^ mix >> 8) % SLOTS;
}

static struct turn_train *train_at(struct ln_turn_server *server, size_t i)
{
    return &server->trains[(server->train_head + i) % LN_TURN_TRAINS_MAX];
}

/* The destination's open train, if this buffer may be put behind it. */
static struct turn_train *open_train(struct ln_turn_server *server, size_t slot,
                                     const struct ln_path *path, size_t len)
{
    uint32_t place = server->slots[slot] - 1 - server->first_train;
    struct turn_train *train;

    if (server->slots[slot] == 0 || place >= server->train_count)
        return NULL;
    train = train_at(server, place);
    if (train->closed || !ln_path_equal(&train->path, path) ||
        train->count == LN_TRANSMIT_SEGMENTS_MAX || train->len + len > LN_TRANSMIT_BYTES_MAX)
        return NULL;
    return train->load == TURN_STREAM || (len <= train->segment && len > 0) ? train : NULL;
}

static struct turn_train *begin_train(struct ln_turn_server *server, size_t slot,
                                      const struct ln_path *path, enum turn_load load)
{
    struct turn_train *train;

    if (server->train_count == LN_TURN_TRAINS_MAX)
        return NULL;
    train = train_at(server, server->train_count);
    memset(train, 0, sizeof *train);
    train->path = *path;
    train->load = load;
    server->slots[slot] = server->first_train + (uint32_t)server->train_count + 1;
    server->train_count++;
    return train;
}

bool turn_send(struct ln_turn_server *server, const struct ln_path *path, enum turn_load load,
               struct ln_buffer *buffer)
{
    size_t slot = slot_of(path), len = buffer->len;
    struct turn_train *train = load == TURN_WHOLE ? NULL : open_train(server, slot, path, len);

    if (!train) {
        train = begin_train(server, slot, path, load);
        if (!train) {
            server->counts.dropped_queue++;
            ln_buffer_unref(buffer);
            return false;
        }
        train->segment = len;
    }
    buffer->next = NULL;
    if (train->last)
        train->last->next = buffer;
    else
        train->first = buffer;
    train->last = buffer;
    train->count++;
    train->len += len;
    /* A shorter one is the last, and each that is not to be cut has its own fate. */
    train->closed = load == TURN_WHOLE || (load == TURN_DATAGRAM && len < train->segment);
    server->queued++;
    return true;
}

bool turn_send_plain(struct ln_turn_server *server, struct turn_client *client,
                     struct ln_buffer *buffer)
{
    bool stream = turn_is_stream(client);

    if (stream && buffer->len > client->room) {
        server->counts.dropped_stream_full++;
        ln_buffer_unref(buffer);
        return false;
    }
    if (stream)
        client->room -= buffer->len;
    return turn_send(server, &client->path, stream ? TURN_STREAM : TURN_DATAGRAM, buffer);
}

bool turn_send_to_client(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_buffer *buffer)
{
    if (client->away)
        return turn_forward_answer(server, client, buffer);
    return client->session ? turn_secure_send(server, now, client, buffer)
                           : turn_send_plain(server, client, buffer);
}

int turn_poll_transmit(struct ln_turn_server *server, struct ln_transmit *out)
{
    struct turn_train *train = train_at(server, 0);
    struct ln_buffer *buffer;

    if (server->train_count == 0)
        return 0;
    ln_transmit_begin(out);
    out->path = train->path;
    out->len = train->len;
    out->segment = train->load != TURN_STREAM && train->count > 1 ? train->segment : 0;
    out->whole = train->load == TURN_WHOLE;
    for (buffer = train->first; buffer; buffer = buffer->next) {
        out->slices[out->slice_count++] = (struct ln_slice){ ln_buffer_bytes(buffer), buffer->len,
                                                             buffer };
    }
    server->queued -= train->count;
    server->train_head = (server->train_head + 1) % LN_TURN_TRAINS_MAX;
    server->train_count--;
    server->first_train++;
    return 1;
}

size_t turn_queued_for(const struct ln_turn_server *server, ln_link link)
{
    size_t bytes = 0;

    for (size_t i = 0; i < server->train_count; i++) {
        const struct turn_train *train =
            &server->trains[(server->train_head + i) % LN_TURN_TRAINS_MAX];

        if (train->load == TURN_STREAM && train->path.link == link)
            bytes += train->len;
    }
    return bytes;
}

void turn_transmit_free(struct ln_turn_server *server)
{
    while (server->train_count > 0) {
        struct turn_train *train = train_at(server, 0);

        while (train->first) {
            struct ln_buffer *buffer = train->first;

            train->first = buffer->next;
            ln_buffer_unref(buffer);
        }
        server->train_head = (server->train_head + 1) % LN_TURN_TRAINS_MAX;
        server->train_count--;
    }
}
