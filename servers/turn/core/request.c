/* SPDX-License-Identifier: Apache-2.0
 * Requests: who asks (RFC 8489, 9.2.4), then what, by one table of methods.
 *
 * Order of the checks: is there an integrity attribute (401), is the nonce ours and fresh (438),
 * are the algorithms those we offered (400), is the password right (401); then, authenticated,
 * unknown attributes (420), the allocation (437, 441), and the handler. Answers to the unknown are
 * short and limited per source prefix, so that the server is of no use as an amplifier or for
 * guessing passwords. */
#include "base/alloc.h"
#include "base/rng.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

/* The PASSWORD-ALGORITHMS that every challenge offers: no parameters (RFC 8489, 14.11). */
static struct ln_bytes offered(const struct ln_turn_server *server)
{
    static const uint8_t all[] = { 0, LN_TURN_SHA256, 0, 0, 0, LN_TURN_MD5, 0, 0 };
    size_t skip = ln_turn_credentials_offer_sha256(server->config.credentials) ? 0 : 4;

    return (struct ln_bytes){ all + skip, sizeof all - skip };
}

/* ---- answers ---- */

/* In answers to who has proved himself; what others get stays short (RFC 8656, 5). No version: it
 * is nobody's business (RFC 8489, 16.1.2). */
#define SOFTWARE "linnet"

void turn_indication_begin(struct ln_turn_server *server, struct ln_stun_builder *b, uint8_t *data,
                           size_t cap, uint16_t method, const struct ln_address *peer)
{
    struct ln_stun_id id;

    ln_rng_bytes(server->env->rng, id.bytes, sizeof id.bytes);
    ln_stun_begin(b, data, cap, LN_STUN_INDICATION, method, &id);
    ln_stun_add_xor_address(b, LN_STUN_XOR_PEER_ADDRESS, peer);
}

void turn_answer_begin(struct ln_stun_builder *b, uint8_t *data, const struct turn_request *request,
                       enum ln_stun_class kind)
{
    ln_stun_begin(b, data, LN_TURN_ANSWER_MAX, kind, request->message->method,
                  &request->message->id);
}

static void send_counted(const struct turn_request *request, struct ln_buffer *buffer)
{
    request->server->counts.answers++;
    request->server->counts.answer_bytes += buffer->len;
    (void)turn_send_to_client(request->server, request->now, request->client, buffer);
}

static void send_answer(struct ln_stun_builder *b, const struct turn_request *request)
{
    struct ln_turn_server *server = request->server;
    struct ln_buffer *buffer;
    int len;

    ln_stun_add_fingerprint(b);
    len = ln_stun_finish(b);
    assert(len > 0); /* LN_TURN_ANSWER_MAX holds whatever we write */
    buffer = turn_buffer(server, (size_t)len);
    if (!buffer)
        return;
    memcpy(ln_buffer_bytes(buffer), b->w.data, (size_t)len);
    send_counted(request, buffer);
}

void turn_answer_send(struct ln_stun_builder *b, const struct turn_request *request)
{
    struct ln_bytes key = { request->key.bytes, request->key.len };
    uint16_t method = request->message->method;

    if (method == LN_STUN_ALLOCATE || method == LN_STUN_REFRESH)
        ln_stun_add_text(b, LN_STUN_SOFTWARE, SOFTWARE);
    if (request->strong)
        ln_stun_add_integrity_sha256(b, key);
    else if (key.len > 0)
        ln_stun_add_integrity(b, key);
    send_answer(b, request);
}

void turn_refuse(const struct turn_request *request, uint16_t code)
{
    uint8_t data[LN_TURN_ANSWER_MAX];
    struct ln_stun_builder b;

    request->server->counts.errors++;
    turn_answer_begin(&b, data, request, LN_STUN_ERROR);
    ln_stun_add_error(&b, code, NULL);
    if (code == 420)
        ln_stun_add_unknown(&b, request->message->unknown, request->message->unknown_count);
    turn_answer_send(&b, request);
}

/* An answer without integrity: 400, or a challenge (401, 438). */
static void challenge(const struct turn_request *request, uint16_t code)
{
    struct ln_turn_server *server = request->server;
    uint8_t data[LN_TURN_ANSWER_MAX];
    char nonce[LN_TURN_NONCE_LEN];
    struct ln_stun_builder b;

    if (!ln_stun_rate_limit_take(&server->limit, request->now, &request->client->path.remote)) {
        server->counts.dropped_limited++;
        return;
    }
    turn_answer_begin(&b, data, request, LN_STUN_ERROR);
    ln_stun_add_error(&b, code, NULL);
    if (code == 400) {
        server->counts.errors++;
    } else {
        server->counts.challenges++;
        ln_turn_nonce_write(server->config.credentials, server->config.nonce_key,
                            turn_wall_seconds(server, request->now), &request->client->path.remote,
                            nonce);
        ln_stun_add_text(&b, LN_STUN_REALM, ln_turn_credentials_realm(server->config.credentials));
        ln_stun_add(&b, LN_STUN_NONCE, nonce, sizeof nonce);
        ln_stun_add(&b, LN_STUN_PASSWORD_ALGORITHMS, offered(server).data, offered(server).len);
    }
    send_answer(&b, request);
}

