/* SPDX-License-Identifier: Apache-2.0
 * Clients over TLS and DTLS: the session is ours at both ends, the messages are written here. */
#include "tests/unit/turn/secure_client.h"

/* A request within the session, signed after the challenge. With a ticket, which may be empty, or a
 * peer. */
static void ask_about(struct secure_client *c, uint16_t method, const struct ln_bytes *ticket,
                      const struct ln_address *peer, struct ln_stun_message *ret_answer)
{
    struct ln_stun_id id = { { 7 } };
    struct ln_stun_builder b;
    struct ln_bytes nonce;
    uint8_t data[1024];

    for (int i = 0; i < 2; i++) {
        ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, method, &id);
        if (method == LN_STUN_ALLOCATE)
            ln_stun_add_u32(&b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
        if (ticket)
            ln_stun_add(&b, LN_STUN_MOBILITY_TICKET, ticket->data, ticket->len);
        if (peer)
            ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, peer);
        secure_call(c, &b, i == 1 ? &nonce : NULL, ret_answer);
        CHECK(i == 1 || ln_stun_find(ret_answer, LN_STUN_NONCE, &nonce));
    }
    CHECK(ret_answer->kind == LN_STUN_SUCCESS);
}

static void ask(struct secure_client *c, uint16_t method, const struct ln_bytes *ticket,
                struct ln_stun_message *ret_answer)
{
    ask_about(c, method, ticket, NULL, ret_answer);
}

/* The relayed address. */
static struct ln_address allocate(struct secure_client *c)
{
    struct ln_stun_message answer;
    struct ln_address relayed;

    ask(c, LN_STUN_ALLOCATE, NULL, &answer);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &relayed));
    return relayed;
}

static void prepare(struct rig *rig)
{
    rig_init(rig);
    rig->secure = true;
    rig_listen_for_streams(rig);
    rig->config.streams_per_source_max = 2;
}

static void start(struct rig *rig)
{
    prepare(rig);
    rig_start(rig);
}

LN_TEST(secure, an_allocation_over_dtls)
{
    struct secure_client c;
    struct rig rig;

    start(&rig);
    secure_open(&c, &rig, "198.51.100.7:4000", true);
    secure_pump(&c);
    CHECK(ln_session_state(c.session) == LN_SESSION_ESTABLISHED);
    CHECK_TEXT(ln_session_alpn(c.session), "stun.turn"); /* RFC 7443 */
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 1);
    allocate(&c);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].allocations, 1);
    rig_advance(&rig, LN_SECONDS(600)); /* not refreshed: gone, and the session after it */
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    rig_advance(&rig, LN_SECONDS(30));
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 0);
    ln_session_free(c.session);
    rig_end(&rig);
}

/* The session's client hears of a peer that he permitted. */
static void check_icmp(struct secure_client *c)
{
    struct ln_icmp too_big = { .type = 3, .code = 4, .mtu = 1400 };
    struct ln_address peer = rig_address("198.51.100.99:9"), relayed = allocate(c);
    struct ln_stun_message answer;

    ask_about(c, LN_STUN_CREATE_PERMISSION, NULL, &peer, &answer);
    c->inbox_len = 0;
    rig_icmp(c->rig, &relayed, "198.51.100.99:9", too_big);
    secure_take(c);
    CHECK(rig_is_icmp(c->inbox, c->inbox_len, "198.51.100.99:9", too_big));
}

LN_TEST(secure, what_icmp_says_about_a_peer_is_told_over_tls_and_dtls)
{
    struct secure_client c;
    struct rig rig;

    for (int datagram = 0; datagram < 2; datagram++) {
        start(&rig);
        secure_open(&c, &rig, "198.51.100.7:4000", datagram);
        secure_pump(&c);
        check_icmp(&c);
        ln_session_free(c.session);
        rig_end(&rig);
    }
}

LN_TEST(secure, an_allocation_over_tls)
{
    struct secure_client c;
    struct rig rig;

    start(&rig);
    secure_open(&c, &rig, "198.51.100.7:4000", false);
    secure_pump(&c);
    CHECK(ln_session_state(c.session) == LN_SESSION_ESTABLISHED);
    CHECK_TEXT(ln_session_alpn(c.session), "stun.turn");
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TLS].sessions, 1);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TCP].sessions, 0);
    allocate(&c);
    ln_session_close(c.session, rig.now);
    secure_pump(&c);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0); /* close_notify ends it */
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    ln_session_free(c.session);
    rig_end(&rig);
}

