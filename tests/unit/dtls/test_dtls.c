/* SPDX-License-Identifier: Apache-2.0
 * Two transports with each other: handshakes over every kind of wire, roles, certificates,
 * profiles. */
#include "tests/unit/dtls/pair.h"

LN_TEST(dtls, two_transports_connect_and_exchange_data)
{
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_NEVER);
    pair_start(&p);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_IMMEDIATE);
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK(pair_connected(&p));
    CHECK_EQUAL(p.sent, 4); /* one datagram a flight */
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(p.side[i].events, 2);
        CHECK(p.side[i].last.state == LN_DTLS_STATE_CONNECTED);
        CHECK_EQUAL(ln_dtls_version(p.side[i].dtls), 0xfefd);
        CHECK_TEXT(ln_dtls_cipher_name(p.side[i].dtls), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
        CHECK_TEXT(ln_dtls_group_name(p.side[i].dtls), "x25519");
        CHECK_EQUAL(ln_dtls_srtp_profile(p.side[i].dtls), LN_SRTP_AEAD_AES_128_GCM);
        CHECK_EQUAL(ln_dtls_overhead(p.side[i].dtls), 37);
        CHECK(ln_dtls_next_timeout(p.side[i].dtls) == LN_TIME_NEVER);
    }
    pair_send(&p, 0, "from the client");
    pair_send(&p, 1, "from the server");
    pair_send(&p, 1, "again");
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK_EQUAL(p.side[0].received_count, 2);
    CHECK_EQUAL(p.side[1].received_count, 1);
    CHECK_BYTES(p.side[1].received[0], "from the client", 15);
    CHECK_BYTES(p.side[0].received[0], "from the server", 15);
    CHECK_BYTES(p.side[0].received[1], "again", 5);
    pair_close(&p);
}
