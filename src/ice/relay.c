/* SPDX-License-Identifier: Apache-2.0
 * Relays: made, kept, given back (ice/relay.h). */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

static const struct ln_ice_server_entry *server_of(const struct ln_ice_relay *relay)
{
    return &relay->generation->servers->entries[relay->server_index];
}

struct ln_ice_relay *ln_ice_relay_find(const struct ln_ice *ice, ln_link link)
{
    size_t i, count = ln_ice_is_virtual(link) && !ln_ice_is_tcp(link) ? ice->relay_count : 0;

    for (i = 0; i < count; i++)
        if (ice->relays[i]->link == link)
            return ice->relays[i];
    return NULL;
}

bool ln_ice_relays_own(const struct ln_ice *ice, ln_link link)
{
    return ln_ice_relay_find(ice, link) != NULL;
}

/* --- making and ending --------------------------------------------------------------------- */

/* Of TCP one is enough, from wherever. */
static bool has_tcp_relay(const struct ln_ice *ice, size_t server)
{
    size_t i, count = 0;

    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && ice->relays[i]->streams) {
            if (ice->relays[i]->server_index == server)
                return true;
            count++;
        }
    return count >= LN_ICE_TCP_RELAYS_MAX;
}

static bool has_relay(const struct ln_ice *ice, const struct ln_address *base, size_t server)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        const struct ln_ice_relay *relay = ice->relays[i];

        if (relay->generation == ice->current && relay->server_index == server && !relay->streams &&
            (ln_address_equal(&relay->way.base, base) ||
             (relay->way.own && ln_address_equal_ip(&relay->way.base, base)))) /* it moved there */
            return true;
    }
    return false;
}

/* Relays spoken to by UDP before DTLS, TCP and TLS, each in the order of their sockets. What is
 * below 16384 is left to relayed candidates of TCP. */
static uint16_t relay_preference(uint16_t of_link, uint8_t transport)
{
    static const uint16_t steps[] = {
        [LN_ICE_OVER_UDP] = 3, [LN_ICE_OVER_DTLS] = 2, [LN_ICE_OVER_TCP] = 1, [LN_ICE_OVER_TLS] = 0
    };

    return (uint16_t)(16384u + steps[transport] * 12288u + of_link / 6u);
}

/* The server itself, as far as its address is known: with a proxy that of a redirection alone. */
static const struct ln_address *asked(const struct ln_ice_relay *relay)
{
    return relay->way.target.family != LN_FAMILY_NONE ? &relay->way.target : &relay->way.server;
}

/* A client for relay->way.server, started. */
static int begin(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    const struct ln_ice_server_entry *server = server_of(relay);
    struct ln_turn_client_config config = {
        .username = server->username,
        .password = server->password,
        .stream = relay->way.over == LN_ICE_OVER_TCP || relay->way.over == LN_ICE_OVER_TLS,
        .both_families = relay->way.base.family == LN_FAMILY_IPV6,
        .mobile = !server->immobile && !relay->streams,
        .connections = relay->streams,
        .allocate_rc = LN_ICE_RELAY_RC,
        .allocate_rm = LN_ICE_RELAY_RM,
        .rto = ice->config.rto
    };
    int error = ln_turn_client_create(&relay->turn, &config, ice->env);

    relay->tried[relay->redirects] = *asked(relay);
    relay->give_up_at = relay->way.over == LN_ICE_OVER_UDP && !relay->way.own
                            ? LN_TIME_NEVER
                            : now + LN_ICE_WAY_DEADLINE;
    relay->way.to = server;
    if (error) {
        relay->way.domain = NULL; /* borrowed from the model */
        return error;
    }
    return ln_ice_way_begin(ice, &relay->way, now);
}

static void discard(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    ln_ice_way_end(ice, &relay->way);
    ln_turn_client_free(relay->turn);
    ln_free(ice->env->allocator, relay);
}

