/* SPDX-License-Identifier: Apache-2.0
 * The TURN client against a small server on a wire in virtual time. */
#include "base/address.h"
#include "tests/unit/stun/turn_scene.h"

static struct turn_scene s;

LN_TEST(turn_client, allocates_answering_one_challenge)
{
    struct ln_address relayed, mapped;

    CHECK(scene_allocated(&s));
    CHECK(ln_turn_client_relayed(s.user.turn, 0, &relayed) &&
          !ln_turn_client_relayed(s.user.turn, 1, &relayed));
    CHECK(ln_address_equal(&relayed, &s.server.allocations[0].relayed));
    CHECK(ln_turn_client_mapped(s.user.turn, &mapped) && ln_address_equal(&mapped, &s.user.local));
    CHECK_EQUAL(s.server.allocates, 1);
    CHECK_EQUAL(s.server.signed_requests, 1);
    scene_free(&s);
}

LN_TEST(turn_client, takes_the_first_algorithm_that_it_knows_and_hides_the_name_when_asked)
{
    for (uint16_t algorithm = 1; algorithm <= 2; algorithm++) {
        scene_init(&s);
        s.server.algorithm = algorithm;
        s.server.anonymous = algorithm == 2;
        CHECK(scene_start(&s));
        scene_run(&s, LN_MILLISECONDS(10));
        CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
        scene_free(&s);
    }
}

LN_TEST(turn_client, fails_with_401_when_the_password_is_wrong_and_asks_no_more)
{
    scene_init(&s);
    s.config.password = "wrong";
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), 401);
    CHECK_EQUAL(s.server.signed_requests, 1);
    scene_free(&s);
}

LN_TEST(turn_client, tells_the_code_of_a_refusal_signed_or_not)
{
    static const uint16_t codes[] = { 403, 437, 441, 442, 486, 508 };

    for (size_t i = 0; i < 12; i++) {
        scene_init(&s);
        s.server.refuse_allocate = codes[i / 2];
        s.server.unsigned_errors = i % 2;
        CHECK(scene_start(&s));
        scene_run(&s, LN_SECONDS(1));
        /* One that proves nothing is believed when nothing better comes. */
        CHECK_EQUAL(ln_turn_client_state(s.user.turn),
                    i % 2 ? LN_TURN_CLIENT_ALLOCATING : LN_TURN_CLIENT_FAILED);
        scene_run(&s, LN_SECONDS(60));
        CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
        CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), codes[i / 2]);
        scene_free(&s);
    }
}

LN_TEST(turn_client, gives_up_a_silent_server_in_the_time_it_was_told)
{
    scene_init(&s);
    s.server.silent = true;
    s.config.allocate_rc = 5;
    s.config.allocate_rm = 4;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(9400));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_ALLOCATING);
    scene_run(&s, LN_MILLISECONDS(200));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), LN_TURN_CLIENT_CODE_TIMEOUT);
    CHECK_EQUAL(ln_turn_client_next_timeout(s.user.turn), LN_TIME_NEVER);
    scene_free(&s);
}

LN_TEST(turn_client, repeats_a_request_for_a_stale_nonce_but_not_for_ever)
{
    scene_init(&s);
    s.server.stale_every = 3;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &s.peer.local) == 0);
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(20));
    CHECK_EQUAL(ln_turn_client_permitted(s.user.turn, &s.peer.local),
                LN_TURN_CLIENT_PERMIT_GRANTED);
    CHECK_EQUAL(ln_turn_client_head(s.user.turn, &s.peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    CHECK(s.server.nonce > 0);
    scene_free(&s);
    scene_init(&s);
    s.server.stale_every = 1; /* every nonce is stale */
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), 438);
    CHECK(s.server.signed_requests <= LN_TURN_CLIENT_CHALLENGES_MAX);
    scene_free(&s);
}

LN_TEST(turn_client, names_the_other_server_of_a_300)
{
    struct ln_address other;
    char domain[256];

    scene_init(&s);
    CHECK(ln_address_parse("192.0.2.9:3479", &s.server.alternate) == 0);
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_ALTERNATE);
    ln_turn_client_alternate(s.user.turn, &other, domain);
    CHECK(ln_address_equal(&other, &s.server.alternate));
    CHECK_TEXT(domain, "");
    scene_free(&s);
}

