/* SPDX-License-Identifier: Apache-2.0
 * Ports that several allocations share, where the operator wants few (not in RFC 8656, 5, which
 * gives each its own).
 *
 *   port <-- relay of an allocation --> claims: (port, peer) is one relay's
 *
 * What a peer sends belongs to the one relay that has claimed it. A claim is made with a
 * permission and lasts as long; one that is another's already ends the request with 508. Of a
 * peer elsewhere the IP address is claimed, as permissions are of IP addresses (RFC 8656, 9).
 *
 * Clients of this server stand behind few addresses, so that there the port is claimed as well: by
 * the permission if it names one, by the channel, or by the first datagram sent. A pair of shared
 * ports so serves one pair of clients, and neither takes for his partner's what a third one sent.
 * Two clients on the same port claim that port itself: this claim alone has two holders, and what
 * one sends goes to the other.
 *
 * Residents (residents.h) tell the relays of one port apart by a mark, which stands as the scope of
 * the relayed address in parcels and nowhere else. So there the mark is claimed as well, and a
 * resident is every relay's that permits him: many clients on one port reach one of them.
 *
 * Invariants: a port has at least one relay; a relay's claims are gone when it leaves its port;
 * `claims` finds all of them. */
#include "base/alloc.h"
#include "base/rng.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <string.h>

#define OPEN_ATTEMPTS_MAX 8u
#define KEY_LEN           (5u + LN_ADDRESS_KEY_LEN)

struct turn_claim {
    struct ln_list siblings; /* of its relay */
    struct turn_relay *relay;
    struct ln_address peer; /* port 0: any */
    ln_time expires;
    uint8_t holder; /* 1: the second of two on one port */
};

/* ---- claims ---- */

static void claim_key(const struct turn_port *port, const struct ln_address *peer, uint8_t holder,
                      uint8_t key[KEY_LEN])
{
    ln_store32(key, port->link);
    key[4] = holder;
    ln_address_key(peer, key + 5);
}

static struct turn_claim *find_claim(const struct ln_turn_server *server,
                                     const struct turn_port *port, const struct ln_address *peer,
                                     uint8_t holder)
{
    uint8_t key[KEY_LEN];

    claim_key(port, peer, holder, key);
    return ln_map_get(&server->claims, key, sizeof key);
}

static void drop_claim(struct ln_turn_server *server, struct turn_claim *claim)
{
    uint8_t key[KEY_LEN];

    claim_key(claim->relay->port, &claim->peer, claim->holder, key);
    ln_map_remove(&server->claims, key, sizeof key);
    ln_list_remove(&claim->siblings);
    claim->relay->claim_count--;
    ln_free(server->env->allocator, claim);
}

uint32_t turn_relay_mark(const struct turn_relay *relay)
{
    return relay->port ? (uint32_t)(relay->allocation->number % UINT32_MAX) + 1 : 0;
}

/* What is claimed of this peer, of a resident for the relay with this mark. */
static struct ln_address claimed_address(const struct ln_turn_server *server,
                                         const struct ln_address *peer, uint32_t mark)
{
    struct ln_address address = *peer;
    size_t place;

    address.scope = 0;
    if (peer->port != 0 && turn_peer_is_resident(server, peer))
        address.scope = mark;
    else if (!turn_peer_is_own(server, peer, &place))
        address.port = 0;
    return address;
}

static uint8_t holders_of(const struct turn_port *port, const struct ln_address *claimed)
{
    return ln_address_equal(&port->told, claimed) ? 2 : 1;
}

/* One of ours whose port is not named yet: nothing can be claimed. Where residents live and the
 * policy lets nobody else be reached, it is one of them. */
static bool is_unnamed(const struct ln_turn_server *server, const struct ln_address *peer)
{
    size_t place;

    if (peer->port != 0)
        return false;
    return turn_peer_is_own(server, peer, &place) ||
           (turn_peer_is_resident(server, peer) &&
            !ln_turn_policy_check(server->config.policy, peer).allowed);
}

bool turn_claim_free(const struct ln_turn_server *server, ln_time now,
                     const struct turn_relay *relay, const struct ln_address *peer)
{
    struct ln_address address;

    if (!relay->port || is_unnamed(server, peer))
        return true;
    address = claimed_address(server, peer, turn_relay_mark(relay));
    for (uint8_t i = 0; i < holders_of(relay->port, &address); i++) {
        const struct turn_claim *claim = find_claim(server, relay->port, &address, i);

        if (!claim || claim->relay == relay || claim->expires <= now)
            return true;
    }
    return false;
}

