/* SPDX-License-Identifier: Apache-2.0
 * Remote candidates (RFC 8838, 11; RFC 8445, 6.1.2.2 and 7.3.1.3): what is signalled, what is
 * learned from checks, names that have to be looked up first, and the pairs that follow.
 *
 * Invariant: no two remote candidates of a generation that have pairs share an address; a candidate
 * first seen in a check takes over what its signalled twin says and keeps its pairs, with their
 * states and nominations. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/trace.h"

#include <string.h>
#include <strings.h>

void ln_ice_remote_free(struct ln_ice *ice, struct ln_ice_generation *g,
                        struct ln_ice_remote *remote)
{
    ln_list_remove(&remote->in_generation);
    g->remote_count--;
    ln_free(ice->env->allocator, remote->name);
    ln_free(ice->env->allocator, remote->ufrag);
    ln_free(ice->env->allocator, remote);
}

static uint64_t foundation_hash(const char *text)
{
    static const uint64_t key[2] = { 1, 2 }; /* equality only; a peer gains nothing by collisions */

    return ln_siphash(key, text, strlen(text));
}

static struct ln_ice_remote *find_remote(const struct ln_ice_generation *g, uint8_t protocol,
                                         const struct ln_address *address)
{
    LN_LIST_EACH (at, &g->remotes) {
        struct ln_ice_remote *remote = LN_CONTAINER(at, struct ln_ice_remote, in_generation);

        if (remote->usable && remote->protocol == protocol &&
            remote->address.family != LN_FAMILY_NONE && ln_address_equal(&remote->address, address))
            return remote;
    }
    return NULL;
}

/* A zeroed candidate in the list, or NULL at the limit or out of memory. */
static struct ln_ice_remote *new_remote(struct ln_ice *ice, struct ln_ice_generation *g,
                                        int *ret_error)
{
    struct ln_ice_remote *remote = NULL;

    *ret_error = LN_ERR_LIMIT;
    if (g->remote_count < LN_ICE_REMOTE_CANDIDATES_MAX) {
        remote = ln_alloc_zero(ice->env->allocator, sizeof *remote);
        *ret_error = LN_ERR_NOMEM;
    } else {
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
    }
    if (!remote)
        return NULL;
    remote->id = ln_ice_new_id(ice);
    ln_list_append(&g->remotes, &remote->in_generation);
    g->remote_count++;
    return remote;
}

/* --- pairs --------------------------------------------------------------------------------- */

static struct ln_ice_pair *add_pair(struct ln_ice *ice, struct ln_ice_generation *g,
                                    struct ln_ice_local *base, struct ln_ice_remote *remote,
                                    bool keep)
{
    struct ln_allocator *allocator = ice->env->allocator;
    struct ln_ice_pair *evicted = NULL;
    struct ln_ice_pair *pair = ln_ice_pair_create(allocator, g, base, remote, ln_ice_new_id(ice),
                                                  ice->config.lite);

    if (!pair)
        return NULL;
    ln_ice_pair_set_priority(pair, ice->controlling);
    pair->consent.for_ever = !ice->config.consent;
    if (ln_ice_check_list_add(&g->list, allocator, pair, keep, &evicted) != 0) {
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
        ln_ice_pair_free(allocator, pair);
        return NULL;
    }
    if (evicted) {
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
        ln_ice_pair_detach(ice, evicted);
        ln_ice_pair_free(allocator, evicted);
    }
    ice->wake = true;
    ice->permits_wanted = ice->permits_wanted || base->relay;
    return pair;
}

static void pair_up(struct ln_ice *ice, struct ln_ice_generation *g, struct ln_ice_local *base,
                    struct ln_ice_remote *remote)
{
    struct ln_path path = { base->link, base->base, remote->address };

    if (!ln_ice_forms_pairs(ice))
        return;
    if (ln_ice_pair_possible(base, remote) && !ln_ice_check_list_find(&g->list, &path))
        (void)add_pair(ice, g, base, remote, false);
}

void ln_ice_pair_up_local(struct ln_ice *ice, struct ln_ice_local *base)
{
    struct ln_ice_generation *g = ice->current;

    LN_LIST_EACH (at, &g->remotes) {
        pair_up(ice, g, base, LN_CONTAINER(at, struct ln_ice_remote, in_generation));
    }
}

void ln_ice_pair_up_all(struct ln_ice *ice)
{
    LN_LIST_EACH (at, &ice->current->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (ln_ice_is_base(local))
            ln_ice_pair_up_local(ice, local);
    }
}

static void pair_up_remote(struct ln_ice *ice, struct ln_ice_remote *remote)
{
    struct ln_ice_generation *g = ice->current;

    LN_LIST_EACH (at, &g->locals) {
        struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (ln_ice_is_base(local))
            pair_up(ice, g, local, remote);
    }
}

/* What the other side's candidate is, seen from ours (RFC 6544, 6.2). */
static uint8_t opposite(uint8_t tcp_type)
{
    if (tcp_type == LN_CANDIDATE_TCP_PASSIVE)
        return LN_CANDIDATE_TCP_ACTIVE;
    return tcp_type == LN_CANDIDATE_TCP_ACTIVE ? LN_CANDIDATE_TCP_PASSIVE : tcp_type;
}

