/* SPDX-License-Identifier: Apache-2.0
 * TLS on a byte stream: both ends ours, the stream cut anywhere. */
#include "crypto/crypto.h"
#include "crypto/session.h"

#include "tests/support/test.h"

#define WALL_MS INT64_C(1750000000000)

struct end {
    struct ln_session *session;
    uint8_t inbox[400000];
    size_t inbox_len;
    uint8_t received[300000];
    size_t received_len;
};

struct rig {
    struct ln_crypto *crypto;
    struct ln_certificate *certificate;
    struct end *end[2]; /* 0: client */
    size_t piece;
};

static void rig_open(struct rig *r, struct ln_session_config *client,
                     struct ln_session_config *server)
{
    static struct end ends[2];

    CHECK_EQUAL(ln_crypto_create(&r->crypto, test_env()->allocator), 0);
    CHECK_EQUAL(ln_certificate_generate(&r->certificate, LN_KEY_ECDSA_P256, WALL_MS, 0, r->crypto),
                0);
    memset(ends, 0, sizeof ends);
    client->is_client = true;
    server->certificate = r->certificate;
    for (int i = 0; i < 2; i++) {
        r->end[i] = &ends[i];
        CHECK_EQUAL(ln_session_create(&ends[i].session, i ? server : client, r->crypto, test_env()),
                    0);
    }
    for (int i = 0; i < 2; i++)
        ln_session_start(ends[i].session, 0);
}

static void rig_close(struct rig *r)
{
    for (int i = 0; i < 2; i++)
        ln_session_free(r->end[i]->session);
    ln_certificate_unref(r->certificate);
    ln_crypto_free(r->crypto);
}

static void take(struct end *e, const uint8_t *data, size_t len)
{
    CHECK(e->inbox_len + len <= sizeof e->inbox);
    memcpy(e->inbox + e->inbox_len, data, len);
    e->inbox_len += len;
}

static void read_inbox(struct rig *r, struct end *e)
{
    for (size_t at = 0; at < e->inbox_len;) {
        size_t n = e->inbox_len - at < r->piece ? e->inbox_len - at : r->piece;
        struct ln_bytes piece = { e->inbox + at, n };
        int len;

        do {
            len = ln_session_unwrap(e->session, 0, &piece, e->received + e->received_len, 1000);
            e->received_len += len > 0 ? (size_t)len : 0;
        } while (len > 0 || (piece.len > 0 && len == 0));
        at += n;
    }
    e->inbox_len = 0;
}

static void rig_run(struct rig *r)
{
    uint8_t out[700];

    for (int round = 0; round < 60; round++)
        for (int i = 0; i < 2; i++) {
            int len;

            while ((len = ln_session_poll_output(r->end[i]->session, out, sizeof out)) > 0)
                take(r->end[1 - i], out, (size_t)len);
            read_inbox(r, r->end[1 - i]);
        }
}

static void send_all(struct rig *r, int from, const uint8_t *data, size_t len, size_t cap)
{
    static uint8_t out[300000];
    int n = ln_session_wrap(r->end[from]->session, 0, data, len, out, cap);

    CHECK(n >= 0);
    take(r->end[1 - from], out, (size_t)n);
}

LN_TEST(session_stream, data_passes_both_ways_however_the_stream_is_cut)
{
    static const size_t pieces[] = { 1, 7, 1000, 100000 };
    static uint8_t big[100000];

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct ln_session_config client = { 0 }, server = { 0 };
        struct rig r = { .piece = pieces[k] };

        rig_open(&r, &client, &server);
        rig_run(&r);
        for (int i = 0; i < 2; i++)
            CHECK(ln_session_state(r.end[i]->session) == LN_SESSION_ESTABLISHED);
        CHECK_EQUAL(ln_session_version(r.end[0]->session), 0x0304);
        send_all(&r, 0, (const uint8_t *)"GET /", 5, 1000);
        send_all(&r, 1, big, sizeof big, 30000); /* most of it through poll_output */
        rig_run(&r);
        CHECK(r.end[1]->received_len == 5 && memcmp(r.end[1]->received, "GET /", 5) == 0);
        CHECK_EQUAL(r.end[0]->received_len, sizeof big);
        CHECK_BYTES(r.end[0]->received, big, sizeof big);
        rig_close(&r);
    }
}

LN_TEST(session_stream, alpn_is_agreed_and_its_absence_tolerated)
{
    static const char *const offered[] = { "h2", "http/1.1" }, *const known[] = { "http/1.1" };

    for (int both = 0; both < 2; both++) {
        struct ln_session_config client = { .alpn = offered, .alpn_count = 2 };
        struct ln_session_config server = { .alpn = known, .alpn_count = both ? 1 : 0 };
        struct rig r = { .piece = 500 };

        rig_open(&r, &client, &server);
        rig_run(&r);
        CHECK_TEXT(ln_session_alpn(r.end[0]->session), both ? "http/1.1" : "");
        CHECK_TEXT(ln_session_alpn(r.end[1]->session), both ? "http/1.1" : "");
        rig_close(&r);
    }
}

