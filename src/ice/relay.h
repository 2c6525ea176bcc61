/* SPDX-License-Identifier: Apache-2.0
 * Relays: allocations at TURN servers, as what relayed candidates send through (RFC 8445, 5.1.1.2).
 *
 * A relay has a link of its own: a number that no driver gives out. Pairs on it have paths on that
 * link, with the relayed address as their local one; only ln_ice_wrap() and ln_ice_unwrap() know
 * the way from there to the server and back: the socket of the host candidate (UDP, or DTLS on it),
 * or one of the relay's own: a stream (TCP, or TLS on it), or a socket of UDP when it had to move.
 * A relay belongs to one generation; when that goes, or the agent is closed, it still gives its
 * allocation back with one message before its socket is closed.
 *
 * Where TCP candidates are wanted, a server that is spoken to by streams is asked for an allocation
 * of TCP too (RFC 6062), by a relay beside the other: it is no error when that is refused, and
 * gathering does not wait for it.
 *
 * Where the server gives tickets (RFC 8016) a relay outlives its way: relay_move.c. */
#ifndef LN_ICE_RELAY_H
#define LN_ICE_RELAY_H

#include "base/endpoint.h"
#include "ice/way.h"
#include "stun/turn_client.h"

#define LN_ICE_RELAYS_MAX      16u
#define LN_ICE_REDIRECTS_MAX   3u /* servers tried in place of the one that was asked for */
#define LN_ICE_ELSEWHERE_MAX   2u /* ports more from which a server is asked that answers 437 */
#define LN_ICE_TCP_RELAYS_MAX  2u /* allocations of TCP, of one generation */
#define LN_ICE_VIRTUAL_LINK    0x80000000u
#define LN_ICE_RELAY_RC        5u /* with Rm 4: a silent server costs 9.5 s */
#define LN_ICE_RELAY_RM        4u
#define LN_ICE_RELAY_ROOM_MIN  (256u * 1024u) /* of a stream's queue; with less, data is dropped */
#define LN_ICE_RELAY_KEEPALIVE LN_SECONDS(15) /* of the way to the server (RFC 8445, 11) */
#define LN_ICE_RELAY_ADRIFT                                                                        \
    LN_SECONDS(10) /* without a way to the server, before it is given up                           \
                    */
#define LN_ICE_RELAY_RETRY  LN_MILLISECONDS(500) /* between two ways that are tried */
#define LN_ICE_RELAY_DOUBT  LN_MILLISECONDS(300) /* a server on a stream or DTLS has to answer */
#define LN_ICE_RENEWALS_MAX 3u /* allocations in a row that were made anew and soon lost */
#define LN_ICE_RENEWAL_LIFE LN_SECONDS(60) /* soon */

struct ln_ice;
struct ln_ice_generation;
struct ln_ice_link;
struct ln_ice_pair;
struct ln_stun_message;

struct ln_ice_relay {
    const struct ln_ice_generation *generation; /* NULL: it is leaving */
    struct ln_turn_client *turn;
    ln_link link; /* its own */
    struct ln_ice_way way;
    ln_time give_up_at; /* unless it is done */
    struct ln_address tried[LN_ICE_REDIRECTS_MAX + 1];
    bool streams; /* its allocation is one of TCP (tcp_relayed.c) */
    uint8_t redirects, renewals, elsewhere;
    uint8_t server_index, send_failures;
    uint32_t interface;  /* index of the one that it is reached by */
    uint16_t preference; /* of its candidates */
    bool done;           /* it gave its candidates or failed: gathering does not wait for it */
    bool failed;
    bool keepalive_due;
    ln_time sent_at;  /* the last message to the server */
    ln_time heard_at; /* the last one of the server; LN_TIME_IMMEDIATE: none */
    ln_time ready_at; /* it has its allocation since */
    /* relay_move.c */
    bool adrift;         /* no way to the server: one is made from wherever it can be */
    bool arriving;       /* one is being made, and the allocation is to be moved there */
    ln_time move_by;     /* adrift or arriving: given up then; LN_TIME_NEVER */
    ln_time retry_at;    /* adrift: not before; LN_TIME_NEVER: as soon as there is a socket */
    ln_time doubted_at;  /* a stream or DTLS: the server was asked whether it is there, or NEVER */
    unsigned moves_seen; /* of the client's */
};

