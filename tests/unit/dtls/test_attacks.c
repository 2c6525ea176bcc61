/* SPDX-License-Identifier: Apache-2.0
 * Bad input on the wire: broken, forged, repeated and strange records and handshake messages. */
#define OPENSSL_SUPPRESS_DEPRECATED /* keys that the newer interface refuses to make */
#include "base/bytes.h"
#include "tests/support/openssl_memory.h"
#include "tests/unit/dtls/pair.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static size_t record(uint8_t *out, uint8_t type, uint16_t epoch, uint64_t sequence,
                     const void *body, size_t len)
{
    out[0] = type;
    ln_store16(out + 1, 0xfefd);
    ln_store64(out + 3, (uint64_t)epoch << 48 | sequence);
    ln_store16(out + 11, (uint16_t)len);
    memcpy(out + 13, body, len);
    return 13 + len;
}

/* A handshake fragment in a record. */
static size_t fragment(uint8_t *out, uint64_t sequence, uint8_t type, size_t message_len,
                       uint16_t message, size_t offset, const void *body, size_t len)
{
    uint8_t m[1600];

    m[0] = type;
    ln_store24(m + 1, (uint32_t)message_len);
    ln_store16(m + 4, message);
    ln_store24(m + 6, (uint32_t)offset);
    ln_store24(m + 9, (uint32_t)len);
    memcpy(m + 12, body, len);
    return record(out, 22, 0, sequence, m, 12 + len);
}

static void connect(struct pair *p)
{
    pair_open(p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(p);
    pair_run(p, LN_MILLISECONDS(100));
    CHECK(pair_connected(p));
}

/* Both ways still work. */
static void check_alive(struct pair *p)
{
    int before[2] = { p->side[0].received_count, p->side[1].received_count };

    CHECK(pair_connected(p));
    p->filter = NULL;
    pair_send(p, 0, "ping");
    pair_send(p, 1, "pong");
    pair_run(p, LN_MILLISECONDS(30));
    CHECK_EQUAL(p->side[0].received_count, before[0] + 1);
    CHECK_EQUAL(p->side[1].received_count, before[1] + 1);
}

LN_TEST(dtls_attack, plain_alerts_end_neither_an_established_session_nor_a_handshake)
{
    static const uint8_t alerts[][2] = { { 1, 0 }, { 2, 0 }, { 2, 10 }, { 2, 40 }, { 1, 90 } };
    struct ln_dtls_counters counters;
    struct pair p;
    uint8_t out[64];

    for (int when = 0; when < 5; when++) { /* from before the hello to connected */
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(1 + 10 * when));
        for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
            for (int to = 0; to < 2; to++)
                pair_push(&p, to, out, record(out, 21, 0, 100 + i, alerts[i], 2), 0);
        pair_run(&p, LN_SECONDS(5));
        ln_dtls_counters(p.side[0].dtls, &counters);
        CHECK_EQUAL(counters.session.unauthenticated_alerts, 5);
        check_alive(&p);
        pair_close(&p);
    }
}

static bool lose_after_first(struct pair *p, struct wire_packet *packet)
{
    (void)packet;
    return p->sent < 2;
}

LN_TEST(dtls_attack, a_fatal_alert_followed_by_silence_ends_the_handshake_in_two_seconds)
{
    static const uint8_t fatal[] = { 2, 40 };
    struct pair p;
    uint8_t out[64];

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    p.filter = lose_after_first;
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(50));
    pair_push(&p, 0, out, record(out, 21, 0, 7, fatal, 2), 0);
    pair_run(&p, LN_MILLISECONDS(1900));
    CHECK(ln_dtls_state(p.side[0].dtls) == LN_DTLS_STATE_CONNECTING);
    pair_run(&p, LN_MILLISECONDS(200));
    CHECK(p.side[0].last.state == LN_DTLS_STATE_FAILED);
    CHECK_EQUAL(p.side[0].last.error, LN_ERR_REFUSED);
    CHECK(p.side[0].last.alert_was_received && p.side[0].last.alert == 40);
    pair_close(&p);
}

