/* SPDX-License-Identifier: Apache-2.0
 * Reading the configuration file: libyaml's document, walked with the table of keys in hand. */
#include "cli/config.h"

#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum kind {
    KIND_END,
    KIND_TEXT,
    KIND_NUMBER,
    KIND_YES_NO,
    KIND_TEXTS,
    KIND_ORIGINS,
    KIND_ROOMS,
    KIND_ICE_SERVERS
};

struct key {
    const char *path; /* "section.name", or "name" at the top */
    enum kind kind;
    size_t offset;
    long min, max;
};

#define AT(field_) offsetof(struct serve_config, field_)

static const struct key keys[] = {
    { "listen", KIND_TEXT, AT(listen), 0, 0 },
    { "one_port", KIND_YES_NO, AT(one_port), 0, 0 },
    { "tls.certificate", KIND_TEXT, AT(certificate), 0, 0 },
    { "tls.key", KIND_TEXT, AT(key), 0, 0 },
    { "stun.listen", KIND_TEXT, AT(stun_listen), 0, 0 },
    { "stun.per_second", KIND_NUMBER, AT(stun_per_second), 1, 1000000 },
    { "stun.burst", KIND_NUMBER, AT(stun_burst), 1, 1000000 },
    { "signal.token", KIND_TEXT, AT(token), 0, 0 },
    { "signal.room_tokens", KIND_ROOMS, 0, 0, 0 },
    { "signal.origins", KIND_ORIGINS, 0, 0, 0 },
    { "signal.ice_servers", KIND_ICE_SERVERS, 0, 0, 0 },
    { "signal.rooms", KIND_NUMBER, AT(rooms), 1, 100000 },
    { "signal.room_participants", KIND_NUMBER, AT(room_participants), 2, 100 },
    { "signal.connections", KIND_NUMBER, AT(connections), 1, 100000 },
    { "signal.source_connections", KIND_NUMBER, AT(source_connections), 1, 100000 },
    { "signal.message_bytes", KIND_NUMBER, AT(message_bytes), 4096, 1048576 },
    { "signal.messages_per_second", KIND_NUMBER, AT(messages_per_second), 1, 100000 },
    { "signal.message_burst", KIND_NUMBER, AT(message_burst), 10, 1000000 },
    { "signal.queue_messages", KIND_NUMBER, AT(queue_messages), 32, 100000 },
    { "signal.queue_bytes", KIND_NUMBER, AT(queue_bytes), 65536, 67108864 },
    { "signal.name_bytes", KIND_NUMBER, AT(name_bytes), 1, 1024 },
    { "signal.room_bytes", KIND_NUMBER, AT(room_bytes), 1, 64 },
    { "signal.join_seconds", KIND_NUMBER, AT(join_seconds), 1, 3600 },
    { "signal.idle_seconds", KIND_NUMBER, AT(idle_seconds), 3, 86400 },
    { "signal.grace_seconds", KIND_NUMBER, AT(grace_seconds), 0, 3600 },
    { "http.metrics", KIND_YES_NO, AT(metrics), 0, 0 },
    { "http.connections", KIND_NUMBER, AT(http_connections), 1, 100000 },
    { "http.source_connections", KIND_NUMBER, AT(http_source_connections), 1, 100000 },
    { "http.head_bytes", KIND_NUMBER, AT(head_bytes), 1024, 65536 },
    { "http.head_seconds", KIND_NUMBER, AT(head_seconds), 1, 3600 },
    { "http.keep_alive_seconds", KIND_NUMBER, AT(keep_alive_seconds), 1, 3600 },
    { "http.stall_seconds", KIND_NUMBER, AT(stall_seconds), 1, 3600 },
    { "http.pings_per_minute", KIND_NUMBER, AT(pings_per_minute), 1, 100000 },
    { "turn.listen", KIND_TEXTS, AT(turn.listen), 0, 0 },
    { "turn.relay", KIND_TEXTS, AT(turn.relay), 0, 0 },
    { "turn.check_stun", KIND_TEXT, AT(turn.check_stun), 0, 0 },
    { "turn.realm", KIND_TEXT, AT(turn.realm), 0, 0 },
    { "turn.users", KIND_TEXTS, AT(turn.users), 0, 0 },
    { "turn.users_database", KIND_TEXT, AT(turn.users_database), 0, 0 },
    { "turn.secrets", KIND_TEXTS, AT(turn.secrets), 0, 0 },
    { "turn.users_redis", KIND_TEXT, AT(turn.users_redis), 0, 0 },
    { "turn.redis_password", KIND_TEXT, AT(turn.redis_password), 0, 0 },
    { "turn.redis_seconds", KIND_NUMBER, AT(turn.redis_seconds), 1, 86400 },
    { "turn.nonce_key", KIND_TEXT, AT(turn.nonce_key), 0, 0 },
    { "turn.allow_peers", KIND_TEXTS, AT(turn.allow_peers), 0, 0 },
    { "turn.deny_peers", KIND_TEXTS, AT(turn.deny_peers), 0, 0 },
    { "turn.port_min", KIND_NUMBER, AT(turn.port_min), 1, 65535 },
    { "turn.port_max", KIND_NUMBER, AT(turn.port_max), 1, 65535 },
    { "turn.workers", KIND_NUMBER, AT(turn.workers), 0, LN_TURN_WORKERS_MAX },
    { "turn.allocations", KIND_NUMBER, AT(turn.allocations), 1, LN_TURN_CLIENTS_MAX },
    { "turn.user_allocations", KIND_NUMBER, AT(turn.user_allocations), 0, LN_TURN_CLIENTS_MAX },
    { "turn.permissions", KIND_NUMBER, AT(turn.permissions), 1, LN_TURN_PERMISSIONS_MAX },
    { "turn.channels", KIND_NUMBER, AT(turn.channels), 1, LN_TURN_CHANNELS_MAX },
    { "turn.user_permissions", KIND_NUMBER, AT(turn.user_permissions), 0, 100000000 },
    { "turn.user_channels", KIND_NUMBER, AT(turn.user_channels), 0, 100000000 },
    { "turn.all_permissions", KIND_NUMBER, AT(turn.all_permissions), 0, 100000000 },
    { "turn.all_channels", KIND_NUMBER, AT(turn.all_channels), 0, 100000000 },
    { "turn.strict_channels", KIND_YES_NO, AT(turn.strict_channels), 0, 0 },
    { "turn.shared_ports", KIND_NUMBER, AT(turn.shared_ports), 0, LN_TURN_SHARED_PORTS_MAX },
    { "turn.tcp_relay", KIND_YES_NO, AT(turn.tcp_relay), 0, 0 },
    { "turn.mobility", KIND_YES_NO, AT(turn.mobility), 0, 0 },
    { "turn.tcp_connections", KIND_NUMBER, AT(turn.tcp_connections), 1, LN_TURN_CONNECTIONS_MAX },
    { "turn.kbit_per_second", KIND_NUMBER, AT(turn.kbit_per_second), 0, 1000000000 },
    { "turn.user_kbit_per_second", KIND_NUMBER, AT(turn.user_kbit_per_second), 0, 1000000000 },
    { "turn.lifetime_seconds", KIND_NUMBER, AT(turn.lifetime_seconds), 600, 86400 },
    { "turn.nonce_seconds", KIND_NUMBER, AT(turn.nonce_seconds), 60, 86400 },
    { "turn.credential_seconds", KIND_NUMBER, AT(turn.credential_seconds), 60, 31536000 },
    { "turn.streams", KIND_NUMBER, AT(turn.streams), 1, 65536 },
    { "turn.source_streams", KIND_NUMBER, AT(turn.source_streams), 1, 65536 },
    { "turn.stream_seconds", KIND_NUMBER, AT(turn.stream_seconds), 1, 3600 },
    { "turn.drain_seconds", KIND_NUMBER, AT(turn.drain_seconds), 0, 86400 },
    { NULL, KIND_END, 0, 0, 0 },
};
#define KEY_COUNT (sizeof keys / sizeof *keys - 1)

