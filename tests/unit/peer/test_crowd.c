/* SPDX-License-Identifier: Apache-2.0
 * Thousands of peer connections in one process and in virtual time, connected in pairs, with
 * nothing to say: what they keep, that they live, and that each still delivers. CROWD in the
 * environment is the number of connections (two peers each). */
#include "tests/support/test.h"
#include "tests/support/virtual_clock.h"

#include "base/alloc.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/time.h"
#include "crypto/crypto.h"

#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS     500
#define CONNECTIONS_MAX 10000
#define DELAY           LN_MILLISECONDS(10)
#define BETWEEN         LN_MILLISECONDS(1) /* the beginnings of two connections */
#define IDLE            LN_SECONDS(60)
#define PORT            5000
#define PEER_BYTES_MAX  (20u << 10)

struct member {
    struct ln_heap_node timer;
    ln_peer_connection *pc;
    ln_data_channel *channel;
    ln_op_id remote_op;
    struct ln_address address;
    size_t messages;
    bool open;
};

struct packet {
    struct ln_heap_node arrival;
    size_t from, to, len;
    uint8_t data[1500];
};

static struct {
    struct member *members;
    size_t count, open;
    struct ln_heap timers, packets;
    ln_time now;
} crowd;

/* 10.0.0.1 and on: the number is in the address. */
static struct ln_address address_of(size_t member)
{
    size_t n = member + 1;

    return (struct ln_address){
        .family = LN_FAMILY_IPV4,
        .ip = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n },
        .port = PORT,
    };
}

static size_t member_at(const struct ln_address *address)
{
    return ((size_t)address->ip[1] << 16 | (size_t)address->ip[2] << 8 | address->ip[3]) - 1;
}

static struct ln_endpoint endpoint_of(size_t i)
{
    return ln_peer_connection_endpoint(crowd.members[i].pc);
}

/* --- what the peers ask for */

static void serve(size_t i, const struct ln_request *request)
{
    struct ln_endpoint e = endpoint_of(i);
    struct ln_interface interface = { .address = crowd.members[i].address, .index = 1, .up = true };
    struct ln_answer answer = { .id = request->id };

    interface.address.port = 0;
    if (request->kind == LN_REQUEST_WATCH_INTERFACES) {
        answer.kind = LN_ANSWER_INTERFACES;
        answer.interfaces = &interface;
        answer.interface_count = 1;
    } else if (request->kind == LN_REQUEST_OPEN_UDP) {
        answer.kind = LN_ANSWER_OPENED;
        answer.link = (ln_link)(i + 1);
        answer.local = crowd.members[i].address;
    } else {
        return;
    }
    e.ops->answer(e.object, crowd.now, &answer);
}

static void send_one(size_t from, const struct ln_path *path, const uint8_t *data, size_t len)
{
    size_t to = member_at(&path->remote);
    struct packet *p = malloc(sizeof *p);

    CHECK(p != NULL && to < crowd.count && len <= sizeof p->data);
    memset(&p->arrival, 0, sizeof p->arrival);
    p->from = from;
    p->to = to;
    p->len = len;
    memcpy(p->data, data, len);
    CHECK(ln_heap_set(&crowd.packets, &p->arrival, crowd.now + DELAY) == 0);
}

static void transmit(size_t i, const struct ln_transmit *out)
{
    size_t step = out->segment ? out->segment : out->len, at;

    CHECK_EQUAL(out->slice_count, 0);
    for (at = 0; at < out->len; at += step)
        send_one(i, &out->path, out->data + at, out->len - at < step ? out->len - at : step);
}

/* --- the application: whole descriptions are handed over at once */

static void hand_over(size_t from)
{
    struct ln_session_description description;
    struct member *to = &crowd.members[from ^ 1];

    CHECK(ln_peer_connection_local_description(crowd.members[from].pc, &description));
    CHECK(ln_peer_connection_set_remote_description(to->pc, &description, &to->remote_op) == 0);
    CHECK(ln_heap_set(&crowd.timers, &to->timer, crowd.now) == 0);
}

static void take_event(size_t i, const struct ln_event *event)
{
    struct member *m = &crowd.members[i];
    ln_op_id op;

    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        CHECK_EQUAL(event->u.operation.error.error, 0);
        if (i % 2 == 1 && event->u.operation.op == m->remote_op)
            CHECK(ln_peer_connection_set_local_description(m->pc, NULL, &op) == 0);
        break;
    case LN_EVENT_ICE_GATHERING_STATE_CHANGE:
        if (event->u.ice_gathering_state == LN_ICE_GATHERING_STATE_COMPLETE)
            hand_over(i);
        break;
    case LN_EVENT_DATA_CHANNEL:
        m->channel = event->u.channel;
        break;
    case LN_EVENT_OPEN:
        m->open = true;
        crowd.open++;
        break;
    case LN_EVENT_MESSAGE:
        m->messages++;
        break;
    default:
        break;
    }
}

