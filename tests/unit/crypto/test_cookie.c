/* SPDX-License-Identifier: Apache-2.0
 * The cookie before a DTLS session: asked for without state, taken once, of no
 * use elsewhere. */
#include "base/bytes.h"
#include "crypto/cookie.h"
#include "crypto/crypto.h"
#include "crypto/session.h"

#include "tests/support/test.h"

#define WALL_MS INT64_C(1750000000000)

static const uint8_t key[LN_DTLS_COOKIE_KEY_LEN] = { 9, 8, 7 };

struct pair {
    struct ln_crypto *crypto;
    struct ln_certificate *certificate;
    struct ln_session *client, *server;
};

static void open_pair(struct pair *p)
{
    struct ln_session_config client = { .is_client = true, .is_datagram = true };
    struct ln_session_config server = { .is_datagram = true, .after_cookie = true };

    CHECK_EQUAL(ln_crypto_create(&p->crypto, test_env()->allocator), 0);
    CHECK_EQUAL(ln_certificate_generate(&p->certificate, LN_KEY_ECDSA_P256, WALL_MS, 0, p->crypto),
                0);
    server.certificate = p->certificate;
    CHECK_EQUAL(ln_session_create(&p->client, &client, p->crypto, test_env()), 0);
    CHECK_EQUAL(ln_session_create(&p->server, &server, p->crypto, test_env()), 0);
    ln_session_start(p->client, 0);
    ln_session_start(p->server, 0);
}

static void close_pair(struct pair *p)
{
    ln_session_free(p->client);
    ln_session_free(p->server);
    ln_certificate_unref(p->certificate);
    ln_crypto_free(p->crypto);
}

/* Everything that one end has to say, given to the other; returns what was
 * delivered. */
static size_t carry(struct ln_session *from, struct ln_session *to, uint8_t *out, size_t cap)
{
    uint8_t datagram[2048];
    size_t got = 0;
    int len;

    while ((len = ln_session_poll_output(from, datagram, sizeof datagram)) > 0) {
        struct ln_bytes packet = { datagram, (size_t)len };
        enum ln_session_state before;
        int plain;

        do {
            before = ln_session_state(to);
            plain = ln_session_unwrap(to, 0, &packet, out + got, cap - got);
            got += plain > 0 ? (size_t)plain : 0;
        } while (plain > 0 || (packet.len > 0 && ln_session_state(to) != before));
    }
    return got;
}

static struct ln_address from(uint8_t last, uint16_t port)
{
    return (
        struct ln_address){ .family = LN_FAMILY_IPV4, .ip = { 198, 51, 100, last }, .port = port };
}

LN_TEST(cookie, a_client_passes_by_its_second_hello_and_the_session_works)
{
    struct ln_address client = from(7, 4000);
    uint8_t hello[2048], answer[LN_DTLS_VERIFY_LEN], plain[64];
    struct ln_bytes packet = { answer, sizeof answer };
    const uint8_t *random;
    struct pair p;
    int len;

    open_pair(&p);
    len = ln_session_poll_output(p.client, hello, sizeof hello);
    CHECK(len > (int)LN_DTLS_VERIFY_LEN); /* the answer is shorter: no amplification */
    CHECK(ln_dtls_cookie_check(key, 1000, &client, (struct ln_bytes){ hello, (size_t)len }, answer,
                               &random) == LN_DTLS_HELLO_ASKED);
    CHECK_EQUAL(ln_session_unwrap(p.client, 0, &packet, plain, sizeof plain), 0);
    len = ln_session_poll_output(p.client, hello, sizeof hello);
    CHECK(ln_dtls_cookie_check(key, 1059, &client, (struct ln_bytes){ hello, (size_t)len }, answer,
                               &random) == LN_DTLS_HELLO_PROVED);
    packet = (struct ln_bytes){ hello, (size_t)len };
    CHECK_EQUAL(ln_session_unwrap(p.server, 0, &packet, plain, sizeof plain), 0);
    for (int i = 0; i < 6; i++) {
        carry(p.server, p.client, plain, sizeof plain);
        carry(p.client, p.server, plain, sizeof plain);
    }
    CHECK(ln_session_state(p.client) == LN_SESSION_ESTABLISHED);
    CHECK(ln_session_state(p.server) == LN_SESSION_ESTABLISHED);
    len = ln_session_wrap(p.client, 0, "hello", 5, hello, sizeof hello);
    packet = (struct ln_bytes){ hello, (size_t)len };
    CHECK(len > 0 && ln_session_unwrap(p.server, 0, &packet, plain, sizeof plain) == 5);
    CHECK_BYTES(plain, "hello", 5);
    close_pair(&p);
}

LN_TEST(cookie, is_bound_to_address_port_time_and_hello)
{
    struct ln_address client = from(7, 4000), other = from(8, 4000), port = from(7, 4001);
    uint8_t hello[2048], answer[LN_DTLS_VERIFY_LEN], plain[64];
    struct ln_bytes packet = { answer, sizeof answer }, second;
    const uint8_t *random;
    struct pair p;
    int len;

    open_pair(&p);
    len = ln_session_poll_output(p.client, hello, sizeof hello);
    second = (struct ln_bytes){ hello, (size_t)len };
    CHECK(ln_dtls_cookie_check(key, 1000, &client, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    CHECK_EQUAL(ln_session_unwrap(p.client, 0, &packet, plain, sizeof plain), 0);
    len = ln_session_poll_output(p.client, hello, sizeof hello);
    second = (struct ln_bytes){ hello, (size_t)len };
    CHECK(ln_dtls_cookie_check(key, 1000, &other, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    CHECK(ln_dtls_cookie_check(key, 1000, &port, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    CHECK(ln_dtls_cookie_check(key, 1200, &client, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    CHECK(ln_dtls_cookie_check(key, 900, &client, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    hello[13 + 12 + 2] ^= 1; /* its random value */
    CHECK(ln_dtls_cookie_check(key, 1000, &client, second, answer, &random) == LN_DTLS_HELLO_ASKED);
    close_pair(&p);
}

LN_TEST(cookie, what_is_no_whole_hello_is_not_answered)
{
    struct ln_address client = from(7, 4000);
    uint8_t hello[2048], answer[LN_DTLS_VERIFY_LEN];
    const uint8_t *random;
    struct pair p;
    int len;

    open_pair(&p);
    len = ln_session_poll_output(p.client, hello, sizeof hello);
    for (int cut = 0; cut < len; cut++)
        CHECK(ln_dtls_cookie_check(key, 1000, &client, (struct ln_bytes){ hello, (size_t)cut },
                                   answer, &random) == LN_DTLS_HELLO_NONE);
    hello[13] = 2;
    CHECK(ln_dtls_cookie_check(key, 1000, &client, (struct ln_bytes){ hello, (size_t)len }, answer,
                               &random) == LN_DTLS_HELLO_NONE);
    close_pair(&p);
}
