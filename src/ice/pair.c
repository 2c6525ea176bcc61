/* SPDX-License-Identifier: Apache-2.0
 * One candidate pair (RFC 8445, 6.1.2). */
#include "ice/pair.h"

#include "base/address.h"
#include "base/alloc.h"

static const char *const state_names[] = { "frozen", "waiting", "in-progress", "failed",
                                           "succeeded" };

const char *ln_ice_pair_state_name(enum ln_ice_pair_state state)
{
    return (size_t)state < 5 ? state_names[state] : "unknown";
}

struct ln_ice_pair *ln_ice_pair_create(struct ln_allocator *allocator,
                                       struct ln_ice_generation *generation,
                                       struct ln_ice_local *base, struct ln_ice_remote *remote,
                                       uint32_t id, bool lite)
{
    struct ln_ice_pair *pair = ln_alloc_zero(allocator,
                                             sizeof *pair + (lite ? sizeof pair->lite[0] : 0));

    if (!pair)
        return NULL;
    pair->id = id;
    pair->generation = generation;
    pair->base = pair->local = base;
    pair->remote = remote;
    pair->path = (struct ln_path){ base->link, base->base, remote->address };
    if (ln_address_is_link_local(&remote->address) && remote->address.scope == 0)
        pair->path.remote.scope = base->base.scope;
    pair->state = LN_ICE_PAIR_FROZEN;
    ln_consent_init(&pair->consent);
    pair->alive_at = LN_TIME_IMMEDIATE;
    pair->awaits_since = LN_TIME_NEVER;
    if (lite)
        pair->lite->confirmed_at = pair->lite->unanswered_since = LN_TIME_NEVER;
    pair->last_sent = pair->last_received = LN_TIME_NEVER;
    pair->current_rtt = -1;
    ln_list_init(&pair->busy);
    ln_list_init(&pair->triggered);
    ln_list_init(&pair->outbox);
    return pair;
}

void ln_ice_pair_free(struct ln_allocator *allocator, struct ln_ice_pair *pair)
{
    ln_list_remove(&pair->busy);
    ln_list_remove(&pair->triggered);
    ln_list_remove(&pair->outbox);
    ln_free(allocator, pair);
}

void ln_ice_pair_set_priority(struct ln_ice_pair *pair, bool controlling)
{
    uint32_t ours = pair->base->priority, theirs = pair->remote->priority;

    pair->priority = controlling ? ln_candidate_pair_priority(ours, theirs)
                                 : ln_candidate_pair_priority(theirs, ours);
}

/* RFC 6544, 6.2 */
static bool same_transport(const struct ln_ice_local *base, const struct ln_ice_remote *remote)
{
    if (base->tcp_type == LN_CANDIDATE_TCP_NONE)
        return remote->protocol == LN_CANDIDATE_UDP;
    return remote->protocol == LN_CANDIDATE_TCP &&
           ((base->tcp_type == LN_CANDIDATE_TCP_ACTIVE &&
             remote->tcp_type == LN_CANDIDATE_TCP_PASSIVE) ||
            (base->tcp_type == LN_CANDIDATE_TCP_SO && remote->tcp_type == LN_CANDIDATE_TCP_SO));
}

bool ln_ice_pair_possible(const struct ln_ice_local *base, const struct ln_ice_remote *remote)
{
    const struct ln_address *a = &base->base, *b = &remote->address;

    return remote->usable && same_transport(base, remote) && a->family == b->family &&
           ln_address_is_loopback(a) == ln_address_is_loopback(b) &&
           (a->family == LN_FAMILY_IPV4 ||
            ln_address_is_link_local(a) == ln_address_is_link_local(b));
}

bool ln_ice_pair_direct(const struct ln_ice_pair *pair)
{
    if (pair->local->type != LN_CANDIDATE_HOST || pair->base->tcp_type)
        return false;
    /* A host's check may arrive before its candidate: then its address tells. */
    return pair->remote->type == LN_CANDIDATE_HOST ||
           (pair->remote->type == LN_CANDIDATE_PRFLX && ln_candidate_is_inside(&pair->path.remote));
}

bool ln_ice_pair_relayed(const struct ln_ice_pair *pair)
{
    return pair->base->type == LN_CANDIDATE_RELAY || pair->remote->type == LN_CANDIDATE_RELAY;
}

int ln_ice_pair_kind(const struct ln_ice_pair *pair)
{
    if (ln_ice_pair_relayed(pair))
        return 0;
    return pair->base->tcp_type ? 1 : 2 + ln_ice_pair_direct(pair);
}

void ln_ice_pair_count_rtt(struct ln_ice_pair *pair, ln_duration rtt)
{
    pair->current_rtt = rtt;
    pair->total_rtt += rtt;
}
