/* SPDX-License-Identifier: Apache-2.0
 * Many agents on one UDP port: who gets what, restarts, addresses that change, ends. */
#include "tests/unit/ice/crowd.h"

static struct crowd c; /* large; cleared by crowd_init() */

static void connect_all(size_t count)
{
    crowd_init(&c, false);
    crowd_add(&c, count);
    crowd_run(&c, LN_SECONDS(5));
    CHECK_EQUAL(crowd_connected_count(&c), count);
}

static size_t sockets_open(void)
{
    size_t count = 0;

    for (size_t i = 0; i < c.node.link_count; i++)
        count += c.node.links[i].open;
    return count;
}

static ln_link link_of(size_t i)
{
    struct ln_path path;

    CHECK(ln_ice_send_path(c.peers[i].inside, &path));
    return path.link;
}

LN_TEST(mux, twelve_hundred_agents_connect_through_one_socket_and_each_gets_its_own)
{
    size_t i;

    connect_all(1200);
    CHECK_EQUAL(sockets_open(), 1);
    CHECK_EQUAL(c.node.links[0].local.port, 3478);
    for (i = 0; i < c.count; i++)
        crowd_say(&c, i);
    crowd_run(&c, LN_SECONDS(30)); /* consent is kept meanwhile */
    for (i = 0; i < c.count; i++) {
        CHECK_EQUAL(c.peers[i].received, 1);
        CHECK_EQUAL(c.peers[i].strange, 0);
    }
    CHECK_EQUAL(crowd_connected_count(&c), 1200);
    crowd_free(&c);
}

LN_TEST(mux, a_packet_for_one_costs_the_others_no_call)
{
    uint8_t head[20] = { 0x80, 0, 0, 0, 7 };
    struct ln_address from;

    connect_all(40);
    crowd_run(&c, LN_SECONDS(1));
    from = crowd_address(&c, 7);
    for (size_t i = 0; i < c.count; i++)
        c.peers[i].calls = 0;
    crowd_inject(&c, &from, head, sizeof head);
    for (size_t i = 0; i < c.count; i++)
        CHECK(i == 7 ? c.peers[i].calls > 0 : c.peers[i].calls == 0);
    CHECK_EQUAL(c.peers[7].received, 1);
    crowd_free(&c);
}

LN_TEST(mux, a_touch_from_the_owners_own_turn_is_no_news)
{
    struct crowd_peer *peer = NULL;

    connect_all(2);
    while (ln_ice_mux_poll_news(c.mux))
        ;
    ln_ice_mux_touch(c.peers[1].member);
    peer = ln_ice_mux_poll_news(c.mux);
    CHECK(peer == &c.peers[1]);
    ln_ice_mux_touch(peer->member);
    CHECK(ln_ice_mux_poll_news(c.mux) == NULL);
    ln_ice_mux_touch(peer->member);
    CHECK(ln_ice_mux_poll_news(c.mux) == peer);
    crowd_free(&c);
}

LN_TEST(mux, has_a_socket_for_each_address_and_keeps_it_without_members)
{
    crowd_init(&c, true);
    crowd_add(&c, 3);
    crowd_run(&c, LN_SECONDS(5));
    CHECK_EQUAL(sockets_open(), 2);
    for (size_t i = 0; i < 3; i++)
        crowd_remove(&c, i);
    CHECK_EQUAL(sockets_open(), 2);
    CHECK_EQUAL(c.node.opened, 2);
    CHECK_EQUAL(ln_ice_mux_member_count(c.mux), 0);
    crowd_free(&c);
}

LN_TEST(mux, closes_the_socket_of_an_address_that_went_and_opens_it_when_it_is_back)
{
    crowd_init(&c, true);
    crowd_add(&c, 4);
    crowd_run(&c, LN_SECONDS(5));
    crowd_interfaces(&c, 1);
    crowd_run(&c, LN_SECONDS(1));
    CHECK_EQUAL(sockets_open(), 1);
    crowd_interfaces(&c, 2);
    crowd_run(&c, LN_SECONDS(1));
    CHECK_EQUAL(sockets_open(), 2);
    CHECK_EQUAL(c.node.links[2].local.port, 3478);
    CHECK_EQUAL(crowd_connected_count(&c), 4);
    crowd_free(&c);
}

LN_TEST(mux, a_peer_whose_address_changes_is_found_again_by_its_ufrag)
{
    connect_all(20);
    crowd_move(&c, 3, "203.0.113.7:1024");
    for (int k = 0; k < 40; k++) { /* data goes on, and asks for a sign */
        crowd_say(&c, 3);
        crowd_run(&c, LN_MILLISECONDS(50));
    }
    CHECK(crowd_connected(&c, 3));
    CHECK(c.peers[3].received > 20);
    CHECK_EQUAL(c.peers[3].strange, 0);
    crowd_run(&c, LN_SECONDS(60));
    CHECK(crowd_connected(&c, 3));
    crowd_free(&c);
}

LN_TEST(mux, an_address_of_one_that_went_serves_another)
{
    struct ln_address first;

    connect_all(2);
    first = crowd_address(&c, 0);
    crowd_remove(&c, 0);
    CHECK(first.port != 0);
    crowd_move(&c, 1, "10.0.0.0:5000"); /* the NAT gives it the mapping that was the first's */
    for (int k = 0; k < 40; k++) {
        crowd_say(&c, 1);
        crowd_run(&c, LN_MILLISECONDS(50));
    }
    CHECK(c.peers[1].received > 20);
    CHECK_EQUAL(ln_ice_mux_dropped(c.mux, LN_ICE_MUX_DROP_CLAIMED), 0);
    crowd_free(&c);
}

