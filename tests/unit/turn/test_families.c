/* SPDX-License-Identifier: Apache-2.0
 * Allocations of IPv6, and of both families at once (RFC 8656, 7.2 and 8.1). */
#include "tests/unit/turn/rig.h"

LN_TEST(allocation, families_by_request_and_both_at_once)
{
    static const uint8_t ipv6[4] = { 2 }, unknown[4] = { 3 };
    struct rig rig;
    struct rig_client a, b;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct ln_bytes value;
    size_t cursor = 0;

    rig_init(&rig);
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    b = rig_client(&rig, "198.51.100.7:4001", "alice", "secret");
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_REQUESTED_ADDRESS_FAMILY, unknown, 4, &answer), 440);
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_REQUESTED_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &relayed));
    CHECK(relayed.family == LN_FAMILY_IPV6);
    CHECK_EQUAL(rig_permit(&a, "198.51.100.99"), 443);
    CHECK_EQUAL(rig_permit(&a, "2001:db8:9::9"), 0);
    CHECK_EQUAL(rig_allocate_with(&b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    CHECK(ln_stun_find_next(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &cursor, &value));
    CHECK(ln_stun_read_xor_address(&answer, value, &relayed));
    CHECK(relayed.family == LN_FAMILY_IPV4);
    CHECK(ln_stun_find_next(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &cursor, &value));
    CHECK(ln_stun_read_xor_address(&answer, value, &relayed));
    CHECK(relayed.family == LN_FAMILY_IPV6);
    CHECK_EQUAL(rig_permit(&b, "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&b, "2001:db8:9::9"), 0);
    rig_end(&rig);
}

/* The code that stands beside an allocation of IPv4 in place of one of IPv6. */
static int second_family_refused(struct rig_client *client)
{
    static const uint8_t ipv6[4] = { 2 };
    struct ln_stun_message answer;
    struct ln_bytes value;

    CHECK_EQUAL(rig_allocate_with(client, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    CHECK(ln_stun_find(&answer, LN_STUN_ADDRESS_ERROR_CODE, &value) && value.len >= 4);
    CHECK_EQUAL(value.data[0], 2);
    return value.data[2] * 100 + value.data[3];
}

LN_TEST(allocation, a_second_family_that_is_not_there_is_told_beside_the_first)
{
    static const uint8_t ipv6[4] = { 2 };
    struct rig rig;
    struct rig_client a;
    struct ln_stun_message answer;

    rig_init(&rig);
    rig.config.relay_count = 1;
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_REQUESTED_ADDRESS_FAMILY, ipv6, 4, &answer), 440);
    CHECK_EQUAL(second_family_refused(&a), 440);
    rig_end(&rig);
}

/* RFC 8656, 7.2: 508 where the family is there and its ports are not. */
LN_TEST(allocation, a_second_family_without_a_port_left_is_told_so)
{
    static const uint8_t ipv6[4] = { 2 };
    struct rig rig;
    struct rig_client a, b;
    struct ln_stun_message answer;

    rig_init(&rig);
    rig.config.port_min = rig.config.port_max = 50000;
    rig_start(&rig);
    a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    b = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_REQUESTED_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    CHECK_EQUAL(second_family_refused(&b), 508);
    rig_end(&rig);
}

/* RFC 8656, 8.1. */
LN_TEST(allocation, each_family_is_refreshed_by_itself_or_both_together)
{
    static const uint8_t ipv6[4] = { 2 };
    struct rig rig;
    struct rig_client a;
    struct ln_stun_message answer;
    struct rig_call call;

    for (uint32_t family = 0; family < 3; family++) { /* 0: both */
        rig_init(&rig);
        rig_start(&rig);
        a = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
        CHECK_EQUAL(rig_allocate_with(&a, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
        rig_advance(&rig, LN_SECONDS(500));
        rig_begin(&call, &a, LN_STUN_REFRESH);
        if (family > 0)
            ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_ADDRESS_FAMILY, family << 24);
        CHECK_EQUAL(rig_call(&call, &answer), 0);
        rig_advance(&rig, LN_SECONDS(100) - 1);
        CHECK_EQUAL(rig.open_count, 3); /* with the listener */
        rig_advance(&rig, 1);
        CHECK_EQUAL(rig.open_count, family == 0 ? 3 : 2);
        CHECK_EQUAL(rig_permit(&a, "198.51.100.99"), family == 2 ? 443 : 0);
        CHECK_EQUAL(rig_permit(&a, "2001:db8:9::9"), family == 1 ? 443 : 0);
        rig_advance(&rig, LN_SECONDS(500) - 1);
        CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
        rig_advance(&rig, 1);
        CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
        rig_end(&rig);
    }
}

LN_TEST(allocation, an_even_port_may_be_had_in_both_families_but_none_beside_it)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct rig_call call;
    struct ln_bytes value;
    size_t cursor = 0;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    for (uint8_t with_next = 0x80;; with_next = 0) {
        rig_begin(&call, &alice, LN_STUN_ALLOCATE);
        ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
        ln_stun_add_u32(&call.b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
        ln_stun_add(&call.b, LN_STUN_EVEN_PORT, &with_next, 1);
        CHECK_EQUAL(rig_call(&call, &answer), with_next ? 400 : 0);
        if (!with_next)
            break;
    }
    for (int i = 0; i < 2; i++) {
        CHECK(ln_stun_find_next(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &cursor, &value));
        CHECK(ln_stun_read_xor_address(&answer, value, &relayed) && relayed.port % 2 == 0);
    }
    rig_end(&rig);
}
