/* SPDX-License-Identifier: Apache-2.0
 * Streams on the network of net.h, as an application feels TCP (RFC 9293): segments that lines lose
 * are sent anew after a time-out that doubles (RFC 6298), the amount in flight begins with ten
 * segments, doubles and halves (RFC 5681, 6928), what comes early waits. The sender hears of what
 * was read; nothing else is acknowledged.
 *
 * A segment is a packet whose `end` sent it; NET_ACK and NET_RST are what comes back, their `end`
 * is whom they are for. The driver is told of everything in net_streams_tell(), so never from
 * within a call, and not while its host hangs.
 *
 * Invariants: seq of what is in flight is below next_seq, that of `early` above expected; an end
 * that is over sends and takes nothing more. */
#include "base/address.h"
#include "tests/sim/net_internal.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#include <stdlib.h>

#define SEGMENT      1400u
#define TCP_OVERHEAD 12u /* beyond what through_line adds */
#define FIRST_WINDOW (10.0 * SEGMENT)
#define LEAST_WINDOW (2.0 * SEGMENT)
#define FLIGHT_MAX   (256u * 1024)  /* what a receiver holds that does not read */
#define QUEUE_MAX    (1024u * 1024) /* as io/loop.h has it */
#define PIECE_MAX    16384u
#define SYN_AGAIN    LN_SECONDS(1)
#define DATA_AGAIN   LN_MILLISECONDS(200)
#define SYN_TRIES    5u /* 31 s */
#define DATA_TRIES   8u /* 51 s */

/* ---- ends ---- */

static struct net_end *new_end(struct net *net, int host, uint32_t request)
{
    struct net_end *e = &net->ends[net->end_count];

    if (net->end_count == NET_ENDS)
        return NULL;
    net->end_count++;
    memset(e, 0, sizeof *e);
    e->host = host;
    e->request = request;
    e->window = FIRST_WINDOW;
    e->slow_start = true;
    e->read_window = SIZE_MAX;
    return e;
}

static struct net_end *end_of(struct net *net, ln_link link)
{
    const struct net_link *l = &net->links[link - 1];

    CHECK(link > 0 && link <= net->link_count);
    return l->kind == NET_STREAM ? &net->ends[l->end] : NULL;
}

static size_t number_of(const struct net *net, const struct net_end *e)
{
    return (size_t)(e - net->ends) + 1;
}

static struct net_end *peer_of(struct net *net, const struct net_end *e)
{
    return e->peer > 0 ? &net->ends[e->peer - 1] : NULL;
}

static void let_go(struct net *net, struct net_end *e)
{
    while (e->early) {
        struct net_packet *p = e->early;

        e->early = p->next;
        net_give_back(net, p);
    }
    free(e->out);
    free(e->in);
    e->out = e->in = NULL;
    e->out_len = e->out_cap = e->in_len = e->in_cap = 0;
}

static void over(struct net *net, struct net_end *e, int error)
{
    if (e->state == NET_END_OVER)
        return;
    e->state = NET_END_OVER;
    e->is_over = true;
    e->error = error;
    let_go(net, e);
}

static void append(uint8_t **data, size_t *len, size_t *cap, const uint8_t *more, size_t more_len)
{
    if (*len + more_len > *cap) {
        *cap = 2 * (*len + more_len);
        *data = realloc(*data, *cap);
        CHECK(*data != NULL);
    }
    if (more_len > 0)
        memcpy(*data + *len, more, more_len);
    *len += more_len;
}

static void remove_first(uint8_t *data, size_t *len, size_t count)
{
    memmove(data, data + count, *len - count);
    *len -= count;
}

static bool open_end(struct net *net, struct net_end *e)
{
    struct net_link *link = net_new_link(net, e->host, NET_STREAM, &e->local);

    if (!link)
        return false;
    link->end = number_of(net, e) - 1;
    e->link = (ln_link)net->link_count;
    e->state = NET_END_OPEN;
    return true;
}

/* ---- the way of a segment ---- */

/* An acknowledgement or a reset: takes its time, and arrives. */
static void come_back(struct net *net, int from_host, const struct net_end *to,
                      enum net_segment segment, size_t bytes)
{
    struct net_packet *p = net_new_packet(net);