/* A copy of the model, begun; false when out of memory or at the limit. */
bool ln_ice_relay_start(struct ln_ice *ice, const struct ln_ice_relay *model, ln_time now)
{
    struct ln_ice_relay *relay = NULL;

    if (ice->relay_count < LN_ICE_RELAYS_MAX)
        relay = ln_alloc_copy(ice->env->allocator, model, sizeof *model);
    if (!relay)
        return false;
    relay->link = LN_ICE_VIRTUAL_LINK | ++ice->last_virtual;
    relay->sent_at = now;
    relay->heard_at = LN_TIME_IMMEDIATE;
    relay->move_by = relay->retry_at = relay->doubted_at = LN_TIME_NEVER;
    if (begin(ice, relay, now) != 0) {
        discard(ice, relay);
        return false;
    }
    ice->relays[ice->relay_count++] = relay;
    ice->wake = true;
    return true;
}

static void add_relay(struct ln_ice *ice, const struct ln_ice_link *link, size_t server,
                      const struct ln_address *to, ln_time now)
{
    uint8_t over = ice->current->servers->entries[server].transport;
    struct ln_ice_relay model = {
        .generation = ice->current,
        .way = { .link = link->link, .over = over, .base = link->address, .server = *to },
        .server_index = (uint8_t)server,
        .interface = link->interface,
        .preference = relay_preference(link->preference, over)
    };

    if (has_relay(ice, &link->address, server) ||
        (!ice->current->servers->entries[server].proxied && /* a proxy may be on this machine */
         ln_address_is_loopback(to) != ln_address_is_loopback(&link->address)))
        return;
    if (over == LN_ICE_OVER_TCP || over == LN_ICE_OVER_TLS)
        model.way.link = 0; /* its stream is its own */
    (void)ln_ice_relay_start(ice, &model, now);
    if (!ice->tcp || model.way.link != 0 || !ln_ice_is_gathering(ice->current) ||
        has_tcp_relay(ice, server))
        return;
    model.streams = true;
    (void)ln_ice_relay_start(ice, &model, now);
}

void ln_ice_want_relays(struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i, s, a;

    for (i = 0; i < ice->link_count && set->relays; i++)
        for (s = 0; s < set->count; s++) {
            const struct ln_ice_server_entry *server = &set->entries[s];

            if (!ln_ice_relays_by(ice, &ice->links[i]) || !server->relays ||
                server->state != LN_ICE_SERVER_READY)
                continue;
            for (a = 0; a < server->address_count; a++)
                if (server->addresses[a].family == ice->links[i].address.family)
                    add_relay(ice, &ice->links[i], s, &server->addresses[a], now);
        }
}

void ln_ice_relay_free(struct ln_ice *ice, size_t i)
{
    if (ice->draining == ice->relays[i])
        ice->draining = NULL;
    discard(ice, ice->relays[i]);
    ice->relays[i] = ice->relays[--ice->relay_count];
}

void ln_ice_relays_free(struct ln_ice *ice)
{
    while (ice->relay_count > 0)
        ln_ice_relay_free(ice, ice->relay_count - 1);
}

void ln_ice_relay_release(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    ln_ice_tcp_end_relayed(ice, relay, LN_ICE_FAILURE_RELAY_GONE);
    relay->generation = NULL;
    relay->way.to = NULL;
    ln_ice_way_drop(&relay->way);
    ln_turn_client_close(relay->turn, ice->now);
}

void ln_ice_release_relays(struct ln_ice *ice, const struct ln_ice_generation *g)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->generation == g)
            ln_ice_relay_release(ice, ice->relays[i]);
}

bool ln_ice_relays_hold(const struct ln_ice *ice, ln_link via)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        if (!ice->relays[i]->generation && ice->relays[i]->way.link == via)
            return true;
    return false;
}

/* --- what became of it --------------------------------------------------------------------- */

static void fail_pairs(struct ln_ice *ice, const struct ln_ice_relay *relay)
{
    struct ln_ice_generation *generations[2] = { ice->current, ice->previous };
    size_t g, i;

    for (g = 0; g < 2; g++)
        for (i = 0; generations[g] && i < generations[g]->list.count; i++)
            if (generations[g]->list.pairs[i]->path.link == relay->link)
                ln_ice_pair_fail(ice, generations[g]->list.pairs[i], LN_ICE_FAILURE_RELAY_GONE);
}

