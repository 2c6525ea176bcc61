/* SPDX-License-Identifier: Apache-2.0
 * Allocations: made, answered again, refreshed, ended, in pairs of ports. */
#include "tests/unit/turn/rig.h"

#include <stdio.h>

LN_TEST(allocation, a_challenge_then_a_relayed_address)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct ln_address relayed, mapped;
    struct rig_call call;
    uint32_t lifetime;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &relayed));
    CHECK(relayed.family == LN_FAMILY_IPV4 && relayed.ip[3] == 1 && relayed.port >= 49152);
    CHECK(ln_stun_find_mapped(&answer, &mapped));
    CHECK(ln_address_equal(&mapped, &alice.path.remote));
    CHECK(ln_stun_find_u32(&answer, LN_STUN_LIFETIME, &lifetime) && lifetime == 600);
    CHECK(rig_link_of(&rig, &relayed) != 0 && answer.fingerprint);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

LN_TEST(allocation, the_same_request_gets_the_same_answer_and_another_437)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct ln_address first, again;
    struct rig_call call;

    rig_start_with_alice(&rig, &alice, &first);
    rig_repeat_id(&call, &alice, LN_STUN_ALLOCATE, 1);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &again));
    CHECK(ln_address_equal(&first, &again));
    CHECK_EQUAL(rig_allocate(&alice, NULL), 437);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

LN_TEST(allocation, ends_at_its_lifetime_to_the_nanosecond_unless_refreshed)
{
    struct rig rig;
    struct rig_client alice;

    rig_start_with_alice(&rig, &alice, NULL);
    rig_advance(&rig, LN_SECONDS(599));
    CHECK_EQUAL(rig_refresh(&alice, 700), 0);
    rig_advance(&rig, LN_SECONDS(700) - 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_advance(&rig, 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(rig.open_count, 1); /* the listener */
    CHECK_EQUAL(rig_refresh(&alice, 600), 437);
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 0);
    rig_end(&rig);
}

/* ATTACKS 21 */
LN_TEST(attack_21, lifetimes_are_clamped_and_zero_deletes)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;
    uint32_t lifetime;

    rig_start_with_alice(&rig, &alice, NULL);
    rig_begin(&call, &alice, LN_STUN_REFRESH);
    ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, UINT32_MAX);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK(ln_stun_find_u32(&answer, LN_STUN_LIFETIME, &lifetime) && lifetime == 3600);
    CHECK_EQUAL(rig_refresh(&alice, 0), 0);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(rig_refresh(&alice, 0), 437);
    rig_end(&rig);
}

LN_TEST(attack_21, another_user_cannot_use_an_allocation)
{
    struct rig rig;
    struct rig_client alice, bob;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.7:4000", "bob", "hunter2"); /* the same 5-tuple */
    bob.next_id = 100;
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_refresh(&bob, 0), 441);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.99"), 441);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

LN_TEST(attack_21, quotas_of_a_user_and_of_all)
{
    struct rig rig;
    struct rig_client a[3], b[2];

    rig_init(&rig);
    rig.limits.allocations_per_user = 2;
    rig.limits.allocations = 3;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        char text[32] = "198.51.100.7:4000";

        text[16] = (char)('0' + i);
        a[i] = rig_client(&rig, text, "alice", "secret");
        text[11] = '8';
        if (i < 2)
            b[i] = rig_client(&rig, text, "bob", "hunter2");
    }
    CHECK_EQUAL(rig_allocate(&a[0], NULL), 0);
    CHECK_EQUAL(rig_allocate(&a[1], NULL), 0);
    CHECK_EQUAL(rig_allocate(&a[2], NULL), 486);
    CHECK_EQUAL(rig_allocate(&b[0], NULL), 0);
    CHECK_EQUAL(rig_allocate(&b[1], NULL), 508);
    CHECK_EQUAL(rig_refresh(&a[0], 0), 0);
    CHECK_EQUAL(rig_allocate(&b[1], NULL), 0);
    CHECK(rig_counts(&rig).refused_user_quota == 1 && rig_counts(&rig).refused_capacity == 1);
    rig_end(&rig);
}

LN_TEST(allocation, a_port_in_use_is_passed_over_and_many_end_in_508)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address relayed;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    rig.fail_opens = 7;
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    rig.fail_opens = 8;
    CHECK_EQUAL(rig_allocate(&bob, NULL), 508);
    CHECK_EQUAL(rig.open_count, 2);
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 1);
    rig_end(&rig);
}

LN_TEST(allocation, every_port_of_a_small_range_is_found)
{
    struct rig rig;

    rig_init(&rig);
    rig.config.port_min = 50001;
    rig.config.port_max = 50016;
    rig_start(&rig);
    for (int i = 0; i < 17; i++) {
        char text[32];
        struct rig_client client;

        snprintf(text, sizeof text, "198.51.100.7:%d", 4000 + i);
        client = rig_client(&rig, text, "alice", "secret");
        CHECK_EQUAL(rig_allocate(&client, NULL), i < 16 ? 0 : 508);
    }
    rig_end(&rig);
}

LN_TEST(allocation, is_not_answered_before_its_socket_is_open)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&alice, 0), 437);
    rig.hold = true;
    CHECK_EQUAL(rig_allocate(&alice, NULL), -1);
    rig_repeat_id(&call, &alice, LN_STUN_ALLOCATE, alice.next_id);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), -1); /* repeated: the answer comes */
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 437);
    rig.hold = false;
    rig_answer_held(&rig, 0);
    CHECK_EQUAL(rig.packet_count, 1);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_end(&rig);
}