LN_TEST(mux, a_restart_goes_on_on_the_link_that_is_there)
{
    struct crowd_peer *peer;
    ln_link link;

    connect_all(5);
    peer = &c.peers[2];
    link = link_of(2);
    for (int k = 0; k < 6; k++) { /* more often than a link has room for ufrags */
        CHECK(ln_ice_restart(peer->inside) == 0 && ln_ice_restart(peer->outside) == 0);
        CHECK(ln_ice_set_remote(peer->inside, ln_ice_local_ufrag(peer->outside),
                                ln_ice_local_pwd(peer->outside), false, NULL) == 0);
        CHECK(ln_ice_set_remote(peer->outside, ln_ice_local_ufrag(peer->inside),
                                ln_ice_local_pwd(peer->inside), false, NULL) == 0);
        ln_ice_gather(peer->inside);
        ln_ice_gather(peer->outside);
        ln_ice_mux_touch(peer->member);
        CHECK(ln_heap_set(&c.heap, &peer->node.deadline, c.now) == 0);
        CHECK(ln_heap_set(&c.heap, &c.node.deadline, c.now) == 0);
        crowd_run(&c, LN_SECONDS(8));
        CHECK(crowd_connected(&c, 2));
        CHECK_EQUAL(link_of(2), link);
        crowd_say(&c, 2);
        crowd_run(&c, LN_SECONDS(1));
        CHECK_EQUAL(peer->received, k + 1);
    }
    CHECK_EQUAL(c.node.opened, 1);
    crowd_free(&c);
}

LN_TEST(mux, a_link_is_not_given_again_and_late_packets_of_one_that_went_are_dropped)
{
    ln_link old;
    struct ln_address from;
    uint64_t dropped;

    connect_all(3);
    old = link_of(0);
    from = crowd_address(&c, 0);
    crowd_say(&c, 0);
    crowd_remove(&c, 0);
    dropped = ln_ice_mux_dropped(c.mux, LN_ICE_MUX_DROP_UNKNOWN_ADDRESS);
    crowd_run(&c, LN_SECONDS(1));
    CHECK_EQUAL(ln_ice_mux_dropped(c.mux, LN_ICE_MUX_DROP_UNKNOWN_ADDRESS), dropped + 1);
    crowd_inject(&c, &from, "\x80late", 5);
    CHECK_EQUAL(ln_ice_mux_dropped(c.mux, LN_ICE_MUX_DROP_UNKNOWN_ADDRESS), dropped + 2);
    crowd_add(&c, 4);
    crowd_run(&c, LN_SECONDS(5));
    CHECK(crowd_connected(&c, 3));
    CHECK(link_of(3) != old);
    crowd_free(&c);
}

LN_TEST(mux, members_come_and_go_and_leave_nothing_behind)
{
    size_t blocks = 0;

    crowd_init(&c, false);
    for (int round = 0; round < 8; round++) {
        crowd_add(&c, c.count + 10);
        crowd_run(&c, round % 2 ? LN_SECONDS(3) : LN_MILLISECONDS(25));
        for (size_t i = c.count - 10; i < c.count; i++)
            crowd_remove(&c, i);
        crowd_run(&c, LN_SECONDS(1));
        if (round == 3)
            blocks = test_allocator()->live_blocks;
    }
    CHECK_EQUAL(test_allocator()->live_blocks, blocks);
    crowd_free(&c);
}

LN_TEST(mux, a_port_that_is_taken_leaves_members_without_it_and_a_later_one_tries_again)
{
    crowd_init(&c, false);
    c.node.refuse_ports = true;
    crowd_add(&c, 2);
    crowd_run(&c, LN_SECONDS(1));
    CHECK_EQUAL(sockets_open(), 0);
    c.node.refuse_ports = false;
    crowd_add(&c, 3);
    crowd_run(&c, LN_SECONDS(3));
    CHECK(crowd_connected(&c, 2) && !crowd_connected(&c, 0));
    crowd_free(&c);
}

LN_TEST(mux, more_members_than_its_limit_are_refused)
{
    struct ln_ice_mux_config config = { .members_max = 1 };
    struct ln_ice_mux_member *one, *two;
    struct ln_ice_config ice_config;
    struct ln_ice *ice;
    struct ln_ice_mux *mux;

    ln_ice_config_init(&ice_config);
    CHECK(ln_ice_create(&ice, &ice_config, test_env()) == 0);
    CHECK(ln_ice_mux_create(&mux, &config, test_env()) == 0);
    CHECK_EQUAL(ln_ice_mux_add(mux, ln_ice_endpoint(ice), NULL, &one), 0);
    CHECK_EQUAL(ln_ice_mux_add(mux, ln_ice_endpoint(ice), NULL, &two), LN_ERR_LIMIT);
    ln_ice_mux_remove(one);
    CHECK_EQUAL(ln_ice_mux_add(mux, ln_ice_endpoint(ice), NULL, &two), 0);
    ln_ice_mux_free(mux);
    ln_ice_free(ice);
}
