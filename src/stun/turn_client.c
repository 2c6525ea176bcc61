/* SPDX-License-Identifier: Apache-2.0
 * The allocation (RFC 8656, 7 and 8) and all messages in and out.
 *
 * Invariant: in READY `refresh_at` lies before `expires_at`, and one of the two or a running
 * Refresh is always the next thing to happen to the allocation. */
#include "stun/turn_client.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"
#include "stun/framing.h"
#include "stun/turn_state.h"

#include <linnet/error.h>

#include <string.h>

#define LIFETIME_DEFAULT LN_SECONDS(600)  /* RFC 8656, 3.2 */
#define LIFETIME_MAX     LN_SECONDS(3600) /* longer is not waited for */
#define LIFETIME_MIN     LN_SECONDS(10)   /* a shorter one is not refreshed more often */
#define REFRESH_AHEAD    LN_SECONDS(60)
#define PROTOCOL_TCP     6u
#define PROTOCOL_UDP     17u
#define SOFTWARE         "linnet" /* RFC 8656, 5; no version (RFC 8489, 16.1.2) */

static const char *const drop_names[] = {
#define NAME(name, text) text,
    LN_TURN_CLIENT_DROP_TABLE(NAME)
#undef NAME
};

const char *ln_turn_client_drop_name(enum ln_turn_client_drop reason)
{
    return (size_t)reason < LN_TURN_CLIENT_DROPS ? drop_names[reason] : "unknown";
}

uint64_t ln_turn_client_dropped(const struct ln_turn_client *turn, enum ln_turn_client_drop reason)
{
    return (size_t)reason < LN_TURN_CLIENT_DROPS ? turn->drops[reason] : 0;
}

int ln_turn_client_drop(struct ln_turn_client *turn, enum ln_turn_client_drop reason, int error)
{
    turn->drops[reason]++;
    return error;
}

/* --- life ---------------------------------------------------------------------------------- */

int ln_turn_client_create(struct ln_turn_client **ret_turn,
                          const struct ln_turn_client_config *config, const struct ln_env *env)
{
    struct ln_turn_client *turn;

    if (strlen(config->username) > LN_TURN_CLIENT_USERNAME_MAX ||
        strlen(config->password) > LN_TURN_CLIENT_PASSWORD_MAX ||
        (config->connections && !config->stream))
        return LN_ERR_INVALID_ARGUMENT;
    turn = ln_alloc_zero(env->allocator, sizeof *turn);
    if (!turn)
        return LN_ERR_NOMEM;
    turn->env = env;
    turn->config = *config;
    turn->username = ln_alloc_text(env->allocator, config->username);
    turn->password = ln_alloc_text(env->allocator, config->password);
    turn->config.username = turn->config.password = NULL;
    turn->refresh_at = turn->expires_at = LN_TIME_NEVER;
    turn->next_channel = LN_CHANNEL_MIN;
    if (!turn->username || !turn->password || ln_turn_client_connections_create(turn) != 0) {
        ln_turn_client_free(turn);
        return LN_ERR_NOMEM;
    }
    *ret_turn = turn;
    return 0;
}

void ln_turn_client_free(struct ln_turn_client *turn)
{
    if (!turn)
        return;
    if (turn->password)
        ln_wipe(turn->password, strlen(turn->password));
    ln_turn_client_auth_wipe(&turn->auth);
    ln_free(turn->env->allocator, turn->connections);
    ln_free(turn->env->allocator, turn->username);
    ln_free(turn->env->allocator, turn->password);
    ln_free(turn->env->allocator, turn);
}

void ln_turn_client_begin(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                          uint16_t method, ln_time now)
{
    struct ln_stun_timing timing = LN_STUN_TIMING_DEFAULT;

    if (turn->config.rto > 0)
        timing.rto = turn->config.rto;
    if (turn->with_ticket && request == &turn->request && !turn->config.stream) {
        timing = LN_TURN_CLIENT_MOVE_TIMING;
    } else if (turn->config.stream) { /* RFC 8489, 6.2.2 */
        timing = (struct ln_stun_timing){ LN_STUN_TI_TCP, 1, 1, 0 };
    } else if (method == LN_STUN_ALLOCATE && turn->config.allocate_rc > 0) {
        timing.rc = turn->config.allocate_rc;
        timing.rm = turn->config.allocate_rm;
    }
    request->method = method;
    request->held_back = 0;
    request->signed_ = turn->auth.ready;
    ln_stun_transaction_begin(&request->transaction, timing, turn->env->rng, now);
}

