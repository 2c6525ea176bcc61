/* SPDX-License-Identifier: Apache-2.0
 * The client's side of docs/signalling.md. Deadlines are fields; next_timeout() is their minimum.
 */
#include "client/room_session.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

#define RETRY_FIRST    LN_MILLISECONDS(250)
#define RETRY_LAST     LN_SECONDS(8)
#define ENTER_WAIT     LN_SECONDS(10) /* for the answer to join or resume */
#define LEAVE_WAIT     LN_MILLISECONDS(800)
#define ACK_MESSAGES   16u
#define ACK_DELAY      LN_SECONDS(1)
#define PING_DEFAULT   20
#define CLOSE_REPLACED 4001 /* docs/signalling.md */

struct kept_message {
    uint64_t sequence;
    char *text;
    size_t len;
};

/* ---- out ---- */

/* Takes over the message. */
static void send_json(struct ln_room_session *s, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

    if (text)
        s->ops->send(s->ctx, text, strlen(text));
    free(text);
    json_decref(message);
}

static void send_acknowledgement(struct ln_room_session *s, const char *type)
{
    send_json(s, json_pack("{s:s, s:I}", "type", type, "ack", (json_int_t)s->received));
    s->acknowledged = s->received;
    s->ack_at = LN_TIME_NEVER;
}

/* Takes over the message. Numbers it, keeps it and sends it if there is a socket. */
static int send_kept(struct ln_room_session *s, json_t *message)
{
    struct kept_message kept = { .sequence = s->sent + 1 };
    char *text;
    int error;

    if (!message)
        return LN_ERR_NOMEM;
    if (!s->id[0] || s->phase == LN_ROOM_SESSION_LEAVING || s->phase == LN_ROOM_SESSION_ENDED) {
        json_decref(message);
        return LN_ERR_INVALID_STATE;
    }
    json_object_set_new(message, "seq", json_integer((json_int_t)kept.sequence));
    text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    if (!text)
        return LN_ERR_NOMEM;
    kept.len = strlen(text);
    kept.text = ln_alloc_text(s->allocator, text);
    free(text);
    error = kept.text ? ln_ring_push(&s->kept, &kept) : LN_ERR_NOMEM;
    if (error) {
        ln_free(s->allocator, kept.text);
        return error;
    }
    s->sent = kept.sequence;
    if (s->phase == LN_ROOM_SESSION_JOINED)
        s->ops->send(s->ctx, kept.text, kept.len);
    return 0;
}

int ln_room_session_send_description(struct ln_room_session *s, const char *to, const char *type,
                                     const char *sdp)
{
    return send_kept(s, json_pack("{s:s, s:s, s:{s:s, s:s}}", "type",
                                  strcmp(type, "offer") == 0 ? "offer" : "answer", "to", to,
                                  "description", "type", type, "sdp", sdp));
}

int ln_room_session_send_candidate(struct ln_room_session *s, const char *to, const char *candidate,
                                   const char *mid, int m_line, const char *username_fragment)
{
    json_t *init = json_pack("{s:s}", "candidate", candidate);

    if (!init)
        return LN_ERR_NOMEM;
    if (mid)
        json_object_set_new(init, "sdpMid", json_string(mid));
    if (m_line >= 0)
        json_object_set_new(init, "sdpMLineIndex", json_integer(m_line));
    if (username_fragment)
        json_object_set_new(init, "usernameFragment", json_string(username_fragment));
    return send_kept(
        s, json_pack("{s:s, s:s, s:o}", "type", "candidate", "to", to, "candidate", init));
}

static void forget_kept(struct ln_room_session *s, uint64_t up_to)
{
    struct kept_message *first;

    while ((first = ln_ring_at(&s->kept, 0)) != NULL && first->sequence <= up_to) {
        ln_free(s->allocator, first->text);
        ln_ring_pop(&s->kept, NULL);
    }
}

/* ---- phases ---- */

static void wait_and_retry(struct ln_room_session *s, ln_time now, int error, const char *sentence)
{
    ln_duration wait = RETRY_FIRST << (s->tries < 5 ? s->tries : 5);

    if (wait > RETRY_LAST)
        wait = RETRY_LAST;
    wait = wait / 2 + (ln_duration)ln_rng_below(s->rng, (uint32_t)(wait / 1000)) * 500;
    if (s->tries == 0 && s->was_joined)
        wait = 0; /* the first break is mended at once */
    s->tries++;
    s->phase = LN_ROOM_SESSION_WAITING;
    s->retry_at = now + wait;
    s->give_up_at = s->ack_at = s->ping_at = LN_TIME_NEVER;
    s->ops->state(s->ctx, s->was_joined ? LN_ROOM_STATE_RECONNECTING : LN_ROOM_STATE_CONNECTING,
                  error, sentence);
}

