/* SPDX-License-Identifier: Apache-2.0
 * TCP connections with peers through an allocation of TCP (RFC 6062, 4.3 and 4.4): Connect,
 * ConnectionAttempt, and the ConnectionBind that goes out on a stream of its own.
 *
 * Identifiers are the server's and come on streams that only it writes to; whoever else learned one
 * could not use it without our password. A peer that connects is announced to the owner once, and
 * only if it had a permission of ours; what nobody takes ends after 30 s, as it does at the server.
 */
#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"
#include "stun/turn_state.h"

#include <linnet/error.h>

#include <string.h>

int ln_turn_client_connections_create(struct ln_turn_client *turn)
{
    if (!turn->config.connections)
        return 0;
    turn->connections = ln_alloc_zero(turn->env->allocator, sizeof *turn->connections);
    return turn->connections ? 0 : LN_ERR_NOMEM;
}

static size_t table_size(const struct ln_turn_client *turn)
{
    return turn->connections ? LN_TURN_CLIENT_CONNECTIONS_MAX : 0;
}

static struct ln_turn_client_connection *find(const struct ln_turn_client *turn, uint32_t number)
{
    for (size_t i = 0; number != 0 && i < table_size(turn); i++)
        if (turn->connections->table[i].number == number)
            return &turn->connections->table[i];
    return NULL;
}

/* Zeroed but for its number, peer and state; NULL at the limit. */
static struct ln_turn_client_connection *create(struct ln_turn_client *turn,
                                                const struct ln_address *peer,
                                                enum ln_turn_client_connection_state state)
{
    for (size_t i = 0; i < table_size(turn); i++) {
        struct ln_turn_client_connection *c = &turn->connections->table[i];

        if (c->number != 0)
            continue;
        memset(c, 0, sizeof *c);
        do {
            turn->connections->last_number++;
        } while (turn->connections->last_number == 0 || find(turn, turn->connections->last_number));
        c->number = turn->connections->last_number;
        c->state = (uint8_t)state;
        c->peer = *peer;
        c->expires_at = LN_TIME_NEVER;
        return c;
    }
    return NULL;
}

static void forget(struct ln_turn_client_connection *c)
{
    ln_stun_transaction_cancel(&c->request.transaction);
    memset(c, 0, sizeof *c);
    c->expires_at = LN_TIME_NEVER;
}

void ln_turn_client_connections_stop(struct ln_turn_client *turn)
{
    for (size_t i = 0; i < table_size(turn); i++)
        forget(&turn->connections->table[i]);
}

void ln_turn_client_forget_connection(struct ln_turn_client *turn, uint32_t number)
{
    struct ln_turn_client_connection *c = find(turn, number);

    if (c)
        forget(c);
}

enum ln_turn_client_connection_state
ln_turn_client_connection_state(const struct ln_turn_client *turn, uint32_t number)
{
    const struct ln_turn_client_connection *c = find(turn, number);

    return c ? c->state : LN_TURN_CLIENT_CONNECTION_NONE;
}

/* --- to a peer ----------------------------------------------------------------------------- */

int ln_turn_client_connect(struct ln_turn_client *turn, ln_time now, const struct ln_address *peer,
                           uint32_t *ret_number)
{
    struct ln_turn_client_connection *c;

    if (turn->state != LN_TURN_CLIENT_READY || !turn->connections)
        return LN_ERR_INVALID_STATE;
    c = create(turn, peer, LN_TURN_CLIENT_CONNECTION_ASKED);
    if (!c)
        return LN_ERR_LIMIT;
    ln_turn_client_begin(turn, &c->request, LN_STUN_CONNECT, now);
    *ret_number = c->number;
    return 0;
}

struct ln_turn_client_request *ln_turn_client_connections_find(struct ln_turn_client *turn,
                                                               const struct ln_stun_id *id)
{
    for (size_t i = 0; i < table_size(turn); i++) {
        struct ln_turn_client_connection *c = &turn->connections->table[i];

        if (c->state == LN_TURN_CLIENT_CONNECTION_ASKED &&
            c->request.transaction.state == LN_STUN_RUNNING &&
            ln_stun_id_equal(&c->request.transaction.id, id))
            return &c->request;
    }
    return NULL;
}

struct ln_turn_client_request *ln_turn_client_connections_due(struct ln_turn_client *turn,
                                                              ln_time now,
                                                              struct ln_address *ret_peer)
{
    for (size_t i = 0; i < table_size(turn); i++) {
        struct ln_turn_client_connection *c = &turn->connections->table[i];
        struct ln_stun_transaction *t = &c->request.transaction;

        if (c->state != LN_TURN_CLIENT_CONNECTION_ASKED ||
            !(now == LN_TIME_IMMEDIATE ? t->due : ln_stun_transaction_take(t, now)))
            continue;
        *ret_peer = c->peer;
        return &c->request;
    }
    return NULL;
}

/* --- from a peer --------------------------------------------------------------------------- */

static bool is_known(const struct ln_turn_client *turn, uint32_t id)
{
    for (size_t i = 0; i < table_size(turn); i++)
        if (turn->connections->table[i].number != 0 && turn->connections->table[i].id == id)
            return true;
    return false;
}

