/* SPDX-License-Identifier: Apache-2.0
 * An agent that is lite: it answers checks, sends none, and takes what the other side nominates;
 * two of them; and what a stranger makes it send. In most tests a is full and b is lite. */
#include "base/address.h"
#include "ice/agent.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

#define EVERY LN_MILLISECONDS(20) /* data, as sound has it */

static struct agents s;
static unsigned requests[2], stun[2]; /* sent by a and by b */

static bool is_stun(const uint8_t *data, size_t len)
{
    return len >= 20 && data[0] < 4;
}

static bool is_request(const uint8_t *data, size_t len)
{
    return is_stun(data, len) && data[0] == 0 && data[1] == 1;
}

static bool count_requests(struct wire *wire, int node, const struct ln_path *path,
                           const uint8_t *data, size_t len)
{
    (void)wire;
    (void)path;
    requests[node == s.b.node] += is_request(data, len);
    stun[node == s.b.node] += is_stun(data, len);
    return false;
}

static void begin(bool a_lite, bool b_lite)
{
    agents_init(&s);
    s.a.config.lite = a_lite;
    s.b.config.lite = b_lite;
    memset(requests, 0, sizeof requests);
    memset(stun, 0, sizeof stun);
    s.wire.filter = count_requests;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "203.0.113.2");
    wire_interface(&s.wire, s.b.node, "203.0.113.3");
}

static void connected(void)
{
    begin(false, true);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
}

/* --- with a full agent */

LN_TEST(lite, connects_with_a_full_agent_and_sends_no_check)
{
    struct ln_ice_pair_info pair;

    connected();
    agents_run(&s, LN_SECONDS(100));
    CHECK(requests[0] > 15); /* the other side asks for consent */
    CHECK_EQUAL(requests[1], 0);
    CHECK(stun[1] >= requests[0]);
    pair = side_selected(&s.b);
    CHECK(pair.nominated && pair.requests_sent == 0 && pair.requests_received > 15);
    CHECK_EQUAL(pair.responses_sent, pair.requests_received);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(s.b.selected_events, 1);
    agents_free(&s);
}

LN_TEST(lite, is_controlled_whatever_role_was_asked)
{
    begin(false, true);
    ln_ice_set_role(s.b.ice, true);
    ln_ice_set_role(s.a.ice, false);
    CHECK(!ln_ice_is_controlling(s.b.ice));
    agents_start(&s);
    CHECK(ln_ice_is_controlling(s.a.ice) && !ln_ice_is_controlling(s.b.ice));
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    agents_free(&s);
}

/* One that was not told controls after the first answer (RFC 8445, 7.2.5.1). */
LN_TEST(lite, answers_487_to_one_who_would_be_controlled)
{
    begin(false, true);
    s.a.config.controlling = false;
    ln_ice_set_role(s.a.ice, false);
    CHECK(ln_ice_set_remote(s.a.ice, ln_ice_local_ufrag(s.b.ice), ln_ice_local_pwd(s.b.ice), false,
                            "") == 0);
    CHECK(ln_ice_set_remote(s.b.ice, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice), false,
                            "") == 0);
    ln_ice_gather(s.a.ice);
    ln_ice_gather(s.b.ice);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK(ln_ice_is_controlling(s.a.ice) && !ln_ice_is_controlling(s.b.ice));
    CHECK_EQUAL(requests[1], 0);
    agents_free(&s);
}

LN_TEST(lite, connects_under_loss_in_every_seed)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        ln_rng_seed(test_env()->rng, seed);
        begin(false, true);
        wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_SYMMETRIC, "198.51.100.1");
        s.wire.loss_per_mille = 300;
        s.wire.jitter = LN_MILLISECONDS(20);
        agents_start(&s);
        CHECK(agents_connect(&s, LN_SECONDS(20)));
        CHECK_EQUAL(requests[1], 0);
        agents_free(&s);
    }
}

/* RFC 8838, appendix B: the checks are enough. */
LN_TEST(lite, needs_no_candidate_of_the_other_side)
{
    begin(false, true);
    s.hold_candidates_of_a = true;
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_PORT_RESTRICTED, "198.51.100.1");
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(3)));
    agents_free(&s);
}

