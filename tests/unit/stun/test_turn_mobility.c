/* SPDX-License-Identifier: Apache-2.0
 * The TURN client takes its allocation along (RFC 8016), and whom it does not believe meanwhile. */
#include "tests/unit/stun/turn_scene.h"

static struct turn_scene s;

static bool mobile(void)
{
    scene_init(&s);
    s.config.mobile = true;
    s.server.mobility = TURN_DOUBLE_MOVES;
    if (!scene_start(&s))
        return false;
    scene_run(&s, LN_MILLISECONDS(10));
    return ln_turn_client_state(s.user.turn) == LN_TURN_CLIENT_READY;
}

/* A NAT has another mapping for us, or we have another socket. */
static void another_address(void)
{
    for (size_t i = 0; i < s.wire.link_count; i++)
        if (s.wire.links[i].link == s.user.link)
            s.wire.links[i].local.port += 1000;
    s.user.local.port += 1000;
}

LN_TEST(turn_client, moves_its_allocation_with_a_ticket)
{
    CHECK(mobile());
    CHECK(ln_turn_client_mobile(s.user.turn));
    CHECK(ln_turn_client_permit(s.user.turn, s.wire.now, &s.peer.local) == 0);
    CHECK(ln_turn_client_bind(s.user.turn, s.wire.now, &s.peer.local) == 0);
    scene_run(&s, LN_MILLISECONDS(10));
    for (unsigned i = 1; i <= 3; i++) { /* each brings the ticket for the next */
        another_address();
        s.server.nonce++; /* nonces are bound to addresses */
        CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
        CHECK(ln_turn_client_moving(s.user.turn) && !ln_turn_client_move(s.user.turn, s.wire.now));
        scene_run(&s, LN_MILLISECONDS(10));
        CHECK(!ln_turn_client_moving(s.user.turn));
        CHECK_EQUAL(ln_turn_client_moves(s.user.turn), i);
        CHECK_EQUAL(s.server.moves, i);
        scene_say(&s, "hello");
        CHECK(s.peer.heard_len == 5 && memcmp(s.peer.heard, "hello", 5) == 0);
        scene_peer_says(&s, "world");
        CHECK(s.user.heard_len == 5 && memcmp(s.user.heard, "world", 5) == 0);
    }
    CHECK_EQUAL(s.server.channel_data_in, 3); /* the channel came along */
    scene_run(&s, LN_SECONDS(2000));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY); /* refreshed as ever */
    scene_free(&s);
}

LN_TEST(turn_client, that_did_not_move_is_told_so_and_goes_on)
{
    CHECK(mobile());
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(ln_turn_client_moves(s.user.turn), 0);
    CHECK_EQUAL(s.server.refreshes, 1);
    another_address();
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now)); /* the ticket is still good */
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_moves(s.user.turn), 1);
    scene_free(&s);
}

LN_TEST(turn_client, fails_when_its_ticket_is_refused)
{
    static const uint16_t codes[] = { 400, 405, 437, 441 };

    for (size_t i = 0; i < 4; i++) {
        CHECK(mobile());
        another_address();
        s.server.refuse_move = codes[i];
        CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
        scene_run(&s, LN_MILLISECONDS(20));
        CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_FAILED);
        /* 400 and 405 say nothing of the allocation: the Refresh after them does. */
        CHECK_EQUAL(ln_turn_client_error_code(s.user.turn), codes[i] < 437 ? 437 : codes[i]);
        scene_free(&s);
    }
}

LN_TEST(turn_client, asks_again_without_a_ticket_where_moving_is_forbidden)
{
    scene_init(&s);
    s.config.mobile = true;
    s.server.mobility = TURN_DOUBLE_FORBIDS_MOVES;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(s.server.allocates, 2);
    CHECK(ln_turn_client_immobile(s.user.turn) && !ln_turn_client_mobile(s.user.turn));
    CHECK(!ln_turn_client_move(s.user.turn, s.wire.now));
    scene_free(&s);
}

LN_TEST(turn_client, does_without_a_ticket_where_nobody_knows_of_them)
{
    scene_init(&s);
    s.config.mobile = true;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(s.server.allocates, 1); /* it costs nothing */
    CHECK(!ln_turn_client_mobile(s.user.turn) && !ln_turn_client_immobile(s.user.turn));
    scene_free(&s);
}

LN_TEST(turn_client, repeats_a_move_often_and_keeps_the_allocation_when_nobody_answers)
{
    ln_time begin;

    CHECK(mobile());
    another_address();
    s.server.silent = true;
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    begin = s.wire.now;
    scene_run(&s, LN_MILLISECONDS(650));
    s.server.silent = false;
    while (ln_turn_client_moves(s.user.turn) == 0 && s.wire.now < begin + LN_SECONDS(2))
        scene_run(&s, LN_MILLISECONDS(10));
    CHECK(s.wire.now - begin <= LN_MILLISECONDS(750)); /* not RFC 8489's 500 ms, doubled */
    another_address();
    s.server.silent = true;
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    scene_run(&s, LN_SECONDS(10));
    CHECK(!ln_turn_client_moving(s.user.turn));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    s.server.silent = false;
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_moves(s.user.turn), 2);
    scene_free(&s);
}

LN_TEST(turn_client, gives_an_allocation_back_that_was_under_way)
{
    CHECK(mobile());
    another_address();
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    ln_turn_client_close(s.user.turn, s.wire.now);
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(s.server.releases, 1);
    CHECK_EQUAL(turn_double_allocated(&s.server), 0);
    scene_free(&s);
}

LN_TEST(turn_attack, a_ticket_that_is_too_long_is_not_kept)
{
    scene_init(&s);
    s.config.mobile = true;
    s.server.mobility = TURN_DOUBLE_MOVES;
    s.server.ticket_len = LN_TURN_CLIENT_TICKET_MAX + 1;
    CHECK(scene_start(&s));
    scene_run(&s, LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    CHECK(!ln_turn_client_mobile(s.user.turn));
    scene_free(&s);
}

LN_TEST(turn_attack, a_refusal_that_proves_nothing_ends_no_move)
{
    CHECK(mobile());
    another_address();
    s.server.refuse_move = 437;
    s.server.unsigned_errors = true;
    CHECK(ln_turn_client_move(s.user.turn, s.wire.now));
    scene_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(ln_turn_client_state(s.user.turn), LN_TURN_CLIENT_READY);
    s.server.refuse_move = 0;
    scene_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_moves(s.user.turn), 1);
    scene_free(&s);
}
