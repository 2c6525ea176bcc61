/* SPDX-License-Identifier: Apache-2.0
 * Two agents find each other: host, server-reflexive and peer-reflexive paths, trickle, roles,
 * nomination, loss. */
#include "stun/server.h"
#include "tests/unit/ice/agents.h"

static struct agents s; /* large; cleared by agents_init() */
static struct ln_stun_server *stun;

static void lan(void)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
}

static const struct ln_ice_server_address stun_server = { .url = "stun:stun.example:3478",
                                                          .host = "203.0.113.1" };

/* Both sides behind NATs of their own, one STUN server in public. */
static void behind_nats(enum wire_nat a, enum wire_nat b)
{
    struct ln_stun_server_config config = { .listen_count = 1 };
    struct ln_address listen;

    agents_init(&s);
    s.a.config.servers = s.b.config.servers = &stun_server;
    s.a.config.server_count = s.b.config.server_count = 1;
    CHECK(agents_create(&s));
    CHECK(ln_address_parse("203.0.113.1:3478", &listen) == 0);
    config.listen = &listen;
    CHECK(ln_stun_server_create(&stun, &config, test_env()) == 0);
    wire_add(&s.wire, ln_stun_server_endpoint(stun));
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    wire_interface(&s.wire, s.b.node, "10.1.0.2");
    wire_set_nat(&s.wire, s.a.node, 1, a, "198.51.100.1");
    wire_set_nat(&s.wire, s.b.node, 2, b, "198.51.100.2");
    s.wire.delay = LN_MILLISECONDS(10);
}

static void end_nats(void)
{
    agents_free(&s);
    ln_stun_server_free(stun);
    stun = NULL;
}

static enum ln_candidate_type local_type(const struct side *side)
{
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair = side_selected(side);

    for (size_t i = 0; ln_ice_local_candidate(side->ice, i, &info); i++)
        if (info.id == pair.local_id)
            return info.candidate.type;
    CHECK(!"the pair's local candidate is listed");
    return 0;
}

static struct ln_ice_candidate_info remote_of(const struct side *side)
{
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair = side_selected(side);

    for (size_t i = 0; ln_ice_remote_candidate(side->ice, i, &info); i++)
        if (info.id == pair.remote_id)
            return info;
    CHECK(!"the pair's remote candidate is listed");
    return info;
}

LN_TEST(agent, connects_two_hosts_in_two_round_trips)
{
    ln_time begin;

    lan();
    begin = s.wire.now;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK(s.a.connected_at - begin <= 3 * s.wire.delay);
    CHECK(s.b.connected_at - begin <= 3 * s.wire.delay);
    CHECK(s.wire.now - begin <= 6 * s.wire.delay);
    CHECK(side_was(&s.a, LN_ICE_CONNECTION_STATE_CHECKING));
    CHECK(side_was(&s.a, LN_ICE_CONNECTION_STATE_CONNECTED));
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    CHECK_EQUAL(side_selected(&s.a).current_rtt, 2 * s.wire.delay);
    agents_free(&s);
}

LN_TEST(agent, connects_over_ipv6)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "2001:db8::2");
    wire_interface(&s.wire, s.a.node, "fe80::2");
    wire_interface(&s.wire, s.b.node, "2001:db8::3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(side_selected(&s.a).path.remote.family, LN_FAMILY_IPV6);
    CHECK_EQUAL(s.a.candidate_count, 1); /* no link-local one */
    agents_free(&s);
}

static bool no_ipv6(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                    size_t len)
{
    (void)wire;
    (void)node;
    (void)data;
    (void)len;
    return path->remote.family == LN_FAMILY_IPV6;
}

LN_TEST(agent, a_family_that_reaches_nobody_costs_one_check)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    for (char ip[] = "2001:db8::1"; ip[10] <= '4'; ip[10]++)
        wire_interface(&s.wire, ip[10] % 2 ? s.a.node : s.b.node, ip);
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.wire.filter = no_ipv6;
    ln_ice_gather(s.a.ice); /* all candidates are there before checks begin */
    ln_ice_gather(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    agents_exchange(&s);
    CHECK(agents_connect(&s, LN_MILLISECONDS(8)));
    CHECK_EQUAL(side_selected(&s.a).path.remote.family, LN_FAMILY_IPV4);
    agents_free(&s);
}

