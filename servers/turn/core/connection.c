/* SPDX-License-Identifier: Apache-2.0
 * Connections of TCP allocations (RFC 6062, 5): to a peer by Connect, from a peer that has a
 * permission, bound to a stream of the client by ConnectionBind, ended with either end, with the
 * allocation, and after 30 s in which nobody bound them.
 *
 *   Connect   --> connecting --> unbound --> bound        an accepted one begins as unbound
 *
 * A connection is its allocation's; `links` finds it by the peer's stream, `connections` by its
 * CONNECTION-ID until it ends. Nothing is read from a peer before a client's stream is bound: what
 * he sends waits in the kernel, and memory is taken for nobody. Whether an identifier is unknown,
 * another user's or bound already is not told: all are 400. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "crypto/session.h"
#include "servers/turn/core/internal.h"

#include <string.h>

/* ---- life ---- */

void turn_connection_make_due(struct ln_turn_server *server, struct turn_connection *c)
{
    c->client_told = false;
    ln_list_remove(&c->due);
    ln_list_append(&server->due, &c->due);
}

/* Those that are being made, wait or pass data: each is a socket. */
static bool has_room(const struct ln_turn_server *server, const struct turn_allocation *a)
{
    return a->connection_count < server->config.connections_max;
}

static uint32_t choose_id(struct ln_turn_server *server)
{
    uint32_t id;

    do {
        id = (uint32_t)ln_rng_u64(server->env->rng);
    } while (id == 0 || ln_map_get_u64(&server->connections, id));
    return id;
}

/* In the heap and among its allocation's; not yet in `links` or `asked`. NULL: no memory. */
static struct turn_connection *create(struct ln_turn_server *server, ln_time now,
                                      struct turn_allocation *a, const struct ln_address *peer)
{
    struct turn_connection *c = ln_alloc_zero(server->env->allocator, sizeof *c);

    if (!c)
        return NULL;
    c->kind = c->timer.kind = TURN_CONNECTION;
    c->allocation = a;
    c->peer = *peer;
    c->id = choose_id(server);
    ln_list_init(&c->due);
    ln_list_append(&a->connections, &c->siblings);
    a->connection_count++;
    server->counts.connections_open++;
    if (ln_heap_set(&server->heap, &c->timer.node, now + LN_TURN_CONNECTION_PATIENCE) == 0 &&
        ln_map_set_u64(&server->connections, c->id, c) == 0)
        return c;
    turn_connection_end(server, now, c);
    return NULL;
}

/* Takes back what was asked for. An answer that is on its way finds nobody. */
static void cancel(struct ln_turn_server *server, struct turn_connection *c)
{
    struct ln_request request = { .kind = LN_REQUEST_CLOSE, .id = c->ask };

    ln_map_remove_u64(&server->asked, c->ask);
    c->ask = 0;
    (void)turn_ask(server, &request);
}

void turn_connection_end(struct ln_turn_server *server, ln_time now, struct turn_connection *c)
{
    struct turn_client *data = c->data;

    if (c->ask)
        cancel(server, c);
    if (c->path.link) {
        ln_map_remove_u64(&server->links, c->path.link);
        turn_close_link(server, c->path.link);
    }
    if (ln_map_get_u64(&server->connections, c->id) == c)
        ln_map_remove_u64(&server->connections, c->id);
    ln_heap_remove(&server->heap, &c->timer.node);
    ln_list_remove(&c->siblings);
    ln_list_remove(&c->due);
    if (c->allocation) {
        c->allocation->connection_count--;
        server->counts.connections_open--;
    } else {
        turn_page_deinit(c);
    }
    ln_free(server->env->allocator, c);
    if (data) {
        data->connection = NULL;
        turn_client_end(server, now, data);
    }
}

/* Only what has come to its end as the peer wanted is ended so inside TLS (RFC 8446, 6.1): who sees
 * no close_notify knows that something may be missing. */