LN_TEST(lite, gathers_host_candidates_alone)
{
    static const struct ln_ice_server_address server = { .url = "turn:203.0.113.9:3478",
                                                         .host = "203.0.113.9",
                                                         .relays = true,
                                                         .username = "u",
                                                         .password = "p" };

    agents_init(&s);
    s.b.config.lite = s.b.config.mdns_names = s.b.config.tcp = true;
    s.b.config.servers = &server;
    s.b.config.server_count = 1;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "203.0.113.2");
    wire_interface(&s.wire, s.b.node, "203.0.113.3");
    wire_interface(&s.wire, s.b.node, "2001:db8::3");
    CHECK(ln_ice_set_servers(s.b.ice, &server, 1, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK_EQUAL(s.b.candidate_count, 4); /* UDP and TCP, of two addresses */
    for (size_t i = 0; i < s.b.candidate_count; i++) {
        const struct ln_candidate *candidate = &s.b.candidates[i];

        CHECK_EQUAL(candidate->type, LN_CANDIDATE_HOST);
        CHECK(!candidate->name[0]);
        CHECK(candidate->protocol == LN_CANDIDATE_UDP ||
              candidate->tcp_type == LN_CANDIDATE_TCP_PASSIVE);
    }
    CHECK_EQUAL(s.b.error_events, 0);
    agents_free(&s);
}

LN_TEST(lite, tells_its_external_address_as_its_host_candidate)
{
    static const char *const external[] = { "198.51.100.7" };

    agents_init(&s);
    s.b.config.lite = true;
    s.b.config.externals = external;
    s.b.config.external_count = 1;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "203.0.113.2");
    wire_interface(&s.wire, s.b.node, "10.0.0.3");
    wire_set_nat(&s.wire, s.b.node, 1, WIRE_NAT_ONE_TO_ONE, "198.51.100.7");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK_EQUAL(s.b.candidate_count, 1);
    CHECK_EQUAL(s.b.candidates[0].type, LN_CANDIDATE_HOST);
    CHECK_EQUAL(s.b.candidates[0].address.ip[0], 198);
    agents_free(&s);
}

LN_TEST(lite, with_the_relay_policy_is_refused)
{
    agents_init(&s);
    s.a.config.lite = true;
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    CHECK_EQUAL(ln_ice_create(&s.a.ice, &s.a.config, test_env()), LN_ERR_INVALID_ARGUMENT);
}

LN_TEST(lite, connects_by_a_passive_tcp_candidate_where_no_udp_passes)
{
    agents_init(&s);
    s.a.config.tcp = s.b.config.tcp = s.b.config.lite = true;
    s.wire.filter = wire_drop_all;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "203.0.113.2");
    wire_interface(&s.wire, s.b.node, "203.0.113.3");
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(10)));
    CHECK(ln_ice_is_tcp(side_selected(&s.b).path.link));
    agents_free(&s);
}

LN_TEST(lite, fails_when_nobody_checks_it)
{
    begin(false, true);
    s.wire.filter = wire_drop_all;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(39));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_CHECKING);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

