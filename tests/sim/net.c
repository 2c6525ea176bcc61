/* SPDX-License-Identifier: Apache-2.0
 * The network of net.h: hosts, lines, NATs, datagrams, and the driver. */
#include "tests/sim/net_internal.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STANDSTILL    20000u /* rounds at one moment: somebody asks to be called for ever */
#define QUEUE_DEFAULT LN_SECONDS(1)
#define UDP_OVERHEAD  28u /* IPv4 and UDP headers take the line's time too */

bool sim_verbose;

const struct net_nat net_kinds[NET_KINDS] = {
#define NET_KIND_ROW(name, ...) { __VA_ARGS__ },
    NET_KIND_TABLE(NET_KIND_ROW)
#undef NET_KIND_ROW
};

void net_init(struct net *net, const struct ln_env *env, uint64_t seed)
{
    memset(net, 0, sizeof *net);
    net->env = env;
    ln_rng_seed(&net->chance, seed ^ UINT64_C(0x9e3779b97f4a7c15));
    net->now = LN_SECONDS(1);
    net->next_port = 40000;
    ln_heap_init(&net->heap, ln_allocator_libc(), NET_PACKETS);
}

void net_deinit(struct net *net)
{
    struct ln_heap_node *node;
    struct net_packet *p;

    net_streams_deinit(net);
    while ((node = ln_heap_first(&net->heap)) != NULL) {
        ln_heap_remove(&net->heap, node);
        free(node);
    }
    while ((p = net->free_packets) != NULL) {
        net->free_packets = p->next;
        free(p);
    }
    ln_heap_deinit(&net->heap);
}

int net_add_host(struct net *net, struct ln_endpoint endpoint, const char *ip)
{
    struct net_host *host = &net->hosts[net->host_count];

    CHECK(net->host_count < NET_HOSTS);
    memset(host, 0, sizeof *host);
    host->endpoint = endpoint;
    host->wake = host->wake_deadline = LN_TIME_NEVER;
    net->host_count++;
    if (ip[0])
        net_add_interface(net, (int)net->host_count - 1, ip);
    return (int)net->host_count - 1;
}

void net_set_line(struct net *net, int host, const struct net_line *up, const struct net_line *down)
{
    net->hosts[host].up = *up;
    net->hosts[host].down = *down;
}

void net_set_nat(struct net *net, int host, const struct net_nat *nat, const char *outside)
{
    struct net_host *h = &net->hosts[host];

    h->nat = *nat;
    h->nat.present = true;
    h->realm = nat->firewall_only ? 0 : host + 1;
    CHECK(ln_address_parse(outside, &h->nat.outside) == 0);
}

/* --- what endpoints ask for */

void net_answer(struct net *net, int host, const struct ln_answer *a)
{
    struct ln_endpoint *e = &net->hosts[host].endpoint;

    e->ops->answer(e->object, net->now, a);
}

void net_fail_request(struct net *net, int host, uint32_t id, int error)
{
    net_answer(net, host,
               &(struct ln_answer){ .kind = LN_ANSWER_FAILED, .id = id, .error = error });
}

static void tell_interfaces(struct net *net, int host)
{
    struct net_host *h = &net->hosts[host];

    if (h->watch)
        net_answer(net, host,
                   &(struct ln_answer){ .kind = LN_ANSWER_INTERFACES,
                                        .id = h->watch,
                                        .interfaces = h->interfaces,
                                        .interface_count = h->interface_count });
}

void net_add_interface(struct net *net, int host, const char *ip)
{
    struct net_host *h = &net->hosts[host];
    struct ln_interface *in = &h->interfaces[h->interface_count];

    CHECK(h->interface_count < NET_INTERFACES);
    memset(in, 0, sizeof *in);
    CHECK(ln_address_parse(ip, &in->address) == 0);
    in->index = (uint32_t)++h->interface_count;
    in->up = true;
    tell_interfaces(net, host);
}

