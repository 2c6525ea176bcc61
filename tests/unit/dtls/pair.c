/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dtls/pair.h"

#include "base/time.h"

#include <stdlib.h>

#define WALL_MS INT64_C(1700000000000)

static struct wire_packet wire[WIRE_MAX];

void pair_open(struct pair *p, enum ln_key_type client_key, enum ln_key_type server_key,
               const struct ln_dtls_config *client, const struct ln_dtls_config *server)
{
    struct ln_env *env = test_env();

    memset(p, 0, sizeof *p);
    p->wire = wire;
    p->now = LN_SECONDS(1000);
    p->delay = LN_MILLISECONDS(10);
    virtual_clock_set(p->now);
    virtual_random_seed(1);
    CHECK_EQUAL(ln_crypto_create(&p->crypto, env->allocator), 0);
    for (int i = 0; i < 2; i++) {
        struct side *s = &p->side[i];
        struct ln_dtls_config config = { 0 };

        if (i == 0 && client)
            config = *client;
        if (i == 1 && server)
            config = *server;
        CHECK_EQUAL(ln_certificate_generate(&s->certificate, i == 0 ? client_key : server_key,
                                            WALL_MS, 0, p->crypto),
                    0);
        CHECK_EQUAL(
            ln_fingerprint_format(ln_certificate_der(s->certificate), "sha-256", s->fingerprint),
            0);
        config.certificate = s->certificate;
        CHECK_EQUAL(ln_dtls_create(&s->dtls, &config, p->crypto, env), 0);
    }
}

void pair_close(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        ln_dtls_free(p->side[i].dtls);
        ln_certificate_unref(p->side[i].certificate);
    }
    ln_crypto_free(p->crypto);
}

void pair_start(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        struct ln_fingerprint remote = { "sha-256", p->side[1 - i].fingerprint };

        CHECK_EQUAL(ln_dtls_set_remote(p->side[i].dtls,
                                       i == 0 ? LN_DTLS_ROLE_CLIENT : LN_DTLS_ROLE_SERVER, &remote,
                                       1),
                    0);
        ln_dtls_set_writable(p->side[i].dtls, true);
    }
}

void pair_push(struct pair *p, int to, const void *data, size_t len, ln_duration delay)
{
    struct wire_packet *packet = &p->wire[p->wire_count++];

    CHECK(p->wire_count < WIRE_MAX && len <= PACKET_MAX);
    memcpy(packet->data, data, len);
    packet->len = len;
    packet->to = to;
    packet->at = p->now + delay;
}

static void note(struct pair *p, const void *data, size_t len)
{
    struct ln_bytes pieces[2] = { { p->digest, sizeof p->digest }, { data, len } };

    ln_hash_pieces(LN_HASH_SHA256, pieces, 2, p->digest);
    p->sent++;
}

static void emit(struct pair *p, int from, const void *data, size_t len)
{
    struct wire_packet packet;

    note(p, data, len);
    packet.len = len;
    packet.to = 1 - from;
    packet.at = p->now + p->delay;
    memcpy(packet.data, data, len);
    if (!p->filter || p->filter(p, &packet))
        pair_push(p, packet.to, packet.data, packet.len, packet.at - p->now);
}

void pair_collect(struct pair *p)
{
    uint8_t out[PACKET_MAX];
    int len;

    for (int i = 0; i < 2; i++) {
        while ((len = ln_dtls_poll_transmit(p->side[i].dtls, p->now, out, sizeof out)) != 0) {
            CHECK(len > 0);
            emit(p, i, out, (size_t)len);
        }
        while (ln_dtls_poll_event(p->side[i].dtls, &p->side[i].last))
            p->side[i].events++;
    }
}

static void deliver(struct pair *p, int index)
{
    struct wire_packet packet = p->wire[index];
    struct side *s = &p->side[packet.to];
    uint8_t *exact = malloc(packet.len ? packet.len : 1), out[PACKET_MAX];
    struct ln_bytes bytes = { exact, packet.len };
    size_t len;

    CHECK(exact != NULL);
    memcpy(exact, packet.data, packet.len);
    p->wire_count--;
    memmove(&p->wire[index], &p->wire[index + 1],
            (size_t)(p->wire_count - index) * sizeof *p->wire);
    while ((len = ln_dtls_receive(s->dtls, p->now, &bytes, out, sizeof out)) > 0) {
        CHECK(ln_dtls_state(s->dtls) == LN_DTLS_STATE_CONNECTED);
        CHECK(s->received_count < 64 && len <= 128);
        memcpy(s->received[s->received_count], out, len);
        s->received_len[s->received_count++] = len;
    }
    CHECK(bytes.len == 0);
    free(exact);
}

static int earliest(const struct pair *p)
{
    int best = -1;

    for (int i = 0; i < p->wire_count; i++)
        if (best < 0 || p->wire[i].at < p->wire[best].at)
            best = i;
    return best;
}

void pair_run(struct pair *p, ln_duration duration)
{
    ln_time end = p->now + duration;

    for (int steps = 0; steps < 5000; steps++) {
        int next;
        ln_time at = LN_TIME_NEVER;

        pair_collect(p);
        next = earliest(p);
        if (next >= 0)
            at = p->wire[next].at;
        for (int i = 0; i < 2; i++)
            at = ln_time_min(at, ln_dtls_next_timeout(p->side[i].dtls));
        if (at > end)
            break;
        if (at > p->now)
            p->now = at;
        virtual_clock_set(p->now);
        for (int i = 0; i < 2; i++)
            if (ln_time_due(ln_dtls_next_timeout(p->side[i].dtls), p->now)) {
                ln_dtls_on_timeout(p->side[i].dtls, p->now);
                CHECK(ln_dtls_next_timeout(p->side[i].dtls) > p->now);
            }
        if (next >= 0 && p->wire[next].at <= p->now)
            deliver(p, next);
    }
    pair_collect(p);
    p->now = end;
    virtual_clock_set(end);
}

void pair_send(struct pair *p, int from, const char *text)
{
    uint8_t out[PACKET_MAX];
    int len = ln_dtls_wrap(p->side[from].dtls, p->now, text, strlen(text), out, sizeof out);

    CHECK_EQUAL(len, strlen(text) + ln_dtls_overhead(p->side[from].dtls));
    emit(p, from, out, (size_t)len);
}

bool pair_connected(const struct pair *p)
{
    return ln_dtls_state(p->side[0].dtls) == LN_DTLS_STATE_CONNECTED &&
           ln_dtls_state(p->side[1].dtls) == LN_DTLS_STATE_CONNECTED;
}
