/* SPDX-License-Identifier: Apache-2.0
 * ICE over TCP (RFC 6544): active, passive and simultaneous-open host candidates between two agents
 * whose network lets no UDP through. */
#include "base/address.h"
#include "tests/unit/ice/agents.h"

static struct agents s; /* large; cleared by agents_init() */

static void two_hosts(void)
{
    agents_init(&s);
    s.a.config.tcp = s.b.config.tcp = true;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
}

static void without_udp(void)
{
    two_hosts();
    s.wire.filter = wire_drop_all;
}

static struct ln_ice_candidate_info candidate_of(const struct side *side, bool remote)
{
    struct ln_ice_pair_info pair = side_selected(side);
    struct ln_ice_candidate_info info;

    for (size_t i = 0; remote ? ln_ice_remote_candidate(side->ice, i, &info)
                              : ln_ice_local_candidate(side->ice, i, &info);
         i++)
        if (info.id == (remote ? pair.remote_id : pair.local_id))
            return info;
    CHECK(!"the pair's candidate is listed");
    return info;
}

static size_t open_listeners(void)
{
    size_t count = 0;

    for (size_t i = 0; i < s.wire.link_count; i++)
        count += s.wire.links[i].open && s.wire.links[i].listens;
    return count;
}

/* --- candidates ---------------------------------------------------------------------------- */

LN_TEST(tcp, gathers_an_active_a_passive_and_a_simultaneous_open_candidate_an_address)
{
    char text[LN_CANDIDATE_TEXT_MAX];

    two_hosts();
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.candidate_count, 4);
    CHECK_EQUAL(s.a.candidates[0].protocol, LN_CANDIDATE_UDP);
    for (size_t i = 1; i < 4; i++) {
        const struct ln_candidate *c = &s.a.candidates[i];

        CHECK_EQUAL(c->protocol, LN_CANDIDATE_TCP);
        CHECK_EQUAL(c->tcp_type, i);
        CHECK((c->address.port == 9) == (c->tcp_type == LN_CANDIDATE_TCP_ACTIVE));
        CHECK(c->priority < s.a.candidates[i - 1].priority); /* active, passive, so */
        CHECK(strcmp(c->foundation, s.a.candidates[i - 1].foundation) != 0);
        CHECK(ln_candidate_write(c, text, sizeof text) > 0);
        CHECK(strstr(text, " tcp ") && strstr(text, " tcptype "));
    }
    CHECK_EQUAL(open_listeners(), 2);
    agents_free(&s);
}

LN_TEST(tcp, candidates_of_an_address_stay_when_its_udp_ports_are_all_taken)
{
    agents_init(&s);
    s.a.config.tcp = true;
    s.a.config.port_min = s.a.config.port_max = 5000;
    s.wire.refuse_ports = true;
    s.wire.refuse_below = 6000;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(2));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.candidate_count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQUAL(s.a.candidates[i].protocol, LN_CANDIDATE_TCP);
    agents_free(&s);
}

LN_TEST(tcp, gathers_none_unless_asked_or_where_only_relays_are_wanted)
{
    for (int relays = 0; relays < 2; relays++) {
        agents_init(&s);
        s.a.config.tcp = relays == 1;
        s.a.config.policy = relays ? LN_ICE_TRANSPORT_POLICY_RELAY : LN_ICE_TRANSPORT_POLICY_ALL;
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "192.168.1.2");
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_MILLISECONDS(1));
        CHECK_EQUAL(s.a.candidate_count, relays ? 0 : 1);
        CHECK_EQUAL(open_listeners(), 0);
        agents_free(&s);
    }
}

LN_TEST(tcp, has_priorities_below_udp_and_above_relays_with_the_direction_in_the_upper_bits)
{
    uint32_t preference;

    two_hosts();
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    for (size_t i = 1; i < 4; i++) {
        preference = s.a.candidates[i].priority >> 8 & 0xffff;
        CHECK_EQUAL(preference >> 13, 8 - 2 * i); /* RFC 6544, 4.2: 6, 4, 2 */
        CHECK(s.a.candidates[i].priority < ln_candidate_priority(LN_CANDIDATE_SRFLX, 0));
        CHECK(s.a.candidates[i].priority > ln_candidate_priority(LN_CANDIDATE_RELAY, 65535));
    }
    agents_free(&s);
}

