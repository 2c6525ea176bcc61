/* SPDX-License-Identifier: Apache-2.0
 * What broke other servers: floods, guesses, malformed messages, peers that are none. */
#include "tests/unit/turn/rig.h"

#include <stdio.h>

/* ATTACKS 15, 16, 17: as the peer of a permission and of a channel. */
LN_TEST(attack_15, local_peers_are_forbidden)
{
    static const char *const peers[] = {
        "127.0.0.1",  "0.0.0.0",         "10.0.0.1",  "172.16.0.1",      "192.168.0.1",
        "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255",
    };
    static const char *const peers6[] = {
        "::1",           "::",      "::ffff:127.0.0.1", "::ffff:0.0.0.0", "64:ff9b::7f00:1",
        "2002:7f00:1::", "fe80::1", "fd00::2",          "ff02::1",        "2001:0:1::1",
    };
    static const uint8_t ipv6[4] = { 2 };
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    char text[LN_ADDRESS_TEXT_MAX];

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate_with(&alice, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        CHECK_EQUAL(rig_permit(&alice, peers[i]), 403);
        snprintf(text, sizeof text, "%s:80", peers[i]);
        CHECK_EQUAL(rig_bind(&alice, 0x4000, text), 403);
    }
    for (size_t i = 0; i < sizeof peers6 / sizeof *peers6; i++) {
        CHECK_EQUAL(rig_permit(&alice, peers6[i]), 403);
        snprintf(text, sizeof text, "[%s]:80", peers6[i]);
        CHECK_EQUAL(rig_bind(&alice, 0x4000, text), 403);
    }
    CHECK_EQUAL(rig_counts(&rig).refused_peers,
                2 * (sizeof peers / sizeof *peers + sizeof peers6 / sizeof *peers6));
    CHECK(rig_counts(&rig).refused_class[LN_TURN_CLASS_LOOPBACK] == 4);
    rig_end(&rig);
}

/* ATTACKS 6, 19 */
LN_TEST(attack_19, a_flood_of_unauthenticated_requests_leaves_nothing_behind)
{
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client spoofed;
    struct rig_call call;
    size_t before, in = 0, out = 0;

    rig_init(&rig);
    rig_start(&rig);
    spoofed = rig_client(&rig, "198.51.100.7:1", "alice", "secret");
    before = test_allocator()->live_bytes;
    for (int i = 0; i < 20000; i++) { /* 10,000 a second for 2 s from one /24 */
        rig.now = LN_SECONDS(1000) + i * LN_MICROSECONDS(100);
        spoofed.path.remote.port = (uint16_t)(1 + i % 60000);
        spoofed.path.remote.ip[3] = (uint8_t)i;
        rig_begin(&call, &spoofed, LN_STUN_ALLOCATE);
        ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
        (void)rig_call_unsigned(&call, &answer);
        in += 28;
        for (size_t p = 0; p < rig.packet_count; p++) {
            CHECK(rig.packets[p].len <= 128 + strlen("example.org"));
            out += rig.packets[p].len;
        }
    }
    CHECK(out < in);
    CHECK(test_allocator()->live_bytes <= before + 65536);
    CHECK(rig_counts(&rig).challenges >= 790 && rig_counts(&rig).challenges <= 810);
    CHECK_EQUAL(rig.open_count, 1);
    rig_end(&rig);
}

/* ATTACKS 20: guesses are limited as unauthenticated requests are. */
LN_TEST(attack_20, wrong_passwords_unknown_users_and_wrong_realms_look_alike)
{
    struct rig rig;
    struct rig_client wrong, unknown, right;
    unsigned answered = 0;

    rig_init(&rig);
    rig_start(&rig);
    wrong = rig_client(&rig, "198.51.100.7:4000", "alice", "guess");
    unknown = rig_client(&rig, "198.51.100.7:4001", "mallory", "guess");
    CHECK_EQUAL(rig_allocate(&wrong, NULL), 401);
    CHECK_EQUAL(rig_allocate(&unknown, NULL), 401);
    for (int i = 0; i < 2000; i++)
        answered += rig_allocate(&wrong, NULL) == 401;
    CHECK(answered < 400);
    right = rig_client(&rig, "203.0.114.1:4000", "alice", "secret"); /* another source is served */
    CHECK_EQUAL(rig_allocate(&right, NULL), 0);
    rig_end(&rig);
}

LN_TEST(attack_20, stale_forged_and_foreign_nonces_get_438)
{
    struct rig rig;
    struct rig_client alice, other;

    rig_init(&rig);
    rig.config.nonce_lifetime = LN_SECONDS(60);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&alice, 0), 437);
    rig_advance(&rig, LN_SECONDS(61));
    CHECK_EQUAL(rig_allocate(&alice, NULL), 438); /* brings a new one */
    other = rig_client(&rig, "198.51.100.8:4000", "alice", "secret");
    memcpy(other.nonce, alice.nonce, sizeof other.nonce);
    CHECK_EQUAL(rig_allocate(&other, NULL), 438);
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    alice.nonce[20] ^= 1;
    CHECK_EQUAL(rig_refresh(&alice, 0), 438);
    memcpy(alice.nonce, "odd", 4);
    CHECK_EQUAL(rig_refresh(&alice, 0), 438);
    rig_end(&rig);
}

