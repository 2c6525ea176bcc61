/* SPDX-License-Identifier: Apache-2.0
 * Relayed TCP candidates (RFC 6544, 5.5; RFC 6062) by way of this tree's own TURN server: for a
 * peer that has nothing but TCP and no relay, and from a network that reaches nothing but the
 * server. */
#include "base/address.h"
#include "ice/tcp.h"
#include "tests/unit/ice/agents.h"
#include "tests/unit/ice/turn_host.h"

static struct agents s;
static struct turn_host host;

static const struct ln_ice_server_address relay = { .url = "turn:203.0.113.1?transport=tcp",
                                                    .host = "203.0.113.1",
                                                    .relays = true,
                                                    .transport = LN_ICE_OVER_TCP,
                                                    .username = "alice",
                                                    .password = "secret" },
                                          stun = { .url = "stun:203.0.113.1",
                                                   .host = "203.0.113.1" };

/* a may use the relay and b a STUN server; no UDP passes. */
static void set_up(void)
{
    agents_init(&s);
    s.wire.filter = wire_drop_all;
    s.wire.delay = LN_MILLISECONDS(10);
    s.a.config.tcp = s.b.config.tcp = true;
    s.a.config.servers = &relay;
    s.b.config.servers = &stun;
    s.a.config.server_count = s.b.config.server_count = 1;
}

/* Both sides behind NATs that give every connection another port, so that no two meet. */
static void begin(void)
{
    CHECK(agents_create(&s));
    turn_host_start_tcp(&host, &s.wire, test_env());
    agents_run(&s, LN_MILLISECONDS(1)); /* it listens */
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_SYMMETRIC, "198.51.100.1");
    wire_set_nat(&s.wire, s.b.node, 2, WIRE_NAT_SYMMETRIC, "198.51.100.2");
}

/* a reaches the server alone, b everybody, and is reached. */
static void begin_with_b_public(void)
{
    begin();
    CHECK(ln_address_parse("203.0.113.1:3478", &s.wire.nodes[s.a.node].only) == 0);
    wire_remove_interface(&s.wire, s.b.node, "10.1.0.2");
    wire_interface(&s.wire, s.b.node, "198.51.100.2");
    wire_set_nat(&s.wire, s.b.node, 0, WIRE_NAT_NONE, "198.51.100.2");
}

static void tear_down(void)
{
    agents_free(&s);
    turn_host_stop(&host);
}

static const struct ln_candidate *relayed(const struct side *side, enum ln_candidate_tcp_type type)
{
    for (size_t i = 0; i < side->candidate_count; i++)
        if (side->candidates[i].type == LN_CANDIDATE_RELAY && side->candidates[i].tcp_type == type)
            return &side->candidates[i];
    return NULL;
}

static struct ln_ice_candidate_info selected(const struct side *side, bool remote)
{
    struct ln_ice_pair_info pair = side_selected(side);
    struct ln_ice_candidate_info info = { 0 };

    for (size_t i = 0; (remote ? ln_ice_remote_candidate(side->ice, i, &info)
                               : ln_ice_local_candidate(side->ice, i, &info)) &&
                       info.id != (remote ? pair.remote_id : pair.local_id);
         i++)
        ;
    return info;
}

static uint64_t open_connections(void)
{
    struct ln_turn_counts found;

    ln_turn_server_counts(host.server, &found);
    return found.connections_open;
}

/* --- candidates ---------------------------------------------------------------------------- */

LN_TEST(tcp_relayed, an_allocation_makes_a_passive_and_an_active_candidate_below_those_of_udp)
{
    const struct ln_candidate *active, *passive, *udp;
    struct ln_ice_candidate_info info;

    set_up();
    begin();
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(1));
    CHECK(s.a.gathered);
    active = relayed(&s.a, LN_CANDIDATE_TCP_ACTIVE);
    passive = relayed(&s.a, LN_CANDIDATE_TCP_PASSIVE);
    udp = relayed(&s.a, LN_CANDIDATE_TCP_NONE);
    CHECK(active && passive && udp);
    CHECK(ln_address_equal_ip(&active->address, &passive->address)); /* RFC 6544, 4.5 */
    CHECK_EQUAL(active->address.port, 9);
    CHECK(passive->address.port >= 49152);
    CHECK(passive->priority < active->priority && active->priority < udp->priority);
    CHECK(strcmp(active->foundation, passive->foundation) != 0);
    CHECK(strcmp(udp->foundation, passive->foundation) != 0);
    for (size_t i = 0; ln_ice_local_candidate(s.a.ice, i, &info); i++)
        if (info.candidate.type == LN_CANDIDATE_RELAY) {
            CHECK_TEXT(info.url, relay.url);
            CHECK_TEXT(info.relay_protocol, "tcp");
        }
    tear_down();
}