struct ln_ice_pair *ln_ice_pair_for_check(struct ln_ice *ice, struct ln_ice_generation *g,
                                          const struct ln_path *path, uint32_t priority)
{
    struct ln_ice_pair *pair = ln_ice_check_list_find(&g->list, path);
    struct ln_ice_local *base = ln_ice_find_base(g, path);
    struct ln_ice_remote *remote;
    uint8_t protocol;
    int error;

    if (pair || !base)
        return pair;
    protocol = base->tcp_type ? LN_CANDIDATE_TCP : LN_CANDIDATE_UDP;
    remote = find_remote(g, protocol, &path->remote);
    if (!remote) {
        remote = new_remote(ice, g, &error);
        if (!remote)
            return NULL;
        remote->address = path->remote;
        remote->type = LN_CANDIDATE_PRFLX;
        remote->protocol = protocol;
        remote->tcp_type = opposite(base->tcp_type);
        remote->priority = priority;
        remote->usable = true;
        /* Unlike all others, so that nothing is frozen behind it (RFC 8445, 7.3.1.3). */
        remote->foundation = remote->id;
        ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_CANDIDATE, ice->trace_id, 0,
                      remote->type, 0, 0);
    }
    return add_pair(ice, g, base, remote, true);
}

/* --- what is signalled --------------------------------------------------------------------- */

static void describe(struct ln_ice_remote *remote, const struct ln_candidate *candidate)
{
    memcpy(remote->foundation_text, candidate->foundation, sizeof remote->foundation_text);
    remote->foundation = foundation_hash(candidate->foundation);
    remote->priority = candidate->priority;
    remote->type = candidate->type;
    remote->protocol = candidate->protocol;
    remote->tcp_type = candidate->tcp_type;
    remote->related = candidate->related;
    remote->signalled = true;
}

/* A candidate that a check had shown before is now signalled: the pairs go on as they are. */
static void adopt(struct ln_ice *ice, struct ln_ice_remote *seen,
                  const struct ln_candidate *candidate)
{
    struct ln_ice_generation *g = ice->current;
    size_t i;

    if (seen->signalled)
        return;
    describe(seen, candidate);
    for (i = 0; i < g->list.count; i++)
        if (g->list.pairs[i]->remote == seen)
            ln_ice_pair_set_priority(g->list.pairs[i], ice->controlling);
    ln_ice_check_list_sort(&g->list);
    pair_up_remote(ice, seen);
    ice->wake = true;
}

static bool same_candidate(const struct ln_ice_remote *remote, const struct ln_candidate *candidate)
{
    if (remote->protocol != candidate->protocol || remote->tcp_type != candidate->tcp_type ||
        !remote->signalled)
        return false;
    if (candidate->name[0])
        return remote->name && strcasecmp(remote->name, candidate->name) == 0 &&
               remote->address.port == candidate->address.port;
    return !remote->name && ln_address_equal(&remote->address, &candidate->address);
}

static bool repeated(const struct ln_ice_generation *g, const struct ln_candidate *candidate)
{
    LN_LIST_EACH (at, &g->remotes) {
        if (same_candidate(LN_CONTAINER(at, struct ln_ice_remote, in_generation), candidate))
            return true;
    }
    return false;
}

static int copy_texts(struct ln_ice *ice, struct ln_ice_remote *remote,
                      const struct ln_candidate *candidate)
{
    struct ln_allocator *allocator = ice->env->allocator;

    if (candidate->name[0] && !(remote->name = ln_alloc_text(allocator, candidate->name)))
        return LN_ERR_NOMEM;
    if (candidate->ufrag[0] && !(remote->ufrag = ln_alloc_text(allocator, candidate->ufrag)))
        return LN_ERR_NOMEM;
    return 0;
}

/* An active candidate has no pairs but those of its checks (RFC 6544, 6.2). */
static bool may_be_checked(const struct ln_ice *ice, const struct ln_candidate *candidate)
{
    return candidate->protocol == LN_CANDIDATE_UDP ||
           (ice->tcp && (candidate->tcp_type == LN_CANDIDATE_TCP_PASSIVE ||
                         candidate->tcp_type == LN_CANDIDATE_TCP_SO));
}

static int add_new(struct ln_ice *ice, const struct ln_candidate *candidate)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_remote *remote;
    int error;

    remote = new_remote(ice, g, &error);
    if (!remote)
        return error;
    if (copy_texts(ice, remote, candidate) != 0) {
        ln_ice_remote_free(ice, g, remote);
        return LN_ERR_NOMEM;
    }
    describe(remote, candidate);
    remote->address = candidate->address;
    g->restamp = true;
    ice->wake = ice->permits_wanted = true;
    if (!may_be_checked(ice, candidate))
        return 0; /* kept for statistics */
    if (remote->name) {
        remote->name_state = LN_ICE_NAME_WANTED;
        return 0;
    }
    remote->usable = true;
    pair_up_remote(ice, remote);
    return 0;
}

