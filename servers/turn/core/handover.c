/* SPDX-License-Identifier: Apache-2.0
 * Data from a client to another client of the same server, without a socket in between: to one of
 * this worker at once, to one of another worker as a parcel that the driver carries.
 *
 * A parcel is a buffer with both relayed addresses, as clients know them, before the payload. Who
 * may receive it is decided by the worker that owns the receiver, as if it had come by the network.
 *
 * The conference server will stand here too: a peer address of its own is another receiver that
 * takes a parcel. */
#include "servers/turn/core/internal.h"

#include <string.h>

struct parcel {
    enum turn_parcel_kind kind;
    struct ln_address from, to;
};

/* The relay of this worker that takes what `from` sends to it; NULL with *ret_here, when it is this
 * worker's and nobody takes it. `sender` is the relay it comes from, if that is here as well. */
static struct turn_relay *receiver_of(const struct ln_turn_server *server, ln_time now,
                                      const struct turn_relay *sender,
                                      const struct ln_address *from, const struct ln_address *to,
                                      bool *ret_here)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];
    struct turn_relay *relay;
    enum turn_kind *kind;

    ln_address_key(to, key);
    kind = ln_map_get(&server->relayed, key, sizeof key);
    *ret_here = kind != NULL;
    if (kind && *kind == TURN_PORT)
        return turn_port_receiver(server, now, LN_CONTAINER(kind, struct turn_port, kind), sender,
                                  from);
    relay = kind ? LN_CONTAINER(kind, struct turn_relay, kind) : NULL;
    if (!relay || relay->allocation->tcp) {
        *ret_here = false;
        return NULL;
    }
    return relay;
}

bool turn_parcel_send(struct ln_turn_server *server, unsigned worker, const void *header,
                      size_t header_len, const uint8_t *data, size_t len)
{
    struct ln_buffer *buffer = NULL;
    struct turn_outgoing outgoing;

    if (server->parcels.count < LN_TURN_PARCELS_MAX)
        buffer = ln_buffer_create(server->env->pool, header_len + len);
    if (!buffer) {
        server->counts.dropped_queue++;
        return false;
    }
    memcpy(ln_buffer_bytes(buffer), header, header_len);
    if (len > 0)
        memcpy(ln_buffer_bytes(buffer) + header_len, data, len);
    buffer->len = (uint32_t)(header_len + len);
    outgoing = (struct turn_outgoing){ worker, buffer };
    if (ln_ring_push(&server->parcels, &outgoing) == 0)
        return true;
    server->counts.dropped_queue++;
    ln_buffer_unref(buffer);
    return false;
}

/* To a client of this worker. */
static void deliver(struct ln_turn_server *server, ln_time now, struct turn_relay *to,
                    const struct ln_address *from, const uint8_t *data, size_t len)
{
    if (to)
        turn_from_peer(server, now, to, from, data, len);
    else
        server->counts.dropped_no_permission++;
}

bool turn_hand_over(struct ln_turn_server *server, ln_time now, struct turn_relay *from,
                    const struct ln_address *peer, const uint8_t *data, size_t len)
{
    struct parcel parcel;
    struct turn_relay *to;
    unsigned worker;
    size_t place;
    bool here;

    if (!turn_peer_is_own(server, peer, &place))
        return false;
    if (!turn_claim_take(server, now, from, peer)) {
        server->counts.dropped_no_permission++;
        return true; /* its answer would be another's */
    }
    to = receiver_of(server, now, from, &from->told, peer, &here);
    if (here) {
        server->counts.handed_over += to != NULL;
        deliver(server, now, to, &from->told, data, len);
        return true;
    }
    if (!ln_turn_port_worker(server->config.shared, place, peer->port, &worker) ||
        worker == server->config.worker)
        return false; /* no client's, or just being opened: by the kernel */
    parcel = (struct parcel){ TURN_PARCEL_DATA, from->told, *peer };
    if (turn_parcel_send(server, worker, &parcel, sizeof parcel, data, len)) {
        server->counts.handed_over++;
        server->counts.handed_to_workers++;
    }
    return true;
}

struct ln_buffer *ln_turn_server_poll_parcel(struct ln_turn_server *server, unsigned *ret_worker)
{
    struct turn_outgoing outgoing;

    if (!ln_ring_pop(&server->parcels, &outgoing))
        return NULL;
    *ret_worker = outgoing.worker;
    return outgoing.parcel;
}

void ln_turn_server_take_parcel(struct ln_turn_server *server, ln_time now,
                                const struct ln_buffer *buffer)
{
    const uint8_t *bytes = buffer->data + buffer->offset;
    enum turn_parcel_kind kind;
    struct parcel parcel;
    struct turn_relay *to;
    bool here;

    memcpy(&kind, bytes, sizeof kind);
    if (kind == TURN_PARCEL_FORWARD) {
        turn_forward_take(server, now, (struct ln_bytes){ bytes, buffer->len });
        return;
    }
    memcpy(&parcel, bytes, sizeof parcel);
    to = receiver_of(server, now, NULL, &parcel.from, &parcel.to, &here);
    deliver(server, now, to, &parcel.from, bytes + sizeof parcel, buffer->len - sizeof parcel);
}

void turn_parcels_free(struct ln_turn_server *server)
{
    struct turn_outgoing outgoing;

    while (ln_ring_pop(&server->parcels, &outgoing))
        ln_buffer_unref(outgoing.parcel);
    ln_ring_deinit(&server->parcels);
}
