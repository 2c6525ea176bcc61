/* SPDX-License-Identifier: Apache-2.0
 * The endpoint between a driver and a resident (servers/turn/wiring/resident.h), in virtual time:
 * the test is the driver, the endpoint inside, and the workers, of which there are two. */
#include "servers/turn/wiring/resident.h"

#include "base/endpoint.h"
#include "base/list.h"
#include "base/time.h"
#include "servers/turn/wiring/hall.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#include <poll.h>
#include <stdio.h>

#define SENDS_MAX 512u
#define HOME      7u /* the link of its socket */

struct send {
    ln_link link;
    const char *to;
    const char *text;
    size_t segment;
    bool slices; /* of `segment` bytes */
};

/* What lives here: it sends and asks for what it is told, and writes down what it hears. */
struct inner {
    struct send sends[SENDS_MAX];
    size_t send_head, send_count;
    struct ln_request request; /* `kind` as it is, one at a time */
    bool asks;
    ln_time deadline, last_timeout;
    unsigned packets, answers;
    struct ln_path path; /* of the last packet */
    char text[256];
    uint8_t ecn;
    uint32_t scope; /* of all that it sends to */
};

struct scene {
    struct turn_hall *hall;
    struct ln_pool pool, workers[2];
    struct ln_env env;
    struct inner inner;
    struct ln_turn_resident *r;
    struct ln_endpoint e;
    ln_time now;
};

static struct ln_address address(const char *text)
{
    struct ln_address a;

    CHECK(ln_address_parse(text, &a) == 0);
    return a;
}

/* ---- the endpoint inside ---- */

static void inner_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct inner *in = object;

    (void)now;
    in->packets++;
    in->path = packet->path;
    in->ecn = packet->ecn;
    CHECK(packet->len < sizeof in->text);
    memset(in->text, 0, sizeof in->text);
    if (packet->len > 0) {
        memcpy(in->text, packet->data, packet->len);
        packet->data[0] ^= 1; /* it may be decrypted in place */
    }
}

static void inner_on_timeout(void *object, ln_time now)
{
    struct inner *in = object;

    in->last_timeout = now;
    in->deadline = LN_TIME_NEVER;
}

static ln_time inner_next_timeout(const void *object)
{
    return ((const struct inner *)object)->deadline;
}

static void lend(struct scene *s, const struct send *send, struct ln_transmit *out)
{
    size_t len = strlen(send->text);

    for (size_t at = 0; at < len; at += send->segment) {
        size_t size = len - at < send->segment ? len - at : send->segment;
        struct ln_buffer *buffer = ln_buffer_copy(&s->pool, send->text + at, size);

        CHECK(buffer != NULL);
        out->slices[out->slice_count++] = (struct ln_slice){ ln_buffer_bytes(buffer), size,
                                                             buffer };
    }
    out->len = len;
}

static int inner_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct scene *s = LN_CONTAINER(object, struct scene, inner);
    const struct send *send;

    (void)now;
    if (s->inner.send_head == s->inner.send_count)
        return 0;
    send = &s->inner.sends[s->inner.send_head++];
    ln_transmit_begin(out);
    out->path.link = send->link;
    out->path.remote = address(send->to);
    out->path.remote.scope = s->inner.scope;
    out->ecn = LN_ECN_ECT0;
    if (send->slices) {
        lend(s, send, out);
        return 1;
    }
    out->len = strlen(send->text);
    memcpy(out->data, send->text, out->len);
    out->segment = send->segment;
    return 1;
}

static int inner_poll_request(void *object, struct ln_request *ret_request)
{
    struct inner *in = object;

    if (!in->asks)
        return 0;
    in->asks = false;
    *ret_request = in->request;
    return 1;
}

static void inner_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    (void)now;
    (void)answer;
    ((struct inner *)object)->answers++;
}

/* ---- the driver ---- */

static void request(struct scene *s, enum ln_request_kind kind, uint32_t id, ln_link link)
{
    struct ln_request told;

    s->inner.request = (struct ln_request){ .kind = kind, .id = id, .link = link };
    s->inner.asks = true;
    CHECK(s->e.ops->poll_request(s->e.object, &told) == 1);
    CHECK(told.kind == kind && told.id == id && told.link == link);
}

