/* SPDX-License-Identifier: Apache-2.0
 * The signalling server as its driver sees it: connections, their deadlines and rates, and what is
 * to be written.
 *
 * A connection that is being closed writes its replies, then its close code, and is forgotten. One
 * connection that has something to write stands in `ready` once; each poll takes one message of the
 * first and puts it last, so that none waits for another's queue. */
#include "servers/signal/core/signal.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "servers/signal/core/internal.h"
#include "servers/signal/core/json.h"
#include "servers/signal/core/view.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const struct error_row {
    const char *code, *sentence;
    uint16_t close;
} errors[LN_SIGNAL_ERROR_COUNT] = {
#define LN_SIGNAL_ERROR_ROW(name, code, sentence, close) { code, sentence, close },
    LN_SIGNAL_ERROR_TABLE(LN_SIGNAL_ERROR_ROW)
#undef LN_SIGNAL_ERROR_ROW
};

const char *ln_signal_error_code(enum ln_signal_error error)
{
    return errors[error].code;
}

void ln_signal_config_init(struct ln_signal_config *config)
{
    *config = (struct ln_signal_config){
        .rooms = 1000,
        .room_participants = 6,
        .connections = 4096,
        .source_connections = 64,
        .message_bytes = 65536,
        .queue_messages = 512,
        .queue_bytes = 1048576,
        .name_bytes = 64,
        .room_bytes = 64,
        .messages_per_second = 50,
        .message_burst = 200,
        .join_time = LN_SECONDS(10),
        .idle_time = LN_SECONDS(60),
        .grace_time = LN_SECONDS(30),
    };
}

bool ln_signal_room_valid(const char *room, size_t max)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(room);

    return len > 0 && len <= max && strspn(room, allowed) == len;
}