void net_remove_interface(struct net *net, int host, const char *ip)
{
    struct net_host *h = &net->hosts[host];
    struct ln_address address;

    CHECK(ln_address_parse(ip, &address) == 0);
    for (size_t i = 0; i < h->interface_count; i++)
        if (ln_address_equal_ip(&h->interfaces[i].address, &address))
            h->interfaces[i--] = h->interfaces[--h->interface_count];
    for (size_t i = 0; i < net->link_count; i++)
        if (net->links[i].host == host && ln_address_equal_ip(&net->links[i].local, &address))
            net->links[i].open = false;
    net_streams_lose(net, host, &address);
    tell_interfaces(net, host);
}

struct net_link *net_new_link(struct net *net, int host, enum net_link_kind kind,
                              const struct ln_address *local)
{
    struct net_link *link = &net->links[net->link_count];

    if (net->link_count == NET_LINKS)
        return NULL;
    memset(link, 0, sizeof *link);
    link->host = host;
    link->kind = kind;
    link->local = *local;
    if (link->local.port == 0)
        link->local.port = net->next_port++;
    link->open = true;
    net->link_count++;
    return link;
}

static void open_udp(struct net *net, int host, const struct ln_request *request)
{
    struct net_link *link = net_new_link(net, host, NET_DATAGRAMS, &request->local);

    if (!link) {
        net_fail_request(net, host, request->id, LN_ERR_LIMIT);
        return;
    }
    net_answer(net, host,
               &(struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                    .id = request->id,
                                    .link = (ln_link)net->link_count,
                                    .local = link->local });
}

/* Names are IP addresses in text: what a resolver gives for them. */
static void resolve(struct net *net, int host, const struct ln_request *request)
{
    struct ln_address address;

    if (ln_address_parse(request->name, &address) != 0) {
        net_fail_request(net, host, request->id, LN_ERR_NOT_FOUND);
        return;
    }
    net_answer(net, host,
               &(struct ln_answer){ .kind = LN_ANSWER_RESOLVED,
                                    .id = request->id,
                                    .addresses = &address,
                                    .address_count = 1 });
}

static void close_link(struct net *net, int host, const struct ln_request *request)
{
    if (request->link == 0) {
        net_stream_cancel(net, host, request->id);
        return;
    }
    CHECK(request->link <= net->link_count);
    CHECK(net->links[request->link - 1].host == host);
    if (net->links[request->link - 1].kind == NET_STREAM)
        net_stream_close(net, request->link);
    net->links[request->link - 1].open = false;
}

static void serve(struct net *net, int host, const struct ln_request *request)
{
    switch (request->kind) {
    case LN_REQUEST_OPEN_UDP:
        open_udp(net, host, request);
        break;
    case LN_REQUEST_OPEN_TCP:
        net_stream_open(net, host, request);
        break;
    case LN_REQUEST_LISTEN_TCP:
        net_stream_listen(net, host, request);
        break;
    case LN_REQUEST_WINDOW:
        net_stream_window(net, request);
        break;
    case LN_REQUEST_CLOSE:
        close_link(net, host, request);
        break;
    case LN_REQUEST_RESOLVE:
        resolve(net, host, request);
        break;
    case LN_REQUEST_WATCH_INTERFACES:
        net->hosts[host].watch = request->id;
        tell_interfaces(net, host);
        break;
    default:
        net_fail_request(net, host, request->id, LN_ERR_NOT_SUPPORTED);
    }
}

/* --- lines */

static bool happens(struct net *net, double chance)
{
    return chance > 0 && ln_rng_unit(&net->chance) < chance;
}

/* Exponentially distributed, as the time to an event without memory is. */
static ln_duration some_time(struct net *net, ln_duration mean)
{
    return (ln_duration)(-log(1 - ln_rng_unit(&net->chance)) * (double)mean);
}

static bool is_lost(struct net *net, const struct net_line *line, struct net_line_state *state)
{
    if (line->burst_every > 0) {
        if (state->changes == 0)
            state->changes = net->now + some_time(net, line->burst_every);
        while (state->changes <= net->now) {
            state->bad = !state->bad;
            state->changes += 1 +
                              some_time(net, state->bad ? line->burst_length : line->burst_every);
        }
        if (state->bad && happens(net, line->burst_loss))
            return true;
    }
    return line->down || happens(net, line->loss);
}

