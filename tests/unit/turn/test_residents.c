/* SPDX-License-Identifier: Apache-2.0
 * Peers that live in the server's own program: the table of their addresses, and what goes between
 * them and clients by parcels, with the test as the resident. */
#include "tests/unit/turn/rig.h"

#include "base/pool.h"
#include "base/rng.h"
#include "servers/turn/core/residents.h"

#include <linnet/error.h>

#include <stdio.h>

#define BOX  (LN_TURN_WORKERS_MAX + 3u)
#define HOME "203.0.113.9:5000" /* where the resident lives */

/* ---- the table ---- */

LN_TEST(residents, are_found_by_exactly_their_address_and_their_ip_address_by_any_port)
{
    static struct ln_turn_residents r;
    struct ln_address home = rig_address(HOME), other = rig_address("[2001:db8::9]:5000");
    struct ln_address no_port = rig_address("203.0.113.9"), mapped;
    unsigned box = 0;

    memset(&r, 0, sizeof r);
    ln_turn_residents_init(&r);
    CHECK(!ln_turn_residents_find(&r, &home, &box) && !ln_turn_residents_at(&r, &home));
    CHECK_EQUAL(ln_turn_residents_enter(&r, &home, BOX), 0);
    CHECK_EQUAL(ln_turn_residents_enter(&r, &home, BOX + 1), LN_ERR_ADDRESS_IN_USE);
    CHECK_EQUAL(ln_turn_residents_enter(&r, &other, BOX + 1), 0);
    CHECK(ln_turn_residents_find(&r, &home, &box) && box == BOX);
    CHECK(ln_turn_residents_find(&r, &other, &box) && box == BOX + 1);
    CHECK(ln_turn_residents_at(&r, &no_port) && !ln_turn_residents_find(&r, &no_port, &box));
    for (unsigned i = 0; i < 16; i++) { /* no bit of it may differ */
        struct ln_address near = home;

        near.port = (uint16_t)(home.port ^ 1u << i);
        CHECK(!ln_turn_residents_find(&r, &near, &box));
        near = home;
        near.ip[i] ^= 1;
        CHECK(!ln_turn_residents_find(&r, &near, &box) && !ln_turn_residents_at(&r, &near));
    }
    mapped = rig_address("[::ffff:203.0.113.9]:5000");
    CHECK(!ln_turn_residents_find(&r, &mapped, &box) && !ln_turn_residents_at(&r, &mapped));
    ln_turn_residents_leave(&r, &home);
    ln_turn_residents_leave(&r, &home);
    CHECK(!ln_turn_residents_find(&r, &home, &box) && ln_turn_residents_find(&r, &other, &box));
    ln_turn_residents_leave(&r, &other);
    CHECK(!ln_turn_residents_at(&r, &other));
}

LN_TEST(residents, an_address_that_nobody_could_name_is_none)
{
    static const char *const texts[] = { "203.0.113.9",     "0.0.0.0:5000",
                                         "[::]:5000",       "224.0.0.251:5353",
                                         "[ff02::fb]:5353", "[::ffff:203.0.113.9]:5000",
                                         "[fe80::1%2]:5000" };
    static struct ln_turn_residents r;
    struct ln_address none = { 0 };

    memset(&r, 0, sizeof r);
    ln_turn_residents_init(&r);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ln_address address = rig_address(texts[i]);

        CHECK_EQUAL(ln_turn_residents_enter(&r, &address, BOX), LN_ERR_INVALID_ARGUMENT);
    }
    CHECK_EQUAL(ln_turn_residents_enter(&r, &none, BOX), LN_ERR_INVALID_ARGUMENT);
}