bool ln_signal_name_valid(const char *name, size_t max)
{
    size_t len = strlen(name);

    if (len == 0 || len > max || !ln_utf8_valid(name, len))
        return false;
    for (const uint8_t *p = (const uint8_t *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) /* C0, DEL, C1 */
            return false;
    return true;
}

int ln_signal_create(struct ln_signal **ret_signal, const struct ln_signal_config *config,
                     struct ln_env *env)
{
    struct ln_signal *signal;

    if (!config->rooms || !config->room_participants || !config->connections ||
        !config->source_connections || !config->message_bytes || !config->queue_messages ||
        !config->queue_bytes || !config->name_bytes || !config->room_bytes ||
        config->room_bytes > LN_MAP_KEY_MAX || !config->messages_per_second ||
        !config->message_burst || config->join_time <= 0 || config->idle_time <= 0 ||
        config->grace_time < 0)
        return LN_ERR_INVALID_ARGUMENT;
    signal = ln_alloc_zero(env->allocator, sizeof *signal);
    if (!signal)
        return LN_ERR_NOMEM;
    signal->env = env;
    signal->config = *config;
    ln_map_init(&signal->connections, env, config->connections);
    ln_map_init(&signal->participants, env, config->rooms * config->room_participants);
    ln_map_init(&signal->rooms, env, config->rooms);
    ln_map_init(&signal->sources, env, config->connections);
    ln_heap_init(&signal->deadlines, env->allocator,
                 config->connections + config->rooms * config->room_participants);
    ln_list_init(&signal->asking);
    ln_list_init(&signal->ready);
    ln_list_init(&signal->doomed);
    *ret_signal = signal;
    return 0;
}

/* ------------------------------------------------------------------ connections */

/* IPv6 sites get a /56, so that counts as one; IPv4 addresses count one by one. */
static void source_key(const struct ln_address *source, uint8_t key[LN_ADDRESS_KEY_LEN])
{
    struct ln_address prefix = *source;

    prefix.port = 0;
    prefix.scope = 0;
    if (prefix.family == LN_FAMILY_IPV6 && !ln_address_is_mapped(&prefix))
        memset(prefix.ip + 7, 0, sizeof prefix.ip - 7);
    ln_address_key(&prefix, key);
}

static void connection_free(struct ln_signal *signal, struct connection *c)
{
    struct source *source = ln_map_get(&signal->sources, c->source, sizeof c->source);
    struct text text;

    if (source && --source->count == 0) {
        ln_map_remove(&signal->sources, c->source, sizeof c->source);
        ln_free(signal->env->allocator, source);
    }
    while (ln_ring_pop(&c->replies, &text))
        ln_free(signal->env->allocator, text.data);
    ln_ring_deinit(&c->replies);
    view_forget(signal, c);
    ln_list_remove(&c->ready);
    ln_heap_remove(&signal->deadlines, &c->deadline.node);
    ln_map_remove_u64(&signal->connections, c->id);
    ln_free(signal->env->allocator, c);
}

void ln_signal_free(struct ln_signal *signal)
{
    struct connection *c;
    struct participant *p;
    struct room *room;
    size_t cursor;

    if (!signal)
        return;
    while (cursor = 0, (c = ln_map_next(&signal->connections, &cursor)) != NULL)
        connection_free(signal, c);
    for (cursor = 0; (p = ln_map_next(&signal->participants, &cursor)) != NULL;)
        participant_free(signal, p);
    for (cursor = 0; (room = ln_map_next(&signal->rooms, &cursor)) != NULL;) {
        ln_free(signal->env->allocator, room->name);
        ln_free(signal->env->allocator, room);
    }
    ln_map_deinit(&signal->connections);
    ln_map_deinit(&signal->participants);
    ln_map_deinit(&signal->rooms);
    ln_map_deinit(&signal->sources);
    ln_heap_deinit(&signal->deadlines);
    ln_free(signal->env->allocator, signal->lent);
    ln_free(signal->env->allocator, signal);
}

/* "https://name:8443" against "name:8443": an origin is scheme, host and port (RFC 6454, 4), and
 * both sides leave a default port out. */
static bool origin_allowed(const struct ln_signal_config *config,
                           const struct ln_signal_visitor *visitor)
{
    const char *host;

    if (!visitor->origin)
        return true;
    for (size_t i = 0; i < config->origin_count; i++)
        if (strcmp(config->origins[i], "*") == 0 ||
            strcmp(config->origins[i], visitor->origin) == 0)
            return true;
    host = strstr(visitor->origin, "://");
    return host && visitor->host && visitor->host[0] && strcasecmp(host + 3, visitor->host) == 0;
}

int ln_signal_admit(const struct ln_signal *signal, const struct ln_signal_visitor *visitor)
{
    uint8_t key[LN_ADDRESS_KEY_LEN];
    const struct source *source;

    if (!origin_allowed(&signal->config, visitor))
        return LN_ERR_NOT_ALLOWED;
    source_key(&visitor->source, key);
    source = ln_map_get(&signal->sources, key, sizeof key);
    if (signal->connections.count == signal->config.connections ||
        (source && source->count == signal->config.source_connections))
        return LN_ERR_LIMIT;
    return 0;
}

/* Keeps the name or address of "name:port" if it is one that may stand in a URL, else nothing. */
static void keep_host(struct connection *c, const char *host)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
    size_t len;

    if (!host)
        return;
    if (host[0] == '[') {
        len = strspn(host + 1, "0123456789abcdefABCDEF:.") + 2;
        if (host[len - 1] != ']')
            return;
    } else {
        len = strspn(host, allowed);
    }
    if (len == 0 || len > SIGNAL_HOST_MAX || (host[len] != '\0' && host[len] != ':'))
        return;
    memcpy(c->host, host, len);
    c->host[len] = '\0';
}

static int count_source(struct ln_signal *signal, struct connection *c)
{
    struct source *source = ln_map_get(&signal->sources, c->source, sizeof c->source);

    if (!source) {
        source = ln_alloc_zero(signal->env->allocator, sizeof *source);
        if (!source)
            return LN_ERR_NOMEM;
        if (ln_map_set(&signal->sources, c->source, sizeof c->source, source) != 0) {
            ln_free(signal->env->allocator, source);
            return LN_ERR_NOMEM;
        }
    }
    source->count++;
    return 0;
}

