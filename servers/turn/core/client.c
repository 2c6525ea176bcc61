/* SPDX-License-Identifier: Apache-2.0
 * Clients: 5-tuples of UDP that hold an allocation, and streams from the moment they open.
 *
 * A stream without an allocation is a guest: few from one source, few in all, and for a short
 * while. So is half a frame: what does not complete in time ends the stream. */
#include "base/alloc.h"
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <string.h>

#define TUPLE_KEY_LEN  (LN_ADDRESS_KEY_LEN + 4u + 16u + 1u)
#define SOURCE_KEY_LEN 8u

/* ---- by 5-tuple ---- */

/* `away`: see struct turn_client; links are another worker's then. */
static void tuple_key(const struct ln_path *path, uint8_t away, uint8_t key[TUPLE_KEY_LEN])
{
    ln_address_key(&path->remote, key);
    memcpy(key + LN_ADDRESS_KEY_LEN, &path->link, 4);
    memcpy(key + LN_ADDRESS_KEY_LEN + 4, path->local.ip, 16);
    key[LN_ADDRESS_KEY_LEN + 20] = away;
}

static bool same_tuple(const struct ln_path *a, const struct ln_path *b)
{
    return a->link == b->link && a->remote.port == b->remote.port &&
           memcmp(a->remote.ip, b->remote.ip, 16) == 0 &&
           memcmp(a->local.ip, b->local.ip, 16) == 0 && a->remote.scope == b->remote.scope;
}

struct turn_client *turn_client_find(struct ln_turn_server *server, const struct ln_path *path)
{
    uint8_t key[TUPLE_KEY_LEN];

    if (!server->last_client || !same_tuple(&server->last_client->path, path)) {
        tuple_key(path, 0, key);
        server->last_client = ln_map_get(&server->clients, key, sizeof key);
    }
    return server->last_client;
}

struct turn_client *turn_client_find_away(struct ln_turn_server *server, const struct ln_path *path,
                                          uint8_t away)
{
    uint8_t key[TUPLE_KEY_LEN];

    tuple_key(path, away, key);
    return ln_map_get(&server->clients, key, sizeof key);
}

struct turn_client *turn_client_keep(struct ln_turn_server *server,
                                     const struct turn_client *client)
{
    struct turn_client *kept;
    uint8_t key[TUPLE_KEY_LEN];

    if (client->transport != LN_TURN_UDP && !client->away)
        return (struct turn_client *)(uintptr_t)client; /* it lives as long as its stream */
    kept = ln_alloc_copy(server->env->allocator, client, sizeof *client);
    if (!kept)
        return NULL;
    ln_list_init(&kept->siblings);
    tuple_key(&client->path, client->away, key);
    if (ln_map_set(&server->clients, key, sizeof key, kept) != 0) {
        ln_free(server->env->allocator, kept);
        return NULL;
    }
    if (!client->away)
        server->last_client = kept;
    return kept;
}

void turn_client_free(struct ln_turn_server *server, struct turn_client *client)
{
    uint8_t key[TUPLE_KEY_LEN];

    if (server->last_client == client)
        server->last_client = NULL;
    tuple_key(&client->path, client->away, key);
    if (ln_map_get(&server->clients, key, sizeof key) == client)
        ln_map_remove(&server->clients, key, sizeof key);
    ln_heap_remove(&server->heap, &client->timer.node);
    ln_list_remove(&client->siblings);
    if (client->frames.allocator)
        ln_stun_stream_deinit(&client->frames);
    ln_free(server->env->allocator, client);
}

/* ---- messages ---- */

void turn_client_message(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         const uint8_t *data, size_t len)
{
    struct ln_stun_message message;

    if (client->forwarded && turn_forward(server, now, client, data, len))
        return;
    if (len > 0 && (data[0] & 0xc0) != 0) {
        turn_from_client_channel(server, now, client, data, len);
        return;
    }
    server->counts.messages++;
    server->counts.message_bytes += len;
    if (ln_stun_parse(data, len, &message) != 0) {
        server->counts.dropped_malformed++;
        return;
    }
    if (message.kind == LN_STUN_REQUEST)
        turn_request_receive(server, now, client, &message);
    else if (message.kind == LN_STUN_INDICATION && message.method == LN_STUN_SEND)
        turn_from_client_send(server, now, client, &message);
    else if (message.kind != LN_STUN_INDICATION || message.method != LN_STUN_BINDING)
        server->counts.dropped_malformed++; /* else a sign of life: nothing to do */
}

/* ---- streams ---- */

static void source_key(const struct ln_address *source, uint8_t key[SOURCE_KEY_LEN])
{
    memset(key, 0, SOURCE_KEY_LEN);
    key[0] = source->family;
    memcpy(key + 1, source->ip, source->family == LN_FAMILY_IPV4 ? 4 : 7); /* /32, /56 */
}

/* Guests of a source; the count stands in the map as a pointer. */
static size_t guests_of(const struct ln_turn_server *server, const struct ln_address *source)
{
    uint8_t key[SOURCE_KEY_LEN];

    source_key(source, key);
    return (size_t)(uintptr_t)ln_map_get(&server->sources, key, sizeof key);
}

static bool set_guests(struct ln_turn_server *server, const struct ln_address *source, size_t count)
{
    uint8_t key[SOURCE_KEY_LEN];

    source_key(source, key);
    if (count == 0)
        ln_map_remove(&server->sources, key, sizeof key);
    return count == 0 ||
           ln_map_set(&server->sources, key, sizeof key, (void *)(uintptr_t)count) == 0;
}

