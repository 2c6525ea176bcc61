/* SPDX-License-Identifier: Apache-2.0
 * Permissions, channels and the data that they let through. */
#include "tests/unit/turn/rig.h"

LN_TEST(relay, indications_pass_both_ways_with_a_permission)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_send_indication(&alice, "198.51.100.99:9000", "ping");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9000", "ping"));
    CHECK(ln_address_equal(&rig.packets[0].path.local, &relayed));
    rig_from_peer(&rig, "198.51.100.99:9001", &relayed, "pong"); /* any port of the address */
    CHECK(rig_got_indication(&alice, "198.51.100.99:9001", "pong"));
    rig_end(&rig);
}

LN_TEST(relay, channels_pass_both_ways_and_permit_their_peer)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9000"), 0);
    rig_send_channel(&alice, 0x4000, "ping");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9000", "ping"));
    rig_from_peer(&rig, "198.51.100.99:9000", &relayed, "pong");
    CHECK(rig_got_channel(&alice, 0x4000, "pong"));
    rig_from_peer(&rig, "198.51.100.99:9001", &relayed, "other port");
    CHECK(rig_got_indication(&alice, "198.51.100.99:9001", "other port"));
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_UDP].packets_in, 1);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_UDP].packets_out, 2);
    rig_end(&rig);
}

/* ATTACKS 24 */
LN_TEST(relay, a_datagram_leaves_in_the_buffer_in_which_it_came)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address relayed, other;
    char text[LN_ADDRESS_TEXT_MAX];

    rig_start_with_alice(&rig, &alice, &relayed);
    bob = rig_client(&rig, "198.51.100.8:5000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, &other), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9000"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4001, ln_address_format(&other, text)), 0);
    CHECK_EQUAL(rig_bind(&bob, 0x4002, ln_address_format(&relayed, text)), 0);
    rig.buffered = true;
    rig_send_channel(&alice, 0x4000, "ping");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9000", "ping") && rig.packets[0].stayed);
    rig_from_peer(&rig, "198.51.100.99:9000", &relayed, "pong");
    CHECK(rig_got_channel(&alice, 0x4000, "pong") && rig.packets[0].stayed);
    rig_send_indication(&alice, "198.51.100.99:9000", "ping");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9000", "ping") && rig.packets[0].stayed);
    rig_from_peer(&rig, "198.51.100.99:9001", &relayed, "other port");
    CHECK(rig_got_indication(&alice, "198.51.100.99:9001", "other port") && !rig.packets[0].stayed);
    rig_send_channel(&alice, 0x4001, "to another client");
    CHECK(rig_got_channel(&bob, 0x4002, "to another client") && rig.packets[0].stayed);
    rig_end(&rig);
}

LN_TEST(attack_24, a_permission_ends_after_exactly_300_s)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "early");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_send_indication(&alice, "198.51.100.99:9", "early");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_advance(&rig, LN_SECONDS(300) - 1);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "in time");
    CHECK_EQUAL(rig.packet_count, 1);
    rig_advance(&rig, 1);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "late");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_no_permission, 3);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0); /* refreshed */
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "again");
    CHECK_EQUAL(rig.packet_count, 1);
    rig_end(&rig);
}

LN_TEST(attack_24, a_permission_for_one_address_serves_no_other)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_from_peer(&rig, "198.51.100.98:9", &relayed, "spoofed");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_send_indication(&alice, "198.51.100.98:9", "x");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

LN_TEST(relay, a_channel_lasts_600_s_and_its_number_is_free_afterwards)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_advance(&rig, LN_SECONDS(590));
    CHECK_EQUAL(rig_refresh(&alice, 3600), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.98:9"), 400);
    rig_advance(&rig, LN_SECONDS(10));
    rig_send_channel(&alice, 0x4000, "late");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_no_channel, 1);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.98:9"), 0);
    rig_end(&rig);
}

/* ATTACKS 22 */
LN_TEST(attack_22, wrong_and_clashing_channels_are_bad_requests)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_init(&rig);
    rig.config.strict_channels = true;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x3fff, "198.51.100.99:9"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0x5000, "198.51.100.99:9"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0xffff, "198.51.100.99:9"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:0"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0x4fff, "198.51.100.99:9"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4fff, "198.51.100.99:9"), 0); /* a refresh */
    CHECK_EQUAL(rig_bind(&alice, 0x4fff, "198.51.100.99:10"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0x4001, "198.51.100.99:9"), 400);
    rig_end(&rig);
}