ln_time net_through_line(struct net *net, const struct net_line *line, struct net_line_state *state,
                         struct net_figures *figures, size_t len)
{
    ln_time leaves = net->now;
    ln_duration queued;

    figures->sent++;
    figures->sent_bytes += len;
    if (len + UDP_OVERHEAD > (line->mtu ? line->mtu : NET_MTU) || is_lost(net, line, state)) {
        figures->lost++;
        return LN_TIME_NEVER;
    }
    if (line->rate_bps > 0) {
        leaves = ln_time_max(net->now, state->idle_at);
        queued = leaves - net->now;
        if (queued > (line->queue ? line->queue : QUEUE_DEFAULT)) {
            figures->overflowed++;
            return LN_TIME_NEVER;
        }
        if (queued > figures->longest_queue)
            figures->longest_queue = queued;
        leaves += (ln_duration)((len + UDP_OVERHEAD) * 8 * 1000000000u / line->rate_bps);
        state->idle_at = leaves;
    }
    leaves += line->delay;
    if (line->jitter > 0)
        leaves += (ln_duration)(ln_rng_unit(&net->chance) * (double)line->jitter);
    if (happens(net, line->reorder))
        leaves += line->reorder_by;
    else if (line->in_order)
        leaves = ln_time_max(leaves, state->last_at);
    state->last_at = ln_time_max(state->last_at, leaves);
    figures->delivered++;
    figures->delivered_bytes += len;
    return leaves;
}

/* --- NATs */

static bool same_by(enum net_nat_kind kind, const struct ln_address *a, const struct ln_address *b)
{
    return kind == NET_INDEPENDENT ||
           (kind == NET_ADDRESS ? ln_address_equal_ip(a, b) : ln_address_equal(a, b));
}

static bool is_alive(const struct net *net, const struct net_mapping *m)
{
    ln_duration lifetime = net->hosts[m->host].nat.lifetime;

    return m->stream || lifetime == 0 || net->now - m->used <= lifetime;
}

static void forget_mappings(struct net *net)
{
    for (size_t i = 0; i < net->mapping_count; i++)
        if (!is_alive(net, &net->mappings[i]))
            net->mappings[i--] = net->mappings[--net->mapping_count];
}

/* Whether the firewall lets it out. */
static bool may_leave(const struct net_nat *nat, bool stream, const struct ln_address *remote)
{
    return stream ? nat->only_port == 0 || nat->only_port == remote->port : !nat->udp_blocked;
}

/* One entry is kept per remote for the filter. */
bool net_translate_out(struct net *net, int host, bool stream, const struct ln_address *inside,
                       const struct ln_address *remote, struct ln_address *ret_outside)
{
    struct net_nat *nat = &net->hosts[host].nat;
    struct ln_address outside = nat->firewall_only ? *inside : nat->outside;
    bool known = nat->firewall_only;

    if (!may_leave(nat, stream, remote))
        return false;
    forget_mappings(net);
    for (size_t i = 0; i < net->mapping_count; i++) {
        struct net_mapping *m = &net->mappings[i];

        if (m->host != host || m->stream != stream || !ln_address_equal(&m->inside, inside))
            continue;
        if (ln_address_equal(&m->remote, remote)) {
            m->used = net->now;
            *ret_outside = m->outside;
            return true;
        }
        if (!known && same_by(nat->mapping, &m->remote, remote)) {
            outside = m->outside;
            known = true;
        }
    }
    if (!known)
        outside.port = net->next_port++;
    CHECK(net->mapping_count < NET_MAPPINGS);
    net->mappings[net->mapping_count++] = (struct net_mapping){ host,    *inside,  outside,
                                                                *remote, net->now, stream };
    *ret_outside = outside;
    return true;
}