LN_TEST(residents, as_many_as_there_may_be_come_and_go_in_any_order)
{
    static struct ln_turn_residents r;
    struct ln_address address = rig_address(HOME);
    bool in[2 * LN_TURN_RESIDENT_ADDRESSES_MAX] = { false };
    struct ln_rng rng;
    unsigned count = 0, box;

    memset(&r, 0, sizeof r);
    ln_turn_residents_init(&r);
    ln_rng_seed(&rng, 3);
    for (unsigned i = 0; i < 5000; i++) {
        unsigned n = ln_rng_below(&rng, 2 * LN_TURN_RESIDENT_ADDRESSES_MAX);

        address.port = (uint16_t)(5000 + n);
        if (in[n]) {
            ln_turn_residents_leave(&r, &address);
            count--;
        } else if (ln_turn_residents_enter(&r, &address, n) == 0) {
            count++;
        } else {
            CHECK_EQUAL(count, LN_TURN_RESIDENT_ADDRESSES_MAX);
            continue;
        }
        in[n] = !in[n];
        address.port = (uint16_t)(5000 +
                                  (n = ln_rng_below(&rng, 2 * LN_TURN_RESIDENT_ADDRESSES_MAX)));
        box = 9999;
        CHECK(ln_turn_residents_find(&r, &address, &box) == in[n] && box == (in[n] ? n : 9999));
    }
}

/* ---- with a server ---- */

/* One whose machine has 203.0.113.1 (relays) and 203.0.113.9, and nothing else to offer. */
static void set_policy(struct rig *rig)
{
    rig->policy.own[0] = rig_address("203.0.113.1");
    rig->policy.own[1] = rig_address("203.0.113.9");
    rig->policy.own_count = 2;
    rig->policy.listening[0] = rig_address("203.0.113.9:3478");
    rig->policy.listening_count = 1;
}

static void enter(struct rig *rig, const char *text)
{
    struct ln_address address = rig_address(text);

    CHECK_EQUAL(ln_turn_residents_enter(ln_turn_shared_residents(rig->shared), &address, BOX), 0);
}

static void leave(struct rig *rig, const char *text)
{
    struct ln_address address = rig_address(text);

    ln_turn_residents_leave(ln_turn_shared_residents(rig->shared), &address);
}

/* A resident at HOME and alice, who has a relay. */
static void start(struct rig *rig, struct rig_client *alice, struct ln_address *relayed)
{
    rig_init(rig);
    set_policy(rig);
    rig_start(rig);
    enter(rig, HOME);
    *alice = rig_client(rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(alice, relayed), 0);
}

/* Whether one parcel waits for the resident, with this in it. */
static bool arrives(struct rig *rig, const struct ln_address *from, const char *to,
                    const char *text)
{
    struct ln_address address = rig_address(to);
    struct ln_buffer *buffer;
    struct ln_turn_parcel parcel;
    unsigned box = 0;
    bool ok;

    buffer = ln_turn_server_poll_parcel(rig->server, &box);
    if (!buffer)
        return false;
    parcel = ln_turn_parcel_read(buffer);
    ok = box == BOX && ln_address_equal(&parcel.from, from) &&
         ln_address_equal(&parcel.to, &address) && parcel.len == strlen(text) &&
         (parcel.len == 0 || memcmp(parcel.data, text, parcel.len) == 0);
    ln_buffer_unref(buffer);
    return ok && rig->packet_count == 0;
}

static bool nothing_arrives(struct rig *rig)
{
    unsigned box;

    return !ln_turn_server_poll_parcel(rig->server, &box) && rig->packet_count == 0;
}

/* The resident answers. */
static void say(struct rig *rig, const char *external, const char *bound,
                const struct ln_address *to, const char *text)
{
    struct ln_turn_names names = { .bound = rig_address(bound) };
    struct ln_buffer *buffer;

    if (external)
        names.external = rig_address(external);
    buffer = ln_turn_parcel_create(test_env()->pool, &names, to, text, strlen(text));
    CHECK(buffer != NULL);
    ln_turn_server_take_parcel(rig->server, rig->now, buffer);
    ln_buffer_unref(buffer);
    rig_drive(rig);
}

