/* SPDX-License-Identifier: Apache-2.0
 * The streams of tests/support/wire.h: who listens, who connects, two who connect to each other. */
#include "tests/support/wire_streams.h"

#include "base/address.h"
#include "base/time.h"
#include "tests/support/test.h"

#define STREAM_ROOM (1u << 20)

static void answer_opened(struct wire *wire, const struct wire_link *link, uint32_t id)
{
    wire_answer(wire, link->node,
                &(struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                     .id = id,
                                     .link = link->link,
                                     .local = link->local,
                                     .remote = link->remote,
                                     .bytes = STREAM_ROOM });
}

void wire_listen_tcp(struct wire *wire, int node, const struct ln_request *request)
{
    struct wire_link *link = wire_new_link(wire, node, &request->local);

    link->listens = true;
    link->request = request->id;
    answer_opened(wire, link, request->id);
}

/* How others see a stream that leaves from this address: NATs keep the port where they can. */
static struct ln_address outside_of(struct wire *wire, int node, const struct ln_address *local)
{
    struct ln_address outside = wire->nodes[node].nat_address;

    if (wire->nodes[node].nat == WIRE_NAT_NONE)
        return *local;
    outside.port = wire->nodes[node].nat == WIRE_NAT_SYMMETRIC ? wire->next_port++ : local->port;
    return outside;
}

static void begin_connect(struct wire *wire, int node, const struct ln_request *request)
{
    CHECK(wire->connect_count < WIRE_CONNECTS);
    wire->connects[wire->connect_count++] = (struct wire_connect){ .node = node,
                                                                   .at = wire->now + wire->delay,
                                                                   .from = outside_of(
                                                                       wire, node, &request->local),
                                                                   .request = *request };
}

bool wire_forget_connect(struct wire *wire, int node, uint32_t id)
{
    for (size_t i = 0; i < wire->connect_count; i++)
        if (wire->connects[i].node == node && wire->connects[i].request.id == id) {
            wire->connects[i] = wire->connects[--wire->connect_count];
            return true;
        }
    return false;
}

static struct wire_link *open_end(struct wire *wire, const struct wire_connect *connect)
{
    struct wire_link *link = wire_new_link(wire, connect->node, &connect->request.local);

    link->remote = connect->request.remote;
    return link;
}

/* Both sides connect, each from the port that the other connects to (RFC 9293, 3.5). */
static void join(struct wire *wire, struct wire_connect a, struct wire_connect b)
{
    struct wire_link *end_a = open_end(wire, &a), *end_b = open_end(wire, &b);

    end_a->peer = end_b->link;
    end_b->peer = end_a->link;
    (void)wire_forget_connect(wire, a.node, a.request.id);
    (void)wire_forget_connect(wire, b.node, b.request.id);
    answer_opened(wire, end_a, a.request.id);
    answer_opened(wire, end_b, b.request.id);
}

ln_time wire_next_connect(const struct wire *wire)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < wire->connect_count; i++)
        next = ln_time_min(next, wire->connects[i].at);
    return next;
}

void wire_connects_arrive(struct wire *wire)
{
    for (size_t i = 0; i < wire->connect_count; i++) {
        struct wire_connect *connect = &wire->connects[i];

        if (!ln_time_due(connect->at, wire->now))
            continue;
        connect->at = LN_TIME_NEVER;
        for (size_t k = 0; k < wire->connect_count; k++)
            if (ln_address_equal(&wire->connects[k].from, &connect->request.remote) &&
                ln_address_equal(&wire->connects[k].request.remote, &connect->from)) {
                join(wire, *connect, wire->connects[k]);
                return;
            }
    }
}

/* A stream has left from the listener's port, so that its NAT lets others in there. */
static bool let_in_by_nat(struct wire *wire, const struct wire_link *listener,
                          const struct ln_address *to)
{
    const struct wire_node *n = &wire->nodes[listener->node];
    bool left = n->nat == WIRE_NAT_ONE_TO_ONE;

    for (size_t i = 0; i < wire->link_count; i++)
        left = left || (wire->links[i].peer != 0 && wire->links[i].node == listener->node &&
                        ln_address_equal(&wire->links[i].local, &listener->local));
    return left && (n->nat == WIRE_NAT_FULL_CONE || n->nat == WIRE_NAT_ONE_TO_ONE) &&
           ln_address_equal_ip(&n->nat_address, to) && listener->local.port == to->port;
}

static struct wire_link *find_listener(struct wire *wire, int node, const struct ln_address *to)
{
    const struct ln_address *only = &wire->nodes[node].only;