LN_TEST(allocation, an_even_port_and_the_reserved_next_one)
{
    static const uint8_t even = 0, with_next = 0x80;
    struct rig rig;
    struct rig_client a, b, c;
    struct ln_stun_message answer;
    struct ln_address first, second;
    struct ln_bytes token;
    uint8_t kept[8];

    rig_init(&rig);
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    b = rig_client(&rig, "198.51.100.7:4001", "alice", "secret");
    c = rig_client(&rig, "198.51.100.8:4002", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate_with(&c, LN_STUN_EVEN_PORT, &even, 1, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &first));
    CHECK(first.port % 2 == 0 && !ln_stun_find(&answer, LN_STUN_RESERVATION_TOKEN, &token));
    CHECK_EQUAL(rig_refresh(&c, 0), 0);
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_EVEN_PORT, &with_next, 1, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &first));
    CHECK(ln_stun_find(&answer, LN_STUN_RESERVATION_TOKEN, &token) && token.len == 8);
    memcpy(kept, token.data, 8);
    CHECK(first.port % 2 == 0);
    /* ATTACKS 25: not for another user, nor by guessing */
    CHECK_EQUAL(rig_allocate_with(&c, LN_STUN_RESERVATION_TOKEN, kept, 8, &answer), 508);
    kept[0] ^= 1;
    CHECK_EQUAL(rig_allocate_with(&b, LN_STUN_RESERVATION_TOKEN, kept, 8, &answer), 508);
    kept[0] ^= 1;
    CHECK_EQUAL(rig_allocate_with(&b, LN_STUN_RESERVATION_TOKEN, kept, 7, &answer), 400);
    CHECK_EQUAL(rig_allocate_with(&b, LN_STUN_RESERVATION_TOKEN, kept, 8, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &second));
    CHECK_EQUAL(second.port, first.port + 1);
    CHECK_EQUAL(rig_bind(&b, 0x4000, "198.51.100.99:9"), 0);
    rig_from_peer(&rig, "198.51.100.99:9", &second, "x");
    CHECK_EQUAL(rig.packet_count, 1);
    rig_end(&rig);
}

LN_TEST(allocation, a_reservation_is_gone_after_30_s)
{
    static const uint8_t with_next = 0x80;
    struct rig rig;
    struct rig_client a, b;
    struct ln_stun_message answer;
    struct ln_bytes token;
    uint8_t kept[8];

    rig_init(&rig);
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    b = rig_client(&rig, "198.51.100.7:4001", "alice", "secret");
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_EVEN_PORT, &with_next, 1, &answer), 0);
    CHECK(ln_stun_find(&answer, LN_STUN_RESERVATION_TOKEN, &token) && token.len == 8);
    memcpy(kept, token.data, 8);
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 2);
    rig_advance(&rig, LN_SECONDS(30));
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 1);
    CHECK_EQUAL(rig_allocate_with(&b, LN_STUN_RESERVATION_TOKEN, kept, 8, &answer), 508);
    rig_end(&rig);
}

/* RFC 8656, 5. */
LN_TEST(allocation, says_which_software_this_is_to_who_proved_himself_alone)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;
    struct ln_bytes software;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 401);
    CHECK(!ln_stun_find(&answer, LN_STUN_SOFTWARE, &software));
    CHECK_EQUAL(rig_allocate_with(&alice, LN_STUN_LIFETIME, "\0\0\2", 4, &answer), 0);
    CHECK(ln_stun_find(&answer, LN_STUN_SOFTWARE, &software));
    CHECK(software.len == 6 && memcmp(software.data, "linnet", 6) == 0);
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    CHECK(!ln_stun_find(&answer, LN_STUN_SOFTWARE, &software));
    rig_end(&rig);
}

LN_TEST(allocation, what_is_not_offered_is_refused_with_its_code)
{
    struct rig rig;
    struct rig_client a;
    struct ln_stun_message answer;
    struct ln_bytes list;
    struct rig_call call;

    rig_init(&rig);
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    rig_begin(&call, &a, LN_STUN_ALLOCATE);
    CHECK_EQUAL(rig_call(&call, &answer), 400); /* no REQUESTED-TRANSPORT */
    rig_begin(&call, &a, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 132u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 442);
    /* ATTACKS 25 */
    CHECK_EQUAL(rig_allocate_with(&a, 0x7001, NULL, 0, &answer), 420);
    CHECK(ln_stun_find(&answer, LN_STUN_UNKNOWN_ATTRIBUTES, &list) && list.len == 2);
    CHECK(list.data[0] == 0x70 && list.data[1] == 0x01);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    rig_end(&rig);
}

LN_TEST(allocation, draining_takes_nothing_new_and_can_be_taken_back)
{
    struct rig rig;
    struct rig_client a, b;

    rig_init(&rig);
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    b = rig_client(&rig, "198.51.100.7:4001", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&a, NULL), 0);
    ln_turn_server_drain(rig.server, true);
    CHECK_EQUAL(rig_allocate(&b, NULL), 508);
    CHECK_EQUAL(rig_refresh(&a, 600), 0);
    ln_turn_server_drain(rig.server, false);
    CHECK_EQUAL(rig_allocate(&b, NULL), 0);
    rig_end(&rig);
}

LN_TEST(allocation, takes_little_memory)
{
    struct rig rig;
    size_t before;

    rig_init(&rig);
    rig_start(&rig);
    before = test_allocator()->live_bytes;
    for (int i = 0; i < 200; i++) {
        char text[32];
        struct rig_client client;

        snprintf(text, sizeof text, "198.51.100.7:%d", 4000 + i);
        client = rig_client(&rig, text, "alice", "secret");
        CHECK_EQUAL(rig_allocate(&client, NULL), 0);
        CHECK_EQUAL(rig_bind(&client, 0x4000, "198.51.100.99:9"), 0);
    }
    CHECK(test_allocator()->live_bytes - before < 200 * 4096);
    rig_end(&rig);
}