void ln_turn_client_start(struct ln_turn_client *turn, ln_time now)
{
    if (turn->state != LN_TURN_CLIENT_NEW)
        return;
    turn->state = LN_TURN_CLIENT_ALLOCATING;
    ln_turn_client_begin(turn, &turn->request, LN_STUN_ALLOCATE, now);
}

/* Nothing runs any more. */
static void stop(struct ln_turn_client *turn, enum ln_turn_client_state state, uint16_t code)
{
    size_t i;

    turn->state = (uint8_t)state;
    turn->code = code;
    turn->refresh_at = turn->expires_at = LN_TIME_NEVER;
    ln_stun_transaction_cancel(&turn->request.transaction);
    for (i = 0; i < turn->permission_count; i++) {
        ln_stun_transaction_cancel(&turn->permissions[i].request.transaction);
        turn->permissions[i].refresh_at = turn->permissions[i].expires_at = LN_TIME_NEVER;
    }
    for (i = 0; i < turn->channel_count; i++) {
        ln_stun_transaction_cancel(&turn->channels[i].request.transaction);
        turn->channels[i].refresh_at = turn->channels[i].expires_at = LN_TIME_NEVER;
    }
    ln_turn_client_connections_stop(turn);
}

/* Nothing runs any more but a Refresh that is sent once. */
static void release(struct ln_turn_client *turn, ln_time now)
{
    ln_turn_client_begin(turn, &turn->request, LN_STUN_REFRESH, now);
    turn->release_due = true;
}

void ln_turn_client_close(struct ln_turn_client *turn, ln_time now)
{
    bool allocated = turn->state == LN_TURN_CLIENT_READY;

    turn->with_ticket = turn->with_ticket && ln_turn_client_moving(turn);
    stop(turn, LN_TURN_CLIENT_CLOSED, 0);
    if (allocated)
        release(turn, now);
}

enum ln_turn_client_state ln_turn_client_state(const struct ln_turn_client *turn)
{
    return turn->state;
}

uint16_t ln_turn_client_error_code(const struct ln_turn_client *turn)
{
    return turn->code;
}

bool ln_turn_client_relayed(const struct ln_turn_client *turn, size_t i,
                            struct ln_address *ret_address)
{
    if (turn->state != LN_TURN_CLIENT_READY || i >= turn->relayed_count)
        return false;
    *ret_address = turn->relayed[i];
    return true;
}

bool ln_turn_client_mapped(const struct ln_turn_client *turn, struct ln_address *ret_address)
{
    if (turn->state != LN_TURN_CLIENT_READY || turn->mapped.family == LN_FAMILY_NONE)
        return false;
    *ret_address = turn->mapped;
    return true;
}

void ln_turn_client_alternate(const struct ln_turn_client *turn, struct ln_address *ret_server,
                              char ret_domain[256])
{
    *ret_server = turn->alternate;
    memcpy(ret_domain, turn->alternate_domain, sizeof turn->alternate_domain);
}

/* --- answers ------------------------------------------------------------------------------- */

static bool usable_address(const struct ln_address *address)
{
    return address->port != 0 && !ln_address_is_unspecified(address) &&
           !ln_address_is_multicast(address) && !ln_address_is_broadcast(address);
}

static void take_lifetime(struct ln_turn_client *turn, const struct ln_stun_message *message,
                          ln_time now)
{
    ln_duration lifetime = LIFETIME_DEFAULT;
    uint32_t seconds;

    if (ln_stun_find_u32(message, LN_STUN_LIFETIME, &seconds))
        lifetime = LN_SECONDS((ln_duration)seconds);
    if (lifetime > LIFETIME_MAX)
        lifetime = LIFETIME_MAX;
    if (lifetime < LIFETIME_MIN)
        lifetime = LIFETIME_MIN;
    turn->expires_at = now + lifetime;
    turn->refresh_at = lifetime > 2 * REFRESH_AHEAD ? turn->expires_at - REFRESH_AHEAD
                                                    : now + lifetime / 2;
}