LN_TEST(relay, channels_of_rfc_5766_are_taken_unless_forbidden)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x8000, "198.51.100.99:9"), 400);
    CHECK_EQUAL(rig_bind(&alice, 0x7fff, "198.51.100.99:9"), 0);
    rig_send_channel(&alice, 0x7fff, "old");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "old"));
    rig_end(&rig);
}

LN_TEST(attack_22, channels_of_others_are_not_there)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address relayed;

    rig_start_with_alice(&rig, &alice, &relayed);
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_send_channel(&bob, 0x4000, "mine?");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

LN_TEST(attack_21, permissions_and_channels_have_a_limit)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig.config.permissions_max = 4;
    rig.config.channels_max = 2;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.90:9"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4001, "198.51.100.91:9"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4002, "198.51.100.91:10"), 508);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.92"), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.93"), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.94"), 508);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.93"), 0);
    rig_advance(&rig, LN_SECONDS(300)); /* all permissions ended: their places are free */
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.94"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4002, "198.51.100.95:9"), 508);
    rig_send_indication(&alice, "198.51.100.95:9", "x"); /* nor a permission by the way */
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

static void add_peers(struct rig_call *call, const char *const *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ln_address peer = rig_address(peers[i]);

        ln_stun_add_xor_address(&call->b, LN_STUN_XOR_PEER_ADDRESS, &peer);
    }
}

LN_TEST(relay, a_request_for_more_permissions_than_there_is_room_for_gives_none)
{
    static const char *const peers[] = { "198.51.100.92", "198.51.100.90", "198.51.100.93" };
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;

    rig_init(&rig);
    rig.config.permissions_max = 2;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.90"), 0);
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    add_peers(&call, peers, 3);
    CHECK_EQUAL(rig_call(&call, &answer), 508);
    rig_send_indication(&alice, "198.51.100.92:9", "x");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    add_peers(&call, peers, 2);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    rig_send_indication(&alice, "198.51.100.92:9", "x");
    CHECK_EQUAL(rig.packet_count, 1);
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    add_peers(&call, peers + 2, 1);
    ln_stun_add_u32(&call.b, LN_STUN_XOR_PEER_ADDRESS, 0); /* no address: before all else */
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    rig_end(&rig);
}