static void carry_no_more(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    relay->done = relay->failed = true;
    ln_ice_way_drop(&relay->way);
    if (relay->way.stream == LN_ICE_STREAM_OPEN)
        relay->way.stream = LN_ICE_STREAM_CLOSING;
    fail_pairs(ice, relay);
    ln_ice_tcp_end_relayed(ice, relay, LN_ICE_FAILURE_RELAY_GONE);
    ice->wake = true;
}

void ln_ice_relay_failed(struct ln_ice *ice, struct ln_ice_relay *relay, uint16_t code,
                         unsigned text)
{
    bool hidden = ice->current->servers->policy == LN_ICE_TRANSPORT_POLICY_RELAY;

    text = ln_ice_way_text(&relay->way, text);
    if (!relay->done && relay->generation == ice->current && !relay->streams)
        ln_ice_push_error(ice, relay->server_index, hidden ? NULL : &relay->way.base, code,
                          (uint8_t)text);
    carry_no_more(ice, relay);
}

static void allocation_failed(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    uint16_t code = ln_turn_client_error_code(relay->turn);

    if ((code == 486 || code == 508) && !relay->done && relay->way.over == LN_ICE_OVER_UDP &&
        relay->generation == ice->current)
        ln_ice_probe_instead(ice, relay->way.link, relay->server_index, &relay->way.server);
    switch (code) {
    case LN_TURN_CLIENT_CODE_TIMEOUT:
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_TIMEOUT);
        break;
    case LN_TURN_CLIENT_CODE_NONSENSE:
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_NONSENSE);
        break;
    case 401:
    case 441:
        ln_ice_relay_failed(ice, relay, code, LN_ICE_TEXT_CREDENTIALS);
        break;
    case 486:
        ln_ice_relay_failed(ice, relay, code, LN_ICE_TEXT_QUOTA);
        break;
    case 508:
        ln_ice_relay_failed(ice, relay, code, LN_ICE_TEXT_CAPACITY);
        break;
    default:
        ln_ice_relay_failed(ice, relay, code, LN_ICE_TEXT_REFUSED);
    }
}

void ln_ice_relay_give_up(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_TIMEOUT);
}

/* A datagram now and then keeps the NATs before the server open; streams live longer than that. */
static ln_time keepalive_at(const struct ln_ice_relay *relay)
{
    return ln_turn_client_state(relay->turn) == LN_TURN_CLIENT_READY &&
                   !ln_ice_way_is_stream(&relay->way) && !relay->adrift
               ? relay->sent_at + LN_ICE_RELAY_KEEPALIVE
               : LN_TIME_NEVER;
}

static void became_ready(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    relay->done = true;
    relay->ready_at = now;
    if (ln_turn_client_immobile(relay->turn)) /* it is not asked again (RFC 8016, 3.1.4) */
        relay->generation->servers->entries[relay->server_index].immobile = true;
    if (relay->generation == ice->current && relay->streams)
        ln_ice_tcp_add_relayed(ice, relay);
    else if (relay->generation == ice->current)
        ln_ice_add_relayed(ice, relay);
    ice->permits_wanted = true;
}

/* Messages may be sent: the first Allocate is, or the one that moves the allocation here. */
static void way_is_open(struct ln_ice_relay *relay, ln_time now)
{
    ln_turn_client_start(relay->turn, now); /* once */
    if (relay->arriving) {
        relay->arriving = false;
        relay->move_by = LN_TIME_NEVER;
        (void)ln_turn_client_move(relay->turn, now);
    }
}

