/* SPDX-License-Identifier: Apache-2.0
 * TCP allocations (RFC 6062): connections to and from peers, bound to streams of their client. */
#include "tests/unit/turn/secure_client.h"
#include "tests/unit/turn/tcp_rig.h"

LN_TEST(connection, connect_then_bind_passes_bytes_as_they_are)
{
    struct rig rig;
    struct tcp_joined j;
    struct ln_turn_counts counts;

    tcp_rig_start(&rig);
    tcp_join(&j, &rig);
    CHECK(rig.windows[j.peer] > 60000 && rig.windows[j.data.path.link] == 65537);
    rig_receive(&rig, &j.data.path, "GET /", 5);
    CHECK(rig_sent(&rig, 0, PEER, "GET /") && rig.packet_count == 1);
    CHECK_EQUAL(rig.packets[0].path.link, j.peer);
    tcp_from_peer(&rig, j.peer, "\x80 anything");
    CHECK(rig_sent(&rig, 0, "198.51.100.7:4001", "\x80 anything"));
    CHECK_EQUAL(rig.packets[0].path.link, j.data.path.link);
    counts = rig_counts(&rig);
    CHECK_EQUAL(counts.connections_bound, 1);
    CHECK_EQUAL(counts.transport[LN_TURN_TCP].bytes_in, 5);
    CHECK_EQUAL(counts.transport[LN_TURN_TCP].bytes_out, 10);
    rig_advance(&rig, LN_SECONDS(500)); /* bound, it may be silent */
    CHECK_EQUAL(rig_counts(&rig).connections_open, 1);
    rig_end(&rig);
}

LN_TEST(connection, what_follows_the_bind_in_one_piece_is_data)
{
    struct rig rig;
    struct tcp_joined j;
    struct rig_call call;
    struct ln_stun_message answer;
    uint8_t data[2048];
    size_t len;

    tcp_rig_start(&rig);
    j.control = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&j.control, NULL), 0);
    CHECK_EQUAL(tcp_dial(&j.control, PEER, &j.id), 0);
    j.data = tcp_alice(&rig, "198.51.100.7:4001");
    CHECK_EQUAL(tcp_bind(&j.data, j.id + 1), 400); /* leaves a signed request to be changed */
    rig_begin(&call, &j.data, LN_STUN_CONNECTION_BIND);
    ln_stun_add_u32(&call.b, LN_STUN_CONNECTION_ID, j.id);
    ln_stun_add_text(&call.b, LN_STUN_USERNAME, "alice");
    ln_stun_add_text(&call.b, LN_STUN_REALM, "example.org");
    ln_stun_add_text(&call.b, LN_STUN_NONCE, j.data.nonce);
    ln_stun_long_term_key(test_bytes("alice"), test_bytes("example.org"), test_bytes("secret"),
                          data);
    ln_stun_add_integrity(&call.b, (struct ln_bytes){ data, 16 });
    len = (size_t)ln_stun_finish(&call.b);
    memcpy(data, call.data, len);
    memcpy(data + len, "\x01\x02\x03", 3);
    rig_receive(&rig, &j.data.path, data, 9);
    rig_receive(&rig, &j.data.path, data + 9, len + 3 - 9);
    CHECK_EQUAL(rig.packet_count, 2);
    CHECK(ln_stun_parse(rig.packets[0].data, rig.packets[0].len, &answer) == 0 &&
          answer.kind == LN_STUN_SUCCESS);
    CHECK(rig_sent(&rig, 1, PEER, "\x01\x02\x03"));
    rig_end(&rig);
}

LN_TEST(connection, a_peer_with_a_permission_is_announced_and_one_without_is_closed)
{
    struct rig rig;
    struct rig_client control, data;
    struct ln_address relayed;
    ln_link peer;
    uint32_t id;

    tcp_rig_start(&rig);
    control = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&control, &relayed), 0);
    peer = tcp_peer_connects(&rig, PEER, &relayed);
    CHECK_EQUAL(rig.closed_stream, peer);
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&control, "198.51.100.99"), 0);
    peer = tcp_peer_connects(&rig, PEER, &relayed);
    CHECK_EQUAL(rig.closed_stream, 0);
    id = tcp_attempt_sent(&rig, PEER);
    CHECK(id != 0 && rig.windows[peer] == 1);
    data = tcp_alice(&rig, "198.51.100.7:4001");
    CHECK_EQUAL(tcp_bind(&data, id), 0);
    tcp_from_peer(&rig, peer, "hello");
    CHECK(rig_sent(&rig, 0, "198.51.100.7:4001", "hello"));
    rig_advance(&rig, LN_SECONDS(301)); /* the permission has ended: nobody new */
    peer = tcp_peer_connects(&rig, "198.51.100.99:81", &relayed);
    CHECK_EQUAL(rig.closed_stream, peer);
    rig_end(&rig);
}

