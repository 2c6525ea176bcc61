/* SPDX-License-Identifier: Apache-2.0
 * Permissions (RFC 8656, 9 and 10), Send and Data indications (11), ICMP (11.6), channels (12).
 *
 * A permission lives 300 s, a channel 600 s; each is asked for again a while before its end, but
 * only if it was used since, so what nobody needs ends by itself. A channel number belongs to one
 * peer for as long as the allocation lives. */
#include "base/address.h"
#include "base/rng.h"
#include "base/time.h"
#include "stun/framing.h"
#include "stun/turn_state.h"

#include <linnet/error.h>

#include <string.h>

#define REFRESH_AHEAD  LN_SECONDS(60)
#define ATTRIBUTE_HEAD 4u
#define INDICATION_HEAD(address_len)                                                               \
    (LN_STUN_HEADER_LEN + ATTRIBUTE_HEAD + (address_len) + ATTRIBUTE_HEAD)

/* --- tables -------------------------------------------------------------------------------- */

static struct ln_turn_client_permission *find_permission(const struct ln_turn_client *turn,
                                                         const struct ln_address *peer)
{
    size_t i;

    for (i = 0; i < turn->permission_count; i++)
        if (ln_address_equal_ip(&turn->permissions[i].peer, peer))
            return (struct ln_turn_client_permission *)&turn->permissions[i];
    return NULL;
}

static struct ln_turn_client_channel *find_channel(const struct ln_turn_client *turn,
                                                   const struct ln_address *peer)
{
    size_t i;

    for (i = 0; i < turn->channel_count; i++)
        if (ln_address_equal(&turn->channels[i].peer, peer))
            return (struct ln_turn_client_channel *)&turn->channels[i];
    return NULL;
}

bool ln_turn_client_peer_granted(const struct ln_turn_client *turn, const struct ln_address *peer)
{
    const struct ln_turn_client_permission *p = find_permission(turn, peer);

    return turn->state == LN_TURN_CLIENT_READY && p && p->granted;
}

static bool idle(const struct ln_turn_client_permission *p)
{
    return !p->granted && p->request.transaction.state != LN_STUN_RUNNING;
}

/* A free slot, or that of a permission that has ended; NULL at the limit. */
static struct ln_turn_client_permission *new_permission(struct ln_turn_client *turn)
{
    size_t i;

    if (turn->permission_count < LN_TURN_CLIENT_PERMISSIONS_MAX)
        return &turn->permissions[turn->permission_count++];
    for (i = 0; i < turn->permission_count; i++)
        if (idle(&turn->permissions[i]))
            return &turn->permissions[i];
    return NULL;
}

int ln_turn_client_permit(struct ln_turn_client *turn, ln_time now, const struct ln_address *peer)
{
    struct ln_turn_client_permission *p = find_permission(turn, peer);

    if (turn->state != LN_TURN_CLIENT_READY)
        return LN_ERR_INVALID_STATE;
    if (p && (p->refused || !idle(p)))
        return 0;
    if (!p && !(p = new_permission(turn)))
        return LN_ERR_LIMIT;
    memset(p, 0, sizeof *p);
    p->peer = *peer;
    p->refresh_at = p->expires_at = LN_TIME_NEVER;
    ln_turn_client_begin(turn, &p->request, LN_STUN_CREATE_PERMISSION, now);
    return 0;
}

enum ln_turn_client_permit ln_turn_client_permitted(const struct ln_turn_client *turn,
                                                    const struct ln_address *peer)
{
    const struct ln_turn_client_permission *p = find_permission(turn, peer);

    if (!p || turn->state != LN_TURN_CLIENT_READY)
        return LN_TURN_CLIENT_PERMIT_NONE;
    if (p->granted)
        return LN_TURN_CLIENT_PERMIT_GRANTED;
    if (p->refused)
        return LN_TURN_CLIENT_PERMIT_REFUSED;
    return p->request.transaction.state == LN_STUN_RUNNING ? LN_TURN_CLIENT_PERMIT_ASKED
                                                           : LN_TURN_CLIENT_PERMIT_NONE;
}

