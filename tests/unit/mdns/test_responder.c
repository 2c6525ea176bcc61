/* SPDX-License-Identifier: Apache-2.0
 * The responder: two interfaces, a hand-fed network, virtual time. */
#include "mdns/mdns.h"
#include "mdns/responder.h"
#include "tests/support/test.h"

#include <stdio.h>

#define NAME   "3b1c6a52-9d3e-4c8e-8f0e-0d6c6a1b7f10.local"
#define LINK_A 11 /* IPv4 of the first interface, 192.168.1.2/24 */
#define LINK_B 12 /* IPv4 of the second, 10.0.0.2/8 */

static struct ln_mdns *m;
static struct ln_endpoint e;
static ln_time now;
static struct ln_interface interfaces[2];
static bool refuse_group;
static uint8_t buffer[1500], question[9000];
static struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };

static void answer_request(const struct ln_request *request)
{
    struct ln_answer a = { .id = request->id, .local = request->local };

    if (request->kind == LN_REQUEST_WATCH_INTERFACES) {
        a.kind = LN_ANSWER_INTERFACES;
        a.interfaces = interfaces;
        a.interface_count = 2;
    } else if (request->kind == LN_REQUEST_OPEN_UDP) {
        a.kind = refuse_group && request->local.port == 5353 ? LN_ANSWER_FAILED : LN_ANSWER_OPENED;
        a.link = request->remote.ip[0] == 10 ? LINK_B : LINK_A;
    } else {
        return;
    }
    e.ops->answer(e.object, now, &a);
}

/* Does what is due; true if a packet came out. */
static bool pump(void)
{
    struct ln_request request;

    for (int round = 0; round < 4; round++) {
        while (e.ops->poll_request(e.object, &request) == 1)
            answer_request(&request);
        if (e.ops->next_timeout(e.object) <= now) {
            e.ops->on_timeout(e.object, now);
            CHECK(e.ops->next_timeout(e.object) > now);
        }
    }
    return e.ops->poll_transmit(e.object, now, &out) == 1;
}

static size_t pump_all(void)
{
    size_t count = 0;

    while (pump())
        count++;
    return count;
}

static void begin(void)
{
    memset(interfaces, 0, sizeof interfaces);
    interfaces[0] = (struct ln_interface){ .index = 3, .prefix_len = 24, .up = true };
    interfaces[1] = (struct ln_interface){ .index = 4, .prefix_len = 8, .up = true };
    CHECK(ln_address_parse("192.168.1.2", &interfaces[0].address) == 0);
    CHECK(ln_address_parse("10.0.0.2", &interfaces[1].address) == 0);
    refuse_group = false;
    now = LN_SECONDS(50);
    CHECK(ln_mdns_create(&m, NULL, test_env()) == 0);
    e = ln_mdns_endpoint(m);
}

/* A name of ours for 192.168.1.2, announced. */
static void begin_published(void)
{
    struct ln_mdns_event event;

    begin();
    CHECK(ln_mdns_publish(m, NAME, &interfaces[0].address, 7) == 0);
    CHECK_EQUAL(pump_all(), 1);
    CHECK(ln_mdns_poll_event(m, &event) && event.kind == LN_MDNS_PUBLISHED && event.id == 7);
    now += LN_SECONDS(1);
    CHECK_EQUAL(pump_all(), 1); /* the second announcement */
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    now += LN_SECONDS(60);
}

static struct ln_writer w;

static void begin_question(uint16_t id, uint16_t questions, uint16_t answers)
{
    ln_writer_init(&w, question, sizeof question);
    ln_dns_write_header(&w, id, 0, questions, answers, 0);
}

static void send_question(ln_link link, const char *from)
{
    struct ln_packet packet = { .data = question, .len = w.len, .path = { .link = link } };

    CHECK(ln_address_parse(from, &packet.path.remote) == 0);
    e.ops->receive(e.object, now, &packet);
}

static void ask(ln_link link, const char *from, const char *name, uint16_t type, bool unicast)
{
    begin_question(0, 1, 0);
    ln_dns_write_question(&w, name, type, unicast);
    send_question(link, from);
}

/* The record that came out last, read by our own reader. */
static struct ln_dns_item record_of(const struct ln_transmit *from)
{
    struct ln_dns_message message;
    struct ln_dns_item item;

