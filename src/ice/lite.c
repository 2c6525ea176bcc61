/* SPDX-License-Identifier: Apache-2.0
 * What an agent does that is lite itself (RFC 8445, 2.5, 6.2, 7.3.2, 8.2): it sends no checks. It
 * answers those of the other side, and takes the pair that the other side nominates.
 *
 * Consent (RFC 7675) cannot come from answers to checks of ours, for there are none. The other
 * side's checks give it: each carries our password and asks to be spoken to where it came from, and
 * a full agent sends one every 4 to 6 s. Half a minute after the last one nothing is sent, whatever
 * else arrives; a later check gives consent anew. Some full agents have no consent (RFC 8445 alone
 * lets them keep a path alive by indications, which prove nothing): where none was seen to ask once
 * the path was chosen, what we send must not stay without authentic data for half a minute.
 *
 * A check proves who wrote it, not where it came from: a source can be forged, and who sees a check
 * can repeat it from elsewhere. Therefore
 * - an address without a nomination gets answers only;
 * - one from which nothing authentic came (DTLS has not finished) gets little more than it sent;
 * - a selected pair on which authentic data came is left for another only when authentic data came
 *   from there last, or when the selected one has gone quiet; and is taken back when data comes on
 *   it again, and no more on the other.
 *
 * Where both sides are lite nobody checks: the pair follows from the candidates (8.2). Its address
 * is only what was signalled; it gets little until authentic data came, and the same rule holds. */
#include "ice/agent.h"

#include "base/time.h"

bool ln_ice_role_for(const struct ln_ice *ice, bool asked)
{
    return ice->config.lite ? asked && ice->current->remote_lite
                            : asked || ice->current->remote_lite;
}

static bool both_lite(const struct ln_ice *ice)
{
    return ice->config.lite && ice->current->remote_lite;
}

bool ln_ice_forms_pairs(const struct ln_ice *ice)
{
    return !ice->config.lite || ice->current->remote_lite;
}

bool ln_ice_is_unchecked(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    return ice->config.lite && pair->lite->unchecked;
}

/* --- consent ------------------------------------------------------------------------------- */

bool ln_ice_lite_may_send(const struct ln_ice_pair *pair)
{
    return pair->lite->confirmed_at != LN_TIME_NEVER ||
           pair->bytes_sent < LN_ICE_LITE_UNCONFIRMED + 3 * pair->bytes_received;
}

static void revive(struct ln_ice *ice, struct ln_ice_pair *pair)
{
    if (pair->state != LN_ICE_PAIR_FAILED || pair->failure != LN_ICE_FAILURE_CONSENT)
        return;
    pair->consent.lost = false;
    pair->consent.for_ever = pair->lite->unchecked = false;
    if (pair->generation->selected == pair)
        pair->generation->consent_lost = false;
    ln_ice_pair_set_state(ice, pair, pair->nominated ? LN_ICE_PAIR_SUCCEEDED : LN_ICE_PAIR_WAITING,
                          LN_ICE_FAILURE_NONE);
}

void ln_ice_lite_checked(struct ln_ice *ice, struct ln_ice_pair *pair, bool use_candidate,
                         ln_time now)
{
    revive(ice, pair);
    pair->lite->unanswered_since = LN_TIME_NEVER;
    ln_consent_renew(&pair->consent, now);
    if (pair == pair->generation->selected) {
        ice->peer_asks = ice->peer_asks || now - pair->lite->taken_at >= LN_ICE_LITE_ASKS;
        ln_ice_keep_consent(ice, pair, now);
    }
    if (!use_candidate)
        return;
    pair->nominate_requested = true;
    pair->nominate_order = ++pair->generation->nominations;
}

/* On a pair that is in use, data comes more often. */
static bool brings_nothing(const struct ln_ice_pair *pair, ln_time now)
{
    return pair->lite->confirmed_at == LN_TIME_NEVER ||
           now - pair->lite->confirmed_at >=
               ln_time_max(LN_ICE_MOVED_MIN, LN_ICE_QUIET_GAPS * pair->usual_gap);
}

/* The other side sends on a pair that it had nominated before: it has come back to it. */
static void heard_again(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;

    if (!pair->nominate_requested || pair == g->selected)
        return;
    if (g->selected && brings_nothing(g->selected, now))
        pair->nominate_order = ++g->nominations;
    ice->wake = true;
}

void ln_ice_confirm(struct ln_ice *ice, ln_time now, const struct ln_path *path)
{
    struct ln_ice_pair *pair;

    if (!ice->config.lite || ice->closed)
        return;
    pair = ln_ice_check_list_find(&ice->current->list, path);
    if (!pair && ice->previous)
        pair = ln_ice_check_list_find(&ice->previous->list, path);
    if (!pair)
        return;
    pair->lite->confirmed_at = now;
    pair->lite->unanswered_since = LN_TIME_NEVER;
    heard_again(ice, pair, now);
}

