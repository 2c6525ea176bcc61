/* SPDX-License-Identifier: Apache-2.0
 * Allocations (RFC 8656, 6 and 7; RFC 6156): made and ended.
 *
 * An allocation is opening until its driver has answered for each socket (socket.c); only then is
 * the request answered, and a repetition of that request gets the same answer again. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <string.h>

#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
#define FAMILY_IPV4  1u
#define FAMILY_IPV6  2u

/* ---- what the request asks for ---- */

struct wish {
    bool families[TURN_FAMILIES];
    bool dual; /* the second family may fail */
    bool tcp, mobile;
    enum turn_even even;
    uint64_t token; /* 0: none */
    ln_duration lifetime;
};

bool turn_family_index(uint32_t value, size_t *ret_index)
{
    if (value >> 24 != FAMILY_IPV4 && value >> 24 != FAMILY_IPV6)
        return false;
    *ret_index = value >> 24 == FAMILY_IPV4 ? 0 : 1;
    return true;
}

ln_duration turn_lifetime_of(const struct turn_request *request, ln_duration least)
{
    uint32_t seconds;

    if (!ln_stun_find_u32(request->message, LN_STUN_LIFETIME, &seconds))
        return LN_TURN_LIFETIME_DEFAULT;
    return ln_time_max(
        ln_time_min(LN_SECONDS((int64_t)seconds), request->server->config.lifetime_max), least);
}

/* 0, or the code of the error. */
static uint16_t read_families(const struct turn_request *request, bool reserved, struct wish *wish)
{
    const struct ln_stun_message *m = request->message;
    uint32_t value;
    struct ln_bytes any;
    size_t index = 0;
    bool requested = ln_stun_find(m, LN_STUN_REQUESTED_ADDRESS_FAMILY, &any);

    if (requested) {
        if (reserved || any.len != 4)
            return 400;
        if (!turn_family_index(ln_load32(any.data), &index))
            return 440;
    }
    wish->families[index] = true;
    if (!reserved && turn_place_of(request->server, index) == request->server->config.relay_count)
        return 440;
    if (ln_stun_find(m, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, &any)) {
        if (!ln_stun_find_u32(m, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, &value) ||
            !turn_family_index(value, &index) || index != 1 || requested || reserved ||
            wish->even == TURN_EVEN_AND_NEXT)
            return 400; /* RFC 8656, 7.2: only IPv6, only beside the default */
        wish->families[1] = true;
        wish->dual = true;
    }
    return 0;
}

/* TCP, where that is offered. */
static bool asks_for_tcp(const struct turn_request *request)
{
    uint32_t transport;

    return request->server->config.tcp_relay &&
           ln_stun_find_u32(request->message, LN_STUN_REQUESTED_TRANSPORT, &transport) &&
           transport >> 24 == PROTOCOL_TCP;
}

/* 0, or the code of the error (RFC 8016, 3.1.2). */
static uint16_t read_mobility(const struct turn_request *request, struct wish *wish)
{
    struct ln_bytes ticket;

    wish->mobile = turn_ticket_in(request, &ticket);
    if (!wish->mobile)
        return 0;
    if (!request->server->tickets || request->server->config.no_mobility || wish->tcp)
        return 405; /* with RFC 6062 the connections would not move along */
    return ticket.len == 0 ? 0 : 400;
}

static uint16_t read_wish(const struct turn_request *request, struct wish *wish)
{
    const struct ln_stun_message *m = request->message;
    struct ln_bytes even, token, none;
    uint32_t transport;
    bool has_even = ln_stun_find(m, LN_STUN_EVEN_PORT, &even);
    bool has_token = ln_stun_find(m, LN_STUN_RESERVATION_TOKEN, &token);

    memset(wish, 0, sizeof *wish);
    if (!ln_stun_find_u32(m, LN_STUN_REQUESTED_TRANSPORT, &transport))
        return 400;
    wish->tcp = asks_for_tcp(request);
    if (transport >> 24 != PROTOCOL_UDP && !wish->tcp)
        return 442;
    if (wish->tcp && (!turn_is_stream(request->client) || has_even || has_token ||
                      ln_stun_find(m, LN_STUN_DONT_FRAGMENT, &none)))
        return 400; /* RFC 6062, 5.1 */
    if (has_even && (has_token || even.len != 1))
        return 400;
    if (has_even)
        wish->even = even.data[0] & 0x80 ? TURN_EVEN_AND_NEXT : TURN_EVEN;
    if (has_token) {
        if (token.len != 8)
            return 400;
        wish->token = ln_load64(token.data);
    }
    wish->lifetime = turn_lifetime_of(request, LN_TURN_LIFETIME_DEFAULT);
    return read_families(request, has_token, wish);
}

