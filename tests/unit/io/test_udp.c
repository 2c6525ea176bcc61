/* SPDX-License-Identifier: Apache-2.0
 * Single datagrams through real loopback sockets: their paths and marks, when they leave, and which
 * sockets are opened. */
#include "base/address.h"
#include "io/loop_internal.h"
#include "tests/unit/io/datagrams.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

LN_TEST(io_udp, an_empty_datagram_is_a_datagram)
{
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.seen.len = 7;
    pair_shoot(&p, 1);
    TRY_EQUAL(p.seen.len, 0);
    probe_loop_close();
}

LN_TEST(io_udp, the_path_names_both_ends)
{
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    pair_shoot(&p, 1);
    TRY(p.seen.path.link == p.path_b.link);
    TRY(p.path_a.link != p.path_b.link && p.path_a.link != 0 && p.path_b.link != 0);
    TRY(ln_address_equal(&p.seen.path.local, &p.path_b.local));
    TRY(ln_address_equal(&p.seen.path.remote, &p.path_a.local));
    probe_loop_close();
}

static void check_wildcard(const char *any, const char *one, const char *other)
{
    struct ln_address from = address_of(one);
    struct pair p;

    pair_open(&p, any, any);
    TRY(ln_address_is_unspecified(&p.path_b.local) && p.path_b.local.port != 0);
    p.shot.template.len = 5;
    p.shot.template.path.remote = address_of(other);
    p.shot.template.path.remote.port = p.path_b.local.port;
    from.port = p.path_a.local.port;
    p.shot.template.path.local = from;
    pair_shoot(&p, 1);
    TRY(ln_address_equal(&p.seen.path.remote, &from));
    TRY(ln_address_equal(&p.seen.path.local, &p.shot.template.path.remote));
    pair_close(&p);
}

LN_TEST(io_udp, a_wildcard_socket_tells_and_chooses_the_local_address)
{
    probe_loop(NULL);
    check_wildcard("0.0.0.0", "127.0.0.5", "127.0.0.9");
    check_wildcard("[::]:0", "::1", "::1");
    probe_loop_close();
}

/* Whether the IPv4 port of the same number as that of an IPv6 socket can be had. Somebody else may
 * have it. */
static bool ipv4_is_free_beside_ipv6(void)
{
    const struct probe_answer *opened;
    struct pair p;
    char text[32];

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "[::]:0");
    snprintf(text, sizeof text, "0.0.0.0:%u", p.path_b.local.port);
    probe_open_udp(&p.a, 7, text);
    while (!(opened = probe_answer(&p.a, LN_ANSWER_OPENED, 7)) &&
           !probe_answer(&p.a, LN_ANSWER_FAILED, 7))
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(100)) == 0);
    probe_loop_close();
    return opened != NULL;
}

LN_TEST(io_udp, an_ipv6_socket_leaves_ipv4_alone)
{
    int tries = 0;

    while (!ipv4_is_free_beside_ipv6())
        TRY(++tries < 20);
}

/* ---- marks ---- */

static void check_ecn(const char *ip)
{
    struct pair p;

    pair_open(&p, ip, ip);
    p.shot.template.len = 10;
    for (int ecn = 0; ecn < 4; ecn++) {
        p.shot.template.ecn = (uint8_t)ecn;
        pair_shoot(&p, 1);
        TRY_EQUAL(p.seen.ecn, ecn);
    }
    p.shot.template.len = 1000; /* and on a train */
    p.shot.template.segment = 100;
    p.shot.template.ecn = LN_ECN_ECT1;
    p.seen.ecn = 0;
    pair_shoot(&p, 10);
    TRY_EQUAL(p.seen.ecn, LN_ECN_ECT1);
    TRY(ln_loop_set_dscp(test_loop, p.path_a.link, 46) == 0);
    TRY(ln_loop_set_dscp(test_loop, p.path_a.link, 64) == LN_ERR_RANGE);
    TRY(ln_loop_set_dscp(test_loop, 99999, 0) == LN_ERR_NOT_FOUND);
    p.seen.ecn = 0;
    pair_shoot(&p, 10);
    TRY_EQUAL(p.seen.ecn, LN_ECN_ECT1);
    pair_close(&p);
}