LN_TEST(agent, gathers_loopback_only_when_asked)
{
    for (int asked = 0; asked < 2; asked++) {
        agents_init(&s);
        s.a.config.include_loopback = s.b.config.include_loopback = asked;
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "127.0.0.1");
        wire_interface(&s.wire, s.b.node, "127.0.0.1");
        agents_start(&s);
        CHECK(agents_connect(&s, LN_SECONDS(1)) == (asked == 1));
        CHECK_EQUAL(s.a.candidate_count, asked);
        agents_run(&s, LN_SECONDS(1));
        CHECK(s.a.gathered && s.b.gathered);
        agents_free(&s);
    }
}

LN_TEST(agent, waits_a_little_for_a_network_that_is_just_coming_up)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    agents_run(&s, LN_MILLISECONDS(800));
    CHECK(!s.a.gathered && s.b.gathered);
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    agents_free(&s);
}

LN_TEST(agent, ends_gathering_where_no_network_comes)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    agents_start(&s);
    agents_run(&s, LN_SECONDS(2));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.candidate_count, 0);
    agents_free(&s);
}

LN_TEST(agent, prefers_interfaces_over_loopback_and_ipv6_over_ipv4)
{
    agents_init(&s);
    s.a.config.include_loopback = true;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "127.0.0.1");
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "2001:db8::2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK_EQUAL(s.a.candidate_count, 3);
    CHECK(s.a.candidates[2].priority > s.a.candidates[1].priority);
    CHECK(s.a.candidates[1].priority > s.a.candidates[0].priority);
    CHECK(strcmp(s.a.candidates[0].foundation, s.a.candidates[1].foundation) != 0);
    agents_free(&s);
}

LN_TEST(agent, connects_through_port_restricted_nats_by_server_reflexive_candidates)
{
    behind_nats(WIRE_NAT_PORT_RESTRICTED, WIRE_NAT_PORT_RESTRICTED);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(s.a.candidate_count, 2);
    CHECK_EQUAL(s.a.candidates[1].type, LN_CANDIDATE_SRFLX);
    CHECK_EQUAL(s.a.candidates[1].address.ip[3], 1);
    CHECK(ln_address_equal(&s.a.candidates[1].related, &s.a.candidates[0].address));
    CHECK_EQUAL(local_type(&s.a), LN_CANDIDATE_SRFLX);
    CHECK_EQUAL(remote_of(&s.a).candidate.type, LN_CANDIDATE_SRFLX);
    end_nats();
}

LN_TEST(agent, connects_from_a_symmetric_nat_by_a_peer_reflexive_candidate)
{
    behind_nats(WIRE_NAT_SYMMETRIC, WIRE_NAT_FULL_CONE);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(local_type(&s.a), LN_CANDIDATE_PRFLX);
    CHECK_EQUAL(remote_of(&s.b).candidate.type, LN_CANDIDATE_PRFLX);
    CHECK(!remote_of(&s.b).signalled);
    end_nats();
}

LN_TEST(agent, fails_between_two_symmetric_nats_when_patience_ends)
{
    behind_nats(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC);
    agents_start(&s);
    CHECK(!agents_connect(&s, LN_SECONDS(39)));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_CHECKING);
    agents_run(&s, LN_SECONDS(45));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    end_nats();
}

LN_TEST(agent, is_not_failed_before_patience_ends_without_any_candidate)
{
    lan();
    wire_remove_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(39));
    CHECK(ln_ice_state(s.a.ice) != LN_ICE_CONNECTION_STATE_FAILED);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

LN_TEST(agent, keeps_nomination_when_a_peer_reflexive_candidate_is_signalled_later)
{
    struct ln_ice_pair_info before;

    lan();
    s.hold_candidates_of_a = true;
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(1));
    before = side_selected(&s.b);
    CHECK(before.nominated && !remote_of(&s.b).signalled);
    CHECK_EQUAL(remote_of(&s.b).candidate.type, LN_CANDIDATE_PRFLX);
    s.hold_candidates_of_a = false;
    CHECK(agents_complete(&s, LN_SECONDS(1)));
    CHECK_EQUAL(side_selected(&s.b).id, before.id);
    CHECK(side_selected(&s.b).nominated && remote_of(&s.b).signalled);
    CHECK_EQUAL(remote_of(&s.b).candidate.type, LN_CANDIDATE_HOST);
    CHECK(side_selected(&s.b).priority > before.priority);
    agents_free(&s);
}

