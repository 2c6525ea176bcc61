/* SPDX-License-Identifier: Apache-2.0
 * The TURN server: a script of steps on one server with three clients (two of UDP, one stream), its
 * sockets opened as it asks. Each step is one byte of kind, one of length, and as many of content:
 *
 *   0..2   a datagram of client 0 or 1, or a piece of the stream, as it is
 *   3..5   a request of that client: method (one byte), attributes; signed here with the right key
 *   6      a datagram of a peer to the first relay
 *   7      time: so many seconds
 *   8      the driver's answer: kind, id, link, and of a send that failed ICMP's type, code, MTU
 * (two bytes) and the peer: at most one client is told, of IPv4 what may be told
 *
 * and from 0xf0 on, for TCP relays (RFC 6062), on a second stream and a peer's, and shared ports:
 *
 *   0xf0   the second stream is opened (again)        0xf1   a piece on it
 *   0xf2   a signed request on it: method, attributes
 *   0xf3   a signed ConnectionBind on it with the newest CONNECTION-ID that was told
 *   0xf4   a peer connects to the newest TCP relay    0xf5   a piece of the newest peer's stream
 *   0xf6   that stream is closed                      0xf7   WRITABLE: of peer or client, bytes
 *   0xf8   from now on connects fail, or do again not
 *   0xf9   the server starts anew, with so many shared ports (one byte, at most 3)
 *   0xfa   a datagram of one of 16 peers to one of the relays' sockets (the halves of one byte): at
 *          most one client is sent what it brought
 *   0xfb   a client permits a relay of ours           0xfc   sends to it: client, socket (one byte
 *          each)
 *   0xfd   a Refresh of a client (one byte) with the newest ticket that was told; a second byte
 * says which of its bytes is changed 0xfe   a client of UDP (one byte) has another port
 *   0xff   a resident (one byte: 0 it comes or goes, 1 a client permits it, 2 sends to it, 3 it
 *          speaks to a relay), with a client or a relay's socket (one byte; from 16 on: to the
 * relay that spoke last)
 *
 * What the server sends must be well-formed, and what it opens it must close. What reaches the
 * resident comes from a relay of ours, while it is there; what it says is at most one client's. */
#include "servers/turn/core/turn.h"
#include "base/alloc.h"
#include "base/pool.h"
#include "base/rng.h"
#include "crypto/crypto.h"
#include "stun/framing.h"
#include "stun/message.h"

#include <linnet/error.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REALM       "example.org"
#define SOCKETS_MAX 64

struct fuzz {
    struct ln_pool pool;
    bool buffered; /* what comes next */
    struct ln_rng rng;
    struct ln_env env;
    struct ln_turn_policy policy;
    struct ln_turn_shared *shared;
    struct ln_turn_credentials *credentials;
    struct ln_turn_server *server;
    struct ln_endpoint e;
    struct ln_path clients[4];
    uint8_t nonce_key[LN_TURN_NONCE_KEY_LEN];
    ln_time now;
    ln_link next_link, sockets[SOCKETS_MAX];
    struct ln_address locals[SOCKETS_MAX];
    uint32_t next_id;
    bool refuses;           /* connects fail */
    unsigned to_clients;    /* datagrams and pieces, of the last step */
    unsigned icmp;          /* of them, what may say that nothing arrived */
    uint32_t relay_ask;     /* the request of the newest TCP relay */
    struct ln_path peer;    /* the newest stream to or from a peer */
    uint32_t connection_id; /* the newest that was told */
    uint8_t ticket[256];    /* the newest */
    size_t ticket_len;
    struct ln_address home, heard; /* of the resident, and the relay that spoke to it last */
    bool at_home;
};