LN_TEST(residents, clients_reach_one_and_it_reaches_them_without_a_socket)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_turn_counts counts;

    start(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, HOME), 0);
    rig_send_indication(&alice, HOME, "hello");
    CHECK(arrives(&rig, &relayed, HOME, "hello"));
    say(&rig, NULL, HOME, &relayed, "to you");
    CHECK(rig_got_indication(&alice, HOME, "to you"));
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    rig_send_channel(&alice, 0x4000, "by channel");
    CHECK(arrives(&rig, &relayed, HOME, "by channel"));
    rig_send_channel(&alice, 0x4000, ""); /* of no bytes is one too */
    CHECK(arrives(&rig, &relayed, HOME, ""));
    say(&rig, NULL, HOME, &relayed, "");
    CHECK(rig_got_channel(&alice, 0x4000, ""));
    counts = rig_counts(&rig);
    CHECK(counts.handed_over == 5 && counts.handed_to_workers == 0);
    CHECK(counts.handed_to_residents == 3 && counts.handed_from_residents == 2);
    CHECK(counts.transport[LN_TURN_UDP].packets_in == 3 &&
          counts.transport[LN_TURN_UDP].packets_out == 2);
    rig_end(&rig);
}

LN_TEST(residents, are_heard_by_whom_permits_them_alone_and_as_long)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed, nobody;

    start(&rig, &alice, &relayed);
    say(&rig, NULL, HOME, &relayed, "unasked");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&alice, "198.51.100.99"), 0);
    say(&rig, NULL, HOME, &relayed, "still unasked");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_no_permission, 2);
    CHECK_EQUAL(rig_permit(&alice, HOME), 0);
    rig_advance(&rig, LN_SECONDS(300) - 1);
    say(&rig, NULL, HOME, &relayed, "in time");
    CHECK(rig_got_indication(&alice, HOME, "in time"));
    rig_advance(&rig, 1); /* ATTACKS 24 */
    say(&rig, NULL, HOME, &relayed, "too late");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_send_indication(&alice, HOME, "too late as well");
    CHECK(nothing_arrives(&rig));
    nobody = relayed;
    nobody.port ^= 1;
    say(&rig, NULL, HOME, &nobody, "no relay of ours"); /* it has gone meanwhile */
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).handed_from_residents, 1);
    rig_end(&rig);
}

LN_TEST(residents, behind_a_nat_go_by_the_name_that_the_client_permitted)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    rig_init(&rig);
    rig.relays[0].bind = rig_address("10.0.0.5");
    rig.relays[0].external = rig_address("203.0.113.77");
    rig.policy.own[0] = rig_address("10.0.0.5");
    rig.policy.own[1] = rig_address("203.0.113.77");
    rig.policy.own_count = 2;
    rig_start(&rig);
    enter(&rig, "10.0.0.5:5000");
    enter(&rig, "203.0.113.77:5000");
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "10.0.0.5:5000"), 0);
    rig_send_channel(&alice, 0x4000, "inside");
    CHECK(arrives(&rig, &relayed, "10.0.0.5:5000", "inside"));
    say(&rig, "203.0.113.77:5000", "10.0.0.5:5000", &relayed, "by this name");
    CHECK(rig_got_channel(&alice, 0x4000, "by this name"));
    CHECK_EQUAL(rig_bind(&alice, 0x4001, "203.0.113.77:5000"), 0);
    rig_send_channel(&alice, 0x4001, "outside");
    CHECK(arrives(&rig, &relayed, "203.0.113.77:5000", "outside"));
    say(&rig, "203.0.113.77:5000", "10.0.0.5:5000", &relayed, "by that name");
    CHECK(rig_got_channel(&alice, 0x4001, "by that name"));
    CHECK_EQUAL(rig_bind(&alice, 0x4002, "10.0.0.5:22"), 403);
    rig_end(&rig);
}

