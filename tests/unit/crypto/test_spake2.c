/* SPDX-License-Identifier: Apache-2.0
 * HKDF (RFC 5869, appendix A) and SPAKE2 (RFC 9382, appendix B). */
#include "crypto/hkdf.h"
#include "crypto/spake2.h"

#include "tests/support/test.h"

#include <stdlib.h>

static void check_hkdf(const char *secret_hex, const char *salt_hex, const char *info_hex,
                       const char *key_hex)
{
    uint8_t secret[80], salt[80], info[80], expected[82], key[82];
    struct ln_bytes s = { secret, test_hex(secret_hex, secret, sizeof secret) };
    struct ln_bytes t = { salt, test_hex(salt_hex, salt, sizeof salt) };
    size_t info_len = test_hex(info_hex, info, sizeof info);
    size_t len = test_hex(key_hex, expected, sizeof expected);
    struct ln_bytes whole = { info, info_len };
    struct ln_bytes halves[2] = { { info, info_len / 2 },
                                  { info + info_len / 2, info_len - info_len / 2 } };

    ln_hkdf_sha256(s, t, &whole, 1, key, len);
    CHECK_BYTES(key, expected, len);
    ln_hkdf_sha256(s, t, halves, 2, key, len);
    CHECK_BYTES(key, expected, len);
}

LN_TEST(hkdf, gives_the_keys_of_rfc_5869)
{
    check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
               "f0f1f2f3f4f5f6f7f8f9",
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
    check_hkdf("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
               "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
               "404142434445464748494a4b4c4d4e4f",
               "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
               "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
               "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
               "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
               "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
               "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
               "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
               "cc30c58179ec3e87c14c01d5c1f3434f1d87");
    check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
}

/* --- the vectors of RFC 9382, in spake2.txt */

struct vector {
    char a[16], b[16], w[65], x[65], y[65], p_a[131], p_b[131], key[33], c_a[65], c_b[65];
};

static bool next_vector(char **text, struct vector *v)
{
    char *fields[] = { v->a, v->b, v->w, v->x, v->y, v->p_a, v->p_b, v->key, v->c_a, v->c_b };
    const size_t caps[] = { 16, 16, 65, 65, 65, 131, 131, 33, 65, 65 };
    size_t count = 0;

    while (count < sizeof fields / sizeof *fields) {
        char *line = strsep(text, "\n"), *value;

        if (!line)
            return false;
        if (!line[0] || line[0] == '#')
            continue;
        value = strchr(line, ' ');
        value = value ? value + 1 : line + strlen(line);
        CHECK(strlen(value) < caps[count]);
        strcpy(fields[count++], value);
    }
    return true;
}

static struct ln_spake2 *side(enum ln_spake2_role role, const char *w_hex, const char *scalar_hex)
{
    uint8_t w[LN_SPAKE2_SCALAR_LEN], scalar[LN_SPAKE2_SCALAR_LEN];
    struct ln_spake2 *s;

    CHECK_EQUAL(test_hex(w_hex, w, sizeof w), sizeof w);
    CHECK_EQUAL(test_hex(scalar_hex, scalar, sizeof scalar), sizeof scalar);
    CHECK_EQUAL(ln_spake2_create_with(&s, role, w, scalar, test_env()), 0);
    return s;
}