/* Room for one more of this relay: an expired one goes at the limit. */
static bool make_room(struct ln_turn_server *server, ln_time now, struct turn_relay *relay)
{
    if (relay->claim_count < server->config.permissions_max)
        return true;
    LN_LIST_EACH (at, &relay->claims) {
        struct turn_claim *claim = LN_CONTAINER(at, struct turn_claim, siblings);

        if (claim->expires <= now) {
            drop_claim(server, claim);
            return true;
        }
    }
    return false;
}

static bool create_claim(struct ln_turn_server *server, struct turn_relay *relay,
                         const struct ln_address *address, uint8_t holder, ln_time expires)
{
    struct turn_claim *claim = ln_alloc_zero(server->env->allocator, sizeof *claim);
    uint8_t key[KEY_LEN];

    if (!claim)
        return false;
    claim->relay = relay;
    claim->peer = *address;
    claim->holder = holder;
    claim->expires = expires;
    claim_key(relay->port, address, holder, key);
    if (ln_map_set(&server->claims, key, sizeof key, claim) != 0) {
        ln_free(server->env->allocator, claim);
        return false;
    }
    ln_list_append(&relay->claims, &claim->siblings);
    relay->claim_count++;
    return true;
}

/* A permission without a port keeps what was claimed by name. */
static void renew_all(struct turn_relay *relay, ln_time now, const struct ln_address *peer)
{
    LN_LIST_EACH (at, &relay->claims) {
        struct turn_claim *claim = LN_CONTAINER(at, struct turn_claim, siblings);

        if (claim->expires > now && memcmp(claim->peer.ip, peer->ip, sizeof peer->ip) == 0)
            claim->expires = now + LN_TURN_PERMISSION_LIFETIME;
    }
}

bool turn_claim_take(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                     const struct ln_address *peer)
{
    ln_time expires = now + LN_TURN_PERMISSION_LIFETIME;
    struct turn_claim *claims[2] = { NULL, NULL };
    struct ln_address address;
    uint8_t holders;

    if (!relay->port)
        return true;
    if (is_unnamed(server, peer)) {
        renew_all(relay, now, peer);
        return true;
    }
    address = claimed_address(server, peer, turn_relay_mark(relay));
    holders = holders_of(relay->port, &address);
    for (uint8_t i = 0; i < holders; i++) {
        claims[i] = find_claim(server, relay->port, &address, i);
        if (claims[i] && claims[i]->relay == relay) {
            claims[i]->expires = expires;
            return true;
        }
    }
    for (uint8_t i = 0; i < holders; i++) {
        if (claims[i] && claims[i]->expires > now)
            continue;
        if (claims[i])
            drop_claim(server, claims[i]);
        return make_room(server, now, relay) && create_claim(server, relay, &address, i, expires);
    }
    server->counts.collisions++;
    return false;
}

struct turn_relay *turn_port_receiver(const struct ln_turn_server *server, ln_time now,
                                      const struct turn_port *port, const struct turn_relay *from,
                                      const struct ln_address *peer, uint32_t mark)
{
    struct ln_address address = claimed_address(server, peer, mark);
    uint8_t holders = holders_of(port, &address);

    if (holders > 1 && !from)
        return NULL; /* nobody's: the port does not send to itself by the network */
    for (uint8_t i = 0; i < holders; i++) {
        const struct turn_claim *claim = find_claim(server, port, &address, i);

        if (claim && now < claim->expires && claim->relay != from)
            return claim->relay;
    }
    return NULL;
}

/* ---- ports ---- */

static void settle(struct turn_relay *relay, struct turn_port *port)
{
    relay->kind = TURN_RELAY;
    relay->place = port->place;
    relay->local = port->local;
    relay->told = port->told;
    relay->link = port->link;
    relay->state = port->state;
}

static void free_port(struct ln_turn_server *server, struct turn_port *port)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];

    if (port->state == TURN_RELAY_ASKED)
        ln_map_remove_u64(&server->asked, port->id);
    if (port->state == TURN_RELAY_OPEN) {
        ln_address_key(&port->told, key);
        ln_map_remove(&server->relayed, key, sizeof key);
        ln_map_remove_u64(&server->links, port->link);
        turn_close_link(server, port->link);
        server->counts.shared_ports--;
    }
    if (port->local.port)
        ln_turn_port_release(server->config.shared, port->place, port->local.port);
    ln_list_remove(&port->siblings);
    ln_free(server->env->allocator, port);
}

/* Chooses a number and asks for the socket. */
static bool ask(struct ln_turn_server *server, struct turn_port *port)
{
    struct ln_turn_shared *shared = server->config.shared;
    struct ln_request request;
    uint16_t number = turn_choose_port(server, port->place, TURN_EVEN_NO);

    if (number == 0)
        return false;
    turn_place_address(server, port->place, number, &port->local, &port->told);
    request =
        (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .local = port->local, .exclusive = true };
    port->id = turn_ask_for(server, &port->kind, &request);
    port->state = TURN_RELAY_ASKED;
    if (port->id != 0)
        return true;
    ln_turn_port_release(shared, port->place, number);
    port->local.port = 0;
    port->state = TURN_RELAY_FAILED;
    return false;
}