LN_TEST(turn_client, carries_data_in_indications_and_then_on_a_channel)
{
    CHECK(scene_permitted(&s));
    scene_say(&s, "first");
    CHECK(s.peer.heard_len == 5 && memcmp(s.peer.heard, "first", 5) == 0);
    CHECK(ln_address_equal(&s.peer.heard_from, &s.server.allocations[0].relayed));
    CHECK_EQUAL(s.server.indications_in, 1);
    scene_peer_says(&s, "back");
    CHECK(s.user.heard_len == 4 && memcmp(s.user.heard, "back", 4) == 0);
    CHECK(ln_address_equal(&s.user.heard_from, &s.peer.local));
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_head(s.user.turn, &s.peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    scene_say(&s, "second");
    CHECK(s.peer.heard_len == 6 && memcmp(s.peer.heard, "second", 6) == 0);
    CHECK_EQUAL(s.server.indications_in, 1);
    CHECK_EQUAL(s.server.channel_data_in, 1);
    scene_peer_says(&s, "again");
    CHECK(s.user.heard_len == 5 && memcmp(s.user.heard, "again", 5) == 0);
    CHECK_EQUAL(s.server.channel_data_out, 1);
    CHECK(ln_address_equal(&s.user.heard_from, &s.peer.local));
    scene_free(&s);
}

/* A Data indication of the server about a peer, with ICMP of so many bytes. Returns what the client
 * does. */
static int icmp_comes(const struct ln_address *about, const uint8_t *value, size_t value_len)
{
    struct ln_stun_id id = { { 3 } };
    struct ln_stun_builder b;
    struct ln_address from;
    uint8_t message[128], *data;
    size_t data_len;
    int len;

    ln_stun_begin(&b, message, sizeof message, LN_STUN_INDICATION, LN_STUN_DATA, &id);
    if (about)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, about);
    if (value)
        ln_stun_add(&b, LN_STUN_ICMP, value, value_len);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return ln_turn_client_receive(s.user.turn, s.wire.now, message, (size_t)len, &from, &data,
                                  &data_len);
}

LN_TEST(turn_client, tells_what_icmp_says_about_a_peer_with_a_permission)
{
    static const uint8_t closed[] = { 9, 9, 3, 3, 0, 0, 0, 0 },
                         big[] = { 0, 0, 3, 4, 0, 0, 5, 120 };
    struct ln_address told, other;
    struct ln_icmp icmp;

    CHECK(scene_permitted(&s));
    CHECK(!ln_turn_client_next_icmp(s.user.turn, &told, &icmp));
    CHECK_EQUAL(icmp_comes(&s.peer.local, closed, sizeof closed), 0); /* whatever is reserved */
    CHECK(ln_turn_client_next_icmp(s.user.turn, &told, &icmp));
    CHECK(ln_address_equal(&told, &s.peer.local) && icmp.type == 3 && icmp.code == 3);
    CHECK_EQUAL(icmp.mtu, 0);
    CHECK(!ln_turn_client_next_icmp(s.user.turn, &told, &icmp)); /* once */
    CHECK_EQUAL(icmp_comes(&s.peer.local, closed, sizeof closed), 0);
    CHECK_EQUAL(icmp_comes(&s.peer.local, big, sizeof big), 0);
    CHECK(ln_turn_client_next_icmp(s.user.turn, &told, &icmp)); /* the last */
    CHECK(icmp.code == 4 && icmp.mtu == 1400);
    CHECK(ln_address_parse("192.0.2.77:5000", &other) == 0);
    CHECK_EQUAL(icmp_comes(&other, closed, sizeof closed), LN_ERR_NOT_FOUND);
    CHECK(!ln_turn_client_next_icmp(s.user.turn, &told, &icmp));
    CHECK_EQUAL(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    scene_free(&s);
}

LN_TEST(turn_attack, icmp_that_is_cut_or_says_nothing_is_dropped)
{
    static const uint8_t value[] = { 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0 }, nothing[8] = { 0 };
    struct ln_address told;
    struct ln_icmp icmp;

    CHECK(scene_permitted(&s));
    for (size_t len = 0; len <= sizeof value; len++)
        if (len != 8)
            CHECK_EQUAL(icmp_comes(&s.peer.local, value, len), LN_ERR_MALFORMED);
    CHECK_EQUAL(icmp_comes(&s.peer.local, nothing, sizeof nothing), LN_ERR_MALFORMED);
    CHECK_EQUAL(icmp_comes(&s.peer.local, NULL, 0), LN_ERR_MALFORMED); /* nor data */
    CHECK_EQUAL(icmp_comes(NULL, value, 8), LN_ERR_MALFORMED);
    CHECK(!ln_turn_client_next_icmp(s.user.turn, &told, &icmp));
    CHECK_EQUAL(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_MALFORMED),
                sizeof value + 3);
    scene_free(&s);
}