    p->end = number_of(net, to);
    p->segment = segment;
    p->seq = bytes;
    net_schedule(net, p,
                 net->now + net->hosts[from_host].up.delay + net->hosts[to->host].down.delay);
}

/* It was lost: again later, or the stream is given up. */
static void lose(struct net *net, struct net_end *e, struct net_packet *p)
{
    bool begins = p->segment == NET_SYN || p->segment == NET_SYN_ACK;
    ln_duration wait = (begins ? SYN_AGAIN : DATA_AGAIN) << p->tries;

    if (e->state == NET_END_OVER || p->tries == (begins ? SYN_TRIES : DATA_TRIES)) {
        net_give_back(net, p);
        over(net, e, LN_ERR_TIMEOUT);
        return;
    }
    if (!begins) {
        e->slow_start = false;
        e->window = e->window / 2 > LEAST_WINDOW ? e->window / 2 : LEAST_WINDOW;
    }
    p->tries++;
    p->again = true;
    net_schedule(net, p, net->now + wait);
}

static void leave(struct net *net, struct net_end *e, struct net_packet *p)
{
    struct net_host *h = &net->hosts[e->host];
    ln_time at;

    p->again = false;
    net_count_sent(net, p->data, p->len);
    if (e->lost || (p->len > 0 && net->drop && net->drop(net->context, e->host, p->data, p->len)))
        at = LN_TIME_NEVER;
    else
        at = net_through_line(net, &h->up, &h->up_state, &h->up_figures, p->len + TCP_OVERHEAD);
    p->from_host = e->host;
    p->from = e->local;
    p->to = e->remote;
    p->realm = h->nat.present ? 0 : h->realm;
    if (at != LN_TIME_NEVER && h->nat.present &&
        !net_translate_out(net, e->host, true, &e->local, &e->remote, &p->from))
        at = LN_TIME_NEVER;
    if (at == LN_TIME_NEVER) {
        lose(net, e, p);
        return;
    }
    if (p->segment == NET_SYN)
        e->outside = p->from;
    if (!ln_address_equal(&e->outside, &p->from)) { /* the NAT forgot it: to the peer a stranger */
        net_give_back(net, p);
        over(net, e, LN_ERR_RESET);
        return;
    }
    p->at_core = true;
    net_schedule(net, p, at);
}

static void send_segment(struct net *net, struct net_end *e, enum net_segment segment, size_t len)
{
    struct net_packet *p = net_new_packet(net);

    p->end = number_of(net, e);
    p->segment = segment;
    p->seq = e->next_seq;
    p->len = len;
    if (len > 0) {
        memcpy(p->data, e->out, len);
        remove_first(e->out, &e->out_len, len);
    }
    e->flight += len;
    e->next_seq += segment == NET_FIN ? 1 : len;
    leave(net, e, p);
}

/* What may go, goes. */
static void push(struct net *net, struct net_end *e)
{
    while (e->state == NET_END_OPEN && e->out_len > 0 && (double)e->flight < e->window &&
           e->flight < FLIGHT_MAX)
        send_segment(net, e, NET_DATA, e->out_len < SEGMENT ? e->out_len : SEGMENT);
    if (e->state == NET_END_OPEN && e->closing && !e->fin_sent && e->out_len == 0) {
        e->fin_sent = true;
        send_segment(net, e, NET_FIN, 0);
    }
}

/* ---- at the core ---- */

static bool has_address(const struct net_host *h, const struct ln_address *address)
{
    for (size_t i = 0; i < h->interface_count; i++)
        if (ln_address_equal_ip(&h->interfaces[i].address, address))
            return true;
    return false;
}

/* The host that the segment reaches, and `to` as that host means it. */
static bool route(struct net *net, const struct net_end *e, struct net_packet *p,
                  struct ln_address *ret_inside)
{
    const struct net_end *peer = peer_of(net, e);

    for (int h = 0; h < (int)net->host_count; h++) {
        if ((peer && peer->host != h) ||
            !net_translate_in(net, h, true, p->from_host, p->realm, &p->from, &p->to, ret_inside) ||
            !has_address(&net->hosts[h], ret_inside))
            continue;
        p->host = h;
        return !peer || (!peer->lost && ln_address_equal(&peer->local, ret_inside));
    }
    return false;
}