LN_TEST(lite, keeps_the_old_path_until_a_restart_has_a_new_one)
{
    struct ln_path path;
    uint32_t old;

    connected();
    old = side_selected(&s.b).id;
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    agents_run(&s, LN_SECONDS(20)); /* consent of the old path lives on by checks to its ufrag */
    CHECK(ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(side_selected(&s.b).id, old);
    agents_start(&s);
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_run(&s, LN_SECONDS(2));
    CHECK(side_selected(&s.b).id != old && side_selected(&s.a).nominated);
    CHECK(!ln_ice_is_controlling(s.b.ice));
    CHECK_EQUAL(requests[1], 0);
    agents_free(&s);
}

LN_TEST(lite, same_seed_gives_same_bytes)
{
    uint64_t hash[2];

    for (int i = 0; i < 2; i++) {
        ln_rng_seed(test_env()->rng, 42);
        begin(false, true);
        s.wire.loss_per_mille = 200;
        agents_start(&s);
        agents_run(&s, LN_SECONDS(20));
        hash[i] = s.wire.hash;
        agents_free(&s);
    }
    CHECK(hash[0] == hash[1]);
}

/* --- consent: it comes from checks of the other side */

static bool no_requests_of_a(struct wire *wire, int node, const struct ln_path *path,
                             const uint8_t *data, size_t len)
{
    (void)wire;
    (void)path;
    return node == s.a.node && is_request(data, len);
}

static void data_arrives(struct side *side)
{
    struct ln_path path = side_selected(side).path;

    ln_ice_count_received(side->ice, s.wire.now, &path, 1, 100);
    ln_ice_confirm(side->ice, s.wire.now, &path);
}

/* ATTACKS 13 */
LN_TEST(lite, sends_nothing_30s_after_the_last_check_whatever_else_arrives)
{
    struct ln_path path;

    connected();
    agents_run(&s, LN_SECONDS(10)); /* it has asked for consent by now */
    s.wire.filter = no_requests_of_a;
    for (int i = 0; i < 23; i++) {
        data_arrives(&s.b);
        agents_run(&s, LN_SECONDS(1));
    }
    CHECK(ln_ice_send_path(s.b.ice, &path));
    path = side_selected(&s.b).path;
    for (int i = 0; i < 8; i++) {
        ln_ice_count_received(s.b.ice, s.wire.now, &path, 1, 100);
        ln_ice_confirm(s.b.ice, s.wire.now, &path);
        agents_run(&s, LN_SECONDS(1));
    }
    CHECK(!ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

/* A full agent that slept has no consent of ours to lose. */
LN_TEST(lite, sends_again_when_checks_come_again)
{
    struct ln_path path;

    begin(false, true);
    s.a.config.consent = false;
    ln_ice_free(s.a.ice);
    CHECK(ln_ice_create(&s.a.ice, &s.a.config, test_env()) == 0);
    s.wire.nodes[s.a.node].endpoint = ln_ice_endpoint(s.a.ice);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    agents_run(&s, LN_SECONDS(10)); /* it has asked for consent by now */
    s.wire.nodes[s.a.node].stopped = true;
    agents_run(&s, LN_SECONDS(60));
    CHECK(!ln_ice_send_path(s.b.ice, &path));
    s.wire.nodes[s.a.node].stopped = false;
    agents_run(&s, LN_SECONDS(8));
    CHECK(ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(requests[1], 0);
    agents_free(&s);
}

/* libnice, for one: a full agent without consent (RFC 8445, 11: its keepalives are indications). */
LN_TEST(lite, sends_to_one_who_never_asks_while_data_is_answered)
{
    struct ln_path path;

    connected();
    s.wire.filter = no_requests_of_a; /* from the nomination on */
    for (int i = 0; i < 100; i++) {
        CHECK(ln_ice_send_path(s.b.ice, &path));
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 100);
        data_arrives(&s.b);
        agents_run(&s, LN_SECONDS(1));
    }
    agents_run(&s, LN_SECONDS(100)); /* idle */
    CHECK(ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    for (int i = 0; i < 29; i++) {
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 100);
        agents_run(&s, LN_SECONDS(1));
    }
    CHECK(ln_ice_send_path(s.b.ice, &path));
    agents_run(&s, LN_SECONDS(2));
    CHECK(!ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

/* --- strangers */

static struct ln_path at_b(const char *remote)
{
    struct ln_path path = side_selected(&s.b).path;

    CHECK(ln_address_parse(remote, &path.remote) == 0);
    return path;
}

static int feed(const struct ln_path *path, const void *data, size_t len)
{
    uint8_t copy[2048];
    struct ln_packet packet = { .data = copy, .len = len, .path = *path };

    memcpy(copy, data, len);
    return ln_ice_unwrap(s.b.ice, s.wire.now, &packet);
}

/* A check as a would send it. */
static size_t build_check(uint8_t *data, size_t cap, bool nominates)
{
    const char *pwd = ln_ice_local_pwd(s.b.ice);
    struct ln_stun_builder b;
    struct ln_stun_id id;
    char username[64];
    int len;

    ln_rng_bytes(test_env()->rng, &id, sizeof id);
    snprintf(username, sizeof username, "%s:%s", ln_ice_local_ufrag(s.b.ice),
             ln_ice_local_ufrag(s.a.ice));
    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 1845501695);
    ln_stun_add_u64(&b, LN_STUN_ICE_CONTROLLING, 1);
    if (nominates)
        ln_stun_add(&b, LN_STUN_USE_CANDIDATE, NULL, 0);
    ln_stun_add_integrity(&b, test_bytes(pwd));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return (size_t)len;
}

static bool b_sends_to(const struct ln_path *path)
{
    struct ln_path sending;

    return ln_ice_send_path(s.b.ice, &sending) && ln_path_equal(&sending, path);
}

/* ATTACKS 7: nothing is nominated, so nothing but the answer leaves. */
LN_TEST(lite, sends_only_the_answer_to_a_check_without_a_nomination)
{
    static const uint8_t dtls[16] = { 22, 254, 253 };
    struct ln_path good, path;
    uint8_t data[256];

    connected();
    good = side_selected(&s.b).path;
    path = at_b("203.0.113.66:6666");
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    stun[1] = 0;
    CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, false)), 0);
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), 1);
    agents_run(&s, LN_SECONDS(3));
    CHECK(b_sends_to(&good));
    CHECK(stun[1] >= 1 && requests[1] == 0);
    agents_free(&s);
}

