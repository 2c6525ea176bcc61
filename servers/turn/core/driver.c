/* SPDX-License-Identifier: Apache-2.0
 * What the server asks its driver for, and what the driver says: listeners, sockets and streams by
 * who wants them, links to be closed, the machine's addresses.
 *
 * An id below LN_TURN_LISTEN_MAX is that of a listener and of the streams it accepts. What else is
 * to open is in `asked` until it is answered, and who waited may be gone by then: what opens is
 * closed. */
#include "base/address.h"
#include "base/alloc.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <assert.h>

/* ---- asking ---- */

bool turn_reserve_close(struct ln_turn_server *server)
{
    size_t most = server->open_links + server->asked.count + 2;

    while (server->close_cap < most)
        if (ln_grow(server->env->allocator, &server->closes, sizeof *server->closes,
                    server->close_cap, &server->close_cap, SIZE_MAX / sizeof *server->closes) != 0)
            return false;
    return true;
}

bool turn_ask(struct ln_turn_server *server, const struct ln_request *request)
{
    return turn_reserve_close(server) && ln_ring_push(&server->requests, request) == 0;
}

static uint32_t next_id(struct ln_turn_server *server)
{
    uint32_t id;

    do {
        id = server->next_id < LN_TURN_LISTEN_MAX ? LN_TURN_LISTEN_MAX : server->next_id + 1;
        server->next_id = id;
    } while (ln_map_get_u64(&server->asked, id) || ln_map_get_u64(&server->accepting, id));
    return id;
}

uint32_t turn_ask_for(struct ln_turn_server *server, enum turn_kind *who,
                      struct ln_request *request)
{
    request->id = next_id(server);
    if (ln_map_set_u64(&server->asked, request->id, who) != 0)
        return 0;
    if (turn_ask(server, request))
        return request->id;
    ln_map_remove_u64(&server->asked, request->id);
    return 0;
}

void turn_close_link(struct ln_turn_server *server, ln_link link)
{
    assert(server->close_count < server->close_cap);
    server->closes[server->close_count++] = link;
}

static bool ask_for_listener(struct ln_turn_server *server, struct ln_request *ret_request)
{
    for (size_t i = 0; i < server->config.listen_count; i++) {
        struct turn_listener *l = &server->listeners[i];

        if (l->state != LISTEN_WANTED)
            continue;
        l->state = LISTEN_ASKED;
        *ret_request = (struct ln_request){ .kind = l->what.stream ? LN_REQUEST_LISTEN_TCP
                                                                   : LN_REQUEST_OPEN_UDP,
                                            .id = (uint32_t)i,
                                            .local = l->what.address,
                                            .shared = server->config.shared_port };
        return true;
    }
    return false;
}

/* Whether there are still bytes for the stream that is to be closed next: they go first. */
static bool still_sends(const struct ln_turn_server *server)
{
    return turn_queued_for(server, server->closes[server->close_count - 1]) > 0;
}

int turn_poll_request(struct ln_turn_server *server, struct ln_request *ret_request)
{
    if (ask_for_listener(server, ret_request))
        return 1;
    if (server->watch_due) {
        server->watch_due = false;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_WATCH_INTERFACES,
                                            .id = next_id(server) };
        return 1;
    }
    if (turn_connection_poll_window(server, ret_request))
        return 1;
    if (server->close_count > 0 && !still_sends(server)) {
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE,
                                            .link = server->closes[--server->close_count] };
        server->open_links--;
        return 1;
    }
    return ln_ring_pop(&server->requests, ret_request);
}

/* ---- what is answered ---- */

struct turn_listener *turn_listener_find(struct ln_turn_server *server, ln_link link)
{
    for (size_t i = 0; i < server->config.listen_count; i++)
        if (server->listeners[i].link == link && server->listeners[i].state == LISTEN_OPEN)
            return &server->listeners[i];
    return NULL;
}

static void listener_answered(struct turn_listener *l, const struct ln_answer *answer)
{
    if (l->state != LISTEN_ASKED)
        return;
    if (answer->kind == LN_ANSWER_OPENED) {
        l->state = LISTEN_OPEN;
        l->link = answer->link;
        l->what.address = answer->local;
    } else {
        l->state = LISTEN_FAILED;
        l->error = answer->error ? answer->error : LN_ERR_SYSTEM;
    }
}

/* To whoever asked for it: a relay's socket, or a connection. False when he is gone. */
static bool answer_asked(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    enum turn_kind *kind = ln_map_get_u64(&server->asked, answer->id);
    struct turn_connection *c;

    if (kind && *kind == TURN_CONNECTION) {
        c = LN_CONTAINER(kind, struct turn_connection, kind);
        (c->allocation ? turn_connection_answer : turn_page_answer)(server, now, c, answer);
    } else if (kind && *kind == TURN_PORT) {
        turn_port_answer(server, now, LN_CONTAINER(kind, struct turn_port, kind), answer);
    } else if (kind) {
        turn_relay_answer(server, now, LN_CONTAINER(kind, struct turn_relay, kind), answer);
    }
    return kind != NULL;
}