/* ATTACKS 19 */
LN_TEST(attack_19, a_flood_of_dtls_hellos_leaves_nothing_behind)
{
    struct secure_client c;
    struct rig rig;
    uint8_t hello[RIG_PACKET_CAP];
    size_t before, in = 0, out = 0;
    int len;

    start(&rig);
    secure_open(&c, &rig, "198.51.100.7:4000", true);
    len = ln_session_poll_output(c.session, hello, sizeof hello);
    CHECK(len > 0);
    before = test_allocator()->live_bytes;
    for (int i = 0; i < 5000; i++) {
        c.path.remote.port = (uint16_t)(1 + i);
        rig_receive(&rig, &c.path, hello, (size_t)len);
        in += (size_t)len;
        for (size_t p = 0; p < rig.packet_count; p++)
            out += rig.packets[p].len;
    }
    CHECK(out > 0 && out < in / 10);
    CHECK(test_allocator()->live_bytes <= before + 65536);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 0);
    ln_session_free(c.session);
    rig_end(&rig);
}

/* Alerts, other handshake messages, application data, of one record or less, from whoever has no
 * session: without a hello nothing begins. */
LN_TEST(attack_19, datagrams_of_dtls_that_are_no_hello_begin_nothing)
{
    static const uint8_t kinds[] = { 20, 21, 22, 23, 24, 25, 63 };
    uint8_t record[13 + 12 + 4] = { 0, 0xfe, 0xfd };
    struct ln_path path = { RIG_LISTENER, { 0 }, { 0 } };
    struct rig rig;
    size_t before;

    start(&rig);
    path.local = rig_address("203.0.113.9:3478");
    before = test_allocator()->live_bytes;
    for (size_t i = 0; i < sizeof kinds * sizeof record; i++) {
        path.remote = rig_address("198.51.100.7:4000");
        path.remote.port = (uint16_t)(4000 + i);
        record[0] = kinds[i % sizeof kinds];
        record[12] = sizeof record - 13;
        record[13] = 2; /* a ServerHello, as far as it is a handshake */
        rig_receive(&rig, &path, record, 1 + i / sizeof kinds);
        CHECK_EQUAL(rig.packet_count, 0);
    }
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 0);
    CHECK_EQUAL(test_allocator()->live_bytes, before);
    rig_end(&rig);
}

LN_TEST(attack_19, handshakes_that_stop_half_way_are_few_and_end)
{
    struct secure_client c[3];
    struct rig rig;
    uint8_t hello[RIG_PACKET_CAP];
    int len;

    start(&rig);
    for (int i = 0; i < 3; i++) { /* two guests of one source */
        char text[] = "198.51.100.7:4000";

        text[16] = (char)('0' + i);
        secure_open(&c[i], &rig, text, true);
        for (int step = 0; step < 2; step++) { /* a hello, and one with its cookie */
            len = ln_session_poll_output(c[i].session, hello, sizeof hello);
            CHECK(len > 0);
            rig_receive(&rig, &c[i].path, hello, (size_t)len);
            secure_take(&c[i]);
        }
    }
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 2);
    CHECK_EQUAL(rig_counts(&rig).streams_refused, 1);
    rig_advance(&rig, LN_SECONDS(30));
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 0);
    for (int i = 0; i < 3; i++)
        ln_session_free(c[i].session);
    rig_end(&rig);
}

LN_TEST(secure, a_client_that_begins_anew_from_its_port_gets_a_new_session)
{
    struct secure_client first, second;
    struct rig rig;

    start(&rig);
    secure_open(&first, &rig, "198.51.100.7:4000", true);
    secure_pump(&first);
    allocate(&first);
    secure_open(&second, &rig, "198.51.100.7:4000", true);
    secure_pump(&second);
    CHECK(ln_session_state(second.session) == LN_SESSION_ESTABLISHED);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    allocate(&second);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_DTLS].sessions, 1);
    ln_session_free(first.session);
    ln_session_free(second.session);
    rig_end(&rig);
}

LN_TEST(secure, what_is_no_tls_ends_the_stream)
{
    struct rig rig;
    struct ln_path path = { .link = 0 };

    start(&rig);
    path.link = rig_open_stream(&rig, "198.51.100.7:4000");
    rig_receive(&rig, &path, "\x16\x03\x01\x00\x05hello", 10);
    CHECK_EQUAL(rig.closed_stream, path.link);
    CHECK_EQUAL(rig_counts(&rig).streams_broken, 1);
    rig_end(&rig);
}

/* ---- a shared port: HTTP inside TLS ---- */

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static void start_shared(struct rig *rig)
{
    prepare(rig);
    rig->config.shared_port = true;
    rig_start(rig);
}

/* A client who has agreed on this protocol, his handshake done. */
static void visit(struct secure_client *c, struct rig *rig, const char *protocol, const char *from)
{
    secure_open_for(c, rig, from, false, protocol);
    secure_pump(c);
    CHECK(ln_session_state(c->session) == LN_SESSION_ESTABLISHED);
    CHECK_TEXT(ln_session_alpn(c->session), protocol);
}