/* ATTACKS 7: who saw a check repeats it from elsewhere, or who may send it forges its source. */
LN_TEST(lite, leaves_a_path_with_data_only_for_one_that_has_data_too)
{
    struct ln_path good, path;
    uint8_t data[256];

    connected();
    good = side_selected(&s.b).path;
    path = at_b("203.0.113.66:6666");
    for (int i = 0; i < 100; i++) {
        data_arrives(&s.b);
        CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, true)), 0);
        agents_run(&s, EVERY);
        CHECK(b_sends_to(&good));
    }
    ln_ice_count_received(s.b.ice, s.wire.now, &path, 1, 100);
    ln_ice_confirm(s.b.ice, s.wire.now, &path);
    agents_run(&s, EVERY);
    CHECK(b_sends_to(&path));
    agents_free(&s);
}

/* The other side moved, and has nothing to say: what we send shows that the old path is dead. */
LN_TEST(lite, follows_a_nomination_when_the_old_path_has_gone_quiet)
{
    struct ln_path good, path;
    uint8_t data[256];
    ln_time moved;

    connected();
    good = side_selected(&s.b).path;
    path = at_b("203.0.113.66:6666");
    for (int i = 0; i < 50; i++) {
        ln_ice_count_sent(s.b.ice, s.wire.now, &good, 1, 1000);
        data_arrives(&s.b);
        agents_run(&s, EVERY);
    }
    s.wire.nodes[s.a.node].stopped = true;
    CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, true)), 0);
    CHECK(b_sends_to(&good));
    moved = s.wire.now;
    while (b_sends_to(&good) && s.wire.now < moved + LN_SECONDS(9)) {
        ln_ice_count_sent(s.b.ice, s.wire.now, &good, 1, 1000);
        agents_run(&s, EVERY);
    }
    CHECK(b_sends_to(&path));
    CHECK(s.wire.now - moved <= LN_MILLISECONDS(400));
    agents_free(&s);
}

LN_TEST(lite, follows_a_nomination_when_the_old_path_was_silent_for_8s)
{
    struct ln_path good, path;
    uint8_t data[256];
    ln_time moved;

    connected();
    good = side_selected(&s.b).path;
    data_arrives(&s.b);
    path = at_b("203.0.113.66:6666");
    s.wire.nodes[s.a.node].stopped = true;
    moved = s.wire.now;
    CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, true)), 0);
    CHECK(b_sends_to(&good));
    agents_run(&s, LN_SECONDS(9));
    CHECK(b_sends_to(&path));
    CHECK(s.wire.now >= moved + LN_SECONDS(8));
    agents_free(&s);
}

/* A check that was repeated from elsewhere moved an idle connection: its owner takes it back. */
LN_TEST(lite, comes_back_to_the_path_on_which_data_comes)
{
    struct ln_path good, path;
    uint8_t data[256];

    connected();
    good = side_selected(&s.b).path;
    data_arrives(&s.b);
    path = at_b("203.0.113.66:6666");
    s.wire.nodes[s.a.node].stopped = true;
    CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, true)), 0);
    agents_run(&s, LN_SECONDS(9));
    CHECK(b_sends_to(&path));
    s.wire.nodes[s.a.node].stopped = false;
    agents_run(&s, LN_SECONDS(1));
    ln_ice_count_received(s.b.ice, s.wire.now, &good, 1, 100);
    ln_ice_confirm(s.b.ice, s.wire.now, &good);
    agents_run(&s, EVERY);
    CHECK(b_sends_to(&good));
    agents_free(&s);
}

