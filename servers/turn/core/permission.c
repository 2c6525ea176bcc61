/* SPDX-License-Identifier: Apache-2.0
 * Permissions and channels (RFC 8656, 9, 10 and 12).
 *
 * Both are short arrays of their allocation, looked up from where the last look-up ended, as
 * packets come in runs. An expired entry is as good as none: it is found by nobody, and the next
 * new one takes its place. On a shared port a permission is also a claim on what its peer sends
 * there (port.c). */
#include "base/address.h"
#include "base/alloc.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <string.h>

/* ---- looking up ---- */

struct turn_permission *turn_permission_find(struct turn_allocation *allocation, ln_time now,
                                             const struct ln_address *peer)
{
    for (size_t i = 0, at = allocation->last_permission; i < allocation->permission_count; i++) {
        struct turn_permission *p = &allocation->permissions[at];

        if (p->peer.family == peer->family && memcmp(p->peer.ip, peer->ip, 16) == 0) {
            allocation->last_permission = at;
            return now < p->expires ? p : NULL;
        }
        at = at + 1 < allocation->permission_count ? at + 1 : 0;
    }
    return NULL;
}

struct turn_channel *turn_channel_by_number(struct turn_allocation *allocation, ln_time now,
                                            uint16_t number)
{
    for (size_t i = 0, at = allocation->last_channel; i < allocation->channel_count; i++) {
        struct turn_channel *c = &allocation->channels[at];

        if (c->number == number && now < c->expires) {
            allocation->last_channel = at;
            return c;
        }
        at = at + 1 < allocation->channel_count ? at + 1 : 0;
    }
    return NULL;
}

static bool same_peer(const struct ln_address *a, const struct ln_address *b)
{
    return a->port == b->port && a->family == b->family && memcmp(a->ip, b->ip, 16) == 0;
}

struct turn_channel *turn_channel_by_peer(struct turn_allocation *allocation, ln_time now,
                                          const struct ln_address *peer)
{
    for (size_t i = 0, at = allocation->last_channel; i < allocation->channel_count; i++) {
        struct turn_channel *c = &allocation->channels[at];

        if (same_peer(&c->peer, peer) && now < c->expires) {
            allocation->last_channel = at;
            return c;
        }
        at = at + 1 < allocation->channel_count ? at + 1 : 0;
    }
    return NULL;
}

/* ---- where to ---- */

bool turn_peer_is_own(const struct ln_turn_server *server, const struct ln_address *peer,
                      size_t *ret_place)
{
    for (size_t i = 0; i < server->config.relay_count; i++) {
        const struct ln_turn_relay *relay = &server->relays[i];
        const struct ln_address *told = relay->external.family ? &relay->external : &relay->bind;

        if (told->family == peer->family && memcmp(told->ip, peer->ip, 16) == 0) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}

/* Whether the address is of other clients' relays. Those on loopback are for trying out, and need
 * the operator's word as every loopback address does. */
static bool is_relay_address(const struct ln_turn_server *server, const struct ln_address *peer,
                             size_t *ret_place)
{
    return turn_peer_is_own(server, peer, ret_place) && !ln_address_is_loopback(peer);
}

bool turn_peer_is_resident(const struct ln_turn_server *server, const struct ln_address *peer)
{
    struct ln_turn_residents *residents = ln_turn_shared_residents(server->config.shared);
    unsigned box;

    return peer->port == 0 ? ln_turn_residents_at(residents, peer)
                           : ln_turn_residents_find(residents, peer, &box);
}

/* Loopback as above. */
static bool is_resident(const struct ln_turn_server *server, const struct ln_address *peer)
{
    return turn_peer_is_resident(server, peer) && !ln_address_is_loopback(peer);
}

bool turn_peer_port_allowed(const struct ln_turn_server *server, const struct ln_address *peer,
                            bool stream)
{
    size_t place;

    if (!stream && peer->port != 0 && is_resident(server, peer))
        return true;
    if (is_relay_address(server, peer, &place) &&
        ln_turn_port_serves(server->config.shared, place, peer->port, stream))
        return true;
    return ln_turn_policy_check(server->config.policy, peer).allowed;
}

bool turn_permission_covers(const struct ln_turn_server *server,
                            const struct turn_permission *permission, const struct ln_address *peer,
                            bool stream)
{
    return !permission->ours || turn_peer_port_allowed(server, peer, stream);
}

bool turn_peer_allowed(const struct turn_request *request, const struct ln_address *peer)
{
    struct ln_turn_server *server = request->server;
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_REFUSED_PEER,
                                   .transport = request->client->transport,
                                   .allocation = request->client->allocation->number,
                                   .client = request->client->path.remote,
                                   .peer = *peer,
                                   .code = 403 };
    struct ln_address host = *peer;
    bool stream = request->client->allocation->tcp;
    size_t place;

    if (peer->port == 0
            ? is_relay_address(server, peer, &place) || (!stream && is_resident(server, peer))
            : turn_peer_port_allowed(server, peer, stream))
        return true;
    if (ln_turn_policy_check(server->config.policy, &host).allowed)
        return true;
    event.peer_class = ln_turn_policy_check(server->config.policy, &host).kind;
    server->counts.refused_peers++;
    server->counts.refused_class[event.peer_class]++;
    turn_event_name(&event, request->name);
    turn_tell(server, &event);
    return false;
}

