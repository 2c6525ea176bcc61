/* SPDX-License-Identifier: Apache-2.0
 * The binding server: an answer is a function of the request and its source (RFC 8489, 6.3), and
 * the endpoint keeps no state but answers that wait to be sent.
 *
 * Rate limit: token buckets in a table indexed by a keyed hash of the source prefix, so that a
 * flood from any number of sources costs the same memory and nobody can choose whose bucket he
 * shares. */
#include "stun/server.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/ring.h"
#include "base/rng.h"
#include "base/time.h"
#include "stun/message.h"

#include <linnet/error.h>

#include <string.h>

#define DEFAULT_PER_SECOND 200u
#define DEFAULT_BURST      400u

struct ln_stun_bucket {
    ln_time full_at; /* when it will have `burst` tokens again */
};

int ln_stun_rate_limit_init(struct ln_stun_rate_limit *limit, const struct ln_env *env,
                            uint32_t per_second, uint32_t burst)
{
    struct ln_stun_bucket *buckets = ln_alloc_array(env->allocator, LN_STUN_BUCKETS,
                                                    sizeof *buckets);
    size_t i;

    if (!buckets)
        return LN_ERR_NOMEM;
    for (i = 0; i < LN_STUN_BUCKETS; i++)
        buckets[i].full_at = LN_TIME_IMMEDIATE;
    memset(limit, 0, sizeof *limit);
    ln_rng_bytes(env->rng, limit->secret, sizeof limit->secret);
    limit->per_second = per_second ? per_second : DEFAULT_PER_SECOND;
    limit->burst = burst ? burst : DEFAULT_BURST;
    limit->allocator = env->allocator;
    limit->buckets = buckets;
    return 0;
}

void ln_stun_rate_limit_deinit(struct ln_stun_rate_limit *limit)
{
    if (limit->allocator)
        ln_free(limit->allocator, limit->buckets);
    limit->buckets = NULL;
}

bool ln_stun_rate_limit_take(struct ln_stun_rate_limit *limit, ln_time now,
                             const struct ln_address *source)
{
    ln_duration token = LN_SECONDS(1) / limit->per_second;
    uint8_t prefix[8] = { source->family };
    struct ln_stun_bucket *bucket;
    ln_time full_at;

    memcpy(prefix + 1, source->ip, source->family == LN_FAMILY_IPV4 ? 3 : 7); /* /24, /56 */
    bucket = &limit->buckets[ln_siphash(limit->secret, prefix, sizeof prefix) % LN_STUN_BUCKETS];
    full_at = ln_time_max(bucket->full_at, now);
    if (full_at - now > token * (limit->burst - 1))
        return false;
    bucket->full_at = full_at + token;
    return true;
}

int ln_stun_server_respond(const void *request, size_t len, const struct ln_address *from,
                           void *data, size_t cap)
{
    struct ln_stun_message message;
    struct ln_stun_builder b;

    if (ln_stun_parse(request, len, &message) != 0 || message.method != LN_STUN_BINDING ||
        message.kind != LN_STUN_REQUEST)
        return 0;
    if (message.unknown_count > 0) {
        ln_stun_begin(&b, data, cap, LN_STUN_ERROR, LN_STUN_BINDING, &message.id);
        ln_stun_add_error(&b, 420, NULL);
        ln_stun_add_unknown(&b, message.unknown, message.unknown_count);
    } else {
        ln_stun_begin(&b, data, cap, LN_STUN_SUCCESS, LN_STUN_BINDING, &message.id);
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, from);
    }
    ln_stun_add_fingerprint(&b);
    return ln_stun_finish(&b);
}

enum listen_state { LISTEN_WANTED, LISTEN_ASKED, LISTEN_OPEN, LISTEN_FAILED };

struct listener {
    enum listen_state state;
    struct ln_address address; /* asked for, then bound */
    ln_link link;
    int error;
};

struct answer {
    struct ln_path path;
    uint8_t data[LN_STUN_ANSWER_MAX];
    size_t len;
};

struct ln_stun_server {
    const struct ln_env *env;
    struct ln_stun_rate_limit limit;
    struct listener listeners[LN_STUN_LISTEN_MAX];
    size_t listener_count;
    struct ln_ring answers; /* struct answer */
    struct ln_stun_server_counts counts;
};

