/* SPDX-License-Identifier: Apache-2.0
 * Who the peer must be: fingerprints in both roles (RFC 8122, RFC 8827 6.5). */
#include "tests/unit/dtls/pair.h"

#define WRONG                                                                                      \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"                                             \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

/* Sets true fingerprints but for one side; runs; that side must have failed with nothing let
 * through. */
static void expect_failure(int suspicious, const struct ln_fingerprint *fingerprints, size_t count)
{
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct ln_fingerprint right = { "sha-256", p.side[1 - i].fingerprint };

        CHECK_EQUAL(ln_dtls_set_remote(
                        p.side[i].dtls, i == 0 ? LN_DTLS_ROLE_CLIENT : LN_DTLS_ROLE_SERVER,
                        i == suspicious ? fingerprints : &right, i == suspicious ? count : 1),
                    0);
        ln_dtls_set_writable(p.side[i].dtls, true);
    }
    pair_run(&p, LN_SECONDS(40));
    CHECK(p.side[suspicious].last.state == LN_DTLS_STATE_FAILED);
    CHECK_EQUAL(p.side[suspicious].last.error, LN_ERR_FINGERPRINT);
    CHECK(!p.side[suspicious].last.alert_was_received && p.side[suspicious].last.alert > 0);
    CHECK(p.side[1 - suspicious].last.state == LN_DTLS_STATE_FAILED); /* was never connected */
    CHECK_EQUAL(p.side[1 - suspicious].events, 2);
    pair_close(&p);
}

LN_TEST(fingerprint, a_mismatch_fails_in_both_roles_and_the_other_never_connects)
{
    struct ln_fingerprint wrong = { "sha-256", WRONG };

    expect_failure(0, &wrong, 1);
    expect_failure(1, &wrong, 1);
}

LN_TEST(fingerprint, malformed_values_match_nothing)
{
    static const char *const values[] = {
        "", ":", "00", "zz:zz", WRONG ":", "AB:CD:", WRONG ":00"
    };

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ln_fingerprint odd = { "sha-256", values[i] };

        expect_failure((int)i % 2, &odd, 1);
    }
}

LN_TEST(fingerprint, unknown_and_weak_hashes_alone_are_refused)
{
    struct ln_fingerprint weak[3] = { { "sha-1", WRONG }, { "md5", WRONG }, { "sha-3", WRONG } };
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, weak, 3),
                LN_ERR_NOT_SUPPORTED);
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, NULL, 0),
                LN_ERR_NOT_SUPPORTED);
    CHECK(ln_dtls_state(p.side[0].dtls) == LN_DTLS_STATE_NEW);
    CHECK(ln_dtls_role(p.side[0].dtls) == LN_DTLS_ROLE_UNKNOWN);
    pair_close(&p);
}

static bool connects_with(const char *algorithm, bool lower, const struct ln_fingerprint *more,
                          size_t more_count, bool more_first)
{
    char text[2][LN_FINGERPRINT_TEXT_MAX];
    struct pair p;
    bool connected;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct ln_fingerprint all[8];
        size_t n = 0;

        CHECK_EQUAL(ln_fingerprint_format(ln_certificate_der(p.side[1 - i].certificate), algorithm,
                                          text[i]),
                    0);
        for (char *c = text[i]; lower && *c; c++)
            if (*c >= 'A' && *c <= 'F')
                *c = (char)(*c + 32);
        if (!more_first)
            all[n++] = (struct ln_fingerprint){ algorithm, text[i] };
        for (size_t k = 0; k < more_count; k++)
            all[n++] = more[k];
        if (more_first)
            all[n++] = (struct ln_fingerprint){ algorithm, text[i] };
        CHECK_EQUAL(ln_dtls_set_remote(p.side[i].dtls,
                                       i == 0 ? LN_DTLS_ROLE_CLIENT : LN_DTLS_ROLE_SERVER, all, n),
                    0);
        ln_dtls_set_writable(p.side[i].dtls, true);
    }
    pair_run(&p, LN_SECONDS(1));
    connected = pair_connected(&p);
    pair_close(&p);
    return connected;
}

LN_TEST(fingerprint, sha_256_384_and_512_in_any_case_are_accepted)
{
    CHECK(connects_with("sha-256", true, NULL, 0, false));
    CHECK(connects_with("sha-384", false, NULL, 0, false));
    CHECK(connects_with("SHA-512", true, NULL, 0, false));
}

LN_TEST(fingerprint, any_one_of_the_strongest_hash_is_enough_and_weaker_ones_do_not_count)
{
    struct ln_fingerprint wrong_256 = { "sha-256", WRONG }, weak = { "sha-1", "AA" };
    struct ln_fingerprint wrong_512 = { "sha-512", WRONG };

    CHECK(connects_with("sha-256", false, &wrong_256, 1, true));
    CHECK(connects_with("sha-256", false, &wrong_256, 1, false));
    CHECK(connects_with("sha-512", false, &wrong_256, 1, true));
    CHECK(connects_with("sha-256", false, &weak, 1, true));
    CHECK(!connects_with("sha-256", false, &wrong_512, 1, false));
}

LN_TEST(fingerprint, a_new_description_must_name_the_certificate_that_is_in_use)
{
    struct ln_fingerprint wrong = { "sha-256", WRONG };
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    pair_start(&p); /* the same again */
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, &wrong, 1),
                LN_ERR_FINGERPRINT);
    wrong.value = p.side[1].fingerprint;
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_SERVER, &wrong, 1),
                LN_ERR_INVALID_MODIFICATION);
    CHECK(pair_connected(&p));
    ln_dtls_close(p.side[0].dtls, p.now);
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, &wrong, 1),
                LN_ERR_INVALID_STATE);
    pair_close(&p);
}
