/* SPDX-License-Identifier: Apache-2.0
 * Generations: credentials (RFC 8445, 5.3), restart (RFC 8445, 9) and its rollback (RFC 8829,
 * 4.1.10.2).
 *
 * Invariant: there is always a current generation; a previous one exists only while its path may
 * still be wanted, and has at most one pair that does anything: its selected one. */
#include "ice/agent.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <ctype.h>
#include <string.h>

struct ln_ice_generation *ln_ice_generation_create(struct ln_ice *ice)
{
    struct ln_ice_generation *g = ln_alloc_zero(ice->env->allocator, sizeof *g);

    if (!g)
        return NULL;
    ln_rng_text(ice->env->rng, g->ufrag, LN_ICE_UFRAG_LEN);
    if (ice->config.ufrag_first)
        g->ufrag[0] = ice->config.ufrag_first;
    ln_rng_text(ice->env->rng, g->pwd, LN_ICE_PWD_LEN);
    ln_list_init(&g->locals);
    ln_list_init(&g->remotes);
    ln_list_init(&g->probes);
    ln_list_init(&g->names);
    g->servers = ice->servers;
    g->servers->references++;
    g->gather_from = LN_TIME_NEVER;
    ln_ice_check_list_init(&g->list, ice->config.max_pairs);
    g->gathering = LN_ICE_GATHERING_STATE_NEW;
    g->ordinary_at = g->triggered_at = LN_TIME_IMMEDIATE;
    g->settle_from = g->patience_from = LN_TIME_NEVER;
    return g;
}

void ln_ice_generation_free(struct ln_ice *ice, struct ln_ice_generation *g)
{
    struct ln_allocator *allocator = ice->env->allocator;
    size_t i;

    if (!g)
        return;
    ln_ice_release_relays(ice, g);
    ln_ice_release_links(ice, g);
    ln_ice_names_release(ice, g);
    ln_ice_tcp_release(ice, g);
    for (i = 0; i < g->list.count; i++)
        ln_ice_pair_detach(ice, g->list.pairs[i]);
    ln_ice_check_list_deinit(&g->list, allocator);
    LN_LIST_EACH_SAFE (at, after, &g->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        ln_list_remove(&probe->outbox);
        ln_free(allocator, probe);
    }
    LN_LIST_EACH_SAFE (at, after, &g->locals) {
        ln_free(allocator, LN_CONTAINER(at, struct ln_ice_local, in_generation));
    }
    LN_LIST_EACH_SAFE (at, after, &g->remotes) {
        ln_ice_remote_free(ice, g, LN_CONTAINER(at, struct ln_ice_remote, in_generation));
    }
    ln_ice_servers_unref(ice, g->servers);
    ln_free(allocator, g->remote_ufrag);
    if (g->remote_pwd)
        ln_wipe(g->remote_pwd, strlen(g->remote_pwd));
    ln_free(allocator, g->remote_pwd);
    ln_wipe(g->pwd, sizeof g->pwd);
    ln_free(allocator, g);
}

void ln_ice_drop_previous(struct ln_ice *ice)
{
    ln_ice_generation_free(ice, ice->previous);
    ice->previous = NULL;
    ice->previous_until = LN_TIME_NEVER;
}

const char *ln_ice_local_ufrag(const struct ln_ice *ice)
{
    return ice->current->ufrag;
}

const char *ln_ice_local_pwd(const struct ln_ice *ice)
{
    return ice->current->pwd;
}

const char *ln_ice_remote_ufrag(const struct ln_ice *ice)
{
    return ice->current->remote_ufrag ? ice->current->remote_ufrag : "";
}

const char *ln_ice_remote_pwd(const struct ln_ice *ice)
{
    return ice->current->remote_pwd ? ice->current->remote_pwd : "";
}

/* RFC 8839, 5.4, a little wider: some stacks use the URL-safe alphabet. */
static bool credential_valid(const char *text, size_t min)
{
    size_t len = strlen(text), i;

    if (len < min || len > LN_CANDIDATE_UFRAG_MAX)
        return false;
    for (i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("+/=-_", text[i]))
            return false;
    return true;
}

