/* SPDX-License-Identifier: Apache-2.0
 * Relays that go on from another address of ours (RFC 8016): the peer notices nothing, as the
 * relayed address stays.
 *
 * There are two reasons. A NAT has given us another mapping: nobody tells us, but the server is as
 * silent as the peer. Over UDP the ticket is sent from the same socket, and the server moves the
 * allocation or says that nothing has changed; a stream and DTLS end with their mapping, so the
 * server is asked there whether it hears us, and if it does not, a new way is made. Or our socket
 * is gone, with its interface or by itself: then a relay is adrift until a way was made from
 * another one. What cannot be moved is allocated anew, as another candidate; over UDP
 * also where there are no tickets, once the server has said that it does not know us (437). */
#include "ice/agent.h"

#include "base/address.h"
#include "base/time.h"

/* --- a way from elsewhere ------------------------------------------------------------------- */

/* The server's address as the link can reach it, or NULL. What another server named has one. */
static const struct ln_address *reachable(const struct ln_ice_relay *relay,
                                          const struct ln_ice_link *link)
{
    const struct ln_ice_server_entry *server =
        &relay->generation->servers->entries[relay->server_index];
    size_t i;

    if (ln_address_is_loopback(&relay->way.server) != ln_address_is_loopback(&link->address))
        return NULL;
    if (relay->way.server.family == link->address.family)
        return &relay->way.server;
    for (i = 0; i < server->address_count && relay->redirects == 0; i++)
        if (server->addresses[i].family == link->address.family)
            return &server->addresses[i];
    return NULL;
}

/* The same address first, then the family of the server that is known to be there. */
static unsigned rank(const struct ln_ice_relay *relay, const struct ln_ice_link *link)
{
    return (ln_address_equal_ip(&relay->way.base, &link->address) ? 2u : 0u) +
           (relay->way.server.family == link->address.family ? 1u : 0u);
}

static bool is_better(const struct ln_ice_relay *relay, const struct ln_ice_link *link,
                      const struct ln_ice_link *best)
{
    unsigned one = rank(relay, link), other = rank(relay, best);

    return one != other ? one > other : link->preference > best->preference;
}

/* The best socket of the generation from whose address the server can be reached. */
static const struct ln_ice_link *best_link(const struct ln_ice *ice,
                                           const struct ln_ice_relay *relay)
{
    const struct ln_ice_link *best = NULL;
    size_t i;

    for (i = 0; i < ice->link_count; i++) {
        const struct ln_ice_link *link = &ice->links[i];

        if (link->state == LN_ICE_LINK_OPEN && link->generation == relay->generation &&
            reachable(relay, link) && (!best || is_better(relay, link, best)))
            best = link;
    }
    return best;
}

static void cast_off(struct ln_ice_relay *relay, ln_time now)
{
    if (relay->move_by == LN_TIME_NEVER)
        relay->move_by = now + LN_ICE_RELAY_ADRIFT;
    relay->adrift = true;
    relay->arriving = false;
    relay->doubted_at = LN_TIME_NEVER;
    if (relay->retry_at == LN_TIME_NEVER || relay->retry_at < now)
        relay->retry_at = now;
    ln_ice_way_drop(&relay->way);
    if (relay->way.stream == LN_ICE_STREAM_OPEN)
        relay->way.stream = LN_ICE_STREAM_CLOSING;
    else if (relay->way.stream == LN_ICE_STREAM_NONE)
        relay->way.link = 0;
}

/* With a socket or stream of its own: what is shared may have a relay at this server already. */
static void make_way(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    const struct ln_ice_link *link = best_link(ice, relay);

    if (relay->way.stream != LN_ICE_STREAM_NONE || /* it is being closed */
        (relay->retry_at != LN_TIME_NEVER && now < relay->retry_at))
        return;
    relay->retry_at = LN_TIME_NEVER;
    if (!link)
        return;
    relay->way.server = *reachable(relay, link);
    relay->way.base = link->address;
    relay->interface = link->interface;
    relay->adrift = false;
    relay->arriving = true;
    relay->way.own = !ln_ice_way_is_stream(&relay->way);
    relay->retry_at = now + LN_ICE_RELAY_RETRY;
    if (ln_ice_way_reopen(ice, &relay->way, now) != 0)
        cast_off(relay, now);
}