void turn_connection_closed(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                            int error)
{
    if (!error && c->data && c->data->session)
        ln_session_close(c->data->session, now);
    turn_connection_end(server, now, c);
}

/* The stream to or from the peer is there; it waits for its client. */
static bool take_stream(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                        const struct ln_answer *answer)
{
    c->path = (struct ln_path){ answer->link, answer->local, answer->remote };
    c->room = answer->bytes;
    if (ln_map_set_u64(&server->links, answer->link, &c->kind) != 0) {
        c->path.link = 0;
        turn_close_link(server, answer->link);
        return false;
    }
    server->counts.connections++;
    turn_set_timer(server, &c->timer, now + LN_TURN_CONNECTION_PATIENCE);
    turn_connection_make_due(server, c); /* nothing is to be read yet */
    return true;
}

/* ---- Connect (RFC 6062, 5.2) ---- */

static bool is_there(const struct turn_allocation *a, const struct ln_address *peer)
{
    LN_LIST_EACH (at, &a->connections) {
        const struct turn_connection *c = LN_CONTAINER(at, struct turn_connection, siblings);

        if (ln_address_equal(&c->peer, peer))
            return true;
    }
    return false;
}

/* 0, or the code of the error. */
static uint16_t check(const struct turn_request *request, const struct ln_address *peer)
{
    const struct turn_allocation *a = request->client->allocation;

    if (is_there(a, peer))
        return 446;
    if (!turn_relay_of(request->client->allocation, peer->family))
        return 443;
    if (!turn_peer_allowed(request, peer))
        return 403;
    if (!has_room(request->server, a)) {
        request->server->counts.connections_refused++;
        return 508;
    }
    return 0;
}

static bool ask(struct ln_turn_server *server, struct turn_connection *c)
{
    const struct turn_relay *relay = turn_relay_of(c->allocation, c->peer.family);
    struct ln_request request = { .kind = LN_REQUEST_OPEN_TCP,
                                  .local = relay->local,
                                  .remote = turn_peer_inner(server, &c->peer) };
    uint32_t id = turn_ask_for(server, &c->kind, &request);

    if (id == 0)
        return false;
    c->ask = id;
    return true;
}

void turn_connect(struct turn_request *request)
{
    struct turn_allocation *a = request->client->allocation;
    struct turn_connection *c = NULL;
    struct ln_address peer;
    uint16_t code = 400;

    if (!a->tcp) {
        turn_refuse(request, 437);
        return;
    }
    if (ln_stun_find_xor_address(request->message, LN_STUN_XOR_PEER_ADDRESS, &peer) &&
        peer.port != 0)
        code = check(request, &peer);
    if (!code) {
        c = create(request->server, request->now, a, &peer);
        if (!c || !ask(request->server, c))
            code = 508;
    }
    if (code) {
        if (c)
            turn_connection_end(request->server, request->now, c);
        turn_refuse(request, code);
        return;
    }
    c->request = request->message->id;
    c->strong = request->strong;
}

/* Answers the Connect that made it, later. */
static struct turn_request late_answer(struct ln_turn_server *server, ln_time now,
                                       const struct turn_connection *c,
                                       const struct ln_stun_message *message)
{
    return (struct turn_request){ .server = server,
                                  .now = now,
                                  .client = c->allocation->client,
                                  .message = message,
                                  .key = c->allocation->key,
                                  .strong = c->strong };
}

static void connect_failed(struct ln_turn_server *server, ln_time now, struct turn_connection *c)
{
    struct ln_stun_message message = { .method = LN_STUN_CONNECT, .id = c->request };
    struct turn_request request = late_answer(server, now, c, &message);

    server->counts.connections_failed++;
    turn_refuse(&request, 447);
    turn_connection_end(server, now, c);
}