static bool guest_enters(struct ln_turn_server *server, const struct ln_address *source)
{
    size_t count = guests_of(server, source);

    if (server->waiting_streams >= server->config.streams_max ||
        count >= server->config.streams_per_source_max || !set_guests(server, source, count + 1))
        return false;
    server->waiting_streams++;
    return true;
}

static void guest_leaves(struct ln_turn_server *server, const struct ln_address *source)
{
    size_t count = guests_of(server, source);

    if (count > 0)
        (void)set_guests(server, source, count - 1);
    server->waiting_streams--;
}

bool turn_is_stream(const struct turn_client *client)
{
    return client->transport == LN_TURN_TCP || client->transport == LN_TURN_TLS;
}

/* All but its socket. */
static void client_remove(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    if (client->allocation)
        turn_client_left(server, now, client);
    if (client->forwarded)
        turn_forward_gone(server, client);
    if (client->connection) {
        client->connection->data = NULL;
        turn_connection_end(server, now, client->connection);
    }
    if (client->guest)
        guest_leaves(server, &client->path.remote);
    server->counts.transport[client->transport].sessions--;
    if (client->transport != LN_TURN_DTLS)
        ln_map_remove_u64(&server->links, client->path.link);
    turn_secure_deinit(server, client);
    turn_client_free(server, client);
}

struct turn_client *turn_guest_create(struct ln_turn_server *server, ln_time now,
                                      const struct ln_path *path, enum ln_turn_transport transport)
{
    struct turn_client *client = NULL;
    uint8_t key[TUPLE_KEY_LEN];

    if (guest_enters(server, &path->remote)) {
        client = ln_alloc_zero(server->env->allocator, sizeof *client);
        if (!client)
            guest_leaves(server, &path->remote);
    }
    if (!client) {
        server->counts.streams_refused++;
        return NULL;
    }
    client->kind = client->timer.kind = TURN_CLIENT;
    client->guest = true;
    client->transport = transport;
    client->path = *path;
    client->frames.allocator = server->env->allocator;
    client->frames.limit = LN_STUN_FRAME_MAX;
    client->leave_at = now + server->config.stream_patience;
    ln_list_append(&server->streams, &client->siblings);
    server->counts.transport[transport].sessions++;
    tuple_key(path, 0, key);
    if (ln_heap_set(&server->heap, &client->timer.node, client->leave_at) == 0 &&
        (transport == LN_TURN_DTLS
             ? ln_map_set(&server->clients, key, sizeof key, client)
             : ln_map_set_u64(&server->links, path->link, &client->kind)) == 0)
        return client;
    server->counts.streams_refused++;
    client_remove(server, now, client);
    return NULL;
}

void turn_stream_opened(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    struct ln_path path = { answer->link, answer->local, answer->remote };
    struct turn_client *client = turn_guest_create(server, now, &path, LN_TURN_TCP);

    if (client)
        client->room = answer->bytes;
    else
        turn_close_link(server, answer->link);
}

void turn_client_end(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    bool stream = client->transport != LN_TURN_DTLS;
    ln_link link = client->path.link;

    client_remove(server, now, client);
    if (stream)
        turn_close_link(server, link);
}

/* Until when the client must have brought something whole. */
void turn_set_patience(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    bool waits = client->guest || ln_stun_stream_inside(&client->frames);

    if (!waits)
        client->leave_at = LN_TIME_NEVER;
    else if (client->leave_at == LN_TIME_NEVER)
        client->leave_at = now + server->config.stream_patience;
    turn_client_set_deadline(server, client, client->leave_at);
}

void turn_stream_has_allocation(struct ln_turn_server *server, ln_time now,
                                struct turn_client *client, bool has)
{
    if (client->transport == LN_TURN_UDP || client->away || client->guest == !has)
        return;
    client->guest = !has;
    client->leave_at = LN_TIME_NEVER;
    if (has) {
        guest_leaves(server, &client->path.remote);
    } else if (!guest_enters(server, &client->path.remote)) {
        client->guest = false; /* not counted: it leaves at once */
        turn_client_set_deadline(server, client, now);
        return;
    }
    turn_set_patience(server, now, client);
}

void turn_client_part(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    client->allocation = NULL;
    if (client->away)
        turn_forward_release(server, client);
    if (client->transport == LN_TURN_UDP || client->away)
        turn_client_free(server, client);
    else
        turn_stream_has_allocation(server, now, client, false);
}

bool turn_stream_bytes(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                       struct ln_bytes piece)
{
    struct ln_bytes frame;
    int result;

    if (!client->heard && piece.len > 0) {
        client->heard = true;
        if (server->config.shared_port && client->session && ln_turn_is_http(piece.data[0]) &&
            !turn_page_begin(server, now, client))
            return false;
    }
    if (client->connection)
        return turn_connection_from_client(server, now, client, piece);
    while ((result = ln_stun_stream_next(&client->frames, &piece, &frame)) == 1) {
        if (!client->guest)
            client->leave_at = LN_TIME_NEVER; /* something whole has come */
        turn_client_message(server, now, client, frame.data, frame.len);
        if (client->connection) { /* bound by this very message: what follows is data */
            ln_stun_stream_deinit(&client->frames);
            return turn_connection_from_client(server, now, client, piece);
        }
    }
    server->counts.streams_broken += result < 0;
    return result >= 0;
}

void turn_stream_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_packet *packet)
{
    struct ln_bytes piece = { packet->data, packet->len };

    if (!turn_secure_begins(server, now, client, packet->data, packet->len)) {
        turn_client_end(server, now, client);
        return;
    }
    if (client->session) {
        turn_secure_receive(server, now, client, piece);
        return;
    }
    if (!turn_stream_bytes(server, now, client, piece)) {
        turn_client_end(server, now, client);
        return;
    }
    turn_set_patience(server, now, client);
}
