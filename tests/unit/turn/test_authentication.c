/* SPDX-License-Identifier: Apache-2.0
 * Who may allocate (RFC 8489, 9.2): keys and algorithms, names and their hashes, credentials that
 * end and credentials that change. */
#include "crypto/hash.h"
#include "stun/ephemeral.h"
#include "tests/unit/turn/rig.h"

/* Alice's, the short one. */
static void add_integrity(struct ln_stun_builder *b)
{
    static const char text[] = "alice:example.org:secret";
    uint8_t key[16];

    ln_hash_once(LN_HASH_MD5, text, strlen(text), key);
    ln_stun_add_integrity(b, (struct ln_bytes){ key, sizeof key });
}

LN_TEST(allocation, sha256_keys_and_integrity_are_used_when_the_client_can)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    alice.strong = true;
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_end(&rig);
}

/* RFC 8489, 9.2.4: an attacker who removes the list leaves the algorithm alone, or none. */
LN_TEST(allocation, a_list_of_algorithms_that_was_tampered_with_is_a_bad_request)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    alice.strong = alice.no_list = true;
    CHECK_EQUAL(rig_allocate(&alice, NULL), 400);
    rig_end(&rig);
}

LN_TEST(allocation, a_user_may_be_named_by_his_hash)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;
    uint8_t hash[32];

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&alice, 0), 437); /* learns a nonce */
    test_hex("435b7933096a304d3c734cfb833ec9075bd47ab1c0160321aed31c06a8c7009e", hash, 32);
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add(&call.b, LN_STUN_USERHASH, hash, sizeof hash);
    ln_stun_add_text(&call.b, LN_STUN_REALM, "example.org");
    ln_stun_add_text(&call.b, LN_STUN_NONCE, alice.nonce);
    add_integrity(&call.b);
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 0);
    rig_end(&rig);
}

/* An Allocate of alice with the list of algorithms, `number` of it, and the short integrity. */
static int allocate_by(struct rig_client *alice, uint8_t number, struct ln_stun_message *ret_answer)
{
    static const uint8_t list[] = { 0, 2, 0, 0, 0, 1, 0, 0 };
    const uint8_t one[] = { 0, number, 0, 0 };
    struct rig_call call;

    rig_begin(&call, alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add_text(&call.b, LN_STUN_USERNAME, "alice");
    ln_stun_add_text(&call.b, LN_STUN_REALM, "example.org");
    ln_stun_add_text(&call.b, LN_STUN_NONCE, alice->nonce);
    ln_stun_add(&call.b, LN_STUN_PASSWORD_ALGORITHMS, list, sizeof list);
    ln_stun_add(&call.b, LN_STUN_PASSWORD_ALGORITHM, one, sizeof one);
    add_integrity(&call.b);
    return rig_call_unsigned(&call, ret_answer);
}

/* RFC 8489, 9.2.4: whatever integrity the request had. */
LN_TEST(allocation, who_knows_the_list_of_algorithms_is_answered_with_sha256)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&alice, 0), 437);          /* learns a nonce */
    CHECK_EQUAL(allocate_by(&alice, 3, &answer), 400); /* which is not in the list */
    CHECK_EQUAL(allocate_by(&alice, LN_TURN_MD5, &answer), 0);
    CHECK(answer.integrity256 != 0 && answer.integrity == 0);
    rig_end(&rig);
}

LN_TEST(allocation, ephemeral_credentials_go_on_after_their_expiry_during_a_call)
{
    struct rig rig;
    struct rig_client carol, late;
    char name[64], password[LN_STUN_EPHEMERAL_PASSWORD_MAX];

    rig_init(&rig);
    rig_start(&rig);
    /* wall clock of the rig: 1,700,000,000 + 1000 s */
    CHECK(ln_stun_ephemeral_make("north", "carol", 1700001100, name, sizeof name, password) == 0);
    carol = rig_client(&rig, "198.51.100.7:4000", name, password);
    late = rig_client(&rig, "198.51.100.8:4000", name, password);
    CHECK_EQUAL(rig_allocate(&carol, NULL), 0);
    rig_advance(&rig, LN_SECONDS(200));
    CHECK_EQUAL(rig_refresh(&carol, 600), 0);
    CHECK_EQUAL(rig_allocate(&late, NULL), 401); /* but nothing new begins */
    rig_end(&rig);
}

LN_TEST(allocation, other_credentials_and_policy_take_over_at_a_reload)
{
    struct rig rig;
    struct rig_client alice, dave;
    struct ln_turn_credentials *next;
    struct ln_turn_policy policy = { .allow_count = 1 };
    struct ln_turn_config config;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    dave = rig_client(&rig, "198.51.100.8:4000", "dave", "new");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_allocate(&dave, NULL), 401);
    CHECK(ln_turn_credentials_create(&next, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(next, "dave", "new") == 0);
    CHECK(ln_turn_prefix_parse("10.0.0.0/8", &policy.allow[0]) == 0);
    config = rig.config;
    config.credentials = next;
    config.policy = &policy;
    ln_turn_server_reload(rig.server, &config);
    ln_turn_credentials_free(rig.credentials);
    rig.credentials = next;
    CHECK_EQUAL(rig_allocate(&dave, NULL), 0);
    CHECK_EQUAL(rig_permit(&dave, "10.1.2.3"), 0);
    CHECK_EQUAL(rig_refresh(&alice, 600), 0); /* what is there goes on */
    rig_end(&rig);
}

static struct ln_turn_key key_of(const char *text, size_t len, enum ln_hash hash)
{
    struct ln_turn_key key = { .len = (uint8_t)len };

    ln_hash_once(hash, text, strlen(text), key.bytes);
    return key;
}

LN_TEST(allocation, keys_of_others_are_taken_and_only_what_all_have_is_offered)
{
    struct ln_turn_key md5 = key_of("carol:example.org:pw", 16, LN_HASH_MD5), none = { .len = 0 };
    struct ln_turn_key sha256 = key_of("carol:example.org:pw", 32, LN_HASH_SHA256);
    struct ln_stun_message answer;
    struct ln_bytes offer;
    struct rig rig;
    struct rig_client carol;
    struct rig_call call;

    for (int way = 0; way < 3; way++) { /* both keys, MD5, SHA-256 */
        rig_init(&rig);
        CHECK_EQUAL(ln_turn_credentials_add_keys(rig.credentials, "carol", &none, &none),
                    LN_ERR_INVALID_ARGUMENT);
        CHECK_EQUAL(ln_turn_credentials_add_keys(rig.credentials, "carol", way < 2 ? &md5 : &none,
                                                 way == 1 ? &none : &sha256),
                    0);
        rig_start(&rig);
        carol = rig_client(&rig, "198.51.100.7:4000", "carol", "pw");
        rig_begin(&call, &carol, LN_STUN_ALLOCATE);
        CHECK_EQUAL(rig_call_unsigned(&call, &answer), 401);
        CHECK(ln_stun_find(&answer, LN_STUN_PASSWORD_ALGORITHMS, &offer));
        CHECK_EQUAL(offer.len, way == 1 ? 4 : 8);
        CHECK_EQUAL(offer.data[1], way == 1 ? LN_TURN_MD5 : LN_TURN_SHA256);
        CHECK_EQUAL(rig_allocate(&carol, NULL), way < 2 ? 0 : 401);
        carol = rig_client(&rig, "198.51.100.7:4001", "carol", "pw");
        carol.strong = true;
        CHECK_EQUAL(rig_allocate(&carol, NULL), way == 1 ? 400 : 0);
        rig_end(&rig);
    }
}
