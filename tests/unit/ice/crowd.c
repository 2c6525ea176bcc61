/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ice/crowd.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/list.h"
#include "base/time.h"
#include "stun/message.h"

#include <stdio.h>

#define DELAY LN_MILLISECONDS(10)

static struct crowd_packet queue[CROWD_QUEUE]; /* of the one crowd there is at a time */

static struct ln_address parse(const char *text)
{
    struct ln_address address;

    CHECK(ln_address_parse(text, &address) == 0);
    return address;
}

static void add_interface(struct crowd_node *node, const char *ip)
{
    struct ln_interface *in = &node->interfaces[node->interface_count++];

    *in = (struct ln_interface){ .index = (uint32_t)node->interface_count, .up = true };
    in->address = parse(ip);
}

/* --- what the network does ----------------------------------------------------------------- */

static struct crowd_node *node_of(struct crowd *c, const struct ln_address *to)
{
    if (ln_address_equal_ip(to, &c->node.interfaces[0].address) ||
        ln_address_equal_ip(to, &c->node.interfaces[1].address))
        return &c->node;
    for (size_t i = 0; i < c->count; i++) /* those that moved, and those that did not */
        if (c->peers[i].node.outside.family != LN_FAMILY_NONE &&
            ln_address_equal(&c->peers[i].node.outside, to))
            return &c->peers[i].node;
    if (to->ip[0] == 10) {
        size_t i = (size_t)to->ip[1] << 16 | (size_t)to->ip[2] << 8 | to->ip[3];

        if (i < c->count && c->peers[i].node.outside.family == LN_FAMILY_NONE)
            return &c->peers[i].node;
    }
    return NULL;
}

static void carry(struct crowd *c, const struct crowd_node *from, const struct ln_transmit *out)
{
    size_t step = out->segment ? out->segment : out->len;

    CHECK(out->slice_count == 0);
    for (size_t at = 0; at < out->len; at += step) {
        struct crowd_packet *p = &c->queue[(c->head + c->queued) % CROWD_QUEUE];

        CHECK(c->queued < CROWD_QUEUE);
        c->queued++;
        p->at = c->now + DELAY;
        p->from = from->outside.family ? from->outside : from->links[out->path.link - 1].local;
        p->to = out->path.remote;
        p->len = (uint16_t)(out->len - at < step ? out->len - at : step);
        CHECK(p->len <= CROWD_MTU);
        memcpy(p->data, out->data + at, p->len);
    }
}

static void answer(struct crowd *c, struct crowd_node *node, const struct ln_answer *given)
{
    node->endpoint.ops->answer(node->endpoint.object, c->now, given);
}

static void open_udp(struct crowd *c, struct crowd_node *node, const struct ln_request *request)
{
    struct ln_answer given = { .kind = LN_ANSWER_FAILED,
                               .id = request->id,
                               .error = LN_ERR_ADDRESS_IN_USE };

    if (!node->refuse_ports && node->link_count < 8) {
        node->links[node->link_count].local = request->local;
        if (request->local.port == 0)
            node->links[node->link_count].local.port = (uint16_t)(5000 + node->opened);
        node->links[node->link_count].open = true;
        node->opened++;
        given = (struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                    .id = request->id,
                                    .link = (ln_link)++node->link_count };
        given.local = node->links[given.link - 1].local;
    }
    answer(c, node, &given);
}

static void tell_interfaces(struct crowd *c, struct crowd_node *node)
{
    answer(c, node,
           &(struct ln_answer){ .kind = LN_ANSWER_INTERFACES,
                                .id = node->watch,
                                .interfaces = node->interfaces,
                                .interface_count = node->interface_count });
}