static struct turn_port *create_port(struct ln_turn_server *server, size_t place)
{
    struct turn_port *port = ln_alloc_zero(server->env->allocator, sizeof *port);

    if (!port)
        return NULL;
    port->kind = TURN_PORT;
    port->place = (uint8_t)place;
    ln_list_init(&port->relays);
    ln_list_append(&server->ports, &port->siblings);
    if (ask(server, port))
        return port;
    free_port(server, port);
    return NULL;
}

/* The one with the fewest relays, a new one while there may be more: there is least in the way. */
static struct turn_port *choose(struct ln_turn_server *server, size_t place)
{
    struct turn_port *best = NULL, *fresh = NULL;
    size_t count = 0;

    LN_LIST_EACH (at, &server->ports) {
        struct turn_port *port = LN_CONTAINER(at, struct turn_port, siblings);

        if (port->place != place)
            continue;
        count++;
        if (!best || port->relay_count < best->relay_count)
            best = port;
    }
    if (count < server->config.relay_ports)
        fresh = create_port(server, place);
    return fresh ? fresh : best;
}

bool turn_port_join(struct ln_turn_server *server, struct turn_relay *relay, size_t place)
{
    struct turn_port *port = choose(server, place);

    if (!port)
        return false;
    relay->port = port;
    ln_list_init(&relay->claims);
    relay->claim_count = 0;
    ln_list_append(&port->relays, &relay->on_port);
    port->relay_count++;
    server->counts.shared_relays++;
    settle(relay, port);
    return true;
}

void turn_port_leave(struct ln_turn_server *server, struct turn_relay *relay)
{
    struct turn_port *port = relay->port;

    LN_LIST_EACH_SAFE (at, after, &relay->claims)
        drop_claim(server, LN_CONTAINER(at, struct turn_claim, siblings));
    ln_list_remove(&relay->on_port);
    relay->port = NULL;
    server->counts.shared_relays--;
    if (--port->relay_count == 0)
        free_port(server, port);
}

static bool opened(struct ln_turn_server *server, struct turn_port *port, ln_link link)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];

    ln_address_key(&port->told, key);
    if (ln_map_set_u64(&server->links, link, &port->kind) == 0) {
        if (ln_map_set(&server->relayed, key, sizeof key, &port->kind) == 0) {
            port->link = link;
            port->state = TURN_RELAY_OPEN;
            server->counts.shared_ports++;
            return true;
        }
        ln_map_remove_u64(&server->links, link);
    }
    turn_close_link(server, link);
    return false;
}

/* Another number, if this one is another program's. */
static bool try_again(struct ln_turn_server *server, struct turn_port *port)
{
    if (++port->attempts >= OPEN_ATTEMPTS_MAX)
        return false;
    ln_turn_port_release(server->config.shared, port->place, port->local.port);
    port->local.port = 0;
    return ask(server, port);
}

/* Each relay is told, which may end its allocation; the last one to leave frees the port. */
static void tell_relays(struct ln_turn_server *server, ln_time now, struct turn_port *port)
{
    bool open = port->state == TURN_RELAY_OPEN;

    for (size_t left = port->relay_count; left > 0; left--) {
        struct turn_relay *relay = LN_CONTAINER(port->relays.next, struct turn_relay, on_port);

        if (open) { /* behind those that are still to be told */
            ln_list_remove(&relay->on_port);
            ln_list_append(&port->relays, &relay->on_port);
            settle(relay, port);
        } else {
            turn_relay_close(server, relay);
        }
        turn_allocation_opened(server, now, relay->allocation);
    }
}

void turn_port_answer(struct ln_turn_server *server, ln_time now, struct turn_port *port,
                      const struct ln_answer *answer)
{
    ln_map_remove_u64(&server->asked, port->id);
    port->state = TURN_RELAY_FAILED;
    if (answer->kind == LN_ANSWER_OPENED) {
        (void)opened(server, port, answer->link);
    } else if (answer->error == LN_ERR_ADDRESS_IN_USE && try_again(server, port)) {
        LN_LIST_EACH (at, &port->relays)
            settle(LN_CONTAINER(at, struct turn_relay, on_port), port);
        return;
    }
    tell_relays(server, now, port);
}

void turn_port_closed(struct ln_turn_server *server, ln_time now, struct turn_port *port)
{
    for (size_t left = port->relay_count; left > 0; left--)
        turn_allocation_end(server, now,
                            LN_CONTAINER(port->relays.next, struct turn_relay, on_port)->allocation,
                            LN_TURN_END_CLOSED);
}
