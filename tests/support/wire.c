/* SPDX-License-Identifier: Apache-2.0
 * The network of tests/support/wire.h: its requests, its datagrams and its time. */
#include "tests/support/wire.h"

#include "base/address.h"
#include "base/map.h"
#include "base/time.h"
#include "tests/support/test.h"
#include "tests/support/wire_streams.h"

#include <stdlib.h>

void wire_init(struct wire *wire, const struct ln_env *env)
{
    memset(wire, 0, sizeof *wire);
    wire->env = env;
    wire->now = LN_SECONDS(1000);
    wire->next_port = 40000;
    wire->delay = LN_MICROSECONDS(200);
}

int wire_add(struct wire *wire, struct ln_endpoint endpoint)
{
    CHECK(wire->node_count < WIRE_NODES);
    wire->nodes[wire->node_count].endpoint = endpoint;
    return (int)wire->node_count++;
}

void wire_answer(struct wire *wire, int node, const struct ln_answer *a)
{
    struct ln_endpoint *e = &wire->nodes[node].endpoint;

    e->ops->answer(e->object, wire->now, a);
}

void wire_refuse(struct wire *wire, int node, uint32_t id, int error)
{
    wire_answer(wire, node,
                &(struct ln_answer){ .kind = LN_ANSWER_FAILED, .id = id, .error = error });
}

struct wire_link *wire_new_link(struct wire *wire, int node, const struct ln_address *local)
{
    struct wire_link *link = &wire->links[wire->link_count];

    CHECK(wire->link_count < WIRE_LINKS);
    memset(link, 0, sizeof *link);
    link->link = (ln_link)(++wire->link_count);
    link->node = node;
    link->local = *local;
    if (link->local.port == 0)
        link->local.port = wire->next_port++;
    link->open = true;
    link->window = SIZE_MAX;
    return link;
}

static void tell_interfaces(struct wire *wire, int node)
{
    struct wire_node *n = &wire->nodes[node];

    if (n->watch)
        wire_answer(wire, node,
                    &(struct ln_answer){ .kind = LN_ANSWER_INTERFACES,
                                         .id = n->watch,
                                         .interfaces = n->interfaces,
                                         .interface_count = n->interface_count });
}

void wire_interface(struct wire *wire, int node, const char *ip)
{
    struct wire_node *n = &wire->nodes[node];
    struct ln_interface *in = &n->interfaces[n->interface_count++];

    CHECK(n->interface_count <= 8);
    memset(in, 0, sizeof *in);
    in->index = (uint32_t)n->interface_count;
    CHECK(ln_address_parse(ip, &in->address) == 0);
    in->up = true;
    in->loopback = ln_address_is_loopback(&in->address);
    tell_interfaces(wire, node);
}

void wire_remove_interface(struct wire *wire, int node, const char *ip)
{
    struct wire_node *n = &wire->nodes[node];
    struct ln_address address;

    CHECK(ln_address_parse(ip, &address) == 0);
    for (size_t i = 0; i < n->interface_count; i++)
        if (ln_address_equal_ip(&n->interfaces[i].address, &address))
            n->interfaces[i--] = n->interfaces[--n->interface_count];
    tell_interfaces(wire, node);
}

bool wire_drop_all(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                   size_t len)
{
    (void)wire;
    (void)node;
    (void)path;
    (void)data;
    (void)len;
    return true;
}

void wire_set_nat(struct wire *wire, int node, int realm, enum wire_nat nat, const char *public_ip)
{
    wire->nodes[node].realm = realm;
    wire->nodes[node].nat = nat;
    CHECK(ln_address_parse(public_ip, &wire->nodes[node].nat_address) == 0);
}

void wire_name(struct wire *wire, const char *name, const char *ip)
{
    for (size_t i = 0; i <= wire->name_count; i++) {
        if (i == wire->name_count) {
            strcpy(wire->names[i].name, name);
            wire->name_count++;
        }
        if (strcmp(wire->names[i].name, name) == 0) {
            CHECK(ln_address_parse(ip, &wire->names[i].addresses[wire->names[i].count++]) == 0);
            return;
        }
    }
}