/* The right one cut at every length, and one byte more than it has. */
LN_TEST(attack_20, a_nonce_of_another_length_gets_438)
{
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    struct rig_call call;
    char right[sizeof alice.nonce];
    size_t len;

    rig_start_with_alice(&rig, &alice, NULL);
    memcpy(right, alice.nonce, sizeof right);
    len = strlen(right);
    CHECK(len + 1 < sizeof right);
    right[len] = right[len - 1];
    for (size_t n = 0; n <= len + 1; n++) {
        rig_begin(&call, &alice, LN_STUN_REFRESH);
        ln_stun_add_text(&call.b, LN_STUN_USERNAME, "alice");
        ln_stun_add_text(&call.b, LN_STUN_REALM, "example.org");
        ln_stun_add(&call.b, LN_STUN_NONCE, right, n);
        ln_stun_add_integrity(&call.b, test_bytes("x"));
        CHECK_EQUAL(rig_call_unsigned(&call, &answer), n == len ? 401 : 438);
    }
    rig_end(&rig);
}

LN_TEST(attack_20, names_and_realms_of_any_length_are_survived)
{
    static char long_text[1500];
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    struct rig_call call;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&alice, 0), 437);
    memset(long_text, 'a', sizeof long_text - 1);
    for (int which = 0; which < 3; which++) {
        rig_begin(&call, &alice, LN_STUN_ALLOCATE);
        ln_stun_add_text(&call.b, LN_STUN_USERNAME, which == 0 ? long_text : "alice");
        ln_stun_add_text(&call.b, LN_STUN_REALM, which == 1 ? long_text : "example.org");
        ln_stun_add_text(&call.b, LN_STUN_NONCE, which == 2 ? long_text : alice.nonce);
        ln_stun_add_integrity(&call.b, test_bytes("x"));
        CHECK_EQUAL(rig_call_unsigned(&call, &answer), which == 2 ? 438 : 401);
    }
    rig_begin(&call, &alice, LN_STUN_ALLOCATE); /* integrity and nothing else */
    ln_stun_add_integrity(&call.b, test_bytes("x"));
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 400);
    rig_end(&rig);
}

/* ATTACKS 1, 2, 23 */
LN_TEST(attack_23, what_is_cut_short_is_dropped_without_an_answer)
{
    struct rig rig;
    struct rig_client alice;
    uint8_t data[64] = { 0x40, 0, 0, 60 };

    rig_start_with_alice(&rig, &alice, NULL);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    for (size_t len = 0; len < 64; len++) {
        rig_receive(&rig, &alice.path, data, len);
        CHECK_EQUAL(rig.packet_count, 0);
    }
    rig_receive(&rig, &alice.path, data, 64);
    CHECK_EQUAL(rig.packet_count, 1);
    for (size_t len = 0; len < 20; len++) {
        memset(data, 0, sizeof data);
        rig_receive(&rig, &alice.path, data, len);
        CHECK_EQUAL(rig.packet_count, 0);
    }
    rig_end(&rig);
}

/* What fills an attribute, or ChannelData, up to four bytes may hold anything (RFC 8489, 14). */
LN_TEST(attack_23, padding_may_hold_anything_and_goes_nowhere)
{
    static const char data[] = { 0x40, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', '\xff', '\xfe', '\xfd' };
    struct rig rig;
    struct rig_client alice;
    uint8_t send[128];
    size_t len;

    rig_start_with_alice(&rig, &alice, NULL);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_receive(&rig, &alice.path, data, sizeof data);
    CHECK_EQUAL(rig.packet_count, 1);
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    len = rig_write_indication(send, sizeof send, "198.51.100.99:9", "hello", false);
    memset(send + len - 3, 0xff, 3);
    rig_receive(&rig, &alice.path, send, len);
    CHECK_EQUAL(rig.packet_count, 1);
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    rig_end(&rig);
}

/* Alice's channel and permission, from her address with another port, from another address with her
 * port, and from where she is but to another port of the server: nobody's. */
LN_TEST(attack_24, what_comes_by_another_path_is_not_the_owners)
{
    struct rig rig;
    struct rig_client alice, mallory;

    rig_init(&rig);
    rig.listen[1].address = rig_address("203.0.113.9:3479");
    rig.config.listen_count = 2;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    for (int which = 0; which < 3; which++) {
        mallory = alice;
        mallory.path.remote.port ^= which == 0;
        mallory.path.remote.ip[3] ^= which == 1;
        if (which == 2) {
            mallory.path.link = RIG_LISTENER + 1;
            mallory.path.local = rig.listen[1].address;
        }
        rig_send_channel(&mallory, 0x4000, "spoofed");
        CHECK_EQUAL(rig.packet_count, 0);
        rig_send_indication(&mallory, "198.51.100.99:9", "spoofed");
        CHECK_EQUAL(rig.packet_count, 0);
        CHECK(rig_refresh(&mallory, 0) != 0);
    }
    rig_send_channel(&alice, 0x4000, "hers");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hers"));
    rig_end(&rig);
}

LN_TEST(attack_25, send_indications_that_are_not_whole_are_dropped)
{
    struct ln_address peer = rig_address("198.51.100.99:9");
    struct ln_stun_id id = { { 1 } };
    struct ln_stun_builder b;
    uint8_t data[256];
    struct rig rig;
    struct rig_client alice;
    int len;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    rig_send_indication(&alice, "198.51.100.99:9", "no allocation");
    CHECK_EQUAL(rig_counts(&rig).dropped_no_allocation, 1);
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    for (int which = 0; which < 3; which++) {
        ln_stun_begin(&b, data, sizeof data, LN_STUN_INDICATION, LN_STUN_SEND, &id);
        if (which != 0)
            ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &peer);
        if (which != 1)
            ln_stun_add(&b, LN_STUN_DATA_VALUE, "x", 1);
        if (which == 2)
            ln_stun_add(&b, 0x7fff, NULL, 0);
        len = ln_stun_finish(&b);
        rig_receive(&rig, &alice.path, data, (size_t)len);
        CHECK_EQUAL(rig.packet_count, 0);
    }
    CHECK_EQUAL(rig_counts(&rig).dropped_malformed, 3);
    rig_end(&rig);
}

