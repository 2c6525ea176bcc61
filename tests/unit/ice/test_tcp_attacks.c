/* SPDX-License-Identifier: Apache-2.0
 * Strangers at the listening sockets of ICE-TCP: silence, slowness, floods, packets too long; and a
 * peer that turns on us once its checks were authentic. */
#include "base/address.h"
#include "base/bytes.h"
#include "ice/tcp.h"
#include "stun/message.h"
#include "tests/support/idle.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s; /* large; cleared by agents_init() */
static int stranger;

/* He does nothing by himself. */
static const struct ln_endpoint_ops nothing = { idle_receive,  idle_on_timeout, idle_next_timeout,
                                                idle_transmit, idle_request,    idle_answer };

/* Two agents without UDP, gathered but not introduced to one another, and a stranger. */
static void with_a_stranger(void)
{
    agents_init(&s);
    s.a.config.tcp = s.b.config.tcp = true;
    s.wire.filter = wire_drop_all;
    CHECK(agents_create(&s));
    stranger = wire_add(&s.wire, (struct ln_endpoint){ &nothing, &stranger });
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.hold_candidates_of_a = s.hold_candidates_of_b = true;
    ln_ice_gather(s.a.ice);
    ln_ice_gather(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(1));
}

static void introduce(void)
{
    s.hold_candidates_of_a = s.hold_candidates_of_b = false;
    agents_exchange(&s);
}

static const struct ln_address *listener_of(const struct side *side,
                                            enum ln_candidate_tcp_type type)
{
    for (size_t i = 0; i < side->candidate_count; i++)
        if (side->candidates[i].tcp_type == type)
            return &side->candidates[i].address;
    CHECK(!"the candidate is there");
    return NULL;
}

static ln_link come_in(void)
{
    ln_link link = wire_connect(&s.wire, stranger, "192.168.1.66:0",
                                listener_of(&s.b, LN_CANDIDATE_TCP_PASSIVE));

    CHECK(link != 0);
    return link;
}

static bool is_open(ln_link link)
{
    return s.wire.links[link - 1].open;
}

static size_t open_from_stranger(void)
{
    size_t count = 0;

    for (size_t i = 0; i < s.wire.link_count; i++)
        count += s.wire.links[i].open && s.wire.links[i].node == stranger;
    return count;
}

static void say(ln_link link, const void *bytes, size_t len)
{
    const struct wire_link *l = &s.wire.links[link - 1];

    wire_inject(&s.wire, s.b.node, &(struct ln_path){ link, l->local, l->remote }, bytes, len);
    agents_run(&s, 0);
}

static uint64_t unwanted(void)
{
    return ln_ice_dropped(s.b.ice, LN_ICE_DROP_TCP_STREAM);
}

/* --- strangers ----------------------------------------------------------------------------- */

LN_TEST(tcp_attacks, a_silent_stranger_is_gone_after_ten_seconds)
{
    ln_link link;

    with_a_stranger();
    link = come_in();
    agents_run(&s, LN_MILLISECONDS(9900));
    CHECK(is_open(link));
    agents_run(&s, LN_MILLISECONDS(200));
    CHECK(!is_open(link));
    CHECK_EQUAL(unwanted(), 1);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_slow_stranger_has_no_more_time_than_a_silent_one)
{
    static const uint8_t bytes[] = { 0, 200, 0, 1, 0, 180, 0x21, 0x12, 0xa4, 0x42 };
    ln_link link;

    with_a_stranger();
    link = come_in();
    for (size_t i = 0; i < 9; i++) {
        say(link, &bytes[i], 1);
        agents_run(&s, LN_SECONDS(1));
        CHECK(is_open(link));
    }
    agents_run(&s, LN_MILLISECONDS(1100));
    CHECK(!is_open(link));
    agents_free(&s);
}

LN_TEST(tcp_attacks, empty_packets_buy_no_time)
{
    static const uint8_t zeroes[1000];
    ln_link link;

    with_a_stranger();
    link = come_in();
    for (int i = 0; i < 100 && is_open(link); i++) {
        say(link, zeroes, sizeof zeroes);
        agents_run(&s, LN_MILLISECONDS(101));
    }
    CHECK(!is_open(link));
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_packet_longer_than_a_check_ends_the_stream_before_it_comes)
{
    static const uint8_t longest[] = { 0xff, 0xff }, above[] = { 5, 1 };

    with_a_stranger();
    for (int i = 0; i < 2; i++) {
        ln_link link = come_in();

        say(link, i ? above : longest, 2);
        CHECK(!is_open(link));
    }
    CHECK_EQUAL(ln_ice_dropped(s.b.ice, LN_ICE_DROP_TCP_FRAME), 2);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_stranger_has_a_few_tries)
{
    static const uint8_t noise[] = { 0, 5, 0x16, 0xfe, 0xfd, 0, 0 };
    ln_link link;
    unsigned tries = 0;

    with_a_stranger();
    link = come_in();
    for (; is_open(link); tries++)
        say(link, noise, sizeof noise);
    CHECK_EQUAL(tries, LN_ICE_TCP_UNPROVEN_TRIES);
    CHECK_EQUAL(ln_ice_dropped(s.b.ice, LN_ICE_DROP_UNCHECKED), LN_ICE_TCP_UNPROVEN_TRIES);
    agents_free(&s);
}