static void open_udp(struct wire *wire, int node, const struct ln_request *request)
{
    struct wire_link *link;

    if (wire->refuse_below && request->local.port < wire->refuse_below) {
        wire_refuse(wire, node, request->id, LN_ERR_ADDRESS_IN_USE);
        return;
    }
    link = wire_new_link(wire, node, &request->local);
    wire_answer(wire, node,
                &(struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                     .id = request->id,
                                     .link = link->link,
                                     .local = link->local });
}

static void resolve(struct wire *wire, int node, const struct ln_request *request)
{
    for (size_t i = 0; i < wire->name_count; i++)
        if (strcmp(wire->names[i].name, request->name) == 0) {
            if (wire->names[i].count > 0 && wire->names[i].addresses[0].port == 1)
                return; /* "ip:1": never answered */
            wire_answer(wire, node,
                        &(struct ln_answer){ .kind = LN_ANSWER_RESOLVED,
                                             .id = request->id,
                                             .addresses = wire->names[i].addresses,
                                             .address_count = wire->names[i].count });
            return;
        }
    wire_refuse(wire, node, request->id, LN_ERR_NOT_FOUND);
}

/* What is published can be resolved by every node. */
static void publish(struct wire *wire, int node, const struct ln_request *request)
{
    char ip[LN_ADDRESS_TEXT_MAX];
    struct ln_answer a = { .kind = LN_ANSWER_PUBLISHED, .id = request->id };

    if (wire->names_hang)
        return;
    if (wire->refuse_names) {
        a.kind = LN_ANSWER_FAILED;
        a.error = LN_ERR_NOT_FOUND;
    } else {
        CHECK(wire->name_count < WIRE_NAMES);
        wire_name(wire, request->name, ln_address_format_ip(&request->local, ip));
        wire->published++;
    }
    wire_answer(wire, node, &a);
}

static void serve(struct wire *wire, int node, const struct ln_request *request)
{
    switch (request->kind) {
    case LN_REQUEST_OPEN_TCP:
        wire_open_tcp(wire, node, request);
        break;
    case LN_REQUEST_LISTEN_TCP:
        wire_listen_tcp(wire, node, request);
        break;
    case LN_REQUEST_OPEN_UDP:
        open_udp(wire, node, request);
        break;
    case LN_REQUEST_CLOSE:
        if (request->link > 0 && request->link <= wire->link_count)
            wire_close_link(wire, request->link);
        else if (request->link == 0 && !wire_forget_connect(wire, node, request->id))
            wire->withdrawn++;
        break;
    case LN_REQUEST_WINDOW:
        if (request->link > 0 && request->link <= wire->link_count)
            wire->links[request->link - 1].window = request->bytes;
        break;
    case LN_REQUEST_RESOLVE:
        resolve(wire, node, request);
        break;
    case LN_REQUEST_PUBLISH:
        publish(wire, node, request);
        break;
    case LN_REQUEST_WATCH_INTERFACES:
        wire->nodes[node].watch = request->id;
        tell_interfaces(wire, node);
        break;
    default:
        wire_refuse(wire, node, request->id, LN_ERR_NOT_SUPPORTED);
    }
}

/* The outside address of a packet that leaves a NAT; a mapping is made if need be. */
static struct ln_address translate_out(struct wire *wire, int node, const struct ln_address *inside,
                                       const struct ln_address *remote)
{
    struct wire_node *n = &wire->nodes[node];
    struct wire_map *made = NULL;

    if (n->nat == WIRE_NAT_ONE_TO_ONE) {
        struct ln_address outside = n->nat_address;

        outside.port = inside->port;
        return outside;
    }
    for (size_t i = 0; i < wire->map_count; i++) {
        struct wire_map *m = &wire->maps[i];

        if (m->node != node || !ln_address_equal(&m->inside, inside))
            continue;
        if (ln_address_equal(&m->remote, remote))
            return m->outside;
        made = m;
    }
    CHECK(wire->map_count < WIRE_MAPS);
    wire->maps[wire->map_count] = (struct wire_map){ node, *inside, n->nat_address, *remote };
    wire->maps[wire->map_count].outside.port = made && n->nat != WIRE_NAT_SYMMETRIC
                                                   ? made->outside.port
                                                   : wire->next_port++;
    return wire->maps[wire->map_count++].outside;
}

