/* SPDX-License-Identifier: Apache-2.0
 * What ICMP says about packets to peers (RFC 8656, 11.5), and packets that are not to be cut. */
#include "base/pool.h"
#include "tests/unit/turn/rig.h"

static const struct ln_icmp nobody_listens = { .type = 3, .code = 3 };

LN_TEST(icmp, is_told_to_the_client_with_the_peer_as_he_knows_it)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    rig_icmp(&rig, &relayed, "198.51.100.99:10", nobody_listens); /* ports do not count */
    CHECK(rig_got_icmp(&alice, "198.51.100.99:10", nobody_listens));
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens); /* RFC 8656, 12: still so */
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    CHECK_EQUAL(rig_counts(&rig).icmp_told, 3);
    CHECK_EQUAL(rig_counts(&rig).send_failed, 3);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_UDP].packets_out, 0); /* it is no data */
    rig_end(&rig);
}

static struct ln_address allocate_of(struct rig_client *client, uint32_t family)
{
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_ADDRESS_FAMILY, family << 24);
    ln_stun_add(&call.b, LN_STUN_DONT_FRAGMENT, NULL, 0); /* RFC 8656, 7.2: it is taken */
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &relayed));
    return relayed;
}

LN_TEST(icmp, only_what_says_that_a_packet_did_not_arrive_is_told)
{
    static const struct {
        const char *peer;
        uint32_t family;
        uint8_t first, last, other;
    } kinds[] = { { "198.51.100.99:9", 1, 3, 3, 11 }, { "[2001:db8:9::99]:9", 2, 1, 3, 1 } };

    for (size_t k = 0; k < 2; k++) {
        struct rig rig;
        struct rig_client alice;
        struct ln_address relayed;
        unsigned count = 0;

        rig_init(&rig);
        rig_start(&rig);
        alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
        relayed = allocate_of(&alice, kinds[k].family);
        CHECK_EQUAL(rig_permit(&alice, k == 0 ? "198.51.100.99" : "2001:db8:9::99"), 0);
        for (unsigned type = 0; type < 256; type++) {
            struct ln_icmp icmp = { .type = (uint8_t)type, .code = 200 };
            bool is = (type >= kinds[k].first && type <= kinds[k].last) || type == kinds[k].other;

            rig_icmp(&rig, &relayed, kinds[k].peer, icmp); /* also a code that nobody knows yet */
            CHECK(is ? rig_got_icmp(&alice, kinds[k].peer, icmp) : rig.packet_count == 0);
            count += is;
        }
        CHECK_EQUAL(rig_counts(&rig).icmp_told, count);
        CHECK_EQUAL(rig_counts(&rig).icmp_ignored, 255 - count); /* type 0: there was none */
        rig_end(&rig);
    }
}

LN_TEST(icmp, the_mtu_is_told_where_a_packet_was_too_big_and_nowhere_else)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_alice, of_bob;
    struct ln_icmp icmp = { .type = 3, .code = 4, .mtu = 1280 };

    rig_start_with_alice(&rig, &alice, &of_alice);
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    of_bob = allocate_of(&bob, 2);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&bob, "2001:db8:9::99"), 0);
    rig_icmp(&rig, &of_alice, "198.51.100.99:9", icmp);
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", icmp));
    rig_icmp(&rig, &of_bob, "[2001:db8:9::99]:9", (struct ln_icmp){ .type = 3, .mtu = 1280 });
    CHECK(rig_got_icmp(&bob, "[2001:db8:9::99]:9", (struct ln_icmp){ .type = 3 }));
    icmp = (struct ln_icmp){ .type = 2, .mtu = 1280 };
    rig_icmp(&rig, &of_bob, "[2001:db8:9::99]:9", icmp);
    CHECK(rig_got_icmp(&bob, "[2001:db8:9::99]:9", icmp));
    rig_icmp(&rig, &of_alice, "198.51.100.99:9",
             (struct ln_icmp){ .type = 3, .code = 3, .mtu = 1280 });
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    rig_end(&rig);
}