LN_TEST(tcp_relayed, with_the_relay_policy_nothing_else_is_told_and_no_address_of_ours)
{
    set_up();
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    begin();
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(s.a.candidate_count, 3);
    CHECK(relayed(&s.a, LN_CANDIDATE_TCP_ACTIVE) && relayed(&s.a, LN_CANDIDATE_TCP_PASSIVE));
    for (size_t i = 0; i < s.a.candidate_count; i++)
        CHECK(ln_address_is_unspecified(&s.a.candidates[i].related));
    tear_down();
}

LN_TEST(tcp_relayed, there_are_none_unless_tcp_candidates_are_wanted_and_the_server_is_for_streams)
{
    struct ln_ice_server_address by_udp = relay;

    by_udp.transport = LN_ICE_OVER_UDP;
    for (int why = 0; why < 2; why++) {
        set_up();
        s.wire.filter = NULL;
        s.a.config.tcp = why == 1;
        s.a.config.servers = why == 1 ? &by_udp : &relay;
        begin();
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_SECONDS(3));
        CHECK(s.a.gathered);
        CHECK(relayed(&s.a, LN_CANDIDATE_TCP_NONE));
        CHECK(!relayed(&s.a, LN_CANDIDATE_TCP_PASSIVE));
        CHECK_EQUAL(ln_turn_server_allocations(host.server), 1);
        tear_down();
    }
}

LN_TEST(tcp_relayed, a_server_that_offers_none_is_no_error_and_delays_nothing)
{
    set_up();
    CHECK(agents_create(&s));
    turn_host_start(&host, &s.wire, test_env(), false);
    agents_run(&s, LN_MILLISECONDS(1));
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(200));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.error_events, 0);
    CHECK(relayed(&s.a, LN_CANDIDATE_TCP_NONE) && !relayed(&s.a, LN_CANDIDATE_TCP_PASSIVE));
    tear_down();
}

/* --- connections --------------------------------------------------------------------------- */

LN_TEST(tcp_relayed, a_peer_with_nothing_but_tcp_connects_to_the_passive_candidate)
{
    struct ln_ice_candidate_info local;

    set_up();
    begin();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    local = selected(&s.a, false);
    CHECK_EQUAL(local.candidate.type, LN_CANDIDATE_RELAY);
    CHECK_EQUAL(local.candidate.tcp_type, LN_CANDIDATE_TCP_PASSIVE);
    CHECK_EQUAL(selected(&s.b, false).candidate.tcp_type, LN_CANDIDATE_TCP_ACTIVE);
    CHECK_EQUAL(selected(&s.b, true).candidate.type, LN_CANDIDATE_RELAY);
    agents_run(&s, LN_SECONDS(700)); /* consent, refreshes of the allocation */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.b.node), 1);
    tear_down();
}

LN_TEST(tcp_relayed, from_where_only_the_server_is_reached_it_connects_to_a_passive_candidate)
{
    set_up();
    begin_with_b_public();
    s.hold_candidates_of_a = true; /* so that it is the relay that connects */
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(20)));
    CHECK_EQUAL(selected(&s.a, false).candidate.tcp_type, LN_CANDIDATE_TCP_ACTIVE);
    CHECK_EQUAL(selected(&s.a, false).candidate.type, LN_CANDIDATE_RELAY);
    CHECK_TEXT(selected(&s.a, false).relay_protocol, "tcp");
    CHECK_EQUAL(selected(&s.a, true).candidate.tcp_type, LN_CANDIDATE_TCP_PASSIVE);
    CHECK_EQUAL(selected(&s.a, true).candidate.type, LN_CANDIDATE_HOST);
    CHECK_EQUAL(selected(&s.b, false).candidate.tcp_type, LN_CANDIDATE_TCP_PASSIVE);
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    tear_down();
}