bool ln_ice_relay_uproot(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    if (ln_turn_client_state(relay->turn) != LN_TURN_CLIENT_READY ||
        !ln_turn_client_mobile(relay->turn))
        return false;
    cast_off(relay, now);
    ice->wake = true; /* a way is looked for when the links are as they will be */
    return true;
}

/* --- the same way, seen from elsewhere ------------------------------------------------------- */

static bool has_pair_of_use(const struct ln_ice *ice, const struct ln_ice_relay *relay)
{
    const struct ln_ice_check_list *list = &ice->current->list;
    size_t i;

    for (i = 0; i < list->count; i++)
        if (list->pairs[i]->path.link == relay->link && ln_ice_pair_usable(list->pairs[i]))
            return true;
    return false;
}

static void doubt(struct ln_ice_relay *relay, ln_time since, ln_time now)
{
    if (!relay->generation || relay->failed || relay->adrift || relay->arriving ||
        relay->heard_at > since || relay->doubted_at != LN_TIME_NEVER)
        return;
    if (relay->way.over == LN_ICE_OVER_UDP && ln_turn_client_mobile(relay->turn))
        (void)ln_turn_client_move(relay->turn, now);
    else if (relay->way.over == LN_ICE_OVER_UDP) /* 437 if it is not ours any more */
        (void)ln_turn_client_refresh(relay->turn, now);
    else if (ln_turn_client_mobile(relay->turn) && ln_turn_client_refresh(relay->turn, now))
        relay->doubted_at = now;
}

void ln_ice_relays_doubt(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time since, ln_time now)
{
    size_t i;

    for (i = 0; i < ice->relay_count; i++)
        if (relay ? ice->relays[i] == relay : has_pair_of_use(ice, ice->relays[i]))
            doubt(ice->relays[i], since, now);
}

/* --- what came of it ------------------------------------------------------------------------- */

/* The server sends to the new address once data has come from there, and the peer is to know at
 * once that we are back: each pair of use is checked. */
static void arrived(struct ln_ice *ice, const struct ln_ice_relay *relay, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    size_t i;

    for (i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (pair->path.link == relay->link && ln_ice_pair_usable(pair))
            ln_ice_begin_check(
                ice, pair, pair == g->nominating || (ice->controlling && g->selected == pair), now);
    }
}

void ln_ice_relay_move_run(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    if (ln_turn_client_moves(relay->turn) != relay->moves_seen) {
        relay->moves_seen = ln_turn_client_moves(relay->turn);
        arrived(ice, relay, now);
    }
    if (relay->doubted_at != LN_TIME_NEVER && relay->heard_at >= relay->doubted_at)
        relay->doubted_at = LN_TIME_NEVER;
    if (relay->doubted_at != LN_TIME_NEVER && now >= relay->doubted_at + LN_ICE_RELAY_DOUBT)
        cast_off(relay, now);
    if (ln_time_due(relay->move_by, now))
        ln_ice_relay_failed(ice, relay, 701, LN_ICE_TEXT_UNREACHABLE);
    else if (relay->adrift)
        make_way(ice, relay, now);
}

ln_time ln_ice_relay_move_next_timeout(const struct ln_ice_relay *relay)
{
    ln_time next = relay->move_by;

    if (relay->doubted_at != LN_TIME_NEVER)
        next = ln_time_min(next, relay->doubted_at + LN_ICE_RELAY_DOUBT);
    if (relay->adrift && relay->way.stream == LN_ICE_STREAM_NONE)
        next = ln_time_min(next, relay->retry_at);
    return next;
}

/* Not where it would only go on so: an allocation that was lost soon after it was made. */
void ln_ice_relay_renew(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    const struct ln_ice_link *link = best_link(ice, relay);
    bool soon = now - relay->ready_at < LN_ICE_RENEWAL_LIFE;
    struct ln_ice_relay model = { .generation = relay->generation,
                                  .way = { .over = relay->way.over,
                                           .own = !ln_ice_way_is_stream(&relay->way),
                                           .domain = relay->way.domain, /* copied */
                                           .target = relay->way.target },
                                  .server_index = relay->server_index,
                                  .preference = relay->preference,
                                  .renewals = (uint8_t)(soon ? relay->renewals + 1 : 0) };

    if (!link || relay->streams || relay->generation != ice->current ||
        model.renewals > LN_ICE_RENEWALS_MAX || ln_turn_client_error_code(relay->turn) >= 600)
        return;
    model.way.server = *reachable(relay, link);
    model.way.base = link->address;
    model.interface = link->interface;
    (void)ln_ice_relay_start(ice, &model, now);
}