static void check_side(enum ln_spake2_role role, const struct vector *v)
{
    bool is_a = role == LN_SPAKE2_A;
    struct ln_spake2 *s = side(role, v->w, is_a ? v->x : v->y);
    struct ln_bytes none = { NULL, 0 };
    uint8_t expected[LN_SPAKE2_SHARE_LEN], got[LN_SPAKE2_SHARE_LEN];

    ln_spake2_share(s, got);
    test_hex(is_a ? v->p_a : v->p_b, expected, sizeof expected);
    CHECK_BYTES(got, expected, LN_SPAKE2_SHARE_LEN);
    test_hex(is_a ? v->p_b : v->p_a, expected, sizeof expected);
    CHECK_EQUAL(ln_spake2_finish(s, expected, test_bytes(v->a), test_bytes(v->b), none), 0);
    ln_spake2_key(s, got);
    test_hex(v->key, expected, sizeof expected);
    CHECK_BYTES(got, expected, LN_SPAKE2_KEY_LEN);
    ln_spake2_confirmation(s, got);
    test_hex(is_a ? v->c_a : v->c_b, expected, sizeof expected);
    CHECK_BYTES(got, expected, LN_SPAKE2_CONFIRMATION_LEN);
    CHECK(!ln_spake2_confirmed(s, got)); /* our own sent back is none of theirs */
    test_hex(is_a ? v->c_b : v->c_a, expected, sizeof expected);
    CHECK(ln_spake2_confirmed(s, expected));
    expected[31] ^= 1;
    CHECK(!ln_spake2_confirmed(s, expected));
    ln_spake2_free(s);
}

LN_TEST(spake2, gives_shares_keys_and_confirmations_of_rfc_9382)
{
    size_t len, count = 0;
    char *text = (char *)test_file("tests/unit/crypto/spake2.txt", &len), *copy, *at;
    struct vector v;

    copy = at = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, text, len);
    copy[len] = '\0';
    while (next_vector(&at, &v)) {
        check_side(LN_SPAKE2_A, &v);
        check_side(LN_SPAKE2_B, &v);
        count++;
    }
    free(copy);
    CHECK_EQUAL(count, 4);
}

struct run {
    struct ln_spake2 *a, *b;
    uint8_t w[2][LN_SPAKE2_SCALAR_LEN];
};

static void begin(struct run *run, const char *secret_a, const char *secret_b)
{
    struct ln_bytes salt = test_bytes("4711"), info = test_bytes("a test");

    CHECK_EQUAL(ln_spake2_password(test_bytes(secret_a), salt, info, run->w[0]), 0);
    CHECK_EQUAL(ln_spake2_password(test_bytes(secret_b), salt, info, run->w[1]), 0);
    CHECK_EQUAL(ln_spake2_create(&run->a, LN_SPAKE2_A, run->w[0], test_env()), 0);
    CHECK_EQUAL(ln_spake2_create(&run->b, LN_SPAKE2_B, run->w[1], test_env()), 0);
}

/* Whether both find the other right, which must be the same for both. */
static bool agree(struct run *run, const char *seen_by_a, const char *seen_by_b, const char *add_a,
                  const char *add_b)
{
    uint8_t p_a[LN_SPAKE2_SHARE_LEN], p_b[LN_SPAKE2_SHARE_LEN], c_a[32], c_b[32], k_a[16], k_b[16];
    bool right;

    ln_spake2_share(run->a, p_a);
    ln_spake2_share(run->b, p_b);
    CHECK_EQUAL(
        ln_spake2_finish(run->a, p_b, test_bytes("A"), test_bytes(seen_by_a), test_bytes(add_a)),
        0);
    CHECK_EQUAL(
        ln_spake2_finish(run->b, p_a, test_bytes("A"), test_bytes(seen_by_b), test_bytes(add_b)),
        0);
    ln_spake2_confirmation(run->a, c_a);
    ln_spake2_confirmation(run->b, c_b);
    ln_spake2_key(run->a, k_a);
    ln_spake2_key(run->b, k_b);
    right = ln_spake2_confirmed(run->b, c_a);
    CHECK_EQUAL(right, ln_spake2_confirmed(run->a, c_b));
    if (right)
        CHECK_BYTES(k_a, k_b, sizeof k_a);
    ln_spake2_free(run->a);
    ln_spake2_free(run->b);
    return right;
}