int ln_signal_open(struct ln_signal *signal, ln_time now, uint64_t connection,
                   const struct ln_signal_visitor *visitor)
{
    struct connection *c;
    int error = ln_signal_admit(signal, visitor);

    if (error) {
        if (error == LN_ERR_NOT_ALLOWED)
            signal->figures.refused_origins++;
        else
            signal->figures.refused_limits++;
        return error;
    }
    assert(!ln_map_get_u64(&signal->connections, connection));
    c = ln_alloc_zero(signal->env->allocator, sizeof *c);
    if (!c)
        return LN_ERR_NOMEM;
    c->id = connection;
    c->deadline.kind = TIMED_CONNECTION;
    c->rate_at = now;
    c->allowance = (int64_t)signal->config.message_burst * 1000;
    ln_list_init(&c->ready);
    ln_list_init(&c->asking);
    ln_ring_init(&c->replies, signal->env->allocator, sizeof(struct text), SIGNAL_REPLIES_MAX);
    keep_host(c, visitor->host);
    source_key(&visitor->source, c->source);
    c->address = visitor->source;
    if (ln_map_set_u64(&signal->connections, connection, c) != 0)
        goto no_place;
    if (ln_heap_set(&signal->deadlines, &c->deadline.node,
                    ln_time_add(now, signal->config.join_time)) != 0 ||
        count_source(signal, c) != 0)
        goto no_deadline;
    return 0;

no_deadline:
    ln_heap_remove(&signal->deadlines, &c->deadline.node);
    ln_map_remove_u64(&signal->connections, connection);
no_place:
    ln_ring_deinit(&c->replies);
    ln_free(signal->env->allocator, c);
    return LN_ERR_NOMEM;
}

void signal_ready(struct ln_signal *signal, struct connection *c)
{
    if (ln_list_empty(&c->ready))
        ln_list_append(&signal->ready, &c->ready);
}

void signal_close(struct ln_signal *signal, ln_time now, struct connection *c, uint16_t code)
{
    if (c->close_code != 0)
        return;
    c->close_code = code;
    ln_heap_remove(&signal->deadlines, &c->deadline.node);
    if (c->participant)
        participant_detach(signal, now, c->participant);
    signal_ready(signal, c);
}

void signal_reply(struct ln_signal *signal, struct connection *c, char *text, size_t len)
{
    struct text reply = { text, len };

    /* Full only when the driver does not poll; what it says then no longer matters. */
    if (c->close_code != 0 || ln_ring_push(&c->replies, &reply) != 0) {
        ln_free(signal->env->allocator, text);
        return;
    }
    signal_ready(signal, c);
}

void signal_error(struct ln_signal *signal, ln_time now, struct connection *c,
                  enum ln_signal_error error, const char *sentence, const char *of, const char *to)
{
    const struct error_row *row = &errors[error];
    size_t len = 0;
    char *text = json_to_text(signal->env->allocator,
                              json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "type", "error", "code",
                                        row->code, "sentence", sentence ? sentence : row->sentence,
                                        "of", of, "to", to),
                              &len);

    signal->figures.errors[error]++;
    if (text)
        signal_reply(signal, c, text, len);
    if (row->close != 0)
        signal_close(signal, now, c, row->close);
    else if (++c->errors >= SIGNAL_ERRORS_MAX)
        signal_error(signal, now, c, LN_SIGNAL_ERROR_TOO_MANY_ERRORS, NULL, of, NULL);
}

void signal_sweep(struct ln_signal *signal, ln_time now)
{
    while (!ln_list_empty(&signal->doomed)) {
        struct participant *p = LN_CONTAINER(signal->doomed.next, struct participant, doomed);
        struct connection *c = p->connection;
        enum ln_signal_error why = p->doom;

        participant_remove(signal, p, "removed");
        if (c)
            signal_error(signal, now, c, why, NULL, NULL, NULL);
        else
            signal->figures.errors[why]++;
    }
}

/* ------------------------------------------------------------------ input */

/* A bucket that fills with the rate up to the burst. */
static bool within_rate(const struct ln_signal_config *config, struct connection *c, ln_time now)
{
    int64_t full = (int64_t)config->message_burst * 1000;
    int64_t elapsed_ms = ln_time_ms(now - c->rate_at);

    if (elapsed_ms > 0) {
        int64_t room = full - c->allowance;

        c->rate_at = now;
        if (elapsed_ms > room / config->messages_per_second)
            c->allowance = full;
        else
            c->allowance += elapsed_ms * config->messages_per_second;
    }
    if (c->allowance < 1000)
        return false;
    c->allowance -= 1000;
    return true;
}

