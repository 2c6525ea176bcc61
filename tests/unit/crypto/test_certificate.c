/* SPDX-License-Identifier: Apache-2.0
 * Certificates and fingerprints. */
#include "crypto/certificate.h"
#include "crypto/crypto.h"

#include "tests/support/test.h"

#define WALL_MS INT64_C(1750000000000)
#define DAY_MS  INT64_C(86400000)

static struct ln_crypto *open_crypto(void)
{
    struct ln_crypto *crypto;

    CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
    return crypto;
}

LN_TEST(certificate, expires_as_asked_and_at_most_after_a_year)
{
    struct ln_crypto *crypto = open_crypto();
    struct ln_certificate *c;

    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
    CHECK_EQUAL(ln_certificate_expires_ms(c), WALL_MS + 30 * DAY_MS);
    CHECK_EQUAL(ln_certificate_key_type(c), LN_KEY_ECDSA_P256);
    ln_certificate_unref(c);
    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_RSA_2048, WALL_MS, 5000 * DAY_MS, crypto), 0);
    CHECK_EQUAL(ln_certificate_expires_ms(c), WALL_MS + 365 * DAY_MS);
    CHECK_EQUAL(ln_certificate_key_type(c), LN_KEY_RSA_2048);
    ln_certificate_unref(c);
    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_OTHER, WALL_MS, 0, crypto), LN_ERR_RANGE);
    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_ECDSA_P256, -1, 0, crypto), LN_ERR_RANGE);
    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_ECDSA_P256, INT64_MAX, 0, crypto), LN_ERR_RANGE);
    CHECK_EQUAL(ln_certificate_generate(&c, LN_KEY_ECDSA_P256, WALL_MS, -1, crypto), LN_ERR_RANGE);
    ln_certificate_unref(NULL);
    ln_crypto_free(crypto);
}

LN_TEST(certificate, two_have_nothing_in_common_and_a_small_der)
{
    struct ln_crypto *crypto = open_crypto();
    struct ln_certificate *a, *b;

    CHECK_EQUAL(ln_certificate_generate(&a, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
    CHECK_EQUAL(ln_certificate_generate(&b, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
    CHECK(ln_certificate_der(a).len < 400); /* a server's flight fits one datagram */
    CHECK(ln_certificate_der(a).len != ln_certificate_der(b).len ||
          memcmp(ln_certificate_der(a).data, ln_certificate_der(b).data, 60) != 0);
    ln_certificate_unref(ln_certificate_ref(a));
    ln_certificate_unref(a);
    ln_certificate_unref(b);
    ln_crypto_free(crypto);
}

LN_TEST(certificate, comes_back_from_its_pem)
{
    struct ln_crypto *crypto = open_crypto();

    for (int type = 0; type < 2; type++) {
        struct ln_certificate *a, *b;
        char *pem;

        CHECK_EQUAL(ln_certificate_generate(&a, (enum ln_key_type)type, WALL_MS, 0, crypto), 0);
        CHECK_EQUAL(ln_certificate_export(a, &pem), 0);
        CHECK_EQUAL(ln_certificate_import(&b, (struct ln_bytes){ (uint8_t *)pem, strlen(pem) },
                                          (struct ln_bytes){ NULL, 0 }, crypto),
                    0);
        CHECK_EQUAL(ln_certificate_der(a).len, ln_certificate_der(b).len);
        CHECK_BYTES(ln_certificate_der(a).data, ln_certificate_der(b).data,
                    ln_certificate_der(a).len);
        CHECK_EQUAL(ln_certificate_key_type(b), type);
        CHECK_EQUAL(ln_certificate_expires_ms(b), ln_certificate_expires_ms(a));
        ln_wipe(pem, strlen(pem));
        ln_free(test_env()->allocator, pem);
        ln_certificate_unref(a);
        ln_certificate_unref(b);
    }
    ln_crypto_free(crypto);
}

LN_TEST(certificate, import_refuses_garbage_foreign_keys_and_missing_parts)
{
    struct ln_crypto *crypto = open_crypto();
    struct ln_certificate *a, *b, *c = NULL;
    struct ln_bytes a_pem, b_pem, none = { NULL, 0 };
    char *a_text, *b_text, *key;

    CHECK_EQUAL(ln_certificate_generate(&a, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
    CHECK_EQUAL(ln_certificate_generate(&b, LN_KEY_ECDSA_P256, WALL_MS, 0, crypto), 0);
    CHECK_EQUAL(ln_certificate_export(a, &a_text), 0);
    CHECK_EQUAL(ln_certificate_export(b, &b_text), 0);
    a_pem = (struct ln_bytes){ (uint8_t *)a_text, strlen(a_text) };
    b_pem = (struct ln_bytes){ (uint8_t *)b_text, strlen(b_text) };
    CHECK_EQUAL(ln_certificate_import(&c, a_pem, b_pem, crypto), LN_ERR_INVALID_ACCESS);
    key = strstr(a_text, "-----BEGIN PRIVATE KEY");
    CHECK(key != NULL);
    CHECK_EQUAL(
        ln_certificate_import(&c, (struct ln_bytes){ (uint8_t *)a_text, (size_t)(key - a_text) },
                              none, crypto),
        LN_ERR_SYNTAX);
    CHECK_EQUAL(
        ln_certificate_import(&c, (struct ln_bytes){ (uint8_t *)key, strlen(key) }, none, crypto),
        LN_ERR_SYNTAX);
    for (size_t len = 0; len < a_pem.len; len += 41)
        CHECK(ln_certificate_import(&c, (struct ln_bytes){ a_pem.data, len }, none, crypto) < 0);
    CHECK(c == NULL);
    ln_free(test_env()->allocator, a_text);
    ln_free(test_env()->allocator, b_text);
    ln_certificate_unref(a);
    ln_certificate_unref(b);
    ln_crypto_free(crypto);
}

LN_TEST(fingerprint, is_upper_case_hex_by_the_named_hash)
{
    struct ln_bytes abc = { (const uint8_t *)"abc", 3 };
    char text[LN_FINGERPRINT_TEXT_MAX] = "untouched";

    CHECK_EQUAL(ln_fingerprint_format(abc, "sha-1", text), LN_ERR_NOT_SUPPORTED);
    CHECK_EQUAL(ln_fingerprint_format(abc, "", text), LN_ERR_NOT_SUPPORTED);
    CHECK_TEXT(text, "untouched");
    CHECK_EQUAL(ln_fingerprint_format(abc, "Sha-256", text), 0);
    CHECK_TEXT(text, "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:"
                     "B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD");
    CHECK(ln_fingerprint_matches(abc, "sha-256", text));
    CHECK(!ln_fingerprint_matches(abc, "sha-384", text));
    CHECK(!ln_fingerprint_matches(abc, "sha-1",
                                  "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D"));
    CHECK_EQUAL(ln_fingerprint_format(abc, "sha-512", text), 0);
    CHECK_EQUAL(strlen(text), LN_FINGERPRINT_TEXT_MAX - 1);
    CHECK(ln_fingerprint_strength("sha-512") > ln_fingerprint_strength("SHA-384"));
    CHECK(ln_fingerprint_strength("sha-384") > ln_fingerprint_strength("sha-256"));
}