LN_TEST(connection, a_reader_that_is_slow_stops_its_writer)
{
    struct rig rig;
    struct tcp_joined j;
    char text[1001];

    tcp_rig_init(&rig);
    rig.room = 5000;
    rig_start(&rig);
    tcp_join(&j, &rig);
    memset(text, 'x', 1000);
    text[1000] = '\0';
    CHECK_EQUAL(rig.windows[j.data.path.link], 5001); /* as much as the peer's stream takes */
    for (int i = 0; i < 5; i++)
        rig_receive(&rig, &j.data.path, text, 1000);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 1);
    rig_make_writable(&rig, j.peer, 3000);
    CHECK_EQUAL(rig.windows[j.data.path.link], 3001);
    rig_make_writable(&rig, j.data.path.link, 2000);
    CHECK_EQUAL(rig.windows[j.peer], 2001);
    tcp_from_peer(&rig, j.peer, text);
    tcp_from_peer(&rig, j.peer, text);
    CHECK_EQUAL(rig_counts(&rig).connections_open, 1);
    tcp_from_peer(&rig, j.peer, text); /* a driver that does not keep to the window */
    CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
    CHECK_EQUAL(rig_counts(&rig).connections_broken, 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

LN_TEST(connection, a_user_above_his_rate_waits_and_loses_nothing)
{
    struct rig rig;
    struct tcp_joined j;
    char text[2001];
    size_t sent = 0;
    ln_time begin;

    tcp_rig_init(&rig);
    rig.limits.bytes_per_second_per_user = 10000;
    rig_start(&rig);
    tcp_join(&j, &rig);
    memset(text, 'x', 2000);
    text[2000] = '\0';
    begin = rig.now;
    while (sent < 100000) {
        if (rig.windows[j.data.path.link] <= 2000) {
            CHECK_EQUAL(rig.windows[j.data.path.link], 1); /* none at all, for a while */
            CHECK_EQUAL(rig.windows[j.peer], 1);
            rig_advance(&rig, LN_MILLISECONDS(10));
            continue;
        }
        rig_receive(&rig, &j.data.path, text, 2000);
        CHECK_EQUAL(rig.packet_count, 1);
        rig_make_writable(&rig, j.peer, 65536);
        sent += 2000;
    }
    CHECK(rig.now - begin > LN_SECONDS(7) && rig.now - begin < LN_SECONDS(11));
    CHECK_EQUAL(rig_counts(&rig).dropped_rate, 0);
    rig_end(&rig);
}

LN_TEST(connection, ends_with_either_end_and_with_its_allocation)
{
    struct rig rig;
    struct tcp_joined j;
    size_t open;

    for (int way = 0; way < 4; way++) {
        tcp_rig_start(&rig);
        tcp_join(&j, &rig);
        open = rig.open_count; /* two listeners, the relay, the peer */
        rig.closed_stream = 0;
        if (way == 0)
            rig_close_link(&rig, j.data.path.link); /* the peer's goes */
        else if (way == 1)
            rig_close_link(&rig, j.peer); /* the client's goes */
        else if (way == 2)
            CHECK_EQUAL(rig_refresh(&j.control, 0), 0);
        else
            rig_close_link(&rig, j.control.path.link);
        CHECK_EQUAL(rig.open_count, way < 2 ? open - 1 : open - 2);
        CHECK_EQUAL(rig_counts(&rig).connections_open, 0);
        CHECK_EQUAL(ln_turn_server_allocations(rig.server), way < 2);
        if (way != 0 && way != 3)
            CHECK_EQUAL(rig.closed_stream, j.data.path.link);
        if (way < 2) /* and a new one to the same peer may be made */
            CHECK_EQUAL(tcp_dial(&j.control, PEER, &j.id), 0);
        rig_end(&rig);
    }
}

LN_TEST(connection, what_was_sent_before_the_end_goes_first)
{
    struct rig rig;
    struct tcp_joined j;
    struct ln_path path;
    struct ln_packet packet = { .data = (uint8_t *)(uintptr_t) "last", .len = 4 };
    struct ln_answer closed = { .kind = LN_ANSWER_CLOSED };
    struct ln_request request;
    struct ln_transmit out = { 0 };

    tcp_rig_start(&rig);
    tcp_join(&j, &rig);
    path = tcp_path_of(&rig, j.peer);
    packet.path = path;
    closed.link = j.peer;
    rig.e.ops->receive(rig.server, rig.now, &packet);
    rig.e.ops->answer(rig.server, rig.now, &closed);
    while (rig.e.ops->poll_request(rig.server, &request) == 1)
        CHECK(request.kind != LN_REQUEST_CLOSE || request.link != j.data.path.link);
    CHECK(rig.e.ops->poll_transmit(rig.server, rig.now, &out) == 1 && out.len == 4);
    ln_buffer_unref(out.slices[0].buffer);
    CHECK(rig.e.ops->poll_request(rig.server, &request) == 1);
    CHECK(request.kind == LN_REQUEST_CLOSE && request.link == j.data.path.link);
    rig_end(&rig);
}

LN_TEST(connection, an_allocation_over_tcp_is_asked_for_rightly)
{
    static const struct {
        uint16_t type;
        uint8_t len;
        int code;
    } rows[] = { { LN_STUN_EVEN_PORT, 1, 400 },
                 { LN_STUN_RESERVATION_TOKEN, 8, 400 },
                 { LN_STUN_DONT_FRAGMENT, 0, 400 } };
    static const uint8_t zero[8];
    struct ln_stun_message answer;
    struct rig rig;
    struct rig_client udp, alice;
    struct rig_call call;
    uint32_t id;

    tcp_rig_start(&rig);
    udp = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(tcp_allocate(&udp, NULL), 400);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 437);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_begin(&call, &alice, LN_STUN_ALLOCATE);
        ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 6u << 24);
        ln_stun_add(&call.b, rows[i].type, zero, rows[i].len);
        CHECK_EQUAL(rig_call(&call, &answer), rows[i].code);
    }
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, PEER), 400); /* it has no channels */
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    rig_send_indication(&alice, PEER, "by UDP?");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_begin(&call, &alice, LN_STUN_CONNECT);
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    CHECK_EQUAL(tcp_dial(&alice, "198.51.100.99:0", &id), 400);
    CHECK_EQUAL(tcp_bind(&alice, 1), 400); /* the control connection carries no data */
    rig_end(&rig);
}