void ln_signal_receive(struct ln_signal *signal, ln_time now, uint64_t connection, const char *text,
                       size_t len)
{
    struct connection *c = ln_map_get_u64(&signal->connections, connection);

    if (!c || c->close_code != 0)
        return;
    signal->figures.received_bytes += len;
    if (len > signal->config.message_bytes)
        signal_error(signal, now, c, LN_SIGNAL_ERROR_TOO_BIG, NULL, NULL, NULL);
    else if (!within_rate(&signal->config, c, now))
        signal_error(signal, now, c, LN_SIGNAL_ERROR_RATE_LIMITED, NULL, NULL, NULL);
    else
        message_receive(signal, now, c, text, len);
    if (c->participant) /* only who has joined is granted more time by speaking */
        (void)!ln_heap_set(&signal->deadlines, &c->deadline.node,
                           ln_time_add(now, signal->config.idle_time));
    signal_sweep(signal, now);
}

void ln_signal_closed(struct ln_signal *signal, ln_time now, uint64_t connection)
{
    struct connection *c = ln_map_get_u64(&signal->connections, connection);

    if (!c)
        return;
    if (c->participant)
        participant_detach(signal, now, c->participant);
    connection_free(signal, c);
}

/* ------------------------------------------------------------------ time */

ln_time ln_signal_next_timeout(const struct ln_signal *signal)
{
    const struct ln_heap_node *first = ln_heap_first(&signal->deadlines);

    return first ? first->time : LN_TIME_NEVER;
}

void ln_signal_on_timeout(struct ln_signal *signal, ln_time now)
{
    struct ln_heap_node *node;

    while ((node = ln_heap_first(&signal->deadlines)) != NULL && ln_time_due(node->time, now)) {
        struct timed *timed = LN_CONTAINER(node, struct timed, node);

        if (timed->kind == TIMED_CONNECTION) {
            signal_error(signal, now, LN_CONTAINER(timed, struct connection, deadline),
                         LN_SIGNAL_ERROR_TOO_SLOW, NULL, NULL, NULL);
        } else {
            signal->figures.lost++;
            participant_remove(signal, LN_CONTAINER(timed, struct participant, deadline), "lost");
        }
    }
    signal_sweep(signal, now);
}

/* ------------------------------------------------------------------ output */

/* The next text of a connection: a reply, which is lent, or a numbered one, which its queue keeps
 * until it is acknowledged. */
static bool next_text(struct ln_signal *signal, struct connection *c, struct text *ret_text)
{
    struct participant *p = c->participant;
    struct text *queued;

    if (ln_ring_pop(&c->replies, ret_text)) {
        signal->lent = ret_text->data;
        return true;
    }
    queued = p ? ln_ring_at(&p->queue, p->sent) : NULL;
    if (!queued)
        return false;
    p->sent++;
    *ret_text = *queued;
    return true;
}

static bool has_more(const struct connection *c)
{
    return c->replies.count > 0 || c->close_code != 0 ||
           (c->participant && c->participant->sent < c->participant->queue.count);
}

int ln_signal_poll(struct ln_signal *signal, struct ln_signal_output *ret_output)
{
    ln_free(signal->env->allocator, signal->lent);
    signal->lent = NULL;
    while (!ln_list_empty(&signal->ready)) {
        struct connection *c = LN_CONTAINER(signal->ready.next, struct connection, ready);
        struct text text;

        ln_list_remove(&c->ready);
        if (next_text(signal, c, &text)) {
            if (has_more(c))
                signal_ready(signal, c);
            signal->figures.sent_messages++;
            signal->figures.sent_bytes += text.len;
            *ret_output = (struct ln_signal_output){ c->id, text.data, text.len, 0 };
            return 1;
        }
        if (c->close_code != 0) {
            *ret_output = (struct ln_signal_output){ c->id, NULL, 0, c->close_code };
            connection_free(signal, c);
            return 1;
        }
    }
    return 0;
}

void ln_signal_get_figures(const struct ln_signal *signal, struct ln_signal_figures *ret_figures)
{
    struct participant *p;

    *ret_figures = signal->figures;
    ret_figures->rooms = signal->rooms.count;
    ret_figures->participants = signal->participants.count;
    ret_figures->connections = signal->connections.count;
    ret_figures->resumable = 0;
    for (size_t cursor = 0; (p = ln_map_next(&signal->participants, &cursor)) != NULL;)
        ret_figures->resumable += p->connection == NULL;
}
