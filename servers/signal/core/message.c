/* SPDX-License-Identifier: Apache-2.0
 * What clients say (docs/signalling.md): a table of messages with their members, the state they are
 * allowed in and their handlers.
 *
 * A message is parsed, looked up, checked by its table row and only then handled, so a handler
 * trusts its members. Acks and numbers are taken from any message before its handler runs. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "servers/signal/core/internal.h"
#include "servers/signal/core/json.h"
#include "servers/signal/core/view.h"
#include "stun/ephemeral.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_MAX ((size_t)9007199254740991) /* 2^53 - 1: what every JSON reader can hold */

enum allowed { BEFORE = 1, JOINED = 2, ALWAYS = BEFORE | JOINED };

struct context { /* of one message being handled */
    struct ln_signal *signal;
    ln_time now;
    struct connection *connection;
    const json_t *message;
    const char *type;
};

struct message_type {
    const char *name;
    enum allowed allowed;
    const struct member *members;
    void (*handle)(const struct context *x);
};

static void fail(const struct context *x, enum ln_signal_error error, const char *sentence)
{
    signal_error(x->signal, x->now, x->connection, error, sentence, x->type,
                 json_member_text(x->message, "to"));
}

static void reply(const struct context *x, json_t *value)
{
    size_t len = 0;
    char *text = json_to_text(x->signal->env->allocator, value, &len);

    if (text)
        signal_reply(x->signal, x->connection, text, len);
    else
        fail(x, LN_SIGNAL_ERROR_OUT_OF_MEMORY, NULL);
}

/* ------------------------------------------------------------------ join */

static const char *token_of_room(const struct ln_signal_config *config, const char *room)
{
    for (size_t i = 0; i < config->room_token_count; i++)
        if (strcmp(config->room_tokens[i].room, room) == 0)
            return config->room_tokens[i].token;
    return config->token;
}

static bool token_right(const char *wanted, const char *given)
{
    size_t len;

    if (!wanted)
        return true;
    len = strlen(wanted);
    return given && strlen(given) == len && ln_equal_constant_time(wanted, given, len);
}

/* Counts a guess; too many of them end the connection. */
static void deny(const struct context *x, enum ln_signal_error error)
{
    struct connection *c = x->connection;

    fail(x, error, NULL);
    if (++c->denials >= SIGNAL_DENIALS_MAX && c->close_code == 0)
        signal_close(x->signal, x->now, c, 1008);
}

