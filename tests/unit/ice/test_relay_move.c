/* SPDX-License-Identifier: Apache-2.0
 * Relays that go on from another address (RFC 8016), by this tree's own server: what passes, how
 * long nothing did, and that the peer noticed nothing. */
#include "base/address.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "tests/unit/ice/agents.h"
#include "tests/unit/ice/turn_host.h"

#define EVERY LN_MILLISECONDS(20) /* data, as sound has it */

/* A side that sends and counts. */
struct caller {
    struct side *side;
    bool talks, due;
    ln_time next_at, heard_at;
    ln_duration gap; /* the longest between two that came, since talk() */
};

static struct agents s;
static struct caller callers[2];
static struct ln_env server_env;
static struct turn_host host;
static bool forbidden;

#define SERVER(url_, over)                                                                         \
    {                                                                                              \
        .url = url_, .host = "203.0.113.1", .relays = true, .username = "alice",                   \
        .password = "secret", .transport = over                                                    \
    }
static const struct ln_ice_server_address over_udp = SERVER("turn:203.0.113.1", LN_ICE_OVER_UDP);
static const struct ln_ice_server_address over_tcp = SERVER("turn:203.0.113.1?transport=tcp",
                                                            LN_ICE_OVER_TCP);

/* --- callers -------------------------------------------------------------------------------- */

static void count(struct caller *c, ln_time now, const struct ln_packet *packet)
{
    ln_ice_count_received(c->side->ice, now, &packet->path, 1, packet->len);
    c->gap = ln_time_max(c->gap, now - c->heard_at);
    c->heard_at = now;
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct caller *c = object;
    int result = ln_ice_unwrap(c->side->ice, now, packet);

    while (result == 1) {
        count(c, now, packet);
        result = ln_ice_unwrap_more(c->side->ice, now, packet);
    }
}

static void on_timeout(void *object, ln_time now)
{
    struct caller *c = object;

    if (c->talks && now >= c->next_at) {
        c->due = true;
        c->next_at = now + EVERY;
    }
    ln_ice_on_timeout(c->side->ice, now);
}

static ln_time next_timeout(const void *object)
{
    const struct caller *c = object;
    ln_time next = ln_ice_next_timeout(c->side->ice);

    return c->talks ? ln_time_min(next, c->next_at) : next;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct caller *c = object;
    int n = ln_ice_poll_transmit(c->side->ice, now, out);
    struct ln_path path;
    size_t head;

    if (n != 0 || !c->due)
        return n;
    c->due = false;
    if (!ln_ice_send_path(c->side->ice, &path))
        return 0;
    ln_transmit_begin(out);
    out->path = path;
    head = ln_ice_headroom(c->side->ice, &path);
    memset(out->data + head, 0x80, 100);
    out->len = head + 100;
    if (ln_ice_wrap(c->side->ice, now, out) != 1)
        return 0;
    ln_ice_count_sent(c->side->ice, now, &path, 1, 100);
    return 1;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    return ln_ice_poll_request(((struct caller *)object)->side->ice, ret_request);
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    ln_ice_answer(((struct caller *)object)->side->ice, now, a);
}

static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                            poll_transmit, poll_request, answer };

static void talk(void)
{
    for (size_t i = 0; i < 2; i++) {
        callers[i].talks = true;
        callers[i].next_at = s.wire.now;
        callers[i].heard_at = s.wire.now;
        callers[i].gap = 0;
    }
}

/* --- set-up --------------------------------------------------------------------------------- */

/* Both sides behind NATs that let in only whom they sent to. False: no memory, in the sweep. */
static bool set_up(const struct ln_ice_server_address *address, enum ln_ice_transport_policy of)
{
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    s.a.config.servers = s.b.config.servers = address;
    s.a.config.server_count = s.b.config.server_count = 1;
    s.a.config.policy = s.b.config.policy = of;
    if (!agents_create(&s))
        return false;
    for (size_t i = 0; i < 2; i++) {
        callers[i] = (struct caller){ .side = i == 0 ? &s.a : &s.b };
        s.wire.nodes[callers[i].side->node].endpoint = (struct ln_endpoint){ &ops, &callers[i] };
    }
    server_env = *test_env();
    if (ln_crypto_create(&server_env.crypto, test_env()->allocator) != 0)
        return false;
    turn_host_start(&host, &s.wire, &server_env, forbidden);
    agents_run(&s, LN_MILLISECONDS(1)); /* it listens */
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
    return true;
}