/* One relayed address a family. */
static void take_relayed(struct ln_turn_client *turn, const struct ln_stun_message *message)
{
    struct ln_address address;
    struct ln_bytes value;
    size_t at = 0;

    turn->relayed_count = 0;
    while (turn->relayed_count < 2 &&
           ln_stun_find_next(message, LN_STUN_XOR_RELAYED_ADDRESS, &at, &value))
        if (ln_stun_read_xor_address(message, value, &address) && usable_address(&address) &&
            (turn->relayed_count == 0 || turn->relayed[0].family != address.family))
            turn->relayed[turn->relayed_count++] = address;
}

static void allocated(struct ln_turn_client *turn, const struct ln_stun_message *message,
                      ln_time now)
{
    struct ln_address mapped;

    take_relayed(turn, message);
    if (turn->relayed_count == 0) { /* of no use to us (RFC 8656, 7.3) */
        stop(turn, LN_TURN_CLIENT_FAILED, LN_TURN_CLIENT_CODE_NONSENSE);
        release(turn, now);
        return;
    }
    turn->mapped.family = LN_FAMILY_NONE;
    if (ln_stun_find_xor_address(message, LN_STUN_XOR_MAPPED_ADDRESS, &mapped) &&
        usable_address(&mapped))
        turn->mapped = mapped;
    take_lifetime(turn, message, now);
    ln_turn_client_take_ticket(turn, message);
    turn->state = LN_TURN_CLIENT_READY;
}

static void refreshed(struct ln_turn_client *turn, const struct ln_stun_message *message,
                      ln_time now)
{
    take_lifetime(turn, message, now);
    ln_turn_client_take_ticket(turn, message);
}

/* The final answer to Allocate or Refresh: 0 for success. */
static void allocation_answer(struct ln_turn_client *turn, const struct ln_stun_message *message,
                              uint16_t code, ln_time now)
{
    if (turn->state == LN_TURN_CLIENT_ALLOCATING && code == 0 && message)
        allocated(turn, message, now);
    else if (turn->state == LN_TURN_CLIENT_READY && code == 0 && message)
        refreshed(turn, message, now);
    else if (ln_turn_client_goes_without_ticket(turn, code, now))
        return;
    else if (turn->state == LN_TURN_CLIENT_READY && code == LN_TURN_CLIENT_CODE_TIMEOUT)
        turn->refresh_at = now + LN_SECONDS(1); /* until it has run out */
    else if (turn->state != LN_TURN_CLIENT_CLOSED)
        stop(turn, LN_TURN_CLIENT_FAILED, code);
}

static void final_answer(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                         const struct ln_stun_message *message, uint16_t code, ln_time now)
{
    ln_stun_transaction_cancel(&request->transaction);
    request->challenges = 0;
    if (request == &turn->request)
        allocation_answer(turn, message, code, now);
    else if (!ln_turn_client_connections_answer(turn, request, message, code, now))
        ln_turn_client_peers_answer(turn, request, code, now);
}

/* 401 to a request without credentials, 438 to any: once more, with what it brought. */
static void challenged(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                       const struct ln_stun_message *message, uint16_t code, ln_time now)
{
    int error;

    if ((code == 401 && request->signed_) || request->challenges >= LN_TURN_CLIENT_CHALLENGES_MAX) {
        final_answer(turn, request, message, code, now);
        return;
    }
    error = ln_turn_client_auth_challenge(&turn->auth, message, turn->username, turn->password);
    if (error) {
        final_answer(turn, request, message, LN_TURN_CLIENT_CODE_NONSENSE, now);
        return;
    }
    request->challenges++;
    ln_turn_client_begin(turn, request, request->method, now);
}

static bool take_alternate(struct ln_turn_client *turn, const struct ln_stun_message *message)
{
    struct ln_bytes domain;

    if (turn->state != LN_TURN_CLIENT_ALLOCATING ||
        !ln_stun_find_address(message, LN_STUN_ALTERNATE_SERVER, &turn->alternate) ||
        !usable_address(&turn->alternate))
        return false;
    turn->alternate_domain[0] = '\0';
    if (ln_stun_find(message, LN_STUN_ALTERNATE_DOMAIN, &domain) && domain.len > 0 &&
        domain.len < sizeof turn->alternate_domain && !memchr(domain.data, 0, domain.len)) {
        memcpy(turn->alternate_domain, domain.data, domain.len);
        turn->alternate_domain[domain.len] = '\0';
    }
    stop(turn, LN_TURN_CLIENT_ALTERNATE, 300);
    return true;
}