LN_TEST(dtls_attack, garbage_of_every_kind_is_dropped_and_counted)
{
    struct ln_dtls_counters counters;
    struct pair p;
    uint8_t out[300];

    connect(&p);
    for (int i = 0; i < 500; i++) {
        size_t len = ln_rng_below(test_env()->rng, sizeof out - 13);

        ln_rng_bytes(test_env()->rng, out, sizeof out);
        if (i % 2) { /* a sound header before it */
            uint8_t body[300];

            memcpy(body, out, sizeof body);
            len = record(out, (uint8_t)(20 + i % 6), (uint16_t)(i % 4), (uint64_t)i, body, len);
        }
        pair_push(&p, i % 2, out, len, 0);
        pair_run(&p, 1);
    }
    ln_dtls_counters(p.side[1].dtls, &counters);
    CHECK(counters.session.wrong_epoch > 0 && counters.session.bad_integrity > 0);
    CHECK(p.side[0].received_count == 0 && p.side[1].received_count == 0);
    check_alive(&p);
    pair_close(&p);
}

LN_TEST(dtls_attack, garbage_before_and_during_the_handshake_does_not_stop_it)
{
    for (int seed = 0; seed < 4; seed++) {
        struct pair p;
        uint8_t out[300];

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        pair_start(&p);
        for (int i = 0; i < 120; i++) {
            uint8_t body[100];
            size_t len;

            ln_rng_bytes(test_env()->rng, body, sizeof body);
            /* No plain handshake records: in those anybody can write what ends a handshake. */
            len = record(out, (uint8_t)(i % 2 ? 23 + i % 4 : 21), (uint16_t)(i % 3), (uint64_t)i,
                         body, ln_rng_below(test_env()->rng, sizeof body));
            pair_push(&p, i % 2, out, ln_rng_below(test_env()->rng, 4) ? len : len / 2, 0);
            pair_run(&p, LN_MICROSECONDS(400));
        }
        pair_run(&p, LN_SECONDS(3));
        check_alive(&p);
        pair_close(&p);
    }
}

LN_TEST(dtls_attack, replayed_records_are_delivered_once)
{
    struct ln_dtls_counters counters;
    struct pair p;
    uint8_t out[200];
    int len;

    connect(&p);
    len = ln_dtls_wrap(p.side[0].dtls, p.now, "once", 4, out, sizeof out);
    for (int i = 0; i < 10; i++)
        pair_push(&p, 1, out, (size_t)len, 0);
    pair_run(&p, LN_MILLISECONDS(1));
    CHECK_EQUAL(p.side[1].received_count, 1);
    ln_dtls_counters(p.side[1].dtls, &counters);
    CHECK_EQUAL(counters.session.replayed, 9);
    pair_close(&p);
}

LN_TEST(dtls_attack, a_forged_sequence_number_does_not_move_the_replay_window)
{
    struct pair p;
    uint8_t out[200], forged[200];
    int len;

    connect(&p);
    len = ln_dtls_wrap(p.side[0].dtls, p.now, "true", 4, out, sizeof out);
    memcpy(forged, out, (size_t)len);
    ln_store32(forged + 7, 0x7fffffff);
    pair_push(&p, 1, forged, (size_t)len, 0);
    ln_store16(forged + 3, 2); /* and one of the next epoch */
    pair_push(&p, 1, forged, (size_t)len, 0);
    pair_push(&p, 1, out, (size_t)len, 1);
    pair_run(&p, LN_MILLISECONDS(1));
    CHECK_EQUAL(p.side[1].received_count, 1);
    check_alive(&p);
    pair_close(&p);
}

LN_TEST(dtls_attack, next_epoch_records_during_the_handshake_change_nothing)
{
    struct pair p;
    uint8_t out[200], body[64] = { 1 };

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(1));
    openssl_memory_reset_peak();
    for (int i = 0; i < 200; i++) {
        pair_push(&p, i % 2, out,
                  record(out, i % 3 ? 23 : 22, 1, 0xffffffff0000 + (uint64_t)i, body, 64), 0);
        pair_run(&p, LN_MICROSECONDS(100));
    }
    pair_run(&p, LN_SECONDS(2));
    check_alive(&p);
    CHECK(openssl_memory_peak() < openssl_memory_live() + 400 * 1024);
    pair_close(&p);
}