LN_TEST(icmp, on_a_shared_port_it_is_told_to_the_one_who_is_heard_there)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address relayed, other;

    rig_init(&rig);
    rig.config.relay_ports = 1;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_allocate(&bob, &other), 0);
    CHECK(ln_address_equal(&relayed, &other));
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.98"), 0);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.99"), 0);
    rig_icmp(&rig, &relayed, "198.51.100.98:9", nobody_listens);
    CHECK(rig_got_icmp(&alice, "198.51.100.98:9", nobody_listens));
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK(rig_got_icmp(&bob, "198.51.100.99:9", nobody_listens));
    rig_icmp(&rig, &relayed, "198.51.100.97:9", nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_refresh(&bob, 0), 0); /* his claim is gone, the socket is there */
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

LN_TEST(icmp, a_relay_behind_a_nat_is_named_as_it_is_known_outside)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_alice, of_bob, inner;
    char text[LN_ADDRESS_TEXT_MAX], seen[LN_ADDRESS_TEXT_MAX];

    rig_init(&rig);
    rig.relays[0].bind = rig_address("10.0.0.5");
    rig.relays[0].external = rig_address("203.0.113.1");
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&alice, &of_alice), 0);
    CHECK_EQUAL(rig_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.1"), 0);
    of_alice = inner = rig_address("10.0.0.5:1");
    for (size_t i = 0; i < rig.socket_count; i++)
        if (rig.sockets[i].local.ip[0] == 10 && rig.sockets[i].local.port != of_bob.port)
            of_alice = rig.sockets[i].local;
    inner.port = of_bob.port;
    rig_icmp(&rig, &of_alice, ln_address_format(&inner, text), nobody_listens);
    CHECK(rig_got_icmp(&alice, ln_address_format(&of_bob, seen), nobody_listens));
    inner.port = 22; /* not a relay's: no word about our own machine */
    rig_icmp(&rig, &of_alice, ln_address_format(&inner, text), nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

/* ---- attacks ---- */

/* ATTACKS 15, 24: nothing is learned of hosts that may not be asked. */
LN_TEST(attack_24, icmp_about_a_peer_without_a_permission_is_not_told)
{
    struct ln_turn_policy refusing = { 0 };
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_icmp(&rig, &relayed, "198.51.100.98:9", nobody_listens); /* a host before it, say */
    CHECK_EQUAL(rig.packet_count, 0);
    rig_advance(&rig, LN_SECONDS(300) - 1);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    rig_advance(&rig, 1);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    refusing.deny_count = 1;
    CHECK(ln_turn_prefix_parse("198.51.100.0/24", &refusing.deny[0]) == 0);
    rig.config.policy = &refusing;
    ln_turn_server_reload(rig.server, &rig.config);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).icmp_ignored, 4);
    rig_end(&rig);
}

/* ATTACKS 6: a peer that answers each packet so, or who forges what it says. */
LN_TEST(attack_6, of_icmp_a_client_is_told_little)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_alice, of_bob;
    size_t bytes = 0;

    rig_start_with_alice(&rig, &alice, &of_alice);
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.99"), 0);
    for (int i = 0; i < 10000; i++) { /* for ten seconds */
        rig_icmp(&rig, &of_alice, "198.51.100.99:9", nobody_listens);
        bytes += rig.packet_count > 0 ? rig.packets[0].len : 0;
        rig_advance(&rig, LN_MILLISECONDS(1));
    }
    CHECK_EQUAL(rig_counts(&rig).icmp_told, LN_TURN_ICMP_BURST + 199); /* within 9.999 s */
    CHECK_EQUAL(rig_counts(&rig).icmp_limited, 10000 - LN_TURN_ICMP_BURST - 199);
    CHECK(bytes / 10 * 8 < 10000);
    rig_icmp(&rig, &of_bob, "198.51.100.99:9", nobody_listens);
    CHECK(rig_got_icmp(&bob, "198.51.100.99:9", nobody_listens)); /* another's is full */
    rig_advance(&rig, LN_TURN_ICMP_INTERVAL);
    rig_icmp(&rig, &of_alice, "198.51.100.99:9", nobody_listens);
    CHECK(rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    rig_end(&rig);
}

