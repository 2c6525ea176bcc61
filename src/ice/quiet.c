/* SPDX-License-Identifier: Apache-2.0
 * A path that has gone quiet: what carries data is asked again long before consent would run out.
 *
 * A sign of the other side (data, a check, an answer) is awaited when data went out, and when data
 * came, as more is likely. How long that usually takes is measured on the sending pair. When
 * nothing came for three times as long, 200 ms at least, ordinary checks go out on that pair and on
 * the best standby pairs; relays whose server stays silent too are moved (relay_move.c). A check
 * on the nominated pair nominates it again (RFC 8445, 7.1.2): if a NAT on our side has given us a
 * new mapping, the other side sees the check come from a new address, makes a pair of it and
 * follows. If the new mapping is the other side's, its checks make a new pair here, and the
 * controlling side nominates what is heard instead.
 *
 * An idle connection is not asked: once a check was answered nothing is awaited until data flows
 * again. Consent keeps its own pace (RFC 7675, 5.1). */
#include "ice/agent.h"

#include "base/time.h"

void ln_ice_heard(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    /* Up at once and down slowly: what comes in bursts has the gap between the bursts. */
    if (pair == ice->sending && pair->awaits_since != LN_TIME_NEVER) {
        ln_duration more = now - pair->awaits_since - pair->usual_gap;

        pair->usual_gap += more / (more > 0 ? 2 : 16);
    }
    pair->alive_at = now;
    pair->awaits_since = LN_TIME_NEVER;
}

void ln_ice_awaits(struct ln_ice_pair *pair, ln_time now)
{
    if (pair->awaits_since == LN_TIME_NEVER)
        pair->awaits_since = now;
}

static struct ln_ice_pair *watched(const struct ln_ice *ice)
{
    struct ln_ice_pair *pair = ice->sending;

    if (ice->closed || ice->config.lite || !pair || pair->generation != ice->current ||
        !ln_ice_pair_usable(pair) || pair->consent.for_ever || pair->awaits_since == LN_TIME_NEVER)
        return NULL;
    return pair;
}

/* In steps, so that a packet seldom moves the deadline. */
static ln_time quiet_at(const struct ln_ice_pair *pair)
{
    ln_time at = pair->awaits_since +
                 ln_time_max(LN_ICE_QUIET_MIN, LN_ICE_QUIET_GAPS * pair->usual_gap);

    return at + LN_ICE_QUIET_STEP - at % LN_ICE_QUIET_STEP;
}

static bool asked(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    return ice->quiet_pair == pair->id && ice->quiet_since == pair->awaits_since;
}

static void ask(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    unsigned standby = 0;

    ice->quiet_pair = pair->id;
    ice->quiet_since = pair->awaits_since;
    ice->quiet_asked = now;
    ice->quiet_doubted = false;
    if (pair->check.state != LN_STUN_RUNNING)
        ln_ice_begin_check(ice, pair, ice->controlling && g->selected == pair, now);
    for (size_t i = 0; i < g->list.count && standby < LN_ICE_STANDBY_MAX; i++) {
        struct ln_ice_pair *other = g->list.pairs[i];

        if (other == pair || !ln_ice_pair_usable(other) || other->check.state == LN_STUN_RUNNING)
            continue;
        ln_ice_begin_check(ice, other, false, now);
        standby++;
    }
}

/* What the pair that was asked last is given to answer before another takes its place. */
static ln_time given_up_at(const struct ln_ice *ice, const struct ln_ice_pair *quiet)
{
    const struct ln_ice_pair *nominating = ice->current->nominating;
    ln_duration rtt = nominating ? nominating->current_rtt : quiet->current_rtt;

    return ice->quiet_asked + ln_time_max(LN_ICE_QUIET_GRACE, 2 * rtt);
}

/* The best pair that was heard after the selected one was asked, or after the one that is about to
 * replace it was. */
static struct ln_ice_pair *heard_instead(const struct ln_ice *ice, const struct ln_ice_pair *quiet)
{
    const struct ln_ice_generation *g = ice->current;

    if (!ice->controlling || g->selected != quiet || !asked(ice, quiet))
        return NULL;
    for (size_t i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (pair != quiet && pair != g->nominating && ln_ice_pair_consented(pair, ice->now) &&
            pair->alive_at >= ice->quiet_asked)
            return pair;
    }
    return NULL;
}

static void nominate_instead(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = ice->current;

    if (g->nominating) {
        g->nominating->nominating = false;
        ln_stun_transaction_cancel(&g->nominating->check);
    }
    g->nominating = pair;
    ice->quiet_asked = now;
    ln_ice_begin_check(ice, pair, true, now);
}

/* When relays on which nothing was heard since they were asked are doubted; LN_TIME_NEVER: that was
 * done. */
static ln_time doubts_at(const struct ln_ice *ice, const struct ln_ice_pair *quiet)
{
    if (ice->quiet_doubted || ice->relay_count == 0)
        return LN_TIME_NEVER;
    return ice->quiet_asked + ln_time_max(LN_ICE_QUIET_GRACE, 2 * quiet->current_rtt);
}

void ln_ice_quiet_run(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_pair *pair = watched(ice), *other;

    if (!pair)
        return;
    if (!asked(ice, pair) && now >= quiet_at(pair))
        ask(ice, pair, now);
    if (asked(ice, pair) && ln_time_due(doubts_at(ice, pair), now)) {
        ice->quiet_doubted = true;
        ln_ice_relays_doubt(ice, NULL, ice->quiet_asked, now);
    }
    if (now >= given_up_at(ice, pair) && (other = heard_instead(ice, pair)))
        nominate_instead(ice, other, now);
}

ln_time ln_ice_quiet_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_pair *pair = watched(ice);

    if (!pair)
        return LN_TIME_NEVER;
    if (!asked(ice, pair))
        return quiet_at(pair);
    return ln_time_min(doubts_at(ice, pair),
                       heard_instead(ice, pair) ? given_up_at(ice, pair) : LN_TIME_NEVER);
}