static void serve(struct crowd *c, struct crowd_node *node, const struct ln_request *request)
{
    switch (request->kind) {
    case LN_REQUEST_OPEN_UDP:
        open_udp(c, node, request);
        break;
    case LN_REQUEST_WATCH_INTERFACES:
        node->watch = request->id;
        tell_interfaces(c, node);
        break;
    case LN_REQUEST_CLOSE:
        if (request->link > 0) {
            CHECK(request->link <= node->link_count && node->links[request->link - 1].open);
            node->links[request->link - 1].open = false;
        }
        break;
    default:
        answer(c, node,
               &(struct ln_answer){
                   .kind = LN_ANSWER_FAILED, .id = request->id, .error = LN_ERR_NOT_SUPPORTED });
    }
}

/* What one end signals wakes the other. */
static void take_events(struct crowd *c, struct crowd_peer *peer)
{
    struct ln_ice_event event;

    while (peer->inside && ln_ice_poll_event(peer->inside, &event)) {
        if (event.kind == LN_ICE_EVENT_CANDIDATE) {
            (void)!ln_ice_add_remote_candidate(peer->outside, &event.candidate.candidate);
            (void)!ln_heap_set(&c->heap, &peer->node.deadline, c->now);
        }
    }
    while (peer->inside && ln_ice_poll_event(peer->outside, &event))
        if (event.kind == LN_ICE_EVENT_CANDIDATE) {
            (void)!ln_ice_add_remote_candidate(peer->inside, &event.candidate.candidate);
            ln_ice_mux_touch(peer->member);
            (void)!ln_heap_set(&c->heap, &c->node.deadline, c->now);
        }
}

static void owners(struct crowd *c, struct crowd_node *node)
{
    struct crowd_peer *peer;

    if (node != &c->node)
        take_events(c, LN_CONTAINER(node, struct crowd_peer, node));
    else
        while ((peer = ln_ice_mux_poll_news(c->mux)) != NULL)
            take_events(c, peer);
}

/* As a driver does; ends when nothing is due. */
static void drive(struct crowd *c, struct crowd_node *node)
{
    const struct ln_endpoint_ops *ops = node->endpoint.ops;
    void *object = node->endpoint.object;
    static uint8_t data[LN_TRANSMIT_BYTES_MAX];
    static struct ln_transmit out;
    struct ln_request request = { 0 };
    bool any = true;

    while (any) {
        any = false;
        if (ln_time_due(ops->next_timeout(object), c->now)) {
            ops->on_timeout(object, c->now);
            CHECK(ops->next_timeout(object) > c->now);
            any = true;
        }
        for (;;) {
            ln_transmit_begin(&out);
            out.data = data;
            out.cap = sizeof data;
            if (ops->poll_transmit(object, c->now, &out) <= 0)
                break;
            CHECK(out.path.link > 0 && out.path.link <= node->link_count &&
                  node->links[out.path.link - 1].open);
            carry(c, node, &out);
            any = true;
        }
        while (ops->poll_request(object, &request) > 0) {
            serve(c, node, &request);
            any = true;
        }
    }
    (void)!ln_heap_set(&c->heap, &node->deadline, ops->next_timeout(object));
    owners(c, node);
}

static void deliver(struct crowd *c, struct crowd_node *node, const struct crowd_packet *p)
{
    uint8_t data[CROWD_MTU];
    struct ln_packet packet = { .data = data, .len = p->len };

    for (size_t i = 0; i < node->link_count; i++) {
        bool mine = node->outside.family
                        ? node->links[i].open
                        : node->links[i].open && ln_address_equal(&node->links[i].local, &p->to);

        if (!mine)
            continue;
        memcpy(data, p->data, p->len);
        packet.path = (struct ln_path){ (ln_link)(i + 1), node->links[i].local, p->from };
        node->endpoint.ops->receive(node->endpoint.object, c->now, &packet);
        c->delivered++;
        drive(c, node);
        return;
    }
}