static void end(struct ln_room_session *s, int error, const char *sentence)
{
    if (s->phase == LN_ROOM_SESSION_ENDED)
        return;
    s->phase = LN_ROOM_SESSION_ENDED;
    s->retry_at = s->give_up_at = s->ack_at = s->ping_at = LN_TIME_NEVER;
    s->ops->close(s->ctx);
    s->ops->state(s->ctx, LN_ROOM_STATE_LEFT, error, sentence);
}

static void open_socket(struct ln_room_session *s)
{
    s->phase = LN_ROOM_SESSION_OPENING;
    s->retry_at = LN_TIME_NEVER;
    s->ops->open(s->ctx);
}

static void join(struct ln_room_session *s)
{
    json_t *message = json_pack("{s:s, s:s, s:s}", "type", "join", "room", s->room, "name",
                                s->name);

    s->resuming = false;
    if (message && s->token)
        json_object_set_new(message, "token", json_string(s->token));
    send_json(s, message);
}

void ln_room_session_start(struct ln_room_session *s, ln_time now)
{
    (void)now;
    s->ops->state(s->ctx, LN_ROOM_STATE_CONNECTING, 0, "connecting");
    open_socket(s);
}

void ln_room_session_opened(struct ln_room_session *s, ln_time now)
{
    if (s->phase != LN_ROOM_SESSION_OPENING)
        return;
    s->phase = LN_ROOM_SESSION_ENTERING;
    s->give_up_at = now + ENTER_WAIT;
    if (!s->id[0]) {
        join(s);
        return;
    }
    s->resuming = true;
    send_json(s, json_pack("{s:s, s:s, s:s, s:I}", "type", "resume", "id", s->id, "resume",
                           s->secret, "ack", (json_int_t)s->received));
}

void ln_room_session_closed(struct ln_room_session *s, ln_time now, unsigned code,
                            const char *sentence)
{
    if (s->phase == LN_ROOM_SESSION_LEAVING)
        end(s, 0, "left");
    else if (code == 0)
        end(s, LN_ERR_SYNTAX, sentence);
    else if (code == CLOSE_REPLACED && s->phase == LN_ROOM_SESSION_JOINED)
        end(s, LN_ERR_ABORT, "this session went on elsewhere");
    else if (s->phase != LN_ROOM_SESSION_ENDED && s->phase != LN_ROOM_SESSION_WAITING)
        wait_and_retry(s, now, code == 1006 ? LN_ERR_UNREACHABLE : LN_ERR_CLOSED, sentence);
}

void ln_room_session_leave(struct ln_room_session *s, ln_time now)
{
    if (s->phase == LN_ROOM_SESSION_ENDED || s->phase == LN_ROOM_SESSION_LEAVING)
        return;
    if (s->phase != LN_ROOM_SESSION_JOINED) {
        end(s, 0, "left");
        return;
    }
    s->phase = LN_ROOM_SESSION_LEAVING;
    s->give_up_at = now + LEAVE_WAIT;
    s->ack_at = s->ping_at = LN_TIME_NEVER;
    send_json(s, json_pack("{s:s}", "type", "leave"));
}

