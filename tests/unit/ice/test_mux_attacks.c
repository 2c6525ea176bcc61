/* SPDX-License-Identifier: Apache-2.0
 * What strangers, and peers with good credentials and bad intent, send to a port that many share
 * (ATTACKS 4 and 6; RFC 8445, 19). */
#include "tests/unit/ice/crowd.h"

#include "base/bytes.h"

#include <stdio.h>

static struct crowd c;

static void connect_all(size_t count)
{
    crowd_init(&c, false);
    crowd_add(&c, count);
    crowd_run(&c, LN_SECONDS(5));
    CHECK_EQUAL(crowd_connected_count(&c), count);
}

static struct ln_address stranger(uint32_t i)
{
    struct ln_address from = { .family = LN_FAMILY_IPV4, .port = (uint16_t)(1024 + i % 60000) };

    ln_store32(from.ip, 0xcb007100u + (i >> 8)); /* 203.0.113.0 and on */
    return from;
}

static uint64_t dropped(enum ln_ice_mux_drop reason)
{
    return ln_ice_mux_dropped(c.mux, reason);
}

LN_TEST(mux_attack, a_flood_of_checks_for_nobody_costs_no_memory_and_gets_no_answer)
{
    size_t blocks, bytes;
    uint8_t data[256];

    connect_all(10);
    crowd_run(&c, LN_MILLISECONDS(200));
    c.queued = 0;
    blocks = test_allocator()->live_blocks;
    bytes = test_allocator()->live_bytes;
    for (uint32_t i = 0; i < 5000; i++) {
        struct ln_address from = stranger(i);
        char ufrag[16];

        snprintf(ufrag, sizeof ufrag, "x%06x", (unsigned)i);
        crowd_inject(&c, &from, data, crowd_check(&c, ufrag, "guess", data, sizeof data));
    }
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_UNKNOWN_UFRAG), 5000);
    CHECK_EQUAL(c.queued, 0);
    CHECK_EQUAL(test_allocator()->live_blocks, blocks);
    CHECK_EQUAL(test_allocator()->live_bytes, bytes);
    crowd_free(&c);
}

LN_TEST(mux_attack, a_known_ufrag_with_a_wrong_password_claims_no_address)
{
    uint8_t data[256];
    size_t blocks;

    connect_all(3);
    blocks = test_allocator()->live_blocks;
    for (uint32_t i = 0; i < 100; i++) {
        struct ln_address from = stranger(i);

        crowd_inject(
            &c, &from, data,
            crowd_check(&c, ln_ice_local_ufrag(c.peers[1].inside), "guess", data, sizeof data));
        crowd_inject(&c, &from, "\x80\0\0\0\1", 5);
    }
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_UNKNOWN_ADDRESS), 100);
    CHECK_EQUAL(ln_ice_dropped(c.peers[1].inside, LN_ICE_DROP_INTEGRITY), 100);
    CHECK_EQUAL(c.peers[1].received, 0);
    CHECK_EQUAL(test_allocator()->live_blocks, blocks);
    crowd_free(&c);
}

LN_TEST(mux_attack, a_member_does_not_take_the_address_of_another_by_a_forged_source)
{
    struct ln_address victim;
    uint8_t data[256];

    connect_all(3);
    victim = crowd_address(&c, 0);
    for (int k = 0; k < 20; k++) { /* with its own good credentials */
        crowd_inject(&c, &victim, data,
                     crowd_check(&c, ln_ice_local_ufrag(c.peers[1].inside),
                                 ln_ice_local_pwd(c.peers[1].inside), data, sizeof data));
        crowd_say(&c, 0);
        crowd_run(&c, LN_SECONDS(1));
    }
    CHECK_EQUAL(c.peers[0].received, 20);
    CHECK_EQUAL(c.peers[1].strange, 0);
    CHECK(dropped(LN_ICE_MUX_DROP_CLAIMED) >= 20);
    CHECK(crowd_connected(&c, 0) && crowd_connected(&c, 1));
    crowd_free(&c);
}

LN_TEST(mux_attack, an_address_squatted_by_forged_checks_goes_to_whom_its_answers_come_from)
{
    struct ln_address future = { .family = LN_FAMILY_IPV4, .ip = { 10, 0, 0, 2 }, .port = 5000 };
    uint8_t data[256];

    connect_all(2);
    for (int k = 0; k < 40; k++) {
        crowd_inject(&c, &future, data,
                     crowd_check(&c, ln_ice_local_ufrag(c.peers[1].inside),
                                 ln_ice_local_pwd(c.peers[1].inside), data, sizeof data));
        if (k == 2)
            crowd_add(&c, 3); /* it is given just that address */
        if (k > 20)
            crowd_say(&c, 2);
        crowd_run(&c, LN_MILLISECONDS(100));
    }
    CHECK(crowd_connected(&c, 2));
    CHECK_EQUAL(c.peers[2].received, 19);
    CHECK_EQUAL(c.peers[1].strange, 0);
    crowd_free(&c);
}