LN_TEST(agent, answers_checks_before_it_knows_the_other_sides_credentials)
{
    struct ln_path path;
    ln_time begin;

    lan();
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK(ln_ice_set_remote(s.b.ice, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice), false,
                            NULL) == 0);
    s.hold_candidates_of_b = true;
    ln_ice_gather(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_CONNECTED);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_NEW);
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    begin = s.wire.now;
    CHECK(ln_ice_set_remote(s.a.ice, ln_ice_local_ufrag(s.b.ice), ln_ice_local_pwd(s.b.ice), false,
                            NULL) == 0);
    CHECK(agents_connect(&s, LN_SECONDS(1)));
    CHECK(s.a.connected_at - begin <= 2 * s.wire.delay); /* no timer was waited for */
    CHECK(side_selected(&s.a).requests_received >= 1);
    agents_free(&s);
}

LN_TEST(agent, resolves_role_conflicts_both_ways)
{
    for (int both = 0; both < 2; both++) {
        lan();
        ln_ice_set_role(s.a.ice, both);
        ln_ice_set_role(s.b.ice, both);
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(5)));
        CHECK(ln_ice_is_controlling(s.a.ice) != ln_ice_is_controlling(s.b.ice));
        CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
        agents_free(&s);
    }
}

static bool drop_requests_of_b(struct wire *wire, int node, const struct ln_path *path,
                               const uint8_t *data, size_t len)
{
    (void)wire;
    (void)path;
    return node == s.b.node && len > 20 && data[0] == 0 && data[1] == 1;
}

LN_TEST(agent, controls_an_ice_lite_peer_whatever_role_it_was_given)
{
    lan();
    s.wire.filter = drop_requests_of_b; /* a lite agent only answers */
    ln_ice_set_role(s.a.ice, false);
    CHECK(ln_ice_set_remote(s.a.ice, ln_ice_local_ufrag(s.b.ice), ln_ice_local_pwd(s.b.ice), true,
                            "") == 0);
    CHECK(ln_ice_is_controlling(s.a.ice));
    ln_ice_set_role(s.b.ice, false);
    agents_start(&s);
    CHECK(!ln_ice_is_controlling(s.b.ice));
    agents_run(&s, LN_SECONDS(1));
    CHECK(side_selected(&s.a).nominated);
    agents_free(&s);
}

LN_TEST(agent, same_seed_gives_same_bytes)
{
    uint64_t hash[2], sent[2];

    for (int i = 0; i < 2; i++) {
        ln_rng_seed(test_env()->rng, 42);
        lan();
        wire_interface(&s.wire, s.a.node, "2001:db8::2");
        wire_interface(&s.wire, s.b.node, "2001:db8::3");
        s.wire.loss_per_mille = 200;
        s.wire.jitter = LN_MILLISECONDS(20);
        agents_start(&s);
        agents_run(&s, LN_SECONDS(20));
        hash[i] = s.wire.hash;
        sent[i] = s.wire.sent;
        agents_free(&s);
    }
    CHECK(hash[0] == hash[1] && sent[0] == sent[1] && sent[0] > 10);
}

LN_TEST(agent, connects_under_loss_in_every_seed)
{
    struct ln_ice_pair_info at_a, at_b;
    unsigned fast = 0;

    for (unsigned seed = 1; seed <= 40; seed++) {
        ln_rng_seed(test_env()->rng, seed);
        lan();
        s.wire.loss_per_mille = 200;
        s.wire.delay = LN_MILLISECONDS(20);
        s.wire.jitter = LN_MILLISECONDS(20);
        agents_start(&s);
        CHECK(agents_connect(&s, LN_SECONDS(30)));
        fast += s.a.connected_at < LN_SECONDS(1002) && s.b.connected_at < LN_SECONDS(1002);
        agents_run(&s, LN_SECONDS(20));
        CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
        at_a = side_selected(&s.a);
        at_b = side_selected(&s.b);
        CHECK(ln_address_equal(&at_a.path.remote, &at_b.path.local));
        agents_free(&s);
    }
    CHECK(fast >= 36);
}

static bool drop_host_paths(struct wire *wire, int node, const struct ln_path *path,
                            const uint8_t *data, size_t len)
{
    (void)wire;
    (void)node;
    (void)data;
    (void)len;
    return path->remote.ip[3] == 3 || path->remote.ip[3] == 2; /* the first addresses */
}