/* ---- in ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void entered(struct ln_room_session *s, ln_time now)
{
    s->phase = LN_ROOM_SESSION_JOINED;
    s->was_joined = true;
    s->tries = 0;
    s->give_up_at = LN_TIME_NEVER;
    s->ping_at = now + s->ping_interval;
    s->ops->state(s->ctx, LN_ROOM_STATE_JOINED, 0, "joined");
}

static void on_joined(struct ln_room_session *s, ln_time now, const json_t *message)
{
    json_t *participants = json_object_get(message, "participants"), *participant;
    json_int_t ping = json_integer_value(json_object_get(message, "pingSeconds"));
    size_t i;

    if (s->phase != LN_ROOM_SESSION_ENTERING)
        return;
    snprintf(s->id, sizeof s->id, "%s", text_of(message, "id"));
    snprintf(s->secret, sizeof s->secret, "%s", text_of(message, "resume"));
    if (!s->id[0]) {
        end(s, LN_ERR_MALFORMED, "the server does not speak this protocol");
        return;
    }
    forget_kept(s, UINT64_MAX);
    s->sent = s->received = s->acknowledged = 0;
    s->ping_interval = LN_SECONDS(ping > 0 && ping < 3600 ? ping : PING_DEFAULT);
    s->ops->joined(s->ctx, json_object_get(message, "iceServers"));
    entered(s, now);
    json_array_foreach(participants, i, participant)
    {
        if (text_of(participant, "id")[0])
            s->ops->participant(s->ctx, text_of(participant, "id"), text_of(participant, "name"),
                                true);
    }
}

static void on_resumed(struct ln_room_session *s, ln_time now, const json_t *message)
{
    if (s->phase != LN_ROOM_SESSION_ENTERING)
        return;
    forget_kept(s, (uint64_t)json_integer_value(json_object_get(message, "ack")));
    for (size_t i = 0; i < s->kept.count; i++) {
        const struct kept_message *kept = ln_ring_at(&s->kept, i);

        s->ops->send(s->ctx, kept->text, kept->len);
    }
    entered(s, now);
}

static void on_presence(struct ln_room_session *s, ln_time now, const json_t *message)
{
    const json_t *participant = json_object_get(message, "participant");
    const char *id = text_of(participant, "id");

    (void)now;
    if (!id[0])
        return;
    if (strcmp(text_of(message, "event"), "joined") == 0)
        s->ops->participant(s->ctx, id, text_of(participant, "name"), false);
    else if (strcmp(text_of(message, "event"), "left") == 0)
        s->ops->left(s->ctx, id);
}

static void on_description(struct ln_room_session *s, ln_time now, const json_t *message)
{
    const json_t *description = json_object_get(message, "description");
    const char *sdp = json_string_value(json_object_get(description, "sdp"));

    (void)now;
    if (sdp)
        s->ops->description(s->ctx, text_of(message, "from"), text_of(description, "type"), sdp);
}

static void on_candidate(struct ln_room_session *s, ln_time now, const json_t *message)
{
    const json_t *candidate = json_object_get(message, "candidate");

    (void)now;
    if (json_is_object(candidate))
        s->ops->candidate(s->ctx, text_of(message, "from"), candidate);
}

static void on_left(struct ln_room_session *s, ln_time now, const json_t *message)
{
    (void)now;
    (void)message;
    end(s, 0, "left");
}

/* What the server refuses for good. The rest is an accident of one message or of the socket. */
static void on_error(struct ln_room_session *s, ln_time now, const json_t *message)
{
    static const struct {
        const char *code;
        int error;
    } final[] = {
        { "room_full", LN_ERR_LIMIT },
        { "too_many_rooms", LN_ERR_LIMIT },
        { "not_allowed", LN_ERR_NOT_ALLOWED },
        { "bad_message", LN_ERR_INVALID_ARGUMENT },
        { "bad_json", LN_ERR_INVALID_ARGUMENT },
        { "wrong_state", LN_ERR_INVALID_STATE },
        { "unknown_type", LN_ERR_NOT_SUPPORTED },
    };
    const char *code = text_of(message, "code");

    if (strcmp(code, "resume_failed") == 0 && s->phase == LN_ROOM_SESSION_ENTERING && s->resuming) {
        s->id[0] = s->secret[0] = '\0';
        s->give_up_at = now + ENTER_WAIT;
        join(s);
        return;
    }
    if (s->phase != LN_ROOM_SESSION_ENTERING)
        return;
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (strcmp(code, final[i].code) == 0) {
            end(s, final[i].error, text_of(message, "sentence"));
            return;
        }
}

static void on_acknowledgement(struct ln_room_session *s, ln_time now, const json_t *message)
{
    (void)s;
    (void)now;
    (void)message; /* any message may carry one: see receive() */
}

static const struct {
    const char *type;
    void (*handle)(struct ln_room_session *s, ln_time now, const json_t *message);
} handlers[] = {
    { "joined", on_joined },       { "resumed", on_resumed },      { "presence", on_presence },
    { "offer", on_description },   { "answer", on_description },   { "candidate", on_candidate },
    { "ack", on_acknowledgement }, { "pong", on_acknowledgement }, { "left", on_left },
    { "error", on_error },
};

