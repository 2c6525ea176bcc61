/* SPDX-License-Identifier: Apache-2.0
 * Datagrams through real loopback sockets. */
#include "base/address.h"
#include "io/loop_internal.h"
#include "tests/unit/io/fault.h"
#include "tests/unit/io/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

/* A sender with a window: `sent` may be at most WINDOW ahead of what the receiver counted. */
#define WINDOW    400u
#define BEGINNING 16 /* before the first has come: until then a socket has a small buffer */

struct stream {
    struct probe *other;
    uint16_t from_port; /* the sender's, as the first datagram told it */
    struct ln_path path;
    size_t total, size, next; /* datagrams, bytes of each */
    size_t received, wrong;
    bool slices;
    struct ln_buffer **kept; /* those of datagrams that came alone, by number; or NULL */
    uint8_t ecn, ecn_seen;
    size_t largest_train;
    ln_time not_before;
};

static void fill(uint8_t *data, size_t len, size_t number)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number * 7 + i + (i < 8 ? number >> (8 * (i & 3)) : 0));
}

static int send_train(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct stream *s = probe->ctx;
    size_t most = s->received > 0 ? WINDOW : BEGINNING;
    size_t count = s->total - s->next, window = most - (s->next - s->received);

    (void)now;
    if (s->path.link == 0 || count == 0 || window == 0)
        return 0;
    if (count > window)
        count = window;
    if (count > LN_TRANSMIT_SEGMENTS_MAX)
        count = LN_TRANSMIT_SEGMENTS_MAX;
    if (count > out->cap / s->size)
        count = out->cap / s->size;
    out->path = s->path;
    out->ecn = s->ecn;
    out->segment = s->size;
    out->not_before = s->not_before;
    if (count > s->largest_train)
        s->largest_train = count;
    for (size_t i = 0; i < count; i++, s->next++) {
        /* every 50th is shorter and so ends its train */
        size_t len = s->next % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

        if (s->slices) {
            struct ln_buffer *buffer = ln_buffer_create(test_env()->pool, len);

            if (!buffer)
                return i > 0;
            fill(ln_buffer_bytes(buffer), len, s->next);
            out->slices[i].base = ln_buffer_bytes(buffer);
            out->slices[i].len = len;
            out->slices[i].buffer = buffer;
            out->slice_count++;
        } else {
            fill(out->data + out->len, len, s->next);
        }
        out->len += len;
        if (len < s->size) {
            s->next++;
            break;
        }
    }
    return 1;
}

/* One that came alone lies in a buffer, with room before it. */
static bool buffer_fits(const struct ln_packet *packet)
{
    struct ln_buffer *buffer = packet->buffer;

    return !buffer || (ln_buffer_bytes(buffer) == packet->data && buffer->len == packet->len &&
                       buffer->offset == LN_BUFFER_HEADROOM && buffer->references == 1);
}

static void check_datagram(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    static uint8_t expected[LN_TRANSMIT_BYTES_MAX];
    struct stream *s = probe->ctx;
    size_t len = s->received % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

    (void)now;
    fill(expected, len, s->received);
    if (packet->len != len || memcmp(packet->data, expected, len) != 0)
        s->wrong++;
    if (s->from_port == 0)
        s->from_port = packet->path.remote.port;
    if (packet->path.remote.port != s->from_port || !buffer_fits(packet))
        s->wrong++;
    s->ecn_seen = packet->ecn;
    if (s->kept && packet->buffer)
        s->kept[s->received] = ln_buffer_ref(packet->buffer);
    s->received++;
    memset(packet, 0xff, sizeof *packet); /* it is ours: the next of the train has its own */
    if (s->next < s->total)
        ln_loop_touch(s->other->handle);
}

static bool all_received(void *ctx)
{
    struct stream *s = ctx;

    return s->received >= s->total;
}

static void run_stream(struct stream *s, const char *ip)
{
    struct probe sender, receiver;
    struct ln_path to;

    probe_init(&sender);
    probe_init(&receiver);
    sender.ctx = receiver.ctx = s;
    sender.transmit = send_train;
    receiver.receive = check_datagram;
    s->other = &sender;
    probe_add(&sender);
    probe_add(&receiver);
    to = probe_udp(&receiver, ip);
    s->path = probe_udp(&sender, ip);
    s->path.remote = to.local;
    ln_loop_touch(sender.handle);
    run_until(all_received, s);
    TRY_EQUAL(s->wrong, 0);
    TRY_EQUAL(s->received, s->total);
    ln_loop_remove_endpoint(sender.handle);
    ln_loop_remove_endpoint(receiver.handle);
}

