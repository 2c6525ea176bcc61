/* SPDX-License-Identifier: Apache-2.0
 * STUN servers over TCP that name strange addresses, answer what was not asked, send rubbish, say
 * nothing or are not there: no candidate comes of it, nothing waits, and every stream is closed. */
#include "base/address.h"
#include "crypto/crypto.h"
#include "ice/tcp.h"
#include "stun/message.h"
#include "tests/support/idle.h"
#include "tests/unit/ice/agents.h"

#define SERVER_IP "203.0.113.9"
#define OURS      "198.51.100.1:4711" /* what a good answer says */
#define CALLS     8

/* ---- a server that says what a test wants ---- */

enum say {
    SAY_ADDRESS,
    SAY_NOTHING,
    SAY_NO_ADDRESS,
    SAY_ERROR,
    SAY_OTHER_ID,
    SAY_OTHER_METHOD,
    SAY_RUBBISH,
    SAY_TOO_LONG,
    SAY_TWICE
};

static struct {
    enum say say;
    const char *address;
    bool listening;
    struct {
        struct ln_path path;
        struct ln_stun_id id;
        unsigned due;
    } calls[CALLS];
    size_t count;
} server;

static struct agents s;

static const struct ln_ice_server_address stun = { .url = "stun:" SERVER_IP, .host = SERVER_IP },
                                          streams_only = { .url = "stuns:" SERVER_IP,
                                                           .host = SERVER_IP,
                                                           .transport = LN_ICE_OVER_TCP },
                                          inside_tls = { .url = "stuns:" SERVER_IP,
                                                         .host = SERVER_IP,
                                                         .port = 3478,
                                                         .transport = LN_ICE_OVER_TLS };

static void server_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_stun_message message;

    if (server.count == CALLS ||
        (ln_stun_parse(packet->data, packet->len, &message) != 0 && server.say != SAY_RUBBISH))
        return;
    server.calls[server.count].path = packet->path;
    server.calls[server.count].id = message.id;
    server.calls[server.count++].due = server.say == SAY_NOTHING ? 0
                                       : server.say == SAY_TWICE ? 2
                                                                 : 1;
}

static int answer(const struct ln_stun_id *asked, unsigned left, uint8_t *out, size_t cap)
{
    struct ln_stun_id id = *asked;
    struct ln_stun_builder b;
    struct ln_address address;

    if (server.say == SAY_RUBBISH || server.say == SAY_TOO_LONG) {
        memset(out, server.say == SAY_RUBBISH ? 0xff : 0, 40);
        out[2] = 0xff; /* of a STUN message: its length */
        return 40;
    }
    id.bytes[0] ^= server.say == SAY_OTHER_ID;
    CHECK(ln_address_parse(left == 2 ? "198.51.100.66:6666" : server.address, &address) == 0);
    ln_stun_begin(&b, out, cap, server.say == SAY_ERROR ? LN_STUN_ERROR : LN_STUN_SUCCESS,
                  server.say == SAY_OTHER_METHOD ? LN_STUN_ALLOCATE : LN_STUN_BINDING, &id);
    if (server.say == SAY_ERROR)
        ln_stun_add_error(&b, 500, NULL);
    else if (server.say != SAY_NO_ADDRESS)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &address);
    return ln_stun_finish(&b);
}

static int server_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    for (size_t i = 0; i < server.count; i++)
        if (server.calls[i].due > 0) {
            ln_transmit_begin(out);
            out->path = server.calls[i].path;
            out->len = (size_t)answer(&server.calls[i].id, server.calls[i].due--, out->data,
                                      out->cap);
            return 1;
        }
    return 0;
}

static int server_request(void *object, struct ln_request *r)
{
    if (server.listening)
        return 0;
    server.listening = true;
    *r = (struct ln_request){ .kind = LN_REQUEST_LISTEN_TCP, .id = 1 };
    CHECK(ln_address_parse(SERVER_IP ":3478", &r->local) == 0);
    return 1;
}

static const struct ln_endpoint_ops ops = { server_receive,  idle_on_timeout, idle_next_timeout,
                                            server_transmit, server_request,  idle_answer };

/* Gathers with these servers, of which the last is there and says that, for so long. */
static void gather_from(const struct ln_ice_server_address *servers, size_t count, enum say say,
                        const char *address, ln_duration time)
{
    memset(&server, 0, sizeof server);
    server.say = say;
    server.address = address;
    agents_init(&s);
    s.wire.filter = wire_drop_all;
    s.a.config.tcp = true;
    s.a.config.servers = servers;
    s.a.config.server_count = count;
    CHECK(agents_create(&s));
    wire_add(&s.wire, (struct ln_endpoint){ &ops, &server });
    agents_run(&s, LN_MILLISECONDS(1));
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_PORT_RESTRICTED, "198.51.100.1");
    ln_ice_gather(s.a.ice);
    agents_run(&s, time);
}

static void gather(enum say say, ln_duration time)
{
    gather_from(&stun, 1, say, OURS, time);
}