/* ---- installing ---- */

/* Room for one more element: an expired one's place, or a new one; NULL at the limit of the
 * allocation, of its user or of all, which is counted, or without memory. `expires_at` is where an
 * element keeps its expiry. */
static void *place_for(const struct turn_request *request, enum ln_turn_place kind, void *array,
                       size_t size, size_t expires_at, size_t *count, size_t *cap, size_t limit)
{
    struct ln_turn_shared *shared = request->server->config.shared;
    struct ln_turn_user *user = request->client->allocation->user;
    uint8_t **elements = array;

    for (size_t i = 0; i < *count; i++) {
        ln_time expires;

        memcpy(&expires, *elements + i * size + expires_at, sizeof expires);
        if (expires <= request->now)
            return *elements + i * size;
    }
    if (*count >= limit || !ln_turn_user_take_place(shared, user, kind)) {
        request->server->counts.refused_places++;
        return NULL;
    }
    if (ln_grow(request->server->env->allocator, array, size, *count, cap, limit) != 0) {
        ln_turn_user_give_places(shared, user, kind, 1);
        return NULL;
    }
    return *elements + (*count)++ * size;
}

static bool install_permission(const struct turn_request *request, const struct ln_address *peer)
{
    struct turn_allocation *a = request->client->allocation;
    struct turn_relay *relay = turn_relay_of(a, peer->family);
    struct turn_permission *p = NULL;
    bool fresh;

    for (size_t i = 0; i < a->permission_count && !p; i++)
        if (a->permissions[i].peer.family == peer->family &&
            memcmp(a->permissions[i].peer.ip, peer->ip, 16) == 0)
            p = &a->permissions[i];
    fresh = !p;
    if (fresh)
        p = place_for(request, LN_TURN_PLACE_PERMISSION, &a->permissions, sizeof *p,
                      offsetof(struct turn_permission, expires), &a->permission_count,
                      &a->permission_cap, request->server->config.permissions_max);
    if (!p)
        return false;
    if (fresh)
        *p = (struct turn_permission){ .peer = *peer, .expires = request->now }; /* none yet */
    p->peer.port = 0;
    if (!turn_claim_take(request->server, request->now, relay, peer))
        return false;
    p->ours = !ln_turn_policy_check(request->server->config.policy, &p->peer).allowed;
    p->expires = request->now + LN_TURN_PERMISSION_LIFETIME;
    return true;
}

/* 0, or the code of the error. A permission is of the address, whatever the port (RFC 8656, 10.2).
 */
static uint16_t check_peer(const struct turn_request *request, const struct ln_address *peer,
                           bool any_port)
{
    const struct turn_relay *relay = turn_relay_of(request->client->allocation, peer->family);
    struct ln_address asked = *peer;

    if (!relay)
        return 443;
    if (any_port)
        asked.port = 0;
    if (!turn_peer_allowed(request, &asked))
        return 403;
    if (turn_claim_free(request->server, request->now, relay, peer))
        return 0;
    request->server->counts.collisions++;
    return 508;
}

/* The next peer of the request: 1, 0 at the end, -1 when it is no address. */
static int next_peer(const struct ln_stun_message *message, size_t *cursor,
                     struct ln_address *ret_peer)
{
    struct ln_bytes value;

    if (!ln_stun_find_next(message, LN_STUN_XOR_PEER_ADDRESS, cursor, &value))
        return 0;
    if (!ln_stun_read_xor_address(message, value, ret_peer))
        return -1;
    return 1;
}

/* Whether so many that are not in force now can be: each needs a place, an expired one's or a new
 * one. */