static void open_socket(struct fuzz *f, const struct ln_request *r)
{
    struct ln_answer answer = { .kind = LN_ANSWER_OPENED, .id = r->id, .local = r->local };
    size_t i = 0;

    while (i < SOCKETS_MAX && f->sockets[i])
        i++;
    if (i == SOCKETS_MAX || (r->kind == LN_REQUEST_OPEN_TCP && f->refuses)) {
        answer.kind = LN_ANSWER_FAILED;
        answer.error = LN_ERR_LIMIT;
    } else {
        answer.link = f->sockets[i] = f->next_link++;
        f->locals[i] = r->local;
        if (r->kind == LN_REQUEST_LISTEN_TCP)
            f->relay_ask = r->id;
        if (r->kind == LN_REQUEST_OPEN_TCP) {
            answer.remote = r->remote;
            answer.bytes = 4096;
            f->peer = (struct ln_path){ answer.link, r->local, r->remote };
        }
    }
    f->e.ops->answer(f->server, f->now, &answer);
}

static void close_socket(struct fuzz *f, ln_link link)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (f->sockets[i] == link)
            f->sockets[i] = 0;
}

/* Every datagram to a client is a STUN message or ChannelData. */
static void check_sent(struct fuzz *f, const struct ln_transmit *out)
{
    for (size_t i = 0; i < out->slice_count; i++) {
        const struct ln_slice *s = &out->slices[i];
        struct ln_stun_message m;
        struct ln_bytes payload;
        uint16_t channel;

        if (out->whole && (out->slice_count > 1 || out->path.link <= f->clients[2].link))
            abort(); /* a datagram to a peer, alone */
        for (unsigned c = 0; c < 4; c++)
            f->to_clients += ln_address_equal(&out->path.remote, &f->clients[c].remote);
        if (out->path.link == f->clients[0].link && ln_stun_parse(s->base, s->len, &m) != 0 &&
            ln_channel_data_read(s->base, s->len, &channel, &payload) != 0)
            abort();
        if (ln_stun_parse(s->base, s->len, &m) != 0)
            memset(&m, 0, sizeof m);
        else if (ln_stun_find(&m, LN_STUN_ICMP, &payload))
            f->icmp += payload.len == 8 && (payload.data[2] == 3 || payload.data[2] == 11);
        else if (out->path.link == f->clients[2].link)
            (void)ln_stun_find_u32(&m, LN_STUN_CONNECTION_ID, &f->connection_id);
        if (m.data && ln_stun_find(&m, LN_STUN_MOBILITY_TICKET, &payload) && payload.len > 0 &&
            payload.len <= sizeof f->ticket) {
            memcpy(f->ticket, payload.data, payload.len);
            f->ticket_len = payload.len;
        }
        ln_buffer_unref(s->buffer);
    }
}

static void take_parcels(struct fuzz *f)
{
    struct ln_buffer *buffer;
    unsigned box;

    while ((buffer = ln_turn_server_poll_parcel(f->server, &box)) != NULL) {
        struct ln_turn_parcel parcel = ln_turn_parcel_read(buffer);
        bool ours = false;

        f->heard = parcel.from;
        parcel.from.scope = 0;
        for (size_t i = 2; i < SOCKETS_MAX; i++)
            ours |= f->sockets[i] && ln_address_equal(&f->locals[i], &parcel.from);
        if (!f->at_home || !ours || box != LN_TURN_WORKERS_MAX ||
            !ln_address_equal(&parcel.to, &f->home))
            abort();
        ln_buffer_unref(buffer);
    }
}

static void drive(struct fuzz *f)
{
    struct ln_transmit out = { 0 };
    struct ln_turn_event event;
    struct ln_request r;

    take_parcels(f);
    for (;;) {
        while (f->e.ops->poll_transmit(f->server, f->now, &out) == 1)
            check_sent(f, &out);
        if (f->e.ops->poll_request(f->server, &r) != 1)
            break;
        if (r.kind == LN_REQUEST_CLOSE)
            close_socket(f, r.link);
        else if (r.kind != LN_REQUEST_WINDOW)
            open_socket(f, &r);
    }
    while (ln_turn_server_poll_event(f->server, &event) == 1)
        ;
}