/* ---- life ---- */

static void allocation_free(struct ln_turn_server *server, ln_time now, struct turn_allocation *a)
{
    struct ln_allocator *allocator = server->env->allocator;

    LN_LIST_EACH_SAFE (at, after, &a->connections)
        turn_connection_end(server, now, LN_CONTAINER(at, struct turn_connection, siblings));
    for (size_t i = 0; i < TURN_FAMILIES; i++)
        turn_relay_close(server, &a->relays[i]);
    ln_heap_remove(&server->heap, &a->timer.node);
    ln_list_remove(&a->siblings);
    server->allocation_count--;
    server->counts.transport[a->transport].allocations--;
    if (a->mobile)
        ln_map_remove_u64(&server->mobile, a->number);
    if (a->user) {
        ln_turn_user_give_places(server->config.shared, a->user, LN_TURN_PLACE_PERMISSION,
                                 a->permission_count);
        ln_turn_user_give_places(server->config.shared, a->user, LN_TURN_PLACE_CHANNEL,
                                 a->channel_count);
        ln_turn_user_leave(server->config.shared, a->user);
    }
    ln_wipe(&a->key, sizeof a->key);
    ln_free(allocator, a->name);
    ln_free(allocator, a->permissions);
    ln_free(allocator, a->channels);
    ln_free(allocator, a);
}

void turn_reservation_end(struct ln_turn_server *server, struct turn_reservation *reservation)
{
    ln_turn_token_drop(server->config.shared, reservation->token);
    ln_heap_remove(&server->heap, &reservation->timer.node);
    ln_free(server->env->allocator, reservation);
}

void turn_allocation_end(struct ln_turn_server *server, ln_time now,
                         struct turn_allocation *allocation, enum ln_turn_end end)
{
    struct turn_client *client = allocation->client, *next = allocation->next;
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_ENDED,
                                   .transport = allocation->transport,
                                   .allocation = allocation->number,
                                   .end = end,
                                   .duration = now - allocation->born,
                                   .bytes_from_client = allocation->bytes_from_client,
                                   .bytes_to_client = allocation->bytes_to_client,
                                   .packets_dropped = allocation->packets_dropped };

    if (client)
        event.client = client->path.remote;
    turn_event_name(&event, (struct ln_bytes){ (uint8_t *)allocation->name, allocation->name_len });
    if (!allocation->opening) {
        server->counts.ended[end]++;
        turn_tell(server, &event);
    }
    allocation_free(server, now, allocation);
    if (client)
        turn_client_part(server, now, client);
    if (next)
        turn_client_part(server, now, next);
}

static void set_timer(struct ln_turn_server *server, struct turn_allocation *a)
{
    ln_time next = LN_TIME_NEVER;

    a->expires = LN_TIME_IMMEDIATE;
    for (size_t i = 0; i < TURN_FAMILIES; i++) {
        if (a->relays[i].state != TURN_RELAY_OPEN)
            continue;
        next = ln_time_min(next, a->relays[i].expires);
        a->expires = ln_time_max(a->expires, a->relays[i].expires);
    }
    turn_set_timer(server, &a->timer, next);
}

void turn_allocation_prolong(struct ln_turn_server *server, ln_time now, struct turn_allocation *a,
                             size_t index, ln_duration lifetime)
{
    a->lifetime = lifetime;
    for (size_t i = 0; i < TURN_FAMILIES; i++)
        if (index == TURN_FAMILIES || index == i)
            a->relays[i].expires = now + lifetime;
    set_timer(server, a);
}

void turn_allocation_drop_family(struct ln_turn_server *server, struct turn_allocation *a,
                                 size_t index)
{
    turn_relay_close(server, &a->relays[index]);
    set_timer(server, a);
}

/* A relay whose family was not refreshed goes; with the last one, or when it was adrift for too
 * long, the allocation. */
void turn_allocation_on_timeout(struct ln_turn_server *server, ln_time now,
                                struct turn_allocation *a)
{
    bool left = false;

    for (size_t i = 0; i < TURN_FAMILIES; i++)
        left |= a->relays[i].state == TURN_RELAY_OPEN && !ln_time_due(a->relays[i].expires, now);
    if (!left || !a->client) {
        turn_allocation_end(server, now, a, LN_TURN_END_EXPIRED);
        return;
    }
    for (size_t i = 0; i < TURN_FAMILIES; i++)
        if (a->relays[i].state == TURN_RELAY_OPEN && ln_time_due(a->relays[i].expires, now))
            turn_relay_close(server, &a->relays[i]);
    set_timer(server, a);
}