static void opened(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    enum turn_kind *accepting;

    if (answer->id < LN_TURN_LISTEN_MAX && answer->remote.family == LN_FAMILY_NONE) {
        listener_answered(&server->listeners[answer->id], answer);
        return;
    }
    server->open_links++;
    accepting = ln_map_get_u64(&server->accepting, answer->id);
    if (answer->id < LN_TURN_LISTEN_MAX)
        turn_stream_opened(server, now, answer);
    else if (accepting && answer->remote.family != LN_FAMILY_NONE)
        turn_connection_accept(server, now, LN_CONTAINER(accepting, struct turn_relay, kind),
                               answer);
    else if (!answer_asked(server, now, answer))
        turn_close_link(server, answer->link); /* its allocation is gone */
    (void)turn_reserve_close(server);
}

static void failed(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    if (answer->id < LN_TURN_LISTEN_MAX)
        listener_answered(&server->listeners[answer->id], answer);
    else
        (void)answer_asked(server, now, answer);
}

static void closed(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    struct turn_listener *listener = turn_listener_find(server, answer->link);
    enum turn_kind *kind = ln_map_get_u64(&server->links, answer->link);
    struct turn_relay *relay;

    if (listener) {
        listener->state = LISTEN_FAILED;
        listener->error = answer->error ? answer->error : LN_ERR_CLOSED;
    } else if (kind && *kind == TURN_CLIENT) {
        turn_client_end(server, now, LN_CONTAINER(kind, struct turn_client, kind));
    } else if (kind && *kind == TURN_CONNECTION) {
        turn_connection_closed(server, now, LN_CONTAINER(kind, struct turn_connection, kind),
                               answer->error);
    } else if (kind && *kind == TURN_PORT) {
        turn_port_closed(server, now, LN_CONTAINER(kind, struct turn_port, kind));
    } else if (kind) {
        relay = LN_CONTAINER(kind, struct turn_relay, kind);
        turn_allocation_end(server, now, relay->allocation, LN_TURN_END_CLOSED);
    }
}

static void writable(struct ln_turn_server *server, const struct ln_answer *answer)
{
    enum turn_kind *kind = ln_map_get_u64(&server->links, answer->link);
    size_t queued = turn_queued_for(server, answer->link); /* the driver has not seen these */
    size_t room = answer->bytes > queued ? answer->bytes - queued : 0;
    struct turn_connection *connection = NULL;

    if (kind && *kind == TURN_CLIENT) {
        LN_CONTAINER(kind, struct turn_client, kind)->room = room;
        connection = LN_CONTAINER(kind, struct turn_client, kind)->connection;
    } else if (kind && *kind == TURN_CONNECTION) {
        connection = LN_CONTAINER(kind, struct turn_connection, kind);
        connection->room = room;
    }
    if (connection)
        turn_connection_writable(server, connection);
}

/* What the machine has now, beside what the config named. */
static void take_interfaces(struct ln_turn_policy *policy, size_t given,
                            const struct ln_answer *answer)
{
    policy->own_count = given;
    for (size_t i = 0; i < answer->interface_count; i++) {
        const struct ln_interface *interface = &answer->interfaces[i];
        bool known = false;

        for (size_t at = 0; at < given && !known; at++)
            known = ln_address_equal_ip(&policy->own[at], &interface->address);
        if (!known && interface->up && policy->own_count < LN_TURN_OWN_MAX)
            policy->own[policy->own_count++] = interface->address;
    }
}

void turn_driver_answered(struct ln_turn_server *server, ln_time now,
                          const struct ln_answer *answer)
{
    switch (answer->kind) {
    case LN_ANSWER_OPENED:
        opened(server, now, answer);
        break;
    case LN_ANSWER_FAILED:
        failed(server, now, answer);
        break;
    case LN_ANSWER_CLOSED:
        closed(server, now, answer);
        break;
    case LN_ANSWER_WRITABLE:
        writable(server, answer);
        break;
    case LN_ANSWER_SEND_FAILED:
        server->counts.send_failed++;
        turn_icmp(server, now, answer);
        break;
    case LN_ANSWER_INTERFACES:
        take_interfaces(&server->policy, server->own_given, answer);
        break;
    case LN_ANSWER_RESOLVED:
    case LN_ANSWER_PUBLISHED:
        break; /* never asked for */
    }
}

int ln_turn_server_listening(const struct ln_turn_server *server, size_t i,
                             struct ln_address *ret_bound)
{
    const struct turn_listener *l;

    if (i >= server->config.listen_count)
        return LN_ERR_RANGE;
    l = &server->listeners[i];
    if (l->state == LISTEN_FAILED)
        return l->error;
    if (l->state != LISTEN_OPEN)
        return LN_ERR_AGAIN;
    *ret_bound = l->what.address;
    return 0;
}