    for (size_t i = 0; i < wire->link_count; i++) {
        struct wire_link *listener = &wire->links[i];
        int realm = wire->nodes[listener->node].realm;

        if (only->family != LN_FAMILY_NONE && !ln_address_equal(only, to))
            continue;

        if (listener->open && listener->listens &&
            (!wire->streams_cross || wire->nodes[listener->node].public_listeners) &&
            (((realm == 0 || realm == wire->nodes[node].realm) &&
              ln_address_equal(&listener->local, to)) ||
             let_in_by_nat(wire, listener, to)))
            return listener;
    }
    return NULL;
}

void wire_open_tcp(struct wire *wire, int node, const struct ln_request *request)
{
    struct wire_link *listener = find_listener(wire, node, &request->remote), *client, *server;

    if (wire->streams_hang)
        return;
    if (wire->streams_cross && !listener) {
        begin_connect(wire, node, request);
        return;
    }
    if (!listener) {
        wire_refuse(wire, node, request->id, LN_ERR_NOT_FOUND);
        return;
    }
    client = wire_new_link(wire, node, &request->local);
    server = wire_new_link(wire, listener->node, &listener->local);
    client->remote = request->remote;
    server->remote = outside_of(wire, node, &client->local);
    client->peer = server->link;
    server->peer = client->link;
    answer_opened(wire, client, request->id);
    answer_opened(wire, server, listener->request);
}

ln_link wire_connect(struct wire *wire, int node, const char *from, const struct ln_address *to)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_TCP, .remote = *to };
    size_t before = wire->link_count;

    CHECK(ln_address_parse(from, &request.local) == 0);
    wire_open_tcp(wire, node, &request);
    return wire->link_count == before + 2 ? (ln_link)wire->link_count : 0;
}

void wire_close_link(struct wire *wire, ln_link id)
{
    struct wire_link *link = &wire->links[id - 1], *peer;

    link->open = false;
    if (link->peer == 0 || !wire->links[link->peer - 1].open)
        return;
    peer = &wire->links[link->peer - 1];
    peer->open = false;
    wire_answer(wire, peer->node,
                &(struct ln_answer){ .kind = LN_ANSWER_CLOSED, .link = peer->link });
}

void wire_transmit_stream(struct wire *wire, const struct wire_link *link,
                          const struct ln_transmit *out)
{
    size_t piece = wire->stream_piece ? wire->stream_piece : 1400, at, len;

    for (at = 0; at < out->len && !link->mute; at += len) {
        struct wire_packet *p = &wire->packets[wire->packet_count++];

        CHECK(wire->packet_count <= WIRE_PACKETS);
        len = out->len - at < piece ? out->len - at : piece;
        memset(p, 0, sizeof *p);
        memcpy(p->data, out->data + at, len);
        p->len = len;
        p->at = wire->now + wire->delay;
        p->order = wire->order++;
        p->stream = link->peer;
    }
    if (link->open)
        wire_answer(wire, link->node,
                    &(struct ln_answer){
                        .kind = LN_ANSWER_WRITABLE, .link = link->link, .bytes = STREAM_ROOM });
}

void wire_mute_streams(struct wire *wire)
{
    for (size_t i = 0; i < wire->link_count; i++)
        wire->links[i].mute = wire->links[i].open && wire->links[i].peer != 0;
}

void wire_break_streams(struct wire *wire)
{
    for (size_t i = 0; i < wire->link_count; i++)
        if (wire->links[i].open && wire->links[i].peer != 0) {
            wire->links[i].open = false;
            wire_answer(
                wire, wire->links[i].node,
                &(struct ln_answer){ .kind = LN_ANSWER_CLOSED, .link = wire->links[i].link });
        }
}

bool wire_stream_waits(const struct wire *wire, const struct wire_packet *p)
{
    return p->stream != 0 && wire->links[p->stream - 1].open &&
           wire->links[p->stream - 1].window == 0;
}

void wire_take(struct wire *wire, struct wire_packet *p, struct wire_packet *ret_taken)
{
    struct wire_link *link = p->stream != 0 ? &wire->links[p->stream - 1] : NULL;
    size_t *window = link && link->open ? &link->window : NULL;

    *ret_taken = *p;
    if (window && *window < p->len) {
        ret_taken->len = *window;
        p->len -= *window;
        memmove(p->data, p->data + *window, p->len);
    } else {
        *p = wire->packets[--wire->packet_count];
    }
    if (window && *window != SIZE_MAX)
        *window -= ret_taken->len;
}

size_t wire_open_streams(const struct wire *wire, int node)
{
    size_t count = 0;

    for (size_t i = 0; i < wire->link_count; i++)
        count += wire->links[i].open && wire->links[i].peer != 0 &&
                 (node == WIRE_ALL_NODES || wire->links[i].node == node);
    return count;
}