LN_TEST(dtls_attack, early_and_repeated_change_cipher_spec_is_of_no_effect)
{
    static const uint8_t one[] = { 1 };

    for (int when = 0; when < 5; when++) {
        struct pair p;
        uint8_t out[64];

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(1 + 10 * when));
        for (int to = 0; to < 2; to++)
            for (uint64_t i = 0; i < 3; i++)
                pair_push(&p, to, out, record(out, 20, 0, 50 + i, one, 1), 0);
        pair_run(&p, LN_SECONDS(3));
        /* A handshake may fail of it, data never passes under the wrong keys. */
        if (when == 4)
            check_alive(&p);
        CHECK(p.side[0].received_count <= 1 && p.side[1].received_count <= 1);
        pair_close(&p);
    }
}

/* Cuts each ClientHello into pieces of its context's size. */
struct cutting {
    size_t piece;
    bool backwards, twice;
};

/* Later plain records come after all the pieces by their numbers. */
static void renumber(struct wire_packet *packet)
{
    for (size_t at = 0; at + 13 <= packet->len; at += 13 + ln_load16(packet->data + at + 11))
        if (ln_load16(packet->data + at + 3) == 0)
            ln_store64(packet->data + at + 3, ln_load64(packet->data + at + 3) + 100000);
}

static bool cut_hello(struct pair *p, struct wire_packet *packet)
{
    const struct cutting *cutting = p->context;
    const uint8_t *m = packet->data + 13;
    size_t len, pieces;
    uint64_t sequence = ln_load64(packet->data + 3) & 0xffff;

    if (packet->to != 1)
        return true;
    if (packet->data[0] != 22 || packet->data[4] != 0 || m[0] != 1) {
        renumber(packet);
        return true;
    }
    len = ln_load24(m + 1);
    pieces = (len + cutting->piece - 1) / cutting->piece;
    for (int round = 0; round <= cutting->twice; round++)
        for (size_t i = 0; i < pieces; i++) {
            size_t n = cutting->backwards ? pieces - 1 - i : i, at = n * cutting->piece;
            uint8_t out[PACKET_MAX];

            pair_push(p, 1, out,
                      fragment(out, sequence * 1000 + i + (uint64_t)round * 500, 1, len, 0, at,
                               m + 12 + at, len - at < cutting->piece ? len - at : cutting->piece),
                      LN_MILLISECONDS(10));
        }
    return false;
}

LN_TEST(dtls_attack, a_client_hello_in_pieces_of_any_size_and_order_is_put_together)
{
    static const struct cutting cuttings[] = {
        { 150, false, false }, { 100, true, false }, { 60, false, true },
        { 40, true, true },    { 1, false, false },
    };

    for (size_t i = 0; i < sizeof cuttings / sizeof *cuttings; i++) {
        struct cutting cutting = cuttings[i];
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        p.filter = cut_hello;
        p.context = &cutting;
        pair_start(&p);
        pair_run(&p, LN_SECONDS(2));
        check_alive(&p);
        pair_close(&p);
    }
}

LN_TEST(dtls_attack, empty_and_inconsistent_fragments_neither_loop_nor_crash)
{
    struct pair p;
    uint8_t out[PACKET_MAX], body[64] = { 0 };

    for (int kind = 0; kind < 5; kind++) {
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(1));
        for (uint64_t i = 0; i < 100; i++) {
            size_t len = kind == 0 ? fragment(out, 100 + i, 1, 100, 0, 0, body, 0)
                         : kind == 1
                             ? fragment(out, 100 + i, 1, 10, 0, 8, body, 20) /* past the end */
                         : kind == 2 ? fragment(out, 100 + i, 1, 100 + i, 0, i, body, 30)
                         : kind == 3 ? fragment(out, 100 + i, 11, 3000, (uint16_t)i, 0, body, 10)
                                     : fragment(out, 100 + i, (uint8_t)i, 0, 3, 0, body, 0);
            pair_push(&p, 1, out, len, 0);
            pair_run(&p, LN_MICROSECONDS(50));
        }
        pair_run(&p, LN_SECONDS(1));
        pair_close(&p);
    }
}

