/* SPDX-License-Identifier: Apache-2.0
 * Relays of TCP that are flooded with peers, name connections that are not there, answer nothing or
 * rubbish, and peers that connect and say nothing: few streams, all of them closed in time. */
#include "base/address.h"
#include "ice/tcp.h"
#include "tests/support/stream_server.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s;
static struct stream_server server;

/* a has its two allocations; of the other side it knows this candidate. */
static void set_up(const char *candidate)
{
    agents_init(&s);
    stream_server_init(&server);
    s.wire.filter = wire_drop_all;
    s.a.config.tcp = true;
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    s.a.config.servers = &stream_server_relay;
    s.a.config.server_count = 1;
    CHECK(agents_create(&s));
    wire_add(&s.wire, stream_server_endpoint(&server));
    agents_run(&s, LN_MILLISECONDS(1));
    wire_interface(&s.wire, s.a.node, "198.51.100.1");
    CHECK(ln_ice_set_remote(s.a.ice, "ufrag", "passwordpasswordpassword", false, NULL) == 0);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, candidate, strlen(candidate)) == 0);
    ln_ice_gather(s.a.ice);
}

#define CALLER  "candidate:1 1 udp 1 198.51.100.66 4000 typ host"
#define PASSIVE "candidate:1 1 tcp 1 198.51.100.66 4000 typ host tcptype passive"

static void caller(void)
{
    set_up(CALLER);
    agents_run(&s, LN_MILLISECONDS(100));
    CHECK_EQUAL(server.allocates, 2); /* of UDP and of TCP */
    CHECK_EQUAL(stream_server_open(&server), 2);
}

static void attempt(const char *peer, uint32_t connection)
{
    struct ln_address address;

    CHECK(ln_address_parse(peer, &address) == 0);
    stream_server_attempt(&server, &address, connection);
}

/* And what comes of it. */
static void connects(const char *peer, uint32_t connection)
{
    attempt(peer, connection);
    agents_run(&s, LN_MILLISECONDS(50));
}

LN_TEST(tcp_relayed_attack, a_flood_of_peers_opens_few_streams_and_they_end)
{
    char peer[32];
    size_t most = 0;

    caller();
    for (int i = 0; i < 40; i++) {
        for (unsigned k = 0; k < 5; k++) {
            snprintf(peer, sizeof peer, "198.51.100.66:%d", 1000 + 5 * i + (int)k);
            attempt(peer, 5 * (uint32_t)i + k + 1);
        }
        agents_run(&s, LN_MILLISECONDS(50));
        if (stream_server_open(&server) > most)
            most = stream_server_open(&server);
    }
    CHECK_EQUAL(most, 2 + LN_ICE_TCP_UNPROVEN_MAX);
    CHECK(server.count < 2 + 3 * LN_ICE_TCP_UNPROVEN_MAX); /* in these 2 s */
    CHECK(ln_ice_dropped(s.a.ice, LN_ICE_DROP_TCP_STREAM) > 100);
    agents_run(&s, LN_SECONDS(11));
    CHECK_EQUAL(stream_server_open(&server), 2);
    connects("198.51.100.66:999", 999); /* and another is let in */
    CHECK_EQUAL(stream_server_bound(&server), 1);
    agents_free(&s);
}

LN_TEST(tcp_relayed_attack, peers_without_a_permission_and_repeated_identifiers_open_none)
{
    caller();
    connects("198.51.100.67:4000", 1);
    CHECK_EQUAL(stream_server_open(&server), 2);
    attempt("198.51.100.66:4000", 2);
    attempt("198.51.100.66:4001", 2); /* the same connection */
    attempt("198.51.100.66:4000", 3); /* the same peer */
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(stream_server_open(&server), 3);
    agents_free(&s);
}

LN_TEST(tcp_relayed_attack, an_identifier_that_the_server_does_not_know_ends_its_stream)
{
    caller();
    server.refuse_bind = 400;
    for (uint32_t i = 1; i <= 50; i++) {
        attempt("198.51.100.66:4000", i);
        agents_run(&s, LN_MILLISECONDS(20));
        CHECK_EQUAL(stream_server_open(&server), 2);
    }
    CHECK_EQUAL(server.binds, 50);
    agents_free(&s);
}

LN_TEST(tcp_relayed_attack, a_bind_that_is_never_answered_or_with_rubbish_ends_in_time)
{
    caller();
    server.bind_silent = true;
    attempt("198.51.100.66:4000", 1);
    agents_run(&s, LN_SECONDS(9));
    CHECK_EQUAL(stream_server_open(&server), 3);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(stream_server_open(&server), 2);
    server.bind_rubbish = true;
    connects("198.51.100.66:4000", 2);
    CHECK_EQUAL(server.binds, 2);
    CHECK_EQUAL(stream_server_open(&server), 2);
    agents_free(&s);
}

LN_TEST(tcp_relayed_attack, a_peer_that_connects_and_says_nothing_or_too_much_is_gone)
{
    static const uint8_t long_frame[] = { 0xff, 0xff, 0 };

    caller();
    attempt("198.51.100.66:4000", 1);
    agents_run(&s, LN_SECONDS(9));
    CHECK_EQUAL(stream_server_bound(&server), 1);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(stream_server_bound(&server), 0);
    connects("198.51.100.66:4000", 2);
    CHECK_EQUAL(stream_server_bound(&server), 1);
    stream_server_say(&server, server.count - 1, long_frame, sizeof long_frame);
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(stream_server_bound(&server), 0);
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_TCP_FRAME), 1);
    agents_free(&s);
}

static enum ln_ice_failure failure_of_the_relayed_pair(void)
{
    struct ln_ice_candidate_info local;
    struct ln_ice_pair_info pair;

    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &pair); i++)
        for (size_t k = 0; ln_ice_local_candidate(s.a.ice, k, &local); k++)
            if (local.id == pair.local_id && local.candidate.tcp_type)
                return pair.failure;
    CHECK(!"there is a pair");
    return LN_ICE_FAILURE_NONE;
}

LN_TEST(tcp_relayed_attack, a_connect_that_fails_fails_its_pair_however_it_does)
{
    for (int how = 0; how < 4; how++) {
        set_up(PASSIVE);
        server.refuse_connect = how == 0 ? 447 : 0;
        server.connect_without_id = how == 1;
        server.connect_silent = how == 2;
        server.refuse_bind = how == 3 ? 400 : 0;
        agents_run(&s, LN_SECONDS(9));
        CHECK_EQUAL(server.connects, 1);
        CHECK_EQUAL(failure_of_the_relayed_pair(),
                    how == 2 ? LN_ICE_FAILURE_NONE : LN_ICE_FAILURE_CONNECT);
        agents_run(&s, LN_SECONDS(2));
        CHECK_EQUAL(failure_of_the_relayed_pair(), LN_ICE_FAILURE_CONNECT);
        CHECK_EQUAL(stream_server_open(&server), 2);
        agents_free(&s);
    }
}

LN_TEST(tcp_relayed_attack, an_allocation_that_ends_takes_its_streams_along)
{
    caller();
    connects("198.51.100.66:4000", 1);
    CHECK_EQUAL(stream_server_bound(&server), 1);
    for (size_t i = 0; i < server.count; i++)
        if (server.streams[i].tcp)
            stream_server_say(&server, i, "\xff\xff\xff\xff", 4); /* its control connection */
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK_EQUAL(stream_server_open(&server), 1); /* the allocation of UDP is as it was */
    agents_free(&s);
}