/* The link a packet for a public address ends at, through a NAT if there is one. */
static const struct wire_link *route(struct wire *wire, int realm, const struct ln_address *from,
                                     const struct ln_address *to)
{
    for (size_t i = 0; i < wire->link_count; i++)
        if (wire->links[i].open && wire->links[i].peer == 0 && !wire->links[i].listens &&
            wire->nodes[wire->links[i].node].realm == realm &&
            ln_address_equal(&wire->links[i].local, to))
            return &wire->links[i];
    for (size_t i = 0; realm == 0 && i < wire->link_count; i++) {
        const struct wire_node *n = &wire->nodes[wire->links[i].node];
        struct ln_address outside = n->nat_address;

        outside.port = wire->links[i].local.port;
        if (n->nat == WIRE_NAT_ONE_TO_ONE && wire->links[i].open && ln_address_equal(&outside, to))
            return &wire->links[i];
    }
    for (size_t i = 0; realm == 0 && i < wire->map_count; i++) {
        const struct wire_map *m = &wire->maps[i];
        const struct wire_node *n = &wire->nodes[m->node];

        if (!ln_address_equal(&m->outside, to) ||
            (n->nat != WIRE_NAT_FULL_CONE && !ln_address_equal(&m->remote, from)))
            continue;
        for (size_t k = 0; k < wire->link_count; k++)
            if (wire->links[k].open && wire->links[k].node == m->node &&
                ln_address_equal(&wire->links[k].local, &m->inside))
                return &wire->links[k];
    }
    return NULL;
}

static void transmit(struct wire *wire, int node, const struct ln_transmit *out)
{
    struct wire_node *n = &wire->nodes[node];
    const struct wire_link *link;
    struct wire_packet *p = &wire->packets[wire->packet_count];
    uint64_t key[2] = { wire->hash, (uint64_t)wire->now };

    CHECK(out->path.link > 0 && out->path.link <= wire->link_count);
    link = &wire->links[out->path.link - 1];
    wire->sent++;
    wire->hash = ln_siphash(key, out->data, out->len);
    if (link->peer != 0 && link->open) {
        wire_transmit_stream(wire, link, out);
        return;
    }
    wire->dscp = out->dscp;
    if (!link->open || (wire->filter && wire->filter(wire, node, &out->path, out->data, out->len)))
        return;
    if (ln_rng_below(wire->env->rng, 1000) < wire->loss_per_mille ||
        wire->packet_count >= WIRE_PACKETS)
        return;
    CHECK(out->len <= WIRE_MTU);
    memcpy(p->data, out->data, out->len);
    p->len = out->len;
    p->stream = 0;
    p->at = wire->now + wire->delay +
            (wire->jitter ? ln_rng_below(wire->env->rng, (uint32_t)wire->jitter) : 0);
    p->order = wire->order++;
    p->from = link->local;
    p->to = out->path.remote;
    p->realm = n->realm;
    if (n->nat != WIRE_NAT_NONE && !route(wire, n->realm, &p->from, &p->to)) {
        p->from = translate_out(wire, node, &link->local, &out->path.remote);
        p->realm = 0;
    }
    wire->packet_count++;
}

/* Each slice is a datagram, or a piece of a stream. */
static void transmit_slices(struct wire *wire, int node, struct ln_transmit *out)
{
    uint8_t copy[WIRE_MTU];
    struct ln_transmit one = { .data = copy, .path = out->path };

    for (size_t i = 0; i < out->slice_count; i++) {
        CHECK(out->slices[i].len <= sizeof copy);
        memcpy(copy, out->slices[i].base, out->slices[i].len);
        one.len = out->slices[i].len;
        ln_buffer_unref(out->slices[i].buffer);
        transmit(wire, node, &one);
    }
}

/* Whether there was something. */
static bool pump(struct wire *wire, int node)
{
    struct ln_endpoint *e = &wire->nodes[node].endpoint;
    uint8_t buffer[1500];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    struct ln_request request;
    bool any = true, some = false;

    for (; any; some = some || any) {
        any = false;
        while (e->ops->poll_request(e->object, &request) > 0) {
            serve(wire, node, &request);
            any = true;
        }
        while (e->ops->poll_transmit(e->object, wire->now, &out) > 0) {
            if (out.slice_count == 0)
                transmit(wire, node, &out);
            else
                transmit_slices(wire, node, &out);
            any = true;
        }
    }
    return some;
}

