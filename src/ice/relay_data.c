/* SPDX-License-Identifier: Apache-2.0
 * Relays: what passes through them (ice/relay.h). Permissions before checks, a channel for what
 * carries data, packing towards the server and unpacking what comes from it (RFC 8656, 9 to 12). */
#include "ice/agent.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/rng.h"

#include <string.h>

/* --- pairs --------------------------------------------------------------------------------- */

bool ln_ice_relay_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_turn_client *turn;

    if (!pair->base->relay)
        return true;
    if (pair->base->relay->failed)
        return false;
    turn = pair->base->relay->turn;
    switch (ln_turn_client_permitted(turn, &pair->path.remote)) {
    case LN_TURN_CLIENT_PERMIT_GRANTED:
        return true;
    case LN_TURN_CLIENT_PERMIT_ASKED:
        return false;
    case LN_TURN_CLIENT_PERMIT_REFUSED:
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_RELAY_REFUSED);
        return false;
    default:
        if (ln_turn_client_permit(turn, now, &pair->path.remote) != 0)
            ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_RELAY_REFUSED);
        return false;
    }
}

void ln_ice_relay_bind(struct ln_ice *ice, struct ln_ice_pair *pair)
{
    if (pair->base->relay) /* without a channel indications serve */
        (void)!ln_turn_client_bind(pair->base->relay->turn, ice->now, &pair->path.remote);
}

/* --- out ----------------------------------------------------------------------------------- */

static int write_keepalive(struct ln_ice *ice, uint8_t *at, size_t cap)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;

    ln_rng_bytes(ice->env->rng, id.bytes, sizeof id.bytes);
    ln_stun_begin(&b, at, cap, LN_STUN_INDICATION, LN_STUN_BINDING, &id);
    ln_stun_add_fingerprint(&b);
    return ln_stun_finish(&b);
}

static int write_message(struct ln_ice *ice, void *owner, ln_time now, uint8_t *data, size_t cap)
{
    struct ln_ice_relay *relay = owner;
    int len = ln_turn_client_poll(relay->turn, now, data, cap);

    return len == 0 && relay->keepalive_due ? write_keepalive(ice, data, cap) : len;
}

int ln_ice_relays_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    for (size_t i = ice->relay_count; i-- > 0;) {
        struct ln_ice_relay *relay = ice->relays[i];
        int n = ln_ice_way_transmit(ice, &relay->way, now, write_message, relay, out);

        if (n > 0) {
            relay->keepalive_due = false;
            relay->sent_at = now;
        }
        if (n != 0)
            return n;
        if (relay->way.stream == LN_ICE_STREAM_OPEN && !relay->generation)
            relay->way.stream = LN_ICE_STREAM_CLOSING; /* it has said good-bye */
        else if (relay->way.stream == LN_ICE_STREAM_NONE && !relay->generation)
            ln_ice_relay_free(ice, i);
    }
    return 0;
}

size_t ln_ice_headroom(const struct ln_ice *ice, const struct ln_path *path)
{
    const struct ln_ice_relay *relay = ln_ice_relay_find(ice, path->link);

    if (ln_ice_is_tcp(path->link))
        return LN_ICE_TCP_HEAD;
    return relay ? ln_ice_way_head(&relay->way) + ln_turn_client_head(relay->turn, &path->remote)
                 : 0;
}

bool ln_ice_takes_trains(const struct ln_ice *ice, const struct ln_path *path)
{
    const struct ln_ice_relay *relay = ln_ice_relay_find(ice, path->link);

    if (ln_ice_is_tcp(path->link))
        return ln_ice_tcp_takes_trains(ice, path);
    return !relay ||
           (relay->way.over == LN_ICE_OVER_UDP &&
            ln_turn_client_head(relay->turn, &path->remote) == LN_TURN_CLIENT_CHANNEL_HEAD);
}