static int receive_error(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                         const struct ln_stun_message *message, ln_time now)
{
    struct ln_bytes reason;
    uint16_t code;

    if (!ln_stun_find_error(message, &code, &reason))
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (code == 401 || code == 438) {
        challenged(turn, request, message, code, now);
        return 0;
    }
    if (code == 300 && request == &turn->request && take_alternate(turn, message))
        return 0;
    if (request->signed_ && !ln_turn_client_auth_check(&turn->auth, message)) {
        /* Believed when nothing better comes (RFC 8489, 9.2.5); on a stream nothing will. */
        if (code != 400)
            request->held_back = code;
        if (!turn->config.stream || code == 400)
            return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_INTEGRITY, LN_ERR_INTEGRITY);
    }
    final_answer(turn, request, message, code, now);
    return 0;
}

static struct ln_turn_client_request *find_request(struct ln_turn_client *turn,
                                                   const struct ln_stun_message *message)
{
    struct ln_turn_client_request *request = &turn->request;

    if (request->transaction.state != LN_STUN_RUNNING ||
        !ln_stun_id_equal(&request->transaction.id, &message->id))
        request = ln_turn_client_peers_find(turn, &message->id);
    if (!request)
        request = ln_turn_client_connections_find(turn, &message->id);
    return request && request->transaction.sent > 0 && request->method == message->method ? request
                                                                                          : NULL;
}

int ln_turn_client_answered(struct ln_turn_client *turn, struct ln_turn_client_request *request,
                            const struct ln_stun_message *message, ln_time now)
{
    if (message->kind == LN_STUN_ERROR)
        return receive_error(turn, request, message, now);
    if (request->signed_ && !ln_turn_client_auth_check(&turn->auth, message)) {
        if (turn->config.stream)
            final_answer(turn, request, NULL, LN_TURN_CLIENT_CODE_NONSENSE, now);
        else
            request->held_back = LN_TURN_CLIENT_CODE_NONSENSE;
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_INTEGRITY, LN_ERR_INTEGRITY);
    }
    if (message->unknown_count > 0)
        final_answer(turn, request, NULL, LN_TURN_CLIENT_CODE_NONSENSE, now);
    else
        final_answer(turn, request, message, 0, now);
    return 0;
}

static int receive_answer(struct ln_turn_client *turn, ln_time now,
                          const struct ln_stun_message *message)
{
    struct ln_turn_client_request *request = find_request(turn, message);

    return request ? ln_turn_client_answered(turn, request, message, now)
                   : ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_TRANSACTION, LN_ERR_NOT_FOUND);
}

int ln_turn_client_receive(struct ln_turn_client *turn, ln_time now, uint8_t *data, size_t len,
                           struct ln_address *ret_peer, uint8_t **ret_data, size_t *ret_len)
{
    struct ln_stun_message message;
    struct ln_bytes value;
    int result;

    if (len > 0 && (data[0] & 0xc0) == 0x40)
        return ln_turn_client_receive_channel(turn, now, data, len, ret_peer, ret_data, ret_len);
    if (ln_stun_parse(data, len, &message) != 0)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (message.kind == LN_STUN_SUCCESS || message.kind == LN_STUN_ERROR)
        return receive_answer(turn, now, &message);
    if (message.kind == LN_STUN_INDICATION && message.method == LN_STUN_CONNECTION_ATTEMPT)
        return ln_turn_client_receive_attempt(turn, now, &message);
    if (message.kind != LN_STUN_INDICATION || message.method != LN_STUN_DATA)
        return ln_turn_client_drop(turn, LN_TURN_CLIENT_DROP_KIND, LN_ERR_MALFORMED);
    result = ln_turn_client_receive_indication(turn, now, &message, ret_peer, &value);
    if (result == 1) {
        *ret_data = data + (value.data - data);
        *ret_len = value.len;
    }
    return result;
}

/* --- requests ------------------------------------------------------------------------------ */

