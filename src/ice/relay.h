/* SPDX-License-Identifier: Apache-2.0
 * Relays: allocations at TURN servers, as what relayed candidates send through (RFC 8445, 5.1.1.2).
 *
 * A relay has a link of its own: a number that no driver gives out. Pairs on it have paths on that
 * link, with the relayed address as their local one; only ln_ice_wrap() and ln_ice_unwrap() know
 * the way from there to the server and back. A relay belongs to one generation; when that goes, or
 * the agent is closed, it still gives its allocation back with one message before its socket is
 * closed. */
#ifndef LN_ICE_RELAY_H
#define LN_ICE_RELAY_H

#include "base/endpoint.h"
#include "stun/turn_client.h"

#define LN_ICE_RELAYS_MAX      16u
#define LN_ICE_REDIRECTS_MAX   3u /* servers tried in place of the one that was asked for */
#define LN_ICE_VIRTUAL_LINK    0x80000000u
#define LN_ICE_RELAY_RC        5u /* with Rm 4: a silent server costs 9.5 s */
#define LN_ICE_RELAY_RM        4u
#define LN_ICE_RELAY_KEEPALIVE LN_SECONDS(15) /* of the way to the server (RFC 8445, 11) */

struct ln_ice;
struct ln_ice_generation;
struct ln_ice_link;
struct ln_ice_pair;
struct ln_stun_message;

struct ln_ice_relay {
    const struct ln_ice_generation *generation; /* NULL: it is leaving */
    struct ln_turn *turn;
    ln_link link; /* its own */
    ln_link via;  /* the socket to the server */
    struct ln_address base, server;
    struct ln_address tried[LN_ICE_REDIRECTS_MAX + 1];
    uint8_t redirects;
    uint8_t server_index, send_failures;
    uint16_t preference; /* of its candidates */
    bool done;           /* it gave its candidates or failed: gathering does not wait for it */
    bool failed;
    bool keepalive_due;
    ln_time sent_at; /* the last message to the server */
};

static inline bool ln_ice_is_virtual(ln_link link)
{
    return (link & LN_ICE_VIRTUAL_LINK) != 0;
}

/* Allocates at each TURN server from each socket of the present generation that has not begun. */
void ln_ice_want_relays(struct ln_ice *ice, ln_time now);
void ln_ice_relays_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_relays_next_timeout(const struct ln_ice *ice);
/* The next message to a server. */
int ln_ice_relays_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
/* Unpacks what came from a server. 1: go on with the packet, which may be unpacked now; else as
 * ln_ice_unwrap(). */
int ln_ice_relays_unwrap(struct ln_ice *ice, ln_time now, struct ln_packet *packet);
/* Whether the pair's datagrams may leave now; asks for permission if need be, and fails the pair
 * when it is refused. True for pairs without a relay. */
bool ln_ice_relay_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
/* The pair carries data from now on. */
void ln_ice_relay_bind(struct ln_ice *ice, struct ln_ice_pair *pair);
bool ln_ice_relays_own(const struct ln_ice *ice, ln_link link);
/* Another was faster. */
void ln_ice_relay_give_up(struct ln_ice *ice, struct ln_ice_relay *relay);
/* A socket is no more. */
void ln_ice_relays_link_closed(struct ln_ice *ice, ln_link via);
void ln_ice_relays_send_failed(struct ln_ice *ice, const struct ln_path *path);
/* Those of a generation that goes; they leave by themselves. */
void ln_ice_release_relays(struct ln_ice *ice, const struct ln_ice_generation *g);
/* Whether one that leaves has something to send on this socket. */
bool ln_ice_relays_hold(const struct ln_ice *ice, ln_link via);
void ln_ice_relays_free(struct ln_ice *ice);

#endif