static json_t *participants_json(const struct participant *self)
{
    json_t *list = json_array();

    LN_LIST_EACH (at, &self->room->participants) {
        struct participant *p = LN_CONTAINER(at, struct participant, in_room);

        if (p != self && list &&
            json_array_append_new(list, json_pack("{s:s, s:s}", "id", p->id, "name", p->name)) !=
                0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* Adds SCHEME:HOST:PORT?transport=… to the list, unless the port is 0. */
static int add_turn_url(json_t *urls, const char *scheme, const char *host, uint16_t port,
                        const char *transport)
{
    char url[SIGNAL_HOST_MAX + 48];

    if (port == 0)
        return 0;
    snprintf(url, sizeof url, "%s:%s:%u?transport=%s", scheme, host, port, transport);
    return json_array_append_new(urls, json_string(url));
}

/* Our own TURN server, with credentials for this participant alone. */
static json_t *turn_json(const struct context *x, const struct participant *p)
{
    const struct ln_signal_config *config = &x->signal->config;
    const char *host = x->connection->host;
    ln_time wall = x->now + config->wall_offset + config->turn_lifetime;
    char name[SIGNAL_ID_LEN + 32], password[LN_STUN_EPHEMERAL_PASSWORD_MAX];
    json_t *urls = json_array();

    if (ln_stun_ephemeral_make(config->turn_secret, p->id, wall / LN_SECONDS(1), name, sizeof name,
                               password) != 0 ||
        add_turn_url(urls, "turn", host, config->turn_udp_port, "udp") != 0 ||
        add_turn_url(urls, "turn", host, config->turn_tcp_port, "tcp") != 0 ||
        add_turn_url(urls, "turns", host, config->turns_port, "tcp") != 0) {
        json_decref(urls);
        return NULL;
    }
    return json_pack("{s:o, s:s, s:s}", "urls", urls, "username", name, "credential", password);
}

/* The configured servers, and our own STUN and TURN under the name by which this client found us.
 */
static json_t *ice_servers_json(const struct context *x, const struct participant *p)
{
    const struct ln_signal_config *config = &x->signal->config;
    const struct connection *c = x->connection;
    json_t *list = json_array();
    int failed = 0;

    if (config->stun_port != 0 && c->host[0] != '\0') {
        char url[SIGNAL_HOST_MAX + 16];

        snprintf(url, sizeof url, "stun:%s:%u", c->host, config->stun_port);
        failed |= json_array_append_new(list, json_pack("{s:[s]}", "urls", url));
    }
    if (config->turn_secret && c->host[0] != '\0')
        failed |= json_array_append_new(list, turn_json(x, p));
    for (size_t i = 0; i < config->ice_server_count; i++) {
        const struct ln_signal_ice_server *s = &config->ice_servers[i];

        failed |= json_array_append_new(list,
                                        json_pack("{s:[s], s:s*, s:s*}", "urls", s->url, "username",
                                                  s->username, "credential", s->credential));
    }
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static void welcome(const struct context *x, const struct participant *p)
{
    const struct ln_signal_config *config = &x->signal->config;
    int64_t ping = ln_time_ms(config->idle_time) / 3000;

    reply(x, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I}", "type", "joined", "id",
                       p->id, "resume", p->secret, "room", p->room->name, "name", p->name,
                       "participants", participants_json(p), "iceServers", ice_servers_json(x, p),
                       "graceSeconds", (json_int_t)(ln_time_ms(config->grace_time) / 1000),
                       "pingSeconds", (json_int_t)(ping > 0 ? ping : 1), "messageBytes",
                       (json_int_t)config->message_bytes));
}

static void handle_join(const struct context *x)
{
    struct ln_signal *signal = x->signal;
    const char *room = json_member_text(x->message, "room");
    const char *name = json_member_text(x->message, "name");
    enum ln_signal_error error;
    struct participant *p;

    if (!ln_signal_room_valid(room, signal->config.room_bytes)) {
        fail(x, LN_SIGNAL_ERROR_BAD_MESSAGE,
             "The name of a room is made of A-Z a-z 0-9 . _ - and not too long.");
        return;
    }
    if (!ln_signal_name_valid(name, signal->config.name_bytes)) {
        fail(x, LN_SIGNAL_ERROR_BAD_MESSAGE,
             "A name has no control characters, and is neither empty nor too long.");
        return;
    }
    if (!token_right(token_of_room(&signal->config, room), json_member_text(x->message, "token"))) {
        deny(x, LN_SIGNAL_ERROR_NOT_ALLOWED);
        return;
    }
    if (participant_create(signal, room, name, &p, &error) != 0) {
        fail(x, error, NULL);
        return;
    }
    signal->figures.joined++;
    participant_attach(signal, p, x->connection);
    welcome(x, p);
}

/* ------------------------------------------------------------------ resume */

static void handle_resume(const struct context *x)
{
    struct ln_signal *signal = x->signal;
    const char *id = json_member_text(x->message, "id");
    const char *secret = json_member_text(x->message, "resume");
    uint64_t ack = (uint64_t)json_integer_value(json_object_get(x->message, "ack"));
    struct participant *p = ln_map_get(&signal->participants, id, strlen(id));

    /* what it has not got must still be there, and it cannot have got more than there was */
    if (!p || strlen(secret) != SIGNAL_SECRET_LEN ||
        !ln_equal_constant_time(p->secret, secret, SIGNAL_SECRET_LEN) || ack < p->acked ||
        ack >= participant_next(p)) {
        deny(x, LN_SIGNAL_ERROR_RESUME_FAILED);
        return;
    }
    if (p->connection) {
        struct connection *old = p->connection;

        participant_detach(signal, x->now, p);
        signal_close(signal, x->now, old, LN_SIGNAL_CLOSE_REPLACED);
    }
    participant_acknowledge(signal, p, ack);
    participant_attach(signal, p, x->connection);
    p->unacked = 0;
    signal->figures.resumed++;
    reply(x, json_pack("{s:s, s:s, s:I}", "type", "resumed", "id", p->id, "ack",
                       (json_int_t)p->received));
}

/* ------------------------------------------------------------------ between participants */

static void acknowledge_client(const struct context *x, struct participant *p)
{
    if (++p->unacked < SIGNAL_ACK_EVERY)
        return;
    p->unacked = 0;
    reply(x, json_pack("{s:s, s:I}", "type", "ack", "ack", (json_int_t)p->received));
}

/* Looks at the number of a message. Returns whether it is to be handled. */
static bool in_sequence(const struct context *x, struct participant *p)
{
    const json_t *seq = json_object_get(x->message, "seq");
    uint64_t number = (uint64_t)json_integer_value(seq);

    if (!seq)
        return true;
    if (number <= p->received) {
        x->signal->figures.duplicates++;
        return false;
    }
    if (number != p->received + 1) {
        fail(x, LN_SIGNAL_ERROR_SEQUENCE_GAP, NULL);
        return false;
    }
    p->received = number;
    acknowledge_client(x, p);
    return true;
}

/* Hands the dictionary `member` of a message on to the participant it is for. */
static void relay(const struct context *x, const char *member, const struct member *known)
{
    struct ln_signal *signal = x->signal;
    struct participant *from = x->connection->participant, *to;
    const char *id = json_member_text(x->message, "to");
    json_t *value;
    char *text;
    size_t len = 0;

    if (!in_sequence(x, from))
        return;
    to = ln_map_get(&signal->participants, id, strlen(id));
    if (!to || to->room != from->room || to == from) {
        fail(x, LN_SIGNAL_ERROR_NO_SUCH_PARTICIPANT, NULL);
        return;
    }
    value = json_pack("{s:s, s:I, s:s, s:o}", "type", x->type, "seq",
                      (json_int_t)participant_next(to), "from", from->id, member,
                      json_known_members(json_object_get(x->message, member), known));
    text = json_to_text(signal->env->allocator, value, &len);
    participant_send(signal, to, text, len);
}

static const struct member description_members[] = {
    { MEMBER_TEXT, "type", true, 16, NULL },
    { MEMBER_TEXT, "sdp", true, 0, NULL }, /* message_bytes is its limit */
    { MEMBER_END },
};

static const struct member candidate_members[] = {
    { MEMBER_TEXT, "candidate", true, SIGNAL_CANDIDATE_BYTES, NULL },
    { MEMBER_TEXT_OR_NULL, "sdpMid", false, SIGNAL_MID_BYTES, NULL },
    { MEMBER_NUMBER_OR_NULL, "sdpMLineIndex", false, 65535, NULL },
    { MEMBER_TEXT_OR_NULL, "usernameFragment", false, SIGNAL_UFRAG_BYTES, NULL },
    { MEMBER_END },
};

static void relay_description(const struct context *x, const char *type, const char *other)
{
    const char *given = json_member_text(json_object_get(x->message, "description"), "type");

    if (strcmp(given, type) != 0 && strcmp(given, other) != 0) {
        fail(x, LN_SIGNAL_ERROR_BAD_MESSAGE,
             "The description's type does not fit that of the message.");
        return;
    }
    relay(x, "description", description_members);
}

static void handle_offer(const struct context *x)
{
    relay_description(x, "offer", "offer");
}

static void handle_answer(const struct context *x)
{
    relay_description(x, "answer", "pranswer");
}

static void handle_candidate(const struct context *x)
{
    relay(x, "candidate", candidate_members);
}

/* ------------------------------------------------------------------ the rest */

static void handle_ack(const struct context *x)
{
    (void)x; /* the ack was taken already */
}

static void handle_ping(const struct context *x)
{
    struct participant *p = x->connection->participant;

    if (p)
        p->unacked = 0;
    reply(x, json_pack("{s:s, s:I}", "type", "pong", "ack", (json_int_t)(p ? p->received : 0)));
}

static void handle_view(const struct context *x)
{
    const char *user = json_member_text(x->message, "username");
    const char *credential = json_member_text(x->message, "credential");

    if (!user || !credential || !x->signal->config.turn_secret)
        reply(x, view_json(x->signal, x->now, x->connection));
    else if (!view_credential_right(x->signal, user, credential))
        deny(x, LN_SIGNAL_ERROR_NOT_ALLOWED);
    else if (!view_ask(x->signal, x->connection, user))
        fail(x, LN_SIGNAL_ERROR_OUT_OF_MEMORY, NULL);
}

static void handle_leave(const struct context *x)
{
    participant_remove(x->signal, x->connection->participant, "left");
    reply(x, json_pack("{s:s}", "type", "left"));
    signal_close(x->signal, x->now, x->connection, LN_SIGNAL_CLOSE_LEFT);
}

#define MEMBER_ACK(required_)                                                                      \
    {                                                                                              \
        MEMBER_NUMBER, "ack", required_, NUMBER_MAX, NULL                                          \
    }
#define MEMBER_SEQ                                                                                 \
    {                                                                                              \
        MEMBER_NUMBER, "seq", false, NUMBER_MAX, NULL                                              \
    }
#define MEMBER_TO                                                                                  \
    {                                                                                              \
        MEMBER_TEXT, "to", true, LN_MAP_KEY_MAX, NULL                                              \
    }

static const struct member join_members[] = {
    { MEMBER_TEXT, "room", true, 0, NULL },
    { MEMBER_TEXT, "name", true, 0, NULL },
    { MEMBER_TEXT, "token", false, SIGNAL_TOKEN_BYTES, NULL },
    { MEMBER_END },
};
static const struct member resume_members[] = {
    { MEMBER_TEXT, "id", true, LN_MAP_KEY_MAX, NULL },
    { MEMBER_TEXT, "resume", true, 64, NULL },
    MEMBER_ACK(true),
    { MEMBER_END },
};
static const struct member addressed_description_members[] = {
    MEMBER_TO,      { MEMBER_OBJECT, "description", true, 0, description_members },
    MEMBER_SEQ,     MEMBER_ACK(false),
    { MEMBER_END },
};
static const struct member addressed_candidate_members[] = {
    MEMBER_TO,      { MEMBER_OBJECT, "candidate", true, 0, candidate_members },
    MEMBER_SEQ,     MEMBER_ACK(false),
    { MEMBER_END },
};
static const struct member ack_members[] = { MEMBER_ACK(true), { MEMBER_END } };
static const struct member ping_members[] = { MEMBER_ACK(false), { MEMBER_END } };
static const struct member leave_members[] = { { MEMBER_END } };
static const struct member view_members[] = {
    { MEMBER_TEXT, "username", false, SIGNAL_USER_BYTES, NULL },
    { MEMBER_TEXT, "credential", false, SIGNAL_TOKEN_BYTES, NULL },
    { MEMBER_END },
};

static const struct message_type types[LN_SIGNAL_TYPE_COUNT] = {
    [LN_SIGNAL_JOIN] = { "join", BEFORE, join_members, handle_join },
    [LN_SIGNAL_RESUME] = { "resume", BEFORE, resume_members, handle_resume },
    [LN_SIGNAL_OFFER] = { "offer", JOINED, addressed_description_members, handle_offer },
    [LN_SIGNAL_ANSWER] = { "answer", JOINED, addressed_description_members, handle_answer },
    [LN_SIGNAL_CANDIDATE] = { "candidate", JOINED, addressed_candidate_members, handle_candidate },
    [LN_SIGNAL_ACK] = { "ack", JOINED, ack_members, handle_ack },
    [LN_SIGNAL_PING] = { "ping", ALWAYS, ping_members, handle_ping },
    [LN_SIGNAL_LEAVE] = { "leave", JOINED, leave_members, handle_leave },
    [LN_SIGNAL_VIEW] = { "view", ALWAYS, view_members, handle_view },
};

const char *ln_signal_type_name(enum ln_signal_type type)
{
    return types[type].name;
}

static const struct message_type *find(const char *name)
{
    for (size_t i = 0; name && i < LN_SIGNAL_TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static void take_ack(const struct context *x)
{
    const json_t *ack = json_object_get(x->message, "ack");
    struct participant *p = x->connection->participant;

    if (p && ack)
        participant_acknowledge(x->signal, p, (uint64_t)json_integer_value(ack));
}

static void dispatch(struct context *x)
{
    const struct message_type *type;
    char sentence[128];

    if (!json_is_object(x->message)) {
        fail(x, LN_SIGNAL_ERROR_BAD_JSON, NULL);
        return;
    }
    type = find(json_member_text(x->message, "type"));
    if (!type) {
        fail(x, LN_SIGNAL_ERROR_UNKNOWN_TYPE, NULL);
        return;
    }
    x->type = type->name;
    x->signal->figures.received[type - types]++;
    if (!(type->allowed & (x->connection->participant ? JOINED : BEFORE))) {
        fail(x, LN_SIGNAL_ERROR_WRONG_STATE,
             x->connection->participant ? "This connection has joined a room already."
                                        : "Join a room first.");
        return;
    }
    if (!json_members_valid(x->message, type->members, sentence, sizeof sentence)) {
        fail(x, LN_SIGNAL_ERROR_BAD_MESSAGE, sentence);
        return;
    }
    take_ack(x);
    type->handle(x);
}

void message_receive(struct ln_signal *signal, ln_time now, struct connection *c, const char *text,
                     size_t len)
{
    struct context x = { signal, now, c, NULL, NULL };
    json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    x.message = message;
    dispatch(&x);
    json_decref(message);
}