LN_TEST(io_udp, ten_thousand_datagrams_arrive_unchanged_and_in_order)
{
    struct stream s = { .total = 10000, .size = 1200 };
    struct ln_loop_stats stats;

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.datagrams_received, 10000);
    TRY(stats.send_calls < 1000);    /* trains */
    TRY(stats.receive_calls < 1000); /* coalesced */
    probe_loop_close();
}

LN_TEST(io_udp, the_same_over_ipv6)
{
    struct stream s = { .total = 2000, .size = 1200 };

    probe_loop(NULL);
    run_stream(&s, "[::1]:0");
    probe_loop_close();
}

LN_TEST(io_udp, lent_slices_arrive_like_written_bytes)
{
    struct stream s = { .total = 1000, .size = 700, .slices = true };

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    TRY(s.largest_train > 20);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0); /* every reference was released */
}

LN_TEST(io_udp, a_datagram_that_is_kept_stays_as_it_came)
{
    static struct ln_buffer *kept[200];
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 200, .size = 1200, .kept = kept };
    static uint8_t expected[1200];

    memset(kept, 0, sizeof kept);
    probe_loop(&config);
    run_stream(&s, "127.0.0.1");
    probe_loop_close();
    for (size_t i = 0; i < s.total; i++) {
        TRY(kept[i] != NULL);
        fill(expected, kept[i]->len, i);
        TRY(memcmp(ln_buffer_bytes(kept[i]), expected, kept[i]->len) == 0);
        ln_buffer_unref(kept[i]);
    }
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

#define RECEIVERS 5u
#define ROUNDS    40u

/* Trains of three for each of several receivers in turn; the bytes say which train and place. */
struct scatter {
    struct ln_path to[RECEIVERS];
    size_t next, got[RECEIVERS], wrong;
    size_t whole_every; /* 0: none */
    ln_link links[RECEIVERS];
};

static int send_scattered(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct scatter *s = probe->ctx;

    (void)now;
    if (s->next == ROUNDS * RECEIVERS)
        return 0;
    out->path = s->to[s->next % RECEIVERS];
    out->segment = 100;
    out->whole = s->whole_every > 0 && s->next % s->whole_every == 0;
    for (size_t i = 0; i < 3; i++) {
        struct ln_buffer *buffer = ln_buffer_create(test_env()->pool, 100);

        if (!buffer)
            return i > 0; /* then it is wrong, which only a sweep of failing memory sees */
        fill(ln_buffer_bytes(buffer), 100, 3 * (s->next / RECEIVERS) + i);
        out->slices[out->slice_count++] = (struct ln_slice){ ln_buffer_bytes(buffer), 100, buffer };
        out->len += 100;
    }
    s->next++;
    return 1;
}

static void take_scattered(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct scatter *s = probe->ctx;
    uint8_t expected[100];

    (void)now;
    for (size_t i = 0; i < RECEIVERS; i++) {
        if (packet->path.link != s->links[i])
            continue;
        fill(expected, 100, s->got[i]++);
        s->wrong += packet->len != 100 || memcmp(packet->data, expected, 100) != 0;
    }
}

static bool all_scattered(void *ctx)
{
    const struct scatter *s = ctx;
    size_t sum = 0;

    for (size_t i = 0; i < RECEIVERS; i++)
        sum += s->got[i];
    return sum == 3 * ROUNDS * RECEIVERS;
}

static void scatter(size_t whole_every)
{
    struct scatter s = { .next = ROUNDS * RECEIVERS, .whole_every = whole_every };
    struct probe sender, receiver;

    probe_loop(NULL);
    probe_init(&sender);
    probe_init(&receiver);
    sender.ctx = receiver.ctx = &s;
    sender.transmit = send_scattered;
    receiver.receive = take_scattered;
    probe_add(&sender);
    probe_add(&receiver);
    for (size_t i = 0; i < RECEIVERS; i++) {
        struct ln_path path = probe_udp(&receiver, "127.0.0.1");

        s.links[i] = path.link;
        s.to[i].remote = path.local;
    }
    s.to[0].link = probe_udp(&sender, "127.0.0.1").link;
    for (size_t i = 1; i < RECEIVERS; i++)
        s.to[i].link = s.to[0].link;
    s.next = 0;
    ln_loop_touch(sender.handle);
    run_until(all_scattered, &s);
    TRY_EQUAL(s.wrong, 0);
}

