/* SPDX-License-Identifier: Apache-2.0
 * Data from a client to another client of the same server, without a socket in between: to one of
 * this worker at once, to one of another worker as a parcel that the driver carries. The same to
 * and from residents, which are peers of this very program (residents.h): always as parcels.
 *
 * A parcel is a buffer with both addresses, as clients know them, before the payload. Who may
 * receive it is decided by the worker that owns the receiver, as if it had come by the network; a
 * resident takes all, as a socket does. Between workers and residents the scope of a relayed
 * address is the mark of a relay on a shared port (port.c). Headers are written and read by this
 * program alone. */
#include "base/pool.h"
#include "servers/turn/core/internal.h"

#include <string.h>

struct parcel {
    enum turn_parcel_kind kind;
    struct ln_address from, to;
};

/* From a resident. */
struct resident_parcel {
    enum turn_parcel_kind kind;
    struct ln_turn_names names;
    struct ln_address to;
};

/* The relay of this worker that takes what `from` sends to it; NULL with *ret_here, when it is this
 * worker's and nobody takes it. `sender` is the relay it comes from, if that is here as well. The
 * scope of `to` is its mark, if a resident sends. */
static struct turn_relay *receiver_of(const struct ln_turn_server *server, ln_time now,
                                      const struct turn_relay *sender,
                                      const struct ln_address *from, const struct ln_address *to,
                                      bool *ret_here)
{
    struct ln_address plain = *to;
    uint8_t key[LN_ADDRESS_KEY_LEN];
    struct turn_relay *relay;
    enum turn_kind *kind;

    plain.scope = 0;
    ln_address_key(&plain, key);
    kind = ln_map_get(&server->relayed, key, sizeof key);
    *ret_here = kind != NULL;
    if (kind && *kind == TURN_PORT)
        return turn_port_receiver(server, now, LN_CONTAINER(kind, struct turn_port, kind), sender,
                                  from, to->scope);
    relay = kind ? LN_CONTAINER(kind, struct turn_relay, kind) : NULL;
    if (!relay || relay->allocation->tcp || to->scope != 0) {
        *ret_here = false;
        return NULL;
    }
    return relay;
}

/* NULL without memory. */
static struct ln_buffer *pack(struct ln_pool *pool, const void *header, size_t header_len,
                              const void *data, size_t len)
{
    struct ln_buffer *parcel = ln_buffer_create(pool, header_len + len);

    if (!parcel)
        return NULL;
    memcpy(ln_buffer_bytes(parcel), header, header_len);
    if (len > 0)
        memcpy(ln_buffer_bytes(parcel) + header_len, data, len);
    parcel->len = (uint32_t)(header_len + len);
    return parcel;
}

bool turn_parcel_send(struct ln_turn_server *server, unsigned box, const void *header,
                      size_t header_len, const uint8_t *data, size_t len)
{
    struct turn_outgoing outgoing = { .box = box };

    if (server->parcels.count < LN_TURN_PARCELS_MAX)
        outgoing.parcel = pack(server->env->pool, header, header_len, data, len);
    if (outgoing.parcel && ln_ring_push(&server->parcels, &outgoing) == 0)
        return true;
    server->counts.dropped_queue++;
    ln_buffer_unref(outgoing.parcel);
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

static bool send_data(struct ln_turn_server *server, unsigned box, const struct ln_address *from,
                      const struct ln_address *peer, const uint8_t *data, size_t len)
{
    struct parcel parcel = { TURN_PARCEL_DATA, *from, *peer };

    if (!turn_parcel_send(server, box, &parcel, sizeof parcel, data, len))
        return false;
    server->counts.handed_over++;
    return true;
}

bool turn_hand_over(struct ln_turn_server *server, ln_time now, struct turn_relay *from,
                    const struct ln_address *peer, const uint8_t *data, size_t len)
{
    struct ln_turn_residents *residents = ln_turn_shared_residents(server->config.shared);
    struct ln_address marked;
    struct turn_relay *to;
    unsigned box;
    size_t place;
    bool here, resident = ln_turn_residents_find(residents, peer, &box);

    if (!resident && !turn_peer_is_own(server, peer, &place))
        return false;
    if (!turn_claim_take(server, now, from, peer)) {
        server->counts.dropped_no_permission++;
        return true; /* its answer would be another's */
    }
    if (resident) {
        marked = from->told;
        marked.scope = turn_relay_mark(from);
        server->counts.handed_to_residents += send_data(server, box, &marked, peer, data, len);
        return true;
    }
    to = receiver_of(server, now, from, &from->told, peer, &here);
    if (here) {
        server->counts.handed_over += to != NULL;
        deliver(server, now, to, &from->told, data, len);
        return true;
    }
    if (!ln_turn_port_worker(server->config.shared, place, peer->port, &box) ||
        box == server->config.worker)
        return false; /* no client's, or just being opened: by the kernel */
    server->counts.handed_to_workers += send_data(server, box, &from->told, peer, data, len);
    return true;
}

struct ln_buffer *ln_turn_server_poll_parcel(struct ln_turn_server *server, unsigned *ret_box)
{
    struct turn_outgoing outgoing;

    if (!ln_ring_pop(&server->parcels, &outgoing))
        return NULL;
    *ret_box = outgoing.box;
    return outgoing.parcel;
}

/* ---- residents ---- */

struct ln_turn_parcel ln_turn_parcel_read(struct ln_buffer *buffer)
{
    uint8_t *bytes = ln_buffer_bytes(buffer);
    struct parcel parcel;

    memcpy(&parcel, bytes, sizeof parcel);
    return (struct ln_turn_parcel){ parcel.from, parcel.to, bytes + sizeof parcel,
                                    buffer->len - sizeof parcel };
}

struct ln_buffer *ln_turn_parcel_create(struct ln_pool *pool, const struct ln_turn_names *names,
                                        const struct ln_address *to, const void *data, size_t len)
{
    struct resident_parcel header = { TURN_PARCEL_RESIDENT, *names, *to };

    return pack(pool, &header, sizeof header, data, len);
}

/* To the client that has permitted him, by this name. */
static bool from_resident(struct ln_turn_server *server, ln_time now, const struct ln_address *name,
                          const struct ln_address *to, struct ln_bytes data)
{
    struct turn_relay *relay;
    bool here;

    if (name->family == LN_FAMILY_NONE)
        return false;
    relay = receiver_of(server, now, NULL, name, to, &here);
    if (!relay || relay->allocation->opening || !turn_permission_find(relay->allocation, now, name))
        return false;
    server->counts.handed_over++;
    server->counts.handed_from_residents++;
    turn_from_peer(server, now, relay, name, data.data, data.len);
    return true;
}

static void take_from_resident(struct ln_turn_server *server, ln_time now, struct ln_bytes bytes)
{
    struct resident_parcel parcel;

    memcpy(&parcel, bytes.data, sizeof parcel);
    bytes = (struct ln_bytes){ bytes.data + sizeof parcel, bytes.len - sizeof parcel };
    if (!from_resident(server, now, &parcel.names.external, &parcel.to, bytes) &&
        !from_resident(server, now, &parcel.names.bound, &parcel.to, bytes))
        server->counts.dropped_no_permission++;
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
    if (kind == TURN_PARCEL_RESIDENT) {
        take_from_resident(server, now, (struct ln_bytes){ bytes, buffer->len });
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
