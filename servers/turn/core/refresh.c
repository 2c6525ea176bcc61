/* SPDX-License-Identifier: Apache-2.0
 * Refreshing an allocation (RFC 8656, 8), and moving it to another address of its client (RFC 8016,
 * 3.2).
 *
 * A Refresh with a good ticket makes a second client of the new 5-tuple. Data goes on to and from
 * the old one until the new one has sent some; then the old one is nobody. Each move makes the
 * ticket that served void; the request that moved is answered again, from the same 5-tuple only.
 *
 * A stream that breaks takes its allocation along, unless that may be moved: then it is adrift for
 * a while, without a client. */
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <string.h>

/* `a` is NULL when it is no more. */
static void answer(const struct turn_request *request, const struct turn_allocation *a,
                   ln_duration lifetime)
{
    const struct turn_client *latest = a && a->next ? a->next : a ? a->client : NULL;
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_stun_builder b;

    turn_answer_begin(&b, data, request, LN_STUN_SUCCESS);
    ln_stun_add_u32(&b, LN_STUN_LIFETIME, (uint32_t)(lifetime / LN_SECONDS(1)));
    if (a && a->mobile && request->client == latest) {
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &request->client->path.remote);
        turn_ticket_add(&b, request->server, a);
    }
    turn_answer_send(&b, request);
}

/* Ends it and answers, though a client of UDP ends with it. */
static void end_and_answer(const struct turn_request *request, struct turn_allocation *a)
{
    struct turn_request last = *request;
    struct turn_client client = *request->client;

    turn_allocation_end(request->server, request->now, a, LN_TURN_END_DELETED);
    if (client.transport == LN_TURN_UDP || client.away)
        last.client = &client; /* the kept one is gone */
    answer(&last, NULL, 0);
}

void turn_refresh(struct turn_request *request)
{
    struct turn_allocation *a = request->client->allocation;
    ln_duration lifetime = turn_lifetime_of(request, 0);
    uint32_t family;
    size_t index = TURN_FAMILIES;

    if (ln_stun_find_u32(request->message, LN_STUN_REQUESTED_ADDRESS_FAMILY, &family)) {
        if (!turn_family_index(family, &index) || a->relays[index].state != TURN_RELAY_OPEN) {
            turn_refuse(request, 443);
            return;
        }
        if (lifetime == 0 && a->relays[1 - index].state == TURN_RELAY_OPEN) {
            turn_allocation_drop_family(request->server, a, index);
            answer(request, a, 0);
            return;
        }
    }
    if (lifetime == 0) {
        end_and_answer(request, a);
        return;
    }
    lifetime = ln_time_max(lifetime, LN_TURN_LIFETIME_DEFAULT);
    turn_allocation_prolong(request->server, request->now, a, index, lifetime);
    answer(request, a, lifetime);
}

/* ---- moving ---- */

static void settle(struct ln_turn_server *server, struct turn_allocation *a,
                   struct turn_client *client)
{
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_MOVED,
                                   .transport = client->transport,
                                   .allocation = a->number,
                                   .client = client->path.remote };

    server->counts.transport[a->transport].allocations--;
    a->transport = (uint8_t)client->transport;
    server->counts.transport[a->transport].allocations++;
    a->client = client;
    a->next = NULL;
    turn_event_name(&event, (struct ln_bytes){ (uint8_t *)a->name, a->name_len });
    turn_tell(server, &event);
}

void turn_client_spoke(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    struct turn_allocation *a = client->allocation;
    struct turn_client *old = a->client;

    if (client == old)
        return;
    settle(server, a, client);
    turn_client_part(server, now, old);
}

void turn_client_left(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    struct turn_allocation *a = client->allocation;

    if (!a->mobile || a->opening) {
        turn_allocation_end(server, now, a, LN_TURN_END_CLOSED);
        return;
    }
    client->allocation = NULL;
    turn_stream_has_allocation(server, now, client, false);
    if (client == a->next) {
        a->next = NULL;
    } else if (a->next) {
        settle(server, a, a->next);
    } else {
        a->client = NULL;
        turn_set_timer(server, &a->timer, ln_time_min(a->expires, now + LN_TURN_ADRIFT));
    }
}

/* Makes the 5-tuple of the request the one to move to. False: no memory. */
static bool take_over(struct turn_request *request, struct turn_allocation *a)
{
    struct ln_turn_server *server = request->server;
    struct turn_client *client = request->client, *before = a->next;

    if (client == a->client) { /* back again, before anything came from there */
        a->next = NULL;
    } else {
        client = turn_client_keep(server, client);
        if (!client)
            return false;
        client->allocation = a;
        a->next = client;
        if (client->away)
            turn_forward_hold(server, client);
        turn_stream_has_allocation(server, request->now, client, true);
        if (!a->client)
            settle(server, a, client);
    }
    if (before)
        turn_client_part(server, request->now, before);
    request->client = client;
    return true;
}

static uint16_t refuse_ticket(uint64_t *counter, uint16_t code)
{
    (*counter)++;
    return code;
}

/* 0, or the code of the error (RFC 8016, 3.2.2). */
static uint16_t check(const struct turn_request *request, struct turn_allocation **ret_allocation)
{
    struct ln_turn_server *server = request->server;
    struct ln_turn_counts *counts = &server->counts;
    const struct turn_client *client = request->client;
    struct turn_ticket_content content;
    struct turn_allocation *a;
    struct ln_bytes ticket;
    enum turn_ticket state;

    if (server->config.no_mobility || !server->tickets)
        return 405;
    (void)turn_ticket_in(request, &ticket);
    state = turn_ticket_read(server, request->now, ticket, &content);
    if (state == TURN_TICKET_FORGED)
        return refuse_ticket(&counts->tickets_forged, 400);
    a = ln_map_get_u64(&server->mobile, content.allocation);
    if (a && !turn_same_name(a, request->name))
        return refuse_ticket(&counts->tickets_of_others, 441);
    if (state == TURN_TICKET_EXPIRED)
        return refuse_ticket(&counts->tickets_expired, 400);
    if (!a || (client->allocation && client->allocation != a))
        return 437;
    *ret_allocation = a;
    if (client->allocation && ln_stun_id_equal(&a->mover, &request->message->id))
        return 0; /* the answer was lost */
    if (content.serial != a->serial || client == a->next || (client == a->client && !a->next))
        return refuse_ticket(&counts->tickets_replayed, 400);
    return 0;
}

void turn_move(struct turn_request *request)
{
    ln_duration lifetime = turn_lifetime_of(request, 0);
    struct turn_allocation *a = NULL;
    uint16_t code = check(request, &a);

    if (code) {
        turn_refuse(request, code);
        return;
    }
    if (lifetime == 0) {
        end_and_answer(request, a);
        return;
    }
    lifetime = ln_time_max(lifetime, LN_TURN_LIFETIME_DEFAULT);
    if (!request->client->allocation || !ln_stun_id_equal(&a->mover, &request->message->id)) {
        if (!take_over(request, a)) {
            turn_refuse(request, 508);
            return;
        }
        a->serial++;
        a->mover = request->message->id;
        request->server->counts.moved++;
    }
    turn_allocation_prolong(request->server, request->now, a, TURN_FAMILIES, lifetime);
    answer(request, a, lifetime);
}