static void cross(struct net *net, struct net_end *e, struct net_packet *p)
{
    struct ln_address inside;
    struct net_host *h;
    ln_time at = LN_TIME_NEVER;

    if (route(net, e, p, &inside)) {
        h = &net->hosts[p->host];
        at = net_through_line(net, &h->down, &h->down_state, &h->down_figures,
                              p->len + TCP_OVERHEAD);
    }
    if (at == LN_TIME_NEVER) {
        lose(net, e, p);
        return;
    }
    p->at_core = false;
    net_schedule(net, p, at);
}

/* ---- arriving ---- */

static struct net_end *find_connecting(struct net *net, int host, const struct ln_address *local,
                                       const struct ln_address *remote)
{
    for (size_t i = 0; i < net->end_count; i++) {
        struct net_end *e = &net->ends[i];

        if (e->state == NET_END_CONNECTING && e->host == host &&
            ln_address_equal(&e->local, local) && ln_address_equal(&e->remote, remote))
            return e;
    }
    return NULL;
}

static const struct net_link *find_listener(const struct net *net, int host,
                                            const struct ln_address *local)
{
    for (size_t i = 0; i < net->link_count; i++)
        if (net->links[i].open && net->links[i].kind == NET_LISTENER &&
            net->links[i].host == host && ln_address_equal(&net->links[i].local, local))
            return &net->links[i];
    return NULL;
}

/* The end that takes the connect: one that connects to the other at the same time (RFC 9293, 3.5),
 * or a listener's new one. */
static struct net_end *accept_end(struct net *net, const struct net_packet *p,
                                  const struct ln_address *local)
{
    struct net_end *e = find_connecting(net, p->host, local, &p->from);
    const struct net_link *listener = e ? NULL : find_listener(net, p->host, local);
    struct ln_address outside;

    if (listener && (e = new_end(net, p->host, listener->request)) != NULL) {
        e->local = *local;
        e->remote = p->from;
        e->accepted = true;
    }
    if (!e || !open_end(net, e)) {
        if (e)
            over(net, e, LN_ERR_LIMIT);
        return NULL;
    }
    e->outside = *local;
    if (net->hosts[p->host].nat.present &&
        net_translate_out(net, p->host, true, local, &p->from, &outside)) /* the NAT remembers it */
        e->outside = outside;
    return e;
}

static void arrive_syn(struct net *net, struct net_end *from, struct net_packet *p)
{
    struct ln_address local;
    struct net_end *e = NULL;

    if (from->state != NET_END_CONNECTING)
        return; /* taken back, or it has met the other's */
    if (route(net, from, p, &local))
        e = accept_end(net, p, &local);
    if (!e) {
        come_back(net, p->host, from, NET_RST, 0);
        return;
    }
    e->peer = number_of(net, from);
    from->peer = number_of(net, e);
    send_segment(net, e, NET_SYN_ACK, 0);
}

static void take_in_order(struct net_end *e, const struct net_packet *p)
{
    if (p->segment == NET_FIN)
        e->fin_seen = true;
    append(&e->in, &e->in_len, &e->in_cap, p->data, p->len);
    e->expected += p->segment == NET_FIN ? 1 : p->len;
}

/* Keeps it if it is early. */
static bool arrive_data(struct net *net, struct net_end *e, struct net_packet *p)
{
    struct net_packet **at = &e->early;

    if (p->seq != e->expected) {
        while (*at && (*at)->seq < p->seq)
            at = &(*at)->next;
        p->next = *at;
        *at = p;
        return true;
    }
    take_in_order(e, p);
    while (e->early && e->early->seq == e->expected) {
        struct net_packet *next = e->early;

        e->early = next->next;
        take_in_order(e, next);
        net_give_back(net, next);
    }
    return false;
}

static void arrive(struct net *net, struct net_end *from, struct net_packet *p)
{
    struct net_end *e = peer_of(net, from);
    bool kept = false;

    if (!e || p->segment == NET_SYN) {
        arrive_syn(net, from, p);
    } else if (e->state == NET_END_OVER || e->closing) {
        if (p->segment != NET_FIN && (e->state == NET_END_OVER || e->fin_sent))
            come_back(net, e->host, from, NET_RST, 0);
    } else if (p->segment == NET_SYN_ACK) {
        if (e->state == NET_END_CONNECTING && !open_end(net, e))
            over(net, e, LN_ERR_LIMIT);
    } else {
        kept = arrive_data(net, e, p);
    }
    if (e && e->fin_seen && from->state == NET_END_OPEN) {
        from->state = NET_END_OVER; /* all of it is there */
        let_go(net, from);
    }
    if (!kept)
        net_give_back(net, p);
}

