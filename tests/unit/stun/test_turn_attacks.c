/* SPDX-License-Identifier: Apache-2.0
 * TURN servers, and others who pretend to be one, that would have the client know less, lose its
 * allocation or believe what nobody said. */
#include "base/address.h"
#include "stun/framing.h"
#include "tests/unit/stun/turn_scene.h"

static struct turn_scene s;

LN_TEST(turn_attack, algorithms_that_were_cut_out_of_a_challenge_are_missed)
{
    scene_init(&s);
    s.server.algorithm = 2;
    s.server.cut_algorithms = true;
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    CHECK_EQUAL(s.server.signed_requests, 0); /* nothing that could be cracked has left */
    scene_free(&s);
}

LN_TEST(turn_attack, an_agreed_algorithm_is_not_given_up_for_less)
{
    scene_init(&s);
    s.server.algorithm = 2;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    s.server.algorithm = 0; /* and a challenge that says nothing of it */
    s.server.nonce++;
    CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_permitted(s.user.turn, &s.peer.local),
                LN_TURN_CLIENT_PERMIT_REFUSED);
    CHECK_EQUAL(s.server.permissions, 0);
    scene_free(&s);
}

LN_TEST(turn_attack, a_success_with_another_key_is_no_success)
{
    scene_init(&s);
    s.server.wrong_integrity = true;
    s.config.allocate_rc = 3;
    s.config.allocate_rm = 2;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(100));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_ALLOCATING);
    CHECK(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_INTEGRITY) > 0);
    scene_run(&s, LN_SECONDS(5));
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    scene_free(&s);
}

/* RFC 8489, 9.2.5 and 16.1.3: the right key is not enough. */
LN_TEST(turn_attack, a_success_with_less_than_was_agreed_on_is_no_success)
{
    scene_init(&s);
    s.server.algorithm = 2;
    s.server.weak_integrity = true;
    s.config.allocate_rc = 3;
    s.config.allocate_rm = 2;
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(5));
    CHECK(s.server.allocates > 0);
    CHECK(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_INTEGRITY) > 0);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    scene_free(&s);
}

/* An answer to the Refresh that is under way, as anybody might make it who saw that. */
static int answer_refresh(enum ln_stun_class kind, uint16_t method)
{
    uint8_t data[512], *payload;
    struct ln_stun_message request;
    struct ln_stun_builder b;
    struct ln_address from;
    size_t payload_len;
    int len;

    CHECK(ln_turn_client_refresh(s.user.turn, s.wire.now));
    len = ln_turn_client_poll(s.user.turn, s.wire.now, data, sizeof data);
    CHECK(len > 0 && ln_stun_parse(data, (size_t)len, &request) == 0);
    ln_stun_begin(&b, data, sizeof data, kind, method, &request.id);
    if (kind == LN_STUN_ERROR) {
        ln_stun_add_error(&b, 300, NULL);
        ln_stun_add_address(&b, LN_STUN_ALTERNATE_SERVER, &s.peer.local);
    }
    len = ln_stun_finish(&b);
    return ln_turn_client_receive(s.user.turn, s.wire.now, data, (size_t)len, &from, &payload,
                                  &payload_len);
}

LN_TEST(turn_attack, an_allocation_is_not_lost_by_a_300_that_proves_nothing)
{
    CHECK(scene_allocated(&s));
    s.peer.local.port = 3478;
    CHECK_EQUAL(answer_refresh(LN_STUN_ERROR, LN_STUN_REFRESH), LN_ERR_INTEGRITY);
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    scene_free(&s);
}

LN_TEST(turn_attack, an_answer_to_another_method_is_none)
{
    CHECK(scene_allocated(&s));
    CHECK_EQUAL(answer_refresh(LN_STUN_SUCCESS, LN_STUN_ALLOCATE), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_TRANSACTION), 1);
    scene_free(&s);
}

/* RFC 8656, 12.6: the channel outlives the permission by five minutes. */
LN_TEST(turn_attack, data_on_the_channel_of_a_peer_without_a_permission_is_dropped)
{
    uint8_t message[] = { 0x40, 0, 0, 1, 'x' }, *data;
    struct ln_address from;
    size_t len;

    CHECK(scene_permitted(&s));
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, message, 5, &from, &data, &len), 1);
    scene_run(&s, LN_SECONDS(301));
    CHECK_EQUAL(ln_turn_client_head(s.user.turn, &s.peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, message, 5, &from, &data, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    scene_free(&s);
}

LN_TEST(attack_29, a_relayed_address_of_nowhere_is_no_allocation)
{
    scene_init(&s);
    s.server.relayed_nowhere = true;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    CHECK_EQUAL(s.server.releases, 1); /* it is given back (RFC 8656, 7.3) */
    scene_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(s.server.releases, 1);
    scene_free(&s);
}

LN_TEST(attack_29, a_lifetime_of_for_ever_is_refreshed_within_the_hour_all_the_same)
{
    scene_init(&s);
    s.server.lifetime_s = UINT32_MAX;
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(3700));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK(s.server.refreshes >= 1 && s.server.refreshes <= 2);
    scene_free(&s);
}

LN_TEST(attack_29, a_lifetime_of_a_second_does_not_make_us_ask_all_the_time)
{
    scene_init(&s);
    s.server.lifetime_s = 1;
    CHECK(scene_start(&s));
    scene_run(&s, LN_SECONDS(60));
    CHECK(s.server.refreshes <= 12);
    scene_free(&s);
}

LN_TEST(turn_attack, messages_that_nobody_asked_for_change_nothing)
{
    uint8_t data[64], *out;
    struct ln_stun_builder b;
    struct ln_stun_id id = { { 7 } };
    struct ln_address from, stranger;
    size_t len;
    int n;

    CHECK(scene_permitted(&s));
    CHECK(ln_address_parse("192.0.2.77:5000", &stranger) == 0);
    /* An answer without a request. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_SUCCESS, LN_STUN_REFRESH, &id);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    /* Data of a peer that we gave no permission. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_INDICATION, LN_STUN_DATA, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &stranger);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, "data", 4);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(s.user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    /* A channel that was never bound, and data that ends past the message. */
    ln_channel_data_write_header(data, 0x4005, 4);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, data, 8, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, data, 7, &from, &out, &len),
                LN_ERR_MALFORMED);
    /* A request to us. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, LN_STUN_ALLOCATE, &id);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(s.user.turn, s.wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    scene_free(&s);
}