static void turn(struct wire *wire)
{
    for (bool any = true; any;) { /* what one asks may be news for another */
        any = false;
        for (size_t i = 0; i < wire->node_count; i++)
            if (!wire->nodes[i].stopped && pump(wire, (int)i))
                any = true;
    }
    if (wire->turn)
        wire->turn(wire, wire->context);
}

void wire_inject(struct wire *wire, int node, const struct ln_path *path, const void *data,
                 size_t len)
{
    struct ln_endpoint *e = &wire->nodes[node].endpoint;
    /* Of the exact size, so that a sanitizer sees a read past the end. */
    uint8_t *copy = malloc(len ? len : 1);
    struct ln_packet packet = { .data = copy, .len = len, .path = *path };

    if (len > 0)
        memcpy(copy, data, len);
    e->ops->receive(e->object, wire->now, &packet);
    free(copy);
}

static void tell_sender(struct wire *wire, const struct wire_packet *p)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED, .icmp = wire->icmp };

    for (size_t i = 0; i < wire->link_count && wire->icmp.type != 0; i++) {
        const struct wire_link *link = &wire->links[i];
        struct ln_endpoint *e = &wire->nodes[link->node].endpoint;

        if (!link->open || link->listens || link->peer != 0 ||
            !ln_address_equal(&link->local, &p->from))
            continue;
        answer.link = link->link;
        answer.path = (struct ln_path){ link->link, link->local, p->to };
        e->ops->answer(e->object, wire->now, &answer);
        return;
    }
}

static void deliver(struct wire *wire, struct wire_packet *p)
{
    const struct wire_link *link;

    if (p->stream != 0) {
        link = &wire->links[p->stream - 1];
        if (link->open && !wire->nodes[link->node].stopped)
            wire_inject(wire, link->node,
                        &(struct ln_path){ link->link, link->local, link->remote }, p->data,
                        p->len);
        return;
    }
    link = route(wire, p->realm, &p->from, &p->to);
    if (link && !wire->nodes[link->node].stopped) {
        wire->delivered++;
        wire_inject(wire, link->node, &(struct ln_path){ link->link, link->local, p->from },
                    p->data, p->len);
    } else if (!link) {
        tell_sender(wire, p);
    }
}

/* The packet that arrives first, or NULL. */
static struct wire_packet *first_packet(struct wire *wire)
{
    struct wire_packet *first = NULL;

    for (size_t i = 0; i < wire->packet_count; i++)
        if (wire_stream_waits(wire, &wire->packets[i]))
            continue;
        else if (!first || wire->packets[i].at < first->at ||
                 (wire->packets[i].at == first->at && wire->packets[i].order < first->order))
            first = &wire->packets[i];
    return first;
}

static ln_time next_moment(struct wire *wire)
{
    struct wire_packet *p = first_packet(wire);
    ln_time next = ln_time_min(p ? p->at : LN_TIME_NEVER, wire_next_connect(wire));

    for (size_t i = 0; i < wire->node_count; i++) {
        struct ln_endpoint *e = &wire->nodes[i].endpoint;

        if (!wire->nodes[i].stopped)
            next = ln_time_min(next, e->ops->next_timeout(e->object));
    }
    return next;
}

static void timeouts(struct wire *wire)
{
    for (size_t i = 0; i < wire->node_count; i++) {
        struct ln_endpoint *e = &wire->nodes[i].endpoint;

        if (wire->nodes[i].stopped || !ln_time_due(e->ops->next_timeout(e->object), wire->now))
            continue;
        e->ops->on_timeout(e->object, wire->now);
        CHECK(e->ops->next_timeout(e->object) > wire->now);
    }
}

void wire_run(struct wire *wire, ln_time deadline, bool (*stop)(void *context), void *context)
{
    for (int round = 0; round < 2000000; round++) {
        struct wire_packet *p;
        ln_time next;

        turn(wire);
        if (stop && stop(context))
            return;
        next = next_moment(wire);
        if (next > deadline) {
            wire->now = ln_time_max(wire->now, deadline);
            return;
        }
        wire->now = ln_time_max(wire->now, next);
        wire_connects_arrive(wire);
        p = first_packet(wire);
        if (p && p->at <= wire->now) {
            static struct wire_packet taken;

            wire_take(wire, p, &taken);
            deliver(wire, &taken);
        }
        timeouts(wire);
    }
    ln_test_fail("the wire never came to rest", __FILE__, __LINE__);
}