static bool connected(const struct ln_ice_server_address *address, enum ln_ice_transport_policy of)
{
    if (!set_up(address, of))
        return false;
    agents_start(&s);
    if (!agents_complete(&s, LN_SECONDS(5)))
        return false;
    talk();
    agents_run(&s, LN_SECONDS(8)); /* standby pairs too */
    return true;
}

static void tear_down(void)
{
    agents_free(&s);
    turn_host_stop(&host);
    ln_crypto_free(server_env.crypto);
    server_env.crypto = NULL;
}

/* The NAT before the side has another public address and forgets its mappings. */
static void rebind(const struct side *side, const char *ip)
{
    size_t kept = 0;

    for (size_t i = 0; i < s.wire.map_count; i++)
        if (s.wire.maps[i].node != side->node)
            s.wire.maps[kept++] = s.wire.maps[i];
    s.wire.map_count = kept;
    CHECK(ln_address_parse(ip, &s.wire.nodes[side->node].nat_address) == 0);
}

static struct ln_turn_counts counts(void)
{
    struct ln_turn_counts counts;

    ln_turn_server_counts(host.server, &counts);
    return counts;
}

/* Sound flows both ways, and at no time nothing came for longer than this. */
static void check_gaps(ln_duration most)
{
    for (size_t i = 0; i < 2; i++) {
        CHECK(callers[i].gap > 0 && callers[i].gap <= most);
        CHECK(s.wire.now - callers[i].heard_at <= 2 * EVERY);
    }
}

static bool relayed(const struct side *side)
{
    struct ln_ice_pair_info pair = side_selected(side);

    return pair.path.local.ip[0] == 203 || pair.path.remote.ip[0] == 203;
}

/* --- a new mapping -------------------------------------------------------------------------- */

LN_TEST(relay_move, sound_flows_on_by_the_same_relay_when_the_nat_rebinds)
{
    for (int of_b = 0; of_b < 2; of_b++) {
        unsigned selected;

        CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
        selected = s.a.selected_events + s.b.selected_events;
        talk();
        for (int i = 0; i < 3; i++) {
            const char *ips[3] = { "198.51.100.11", "198.51.100.12", "198.51.100.13" };

            rebind(of_b ? &s.b : &s.a, ips[i]);
            agents_run(&s, LN_SECONDS(3));
            CHECK_EQUAL(counts().moved, (uint64_t)i + 1);
        }
        check_gaps(LN_MILLISECONDS(500)); /* 200 of silence, the nonce, the move, the journey */
        CHECK_EQUAL(s.a.selected_events + s.b.selected_events, selected);
        CHECK_EQUAL(counts().allocations, 2);
        CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
        CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
        CHECK(!side_was(&s.b, LN_ICE_CONNECTION_STATE_DISCONNECTED));
        tear_down();
    }
}

/* Nobody on the direct path can know where the other went: what comes from a new address is not let
 * in. A relay that is kept warm carries on. */
LN_TEST(relay_move, a_warm_relay_carries_on_within_a_second_when_both_sides_filter)
{
    for (int of_b = 0; of_b < 2; of_b++) {
        CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_ALL));
        CHECK(!relayed(&s.a) && !relayed(&s.b));
        talk();
        rebind(of_b ? &s.b : &s.a, "198.51.100.11");
        agents_run(&s, LN_SECONDS(4));
        check_gaps(LN_SECONDS(1));
        CHECK(relayed(&s.a) && relayed(&s.b));
        CHECK(counts().moved >= 1);
        CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
        CHECK(!side_was(&s.b, LN_ICE_CONNECTION_STATE_DISCONNECTED));
        rebind(of_b ? &s.b : &s.a, "198.51.100.12"); /* and again, on the relay now */
        agents_run(&s, LN_SECONDS(4));
        check_gaps(LN_SECONDS(1));
        tear_down();
    }
}

