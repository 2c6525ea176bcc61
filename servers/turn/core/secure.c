/* SPDX-License-Identifier: Apache-2.0
 * Clients over TLS and DTLS (RFC 8489, 6.2.2 and 6.2.3; RFC 7350; ALPN: RFC
 * 7443).
 *
 * A stream that begins with a TLS record is one of TLS; a datagram whose first
 * byte is of DTLS (RFC 7983) belongs to a session, or asks for one: then its
 * sender first shows by a cookie that he receives where he sends from, and only
 * then there is a session, which counts as a guest. */
#include "base/alloc.h"
#include "base/time.h"
#include "crypto/cookie.h"
#include "crypto/session.h"
#include "servers/turn/core/internal.h"

#include <string.h>

#define RECORD_HANDSHAKE 22u
#define OUTPUT_PIECE     1500u

/* The last one on a shared port alone. What is agreed is a hint: the first plain byte decides. */
static const char *const protocols[] = { "stun.turn", "stun.nat-discovery", "http/1.1" };

static bool create_session(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                           bool datagram)
{
    struct ln_session_config config = { .is_datagram = datagram,
                                        .certificate = server->config.certificate,
                                        .alpn = protocols,
                                        .alpn_count = server->config.shared_port && !datagram ? 3
                                                                                              : 2,
                                        .after_cookie = datagram };

    if (!server->scratch)
        server->scratch = ln_alloc(server->env->allocator, TURN_SCRATCH);
    if (!server->scratch ||
        ln_session_create(&client->session, &config, server->env->crypto, server->env) != 0)
        return false;
    ln_session_start(client->session, now);
    return true;
}

/* Sends what the session has to say by itself: the handshake, alerts. */
static void flush(struct ln_turn_server *server, struct turn_client *client)
{
    uint8_t piece[OUTPUT_PIECE];
    int len;

    while ((len = ln_session_poll_output(client->session, piece, sizeof piece)) > 0) {
        struct ln_buffer *buffer = turn_buffer(server, (size_t)len);

        if (!buffer)
            continue; /* lost: DTLS repeats it, a stream breaks and its client comes
                         again */
        memcpy(ln_buffer_bytes(buffer), piece, (size_t)len);
        turn_send_plain(server, client, buffer);
    }
}

void turn_secure_deinit(struct ln_turn_server *server, struct turn_client *client)
{
    if (!client->session)
        return;
    flush(server, client);
    ln_session_free(client->session);
    client->session = NULL;
}

static void set_timer(struct ln_turn_server *server, struct turn_client *client)
{
    ln_time when = client->leave_at;

    if (client->session)
        when = ln_time_min(when, ln_session_next_timeout(client->session));
    if (when != client->timer.node.time)
        turn_set_timer(server, &client->timer, when);
}

void turn_client_set_deadline(struct ln_turn_server *server, struct turn_client *client,
                              ln_time leave_at)
{
    client->leave_at = leave_at;
    set_timer(server, client);
}

/* Takes what arrived through the session and hands on what is inside. False
 * when it is over. */
static bool unwrap(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                   struct ln_bytes packet)
{
    bool alive = true;

    for (;;) {
        enum ln_session_state before = ln_session_state(client->session);
        int len = ln_session_unwrap(client->session, now, &packet, server->scratch, TURN_SCRATCH);

        if (len > 0 && client->transport == LN_TURN_DTLS)
            turn_client_message(server, now, client, server->scratch, (size_t)len);
        else if (len > 0)
            alive = turn_stream_bytes(server, now, client,
                                      (struct ln_bytes){ server->scratch, (size_t)len });
        if (!alive || len < 0)
            break;
        if (len == 0 && (packet.len == 0 || ln_session_state(client->session) == before) &&
            !(before == LN_SESSION_HANDSHAKE &&
              ln_session_state(client->session) == LN_SESSION_ESTABLISHED))
            break;
    }
    flush(server, client);
    return alive && ln_session_state(client->session) <= LN_SESSION_ESTABLISHED;
}

void turn_secure_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                         struct ln_bytes packet)
{
    if (!unwrap(server, now, client, packet)) {
        server->counts.streams_broken += ln_session_state(client->session) == LN_SESSION_FAILED;
        turn_client_end(server, now, client);
        return;
    }
    turn_set_patience(server, now, client);
    set_timer(server, client);
}

bool turn_secure_on_timeout(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    if (!client->session || ln_time_due(client->leave_at, now))
        return false;
    ln_session_on_timeout(client->session, now);
    flush(server, client);
    set_timer(server, client);
    return ln_session_state(client->session) <= LN_SESSION_ESTABLISHED;
}