/* One after the other in exact memory, for the sanitizer, and in a buffer that may be kept. */
static void receive(struct fuzz *f, const struct ln_path *path, const uint8_t *data, size_t len)
{
    struct ln_buffer *buffer = f->buffered ? ln_buffer_copy(&f->pool, data, len) : NULL;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct ln_packet packet = { .data = copy, .len = len, .path = *path, .buffer = buffer };

    f->buffered = !f->buffered;
    if (buffer)
        packet.data = ln_buffer_bytes(buffer);
    else if (len > 0)
        memcpy(copy, data, len);
    f->e.ops->receive(f->server, f->now, &packet);
    ln_buffer_unref(buffer);
    free(copy);
}

/* Method and attributes of the input, then what makes it authentic. */
static void receive_signed(struct fuzz *f, unsigned client, const uint8_t *data, size_t len)
{
    const struct ln_path *path = &f->clients[client];
    struct ln_stun_id id = { { 0 } };
    char nonce[LN_TURN_NONCE_LEN];
    struct ln_stun_builder b;
    uint8_t out[1024], key[16];
    int out_len;

    if (len == 0)
        return;
    ln_store32(id.bytes, ++f->next_id);
    ln_turn_nonce_write(f->credentials, f->nonce_key, f->now / LN_SECONDS(1), &path->remote, nonce);
    ln_stun_begin(&b, out, sizeof out, LN_STUN_REQUEST, data[0], &id);
    ln_write_bytes(&b.w, data + 1, (len - 1) / 4 * 4);
    ln_stun_add_text(&b, LN_STUN_USERNAME, client == 1 ? "bob" : "alice");
    ln_stun_add_text(&b, LN_STUN_REALM, REALM);
    ln_stun_add(&b, LN_STUN_NONCE, nonce, sizeof nonce);
    ln_stun_long_term_key(
        (struct ln_bytes){ (const uint8_t *)(client == 1 ? "bob" : "alice"), client == 1 ? 3 : 5 },
        (struct ln_bytes){ (const uint8_t *)REALM, strlen(REALM) },
        (struct ln_bytes){ (const uint8_t *)"p", 1 }, key);
    ln_stun_add_integrity(&b, (struct ln_bytes){ key, sizeof key });
    out_len = ln_stun_finish(&b);
    if (out_len > 0)
        receive(f, path, out, (size_t)out_len);
}

static void pass_time(struct fuzz *f, ln_duration by)
{
    ln_time end = f->now + by, next;

    while ((next = f->e.ops->next_timeout(f->server)) <= end) {
        f->now = next > f->now ? next : f->now;
        f->e.ops->on_timeout(f->server, f->now);
        if (f->e.ops->next_timeout(f->server) <= f->now)
            abort(); /* the first law */
        drive(f);
    }
    f->now = end;
}

static void from_peer(struct fuzz *f, const uint8_t *data, size_t len)
{
    struct ln_path path = { .remote = { .family = LN_FAMILY_IPV4, .ip = { 198, 51, 100, 9 } } };

    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        if (!f->sockets[i] || f->locals[i].port < 49152)
            continue;
        path.link = f->sockets[i];
        path.local = f->locals[i];
        path.remote.port = len > 0 ? data[0] : 9;
        receive(f, &path, data, len);
        return;
    }
}

static void from_any_peer(struct fuzz *f, const uint8_t *data, size_t len)
{
    struct ln_path path = { .remote = { .family = LN_FAMILY_IPV4, .ip = { 198, 51, 100, 9 } } };
    size_t i = len > 0 ? data[0] % 16 + 2u : 2; /* behind the listeners */

    if (!f->sockets[i])
        return;
    path.link = f->sockets[i];
    path.local = f->locals[i];
    path.remote.ip[3] = (uint8_t)(9 + (len > 0 ? data[0] / 16 : 0));
    path.remote.port = 9;
    receive(f, &path, data, len);
    f->to_clients = 0;
    drive(f);
    if (f->to_clients > 1)
        abort(); /* a peer's datagram is one client's */
}