struct reader {
    struct serve_config *config;
    const char *path;
    FILE *errors;
    yaml_document_t *document;
};

struct text { /* the memory of one value */
    struct text *next;
    char data[];
};

void serve_config_init(struct serve_config *config)
{
    struct ln_signal_config s;
    struct ln_http_server_config h;

    ln_signal_config_init(&s);
    ln_http_server_config_init(&h);
    *config = (struct serve_config){
        .stun_per_second = 200,
        .stun_burst = 400,
        .metrics = true,
        .rooms = (long)s.rooms,
        .room_participants = (long)s.room_participants,
        .connections = (long)s.connections,
        .source_connections = (long)s.source_connections,
        .message_bytes = (long)s.message_bytes,
        .messages_per_second = (long)s.messages_per_second,
        .message_burst = (long)s.message_burst,
        .queue_messages = (long)s.queue_messages,
        .queue_bytes = (long)s.queue_bytes,
        .name_bytes = (long)s.name_bytes,
        .room_bytes = (long)s.room_bytes,
        .join_seconds = (long)(s.join_time / LN_SECONDS(1)),
        .idle_seconds = (long)(s.idle_time / LN_SECONDS(1)),
        .grace_seconds = (long)(s.grace_time / LN_SECONDS(1)),
        .http_connections = (long)h.connections,
        .http_source_connections = (long)h.source_connections,
        .head_bytes = (long)h.head_bytes,
        .head_seconds = (long)h.head_seconds,
        .keep_alive_seconds = (long)h.idle_seconds,
        .stall_seconds = (long)h.stall_seconds,
        .pings_per_minute = (long)h.pings_per_minute,
    };
    turn_settings_init(&config->turn);
}