LN_TEST(residents, are_reached_from_every_worker)
{
    struct rig one, two;
    struct rig_client bob;
    struct ln_address relayed;

    rig_init(&one);
    rig_init(&two);
    set_policy(&one);
    set_policy(&two);
    rig_start(&one);
    two.shared = one.shared;
    two.config.worker = 1;
    rig_start(&two);
    bob = rig_client(&two, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, &relayed), 0);
    CHECK_EQUAL(rig_bind(&bob, 0x4000, "203.0.113.9:5000"), 403); /* nobody lives there yet */
    enter(&one, HOME);
    CHECK_EQUAL(rig_bind(&bob, 0x4000, HOME), 0);
    rig_send_channel(&bob, 0x4000, "from two");
    CHECK(arrives(&two, &relayed, HOME, "from two"));
    say(&two, NULL, HOME, &relayed, "to two");
    CHECK(rig_got_channel(&bob, 0x4000, "to two"));
    rig_end(&two);
    rig_end(&one);
}

/* The address of the relay as the resident was told it, with its mark. */
static struct ln_address heard_from(struct rig *rig, const char *text)
{
    struct ln_buffer *buffer;
    struct ln_turn_parcel parcel;
    unsigned box;

    buffer = ln_turn_server_poll_parcel(rig->server, &box);
    CHECK(buffer != NULL);
    parcel = ln_turn_parcel_read(buffer);
    CHECK(parcel.len == strlen(text) && memcmp(parcel.data, text, parcel.len) == 0);
    ln_buffer_unref(buffer);
    return parcel.from;
}

/* Of any other peer one of them could permit it, and the others were 508. */
LN_TEST(residents, are_reached_by_many_clients_on_one_shared_port_and_tell_them_apart)
{
    struct rig_client clients[3];
    struct ln_address relayed[3], told[3], wrong;
    char text[32];
    struct rig rig;

    rig_init(&rig);
    set_policy(&rig);
    rig.config.relay_ports = 1;
    rig_start(&rig);
    enter(&rig, HOME);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "198.51.100.%u:4000", 7 + i);
        clients[i] = rig_client(&rig, text, "alice", "secret");
        CHECK_EQUAL(rig_allocate(&clients[i], &relayed[i]), 0);
        CHECK(ln_address_equal(&relayed[i], &relayed[0]));
        CHECK_EQUAL(i == 1 ? rig_permit(&clients[i], "203.0.113.9")
                           : rig_bind(&clients[i], (uint16_t)(0x4000 + i), HOME),
                    0);
    }
    for (unsigned i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "of %u", i);
        rig_send_indication(&clients[i], HOME, text);
        told[i] = heard_from(&rig, text);
        CHECK(told[i].port == relayed[0].port && told[i].scope != 0);
        CHECK(i == 0 || told[i].scope != told[i - 1].scope);
    }
    say(&rig, NULL, HOME, &told[0], "to 0");
    CHECK(rig_got_channel(&clients[0], 0x4000, "to 0"));
    say(&rig, NULL, HOME, &told[1], "to 1");
    CHECK(rig_got_indication(&clients[1], HOME, "to 1"));
    say(&rig, NULL, HOME, &told[2], "to 2");
    CHECK(rig_got_channel(&clients[2], 0x4002, "to 2"));
    wrong = told[0];
    wrong.scope = 0; /* to whom? */
    say(&rig, NULL, HOME, &wrong, "to the port");
    CHECK_EQUAL(rig.packet_count, 0);
    wrong.scope = 12345;
    say(&rig, NULL, HOME, &wrong, "to nobody");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_from_peer(&rig, HOME, &relayed[0], "as if from the resident, by the network");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).collisions, 0);
    rig_advance(&rig, LN_SECONDS(300));
    say(&rig, NULL, HOME, &told[0], "too late");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_refresh(&clients[0], 0), 0);
    say(&rig, NULL, HOME, &told[0], "gone");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

