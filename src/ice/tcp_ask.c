/* SPDX-License-Identifier: Apache-2.0
 * Server-reflexive TCP candidates (RFC 6544, 5.2; RFC 8445, 5.1.1.2): each base that listens opens
 * a stream from its own port to a STUN server and asks how it is seen. A TURN server over streams
 * answers as well; `stun:` means UDP and TCP (RFC 7064, 3.2).
 *
 * The stream stays open until a pair is selected (RFC 6544, 4.1), and with it the NAT's mapping: it
 * takes no messages for that, for NATs keep one of a connection that stands for two hours (RFC
 * 5382, 5). Servers do not: one that ends the stream is asked anew, from the same port.
 *
 * A base asks few servers, and another when one has failed. Nobody waits for it beyond the grace of
 * gathering, or half a second where UDP was answered, and only a server that was asked for streams
 * alone (`stuns:`) has an error told. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

/* --- beginning and end --------------------------------------------------------------------- */

static void discard(struct ln_ice *ice, struct ln_ice_tcp_ask *ask)
{
    ln_ice_way_end(ice, &ask->way);
    ln_free(ice->env->allocator, ask);
}

static void remove_ask(struct ln_ice *ice, size_t i)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    discard(ice, tcp->asks[i]);
    tcp->asks[i] = tcp->asks[--tcp->ask_count];
}

void ln_ice_tcp_free_asks(struct ln_ice *ice)
{
    while (ice->tcp->ask_count > 0)
        remove_ask(ice, ice->tcp->ask_count - 1);
}

/* Nothing of it runs any more. */
static void hang_up(struct ln_ice *ice, struct ln_ice_tcp_ask *ask)
{
    ask->give_up_at = ask->again_at = LN_TIME_NEVER;
    ln_stun_transaction_cancel(&ask->transaction);
    ln_ice_tcp_close_way(ice, &ask->way);
    ln_ice_way_end(ice, &ask->way);
}

static void stop(struct ln_ice *ice, struct ln_ice_tcp_ask *ask)
{
    hang_up(ice, ask);
    ask->done = true;
}

void ln_ice_tcp_end_asks(struct ln_ice *ice, const struct ln_ice_tcp_base *base)
{
    for (size_t i = ice->tcp->ask_count; i-- > 0;)
        if (ice->tcp->asks[i]->base == base->link) {
            hang_up(ice, ice->tcp->asks[i]);
            remove_ask(ice, i);
        }
}

static void ask_failed(struct ln_ice *ice, struct ln_ice_tcp_ask *ask, uint16_t code,
                       enum ln_ice_error_text text)
{
    const struct ln_ice_server_entry *server = ask->way.to;

    if (!ask->done && !server->relays && server->transport != LN_ICE_OVER_UDP)
        ln_ice_push_error(ice, ask->server, &ask->way.base, code, (uint8_t)text);
    stop(ice, ask);
    ask->failed = true;
    ice->wake = true;
}

/* The server has ended it, or was never there. */
static void lost(struct ln_ice *ice, struct ln_ice_tcp_ask *ask, enum ln_ice_error_text text)
{
    if (!ask->mapped || ask->generation->selected || ask->again == LN_ICE_TCP_AGAIN_MAX) {
        ask_failed(ice, ask, 701, text);
        return;
    }
    hang_up(ice, ask);
    ask->again_at = ask->opened_at + LN_ICE_KEEPALIVE;
    ice->wake = true; /* it may be due */
}

/* --- whom to ask --------------------------------------------------------------------------- */

/* How the server is asked for TCP's sake; false: it is not. */
static bool asked_over(const struct ln_ice_server_entry *server, uint8_t *ret_over)
{
    *ret_over = server->transport;
    if (server->transport == LN_ICE_OVER_UDP && !server->relays)
        *ret_over = LN_ICE_OVER_TCP;
    return server->state == LN_ICE_SERVER_READY && !server->proxied &&
           (*ret_over == LN_ICE_OVER_TCP || *ret_over == LN_ICE_OVER_TLS);
}

static void add_ask(struct ln_ice *ice, const struct ln_ice_tcp_base *base, uint8_t index,
                    const struct ln_address *to, ln_time now)
{
    struct ln_ice_tcp_ask *ask = ln_alloc_zero(ice->env->allocator, sizeof *ask);

    if (!ask)
        return;
    ask->way.to = &base->generation->servers->entries[index];
    (void)asked_over(ask->way.to, &ask->way.over);
    ask->way.base = base->address;
    ask->way.from_port = true;
    ask->way.server = *to;
    ask->generation = base->generation;
    ask->base = base->link;
    ask->server = index;
    ask->opened_at = now;
    ask->give_up_at = now + LN_ICE_WAY_DEADLINE;
    ask->again_at = LN_TIME_NEVER;
    if (ln_ice_way_begin(ice, &ask->way, now) != 0) {
        discard(ice, ask);
        return;
    }
    ice->tcp->asks[ice->tcp->ask_count++] = ask;
}

