/* SPDX-License-Identifier: Apache-2.0
 * Keys, ephemeral names, nonces. */
#include "servers/turn/core/credentials.h"
#include "stun/ephemeral.h"
#include "tests/unit/turn/rig.h"

/* Computed with: printf '1700003600:alice' | openssl dgst -sha1 -hmac north -binary | base64 */
LN_TEST(credentials, ephemeral_ones_are_those_of_coturn)
{
    char name[64], password[LN_STUN_EPHEMERAL_PASSWORD_MAX];

    CHECK(ln_stun_ephemeral_make("north", "alice", 1700003600, name, sizeof name, password) == 0);
    CHECK_TEXT(name, "1700003600:alice");
    CHECK_TEXT(password, "wjwSXO2ch1B6VaLTLMy2Avn5O9o=");
    CHECK(ln_stun_ephemeral_make("north", "", 1700003600, name, sizeof name, password) == 0);
    CHECK_TEXT(name, "1700003600");
    CHECK(ln_stun_ephemeral_make("north", "alice", 1700003600, name, 16, password) ==
          LN_ERR_NO_SPACE);
}

LN_TEST(credentials, two_secrets_are_valid_at_once)
{
    struct ln_turn_key keys[LN_TURN_CANDIDATES_MAX];
    struct ln_turn_credentials *c;

    CHECK(ln_turn_credentials_create(&c, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_secret(c, "old") == 0);
    CHECK(ln_turn_credentials_add_secret(c, "new") == 0);
    CHECK_EQUAL(ln_turn_credentials_find(c, test_bytes("2000:x"), 1000, LN_TURN_MD5, keys), 2);
    CHECK(memcmp(keys[0].bytes, keys[1].bytes, 16) != 0);
    CHECK_EQUAL(ln_turn_credentials_find(c, test_bytes("alice"), 1000, LN_TURN_MD5, keys), 0);
    ln_turn_credentials_free(c);
}

/* ATTACKS 28 */
LN_TEST(attack_28, names_that_expired_or_never_will_are_nobodys)
{
    static const char *const names[] = {
        "999:x",
        "1000:x",
        "99999999999:x",
        "9999999999999999999999:x",
        "-5:x",
        "2000x:y",
        ":x",
        "x:2000",
        "2000 :x",
        "+2000:x",
        "0x7d0:x",
        "",
    };
    struct ln_turn_key keys[LN_TURN_CANDIDATES_MAX];
    struct ln_turn_credentials *c;

    CHECK(ln_turn_credentials_create(&c, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_secret(c, "north") == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_EQUAL(ln_turn_credentials_find(c, test_bytes(names[i]), 1000, LN_TURN_MD5, keys), 0);
    CHECK_EQUAL(ln_turn_credentials_find(c, test_bytes("1001:x"), 1000, LN_TURN_MD5, keys), 1);
    CHECK_EQUAL(ln_turn_credentials_find(c, test_bytes("1001"), 1000, LN_TURN_MD5, keys), 1);
    CHECK_EQUAL(ln_turn_quota_name(test_bytes("1001:carol")).len, 5);
    CHECK_EQUAL(ln_turn_quota_name(test_bytes("1001")).len, 4);
    ln_turn_credentials_free(c);
}

LN_TEST(credentials, a_user_is_found_by_his_hash)
{
    /* printf 'alice:example.org' | sha256sum */
    uint8_t hash[32];
    struct ln_turn_credentials *c;
    struct ln_bytes name;

    CHECK_EQUAL(test_hex("435b7933096a304d3c734cfb833ec9075bd47ab1c0160321aed31c06a8c7009e", hash,
                         sizeof hash),
                32);
    CHECK(ln_turn_credentials_create(&c, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(c, "alice", "one") == 0);
    CHECK(ln_turn_credentials_add_user(c, "alice", "two") == 0); /* replaces */
    CHECK(ln_turn_credentials_name(c, (struct ln_bytes){ hash, 32 }, &name) && name.len == 5);
    hash[0] ^= 1;
    CHECK(!ln_turn_credentials_name(c, (struct ln_bytes){ hash, 32 }, &name));
    CHECK(!ln_turn_credentials_name(c, (struct ln_bytes){ hash, 5 }, &name));
    CHECK(ln_turn_credentials_add_user(c, "", "x") == LN_ERR_INVALID_ARGUMENT);
    ln_turn_credentials_free(c);
}

/* RFC 8489, 9.2.2: the hash of an ephemeral name says nothing to a server that never saw it. */
LN_TEST(credentials, with_secrets_no_client_is_asked_to_hide_its_name)
{
    uint8_t key[LN_TURN_NONCE_KEY_LEN] = { 1 };
    struct ln_address client = rig_address("198.51.100.7:4000");
    char text[LN_TURN_NONCE_LEN];
    struct ln_turn_credentials *c;

    if (ln_turn_credentials_create(&c, "r", test_env()) != 0)
        return;
    CHECK(ln_turn_credentials_add_secret(c, "s") == 0);
    ln_turn_nonce_write(c, key, 5000, &client, text);
    CHECK(memcmp(text, "obMatJos2gAAA", 13) == 0);
    CHECK(ln_turn_nonce_valid(key, 5000, 600, &client,
                              (struct ln_bytes){ (const uint8_t *)text, sizeof text }));
    ln_turn_credentials_free(c);
}

/* ATTACKS 20 */
LN_TEST(attack_20, nonces_are_bound_to_time_and_address)
{
    uint8_t key[LN_TURN_NONCE_KEY_LEN] = { 1 }, other_key[LN_TURN_NONCE_KEY_LEN] = { 2 };
    struct ln_address client = rig_address("198.51.100.7:4000");
    struct ln_address other = rig_address("198.51.100.8:4000");
    char text[LN_TURN_NONCE_LEN], of_other_port[LN_TURN_NONCE_LEN];
    struct ln_turn_credentials *c;
    struct ln_bytes nonce = { (const uint8_t *)text, sizeof text };

    if (ln_turn_credentials_create(&c, "r", test_env()) != 0)
        return;
    ln_turn_nonce_write(c, key, 5000, &client, text);
    CHECK(memcmp(text, "obMatJos2wAAA", 13) == 0); /* RFC 8489, 9.2: both feature bits */
    CHECK(ln_turn_nonce_valid(key, 5000, 600, &client, nonce));
    CHECK(ln_turn_nonce_valid(key, 5600, 600, &client, nonce));
    CHECK(!ln_turn_nonce_valid(key, 5601, 600, &client, nonce));
    CHECK(!ln_turn_nonce_valid(key, 4000, 600, &client, nonce)); /* from the future */
    CHECK(!ln_turn_nonce_valid(key, 5000, 600, &other, nonce));
    CHECK(!ln_turn_nonce_valid(other_key, 5000, 600, &client, nonce));
    client.port = 5; /* the port may change, but it gives another nonce (RFC 8489, 9.2.4) */
    CHECK(ln_turn_nonce_valid(key, 5000, 600, &client, nonce));
    ln_turn_nonce_write(c, key, 5000, &client, of_other_port);
    CHECK(memcmp(of_other_port, text, sizeof text) != 0);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] ^= 1;
        CHECK(!ln_turn_nonce_valid(key, 5000, 600, &client, nonce));
        text[i] ^= 1;
        CHECK(!ln_turn_nonce_valid(key, 5000, 600, &client, (struct ln_bytes){ nonce.data, i }));
    }
    ln_turn_credentials_free(c);
}