/* All that a peer has to say and to ask for; then its timer. */
static void settle(size_t i)
{
    static uint8_t memory[65536];
    struct ln_endpoint e = endpoint_of(i);
    struct ln_transmit out = { .data = memory, .cap = sizeof memory };
    struct ln_request request;
    struct ln_event event;
    ln_time next;
    bool more = true;

    while (more) {
        more = false;
        for (; e.ops->poll_request(e.object, &request) == 1; more = true)
            serve(i, &request);
        for (; e.ops->poll_transmit(e.object, crowd.now, &out) == 1; more = true)
            transmit(i, &out);
        for (; ln_peer_connection_poll_event(crowd.members[i].pc, &event) == 1; more = true)
            take_event(i, &event);
        if (e.ops->next_timeout(e.object) <= crowd.now) {
            e.ops->on_timeout(e.object, crowd.now);
            more = true;
        }
    }
    next = e.ops->next_timeout(e.object);
    if (next == LN_TIME_NEVER)
        ln_heap_remove(&crowd.timers, &crowd.members[i].timer);
    else
        CHECK(ln_heap_set(&crowd.timers, &crowd.members[i].timer, next) == 0);
}

static void arrive(struct packet *p)
{
    struct ln_endpoint e = endpoint_of(p->to);
    struct ln_packet packet = {
        .data = p->data,
        .len = p->len,
        .path = { (ln_link)(p->to + 1), crowd.members[p->to].address,
                  crowd.members[p->from].address },
    };

    e.ops->receive(e.object, crowd.now, &packet);
}

static void run(ln_time until)
{
    for (;;) {
        struct ln_heap_node *timer = ln_heap_first(&crowd.timers);
        struct ln_heap_node *arrival = ln_heap_first(&crowd.packets);
        ln_time next = ln_time_min(timer ? timer->time : LN_TIME_NEVER,
                                   arrival ? arrival->time : LN_TIME_NEVER);
        size_t i;

        if (next > until)
            break;
        crowd.now = ln_time_max(crowd.now, next);
        virtual_clock_set(crowd.now);
        if (arrival && arrival->time == next) {
            struct packet *p = LN_CONTAINER(arrival, struct packet, arrival);

            ln_heap_remove(&crowd.packets, arrival);
            arrive(p);
            i = p->to;
            free(p);
        } else {
            i = (size_t)(LN_CONTAINER(timer, struct member, timer) - crowd.members);
            endpoint_of(i).ops->on_timeout(crowd.members[i].pc, crowd.now);
        }
        settle(i);
    }
    crowd.now = until;
    virtual_clock_set(until);
}

/* --- from beginning to end */

static void create(size_t i)
{
    struct member *m = &crowd.members[i];

    m->address = address_of(i);
    CHECK(ln_peer_connection_create(NULL, test_env(), &m->pc) == 0);
}

static void connect_all(void)
{
    ln_op_id op;

    for (size_t i = 0; i < crowd.count; i += 2) {
        create(i);
        create(i + 1);
        CHECK(ln_peer_connection_create_data_channel(crowd.members[i].pc, "x", NULL,
                                                     &crowd.members[i].channel) == 0);
        CHECK(ln_peer_connection_set_local_description(crowd.members[i].pc, NULL, &op) == 0);
        settle(i);
        run(crowd.now + BETWEEN);
    }
    run(crowd.now + LN_SECONDS(2));
}

static void say_hello(void)
{
    for (size_t i = 0; i < crowd.count; i++) {
        CHECK(ln_data_channel_send_text(crowd.members[i].channel, "hello", 5) == 0);
        settle(i);
    }
    run(crowd.now + LN_SECONDS(1));
}

static size_t connections_wanted(void)
{
    const char *text = getenv("CROWD");
    size_t wanted = text ? strtoul(text, NULL, 10) : CONNECTIONS;

    return wanted > 0 && wanted <= CONNECTIONS_MAX ? wanted : CONNECTIONS;
}

LN_TEST(crowd, of_idle_peers_keeps_at_most_20_kib_each_and_all_still_deliver)
{
    struct ln_env *env = test_env();
    struct ln_heap_node *left; /* on its way at the end */
    size_t before, kept;

    if (test_allocator()->fail_at > 0)
        return;
    memset(&crowd, 0, sizeof crowd);
    crowd.count = 2 * connections_wanted();
    crowd.now = LN_SECONDS(1);
    crowd.members = calloc(crowd.count, sizeof *crowd.members);
    CHECK(crowd.members != NULL);
    ln_heap_init(&crowd.timers, ln_allocator_libc(), crowd.count);
    ln_heap_init(&crowd.packets, ln_allocator_libc(), 64 * crowd.count);
    virtual_clock_set(crowd.now);
    virtual_random_seed(1);
    CHECK(ln_crypto_create(&env->crypto, env->allocator) == 0);
    before = test_allocator()->live_bytes;
    connect_all();
    CHECK_EQUAL(crowd.open, crowd.count);
    say_hello();
    run(crowd.now + IDLE);
    kept = test_allocator()->live_bytes - before;
    CHECK(kept <= crowd.count * PEER_BYTES_MAX);
    if (getenv("CROWD"))
        printf("%zu peers keep %zu bytes each\n", crowd.count, kept / crowd.count);
    say_hello();
    for (size_t i = 0; i < crowd.count; i++) {
        CHECK_EQUAL(crowd.members[i].messages, 2);
        ln_peer_connection_free(crowd.members[i].pc);
    }
    ln_crypto_free(env->crypto);
    env->crypto = NULL;
    while ((left = ln_heap_first(&crowd.packets)) != NULL) {
        ln_heap_remove(&crowd.packets, left);
        free(LN_CONTAINER(left, struct packet, arrival));
    }
    ln_heap_deinit(&crowd.timers);
    ln_heap_deinit(&crowd.packets);
    free(crowd.members);
}