LN_TEST(dtls_attack, endless_fragments_and_a_claim_of_16_mb_take_bounded_memory)
{
    struct pair p;
    uint8_t out[PACKET_MAX], body[100] = { 0 };
    size_t before;

    for (int kind = 0; kind < 2; kind++) {
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        pair_start(&p);
        ln_dtls_set_writable(p.side[0].dtls, false); /* the attacker alone speaks */
        pair_run(&p, LN_MILLISECONDS(1));
        before = openssl_memory_live();
        openssl_memory_reset_peak();
        for (uint64_t i = 0; i < 2000; i++) {
            size_t len = kind == 0 ? fragment(out, i, 11, 16000, (uint16_t)(1 + i % 60),
                                              (i / 60) % 150 * 100, body, 100)
                                   : fragment(out, i, (uint8_t)(1 + i % 20), 0xffffff,
                                              (uint16_t)(i % 4), 0, body, 100);
            pair_push(&p, 1, out, len, 0);
            pair_run(&p, LN_MICROSECONDS(10));
        }
        CHECK(openssl_memory_peak() - before < 400 * 1024);
        pair_close(&p);
    }
}

LN_TEST(dtls_attack, the_library_object_is_given_back_after_the_handshake)
{
    struct pair p;
    size_t before, live;

    connect(&p); /* the shared settings stay with ln_crypto */
    live = openssl_memory_live();
    for (int i = 0; i < 2; i++) {
        ln_dtls_free(p.side[i].dtls);
        p.side[i].dtls = NULL;
    }
    before = openssl_memory_live();
    CHECK(live - before < 2 * 6000); /* four cipher contexts */
    for (int i = 0; i < 2; i++)
        ln_certificate_unref(p.side[i].certificate);
    ln_crypto_free(p.crypto);
}

/* Collects the explicit nonces of each direction's protected records. */
struct nonces {
    uint64_t seen[2][400], numbers[2][400];
    int count[2];
};

static void note_nonces(struct nonces *n, const struct wire_packet *packet)
{
    for (size_t at = 0; at + 13 <= packet->len; at += 13 + ln_load16(packet->data + at + 11)) {
        const uint8_t *r = packet->data + at;
        int side = packet->to;

        if (ln_load16(r + 3) != 1)
            continue;
        CHECK(n->count[side] < 400);
        for (int i = 0; i < n->count[side]; i++) {
            CHECK(n->seen[side][i] != ln_load64(r + 13));
            CHECK(n->numbers[side][i] != ln_load64(r + 3));
        }
        n->numbers[side][n->count[side]] = ln_load64(r + 3);
        n->seen[side][n->count[side]++] = ln_load64(r + 13);
    }
}

static bool lose_some_and_note_nonces(struct pair *p, struct wire_packet *packet)
{
    note_nonces(p->context, packet);
    return p->sent > 12 || p->sent % 3 == 1;
}

LN_TEST(dtls_attack, no_nonce_is_used_twice_over_retransmissions_and_data)
{
    static struct nonces nonces;
    struct pair p;

    memset(&nonces, 0, sizeof nonces);
    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    p.filter = lose_some_and_note_nonces;
    p.context = &nonces;
    pair_start(&p);
    pair_run(&p, LN_SECONDS(10));
    CHECK(pair_connected(&p));
    for (int i = 0; i < 50; i++) {
        pair_send(&p, i % 2, "data");
        pair_run(&p, LN_MILLISECONDS(20));
    }
    CHECK(nonces.count[0] >= 26 && nonces.count[1] >= 26);
    pair_close(&p);
}

static bool corrupt_certificate_verify(struct pair *p, struct wire_packet *packet)
{
    for (size_t at = 0; at + 25 < packet->len; at += 13 + ln_load16(packet->data + at + 11)) {
        uint8_t *r = packet->data + at;
        size_t len = 13 + (size_t)ln_load16(r + 11);

        if (packet->to != 1 || r[0] != 22 || r[4] != 0 || r[13] != 15)
            continue;
        if (*(int *)p->context) { /* leave it out altogether */
            memmove(r, r + len, packet->len - at - len);
            packet->len -= len;
            return true;
        }
        r[len - 3] ^= 1;
    }
    return true;
}

