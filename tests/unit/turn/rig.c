/* SPDX-License-Identifier: Apache-2.0
 * The driver of rig.h: the server, its sockets, time, and what comes from the network. */
#include "tests/unit/turn/rig.h"

#include "base/address.h"
#include "crypto/crypto.h"

#include <stdlib.h>

struct ln_address rig_address(const char *text)
{
    struct ln_address address;

    CHECK(ln_address_parse(text, &address) == 0);
    return address;
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->now = LN_SECONDS(1000);
    rig->next_link = RIG_LISTENER;
    rig->room = 65536;
    rig->listen[0].address = rig_address("203.0.113.9:3478");
    rig->relays[0].bind = rig_address("203.0.113.1");
    rig->relays[1].bind = rig_address("2001:db8::1");
    rig->config.listen = rig->listen;
    rig->config.listen_count = 1;
    rig->config.relays = rig->relays;
    rig->config.relay_count = 2;
    memset(rig->config.nonce_key, 7, sizeof rig->config.nonce_key);
    CHECK(ln_turn_credentials_create(&rig->credentials, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(rig->credentials, "alice", "secret") == 0);
    CHECK(ln_turn_credentials_add_user(rig->credentials, "bob", "hunter2") == 0);
    CHECK(ln_turn_credentials_add_secret(rig->credentials, "north") == 0);
}

void rig_listen_for_streams(struct rig *rig)
{
    rig->listen[1] = rig->listen[0];
    rig->listen[1].stream = true;
    rig->config.listen_count = 2;
}

void rig_start(struct rig *rig)
{
    rig->borrowed = rig->shared != NULL;
    if (!rig->borrowed)
        CHECK(ln_turn_shared_create(&rig->shared, test_env(), &rig->limits) == 0);
    rig->config.shared = rig->shared;
    rig->config.credentials = rig->credentials;
    rig->config.policy = &rig->policy;
    rig->env = *test_env();
    if (rig->secure || rig->mobile) {
        CHECK(ln_crypto_create(&rig->crypto, rig->env.allocator) == 0);
        rig->env.crypto = rig->crypto;
    }
    if (rig->secure) {
        CHECK(ln_certificate_generate(&rig->certificate, LN_KEY_ECDSA_P256, INT64_C(1750000000000),
                                      0, rig->crypto) == 0);
        rig->config.certificate = rig->certificate;
    }
    CHECK(ln_turn_server_create(&rig->server, &rig->config, &rig->env) == 0);
    ln_turn_server_set_wall_offset(rig->server, LN_SECONDS(1700000000));
    rig->e = ln_turn_server_endpoint(rig->server);
    rig_drive(rig);
}

void rig_end(struct rig *rig)
{
    ln_turn_server_free(rig->server);
    ln_certificate_unref(rig->certificate);
    ln_crypto_free(rig->crypto);
    if (!rig->borrowed)
        ln_turn_shared_free(rig->shared);
    ln_turn_credentials_free(rig->credentials);
}

static void open_socket(struct rig *rig, const struct ln_request *r, int error)
{
    struct ln_answer answer = { .kind = LN_ANSWER_FAILED, .id = r->id, .error = error };

    if (!error) {
        struct rig_socket *s = &rig->sockets[rig->socket_count++ % RIG_SOCKETS_MAX];

        CHECK(s->link == 0);
        s->link = rig->next_link++;
        s->local = r->local;
        s->id = r->id;
        rig->open_count++;
        answer.kind = LN_ANSWER_OPENED;
        answer.link = s->link;
        answer.local = r->local;
        answer.remote = r->remote;
        answer.bytes = rig->room;
    }
    rig->e.ops->answer(rig->server, rig->now, &answer);
}

static void fulfil(struct rig *rig, const struct ln_request *r)
{
    if (r->kind == LN_REQUEST_WINDOW) {
        CHECK(r->link < RIG_SOCKETS_MAX);
        rig->windows[r->link] = r->bytes + 1;
    } else if (r->kind == LN_REQUEST_WATCH_INTERFACES) {
        rig->watches++;
        rig->watch_id = r->id;
    } else if (r->kind == LN_REQUEST_CLOSE && r->link == 0) {
        rig->cancelled = r->id;
    } else if (r->kind == LN_REQUEST_CLOSE) {
        for (size_t i = 0; i < RIG_SOCKETS_MAX; i++) {
            if (rig->sockets[i].link == r->link) {
                rig->sockets[i].link = 0;
                rig->open_count--;
                return;
            }
        }
        rig->closed_stream = r->link;
    } else if (rig->hold) {
        CHECK(rig->held_count < 16);
        rig->held[rig->held_count++] = *r;
    } else if (rig->fail_opens > 0) {
        rig->fail_opens--;
        open_socket(rig, r, LN_ERR_ADDRESS_IN_USE);
    } else {
        open_socket(rig, r, 0);
    }
}

static void take_packets(struct rig *rig)
{
    struct ln_transmit out = { 0 };

    while (rig->e.ops->poll_transmit(rig->server, rig->now, &out) == 1) {
        CHECK(out.slice_count > 0);
        for (size_t i = 0; i < out.slice_count; i++) {
            if (rig->packet_count < RIG_PACKETS_MAX && out.slices[i].len <= RIG_PACKET_CAP) {
                struct rig_packet *p = &rig->packets[rig->packet_count++];

                p->path = out.path;
                p->len = out.slices[i].len;
                memcpy(p->data, out.slices[i].base, p->len);
                p->whole = out.whole;
                p->stayed = rig->came && out.slices[i].buffer == rig->came;
            }
            ln_buffer_unref(out.slices[i].buffer);
        }
    }
}

void rig_drive(struct rig *rig)
{
    struct ln_request r;
    bool any = true;

    rig->packet_count = 0;
    while (any) {
        any = false;
        take_packets(rig);
        while (rig->e.ops->poll_request(rig->server, &r) == 1) {
            fulfil(rig, &r);
            any = true;
        }
    }
}

void rig_answer_held(struct rig *rig, int error)
{
    size_t count = rig->held_count;

    rig->held_count = 0;
    for (size_t i = 0; i < count; i++)
        open_socket(rig, &rig->held[i], error);
    rig_drive(rig);
}

void rig_advance(struct rig *rig, ln_duration by)
{
    ln_time end = rig->now + by, next;

    while ((next = rig->e.ops->next_timeout(rig->server)) <= end) {
        rig->now = next > rig->now ? next : rig->now;
        rig->e.ops->on_timeout(rig->server, rig->now);
        CHECK(rig->e.ops->next_timeout(rig->server) > rig->now); /* the first law */
    }
    rig->now = end;
    rig_drive(rig);
}

static void receive_buffered(struct rig *rig, const struct ln_path *path, const void *data,
                             size_t len)
{
    struct ln_buffer *buffer = ln_buffer_copy(rig->env.pool, data, len);
    struct ln_packet packet = { .len = len, .path = *path, .buffer = buffer };

    CHECK(buffer != NULL);
    packet.data = ln_buffer_bytes(buffer);
    rig->came = buffer;
    rig->e.ops->receive(rig->server, rig->now, &packet);
    rig_drive(rig);
    rig->came = NULL;
    ln_buffer_unref(buffer);
}

void rig_receive(struct rig *rig, const struct ln_path *path, const void *data, size_t len)
{
    struct ln_packet packet = { .len = len, .path = *path };
    uint8_t *copy;

    if (rig->buffered) {
        receive_buffered(rig, path, data, len);
        return;
    }
    packet.data = copy = malloc(len > 0 ? len : 1); /* exact, for the sanitizer */
    CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, data, len);
    rig->e.ops->receive(rig->server, rig->now, &packet);
    free(copy);
    rig_drive(rig);
}