/* ---- who ---- */

/* The algorithm of the request's key; 0 when it shows that our offer was tampered with, or is none
 * of it (RFC 8489, 9.2.4: bid-down protection). */
static unsigned algorithm_of(const struct ln_turn_server *server,
                             const struct ln_stun_message *message)
{
    struct ln_bytes list, one, offer = offered(server);
    bool has_list = ln_stun_find(message, LN_STUN_PASSWORD_ALGORITHMS, &list);
    bool has_one = ln_stun_find(message, LN_STUN_PASSWORD_ALGORITHM, &one);
    unsigned number;

    if (!has_list && !has_one)
        return LN_TURN_MD5; /* a client of RFC 5389 */
    if (!has_list || !has_one || list.len != offer.len ||
        memcmp(list.data, offer.data, offer.len) != 0 || one.len < 4)
        return 0;
    number = ln_load16(one.data);
    for (size_t i = 0; i + 4 <= offer.len; i += 4)
        if (ln_load16(offer.data + i) == number)
            return number;
    return 0;
}

static bool find_name(const struct turn_request *request, struct ln_bytes *ret_name)
{
    struct ln_bytes hash;

    if (ln_stun_find(request->message, LN_STUN_USERNAME, ret_name))
        return ret_name->len > 0 && ret_name->len <= LN_TURN_NAME_MAX;
    return ln_stun_find(request->message, LN_STUN_USERHASH, &hash) &&
           ln_turn_credentials_name(request->server->config.credentials, hash, ret_name);
}

bool turn_same_name(const struct turn_allocation *allocation, struct ln_bytes name)
{
    return allocation->name_len == name.len && memcmp(allocation->name, name.data, name.len) == 0;
}

/* The allocation that the request is about, wherever it comes from. */
static const struct turn_allocation *owner_of(const struct turn_request *request)
{
    if (request->client->allocation)
        return request->client->allocation;
    return request->message->method == LN_STUN_REFRESH ? turn_ticket_owner(request)
                                                       : turn_connection_owner(request);
}

/* Finds the key that the request is signed with. The owner of an allocation goes on with the key it
 * was made with: an ephemeral name may expire during a call. */
static bool find_key(struct turn_request *request, enum ln_turn_algorithm algorithm)
{
    struct ln_turn_server *server = request->server;
    const struct turn_allocation *allocation = owner_of(request);
    struct ln_turn_key keys[LN_TURN_CANDIDATES_MAX];
    size_t count;
    bool found = false;

    if (allocation && turn_same_name(allocation, request->name) &&
        ln_stun_check_integrity(request->message,
                                (struct ln_bytes){ allocation->key.bytes, allocation->key.len })) {
        request->key = allocation->key;
        return true;
    }
    count = ln_turn_credentials_find(server->config.credentials, request->name,
                                     turn_wall_seconds(server, request->now), algorithm, keys);
    for (size_t i = 0; i < count && !found; i++) {
        found = ln_stun_check_integrity(request->message,
                                        (struct ln_bytes){ keys[i].bytes, keys[i].len });
        if (found)
            request->key = keys[i];
    }
    ln_wipe(keys, sizeof keys);
    return found;
}

static void tell_wrong(const struct turn_request *request)
{
    struct ln_turn_event event = { .kind = LN_TURN_EVENT_WRONG_CREDENTIALS,
                                   .transport = request->client->transport,
                                   .client = request->client->path.remote,
                                   .code = 401 };

    request->server->counts.wrong_credentials++;
    turn_event_name(&event, request->name);
    turn_tell(request->server, &event);
}

/* Answers and returns false unless the request is authentic. */
static bool authenticate(struct turn_request *request)
{
    struct ln_turn_server *server = request->server;
    const struct ln_stun_message *m = request->message;
    const char *realm = ln_turn_credentials_realm(server->config.credentials);
    struct ln_bytes nonce, realm_value, name;
    unsigned algorithm;
    bool named;

    if (!m->integrity && !m->integrity256) {
        challenge(request, 401);
        return false;
    }
    named = ln_stun_find(m, LN_STUN_USERNAME, &name) || ln_stun_find(m, LN_STUN_USERHASH, &name);
    algorithm = algorithm_of(server, m);
    if (algorithm == 0 && request->client->allocation)
        algorithm = LN_TURN_MD5; /* of an offer before a reload; its owner's key is settled */
    if (!ln_stun_find(m, LN_STUN_NONCE, &nonce) || !ln_stun_find(m, LN_STUN_REALM, &realm_value) ||
        !named || algorithm == 0) {
        challenge(request, 400);
        return false;
    }
    if (!ln_turn_nonce_valid(server->config.nonce_key, turn_wall_seconds(server, request->now),
                             server->config.nonce_lifetime / LN_SECONDS(1),
                             &request->client->path.remote, nonce)) {
        challenge(request, 438);
        return false;
    }
    if (!find_name(request, &request->name))
        request->name = (struct ln_bytes){ NULL, 0 };
    if (request->name.len == 0 || realm_value.len != strlen(realm) ||
        memcmp(realm_value.data, realm, realm_value.len) != 0 ||
        !find_key(request, (enum ln_turn_algorithm)algorithm)) {
        tell_wrong(request);
        challenge(request, 401);
        return false;
    }
    request->strong = m->integrity256 != 0 || /* whoever knows the list knows it too */
                      ln_stun_find(m, LN_STUN_PASSWORD_ALGORITHMS, &nonce);
    server->counts.requests++;
    return true;
}