LN_TEST(dtls_attack, a_client_that_does_not_prove_its_key_never_connects)
{
    for (int missing = 0; missing < 2; missing++) {
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        p.filter = corrupt_certificate_verify;
        p.context = &missing;
        pair_start(&p);
        pair_run(&p, LN_SECONDS(40));
        CHECK(p.side[1].last.state == LN_DTLS_STATE_FAILED);
        CHECK(p.side[0].last.state == LN_DTLS_STATE_FAILED);
        CHECK_EQUAL(p.side[1].events, 2); /* never connected */
        pair_close(&p);
    }
}

static bool change_use_srtp(struct pair *p, struct wire_packet *packet)
{
    static const uint8_t answer[] = { 0, 14, 0, 5, 0, 2, 0, 7, 0 };

    for (size_t i = 0; packet->to == 0 && i + sizeof answer < packet->len; i++)
        if (memcmp(packet->data + i, answer, sizeof answer) == 0)
            packet->data[i + 7] = *(uint8_t *)p->context;
    return true;
}

/* The answer's last byte is the length of its MKI (RFC 5764, 4.1.3): we offered none. */
static bool add_mki(struct pair *p, struct wire_packet *packet)
{
    static const uint8_t answer[] = { 0, 14, 0, 5, 0, 2, 0, 7, 0 };

    for (size_t i = 0; packet->to == 0 && i + sizeof answer < packet->len; i++) {
        if (memcmp(packet->data + i, answer, sizeof answer) == 0) {
            packet->data[i + 8] = 1;
            (*(size_t *)p->context)++;
        }
    }
    return true;
}

LN_TEST(dtls_attack, an_answer_with_an_mki_is_refused)
{
    static const uint16_t offered[] = { 0x0007 };
    struct ln_dtls_config config = { .srtp_profiles = offered, .srtp_profile_count = 1 };
    size_t changed = 0;
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, &config, NULL);
    p.filter = add_mki;
    p.context = &changed;
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK(changed > 0 && p.side[0].last.state == LN_DTLS_STATE_FAILED);
    pair_close(&p);
}

LN_TEST(dtls_attack, a_srtp_profile_that_was_not_offered_is_refused)
{
    static const uint16_t offered[] = { 0x0007 };
    struct ln_dtls_config config = { .srtp_profiles = offered, .srtp_profile_count = 1 };
    uint8_t other = 2;
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, &config, NULL);
    p.filter = change_use_srtp;
    p.context = &other;
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK(p.side[0].last.state == LN_DTLS_STATE_FAILED);
    pair_close(&p);
}

LN_TEST(dtls_attack, a_peer_that_begins_anew_with_another_hello_is_answered)
{
    struct ln_dtls_config config = { 0 };
    struct ln_fingerprint fingerprint = { "sha-256", NULL };
    struct ln_dtls_counters counters;
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(15)); /* the server has answered the first hello */
    ln_dtls_free(p.side[0].dtls);
    config.certificate = p.side[0].certificate;
    CHECK_EQUAL(ln_dtls_create(&p.side[0].dtls, &config, p.crypto, test_env()), 0);
    fingerprint.value = p.side[1].fingerprint;
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, &fingerprint, 1), 0);
    ln_dtls_set_writable(p.side[0].dtls, true);
    p.wire_count = 0;
    pair_run(&p, LN_SECONDS(1));
    ln_dtls_counters(p.side[1].dtls, &counters);
    CHECK_EQUAL(counters.session.restarts, 1);
    check_alive(&p);
    pair_close(&p);
}

LN_TEST(dtls_attack, a_new_hello_does_not_disturb_a_connected_session)
{
    struct pair p, q;
    struct wire_packet hello;

    connect(&p);
    q = p;
    pair_open(&q, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&q);
    q.now = p.now;
    virtual_clock_set(p.now);
    pair_collect(&q);
    CHECK_EQUAL(q.wire_count, 1);
    hello = q.wire[0];
    q.wire_count = 0;
    pair_close(&q);
    for (int i = 0; i < 5; i++)
        pair_push(&p, 1, hello.data, hello.len, 0);
    pair_run(&p, LN_MILLISECONDS(20));
    check_alive(&p);
    pair_close(&p);
}

/* ---- strange certificates: the client's Certificate message is replaced on the wire ---- */