/* A request or an indication of a client that names this address. */
static void to_ours(struct fuzz *f, unsigned client, const struct ln_address *peer, bool permit)
{
    struct ln_stun_id id = { { 1 } };
    struct ln_stun_builder b;
    uint8_t out[128];
    int out_len;

    ln_stun_begin(&b, out, sizeof out, LN_STUN_INDICATION, LN_STUN_SEND, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, peer);
    if (permit) { /* the attribute alone, behind the method */
        out[LN_STUN_HEADER_LEN - 1] = LN_STUN_CREATE_PERMISSION;
        out_len = ln_stun_finish(&b);
        if (out_len > 0)
            receive_signed(f, client, out + LN_STUN_HEADER_LEN - 1,
                           (size_t)out_len - LN_STUN_HEADER_LEN + 1);
        return;
    }
    ln_stun_add(&b, LN_STUN_DATA_VALUE, "x", 1);
    out_len = ln_stun_finish(&b);
    if (out_len > 0)
        receive(f, &f->clients[client], out, (size_t)out_len);
}

/* A client and a relay's socket. */
static void to_relay(struct fuzz *f, const uint8_t *data, size_t len, bool permit)
{
    size_t i = len > 1 ? data[1] % 16 + 2u : 2;

    to_ours(f, len > 0 ? data[0] % 4 : 0, &f->locals[i], permit);
}

static void resident_speaks(struct fuzz *f, const struct ln_address *to)
{
    struct ln_turn_names names = { .bound = f->home };
    struct ln_buffer *buffer = ln_turn_parcel_create(&f->pool, &names, to, "x", 1);

    if (!buffer)
        return;
    drive(f);
    f->to_clients = 0;
    ln_turn_server_take_parcel(f->server, f->now, buffer);
    ln_buffer_unref(buffer);
    drive(f);
    if (f->to_clients > 1)
        abort();
}

static void resident(struct fuzz *f, const uint8_t *data, size_t len)
{
    struct ln_turn_residents *residents = ln_turn_shared_residents(f->shared);
    unsigned what = len > 0 ? data[0] % 4 : 0, whose = len > 1 ? data[1] : 0;

    if (what == 0 && f->at_home)
        ln_turn_residents_leave(residents, &f->home);
    if (what == 0 && !f->at_home &&
        ln_turn_residents_enter(residents, &f->home, LN_TURN_WORKERS_MAX) != 0)
        abort();
    if (what == 0)
        f->at_home = !f->at_home;
    else if (what == 3)
        resident_speaks(f, whose >= 16 ? &f->heard : &f->locals[whose + 2]);
    else
        to_ours(f, whose % 4, &f->home, what == 1);
}

static void start(struct fuzz *f, uint16_t shared_ports);
static void end(struct fuzz *f);

static void send_failed(struct fuzz *f, ln_link link, const uint8_t *data, size_t len)
{
    struct ln_answer a = { .kind = LN_ANSWER_SEND_FAILED, .link = link };

    a.path.link = link;
    a.path.remote = (struct ln_address){ .family = LN_FAMILY_IPV4, .ip = { 198, 51, 100, 9 } };
    a.path.remote.port = 9;
    if (len >= 5) {
        a.icmp = (struct ln_icmp){ data[0], data[1], ln_load16(data + 2) };
        a.path.remote.ip[3] = (uint8_t)(9 + data[4] % 16);
    }
    drive(f);
    f->to_clients = f->icmp = 0;
    f->e.ops->answer(f->server, f->now, &a);
    drive(f);
    if (f->icmp > 1 || f->to_clients > f->icmp) /* fewer: he has another port meanwhile */
        abort();
}

static void answer(struct fuzz *f, const uint8_t *data, size_t len)
{
    struct ln_answer a = { .kind = LN_ANSWER_CLOSED };

    if (len < 3)
        return;
    a.kind = (enum ln_answer_kind)(data[0] % 8);
    a.id = data[1];
    a.link = data[2];
    if (a.kind == LN_ANSWER_SEND_FAILED) {
        send_failed(f, a.link, data + 3, len - 3);
        return;
    }
    if (a.kind != LN_ANSWER_OPENED && a.kind != LN_ANSWER_FAILED) {
        f->e.ops->answer(f->server, f->now, &a);
        if (a.kind == LN_ANSWER_CLOSED)
            close_socket(f, a.link);
    }
}