/* The pair that was opened last. */
static struct ln_path pair_of(const struct rig *rig, const struct secure_client *c)
{
    return (struct ln_path){ rig->next_link - 1, rig->listen[1].address, c->path.remote };
}

static bool sent_on(const struct rig *rig, size_t i, ln_link link, const char *text)
{
    return i < rig->packet_count && rig->packets[i].path.link == link &&
           rig->packets[i].len == strlen(text) &&
           memcmp(rig->packets[i].data, text, strlen(text)) == 0;
}

LN_TEST(shared_port, http_inside_tls_goes_to_a_pair_and_the_answer_comes_back)
{
    struct secure_client c;
    struct ln_path pair;
    struct rig rig;

    start_shared(&rig);
    visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
    secure_say(&c, GET, strlen(GET));
    pair = pair_of(&rig, &c); /* told with the client's address */
    CHECK(sent_on(&rig, 0, pair.link, GET));
    rig_receive(&rig, &pair, "HTTP/1.1 204 x\r\n\r\n", 18);
    secure_take(&c);
    CHECK(c.inbox_len == 18 && memcmp(c.inbox, "HTTP/1.1 204 x", 14) == 0);
    secure_say(&c, "more", 4);
    CHECK(sent_on(&rig, 0, pair.link, "more"));
    rig_close_link(&rig, pair.link);
    secure_take(&c);
    CHECK(ln_session_state(c.session) == LN_SESSION_CLOSED); /* by a close_notify */
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    CHECK_EQUAL(rig_counts(&rig).pages, 1);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TLS].sessions, 0);
    ln_session_free(c.session);
    rig_end(&rig);
}

LN_TEST(shared_port, the_end_of_a_client_ends_his_pair)
{
    struct secure_client c;
    struct ln_path pair;
    struct rig rig;

    start_shared(&rig);
    visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
    secure_say(&c, GET, strlen(GET));
    pair = pair_of(&rig, &c);
    ln_session_close(c.session, rig.now);
    secure_pump(&c);
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    CHECK(rig.sockets[rig.socket_count - 1].link == 0); /* the pair's */
    CHECK(pair.link != 0);
    ln_session_free(c.session);
    rig_end(&rig);
}

LN_TEST(shared_port, what_was_agreed_is_a_hint_and_the_first_byte_decides)
{
    struct secure_client c, d;
    struct rig rig;

    start_shared(&rig);
    visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
    allocate(&c);
    CHECK_EQUAL(rig_counts(&rig).pages, 0);
    visit(&d, &rig, "stun.turn", "198.51.100.7:4001");
    secure_say(&d, GET, strlen(GET));
    CHECK_EQUAL(rig_counts(&rig).pages, 1);
    ln_session_free(c.session);
    ln_session_free(d.session);
    rig_end(&rig);
}

LN_TEST(shared_port, what_comes_before_the_pair_is_open_waits_for_it)
{
    struct secure_client c;
    struct ln_path pair;
    struct rig rig;

    start_shared(&rig);
    visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
    rig.hold = true;
    secure_say(&c, GET, strlen(GET));
    CHECK_EQUAL(rig.windows[c.path.link], 1); /* nothing more is wanted meanwhile */
    secure_say(&c, "and", 3);
    CHECK_EQUAL(rig_counts(&rig).pages, 0);
    rig.hold = false;
    rig_answer_held(&rig, 0);
    pair = pair_of(&rig, &c);
    CHECK(sent_on(&rig, 0, pair.link, GET));
    CHECK(sent_on(&rig, 1, pair.link, "and"));
    CHECK(rig.windows[c.path.link] > 1);
    CHECK(rig.windows[pair.link] <= 65536 - 20480); /* what fits once it is sealed */
    ln_session_free(c.session);
    rig_end(&rig);
}

LN_TEST(shared_port, who_says_too_much_too_early_or_is_taken_by_nobody_is_ended)
{
    struct secure_client c;
    struct rig rig;
    char text[3000];

    start_shared(&rig);
    memset(text, 'A', sizeof text);
    visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
    rig.hold = true;
    for (int i = 0; i < 21; i++)
        secure_say(&c, text, sizeof text);
    CHECK_EQUAL(rig_counts(&rig).pages_refused, 0);
    secure_say(&c, text, sizeof text);
    CHECK_EQUAL(rig_counts(&rig).pages_refused, 1);
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    CHECK_EQUAL(rig.cancelled, rig.held[0].id);
    ln_session_free(c.session);

    rig.held_count = 0;
    visit(&c, &rig, "http/1.1", "198.51.100.7:4001"); /* never answered */
    secure_say(&c, text, 3);
    rig_advance(&rig, LN_SECONDS(10));
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    ln_session_free(c.session);

    rig.held_count = 0;
    visit(&c, &rig, "http/1.1", "198.51.100.7:4002"); /* refused */
    secure_say(&c, text, 3);
    rig_answer_held(&rig, LN_ERR_LIMIT);
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    CHECK_EQUAL(rig_counts(&rig).pages, 0);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TLS].sessions, 0);
    ln_session_free(c.session);
    rig_end(&rig);
}