void ln_ice_lite_sent(struct ln_ice_pair *pair, ln_time now)
{
    if (pair->lite->unanswered_since == LN_TIME_NEVER)
        pair->lite->unanswered_since = now;
}

/* --- the pair ------------------------------------------------------------------------------ */

/* What was sent on the pair stays without a sign of the other side for longer than is usual. */
static ln_time quiet_at(const struct ln_ice_pair *pair)
{
    return ln_time_add(pair->lite->unanswered_since,
                       ln_time_max(LN_ICE_QUIET_MIN, LN_ICE_QUIET_GAPS * pair->usual_gap));
}

ln_time ln_ice_lite_silent_at(const struct ln_ice_pair *pair)
{
    return pair->lite->unchecked ? ln_time_add(pair->lite->unanswered_since, LN_ICE_SILENCE)
                                 : pair->alive_at + LN_ICE_LITE_SILENCE;
}

static void take(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_SUCCEEDED, LN_ICE_FAILURE_NONE);
    ln_ice_select(ice, pair, now);
    pair->lite->taken_at = now;
}

/* The pair that the other side asked for last; NULL: the one that it has. */
static struct ln_ice_pair *asked_for(const struct ln_ice_generation *g, ln_time now)
{
    struct ln_ice_pair *last = NULL;

    for (size_t i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (pair->nominate_requested && pair->state != LN_ICE_PAIR_FAILED &&
            now < pair->consent.valid_until &&
            (!last || pair->nominate_order > last->nominate_order))
            last = pair;
    }
    return last == g->selected ? NULL : last;
}

static ln_time leaves_at(const struct ln_ice_pair *selected, const struct ln_ice_pair *pair)
{
    if (!selected || !ln_ice_pair_usable(selected) ||
        selected->lite->confirmed_at == LN_TIME_NEVER ||
        (pair->lite->confirmed_at != LN_TIME_NEVER &&
         pair->lite->confirmed_at >= selected->lite->confirmed_at))
        return LN_TIME_IMMEDIATE;
    return ln_time_min(selected->alive_at + LN_ICE_SILENCE, quiet_at(selected));
}

static ln_time unanswered_at(const struct ln_ice_pair *pair)
{
    return ln_time_add(pair->lite->unanswered_since, LN_CONSENT_LIFETIME);
}

/* The selected pair of one who does not ask goes on by data alone. */
static void let_data_tell(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    if (!ice->peer_asks && now >= pair->consent.valid_until)
        pair->consent.for_ever = pair->lite->unchecked = true;
    if (pair->lite->unchecked && ln_time_due(unanswered_at(pair), now))
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_CONSENT);
}

static void follow_nominations(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *pair;

    if (g->selected && ln_ice_pair_usable(g->selected) && ice->config.consent)
        let_data_tell(ice, g->selected, now);
    pair = asked_for(g, now);
    if (pair && ln_time_due(leaves_at(g->selected, pair), now))
        take(ice, pair, now);
}

/* --- both lite ----------------------------------------------------------------------------- */

/* Both sides see the same candidates and give them the same order, so both come to the same pair;
 * if not, each takes what comes on any of them. */
static void choose_pair(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *best = NULL;

    for (size_t i = g->list.count; i-- > 0;) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (ln_time_due(unanswered_at(pair), now))
            ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_CONSENT);
        if (pair->state == LN_ICE_PAIR_FAILED)
            continue;
        pair->consent.for_ever = pair->lite->unchecked = true;
        best = pair;
    }
    if (best && best != g->selected &&
        (!g->selected || g->selected->lite->confirmed_at == LN_TIME_NEVER ||
         g->selected->state == LN_ICE_PAIR_FAILED))
        take(ice, best, now);
}

/* --- time ---------------------------------------------------------------------------------- */

void ln_ice_lite_run(struct ln_ice *ice, ln_time now)
{
    if (!ice->config.lite || !ice->current->remote_pwd)
        return;
    if (both_lite(ice))
        choose_pair(ice, now);
    else
        follow_nominations(ice, now);
}

ln_time ln_ice_lite_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    const struct ln_ice_pair *pair;
    ln_time next = LN_TIME_NEVER;

    if (!ice->config.lite || !g->selected || g->selected->state == LN_ICE_PAIR_FAILED)
        return LN_TIME_NEVER;
    if (g->selected->lite->unchecked)
        next = unanswered_at(g->selected);
    if (both_lite(ice))
        return next;
    pair = asked_for(g, ice->now);
    return pair ? ln_time_min(next, leaves_at(g->selected, pair)) : next;
}