    CHECK(ln_dns_parse(from->data, from->len, &message) == 0);
    CHECK_EQUAL(message.flags, LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA);
    do
        CHECK(ln_dns_next(&message, &item) == 1);
    while (item.question);
    return item;
}

LN_TEST(responder, announces_a_name_twice_where_its_address_is_and_says_so)
{
    struct ln_mdns_event event;
    struct ln_dns_item item;

    begin();
    CHECK(ln_mdns_publish(m, NAME, &interfaces[0].address, 7) == 0);
    CHECK(!ln_mdns_poll_event(m, &event));
    CHECK(pump());
    CHECK_EQUAL(out.path.link, LINK_A);
    CHECK(out.path.remote.ip[0] == 224 && out.path.remote.port == 5353);
    item = record_of(&out);
    CHECK_TEXT(item.name, NAME);
    CHECK(item.type == LN_DNS_A && item.top_bit && item.ttl == 120);
    CHECK(ln_address_equal(&item.address, &interfaces[0].address));
    CHECK(ln_mdns_poll_event(m, &event));
    CHECK(event.kind == LN_MDNS_PUBLISHED && event.id == 7 && event.error == 0);
    CHECK(!pump()); /* not to the other network */
    CHECK_EQUAL(e.ops->next_timeout(e.object), now + LN_SECONDS(1));
    now += LN_SECONDS(1);
    CHECK_EQUAL(pump_all(), 1);
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    ln_mdns_free(m);
}

LN_TEST(responder, answers_all_at_once_and_says_that_there_is_no_other_address)
{
    struct ln_dns_message message;
    struct ln_dns_item item;

    begin_published();
    ask(LINK_A, "192.168.1.3:5353", "3B1C6A52-9D3E-4C8E-8F0E-0D6C6A1B7F10.LOCAL", LN_DNS_AAAA,
        false);
    CHECK(pump());
    CHECK(out.path.remote.ip[0] == 224);
    CHECK(ln_dns_parse(out.data, out.len, &message) == 0 && message.id == 0);
    CHECK(ln_dns_next(&message, &item) == 1 && item.type == LN_DNS_A && item.ttl == 120);
    CHECK(ln_dns_next(&message, &item) == 1 && item.type == LN_DNS_NSEC && item.top_bit);
    CHECK_TEXT(item.name, NAME);
    CHECK(item.data.len == strlen(NAME) + 2 + 3); /* the name, window 0, one byte: type 1 */
    CHECK(memcmp(item.data.data + item.data.len - 3, "\x00\x01\x40", 3) == 0);
    CHECK(ln_dns_next(&message, &item) == 0);
    ln_mdns_free(m);
}

LN_TEST(responder, a_question_right_behind_the_announcement_is_answered_and_a_second_waits)
{
    begin();
    CHECK(ln_mdns_publish(m, NAME, &interfaces[0].address, 7) == 0);
    CHECK_EQUAL(pump_all(), 1);
    now += LN_MILLISECONDS(30);
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, false);
    CHECK_EQUAL(pump_all(), 1);
    now += LN_MILLISECONDS(10);
    ask(LINK_A, "192.168.1.4:5353", NAME, LN_DNS_A, false);
    CHECK_EQUAL(pump_all(), 0);
    now = e.ops->next_timeout(e.object); /* the second announcement */
    CHECK_EQUAL(pump_all(), 1);
    now = e.ops->next_timeout(e.object);
    CHECK_EQUAL(now, LN_SECONDS(51) + LN_MILLISECONDS(30));
    CHECK_EQUAL(pump_all(), 1);
    ln_mdns_free(m);
}

LN_TEST(responder, one_who_asks_from_another_port_is_answered_alone_with_his_question)
{
    struct ln_dns_message message;
    struct ln_dns_item item;

    begin_published();
    begin_question(0x1234, 1, 0);
    ln_dns_write_question(&w, NAME, LN_DNS_A, false);
    send_question(LINK_A, "192.168.1.3:40000");
    CHECK(pump());
    CHECK(out.path.link == LINK_A && out.path.remote.port == 40000);
    CHECK(ln_dns_parse(out.data, out.len, &message) == 0 && message.id == 0x1234);
    CHECK(ln_dns_next(&message, &item) == 1 && item.question && item.type == LN_DNS_A);
    CHECK(ln_dns_next(&message, &item) == 1 && item.ttl == 10 && !item.top_bit);
    CHECK(ln_dns_next(&message, &item) == 0);
    CHECK(!pump());
    ln_mdns_free(m);
}