void net_rebind_nat(struct net *net, int host)
{
    for (size_t i = 0; i < net->mapping_count; i++)
        if (net->mappings[i].host == host)
            net->mappings[i--] = net->mappings[--net->mapping_count];
    net->hosts[host].nat.outside.ip[2]++;
}

static bool find_link(const struct net *net, int host, const struct ln_address *local,
                      ln_link *ret_link)
{
    for (size_t i = 0; i < net->link_count; i++)
        if (net->links[i].open && net->links[i].kind == NET_DATAGRAMS &&
            net->links[i].host == host && ln_address_equal(&net->links[i].local, local)) {
            *ret_link = (ln_link)(i + 1);
            return true;
        }
    return false;
}

static bool pass_filter(struct net *net, int host, bool stream, const struct ln_address *from,
                        const struct ln_address *to, struct ln_address *ret_inside)
{
    const struct net_nat *nat = &net->hosts[host].nat;

    if (nat->udp_blocked && !stream)
        return false;
    for (size_t i = 0; i < net->mapping_count; i++) {
        struct net_mapping *m = &net->mappings[i];

        if (m->host == host && m->stream == stream && is_alive(net, m) &&
            ln_address_equal(&m->outside, to) && same_by(nat->filtering, &m->remote, from)) {
            *ret_inside = m->inside;
            return true;
        }
    }
    return false;
}

bool net_translate_in(struct net *net, int host, bool stream, int from_host, int realm,
                      const struct ln_address *from, const struct ln_address *to,
                      struct ln_address *ret_inside)
{
    const struct net_host *h = &net->hosts[host];

    if (h->realm == realm && (!h->nat.present || h->realm == from_host + 1)) {
        *ret_inside = *to;
        return true;
    }
    return realm == 0 && h->nat.present && pass_filter(net, host, stream, from, to, ret_inside);
}

/* Where a packet on the core ends: the host and its socket. */
static bool route(struct net *net, struct net_packet *p)
{
    struct ln_address inside;

    for (int h = 0; h < (int)net->host_count; h++)
        if (net_translate_in(net, h, false, p->from_host, p->realm, &p->from, &p->to, &inside) &&
            find_link(net, h, &inside, &p->link)) {
            p->host = h;
            return true;
        }
    return false;
}

/* --- packets */

struct net_packet *net_new_packet(struct net *net)
{
    struct net_packet *p = net->free_packets;

    if (p)
        net->free_packets = p->next;
    else
        p = malloc(sizeof *p);
    CHECK(p != NULL);
    memset(p, 0, offsetof(struct net_packet, data));
    return p;
}

void net_give_back(struct net *net, struct net_packet *p)
{
    p->next = net->free_packets;
    net->free_packets = p;
}

void net_schedule(struct net *net, struct net_packet *p, ln_time at)
{
    if (ln_heap_set(&net->heap, &p->node, at) != 0)
        net_give_back(net, p); /* more than NET_PACKETS: a very full network drops */
}

void net_count_sent(struct net *net, const uint8_t *data, size_t len)
{
    uint64_t key[2] = { net->hash, (uint64_t)net->now };

    net->sent++;
    net->hash = ln_siphash(key, data, len);
}

static void send_datagram(struct net *net, int host, const struct ln_path *path, uint8_t ecn,
                          const uint8_t *data, size_t len)
{
    const struct net_link *link = &net->links[path->link - 1];
    struct net_host *h = &net->hosts[host];
    struct net_packet *p;
    ln_time at;

    net_count_sent(net, data, len);
    CHECK(len <= NET_MTU);
    if (!link->open || (net->drop && net->drop(net->context, host, data, len)))
        return;
    at = net_through_line(net, &h->up, &h->up_state, &h->up_figures, len);
    if (at == LN_TIME_NEVER)
        return;
    p = net_new_packet(net);
    p->at_core = true;
    p->from_host = host;
    p->from = link->local;
    p->to = path->remote;
    p->realm = h->realm;
    p->ecn = ecn;
    p->len = len;
    memcpy(p->data, data, len);
    if (h->nat.present) {
        p->realm = 0;
        if (!net_translate_out(net, host, false, &link->local, &path->remote, &p->from)) {
            net_give_back(net, p);
            return;
        }
    }
    net_schedule(net, p, at);
}

