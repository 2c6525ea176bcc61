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