LN_TEST(responder, a_unicast_answer_is_given_when_all_heard_it_lately)
{
    begin_published();
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, true);
    CHECK(pump() && out.path.remote.ip[0] == 224);
    now += LN_SECONDS(5);
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, true);
    CHECK(pump() && out.path.remote.ip[0] == 192 && out.path.remote.port == 5353);
    CHECK(record_of(&out).ttl == 120);
    ln_mdns_free(m);
}

LN_TEST(responder, what_the_asker_knows_is_not_repeated)
{
    begin_published();
    begin_question(0, 1, 1);
    ln_dns_write_question(&w, NAME, LN_DNS_A, false);
    ln_dns_write_address(&w, NAME, false, 60, &interfaces[0].address);
    send_question(LINK_A, "192.168.1.3:5353");
    CHECK_EQUAL(pump_all(), 0);
    begin_question(0, 1, 1);
    ln_dns_write_question(&w, NAME, LN_DNS_A, false);
    ln_dns_write_address(&w, NAME, false, 59, &interfaces[0].address);
    send_question(LINK_A, "192.168.1.3:5353");
    CHECK_EQUAL(pump_all(), 1);
    ln_mdns_free(m);
}

LN_TEST(responder, says_farewell_where_it_was_heard_and_is_then_silent)
{
    begin_published();
    ln_mdns_withdraw(m, 7);
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, false);
    CHECK(pump());
    CHECK_EQUAL(record_of(&out).ttl, 0);
    CHECK(!pump());
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, false);
    CHECK_EQUAL(pump_all(), 0);
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    ln_mdns_free(m);
}

LN_TEST(responder, a_name_that_cannot_be_told_fails_and_is_gone)
{
    struct ln_mdns_event event;
    struct ln_address elsewhere;

    begin();
    refuse_group = true;
    CHECK(ln_mdns_publish(m, NAME, &interfaces[0].address, 7) == 0);
    CHECK_EQUAL(pump_all(), 0);
    CHECK(ln_mdns_poll_event(m, &event));
    CHECK(event.kind == LN_MDNS_PUBLISHED && event.id == 7 && event.error == LN_ERR_NOT_FOUND);
    CHECK(ln_address_parse("192.168.7.7", &elsewhere) == 0);
    CHECK(ln_mdns_publish(m, NAME, &elsewhere, 8) == 0);
    CHECK_EQUAL(pump_all(), 0);
    CHECK(ln_mdns_poll_event(m, &event) && event.id == 8 && event.error == LN_ERR_NOT_FOUND);
    CHECK(!ln_mdns_poll_event(m, &event));
    ln_mdns_free(m);
}

LN_TEST(responder, refuses_names_of_others_twins_and_more_than_its_limit)
{
    char name[32];

    begin();
    CHECK_EQUAL(ln_mdns_publish(m, "printer.example.com", &interfaces[0].address, 1),
                LN_ERR_SYNTAX);
    CHECK_EQUAL(ln_mdns_publish(m, "a.b.local", &interfaces[0].address, 1), LN_ERR_SYNTAX);
    CHECK(ln_mdns_publish(m, NAME, &interfaces[0].address, 1) == 0);
    CHECK_EQUAL(ln_mdns_publish(m, NAME, &interfaces[1].address, 2), LN_ERR_ADDRESS_IN_USE);
    for (unsigned i = 1; i < LN_MDNS_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "n%u.local", i);
        CHECK(ln_mdns_publish(m, name, &interfaces[0].address, 10 + i) == 0);
    }
    CHECK_EQUAL(ln_mdns_publish(m, "more.local", &interfaces[0].address, 3), LN_ERR_LIMIT);
    ln_mdns_free(m);
}

LN_TEST(responder, a_querier_of_ours_finds_the_name)
{
    struct ln_mdns_event event;
    struct ln_packet packet = { .data = question, .path = { .link = LINK_A } };

    begin_published();
    CHECK(ln_mdns_query(m, NAME, 9) == 0);
    while (pump()) { /* what goes to the group comes back to all who listen, and so to us */
        if (out.path.link != LINK_A)
            continue;
        memcpy(question, out.data, out.len);
        packet.len = out.len;
        packet.path.remote = interfaces[0].address;
        packet.path.remote.port = 5353;
        e.ops->receive(e.object, now, &packet);
    }
    now += LN_MILLISECONDS(20);
    pump();
    CHECK(ln_mdns_poll_event(m, &event) && event.kind == LN_MDNS_RESOLVED && event.id == 9);
    CHECK(event.address_count == 1 && event.addresses[0].ip[0] == 192);
    ln_mdns_free(m);
}