LN_TEST(spake2, agrees_only_on_the_same_secret_identities_and_additional_data)
{
    struct run run;

    begin(&run, "apple bread", "apple bread");
    CHECK(agree(&run, "B", "B", "v1", "v1"));
    begin(&run, "apple bread", "apple breed");
    CHECK(!agree(&run, "B", "B", "v1", "v1"));
    begin(&run, "apple bread", "apple bread");
    CHECK(!agree(&run, "B", "X", "v1", "v1"));
    begin(&run, "apple bread", "apple bread");
    CHECK(!agree(&run, "B", "B", "v1", "v2"));
    begin(&run, "", "");
    CHECK(agree(&run, "", "", "", ""));
}

LN_TEST(spake2, draws_another_share_each_time)
{
    uint8_t first[LN_SPAKE2_SHARE_LEN], second[LN_SPAKE2_SHARE_LEN];
    struct run run;

    begin(&run, "same", "same");
    ln_spake2_share(run.a, first);
    ln_spake2_free(run.a);
    ln_spake2_free(run.b);
    begin(&run, "same", "same");
    ln_spake2_share(run.a, second);
    ln_spake2_free(run.a);
    ln_spake2_free(run.b);
    CHECK(memcmp(first, second, sizeof first) != 0);
}

LN_TEST(spake2, refuses_shares_that_are_no_points_or_give_the_key_away)
{
    uint8_t share[LN_SPAKE2_SHARE_LEN], w[LN_SPAKE2_SCALAR_LEN] = { 0 };
    struct ln_bytes none = { NULL, 0 };
    struct ln_spake2 *a, *b;

    w[31] = 1; /* so that w*N is N */
    CHECK_EQUAL(ln_spake2_create(&a, LN_SPAKE2_A, w, test_env()), 0);
    CHECK_EQUAL(ln_spake2_create(&b, LN_SPAKE2_B, w, test_env()), 0);
    memset(share, 0, sizeof share);
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    share[0] = 4;
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    memset(share + 1, 0xff, sizeof share - 1); /* coordinates above the field */
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    ln_spake2_share(b, share);
    share[64] ^= 1; /* off the curve */
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    share[64] ^= 1;
    share[0] = 6; /* the hybrid form */
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    test_hex("04 d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49"
             "07d60aa6bfade45008a636337f5168c64d9bd36034808cd564490b1e656edbe7",
             share, sizeof share); /* N itself: K would be the point at infinity */
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), LN_ERR_MALFORMED);
    ln_spake2_share(b, share);
    CHECK_EQUAL(ln_spake2_finish(a, share, none, none, none), 0); /* none of that spoilt it */
    ln_spake2_free(a);
    ln_spake2_free(b);
    ln_spake2_free(NULL);
}

LN_TEST(spake2, takes_no_scalar_out_of_range)
{
    uint8_t w[LN_SPAKE2_SCALAR_LEN] = { 7 }, scalar[LN_SPAKE2_SCALAR_LEN] = { 0 };
    struct ln_spake2 *s = NULL;

    CHECK_EQUAL(ln_spake2_create_with(&s, LN_SPAKE2_A, w, scalar, test_env()), LN_ERR_RANGE);
    test_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", scalar, 32);
    CHECK_EQUAL(ln_spake2_create_with(&s, LN_SPAKE2_A, w, scalar, test_env()), LN_ERR_RANGE);
    scalar[31]--;
    CHECK_EQUAL(ln_spake2_create_with(&s, LN_SPAKE2_A, w, scalar, test_env()), 0);
    ln_spake2_free(s);
}

/* web/test/spake2.test.mjs expects the same number. */
LN_TEST(spake2, makes_the_scalar_of_a_text_as_the_page_does)
{
    uint8_t w[LN_SPAKE2_SCALAR_LEN], expected[LN_SPAKE2_SCALAR_LEN];

    CHECK_EQUAL(ln_spake2_password(test_bytes("anchor-velvet-otter"), test_bytes("4711"),
                                   test_bytes("linnet transfer 1"), w),
                0);
    test_hex("1b3076e1b3a220745c59e7f89ed837b99abfe5fb51be77804074a8cd0eed6c9d", expected, 32);
    CHECK_BYTES(w, expected, sizeof w);
}
