/* SPDX-License-Identifier: Apache-2.0
 * The querier: one interface, a hand-fed network, virtual time. */
#include "mdns/mdns.h"
#include "tests/support/test.h"

static struct ln_mdns *m;
static struct ln_endpoint e;
static ln_time now;
static struct ln_interface interfaces[2];
static bool refuse_group;

/* Answers its requests; true if a packet came out. */
static bool pump(struct ln_transmit *out)
{
    struct ln_request request;

    while (e.ops->poll_request(e.object, &request) == 1) {
        struct ln_answer a = { .id = request.id, .local = request.local };

        if (request.kind == LN_REQUEST_WATCH_INTERFACES) {
            a.kind = LN_ANSWER_INTERFACES;
            a.interfaces = interfaces;
            a.interface_count = 1;
        } else if (request.kind == LN_REQUEST_OPEN_UDP) {
            a.kind = refuse_group && request.local.port == 5353 ? LN_ANSWER_FAILED
                                                                : LN_ANSWER_OPENED;
            a.link = 9;
        } else {
            continue;
        }
        e.ops->answer(e.object, now, &a);
    }
    return e.ops->poll_transmit(e.object, now, out) == 1;
}

static uint8_t buffer[1500];
static struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };

static void begin(const struct ln_mdns_config *config)
{
    memset(interfaces, 0, sizeof interfaces);
    interfaces[0].index = 3;
    interfaces[0].up = true;
    CHECK(ln_address_parse("192.168.1.2", &interfaces[0].address) == 0);
    refuse_group = false;
    now = LN_SECONDS(50);
    CHECK(ln_mdns_create(&m, config, test_env()) == 0);
    e = ln_mdns_endpoint(m);
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
}

static void advance(void)
{
    ln_time next = e.ops->next_timeout(e.object);

    CHECK(next != LN_TIME_NEVER);
    now = next > now ? next : now;
    e.ops->on_timeout(e.object, now);
    CHECK(e.ops->next_timeout(e.object) > now);
}

static void respond_from(uint16_t port, const char *name, const char *ip, uint32_t ttl, uint16_t id)
{
    struct ln_packet packet = { .data = buffer, .path = { .link = 9 } };
    struct ln_address address;
    struct ln_writer w;

    CHECK(ln_address_parse(ip, &address) == 0);
    CHECK(ln_address_parse("192.168.1.3", &packet.path.remote) == 0);
    packet.path.remote.port = port;
    ln_writer_init(&w, buffer, sizeof buffer);
    ln_dns_write_header(&w, id, LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA, 0, 1, 0);
    ln_dns_write_address(&w, name, true, ttl, &address);
    packet.len = w.len;
    e.ops->receive(e.object, now, &packet);
}

LN_TEST(mdns, asks_the_group_and_reports_the_address)
{
    struct ln_mdns_event event;
    struct ln_dns_message message;
    struct ln_dns_item item;

    begin(NULL);
    CHECK(ln_mdns_query(m, "abc-1.local", 77) == 0);
    advance();
    CHECK(pump(&out));
    CHECK(out.path.remote.ip[0] == 224 && out.path.remote.port == 5353 && out.path.link == 9);
    CHECK(ln_dns_parse(out.data, out.len, &message) == 0 && message.questions == 2);
    CHECK(message.id == 0 && message.flags == 0);
    CHECK(ln_dns_next(&message, &item) == 1 && item.type == LN_DNS_A && !item.top_bit);
    CHECK_TEXT(item.name, "abc-1.local");
    CHECK(!pump(&out));
    respond_from(5353, "ABC-1.local", "192.168.1.3", 120, 0);
    CHECK(!ln_mdns_poll_event(m, &event)); /* the other family has 20 ms */
    advance();
    CHECK(now == LN_SECONDS(50) + LN_MILLISECONDS(20));
    CHECK(ln_mdns_poll_event(m, &event) && event.id == 77 && event.error == 0);
    CHECK(event.address_count == 1 && event.addresses[0].ip[3] == 3);
    CHECK(!ln_mdns_poll_event(m, &event));
    ln_mdns_free(m);
}

LN_TEST(mdns, remembers_an_answer_as_long_as_it_lives)
{
    struct ln_mdns_event event;

    begin(NULL);
    CHECK(ln_mdns_query(m, "a.local", 1) == 0);
    advance();
    pump(&out);
    respond_from(5353, "a.local", "192.168.1.3", 10, 0);
    advance();
    CHECK(ln_mdns_poll_event(m, &event));
    now += LN_SECONDS(9);
    CHECK(ln_mdns_query(m, "A.local", 2) == 0);
    advance();
    CHECK(ln_mdns_poll_event(m, &event) && event.id == 2 && event.address_count == 1);
    CHECK(!pump(&out));
    advance(); /* it is forgotten */
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    CHECK(ln_mdns_query(m, "a.local", 3) == 0);
    advance();
    CHECK(pump(&out));
    ln_mdns_free(m);
}