void crowd_run(struct crowd *c, ln_duration duration)
{
    ln_time until = c->now + duration;

    for (;;) {
        struct ln_heap_node *first = ln_heap_first(&c->heap);
        ln_time next = first ? first->time : LN_TIME_NEVER;
        struct crowd_packet *p = c->queued > 0 ? &c->queue[c->head] : NULL;

        if (p && p->at < next)
            next = p->at;
        if (next > until)
            break;
        c->now = next > c->now ? next : c->now;
        if (p && p->at <= c->now) {
            struct crowd_packet copy = *p;
            struct crowd_node *node = node_of(c, &copy.to);

            c->head = (c->head + 1) % CROWD_QUEUE;
            c->queued--;
            if (node)
                deliver(c, node, &copy);
        } else {
            drive(c, LN_CONTAINER(first, struct crowd_node, deadline));
        }
    }
    c->now = until;
}

/* --- the agents ---------------------------------------------------------------------------- */

static bool is_inside(const struct crowd *c, size_t i)
{
    return i < c->count && c->peers[i].inside != NULL;
}

/* Data carries the number of whom it is for; an agent alone would drop it. */
static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct crowd_peer *peer = object;
    bool data = packet->len >= 5 && packet->data[0] == 0x80;
    uint32_t to = data ? ln_load32(packet->data + 1) : 0;

    peer->calls++;
    if (ln_ice_unwrap(peer->inside, now, packet) != 1 || !data)
        return;
    if (to == peer->node.interfaces[0].index) /* its number */
        peer->received++;
    else
        peer->strange++;
}

static void on_timeout(void *object, ln_time now)
{
    ((struct crowd_peer *)object)->calls++;
    ln_ice_on_timeout(((struct crowd_peer *)object)->inside, now);
}

static ln_time next_timeout(const void *object)
{
    return ln_ice_next_timeout(((const struct crowd_peer *)object)->inside);
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    ((struct crowd_peer *)object)->calls++;
    return ln_ice_poll_transmit(((struct crowd_peer *)object)->inside, now, out);
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    return ln_ice_poll_request(((struct crowd_peer *)object)->inside, ret_request);
}

static void on_answer(void *object, ln_time now, const struct ln_answer *given)
{
    ln_ice_answer(((struct crowd_peer *)object)->inside, now, given);
}

void crowd_init(struct crowd *c, bool two)
{
    struct ln_ice_mux_config config = { .udp_port = 3478 };

    memset(c, 0, sizeof *c);
    c->now = LN_SECONDS(10);
    c->queue = queue;
    ln_heap_init(&c->heap, ln_allocator_libc(), CROWD_MAX + 1);
    ln_ice_config_init(&c->config);
    add_interface(&c->node, "192.0.2.1");
    if (two)
        add_interface(&c->node, "198.51.100.1");
    CHECK(ln_ice_mux_create(&c->mux, &config, test_env()) == 0);
    c->node.endpoint = ln_ice_mux_endpoint(c->mux);
}

static void signal_both(struct crowd_peer *peer)
{
    int error = ln_ice_set_remote(peer->inside, ln_ice_local_ufrag(peer->outside),
                                  ln_ice_local_pwd(peer->outside), false, "trickle");

    CHECK(error == 0);
    error = ln_ice_set_remote(peer->outside, ln_ice_local_ufrag(peer->inside),
                              ln_ice_local_pwd(peer->inside), false, "trickle");
    CHECK(error == 0);
    ln_ice_gather(peer->inside);
    ln_ice_gather(peer->outside);
}

static void add_peer(struct crowd *c, size_t i)
{
    static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, on_answer };
    struct crowd_peer *peer = &c->peers[i];
    struct ln_ice_config config;
    char ip[16];

    memset(peer, 0, sizeof *peer);
    c->count = i + 1 > c->count ? i + 1 : c->count;
    ln_ice_config_init(&config);
    config.controlling = i % 2 == 0;
    c->config.controlling = !config.controlling;
    CHECK(ln_ice_create(&peer->inside, &c->config, test_env()) == 0);
    CHECK(ln_ice_create(&peer->outside, &config, test_env()) == 0);
    snprintf(ip, sizeof ip, "10.0.%u.%u", (unsigned)(i >> 8), (unsigned)(i & 255));
    add_interface(&peer->node, ip);
    peer->node.interfaces[0].index = (uint32_t)i;
    peer->node.endpoint = ln_ice_endpoint(peer->outside);
    ln_ice_share_port(peer->inside);
    CHECK(ln_ice_mux_add(c->mux, (struct ln_endpoint){ &ops, peer }, peer, &peer->member) == 0);
    signal_both(peer);
    CHECK(ln_heap_set(&c->heap, &peer->node.deadline, c->now) == 0);
    CHECK(ln_heap_set(&c->heap, &c->node.deadline, c->now) == 0);
}