void serve_config_free(struct serve_config *config)
{
    struct text *text = config->texts, *next;

    for (; text; text = next) {
        next = text->next;
        free(text);
    }
    config->texts = NULL;
}

void serve_config_apply(const struct serve_config *c, struct ln_signal_service_config *service)
{
    struct ln_signal_config *s = &service->signal;
    struct ln_http_server_config *h = &service->http;

    service->metrics = c->metrics;
    s->rooms = (size_t)c->rooms;
    s->room_participants = (size_t)c->room_participants;
    s->connections = (size_t)c->connections;
    s->source_connections = (size_t)c->source_connections;
    s->message_bytes = (size_t)c->message_bytes;
    s->messages_per_second = (unsigned)c->messages_per_second;
    s->message_burst = (unsigned)c->message_burst;
    s->queue_messages = (size_t)c->queue_messages;
    s->queue_bytes = (size_t)c->queue_bytes;
    s->name_bytes = (size_t)c->name_bytes;
    s->room_bytes = (size_t)c->room_bytes;
    s->join_time = LN_SECONDS(c->join_seconds);
    s->idle_time = LN_SECONDS(c->idle_seconds);
    s->grace_time = LN_SECONDS(c->grace_seconds);
    s->token = c->token;
    s->room_tokens = c->room_tokens;
    s->room_token_count = c->room_token_count;
    s->origins = c->origins;
    s->origin_count = c->origin_count;
    s->ice_servers = c->ice_servers;
    s->ice_server_count = c->ice_server_count;
    h->connections = (size_t)c->http_connections;
    h->source_connections = (size_t)c->http_source_connections;
    h->head_bytes = (size_t)c->head_bytes;
    h->head_seconds = (unsigned)c->head_seconds;
    h->idle_seconds = (unsigned)c->keep_alive_seconds;
    h->stall_seconds = (unsigned)c->stall_seconds;
    h->pings_per_minute = (unsigned)c->pings_per_minute;
}

/* ------------------------------------------------------------------ values */

static int complain(const struct reader *r, const yaml_node_t *node, const char *sentence,
                    const char *what)
{
    fprintf(r->errors, "%s:%zu: ", r->path, node->start_mark.line + 1);
    fprintf(r->errors, sentence, what);
    fprintf(r->errors, "\n");
    return -1;
}

/* The file's values outlive its document. */
static const char *keep(const struct reader *r, const yaml_node_t *node)
{
    size_t len = node->data.scalar.length;
    struct text *text = malloc(sizeof *text + len + 1);

    if (!text)
        return NULL;
    memcpy(text->data, node->data.scalar.value, len);
    text->data[len] = '\0';
    text->next = r->config->texts;
    r->config->texts = text;
    return text->data;
}