/* Of a relay, or of a base of TCP (ice/tcp.h). */
static inline bool ln_ice_is_virtual(ln_link link)
{
    return (link & LN_ICE_VIRTUAL_LINK) != 0;
}

/* Allocates at each TURN server from each socket of the present generation that has not begun. */
void ln_ice_want_relays(struct ln_ice *ice, ln_time now);
void ln_ice_relays_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_relays_next_timeout(const struct ln_ice *ice);
int ln_ice_relays_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
bool ln_ice_relays_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
/* The next message to a server. */
int ln_ice_relays_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
/* Unpacks what came from a server. 1: go on with the packet, which may be unpacked now; else as
 * ln_ice_unwrap(). LN_ERR_AGAIN: ice->draining has it, ln_ice_relay_next() gives it piece by piece.
 */
int ln_ice_relays_unwrap(struct ln_ice *ice, ln_time now, struct ln_packet *packet);
/* The next datagram of a peer that ice->draining unpacks: 1; 0: no more; < 0: dropped. */
int ln_ice_relay_next(struct ln_ice *ice, ln_time now, struct ln_packet *packet);
/* Whether the pair's datagrams may leave now; asks for permission if need be, and fails the pair
 * when it is refused. True for pairs without a relay. */
bool ln_ice_relay_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
/* The pair carries data from now on. */
void ln_ice_relay_bind(struct ln_ice *ice, struct ln_ice_pair *pair);
bool ln_ice_relays_own(const struct ln_ice *ice, ln_link link);
/* Something should have been heard through the relays since then: those whose server said nothing
 * either are moved, as the server may see us come from elsewhere now. Of one of them, or (NULL) of
 * all that have a pair of use. */
void ln_ice_relays_doubt(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time since,
                         ln_time now);
/* Another was faster. */
void ln_ice_relay_give_up(struct ln_ice *ice, struct ln_ice_relay *relay);
/* Whether an allocation of the present generation is on its way. */
bool ln_ice_relays_awaited(const struct ln_ice *ice);
/* A socket is no more. With an `address` that is gone with it, nor are the streams from there; the
 * server is not blamed. */
void ln_ice_relays_link_closed(struct ln_ice *ice, ln_link via, const struct ln_address *address);
void ln_ice_relays_send_failed(struct ln_ice *ice, const struct ln_path *path);
/* Those of a generation that goes; they leave by themselves. */
void ln_ice_release_relays(struct ln_ice *ice, const struct ln_ice_generation *g);
/* Whether one that leaves has something to send on this socket. */
bool ln_ice_relays_hold(const struct ln_ice *ice, ln_link via);
void ln_ice_relays_free(struct ln_ice *ice);

/* For the files relay*.c. */

/* The relay with this link, or NULL. */
struct ln_ice_relay *ln_ice_relay_find(const struct ln_ice *ice, ln_link link);
/* A copy of the model, begun; false when out of memory or at the limit. */
bool ln_ice_relay_start(struct ln_ice *ice, const struct ln_ice_relay *model, ln_time now);
/* It leaves by itself. */
void ln_ice_relay_release(struct ln_ice *ice, struct ln_ice_relay *relay);
void ln_ice_relay_free(struct ln_ice *ice, size_t i);
/* It carries nothing any more: its pairs fail, and the reason is told if it never did. `text` is of
 * enum ln_ice_error_text. */
void ln_ice_relay_failed(struct ln_ice *ice, struct ln_ice_relay *relay, uint16_t code,
                         unsigned text);
/* relay_again.c */

/* 300: the same request to the server that was named, unless that was asked already. */
void ln_ice_relay_redirect(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);
/* 437: the server takes us for somebody who had our port at the NAT before: from two other ports of
 * ours, then not again: false. */
bool ln_ice_relay_try_elsewhere(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);

/* relay_move.c */

/* Its socket or stream is gone. False when it cannot do without: then it has failed. */
bool ln_ice_relay_uproot(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);
/* READY: looks for a way, gives up, or sees that it arrived. */
void ln_ice_relay_move_run(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);
ln_time ln_ice_relay_move_next_timeout(const struct ln_ice_relay *relay);
/* The server took its allocation away: another one is made in its place. */
void ln_ice_relay_renew(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);

#endif