static void answer(struct scene *s, enum ln_answer_kind kind, uint32_t id, ln_link link,
                   const char *local)
{
    struct ln_answer a = { .kind = kind, .id = id, .link = link };
    unsigned before = s->inner.answers;

    if (local)
        a.local = address(local);
    s->e.ops->answer(s->e.object, s->now, &a);
    CHECK_EQUAL(s->inner.answers, before + 1); /* all go through */
}

static void open_socket(struct scene *s, uint32_t id, ln_link link, const char *local)
{
    request(s, LN_REQUEST_OPEN_UDP, id, 0);
    answer(s, LN_ANSWER_OPENED, id, link, local);
}

static void send(struct scene *s, ln_link link, const char *to, const char *text, size_t segment,
                 bool slices)
{
    CHECK(s->inner.send_count < SENDS_MAX);
    s->inner.sends[s->inner.send_count++] = (struct send){ link, to, text, segment, slices };
}

/* How many transmits leave by sockets. */
static unsigned transmit(struct scene *s)
{
    static uint8_t data[LN_TRANSMIT_BYTES_MAX];
    struct ln_transmit out = { .data = data, .cap = sizeof data };
    unsigned count = 0;

    for (int i = 0; i < 1000; i++) {
        ln_transmit_begin(&out);
        if (s->e.ops->poll_transmit(s->e.object, s->now, &out) == 1) {
            count++;
            CHECK_EQUAL(out.ecn, LN_ECN_ECT0);
            for (size_t k = 0; k < out.slice_count; k++)
                ln_buffer_unref(out.slices[k].buffer);
        } else if (ln_time_due(s->e.ops->next_timeout(s->e.object), s->now)) {
            s->e.ops->on_timeout(s->e.object, s->now);
            CHECK(s->e.ops->next_timeout(s->e.object) > s->now); /* the first law */
        } else {
            return count;
        }
    }
    CHECK(!"it never rests");
    return count;
}

static void receive(struct scene *s, ln_link link, const char *from, const char *text)
{
    char copy[64];
    struct ln_packet packet = { .data = (uint8_t *)copy, .len = strlen(text), .ecn = LN_ECN_CE };

    memcpy(copy, text, packet.len);
    packet.path = (struct ln_path){ .link = link, .remote = address(from) };
    s->e.ops->receive(s->e.object, s->now, &packet);
}

/* ---- the workers ---- */

/* What has come for a worker, told by who sees it as a line "text|text|". */
static struct {
    char text[4096];
    unsigned count;
} heard;

static void hear(void *ctx, struct ln_buffer *buffer)
{
    const uint8_t *bytes = ln_buffer_bytes(buffer);

    (void)ctx;
    heard.count++;
    if (strlen(heard.text) + 64 < sizeof heard.text) { /* the payload ends the buffer */
        size_t header = buffer->len, at = strlen(heard.text);

        while (header > 0 && bytes[header - 1] >= 'a' && bytes[header - 1] <= 'z')
            header--;
        memcpy(heard.text + at, bytes + header, buffer->len - header);
        heard.text[at + buffer->len - header] = '|';
        heard.text[at + buffer->len - header + 1] = '\0';
    }
}

static const char *hear_all(struct scene *s, unsigned worker)
{
    memset(&heard, 0, sizeof heard);
    exchange_take_all(s->hall->boxes, worker, hear, NULL);
    return heard.text;
}

/* A parcel as the core makes it (handover.c): kind, from, to, payload. */
static void tell(struct scene *s, unsigned worker, const char *from, const char *to,
                 const char *text)
{
    struct {
        int kind;
        struct ln_address from, to;
    } header = { 0, address(from), address(to) };
    struct ln_buffer *b = ln_buffer_create(&s->workers[worker], sizeof header + strlen(text));

    CHECK(b != NULL);
    memcpy(ln_buffer_bytes(b), &header, sizeof header);
    memcpy(ln_buffer_bytes(b) + sizeof header, text, strlen(text));
    b->len = (uint32_t)(sizeof header + strlen(text));
    exchange_add(s->hall->boxes, worker, turn_room_box(0), b);
    exchange_flush(s->hall->boxes, worker);
}

/* ---- the scene ---- */

static const struct ln_endpoint_ops inner_ops = { inner_receive,      inner_on_timeout,
                                                  inner_next_timeout, inner_poll_transmit,
                                                  inner_poll_request, inner_answer };

