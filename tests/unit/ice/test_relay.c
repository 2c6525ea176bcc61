/* SPDX-License-Identifier: Apache-2.0
 * Relayed candidates: gathering, racing, packing and unpacking, what a relay policy hides. */
#include "base/address.h"
#include "stun/framing.h"
#include "tests/support/turn_double.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s;
static struct turn_double servers[3];

#define SERVER(ip)                                                                                 \
    {                                                                                              \
        .url = "turn:" ip, .host = ip, .relays = true, .username = "user", .password = "secret"    \
    }
static const struct ln_ice_server_address addresses[3] = { SERVER("203.0.113.1"),
                                                           SERVER("203.0.113.2"),
                                                           SERVER("203.0.113.3") };
static const char *const ips[3] = { "203.0.113.1", "203.0.113.2", "203.0.113.3" };

/* Both sides behind NATs, with the first `count` servers. Change them before start(). */
static void set_up(enum wire_nat a, enum wire_nat b, size_t count)
{
    agents_init(&s);
    s.a.config.servers = s.b.config.servers = addresses;
    s.a.config.server_count = s.b.config.server_count = count;
    s.wire.delay = LN_MILLISECONDS(10);
    CHECK(agents_create(&s));
    for (size_t i = 0; i < count; i++) {
        turn_double_init(&servers[i], test_env(), ips[i]);
        wire_add(&s.wire, turn_double_endpoint(&servers[i]));
    }
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    wire_interface(&s.wire, s.b.node, "10.1.0.2");
    wire_set_nat(&s.wire, s.a.node, 1, a, "198.51.100.1");
    wire_set_nat(&s.wire, s.b.node, 2, b, "198.51.100.2");
}

/* The same, as only relayed candidates are allowed. */
static void only_relays(size_t count)
{
    set_up(WIRE_NAT_PORT_RESTRICTED, WIRE_NAT_PORT_RESTRICTED, count);
    CHECK(ln_ice_set_servers(s.a.ice, addresses, count, LN_ICE_TRANSPORT_POLICY_RELAY) == 0);
    CHECK(ln_ice_set_servers(s.b.ice, addresses, count, LN_ICE_TRANSPORT_POLICY_RELAY) == 0);
}

static struct ln_ice_candidate_info local_of(const struct side *side)
{
    struct ln_ice_pair_info pair = side_selected(side);
    struct ln_ice_candidate_info info;

    for (size_t i = 0; ln_ice_local_candidate(side->ice, i, &info); i++)
        if (info.id == pair.local_id)
            return info;
    CHECK(!"the pair's local candidate is listed");
    return info;
}

static size_t candidates_of_type(const struct side *side, enum ln_candidate_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < side->candidate_count; i++)
        count += side->candidates[i].type == type;
    return count;
}

LN_TEST(relay, connects_two_symmetric_nats)
{
    struct ln_ice_candidate_info info;

    set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 1);
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(3)));
    agents_run(&s, LN_SECONDS(10));
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    info = local_of(&s.a);
    if (info.candidate.type != LN_CANDIDATE_RELAY)
        info = local_of(&s.b); /* one relay is enough */
    CHECK_EQUAL(info.candidate.type, LN_CANDIDATE_RELAY);
    CHECK_TEXT(info.url, "turn:203.0.113.1");
    CHECK_TEXT(info.relay_protocol, "udp");
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 1);
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_SRFLX), 1); /* the same server told it */
    agents_free(&s);
}

LN_TEST(relay, is_not_taken_where_a_direct_path_comes_a_little_later)
{
    set_up(WIRE_NAT_PORT_RESTRICTED, WIRE_NAT_PORT_RESTRICTED, 1);
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(3)));
    agents_run(&s, LN_SECONDS(5));
    CHECK(local_of(&s.a).candidate.type != LN_CANDIDATE_RELAY);
    CHECK(local_of(&s.b).candidate.type != LN_CANDIDATE_RELAY);
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    agents_free(&s);
}

/* --- what a policy hides -------------------------------------------------------------------- */

static void check_hidden(const struct ln_candidate *c)
{
    char text[LN_CANDIDATE_TEXT_MAX];

    CHECK(ln_candidate_write(c, text, sizeof text) > 0);
    CHECK(!strstr(text, "10.0.0.2") && !strstr(text, "10.1.0.2") && !strstr(text, "198.51.100."));
}