LN_TEST(session_stream, close_notify_ends_the_other_side)
{
    struct ln_session_config client = { 0 }, server = { 0 };
    struct rig r = { .piece = 500 };
    uint8_t out[100];

    rig_open(&r, &client, &server);
    rig_run(&r);
    ln_session_close(r.end[0]->session, 0);
    CHECK_EQUAL(ln_session_wrap(r.end[0]->session, 0, "x", 1, out, sizeof out),
                LN_ERR_INVALID_STATE);
    rig_run(&r);
    CHECK(ln_session_state(r.end[1]->session) == LN_SESSION_CLOSED);
    rig_close(&r);
}

LN_TEST(session_stream, a_chain_is_demanded_and_the_name_must_match)
{
    /* A self-signed certificate is trusted only when it is given as a root. */
    for (int kind = 0; kind < 2; kind++) {
        struct ln_session_config client = { .verify = LN_SESSION_VERIFY_CHAIN,
                                            .server_name = kind ? "example.org" : NULL };
        struct ln_session_config server = { 0 };
        struct ln_certificate *other;
        struct ln_crypto *crypto;
        struct rig r = { .piece = 5000 };
        char *pem;

        CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
        CHECK_EQUAL(ln_certificate_generate(&other, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
        CHECK_EQUAL(ln_certificate_export(other, &pem), 0);
        client.trust_pem = (struct ln_bytes){ (uint8_t *)pem, strlen(pem) };
        rig_open(&r, &client, &server);
        rig_run(&r);
        CHECK(ln_session_state(r.end[0]->session) == LN_SESSION_FAILED);
        CHECK_EQUAL(ln_session_error(r.end[0]->session), LN_ERR_FINGERPRINT);
        rig_close(&r);
        ln_free(test_env()->allocator, pem);
        ln_certificate_unref(other);
        ln_crypto_free(crypto);
    }
}

LN_TEST(session_stream, plain_text_and_garbage_fail_the_handshake_once)
{
    struct ln_session_config client = { 0 }, server = { 0 };
    struct rig r = { .piece = 100 };
    struct ln_bytes garbage = { (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18 };
    uint8_t out[100];

    rig_open(&r, &client, &server);
    CHECK_EQUAL(ln_session_unwrap(r.end[1]->session, 0, &garbage, out, sizeof out), 0);
    CHECK(ln_session_state(r.end[1]->session) == LN_SESSION_FAILED);
    CHECK_EQUAL(ln_session_unwrap(r.end[1]->session, 0, &garbage, out, sizeof out), LN_ERR_CLOSED);
    CHECK_EQUAL(garbage.len, 0);
    rig_close(&r);
}

LN_TEST(session_stream, a_handshake_that_never_ends_is_given_up_after_30_s)
{
    struct ln_session_config client = { 0 }, server = { 0 };
    struct rig r = { .piece = 100 };

    rig_open(&r, &client, &server);
    CHECK_EQUAL(ln_session_next_timeout(r.end[0]->session), LN_SECONDS(30));
    ln_session_on_timeout(r.end[0]->session, LN_SECONDS(29));
    CHECK(ln_session_state(r.end[0]->session) == LN_SESSION_HANDSHAKE);
    ln_session_on_timeout(r.end[0]->session, LN_SECONDS(31));
    CHECK_EQUAL(ln_session_error(r.end[0]->session), LN_ERR_TIMEOUT);
    CHECK(ln_session_next_timeout(r.end[0]->session) == LN_TIME_NEVER);
    rig_close(&r);
}

LN_TEST(session_stream, both_ends_export_the_same_secret)
{
    struct ln_session_config client = { 0 }, server = { 0 };
    struct rig r = { .piece = 1000 };
    uint8_t a[40], b[40];

    rig_open(&r, &client, &server);
    CHECK_EQUAL(ln_session_export(r.end[0]->session, "EXPORTER-x", a, 40), LN_ERR_INVALID_STATE);
    rig_run(&r);
    CHECK_EQUAL(ln_session_export(r.end[0]->session, "EXPORTER-x", a, 40), 0);
    CHECK_EQUAL(ln_session_export(r.end[1]->session, "EXPORTER-x", b, 40), 0);
    CHECK_BYTES(a, b, 40);
    CHECK_EQUAL(ln_session_export(r.end[0]->session, "EXPORTER-x", a, 300), LN_ERR_TOO_BIG);
    rig_close(&r);
}

LN_TEST(session_stream, invalid_settings_are_refused)
{
    static const uint16_t profile = 5;
    static const char *const empty[] = { "" };
    struct ln_session_config configs[] = {
        { .is_client = false },
        { .is_client = true, .is_datagram = true, .mtu = 100 },
        { .is_client = true, .is_datagram = true, .mtu = 70000 },
        { .is_client = true, .srtp_profiles = &profile, .srtp_profile_count = 1 },
        { .is_client = true, .alpn = empty, .alpn_count = 1 },
    };
    struct ln_session *session = NULL;
    struct ln_crypto *crypto;

    CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        CHECK_EQUAL(ln_session_create(&session, &configs[i], crypto, test_env()),
                    LN_ERR_INVALID_ARGUMENT);
    CHECK(session == NULL);
    ln_session_free(NULL);
    ln_crypto_free(crypto);
}