LN_TEST(tcp_attacks, many_packets_in_one_piece_are_tries_too)
{
    uint8_t noise[700];
    ln_link link;

    with_a_stranger();
    for (size_t i = 0; i < sizeof noise; i += 7)
        memcpy(noise + i, "\0\5\26\376\375\0\0", 7);
    link = come_in();
    say(link, noise, sizeof noise);
    CHECK(!is_open(link));
    CHECK_EQUAL(ln_ice_dropped(s.b.ice, LN_ICE_DROP_UNCHECKED), LN_ICE_TCP_UNPROVEN_TRIES);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_check_with_a_wrong_password_proves_nothing_and_is_not_answered)
{
    uint8_t frame[300];
    struct ln_stun_builder b;
    struct ln_stun_id id = { { 1, 2, 3 } };
    char username[64];
    uint64_t before;
    ln_link link;
    int len;

    with_a_stranger();
    agents_exchange(&s);
    snprintf(username, sizeof username, "%s:%s", ln_ice_local_ufrag(s.b.ice),
             ln_ice_local_ufrag(s.a.ice));
    ln_stun_begin(&b, frame + 2, sizeof frame - 2, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 1);
    ln_stun_add_integrity(&b, test_bytes("not the password at all"));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    ln_store16(frame, (uint16_t)len);
    link = come_in();
    before = s.wire.sent;
    say(link, frame, (size_t)len + 2);
    CHECK_EQUAL(ln_ice_dropped(s.b.ice, LN_ICE_DROP_INTEGRITY), 1);
    CHECK_EQUAL(s.wire.sent, before);
    agents_run(&s, LN_SECONDS(11));
    CHECK(!is_open(link));
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_flood_of_connections_leaves_a_few_open_and_lets_the_peer_in)
{
    with_a_stranger();
    for (int i = 0; i < 40; i++) {
        (void)come_in();
        agents_run(&s, 0);
        CHECK(open_from_stranger() <= LN_ICE_TCP_UNPROVEN_MAX);
    }
    CHECK_EQUAL(open_from_stranger(), LN_ICE_TCP_UNPROVEN_MAX);
    CHECK_EQUAL(unwanted(), 40 - LN_ICE_TCP_UNPROVEN_MAX);
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(11));
    CHECK_EQUAL(open_from_stranger(), 0);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_flood_during_the_call_does_not_touch_its_stream)
{
    with_a_stranger();
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    for (int i = 0; i < 30; i++) {
        (void)come_in();
        agents_run(&s, LN_SECONDS(1));
        CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    }
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_stranger_who_takes_a_signalled_port_keeps_nobody_out)
{
    char from[64];
    ln_link link;

    with_a_stranger(); /* what connects from the address of a's candidate first, is not a */
    ln_address_format(listener_of(&s.a, LN_CANDIDATE_TCP_SO), from);
    link = wire_connect(&s.wire, stranger, from, listener_of(&s.b, LN_CANDIDATE_TCP_SO));
    CHECK(link != 0);
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(11));
    CHECK(!is_open(link));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_stream_accepted_while_the_agent_closes_is_closed_too)
{
    ln_link link;

    with_a_stranger();
    ln_ice_close(s.b.ice);
    link = come_in(); /* the driver has not heard of it yet */
    agents_run(&s, 1);
    CHECK(!is_open(link));
    CHECK_EQUAL(open_from_stranger(), 0);
    agents_free(&s);
}

/* --- peers --------------------------------------------------------------------------------- */

/* The end at b of the stream that carries the call. */
static ln_link stream_at_b(void)
{
    ln_link found = 0;

    for (size_t i = 0; i < s.wire.link_count; i++)
        if (s.wire.links[i].open && s.wire.links[i].peer != 0 && s.wire.links[i].node == s.b.node)
            found = s.wire.links[i].link;
    CHECK(found != 0);
    return found;
}