LN_TEST(tcp, takes_a_port_of_the_range)
{
    agents_init(&s);
    s.a.config.tcp = true;
    s.a.config.port_min = 5000;
    s.a.config.port_max = 5003;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    for (size_t i = 2; i < 4; i++)
        CHECK(s.a.candidates[i].address.port >= 5000 && s.a.candidates[i].address.port <= 5003);
    agents_free(&s);
}

LN_TEST(tcp, tells_names_in_place_of_addresses_where_udp_does)
{
    agents_init(&s);
    s.a.config.tcp = s.b.config.tcp = true;
    s.a.config.mdns_names = true;
    s.wire.filter = wire_drop_all;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(s.a.candidate_count, 4);
    CHECK_EQUAL(s.wire.published, 1);
    for (size_t i = 0; i < 4; i++) {
        CHECK(s.a.candidates[i].address.family == LN_FAMILY_NONE);
        CHECK_TEXT(s.a.candidates[i].name, s.a.candidates[0].name);
    }
    agents_free(&s);
}

/* --- pairs --------------------------------------------------------------------------------- */

LN_TEST(tcp, connects_where_no_udp_passes)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.protocol, LN_CANDIDATE_TCP);
    CHECK_EQUAL(candidate_of(&s.a, true).candidate.protocol, LN_CANDIDATE_TCP);
    agents_free(&s);
}

LN_TEST(tcp, sees_the_active_side_as_peer_reflexive_at_both_ends)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    for (int i = 0; i < 2; i++) {
        const struct side *side = i ? &s.b : &s.a;
        struct ln_ice_candidate_info local = candidate_of(side, false),
                                     remote = candidate_of(side, true);
        bool active = local.candidate.tcp_type == LN_CANDIDATE_TCP_ACTIVE;
        const struct ln_candidate *reflexive = active ? &local.candidate : &remote.candidate;

        CHECK_EQUAL(reflexive->type, LN_CANDIDATE_PRFLX);
        CHECK_EQUAL(reflexive->tcp_type, LN_CANDIDATE_TCP_ACTIVE);
        CHECK(reflexive->address.port != 9);
        CHECK_EQUAL((active ? &remote.candidate : &local.candidate)->tcp_type,
                    LN_CANDIDATE_TCP_PASSIVE);
    }
    agents_free(&s);
}

LN_TEST(tcp, is_passed_over_while_udp_works)
{
    two_hosts();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.protocol, LN_CANDIDATE_UDP);
    agents_run(&s, LN_SECONDS(30));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.protocol, LN_CANDIDATE_UDP);
    agents_free(&s);
}

LN_TEST(tcp, gives_way_to_udp_that_opens_in_the_call)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.protocol, LN_CANDIDATE_TCP);
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(10));
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.protocol, LN_CANDIDATE_UDP);
    CHECK_EQUAL(candidate_of(&s.b, false).candidate.protocol, LN_CANDIDATE_UDP);
    agents_run(&s, LN_SECONDS(10));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    agents_free(&s);
}

LN_TEST(tcp, lets_go_on_the_controlled_side_too_what_was_nominated_before)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(3));
    CHECK_EQUAL(candidate_of(&s.b, false).candidate.protocol, LN_CANDIDATE_UDP);
    CHECK(wire_open_streams(&s.wire, WIRE_ALL_NODES) > 0);
    s.wire.nodes[s.a.node].stopped = true; /* it says nothing, and closes nothing */
    agents_run(&s, LN_SECONDS(10));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    agents_free(&s);
}

LN_TEST(tcp, never_checks_from_a_passive_candidate_or_to_an_active_one)
{
    struct ln_ice_candidate_info local, remote;
    struct ln_ice_pair_info pair;

    without_udp();
    s.wire.streams_hang = true; /* pairs of signalled candidates only */
    agents_start(&s);
    agents_run(&s, LN_SECONDS(5));
    for (size_t i = 0, found = 0; found == 0 && ln_ice_pair(s.a.ice, i, &pair); i++) {
        for (size_t k = 0; ln_ice_local_candidate(s.a.ice, k, &local) && local.id != pair.local_id;)
            k++;
        for (size_t k = 0;
             ln_ice_remote_candidate(s.a.ice, k, &remote) && remote.id != pair.remote_id;)
            k++;
        CHECK_EQUAL(local.candidate.protocol, remote.candidate.protocol);
        CHECK(local.candidate.tcp_type != LN_CANDIDATE_TCP_PASSIVE);
        CHECK(remote.candidate.tcp_type != LN_CANDIDATE_TCP_ACTIVE);
        if (local.candidate.protocol == LN_CANDIDATE_TCP)
            CHECK((local.candidate.tcp_type == LN_CANDIDATE_TCP_SO) ==
                  (remote.candidate.tcp_type == LN_CANDIDATE_TCP_SO));
    }
    agents_free(&s);
}