/* How many servers the base has asked that have not failed, and whether this one is among all. */
static size_t asked(const struct ln_ice *ice, const struct ln_ice_tcp_base *base, size_t server,
                    bool *ret_this)
{
    size_t count = 0;

    *ret_this = false;
    for (size_t i = 0; i < ice->tcp->ask_count; i++)
        if (ice->tcp->asks[i]->base == base->link) {
            *ret_this = *ret_this || ice->tcp->asks[i]->server == server;
            count += !ice->tcp->asks[i]->failed;
        }
    return count;
}

static void ask_from(struct ln_ice *ice, const struct ln_ice_tcp_base *base, ln_time now)
{
    const struct ln_ice_servers *set = ice->current->servers;
    uint8_t over;
    bool already;

    for (size_t s = 0; s < set->count; s++)
        for (size_t a = 0; asked_over(&set->entries[s], &over) && a < set->entries[s].address_count;
             a++) {
            const struct ln_address *to = &set->entries[s].addresses[a];

            if (to->family == base->address.family &&
                ln_address_is_loopback(to) == ln_address_is_loopback(&base->address) &&
                asked(ice, base, s, &already) < LN_ICE_TCP_SERVERS_MAX && !already &&
                ice->tcp->ask_count < LN_ICE_TCP_ASKS_MAX)
                add_ask(ice, base, (uint8_t)s, to, now);
        }
}

void ln_ice_tcp_want_asks(struct ln_ice *ice, ln_time now)
{
    for (size_t i = 0; ice->tcp && !ice->shares_port && i < LN_ICE_TCP_BASES_MAX; i++) {
        const struct ln_ice_tcp_base *base = &ice->tcp->bases[i];

        if (base->state == LN_ICE_TCP_BASE_OPEN && base->listener != 0 &&
            base->generation == ice->current)
            ask_from(ice, base, now);
    }
}

bool ln_ice_tcp_asks_settled(const struct ln_ice *ice)
{
    for (size_t i = 0; ice->tcp && i < ice->tcp->ask_count; i++)
        if (ice->tcp->asks[i]->generation == ice->current && !ice->tcp->asks[i]->done)
            return false;
    return true;
}

/* --- what is answered ---------------------------------------------------------------------- */

/* An active candidate is seen under the same address, from ports that nobody knows yet: for
 * permissions at relays (RFC 6544, 5.2). */
static void add_active(struct ln_ice *ice, const struct ln_ice_tcp_ask *ask,
                       const struct ln_address *mapped)
{
    struct ln_address nowhere = *mapped;

    nowhere.port = LN_ICE_TCP_ACTIVE_PORT;
    for (size_t i = 0; i < LN_ICE_TCP_BASES_MAX; i++) {
        const struct ln_ice_tcp_base *base = &ice->tcp->bases[i];
        struct ln_ice_local *host;

        if (base->state != LN_ICE_TCP_BASE_OPEN || base->generation != ask->generation ||
            base->tcp_type != LN_CANDIDATE_TCP_ACTIVE ||
            !ln_address_equal_ip(&base->address, &ask->way.base))
            continue;
        host = ln_ice_find_host(ice->current, base->link);
        if (host)
            (void)ln_ice_add_server_reflexive(ice, host, ask->server, &nowhere);
    }
}

static bool believable(const struct ln_address *mapped, const struct ln_address *base)
{
    return mapped->family == base->family && mapped->port != 0 &&
           !ln_address_is_unspecified(mapped) && !ln_address_is_multicast(mapped) &&
           !ln_address_is_broadcast(mapped) &&
           ln_address_is_loopback(mapped) == ln_address_is_loopback(base);
}

static void answered(struct ln_ice *ice, struct ln_ice_tcp_ask *ask,
                     const struct ln_stun_message *message)
{
    struct ln_ice_local *host = ln_ice_find_host(ice->current, ask->base);
    struct ln_address mapped;
    struct ln_bytes reason;
    uint16_t code;

    if (message->kind == LN_STUN_ERROR) {
        ask_failed(ice, ask, ln_stun_find_error(message, &code, &reason) ? code : 500,
                   LN_ICE_TEXT_REFUSED);
        return;
    }
    if (!ln_stun_find_mapped(message, &mapped) || !believable(&mapped, &ask->way.base)) {
        ask_failed(ice, ask, 701, LN_ICE_TEXT_NONSENSE);
        return;
    }
    ask->give_up_at = LN_TIME_NEVER;
    if (ln_ice_is_gathering(ice->current) && host &&
        ln_ice_add_server_reflexive(ice, host, ask->server, &mapped)) {
        ask->mapped = true;
        add_active(ice, ask, &mapped);
    }
    if (!ask->mapped) /* no NAT, another server said the same, or it is too late to be told */
        stop(ice, ask);
    ask->done = true;
}

static struct ln_ice_tcp_ask *ask_of(const struct ln_ice *ice, ln_link link)
{
    for (size_t i = 0; i < ice->tcp->ask_count; i++)
        if (ice->tcp->asks[i]->way.stream == LN_ICE_STREAM_OPEN &&
            ice->tcp->asks[i]->way.link == link)
            return ice->tcp->asks[i];
    return NULL;
}

