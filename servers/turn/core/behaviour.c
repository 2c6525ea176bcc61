/* SPDX-License-Identifier: Apache-2.0
 * NAT behaviour discovery (RFC 5780, 6 and 7): with two addresses and two ports on each, a Binding
 * request may ask to be answered from another address or another port, and is told of both.
 *
 * The answer always goes to where the request came from: RESPONSE-PORT and PADDING, which would
 * make the server send elsewhere or send much, are not offered (420). */
#include "servers/turn/core/internal.h"

#include <string.h>

#define CHANGE_IP   4u /* RFC 5780, 7.2 */
#define CHANGE_PORT 2u

static const struct turn_listener *find(const struct ln_turn_server *server,
                                        const struct turn_listener *from, bool other_ip,
                                        bool other_port)
{
    for (size_t i = 0; i < server->config.listen_count; i++) {
        const struct turn_listener *l = &server->listeners[i];
        bool same_ip = memcmp(l->what.address.ip, from->what.address.ip, 16) == 0;

        if (l->what.stream || l->state != LISTEN_OPEN ||
            l->what.address.family != from->what.address.family)
            continue;
        if (same_ip != other_ip && (l->what.address.port == from->what.address.port) != other_port)
            return l;
    }
    return NULL;
}

static const struct turn_listener *listener_of(const struct ln_turn_server *server, ln_link link)
{
    for (size_t i = 0; i < server->config.listen_count; i++)
        if (server->listeners[i].link == link && !server->listeners[i].what.stream)
            return &server->listeners[i];
    return NULL;
}

/* Whether the request has an unknown attribute that is not CHANGE-REQUEST. */
static bool has_unknown(const struct ln_stun_message *message)
{
    for (size_t i = 0; i < message->unknown_count; i++)
        if (message->unknown[i] != LN_STUN_CHANGE_REQUEST)
            return true;
    return false;
}

int turn_behaviour_answer(const struct turn_request *request, uint8_t *data, size_t cap,
                          struct ln_path *ret_path)
{
    const struct ln_turn_server *server = request->server;
    const struct ln_path *path = &request->client->path;
    const struct turn_listener *own = listener_of(server, path->link), *other, *from;
    struct ln_stun_builder b;
    uint32_t change = 0;
    int len;

    if (!own || request->client->transport != LN_TURN_UDP || has_unknown(request->message))
        return 0;
    other = find(server, own, true, true);
    if (!other || !find(server, own, true, false) || !find(server, own, false, true))
        return 0; /* not all four */
    (void)ln_stun_find_u32(request->message, LN_STUN_CHANGE_REQUEST, &change);
    from = find(server, own, (change & CHANGE_IP) != 0, (change & CHANGE_PORT) != 0);
    ln_stun_begin(&b, data, cap, LN_STUN_SUCCESS, LN_STUN_BINDING, &request->message->id);
    ln_stun_add_address(&b, LN_STUN_MAPPED_ADDRESS, &path->remote); /* both (RFC 5780, 6.1) */
    ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &path->remote);
    ln_stun_add_address(&b, LN_STUN_RESPONSE_ORIGIN, &from->what.address);
    ln_stun_add_address(&b, LN_STUN_OTHER_ADDRESS, &other->what.address);
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    *ret_path = (struct ln_path){ from->link, from->what.address, path->remote };
    return len;
}
