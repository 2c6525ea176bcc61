/* SPDX-License-Identifier: Apache-2.0
 * Interfaces that come and go in a call, and pairs that take another's place. */
#include "tests/support/turn_double.h"
#include "tests/unit/ice/agents.h"

static struct agents s;
static struct turn_double server;

static const struct ln_ice_server_address turn = { .url = "turn:203.0.113.1",
                                                   .host = "203.0.113.1",
                                                   .relays = true,
                                                   .username = "user",
                                                   .password = "secret" };

/* a has two interfaces when `both`, b one. */
static void connected(bool both)
{
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    if (both)
        wire_interface(&s.wire, s.a.node, "192.168.1.4");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
}

/* Both send every 20 ms for so long; how long a heard nothing of b, at most, and b of a. */
static ln_duration gap_a, gap_b;

static void flow_one_way(struct side *from, struct side *to, ln_time *heard, ln_duration *gap)
{
    struct ln_path path, back;
    struct ln_packet packet = { 0 };
    uint8_t data[8] = { 0x80 };

    if (!ln_ice_send_path(from->ice, &path))
        return;
    for (size_t i = 0; i < s.wire.link_count; i++)
        if (s.wire.links[i].open && s.wire.links[i].node == to->node &&
            ln_address_equal(&s.wire.links[i].local, &path.remote)) {
            back = (struct ln_path){ s.wire.links[i].link, path.remote, path.local };
            packet.data = data;
            packet.len = sizeof data;
            packet.path = back;
            if (ln_ice_unwrap(to->ice, s.wire.now, &packet) != 1)
                return;
            ln_ice_count_received(to->ice, s.wire.now, &packet.path, 1, 8);
            if (s.wire.now - *heard > *gap)
                *gap = s.wire.now - *heard;
            *heard = s.wire.now;
        }
}

static void flow(ln_duration duration)
{
    ln_time end = s.wire.now + duration, heard_a = s.wire.now, heard_b = s.wire.now;

    gap_a = gap_b = 0;
    while (s.wire.now < end) {
        agents_run(&s, LN_MILLISECONDS(20));
        flow_one_way(&s.a, &s.b, &heard_b, &gap_b);
        flow_one_way(&s.b, &s.a, &heard_a, &gap_a);
    }
}

/* After a minute, when nothing is fresh but what is kept warm, the interface under the call goes.
 */
static void lose_the_interface_of(struct side *side)
{
    struct ln_ice_pair_info before;
    char ip[LN_ADDRESS_TEXT_MAX];

    flow(LN_SECONDS(60));
    before = side_selected(side);
    wire_remove_interface(&s.wire, side->node, ln_address_format_ip(&before.path.local, ip));
    flow(LN_SECONDS(2));
    CHECK(gap_a < LN_MILLISECONDS(300) && gap_b < LN_MILLISECONDS(300));
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_FAILED));
    CHECK(!side_was(&s.b, LN_ICE_CONNECTION_STATE_FAILED));
    agents_run(&s, LN_SECONDS(120));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

/* How many pairs beside the selected one are asked for consent. */
static unsigned kept_warm(void)
{
    struct ln_ice_pair_info info;
    unsigned kept = 0;

    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        kept += !info.selected && info.consent_requests_sent > 0;
    return kept;
}

LN_TEST(standby, one_pair_of_each_interface_is_kept_warm_and_one_beside_the_selected)
{
    for (uint32_t other = 1; other <= 2; other++) { /* the interface of the last two addresses */
        agents_init(&s);
        s.wire.delay = LN_MILLISECONDS(20); /* all are answered before one is chosen */
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "192.168.1.2");
        wire_interface(&s.wire, s.a.node, "192.168.1.4");
        wire_interface(&s.wire, s.a.node, "192.168.1.6");
        wire_interface(&s.wire, s.a.node, "192.168.1.8");
        for (size_t i = 0; i < 4; i++)
            s.wire.nodes[s.a.node].interfaces[i].index = i < 2 ? 1 : other;
        wire_interface(&s.wire, s.b.node, "192.168.1.3");
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(3)));
        agents_run(&s, LN_SECONDS(60));
        CHECK_EQUAL(kept_warm(), other);
        agents_free(&s);
    }
}

static size_t pairs_of(const struct side *side)
{
    struct ln_ice_pair_info info;
    size_t count = 0;

    while (ln_ice_pair(side->ice, count, &info))
        count++;
    return count;
}

