/* SPDX-License-Identifier: Apache-2.0
 * Many agents on one TCP port (RFC 6544, RFC 4571), and what the mux passes on: relays' sockets,
 * servers, streams that members open themselves. */
#include "base/address.h"
#include "base/bytes.h"
#include "ice/mux.h"
#include "tests/support/stream_server.h"
#include "tests/support/turn_double.h"
#include "tests/support/wire.h"
#include "tests/unit/ice/crowd.h"

#include <stdio.h>

#define PEERS 4

static struct wire wire;
static struct ln_ice_mux *mux;
static struct turn_double turn;
static struct peer {
    struct ln_ice *inside, *outside;
    struct ln_ice_mux_member *member;
    struct ln_candidate candidates[16];
    size_t candidate_count;
    unsigned errors;
} peers[PEERS];
static int server_node;

static void take(struct peer *peer, struct ln_ice *from, struct ln_ice *to)
{
    struct ln_ice_event event;

    while (from && ln_ice_poll_event(from, &event)) {
        peer->errors += event.kind == LN_ICE_EVENT_CANDIDATE_ERROR;
        if (event.kind != LN_ICE_EVENT_CANDIDATE)
            continue;
        if (from == peer->inside && peer->candidate_count < 16)
            peer->candidates[peer->candidate_count++] = event.candidate.candidate;
        (void)!ln_ice_add_remote_candidate(to, &event.candidate.candidate);
        if (to == peer->inside)
            ln_ice_mux_touch(peer->member);
    }
}

static void on_turn(struct wire *w, void *context)
{
    (void)w;
    (void)context;
    while (ln_ice_mux_poll_news(mux))
        ;
    for (size_t i = 0; i < PEERS; i++) {
        take(&peers[i], peers[i].inside, peers[i].outside);
        take(&peers[i], peers[i].outside, peers[i].inside);
    }
}

static void set_up(bool tcp, const struct ln_ice_server_address *servers, size_t server_count)
{
    struct ln_ice_mux_config config = { .udp_port = 3478, .tcp_port = 443, .tcp = tcp };
    struct ln_ice_config ice;
    char ip[16];

    memset(peers, 0, sizeof peers);
    wire_init(&wire, test_env());
    wire.turn = on_turn;
    wire.delay = LN_MILLISECONDS(5);
    CHECK(ln_ice_mux_create(&mux, &config, test_env()) == 0);
    server_node = wire_add(&wire, ln_ice_mux_endpoint(mux));
    wire_interface(&wire, server_node, "192.0.2.1");
    for (size_t i = 0; i < PEERS; i++) {
        struct peer *p = &peers[i];
        int node;

        ln_ice_config_init(&ice);
        ice.tcp = tcp;
        ice.controlling = true;
        CHECK(ln_ice_create(&p->outside, &ice, test_env()) == 0);
        ice.controlling = false;
        ice.servers = servers;
        ice.server_count = server_count;
        CHECK(ln_ice_create(&p->inside, &ice, test_env()) == 0);
        ln_ice_share_port(p->inside);
        CHECK(ln_ice_mux_add(mux, ln_ice_endpoint(p->inside), p, &p->member) == 0);
        node = wire_add(&wire, ln_ice_endpoint(p->outside));
        snprintf(ip, sizeof ip, "192.0.2.%u", (unsigned)(10 + i));
        wire_interface(&wire, node, ip);
        CHECK(ln_ice_set_remote(p->inside, ln_ice_local_ufrag(p->outside),
                                ln_ice_local_pwd(p->outside), false, NULL) == 0);
        CHECK(ln_ice_set_remote(p->outside, ln_ice_local_ufrag(p->inside),
                                ln_ice_local_pwd(p->inside), false, NULL) == 0);
        ln_ice_gather(p->inside);
        ln_ice_gather(p->outside);
    }
}

static void run(ln_duration duration)
{
    wire_run(&wire, wire.now + duration, NULL, NULL);
}

static void end(void)
{
    for (size_t i = 0; i < PEERS; i++) {
        ln_ice_mux_remove(peers[i].member);
        ln_ice_free(peers[i].inside);
        ln_ice_free(peers[i].outside);
    }
    ln_ice_mux_free(mux);
}

static bool connected(const struct ln_ice *ice)
{
    enum ln_ice_connection_state state = ln_ice_state(ice);

    return state == LN_ICE_CONNECTION_STATE_CONNECTED || state == LN_ICE_CONNECTION_STATE_COMPLETED;
}

static size_t connected_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < PEERS; i++)
        count += connected(peers[i].inside) && connected(peers[i].outside);
    return count;
}

/* Of the node of the mux: listeners, or sockets. */
static size_t open_links(bool listeners)
{
    size_t count = 0;

    for (size_t i = 0; i < wire.link_count; i++)
        count += wire.links[i].open && wire.links[i].node == server_node &&
                 wire.links[i].peer == 0 && wire.links[i].listens == listeners;
    return count;
}

