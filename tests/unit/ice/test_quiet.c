/* SPDX-License-Identifier: Apache-2.0
 * A path that goes quiet under data: it is asked early, a new mapping of a NAT is followed, and a
 * standby pair takes over. */
#include "base/address.h"
#include "tests/unit/ice/agents.h"

#define EVERY LN_MILLISECONDS(20) /* data, as sound has it */

static struct agents s;
static struct ln_path dead; /* what is sent to here is lost */

/* a behind a NAT, b open to everybody. */
static void connected(bool a_controls)
{
    agents_init(&s);
    s.a.config.controlling = a_controls;
    s.b.config.controlling = !a_controls;
    s.wire.delay = LN_MILLISECONDS(20);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "203.0.113.7");
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_PORT_RESTRICTED, "198.51.100.1");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
}

static void receive_data(struct side *side)
{
    struct ln_path path;

    CHECK(ln_ice_send_path(side->ice, &path));
    ln_ice_count_received(side->ice, s.wire.now, &path, 1, 100);
}

static void send_data(struct side *side)
{
    struct ln_path path;

    CHECK(ln_ice_send_path(side->ice, &path));
    ln_ice_count_sent(side->ice, s.wire.now, &path, 1, 100);
}

/* Both send, and nothing of it arrives. */
static void unheard(ln_duration duration)
{
    for (ln_duration t = 0; t < duration; t += EVERY) {
        send_data(&s.a);
        send_data(&s.b);
        agents_run(&s, EVERY);
    }
}

static void flow(ln_duration duration)
{
    for (ln_duration t = 0; t < duration; t += EVERY) {
        receive_data(&s.a);
        receive_data(&s.b);
        agents_run(&s, EVERY);
    }
}

/* Checks that were no consent checks. */
static uint64_t asked(const struct side *side)
{
    struct ln_ice_pair_info info;
    uint64_t sum = 0;

    for (size_t i = 0; ln_ice_pair(side->ice, i, &info); i++)
        sum += info.requests_sent - info.consent_requests_sent;
    return sum;
}

static void rebind(const char *ip)
{
    s.wire.map_count = 0;
    CHECK(ln_address_parse(ip, &s.wire.nodes[s.a.node].nat_address) == 0);
}

static bool b_sends_to(const char *ip)
{
    struct ln_address address;
    struct ln_path path;

    CHECK(ln_address_parse(ip, &address) == 0);
    return ln_ice_send_path(s.b.ice, &path) && ln_address_equal_ip(&path.remote, &address);
}

static void follows(bool a_controls)
{
    connected(a_controls);
    flow(LN_SECONDS(2));
    CHECK(b_sends_to("198.51.100.1"));
    rebind("198.51.100.2");
    agents_run(&s, LN_MILLISECONDS(450)); /* 200 of silence, 100 of grace, three journeys */
    CHECK(b_sends_to("198.51.100.2"));
    flow(LN_SECONDS(1));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    agents_free(&s);
}

LN_TEST(quiet, a_new_mapping_before_the_controlling_side_is_followed)
{
    follows(true);
}

LN_TEST(quiet, a_new_mapping_before_the_controlled_side_is_followed)
{
    follows(false);
}

/* The pair about to be nominated is dead before it is. */
LN_TEST(quiet, another_mapping_while_the_first_is_followed_is_followed_too)
{
    connected(false);
    flow(LN_SECONDS(2));
    rebind("198.51.100.2");
    unheard(LN_MILLISECONDS(340));
    rebind("198.51.100.3");
    unheard(LN_MILLISECONDS(800));
    CHECK(b_sends_to("198.51.100.3"));
    agents_free(&s);
}

LN_TEST(quiet, nothing_is_asked_while_data_comes_and_at_once_when_it_stays_away)
{
    uint64_t before;

    connected(true);
    flow(LN_SECONDS(1));
    before = asked(&s.a);
    flow(LN_SECONDS(2));
    CHECK_EQUAL(asked(&s.a), before);
    agents_run(&s, LN_MILLISECONDS(150));
    CHECK_EQUAL(asked(&s.a), before);
    agents_run(&s, LN_MILLISECONDS(100));
    CHECK(asked(&s.a) > before && asked(&s.a) <= before + 2); /* b's own check hastens ours */
    agents_free(&s);
}

/* Once answered, consent alone is left (every 5 s). */
LN_TEST(quiet, a_connection_that_goes_idle_is_asked_once)
{
    uint64_t before;

    connected(true);
    flow(LN_SECONDS(2));
    before = asked(&s.a);
    agents_run(&s, LN_SECONDS(100));
    CHECK(asked(&s.a) > before && asked(&s.a) - before <= 2); /* b's own check hastens ours */
    agents_free(&s);
}

LN_TEST(quiet, data_that_goes_unanswered_after_a_pause_is_asked_for)
{
    uint64_t before;

    connected(true);
    flow(LN_SECONDS(2));
    agents_run(&s, LN_SECONDS(20));
    before = asked(&s.a);
    send_data(&s.a);
    agents_run(&s, LN_MILLISECONDS(600));
    CHECK(asked(&s.a) > before && asked(&s.a) - before <= 2);
    agents_free(&s);
}

/* So that whoever owns the connection may restart it, long before consent ends. */
LN_TEST(quiet, a_path_that_stays_dead_under_data_is_told_after_two_seconds)
{
    connected(true);
    flow(LN_SECONDS(2));
    s.wire.filter = wire_drop_all;
    unheard(LN_MILLISECONDS(1900));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    unheard(LN_MILLISECONDS(300));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

static bool drop_dead(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                      size_t len)
{
    (void)wire;
    (void)data;
    (void)len;
    return (node == s.a.node && ln_path_equal(path, &dead)) ||
           (node == s.b.node && ln_address_equal(&path->local, &dead.remote) &&
            ln_address_equal(&path->remote, &dead.local));
}

static void two_interfaces(void)
{
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(20); /* several pairs are answered before one is chosen */
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "192.168.1.4");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
}

LN_TEST(quiet, a_standby_pair_takes_over_from_one_that_is_dead)
{
    struct ln_path path;

    two_interfaces();
    flow(LN_SECONDS(2));
    CHECK(ln_ice_send_path(s.a.ice, &dead));
    s.wire.filter = drop_dead;
    agents_run(&s, LN_MILLISECONDS(450));
    CHECK(ln_ice_send_path(s.a.ice, &path) && !ln_path_equal(&path, &dead));
    CHECK(ln_ice_send_path(s.b.ice, &path) && !ln_address_equal(&path.remote, &dead.local));
    agents_free(&s);
}

LN_TEST(quiet, a_pair_that_answers_keeps_its_place)
{
    struct ln_path before, after;

    two_interfaces();
    flow(LN_SECONDS(2));
    CHECK(ln_ice_send_path(s.a.ice, &before));
    agents_run(&s, LN_SECONDS(20));
    CHECK(ln_ice_send_path(s.a.ice, &after) && ln_path_equal(&before, &after));
    agents_free(&s);
}