LN_TEST(mux_attack, a_member_with_a_thousand_sources_keeps_to_its_bound_and_harms_nobody)
{
    uint8_t data[256];
    size_t blocks = 0;

    connect_all(3);
    for (uint32_t i = 0; i < 1000; i++) {
        struct ln_address from = stranger(i);

        crowd_inject(&c, &from, data,
                     crowd_check(&c, ln_ice_local_ufrag(c.peers[1].inside),
                                 ln_ice_local_pwd(c.peers[1].inside), data, sizeof data));
        c.queued = 0; /* its checks to them are lost */
        if (i == 400)
            blocks = test_allocator()->live_blocks;
    }
    CHECK(test_allocator()->live_blocks <= blocks + 8);
    for (size_t i = 0; i < 3; i++) {
        crowd_say(&c, i);
        crowd_run(&c, LN_SECONDS(1));
        CHECK_EQUAL(c.peers[i].received, 1);
    }
    crowd_free(&c);
}

LN_TEST(mux_attack, answers_that_nobody_awaits_and_garbage_are_dropped_by_reason)
{
    static const uint8_t answer[20] = { 0x01, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42, 9 };
    static const uint8_t allocate[20] = { 0x00, 0x03, 0, 0, 0x21, 0x12, 0xa4, 0x42, 9 };
    static const uint8_t indication[20] = { 0x00, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 9 };
    struct ln_address from = stranger(1);
    uint8_t data[256];
    size_t len;

    connect_all(2);
    crowd_inject(&c, &from, answer, sizeof answer);
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_NO_TRANSACTION), 1);
    crowd_inject(&c, &from, allocate, sizeof allocate);
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_MALFORMED), 1);
    crowd_inject(&c, &from, indication, sizeof indication);
    crowd_inject(&c, &from, "\x16\xfe\xff", 3);
    crowd_inject(&c, &from, "", 0);
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_UNKNOWN_ADDRESS), 3);
    len = crowd_check(&c, ln_ice_local_ufrag(c.peers[1].inside),
                      ln_ice_local_pwd(c.peers[1].inside), data, sizeof data);
    for (size_t cut = 1; cut < len; cut++)
        crowd_inject(&c, &from, data, cut);
    CHECK_EQUAL(dropped(LN_ICE_MUX_DROP_MALFORMED), len);
    CHECK_TEXT(ln_ice_mux_drop_name(LN_ICE_MUX_DROP_CLAIMED), "address_of_another_member");
    crowd_free(&c);
}

LN_TEST(mux_attack, an_error_answer_without_a_signature_claims_no_address)
{
    struct ln_address victim;
    size_t i, asked = 0;

    connect_all(1);
    crowd_add(&c, 2);
    victim = crowd_address(&c, 0);
    /* member 1 is made to check the address of member 0's other end, which refuses it */
    CHECK(ln_ice_add_remote_candidate(c.peers[1].inside,
                                      &(struct ln_candidate){ .component = 1,
                                                              .foundation = "9",
                                                              .priority = 1,
                                                              .type = LN_CANDIDATE_HOST,
                                                              .address = victim }) == 0);
    ln_ice_mux_touch(c.peers[1].member);
    CHECK(ln_heap_set(&c.heap, &c.node.deadline, c.now) == 0);
    crowd_run(&c, LN_MILLISECONDS(9));
    for (i = 0; i < c.queued; i++) {
        struct crowd_packet *p = &c.queue[(c.head + i) % CROWD_QUEUE];
        uint8_t refusal[28] = { 0x01, 0x11, 0, 8, 0x21, 0x12, 0xa4, 0x42 };

        if (!ln_address_equal(&p->to, &victim) || p->data[1] != 1 || p->data[0] != 0)
            continue;
        memcpy(refusal + 8, p->data + 8, 12);
        memcpy(refusal + 20, "\0\x09\0\4\0\0\4\1", 8);
        crowd_inject(&c, &victim, refusal, sizeof refusal);
        asked++;
    }
    CHECK_EQUAL(asked, 1);
    crowd_say(&c, 0);
    crowd_run(&c, LN_SECONDS(1));
    CHECK_EQUAL(c.peers[0].received, 1);
    CHECK_EQUAL(c.peers[1].strange, 0);
    crowd_free(&c);
}
