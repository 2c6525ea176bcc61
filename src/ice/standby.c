/* SPDX-License-Identifier: Apache-2.0
 * Pairs beside the selected one: what is checked and kept warm after a nomination, and what takes
 * the selected pair's place when it is lost, left by the other side, or worse than another.
 *
 * RFC 8445, 8.1.2 ends everything else with a nomination. Here the best pair of each interface and
 * the best relayed one keep their consent (of the selected pair's own, one beside it), so that a
 * lost interface or a path that is shut costs no new connection, and pairs of a better kind than
 * the selected one (direct before NATs before TCP before relays) are still looked for. TCP pairs
 * are no standby: their streams are closed (RFC 6544, 8). The controlling side
 * nominates again, as browsers do; the controlled side sends on what is left until it is told.
 * Which side noticed first does not matter: data on another pair while the selected one is silent
 * says that the other side has moved. (A check says less: many keep all pairs warm.) */
#include "ice/agent.h"

#include "base/time.h"

#define HOPEFUL_CHECKS 2u /* of a pair that was not answered yet */

static bool lost(const struct ln_ice_generation *g)
{
    return g->selected && g->selected->state == LN_ICE_PAIR_FAILED;
}

/* Lost for a reason that says nothing of the other paths: a socket, a relay. Where nobody answered
 * for half a minute, only what was answered meanwhile may serve. */
static bool lost_here(const struct ln_ice_generation *g)
{
    return lost(g) && g->selected->failure != LN_ICE_FAILURE_CONSENT;
}

/* No better pair of the same socket is there. */
static bool best_of_its_link(const struct ln_ice_generation *g, const struct ln_ice_pair *pair)
{
    size_t i;

    for (i = 0; g->list.pairs[i] != pair; i++)
        if (ln_ice_pair_usable(g->list.pairs[i]) && g->list.pairs[i] != g->selected &&
            g->list.pairs[i]->path.link == pair->path.link)
            return false;
    return true;
}

/* They are likely to be lost together: of one interface, or relayed. */
static bool share_fate(const struct ln_ice_pair *a, const struct ln_ice_pair *b)
{
    if (a->base->relay || b->base->relay)
        return a->base->relay && b->base->relay;
    return a->base->interface == b->base->interface;
}

bool ln_ice_is_standby(const struct ln_ice_generation *g, const struct ln_ice_pair *pair)
{
    unsigned before = 0;
    size_t i;

    if (!g->selected || pair == g->selected || pair->base->tcp_type || !ln_ice_pair_usable(pair) ||
        pair->path.link == g->selected->path.link || !best_of_its_link(g, pair))
        return false;
    for (i = 0; g->list.pairs[i] != pair; i++) {
        if (g->list.pairs[i] == g->selected || !g->list.pairs[i]->consent.active)
            continue;
        if (share_fate(g->list.pairs[i], pair))
            return false;
        before++;
    }
    return before < LN_ICE_STANDBY_MAX;
}

static bool link_has_usable(const struct ln_ice_generation *g, ln_link link)
{
    size_t i;

    for (i = 0; i < g->list.count; i++)
        if (g->list.pairs[i]->path.link == link && ln_ice_pair_usable(g->list.pairs[i]))
            return true;
    return false;
}

struct ln_ice_pair *ln_ice_standby_wanted(const struct ln_ice_generation *g)
{
    size_t i;

    for (i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (pair->state != LN_ICE_PAIR_WAITING && pair->state != LN_ICE_PAIR_FROZEN)
            continue;
        if (lost_here(g) || ln_ice_pair_kind(pair) > ln_ice_pair_kind(g->selected) ||
            (!pair->base->tcp_type && !link_has_usable(g, pair->path.link)))
            return pair;
    }
    return NULL;
}

bool ln_ice_may_recover(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    size_t i;

    if (lost_here(g) && ln_ice_relays_awaited(ice))
        return true;
    for (i = 0; i < g->list.count; i++) {
        const struct ln_ice_pair *pair = g->list.pairs[i];

        if (ln_ice_pair_usable(pair) && pair->consent.active)
            return true;
        if (lost_here(g) && pair->state != LN_ICE_PAIR_FAILED &&
            (pair->state != LN_ICE_PAIR_SUCCEEDED || pair->check.state == LN_STUN_RUNNING))
            return true;
    }
    return false;
}

/* Not heard since a path went quiet, when the others were asked as well: likely to be dead. */
static bool doubtful(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    return pair->alive_at < ice->quiet_asked;
}

/* Whether a pair may be found soon that nobody knows to be dead. */
static bool hopeful(const struct ln_ice *ice)
{
    const struct ln_ice_check_list *list = &ice->current->list;
    size_t i;

    for (i = 0; i < list->count; i++) {
        const struct ln_ice_pair *pair = list->pairs[i];

        if (pair->state == LN_ICE_PAIR_WAITING || pair->state == LN_ICE_PAIR_FROZEN ||
            (pair->state == LN_ICE_PAIR_IN_PROGRESS && pair->check.sent <= HOPEFUL_CHECKS))
            return true;
    }
    return ln_ice_relays_awaited(ice);
}

struct ln_ice_pair *ln_ice_replacement(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *last = NULL;
    size_t i;

    for (i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (pair == g->selected || !ln_ice_pair_usable(pair))
            continue;
        if (doubtful(ice, pair)) {
            last = last || !lost_here(g) ? last : pair;
            continue;
        }
        if (lost_here(g) || (ln_ice_pair_consented(pair, ice->now) &&
                             (lost(g) || ln_ice_pair_kind(pair) > ln_ice_pair_kind(g->selected))))
            return pair;
    }
    return last && !hopeful(ice) ? last : NULL;
}

/* On a path that is alive, data or answers come more often than this. */
static bool silent(const struct ln_ice_pair *pair, ln_time now)
{
    return now - pair->alive_at >=
           ln_time_max(LN_ICE_MOVED_MIN, LN_ICE_QUIET_GAPS * pair->usual_gap);
}

void ln_ice_standby_heard(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;

    if (!ice->controlling || ice->config.lite || g != ice->current || !g->selected ||
        g->nominating || pair == g->selected || !ln_ice_pair_usable(pair) ||
        !silent(g->selected, now))
        return;
    g->nominating = pair;
    ln_ice_begin_check(ice, pair, true, now);
}