int ln_stun_server_create(struct ln_stun_server **ret_server,
                          const struct ln_stun_server_config *config, const struct ln_env *env)
{
    struct ln_stun_server *server;
    size_t i;

    if (config->listen_count == 0 || config->listen_count > LN_STUN_LISTEN_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    server = ln_alloc_zero(env->allocator, sizeof *server);
    if (!server)
        return LN_ERR_NOMEM;
    if (ln_stun_rate_limit_init(&server->limit, env, config->per_second, config->burst) != 0) {
        ln_free(env->allocator, server);
        return LN_ERR_NOMEM;
    }
    server->env = env;
    ln_ring_init(&server->answers, env->allocator, sizeof(struct answer), LN_STUN_QUEUE_MAX);
    for (i = 0; i < config->listen_count; i++)
        server->listeners[i].address = config->listen[i];
    server->listener_count = config->listen_count;
    *ret_server = server;
    return 0;
}

void ln_stun_server_free(struct ln_stun_server *server)
{
    if (!server)
        return;
    ln_ring_deinit(&server->answers);
    ln_stun_rate_limit_deinit(&server->limit);
    ln_free(server->env->allocator, server);
}

static void server_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_stun_server *server = object;
    struct answer answer = { .path = packet->path };
    int len;

    server->counts.requests++;
    server->counts.bytes_in += packet->len;
    len = ln_stun_server_respond(packet->data, packet->len, &packet->path.remote, answer.data,
                                 sizeof answer.data);
    if (len <= 0) {
        server->counts.malformed++;
        return;
    }
    if (!ln_stun_rate_limit_take(&server->limit, now, &packet->path.remote)) {
        server->counts.limited++;
        return;
    }
    answer.len = (size_t)len;
    if (ln_ring_push(&server->answers, &answer) != 0)
        server->counts.queue_full++;
}

static void server_on_timeout(void *object, ln_time now)
{
    (void)object;
    (void)now;
}

static ln_time server_next_timeout(const void *object)
{
    (void)object;
    return LN_TIME_NEVER;
}

static int server_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_stun_server *server = object;
    const struct answer *answer = ln_ring_at(&server->answers, 0);

    (void)now;
    if (!answer)
        return 0;
    if (out->cap < answer->len)
        return LN_ERR_NO_SPACE;
    ln_transmit_begin(out);
    memcpy(out->data, answer->data, answer->len);
    out->len = answer->len;
    out->path = answer->path;
    server->counts.answers++;
    server->counts.bytes_out += answer->len;
    ln_ring_pop(&server->answers, NULL);
    return 1;
}

static int server_poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_stun_server *server = object;
    size_t i;

    for (i = 0; i < server->listener_count; i++) {
        struct listener *l = &server->listeners[i];

        if (l->state == LISTEN_WANTED) {
            l->state = LISTEN_ASKED;
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                                .id = (uint32_t)i,
                                                .local = l->address };
            return 1;
        }
    }
    return 0;
}

static void server_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct ln_stun_server *server = object;
    size_t i;

    (void)now;
    for (i = 0; i < server->listener_count; i++) {
        struct listener *l = &server->listeners[i];

        if (answer->kind == LN_ANSWER_CLOSED && l->state == LISTEN_OPEN &&
            l->link == answer->link) {
            l->state = LISTEN_FAILED;
            l->error = answer->error ? answer->error : LN_ERR_CLOSED;
        } else if (l->state == LISTEN_ASKED && answer->id == i &&
                   answer->kind == LN_ANSWER_OPENED) {
            l->state = LISTEN_OPEN;
            l->link = answer->link;
            l->address = answer->local;
        } else if (l->state == LISTEN_ASKED && answer->id == i &&
                   answer->kind == LN_ANSWER_FAILED) {
            l->state = LISTEN_FAILED;
            l->error = answer->error ? answer->error : LN_ERR_SYSTEM;
        }
    }
}

struct ln_endpoint ln_stun_server_endpoint(struct ln_stun_server *server)
{
    static const struct ln_endpoint_ops ops = {
        server_receive,       server_on_timeout,   server_next_timeout,
        server_poll_transmit, server_poll_request, server_answer,
    };

    return (struct ln_endpoint){ &ops, server };
}

void ln_stun_server_counts(const struct ln_stun_server *server,
                           struct ln_stun_server_counts *ret_counts)
{
    *ret_counts = server->counts;
}

int ln_stun_server_listening(const struct ln_stun_server *server, size_t i,
                             struct ln_address *ret_bound)
{
    const struct listener *l;

    if (i >= server->listener_count)
        return LN_ERR_RANGE;
    l = &server->listeners[i];
    if (l->state == LISTEN_FAILED)
        return l->error;
    if (l->state != LISTEN_OPEN)
        return LN_ERR_AGAIN;
    *ret_bound = l->address;
    return 0;
}