LN_TEST(io_udp, trains_for_many_leave_in_few_calls_and_in_order)
{
    struct ln_loop_stats stats;

    scatter(0);
    ln_loop_stats(test_loop, &stats);
    TRY(stats.send_calls <= ROUNDS * RECEIVERS / 8);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, trains_for_many_stay_in_order_when_the_socket_is_full)
{
    sendmsg_fault = (struct fault){ EAGAIN, 2, 3, false };
    scatter(0);
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, what_is_to_stay_whole_leaves_in_order_with_the_rest)
{
    scatter(7);
    probe_loop_close();
    sendmsg_fault = (struct fault){ EAGAIN, 2, 3, false };
    scatter(7);
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
    TRY_EQUAL(test_env()->pool->in_use, 0);
}

LN_TEST(io_udp, without_offload_the_same_arrives)
{
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 1000, .size = 1200 };
    struct ln_loop_stats stats;

    probe_loop(&config);
    run_stream(&s, "127.0.0.1");
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.send_calls, 1000);
    probe_loop_close();
}

LN_TEST(io_udp, trains_of_the_smallest_datagrams_stay_apart)
{
    struct stream s = { .total = 640, .size = 1 };

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    probe_loop_close();
}

LN_TEST(io_udp, every_size_up_to_the_largest_payload_passes)
{
    static const size_t sizes[] = { 1, 2, 3, 100, 1200, 1472, 1473, 9000, 65506, 65507 };

    probe_loop(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct stream s = { .total = 3, .size = sizes[i] };

        run_stream(&s, "127.0.0.1");
        s = (struct stream){ .total = 3, .size = sizes[i] };
        run_stream(&s, "[::1]:0");
    }
    probe_loop_close();
}

/* ---- single datagrams ---- */

struct shot {
    struct ln_transmit template; /* data, len, path, ecn, not_before, segment */
    int count;
};

static int fire(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct shot *shot = probe->ctx;

    (void)now;
    if (shot->count == 0)
        return 0;
    shot->count--;
    out->path = shot->template.path;
    out->ecn = shot->template.ecn;
    out->dscp = shot->template.dscp;
    out->not_before = shot->template.not_before;
    out->len = shot->template.len;
    out->segment = shot->template.segment;
    out->whole = shot->template.whole;
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = (uint8_t)i;
    return 1;
}

struct seen {
    struct ln_path path;
    size_t len, lens[64];
    uint8_t ecn;
    ln_time when;
};

static void note(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct seen *seen = probe->ctx;

    seen->path = packet->path;
    seen->len = packet->len;
    if (probe->packets <= 64)
        seen->lens[probe->packets - 1] = packet->len;
    seen->ecn = packet->ecn;
    seen->when = now;
}

/* Two probes on test_loop with a socket each. */
struct pair {
    struct probe a, b;
    struct shot shot;
    struct seen seen;
    struct ln_path path_a, path_b;
    size_t expected;
};

static bool pair_done(void *ctx)
{
    const struct pair *pair = ctx;

    return pair->b.packets >= pair->expected;
}

static void pair_open(struct pair *pair, const char *local_a, const char *local_b)
{
    memset(pair, 0, sizeof *pair);
    probe_init(&pair->a);
    probe_init(&pair->b);
    pair->a.ctx = &pair->shot;
    pair->a.transmit = fire;
    pair->b.ctx = &pair->seen;
    pair->b.receive = note;
    probe_add(&pair->a);
    probe_add(&pair->b);
    pair->path_b = probe_udp(&pair->b, local_b);
    pair->path_a = probe_udp(&pair->a, local_a);
    pair->path_a.remote = pair->path_b.local;
    pair->shot.template.path = pair->path_a;
    pair->shot.template.not_before = LN_TIME_IMMEDIATE;
}

static void pair_shoot(struct pair *pair, size_t expected)
{
    pair->shot.count = 1;
    pair->expected = pair->b.packets + expected;
    ln_loop_touch(pair->a.handle);
    run_until(pair_done, pair);
}

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
    ln_loop_remove_endpoint(p.a.handle);
    ln_loop_remove_endpoint(p.b.handle);
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
    ln_loop_remove_endpoint(p.a.handle);
    ln_loop_remove_endpoint(p.b.handle);
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

