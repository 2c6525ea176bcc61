/* SPDX-License-Identifier: Apache-2.0
 * TCP allocations (RFC 6062) as a door: to services of this machine and its network, to connections
 * of others, and peers that keep a server waiting. */
#include "tests/unit/turn/tcp_rig.h"

/* Its permission is for the sake of other clients' relays. */
LN_TEST(attack_18, another_service_of_this_machine_that_connects_to_a_relay_is_not_let_in)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_alice, of_bob;
    char text[LN_ADDRESS_TEXT_MAX];
    ln_link peer;

    tcp_rig_init(&rig);
    rig.policy.own[rig.policy.own_count++] = rig_address("203.0.113.1");
    rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    bob = rig_stream_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(tcp_allocate(&alice, &of_alice), 0);
    CHECK_EQUAL(tcp_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.1"), 0);
    peer = tcp_peer_connects(&rig, "203.0.113.1:9", &of_alice);
    CHECK_EQUAL(rig.closed_stream, peer);
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 1);
    peer = tcp_peer_connects(&rig, ln_address_format(&of_bob, text), &of_alice);
    CHECK(peer != 0 && rig.closed_stream == 0);
    CHECK(tcp_attempt_sent(&rig, text) != 0);
    rig_end(&rig);
}

/* ATTACKS 26 */
LN_TEST(attack_26, an_identifier_is_good_for_its_owner_once_and_for_30_s)
{
    struct rig rig;
    struct rig_client alice, data, again, bob, udp;
    uint32_t id;

    tcp_rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 0);
    bob = rig_stream_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(tcp_bind(&bob, id), 400);     /* another user's: as if it were unknown */
    CHECK_EQUAL(tcp_bind(&bob, id + 1), 400); /* which this is */
    udp = rig_client(&rig, "198.51.100.7:4005", "alice", "secret");
    CHECK_EQUAL(tcp_bind(&udp, id), 400);
    data = tcp_alice(&rig, "198.51.100.7:4001");
    CHECK_EQUAL(tcp_bind(&data, id), 0);
    again = tcp_alice(&rig, "198.51.100.7:4002");
    CHECK_EQUAL(tcp_bind(&again, id), 400);
    CHECK_EQUAL(tcp_dial(&alice, "198.51.100.99:81", &id), 0);
    rig_advance(&rig, LN_SECONDS(29));
    CHECK_EQUAL(rig_counts(&rig).connections_open, 2);
    rig_advance(&rig, LN_SECONDS(1));
    CHECK_EQUAL(rig_counts(&rig).connections_open, 1);
    CHECK_EQUAL(rig_counts(&rig).connections_timed_out, 1);
    again = tcp_alice(&rig, "198.51.100.7:4003");
    CHECK_EQUAL(tcp_bind(&again, id), 400); /* gone */
    rig_end(&rig);
}

LN_TEST(attack_26, nothing_is_kept_of_a_bind_that_proves_nothing)
{
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice, stranger;
    struct rig_call call;
    uint32_t id;

    tcp_rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 0);
    stranger = rig_stream_client(&rig, "198.51.100.9:4000", "alice", "guess");
    rig_begin(&call, &stranger, LN_STUN_CONNECTION_BIND);
    ln_stun_add_u32(&call.b, LN_STUN_CONNECTION_ID, id);
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 401);
    CHECK_EQUAL(tcp_bind(&stranger, id), 401);
    CHECK_EQUAL(rig_counts(&rig).connections_bound, 0);
    rig_advance(&rig, LN_SECONDS(30)); /* it is a guest, as before */
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 1);
    rig_end(&rig);
}

LN_TEST(attack_26, data_before_the_bind_ends_the_connection)
{
    struct rig rig;
    struct rig_client alice;
    ln_link peer;
    uint32_t id;

    tcp_rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    peer = rig.next_link;
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 0);
    CHECK_EQUAL(rig.windows[peer], 1);      /* a driver reads none of it: the kernel keeps it */
    tcp_from_peer(&rig, peer, "too early"); /* one that does all the same */
    CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
    CHECK_EQUAL(rig_counts(&rig).connections_broken, 1);
    rig_end(&rig);
}

LN_TEST(attack_26, peers_that_never_accept_or_refuse_are_447)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_answer late = { .kind = LN_ANSWER_OPENED, .remote = { .family = LN_FAMILY_IPV4 } };
    uint32_t id;

    tcp_rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    rig.hold = true;
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), -1);
    late.id = rig.held[0].id;
    rig_advance(&rig, LN_SECONDS(30) - 1);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 1);
    rig_advance(&rig, 1);
    CHECK_EQUAL(tcp_code_sent(&rig), 447);
    CHECK_EQUAL(rig.cancelled, late.id);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
    late.link = rig.next_link++; /* it was on its way */
    rig.closed_stream = 0;
    rig.e.ops->answer(rig.server, rig.now, &late);
    rig_drive(&rig);
    CHECK_EQUAL(rig.closed_stream, late.link);
    rig.held_count = 0;
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), -1);
    rig_answer_held(&rig, LN_ERR_REFUSED);
    CHECK_EQUAL(tcp_code_sent(&rig), 447);
    CHECK_EQUAL(rig_counts(&rig).connections_failed, 2);
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), -1);
    CHECK_EQUAL(rig_refresh(&alice, 0), 0); /* half-open ones end with the allocation */
    CHECK_EQUAL(rig.cancelled, rig.held[0].id);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
    rig_end(&rig);
}

/* ATTACKS 15, 16, 17, 18 */
LN_TEST(attack_15, connects_to_local_addresses_are_forbidden)
{
    static const char *const peers[] = {
        "127.0.0.1:80",    "0.0.0.0:80",         "10.0.0.1:80",
        "192.168.0.1:22",  "100.64.0.1:80",      "169.254.169.254:80",
        "224.0.0.1:80",    "255.255.255.255:80", "203.0.113.1:22" /* the relay's own */,
        "203.0.113.9:3478" /* where it listens */
    };
    static const char *const peers6[] = {
        "[::1]:80",     "[::]:80",     "[::ffff:127.0.0.1]:80", "[64:ff9b::7f00:1]:80",
        "[fe80::1]:80", "[fd00::2]:80"
    };
    static const uint8_t ipv6[4] = { 2 };
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client alice;
    struct rig_call call;
    uint32_t id;

    tcp_rig_init(&rig);
    rig.policy.own[rig.policy.own_count++] = rig_address("203.0.113.1");
    rig.policy.listening[rig.policy.listening_count++] = rig.listen[0].address;
    rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 6u << 24);
    ln_stun_add(&call.b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
        CHECK_EQUAL(tcp_dial(&alice, peers[i], &id), 403);
    for (size_t i = 0; i < sizeof peers6 / sizeof *peers6; i++)
        CHECK_EQUAL(tcp_dial(&alice, peers6[i], &id), 403);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
    CHECK_EQUAL(rig_counts(&rig).refused_peers,
                sizeof peers / sizeof *peers + sizeof peers6 / sizeof *peers6);
    rig_end(&rig);
}
