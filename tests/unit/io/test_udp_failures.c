/* SPDX-License-Identifier: Apache-2.0
 * Datagrams that do not arrive, and what is told of it: by ICMP, by the system at once, or by
 * nobody; and those that are not to be cut. */
#include "base/address.h"
#include "io/loop_internal.h"
#include "tests/unit/io/datagrams.h"
#include "tests/unit/io/fault.h"

#include <errno.h>
#include <netinet/in.h>

static void check_unreachable(const char *ip, struct ln_icmp icmp)
{
    const struct ln_answer *failed;
    struct pair p;

    pair_open(&p, ip, ip);
    ln_loop_remove_endpoint(p.b.handle);
    p.shot.template.len = 5;
    failed = pair_shoot_in_vain(&p);
    TRY_EQUAL(failed->error, LN_ERR_REFUSED);
    TRY_EQUAL(failed->icmp.type, icmp.type);
    TRY_EQUAL(failed->icmp.code, icmp.code);
    TRY_EQUAL(failed->icmp.mtu, 0);
    TRY(failed->path.link == p.path_a.link);
    TRY(ln_address_equal(&failed->path.remote, &p.path_a.remote));
    ln_loop_remove_endpoint(p.a.handle);
}

LN_TEST(io_udp, a_port_where_nobody_listens_is_told)
{
    probe_loop(NULL);
    check_unreachable("127.0.0.1", (struct ln_icmp){ .type = 3, .code = 3 });
    check_unreachable("[::1]:0", (struct ln_icmp){ .type = 1, .code = 4 });
    probe_loop_close();
}

/* The error of one send sits on the socket and hits the next one, whoever that is for. */
LN_TEST(io_udp, an_unreachable_port_costs_no_packet_to_another)
{
    struct ln_path dead;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    dead = p.path_a;
    dead.remote.port = 1;
    p.shot.template.len = 5;
    for (int i = 0; i < 20; i++) {
        p.shot.template.path = dead;
        pair_fire(&p, 1);
        p.shot.template.path = p.path_a;
        pair_shoot(&p, 1);
    }
    TRY_EQUAL(p.b.packets, 20);
    TRY_EQUAL(probe_count(&p.a, LN_ANSWER_SEND_FAILED), 20);
    TRY(ln_address_equal(&probe_answer(&p.a, LN_ANSWER_SEND_FAILED, 0)->answer.path.remote,
                         &dead.remote));
    probe_loop_close();
}

LN_TEST(io_udp, no_route_is_told_at_once)
{
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    p.shot.template.path.remote = address_of("[::1]:9"); /* the other family */
    TRY_EQUAL(pair_shoot_in_vain(&p)->icmp.type, 0);     /* nobody said so */
    probe_loop_close();
}

LN_TEST(io_udp, a_refused_send_is_told_with_its_path)
{
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    sendmsg_fault = (struct fault){ EPERM, 1, 0, false };
    TRY_EQUAL(pair_shoot_in_vain(&p)->error, LN_ERR_NOT_ALLOWED);
    probe_loop_close();
}

LN_TEST(io_udp, a_full_qdisc_loses_the_datagram_silently)
{
    struct ln_loop_stats stats;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    sendmsg_fault = (struct fault){ ENOBUFS, 1, 0, false };
    pair_fire(&p, 1);
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.dropped_by_system, 1);
    TRY_EQUAL(probe_count(&p.a, LN_ANSWER_SEND_FAILED), 0);
    pair_shoot(&p, 1);
    probe_loop_close();
}

/* ---- to stay whole ---- */

static int discovery_of(const struct pair *p)
{
    const struct ln_io_link *link = ln_io_link_get(test_loop, p->path_a.link);
    bool ipv4 = link->local.family == LN_FAMILY_IPV4;
    int value = -1;
    socklen_t len = sizeof value;

    TRY(getsockopt(link->source.fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                   ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, &len) == 0);
    return value;
}

static void check_whole(const char *ip, int discovery)
{
    int before;
    struct pair p;

    pair_open(&p, ip, ip);
    before = discovery_of(&p);
    p.shot.template.len = 1000;
    for (int i = 0; i < 6; i++) {
        p.shot.template.whole = i % 3 != 0;
        pair_shoot(&p, 1);
        TRY_EQUAL(discovery_of(&p), p.shot.template.whole ? discovery : before);
    }
    TRY_EQUAL(p.b.packets, 6);
    pair_close(&p);
}

LN_TEST(io_udp, one_that_is_to_stay_whole_changes_nothing_for_those_after_it)
{
    probe_loop(NULL);
    check_whole("127.0.0.1", IP_PMTUDISC_PROBE);
    check_whole("[::1]:0", IPV6_PMTUDISC_PROBE);
    probe_loop_close();
}

/* Of IPv6, as the largest of IPv4 fits into the loopback's 65,536 bytes. */
LN_TEST(io_udp, one_that_the_first_link_does_not_take_whole_is_told_with_its_mtu)
{
    const struct ln_answer *failed;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "[::1]:0", "[::1]:0");
    p.shot.template.len = LN_TRANSMIT_BYTES_MAX;
    p.shot.template.whole = true;
    failed = pair_shoot_in_vain(&p);
    TRY_EQUAL(failed->error, LN_ERR_TOO_BIG);
    TRY_EQUAL(failed->icmp.type, 2);
    TRY_EQUAL(failed->icmp.code, 0);
    TRY_EQUAL(failed->icmp.mtu, 65536);
    TRY(ln_address_equal(&failed->path.remote, &p.path_a.remote));
    p.shot.template.whole = false;
    pair_shoot(&p, 1); /* in fragments */
    TRY_EQUAL(p.seen.len, LN_TRANSMIT_BYTES_MAX);
    TRY_EQUAL(probe_count(&p.a, LN_ANSWER_SEND_FAILED), 1);
    probe_loop_close();
}

/* As it is of no link's, there is no MTU to be told. */
LN_TEST(io_udp, one_that_no_link_takes_is_told_without_icmp)
{
    const struct ln_answer *failed;
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    p.shot.template.whole = true;
    sendmsg_fault = (struct fault){ EMSGSIZE, 2, 0, false };
    failed = pair_shoot_in_vain(&p);
    TRY_EQUAL(failed->error, LN_ERR_TOO_BIG);
    TRY_EQUAL(failed->icmp.type, 0);
    probe_loop_close();
}
