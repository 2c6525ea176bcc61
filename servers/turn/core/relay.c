/* SPDX-License-Identifier: Apache-2.0
 * The data path (RFC 8656, 11 and 12): from a client to a peer, from a peer to a client, and
 * without a socket in between where both are of this program (handover.c).
 *
 * Data that may not pass is dropped and counted, never answered. A datagram stays in the buffer in
 * which it came: a channel's header is taken off or put before it there. What came in a train, goes
 * to a stream or a session or stands in an indication is copied once, behind its new header. */
#include "servers/turn/core/internal.h"

#include <string.h>

#define DATA_HEADER_MAX (LN_STUN_HEADER_LEN + 4 + 20 + 4) /* Data indication with an IPv6 peer */

/* ---- to a client ---- */

static struct ln_buffer *channel_data(struct ln_turn_server *server,
                                      const struct turn_client *client, uint16_t number,
                                      const uint8_t *data, size_t len)
{
    size_t padding = turn_is_stream(client) ? ln_channel_data_padding(len) : 0;
    struct ln_buffer *buffer;
    uint8_t *at;

    if (client->transport == LN_TURN_UDP) {
        buffer = turn_buffer_of(server, data, len, LN_CHANNEL_HEADER_LEN);
        if (buffer)
            ln_channel_data_write_header(ln_buffer_bytes(buffer), number, len);
        return buffer;
    }
    buffer = turn_buffer(server, LN_CHANNEL_HEADER_LEN + len + padding);
    if (!buffer)
        return NULL;
    at = ln_buffer_bytes(buffer);
    ln_channel_data_write_header(at, number, len);
    memcpy(at + LN_CHANNEL_HEADER_LEN, data, len);
    memset(at + LN_CHANNEL_HEADER_LEN + len, 0, padding);
    return buffer;
}

static struct ln_buffer *data_indication(struct ln_turn_server *server,
                                         const struct ln_address *peer, const uint8_t *data,
                                         size_t len)
{
    struct ln_buffer *buffer = turn_buffer(server, DATA_HEADER_MAX + len + 3);
    struct ln_stun_builder b;
    int total;

    if (!buffer)
        return NULL;
    turn_indication_begin(server, &b, ln_buffer_bytes(buffer), buffer->len, LN_STUN_DATA, peer);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, data, len);
    total = ln_stun_finish(&b);
    if (total < 0) {
        server->counts.dropped_malformed++;
        ln_buffer_unref(buffer);
        return NULL;
    }
    buffer->len = (uint32_t)total;
    return buffer;
}

static void to_client(struct ln_turn_server *server, ln_time now,
                      struct turn_allocation *allocation, const struct ln_address *peer,
                      const uint8_t *data, size_t len)
{
    const struct turn_permission *permission = turn_permission_find(allocation, now, peer);
    struct turn_client *client = allocation->client;
    const struct turn_channel *channel;
    struct ln_buffer *buffer;

    if (!permission) {
        server->counts.dropped_no_permission++;
        return;
    }
    if (!turn_permission_covers(server, permission, peer, false)) {
        server->counts.dropped_policy++; /* some other service of this machine */
        return;
    }
    if (!client) {
        server->counts.dropped_no_allocation++; /* adrift */
        allocation->packets_dropped++;
        return;
    }
    if (!ln_turn_user_take(server->config.shared, allocation->user, now, len)) {
        server->counts.dropped_rate++;
        allocation->packets_dropped++;
        return;
    }
    channel = turn_channel_by_peer(allocation, now, peer);
    buffer = channel ? channel_data(server, client, channel->number, data, len)
                     : data_indication(server, peer, data, len);
    if (!buffer || !turn_send_to_client(server, now, client, buffer)) {
        allocation->packets_dropped++;
        return;
    }
    allocation->bytes_to_client += len;
    server->counts.transport[client->transport].packets_out++;
    server->counts.transport[client->transport].bytes_out += len;
}

struct ln_address turn_peer_outer(const struct ln_turn_server *server,
                                  const struct ln_address *peer)
{
    struct ln_address told = *peer;

    for (size_t i = 0; i < server->config.relay_count; i++)
        if (server->relays[i].external.family == peer->family &&
            memcmp(server->relays[i].bind.ip, peer->ip, 16) == 0 &&
            ln_turn_port_claimed(server->config.shared, i, peer->port))
            memcpy(told.ip, server->relays[i].external.ip, 16);
    return told;
}

struct ln_address turn_peer_inner(const struct ln_turn_server *server,
                                  const struct ln_address *peer)
{
    struct ln_address inner = *peer;
    size_t place;

    if (turn_peer_is_own(server, peer, &place))
        memcpy(inner.ip, server->relays[place].bind.ip, 16);
    return inner;
}