int ln_turn_client_bind(struct ln_turn_client *turn, ln_time now, const struct ln_address *peer)
{
    struct ln_turn_client_channel *channel = find_channel(turn, peer);

    if (turn->state != LN_TURN_CLIENT_READY)
        return LN_ERR_INVALID_STATE;
    if (!channel) {
        if (turn->channel_count == LN_TURN_CLIENT_CHANNELS_MAX)
            return LN_ERR_LIMIT;
        channel = &turn->channels[turn->channel_count++];
        memset(channel, 0, sizeof *channel);
        channel->peer = *peer;
        channel->number = turn->next_channel++;
        channel->refresh_at = channel->expires_at = LN_TIME_NEVER;
    }
    if (!channel->bound && !channel->refused &&
        channel->request.transaction.state != LN_STUN_RUNNING)
        ln_turn_client_begin(turn, &channel->request, LN_STUN_CHANNEL_BIND, now);
    return 0;
}

/* --- requests ------------------------------------------------------------------------------ */

static bool has_id(const struct ln_turn_client_request *request, const struct ln_stun_id *id)
{
    return request->transaction.state == LN_STUN_RUNNING &&
           ln_stun_id_equal(&request->transaction.id, id);
}

struct ln_turn_client_request *ln_turn_client_peers_find(struct ln_turn_client *turn,
                                                         const struct ln_stun_id *id)
{
    size_t i;

    for (i = 0; i < turn->permission_count; i++)
        if (has_id(&turn->permissions[i].request, id))
            return &turn->permissions[i].request;
    for (i = 0; i < turn->channel_count; i++)
        if (has_id(&turn->channels[i].request, id))
            return &turn->channels[i].request;
    return NULL;
}

static void permission_answer(struct ln_turn_client_permission *p, uint16_t code, ln_time now)
{
    if (code == 0) {
        p->granted = true;
        p->used = false;
        p->expires_at = now + LN_TURN_CLIENT_PERMISSION_LIFE;
        p->refresh_at = p->expires_at - REFRESH_AHEAD;
    } else if (code != LN_TURN_CLIENT_CODE_TIMEOUT || !p->granted) {
        p->granted = false;
        p->refused = true;
        p->expires_at = p->refresh_at = LN_TIME_NEVER;
    } /* a refresh without an answer: it ends at its time */
}

static void channel_answer(struct ln_turn_client *turn, struct ln_turn_client_channel *channel,
                           uint16_t code, ln_time now)
{
    struct ln_turn_client_permission *p = find_permission(turn, &channel->peer);

    if (code == 0) {
        channel->bound = true;
        channel->used = false;
        channel->expires_at = now + LN_TURN_CLIENT_CHANNEL_LIFE;
        channel->refresh_at = channel->expires_at - REFRESH_AHEAD;
        if (p && p->granted) /* a binding refreshes the permission too (RFC 8656, 12) */
            permission_answer(p, 0, now);
    } else if (code != LN_TURN_CLIENT_CODE_TIMEOUT || !channel->bound) {
        channel->bound = false;
        channel->refused = true; /* indications serve as well */
        channel->expires_at = channel->refresh_at = LN_TIME_NEVER;
    }
}

void ln_turn_client_peers_answer(struct ln_turn_client *turn,
                                 const struct ln_turn_client_request *request, uint16_t code,
                                 ln_time now)
{
    size_t i;

    for (i = 0; i < turn->permission_count; i++)
        if (request == &turn->permissions[i].request)
            permission_answer(&turn->permissions[i], code, now);
    for (i = 0; i < turn->channel_count; i++)
        if (request == &turn->channels[i].request)
            channel_answer(turn, &turn->channels[i], code, now);
}

/* With LN_TIME_IMMEDIATE it is only looked at. */
static bool take(struct ln_turn_client_request *request, ln_time now)
{
    return now == LN_TIME_IMMEDIATE ? request->transaction.due
                                    : ln_stun_transaction_take(&request->transaction, now);
}

struct ln_turn_client_request *ln_turn_client_peers_due(struct ln_turn_client *turn, ln_time now,
                                                        struct ln_address *ret_peer,
                                                        uint16_t *ret_channel)
{
    size_t i;

    *ret_channel = 0;
    for (i = 0; i < turn->permission_count; i++)
        if (take(&turn->permissions[i].request, now)) {
            *ret_peer = turn->permissions[i].peer;
            return &turn->permissions[i].request;
        }
    for (i = 0; i < turn->channel_count; i++)
        if (take(&turn->channels[i].request, now)) {
            *ret_peer = turn->channels[i].peer;
            *ret_channel = turn->channels[i].number;
            return &turn->channels[i].request;
        }
    return NULL;
}

/* --- time ---------------------------------------------------------------------------------- */