/* Each slice is a datagram (linnet/endpoint.h). */
static void transmit_slices(struct net *net, int host, const struct ln_transmit *out)
{
    CHECK(out->slice_count <= LN_TRANSMIT_SEGMENTS_MAX);
    for (size_t i = 0; i < out->slice_count; i++) {
        send_datagram(net, host, &out->path, out->ecn, out->slices[i].base, out->slices[i].len);
        ln_buffer_unref(out->slices[i].buffer);
    }
}

static void transmit(struct net *net, int host, const struct ln_transmit *out)
{
    CHECK(out->len > 0 && (out->len <= out->cap || out->slice_count > 0));
    CHECK(out->path.link > 0 && out->path.link <= net->link_count);
    CHECK(net->links[out->path.link - 1].host == host);
    CHECK(net->links[out->path.link - 1].kind != NET_LISTENER);
    if (net->links[out->path.link - 1].kind == NET_STREAM) {
        net_stream_transmit(net, out);
        return;
    }
    if (out->slice_count > 0) {
        transmit_slices(net, host, out);
        return;
    }
    CHECK(out->segment == 0 || out->segment < out->len);
    for (size_t at = 0; at < out->len;) {
        size_t left = out->len - at;
        size_t len = out->segment && out->segment < left ? out->segment : left;

        send_datagram(net, host, &out->path, out->ecn, out->data + at, len);
        at += len;
    }
}

static void receive(struct net *net, struct net_packet *p)
{
    struct net_host *h = &net->hosts[p->host];
    /* Of the exact size, so that a sanitizer sees a read past the end. */
    uint8_t *copy = malloc(p->len ? p->len : 1);
    struct ln_packet packet = { .data = copy, .len = p->len, .ecn = p->ecn };

    CHECK(copy != NULL);
    memcpy(copy, p->data, p->len);
    packet.path.link = p->link;
    packet.path.local = net->links[p->link - 1].local;
    packet.path.remote = p->from;
    if (net->tell)
        net->tell(net->context, p->host, p->data, p->len);
    h->endpoint.ops->receive(h->endpoint.object, net->now, &packet);
    free(copy);
}

/* At the core: down the receiver's line, perhaps twice. */
static void forward(struct net *net, struct net_packet *p)
{
    struct net_host *h;
    ln_time at;

    if (!route(net, p)) {
        net->hosts[p->from_host].up_figures.unroutable++;
        net_give_back(net, p);
        return;
    }
    h = &net->hosts[p->host];
    p->at_core = false;
    if (happens(net, h->down.duplicate)) {
        struct net_packet *twin = net_new_packet(net);

        at = net_through_line(net, &h->down, &h->down_state, &h->down_figures, p->len);
        memcpy(twin->data, p->data, p->len);
        twin->host = p->host;
        twin->link = p->link;
        twin->from = p->from;
        twin->len = p->len;
        if (at != LN_TIME_NEVER)
            net_schedule(net, twin, at);
        else
            net_give_back(net, twin);
    }
    at = net_through_line(net, &h->down, &h->down_state, &h->down_figures, p->len);
    if (at != LN_TIME_NEVER)
        net_schedule(net, p, at);
    else
        net_give_back(net, p);
}

static void deliver_due(struct net *net)
{
    struct ln_heap_node *node;

    while ((node = ln_heap_first(&net->heap)) != NULL && node->time <= net->now) {
        struct net_packet *p = LN_CONTAINER(node, struct net_packet, node);

        ln_heap_remove(&net->heap, node);
        if (p->end > 0) {
            net_segment_due(net, p);
            continue;
        }
        if (p->at_core) {
            forward(net, p);
            continue;
        }
        if (!net->hosts[p->host].stopped && net->links[p->link - 1].open)
            receive(net, p);
        net_give_back(net, p);
    }
}

/* --- driving */

