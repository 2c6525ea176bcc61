/* SPDX-License-Identifier: Apache-2.0
 * Gathering as a whole (RFC 8445, 5.1.1; RFC 8838): when it begins, what is still awaited, its end.
 *
 * Everything is derived anew at each run from what is known (addresses, open links, resolved
 * servers), so that answers may come in any order. */
#include "ice/agent.h"

#include "base/time.h"

/* Interfaces that come during a call get sockets, candidates and checks too. These are not
 * signalled any more: the other side sees them as peer-reflexive, unless we are lite. */
static bool goes_on(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;

    return ln_ice_is_gathering(g) ||
           (g->gathering == LN_ICE_GATHERING_STATE_COMPLETE && g->selected && !ice->config.lite);
}

static bool watching(const struct ln_ice *ice)
{
    return ln_ice_open_to_all(ice) || ice->current->servers->relays;
}

void ln_ice_gather(struct ln_ice *ice)
{
    struct ln_ice_servers *set = ice->current->servers;
    size_t i;

    if (ice->closed || ice->current->gathering != LN_ICE_GATHERING_STATE_NEW)
        return;
    ln_ice_set_gathering(ice, LN_ICE_GATHERING_STATE_GATHERING);
    ice->watch_wanted = watching(ice) && !ice->watch_asked;
    for (i = 0; i < set->count; i++)
        if ((ln_ice_open_to_all(ice) || set->entries[i].relays) &&
            (set->entries[i].state == LN_ICE_SERVER_NEW ||
             set->entries[i].state == LN_ICE_SERVER_FAILED))
            set->entries[i].state = LN_ICE_SERVER_WANTED;
    ice->wake = true;
}

void ln_ice_share_port(struct ln_ice *ice)
{
    ice->shares_port = true;
}

/* A server of the kind has given something to this generation. */
static bool another_gave(const struct ln_ice *ice, bool relays)
{
    size_t i;

    for (i = 0; relays && i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && ice->relays[i]->done &&
            !ice->relays[i]->failed && !ice->relays[i]->streams)
            return true;
    if (relays)
        return false;
    LN_LIST_EACH (at, &ice->current->probes) {
        if (LN_CONTAINER(at, struct ln_ice_probe, in_generation)->answered)
            return true;
    }
    return false;
}

static bool links_settled(const struct ln_ice *ice)
{
    size_t i;

    for (i = 0; i < ice->link_count; i++)
        if (ice->links[i].generation == ice->current &&
            (ice->links[i].state == LN_ICE_LINK_WANTED || ice->links[i].state == LN_ICE_LINK_ASKED))
            return false;
    return true;
}

/* When streams to STUN servers are not waited for any more: many servers know UDP alone. */
static ln_time asks_until(const struct ln_ice *ice)
{
    return ice->current->gather_from +
           (another_gave(ice, false) ? ln_time_min(LN_ICE_TCP_ASK_PATIENCE, ice->config.grace)
                                     : ice->config.grace);
}

static bool finished(const struct ln_ice *ice, ln_time now, bool late)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i;

    if (!watching(ice))
        return true;
    if (!ice->known_once || !links_settled(ice) || ln_ice_names_pending(ice->current))
        return false;
    if (ice->known_count == 0 && !late) /* a network that is just coming up */
        return false;
    for (i = 0; i < set->count; i++)
        if ((set->entries[i].state == LN_ICE_SERVER_WANTED ||
             set->entries[i].state == LN_ICE_SERVER_ASKED) &&
            !(late && another_gave(ice, set->entries[i].relays)))
            return false;
    LN_LIST_EACH (at, &ice->current->probes) {
        if (!LN_CONTAINER(at, struct ln_ice_probe, in_generation)->done)
            return false;
    }
    for (i = 0; i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && !ice->relays[i]->done &&
            !(late && ice->relays[i]->streams))
            return false;
    return ln_ice_tcp_gathered(ice) && (ln_ice_tcp_asks_settled(ice) || now >= asks_until(ice));
}

/* Servers are raced: those that are silent when the grace is over are given up, if another of the
 * kind gave what they are there for. */
static void give_up_silent(struct ln_ice *ice)
{
    size_t i;

    if (another_gave(ice, false))
        LN_LIST_EACH (at, &ice->current->probes) {
            struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

            if (!probe->done)
                ln_ice_probe_failed(ice, probe, 701, LN_ICE_TEXT_TIMEOUT);
        }
    for (i = 0; another_gave(ice, true) && i < ice->relay_count; i++)
        if (ice->relays[i]->generation == ice->current && !ice->relays[i]->done &&
            !ice->relays[i]->streams) /* untold it may connect to others still */
            ln_ice_relay_give_up(ice, ice->relays[i]);
}

void ln_ice_gather_run(struct ln_ice *ice, ln_time now)
{
    bool late;
    size_t i;

    if (goes_on(ice)) {
        ln_ice_want_links(ice);
        for (i = 0; i < ice->link_count; i++)
            if (ln_ice_link_is_ours(ice, &ice->links[i]) && ln_ice_open_to_all(ice) &&
                !ln_ice_find_host(ice->current, ice->links[i].link))
                ln_ice_add_host_of(ice, &ice->links[i]);
        if (ln_ice_open_to_all(ice) && ln_ice_is_gathering(ice->current))
            ln_ice_want_probes(ice, now);
        ln_ice_want_relays(ice, now);
        if (ln_ice_open_to_all(ice) && links_settled(ice)) /* UDP first */
            ln_ice_tcp_gather(ice);
        if (ln_ice_open_to_all(ice) && ln_ice_is_gathering(ice->current))
            ln_ice_tcp_want_asks(ice, now);
    }
    LN_LIST_EACH (at, &ice->current->probes) {
        ln_ice_run_probe(ice, LN_CONTAINER(at, struct ln_ice_probe, in_generation), now);
    }
    if (ice->current->gathering != LN_ICE_GATHERING_STATE_GATHERING)
        return;
    if (ice->current->gather_from == LN_TIME_NEVER)
        ice->current->gather_from = now;
    late = now >= ice->current->gather_from + ice->config.grace;
    if (late)
        give_up_silent(ice);
    if (finished(ice, now, late))
        ln_ice_set_gathering(ice, LN_ICE_GATHERING_STATE_COMPLETE);
}

ln_time ln_ice_gather_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    ln_time next = LN_TIME_NEVER;

    if (g->gathering == LN_ICE_GATHERING_STATE_GATHERING && g->gather_from != LN_TIME_NEVER &&
        ice->now < g->gather_from + ice->config.grace)
        next = g->gather_from + ice->config.grace;
    if (next != LN_TIME_NEVER && !ln_ice_tcp_asks_settled(ice) && ice->now < asks_until(ice))
        next = asks_until(ice);
    LN_LIST_EACH (at, &ice->current->probes) {
        const struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        next = ln_time_min(next, ln_stun_transaction_next_timeout(&probe->transaction));
        next = ln_time_min(next, probe->keepalive_at);
    }
    return next;
}