bool turn_secure_begins(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                        const uint8_t *data, size_t len)
{
    if (client->session || client->transport != LN_TURN_TCP || client->spoke || len == 0)
        return true;
    client->spoke = true;
    if (data[0] != RECORD_HANDSHAKE || !server->config.certificate)
        return true; /* plain */
    if (!create_session(server, now, client, false))
        return false;
    server->counts.transport[LN_TURN_TCP].sessions--;
    server->counts.transport[LN_TURN_TLS].sessions++;
    client->transport = LN_TURN_TLS;
    return true;
}

/* ---- sending ---- */

bool turn_secure_send(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                      struct ln_buffer *buffer)
{
    size_t len = buffer->len, headroom = ln_session_headroom(client->session);
    struct ln_buffer *sealed;
    int result;

    if (client->transport == LN_TURN_DTLS) {
        /* in place: the record's header stands in the head room */
        result = ln_session_wrap(client->session, now, ln_buffer_bytes(buffer), len,
                                 ln_buffer_bytes(buffer) - headroom,
                                 headroom + len + ln_buffer_room(buffer));
        if (result <= 0) {
            server->counts.dropped_queue++;
            ln_buffer_unref(buffer);
            return false;
        }
        buffer->offset -= (uint32_t)headroom;
        buffer->len = (uint32_t)result;
        turn_send_plain(server, client, buffer);
        return true;
    }
    if (len + TURN_TLS_OVERHEAD > client->room) {
        server->counts.dropped_stream_full++;
        ln_buffer_unref(buffer);
        return false;
    }
    sealed = client->connection ? turn_stream_buffer(server, len + TURN_TLS_OVERHEAD)
                                : turn_buffer(server, len + TURN_TLS_OVERHEAD);
    result = sealed ? ln_session_wrap(client->session, now, ln_buffer_bytes(buffer), len,
                                      ln_buffer_bytes(sealed), sealed->len)
                    : -1;
    ln_buffer_unref(buffer);
    if (result > 0) {
        sealed->len = (uint32_t)result;
        turn_send_plain(server, client, sealed);
    } else {
        ln_buffer_unref(sealed);
    }
    flush(server, client);
    return result >= 0;
}

/* ---- DTLS ---- */

static void ask_for_cookie(struct ln_turn_server *server, ln_time now, const struct ln_path *path,
                           const uint8_t answer[LN_DTLS_VERIFY_LEN])
{
    struct ln_buffer *buffer;

    if (!ln_stun_rate_limit_take(&server->limit, now, &path->remote)) {
        server->counts.dropped_limited++;
        return;
    }
    buffer = turn_buffer(server, LN_DTLS_VERIFY_LEN);
    if (!buffer)
        return;
    memcpy(ln_buffer_bytes(buffer), answer, LN_DTLS_VERIFY_LEN);
    turn_send(server, path, TURN_DATAGRAM, buffer);
}

/* A session for a client that has shown its address. NULL is counted. */
static struct turn_client *admit(struct ln_turn_server *server, ln_time now,
                                 const struct ln_path *path, const uint8_t *random)
{
    struct turn_client *client = turn_guest_create(server, now, path, LN_TURN_DTLS);

    if (!client)
        return NULL;
    if (!create_session(server, now, client, true)) {
        server->counts.streams_refused++;
        turn_client_end(server, now, client);
        return NULL;
    }
    memcpy(client->hello, random, sizeof client->hello);
    return client;
}

void turn_dtls_receive(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                       struct ln_packet *packet)
{
    struct ln_bytes bytes = { packet->data, packet->len };
    uint8_t answer[LN_DTLS_VERIFY_LEN];
    const uint8_t *random = NULL;
    enum ln_dtls_hello hello;

    if (!server->config.certificate || (client && client->transport != LN_TURN_DTLS)) {
        server->counts.dropped_malformed++;
        return;
    }
    hello = ln_dtls_cookie_check(server->config.nonce_key, now / LN_SECONDS(1),
                                 &packet->path.remote, bytes, answer, &random);
    if (hello == LN_DTLS_HELLO_ASKED) {
        ask_for_cookie(server, now, &packet->path, answer);
        return;
    }
    if (hello == LN_DTLS_HELLO_PROVED && client &&
        memcmp(client->hello, random, sizeof client->hello) != 0) {
        turn_client_end(server, now, client); /* it began anew from the same port */
        client = NULL;
    }
    if (!client && hello == LN_DTLS_HELLO_PROVED)
        client = admit(server, now, &packet->path, random);
    if (client)
        turn_secure_receive(server, now, client, bytes);
    else if (hello == LN_DTLS_HELLO_NONE)
        server->counts.dropped_no_allocation++;
}