LN_TEST(attack_21, permissions_and_channels_of_a_user_and_of_all_have_a_limit)
{
    struct rig rig;
    struct rig_client one, two, bob;

    rig_init(&rig);
    rig.limits = (struct ln_turn_limits){
        .permissions_per_user = 3, .permissions = 4, .channels_per_user = 1, .channels = 2
    };
    rig_start(&rig);
    one = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    two = rig_client(&rig, "198.51.100.7:4001", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK(rig_allocate(&one, NULL) == 0 && rig_allocate(&two, NULL) == 0);
    CHECK_EQUAL(rig_allocate(&bob, NULL), 0);
    CHECK_EQUAL(rig_permit(&one, "198.51.100.90"), 0);
    CHECK_EQUAL(rig_permit(&one, "198.51.100.91"), 0);
    CHECK_EQUAL(rig_bind(&two, 0x4000, "198.51.100.90:9"), 0);
    CHECK_EQUAL(rig_permit(&two, "198.51.100.91"), 508); /* three are alice's */
    CHECK_EQUAL(rig_permit(&one, "198.51.100.90"), 0);   /* what is there is refreshed */
    CHECK_EQUAL(rig_bind(&one, 0x4000, "198.51.100.90:9"), 508);
    CHECK_EQUAL(rig_bind(&bob, 0x4000, "198.51.100.90:9"), 0);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.91"), 508); /* four are all */
    CHECK_EQUAL(rig_counts(&rig).refused_places, 3);
    rig_advance(&rig, LN_SECONDS(300)); /* a place is its allocation's, for another peer */
    CHECK_EQUAL(rig_permit(&one, "198.51.100.92"), 0);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.93"), 0);
    CHECK_EQUAL(rig_refresh(&two, 0), 0); /* and goes with it */
    CHECK_EQUAL(rig_bind(&one, 0x4000, "198.51.100.90:9"), 0);
    CHECK_EQUAL(rig_permit(&bob, "198.51.100.94"), 0);
    rig_end(&rig);
}

LN_TEST(relay, a_channel_whose_permission_finds_no_room_is_refused_and_counted)
{
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig.config.permissions_max = 1;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.90:9"), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4001, "198.51.100.91:9"), 508);
    CHECK_EQUAL(rig_counts(&rig).refused_places, 1);
    rig_end(&rig);
}

static void tell_interfaces(struct rig *rig, const char *const *addresses, size_t count)
{
    struct ln_interface list[2] = { { .up = true }, { .up = true } };
    struct ln_answer answer = { .kind = LN_ANSWER_INTERFACES,
                                .interfaces = list,
                                .interface_count = count };

    for (size_t i = 0; i < count; i++)
        list[i].address = rig_address(addresses[i]);
    rig->e.ops->answer(rig->server, rig->now, &answer);
    rig_drive(rig);
}

/* ATTACKS 17: temporary IPv6 addresses come and go while the server runs. */
LN_TEST(attack_17, an_address_that_the_machine_gets_later_is_refused_from_then_on)
{
    static const char *const addresses[] = { "198.51.100.60", "198.51.100.61" };
    struct rig rig;
    struct rig_client alice;

    rig_init(&rig);
    rig.config.watch_own = true;
    rig.policy.own[0] = rig_address(addresses[0]);
    rig.policy.own_count = 1;
    rig_start(&rig);
    CHECK_EQUAL(rig.watches, 1);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_permit(&alice, addresses[0]), 403);
    CHECK_EQUAL(rig_permit(&alice, addresses[1]), 0);
    tell_interfaces(&rig, addresses, 2);
    CHECK_EQUAL(rig_permit(&alice, addresses[1]), 403);
    CHECK_EQUAL(rig_counts(&rig).refused_class[LN_TURN_CLASS_OWN], 2);
    ln_turn_server_reload(rig.server, &rig.config); /* what it had heard is asked for again */
    rig_drive(&rig);
    CHECK_EQUAL(rig.watches, 2);
    tell_interfaces(&rig, addresses, 1);
    CHECK_EQUAL(rig_permit(&alice, addresses[1]), 0);
    CHECK_EQUAL(rig_permit(&alice, addresses[0]), 403);
    rig_end(&rig);
}

LN_TEST(relay, a_driver_that_cannot_watch_interfaces_fails_no_listener)
{
    struct ln_answer failed = { .kind = LN_ANSWER_FAILED, .error = LN_ERR_LIMIT };
    struct ln_address bound;
    struct rig rig;

    rig_init(&rig);
    rig.config.watch_own = rig.hold = true; /* nothing is opened yet */
    rig_start(&rig);
    failed.id = rig.watch_id;
    rig.e.ops->answer(rig.server, rig.now, &failed);
    rig_answer_held(&rig, 0);
    CHECK_EQUAL(ln_turn_server_listening(rig.server, 0, &bound), 0);
    rig_end(&rig);
}

LN_TEST(relay, several_peers_in_one_request_are_permitted_together_or_not_at_all)
{
    struct ln_address good, bad;
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_stun_message answer;
    struct rig_call call;

    rig_start_with_alice(&rig, &alice, &relayed);
    good = rig_address("198.51.100.99");
    bad = rig_address("10.0.0.1");
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &good);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &bad);
    CHECK_EQUAL(rig_call(&call, &answer), 403);
    rig_send_indication(&alice, "198.51.100.99:9", "x");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_begin(&call, &alice, LN_STUN_CREATE_PERMISSION);
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    rig_end(&rig);
}

LN_TEST(relay, two_clients_reach_each_other_in_memory)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address a, b;
    char a_text[LN_ADDRESS_TEXT_MAX], b_text[LN_ADDRESS_TEXT_MAX];

    rig_start_with_alice(&rig, &alice, &a);
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, &b), 0);
    ln_address_format(&a, a_text);
    ln_address_format(&b, b_text);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, b_text), 0);
    rig_send_channel(&alice, 0x4000, "too early"); /* bob has not permitted it */
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&bob, "203.0.113.1"), 0);
    rig_send_channel(&alice, 0x4000, "hello");
    CHECK(rig_got_indication(&bob, a_text, "hello"));
    rig_send_indication(&bob, a_text, "hello yourself");
    CHECK(rig_got_channel(&alice, 0x4000, "hello yourself"));
    CHECK_EQUAL(rig_counts(&rig).handed_over, 3);
    rig_end(&rig);
}