/* What has come back. */
static void hear(struct net *net, struct net_end *e, const struct net_packet *p)
{
    if (p->segment == NET_RST) {
        over(net, e, e->state == NET_END_CONNECTING ? LN_ERR_REFUSED : LN_ERR_RESET);
        return;
    }
    e->flight -= p->seq;
    if (e->slow_start)
        e->window += (double)p->seq;
    else
        e->window += SEGMENT * (double)p->seq / e->window;
    if (e->window > FLIGHT_MAX)
        e->window = FLIGHT_MAX;
    push(net, e);
}

void net_segment_due(struct net *net, struct net_packet *p)
{
    struct net_end *e = &net->ends[p->end - 1];

    if (p->segment == NET_ACK || p->segment == NET_RST) {
        hear(net, e, p);
        net_give_back(net, p);
    } else if (p->again && e->state == NET_END_OVER) {
        net_give_back(net, p);
    } else if (p->again) {
        leave(net, e, p);
    } else if (p->at_core) {
        cross(net, e, p);
    } else {
        arrive(net, e, p);
    }
}

/* ---- what endpoints ask for ---- */

void net_stream_open(struct net *net, int host, const struct ln_request *request)
{
    struct net_end *e = new_end(net, host, request->id);

    if (!e) {
        net_fail_request(net, host, request->id, LN_ERR_LIMIT);
        return;
    }
    e->local = request->local;
    if (e->local.family == LN_FAMILY_NONE && net->hosts[host].interface_count > 0) {
        e->local = net->hosts[host].interfaces[0].address;
        e->local.port = request->local.port;
    }
    if (e->local.port == 0)
        e->local.port = net->next_port++;
    e->remote = request->remote;
    send_segment(net, e, NET_SYN, 0);
}

void net_stream_listen(struct net *net, int host, const struct ln_request *request)
{
    struct net_link *link = net_new_link(net, host, NET_LISTENER, &request->local);

    if (!link) {
        net_fail_request(net, host, request->id, LN_ERR_LIMIT);
        return;
    }
    link->request = request->id;
    net_answer(net, host,
               &(struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                    .id = request->id,
                                    .link = (ln_link)net->link_count,
                                    .local = link->local });
}

void net_stream_window(struct net *net, const struct ln_request *request)
{
    struct net_end *e = end_of(net, request->link);

    CHECK(e != NULL);
    e->read_window = request->bytes;
}

void net_stream_close(struct net *net, ln_link link)
{
    struct net_end *e = end_of(net, link);

    e->closing = true;
    push(net, e);
}

void net_stream_cancel(struct net *net, int host, uint32_t id)
{
    for (size_t i = 0; i < net->end_count; i++) {
        struct net_end *e = &net->ends[i];

        if (e->host != host || e->request != id || e->told_open)
            continue;
        e->told_open = true;
        if (e->state == NET_END_OPEN)
            net_stream_close(net, e->link);
        else
            over(net, e, LN_ERR_ABORT);
        e->is_over = false;
    }
}

void net_stream_transmit(struct net *net, const struct ln_transmit *out)
{
    struct net_end *e = end_of(net, out->path.link);
    bool open = e->state == NET_END_OPEN && net->links[out->path.link - 1].open;

    if (open && e->out_len + out->len > QUEUE_MAX) {
        over(net, e, LN_ERR_LIMIT);
        open = false;
    }
    for (size_t i = 0; i < out->slice_count; i++) {
        if (open)
            append(&e->out, &e->out_len, &e->out_cap, out->slices[i].base, out->slices[i].len);
        ln_buffer_unref(out->slices[i].buffer);
    }
    if (!open)
        return;
    if (out->slice_count == 0)
        append(&e->out, &e->out_len, &e->out_cap, out->data, out->len);
    e->taken += out->len;
    push(net, e);
}