LN_TEST(attack_25, icmp_for_nobody_is_ignored)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED, .icmp = nobody_listens };
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    answer.path.link = RIG_LISTENER; /* an answer to a client who left */
    answer.path.remote = rig_address("198.51.100.99:9");
    rig.e.ops->answer(rig.server, rig.now, &answer);
    answer.path.link = 77777;
    rig.e.ops->answer(rig.server, rig.now, &answer);
    rig_drive(&rig);
    CHECK_EQUAL(rig.packet_count, 0);
    answer.path.link = rig_link_of(&rig, &relayed);
    CHECK_EQUAL(rig_refresh(&alice, 0), 0);
    rig.e.ops->answer(rig.server, rig.now, &answer);
    rig_drive(&rig);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).icmp_ignored, 3);
    rig_end(&rig);
}

/* ---- DONT-FRAGMENT ---- */

LN_TEST(dont_fragment, is_taken_with_an_allocation_and_sets_df_for_its_own_packet_alone)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    (void)allocate_of(&alice, 1);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_send_whole(&alice, "198.51.100.99:9", "whole");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "whole") && rig.packets[0].whole);
    rig_send_indication(&alice, "198.51.100.99:9", "any");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "any") && !rig.packets[0].whole);
    rig_send_channel(&alice, 0x4000, "any");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "any") && !rig.packets[0].whole);
    CHECK_EQUAL(rig_counts(&rig).whole, 1);
    rig_send_whole(&alice, "198.51.100.98:9", "no permission");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

/* RFC 8656, 13.1 to 13.3: between the families it is to be ignored. */
LN_TEST(dont_fragment, is_ignored_where_datagrams_change_their_family)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    (void)allocate_of(&alice, 2);
    CHECK_EQUAL(rig_permit(&alice, "2001:db8:9::99"), 0);
    rig_send_whole(&alice, "[2001:db8:9::99]:9", "any");
    CHECK(rig_sent(&rig, 0, "[2001:db8:9::99]:9", "any") && !rig.packets[0].whole);
    CHECK_EQUAL(rig_counts(&rig).whole, 0);
    rig_end(&rig);
}

/* RFC 8656, 15: nothing but the attribute tells what came by a stream. */
LN_TEST(dont_fragment, is_heeded_for_any_peer_of_a_client_on_a_stream)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig_listen_for_streams(&rig);
    rig_start(&rig);
    alice = rig_stream_client(&rig, "198.51.100.7:4000", "alice", "secret");
    (void)allocate_of(&alice, 2);
    CHECK_EQUAL(rig_permit(&alice, "2001:db8:9::99"), 0);
    rig_send_whole(&alice, "[2001:db8:9::99]:9", "whole");
    CHECK(rig_sent(&rig, 0, "[2001:db8:9::99]:9", "whole") && rig.packets[0].whole);
    rig_end(&rig);
}

/* In one turn of the driver: each that is not to be cut is a send of its own, and none overtakes.
 */
LN_TEST(dont_fragment, packets_with_it_keep_their_place_among_the_others)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_transmit out = { 0 };
    char order[] = "aWbWWcdW", seen[sizeof order] = { 0 };
    size_t count = 0, sends = 0;

    rig_init(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    (void)allocate_of(&alice, 1);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    for (size_t i = 0; order[i]; i++) {
        const char text[] = { order[i], '\0' };
        uint8_t data[128];
        struct ln_packet packet = { .data = data, .path = alice.path };

        packet.len = rig_write_indication(data, sizeof data, "198.51.100.99:9", text,
                                          order[i] == 'W');
        rig.e.ops->receive(rig.server, rig.now, &packet);
    }
    while (rig.e.ops->poll_transmit(rig.server, rig.now, &out) == 1) {
        sends++;
        for (size_t i = 0; i < out.slice_count; i++) {
            seen[count++] = (char)out.slices[i].base[0];
            CHECK(out.whole == (out.slices[i].base[0] == 'W'));
            ln_buffer_unref(out.slices[i].buffer);
        }
    }
    CHECK_TEXT(seen, order);
    CHECK_EQUAL(sends, 7); /* "cd" left together */
    rig_end(&rig);
}