/* Relays at 203.0.113.1, or behind a NAT at 10.0.0.5: port 50000 of worker 0, 50001 of worker 1. */
static void start(struct scene *s, bool behind_nat)
{
    static const struct ln_turn_limits limits;
    struct ln_turn_shared *shared;

    memset(s, 0, sizeof *s);
    s->now = LN_SECONDS(100);
    s->inner.deadline = LN_TIME_NEVER;
    CHECK(ln_turn_shared_create(&shared, test_env(), &limits) == 0);
    CHECK(turn_hall_create(&s->hall, shared) == 0);
    s->hall->relays[0].bind = address(behind_nat ? "10.0.0.5" : "203.0.113.1");
    if (behind_nat)
        s->hall->relays[0].external = address("203.0.113.1");
    s->hall->relay_count = 1;
    for (unsigned i = 0; i < 2; i++) {
        CHECK(exchange_init(&s->hall->boxes[i]) == 0);
        ln_pool_init(&s->workers[i], test_env()->allocator, 2048, 0, 65536);
        CHECK(ln_turn_port_claim(shared, 0, (uint16_t)(50000 + i), i));
    }
    ln_pool_init(&s->pool, test_env()->allocator, 2048, 0, 65536);
    s->env = *test_env();
    s->env.pool = &s->pool;
    CHECK(turn_resident_create(&s->r, s->hall, (struct ln_endpoint){ &inner_ops, &s->inner },
                               &s->env) == 0);
    s->e = ln_turn_resident_endpoint(s->r);
}

static void end_workers(void *ctx)
{
    (void)ctx;
}

static void drain_workers(void *ctx)
{
    struct scene *s = ctx;

    for (unsigned i = 0; i < 2; i++) {
        exchange_flush(s->hall->boxes, i);
        exchange_drain(s->hall->boxes, i);
    }
}

static void finish(struct scene *s)
{
    s->hall->settle = drain_workers;
    s->hall->ctx = s;
    ln_turn_resident_free(s->r);
    CHECK_EQUAL(s->pool.in_use, 0);
    ln_pool_deinit(&s->pool);
    turn_hall_close(s->hall, end_workers, NULL);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(s->workers[i].in_use, 0);
        ln_pool_deinit(&s->workers[i]);
    }
    turn_hall_unref(s->hall);
}

static bool is_home(const struct scene *s, const char *text)
{
    struct ln_address a = address(text);
    unsigned box;

    return ln_turn_residents_find(ln_turn_shared_residents(s->hall->shared), &a, &box) &&
           box == turn_room_box(0);
}

/* ---- tests ---- */

LN_TEST(resident, what_goes_to_relays_is_cut_into_datagrams_and_the_rest_leaves_by_the_socket)
{
    static struct scene s;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    send(&s, HOME, "203.0.113.1:50000", "one", 0, false);
    send(&s, HOME, "203.0.113.1:50001", "abcabcabcx", 3, false); /* the last is shorter */
    send(&s, HOME, "198.51.100.7:50000", "away", 0, false);
    send(&s, HOME, "203.0.113.1:50000", "sliceslicesli", 5, true);
    send(&s, HOME, "203.0.113.1:50000", "", 0, false);
    send(&s, HOME, "203.0.113.1:50002", "nobody", 0, false);    /* no relay: a port as any */
    send(&s, HOME + 1, "203.0.113.1:50000", "other", 0, false); /* by a socket that is no home */
    CHECK_EQUAL(transmit(&s), 3);
    CHECK_TEXT(hear_all(&s, 0), "one|slice|slice|sli||");
    CHECK_TEXT(hear_all(&s, 1), "abc|abc|abc|x|");
    CHECK_EQUAL(ln_turn_resident_counts(s.r).handed_out, 9);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).sent, 2);
    finish(&s);
}