LN_TEST(agent, keeps_the_failure_reason_of_each_pair)
{
    struct ln_ice_pair_info info;
    bool timed_out = false;

    lan();
    wire_interface(&s.wire, s.a.node, "192.168.1.12");
    wire_interface(&s.wire, s.b.node, "192.168.1.13");
    s.wire.filter = drop_host_paths;
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(2)));
    CHECK_EQUAL(side_selected(&s.a).path.remote.ip[3], 13);
    wire_remove_interface(&s.wire, s.a.node, "192.168.1.2");
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        timed_out |= info.failure == LN_ICE_FAILURE_ADDRESS_GONE;
    CHECK(timed_out);
    CHECK_TEXT(ln_ice_failure_sentence(LN_ICE_FAILURE_TIMEOUT), "no check was answered");
    agents_free(&s);
}

static enum ln_ice_failure failure_with_icmp(struct ln_icmp icmp)
{
    static const char line[] = "candidate:1 1 udp 2130706431 192.168.1.99 4000 typ host";
    struct ln_ice_pair_info info;

    lan();
    s.hold_candidates_of_a = s.hold_candidates_of_b = true;
    s.wire.icmp = icmp;
    agents_start(&s);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, line, strlen(line)) == 0);
    agents_run(&s, LN_SECONDS(3));
    CHECK(ln_ice_pair(s.a.ice, 0, &info));
    agents_free(&s);
    return info.failure;
}

LN_TEST(agent, what_icmp_says_fails_a_pair_with_its_reason)
{
    CHECK_EQUAL(failure_with_icmp((struct ln_icmp){ .type = 3, .code = 3 }),
                LN_ICE_FAILURE_NOBODY_LISTENS);
    CHECK_EQUAL(failure_with_icmp((struct ln_icmp){ .type = 3, .code = 0 }), LN_ICE_FAILURE_NO_WAY);
    CHECK_EQUAL(failure_with_icmp((struct ln_icmp){ .type = 11 }), LN_ICE_FAILURE_NO_WAY);
    CHECK_EQUAL(failure_with_icmp((struct ln_icmp){ .type = 3, .code = 4 }), LN_ICE_FAILURE_NONE);
}

LN_TEST(agent, fails_at_once_when_the_address_of_the_selected_pair_goes)
{
    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    wire_remove_interface(&s.wire, s.a.node, "192.168.1.2");
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK(!s.wire.links[0].open);
    agents_free(&s);
}

LN_TEST(agent, reports_a_server_that_is_silent_or_has_no_address)
{
    static const struct ln_ice_server_address servers[2] = {
        { .url = "stun:nowhere.example", .host = "nowhere.example" },
        { .url = "stun:203.0.113.9:3478", .host = "203.0.113.9", .port = 3478 },
    };

    agents_init(&s);
    s.a.config.servers = servers;
    s.a.config.server_count = 2;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(9));
    CHECK_EQUAL(s.a.error_events, 1);
    CHECK_EQUAL(s.a.last_error.error.code, 701);
    CHECK_TEXT(s.a.last_error.error.url, "stun:nowhere.example");
    CHECK(!s.a.gathered && s.a.candidate_count == 1);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(s.a.error_events, 2);
    CHECK_EQUAL(s.a.last_error.error.address.ip[3], 2);
    CHECK_TEXT(s.a.last_error.error.url, "stun:203.0.113.9:3478");
    CHECK(s.a.gathered);
    agents_free(&s);
}

LN_TEST(agent, gathers_nothing_when_only_relayed_candidates_are_allowed)
{
    agents_init(&s);
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK(s.a.gathered && s.a.candidate_count == 0 && s.wire.link_count == 0);
    agents_free(&s);
}

LN_TEST(agent, takes_another_port_of_the_range_when_one_is_in_use)
{
    agents_init(&s);
    s.a.config.port_min = 50000;
    s.a.config.port_max = 50009;
    s.wire.refuse_below = 50009;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK_EQUAL(s.a.candidate_count, 1);
    CHECK_EQUAL(s.a.candidates[0].address.port, 50009);
    agents_free(&s);
    agents_init(&s);
    s.a.config.port_min = 50000;
    s.a.config.port_max = 50009;
    s.wire.refuse_below = 60000;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(2));
    CHECK(s.a.gathered && s.a.candidate_count == 0);
    agents_free(&s);
}

LN_TEST(agent, names_its_worker_in_the_first_character_of_the_ufrag)
{
    agents_init(&s);
    s.a.config.ufrag_first = 'W';
    CHECK(agents_create(&s));
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(ln_ice_local_ufrag(s.a.ice)[0], 'W');
        CHECK_EQUAL(strlen(ln_ice_local_ufrag(s.a.ice)), LN_ICE_UFRAG_LEN);
        CHECK_EQUAL(strlen(ln_ice_local_pwd(s.a.ice)), LN_ICE_PWD_LEN);
        CHECK(ln_ice_restart(s.a.ice) == 0);
    }
    agents_free(&s);
}