LN_TEST(io_udp, ecn_marks_pass_both_ways)
{
    probe_loop(NULL);
    check_ecn("127.0.0.1");
    check_ecn("[::1]:0");
    probe_loop_close();
}

LN_TEST(io_udp, ecn_marks_are_left_out_where_nobody_wants_them)
{
    struct ln_loop_config config = { .ignore_ecn = true };
    struct pair p;

    probe_loop(&config);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 10;
    p.shot.template.ecn = LN_ECN_ECT1;
    p.seen.ecn = LN_ECN_CE;
    pair_shoot(&p, 1);
    TRY_EQUAL(p.seen.ecn, LN_ECN_NOT_ECT);
    TRY_EQUAL(p.seen.len, 10);
    probe_loop_close();
}

/* An ordinary socket that tells the traffic class of what arrives; -1: nothing came. */
static int received_class(int fd)
{
    uint8_t data[2048], control[128];
    struct iovec iov = { data, sizeof data };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *c;
    int value = 0;

    if (recvmsg(fd, &message, 0) < 0)
        return -1;
    for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
            return *(uint8_t *)CMSG_DATA(c);
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            return value;
        }
    return -1;
}

static int open_listener(struct ln_address *local)
{
    bool ipv4 = local->family == LN_FAMILY_IPV4;
    struct timeval limit = { .tv_sec = 5 };
    int on = 1, fd = ln_io_socket(local, SOCK_DGRAM);

    TRY(fd >= 0 && ln_io_bind(fd, local) == 0);
    TRY(setsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on,
                   sizeof on) == 0);
    (void)fcntl(fd, F_SETFL, 0);
    TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    ln_io_bound_address(fd, local);
    return fd;
}

static void check_code_points(const char *ip)
{
    struct ln_address local;
    struct pair p;
    int fd;

    TRY(ln_address_parse(ip, &local) == 0);
    fd = open_listener(&local);
    pair_open(&p, ip, ip);
    p.shot.template.path.remote = local;
    p.shot.template.len = 10;
    p.shot.template.dscp = 46;
    pair_fire(&p, 1);
    TRY_EQUAL(received_class(fd), 46 << 2);
    p.shot.template.dscp = 0; /* the next packet of the same socket is not marked */
    pair_fire(&p, 1);
    TRY_EQUAL(received_class(fd), 0);
    p.shot.template.dscp = 36;
    p.shot.template.ecn = LN_ECN_ECT1;
    p.shot.template.len = 1000;
    p.shot.template.segment = 100;
    pair_fire(&p, 1);
    for (int i = 0; i < 10; i++)
        TRY_EQUAL(received_class(fd), 36 << 2 | LN_ECN_ECT1);
    close(fd);
    pair_close(&p);
}

LN_TEST(io_udp, code_points_are_set_for_a_packet_or_a_train)
{
    probe_loop(NULL);
    check_code_points("127.0.0.1");
    check_code_points("[::1]:0");
    probe_loop_close();
}

/* ---- held back ---- */

LN_TEST(io_udp, not_before_holds_a_train_back)
{
    ln_time start, due;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    start = ln_loop_now(test_loop);
    due = start + LN_MILLISECONDS(30);
    p.shot.template.len = 1000;
    p.shot.template.segment = 300;
    p.shot.template.not_before = due;
    pair_shoot(&p, 4);
    TRY(p.seen.when >= due);
    TRY(p.seen.when < due + LN_SECONDS(1));
    TRY_EQUAL(p.seen.lens[0], 300);
    TRY_EQUAL(p.seen.lens[3], 100);
    probe_loop_close();
}