LN_TEST(resident, what_comes_in_memory_comes_from_the_relay_to_the_socket_that_was_named)
{
    static struct scene s;
    struct pollfd ready;

    start(&s, true);
    open_socket(&s, 3, HOME, "10.0.0.5:5000");
    open_socket(&s, 4, HOME + 1, "10.0.0.5:5001");
    CHECK(is_home(&s, "10.0.0.5:5000") && is_home(&s, "203.0.113.1:5001"));
    ready = (struct pollfd){ .fd = ln_turn_resident_fd(s.r), .events = POLLIN };
    CHECK_EQUAL(poll(&ready, 1, 0), 0);
    tell(&s, 0, "203.0.113.1:50000", "203.0.113.1:5001", "by the outside");
    CHECK_EQUAL(poll(&ready, 1, 0), 1);
    ln_turn_resident_take(s.r, s.now);
    CHECK_EQUAL(poll(&ready, 1, 0), 0);
    CHECK_EQUAL(s.inner.packets, 1);
    CHECK_TEXT(s.inner.text, "by the outside");
    CHECK(s.inner.path.link == HOME + 1 && s.inner.ecn == LN_ECN_NOT_ECT);
    CHECK(ln_address_equal(&s.inner.path.remote,
                           &(struct ln_address){ LN_FAMILY_IPV4, { 203, 0, 113, 1 }, 50000, 0 }));
    CHECK(ln_address_equal(&s.inner.path.local,
                           &(struct ln_address){ LN_FAMILY_IPV4, { 10, 0, 0, 5 }, 5001, 0 }));
    tell(&s, 1, "203.0.113.1:50001", "10.0.0.5:5000", "by the inside");
    tell(&s, 1, "203.0.113.1:50001", "10.0.0.5:5002", "to nobody");
    ln_turn_resident_take(s.r, s.now);
    CHECK(s.inner.packets == 2 && s.inner.path.link == HOME);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).handed_in, 2);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).dropped_gone, 1);
    send(&s, HOME, "203.0.113.1:50001", "answer", 0, false);
    CHECK_EQUAL(transmit(&s), 0);
    CHECK_TEXT(hear_all(&s, 1), "answer|");
    finish(&s);
}

/* A source on the network can be forged; in memory it cannot. Both look alike to who lives here,
 * so that only one of them may bring it. */
LN_TEST(resident_attack, who_forges_a_relays_address_from_the_network_is_not_heard)
{
    static struct scene s;

    start(&s, true);
    open_socket(&s, 3, HOME, "10.0.0.5:5000");
    receive(&s, HOME, "203.0.113.1:50000", "as if from a client");
    receive(&s, HOME, "10.0.0.5:50001", "by its inside");
    CHECK_EQUAL(s.inner.packets, 0);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).dropped_spoofed, 2);
    receive(&s, HOME, "203.0.113.1:50002", "no relay"); /* another port of that machine */
    receive(&s, HOME, "198.51.100.1:50000", "anybody");
    CHECK_EQUAL(s.inner.packets, 2);
    CHECK_EQUAL(s.inner.ecn, LN_ECN_CE);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).received, 2);
    ln_turn_port_release(s.hall->shared, 0, 50000); /* it ends: an address as any */
    receive(&s, HOME, "203.0.113.1:50000", "who had it next");
    CHECK_EQUAL(s.inner.packets, 3);
    ln_turn_port_set_stream(s.hall->shared, 0, 50001); /* of TCP: no client sends from there */
    send(&s, HOME, "203.0.113.1:50001", "x", 0, false);
    CHECK_EQUAL(transmit(&s), 1);
    finish(&s);
}

LN_TEST(resident, what_goes_to_one_of_many_on_a_port_leaves_by_no_socket_when_the_port_is_gone)
{
    static struct scene s;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    s.inner.scope = 77;
    send(&s, HOME, "203.0.113.1:50000", "there", 0, false);
    send(&s, HOME, "203.0.113.1:50002", "gonegone", 4, true);
    CHECK_EQUAL(transmit(&s), 0);
    CHECK_TEXT(hear_all(&s, 0), "there|");
    CHECK_EQUAL(ln_turn_resident_counts(s.r).dropped_gone, 2);
    finish(&s);
}

