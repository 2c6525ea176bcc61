/* SPDX-License-Identifier: Apache-2.0
 * What net_stream.c promises, seen by two endpoints that do nothing else: everything arrives once
 * and in order whatever the line loses, nobody is given more than he wants to read or send, and a
 * connect or a stream ends for the reason it has. */
#include "base/time.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#include <stdlib.h>
#include <string.h>

#define MS LN_MILLISECONDS
#define S  LN_SECONDS

#define PORT     9000
#define PIECE    5000u
#define WHOLE    (1500u * 1024)
#define WINDOW   3000u
#define REQUESTS 8

/* An endpoint with one stream; sends `to_send` bytes that follow from their place. */
struct talker {
    struct net *net;
    struct ln_request requests[REQUESTS];
    size_t request_count;
    ln_link listener, link;
    size_t room, to_send, sent, received, window; /* window: how much it reads at a time; 0: all */
    ln_time reads_at;                             /* when it opens its window again */
    size_t awaits;                                /* closes when all is sent and as much is there */
    bool closes;
    bool opened, closed, failed, full; /* full: it had to wait for room */
    int error;
    ln_time ended;
};

static struct {
    struct net net;
    struct talker a, b;
} world;

static uint8_t byte_at(size_t place)
{
    return (uint8_t)(place * 31 + place / 251);
}

static void ask(struct talker *t, struct ln_request request)
{
    CHECK(t->request_count < REQUESTS);
    t->requests[t->request_count++] = request;
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct talker *t = object;

    CHECK(t->opened && !t->closed && packet->path.link == t->link);
    CHECK(t->window == 0 || packet->len <= t->window);
    for (size_t i = 0; i < packet->len; i++)
        CHECK(packet->data[i] == byte_at(t->received + i));
    t->received += packet->len;
    if (t->window > 0)
        t->reads_at = now + MS(5);
}

static void on_timeout(void *object, ln_time now)
{
    struct talker *t = object;

    if (!ln_time_due(t->reads_at, now))
        return;
    t->reads_at = LN_TIME_NEVER;
    ask(t, (struct ln_request){ .kind = LN_REQUEST_WINDOW, .link = t->link, .bytes = t->window });
}

static ln_time next_timeout(const void *object)
{
    return ((const struct talker *)object)->reads_at;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct talker *t = object;
    size_t left = t->to_send - t->sent, len = left < PIECE ? left : PIECE;

    (void)now;
    if (!t->opened || t->closed || len == 0)
        return 0;
    if (t->room < len) {
        t->full = true;
        return 0;
    }
    ln_transmit_begin(out);
    for (size_t i = 0; i < len; i++)
        out->data[i] = byte_at(t->sent + i);
    out->len = len;
    out->path.link = t->link;
    t->sent += len;
    t->room -= len;
    return 1;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct talker *t = object;

    if (t->closes && t->opened && !t->closed && t->sent == t->to_send && t->received >= t->awaits) {
        t->closed = true;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .link = t->link };
        return 1;
    }
    if (t->request_count == 0)
        return 0;
    *ret_request = t->requests[--t->request_count];
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct talker *t = object;

    if (a->kind == LN_ANSWER_OPENED && a->remote.family == LN_FAMILY_NONE) {
        t->listener = a->link;
    } else if (a->kind == LN_ANSWER_OPENED) {
        CHECK(!t->opened && a->bytes > 0);
        t->opened = true;
        t->link = a->link;
        t->room = a->bytes;
        if (t->window > 0)
            ask(t, (struct ln_request){
                       .kind = LN_REQUEST_WINDOW, .link = t->link, .bytes = t->window });
    } else if (a->kind == LN_ANSWER_WRITABLE) {
        CHECK(a->link == t->link && !t->closed);
        t->room = a->bytes;
    } else {
        CHECK(a->kind == LN_ANSWER_FAILED || (a->kind == LN_ANSWER_CLOSED && a->link == t->link));
        CHECK(!t->closed && !t->failed);
        t->failed = a->kind == LN_ANSWER_FAILED;
        t->closed = !t->failed;
        t->error = a->error;
        t->ended = now;
    }
}

static const struct ln_endpoint_ops ops = {
    .receive = receive,
    .on_timeout = on_timeout,
    .next_timeout = next_timeout,
    .poll_transmit = poll_transmit,
    .poll_request = poll_request,
    .answer = answer,
};

static void begin(uint64_t seed, const struct net_line *up)
{
    static const struct net_line perfect;

    memset(&world, 0, sizeof world);
    net_init(&world.net, test_env(), seed);
    world.a.net = world.b.net = &world.net;
    world.a.reads_at = world.b.reads_at = LN_TIME_NEVER;
    net_add_host(&world.net, (struct ln_endpoint){ &ops, &world.a }, "198.51.100.1");
    net_add_host(&world.net, (struct ln_endpoint){ &ops, &world.b }, "198.51.100.2");
    for (int i = 0; i < 2; i++)
        net_set_line(&world.net, i, up, &perfect);
}

static struct ln_address at(const char *text, uint16_t port)
{
    struct ln_address address;

    CHECK(ln_address_parse(text, &address) == 0);
    address.port = port;
    return address;
}

static void listen_at_b(void)
{
    ask(&world.b, (struct ln_request){
                      .kind = LN_REQUEST_LISTEN_TCP, .id = 7, .local = at("198.51.100.2", PORT) });
}

