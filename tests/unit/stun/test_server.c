/* SPDX-License-Identifier: Apache-2.0
 * The binding server: its answers, its limits, its endpoint. */
#include "base/address.h"
#include "stun/message.h"
#include "stun/server.h"
#include "tests/support/test.h"

static size_t request(uint8_t *data, size_t cap)
{
    struct ln_stun_id id = { { 4, 5, 6 } };
    struct ln_stun_builder b;

    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    CHECK(ln_stun_finish(&b) == 20);
    return 20;
}

LN_TEST(server, tells_the_source_address)
{
    struct ln_stun_message m;
    struct ln_address from, mapped;
    uint8_t in[64], out[LN_STUN_ANSWER_MAX];
    int len;

    CHECK(ln_address_parse("[2001:db8::9]:4000", &from) == 0);
    len = ln_stun_server_respond(in, request(in, sizeof in), &from, out, sizeof out);
    CHECK(len > 0 && ln_stun_parse(out, (size_t)len, &m) == 0 && m.kind == LN_STUN_SUCCESS);
    CHECK(ln_stun_find_mapped(&m, &mapped) && ln_address_equal(&mapped, &from) && m.fingerprint);
    in[1] = 0x11; /* an indication */
    CHECK_EQUAL(ln_stun_server_respond(in, 20, &from, out, sizeof out), 0);
    in[0] = 1; /* a response */
    in[1] = 1;
    CHECK_EQUAL(ln_stun_server_respond(in, 20, &from, out, sizeof out), 0);
}

LN_TEST(server, answers_420_with_the_unknown_attributes)
{
    struct ln_address from = { .family = LN_FAMILY_IPV4, .ip = { 1, 2, 3, 4 }, .port = 5 };
    struct ln_stun_message m;
    struct ln_bytes value;
    uint8_t in[128], out[LN_STUN_ANSWER_MAX];
    uint16_t code;
    size_t in_len = test_hex("00010030 2112a442 00000000 00000000 00000000"
                             "70010000 70020000 70030000 70040000 70050000 70060000"
                             "70070000 70080000 70090000 700a0000 700b0000 700c0000",
                             in, sizeof in);
    int len = ln_stun_server_respond(in, in_len, &from, out, sizeof out);

    CHECK(len > 0 && len <= (int)LN_STUN_ANSWER_MAX);
    CHECK(ln_stun_parse(out, (size_t)len, &m) == 0 && m.kind == LN_STUN_ERROR);
    CHECK(ln_stun_find_error(&m, &code, &value) && code == 420);
    CHECK(ln_stun_find(&m, LN_STUN_UNKNOWN_ATTRIBUTES, &value));
    CHECK_EQUAL(value.len, 2 * LN_STUN_UNKNOWN_MAX);
}

static struct ln_stun_server *make(struct ln_endpoint *ret_endpoint, struct ln_path *ret_path)
{
    struct ln_stun_server_config config = { .listen_count = 1 };
    struct ln_stun_server *server;
    struct ln_address listen;
    struct ln_request r;

    CHECK(ln_address_parse("203.0.113.1:3478", &listen) == 0);
    config.listen = &listen;
    CHECK(ln_stun_server_create(&server, &config, test_env()) == 0);
    *ret_endpoint = ln_stun_server_endpoint(server);
    CHECK_EQUAL(ln_stun_server_listening(server, 0, &listen), LN_ERR_AGAIN);
    CHECK(ret_endpoint->ops->poll_request(server, &r) == 1 && r.kind == LN_REQUEST_OPEN_UDP);
    CHECK(ret_endpoint->ops->poll_request(server, &r) == 0);
    ret_endpoint->ops->answer(
        server, 0,
        &(struct ln_answer){ .kind = LN_ANSWER_OPENED, .id = r.id, .link = 3, .local = r.local });
    CHECK_EQUAL(ln_stun_server_listening(server, 0, &listen), 0);
    *ret_path = (struct ln_path){ .link = 3, .local = r.local };
    ret_path->remote = ln_address_ipv4(198, 51, 100, 7, 1234);
    return server;
}

LN_TEST(server, is_an_endpoint)
{
    struct ln_endpoint e;
    struct ln_path path;
    struct ln_stun_server *server = make(&e, &path);
    uint8_t in[64], buffer[1500];
    struct ln_packet packet = { .data = in, .len = request(in, sizeof in), .path = path };
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };

    e.ops->receive(server, LN_SECONDS(1), &packet);
    CHECK(e.ops->poll_transmit(server, LN_SECONDS(1), &out) == 1);
    CHECK(out.path.link == 3 && ln_address_equal(&out.path.remote, &path.remote));
    CHECK(e.ops->poll_transmit(server, LN_SECONDS(1), &out) == 0);
    CHECK_EQUAL(e.ops->next_timeout(server), LN_TIME_NEVER);
    ln_stun_server_free(server);
}

/* ATTACKS 6 */
LN_TEST(attack_6, in_a_flood_from_one_source_fewer_bytes_leave_than_arrive)
{
    struct ln_endpoint e;
    struct ln_path path;
    struct ln_stun_server *server = make(&e, &path);
    struct ln_stun_server_counts counts;
    size_t before = test_allocator()->live_bytes;
    uint8_t in[64], buffer[1500];
    struct ln_packet packet = { .data = in, .len = request(in, sizeof in), .path = path };
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };

    for (int i = 0; i < 50000; i++) { /* 10,000 a second for 5 s, ports by chance */
        ln_time now = LN_SECONDS(1) + i * LN_MICROSECONDS(100);

        packet.path.remote.port = (uint16_t)ln_rng_u32(test_env()->rng);
        packet.path.remote.ip[3] = (uint8_t)i; /* one /24 */
        e.ops->receive(server, now, &packet);
        while (e.ops->poll_transmit(server, now, &out) == 1)
            CHECK(out.len <= LN_STUN_ANSWER_MAX);
    }
    ln_stun_server_counts(server, &counts);
    CHECK(counts.requests == 50000 && counts.bytes_out < counts.bytes_in);
    CHECK(counts.answers >= 1390 && counts.answers <= 1410); /* 400 + 5 * 200 */
    CHECK_EQUAL(counts.answers + counts.limited, 50000);
    CHECK(test_allocator()->live_bytes <= before + 64 * 256);
    packet.path.remote.ip[2] = 99; /* another prefix is served */
    e.ops->receive(server, LN_SECONDS(6), &packet);
    CHECK(e.ops->poll_transmit(server, LN_SECONDS(6), &out) == 1);
    ln_stun_server_free(server);
}

LN_TEST(attack_6, memory_does_not_grow_with_the_number_of_sources)
{
    struct ln_stun_rate_limit limit;
    uint64_t before;
    unsigned taken = 0;

    CHECK(ln_stun_rate_limit_init(&limit, test_env(), 0, 0) == 0);
    before = test_allocator()->allocations;
    for (unsigned i = 0; i < 100000; i++) {
        struct ln_address source = ln_address_ipv4((uint8_t)(i >> 16), (uint8_t)(i >> 8),
                                                   (uint8_t)i, 1, 1);

        taken += ln_stun_rate_limit_take(&limit, LN_SECONDS(5), &source);
    }
    CHECK(taken == 100000 && test_allocator()->allocations == before);
    ln_stun_rate_limit_deinit(&limit);
}