/* ATTACKS 18 */
LN_TEST(attack_18, of_own_addresses_only_relays_are_reached)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_init(&rig);
    rig.policy.own[0] = rig_address("203.0.113.1");
    rig.policy.own[1] = rig_address("203.0.113.9");
    rig.policy.own_count = 2;
    rig.policy.listening[0] = rig_address("203.0.113.9:3478");
    rig.policy.listening_count = 1;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9"), 403);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "203.0.113.9:3478"), 403);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "203.0.113.1:22"), 403);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.1"), 0);
    rig_send_indication(&alice, "203.0.113.1:22", "ssh?");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 1);
    rig_end(&rig);
}

LN_TEST(relay, packets_of_one_size_leave_as_one_train_and_none_overtakes)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_transmit out = { 0 };
    struct ln_path path;
    char text[] = "0-----";

    rig_start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    path = (struct ln_path){ .link = rig_link_of(&rig, &relayed),
                             .local = relayed,
                             .remote = rig_address("198.51.100.99:9") };
    for (int i = 0; i < 70; i++) {
        struct ln_packet packet = { .data = (uint8_t *)text, .len = i == 5 ? 3 : 6, .path = path };

        text[0] = (char)('0' + i);
        rig.e.ops->receive(rig.server, rig.now, &packet);
    }
    CHECK(rig.e.ops->poll_transmit(rig.server, rig.now, &out) == 1);
    CHECK(out.slice_count == 6 && out.segment == 10 &&
          out.len == 5 * 10 + 7); /* the short one ends it */
    CHECK(out.slices[0].base[4] == '0' && out.slices[5].base[4] == '5');
    for (size_t i = 0; i < out.slice_count; i++)
        ln_buffer_unref(out.slices[i].buffer);
    CHECK(rig.e.ops->poll_transmit(rig.server, rig.now, &out) == 1);
    CHECK(out.slice_count == 64 && out.slices[0].base[4] == '6');
    for (size_t i = 0; i < out.slice_count; i++)
        ln_buffer_unref(out.slices[i].buffer);
    CHECK(rig.e.ops->poll_transmit(rig.server, rig.now, &out) == 0);
    rig_end(&rig);
}

LN_TEST(relay, an_external_address_is_told_and_the_own_one_bound)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed, bound;

    rig_init(&rig);
    rig.relays[0].bind = rig_address("10.0.0.5");
    rig.relays[0].external = rig_address("203.0.113.77");
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK(relayed.ip[3] == 77);
    bound = rig_address("10.0.0.5");
    bound.port = relayed.port;
    CHECK(rig_link_of(&rig, &bound) != 0);
    rig_end(&rig);
}

LN_TEST(relay, a_warm_server_needs_no_memory_for_a_packet)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_pool pool;
    struct ln_env env = *test_env();
    uint64_t before;
    struct ln_path path;

    ln_pool_init(&pool, env.allocator, 2048, 64, 1024);
    env.pool = &pool;
    rig_init(&rig);
    CHECK(ln_turn_shared_create(&rig.shared, &env, &rig.limits) == 0);
    rig.config.shared = rig.shared;
    rig.config.credentials = rig.credentials;
    rig.config.policy = &rig.policy;
    CHECK(ln_turn_server_create(&rig.server, &rig.config, &env) == 0);
    ln_turn_server_set_wall_offset(rig.server, LN_SECONDS(1700000000));
    rig.e = ln_turn_server_endpoint(rig.server);
    rig_drive(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_send_channel(&alice, 0x4000, "warm");
    path = (struct ln_path){ .link = rig_link_of(&rig, &relayed),
                             .local = relayed,
                             .remote = rig_address("198.51.100.99:9") };
    before = test_allocator()->allocations;
    for (int i = 0; i < 1000; i++) {
        rig_send_channel(&alice, 0x4000, "to the peer");
        rig_receive(&rig, &path, "to the client", 13);
    }
    CHECK_EQUAL(test_allocator()->allocations, before);
    rig_end(&rig);
    ln_pool_deinit(&pool);
}