static struct ln_address listener(void)
{
    for (size_t i = 0; i < wire.link_count; i++)
        if (wire.links[i].node == server_node && wire.links[i].listens)
            return wire.links[i].local;
    CHECK(!"there is a listener");
    return (struct ln_address){ 0 };
}

/* The stranger's end says something. */
static void say(ln_link stream, const void *data, size_t len)
{
    uint8_t copy[2048];
    struct ln_packet packet = { .data = copy, .len = len };

    memcpy(copy, data, len);
    packet.path.link = stream;
    packet.path.local = wire.links[stream - 1].local;
    packet.path.remote = wire.links[stream - 1].remote;
    ln_ice_mux_endpoint(mux).ops->receive(mux, wire.now, &packet);
    run(0);
}

LN_TEST(mux_tcp, members_share_a_listener_and_each_stream_finds_its_own)
{
    set_up(true, NULL, 0);
    wire.filter = wire_drop_all;
    run(LN_SECONDS(5));
    CHECK_EQUAL(connected_count(), PEERS);
    CHECK_EQUAL(open_links(true), 1);
    CHECK_EQUAL(listener().port, 443);
    CHECK_EQUAL(ln_ice_mux_dropped(mux, LN_ICE_MUX_DROP_STREAM), 0);
    run(LN_SECONDS(60));
    CHECK_EQUAL(connected_count(), PEERS);
    end();
}

LN_TEST(mux_tcp, pieces_of_any_size_are_put_together)
{
    set_up(true, NULL, 0);
    wire.filter = wire_drop_all;
    wire.stream_piece = 7;
    run(LN_SECONDS(5));
    CHECK_EQUAL(connected_count(), PEERS);
    end();
}

LN_TEST(mux_tcp, without_a_shared_listener_each_member_has_its_own)
{
    struct ln_address bound;
    bool stream;

    set_up(true, NULL, 0);
    run(LN_SECONDS(2));
    CHECK(ln_ice_mux_bound(mux, 0, &bound, &stream) && !stream && bound.port == 3478);
    CHECK(ln_ice_mux_bound(mux, 1, &bound, &stream) && stream && bound.port == 443);
    CHECK(!ln_ice_mux_bound(mux, 2, &bound, &stream));
    end();
}

LN_TEST(mux_tcp, a_stream_goes_with_its_member)
{
    size_t open = 0;

    set_up(true, NULL, 0);
    wire.filter = wire_drop_all;
    run(LN_SECONDS(8));
    ln_ice_mux_remove(peers[0].member);
    peers[0].member = NULL;
    run(LN_SECONDS(1));
    for (size_t i = 0; i < wire.link_count; i++)
        open += wire.links[i].open && wire.links[i].node == server_node && wire.links[i].peer;
    CHECK_EQUAL(open, PEERS - 1);
    end();
}

LN_TEST(mux_tcp, a_stream_that_does_not_begin_with_a_check_for_a_member_is_closed)
{
    static const char *const texts[] = { "GET / HTTP/1.1\r\n\r\n", "\0\5hello", "\xff\xff" };
    static const size_t lens[] = { 18, 7, 2 };
    struct ln_address to;
    uint8_t data[300];
    size_t len;

    set_up(true, NULL, 0);
    run(LN_SECONDS(1));
    to = listener();
    for (size_t i = 0; i < 3; i++) {
        ln_link stream = wire_connect(&wire, 1, "192.0.2.66:0", &to);

        CHECK(stream);
        say(stream, texts[i], lens[i]);
        CHECK(!wire.links[stream - 1].open);
        CHECK_EQUAL(ln_ice_mux_dropped(mux, LN_ICE_MUX_DROP_STREAM), i + 1);
    }
    len = crowd_check(NULL, "nobody", "pwd", data + 2, sizeof data - 2);
    ln_store16(data, (uint16_t)len);
    say(wire_connect(&wire, 1, "192.0.2.66:0", &to), data, len + 2);
    CHECK_EQUAL(ln_ice_mux_dropped(mux, LN_ICE_MUX_DROP_STREAM), 4);
    end();
}

LN_TEST(mux_tcp, a_stream_that_says_nothing_has_ten_seconds)
{
    struct ln_address to;
    ln_link stream;

    set_up(true, NULL, 0);
    run(LN_SECONDS(1));
    to = listener();
    stream = wire_connect(&wire, 1, "192.0.2.66:0", &to);
    run(LN_SECONDS(9));
    say(stream, "\0", 1);
    CHECK(wire.links[stream - 1].open);
    run(LN_MILLISECONDS(1100));
    CHECK(!wire.links[stream - 1].open);
    end();
}