LN_TEST(attack_6, binding_requests_are_answered_within_the_limit_and_need_no_password)
{
    struct ln_stun_message answer;
    struct ln_address mapped;
    struct rig rig;
    struct rig_client client;
    struct rig_call call;
    unsigned answered = 0;

    rig_init(&rig);
    rig_start(&rig);
    client = rig_client(&rig, "198.51.100.7:4000", "", "");
    for (int i = 0; i < 1000; i++) {
        rig_begin(&call, &client, LN_STUN_BINDING);
        if (rig_call_unsigned(&call, &answer) == 0) {
            CHECK(ln_stun_find_mapped(&answer, &mapped));
            CHECK(ln_address_equal(&mapped, &client.path.remote));
            answered++;
        }
    }
    CHECK_EQUAL(answered, 400);
    rig_end(&rig);
}

/* Any order and any content: random bytes where messages are expected, and late answers. */
LN_TEST(attack_21, random_input_changes_nothing)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    uint8_t data[128];

    rig_start_with_alice(&rig, &alice, &relayed);
    for (int i = 0; i < 20000; i++) {
        size_t len = ln_rng_below(test_env()->rng, sizeof data);
        struct ln_answer answer = { .kind = (enum ln_answer_kind)ln_rng_below(test_env()->rng, 7),
                                    .id = ln_rng_u32(test_env()->rng),
                                    .link = 1000 + ln_rng_below(test_env()->rng, 100) };

        ln_rng_bytes(test_env()->rng, data, len);
        if (len > 8 && i % 2)
            memcpy(data + 4, "\x21\x12\xa4\x42", 4);
        if (len > 1 && i % 3 == 0)
            data[0] = (uint8_t)(data[0] & 0x4f);
        rig_receive(&rig, &alice.path, data, len);
        if (answer.kind != LN_ANSWER_OPENED && answer.id >= LN_TURN_LISTEN_MAX)
            rig.e.ops->answer(rig.server, rig.now, &answer);
    }
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    CHECK_EQUAL(rig.open_count, 2);
    rig_end(&rig);
}

LN_TEST(attack_15, a_relay_on_loopback_opens_no_loopback_peer)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    char text[LN_ADDRESS_TEXT_MAX];

    rig_init(&rig);
    rig.relays[0].bind = rig_address("127.0.0.1");
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_permit(&alice, "127.0.0.1"), 403);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, ln_address_format(&relayed, text)), 403);
    rig_end(&rig);
}

LN_TEST(attack_26, relays_over_tcp_are_not_offered_unless_wanted)
{
    static const uint16_t methods[] = { LN_STUN_CONNECT, LN_STUN_CONNECTION_BIND };
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    struct rig_call call;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 6u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 442);
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        rig_begin(&call, &alice, methods[i]);
        ln_stun_add_u32(&call.b, LN_STUN_CONNECTION_ID, 1);
        CHECK_EQUAL(rig_call(&call, &answer), -1);
    }
    CHECK_EQUAL(rig.open_count, 2);
    rig_end(&rig);
}

LN_TEST(attack_27, an_access_token_is_never_read)
{
    static const uint8_t token[32] = { 0xff, 0xff, 1, 2, 3 }; /* a nonce of 65,535 bytes, it says */
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    struct rig_call call;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    for (size_t len = 0; len <= sizeof token; len += 4) {
        rig_begin(&call, &alice, LN_STUN_ALLOCATE);
        ln_stun_add(&call.b, LN_STUN_ACCESS_TOKEN, token, len);
        CHECK_EQUAL(rig_call_unsigned(&call, &answer), 401);
    }
    rig_end(&rig);
}