LN_TEST(resident, its_addresses_are_those_of_its_sockets_while_they_are_open)
{
    static struct scene s;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    CHECK(is_home(&s, "203.0.113.9:5000"));
    request(&s, LN_REQUEST_LISTEN_TCP, 4, 0);
    answer(&s, LN_ANSWER_OPENED, 4, HOME + 1, "203.0.113.9:5001");
    request(&s, LN_REQUEST_OPEN_UDP, 5, 0);
    answer(&s, LN_ANSWER_FAILED, 5, 0, NULL);
    answer(&s, LN_ANSWER_OPENED, 5, HOME + 2, "203.0.113.9:5002"); /* nobody asks any more */
    request(&s, LN_REQUEST_OPEN_UDP, 6, 0);
    request(&s, LN_REQUEST_CLOSE, 6, 0); /* taken back */
    answer(&s, LN_ANSWER_OPENED, 6, HOME + 3, "203.0.113.9:5003");
    CHECK(!is_home(&s, "203.0.113.9:5001") && !is_home(&s, "203.0.113.9:5002") &&
          !is_home(&s, "203.0.113.9:5003"));
    open_socket(&s, 7, HOME + 4, "203.0.113.9:5004");
    open_socket(&s, 8, HOME + 5, "0.0.0.0:5005"); /* nobody can name it */
    CHECK_EQUAL(ln_turn_resident_counts(s.r).homeless, 1);
    request(&s, LN_REQUEST_CLOSE, 0, HOME);
    CHECK(!is_home(&s, "203.0.113.9:5000") && is_home(&s, "203.0.113.9:5004"));
    tell(&s, 0, "203.0.113.1:50000", "203.0.113.9:5000", "late");
    ln_turn_resident_take(s.r, s.now);
    CHECK_EQUAL(s.inner.packets, 0);
    answer(&s, LN_ANSWER_CLOSED, 0, HOME + 4, NULL);
    CHECK(!is_home(&s, "203.0.113.9:5004"));
    send(&s, HOME + 4, "203.0.113.1:50000", "x", 0, false);
    CHECK_EQUAL(transmit(&s), 1); /* the driver's to drop */
    open_socket(&s, 9, HOME + 6, "203.0.113.9:5000");
    CHECK(is_home(&s, "203.0.113.9:5000"));
    finish(&s);
}

LN_TEST(resident, sockets_beyond_what_there_may_be_are_addresses_like_any)
{
    static struct scene s;
    char text[LN_ADDRESS_TEXT_MAX];

    start(&s, false);
    for (unsigned i = 0; i < LN_TURN_RESIDENT_HOMES_MAX + 2; i++) {
        snprintf(text, sizeof text, "203.0.113.9:%u", 5000 + i);
        open_socket(&s, i + 1, HOME + i, text);
        CHECK(is_home(&s, text) == (i < LN_TURN_RESIDENT_HOMES_MAX));
    }
    for (unsigned i = 0; i < LN_TURN_RESIDENT_ASKED_MAX + 3; i++)
        request(&s, LN_REQUEST_OPEN_UDP, 1000 + i, 0);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).homeless, 2 + 3);
    finish(&s);
}

LN_TEST(resident, a_worker_that_takes_nothing_costs_a_bounded_queue)
{
    static struct scene s;
    struct ln_turn_resident_counts counts;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    for (unsigned i = 0; i < 200; i++) /* 64 datagrams each */
        send(&s, HOME, "203.0.113.1:50000",
             "abababababababababababababababababababababababababababababababab"
             "abababababababababababababababababababababababababababababababab",
             2, false);
    CHECK_EQUAL(transmit(&s), 0);
    counts = ln_turn_resident_counts(s.r);
    CHECK_EQUAL(counts.handed_out + counts.dropped_full, 12800);
    CHECK_EQUAL(counts.handed_out, EXCHANGE_DATAGRAMS_MAX);
    CHECK_EQUAL(s.pool.in_use, EXCHANGE_DATAGRAMS_MAX);
    send(&s, HOME, "203.0.113.1:50001", "you", 0, false); /* the other one is not touched */
    CHECK_EQUAL(transmit(&s), 0);
    CHECK_TEXT(hear_all(&s, 1), "you|");
    hear_all(&s, 0);
    CHECK_EQUAL(heard.count, EXCHANGE_DATAGRAMS_MAX);
    finish(&s);
}

LN_TEST(resident, one_that_has_much_to_say_lets_its_driver_breathe)
{
    static struct scene s;
    struct ln_transmit out = { 0 };
    uint8_t data[256];

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    for (unsigned i = 0; i < 100; i++)
        send(&s, HOME, "203.0.113.1:50000", "much", 0, false);
    out.data = data;
    out.cap = sizeof data;
    s.inner.deadline = s.now + 5;
    CHECK(s.e.ops->poll_transmit(s.e.object, s.now, &out) == 0);
    CHECK(s.inner.send_head < 100);
    CHECK_EQUAL(s.e.ops->next_timeout(s.e.object), LN_TIME_IMMEDIATE);
    s.e.ops->on_timeout(s.e.object, s.now);
    CHECK_EQUAL(s.inner.last_timeout, 0); /* not its own time yet */
    CHECK_EQUAL(s.e.ops->next_timeout(s.e.object), s.now + 5);
    s.inner.deadline = LN_TIME_NEVER;
    CHECK_EQUAL(transmit(&s), 0);
    hear_all(&s, 0);
    CHECK(heard.count <= 100 && heard.count >= 64);
    finish(&s);
}