void rig_icmp(struct rig *rig, const struct ln_address *relayed, const char *peer,
              struct ln_icmp icmp)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED, .icmp = icmp };

    answer.link = answer.path.link = rig_link_of(rig, relayed);
    answer.path.local = *relayed;
    answer.remote = answer.path.remote = rig_address(peer);
    rig->e.ops->answer(rig->server, rig->now, &answer);
    rig_drive(rig);
}

ln_link rig_accept(struct rig *rig, uint32_t id, const char *from)
{
    struct ln_answer answer = { .kind = LN_ANSWER_OPENED,
                                .id = id,
                                .link = rig->next_link++,
                                .local = rig->listen[1].address,
                                .remote = rig_address(from),
                                .bytes = rig->room };

    rig->closed_stream = 0;
    rig->e.ops->answer(rig->server, rig->now, &answer);
    rig_drive(rig);
    return answer.link;
}

void rig_lose_link(struct rig *rig, ln_link link, int error)
{
    struct ln_answer closed = { .kind = LN_ANSWER_CLOSED, .link = link, .error = error };

    rig->closed_stream = 0;
    rig->e.ops->answer(rig->server, rig->now, &closed);
    rig_drive(rig);
}

void rig_close_link(struct rig *rig, ln_link link)
{
    rig_lose_link(rig, link, 0);
}

void rig_make_writable(struct rig *rig, ln_link link, size_t bytes)
{
    struct ln_answer answer = { .kind = LN_ANSWER_WRITABLE, .link = link, .bytes = bytes };

    rig->e.ops->answer(rig->server, rig->now, &answer);
    rig_drive(rig);
}

ln_link rig_link_of(const struct rig *rig, const struct ln_address *relayed)
{
    for (size_t i = 0; i < RIG_SOCKETS_MAX; i++)
        if (rig->sockets[i].link && ln_address_equal(&rig->sockets[i].local, relayed))
            return rig->sockets[i].link;
    return 0;
}

void rig_from_peer(struct rig *rig, const char *peer, const struct ln_address *relayed,
                   const char *text)
{
    struct ln_path path = { .link = rig_link_of(rig, relayed),
                            .local = *relayed,
                            .remote = rig_address(peer) };

    CHECK(path.link != 0);
    rig_receive(rig, &path, text, strlen(text));
}

bool rig_sent(const struct rig *rig, size_t i, const char *remote, const char *text)
{
    struct ln_address address = rig_address(remote);

    return i < rig->packet_count && ln_address_equal(&rig->packets[i].path.remote, &address) &&
           rig->packets[i].len == strlen(text) &&
           memcmp(rig->packets[i].data, text, rig->packets[i].len) == 0;
}

struct ln_turn_counts rig_counts(const struct rig *rig)
{
    struct ln_turn_counts counts;

    ln_turn_server_counts(rig->server, &counts);
    return counts;
}