LN_TEST(tcp_attacks, a_peer_may_send_longer_packets_but_not_without_end)
{
    static uint8_t packet[2 + LN_ICE_TCP_PACKET_MAX];
    ln_link link;

    with_a_stranger();
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    link = stream_at_b();
    ln_store16(packet, LN_ICE_TCP_PACKET_MAX);
    packet[2] = 0x80;
    say(link, packet, sizeof packet);
    CHECK(is_open(link));
    ln_store16(packet, LN_ICE_TCP_PACKET_MAX + 1);
    say(link, packet, 2);
    CHECK(!is_open(link));
    CHECK_EQUAL(ln_ice_dropped(s.b.ice, LN_ICE_DROP_TCP_FRAME), 1);
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_packet_that_never_completes_is_ended_by_consent)
{
    static const uint8_t head[] = { 0x10, 0, 0x80 };
    ln_link link;

    with_a_stranger();
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    link = stream_at_b();
    say(link, head, sizeof head); /* whatever a says from now on is inside of it */
    agents_run(&s, LN_SECONDS(40));
    CHECK(!is_open(link));
    agents_free(&s);
}

LN_TEST(tcp_attacks, a_hundred_candidates_open_few_connections_at_once)
{
    char text[120];
    size_t most = 0;

    with_a_stranger();
    s.wire.streams_cross = true; /* nobody is there */
    agents_exchange(&s);
    for (int i = 0; i < 90; i++) {
        int len = snprintf(text, sizeof text,
                           "candidate:%d 1 tcp 1518214911 10.0.%d.1 5000 typ host tcptype passive",
                           i, i);

        CHECK(ln_ice_add_remote_candidate_text(s.a.ice, text, (size_t)len) == 0);
    }
    for (int i = 0; i < 600; i++) {
        agents_run(&s, LN_MILLISECONDS(100));
        most = s.wire.connect_count > most ? s.wire.connect_count : most;
    }
    CHECK_EQUAL(most, LN_ICE_TCP_CONNECTING_MAX);
    agents_free(&s);
}

LN_TEST(tcp_attacks, candidates_at_ports_of_other_services_are_not_connected_to)
{
    static const char *const lines[] = {
        "candidate:1 1 tcp 1518214911 192.168.1.3 22 typ host tcptype passive",
        "candidate:2 1 tcp 1518214911 192.168.1.3 25 typ host tcptype so",
        "candidate:3 1 tcp 1518214911 0.0.0.0 5000 typ host tcptype passive",
        "candidate:4 1 tcp 1518214911 224.0.0.1 5000 typ host tcptype passive",
    };
    struct ln_ice_pair_info pair;

    with_a_stranger();
    agents_exchange(&s);
    for (size_t i = 0; i < 4; i++)
        CHECK(ln_ice_add_remote_candidate_text(s.a.ice, lines[i], strlen(lines[i])) == 0);
    agents_run(&s, LN_SECONDS(1));
    CHECK(!ln_ice_pair(s.a.ice, 0, &pair));
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_REMOTE_CANDIDATE), 4);
    agents_free(&s);
}

/* A datagram of the owner's for the selected path, `len` bytes with its head. */
static int send_data(const struct side *side, uint8_t *data, size_t len)
{
    struct ln_transmit out = { .data = data, .cap = len + LN_ICE_TAILROOM, .len = len };

    CHECK(ln_ice_send_path(side->ice, &out.path));
    CHECK_EQUAL(ln_ice_headroom(side->ice, &out.path), 2);
    data[2] = 0x80;
    return ln_ice_wrap(side->ice, s.wire.now, &out);
}

LN_TEST(tcp_attacks, a_peer_that_does_not_read_loses_data_and_makes_no_queue_grow)
{
    static uint8_t data[1200 + LN_ICE_TAILROOM];
    struct ln_ice_pair_info pair;
    unsigned sent = 0;

    with_a_stranger();
    introduce();
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    agents_run(&s, LN_SECONDS(10));
    while (send_data(&s.a, data, 1200) == 1)
        sent++;
    CHECK(sent * 1200 <= (1u << 20) * 3 / 4); /* of the queue; the rest is for checks */
    CHECK(sent * 1200 > (1u << 20) / 2);
    for (int i = 0; i < 10; i++)
        CHECK_EQUAL(send_data(&s.a, data, 1200), LN_ERR_LIMIT);
    pair = side_selected(&s.a);
    CHECK_EQUAL(pair.packets_discarded, 11);
    CHECK_EQUAL(pair.bytes_discarded, 11 * 1198);
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_TCP_FULL), 11);
    agents_run(&s, LN_SECONDS(60)); /* checks still go, and WRITABLE came with the first of them */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(send_data(&s.a, data, 1200), 1);
    agents_free(&s);
}