/* ---- what ---- */

struct method {
    uint16_t number;
    bool needs_allocation;
    bool of_tcp_relays; /* unknown where those are not offered */
    void (*handle)(struct turn_request *request);
};

static const struct method methods[] = {
    { LN_STUN_ALLOCATE, false, false, turn_allocate },
    { LN_STUN_REFRESH, true, false, turn_refresh },
    { LN_STUN_CREATE_PERMISSION, true, false, turn_create_permission },
    { LN_STUN_CHANNEL_BIND, true, false, turn_channel_bind },
    { LN_STUN_CONNECT, true, true, turn_connect },
    { LN_STUN_CONNECTION_BIND, false, true, turn_connection_bind },
};

static void binding(const struct turn_request *request)
{
    struct ln_turn_server *server = request->server;
    const struct ln_stun_message *m = request->message;
    struct ln_buffer *buffer;
    struct ln_path path;
    bool elsewhere;
    int len;

    if (!ln_stun_rate_limit_take(&server->limit, request->now, &request->client->path.remote)) {
        server->counts.dropped_limited++;
        return;
    }
    buffer = turn_buffer(server, LN_STUN_ANSWER_MAX);
    if (!buffer)
        return;
    len = turn_behaviour_answer(request, ln_buffer_bytes(buffer), LN_STUN_ANSWER_MAX, &path);
    elsewhere = len > 0;
    if (!elsewhere)
        len = ln_stun_server_respond(m->data, m->len, &request->client->path.remote,
                                     ln_buffer_bytes(buffer), LN_STUN_ANSWER_MAX);
    if (len <= 0) {
        server->counts.dropped_malformed++;
        ln_buffer_unref(buffer);
        return;
    }
    buffer->len = (uint32_t)len;
    server->counts.bindings++;
    if (elsewhere) {
        server->counts.answers++;
        server->counts.answer_bytes += buffer->len;
        turn_send(server, &path, TURN_DATAGRAM, buffer);
    } else {
        send_counted(request, buffer);
    }
}

/* Whether the request's ticket is of an allocation that another worker has: it is his to judge. */
static bool is_for_another(const struct turn_request *request, unsigned *ret_worker)
{
    struct turn_ticket_content content;
    struct ln_bytes ticket;

    if (request->message->method != LN_STUN_REFRESH || request->client->allocation ||
        request->client->away || !turn_ticket_in(request, &ticket) ||
        turn_ticket_read(request->server, request->now, ticket, &content) == TURN_TICKET_FORGED)
        return false;
    *ret_worker = content.worker;
    return content.worker != request->server->config.worker;
}

static void dispatch(struct turn_request *request, const struct method *method)
{
    struct turn_allocation *allocation = request->client->allocation;
    struct ln_bytes ticket;
    unsigned worker;

    if (is_for_another(request, &worker)) {
        turn_forward_request(request, worker);
        return;
    }
    if (!authenticate(request))
        return;
    if (request->message->unknown_count > 0)
        turn_refuse(request, 420);
    else if (method->number == LN_STUN_REFRESH && turn_ticket_in(request, &ticket))
        turn_move(request);
    else if (method->needs_allocation && (!allocation || allocation->opening))
        turn_refuse(request, 437);
    else if (method->needs_allocation && !turn_same_name(allocation, request->name))
        turn_refuse(request, 441);
    else
        method->handle(request);
}

void turn_request_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                          const struct ln_stun_message *message)
{
    struct turn_request request = {
        .server = server, .now = now, .client = client, .message = message
    };

    if (message->method == LN_STUN_BINDING) {
        binding(&request);
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].number == message->method &&
            (server->config.tcp_relay || !methods[i].of_tcp_relays) &&
            !ln_turn_credentials_empty(server->config.credentials)) {
            dispatch(&request, &methods[i]);
            ln_wipe(&request.key, sizeof request.key);
            return;
        }
    }
    server->counts.dropped_malformed++; /* a method we do not know (RFC 8489, 6.3) */
}