LN_TEST(tcp_relayed, a_peer_that_connects_before_it_has_a_permission_tries_again)
{
    struct ln_ice_pair_info pair;

    set_up();
    begin();
    s.hold_candidates_of_b = true; /* a does not know yet whom to permit */
    agents_start(&s);
    agents_run(&s, LN_SECONDS(3));
    CHECK(!ln_ice_selected_pair(s.b.ice, &pair));
    s.hold_candidates_of_b = false;
    CHECK(agents_complete(&s, LN_SECONDS(10)));
    CHECK_EQUAL(selected(&s.a, false).candidate.type, LN_CANDIDATE_RELAY);
    tear_down();
}

LN_TEST(tcp_relayed, one_that_never_gets_a_permission_gives_up)
{
    size_t connects = 0;

    set_up();
    begin();
    s.hold_candidates_of_b = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(90));
    for (size_t i = 0; i < s.wire.link_count; i++)
        connects += s.wire.links[i].node == s.b.node && s.wire.links[i].remote.port >= 49152;
    CHECK_EQUAL(connects, 1 + LN_ICE_TCP_RETRIES);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    tear_down();
}

LN_TEST(tcp_relayed, streams_in_pieces_of_any_size_carry_it)
{
    static const size_t pieces[] = { 21, 64, 500 };

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        set_up();
        s.wire.stream_piece = pieces[i];
        s.wire.delay = LN_MILLISECONDS(1);
        begin();
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(20)));
        CHECK_EQUAL(selected(&s.a, false).candidate.type, LN_CANDIDATE_RELAY);
        tear_down();
    }
}

LN_TEST(tcp_relayed, two_relays_meet_each_other)
{
    set_up();
    s.b.config.servers = &relay;
    s.a.config.policy = s.b.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    begin();
    s.hold_candidates_of_a = s.hold_candidates_of_b = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    for (int side = 0; side < 2; side++) { /* those of UDP would be better */
        struct side *from = side ? &s.b : &s.a;

        for (size_t i = 0; i < from->candidate_count; i++)
            if (from->candidates[i].tcp_type)
                CHECK(ln_ice_add_remote_candidate(from->other->ice, &from->candidates[i]) == 0);
    }
    CHECK(agents_connect(&s, LN_SECONDS(20)));
    for (int side = 0; side < 2; side++)
        CHECK(selected(side ? &s.b : &s.a, false).candidate.tcp_type != LN_CANDIDATE_TCP_NONE);
    tear_down();
}

LN_TEST(tcp_relayed, relays_of_udp_are_preferred_and_the_allocation_is_then_given_back)
{
    set_up();
    s.b.config.servers = &relay;
    begin();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    CHECK_EQUAL(selected(&s.a, false).candidate.protocol, LN_CANDIDATE_UDP);
    CHECK_EQUAL(ln_turn_server_allocations(host.server), 4);
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_turn_server_allocations(host.server), 2);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 1);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    tear_down();
}

/* --- its life ------------------------------------------------------------------------------ */

LN_TEST(tcp_relayed, all_is_given_back_when_the_agent_is_closed)
{
    for (int when = 0; when < 40; when++) { /* at every moment of the making */
        set_up();
        begin();
        agents_start(&s);
        agents_run(&s, LN_MILLISECONDS(10) * when);
        ln_ice_close(s.a.ice);
        ln_ice_close(s.b.ice);
        agents_run(&s, LN_SECONDS(1));
        CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
        CHECK_EQUAL(wire_open_streams(&s.wire, s.b.node), 0);
        CHECK_EQUAL(ln_turn_server_allocations(host.server), 0);
        CHECK_EQUAL(open_connections(), 0);
        tear_down();
    }
}

LN_TEST(tcp_relayed, a_restart_keeps_the_old_path_until_it_has_a_new_one)
{
    uint32_t before;

    set_up();
    begin();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    before = side_selected(&s.a).id;
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(side_selected(&s.a).id, before);
    s.a.candidate_count = s.a.signalled = s.b.candidate_count = s.b.signalled = 0;
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    agents_run(&s, LN_SECONDS(20));
    CHECK(side_selected(&s.a).id != before);
    CHECK_EQUAL(selected(&s.a, false).candidate.type, LN_CANDIDATE_RELAY);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.b.node), 1);
    tear_down();
}

LN_TEST(tcp_relayed, when_its_streams_break_its_pairs_fail)
{
    set_up();
    begin();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    wire_break_streams(&s.wire);
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    tear_down();
}