static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    EVP_PKEY *signer = EVP_EC_gen("P-256");

    CHECK(x509 && signer);
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), -7);
    ASN1_TIME_set(X509_getm_notBefore(x509), 1000000000);
    ASN1_TIME_set(X509_getm_notAfter(x509), 1000000001);
    CHECK_EQUAL(X509_set_pubkey(x509, key), 1);
    CHECK(X509_sign(x509, signer, EVP_sha256()) > 0);
    EVP_PKEY_free(signer);
    return x509;
}

static EVP_PKEY *big_rsa(void)
{
    uint8_t modulus[16384 / 8];
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = RSA_new();
    BIGNUM *n, *e = BN_new();

    memset(modulus, 0xa5, sizeof modulus);
    n = BN_bin2bn(modulus, sizeof modulus, NULL);
    BN_set_word(e, 65537);
    RSA_set0_key(rsa, n, e, NULL);
    EVP_PKEY_assign_RSA(key, rsa);
    return key;
}

static EVP_PKEY *explicit_curve(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);

    EC_KEY_set_asn1_flag(ec, OPENSSL_EC_EXPLICIT_CURVE);
    EC_KEY_generate_key(ec);
    EVP_PKEY_assign_EC_KEY(key, ec);
    return key;
}

struct replacement {
    uint8_t der[8192];
    size_t len;
};

static bool replace_certificate(struct pair *p, struct wire_packet *packet)
{
    const struct replacement *with = p->context;
    uint8_t message[8200], out[PACKET_MAX];
    size_t len = with->len + 6;

    if (packet->to != 1 || packet->data[0] != 22 || packet->data[4] != 0 || packet->data[13] != 11)
        return true;
    ln_store24(message, (uint32_t)with->len + 3);
    ln_store24(message + 3, (uint32_t)with->len);
    memcpy(message + 6, with->der, with->len);
    for (size_t at = 0; at < len; at += 1000)
        pair_push(p, 1, out,
                  fragment(out, 1000 + at, 11, len, 1, at, message + at,
                           len - at < 1000 ? len - at : 1000),
                  LN_MILLISECONDS(5));
    return true;
}

LN_TEST(dtls_attack, certificates_with_absurd_keys_are_refused_though_their_fingerprint_matches)
{
    for (int kind = 0; kind < 3; kind++) {
        EVP_PKEY *key = kind == 0 ? big_rsa() : kind == 1 ? explicit_curve() : EVP_EC_gen("P-521");
        X509 *x509 = certificate_of(key);
        struct ln_fingerprint fingerprints[2];
        static struct replacement with;
        unsigned char *at = with.der;
        char text[LN_FINGERPRINT_TEXT_MAX];
        struct pair p;

        with.len = (size_t)i2d_X509(x509, &at);
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        p.filter = replace_certificate;
        p.context = &with;
        pair_start(&p);
        CHECK_EQUAL(ln_fingerprint_format((struct ln_bytes){ with.der, with.len }, "sha-256", text),
                    0);
        fingerprints[0] = (struct ln_fingerprint){ "sha-256", text };
        fingerprints[1] = (struct ln_fingerprint){ "sha-256", p.side[0].fingerprint };
        CHECK_EQUAL(ln_dtls_set_remote(p.side[1].dtls, LN_DTLS_ROLE_SERVER, fingerprints, 2), 0);
        pair_run(&p, LN_SECONDS(40));
        CHECK(p.side[1].last.state == LN_DTLS_STATE_FAILED);
        CHECK_EQUAL(p.side[1].events, 2);
        pair_close(&p);
        X509_free(x509);
        EVP_PKEY_free(key);
    }
}

LN_TEST(dtls_attack, a_certificate_message_above_the_limit_is_refused_at_its_first_fragment)
{
    struct pair p;
    uint8_t out[PACKET_MAX], body[1000] = { 0, 0xff, 0xf0, 0, 0xff, 0xed };

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(19)); /* the server awaits the certificate */
    openssl_memory_reset_peak();
    pair_push(&p, 1, out, fragment(out, 99, 11, 0xfff3, 1, 0, body, sizeof body), 0);
    pair_run(&p, LN_MICROSECONDS(500));
    CHECK(openssl_memory_peak() < openssl_memory_live() + 64 * 1024);
    CHECK(ln_dtls_state(p.side[1].dtls) != LN_DTLS_STATE_CONNECTED);
    pair_close(&p);
}