void turn_from_peer(struct ln_turn_server *server, ln_time now, struct turn_relay *relay,
                    const struct ln_address *peer, const uint8_t *data, size_t len)
{
    struct ln_address told = turn_peer_outer(server, peer);

    if (!relay->allocation->opening)
        to_client(server, now, relay->allocation, &told, data, len);
    else
        server->counts.dropped_no_permission++;
}

void turn_from_peer_to_port(struct ln_turn_server *server, ln_time now, struct turn_port *port,
                            const struct ln_packet *packet)
{
    struct ln_address told = turn_peer_outer(server, &packet->path.remote);
    struct turn_relay *relay = turn_port_receiver(server, now, port, NULL, &told, 0);

    if (relay)
        to_client(server, now, relay->allocation, &told, packet->data, packet->len);
    else
        server->counts.dropped_no_permission++;
}

/* ---- to a peer ---- */

static void to_peer(struct ln_turn_server *server, ln_time now, struct turn_allocation *allocation,
                    const struct ln_address *peer, enum turn_load load, const uint8_t *data,
                    size_t len)
{
    struct turn_relay *relay = turn_relay_of(allocation, peer->family);
    struct ln_path path;
    struct ln_buffer *buffer;

    if (!relay || allocation->tcp) {
        server->counts.dropped_no_permission++;
        allocation->packets_dropped++;
        return;
    }
    if (!ln_turn_user_take(server->config.shared, allocation->user, now, len)) {
        server->counts.dropped_rate++;
        allocation->packets_dropped++;
        return;
    }
    allocation->bytes_from_client += len;
    server->counts.transport[allocation->transport].packets_in++;
    server->counts.transport[allocation->transport].bytes_in += len;
    if (turn_hand_over(server, now, relay, peer, data, len))
        return;
    buffer = turn_buffer_of(server, data, len, 0);
    if (!buffer) {
        allocation->packets_dropped++;
        return;
    }
    path = (struct ln_path){ .link = relay->link, .local = relay->local };
    path.remote = turn_peer_inner(server, peer); /* of another worker: not by the outside */
    server->counts.whole += turn_send(server, &path, load, buffer) && load == TURN_WHOLE;
}

void turn_from_client_channel(struct ln_turn_server *server, ln_time now,
                              struct turn_client *client, const uint8_t *data, size_t len)
{
    const struct turn_channel *channel;
    struct ln_bytes payload;
    uint16_t number;

    if (!client->allocation || client->allocation->opening) {
        server->counts.dropped_no_allocation++;
        return;
    }
    if (ln_channel_data_read(data, len, &number, &payload) != 0) {
        server->counts.dropped_malformed++;
        return;
    }
    turn_client_spoke(server, now, client);
    channel = turn_channel_by_number(client->allocation, now, number);
    if (!channel) {
        server->counts.dropped_no_channel++;
        client->allocation->packets_dropped++;
        return;
    }
    if (channel->ours && !turn_peer_port_allowed(server, &channel->peer, false)) {
        server->counts.dropped_policy++; /* who was there has gone */
        client->allocation->packets_dropped++;
        return;
    }
    to_peer(server, now, client->allocation, &channel->peer, TURN_DATAGRAM, payload.data,
            payload.len);
}

/* DONT-FRAGMENT is for datagrams of IPv4 to IPv4 (RFC 8656, 14) and for those that come by a stream
 * (15); else it is to be ignored (13.1 to 13.3). */
static enum turn_load load_of(const struct turn_client *client,
                              const struct ln_stun_message *message, const struct ln_address *peer)
{
    bool heeded = turn_is_stream(client) ||
                  (client->path.remote.family == LN_FAMILY_IPV4 && peer->family == LN_FAMILY_IPV4);
    struct ln_bytes none;

    return heeded && ln_stun_find(message, LN_STUN_DONT_FRAGMENT, &none) ? TURN_WHOLE
                                                                         : TURN_DATAGRAM;
}

void turn_from_client_send(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                           const struct ln_stun_message *message)
{
    struct turn_allocation *allocation = client->allocation;
    const struct turn_permission *permission;
    struct ln_address peer;
    struct ln_bytes data;

    if (!allocation || allocation->opening) {
        server->counts.dropped_no_allocation++;
        return;
    }
    if (message->unknown_count > 0 ||
        !ln_stun_find_xor_address(message, LN_STUN_XOR_PEER_ADDRESS, &peer) ||
        !ln_stun_find(message, LN_STUN_DATA_VALUE, &data)) {
        server->counts.dropped_malformed++;
        return;
    }
    turn_client_spoke(server, now, client);
    permission = turn_permission_find(allocation, now, &peer);
    if (!permission) {
        server->counts.dropped_no_permission++;
        allocation->packets_dropped++;
        return;
    }
    if (!turn_peer_port_allowed(server, &peer, false)) {
        server->counts.dropped_policy++;
        allocation->packets_dropped++;
        return;
    }
    to_peer(server, now, allocation, &peer, load_of(client, message, &peer), data.data, data.len);
}