/* Nor are two residents of one address one peer. */
LN_TEST(residents, on_shared_ports_are_claimed_one_by_one)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_alice, of_bob, told;

    rig_init(&rig);
    set_policy(&rig);
    rig.config.relay_ports = 1;
    rig_start(&rig);
    enter(&rig, HOME);
    enter(&rig, "203.0.113.9:5001");
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&alice, &of_alice), 0);
    CHECK_EQUAL(rig_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    CHECK_EQUAL(rig_bind(&bob, 0x4000, "203.0.113.9:5001"), 0);
    rig_send_channel(&alice, 0x4000, "hers");
    told = heard_from(&rig, "hers");
    say(&rig, NULL, "203.0.113.9:5001", &told, "of his, to her"); /* she claimed the other one */
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4001, "203.0.113.9:5001"), 0);
    say(&rig, NULL, "203.0.113.9:5001", &told, "of his, to her");
    CHECK(rig_got_channel(&alice, 0x4001, "of his, to her"));
    rig_end(&rig);
}

LN_TEST(residents, on_a_port_of_one_client_nobody_has_a_mark)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed, told;

    start(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    rig_send_channel(&alice, 0x4000, "plain");
    told = heard_from(&rig, "plain");
    CHECK(ln_address_equal(&told, &relayed));
    told.scope = 1; /* of who shared that port before */
    say(&rig, NULL, HOME, &told, "late");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

LN_TEST(residents, users_above_their_rate_are_held_to_it)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    char text[1001];
    unsigned passed = 0;

    rig_init(&rig);
    set_policy(&rig);
    rig.limits.bytes_per_second_per_user = 20000; /* the burst: 16384 bytes */
    rig_start(&rig);
    enter(&rig, HOME);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, &relayed), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < 40; i++) {
        rig_send_channel(&alice, 0x4000, text);
        passed += arrives(&rig, &relayed, HOME, text);
        say(&rig, NULL, HOME, &relayed, text);
        passed += rig_got_channel(&alice, 0x4000, text);
    }
    CHECK_EQUAL(passed, 16);
    CHECK_EQUAL(rig_counts(&rig).dropped_rate, 64);
    rig_end(&rig);
}

LN_TEST(residents, one_that_takes_nothing_costs_a_bounded_queue)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_pool pool;

    start(&rig, &alice, &relayed);
    ln_pool_init(&pool, test_env()->allocator, 2048, 0, 65536);
    rig.env.pool = &pool;
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    for (unsigned i = 0; i < LN_TURN_PARCELS_MAX + 10; i++)
        rig_send_channel(&alice, 0x4000, "x");
    CHECK_EQUAL(rig_counts(&rig).handed_to_residents, LN_TURN_PARCELS_MAX);
    CHECK_EQUAL(rig_counts(&rig).dropped_queue, 10);
    rig_end(&rig);
    ln_pool_deinit(&pool); /* every buffer came back */
}

/* ---- who names a resident's address to reach something else ---- */

/* ATTACKS 18: a permission is of the IP address, so each datagram is looked at. */
LN_TEST(attack_18, of_a_residents_address_its_port_alone_is_reached)
{
    static const char *const others[] = {
        "203.0.113.9:22",   "203.0.113.9:3478",          "203.0.113.9:4999",
        "203.0.113.9:5001", "[::ffff:203.0.113.9]:5000", "203.0.113.9:0"
    };
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    start(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9"), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK(rig_bind(&alice, (uint16_t)(0x4000 + i), others[i]) != 0);
        rig_send_indication(&alice, others[i], "open, please");
        CHECK(nothing_arrives(&rig));
    }
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 5); /* and the mapped one has no permission */
    CHECK_EQUAL(rig_counts(&rig).handed_over, 0);
    leave(&rig, HOME);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9"), 403); /* as before it came */
    CHECK_EQUAL(rig_permit(&alice, HOME), 403);
    rig_end(&rig);
}

/* The other way round: a service of this machine may be made to answer to a relay by who forges a
 * source. */