LN_TEST(agent, closes_its_links_and_then_does_nothing)
{
    struct ln_path path;

    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    ln_ice_close(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK(!s.wire.links[0].open && s.wire.links[1].open);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_CLOSED);
    CHECK_EQUAL(ln_ice_next_timeout(s.a.ice), LN_TIME_NEVER);
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_restart(s.a.ice), LN_ERR_CLOSED);
    CHECK_EQUAL(ln_ice_add_remote_candidate_text(s.a.ice, "", 0), LN_ERR_CLOSED);
    ln_ice_gather(s.a.ice);
    ln_ice_close(s.a.ice);
    agents_free(&s);
}

LN_TEST(agent, counts_data_and_checks_for_statistics)
{
    struct ln_ice_pair_info info;
    struct ln_path path;

    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    CHECK(ln_ice_send_path(s.a.ice, &path));
    ln_ice_count_sent(s.a.ice, s.wire.now, &path, 3, 300);
    ln_ice_count_received(s.a.ice, s.wire.now, &path, 2, 200);
    ln_ice_count_discarded(s.a.ice, 1, 50);
    info = side_selected(&s.a);
    CHECK(info.packets_sent == 3 && info.bytes_sent == 300 && info.last_sent == s.wire.now);
    CHECK(info.packets_received == 2 && info.bytes_received == 200);
    CHECK(info.packets_discarded == 1 && info.bytes_discarded == 50);
    CHECK(info.requests_sent == 2 && info.responses_received == 2); /* the check, the nomination */
    CHECK(info.requests_received >= 1 && info.responses_sent == info.requests_received);
    CHECK_EQUAL(info.total_rtt, 2 * info.current_rtt);
    CHECK_EQUAL(info.state, LN_ICE_PAIR_SUCCEEDED);
    CHECK_TEXT(ln_ice_pair_state_name(info.state), "succeeded");
    agents_free(&s);
}

LN_TEST(agent, getters_and_polls_change_nothing_when_idle)
{
    struct ln_ice_candidate_info candidate;
    struct ln_ice_pair_info pair;
    struct ln_ice_event event;
    struct ln_request request;
    struct ln_path path;
    uint8_t buffer[1500];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    ln_time next;

    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    next = ln_ice_next_timeout(s.a.ice);
    for (int i = 0; i < 3; i++) {
        CHECK(ln_ice_poll_transmit(s.a.ice, s.wire.now, &out) == 0);
        CHECK(ln_ice_poll_request(s.a.ice, &request) == 0);
        CHECK(!ln_ice_poll_event(s.a.ice, &event));
        CHECK(ln_ice_send_path(s.a.ice, &path));
        CHECK(ln_ice_local_candidate(s.a.ice, 0, &candidate) && !candidate.remote);
        CHECK(ln_ice_remote_candidate(s.a.ice, 0, &candidate) && candidate.remote);
        CHECK(!ln_ice_remote_candidate(s.a.ice, 1, &candidate));
        CHECK(ln_ice_pair(s.a.ice, 0, &pair) && !ln_ice_pair(s.a.ice, 1, &pair));
        CHECK_EQUAL(ln_ice_next_timeout(s.a.ice), next);
        ln_ice_on_timeout(s.a.ice, s.wire.now);
        CHECK_EQUAL(ln_ice_next_timeout(s.a.ice), next);
    }
    agents_free(&s);
}

LN_TEST(agent, a_late_on_timeout_catches_up)
{
    uint8_t buffer[1500];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    int sent = 0;

    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    s.wire.now += LN_SECONDS(17);
    ln_ice_on_timeout(s.a.ice, s.wire.now);
    CHECK(ln_ice_next_timeout(s.a.ice) > s.wire.now);
    while (ln_ice_poll_transmit(s.a.ice, s.wire.now, &out) == 1)
        sent++;
    CHECK_EQUAL(sent, 1); /* one consent check, not three */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    s.wire.now += LN_SECONDS(60);
    ln_ice_on_timeout(s.a.ice, s.wire.now);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

LN_TEST(agent, allocates_nothing_once_it_is_connected)
{
    uint64_t before;

    lan();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    s.wire.turn = NULL;
    agents_run(&s, LN_SECONDS(60));
    before = test_allocator()->allocations;
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(test_allocator()->allocations, before);
    agents_free(&s);
}