LN_TEST(standby, pairs_that_did_nothing_are_let_go_at_rest_and_are_there_when_one_fails)
{
    static const char *const addresses[2][4] = {
        { "192.168.1.2", "192.168.1.4", "192.168.1.6", "192.168.1.8" },
        { "192.168.1.3", "192.168.1.5", "192.168.1.7", "192.168.1.9" },
    };

    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    CHECK(agents_create(&s));
    for (size_t i = 0; i < 4; i++) {
        wire_interface(&s.wire, s.a.node, addresses[0][i]);
        wire_interface(&s.wire, s.b.node, addresses[1][i]);
    }
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK_EQUAL(pairs_of(&s.a), 16);
    agents_run(&s, LN_SECONDS(60));
    CHECK(pairs_of(&s.a) < 12 && pairs_of(&s.b) < 12);
    for (size_t i = 0; i < 3; i++)
        wire_remove_interface(&s.wire, s.a.node, addresses[0][i]);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(pairs_of(&s.a), 16);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_FAILED));
    CHECK(!side_was(&s.b, LN_ICE_CONNECTION_STATE_FAILED));
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(standby, an_interface_that_goes_costs_less_than_300_ms_on_the_controlling_side)
{
    connected(true);
    lose_the_interface_of(&s.a);
}

LN_TEST(standby, an_interface_that_goes_costs_less_than_300_ms_on_the_controlled_side)
{
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    wire_interface(&s.wire, s.b.node, "192.168.1.5");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    lose_the_interface_of(&s.b);
}

LN_TEST(standby, an_interface_that_comes_in_a_call_carries_it_when_the_first_goes)
{
    size_t candidates;

    connected(false);
    candidates = s.a.candidate_count;
    flow(LN_SECONDS(5));
    wire_interface(&s.wire, s.a.node, "192.168.1.4");
    flow(LN_SECONDS(10));
    CHECK_EQUAL(s.a.candidate_count, candidates); /* the end of candidates was said */
    wire_remove_interface(&s.wire, s.a.node, "192.168.1.2");
    flow(LN_SECONDS(2));
    CHECK(gap_a < LN_MILLISECONDS(300) && gap_b < LN_MILLISECONDS(300));
    CHECK(side_selected(&s.a).nominated && side_selected(&s.a).path.local.ip[3] == 4);
    CHECK(side_selected(&s.b).nominated && side_selected(&s.b).path.remote.ip[3] == 4);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_FAILED));
    agents_free(&s);
}

LN_TEST(standby, an_interface_that_comes_after_the_only_one_went_recovers_the_call)
{
    connected(false);
    wire_remove_interface(&s.wire, s.a.node, "192.168.1.2");
    agents_run(&s, LN_MILLISECONDS(500));
    wire_interface(&s.wire, s.a.node, "192.168.1.4");
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    CHECK_EQUAL(side_selected(&s.b).path.remote.ip[3], 4);
    agents_free(&s);
}

static bool to_b(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                 size_t len)
{
    (void)wire;
    (void)data;
    (void)len;
    return (node == s.a.node || node == s.b.node) && path->remote.ip[0] != 203;
}

LN_TEST(standby, a_direct_path_that_opens_in_a_call_takes_over_from_the_relay)
{
    agents_init(&s);
    s.a.config.servers = s.b.config.servers = &turn;
    s.a.config.server_count = s.b.config.server_count = 1;
    s.wire.delay = LN_MILLISECONDS(10);
    s.wire.filter = to_b; /* a firewall lets only the server through */
    CHECK(agents_create(&s));
    turn_double_init(&server, test_env(), "203.0.113.1");
    wire_add(&s.wire, turn_double_endpoint(&server));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(side_selected(&s.a).path.remote.ip[0] == 203 ||
                    side_selected(&s.a).path.local.ip[0] == 203,
                1);
    agents_run(&s, LN_SECONDS(2));
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(3));
    CHECK_EQUAL(side_selected(&s.a).path.local.ip[0], 192);
    CHECK_EQUAL(side_selected(&s.a).path.remote.ip[0], 192);
    CHECK_EQUAL(side_selected(&s.b).path.remote.ip[0], 192);
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    agents_free(&s);
}

/* Others keep every pair warm by checks, and a connection without data is often silent. */
LN_TEST(standby, checks_alone_move_nothing)
{
    uint32_t pair;

    connected(true);
    agents_run(&s, LN_SECONDS(3));
    pair = side_selected(&s.a).id;
    agents_run(&s, LN_SECONDS(300));
    CHECK_EQUAL(side_selected(&s.a).id, pair);
    CHECK_EQUAL(ln_ice_selected_pair_changes(s.a.ice), 1);
    CHECK_EQUAL(ln_ice_selected_pair_changes(s.b.ice), 1);
    agents_free(&s);
}