LN_TEST(connection, one_to_a_peer_at_a_time_and_as_many_as_are_allowed)
{
    struct rig rig;
    struct rig_client alice;
    uint32_t id;

    tcp_rig_init(&rig);
    rig.config.connections_max = 2;
    rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    rig.hold = true;
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), -1);
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 446); /* while it is being made */
    rig.hold = false;
    rig_answer_held(&rig, 0);
    CHECK_EQUAL(tcp_code_sent(&rig), 0);
    CHECK_EQUAL(tcp_dial(&alice, PEER, &id), 446);
    CHECK_EQUAL(tcp_dial(&alice, "198.51.100.99:81", &id), 0);
    CHECK_EQUAL(tcp_dial(&alice, "198.51.100.99:82", &id), 508);
    CHECK_EQUAL(tcp_dial(&alice, "[2001:db8::99]:82", &id), 443);
    CHECK_EQUAL(rig_counts(&rig).connections_refused, 1);
    rig_end(&rig);
}

/* Residents speak UDP: for a TCP allocation their address is one of the machine's, as any. */
LN_TEST(attack_18, a_residents_port_of_tcp_is_as_closed_as_it_was)
{
    struct ln_address home = rig_address("203.0.113.9:5000");
    struct rig_client alice;
    struct rig rig;

    tcp_rig_init(&rig);
    rig.policy.own[0] = rig_address("203.0.113.9");
    rig.policy.own_count = 1;
    rig_start(&rig);
    CHECK_EQUAL(ln_turn_residents_enter(ln_turn_shared_residents(rig.shared), &home, 70), 0);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9:5000"), 403);
    CHECK_EQUAL(tcp_dial(&alice, "203.0.113.9:5000", NULL), 403);
    rig_end(&rig);
}

LN_TEST(connection, clients_reach_each_others_tcp_relays_but_no_ports_of_udp)
{
    struct rig rig;
    struct rig_client alice, bob, carol;
    struct ln_address of_bob, of_carol;
    char text[LN_ADDRESS_TEXT_MAX];
    uint32_t id;

    tcp_rig_init(&rig);
    rig.policy.own[rig.policy.own_count++] = rig_address("203.0.113.1");
    rig_start(&rig);
    alice = tcp_alice(&rig, "198.51.100.7:4000");
    bob = rig_stream_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    carol = rig_client(&rig, "198.51.100.9:4000", "bob", "hunter2");
    CHECK_EQUAL(tcp_allocate(&alice, NULL), 0);
    CHECK_EQUAL(tcp_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_allocate(&carol, &of_carol), 0);
    CHECK_EQUAL(tcp_dial(&alice, ln_address_format(&of_bob, text), &id), 0);
    /* whatever else listens there by TCP is none of ours */
    CHECK_EQUAL(tcp_dial(&alice, ln_address_format(&of_carol, text), &id), 403);
    CHECK_EQUAL(rig_bind(&carol, 0x4000, ln_address_format(&of_bob, text)), 403);
    rig_end(&rig);
}