static void check_side(struct side *side)
{
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair;

    CHECK(side->candidate_count > 0);
    for (size_t i = 0; i < side->candidate_count; i++) {
        CHECK_EQUAL(side->candidates[i].type, LN_CANDIDATE_RELAY);
        CHECK_EQUAL(side->candidates[i].related.port, 9);
        check_hidden(&side->candidates[i]);
    }
    for (size_t i = 0; ln_ice_local_candidate(side->ice, i, &info); i++)
        check_hidden(&info.candidate);
    for (size_t i = 0; ln_ice_remote_candidate(side->ice, i, &info); i++)
        check_hidden(&info.candidate);
    for (size_t i = 0; ln_ice_pair(side->ice, i, &pair); i++)
        CHECK(pair.path.local.ip[0] == 203 && pair.path.remote.ip[0] == 203);
}

static bool host_to_host(struct wire *wire, int node, const struct ln_path *path,
                         const uint8_t *data, size_t len)
{
    (void)wire;
    (void)data;
    (void)len;
    if (node == s.a.node || node == s.b.node)
        CHECK(path->remote.ip[0] == 203 && path->remote.port == 3478);
    return false;
}

LN_TEST(relay, policy_tells_no_address_of_the_host_to_anybody)
{
    only_relays(1);
    s.wire.filter = host_to_host;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(60));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    check_side(&s.a);
    check_side(&s.b);
    CHECK_EQUAL(s.a.error_events, 0);
    agents_free(&s);
}

LN_TEST(relay, policy_hides_the_host_in_errors_too)
{
    only_relays(1);
    servers[0].silent = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(12));
    CHECK(s.a.gathered && s.a.candidate_count == 0);
    CHECK_EQUAL(s.a.error_events, 1);
    CHECK_EQUAL(s.a.last_error.error.code, 701);
    CHECK_EQUAL(s.a.last_error.error.address.family, LN_FAMILY_NONE);
    agents_free(&s);
}

/* --- several servers ------------------------------------------------------------------------ */

LN_TEST(relay, a_dead_server_among_others_costs_nothing)
{
    ln_time begin;

    set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 3);
    servers[0].silent = servers[2].silent = true;
    begin = s.wire.now;
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(1)));
    CHECK(agents_complete(&s, LN_SECONDS(10)));
    CHECK(s.a.gathered && s.b.gathered);
    CHECK_EQUAL(s.a.error_events, 2); /* each has its reason */
    CHECK(s.wire.now - begin <= LN_SECONDS(3));
    agents_free(&s);
}

LN_TEST(relay, reports_why_a_server_gave_no_address)
{
    static const uint16_t codes[] = { 403, 437, 441, 486, 508 };

    for (size_t i = 0; i < 5; i++) {
        set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 1);
        servers[0].refuse_allocate = codes[i];
        agents_start(&s);
        agents_run(&s, LN_SECONDS(2));
        CHECK(s.a.gathered);
        CHECK_EQUAL(s.a.last_error.error.code, codes[i]);
        CHECK_TEXT(s.a.last_error.error.url, "turn:203.0.113.1");
        CHECK(strlen(s.a.last_error.error.text) > 10);
        agents_free(&s);
    }
}

/* RFC 8445, 5.1.1.2; under the relay policy it is of no use. */
LN_TEST(relay, a_server_without_one_to_give_tells_at_least_how_it_sees_us)
{
    static const uint16_t codes[] = { 486, 508, 403 };

    for (size_t i = 0; i < 4; i++) {
        if (i < 3)
            set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 1);
        else
            only_relays(1);
        servers[0].refuse_allocate = codes[i % 3];
        agents_start(&s);
        agents_run(&s, LN_SECONDS(2));
        CHECK(s.a.gathered);
        CHECK_EQUAL(s.a.last_error.error.code, codes[i % 3]);
        CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_SRFLX), i < 2);
        agents_free(&s);
    }
}