LN_TEST(relay_move, an_idle_connection_is_moved_before_its_consent_ends)
{
    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    callers[0].talks = callers[1].talks = false;
    agents_run(&s, LN_SECONDS(30));
    rebind(&s.a, "198.51.100.11");
    agents_run(&s, LN_SECONDS(28)); /* two checks of consent go out for nothing */
    CHECK(counts().moved >= 1);
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    talk();
    agents_run(&s, LN_SECONDS(1));
    check_gaps(2 * EVERY);
    tear_down();
}

LN_TEST(relay_move, nothing_is_sent_to_a_server_that_is_heard_or_when_all_is_still)
{
    uint64_t requests;

    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    agents_run(&s, LN_SECONDS(60));
    requests = counts().requests;
    agents_run(&s, LN_SECONDS(100)); /* a permission lives 300 s */
    callers[0].talks = callers[1].talks = false;
    agents_run(&s, LN_SECONDS(100));
    CHECK(counts().requests - requests <= 2 * 2); /* permissions and channels, kept alive */
    CHECK_EQUAL(counts().tickets_replayed, 0);
    tear_down();
}

/* The other side is gone, and the server is there: it is asked once a silence. */
LN_TEST(relay_move, a_peer_that_is_silent_moves_nothing)
{
    uint64_t requests;

    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    callers[1].talks = false;
    s.wire.nodes[s.b.node].stopped = true;
    requests = counts().requests;
    agents_run(&s, LN_SECONDS(8));
    CHECK_EQUAL(counts().moved, 0);
    CHECK(counts().requests - requests <= 8);
    s.wire.nodes[s.b.node].stopped = false;
    talk();
    agents_run(&s, LN_SECONDS(2));
    CHECK(s.wire.now - callers[0].heard_at <= 2 * EVERY);
    tear_down();
}

LN_TEST(relay_move, a_stream_that_lost_its_mapping_is_made_anew)
{
    CHECK(connected(&over_tcp, LN_ICE_TRANSPORT_POLICY_RELAY));
    talk();
    wire_mute_streams(&s.wire); /* of both sides */
    agents_run(&s, LN_SECONDS(4));
    CHECK_EQUAL(counts().moved, 2);
    CHECK_EQUAL(counts().allocations, 2);
    check_gaps(LN_SECONDS(1)); /* 200 of silence, 300 for an answer, the stream, the move */
    tear_down();
}

LN_TEST(relay_move, a_stream_that_breaks_is_made_anew_at_once)
{
    CHECK(connected(&over_tcp, LN_ICE_TRANSPORT_POLICY_RELAY));
    talk();
    for (int i = 0; i < 3; i++) {
        wire_break_streams(&s.wire);
        agents_run(&s, LN_SECONDS(2));
    }
    CHECK_EQUAL(counts().allocations, 2);
    CHECK_EQUAL(counts().moved, 6);
    check_gaps(LN_MILLISECONDS(700));
    tear_down();
}

/* --- another interface ----------------------------------------------------------------------- */

LN_TEST(relay_move, goes_on_from_another_interface_when_its_own_goes)
{
    const struct ln_ice_server_address *all[2] = { &over_udp, &over_tcp };

    for (size_t i = 0; i < 2; i++) {
        CHECK(set_up(all[i], LN_ICE_TRANSPORT_POLICY_RELAY));
        wire_interface(&s.wire, s.a.node, "10.0.1.2");
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(5)));
        talk();
        agents_run(&s, LN_SECONDS(8));
        talk();
        wire_remove_interface(&s.wire, s.a.node, "10.0.0.2");
        agents_run(&s, LN_SECONDS(2));
        check_gaps(LN_MILLISECONDS(300));
        CHECK(counts().moved >= 1);
        CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
        tear_down();
    }
}

LN_TEST(relay_move, waits_for_an_interface_that_comes_after_the_only_one_went)
{
    const struct ln_ice_server_address *all[2] = { &over_udp, &over_tcp };

    for (size_t i = 0; i < 2; i++) {
        CHECK(connected(all[i], LN_ICE_TRANSPORT_POLICY_RELAY));
        talk();
        wire_remove_interface(&s.wire, s.a.node, "10.0.0.2");
        agents_run(&s, LN_SECONDS(5));
        CHECK_EQUAL(counts().moved, 0);
        wire_interface(&s.wire, s.a.node, "10.0.1.2");
        agents_run(&s, LN_SECONDS(2));
        CHECK_EQUAL(counts().moved, 1); /* no restart, no signalling */
        check_gaps(LN_MILLISECONDS(5300));
        tear_down();
    }
}