int ln_turn_client_receive_attempt(struct ln_turn_client *turn, ln_time now,
                                   const struct ln_stun_message *message)
{
    struct ln_turn_client_connection *c;
    struct ln_address peer;
    uint32_t id;

    if (!turn->connections)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_KIND, LN_ERR_MALFORMED);
    if (message->unknown_count > 0 || !ln_stun_find_u32(message, LN_STUN_CONNECTION_ID, &id) ||
        !ln_stun_find_xor_address(message, LN_STUN_XOR_PEER_ADDRESS, &peer) || peer.port == 0)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (!ln_turn_client_peer_granted(turn, &peer))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_PERMISSION, LN_ERR_NOT_FOUND);
    if (is_known(turn, id) || !(c = create(turn, &peer, LN_TURN_CLIENT_CONNECTION_THERE)))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_CONNECTION, LN_ERR_LIMIT);
    c->id = id;
    c->expires_at = now + LN_TURN_CLIENT_ATTEMPT_LIFE;
    return 0;
}

bool ln_turn_client_next_attempt(struct ln_turn_client *turn, struct ln_address *ret_peer,
                                 uint32_t *ret_number)
{
    for (size_t i = 0; i < table_size(turn); i++) {
        struct ln_turn_client_connection *c = &turn->connections->table[i];

        if (c->number == 0 || c->state != LN_TURN_CLIENT_CONNECTION_THERE || c->told)
            continue;
        c->told = true;
        *ret_peer = c->peer;
        *ret_number = c->number;
        return true;
    }
    return false;
}

/* --- binding ------------------------------------------------------------------------------- */

void ln_turn_client_bind_connection(struct ln_turn_client *turn, ln_time now, uint32_t number)
{
    struct ln_turn_client_connection *c = find(turn, number);

    if (!c || c->state != LN_TURN_CLIENT_CONNECTION_THERE)
        return;
    c->state = LN_TURN_CLIENT_CONNECTION_BINDING;
    c->expires_at = LN_TIME_NEVER;
    ln_turn_client_begin(turn, &c->request, LN_STUN_CONNECTION_BIND, now);
}

int ln_turn_client_bind_poll(struct ln_turn_client *turn, ln_time now, uint32_t number, void *data,
                             size_t cap)
{
    struct ln_turn_client_connection *c = find(turn, number);

    if (!c || c->state != LN_TURN_CLIENT_CONNECTION_BINDING || !c->request.transaction.due)
        return 0;
    if (cap < ln_turn_client_room_needed(turn))
        return LN_ERR_NO_SPACE;
    if (!ln_stun_transaction_take(&c->request.transaction, now))
        return 0;
    return ln_turn_client_write(turn, &c->request,
                                (struct ln_turn_client_subject){ .connection = c->id }, data, cap);
}

int ln_turn_client_bind_receive(struct ln_turn_client *turn, ln_time now, uint32_t number,
                                const uint8_t *data, size_t len)
{
    struct ln_turn_client_connection *c = find(turn, number);
    struct ln_stun_message message;

    if (ln_stun_parse(data, len, &message) != 0)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (message.method != LN_STUN_CONNECTION_BIND ||
        (message.kind != LN_STUN_SUCCESS && message.kind != LN_STUN_ERROR))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_KIND, LN_ERR_MALFORMED);
    if (!c || c->state != LN_TURN_CLIENT_CONNECTION_BINDING ||
        c->request.transaction.state != LN_STUN_RUNNING || c->request.transaction.sent == 0 ||
        !ln_stun_id_equal(&c->request.transaction.id, &message.id))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_TRANSACTION, LN_ERR_NOT_FOUND);
    return ln_turn_client_answered(turn, &c->request, &message, now);
}

/* --- answers and time ---------------------------------------------------------------------- */

static void take_answer(struct ln_turn_client *turn, struct ln_turn_client_connection *c,
                        const struct ln_stun_message *message, uint16_t code, ln_time now)
{
    if (code != 0 || !message) {
        forget(c);
    } else if (c->state == LN_TURN_CLIENT_CONNECTION_BINDING) {
        c->state = LN_TURN_CLIENT_CONNECTION_BOUND;
    } else if (ln_stun_find_u32(message, LN_STUN_CONNECTION_ID, &c->id)) {
        c->state = LN_TURN_CLIENT_CONNECTION_THERE;
        c->told = true;
        c->expires_at = now + LN_TURN_CLIENT_ATTEMPT_LIFE;
    } else {
        forget(c);
        ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, 0);
    }
}

bool ln_turn_client_connections_answer(struct ln_turn_client *turn,
                                       const struct ln_turn_client_request *request,
                                       const struct ln_stun_message *message, uint16_t code,
                                       ln_time now)
{
    for (size_t i = 0; i < table_size(turn); i++)
        if (request == &turn->connections->table[i].request) {
            take_answer(turn, &turn->connections->table[i], message, code, now);
            return true;
        }
    return false;
}

void ln_turn_client_connections_on_timeout(struct ln_turn_client *turn, ln_time now)
{
    for (size_t i = 0; i < table_size(turn); i++) {
        struct ln_turn_client_connection *c = &turn->connections->table[i];

        if (c->number != 0 &&
            (ln_turn_client_timed_out(&c->request, now) != 0 || ln_time_due(c->expires_at, now)))
            forget(c);
    }
}

ln_time ln_turn_client_connections_next_timeout(const struct ln_turn_client *turn)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < table_size(turn); i++) {
        const struct ln_turn_client_connection *c = &turn->connections->table[i];

        if (c->number == 0)
            continue;
        next = ln_time_min(next, ln_stun_transaction_next_timeout(&c->request.transaction));
        next = ln_time_min(next, c->expires_at);
    }
    return next;
}