uint16_t ln_turn_client_timed_out(struct ln_turn_client_request *request, ln_time now)
{
    ln_stun_transaction_on_timeout(&request->transaction, now);
    if (request->transaction.state != LN_STUN_TIMED_OUT)
        return 0;
    ln_stun_transaction_cancel(&request->transaction);
    return request->held_back ? request->held_back : LN_TURN_CLIENT_CODE_TIMEOUT;
}

static void run_permission(struct ln_turn_client *turn, struct ln_turn_client_permission *p,
                           ln_time now)
{
    uint16_t code = ln_turn_client_timed_out(&p->request, now);

    if (code)
        permission_answer(p, code, now);
    if (ln_time_due(p->expires_at, now)) {
        p->granted = false;
        p->expires_at = LN_TIME_NEVER;
    }
    if (!ln_time_due(p->refresh_at, now))
        return;
    p->refresh_at = LN_TIME_NEVER;
    /* One of TCP is used by whoever comes, until it is given back. */
    if ((p->used || turn->connections) && p->granted &&
        p->request.transaction.state != LN_STUN_RUNNING)
        ln_turn_client_begin(turn, &p->request, LN_STUN_CREATE_PERMISSION, now);
}

static void run_channel(struct ln_turn_client *turn, struct ln_turn_client_channel *channel,
                        ln_time now)
{
    uint16_t code = ln_turn_client_timed_out(&channel->request, now);

    if (code)
        channel_answer(turn, channel, code, now);
    if (ln_time_due(channel->expires_at, now)) {
        channel->bound = false;
        channel->expires_at = LN_TIME_NEVER;
    }
    if (!ln_time_due(channel->refresh_at, now))
        return;
    channel->refresh_at = LN_TIME_NEVER;
    if (channel->used && channel->bound && channel->request.transaction.state != LN_STUN_RUNNING)
        ln_turn_client_begin(turn, &channel->request, LN_STUN_CHANNEL_BIND, now);
}

void ln_turn_client_peers_on_timeout(struct ln_turn_client *turn, ln_time now)
{
    size_t i;

    for (i = 0; i < turn->permission_count; i++)
        run_permission(turn, &turn->permissions[i], now);
    for (i = 0; i < turn->channel_count; i++)
        run_channel(turn, &turn->channels[i], now);
}

ln_time ln_turn_client_peers_next_timeout(const struct ln_turn_client *turn)
{
    ln_time next = LN_TIME_NEVER;
    size_t i;

    for (i = 0; i < turn->permission_count; i++) {
        const struct ln_turn_client_permission *p = &turn->permissions[i];

        next = ln_time_min(next, ln_stun_transaction_next_timeout(&p->request.transaction));
        next = ln_time_min(next, ln_time_min(p->refresh_at, p->expires_at));
    }
    for (i = 0; i < turn->channel_count; i++) {
        const struct ln_turn_client_channel *channel = &turn->channels[i];

        next = ln_time_min(next, ln_stun_transaction_next_timeout(&channel->request.transaction));
        next = ln_time_min(next, ln_time_min(channel->refresh_at, channel->expires_at));
    }
    return next;
}

/* --- data out ------------------------------------------------------------------------------ */

static size_t address_len(const struct ln_address *peer)
{
    return peer->family == LN_FAMILY_IPV4 ? 8 : 20;
}

size_t ln_turn_client_head(const struct ln_turn_client *turn, const struct ln_address *peer)
{
    const struct ln_turn_client_channel *channel = find_channel(turn, peer);

    return channel && channel->bound ? LN_TURN_CLIENT_CHANNEL_HEAD
                                     : INDICATION_HEAD(address_len(peer));
}

static int wrap_indication(struct ln_turn_client *turn, const struct ln_address *peer,
                           uint8_t *message, size_t len)
{
    size_t head = INDICATION_HEAD(address_len(peer)), padding = (4 - len % 4) % 4;
    struct ln_stun_builder b;
    struct ln_stun_id id;

    if (len > UINT16_MAX - head)
        return LN_ERR_TOO_BIG;
    ln_rng_bytes(turn->env->rng, id.bytes, sizeof id.bytes);
    ln_stun_begin(&b, message, head, LN_STUN_INDICATION, LN_STUN_SEND, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, peer);
    ln_store16(message + head - ATTRIBUTE_HEAD, LN_STUN_DATA_VALUE);
    ln_store16(message + head - 2, (uint16_t)len);
    memset(message + head + len, 0, padding);
    ln_store16(message + 2, (uint16_t)(head - LN_STUN_HEADER_LEN + len + padding));
    return (int)(head + len + padding);
}

