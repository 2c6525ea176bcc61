/* SPDX-License-Identifier: Apache-2.0
 * The server of tests/support/stream_server.h. */
#include "tests/support/stream_server.h"
#include "tests/support/idle.h"

#include "base/address.h"
#include "tests/support/test.h"

#include <string.h>

#define PROTOCOL_TCP 6u

static const char user[] = "alice", password[] = "secret", realm[] = "example.org";

const struct ln_ice_server_address stream_server_relay = {
    .url = "turn:" STREAM_SERVER_IP "?transport=tcp",
    .host = STREAM_SERVER_IP,
    .relays = true,
    .transport = LN_ICE_OVER_TCP,
    .username = "alice",
    .password = "secret",
};

void stream_server_init(struct stream_server *server)
{
    memset(server, 0, sizeof *server);
    CHECK(ln_address_parse(STREAM_SERVER_IP ":50000", &server->relayed) == 0);
    server->next_connection = 1000;
}

size_t stream_server_open(const struct stream_server *server)
{
    size_t count = 0;

    for (size_t i = 0; i < server->count; i++)
        count += server->streams[i].open;
    return count;
}

size_t stream_server_bound(const struct stream_server *server)
{
    size_t count = 0;

    for (size_t i = 0; i < server->count; i++)
        count += server->streams[i].open && server->streams[i].bound;
    return count;
}

void stream_server_say(struct stream_server *server, size_t stream, const void *data, size_t len)
{
    if (server->queued == STREAM_SERVER_QUEUE || stream >= server->count ||
        !server->streams[stream].open || len == 0 || len > sizeof server->queue[0].data)
        return;
    server->queue[server->queued].stream = stream;
    server->queue[server->queued].len = len;
    memcpy(server->queue[server->queued++].data, data, len);
}

/* --- answers ------------------------------------------------------------------------------- */

static void finish(struct stream_server *server, size_t stream, struct ln_stun_builder *b,
                   const uint8_t *data, bool signed_)
{
    uint8_t key[16];
    int len;

    ln_stun_long_term_key(test_bytes(user), test_bytes(realm), test_bytes(password), key);
    if (signed_)
        ln_stun_add_integrity(b, (struct ln_bytes){ key, sizeof key });
    len = ln_stun_finish(b);
    CHECK(len > 0);
    stream_server_say(server, stream, data, (size_t)len);
}

static void refuse(struct stream_server *server, size_t stream, const struct ln_stun_message *m,
                   uint16_t code)
{
    uint8_t data[256];
    struct ln_stun_builder b;

    ln_stun_begin(&b, data, sizeof data, LN_STUN_ERROR, m->method, &m->id);
    ln_stun_add_error(&b, code, NULL);
    ln_stun_add_text(&b, LN_STUN_REALM, realm);
    ln_stun_add_text(&b, LN_STUN_NONCE, "nonce");
    finish(server, stream, &b, data, code != 401);
}

static void grant(struct stream_server *server, size_t stream, const struct ln_stun_message *m)
{
    const struct ln_address *client = &server->streams[stream].path.remote;
    uint8_t data[256];
    struct ln_stun_builder b;

    ln_stun_begin(&b, data, sizeof data, LN_STUN_SUCCESS, m->method, &m->id);
    if (m->method == LN_STUN_ALLOCATE)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_RELAYED_ADDRESS, &server->relayed);
    if (m->method == LN_STUN_ALLOCATE || m->method == LN_STUN_BINDING)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, client);
    if (m->method == LN_STUN_ALLOCATE || m->method == LN_STUN_REFRESH)
        ln_stun_add_u32(&b, LN_STUN_LIFETIME, 600);
    if (m->method == LN_STUN_CONNECT && !server->connect_without_id)
        ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, server->next_connection++);
    finish(server, stream, &b, data, m->method != LN_STUN_BINDING);
}

static void allocate(struct stream_server *server, size_t stream, const struct ln_stun_message *m)
{
    uint32_t transport = 0;

    server->allocates++;
    (void)ln_stun_find_u32(m, LN_STUN_REQUESTED_TRANSPORT, &transport);
    server->streams[stream].tcp = transport >> 24 == PROTOCOL_TCP;
    if (server->streams[stream].tcp && server->allocates_no_tcp)
        refuse(server, stream, m, 442);
    else
        grant(server, stream, m);
}

static void connect_peer(struct stream_server *server, size_t stream,
                         const struct ln_stun_message *m)
{
    server->connects++;
    if (server->refuse_connect)
        refuse(server, stream, m, server->refuse_connect);
    else if (!server->connect_silent)
        grant(server, stream, m);
}

