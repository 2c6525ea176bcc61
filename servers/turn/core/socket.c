/* SPDX-License-Identifier: Apache-2.0
 * The sockets of relays (RFC 8656, 7.2): which port, asked for, opened, given back; the reserved
 * next one.
 *
 * Ports come by chance from the range (RFC 8656, 21.1: a peer must not guess them); one that
 * another program holds is passed over a few times. Where ports are shared (port.c), those that are
 * to be even, reserved or of TCP are still of one relay alone. */
#include "base/rng.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#define OPEN_ATTEMPTS_MAX 8u
#define PORT_GUESSES      64u

/* ---- ports ---- */

size_t turn_place_of(const struct ln_turn_server *server, size_t index)
{
    uint8_t family = index == 0 ? LN_FAMILY_IPV4 : LN_FAMILY_IPV6;
    size_t place = 0;

    while (place < server->config.relay_count && server->relays[place].bind.family != family)
        place++;
    return place;
}

struct turn_relay *turn_relay_of(struct turn_allocation *allocation, uint8_t family)
{
    struct turn_relay *relay = &allocation->relays[family == LN_FAMILY_IPV6];

    return relay->state == TURN_RELAY_OPEN ? relay : NULL;
}

static bool claim(struct ln_turn_server *server, size_t place, uint16_t port, bool with_next)
{
    struct ln_turn_shared *shared = server->config.shared;

    if (!ln_turn_port_claim(shared, place, port, server->config.worker))
        return false;
    if (!with_next ||
        ln_turn_port_claim(shared, place, (uint16_t)(port + 1), server->config.worker))
        return true;
    ln_turn_port_release(shared, place, port);
    return false;
}

uint16_t turn_choose_port(struct ln_turn_server *server, size_t place, enum turn_even even)
{
    uint32_t first = server->config.port_min, last = server->config.port_max;
    uint32_t step = even == TURN_EVEN_NO ? 1 : 2, count, start;

    if (even != TURN_EVEN_NO)
        first += first % 2;
    if (even == TURN_EVEN_AND_NEXT)
        last -= 1;
    if (first > last)
        return 0;
    count = (last - first) / step + 1;
    for (unsigned i = 0; i < PORT_GUESSES; i++) {
        uint32_t port = first + step * ln_rng_below(server->env->rng, count);

        if (claim(server, place, (uint16_t)port, even == TURN_EVEN_AND_NEXT))
            return (uint16_t)port;
    }
    start = ln_rng_below(server->env->rng, count); /* nearly full: look at each */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t port = first + step * ((start + i) % count);

        if (claim(server, place, (uint16_t)port, even == TURN_EVEN_AND_NEXT))
            return (uint16_t)port;
    }
    return 0;
}

/* ---- sockets ---- */

/* Asks for the relay's socket at its address. */
static bool ask_for(struct ln_turn_server *server, struct turn_relay *relay)
{
    struct ln_request request = { .kind = relay->allocation->tcp ? LN_REQUEST_LISTEN_TCP
                                                                 : LN_REQUEST_OPEN_UDP,
                                  .local = relay->local,
                                  .exclusive = true };

    relay->id = turn_ask_for(server, &relay->kind, &request);
    if (relay->id == 0)
        return false;
    relay->state = TURN_RELAY_ASKED;
    return true;
}

void turn_place_address(const struct ln_turn_server *server, size_t place, uint16_t port,
                        struct ln_address *ret_local, struct ln_address *ret_told)
{
    const struct ln_turn_relay *own = &server->relays[place];

    *ret_local = own->bind;
    *ret_told = own->external.family ? own->external : own->bind;
    ret_local->port = ret_told->port = port;
}

static void settle_address(struct ln_turn_server *server, struct turn_relay *relay, size_t place,
                           uint16_t port)
{
    relay->kind = TURN_RELAY;
    relay->place = (uint8_t)place;
    turn_place_address(server, place, port, &relay->local, &relay->told);
}

/* Chooses a port for the relay, with the next one if that is to be reserved, and asks for it. */
static bool choose_and_ask(struct ln_turn_server *server, struct turn_relay *relay, size_t place)
{
    struct turn_allocation *a = relay->allocation;
    uint16_t port = turn_choose_port(server, place, (enum turn_even)a->even);

    if (port == 0)
        return false;
    settle_address(server, relay, place, port);
    a->next_port = a->even == TURN_EVEN_AND_NEXT ? (uint16_t)(port + 1) : 0;
    return ask_for(server, relay);
}