LN_TEST(lite, is_not_called_disconnected_when_it_is_idle)
{
    connected();
    for (int i = 0; i < 20; i++) {
        struct ln_path path = side_selected(&s.b).path;

        data_arrives(&s.b);
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 100);
        agents_run(&s, LN_SECONDS(7));
    }
    CHECK(!side_was(&s.b, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    agents_free(&s);
}

/* Until the handshake has shown that somebody is there, an address cannot be flooded. */
LN_TEST(lite, sends_8_kib_and_three_times_what_came_to_an_address_that_showed_nothing)
{
    struct ln_path path;
    size_t sent = 0;

    connected();
    while (ln_ice_send_path(s.b.ice, &path) && sent < 1000000) {
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 1200);
        sent += 1200;
    }
    CHECK(sent <= LN_ICE_LITE_UNCONFIRMED + 1200);
    path = side_selected(&s.b).path;
    ln_ice_count_received(s.b.ice, s.wire.now, &path, 1, 1000);
    CHECK(ln_ice_send_path(s.b.ice, &path));
    while (ln_ice_send_path(s.b.ice, &path) && sent < 1000000) {
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 1200);
        sent += 1200;
    }
    CHECK(sent <= LN_ICE_LITE_UNCONFIRMED + 3000 + 2 * 1200);
    path = side_selected(&s.b).path;
    ln_ice_confirm(s.b.ice, s.wire.now, &path);
    CHECK(ln_ice_send_path(s.b.ice, &path));
    agents_free(&s);
}

/* ATTACKS 12 */
LN_TEST(lite, takes_no_answer_for_it_never_asked)
{
    uint8_t data[256];
    struct ln_path path;
    size_t len;
    int error;

    connected();
    path = side_selected(&s.b).path;
    len = build_check(data, sizeof data, true);
    data[0] = 1; /* a success response, with an integrity that is wrong by now */
    error = feed(&path, data, len);
    CHECK(error == LN_ERR_NOT_FOUND || error == LN_ERR_MALFORMED || error == LN_ERR_INTEGRITY);
    CHECK(side_selected(&s.b).nominated);
    agents_free(&s);
}

/* --- two of them */

LN_TEST(lite, two_choose_the_pair_from_their_candidates_and_send_no_check)
{
    struct ln_path path, of_a, of_b;

    begin(true, true);
    wire_interface(&s.wire, s.a.node, "2001:db8::2");
    wire_interface(&s.wire, s.b.node, "2001:db8::3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK(ln_ice_is_controlling(s.a.ice) && !ln_ice_is_controlling(s.b.ice));
    agents_run(&s, LN_SECONDS(100));
    CHECK_EQUAL(stun[0] + stun[1], 0);
    of_a = side_selected(&s.a).path;
    of_b = side_selected(&s.b).path;
    CHECK_EQUAL(of_a.remote.family, LN_FAMILY_IPV6);
    CHECK(ln_address_equal(&of_a.remote, &of_b.local));
    CHECK(ln_address_equal(&of_b.remote, &of_a.local));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED); /* idle is not silent */
    CHECK(ln_ice_send_path(s.a.ice, &path) && ln_ice_send_path(s.b.ice, &path));
    agents_free(&s);
}

LN_TEST(lite, two_take_data_from_the_pair_that_they_chose)
{
    static const uint8_t dtls[16] = { 22, 254, 253 };
    struct ln_path path;

    begin(true, true);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    path = side_selected(&s.b).path;
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), 1);
    path = at_b("203.0.113.66:6666");
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    agents_free(&s);
}

LN_TEST(lite, two_stop_when_nothing_authentic_came_for_30s)
{
    struct ln_path path;

    begin(true, true);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    data_arrives(&s.b);
    for (int i = 0; i < 29; i++) {
        CHECK(ln_ice_send_path(s.b.ice, &path));
        ln_ice_count_sent(s.b.ice, s.wire.now, &path, 1, 100);
        agents_run(&s, LN_SECONDS(1));
    }
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    agents_run(&s, LN_SECONDS(2));
    CHECK(!ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK_EQUAL(stun[0] + stun[1], 0);
    agents_free(&s);
}

LN_TEST(lite, two_restart_together)
{
    uint32_t old;

    begin(true, true);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    old = side_selected(&s.b).id;
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(5));
    CHECK(side_selected(&s.b).id != old);
    agents_free(&s);
}