static void check_unreachable(const char *ip, struct ln_icmp icmp)
{
    const struct ln_answer *failed;
    struct pair p;

    pair_open(&p, ip, ip);
    ln_loop_remove_endpoint(p.b.handle);
    p.shot.template.len = 5;
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    failed = wait_answer(&p.a, LN_ANSWER_SEND_FAILED, 0);
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
        p.shot.count = 1;
        ln_loop_touch(p.a.handle);
        run_idle();
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
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_SEND_FAILED, 0)->icmp.type, 0); /* nobody said so */
    probe_loop_close();
}

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
    ln_loop_remove_endpoint(p.a.handle);
    ln_loop_remove_endpoint(p.b.handle);
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
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    failed = wait_answer(&p.a, LN_ANSWER_SEND_FAILED, 0);
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
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    failed = wait_answer(&p.a, LN_ANSWER_SEND_FAILED, 0);
    TRY_EQUAL(failed->error, LN_ERR_TOO_BIG);
    TRY_EQUAL(failed->icmp.type, 0);
    probe_loop_close();
}

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
    p.shot.count = 3;
    p.shot.template.not_before = ln_loop_now(test_loop) + LN_MILLISECONDS(10);
    ln_loop_touch(p.a.handle);
    run_idle();
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
    p.shot.count = 3;
    ln_loop_touch(p.a.handle);
    run_idle();
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
    p.shot.count = 20;
    ln_loop_touch(p.a.handle);
    run_idle();
    ln_loop_stats(test_loop, &stats);
    TRY(stats.dropped_queue_full >= 10 && stats.dropped_queue_full < 20);
    probe_loop_close();
}

/* ---- a system that refuses ---- */

LN_TEST(io_udp, a_full_socket_keeps_datagrams_in_order_until_it_is_writable)
{
    struct stream s = { .total = 300, .size = 500 };

    probe_loop(NULL);
    sendmsg_fault = (struct fault){ EAGAIN, 3, 1, false };
    run_stream(&s, "127.0.0.1");
    TRY_EQUAL(sendmsg_fault.times, 0);
    probe_loop_close();
}

LN_TEST(io_udp, a_path_without_segmentation_gets_datagram_by_datagram)
{
    static const int numbers[] = { EIO, EINVAL, EMSGSIZE };

    for (size_t i = 0; i < 3; i++) {
        struct stream s = { .total = 500, .size = 900, .slices = i == 1 };
        struct ln_loop_stats stats;

        probe_loop(NULL);
        sendmsg_fault = (struct fault){ numbers[i], 100000, 0, true };
        run_stream(&s, "127.0.0.1");
        sendmsg_fault.times = 0;
        ln_loop_stats(test_loop, &stats);
        /* EIO is remembered at once, the others after eight times in a row */
        TRY_EQUAL(stats.segmentation_refused, numbers[i] == EIO ? 1 : 8);
        TRY_EQUAL(stats.send_calls, 500);
        probe_loop_close();
    }
}

LN_TEST(io_udp, a_socket_that_fills_up_amid_single_datagrams_keeps_the_rest)
{
    struct ln_loop_config config = { .no_offload = true };
    struct stream s = { .total = 300, .size = 500 };

    probe_loop(&config);
    sendmsg_fault = (struct fault){ EAGAIN, 2, 7, false };
    run_stream(&s, "127.0.0.1");
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
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    run_idle();
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.dropped_by_system, 1);
    TRY_EQUAL(probe_count(&p.a, LN_ANSWER_SEND_FAILED), 0);
    pair_shoot(&p, 1);
    probe_loop_close();
}

LN_TEST(io_udp, a_refused_send_is_told_with_its_path)
{
    struct pair p;

    probe_loop(NULL);
    pair_open(&p, "127.0.0.1", "127.0.0.1");
    p.shot.template.len = 5;
    sendmsg_fault = (struct fault){ EPERM, 1, 0, false };
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    TRY_EQUAL(wait_answer(&p.a, LN_ANSWER_SEND_FAILED, 0)->error, LN_ERR_NOT_ALLOWED);
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
    p.shot.count = 2;
    ln_loop_touch(p.a.handle);
    run_idle();
    p.shot.template.path.link = 0;
    p.shot.count = 1;
    ln_loop_touch(p.a.handle);
    run_idle();
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

/* At somebody who is not on the loop. */
static void shoot_away(struct pair *pair)
{
    pair->shot.count = 1;
    ln_loop_touch(pair->a.handle);
    run_idle();
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
    shoot_away(&p);
    TRY_EQUAL(received_class(fd), 46 << 2);
    p.shot.template.dscp = 0; /* the next packet of the same socket is not marked */
    shoot_away(&p);
    TRY_EQUAL(received_class(fd), 0);
    p.shot.template.dscp = 36;
    p.shot.template.ecn = LN_ECN_ECT1;
    p.shot.template.len = 1000;
    p.shot.template.segment = 100;
    shoot_away(&p);
    for (int i = 0; i < 10; i++)
        TRY_EQUAL(received_class(fd), 36 << 2 | LN_ECN_ECT1);
    close(fd);
    ln_loop_remove_endpoint(p.a.handle);
    ln_loop_remove_endpoint(p.b.handle);
}

LN_TEST(io_udp, code_points_are_set_for_a_packet_or_a_train)
{
    probe_loop(NULL);
    check_code_points("127.0.0.1");
    check_code_points("[::1]:0");
    probe_loop_close();
}