static int read_text(const struct reader *r, const yaml_node_t *node, const char *name,
                     const char **ret_text)
{
    const char *text;

    if (node->type != YAML_SCALAR_NODE ||
        strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
        return complain(r, node, "%s must be a text", name);
    if (node->data.scalar.length == 0 || strcmp((const char *)node->data.scalar.value, "~") == 0)
        return 0; /* left open: not set */
    text = keep(r, node);
    if (!text)
        return complain(r, node, "out of memory at %s", name);
    *ret_text = text;
    return 0;
}

static int read_number(const struct reader *r, const yaml_node_t *node, const struct key *key)
{
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || number < key->min || number > key->max) {
        fprintf(r->errors, "%s:%zu: %s must be a number from %ld to %ld, not \"%s\"\n", r->path,
                node->start_mark.line + 1, key->path, key->min, key->max, text);
        return -1;
    }
    *(long *)((char *)r->config + key->offset) = number;
    return 0;
}

static int read_yes_no(const struct reader *r, const yaml_node_t *node, const struct key *key)
{
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    bool *field = (bool *)((char *)r->config + key->offset);

    if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
        *field = true;
    else if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0)
        *field = false;
    else
        return complain(r, node, "%s must be true or false", key->path);
    return 0;
}

/* Calls `item` for each element of a list. */
static int read_list(const struct reader *r, const yaml_node_t *node, const char *name,
                     int (*item)(const struct reader *r, const yaml_node_t *node))
{
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return complain(r, node, "%s must be a list", name);
    for (yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top;
         at++)
        if (item(r, yaml_document_get_node(r->document, *at)) != 0)
            return -1;
    return 0;
}

struct member {
    const char *name;
    const char **place;
};

/* Reads a mapping of texts; every key must be among the members. */
static int read_members(const struct reader *r, const yaml_node_t *node, const char *name,
                        const struct member *members)
{
    if (node->type != YAML_MAPPING_NODE)
        return complain(r, node, "each of %s must be a mapping", name);
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, at->key);
        const struct member *m = members;

        while (m->name && (key->type != YAML_SCALAR_NODE ||
                           strcmp(m->name, (const char *)key->data.scalar.value) != 0))
            m++;
        if (!m->name)
            return complain(r, key, "there is no such key in %s", name);
        if (read_text(r, yaml_document_get_node(r->document, at->value), m->name, m->place) != 0)
            return -1;
    }
    return 0;
}

static int read_texts(const struct reader *r, const yaml_node_t *node, const struct key *key)
{
    struct turn_texts *list = (struct turn_texts *)(void *)((char *)r->config + key->offset);

    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return complain(r, node, "%s must be a list", key->path);
    for (yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top;
         at++) {
        const yaml_node_t *item = yaml_document_get_node(r->document, *at);
        const char *text = NULL;

        if (list->count == TURN_TEXTS_MAX)
            return complain(r, item, "there are too many %s", key->path);
        if (read_text(r, item, key->path, &text) != 0)
            return -1;
        if (text)
            list->items[list->count++] = text;
    }
    return 0;
}

static int read_origin(const struct reader *r, const yaml_node_t *node)
{
    struct serve_config *c = r->config;
    const char *origin = NULL;

    if (c->origin_count == CONFIG_ORIGINS_MAX)
        return complain(r, node, "there are too many %s", "origins");
    if (read_text(r, node, "an origin", &origin) != 0)
        return -1;
    if (origin)
        c->origins[c->origin_count++] = origin;
    return 0;
}

static int read_room(const struct reader *r, const yaml_node_t *node)
{
    struct serve_config *c = r->config;
    struct ln_signal_room_token *row = &c->room_tokens[c->room_token_count];
    const struct member members[] = { { "room", &row->room },
                                      { "token", &row->token },
                                      { NULL, NULL } };

    if (c->room_token_count == CONFIG_ROOMS_MAX)
        return complain(r, node, "there are too many %s", "room_tokens");
    if (read_members(r, node, "room_tokens", members) != 0)
        return -1;
    if (!row->room || !row->token)
        return complain(r, node, "each of %s has a room and a token", "room_tokens");
    c->room_token_count++;
    return 0;
}

static int read_ice_server(const struct reader *r, const yaml_node_t *node)
{
    struct serve_config *c = r->config;
    struct ln_signal_ice_server *row = &c->ice_servers[c->ice_server_count];
    const struct member members[] = { { "url", &row->url },
                                      { "username", &row->username },
                                      { "credential", &row->credential },
                                      { NULL, NULL } };

    if (c->ice_server_count == CONFIG_ICE_SERVERS_MAX)
        return complain(r, node, "there are too many %s", "ice_servers");
    if (read_members(r, node, "ice_servers", members) != 0)
        return -1;
    if (!row->url || (strncmp(row->url, "stun", 4) != 0 && strncmp(row->url, "turn", 4) != 0))
        return complain(r, node,
                        "each of %s has a url that begins with stun: or turn:", "ice_servers");
    c->ice_server_count++;
    return 0;
}