bool turn_relay_begin(struct ln_turn_server *server, struct turn_allocation *allocation,
                      size_t index)
{
    struct turn_relay *relay = &allocation->relays[index];
    size_t place = turn_place_of(server, index);

    relay->allocation = allocation;
    if (place == server->config.relay_count)
        return false;
    if (server->config.relay_ports > 0 && allocation->even == TURN_EVEN_NO && !allocation->tcp)
        return turn_port_join(server, relay, place);
    if (choose_and_ask(server, relay, place))
        return true;
    turn_relay_close(server, relay);
    return false;
}

bool turn_relay_redeem(struct ln_turn_server *server, struct turn_allocation *allocation,
                       size_t place, uint16_t port)
{
    bool ipv6 = server->relays[place].bind.family == LN_FAMILY_IPV6;
    struct turn_relay *relay = &allocation->relays[ipv6];

    relay->allocation = allocation;
    allocation->redeemed = true;
    ln_turn_port_move(server->config.shared, place, port, server->config.worker);
    settle_address(server, relay, place, port);
    return ask_for(server, relay);
}

void turn_relay_close(struct ln_turn_server *server, struct turn_relay *relay)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];

    if (relay->local.port == 0)
        return;
    if (relay->port) {
        turn_port_leave(server, relay);
        relay->local.port = 0;
        relay->state = TURN_RELAY_FAILED;
        return;
    }
    if (relay->state == TURN_RELAY_ASKED)
        ln_map_remove_u64(&server->asked, relay->id);
    if (relay->state == TURN_RELAY_OPEN) {
        ln_address_key(&relay->told, key);
        ln_map_remove(&server->relayed, key, sizeof key);
        ln_map_remove_u64(&server->links, relay->link);
        turn_close_link(server, relay->link);
        if (relay->allocation->tcp)
            ln_map_remove_u64(&server->accepting, relay->id);
    }
    if (server->last_relay == relay)
        server->last_relay = NULL;
    ln_turn_port_release(server->config.shared, relay->place, relay->local.port);
    if (relay->allocation->next_port)
        ln_turn_port_release(server->config.shared, relay->place, relay->allocation->next_port);
    relay->allocation->next_port = 0;
    relay->local.port = 0;
    relay->state = TURN_RELAY_FAILED;
}

static bool relay_opened(struct ln_turn_server *server, struct turn_relay *relay, ln_link link)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];

    relay->link = link;
    ln_address_key(&relay->told, key);
    if (ln_map_set_u64(&server->links, link, &relay->kind) != 0) {
        turn_close_link(server, link);
        return false;
    }
    if (ln_map_set(&server->relayed, key, sizeof key, &relay->kind) != 0) {
        ln_map_remove_u64(&server->links, link);
        turn_close_link(server, link);
        return false;
    }
    relay->state = TURN_RELAY_OPEN;
    if (!relay->allocation->tcp)
        return true;
    if (ln_map_set_u64(&server->accepting, relay->id, &relay->kind) != 0) {
        turn_relay_close(server, relay);
        return false;
    }
    ln_turn_port_set_stream(server->config.shared, relay->place, relay->local.port);
    return true;
}

/* Another port, unless it had to be this one. False when the relay has failed for good. */
static bool try_again(struct ln_turn_server *server, struct turn_relay *relay)
{
    struct turn_allocation *a = relay->allocation;
    size_t place = relay->place;

    if (a->redeemed || ++relay->attempts >= OPEN_ATTEMPTS_MAX)
        return false;
    turn_relay_close(server, relay);
    return choose_and_ask(server, relay, place);
}

void turn_relay_answer(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                       const struct ln_answer *answer)
{
    struct turn_allocation *allocation = relay->allocation;

    ln_map_remove_u64(&server->asked, relay->id);
    relay->state = TURN_RELAY_FAILED;
    if (answer->kind == LN_ANSWER_OPENED)
        (void)relay_opened(server, relay, answer->link);
    else if (answer->error == LN_ERR_ADDRESS_IN_USE && try_again(server, relay))
        return;
    if (relay->state != TURN_RELAY_OPEN)
        turn_relay_close(server, relay);
    turn_allocation_opened(server, now, allocation);
}