/* A token that nobody guesses for the claimed next port; its end is in the heap. */
static bool reserve_next(struct ln_turn_server *server, ln_time now, struct turn_allocation *a)
{
    const struct turn_relay *relay = &a->relays[a->relays[0].state != TURN_RELAY_OPEN];
    struct turn_reservation *r = ln_alloc_zero(server->env->allocator, sizeof *r);

    if (!r)
        return false;
    r->timer.kind = TURN_RESERVATION;
    r->token = ln_rng_u64(server->env->rng);
    if (ln_heap_set(&server->heap, &r->timer.node, now + LN_TURN_RESERVATION_LIFETIME) != 0) {
        ln_free(server->env->allocator, r);
        return false;
    }
    if (ln_turn_token_put(server->config.shared, r->token, a->user, relay->place, a->next_port) !=
        0) {
        ln_heap_remove(&server->heap, &r->timer.node);
        ln_free(server->env->allocator, r);
        return false;
    }
    a->token = r->token;
    a->next_port = 0; /* the token's from now on */
    return true;
}

/* The object, its name and its place in the heap and at its client; no socket yet. */
static struct turn_allocation *allocation_create(struct turn_request *request,
                                                 struct ln_turn_user *user)
{
    struct ln_turn_server *server = request->server;
    struct ln_allocator *allocator = server->env->allocator;
    struct turn_allocation *a = ln_alloc_zero(allocator, sizeof *a);

    if (!a)
        return NULL;
    a->timer.kind = TURN_ALLOCATION;
    ln_list_init(&a->connections);
    a->name = ln_alloc_copy(allocator, request->name.data, request->name.len);
    a->client = a->name ? turn_client_keep(server, request->client) : NULL;
    if (!a->client || ln_heap_set(&server->heap, &a->timer.node, LN_TIME_NEVER) != 0) {
        if (a->client && a->client != request->client)
            turn_client_free(server, a->client);
        ln_free(allocator, a->name);
        ln_free(allocator, a);
        return NULL;
    }
    a->name_len = request->name.len;
    a->user = user;
    a->key = request->key;
    a->strong = request->strong;
    a->id = request->message->id;
    a->born = request->now;
    a->number = ++server->next_number;
    a->opening = true;
    a->client->allocation = a;
    a->transport = (uint8_t)a->client->transport;
    ln_list_append(&server->allocations, &a->siblings);
    server->allocation_count++;
    server->counts.transport[a->transport].allocations++;
    request->client = a->client;
    return a;
}

/* ---- the answer ---- */

/* Why there is no IPv6: we have none, or no port is left (RFC 8656, 7.2 and 18.12). */
static void add_address_error(const struct ln_turn_server *server, struct ln_stun_builder *b)
{
    bool none = turn_place_of(server, 1) == server->config.relay_count;
    uint16_t code = none ? 440 : 508;
    uint8_t value[4] = { FAMILY_IPV6, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };

    ln_stun_add(b, LN_STUN_ADDRESS_ERROR_CODE, value, sizeof value);
}

static void answer_allocated(struct ln_turn_server *server, ln_time now,
                             const struct turn_allocation *a)
{
    struct ln_stun_message message = { .method = LN_STUN_ALLOCATE, .id = a->id };
    struct turn_request request = { .server = server,
                                    .now = now,
                                    .client = a->client,
                                    .message = &message,
                                    .key = a->key,
                                    .strong = a->strong };
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_stun_builder b;

    turn_answer_begin(&b, data, &request, LN_STUN_SUCCESS);
    for (size_t i = 0; i < TURN_FAMILIES; i++)
        if (a->relays[i].state == TURN_RELAY_OPEN)
            ln_stun_add_xor_address(&b, LN_STUN_XOR_RELAYED_ADDRESS, &a->relays[i].told);
    ln_stun_add_u32(&b, LN_STUN_LIFETIME, (uint32_t)(a->lifetime / LN_SECONDS(1)));
    if (a->token)
        ln_stun_add_u64(&b, LN_STUN_RESERVATION_TOKEN, a->token);
    if (a->mobile)
        turn_ticket_add(&b, server, a);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &a->client->path.remote);
    if (a->dual && a->relays[1].state != TURN_RELAY_OPEN)
        add_address_error(server, &b);
    turn_answer_send(&b, &request);
}

static void tell_refused(const struct turn_request *request, uint16_t code)
{
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_REFUSED,
                                   .transport = request->client->transport,
                                   .client = request->client->path.remote,
                                   .code = code };

    if (code == 486)
        request->server->counts.refused_user_quota++;
    else
        request->server->counts.refused_capacity++;
    turn_event_name(&event, request->name);
    turn_tell(request->server, &event);
}