static void connect_from_a(void)
{
    ask(&world.a, (struct ln_request){ .kind = LN_REQUEST_OPEN_TCP,
                                       .id = 8,
                                       .local = at("198.51.100.1", 0),
                                       .remote = at("198.51.100.2", PORT) });
}

static void run(ln_duration length)
{
    net_run(&world.net, world.net.now + length, NULL);
}

static void end(struct outcome *ret)
{
    ret->hash = world.net.hash;
    ret->steps = world.net.steps;
    net_deinit(&world.net);
}

/* ---- scenarios ---- */

static void carry(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(20), .jitter = MS(10), .loss = 0.05 });
    world.a.to_send = WHOLE;
    world.b.to_send = WHOLE / 3;
    world.a.awaits = WHOLE / 3;
    world.a.closes = true;
    listen_at_b();
    connect_from_a();
    run(S(300));
    CHECK_EQUAL(world.b.received, WHOLE);
    CHECK_EQUAL(world.a.received, WHOLE / 3);
    CHECK(world.b.closed && world.b.error == 0);
    end(ret);
}
LN_SCENARIO(streams_carry_all) = { .run = carry };

/* A slow reader slows the sender down, who waits with what the queue does not take. */
static void hold_back(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(1) });
    world.a.to_send = 2 * WHOLE;
    world.b.window = WINDOW;
    listen_at_b();
    connect_from_a();
    run(S(1));
    CHECK(world.a.full && world.a.sent < world.a.to_send);
    CHECK(world.b.received > 0 && world.b.received <= WINDOW * 250u);
    net_run(&world.net, world.net.now + S(10), NULL);
    CHECK_EQUAL(world.b.received, 2 * WHOLE);
    CHECK(!world.a.closed && !world.b.closed);
    end(ret);
}
LN_SCENARIO(streams_hold_back) = { .run = hold_back, .seeds_max = 1 };

static void refuse(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(20) });
    connect_from_a();
    run(S(1));
    CHECK(world.a.failed && world.a.error == LN_ERR_REFUSED);
    CHECK(world.a.ended == S(1) + MS(40));
    end(ret);
}
LN_SCENARIO(streams_are_refused) = { .run = refuse, .seeds_max = 1 };

/* A firewall says nothing; nor does one that lets other ports out. */
static void time_out(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(20) });
    net_set_nat(&world.net, (int)(seed % 2),
                &(struct net_nat){ .firewall_only = true,
                                   .filtering = NET_ADDRESS_AND_PORT,
                                   .only_port = seed % 2 ? 0 : 443 },
                seed % 2 ? "198.51.100.2" : "198.51.100.1");
    listen_at_b();
    connect_from_a();
    run(S(60));
    CHECK(world.a.failed && world.a.error == LN_ERR_TIMEOUT && !world.b.opened);
    CHECK(world.a.ended > S(20) && world.a.ended < S(40));
    end(ret);
}
LN_SCENARIO(streams_time_out) = { .run = time_out, .seeds_max = 2 };

static void reset(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(20) });
    listen_at_b();
    connect_from_a();
    run(S(1));
    CHECK(world.a.opened && world.b.opened);
    net_reset_streams(&world.net, (int)(seed % 2));
    run(S(1));
    CHECK(world.a.closed && world.a.error == LN_ERR_RESET);
    CHECK(world.b.closed && world.b.error == LN_ERR_RESET);
    end(ret);
}
LN_SCENARIO(streams_are_reset) = { .run = reset, .seeds_max = 2 };

/* A line that is cut and comes back is waited for; one that stays cut ends the stream. */
static void line_is_cut(uint64_t seed, struct outcome *ret)
{
    begin(seed, &(struct net_line){ .delay = MS(20), .rate_bps = 1000000 });
    world.a.to_send = WHOLE / 4;
    listen_at_b();
    connect_from_a();
    run(S(1));
    world.net.hosts[0].up.down = true;
    run(S(3));
    CHECK(world.b.received < WHOLE / 4);
    world.net.hosts[0].up.down = seed % 2 == 0;
    run(S(120));
    if (seed % 2 == 0)
        CHECK(world.a.closed && world.a.error == LN_ERR_TIMEOUT);
    else
        CHECK_EQUAL(world.b.received, WHOLE / 4);
    end(ret);
}
LN_SCENARIO(streams_survive_a_cut) = { .run = line_is_cut, .seeds_max = 2 };

/* Two that connect to each other at once, through firewalls that let nobody in unasked (RFC 9293,
 * 3.5; RFC 6544, 7). */
static void meet(uint64_t seed, struct outcome *ret)
{
    static const char *const ips[] = { "198.51.100.1", "198.51.100.2" };

    begin(seed, &(struct net_line){ .delay = MS(20) });
    for (int i = 0; i < 2; i++) {
        struct talker *t = i == 0 ? &world.a : &world.b;

        net_set_nat(&world.net, i,
                    &(struct net_nat){ .firewall_only = true, .filtering = NET_ADDRESS_AND_PORT },
                    ips[i]);
        t->to_send = WHOLE / 10;
        ask(t, (struct ln_request){ .kind = LN_REQUEST_OPEN_TCP,
                                    .id = 8,
                                    .local = at(ips[i], PORT),
                                    .remote = at(ips[1 - i], PORT) });
    }
    run(S(10));
    CHECK_EQUAL(world.a.received, WHOLE / 10);
    CHECK_EQUAL(world.b.received, WHOLE / 10);
    end(ret);
}
LN_SCENARIO(streams_meet) = { .run = meet, .seeds_max = 1 };
