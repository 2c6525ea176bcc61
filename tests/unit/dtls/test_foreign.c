/* SPDX-License-Identifier: Apache-2.0
 * With a plain OpenSSL peer in both roles: ciphers, curves, keys, refusals (RFC 8827, 6.5). */
#include "base/bytes.h"
#include "tests/unit/dtls/foreign.h"

#include <sys/socket.h>

LN_TEST(dtls_foreign, every_cipher_works_both_ways_in_both_roles)
{
    static const char *const ciphers[] = { "ECDHE-ECDSA-AES128-GCM-SHA256",
                                           "ECDHE-ECDSA-AES256-GCM-SHA384",
                                           "ECDHE-ECDSA-CHACHA20-POLY1305" };

    for (int i = 0; i < 6; i++) {
        struct ln_dtls_srtp_keys keys;
        struct foreign f;
        uint8_t block[56];

        foreign_open(&f, i < 3, "P-256", NULL);
        CHECK_EQUAL(SSL_CTX_set_cipher_list(f.context, ciphers[i % 3]), 1);
        SSL_CTX_set_tlsext_use_srtp(f.context, "SRTP_AEAD_AES_128_GCM");
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        for (int n = 0; n < 3; n++)
            foreign_exchange(&f);
        CHECK_EQUAL(ln_dtls_overhead(f.dtls), i % 3 == 2 ? 29 : 37);
        CHECK_EQUAL(ln_dtls_srtp_keys(f.dtls, &keys), 0);
        CHECK_EQUAL(SSL_export_keying_material(f.ssl, block, sizeof block, "EXTRACTOR-dtls_srtp",
                                               19, NULL, 0, 0),
                    1);
        CHECK_BYTES(i < 3 ? keys.local_key : keys.remote_key, block, 16);
        CHECK_BYTES(i < 3 ? keys.remote_key : keys.local_key, block + 16, 16);
        CHECK_BYTES(i < 3 ? keys.local_salt : keys.remote_salt, block + 32, 12);
        CHECK_BYTES(i < 3 ? keys.remote_salt : keys.local_salt, block + 44, 12);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, rsa_and_other_curves_are_accepted_and_expiry_is_not_looked_at)
{
    static const char *const keys[] = { "RSA:2048", "P-384" };

    for (int i = 0; i < 4; i++) {
        struct foreign f;

        foreign_open(&f, i < 2, keys[i % 2], NULL);
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        foreign_exchange(&f);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, other_groups_are_agreed_and_unknown_ones_passed_over)
{
    static const char *const groups[] = { "P-256", "P-521:X448:P-256" };

    for (int i = 0; i < 4; i++) {
        struct foreign f;

        foreign_open(&f, i >= 2, "P-256", NULL);
        CHECK_EQUAL(SSL_CTX_set1_groups_list(f.context, groups[i % 2]), 1);
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        CHECK_TEXT(ln_dtls_group_name(f.dtls), "secp256r1");
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, handshakes_in_small_fragments_are_put_together)
{
    for (int i = 0; i < 2; i++) {
        struct foreign f;

        foreign_open(&f, i == 1, "RSA:2048", NULL);
        f.mtu = 256;
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        foreign_exchange(&f);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, our_datagrams_keep_to_the_mtu)
{
    struct ln_dtls_config config = { .mtu = 300 };
    struct foreign f;

    foreign_open(&f, true, "P-256", &config);
    foreign_run(&f, 5);
    CHECK(foreign_connected(&f));
    foreign_close(&f);
}

LN_TEST(dtls_foreign, a_client_without_a_certificate_is_refused)
{
    struct foreign f;

    foreign_open(&f, false, "P-256", NULL);
    SSL_CTX_free(f.context);
    f.context = SSL_CTX_new(DTLS_method()); /* no certificate */
    foreign_run(&f, 200);
    CHECK(!f.their_handshake_done || f.they_failed);
    CHECK(f.last.state == LN_DTLS_STATE_FAILED);
    CHECK_EQUAL(f.last.error, LN_ERR_FINGERPRINT);
    foreign_close(&f);
}

LN_TEST(dtls_foreign, old_versions_and_weak_suites_are_refused)
{
    static const char *const ciphers[] = { "ALL:@SECLEVEL=0", "eNULL:@SECLEVEL=0",
                                           "AES128-SHA:@SECLEVEL=0",
                                           "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0" };

    for (int i = 0; i < 8; i++) {
        struct foreign f;

        foreign_open(&f, i >= 4, "P-256", NULL);
        CHECK_EQUAL(SSL_CTX_set_cipher_list(f.context, ciphers[i % 4]), 1);
        if (i % 4 == 0) {
            SSL_CTX_set_min_proto_version(f.context, DTLS1_VERSION);
            SSL_CTX_set_max_proto_version(f.context, DTLS1_VERSION);
        }
        foreign_run(&f, 150);
        CHECK(!f.their_handshake_done);
        CHECK(f.last.state == LN_DTLS_STATE_FAILED);
        CHECK(f.last.error == LN_ERR_NOT_SUPPORTED || f.last.error == LN_ERR_REFUSED ||
              f.last.error == LN_ERR_CRYPTO);
        CHECK(ln_dtls_version(f.dtls) == 0);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, a_peer_without_extended_master_secret_is_counted_and_refused_on_demand)
{
    for (int i = 0; i < 4; i++) {
        struct ln_dtls_config config = { .require_extended_master_secret = i >= 2 };
        struct ln_dtls_counters counters;
        struct foreign f;

        foreign_open(&f, i % 2, "P-256", &config);
        SSL_CTX_set_options(f.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        foreign_run(&f, 5);
        ln_dtls_counters(f.dtls, &counters);
        CHECK_EQUAL(counters.session.no_extended_master_secret, 1);
        CHECK((ln_dtls_state(f.dtls) == LN_DTLS_STATE_CONNECTED) == (i < 2));
        if (i < 2)
            foreign_exchange(&f);
        else
            CHECK_EQUAL(f.last.error, LN_ERR_NOT_SUPPORTED);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, their_close_notify_closes_us_and_ours_closes_them)
{
    for (int i = 0; i < 2; i++) {
        struct foreign f;

        foreign_open(&f, true, "P-256", NULL);
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        if (i == 0)
            SSL_shutdown(f.ssl);
        else
            ln_dtls_close(f.dtls, f.now);
        foreign_run(&f, 2);
        CHECK(f.last.state == LN_DTLS_STATE_CLOSED);
        CHECK(SSL_get_shutdown(f.ssl) & SSL_RECEIVED_SHUTDOWN);
        foreign_close(&f);
    }
}

LN_TEST(dtls_foreign, renegotiation_and_heartbeats_are_refused)
{
    for (int i = 0; i < 2; i++) {
        struct ln_dtls_counters counters;
        struct foreign f;

        foreign_open(&f, i == 1, "P-256", NULL);
        foreign_run(&f, 5);
        CHECK(foreign_connected(&f));
        SSL_renegotiate(f.ssl);
        (void)SSL_do_handshake(f.ssl); /* a HelloRequest, or a new ClientHello, under the keys */
        foreign_run(&f, 1);
        ln_dtls_counters(f.dtls, &counters);
        CHECK(counters.session.refused_handshakes >= 1);
        CHECK(ln_dtls_state(f.dtls) == LN_DTLS_STATE_CONNECTED);
        foreign_close(&f);
    }
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
    (void)ssl;
    memset(cookie, 7, *len = 16);
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    (void)ssl;
    return len == 16 && cookie[0] == 7;
}

LN_TEST(dtls_foreign, our_client_answers_a_cookie)
{
    struct foreign f;

    foreign_open(&f, true, "P-256", NULL);
    SSL_CTX_set_options(f.context, SSL_OP_COOKIE_EXCHANGE);
    SSL_CTX_set_cookie_generate_cb(f.context, make_cookie);
    SSL_CTX_set_cookie_verify_cb(f.context, check_cookie);
    foreign_run(&f, 5);
    CHECK(foreign_connected(&f));
    foreign_exchange(&f);
    foreign_close(&f);
}