/* Candidates that came before the credentials and name another ufrag are of another generation. */
static void drop_foreign_remotes(struct ln_ice *ice, struct ln_ice_generation *g)
{
    LN_LIST_EACH_SAFE (at, after, &g->remotes) {
        struct ln_ice_remote *remote = LN_CONTAINER(at, struct ln_ice_remote, in_generation);
        size_t i;

        if (!remote->ufrag || strcmp(remote->ufrag, g->remote_ufrag) == 0)
            continue;
        for (i = g->list.count; i-- > 0;) {
            struct ln_ice_pair *pair = g->list.pairs[i];

            if (pair->remote != remote)
                continue;
            ln_ice_pair_detach(ice, pair);
            ln_ice_check_list_remove(&g->list, pair);
            ln_ice_pair_free(ice->env->allocator, pair);
        }
        ln_ice_remote_free(ice, g, remote);
    }
}

int ln_ice_set_remote(struct ln_ice *ice, const char *ufrag, const char *pwd, bool lite,
                      const char *options)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_allocator *allocator = ice->env->allocator;
    char *ufrag_copy, *pwd_copy;

    (void)options; /* "trickle", "renomination", "ice2": all are always understood */
    if (ice->closed)
        return LN_ERR_CLOSED;
    if (!credential_valid(ufrag, 4) || !credential_valid(pwd, 22))
        return LN_ERR_SYNTAX;
    if (g->remote_ufrag && (strcmp(g->remote_ufrag, ufrag) != 0 || strcmp(g->remote_pwd, pwd) != 0))
        return LN_ERR_INVALID_STATE;
    if (!g->remote_ufrag) {
        ufrag_copy = ln_alloc_text(allocator, ufrag);
        pwd_copy = ln_alloc_text(allocator, pwd);
        if (!ufrag_copy || !pwd_copy) {
            ln_free(allocator, ufrag_copy);
            ln_free(allocator, pwd_copy);
            return LN_ERR_NOMEM;
        }
        g->remote_ufrag = ufrag_copy;
        g->remote_pwd = pwd_copy;
        g->restamp = true;
        drop_foreign_remotes(ice, g);
    }
    g->remote_lite = lite;
    if (lite || ice->config.lite)
        ln_ice_change_role(ice, ln_ice_role_for(ice, ice->asked_to_control));
    if (lite && ice->config.lite)
        ln_ice_pair_up_all(ice);
    ice->wake = true;
    return 0;
}

/* The old generation keeps one pair going, and nothing else. */
static void retire(struct ln_ice *ice, struct ln_ice_generation *g)
{
    size_t i;

    for (i = 0; i < g->list.count; i++) {
        struct ln_ice_pair *pair = g->list.pairs[i];

        ln_list_remove(&pair->triggered);
        ln_stun_transaction_cancel(&pair->check);
        if (pair->state == LN_ICE_PAIR_IN_PROGRESS)
            pair->state = LN_ICE_PAIR_WAITING; /* a rollback takes it up again */
        pair->nominating = false;
        if (pair == ice->sending)
            continue;
        ln_consent_stop(&pair->consent);
        ln_list_remove(&pair->busy);
        ln_list_remove(&pair->outbox);
    }
    g->nominating = NULL;
    g->selected = ice->sending && ice->sending->generation == g ? ice->sending : NULL;
    LN_LIST_EACH (at, &g->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        ln_stun_transaction_cancel(&probe->transaction);
        ln_list_remove(&probe->outbox);
    }
}

int ln_ice_restart(struct ln_ice *ice)
{
    struct ln_ice_generation *g, *old = ice->current;

    if (ice->closed)
        return LN_ERR_CLOSED;
    g = ln_ice_generation_create(ice);
    if (!g)
        return LN_ERR_NOMEM;
    /* Of two generations without a new path the older one carries the data. */
    if (ice->previous && ice->sending && ice->sending->generation == ice->previous) {
        ln_ice_generation_free(ice, old);
    } else {
        ln_ice_drop_previous(ice);
        retire(ice, old);
        ice->previous = old;
    }
    ice->previous_until = LN_TIME_NEVER;
    ice->current = g;
    ice->early_count = 0;
    ice->wake = true;
    return 0;
}

bool ln_ice_rollback(struct ln_ice *ice)
{
    enum ln_ice_gathering_state before;

    if (ice->closed || !ice->previous || ice->current->selected)
        return false;
    before = ice->current->gathering;
    ln_ice_generation_free(ice, ice->current);
    ice->current = ice->previous;
    ice->previous = NULL;
    ice->previous_until = LN_TIME_NEVER;
    if (ice->current->gathering == LN_ICE_GATHERING_STATE_GATHERING)
        ice->current->gathering = LN_ICE_GATHERING_STATE_COMPLETE; /* its probes were stopped */
    if (ice->current->gathering != before)
        ln_ice_push_event(ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_GATHERING_STATE,
                                                             .value = ice->current->gathering });
    ice->wake = true;
    return true;
}