LN_TEST(shared_port, alone_for_stun_takes_no_http)
{
    struct secure_client c;
    struct rig rig;

    start(&rig);
    secure_open(&c, &rig, "198.51.100.7:4000", false);
    secure_pump(&c);
    secure_say(&c, GET, strlen(GET)); /* half a message of a channel, by its look */
    rig_advance(&rig, LN_SECONDS(30));
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 1);
    CHECK_EQUAL(rig.closed_stream, c.path.link);
    ln_session_free(c.session);
    rig_end(&rig);
}

/* ATTACKS 19: before it is known what a connection is, it is one of a few, for a short while; a
 * page is no longer one of them. */
LN_TEST(attack_19, who_says_nothing_inside_tls_is_one_of_a_few_and_leaves)
{
    struct secure_client silent[2], page;
    struct rig rig;

    start_shared(&rig);
    visit(&silent[0], &rig, "http/1.1", "198.51.100.7:4000");
    visit(&silent[1], &rig, "stun.turn", "198.51.100.7:4001");
    rig_open_stream(&rig, "198.51.100.7:4002");
    CHECK_EQUAL(rig_counts(&rig).streams_refused, 1);
    secure_say(&silent[0], GET, strlen(GET));
    visit(&page, &rig, "http/1.1", "198.51.100.7:4003");
    secure_say(&page, GET, strlen(GET));
    CHECK_EQUAL(rig_counts(&rig).pages, 2);
    rig_advance(&rig, LN_SECONDS(30));
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 1);
    CHECK_EQUAL(rig.closed_stream, silent[1].path.link);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TLS].sessions, 2);
    ln_session_free(silent[0].session);
    ln_session_free(silent[1].session);
    ln_session_free(page.session);
    rig_end(&rig);
}

LN_TEST(shared_port, a_hundred_pages_come_and_go_and_nothing_is_left)
{
    struct secure_client c;
    struct rig rig;
    size_t before = 0;

    start_shared(&rig);
    for (int i = 0; i < 100; i++) {

        visit(&c, &rig, "http/1.1", "198.51.100.7:4000");
        secure_say(&c, GET, strlen(GET));
        rig_close_link(&rig,
                       i % 2 ? pair_of(&rig, &c).link : c.path.link); /* either end goes first */
        ln_session_free(c.session);
        rig_advance(&rig, LN_MILLISECONDS(10));
        if (i == 10)
            before = test_allocator()->live_bytes;
    }
    CHECK_EQUAL(test_allocator()->live_bytes, before);
    CHECK_EQUAL(rig.open_count, 1 + 1); /* the listeners */
    CHECK_EQUAL(rig_counts(&rig).pages, 100);
    rig_end(&rig);
}

/* RFC 8016, 1: mobility is to work with TLS and DTLS as well. */
LN_TEST(secure, an_allocation_moves_from_tls_to_dtls_and_back)
{
    static const uint8_t nobodys_channel[] = { 0x40, 0, 0, 1, 'x', 0, 0, 0 };
    struct secure_client clients[3];
    struct ln_bytes ticket = { NULL, 0 }, found;
    struct ln_stun_message answer;
    uint8_t copy[128];
    struct rig rig;

    start(&rig);
    for (int i = 0; i < 3; i++) {
        static const char *const from[] = { "198.51.100.7:1", "198.51.100.8:2", "198.51.100.9:3" };
        enum ln_turn_transport used = i == 1 ? LN_TURN_DTLS : LN_TURN_TLS;
        struct secure_client *c = &clients[i];

        secure_open(c, &rig, from[i], i == 1);
        secure_pump(c);
        ask(c, i == 0 ? LN_STUN_ALLOCATE : LN_STUN_REFRESH, &ticket, &answer);
        CHECK(ln_stun_find(&answer, LN_STUN_MOBILITY_TICKET, &found) && found.len <= sizeof copy);
        memcpy(copy, found.data, found.len);
        ticket = (struct ln_bytes){ copy, found.len };
        secure_say(c, nobodys_channel, i == 1 ? 5 : 8); /* he has spoken from there */
        CHECK_EQUAL(rig_counts(&rig).transport[used].allocations, 1);
        CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    }
    CHECK_EQUAL(rig_counts(&rig).moved, 2);
    for (int i = 0; i < 3; i++)
        ln_session_free(clients[i].session);
    rig_end(&rig);
}