void crowd_add(struct crowd *c, size_t count)
{
    while (c->count < count)
        add_peer(c, c->count);
}

bool crowd_connected(const struct crowd *c, size_t i)
{
    enum ln_ice_connection_state in, out;

    if (!is_inside(c, i))
        return false;
    in = ln_ice_state(c->peers[i].inside);
    out = ln_ice_state(c->peers[i].outside);
    return (in == LN_ICE_CONNECTION_STATE_CONNECTED || in == LN_ICE_CONNECTION_STATE_COMPLETED) &&
           (out == LN_ICE_CONNECTION_STATE_CONNECTED || out == LN_ICE_CONNECTION_STATE_COMPLETED);
}

size_t crowd_connected_count(const struct crowd *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += crowd_connected(c, i);
    return count;
}

void crowd_say(struct crowd *c, size_t i)
{
    static struct ln_transmit out;
    uint8_t data[32] = { 0x80 };
    struct crowd_peer *peer = &c->peers[i];

    ln_store32(data + 1, (uint32_t)i);
    ln_transmit_begin(&out);
    out.data = data;
    out.cap = out.len = sizeof data;
    CHECK(ln_ice_send_path(peer->outside, &out.path));
    ln_ice_count_sent(peer->outside, c->now, &out.path, 1, sizeof data);
    carry(c, &peer->node, &out);
}

void crowd_move(struct crowd *c, size_t i, const char *outside)
{
    c->peers[i].node.outside = parse(outside);
}

struct ln_address crowd_address(const struct crowd *c, size_t i)
{
    const struct crowd_node *node = &c->peers[i].node;

    return node->outside.family ? node->outside : node->links[0].local;
}

void crowd_inject(struct crowd *c, const struct ln_address *from, const void *data, size_t len)
{
    struct crowd_packet p = { .from = *from, .to = c->node.links[0].local, .len = (uint16_t)len };

    CHECK(len <= CROWD_MTU);
    memcpy(p.data, data, len);
    deliver(c, &c->node, &p);
}

void crowd_interfaces(struct crowd *c, size_t count)
{
    c->node.interface_count = count;
    tell_interfaces(c, &c->node);
    drive(c, &c->node);
}

void crowd_remove(struct crowd *c, size_t i)
{
    struct crowd_peer *peer = &c->peers[i];

    ln_ice_mux_remove(peer->member);
    ln_heap_remove(&c->heap, &peer->node.deadline);
    ln_ice_free(peer->inside);
    ln_ice_free(peer->outside);
    peer->inside = peer->outside = NULL;
    peer->member = NULL;
    peer->node.link_count = 0;
    drive(c, &c->node);
}

void crowd_free(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        ln_ice_mux_remove(c->peers[i].member);
        ln_ice_free(c->peers[i].inside);
        ln_ice_free(c->peers[i].outside);
    }
    ln_ice_mux_free(c->mux);
    ln_heap_deinit(&c->heap);
    c->count = 0;
}

size_t crowd_check(const struct crowd *c, const char *ufrag, const char *pwd, uint8_t *data,
                   size_t cap)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;
    char username[64];
    int len;

    (void)c;
    ln_rng_bytes(test_env()->rng, &id, sizeof id);
    snprintf(username, sizeof username, "%s:%s", ufrag, "peer");
    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 1845501695);
    ln_stun_add_integrity(&b, test_bytes(pwd));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return (size_t)len;
}