bool ln_ice_tcp_asks_unwrap(struct ln_ice *ice, ln_time now, const struct ln_packet *packet)
{
    struct ln_ice_tcp_ask *ask = ice->tcp ? ask_of(ice, packet->path.link) : NULL;
    struct ln_stun_message message;
    struct ln_bytes bytes;
    int result = 0;

    if (!ask)
        return false;
    ask->way.rest = (struct ln_bytes){ packet->data, packet->len };
    while (ask->way.stream == LN_ICE_STREAM_OPEN &&
           (result = ln_ice_way_next(&ask->way, now, &bytes)) == 1)
        if (ln_stun_parse(bytes.data, bytes.len, &message) != 0 ||
            message.method != LN_STUN_BINDING || message.kind == LN_STUN_REQUEST)
            ln_ice_drop(ice, LN_ICE_DROP_MALFORMED, 0);
        else if (!ln_stun_transaction_answer(&ask->transaction, &message.id, now, NULL))
            ln_ice_drop(ice, LN_ICE_DROP_NO_TRANSACTION, 0);
        else
            answered(ice, ask, &message);
    ask->way.rest.len = ask->way.plain_rest.len = 0;
    if (result < 0)
        ask_failed(ice, ask, 701, LN_ICE_TEXT_NONSENSE);
    ln_ice_run(ice, now);
    return true;
}

/* --- the driver ---------------------------------------------------------------------------- */

int ln_ice_tcp_asks_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    for (size_t i = 0; i < ice->tcp->ask_count; i++)
        if (ln_ice_way_poll_request(ice, &ice->tcp->asks[i]->way, ret_request))
            return 1;
    return 0;
}

bool ln_ice_tcp_asks_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    for (size_t i = 0; i < ice->tcp->ask_count; i++) {
        struct ln_ice_tcp_ask *ask = ice->tcp->asks[i];
        enum ln_ice_way_news news = ln_ice_way_answer(&ask->way, now, answer);

        if (news == LN_ICE_WAY_NOT_MINE)
            continue;
        if (news == LN_ICE_WAY_LOST)
            lost(ice, ask, LN_ICE_TEXT_UNREACHABLE);
        return true;
    }
    return false;
}

static int write_request(struct ln_ice *ice, void *owner, ln_time now, uint8_t *data, size_t cap)
{
    struct ln_ice_tcp_ask *ask = owner;
    struct ln_stun_builder b;

    (void)ice;
    if (!ln_stun_transaction_take(&ask->transaction, now))
        return 0;
    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &ask->transaction.id);
    ln_stun_add_fingerprint(&b);
    return ln_stun_finish(&b);
}

int ln_ice_tcp_asks_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    for (size_t i = 0; ice->tcp && i < ice->tcp->ask_count; i++) {
        struct ln_ice_tcp_ask *ask = ice->tcp->asks[i];

        if (ln_ice_way_transmit(ice, &ask->way, now, write_request, ask, out) > 0)
            return 1;
    }
    return 0;
}

/* --- time ---------------------------------------------------------------------------------- */

static void ask_again(struct ln_ice *ice, struct ln_ice_tcp_ask *ask, ln_time now)
{
    ask->again++;
    ask->again_at = LN_TIME_NEVER;
    ask->opened_at = now;
    ask->give_up_at = now + LN_ICE_WAY_DEADLINE;
    if (ln_ice_way_begin(ice, &ask->way, now) != 0)
        stop(ice, ask);
}

static void run_ask(struct ln_ice *ice, struct ln_ice_tcp_ask *ask, ln_time now)
{
    struct ln_stun_timing once = { LN_STUN_TI_TCP, 1, 1, 0 };

    if (ask->done && ask->way.stream == LN_ICE_STREAM_NONE && ask->again_at == LN_TIME_NEVER)
        return;
    if (ask->generation != ice->current || ask->generation->selected)
        stop(ice, ask);
    else if (ln_ice_way_run(&ask->way, now) != 0)
        lost(ice, ask, LN_ICE_TEXT_SECURE);
    else if (ln_time_due(ask->give_up_at, now))
        ask_failed(ice, ask, 701, LN_ICE_TEXT_TIMEOUT);
    else if (ln_time_due(ask->again_at, now))
        ask_again(ice, ask, now);
    else if (ln_ice_way_ready(&ask->way) && ask->transaction.state == LN_STUN_IDLE)
        ln_stun_transaction_begin(&ask->transaction, once, ice->env->rng, now);
}

void ln_ice_tcp_asks_run(struct ln_ice *ice, ln_time now)
{
    for (size_t i = 0; i < ice->tcp->ask_count; i++)
        run_ask(ice, ice->tcp->asks[i], now);
}

ln_time ln_ice_tcp_asks_next_timeout(const struct ln_ice *ice)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < ice->tcp->ask_count; i++) {
        const struct ln_ice_tcp_ask *ask = ice->tcp->asks[i];

        next = ln_time_min(next, ln_time_min(ask->give_up_at, ask->again_at));
        if (ask->way.stream == LN_ICE_STREAM_OPEN)
            next = ln_time_min(next, ln_ice_way_next_timeout(&ask->way));
    }
    return next;
}