/* Every socket has been answered for: the allocation begins, or its request ends with 508. */
static void opening_done(struct ln_turn_server *server, ln_time now, struct turn_allocation *a)
{
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_ALLOCATED,
                                   .transport = a->client->transport,
                                   .allocation = a->number,
                                   .client = a->client->path.remote };
    struct ln_stun_message message = { .method = LN_STUN_ALLOCATE, .id = a->id };
    struct turn_request request = { .server = server,
                                    .now = now,
                                    .client = a->client,
                                    .message = &message,
                                    .name = { (uint8_t *)a->name, a->name_len },
                                    .key = a->key,
                                    .strong = a->strong };
    const struct turn_relay *first = a->relays[0].state == TURN_RELAY_OPEN ? &a->relays[0]
                                                                           : &a->relays[1];

    if (first->state != TURN_RELAY_OPEN || (a->dual && first != &a->relays[0]) ||
        (a->next_port && !reserve_next(server, now, a))) {
        tell_refused(&request, 508);
        turn_refuse(&request, 508);
        turn_allocation_end(server, now, a, LN_TURN_END_SERVER);
        return;
    }
    a->opening = false;
    turn_allocation_prolong(server, now, a, TURN_FAMILIES, a->lifetime);
    server->counts.allocations++;
    event.relayed = first->told;
    turn_event_name(&event, request.name);
    turn_tell(server, &event);
    turn_stream_has_allocation(server, now, a->client, true);
    answer_allocated(server, now, a);
}

void turn_allocation_opened(struct ln_turn_server *server, ln_time now, struct turn_allocation *a)
{
    if (a->relays[0].state != TURN_RELAY_ASKED && a->relays[1].state != TURN_RELAY_ASKED)
        opening_done(server, now, a);
}

/* ---- requests ---- */

/* Enters the user's quota, or takes over what his token holds: then the relay's address is settled.
 * 0, or the code of the error. */
static uint16_t enter(struct turn_request *request, const struct wish *wish,
                      struct ln_turn_user **ret_user, size_t *ret_place, uint16_t *ret_port)
{
    struct ln_turn_shared *shared = request->server->config.shared;
    struct ln_bytes name = ln_turn_quota_name(request->name);
    int error;

    *ret_port = 0;
    if (wish->token)
        return ln_turn_token_take(shared, wish->token, name, ret_user, ret_place, ret_port) ? 0
                                                                                            : 508;
    error = ln_turn_user_enter(shared, name, ret_user);
    if (!error)
        return 0;
    return error == LN_ERR_LIMIT ? 486 : 508;
}

static bool begin_relays(struct ln_turn_server *server, struct turn_allocation *a,
                         const struct wish *wish, size_t place, uint16_t port)
{
    bool any = false;

    if (port != 0)
        return turn_relay_redeem(server, a, place, port);
    for (size_t i = 0; i < TURN_FAMILIES; i++)
        if (wish->families[i])
            any |= turn_relay_begin(server, a, i);
    return any;
}

/* 0, or the code of the error; nothing is left behind then. */
static uint16_t allocate(struct turn_request *request, const struct wish *wish)
{
    struct ln_turn_server *server = request->server;
    struct turn_client *original = request->client;
    struct ln_turn_user *user = NULL;
    struct turn_allocation *a;
    size_t place = 0;
    uint16_t port, code;

    if (server->draining)
        return 508;
    code = enter(request, wish, &user, &place, &port);
    if (code)
        return code;
    a = allocation_create(request, user);
    if (!a) {
        if (port != 0)
            ln_turn_port_release(server->config.shared, place, port);
        ln_turn_user_leave(server->config.shared, user);
        return 508;
    }
    a->lifetime = wish->lifetime;
    a->dual = wish->dual;
    a->tcp = wish->tcp;
    a->even = (uint8_t)wish->even;
    a->mobile = wish->mobile && ln_map_set_u64(&server->mobile, a->number, a) == 0;
    if (begin_relays(server, a, wish, place, port)) {
        turn_allocation_opened(server, request->now, a); /* at once, on a shared port */
        return 0;
    }
    turn_allocation_end(server, request->now, a, LN_TURN_END_SERVER);
    request->client = original;
    return 508;
}

void turn_allocate(struct turn_request *request)
{
    struct turn_allocation *allocation = request->client->allocation;
    struct wish wish;
    uint16_t code;

    if (allocation) {
        if (!ln_stun_id_equal(&allocation->id, &request->message->id))
            turn_refuse(request, 437);
        else if (!allocation->opening)
            answer_allocated(request->server, request->now, allocation); /* it was lost */
        return;
    }
    code = read_wish(request, &wish);
    if (!code)
        code = read_mobility(request, &wish);
    if (!code) {
        code = allocate(request, &wish);
        if (code)
            tell_refused(request, code);
    }
    if (code)
        turn_refuse(request, code);
}