/* RFC 8656, 7.4: somebody else had our port at the NAT. */
LN_TEST(relay, is_asked_for_from_two_other_ports_when_ours_is_taken_for_anothers)
{
    for (unsigned refusals = 2; refusals < 4; refusals++) {
        set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 1);
        CHECK(ln_ice_set_servers(s.b.ice, addresses, 0, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
        servers[0].refuse_allocate = 437;
        servers[0].refusals = refusals;
        agents_start(&s);
        agents_run(&s, LN_SECONDS(2));
        CHECK(s.a.gathered);
        CHECK_EQUAL(servers[0].allocates, 3);
        CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), refusals == 2);
        CHECK_EQUAL(s.a.error_events, refusals - 2);
        if (refusals == 3)
            CHECK_EQUAL(s.a.last_error.error.code, 437);
        agents_free(&s);
    }
}

LN_TEST(relay, follows_to_another_server_but_not_in_circles)
{
    set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 3);
    CHECK(ln_ice_set_servers(s.a.ice, addresses, 1, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    CHECK(ln_ice_set_servers(s.b.ice, addresses, 0, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    CHECK(ln_address_parse("203.0.113.2:3478", &servers[0].alternate) == 0);
    CHECK(ln_address_parse("203.0.113.3:3478", &servers[1].alternate) == 0);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 1);
    CHECK_EQUAL(s.a.candidates[s.a.candidate_count - 1].address.ip[3], 3);
    agents_free(&s);
    set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 2);
    CHECK(ln_ice_set_servers(s.a.ice, addresses, 1, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    CHECK(ln_ice_set_servers(s.b.ice, addresses, 0, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    CHECK(ln_address_parse("203.0.113.2:3478", &servers[0].alternate) == 0);
    CHECK(ln_address_parse("203.0.113.1:3478", &servers[1].alternate) == 0);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 0);
    CHECK_EQUAL(s.a.last_error.error.code, 300);
    CHECK_EQUAL(servers[0].allocates, 1);
    agents_free(&s);
}

LN_TEST(attack_29, a_server_does_not_send_us_into_our_own_network)
{
    static const char *const inside[] = { "10.0.0.9:3478", "127.0.0.1:3478", "169.254.0.1:3478",
                                          "203.0.113.2:22" };

    for (size_t i = 0; i < 4; i++) {
        set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 1);
        CHECK(ln_address_parse(inside[i], &servers[0].alternate) == 0);
        agents_start(&s);
        agents_run(&s, LN_SECONDS(1));
        CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 0);
        CHECK_EQUAL(s.a.last_error.error.code, 300);
        agents_free(&s);
    }
}

/* --- data ----------------------------------------------------------------------------------- */

static uint8_t memory[LN_TRANSMIT_BYTES_MAX];

/* `count` datagrams of `len` bytes for the selected path of a, as the driver would send them. */
static struct ln_transmit write_data(size_t count, size_t len)
{
    struct ln_transmit out = { .data = memory, .cap = sizeof memory };
    size_t head, i;

    ln_transmit_begin(&out);
    CHECK(ln_ice_send_path(s.a.ice, &out.path));
    head = ln_ice_headroom(s.a.ice, &out.path);
    for (i = 0; i < count; i++) {
        memset(out.data + out.len + head, 0x80 + (int)i, len);
        out.len += head + len;
    }
    out.segment = count > 1 ? head + len : 0;
    CHECK_EQUAL(ln_ice_wrap(s.a.ice, s.wire.now, &out), 1);
    return out;
}

LN_TEST(relay, carries_data_with_one_channel_header_back_to_back)
{
    struct ln_transmit out;
    struct ln_path path;
    struct ln_bytes payload;
    uint16_t channel;

    only_relays(1);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(1));
    CHECK(ln_ice_send_path(s.a.ice, &path) && ln_ice_takes_trains(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_headroom(s.a.ice, &path), 4);
    out = write_data(10, 333);
    CHECK_EQUAL(out.len, 3370);
    CHECK_EQUAL(out.segment, 337);
    CHECK_EQUAL(out.path.remote.port, 3478); /* to the server, from our socket */
    CHECK_EQUAL(out.path.local.ip[0], 10);
    for (size_t i = 0; i < 10; i++) {
        CHECK(ln_channel_data_read(out.data + i * 337, 337, &channel, &payload) == 0);
        CHECK(payload.len == 333 && payload.data[0] == 0x80 + i && payload.data[332] == 0x80 + i);
    }
    agents_free(&s);
}

LN_TEST(relay, gives_the_datagram_of_the_peer_and_the_path_of_the_pair)
{
    struct ln_packet packet = { 0 };
    struct ln_ice_pair_info pair;
    uint8_t data[64] = { 0 };

    only_relays(1);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(1));
    pair = side_selected(&s.a);
    (void)write_data(1, 8); /* finds out the way to the server */
    {
        struct ln_transmit out = write_data(1, 8);

        packet.path = out.path;
        memcpy(data, out.data, out.len); /* the server would use the same channel */
        packet.data = data;
        packet.len = out.len;
    }
    CHECK_EQUAL(ln_ice_unwrap(s.a.ice, s.wire.now, &packet), 1);
    CHECK(packet.data == data + 4 && packet.len == 8);
    CHECK(ln_path_equal(&packet.path, &pair.path));
    ln_channel_data_write_header(data, 0x4fff, 8); /* a channel that is not ours */
    packet.data = data;
    packet.len = 12;
    packet.path = write_data(1, 8).path;
    CHECK(ln_ice_unwrap(s.a.ice, s.wire.now, &packet) < 0);
    CHECK(ln_ice_dropped(s.a.ice, LN_ICE_DROP_RELAY) > 0);
    agents_free(&s);
}

/* --- life ----------------------------------------------------------------------------------- */

LN_TEST(relay, is_given_back_when_the_agent_is_closed)
{
    only_relays(1);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(turn_double_allocated(&servers[0]), 2);
    ln_ice_close(s.a.ice);
    ln_ice_close(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(turn_double_allocated(&servers[0]), 0);
    for (size_t i = 0; i < s.wire.link_count; i++)
        CHECK(!s.wire.links[i].open || s.wire.links[i].node > s.b.node);
    agents_free(&s);
}

LN_TEST(relay, lives_for_hours_and_through_a_restart)
{
    uint32_t pair;

    only_relays(1);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(3 * 3600));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    pair = side_selected(&s.a).id;
    CHECK(ln_ice_restart(s.a.ice) == 0);
    CHECK(ln_ice_restart(s.b.ice) == 0);
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    CHECK(side_selected(&s.a).id != pair);
    CHECK_EQUAL(turn_double_allocated(&servers[0]), 2); /* the old ones were given back */
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    agents_free(&s);
}

LN_TEST(relay, that_forgot_us_fails_the_connection_with_its_reason)
{
    struct ln_ice_pair_info info;
    bool found = false;

    only_relays(1);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    memset(servers[0].allocations, 0, sizeof servers[0].allocations);
    agents_run(&s, LN_SECONDS(700));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        found = found || info.failure == LN_ICE_FAILURE_RELAY_GONE ||
                info.failure == LN_ICE_FAILURE_CONSENT;
    CHECK(found);
    agents_free(&s);
}

LN_TEST(relay, that_refuses_a_peer_fails_the_pair_with_its_reason)
{
    struct ln_ice_pair_info info;
    bool found = false;

    only_relays(1);
    servers[0].refuse_permission = 403;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(2));
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        found = found || info.failure == LN_ICE_FAILURE_RELAY_REFUSED;
    CHECK(found);
    agents_free(&s);
}

LN_TEST(relay, new_servers_serve_the_next_generation)
{
    set_up(WIRE_NAT_SYMMETRIC, WIRE_NAT_SYMMETRIC, 2);
    CHECK(ln_ice_set_servers(s.a.ice, addresses, 1, LN_ICE_TRANSPORT_POLICY_ALL) == 0);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(5));
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 1);
    CHECK(ln_ice_set_servers(s.a.ice, &addresses[1], 1, LN_ICE_TRANSPORT_POLICY_RELAY) == 0);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(candidates_of_type(&s.a, LN_CANDIDATE_RELAY), 1);
    s.a.candidate_count = s.a.signalled = 0;
    s.a.gathered = false;
    CHECK(ln_ice_restart(s.a.ice) == 0);
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(s.a.candidate_count, 1);
    CHECK_EQUAL(s.a.candidates[0].type, LN_CANDIDATE_RELAY);
    CHECK_EQUAL(s.a.candidates[0].address.ip[3], 2);
    agents_free(&s);
}