/* ATTACKS 11 */
LN_TEST(attack_11, a_name_that_never_resolves_fails_after_3_sends_and_3_seconds)
{
    struct ln_mdns_event event;
    int sends = 0;

    begin(NULL);
    CHECK(ln_mdns_query(m, "a.local", 1) == 0);
    CHECK(ln_mdns_query(m, "a.local", 2) == 0);
    do {
        advance();
        while (pump(&out))
            sends++;
    } while (!ln_mdns_poll_event(m, &event));
    CHECK(now == LN_SECONDS(53) && sends == 3);
    CHECK(event.id == 1 && event.error == LN_ERR_NOT_FOUND && event.address_count == 0);
    CHECK(ln_mdns_poll_event(m, &event) && event.id == 2);
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    ln_mdns_free(m);
}

LN_TEST(attack_11, public_and_unusable_addresses_and_answers_from_other_ports_are_ignored)
{
    struct ln_mdns_event event;

    begin(NULL);
    CHECK(ln_mdns_query(m, "a.local", 1) == 0);
    advance();
    pump(&out);
    respond_from(5353, "a.local", "8.8.8.8", 120, 0);
    respond_from(5353, "a.local", "127.0.0.1", 120, 0);
    respond_from(5353, "a.local", "224.0.0.9", 120, 0);
    respond_from(5353, "a.local", "0.0.0.0", 120, 0);
    respond_from(5353, "a.local", "::ffff:10.0.0.1", 120, 0);
    respond_from(5353, "a.local", "192.168.1.66", 0, 0); /* goodbye */
    respond_from(5354, "a.local", "192.168.1.67", 120, 0);
    respond_from(5353, "b.local", "192.168.1.68", 120, 0); /* nobody asked */
    respond_from(5353, "a.local", "192.168.1.3", 120, 0);
    respond_from(5353, "a.local", "192.168.1.4", 120, 0); /* the first counts */
    respond_from(5353, "a.local", "fe80::5", 120, 0);
    e.ops->on_timeout(e.object, now);
    CHECK(ln_mdns_poll_event(m, &event) && event.address_count == 2);
    CHECK_EQUAL(event.addresses[0].ip[3], 3);
    CHECK_EQUAL(event.addresses[1].scope, 3);
    ln_mdns_free(m);
}

LN_TEST(attack_11, strict_refuses_global_ipv6_too)
{
    for (int strict = 0; strict < 2; strict++) {
        struct ln_mdns_config config;
        struct ln_mdns_event event;

        ln_mdns_config_init(&config);
        config.strict = strict;
        begin(&config);
        CHECK(ln_mdns_query(m, "a.local", 1) == 0);
        advance();
        pump(&out);
        respond_from(5353, "a.local", "2001:db8::5", 120, 0);
        now += LN_MILLISECONDS(20);
        e.ops->on_timeout(e.object, now);
        CHECK(ln_mdns_poll_event(m, &event) == !strict);
        ln_mdns_free(m);
    }
}

LN_TEST(mdns, asks_from_an_ordinary_port_where_5353_cannot_be_had)
{
    struct ln_mdns_event event;
    uint16_t id;

    begin(NULL);
    refuse_group = true;
    CHECK(ln_mdns_query(m, "a.local", 1) == 0);
    advance();
    CHECK(pump(&out) && out.path.local.port == 0 && out.path.remote.port == 5353);
    id = ln_load16(out.data);
    respond_from(5353, "a.local", "192.168.1.3", 120, (uint16_t)(id + 1));
    respond_from(5353, "a.local", "192.168.1.4", 120, id);
    advance();
    CHECK(ln_mdns_poll_event(m, &event) && event.addresses[0].ip[3] == 4);
    ln_mdns_free(m);
}

LN_TEST(mdns, limits_queries_and_forgets_cancelled_ones)
{
    struct ln_mdns_event event;
    char name[32];

    begin(NULL);
    CHECK_EQUAL(ln_mdns_query(m, "example.com", 1), LN_ERR_SYNTAX);
    for (unsigned i = 0; i < LN_MDNS_QUERIES_MAX; i++) {
        memcpy(name, "xxxx.local", 11);
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        CHECK(ln_mdns_query(m, name, i) == 0);
    }
    CHECK_EQUAL(ln_mdns_query(m, "one-more.local", 999), LN_ERR_LIMIT);
    for (unsigned i = 0; i < LN_MDNS_QUERIES_MAX; i++)
        ln_mdns_cancel(m, i);
    CHECK(ln_mdns_query(m, "one-more.local", 999) == 0);
    advance();
    while (e.ops->next_timeout(e.object) != LN_TIME_NEVER)
        advance();
    CHECK(ln_mdns_poll_event(m, &event) && event.id == 999);
    CHECK(!ln_mdns_poll_event(m, &event));
    ln_mdns_free(m);
}