static int read_value(const struct reader *r, const yaml_node_t *node, const struct key *key)
{
    switch (key->kind) {
    case KIND_TEXT:
        return read_text(r, node, key->path,
                         (const char **)(void *)((char *)r->config + key->offset));
    case KIND_NUMBER:
        return read_number(r, node, key);
    case KIND_YES_NO:
        return read_yes_no(r, node, key);
    case KIND_TEXTS:
        return read_texts(r, node, key);
    case KIND_ORIGINS:
        return read_list(r, node, key->path, read_origin);
    case KIND_ROOMS:
        return read_list(r, node, key->path, read_room);
    case KIND_ICE_SERVERS:
        return read_list(r, node, key->path, read_ice_server);
    case KIND_END:
        break;
    }
    return -1;
}

/* ------------------------------------------------------------------ keys */

static int unknown_key(const struct reader *r, const yaml_node_t *node, const char *path)
{
    const char *words[KEY_COUNT + 1] = { NULL }, *nearest;

    for (size_t i = 0; i < KEY_COUNT; i++)
        words[i] = keys[i].path;
    nearest = cli_nearest(path, words);
    fprintf(r->errors, "%s:%zu: there is no key %s", r->path, node->start_mark.line + 1, path);
    if (nearest)
        fprintf(r->errors, "; did you mean %s?\n", nearest);
    else
        fprintf(r->errors, "; docs/linnet.yaml has all of them\n");
    return -1;
}

static bool is_section(const char *path)
{
    size_t len = strlen(path);

    for (const struct key *key = keys; key->path; key++)
        if (strncmp(key->path, path, len) == 0 && key->path[len] == '.')
            return true;
    return false;
}

/* A mapping whose keys stand below `prefix` ("" or "section."). */
static int read_mapping(const struct reader *r, const yaml_node_t *node, const char *prefix)
{
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
        return 0; /* a section with nothing in it */
    if (node->type != YAML_MAPPING_NODE)
        return complain(r, node, "%s must hold keys and values", *prefix ? prefix : "the file");
    for (yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *name = yaml_document_get_node(r->document, at->key);
        const yaml_node_t *value = yaml_document_get_node(r->document, at->value);
        const struct key *key = keys;
        char path[128];
        int error;

        if (name->type != YAML_SCALAR_NODE)
            return complain(r, name, "a key must be a %s", "text");
        snprintf(path, sizeof path, "%s%s", prefix, (const char *)name->data.scalar.value);
        while (key->path && strcmp(key->path, path) != 0)
            key++;
        if (key->path) {
            error = read_value(r, value, key);
        } else if (*prefix == '\0' && is_section(path)) {
            if (strcmp(path, "turn") == 0)
                r->config->turn.present = value->type == YAML_MAPPING_NODE;
            snprintf(path, sizeof path, "%s.", (const char *)name->data.scalar.value);
            error = read_mapping(r, value, path);
        } else {
            error = unknown_key(r, name, path);
        }
        if (error)
            return -1;
    }
    return 0;
}

int serve_config_read(struct serve_config *config, const char *path, FILE *errors)
{
    FILE *file = fopen(path, "rb");
    yaml_document_t document;
    yaml_parser_t parser;
    struct reader r = { config, path, errors, &document };
    int error = -1;

    if (!file) {
        fprintf(errors, "%s: cannot be read: %s\n", path, strerror(errno));
        return -1;
    }
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return -1;
    }
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &document)) {
        fprintf(errors, "%s:%zu: not YAML: %s\n", path, parser.problem_mark.line + 1,
                parser.problem ? parser.problem : "it cannot be read");
    } else {
        const yaml_node_t *top = yaml_document_get_root_node(&document);

        error = top ? read_mapping(&r, top, "") : 0;
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return error;
}

int serve_config_load(struct serve_config *config, const char *path, const char *certificate,
                      const char *key, FILE *errors)
{
    serve_config_init(config);
    if (path && serve_config_read(config, path, errors) != 0)
        return -1;
    if (certificate)
        config->certificate = certificate;
    if (key)
        config->key = key;
    return 0;
}