/* A second round of polls, with nothing in between, finds nothing and moves no deadline. */
static void check_idle(struct net *net, struct ln_endpoint *e)
{
    static uint8_t buffer[65536];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    struct ln_request request;
    ln_time deadline = e->ops->next_timeout(e->object);

    CHECK(e->ops->poll_transmit(e->object, net->now, &out) <= 0);
    CHECK(e->ops->poll_request(e->object, &request) <= 0);
    CHECK(e->ops->next_timeout(e->object) == deadline);
}

static void pump(struct net *net, int host)
{
    struct ln_endpoint *e = &net->hosts[host].endpoint;
    static uint8_t buffer[65536];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    struct ln_request request;
    bool again = true;

    for (unsigned round = 0; again; round++) {
        CHECK(round < STANDSTILL);
        again = false;
        while (e->ops->poll_transmit(e->object, net->now, &out) > 0) {
            transmit(net, host, &out);
            again = true;
        }
        while (e->ops->poll_request(e->object, &request) > 0) {
            serve(net, host, &request);
            again = true;
        }
        again |= net_streams_tell(net, host);
    }
    if (!net->lenient)
        check_idle(net, e);
}

/* Sets each host's timer to its deadline, if that moved. */
static void set_timers(struct net *net)
{
    for (size_t i = 0; i < net->host_count; i++) {
        struct net_host *h = &net->hosts[i];
        ln_time deadline = h->endpoint.ops->next_timeout(h->endpoint.object);

        if (h->stopped)
            deadline = LN_TIME_NEVER;
        if (deadline == h->wake_deadline && deadline != LN_TIME_IMMEDIATE)
            continue;
        h->wake_deadline = deadline;
        h->wake = deadline == LN_TIME_NEVER ? LN_TIME_NEVER : ln_time_max(deadline, net->now);
        if (h->lateness > 0 && deadline > net->now && deadline != LN_TIME_NEVER)
            h->wake += (ln_duration)(ln_rng_unit(&net->chance) * (double)h->lateness);
    }
}

static void fire_timers(struct net *net)
{
    for (size_t i = 0; i < net->host_count; i++) {
        struct net_host *h = &net->hosts[i];
        struct ln_endpoint *e = &h->endpoint;

        if (h->stopped || h->wake == LN_TIME_NEVER || h->wake > net->now)
            continue;
        h->wake = h->wake_deadline = LN_TIME_NEVER;
        if (!ln_time_due(e->ops->next_timeout(e->object), net->now))
            continue;
        e->ops->on_timeout(e->object, net->now);
        CHECK(e->ops->next_timeout(e->object) > net->now);
    }
}

static ln_time next_moment(const struct net *net)
{
    struct ln_heap_node *first = ln_heap_first(&net->heap);
    ln_time next = first ? first->time : LN_TIME_NEVER;

    if (net->next_action)
        next = ln_time_min(next, net->next_action(net->context));
    for (size_t i = 0; i < net->host_count; i++)
        if (!net->hosts[i].stopped)
            next = ln_time_min(next, net->hosts[i].wake);
    return next;
}

bool net_run(struct net *net, ln_time deadline, bool (*stop)(void *context))
{
    ln_time before = net->now;
    unsigned standstill = 0;

    for (;;) {
        ln_time next;

        net->steps++;
        for (size_t i = 0; i < net->host_count; i++)
            if (!net->hosts[i].stopped)
                pump(net, (int)i);
        if (net->turn)
            net->turn(net->context);
        if (stop && stop(net->context))
            return true;
        set_timers(net);
        next = next_moment(net);
        if (next > deadline) {
            net->now = ln_time_max(net->now, deadline);
            if (net->set_clock)
                net->set_clock(net->now);
            return false;
        }
        net->now = ln_time_max(net->now, next);
        standstill = net->now == before ? standstill + 1 : 0;
        CHECK(standstill < STANDSTILL);
        before = net->now;
        if (net->set_clock)
            net->set_clock(net->now);
        deliver_due(net);
        fire_timers(net);
    }
}