/* ---- over TLS ---- */

static void establish(struct secure_client *c, struct rig *rig, const char *from)
{
    secure_open_for(c, rig, from, false, NULL);
    secure_pump(c);
    CHECK(ln_session_state(c->session) == LN_SESSION_ESTABLISHED);
}

/* A request as alice's; its answer is in the inbox. */
static struct ln_stun_message ask(struct secure_client *c, uint16_t method, uint16_t type,
                                  uint32_t value, const struct ln_address *peer)
{
    struct ln_stun_message answer;
    struct ln_stun_builder b;
    char nonce[LN_TURN_NONCE_LEN];
    uint8_t data[1024];

    ln_turn_nonce_write(c->rig->credentials, c->rig->config.nonce_key,
                        (c->rig->now + LN_SECONDS(1700000000)) / LN_SECONDS(1), &c->path.remote,
                        nonce);
    ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, method, &(struct ln_stun_id){ { 9 } });
    if (peer)
        ln_stun_add_xor_address(&b, type, peer);
    else
        ln_stun_add_u32(&b, type, value);
    secure_call(c, &b, &(struct ln_bytes){ (const uint8_t *)nonce, sizeof nonce }, &answer);
    CHECK(answer.kind == LN_STUN_SUCCESS);
    return answer;
}

/* Two streams inside TLS, one of them bound to a connection that is made to the peer. */
static void join_inside(struct rig *rig, struct secure_client *control, struct secure_client *data,
                        ln_link *ret_peer)
{
    struct ln_address peer = rig_address(PEER);
    struct ln_stun_message answer;
    uint32_t id;

    tcp_rig_init(rig);
    rig->secure = true;
    rig_start(rig);
    establish(control, rig, "198.51.100.7:4000");
    (void)ask(control, LN_STUN_ALLOCATE, LN_STUN_REQUESTED_TRANSPORT, 6u << 24, NULL);
    *ret_peer = rig->next_link;
    answer = ask(control, LN_STUN_CONNECT, LN_STUN_XOR_PEER_ADDRESS, 0, &peer);
    CHECK(ln_stun_find_u32(&answer, LN_STUN_CONNECTION_ID, &id));
    establish(data, rig, "198.51.100.7:4001");
    (void)ask(data, LN_STUN_CONNECTION_BIND, LN_STUN_CONNECTION_ID, id, NULL);
}

static void part_inside(struct rig *rig, struct secure_client *control, struct secure_client *data)
{
    ln_session_free(control->session);
    ln_session_free(data->session);
    rig_end(rig);
}

LN_TEST(connection, over_tls_both_ways)
{
    struct secure_client control, data;
    struct rig rig;
    char text[3001];
    ln_link link;

    join_inside(&rig, &control, &data, &link);
    secure_say(&data, "sealed", 6);
    CHECK(rig_sent(&rig, 0, PEER, "sealed"));
    memset(text, 'y', 3000);
    text[3000] = '\0';
    data.inbox_len = 0;
    tcp_from_peer(&rig, link, text);
    secure_take(&data);
    CHECK(data.inbox_len == 3000 && memcmp(data.inbox, text, 3000) == 0);
    CHECK(rig.windows[link] < 65536 - 20480 - 3000); /* less than fits once it is sealed */
    CHECK(rig.windows[link] > 65536 - 20480 - 10000);
    part_inside(&rig, &control, &data);
}

LN_TEST(connection, over_tls_ends_in_order_only_if_the_peer_ends_so)
{
    static const int errors[] = { 0, LN_ERR_CLOSED };

    for (size_t i = 0; i < 2; i++) {
        struct secure_client control, data;
        struct rig rig;
        ln_link link;

        join_inside(&rig, &control, &data, &link);
        rig_lose_link(&rig, link, errors[i]);
        CHECK_EQUAL(rig.closed_stream, data.path.link);
        secure_take(&data);
        CHECK_EQUAL(ln_session_state(data.session),
                    errors[i] ? LN_SESSION_ESTABLISHED : LN_SESSION_CLOSED);
        part_inside(&rig, &control, &data);
    }
}
