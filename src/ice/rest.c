/* SPDX-License-Identifier: Apache-2.0
 * A connection at rest. With four addresses a side there are sixteen pairs, of which a few carry
 * the connection or stand by; the others are never asked once it stands. Some time after the
 * nomination those that did nothing are let go: all that they know are their two candidates, so
 * that they are made anew when a pair fails or another is selected. Pairs on which an authentic
 * check came stay, for data may come on them; those through a relay too, for they are what keeps
 * its permissions. */
#include "ice/agent.h"

#include "base/time.h"

/* Nothing is awaited and nothing is to be asked. */
static bool still(const struct ln_ice *ice, const struct ln_ice_generation *g)
{
    return !ice->previous && g->selected && ln_ice_pair_usable(g->selected) && !g->nominating &&
           g->gathering == LN_ICE_GATHERING_STATE_COMPLETE && ln_list_empty(&g->list.triggered) &&
           !ln_ice_standby_wanted(g);
}

static bool did_nothing(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    return (pair->state == LN_ICE_PAIR_WAITING || pair->state == LN_ICE_PAIR_FROZEN) &&
           !pair->authenticated && !ln_ice_is_unchecked(ice, pair) && !pair->base->relay &&
           ln_list_empty(&pair->outbox);
}

static void let_go(struct ln_ice *ice, struct ln_ice_generation *g)
{
    size_t i;

    for (i = g->list.count; i-- > 0;) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        if (!did_nothing(ice, pair))
            continue;
        ln_ice_pair_detach(ice, pair);
        ln_ice_check_list_remove(&g->list, pair);
        ln_ice_pair_free(ice->env->allocator, pair);
    }
    ln_ring_trim(&ice->answers);
    ln_ring_trim(&ice->events);
    ln_ice_check_list_trim(&g->list, ice->env->allocator);
    g->resting = true;
}

void ln_ice_rest_run(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;

    if (g->stirred) {
        g->stirred = false;
        g->rest_at = now + LN_ICE_REST;
        if (g->resting)
            ln_ice_pair_up_all(ice);
        g->resting = false;
    } else if (!g->resting && now >= g->rest_at && still(ice, g)) {
        let_go(ice, g);
    }
}
