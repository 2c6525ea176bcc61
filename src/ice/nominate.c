/* SPDX-License-Identifier: Apache-2.0
 * Roles and nomination (RFC 8445, 7.3.1.1, 8.1.1 and 7.3.1.5).
 *
 * Controlling: regular nomination of the best valid pair, at once if no better one is to be hoped
 * for, else after a short settle time; data flows on the best valid pair meanwhile. Another pair is
 * nominated later when the selected one is lost or a better kind of path was found (standby.c).
 * Controlled: the latest pair that the other side asks for wins, for browsers ask more than once.
 */
#include "ice/agent.h"

#include "base/time.h"
#include "base/trace.h"

void ln_ice_change_role(struct ln_ice *ice, bool controlling)
{
    struct ln_ice_generation *g = ice->current;
    size_t i;

    if (ice->controlling == controlling)
        return;
    ice->controlling = controlling;
    if (g->nominating) {
        g->nominating->nominating = false;
        g->nominating = NULL;
    }
    for (i = 0; i < g->list.count; i++)
        ln_ice_pair_set_priority(g->list.pairs[i], controlling);
    ln_ice_check_list_sort(&g->list);
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_ROLE, ice->trace_id, controlling, 0, 0,
                  0);
    ln_ice_push_event(
        ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_ROLE, .value = controlling });
    ice->wake = true;
}

void ln_ice_set_role(struct ln_ice *ice, bool controlling)
{
    if (ice->closed)
        return;
    ice->asked_to_control = controlling;
    ln_ice_change_role(ice, ln_ice_role_for(ice, controlling));
}

bool ln_ice_is_controlling(const struct ln_ice *ice)
{
    return ice->controlling;
}

/* Both sides agreed on the pair: checks of the others end, consent lives here only. */
void ln_ice_select(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;
    size_t i;

    pair->nominated = true;
    if (g->selected == pair)
        return;
    g->selected = pair;
    g->nominating = NULL;
    g->consent_lost = false;
    g->stirred = true;
    for (i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *other = g->list.pairs[i];

        if (other == pair || (other->nominate_requested && other->state == LN_ICE_PAIR_IN_PROGRESS))
            continue;
        if (other->state == LN_ICE_PAIR_IN_PROGRESS)
            ln_ice_pair_set_state(ice, other, LN_ICE_PAIR_WAITING, LN_ICE_FAILURE_NONE);
        ln_stun_transaction_cancel(&other->check);
        if (!ln_ice_is_standby(g, other))
            ln_consent_stop(&other->consent);
    }
    ln_ice_keep_consent(ice, pair, now);
    if (g == ice->current && ice->previous && ice->previous_until == LN_TIME_NEVER)
        ice->previous_until = now + LN_ICE_LINGER;
    ice->wake = true;
}

void ln_ice_nomination_requested(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;

    if (ice->controlling || g->selected == pair)
        return;
    pair->nominate_requested = true;
    pair->nominate_order = ++g->nominations;
    if (ln_ice_pair_usable(pair) && now < pair->consent.valid_until)
        ln_ice_select(ice, pair, now);
    /* else the triggered check's answer does it */
}

/* Whether a better pair than `best` may still come soon. */
static bool better_to_come(const struct ln_ice *ice, const struct ln_ice_pair *best)
{
    const struct ln_ice_generation *g = ice->current;
    size_t i;

    if (ln_ice_pair_direct(best))
        return false;
    if (!g->remote_ended || g->gathering != LN_ICE_GATHERING_STATE_COMPLETE)
        return true;
    for (i = 0; i < g->list.count && g->list.pairs[i] != best; i++)
        if (g->list.pairs[i]->state != LN_ICE_PAIR_FAILED)
            return true;
    return false;
}

/* A relay answers sooner than a hole is punched, and is dearer for ever after; so is TCP. */
static ln_time settle_until(const struct ln_ice *ice, const struct ln_ice_pair *best)
{
    return ice->current->settle_from +
           (ln_ice_pair_kind(best) <= 1 ? ice->config.settle_relayed : ice->config.settle);
}

void ln_ice_nominate_run(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *best;

    if (ice->config.lite)
        return;
    if (ice->controlling && g->selected && !g->nominating && (best = ln_ice_replacement(ice))) {
        g->nominating = best;
        ln_ice_begin_check(ice, best, true, now);
    }
    if (!ice->controlling || g->selected || g->nominating)
        return;
    best = ln_ice_check_list_best(&g->list);
    if (!best) {
        g->settle_from = LN_TIME_NEVER;
        return;
    }
    if (g->settle_from == LN_TIME_NEVER)
        g->settle_from = now;
    if (now < settle_until(ice, best) && better_to_come(ice, best))
        return;
    g->nominating = best;
    ln_ice_begin_check(ice, best, true, now);
}

ln_time ln_ice_nominate_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;

    const struct ln_ice_pair *best = ln_ice_check_list_best(&g->list);

    if (!ice->controlling || g->selected || g->nominating || g->settle_from == LN_TIME_NEVER)
        return LN_TIME_NEVER;
    return best ? settle_until(ice, best) : LN_TIME_NEVER;
}