LN_TEST(attack_11, only_neighbours_on_the_network_of_the_address_are_answered)
{
    begin_published();
    ask(LINK_A, "8.8.8.8:5353", NAME, LN_DNS_A, false);
    ask(LINK_A, "8.8.8.8:53", NAME, LN_DNS_A, false);
    ask(LINK_A, "192.168.2.3:5353", NAME, LN_DNS_A, false);
    ask(LINK_A, "[2001:db8::1]:5353", NAME, LN_DNS_A, false);
    ask(LINK_A, "192.168.1.3:0", NAME, LN_DNS_A, false);
    ask(LINK_B, "10.0.0.3:5353", NAME, LN_DNS_A, false); /* another network of ours */
    ask(99, "192.168.1.3:5353", NAME, LN_DNS_A, false);
    CHECK_EQUAL(pump_all(), 0);
    CHECK_EQUAL(e.ops->next_timeout(e.object), LN_TIME_NEVER);
    ln_mdns_free(m);
}

LN_TEST(attack_11, names_that_are_not_ours_are_never_answered)
{
    static const char *const foreign[] = {
        "printer.local", "local",
        "example.com",   "3b1c6a52-9d3e-4c8e-8f0e-0d6c6a1b7f1.local",
        "x." NAME,       "_services._dns-sd._udp.local"
    };
    struct ln_address address;

    begin_published();
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        ask(LINK_A, "192.168.1.3:5353", foreign[i], LN_DNS_ANY, false);
        ask(LINK_A, "192.168.1.3:4000", foreign[i], LN_DNS_A, true);
    }
    ask(LINK_A, "192.168.1.3:5353", NAME, 16, false); /* TXT */
    CHECK_EQUAL(pump_all(), 0);
    /* Nor does a stranger's claim to our name change what we answer. */
    CHECK(ln_address_parse("192.168.1.66", &address) == 0);
    ln_writer_init(&w, question, sizeof question);
    ln_dns_write_header(&w, 0, LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA, 0, 1, 0);
    ln_dns_write_address(&w, NAME, true, 120, &address);
    send_question(LINK_A, "192.168.1.66:5353");
    CHECK_EQUAL(pump_all(), 0);
    ask(LINK_A, "192.168.1.3:5353", NAME, LN_DNS_A, false);
    CHECK(pump());
    CHECK_EQUAL(record_of(&out).address.ip[3], 2);
    ln_mdns_free(m);
}

LN_TEST(attack_11, a_flood_of_questions_gets_one_answer_a_second_and_is_not_amplified)
{
    size_t sent = 0, bytes_in = 0, bytes_out = 0;

    begin_published();
    for (int i = 0; i < 10000; i++) {
        ask(LINK_A, i % 2 ? "192.168.1.3:5353" : "192.168.1.4:5353", NAME, LN_DNS_ANY, false);
        now += LN_MILLISECONDS(1) / 2;
        sent += pump_all();
    }
    CHECK(sent >= 5 && sent <= 6);
    for (int i = 0; i < 10000; i++) { /* and from ordinary ports, as a spoofer would */
        ask(LINK_A, "192.168.1.5:4000", NAME, LN_DNS_A, true);
        bytes_in += w.len;
        now += LN_MILLISECONDS(1) / 2;
        while (pump())
            bytes_out += out.len;
    }
    CHECK(bytes_out <= 6 * LN_MDNS_UNICASTS_MAX * 160);
    CHECK(bytes_out < bytes_in / 5);
    ln_mdns_free(m);
}

LN_TEST(attack_11, one_message_full_of_questions_gets_one_answer)
{
    begin_published();
    begin_question(0, 120, 0);
    for (int i = 0; i < 120; i++)
        ln_dns_write_question(&w, NAME, LN_DNS_A, false);
    CHECK(w.ok);
    send_question(LINK_A, "192.168.1.3:5353");
    CHECK_EQUAL(pump_all(), 1);
    send_question(LINK_A, "192.168.1.3:4000");
    CHECK_EQUAL(pump_all(), 1);
    ln_mdns_free(m);
}