int ln_turn_client_write(struct ln_turn_client *turn, const struct ln_turn_client_request *request,
                         struct ln_turn_client_subject about, void *data, size_t cap)
{
    uint32_t protocol = turn->connections ? PROTOCOL_TCP : PROTOCOL_UDP;
    struct ln_stun_builder b;

    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, request->method, &request->transaction.id);
    if (request->method == LN_STUN_ALLOCATE) {
        ln_stun_add_u32(&b, LN_STUN_REQUESTED_TRANSPORT, protocol << 24);
        if (turn->config.both_families)
            ln_stun_add_u32(&b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
    } else if (request->method == LN_STUN_REFRESH && turn->state != LN_TURN_CLIENT_READY) {
        ln_stun_add_u32(&b, LN_STUN_LIFETIME, 0);
    }
    if (request->method == LN_STUN_ALLOCATE || request->method == LN_STUN_REFRESH)
        ln_stun_add_text(&b, LN_STUN_SOFTWARE, SOFTWARE);
    ln_turn_client_add_ticket(turn, &b, request->method);
    if (about.channel != 0)
        ln_stun_add_u32(&b, LN_STUN_CHANNEL_NUMBER, (uint32_t)about.channel << 16);
    if (about.connection != 0)
        ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, about.connection);
    if (about.peer)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, about.peer);
    ln_turn_client_auth_add(&turn->auth, &b, turn->username);
    ln_stun_add_fingerprint(&b);
    return ln_stun_finish(&b);
}

/* What the longest request takes: all but the ticket and the credentials fits in 160 bytes. */
size_t ln_turn_client_room_needed(const struct ln_turn_client *turn)
{
    return 160 + turn->ticket_len + strlen(turn->username) + turn->auth.realm_len +
           turn->auth.nonce_len + turn->auth.algorithms_len;
}

int ln_turn_client_poll(struct ln_turn_client *turn, ln_time now, void *data, size_t cap)
{
    bool room = cap >= ln_turn_client_room_needed(turn);
    struct ln_turn_client_request *request = NULL;
    struct ln_turn_client_subject about = { 0 };
    struct ln_address peer;

    if (turn->request.transaction.due && !room)
        return LN_ERR_NO_SPACE;
    if (ln_stun_transaction_take(&turn->request.transaction, now)) {
        if (turn->release_due) { /* told once: an allocation that is not used ends by itself */
            turn->release_due = false;
            ln_stun_transaction_cancel(&turn->request.transaction);
        }
        return ln_turn_client_write(turn, &turn->request, about, data, cap);
    }
    if (turn->state != LN_TURN_CLIENT_READY)
        return 0;
    if (!room) /* it is only looked at */
        now = LN_TIME_IMMEDIATE;
    request = ln_turn_client_peers_due(turn, now, &peer, &about.channel);
    if (!request)
        request = ln_turn_client_connections_due(turn, now, &peer);
    about.peer = &peer;
    if (!request || !room)
        return request ? LN_ERR_NO_SPACE : 0;
    return ln_turn_client_write(turn, request, about, data, cap);
}

/* --- time ---------------------------------------------------------------------------------- */

void ln_turn_client_on_timeout(struct ln_turn_client *turn, ln_time now)
{
    struct ln_stun_transaction *t = &turn->request.transaction;

    ln_stun_transaction_on_timeout(t, now);
    if (t->state == LN_STUN_TIMED_OUT)
        final_answer(
            turn, &turn->request, NULL,
            turn->request.held_back ? turn->request.held_back : LN_TURN_CLIENT_CODE_TIMEOUT, now);
    if (turn->state != LN_TURN_CLIENT_READY)
        return;
    if (ln_time_due(turn->expires_at, now)) {
        stop(turn, LN_TURN_CLIENT_FAILED, LN_TURN_CLIENT_CODE_TIMEOUT);
        return;
    }
    if (ln_time_due(turn->refresh_at, now) && t->state != LN_STUN_RUNNING) {
        turn->refresh_at = LN_TIME_NEVER;
        ln_turn_client_begin(turn, &turn->request, LN_STUN_REFRESH, now);
    }
    ln_turn_client_peers_on_timeout(turn, now);
    ln_turn_client_connections_on_timeout(turn, now);
}

ln_time ln_turn_client_next_timeout(const struct ln_turn_client *turn)
{
    ln_time next = ln_stun_transaction_next_timeout(&turn->request.transaction);

    if (turn->state != LN_TURN_CLIENT_READY)
        return next;
    next = ln_time_min(next, ln_time_min(turn->expires_at, turn->refresh_at));
    next = ln_time_min(next, ln_turn_client_connections_next_timeout(turn));
    return ln_time_min(next, ln_turn_client_peers_next_timeout(turn));
}