/* Whether the message is new. What was sent again and known already is dropped. */
static bool accept_sequence(struct ln_room_session *s, ln_time now, const json_t *message)
{
    json_t *sequence = json_object_get(message, "seq");

    if (!sequence)
        return true;
    if (s->phase != LN_ROOM_SESSION_JOINED && s->phase != LN_ROOM_SESSION_ENTERING)
        return false;
    if ((uint64_t)json_integer_value(sequence) <= s->received)
        return false;
    s->received = (uint64_t)json_integer_value(sequence);
    if (s->ack_at == LN_TIME_NEVER)
        s->ack_at = now + ACK_DELAY;
    return true;
}

static void receive(struct ln_room_session *s, ln_time now, const json_t *message)
{
    json_t *ack = json_object_get(message, "ack");
    const char *type = text_of(message, "type");

    if (json_is_integer(ack) && s->phase == LN_ROOM_SESSION_JOINED)
        forget_kept(s, (uint64_t)json_integer_value(ack));
    if (!accept_sequence(s, now, message))
        return;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (strcmp(type, handlers[i].type) == 0) {
            handlers[i].handle(s, now, message);
            break;
        }
    if (s->phase == LN_ROOM_SESSION_JOINED && s->received >= s->acknowledged + ACK_MESSAGES)
        send_acknowledgement(s, "ack");
}

void ln_room_session_message(struct ln_room_session *s, ln_time now, const char *text, size_t len)
{
    json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    s->heard_at = now;
    if (message && s->phase != LN_ROOM_SESSION_ENDED)
        receive(s, now, message);
    json_decref(message);
}

/* ---- time ---- */

ln_time ln_room_session_next_timeout(const struct ln_room_session *s)
{
    return ln_time_min(ln_time_min(s->retry_at, s->give_up_at), ln_time_min(s->ack_at, s->ping_at));
}

void ln_room_session_on_timeout(struct ln_room_session *s, ln_time now)
{
    if (ln_time_due(s->retry_at, now))
        open_socket(s);
    if (ln_time_due(s->give_up_at, now)) {
        s->give_up_at = LN_TIME_NEVER;
        if (s->phase == LN_ROOM_SESSION_LEAVING) {
            end(s, 0, "left");
            return;
        }
        s->ops->close(s->ctx);
        wait_and_retry(s, now, LN_ERR_TIMEOUT, "the server does not answer");
    }
    if (ln_time_due(s->ping_at, now)) {
        if (now - s->heard_at > 2 * s->ping_interval + LN_SECONDS(1)) {
            s->ops->close(s->ctx);
            wait_and_retry(s, now, LN_ERR_TIMEOUT, "the server is silent");
            return;
        }
        send_acknowledgement(s, "ping");
        s->ping_at = now + s->ping_interval;
    }
    if (ln_time_due(s->ack_at, now))
        send_acknowledgement(s, "ack");
}

/* ---- life ---- */

int ln_room_session_init(struct ln_room_session *s, const char *room, const char *name,
                         const char *token, const struct ln_room_session_ops *ops, void *ctx,
                         struct ln_env *env)
{
    if (!room || !room[0] || strlen(room) > LN_ROOM_SESSION_ROOM_BYTES || !name || !name[0] ||
        strlen(name) > LN_ROOM_SESSION_NAME_BYTES)
        return LN_ERR_INVALID_ARGUMENT;
    memset(s, 0, sizeof *s);
    s->allocator = env->allocator;
    s->rng = env->rng;
    s->ops = ops;
    s->ctx = ctx;
    snprintf(s->room, sizeof s->room, "%s", room);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->ping_interval = LN_SECONDS(PING_DEFAULT);
    s->retry_at = s->give_up_at = s->ack_at = s->ping_at = LN_TIME_NEVER;
    ln_ring_init(&s->kept, s->allocator, sizeof(struct kept_message), LN_ROOM_SESSION_KEPT_MAX);
    if (token) {
        s->token = ln_alloc_text(s->allocator, token);
        if (!s->token)
            return LN_ERR_NOMEM;
    }
    return 0;
}

void ln_room_session_deinit(struct ln_room_session *s)
{
    if (!s->allocator)
        return;
    forget_kept(s, UINT64_MAX);
    ln_ring_deinit(&s->kept);
    ln_free(s->allocator, s->token);
    s->token = NULL;
}