LN_TEST(turn_client, sends_nothing_without_a_permission)
{
    uint8_t message[64] = { 0 };
    struct ln_address other;

    CHECK(scene_permitted(&s));
    CHECK(ln_address_parse("192.0.2.77:5000", &other) == 0);
    CHECK_EQUAL(ln_turn_client_wrap(s.user.turn, s.wire.now, &other, message, 4),
                LN_ERR_INVALID_STATE);
    s.server.refuse_permission = 403;
    CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &other) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_permitted(s.user.turn, &other), LN_TURN_CLIENT_PERMIT_REFUSED);
    CHECK_EQUAL(ln_turn_client_wrap(s.user.turn, s.wire.now, &other, message, 4),
                LN_ERR_INVALID_STATE);
    CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &other) == 0); /* is not asked again */
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(s.server.permissions, 2);
    scene_free(&s);
}

LN_TEST(turn_client, goes_on_with_indications_when_a_channel_is_refused)
{
    CHECK(scene_permitted(&s));
    s.server.refuse_channel = 403;
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK(ln_turn_client_head(s.user.turn, &s.peer.local) > LN_TURN_CLIENT_CHANNEL_HEAD);
    scene_say(&s, "still");
    CHECK_EQUAL(s.peer.heard_len, 5);
    scene_free(&s);
}

/* An hour of a call, then an hour of silence. */
LN_TEST(turn_client, keeps_alive_what_is_used_and_lets_go_what_is_not)
{
    unsigned permissions, bindings;

    CHECK(scene_permitted(&s));
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    for (int i = 0; i < 360; i++) {
        scene_say(&s, "tick");
        scene_run(&s, LN_SECONDS(10));
    }
    CHECK_EQUAL(s.peer.heard_count, 360);
    CHECK_EQUAL(s.server.channel_data_in, 360);
    CHECK(s.server.refreshes >= 6 && s.server.refreshes <= 8);
    CHECK(s.server.bindings >= 6 && s.server.bindings <= 8);
    CHECK(s.server.permissions >= 6 && s.server.permissions <= 16);
    permissions = s.server.permissions;
    bindings = s.server.bindings;
    scene_run(&s, LN_SECONDS(3600));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK(s.server.permissions <= permissions + 1);
    CHECK(s.server.bindings <= bindings + 1);
    CHECK_EQUAL(ln_turn_client_permitted(s.user.turn, &s.peer.local), LN_TURN_CLIENT_PERMIT_NONE);
    scene_free(&s);
}

LN_TEST(turn_client, refreshes_a_short_lifetime_in_time_and_fails_when_the_server_is_gone)
{
    scene_init(&s);
    s.server.lifetime_s = 20;
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(200));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(turn_double_allocated(&s.server), 1);
    s.server.silent = true;
    scene_run(&s, LN_SECONDS(21));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    scene_free(&s);
}

LN_TEST(turn_client, fails_with_437_when_the_server_forgot_the_allocation)
{
    CHECK(scene_permitted(&s));
    memset(s.server.allocations, 0, sizeof s.server.allocations);
    scene_run(&s, LN_SECONDS(600));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), 437);
    scene_free(&s);
}

LN_TEST(turn_client, gives_the_allocation_back)
{
    CHECK(scene_permitted(&s));
    ln_turn_client_close(s.user.turn, s.wire.now);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(s.server.releases, 1);
    CHECK_EQUAL(turn_double_allocated(&s.server), 0);
    CHECK_EQUAL(ln_turn_client_next_timeout(s.user.turn), LN_TIME_NEVER);
    scene_free(&s);
}

LN_TEST(turn_client, tables_have_limits)
{
    struct ln_address other = ln_address_ipv4(192, 0, 2, 100, 1000);
    size_t i;

    CHECK(scene_allocated(&s));
    s.server.silent = true;
    for (i = 0; i < LN_TURN_CLIENT_PERMISSIONS_MAX; i++, other.ip[3]++)
        CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &other) == 0);
    CHECK_EQUAL(ln_turn_client_permit(s.user.turn, s.wire.now, &other), LN_ERR_LIMIT);
    for (i = 0; i < LN_TURN_CLIENT_CHANNELS_MAX; i++, other.port++)
        CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &other) == 0);
    CHECK_EQUAL(ln_turn_client_bind(s.user.turn, s.wire.now, &other), LN_ERR_LIMIT);
    scene_free(&s);
    scene_init(&s);
    {
        char text[LN_TURN_CLIENT_USERNAME_MAX + 2];

        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        s.config.username = text;
        CHECK_EQUAL(ln_turn_client_create(&s.user.turn, &s.config, test_env()),
                    LN_ERR_INVALID_ARGUMENT);
    }
}