void turn_connection_answer(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                            const struct ln_answer *answer)
{
    struct ln_stun_message message = { .method = LN_STUN_CONNECT, .id = c->request };
    struct turn_request request = late_answer(server, now, c, &message);
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_stun_builder b;

    ln_map_remove_u64(&server->asked, c->ask);
    c->ask = 0;
    if (answer->kind != LN_ANSWER_OPENED || !take_stream(server, now, c, answer)) {
        connect_failed(server, now, c);
        return;
    }
    turn_answer_begin(&b, data, &request, LN_STUN_SUCCESS);
    ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, c->id);
    turn_answer_send(&b, &request);
}

void turn_connection_on_timeout(struct ln_turn_server *server, ln_time now,
                                struct turn_connection *c)
{
    if (!c->allocation) {
        turn_connection_end(server, now, c); /* nobody took it */
    } else if (c->ask) {
        connect_failed(server, now, c);
    } else if (!c->data) {
        server->counts.connections_timed_out++;
        turn_connection_end(server, now, c);
    } else {
        turn_set_timer(server, &c->timer, LN_TIME_NEVER); /* a pause is over */
        c->paused = false;
        turn_connection_make_due(server, c);
    }
}

/* ---- a peer connects (RFC 6062, 5.3) ---- */

static bool tell_attempt(struct ln_turn_server *server, ln_time now,
                         const struct turn_connection *c)
{
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_buffer *buffer;
    struct ln_stun_builder b;
    int len;

    turn_indication_begin(server, &b, data, sizeof data, LN_STUN_CONNECTION_ATTEMPT, &c->peer);
    ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, c->id);
    len = ln_stun_finish(&b);
    buffer = len > 0 ? turn_buffer(server, (size_t)len) : NULL;
    if (!buffer)
        return false;
    memcpy(ln_buffer_bytes(buffer), data, (size_t)len);
    return turn_send_to_client(server, now, c->allocation->client, buffer);
}

void turn_connection_accept(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                            const struct ln_answer *answer)
{
    struct turn_allocation *a = relay->allocation;
    struct ln_address peer = turn_peer_outer(server, &answer->remote);
    const struct turn_permission *permission = turn_permission_find(a, now, &peer);
    struct turn_connection *c = NULL;

    if (a->opening || !permission)
        server->counts.dropped_no_permission++;
    else if (!turn_permission_covers(server, permission, &peer, true))
        server->counts.dropped_policy++;
    else if (!has_room(server, a) || !(c = create(server, now, a, &peer)))
        server->counts.connections_refused++;
    if (!c)
        turn_close_link(server, answer->link);
    else if (!take_stream(server, now, c, answer) || !tell_attempt(server, now, c))
        turn_connection_end(server, now, c);
}

/* ---- ConnectionBind (RFC 6062, 5.4) ---- */

static struct turn_connection *find(const struct turn_request *request)
{
    uint32_t id;

    if (!ln_stun_find_u32(request->message, LN_STUN_CONNECTION_ID, &id))
        return NULL;
    return ln_map_get_u64(&request->server->connections, id);
}

const struct turn_allocation *turn_connection_owner(const struct turn_request *request)
{
    struct turn_connection *c = request->message->method == LN_STUN_CONNECTION_BIND ? find(request)
                                                                                    : NULL;

    return c ? c->allocation : NULL;
}

void turn_connection_bind(struct turn_request *request)
{
    struct turn_connection *c = find(request);
    struct turn_client *client = request->client;
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_stun_builder b;

    if (!turn_is_stream(client) || client->allocation || !c || !c->path.link || c->data ||
        !turn_same_name(c->allocation, request->name)) {
        turn_refuse(request, 400);
        return;
    }
    turn_answer_begin(&b, data, request, LN_STUN_SUCCESS);
    turn_answer_send(&b, request);
    c->data = client;
    client->connection = c;
    request->server->counts.connections_bound++;
    turn_stream_has_allocation(request->server, request->now, client, true);
    turn_set_timer(request->server, &c->timer, LN_TIME_NEVER);
    turn_connection_make_due(request->server, c);
}

