/* SPDX-License-Identifier: Apache-2.0
 * What ICMP says about a datagram to a peer, told to the client who sent it (RFC
 * 8656, 11.5, 18.13): a Data indication with XOR-PEER-ADDRESS and ICMP, also where a channel is
 * bound (12).
 *
 *     0                   1                   2                   3
 *    |            reserved, 0            |     type      |     code      |
 *    |     MTU of the next link, where the datagram was too big, else 0    |
 *
 * Told is what says that something did not get there: types 3 and 11 of ICMPv4, 1 to 3 of ICMPv6.
 * The MTU is told as it came: what our headers take of the client's own path is another path's.
 *
 * Whose it was: the relay's whose socket it left by; at a shared port that of him who is heard
 * there when this peer speaks (port.c). The datagram's destination must be one that he may reach
 * now, by permission and policy, as if the peer itself had spoken: who said it does not matter and
 * is not told, so that nothing is learned of hosts that he may not ask, nor of the routers before
 * them.
 *
 * A message costs whoever forges it nothing, and a peer may answer each packet with one. So an
 * allocation has a bucket: LN_TURN_ICMP_BURST at once, then one each LN_TURN_ICMP_INTERVAL, which
 * is as many as there are checks when ICE runs at its pace (RFC 8445, 14.2), and at 56 bytes less
 * than 10 kbit/s. No message is ever told that is not about a packet of this very client's relay:
 * the kernel looks for its socket by both addresses. */
#include "base/time.h"
#include "servers/turn/core/internal.h"

enum { V4_UNREACHABLE = 3, V4_TIME_EXCEEDED = 11, V4_TOO_BIG_CODE = 4 }; /* RFC 792, RFC 1191 */
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3 };       /* RFC 4443 */

#define ICMP_LEN       8u
#define INDICATION_MAX (LN_STUN_HEADER_LEN + 4 + 20 + 4 + ICMP_LEN)

static bool is_told(uint8_t family, const struct ln_icmp *icmp)
{
    return family == LN_FAMILY_IPV4
               ? icmp->type == V4_UNREACHABLE || icmp->type == V4_TIME_EXCEEDED
               : icmp->type >= V6_UNREACHABLE && icmp->type <= V6_TIME_EXCEEDED;
}

static bool is_too_big(uint8_t family, const struct ln_icmp *icmp)
{
    return family == LN_FAMILY_IPV4 ? icmp->type == V4_UNREACHABLE && icmp->code == V4_TOO_BIG_CODE
                                    : icmp->type == V6_TOO_BIG;
}

/* Whose socket it was and who may hear of this peer; NULL: nobody. */
static struct turn_allocation *concerned(struct ln_turn_server *server, ln_time now, ln_link link,
                                         const struct ln_address *peer)
{
    enum turn_kind *kind = ln_map_get_u64(&server->links, link);
    struct turn_relay *relay = NULL;
    struct turn_allocation *a;

    if (kind && *kind == TURN_RELAY)
        relay = LN_CONTAINER(kind, struct turn_relay, kind);
    else if (kind && *kind == TURN_PORT)
        relay = turn_port_receiver(server, now, LN_CONTAINER(kind, struct turn_port, kind), NULL,
                                   peer, 0);
    a = relay ? relay->allocation : NULL;
    return a && !a->opening && a->client && turn_permission_find(a, now, peer) &&
                   turn_peer_port_allowed(server, peer, false)
               ? a
               : NULL;
}

static bool take_token(struct turn_allocation *a, ln_time now)
{
    ln_time base = a->icmp_spent > now ? a->icmp_spent : now;

    if (base - now > (LN_TURN_ICMP_BURST - 1) * LN_TURN_ICMP_INTERVAL)
        return false;
    a->icmp_spent = base + LN_TURN_ICMP_INTERVAL;
    return true;
}

static struct ln_buffer *indication(struct ln_turn_server *server, const struct ln_address *peer,
                                    const struct ln_icmp *icmp)
{
    struct ln_buffer *buffer = turn_buffer(server, INDICATION_MAX);
    uint8_t value[ICMP_LEN] = { 0, 0, icmp->type, icmp->code };
    struct ln_stun_builder b;

    if (!buffer)
        return NULL;
    ln_store32(value + 4, is_too_big(peer->family, icmp) ? icmp->mtu : 0);
    turn_indication_begin(server, &b, ln_buffer_bytes(buffer), buffer->len, LN_STUN_DATA, peer);
    ln_stun_add(&b, LN_STUN_ICMP, value, sizeof value);
    buffer->len = (uint32_t)ln_stun_finish(&b); /* there is room */
    return buffer;
}

void turn_icmp(struct ln_turn_server *server, ln_time now, const struct ln_answer *answer)
{
    struct ln_address peer = turn_peer_outer(server, &answer->path.remote);
    struct turn_allocation *a = NULL;
    struct ln_buffer *buffer;

    if (answer->icmp.type == 0)
        return;
    if (is_told(peer.family, &answer->icmp))
        a = concerned(server, now, answer->path.link, &peer);
    if (!a) {
        server->counts.icmp_ignored++;
        return;
    }
    if (!take_token(a, now)) {
        server->counts.icmp_limited++;
        return;
    }
    buffer = indication(server, &peer, &answer->icmp);
    if (buffer && turn_send_to_client(server, now, a->client, buffer))
        server->counts.icmp_told++;
}