static void bind_connection(struct fuzz *f)
{
    uint8_t data[] = { LN_STUN_CONNECTION_BIND, 0, LN_STUN_CONNECTION_ID, 0, 4, 0, 0, 0, 0 };

    ln_store32(data + 5, f->connection_id);
    receive_signed(f, 3, data, sizeof data);
}

static void move(struct fuzz *f, const uint8_t *data, size_t len)
{
    uint8_t request[5 + sizeof f->ticket + 3] = { LN_STUN_REFRESH, LN_STUN_MOBILITY_TICKET >> 8,
                                                  LN_STUN_MOBILITY_TICKET & 0xff };

    ln_store16(request + 3, (uint16_t)f->ticket_len);
    memcpy(request + 5, f->ticket, f->ticket_len);
    if (len > 1 && f->ticket_len > 0)
        request[5 + data[1] % f->ticket_len] ^= 1;
    receive_signed(f, len > 0 ? data[0] % 4 : 0, request, 5 + (f->ticket_len + 3) / 4 * 4);
}

/* A stream to the second listener, or one of a peer to a relay. */
static void accept_stream(struct fuzz *f, uint32_t id, struct ln_path *path)
{
    struct ln_answer a = { .kind = LN_ANSWER_OPENED, .id = id, .bytes = 4096 };

    a.link = path->link = f->next_link++;
    a.local = path->local;
    a.remote = path->remote;
    f->e.ops->answer(f->server, f->now, &a);
}

static void answer_stream(struct fuzz *f, enum ln_answer_kind kind, ln_link link, size_t bytes)
{
    struct ln_answer a = { .kind = kind, .link = link, .bytes = bytes };

    f->e.ops->answer(f->server, f->now, &a);
    if (kind == LN_ANSWER_CLOSED)
        close_socket(f, link);
}

static void special_step(struct fuzz *f, uint8_t kind, const uint8_t *data, size_t len)
{
    switch (kind) {
    case 0xf0:
        accept_stream(f, 1, &f->clients[3]);
        break;
    case 0xf1:
        receive(f, &f->clients[3], data, len);
        break;
    case 0xf2:
        receive_signed(f, 3, data, len);
        break;
    case 0xf3:
        bind_connection(f);
        break;
    case 0xf4:
        f->peer.remote = (struct ln_address){ .family = LN_FAMILY_IPV4, .ip = { 198, 51, 100, 9 } };
        f->peer.remote.port = len > 0 ? data[0] : 9;
        if (f->relay_ask)
            accept_stream(f, f->relay_ask, &f->peer);
        break;
    case 0xf5:
        receive(f, &f->peer, data, len);
        break;
    case 0xf6:
        answer_stream(f, LN_ANSWER_CLOSED, f->peer.link, 0);
        break;
    case 0xf7:
        answer_stream(f, LN_ANSWER_WRITABLE, len > 0 && data[0] ? f->clients[3].link : f->peer.link,
                      len > 1 ? data[1] * 64u : 0);
        break;
    case 0xf9:
        end(f);
        start(f, len > 0 ? data[0] % 4 : 1);
        break;
    case 0xfa:
        from_any_peer(f, data, len);
        break;
    case 0xfd:
        move(f, data, len);
        break;
    case 0xfe:
        f->clients[len > 0 ? data[0] % 2 : 0].remote.port += 1000;
        break;
    case 0xff:
        resident(f, data, len);
        break;
    case 0xfb:
    case 0xfc:
        to_relay(f, data, len, kind == 0xfb);
        break;
    default:
        f->refuses = !f->refuses;
    }
}