/* ---- what endpoints are told ---- */

static void tell_open(struct net *net, struct net_end *e)
{
    e->told_open = true;
    net_answer(net, e->host,
               &(struct ln_answer){ .kind = LN_ANSWER_OPENED,
                                    .id = e->request,
                                    .link = e->link,
                                    .local = e->local,
                                    .remote = e->remote,
                                    .path = { e->link, e->local, e->remote },
                                    .bytes = QUEUE_MAX });
}

static void tell_over(struct net *net, struct net_end *e)
{
    struct ln_answer a = { .kind = e->told_open ? LN_ANSWER_CLOSED : LN_ANSWER_FAILED,
                           .id = e->request,
                           .link = e->told_open ? e->link : 0,
                           .local = e->local,
                           .remote = e->remote,
                           .error = e->error };
    bool silent = !e->told_open && e->accepted; /* nobody has heard of it */

    e->is_over = false;
    e->told_open = e->closing = true;
    if (e->link)
        net->links[e->link - 1].open = false;
    if (!silent)
        net_answer(net, e->host, &a);
}

static void hand_up(struct net *net, struct net_end *e)
{
    struct ln_endpoint *endpoint = &net->hosts[e->host].endpoint;
    size_t len = e->in_len < PIECE_MAX ? e->in_len : PIECE_MAX;
    struct ln_packet packet = { .path = { e->link, e->local, e->remote } };
    uint8_t *piece; /* of the exact size, so that a sanitizer sees a read past the end */

    len = len < e->read_window ? len : e->read_window;
    piece = malloc(len);
    CHECK(piece != NULL);
    memcpy(piece, e->in, len);
    remove_first(e->in, &e->in_len, len);
    if (e->read_window != SIZE_MAX)
        e->read_window -= len;
    come_back(net, e->host, peer_of(net, e), NET_ACK, len);
    if (net->tell)
        net->tell(net->context, e->host, piece, len);
    packet.data = piece;
    packet.len = len;
    endpoint->ops->receive(endpoint->object, net->now, &packet);
    free(piece);
}

static void tell_room(struct net *net, struct net_end *e)
{
    e->taken = 0;
    net_answer(net, e->host,
               &(struct ln_answer){ .kind = LN_ANSWER_WRITABLE,
                                    .link = e->link,
                                    .path = { e->link, e->local, e->remote },
                                    .bytes = QUEUE_MAX - e->out_len });
}

/* One thing, if there is any. */
static bool tell_end(struct net *net, struct net_end *e)
{
    if (e->is_over && !e->closing) {
        tell_over(net, e);
    } else if (e->state != NET_END_OPEN || e->closing) {
        return false;
    } else if (!e->told_open) {
        tell_open(net, e);
    } else if (e->in_len > 0 && e->read_window > 0) {
        hand_up(net, e);
    } else if (e->fin_seen && e->in_len == 0 && e->read_window > 0) {
        over(net, e, 0);
    } else if (e->taken >= QUEUE_MAX / 2 && e->out_len <= QUEUE_MAX / 4) {
        tell_room(net, e);
    } else {
        return false;
    }
    return true;
}

bool net_streams_tell(struct net *net, int host)
{
    bool any = false;

    for (size_t i = 0; i < net->end_count; i++)
        while (net->ends[i].host == host && tell_end(net, &net->ends[i]))
            any = true;
    return any;
}

/* ---- ends of the world ---- */

void net_streams_lose(struct net *net, int host, const struct ln_address *local)
{
    for (size_t i = 0; i < net->end_count; i++)
        if (net->ends[i].host == host && ln_address_equal_ip(&net->ends[i].local, local))
            net->ends[i].lost = true;
}

void net_reset_streams(struct net *net, int host)
{
    for (size_t i = 0; i < net->end_count; i++) {
        struct net_end *e = &net->ends[i], *peer = peer_of(net, e);

        if (e->host != host || e->state != NET_END_OPEN)
            continue;
        over(net, e, LN_ERR_RESET);
        if (peer)
            over(net, peer, LN_ERR_RESET);
    }
}

void net_streams_deinit(struct net *net)
{
    for (size_t i = 0; i < net->end_count; i++)
        let_go(net, &net->ends[i]);
}
