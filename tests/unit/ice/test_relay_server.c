/* SPDX-License-Identifier: Apache-2.0
 * Relayed candidates by way of this tree's own TURN server, over UDP and over TCP in pieces of any
 * size, with the longer algorithm. */
#include "tests/unit/ice/agents.h"
#include "tests/unit/ice/turn_host.h"

static struct agents s;
static struct turn_host host;

static const struct ln_ice_server_address over_udp = { .url = "turn:203.0.113.1",
                                                       .host = "203.0.113.1",
                                                       .relays = true,
                                                       .username = "alice",
                                                       .password = "secret" };
static const struct ln_ice_server_address over_tcp = { .url = "turn:203.0.113.1?transport=tcp",
                                                       .host = "203.0.113.1",
                                                       .relays = true,
                                                       .transport = LN_ICE_OVER_TCP,
                                                       .username = "alice",
                                                       .password = "secret" };

/* Both sides behind NATs; nothing but the server is asked for. */
static void set_up(const struct ln_ice_server_address *address)
{
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    s.a.config.servers = s.b.config.servers = address;
    s.a.config.server_count = s.b.config.server_count = 1;
    s.a.config.policy = s.b.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    CHECK(agents_create(&s));
    turn_host_start(&host, &s.wire, test_env(), false);
    agents_run(&s, LN_MILLISECONDS(1)); /* it listens */
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
}

static void tear_down(void)
{
    agents_free(&s);
    turn_host_stop(&host);
}

LN_TEST(relay_server, carries_a_connection_over_udp)
{
    set_up(&over_udp);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(700)); /* refreshed */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    tear_down();
}

LN_TEST(relay_server, carries_a_connection_over_tcp_in_small_pieces)
{
    static const size_t pieces[] = { 5, 64, 1400 };

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct ln_ice_candidate_info info;

        set_up(&over_tcp);
        s.wire.stream_piece = pieces[i];
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(5)));
        CHECK(ln_ice_local_candidate(s.a.ice, 0, &info));
        CHECK_TEXT(info.relay_protocol, "tcp");
        agents_run(&s, LN_SECONDS(12)); /* consent on the stream */
        CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
        tear_down();
    }
}

/* ---- what ICMP says at the server (RFC 8656, 11.6) ---- */

/* Why the only pair of the first side has failed. */
static enum ln_ice_failure failure_of_pair(void)
{
    struct ln_ice_pair_info info;

    CHECK(ln_ice_pair(s.a.ice, 0, &info));
    CHECK(!ln_ice_pair(s.a.ice, 1, &info));
    return info.failure;
}

/* The first side checks an address where nobody is. */
static void check_nobody(const struct ln_ice_server_address *address, struct ln_icmp icmp,
                         enum ln_ice_failure failure)
{
    static const char line[] = "candidate:1 1 udp 2130706431 192.0.2.99 4000 typ host";

    set_up(address);
    s.hold_candidates_of_b = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    s.wire.icmp = icmp;
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, line, strlen(line)) == 0);
    agents_run(&s, LN_SECONDS(3)); /* long before it would be given up */
    CHECK_EQUAL(failure_of_pair(), failure);
    tear_down();
}

LN_TEST(relay_server, a_peer_that_icmp_says_is_not_there_fails_its_pair_with_the_reason)
{
    static const struct ln_icmp port = { .type = 3, .code = 3 }, way = { .type = 3, .code = 1 },
                                too_big = { .type = 3, .code = 4, .mtu = 576 };

    check_nobody(&over_udp, port, LN_ICE_FAILURE_NOBODY_LISTENS);
    check_nobody(&over_tcp, port, LN_ICE_FAILURE_NOBODY_LISTENS);
    check_nobody(&over_udp, way, LN_ICE_FAILURE_NO_WAY);
    check_nobody(&over_udp, too_big, LN_ICE_FAILURE_NONE); /* checks are not */
    check_nobody(&over_udp, (struct ln_icmp){ 0 }, LN_ICE_FAILURE_NONE);
    CHECK_TEXT(ln_ice_failure_sentence(LN_ICE_FAILURE_NOBODY_LISTENS),
               "the host there says that nobody listens at that port");
}

/* The same at each of the server's sockets about each of their addresses. */
static void forge_icmp(void)
{
    struct ln_endpoint e = ln_turn_server_endpoint(host.server);
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED, .icmp = { .type = 3, .code = 3 } };

    for (size_t i = 0; i < s.wire.link_count; i++)
        for (size_t k = 0; k < s.wire.link_count; k++)
            if (s.wire.links[i].node > s.b.node && s.wire.links[k].node > s.b.node) {
                answer.link = s.wire.links[i].link;
                answer.path = (struct ln_path){ answer.link, s.wire.links[i].local,
                                                s.wire.links[k].local };
                e.ops->answer(e.object, s.wire.now, &answer);
            }
}

LN_TEST(relay_server, icmp_ends_no_path_that_works)
{
    struct ln_turn_counts before, after;

    set_up(&over_udp);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    ln_turn_server_counts(host.server, &before);
    for (int i = 0; i < 60; i++) {
        forge_icmp();
        agents_run(&s, LN_SECONDS(1));
    }
    ln_turn_server_counts(host.server, &after);
    CHECK(after.icmp_told >= before.icmp_told + 60); /* they were told */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(side_selected(&s.a).failure, LN_ICE_FAILURE_NONE);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    tear_down();
}

LN_TEST(relay_server, gives_its_stream_back_when_the_agent_is_closed)
{
    set_up(&over_tcp);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    ln_ice_close(s.a.ice);
    ln_ice_close(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(100));
    for (size_t i = 0; i < s.wire.link_count; i++)
        CHECK(!s.wire.links[i].open || s.wire.links[i].node > s.b.node);
    tear_down();
}

/* The connect succeeds while the agent, closed, has not told yet that nobody wants it. */
LN_TEST(relay_server, gives_a_stream_back_that_opened_when_the_agent_was_closed)
{
    struct ln_answer answer = { .kind = LN_ANSWER_OPENED, .link = 999 };
    struct ln_request request;
    bool closed = false;

    set_up(&over_tcp);
    s.wire.streams_hang = true;
    agents_start(&s);
    agents_run(&s, LN_MILLISECONDS(100));
    ln_ice_close(s.a.ice);
    for (answer.id = 1; answer.id < 100; answer.id++) /* one of them is it */
        ln_ice_answer(s.a.ice, s.wire.now, &answer);
    while (ln_ice_poll_request(s.a.ice, &request) == 1)
        closed = closed || (request.kind == LN_REQUEST_CLOSE && request.link == 999);
    CHECK(closed);
    tear_down();
}

LN_TEST(relay_server, a_stream_that_breaks_fails_its_pairs_with_the_reason)
{
    struct ln_ice_pair_info info;
    bool found = false;

    set_up(&over_tcp);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    wire_break_streams(&s.wire);
    agents_run(&s, LN_MILLISECONDS(100));
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        found = found || info.failure == LN_ICE_FAILURE_RELAY_GONE;
    CHECK(found);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    tear_down();
}

LN_TEST(relay_server, that_is_not_there_or_never_answers_is_given_up_in_time)
{
    set_up(&over_tcp);
    s.wire.streams_hang = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(9));
    CHECK(!s.a.gathered);
    agents_run(&s, LN_SECONDS(1));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.last_error.error.code, 701);
    tear_down();
}