static void bind_connection(struct stream_server *server, size_t stream,
                            const struct ln_stun_message *m)
{
    server->binds++;
    if (server->bind_rubbish)
        stream_server_say(server, stream, "\xff\xff\xff\xff", 4);
    if (server->refuse_bind) {
        refuse(server, stream, m, server->refuse_bind);
    } else if (!server->bind_silent) {
        grant(server, stream, m);
        server->streams[stream].bound = true;
    }
}

static void request(struct stream_server *server, size_t stream, const struct ln_stun_message *m)
{
    uint32_t lifetime;

    if (m->method != LN_STUN_BINDING && m->integrity == 0) {
        refuse(server, stream, m, 401);
        return;
    }
    switch (m->method) {
    case LN_STUN_ALLOCATE:
        allocate(server, stream, m);
        break;
    case LN_STUN_CONNECT:
        connect_peer(server, stream, m);
        break;
    case LN_STUN_CONNECTION_BIND:
        bind_connection(server, stream, m);
        break;
    default:
        server->permissions += m->method == LN_STUN_CREATE_PERMISSION;
        server->releases += ln_stun_find_u32(m, LN_STUN_LIFETIME, &lifetime) && lifetime == 0;
        grant(server, stream, m);
    }
}

void stream_server_answer(struct stream_server *server, size_t stream, enum ln_stun_class kind,
                          uint16_t method, void (*add)(struct ln_stun_builder *b, void *context),
                          void *context)
{
    uint8_t data[700];
    struct ln_stun_builder b;

    if (stream >= server->count)
        return;
    ln_stun_begin(&b, data, 600, kind, method, &server->streams[stream].last);
    add(&b, context);
    if (!b.w.ok)
        return;
    b.w.cap = sizeof data;
    finish(server, stream, &b, data, method != LN_STUN_BINDING);
}

void stream_server_attempt(struct stream_server *server, const struct ln_address *peer,
                           uint32_t connection)
{
    static const struct ln_stun_id id = { { 1, 2, 3 } };
    uint8_t data[256];
    struct ln_stun_builder b;

    for (size_t i = 0; i < server->count; i++)
        if (server->streams[i].open && server->streams[i].tcp) {
            ln_stun_begin(&b, data, sizeof data, LN_STUN_INDICATION, LN_STUN_CONNECTION_ATTEMPT,
                          &id);
            ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, connection);
            ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, peer);
            finish(server, i, &b, data, false);
            return;
        }
}

/* --- endpoint ------------------------------------------------------------------------------ */

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct stream_server *server = object;
    struct ln_stun_message message;

    (void)now;
    if (ln_stun_parse(packet->data, packet->len, &message) != 0 || message.kind != LN_STUN_REQUEST)
        return;
    for (size_t i = 0; i < server->count; i++)
        if (server->streams[i].open && server->streams[i].path.link == packet->path.link &&
            !server->streams[i].bound) {
            server->streams[i].last = message.id;
            if (!server->silent)
                request(server, i, &message);
        }
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct stream_server *server = object;

    (void)now;
    while (server->queued > 0) {
        struct stream_server_stream *stream = &server->streams[server->queue[0].stream];

        ln_transmit_begin(out);
        out->path = stream->path;
        out->len = server->queue[0].len;
        memcpy(out->data, server->queue[0].data, out->len);
        server->queued--;
        memmove(&server->queue[0], &server->queue[1], server->queued * sizeof server->queue[0]);
        if (stream->open)
            return 1;
    }
    return 0;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct stream_server *server = object;

    if (server->asked)
        return 0;
    server->asked = true;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_LISTEN_TCP, .id = 1 };
    CHECK(ln_address_parse(STREAM_SERVER_IP ":3478", &ret_request->local) == 0);
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct stream_server *server = object;

    (void)now;
    if (a->kind == LN_ANSWER_OPENED && a->remote.family != LN_FAMILY_NONE &&
        server->count < STREAM_SERVER_STREAMS)
        server->streams[server->count++] =
            (struct stream_server_stream){ .path = { a->link, a->local, a->remote }, .open = true };
    for (size_t i = 0; a->kind == LN_ANSWER_CLOSED && i < server->count; i++)
        if (server->streams[i].path.link == a->link)
            server->streams[i].open = false;
}

struct ln_endpoint stream_server_endpoint(struct stream_server *server)
{
    static const struct ln_endpoint_ops ops = { receive,       idle_on_timeout, idle_next_timeout,
                                                poll_transmit, poll_request,    answer };

    return (struct ln_endpoint){ &ops, server };
}