/* ---- data (RFC 6062, 5.4 and 5.5) ---- */

/* What the streams may be read until told otherwise: as much as the other side's queue takes, so
 * that a reader who is slow stops its writer; nothing while the user is above his rate. */
static size_t window_of(const struct turn_connection *c, bool of_client)
{
    size_t room = of_client ? c->room : c->data->room;

    if (!c->data->session)
        return room;
    return room > TURN_TLS_SLACK ? room - TURN_TLS_SLACK : 0;
}

bool turn_connection_poll_window(struct ln_turn_server *server, struct ln_request *ret_request)
{
    struct turn_connection *c;
    bool of_client;

    if (ln_list_empty(&server->due))
        return false;
    c = LN_CONTAINER(server->due.next, struct turn_connection, due);
    of_client = c->data && !c->client_told;
    if (!of_client && c->path.link == 0) { /* a pair that is not open yet */
        ln_list_remove(&c->due);
        return turn_connection_poll_window(server, ret_request);
    }
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_WINDOW,
                                        .link = of_client ? c->data->path.link : c->path.link };
    if (c->data && !c->paused)
        ret_request->bytes = window_of(c, of_client);
    c->client_told = of_client;
    if (!of_client)
        ln_list_remove(&c->due);
    return true;
}

/* Counts them, and has both sides wait when the user is above his rate. */
static void charge(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                   size_t len)
{
    ln_time next = c->allocation
                       ? ln_turn_user_charge(server->config.shared, c->allocation->user, now, len)
                       : now;

    if (next > now) {
        c->paused = true;
        turn_set_timer(server, &c->timer, next);
    }
    if (next > now || c->data->session)
        turn_connection_make_due(server, c);
}

bool turn_connection_from_client(struct ln_turn_server *server, ln_time now,
                                 struct turn_client *client, struct ln_bytes piece)
{
    struct turn_connection *c = client->connection;
    struct ln_buffer *buffer;

    if (piece.len == 0)
        return true;
    if (c->ask && !c->allocation)
        return turn_page_keep(server, c, piece);
    buffer = piece.len <= c->room ? turn_stream_buffer(server, piece.len) : NULL;
    if (!buffer) {
        server->counts.connections_broken++;
        return false;
    }
    memcpy(ln_buffer_bytes(buffer), piece.data, piece.len);
    c->room -= piece.len;
    if (c->allocation) {
        c->allocation->bytes_from_client += piece.len;
        server->counts.transport[client->transport].bytes_in += piece.len;
    }
    charge(server, now, c, piece.len);
    return turn_send(server, &c->path, TURN_STREAM, buffer);
}

static bool to_client(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                      struct ln_bytes piece)
{
    struct ln_buffer *buffer = c->data ? turn_stream_buffer(server, piece.len) : NULL;

    if (!buffer)
        return false;
    memcpy(ln_buffer_bytes(buffer), piece.data, piece.len);
    if (!turn_send_to_client(server, now, c->data, buffer))
        return false;
    if (c->allocation) {
        c->allocation->bytes_to_client += piece.len;
        server->counts.transport[c->data->transport].bytes_out += piece.len;
    }
    charge(server, now, c, piece.len);
    return true;
}

void turn_connection_from_peer(struct ln_turn_server *server, ln_time now,
                               struct turn_connection *c, struct ln_bytes piece)
{
    while (piece.len > 0) {
        struct ln_bytes part = { piece.data, piece.len < TURN_RECORD ? piece.len : TURN_RECORD };

        if (!to_client(server, now, c, part)) {
            server->counts.connections_broken++;
            turn_connection_end(server, now, c);
            return;
        }
        piece.data += part.len;
        piece.len -= part.len;
    }
}

void turn_connection_writable(struct ln_turn_server *server, struct turn_connection *c)
{
    if (c->data)
        turn_connection_make_due(server, c);
}