int ln_ice_wrap(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_relay *relay;
    size_t head, way, at, len;
    int n = 0;

    if (!ln_ice_is_virtual(out->path.link))
        return 1;
    if (ln_ice_is_tcp(out->path.link))
        return ice->tcp ? ln_ice_tcp_wrap(ice, now, out) : LN_ERR_NOT_FOUND;
    relay = ln_ice_relay_find(ice, out->path.link);
    if (!relay || relay->failed || !ln_ice_way_ready(&relay->way))
        return LN_ERR_NOT_FOUND;
    if (ln_ice_way_is_stream(&relay->way) && relay->way.room < LN_ICE_RELAY_ROOM_MIN)
        return LN_ERR_LIMIT; /* the stream is slower than what is to go over it */
    way = ln_ice_way_head(&relay->way);
    head = way + ln_turn_client_head(relay->turn, &out->path.remote);
    for (at = 0; at < out->len; at += len) {
        len = out->segment > 0 && out->segment < out->len - at ? out->segment : out->len - at;
        n = ln_turn_client_wrap(relay->turn, now, &out->path.remote, out->data + at + way,
                                len - head);
        if (n < 0)
            return n;
    }
    if (out->segment == 0) { /* with its padding, and as a record */
        n = ln_ice_way_wrap(&relay->way, now, out->data, (size_t)n, out->cap);
        if (n <= 0)
            return n < 0 ? n : LN_ERR_AGAIN;
        out->len = (size_t)n;
    }
    relay->sent_at = now;
    out->path = (struct ln_path){ relay->way.link, relay->way.base, relay->way.server };
    return 1;
}

/* --- in ------------------------------------------------------------------------------------ */

/* Binding is ICE's own: checks, and answers to probes of the same server. */
static bool is_binding(const struct ln_packet *packet)
{
    return ln_stun_is_message(packet->data, packet->len) &&
           (ln_load16(packet->data) & 0x3eefu) == LN_STUN_BINDING;
}

static struct ln_path path_to(const struct ln_ice_relay *relay, const struct ln_address *peer)
{
    struct ln_path path = { .link = relay->link, .remote = *peer };

    for (size_t i = 0;
         ln_turn_client_relayed(relay->turn, i, &path.local) && path.local.family != peer->family;
         i++)
        ;
    return path;
}

/* What the server says in one message: a peer's datagram on the relay's own path, or nothing. */
static int unpack(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now,
                  struct ln_packet *packet, uint8_t *message, size_t message_len)
{
    struct ln_address peer;
    struct ln_icmp icmp;
    uint8_t *data;
    size_t len;
    int result = ln_turn_client_receive(relay->turn, now, message, message_len, &peer, &data, &len);

    if (result < 0)
        return ln_ice_drop(ice, LN_ICE_DROP_RELAY, result);
    relay->heard_at = now;
    if (result == 0) {
        if (ln_turn_client_next_icmp(relay->turn, &peer, &icmp)) {
            struct ln_path path = path_to(relay, &peer);

            ln_ice_send_failed(ice, &path, &icmp);
        }
        ln_ice_run(ice, now);
        return 0;
    }
    packet->buffer = relay->way.over == LN_ICE_OVER_UDP ? packet->buffer : NULL;
    packet->data = data;
    packet->len = len;
    packet->path = path_to(relay, &peer);
    return 1;
}

static struct ln_ice_relay *relay_of(const struct ln_ice *ice, const struct ln_path *path)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (relay->way.link == path->link && (relay->way.stream != LN_ICE_STREAM_NONE ||
                                              ln_address_equal(&relay->way.server, &path->remote)))
            return relay;
    }
    return NULL;
}

int ln_ice_relays_unwrap(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    struct ln_ice_relay *relay = relay_of(ice, &packet->path);

    if (!relay || (relay->way.over == LN_ICE_OVER_UDP && is_binding(packet)))
        return 1;
    if (relay->failed || relay->adrift || !relay->generation)
        return ln_ice_drop(ice, LN_ICE_DROP_RELAY, LN_ERR_NOT_FOUND);
    if (relay->way.over == LN_ICE_OVER_UDP)
        return unpack(ice, relay, now, packet, packet->data, packet->len);
    relay->way.rest = (struct ln_bytes){ packet->data, packet->len };
    ice->draining = relay;
    return LN_ERR_AGAIN;
}

int ln_ice_relay_next(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    struct ln_ice_relay *relay = ice->draining;
    struct ln_bytes message;
    int result = relay->failed ? 0 : ln_ice_way_next(&relay->way, now, &message);

    if (result == 1)
        return unpack(ice, relay, now, packet, (uint8_t *)(uintptr_t)message.data, message.len);
    ice->draining = NULL;
    if (result < 0) { /* it is out of step for good */
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_NONSENSE);
        ln_ice_drop(ice, LN_ICE_DROP_RELAY, 0);
    }
    ln_ice_run(ice, now); /* the session may be further now */
    return result;
}