LN_TEST(io_udp, what_is_held_back_goes_with_its_link)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct ln_loop_stats stats;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    p.shot.template.not_before = ln_loop_now(test_loop) + LN_MILLISECONDS(10);
    pair_fire(&p, 3);
    close_it.link = p.path_a.link;
    probe_request(&p.a, &close_it);
    do {
        TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(20)) == 0);
        ln_loop_stats(test_loop, &stats);
    } while (stats.dropped_no_link < 3 && !test_allocator()->failed);
    TRY_EQUAL(p.b.packets, 0);
    /* and what still waits at the end is freed */
    p.path_a = probe_udp(&p.a, "127.0.0.1");
    p.shot.template.path.link = p.path_a.link;
    p.shot.template.not_before = ln_loop_now(test_loop) + LN_SECONDS(100);
    pair_fire(&p, 3);
    probe_loop_close();
}

LN_TEST(io_udp, the_queue_of_held_datagrams_is_bounded)
{
    struct ln_loop_config config = { .datagram_queue_max = 10000 };
    struct ln_loop_stats stats;
    struct pair p;

    probe_loop(&config);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 1000;
    p.shot.template.not_before = ln_loop_now(test_loop) + LN_SECONDS(100);
    pair_fire(&p, 20);
    ln_loop_stats(test_loop, &stats);
    TRY(stats.dropped_queue_full >= 10 && stats.dropped_queue_full < 20);
    probe_loop_close();
}

/* ---- opening ---- */

LN_TEST(io_udp, a_port_in_use_is_told)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_UDP, .id = 5 };
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    request.local = p.path_b.local;
    probe_request(&p.a, &request);
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_FAILED, 5)->error, LN_ERR_ADDRESS_IN_USE);
    request.id = 6;
    request.local = address_of("192.0.2.254"); /* not ours */
    probe_request(&p.a, &request);
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_FAILED, 6)->error, LN_ERR_NOT_FOUND);
    request.id = 8;
    memset(&request.local, 0, sizeof request.local);
    probe_request(&p.a, &request);
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_FAILED, 8)->error, LN_ERR_NOT_SUPPORTED);
    probe_loop_close();
}

LN_TEST(io_udp, another_objects_link_and_a_closed_one_take_nothing)
{
    struct ln_loop_stats stats;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    p.shot.template.path.link = p.path_b.link;
    pair_fire(&p, 2);
    p.shot.template.path.link = 0;
    pair_fire(&p, 1);
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.dropped_no_link, 3);
    TRY_EQUAL(p.b.packets, 0);
    probe_loop_close();
}

LN_TEST(io_udp, links_are_bounded_and_their_numbers_are_not_reused)
{
    struct ln_loop_config config = { .links_max = 2 };
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct pair p;

    probe_loop(&config);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    probe_open_udp(&p.a, 5, "127.0.0.1");
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_FAILED, 5)->error, LN_ERR_LIMIT);
    close_it.link = p.path_b.link;
    probe_request(&p.b, &close_it);
    run_idle();
    probe_open_udp(&p.a, 6, "127.0.0.1");
    TRY(wait_answer(&p.a, LN_ANSWER_OPENED, 6)->link > p.path_a.link);
    TRY(probe_answer(&p.a, LN_ANSWER_OPENED, 6)->answer.link > p.path_b.link);
    probe_loop_close();
}

LN_TEST(io_udp, a_multicast_group_is_joined_and_shared)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_UDP,
                                  .id = 1,
                                  .local = address_of("224.0.0.251:45353"),
                                  .remote = address_of("127.0.0.1") };
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    probe_request(&p.a, &request);
    probe_request(&p.b, &request);
    p.path_a.link = wait_answer(&p.a, LN_ANSWER_OPENED, 1)->link;
    p.path_b.link = wait_answer(&p.b, LN_ANSWER_OPENED, 1)->link;
    p.shot.template.path.link = p.path_a.link;
    p.shot.template.path.remote = request.local;
    p.shot.template.len = 9;
    pair_shoot(&p, 1);
    TRY(p.seen.path.link == p.path_b.link);
    TRY_EQUAL(p.seen.path.remote.port, 45353);
    probe_loop_close();
}