LN_TEST(tcp, connects_by_simultaneous_open_where_no_listener_is_reached)
{
    without_udp();
    s.wire.streams_cross = true;
    s.wire.delay = LN_MILLISECONDS(20);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(30)));
    CHECK_EQUAL(candidate_of(&s.a, false).candidate.tcp_type, LN_CANDIDATE_TCP_SO);
    CHECK_EQUAL(candidate_of(&s.b, true).candidate.tcp_type, LN_CANDIDATE_TCP_SO);
    CHECK_EQUAL(candidate_of(&s.a, true).candidate.type, LN_CANDIDATE_HOST);
    agents_free(&s);
}

LN_TEST(tcp, meets_a_side_that_gathers_actively_only_as_browsers_do)
{
    for (int controlling = 0; controlling < 2; controlling++) {
        struct side *browser = controlling ? &s.a : &s.b;

        without_udp();
        s.hold_candidates_of_a = s.hold_candidates_of_b = true;
        agents_start(&s);
        agents_run(&s, LN_MILLISECONDS(1));
        for (size_t i = 0; i < browser->candidate_count; i++)
            if (browser->candidates[i].tcp_type <= LN_CANDIDATE_TCP_ACTIVE)
                CHECK(ln_ice_add_remote_candidate(browser->other->ice, &browser->candidates[i]) ==
                      0);
        if (controlling)
            s.hold_candidates_of_b = false;
        else
            s.hold_candidates_of_a = false;
        CHECK(agents_connect(&s, LN_SECONDS(5)));
        CHECK_EQUAL(candidate_of(browser, true).candidate.tcp_type, LN_CANDIDATE_TCP_PASSIVE);
        agents_free(&s);
    }
}

LN_TEST(tcp, cuts_streams_that_come_in_single_bytes)
{
    without_udp();
    s.wire.stream_piece = 1;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_free(&s);
}

/* --- life ---------------------------------------------------------------------------------- */

LN_TEST(tcp, closes_the_streams_of_other_pairs_after_the_selection)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(60));                             /* consent goes on */
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 2); /* both ends of one */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(tcp, notices_a_stream_that_ends_and_comes_back_by_a_restart)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    wire_break_streams(&s.wire);
    agents_run(&s, LN_SECONDS(60));
    CHECK(ln_ice_state(s.a.ice) == LN_ICE_CONNECTION_STATE_FAILED ||
          ln_ice_state(s.a.ice) == LN_ICE_CONNECTION_STATE_DISCONNECTED);
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    s.a.candidate_count = s.a.signalled = s.b.candidate_count = s.b.signalled = 0;
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(10)));
    agents_free(&s);
}

LN_TEST(tcp, keeps_the_stream_of_the_old_path_until_a_restart_has_a_new_one)
{
    uint32_t before;

    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    before = side_selected(&s.a).id;
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    CHECK_EQUAL(side_selected(&s.a).id, before);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(side_selected(&s.a).id, before);
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 2);
    s.a.candidate_count = s.a.signalled = s.b.candidate_count = s.b.signalled = 0;
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(10)));
    CHECK(side_selected(&s.a).id != before);
    agents_run(&s, LN_SECONDS(20));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 2);
    CHECK_EQUAL(open_listeners(), 4);
    agents_free(&s);
}

LN_TEST(tcp, closes_listeners_and_streams_with_the_agent)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    ln_ice_close(s.a.ice);
    ln_ice_close(s.b.ice);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    CHECK_EQUAL(open_listeners(), 0);
    agents_free(&s);
}

LN_TEST(tcp, gives_up_what_belongs_to_an_address_that_is_gone)
{
    without_udp();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    wire_remove_interface(&s.wire, s.a.node, "192.168.1.2");
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    CHECK_EQUAL(open_listeners(), 2);
    agents_free(&s);
}

LN_TEST(tcp, fails_pairs_whose_connection_is_not_made_in_time)
{
    struct ln_ice_pair_info pair;
    size_t failed = 0;

    without_udp();
    s.wire.streams_hang = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(20));
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &pair); i++)
        failed += pair.failure == LN_ICE_FAILURE_CONNECT;
    CHECK_EQUAL(failed, 2); /* active with passive, so with so */
    agents_free(&s);
}