static void step(struct fuzz *f, uint8_t kind, const uint8_t *data, size_t len)
{
    if (kind >= 0xf0)
        special_step(f, kind, data, len);
    else if (kind % 9 < 3)
        receive(f, &f->clients[kind % 9], data, len);
    else if (kind % 9 < 6)
        receive_signed(f, kind % 9 - 3u, data, len);
    else if (kind % 9 == 6)
        from_peer(f, data, len);
    else if (kind % 9 == 7)
        pass_time(f, LN_SECONDS(len > 0 ? data[0] * 4 : 1));
    else
        answer(f, data, len);
    drive(f);
}

static void start(struct fuzz *f, uint16_t shared_ports)
{
    static struct ln_crypto *crypto; /* made once: it takes a millisecond */
    struct ln_turn_listen listen[2] = { { .stream = false }, { .stream = true } };
    struct ln_turn_relay relays[2];
    struct ln_turn_limits limits = { .allocations = 8, .bytes_per_second_per_user = 100000 };
    struct ln_turn_config config = {
        .listen = listen,
        .listen_count = 2,
        .relays = relays,
        .relay_count = 2,
        .tcp_relay = true,
        .relay_ports = shared_ports,
    };
    struct ln_answer stream = { .kind = LN_ANSWER_OPENED, .id = 1, .bytes = 4096 };

    memset(f, 0, sizeof *f);
    memset(relays, 0, sizeof relays);
    ln_pool_init(&f->pool, ln_allocator_libc(), 2048, 0, 65536);
    ln_rng_seed(&f->rng, 1);
    if (!crypto && ln_crypto_create(&crypto, ln_allocator_libc()) != 0)
        abort();
    f->env = (struct ln_env){
        .allocator = ln_allocator_libc(), .pool = &f->pool, .rng = &f->rng, .crypto = crypto
    };
    f->now = LN_SECONDS(1000);
    f->next_link = 1;
    (void)!ln_address_parse("203.0.113.9:3478", &listen[0].address);
    listen[1].address = listen[0].address;
    (void)!ln_address_parse("203.0.113.9:5000", &f->home);
    f->policy.own[0] = f->home;
    f->policy.own_count = 1;
    (void)!ln_address_parse("203.0.113.1", &relays[0].bind);
    (void)!ln_address_parse("2001:db8::1", &relays[1].bind);
    if (ln_turn_shared_create(&f->shared, &f->env, &limits) != 0 ||
        ln_turn_credentials_create(&f->credentials, REALM, &f->env) != 0 ||
        ln_turn_credentials_add_user(f->credentials, "alice", "p") != 0 ||
        ln_turn_credentials_add_user(f->credentials, "bob", "p") != 0 ||
        ln_turn_credentials_add_secret(f->credentials, "north") != 0)
        abort();
    config.shared = f->shared;
    config.credentials = f->credentials;
    config.policy = &f->policy;
    if (ln_turn_server_create(&f->server, &config, &f->env) != 0)
        abort();
    f->e = ln_turn_server_endpoint(f->server);
    drive(f);
    for (unsigned i = 0; i < 4; i++) {
        f->clients[i] = (struct ln_path){ .link = 1, .local = listen[0].address };
        f->clients[i].remote = (struct ln_address){ .family = LN_FAMILY_IPV4,
                                                    .ip = { 198, 51, 100, 7 },
                                                    .port = (uint16_t)(4000 + i) };
    }
    f->clients[2].link = stream.link = f->next_link++;
    stream.local = f->clients[2].local;
    stream.remote = f->clients[2].remote;
    f->e.ops->answer(f->server, f->now, &stream);
}

static void end(struct fuzz *f)
{
    ln_turn_server_free(f->server);
    ln_turn_credentials_free(f->credentials);
    ln_turn_shared_free(f->shared);
    ln_pool_deinit(&f->pool); /* every packet has come back */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct fuzz f;
    size_t at = 0;

    start(&f, 0);
    while (at + 2 <= len) {
        size_t size = data[at + 1] < len - at - 2 ? data[at + 1] : len - at - 2;

        step(&f, data[at], data + at + 2, size);
        at += 2 + size;
    }
    end(&f);
    return 0;
}