static void run_relay(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    if (!relay->generation || relay->failed)
        return;
    if (!relay->adrift && ln_ice_way_run(&relay->way, now) != 0 &&
        !ln_ice_relay_uproot(ice, relay, now)) {
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_SECURE);
        return;
    }
    if (!relay->adrift && ln_ice_way_ready(&relay->way))
        way_is_open(relay, now);
    ln_turn_client_on_timeout(relay->turn, now);
    if (!relay->done && now >= relay->give_up_at) {
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_TIMEOUT);
        return;
    }
    switch (ln_turn_client_state(relay->turn)) {
    case LN_TURN_CLIENT_READY:
        if (!relay->done)
            became_ready(ice, relay, now);
        if (relay->streams)
            ln_ice_tcp_relayed_attempts(ice, relay, now);
        ln_ice_relay_move_run(ice, relay, now);
        if (ln_time_due(keepalive_at(relay), now)) {
            relay->keepalive_due = true;
            relay->sent_at = now;
        }
        break;
    case LN_TURN_CLIENT_ALTERNATE:
        ln_ice_relay_redirect(ice, relay, now);
        break;
    case LN_TURN_CLIENT_FAILED:
        if (relay->done)
            ln_ice_relay_renew(ice, relay, now);
        else if (ln_turn_client_error_code(relay->turn) == 437 &&
                 ln_ice_relay_try_elsewhere(ice, relay, now))
            break;
        allocation_failed(ice, relay);
        break;
    default:
        break;
    }
}

/* New pairs ask for their permissions at once: it costs one round trip before the first check. */
static void ask_permissions(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_check_list *list = &ice->current->list;
    size_t i;

    ice->permits_wanted = false;
    for (i = 0; i < list->count; i++) {
        struct ln_ice_pair *pair = list->pairs[i];

        if (pair->base->relay && pair->state != LN_ICE_PAIR_FAILED)
            (void)ln_ice_relay_ready(ice, pair, now);
    }
    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->streams && ice->relays[i]->generation == ice->current)
            ln_ice_tcp_relayed_permit(ice, ice->relays[i], now);
}

/* An allocation of TCP that nothing passes is kept for no rainy day (RFC 6544, 8). */
static void give_back_unused(struct ln_ice *ice)
{
    for (size_t i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (relay->streams && relay->generation && relay->generation->resting &&
            !ln_ice_tcp_uses(ice, relay))
            ln_ice_relay_release(ice, relay);
    }
}

void ln_ice_relays_run(struct ln_ice *ice, ln_time now)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        run_relay(ice, ice->relays[i], now);
    if (ice->permits_wanted)
        ask_permissions(ice, now);
    give_back_unused(ice);
}

ln_time ln_ice_relays_next_timeout(const struct ln_ice *ice)
{
    ln_time next = LN_TIME_NEVER;
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        const struct ln_ice_relay *relay = ice->relays[i];

        if (!relay->generation || relay->failed)
            continue;
        next = ln_time_min(next, ln_turn_client_next_timeout(relay->turn));
        next = ln_time_min(next, ln_ice_way_next_timeout(&relay->way));
        next = ln_time_min(next, keepalive_at(relay));
        next = ln_time_min(next, ln_ice_relay_move_next_timeout(relay));
        if (!relay->done)
            next = ln_time_min(next, relay->give_up_at);
    }
    return next;
}

static bool lost_with(const struct ln_ice_relay *relay, ln_link via,
                      const struct ln_address *address)
{
    return relay->way.link == via || (address && relay->way.stream != LN_ICE_STREAM_NONE &&
                                      ln_address_equal_ip(&relay->way.base, address));
}

void ln_ice_relays_link_closed(struct ln_ice *ice, ln_link via, const struct ln_address *address)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (lost_with(relay, via, address) && relay->generation && !relay->failed &&
            !ln_ice_relay_uproot(ice, relay, ice->now))
            carry_no_more(ice, relay); /* which says nothing of the server */
    }
}

bool ln_ice_relays_awaited(const struct ln_ice *ice)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && !ice->relays[i]->done &&
            !ice->relays[i]->streams)
            return true;
    return false;
}

void ln_ice_relays_send_failed(struct ln_ice *ice, const struct ln_path *path)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++) {
        struct ln_ice_relay *relay = ice->relays[i];

        if (relay->way.link == path->link && ln_address_equal(&relay->way.server, &path->remote) &&
            relay->generation && !relay->done && ++relay->send_failures >= 2)
            ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_UNREACHABLE);
    }
}