static size_t reflexive_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < s.a.candidate_count; i++)
        count += s.a.candidates[i].type == LN_CANDIDATE_SRFLX;
    return count;
}

static uint64_t dropped(void)
{
    return ln_ice_dropped(s.a.ice, LN_ICE_DROP_MALFORMED) +
           ln_ice_dropped(s.a.ice, LN_ICE_DROP_NO_TRANSACTION);
}

static void nothing_came_of_it(void)
{
    CHECK_EQUAL(reflexive_count(), 0);
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
}

LN_TEST(tcp_ask_attack, a_good_answer_is_believed)
{
    gather(SAY_ADDRESS, LN_SECONDS(1));
    CHECK_EQUAL(reflexive_count(), 3); /* two ports seen as one: two kinds, and the active one */
    agents_free(&s);
}

LN_TEST(tcp_ask_attack, an_address_that_cannot_be_ours_is_not_told)
{
    static const char *const strange[] = { "0.0.0.0:4711",   "127.0.0.1:4711",
                                           "224.0.0.1:4711", "255.255.255.255:4711",
                                           "198.51.100.1:0", "[2001:db8::1]:4711" };

    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        gather_from(&stun, 1, SAY_ADDRESS, strange[i], LN_SECONDS(1));
        nothing_came_of_it();
        CHECK_EQUAL(s.a.error_events, 0); /* `stun:` may well mean UDP alone */
        agents_free(&s);
    }
}

LN_TEST(tcp_ask_attack, answers_without_an_address_and_refusals_end_the_stream)
{
    for (enum say say = SAY_NO_ADDRESS; say <= SAY_ERROR; say++) {
        gather(say, LN_SECONDS(1));
        nothing_came_of_it();
        agents_free(&s);
    }
}

LN_TEST(tcp_ask_attack, what_was_not_asked_is_dropped_and_counted)
{
    for (enum say say = SAY_OTHER_ID; say <= SAY_OTHER_METHOD; say++) {
        gather(say, LN_SECONDS(1));
        CHECK_EQUAL(reflexive_count(), 0);
        CHECK_EQUAL(dropped(), 2);
        agents_run(&s, LN_SECONDS(10));
        CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
        agents_free(&s);
    }
}

LN_TEST(tcp_ask_attack, a_second_answer_changes_nothing)
{
    gather(SAY_TWICE, LN_SECONDS(1));
    for (size_t i = 0; i < s.a.candidate_count; i++)
        CHECK(s.a.candidates[i].address.port != 4711);
    CHECK_EQUAL(dropped(), 2);
    agents_free(&s);
}

LN_TEST(tcp_ask_attack, a_stream_out_of_step_or_with_a_frame_too_long_is_closed)
{
    for (enum say say = SAY_RUBBISH; say <= SAY_TOO_LONG; say++) {
        gather(say, LN_SECONDS(1));
        nothing_came_of_it();
        agents_free(&s);
    }
}

LN_TEST(tcp_ask_attack, a_server_that_breaks_tls_is_given_up_once_and_told)
{
    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    gather_from(&inside_tls, 1, SAY_RUBBISH, NULL, LN_SECONDS(1));
    CHECK_EQUAL(server.count, 2); /* a port each */
    CHECK_EQUAL(s.a.error_events, 2);
    CHECK_EQUAL(s.a.last_error.error.code, 701);
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    agents_free(&s);
    ln_crypto_free(test_env()->crypto);
    test_env()->crypto = NULL;
}

LN_TEST(tcp_ask_attack, a_server_that_says_nothing_is_given_up)
{
    gather(SAY_NOTHING, LN_SECONDS(9));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 4);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(wire_open_streams(&s.wire, WIRE_ALL_NODES), 0);
    agents_free(&s);
}

LN_TEST(tcp_ask_attack, a_third_server_is_asked_when_two_have_failed)
{
    struct ln_ice_server_address three[3] = { { .url = "stun:203.0.113.7", .host = "203.0.113.7" },
                                              { .url = "stun:203.0.113.8", .host = "203.0.113.8" },
                                              stun };

    gather_from(three, 3, SAY_ADDRESS, OURS, LN_SECONDS(1));
    CHECK_EQUAL(reflexive_count(), 3);
    agents_free(&s);
}

LN_TEST(tcp_ask_attack, gathering_does_not_wait_for_a_server_that_no_stream_reaches)
{
    for (int hang = 0; hang < 2; hang++) {
        agents_init(&s);
        s.a.config.tcp = true;
        s.a.config.servers = &streams_only;
        s.a.config.server_count = 1;
        s.wire.streams_hang = hang;
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "10.0.0.2");
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_SECONDS(2));
        CHECK(s.a.gathered);
        CHECK_EQUAL(s.a.error_events,
                    hang ? 0 : 2); /* it was to be asked by streams alone: told, a port each */
        agents_run(&s, LN_SECONDS(10));
        CHECK_EQUAL(s.a.error_events, 2);
        CHECK_EQUAL(s.a.last_error.error.code, 701);
        agents_free(&s);
    }
}