LN_TEST(attack_18, what_other_ports_of_a_residents_or_relays_address_send_is_not_heard)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address relayed, of_bob;
    char text[LN_ADDRESS_TEXT_MAX];

    start(&rig, &alice, &relayed);
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9"), 0);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.1"), 0);
    rig_from_peer(&rig, "203.0.113.9:53", &relayed, "a name server's answer");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_from_peer(&rig, "203.0.113.1:53", &relayed, "the same at the relays' address");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 2);
    rig_from_peer(&rig, ln_address_format(&of_bob, text), &relayed, "by the kernel");
    CHECK(rig_got_indication(&alice, text, "by the kernel"));
    CHECK_EQUAL(ln_turn_prefix_parse("203.0.113.9", &rig.policy.allow[rig.policy.allow_count++]),
                0);
    ln_turn_server_reload(rig.server, &rig.config);
    CHECK_EQUAL(rig_permit(&alice, "203.0.113.9"), 0); /* the operator wants it */
    rig_from_peer(&rig, "203.0.113.9:53", &relayed, "an answer");
    CHECK(rig_got_indication(&alice, "203.0.113.9:53", "an answer"));
    rig_end(&rig);
}

LN_TEST(residents, are_reached_by_ipv6_as_well)
{
    static const uint8_t ipv6[4] = { 2 };
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    struct ln_stun_message answer;

    rig_init(&rig);
    set_policy(&rig);
    rig.policy.own[rig.policy.own_count++] = rig_address("2001:db8::9");
    rig_start(&rig);
    enter(&rig, "[2001:db8::9]:5000");
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate_with(&alice, LN_STUN_REQUESTED_ADDRESS_FAMILY, ipv6, 4, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &relayed));
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 443);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "[2001:db8::9]:5001"), 403);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "[2001:db8::9]:5000"), 0);
    rig_send_channel(&alice, 0x4000, "six");
    CHECK(arrives(&rig, &relayed, "[2001:db8::9]:5000", "six"));
    say(&rig, NULL, "[2001:db8::9]:5000", &relayed, "and back");
    CHECK(rig_got_channel(&alice, 0x4000, "and back"));
    rig_end(&rig);
}

/* What a client may do ends with the resident, not with the permission or the channel. */
LN_TEST(attack_18, a_channel_to_a_resident_that_went_reaches_nobody_until_it_is_back)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    start(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, HOME), 0);
    leave(&rig, HOME);
    rig_send_channel(&alice, 0x4000, "who is there now?");
    CHECK(nothing_arrives(&rig));
    rig_send_indication(&alice, HOME, "who is there now?");
    CHECK(nothing_arrives(&rig));
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 2);
    enter(&rig, HOME);
    rig_send_channel(&alice, 0x4000, "back");
    CHECK(arrives(&rig, &relayed, HOME, "back"));
    rig_end(&rig);
}

LN_TEST(attack_18, a_channel_to_a_relay_that_went_reaches_nobody)
{
    struct rig rig;
    struct rig_client alice, bob;
    struct ln_address of_bob;
    char text[LN_ADDRESS_TEXT_MAX];

    rig_init(&rig);
    set_policy(&rig);
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    bob = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_allocate(&bob, &of_bob), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, ln_address_format(&of_bob, text)), 0);
    CHECK_EQUAL(rig_refresh(&bob, 0), 0);
    rig_send_channel(&alice, 0x4000, "whose port is it now?");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_policy, 1);
    rig_end(&rig);
}

/* Loopback is for trying out. */
LN_TEST(attack_18, a_resident_on_loopback_needs_the_operators_word)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    start(&rig, &alice, &relayed);
    enter(&rig, "127.0.0.1:5000");
    CHECK_EQUAL(rig_permit(&alice, "127.0.0.1"), 403);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "127.0.0.1:5000"), 403);
    CHECK_EQUAL(ln_turn_prefix_parse("127.0.0.0/8", &rig.policy.allow[rig.policy.allow_count++]),
                0);
    ln_turn_server_reload(rig.server, &rig.config);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "127.0.0.1:5000"), 0);
    rig_send_channel(&alice, 0x4000, "try");
    CHECK(arrives(&rig, &relayed, "127.0.0.1:5000", "try"));
    rig_end(&rig);
}