LN_TEST(relay_move, is_given_up_when_no_interface_comes)
{
    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    wire_remove_interface(&s.wire, s.a.node, "10.0.0.2");
    agents_run(&s, LN_SECONDS(9));
    CHECK(ln_ice_state(s.a.ice) != LN_ICE_CONNECTION_STATE_FAILED);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    tear_down();
}

LN_TEST(relay_move, an_agent_closed_on_the_way_leaves_no_socket)
{
    const struct ln_ice_server_address *all[2] = { &over_udp, &over_tcp };

    for (size_t i = 0; i < 2; i++)
        for (ln_duration after = 0; after < LN_MILLISECONDS(100); after += LN_MILLISECONDS(5)) {
            CHECK(connected(all[i], LN_ICE_TRANSPORT_POLICY_RELAY));
            wire_remove_interface(&s.wire, s.a.node, "10.0.0.2");
            wire_interface(&s.wire, s.a.node, "10.0.1.2");
            agents_run(&s, after);
            ln_ice_close(s.a.ice);
            agents_run(&s, LN_MILLISECONDS(100));
            for (size_t k = 0; k < s.wire.link_count; k++)
                CHECK(!s.wire.links[k].open || s.wire.links[k].node != s.a.node);
            tear_down();
        }
}

/* --- tickets that are not taken --------------------------------------------------------------- */

LN_TEST(relay_move, an_allocation_that_is_lost_is_made_anew_by_itself)
{
    struct ln_turn_config config = { .listen_count = 0 };
    size_t candidates = 0;
    struct ln_ice_candidate_info info;

    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    talk();
    config.credentials = host.credentials;
    config.policy = &host.policy;
    config.no_mobility = true; /* from now on: 405 */
    ln_turn_server_reload(host.server, &config);
    rebind(&s.a, "198.51.100.11");
    agents_run(&s, LN_SECONDS(4));
    CHECK_EQUAL(counts().moved, 0);
    CHECK_EQUAL(counts().allocations, 3);
    for (size_t i = 0; ln_ice_local_candidate(s.a.ice, i, &info); i++)
        candidates += info.candidate.type == LN_CANDIDATE_RELAY;
    CHECK_EQUAL(candidates, 2);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_FAILED));
    check_gaps(LN_SECONDS(2));
    tear_down();
}

LN_TEST(relay_move, without_tickets_a_new_mapping_costs_a_new_allocation)
{
    forbidden = true;
    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_RELAY));
    forbidden = false;
    talk();
    rebind(&s.a, "198.51.100.11");
    agents_run(&s, LN_SECONDS(3));
    CHECK_EQUAL(counts().allocations, 3);
    check_gaps(LN_SECONDS(1));
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_FAILED));
    tear_down();
}

/* What comes from the new relayed address is let in where the other side has a relay as well. */
LN_TEST(relay_move, without_tickets_another_allocation_carries_on_when_both_sides_filter)
{
    forbidden = true;
    CHECK(connected(&over_udp, LN_ICE_TRANSPORT_POLICY_ALL));
    forbidden = false;
    CHECK(!relayed(&s.a) && !relayed(&s.b));
    talk();
    for (int i = 0; i < 3; i++) {
        const char *ips[3] = { "198.51.100.11", "198.51.100.12", "198.51.100.13" };

        rebind(&s.a, ips[i]);
        agents_run(&s, LN_SECONDS(4));
        check_gaps(LN_SECONDS(1));
    }
    tear_down();
}

LN_TEST(relay_move, without_tickets_a_stream_that_breaks_is_lost)
{
    forbidden = true;
    CHECK(connected(&over_tcp, LN_ICE_TRANSPORT_POLICY_RELAY));
    forbidden = false;
    CHECK_EQUAL(counts().errors, 2); /* each side was told once: 405 */
    wire_break_streams(&s.wire);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    tear_down();
}
