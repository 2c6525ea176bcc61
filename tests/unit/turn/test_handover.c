/* SPDX-License-Identifier: Apache-2.0
 * Clients of two workers reach each other by parcels: two servers that share ports and quotas, and
 * the test in between. */
#include "tests/unit/turn/rig.h"

#include "base/pool.h"

struct pair {
    struct rig one, two;
    struct rig_client alice, bob; /* of one, of two */
    struct ln_address of_alice, of_bob;
};

static void start(struct pair *p, const char *external, uint16_t ports)
{
    rig_init(&p->one);
    rig_init(&p->two);
    for (struct rig *rig = &p->one;; rig = &p->two) {
        if (external) {
            rig->relays[0].bind = rig_address("10.0.0.5");
            rig->relays[0].external = rig_address(external);
        }
        rig->config.relay_ports = ports;
        if (rig == &p->two)
            break;
        rig_start(rig);
    }
    p->two.shared = p->one.shared;
    p->two.config.worker = 1;
    rig_start(&p->two);
    p->alice = rig_client(&p->one, "198.51.100.7:4000", "alice", "secret");
    p->bob = rig_client(&p->two, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&p->alice, &p->of_alice), 0);
    CHECK_EQUAL(rig_allocate(&p->bob, &p->of_bob), 0);
    CHECK(p->of_alice.port != p->of_bob.port);
}

static void end(struct pair *p)
{
    rig_end(&p->two);
    rig_end(&p->one);
}

/* Carries what waits, at most `most`; returns how many. */
static unsigned carry(struct rig *from, struct rig *to, unsigned most)
{
    struct ln_buffer *parcel;
    unsigned worker, count = 0;

    while (count < most && (parcel = ln_turn_server_poll_parcel(from->server, &worker)) != NULL) {
        CHECK_EQUAL(worker, to->config.worker);
        ln_turn_server_take_parcel(to->server, to->now, parcel);
        ln_buffer_unref(parcel);
        count++;
    }
    rig_drive(to);
    return count;
}

static const char *text_of(const struct ln_address *address)
{
    static char texts[4][LN_ADDRESS_TEXT_MAX];
    static unsigned next;

    return ln_address_format(address, texts[next++ % 4]);
}

static void meet(struct pair *p)
{
    CHECK_EQUAL(rig_bind(&p->alice, 0x4000, text_of(&p->of_bob)), 0);
    CHECK_EQUAL(rig_bind(&p->bob, 0x4000, text_of(&p->of_alice)), 0);
}

LN_TEST(handover, clients_of_two_workers_reach_each_other_without_a_socket)
{
    struct pair p;

    start(&p, NULL, 0);
    meet(&p);
    rig_send_channel(&p.alice, 0x4000, "to bob");
    CHECK_EQUAL(p.one.packet_count, 0);
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK(rig_got_channel(&p.bob, 0x4000, "to bob"));
    CHECK(ln_address_equal(&p.two.packets[0].path.remote, &p.bob.path.remote));
    rig_send_channel(&p.bob, 0x4000, "to alice");
    CHECK_EQUAL(carry(&p.two, &p.one, 9), 1);
    CHECK(rig_got_channel(&p.alice, 0x4000, "to alice"));
    CHECK_EQUAL(rig_counts(&p.one).handed_over, 1);
    CHECK_EQUAL(rig_counts(&p.one).handed_to_workers, 1);
    CHECK_EQUAL(rig_counts(&p.one).transport[LN_TURN_UDP].bytes_in, 6);
    CHECK_EQUAL(rig_counts(&p.one).transport[LN_TURN_UDP].bytes_out, 8);
    rig_send_channel(&p.alice, 0x4000, ""); /* of no bytes is one too */
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK(rig_got_channel(&p.bob, 0x4000, ""));
    end(&p);
}

LN_TEST(handover, behind_a_nat_each_is_known_by_his_outside)
{
    struct pair p;

    start(&p, "203.0.113.77", 0);
    CHECK(ln_address_equal(
        &p.of_bob, &(struct ln_address){ LN_FAMILY_IPV4, { 203, 0, 113, 77 }, p.of_bob.port, 0 }));
    meet(&p);
    rig_send_channel(&p.alice, 0x4000, "out");
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK(rig_got_channel(&p.bob, 0x4000, "out"));
    end(&p);
}