int ln_turn_client_wrap(struct ln_turn_client *turn, ln_time now, const struct ln_address *peer,
                        uint8_t *message, size_t len)
{
    struct ln_turn_client_channel *channel = find_channel(turn, peer);
    struct ln_turn_client_permission *p = find_permission(turn, peer);
    size_t padding;

    if (turn->state != LN_TURN_CLIENT_READY || !p || !p->granted || now >= p->expires_at)
        return LN_ERR_INVALID_STATE;
    p->used = true;
    if (!channel || !channel->bound)
        return wrap_indication(turn, peer, message, len);
    if (len > LN_CHANNEL_DATA_MAX)
        return LN_ERR_TOO_BIG;
    channel->used = true;
    ln_channel_data_write_header(message, channel->number, len);
    padding = turn->config.stream ? ln_channel_data_padding(len) : 0;
    memset(message + LN_TURN_CLIENT_CHANNEL_HEAD + len, 0, padding);
    return (int)(LN_TURN_CLIENT_CHANNEL_HEAD + len + padding);
}

/* --- data in ------------------------------------------------------------------------------- */

/* Granted, or asked for and perhaps granted already: the answer may be behind the data. */
static bool may_send(const struct ln_turn_client *turn, ln_time now, const struct ln_address *peer)
{
    const struct ln_turn_client_permission *p = find_permission(turn, peer);

    return p && (p->granted ? now < p->expires_at : !idle(p));
}

int ln_turn_client_receive_channel(struct ln_turn_client *turn, ln_time now, uint8_t *data,
                                   size_t len, struct ln_address *ret_peer, uint8_t **ret_data,
                                   size_t *ret_len)
{
    struct ln_bytes payload;
    uint16_t number;
    size_t i;

    if (ln_channel_data_read(data, len, &number, &payload) != 0)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    for (i = 0; i < turn->channel_count && turn->state == LN_TURN_CLIENT_READY; i++)
        if (turn->channels[i].number == number && !turn->channels[i].refused) {
            if (!may_send(turn, now, &turn->channels[i].peer)) /* RFC 8656, 12.6 */
                return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_PERMISSION, LN_ERR_NOT_FOUND);
            *ret_peer = turn->channels[i].peer;
            *ret_data = data + LN_TURN_CLIENT_CHANNEL_HEAD;
            *ret_len = payload.len;
            return 1;
        }
    return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_CHANNEL, LN_ERR_NOT_FOUND);
}

/*  | reserved (16) | type (8) | code (8) | MTU where it was too big (32) |   RFC 8656, 18.13 */
static int receive_icmp(struct ln_turn_client *turn, const struct ln_stun_message *message,
                        const struct ln_address *peer)
{
    struct ln_bytes value;

    if (!ln_stun_find(message, LN_STUN_ICMP, &value) || value.len != 8 || value.data[2] == 0)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    turn->icmp = (struct ln_icmp){ .type = value.data[2],
                                   .code = value.data[3],
                                   .mtu = ln_load32(value.data + 4) };
    turn->icmp_peer = *peer;
    return 0;
}

bool ln_turn_client_next_icmp(struct ln_turn_client *turn, struct ln_address *ret_peer,
                              struct ln_icmp *ret_icmp)
{
    if (turn->icmp_peer.family == LN_FAMILY_NONE)
        return false;
    *ret_peer = turn->icmp_peer;
    *ret_icmp = turn->icmp;
    turn->icmp_peer.family = LN_FAMILY_NONE;
    return true;
}

int ln_turn_client_receive_indication(struct ln_turn_client *turn, ln_time now,
                                      const struct ln_stun_message *message,
                                      struct ln_address *ret_peer, struct ln_bytes *ret_data)
{
    struct ln_address peer;
    struct ln_bytes value;

    (void)now;
    if (message->unknown_count > 0 ||
        !ln_stun_find_xor_address(message, LN_STUN_XOR_PEER_ADDRESS, &peer))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (!ln_turn_client_peer_granted(turn, &peer)) /* RFC 8656, 11.4 */
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_PERMISSION, LN_ERR_NOT_FOUND);
    if (!ln_stun_find(message, LN_STUN_DATA_VALUE, &value))
        return receive_icmp(turn, message, &peer);
    *ret_peer = peer;
    *ret_data = value;
    return 1;
}