LN_TEST(resident, without_memory_what_it_says_is_dropped_and_counted)
{
    static struct scene s;
    struct ln_pool none;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    ln_pool_init(&none, test_env()->allocator, 2048, 0, 0);
    s.env.pool = &none;
    send(&s, HOME, "203.0.113.1:50000", "lost", 0, false);
    CHECK_EQUAL(transmit(&s), 0);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).dropped_memory, 1);
    s.env.pool = &s.pool;
    ln_pool_deinit(&none);
    finish(&s);
}

LN_TEST(resident, when_the_service_ends_all_goes_by_its_sockets)
{
    static struct scene s;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    send(&s, HOME, "203.0.113.1:50000", "before", 0, false);
    CHECK_EQUAL(transmit(&s), 0);
    tell(&s, 1, "203.0.113.1:50001", "203.0.113.9:5000", "not taken any more");
    turn_hall_close(s.hall, end_workers, NULL);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(s.workers[i].in_use, 0);
        ln_pool_deinit(&s.workers[i]);
    }
    turn_hall_unref(s.hall); /* the service's reference: the resident has its own */
    CHECK_EQUAL(s.pool.in_use, 1);
    ln_turn_resident_take(s.r, s.now);
    CHECK_EQUAL(s.inner.packets, 0);
    send(&s, HOME, "203.0.113.1:50000", "after", 0, false);
    CHECK_EQUAL(transmit(&s), 1);
    receive(&s, HOME, "203.0.113.1:50000", "who is there now");
    CHECK_EQUAL(s.inner.packets, 1);
    ln_turn_resident_free(s.r);
    CHECK_EQUAL(s.pool.in_use, 0);
    ln_pool_deinit(&s.pool);
}

LN_TEST(resident, when_the_service_ends_unseen_what_was_under_way_is_counted_and_comes_back)
{
    static struct scene s;

    start(&s, false);
    open_socket(&s, 3, HOME, "203.0.113.9:5000");
    turn_hall_close(s.hall, end_workers, NULL);
    send(&s, HOME, "203.0.113.1:50000", "into the void", 0, false);
    send(&s, HOME, "203.0.113.1:50000", "and again", 0, false);
    CHECK_EQUAL(transmit(&s), 0);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).dropped_full, 2);
    CHECK_EQUAL(ln_turn_resident_counts(s.r).handed_out, 0);
    send(&s, HOME, "203.0.113.1:50000", "by the socket", 0, false);
    CHECK_EQUAL(transmit(&s), 1);
    finish(&s);
}

LN_TEST(resident, there_are_so_many_and_a_room_that_is_left_is_free)
{
    static struct scene s;
    struct ln_turn_resident *more[LN_TURN_RESIDENTS_MAX];
    struct ln_env poolless = *test_env();
    struct ln_endpoint inner;

    start(&s, false);
    inner = (struct ln_endpoint){ &inner_ops, &s.inner };
    poolless.pool = NULL;
    CHECK(turn_resident_create(&more[0], s.hall, inner, &poolless) == LN_ERR_INVALID_ARGUMENT);
    for (unsigned i = 0; i < LN_TURN_RESIDENTS_MAX - 1; i++)
        CHECK(turn_resident_create(&more[i], s.hall, inner, &s.env) == 0);
    CHECK(turn_resident_create(&more[LN_TURN_RESIDENTS_MAX - 1], s.hall, inner, &s.env) ==
          LN_ERR_LIMIT);
    ln_turn_resident_free(more[4]);
    CHECK(turn_resident_create(&more[4], s.hall, inner, &s.env) == 0);
    for (unsigned i = 0; i < LN_TURN_RESIDENTS_MAX - 1; i++)
        ln_turn_resident_free(more[i]);
    finish(&s);
}