static bool has_room(const struct turn_request *request, size_t wanted)
{
    const struct turn_allocation *a = request->client->allocation;
    size_t in_force = 0, expired;

    for (size_t i = 0; i < a->permission_count; i++)
        in_force += request->now < a->permissions[i].expires;
    expired = a->permission_count - in_force;
    if (wanted == 0 || wanted <= expired)
        return true;
    return in_force + wanted <= request->server->config.permissions_max &&
           ln_turn_user_has_places(request->server->config.shared, a->user,
                                   LN_TURN_PLACE_PERMISSION, wanted - expired);
}

/* 0, or the code of the error. */
static uint16_t check_peers(const struct turn_request *request)
{
    struct turn_allocation *a = request->client->allocation;
    size_t wanted = 0, cursor = 0, count = 0;
    struct ln_address peer;
    int more;

    while ((more = next_peer(request->message, &cursor, &peer)) > 0)
        count++;
    if (count == 0 || more < 0)
        return 400;
    for (cursor = 0; next_peer(request->message, &cursor, &peer) > 0;) {
        uint16_t code = check_peer(request, &peer, true);

        if (code)
            return code;
        wanted += turn_permission_find(a, request->now, &peer) == NULL;
    }
    if (has_room(request, wanted))
        return 0;
    request->server->counts.refused_places++;
    return 508;
}

/* All the addresses of the request or none (RFC 8656, 10.2). */
void turn_create_permission(struct turn_request *request)
{
    struct ln_stun_builder b;
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_address peer;
    size_t cursor = 0;
    uint16_t code = check_peers(request);

    if (code) {
        turn_refuse(request, code);
        return;
    }
    while (next_peer(request->message, &cursor, &peer) > 0) {
        if (!install_permission(request, &peer)) {
            turn_refuse(request, 508);
            return;
        }
    }
    turn_answer_begin(&b, data, request, LN_STUN_SUCCESS);
    turn_answer_send(&b, request);
}

/* The channel of this number or this peer, expired or not. Both must be of one channel or free
 * (RFC 8656, 12.2): else *ret_clash. */
static struct turn_channel *bound_channel(const struct turn_request *request, uint16_t number,
                                          const struct ln_address *peer, bool *ret_clash)
{
    struct turn_allocation *a = request->client->allocation;
    struct turn_channel *by_number = turn_channel_by_number(a, request->now, number);
    struct turn_channel *by_peer = turn_channel_by_peer(a, request->now, peer);

    *ret_clash = by_number != by_peer;
    return by_number;
}

static bool number_allowed(const struct ln_turn_server *server, uint16_t number)
{
    return ln_channel_valid(number) || (!server->config.strict_channels &&
                                        number >= LN_CHANNEL_MIN && number <= LN_CHANNEL_MAX_OLD);
}

void turn_channel_bind(struct turn_request *request)
{
    struct turn_allocation *a = request->client->allocation;
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct turn_channel *channel = NULL;
    struct ln_stun_builder b;
    struct ln_address peer;
    uint32_t value;
    uint16_t code;
    bool clash = true;

    if (!a->tcp && /* which has no use for channels */
        ln_stun_find_u32(request->message, LN_STUN_CHANNEL_NUMBER, &value) &&
        ln_stun_find_xor_address(request->message, LN_STUN_XOR_PEER_ADDRESS, &peer) &&
        peer.port != 0 && number_allowed(request->server, (uint16_t)(value >> 16)))
        channel = bound_channel(request, (uint16_t)(value >> 16), &peer, &clash);
    if (clash) {
        turn_refuse(request, 400);
        return;
    }
    code = check_peer(request, &peer, false);
    if (!code && !channel) {
        channel = place_for(request, LN_TURN_PLACE_CHANNEL, &a->channels, sizeof *channel,
                            offsetof(struct turn_channel, expires), &a->channel_count,
                            &a->channel_cap, request->server->config.channels_max);
        if (channel)
            *channel = (struct turn_channel){ .expires = request->now }; /* none yet */
    }
    if (!code && (!channel || !install_permission(request, &peer)))
        code = 508;
    if (code) {
        turn_refuse(request, code);
        return;
    }
    channel->number = (uint16_t)(value >> 16);
    channel->peer = peer;
    channel->ours = !ln_turn_policy_check(request->server->config.policy, &peer).allowed;
    channel->expires = request->now + LN_TURN_CHANNEL_LIFETIME;
    turn_answer_begin(&b, data, request, LN_STUN_SUCCESS);
    turn_answer_send(&b, request);
}