int ln_ice_add_remote_candidate(struct ln_ice *ice, const struct ln_candidate *candidate)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_remote *seen;

    if (ice->closed)
        return LN_ERR_CLOSED;
    if (candidate->ufrag[0] && g->remote_ufrag && strcmp(candidate->ufrag, g->remote_ufrag) != 0)
        return LN_ERR_NOT_FOUND;
    if (candidate->component != 1 || repeated(g, candidate))
        return 0;
    if (!candidate->name[0] && may_be_checked(ice, candidate)) {
        if (!ln_candidate_may_check(&candidate->address)) {
            ln_ice_drop(ice, LN_ICE_DROP_REMOTE_CANDIDATE, 0);
            return 0;
        }
        seen = find_remote(g, candidate->protocol, &candidate->address);
        if (seen) {
            adopt(ice, seen, candidate);
            return 0;
        }
    }
    return add_new(ice, candidate);
}

int ln_ice_add_remote_candidate_text(struct ln_ice *ice, const char *text, size_t len)
{
    struct ln_candidate candidate;
    int error;

    if (len == 0) {
        ln_ice_end_of_candidates(ice);
        return ice->closed ? LN_ERR_CLOSED : 0;
    }
    error = ln_candidate_parse(text, len, &candidate);
    return error ? error : ln_ice_add_remote_candidate(ice, &candidate);
}

void ln_ice_end_of_candidates(struct ln_ice *ice)
{
    if (ice->closed)
        return;
    ice->current->remote_ended = true;
    ice->wake = true;
}

/* --- names --------------------------------------------------------------------------------- */

int ln_ice_remote_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    struct ln_ice_remote *wanted = NULL;
    size_t asked = 0;

    LN_LIST_EACH (at, &ice->current->remotes) {
        struct ln_ice_remote *remote = LN_CONTAINER(at, struct ln_ice_remote, in_generation);

        asked += remote->name_state == LN_ICE_NAME_ASKED;
        if (!wanted && remote->name_state == LN_ICE_NAME_WANTED)
            wanted = remote;
    }
    if (!wanted || asked >= LN_ICE_NAMES_MAX || ice->closed || ice->config.lite ||
        ice->current->servers->policy == LN_ICE_TRANSPORT_POLICY_RELAY)
        return 0;
    wanted->name_state = LN_ICE_NAME_ASKED;
    wanted->request = ln_ice_new_request(ice);
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_RESOLVE,
                                        .id = wanted->request,
                                        .name = wanted->name };
    return 1;
}

static struct ln_candidate as_candidate(const struct ln_ice_remote *remote)
{
    struct ln_candidate candidate = { 0 };

    memcpy(candidate.foundation, remote->foundation_text, sizeof candidate.foundation);
    candidate.component = 1;
    candidate.priority = remote->priority;
    candidate.type = remote->type;
    candidate.protocol = remote->protocol;
    candidate.tcp_type = remote->tcp_type;
    candidate.related = remote->related;
    return candidate;
}

/* One address of a name: the named candidate takes the first, a second family gets a candidate of
 * its own. */
static void take_address(struct ln_ice *ice, struct ln_ice_remote *remote,
                         const struct ln_address *address)
{
    struct ln_candidate candidate = as_candidate(remote);
    struct ln_ice_remote *seen;

    candidate.address = *address;
    candidate.address.port = remote->address.port;
    if (!ln_candidate_may_check(&candidate.address)) {
        ln_ice_drop(ice, LN_ICE_DROP_REMOTE_CANDIDATE, 0);
        return;
    }
    seen = find_remote(ice->current, candidate.protocol, &candidate.address);
    if (seen) {
        adopt(ice, seen, &candidate);
    } else if (!remote->usable) {
        remote->address = candidate.address;
        remote->usable = true;
        pair_up_remote(ice, remote);
    } else {
        (void)add_new(ice, &candidate);
    }
}

bool ln_ice_remote_answer(struct ln_ice *ice, const struct ln_answer *answer)
{
    struct ln_ice_remote *remote = NULL;
    bool taken4 = false, taken6 = false;
    size_t i;

    if (answer->kind != LN_ANSWER_RESOLVED && answer->kind != LN_ANSWER_FAILED)
        return false;
    LN_LIST_EACH (at, &ice->current->remotes) {
        struct ln_ice_remote *other = LN_CONTAINER(at, struct ln_ice_remote, in_generation);

        if (other->name_state == LN_ICE_NAME_ASKED && other->request == answer->id)
            remote = other;
    }
    if (!remote)
        return false;
    remote->name_state = answer->kind == LN_ANSWER_RESOLVED ? LN_ICE_NAME_DONE : LN_ICE_NAME_FAILED;
    for (i = 0; answer->kind == LN_ANSWER_RESOLVED && i < answer->address_count; i++) {
        bool *taken = answer->addresses[i].family == LN_FAMILY_IPV4 ? &taken4 : &taken6;

        if (!*taken)
            take_address(ice, remote, &answer->addresses[i]);
        *taken = true; /* the first of each family: a name cannot be used to scan a network */
    }
    return true;
}