LN_TEST(mux_tcp, one_source_has_few_silent_streams_and_others_are_let_in)
{
    struct ln_address to;
    ln_link first, other;

    set_up(true, NULL, 0);
    run(LN_SECONDS(8));
    to = listener();
    other = wire_connect(&wire, 1, "192.0.2.77:0", &to);
    first = wire_connect(&wire, 1, "192.0.2.66:0", &to);
    for (unsigned i = 1; i < LN_ICE_MUX_STREAMS_SOURCE; i++)
        (void)wire_connect(&wire, 1, "192.0.2.66:0", &to);
    run(0);
    CHECK(wire.links[first - 1].open);
    (void)wire_connect(&wire, 1, "192.0.2.66:0", &to);
    run(0);
    CHECK(!wire.links[first - 1].open);
    CHECK(wire.links[other - 1].open);
    end();
}

LN_TEST(mux_tcp, a_known_ufrag_with_a_wrong_password_gets_no_further_than_the_member)
{
    struct ln_address to;
    uint8_t data[300];
    size_t len;

    set_up(true, NULL, 0);
    run(LN_SECONDS(8));
    to = listener();
    len = crowd_check(NULL, ln_ice_local_ufrag(peers[2].inside), "guess", data + 2,
                      sizeof data - 2);
    ln_store16(data, (uint16_t)len);
    say(wire_connect(&wire, 1, "192.0.2.66:0", &to), data, len + 2);
    CHECK_EQUAL(ln_ice_dropped(peers[2].inside, LN_ICE_DROP_INTEGRITY), 1);
    run(LN_SECONDS(11));
    CHECK_EQUAL(connected_count(), PEERS);
    CHECK_EQUAL(ln_ice_dropped(peers[2].inside, LN_ICE_DROP_TCP_STREAM), 1);
    end();
}

LN_TEST(mux_relay, members_ask_one_stun_server_through_one_socket)
{
    static const struct ln_ice_server_address server = { .url = "stun:203.0.113.1",
                                                         .host = "203.0.113.1" };

    set_up(false, &server, 1);
    turn_double_init(&turn, test_env(), "203.0.113.1");
    wire_add(&wire, turn_double_endpoint(&turn));
    run(LN_SECONDS(8));
    CHECK_EQUAL(connected_count(), PEERS);
    CHECK_EQUAL(open_links(false), 1);
    for (size_t i = 0; i < PEERS; i++)
        CHECK_EQUAL(ln_ice_gathering_state(peers[i].inside), LN_ICE_GATHERING_STATE_COMPLETE);
    end();
}

LN_TEST(mux_relay, each_member_has_a_socket_of_its_own_to_a_relay)
{
    static const struct ln_ice_server_address server = { .url = "turn:203.0.113.1",
                                                         .host = "203.0.113.1",
                                                         .relays = true,
                                                         .username = "user",
                                                         .password = "secret" };

    set_up(false, &server, 1);
    turn_double_init(&turn, test_env(), "203.0.113.1");
    wire_add(&wire, turn_double_endpoint(&turn));
    run(LN_SECONDS(8));
    CHECK_EQUAL(connected_count(), PEERS);
    CHECK_EQUAL(turn_double_allocated(&turn), PEERS);
    CHECK_EQUAL(open_links(false), 1 + PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        CHECK_EQUAL(peers[i].errors, 0);
        CHECK_EQUAL(peers[i].candidate_count, 2);
        CHECK_EQUAL(peers[i].candidates[0].address.port, 3478);
        CHECK_EQUAL(peers[i].candidates[1].type, LN_CANDIDATE_RELAY);
    }
    ln_ice_mux_remove(peers[1].member);
    peers[1].member = NULL;
    run(LN_SECONDS(1));
    CHECK_EQUAL(open_links(false), PEERS);
    end();
}

/* Streams to a server are each member's own, as it was; from the shared port none leaves. */
LN_TEST(mux_relay, each_member_has_its_relay_of_tcp_and_the_streams_of_its_peers)
{
    static struct stream_server server;
    struct ln_address peer;
    size_t relayed = 0;

    set_up(true, &stream_server_relay, 1);
    stream_server_init(&server);
    wire_add(&wire, stream_server_endpoint(&server));
    run(LN_MILLISECONDS(500));
    CHECK_EQUAL(stream_server_open(&server), 2 * PEERS);
    for (size_t i = 0; i < PEERS; i++)
        for (size_t k = 0; k < peers[i].candidate_count; k++)
            relayed += peers[i].candidates[k].type == LN_CANDIDATE_RELAY &&
                       peers[i].candidates[k].tcp_type != LN_CANDIDATE_TCP_NONE;
    CHECK_EQUAL(relayed, 2 * PEERS);
    CHECK(ln_address_parse("192.0.2.10:4000", &peer) == 0); /* the first one's other side */
    stream_server_attempt(&server, &peer, 1);
    run(LN_MILLISECONDS(100));
    CHECK_EQUAL(stream_server_bound(&server), 1);
    ln_ice_mux_remove(peers[0].member);
    peers[0].member = NULL;
    run(LN_SECONDS(1));
    CHECK_EQUAL(stream_server_open(&server), 2 * (PEERS - 1));
    end();
}