/* ATTACKS 24: the permission is asked for at the receiver's worker. */
LN_TEST(handover, what_nobody_permits_is_dropped_by_the_receivers_worker)
{
    struct pair p;

    start(&p, NULL, 0);
    CHECK_EQUAL(rig_bind(&p.alice, 0x4000, text_of(&p.of_bob)), 0);
    rig_send_channel(&p.alice, 0x4000, "unasked");
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK_EQUAL(p.two.packet_count, 0);
    CHECK_EQUAL(rig_counts(&p.two).dropped_no_permission, 1);
    CHECK_EQUAL(rig_bind(&p.bob, 0x4000, text_of(&p.of_alice)), 0);
    rig_send_channel(&p.alice, 0x4000, "late");
    CHECK_EQUAL(rig_refresh(&p.bob, 0), 0); /* gone before it arrives */
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK_EQUAL(p.two.packet_count, 0);
    end(&p);
}

/* Between workers as within one: (port, peer) is one client's. */
LN_TEST(handover, clients_on_shared_ports_of_two_workers_keep_apart)
{
    struct pair p;
    struct rig_client carol, dave;
    struct ln_address of_carol, of_dave;

    start(&p, NULL, 1);
    carol = rig_client(&p.one, "198.51.100.9:4000", "alice", "secret");
    dave = rig_client(&p.two, "198.51.100.10:4000", "bob", "hunter2");
    CHECK_EQUAL(rig_allocate(&carol, &of_carol), 0);
    CHECK_EQUAL(rig_allocate(&dave, &of_dave), 0);
    CHECK(ln_address_equal(&of_carol, &p.of_alice) && ln_address_equal(&of_dave, &p.of_bob));
    meet(&p);
    CHECK_EQUAL(rig_bind(&carol, 0x4000, text_of(&of_dave)), 508);
    CHECK_EQUAL(rig_bind(&dave, 0x4000, text_of(&of_carol)), 508);
    rig_send_channel(&p.alice, 0x4000, "to bob");
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 1);
    CHECK(rig_got_channel(&p.bob, 0x4000, "to bob"));
    CHECK(ln_address_equal(&p.two.packets[0].path.remote, &p.bob.path.remote));
    CHECK_EQUAL(rig_permit(&carol, "203.0.113.1"), 0);
    rig_send_indication(&carol, text_of(&of_dave), "as if from alice");
    CHECK_EQUAL(carry(&p.one, &p.two, 9), 0);
    end(&p);
}

LN_TEST(handover, the_queue_is_bounded_and_ends_with_its_server)
{
    struct pair p;
    struct ln_pool pool;

    start(&p, NULL, 0);
    ln_pool_init(&pool, test_env()->allocator, 2048, 0, 65536);
    p.one.env.pool = &pool;
    meet(&p);
    for (unsigned i = 0; i < LN_TURN_PARCELS_MAX + 10; i++)
        rig_send_channel(&p.alice, 0x4000, "x");
    CHECK_EQUAL(rig_counts(&p.one).handed_to_workers, LN_TURN_PARCELS_MAX);
    CHECK_EQUAL(rig_counts(&p.one).dropped_queue, 10);
    CHECK_EQUAL(carry(&p.one, &p.two, 3), 3);
    end(&p);
    ln_pool_deinit(&pool); /* every buffer came back */
}

LN_TEST(handover, a_port_belongs_to_the_worker_where_it_was_redeemed)
{
    struct rig rig;
    unsigned worker = 9;

    rig_init(&rig);
    rig_start(&rig);
    CHECK(ln_turn_port_claim(rig.shared, 0, 50000, 3));
    CHECK(ln_turn_port_worker(rig.shared, 0, 50000, &worker) && worker == 3);
    ln_turn_port_move(rig.shared, 0, 50000, LN_TURN_WORKERS_MAX - 1);
    CHECK(ln_turn_port_worker(rig.shared, 0, 50000, &worker) && worker == LN_TURN_WORKERS_MAX - 1);
    ln_turn_port_set_stream(rig.shared, 0, 50000); /* of TCP: no datagrams */
    CHECK(!ln_turn_port_worker(rig.shared, 0, 50000, &worker));
    CHECK(ln_turn_port_serves(rig.shared, 0, 50000, true));
    ln_turn_port_release(rig.shared, 0, 50000);
    CHECK(!ln_turn_port_worker(rig.shared, 0, 50000, &worker));
    CHECK(!ln_turn_port_serves(rig.shared, 0, 50000, true));
    rig_end(&rig);
}
