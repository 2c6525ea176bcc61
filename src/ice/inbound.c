/* SPDX-License-Identifier: Apache-2.0
 * What arrives: data, checks of the other side (RFC 8445, 7.3) and answers to ours (7.2.5).
 *
 * Order of judgement for a check: well-formed, our ufrag, right password; only then is it answered,
 * and only then does it change anything. An answer must carry a running transaction's id and the
 * other side's password, and come from where the check went (7.2.5.2.1). */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"

#include <string.h>

static struct ln_bytes text_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

/* The pair of a path in either generation; the last one is tried first. */
static struct ln_ice_pair *find_pair(struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_pair *pair;

    if (ice->hot && ln_path_equal(&ice->hot->path, path))
        return ice->hot;
    pair = ln_ice_check_list_find(&ice->current->list, path);
    if (!pair && ice->previous)
        pair = ln_ice_check_list_find(&ice->previous->list, path);
    if (pair)
        ice->hot = pair;
    return pair;
}

/* --- data ---------------------------------------------------------------------------------- */

static bool heard_early(const struct ln_ice *ice, const struct ln_path *path)
{
    size_t i;

    for (i = 0; i < ice->early_count; i++)
        if (ln_path_equal(&ice->early[i].path, path))
            return true;
    return false;
}

bool ln_ice_is_proven(struct ln_ice *ice, const struct ln_path *path)
{
    const struct ln_ice_pair *pair = find_pair(ice, path);

    if (pair && !pair->authenticated && !ln_ice_is_unchecked(ice, pair) && ice->previous &&
        pair->generation == ice->current)
        pair = ln_ice_check_list_find(&ice->previous->list, path);
    return (pair && (pair->authenticated || ln_ice_is_unchecked(ice, pair))) ||
           heard_early(ice, path);
}

/* --- checks of the other side -------------------------------------------------------------- */

static bool queue_answer(struct ln_ice *ice, const struct ln_ice_generation *g,
                         const struct ln_path *path, const struct ln_stun_message *message,
                         uint16_t code)
{
    struct ln_ice_answer_intent intent = { .path = *path, .id = message->id, .code = code };

    memcpy(intent.pwd, g->pwd, sizeof intent.pwd);
    memcpy(intent.unknown, message->unknown, sizeof intent.unknown);
    intent.unknown_count = message->unknown_count;
    if (ln_ring_push(&ice->answers, &intent) != 0) {
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
        return false;
    }
    return true;
}

/* The generation whose local ufrag the USERNAME begins with ("ours:theirs"). */
static struct ln_ice_generation *addressed(struct ln_ice *ice,
                                           const struct ln_stun_message *message)
{
    struct ln_ice_generation *generations[2] = { ice->current, ice->previous };
    struct ln_bytes username;
    size_t i, len;

    if (!ln_stun_find(message, LN_STUN_USERNAME, &username))
        return NULL;
    for (i = 0; i < 2; i++) {
        if (!generations[i])
            continue;
        len = strlen(generations[i]->ufrag);
        if (username.len > len && username.data[len] == ':' &&
            memcmp(username.data, generations[i]->ufrag, len) == 0)
            return generations[i];
    }
    return NULL;
}

/* RFC 8445, 7.3.1.1. True if the check is to be answered 487 and goes no further. The number of
 * switches is bounded: a peer that changes its mind for ever gets 487 from then on. */
static bool role_conflict(struct ln_ice *ice, struct ln_ice_generation *g,
                          const struct ln_stun_message *message)
{
    uint64_t theirs;
    bool they_control;

    if (ln_stun_find_u64(message, LN_STUN_ICE_CONTROLLING, &theirs))
        they_control = true;
    else if (ln_stun_find_u64(message, LN_STUN_ICE_CONTROLLED, &theirs))
        they_control = false;
    else
        return false;
    if (they_control != ice->controlling || g != ice->current)
        return false;
    if (ice->config.lite) /* only a full agent controls one that is lite (RFC 8445, 6.1.1) */
        return !they_control;
    if (ice->controlling == (ice->tie_breaker >= theirs) || g->remote_lite)
        return true;
    if (g->role_switches >= LN_ICE_ROLE_SWITCHES_MAX)
        return true;
    g->role_switches++;
    ln_ice_change_role(ice, !ice->controlling);
    return false;
}

/* Checks that come before the other side's credentials: remembered for triggered checks. */
static void remember_early(struct ln_ice *ice, const struct ln_path *path, uint32_t priority,
                           bool use_candidate)
{
    struct ln_ice_early *early = NULL;
    size_t i;

    for (i = 0; i < ice->early_count; i++)
        if (ln_path_equal(&ice->early[i].path, path))
            early = &ice->early[i];
    if (!early) {
        if (ln_grow(ice->env->allocator, &ice->early, sizeof *ice->early, ice->early_count,
                    &ice->early_capacity, LN_ICE_EARLY_MAX) != 0) {
            ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
            return;
        }
        early = &ice->early[ice->early_count++];
        memset(early, 0, sizeof *early);
        early->path = *path;
    }
    early->priority = priority;
    early->use_candidate |= use_candidate;
    early->requests++;
}

static void check_received(struct ln_ice *ice, struct ln_ice_generation *g,
                           const struct ln_path *path, uint32_t priority, bool use_candidate,
                           uint32_t requests, ln_time now)
{
    struct ln_ice_pair *pair = ln_ice_pair_for_check(ice, g, path, priority);

    if (!pair)
        return;
    pair->authenticated = true;
    ln_ice_heard(ice, pair, now);
    pair->requests_received += requests;
    pair->responses_sent += requests;
    if (ice->config.lite) {
        ln_ice_lite_checked(ice, pair, use_candidate, now);
        return;
    }
    if (g != ice->current)
        return;
    ln_ice_trigger(ice, pair, now);
    if (use_candidate)
        ln_ice_nomination_requested(ice, pair, now);
}

void ln_ice_process_early(struct ln_ice *ice, ln_time now)
{
    size_t i;

    if (!ice->current->remote_pwd)
        return;
    for (i = 0; i < ice->early_count; i++)
        check_received(ice, ice->current, &ice->early[i].path, ice->early[i].priority,
                       ice->early[i].use_candidate, ice->early[i].requests, now);
    ln_free(ice->env->allocator, ice->early);
    ice->early = NULL;
    ice->early_count = ice->early_capacity = 0;
}

/* Under the relay policy nobody is to know where we are: a peer who guesses it and checks there
 * gets no answer that would tell him that he is right. */
static bool is_hidden(const struct ln_ice_generation *g, const struct ln_path *path)
{
    return g->servers->policy == LN_ICE_TRANSPORT_POLICY_RELAY && !ln_ice_is_virtual(path->link);
}

static int receive_request(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                           const struct ln_stun_message *message)
{
    struct ln_ice_generation *g = addressed(ice, message);
    struct ln_bytes value;
    uint32_t priority, nomination;
    bool use_candidate;

    if (!g)
        return ln_ice_drop(ice, LN_ICE_DROP_UNKNOWN_UFRAG, LN_ERR_NOT_FOUND);
    if (!ln_stun_check_integrity(message, text_bytes(g->pwd)))
        return ln_ice_drop(ice, LN_ICE_DROP_INTEGRITY, LN_ERR_INTEGRITY);
    if (is_hidden(g, path))
        return ln_ice_drop(ice, LN_ICE_DROP_HIDDEN, LN_ERR_NOT_FOUND);
    if (message->unknown_count > 0) {
        queue_answer(ice, g, path, message, 420);
        return 0;
    }
    if (role_conflict(ice, g, message)) {
        queue_answer(ice, g, path, message, 487);
        return 0;
    }
    if (!queue_answer(ice, g, path, message, 0))
        return LN_ERR_LIMIT;
    if (!ln_stun_find_u32(message, LN_STUN_PRIORITY, &priority))
        priority = ln_candidate_priority(LN_CANDIDATE_PRFLX, 0);
    /* NOMINATION stands for USE-CANDIDATE where renomination was agreed on; the order of arrival
     * decides, as it does for repeated nominations. */
    use_candidate = ln_stun_find(message, LN_STUN_USE_CANDIDATE, &value) ||
                    ln_stun_find_u32(message, LN_STUN_NOMINATION, &nomination);
    if (!g->remote_pwd)
        remember_early(ice, path, priority, use_candidate);
    else
        check_received(ice, g, path, priority, use_candidate, 1, now);
    ln_ice_run(ice, now);
    return 0;
}

/* --- answers to our checks ----------------------------------------------------------------- */

static bool expects(const struct ln_ice_pair *pair, const struct ln_stun_id *id)
{
    return (pair->check.state == LN_STUN_RUNNING && pair->check.sent > 0 &&
            ln_stun_id_equal(&pair->check.id, id)) ||
           ln_consent_expects(&pair->consent, id);
}

static struct ln_ice_pair *pair_of_answer(struct ln_ice *ice, const struct ln_stun_id *id)
{
    LN_LIST_EACH (at, &ice->busy) {
        struct ln_ice_pair *pair = LN_CONTAINER(at, struct ln_ice_pair, busy);

        if (expects(pair, id))
            return pair;
    }
    return NULL;
}

/* RFC 8445, 7.2.5.1: the other side insists on our role. */
static void role_refused(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;

    if (pair->state == LN_ICE_PAIR_SUCCEEDED) /* a nomination or consent check: nothing is lost */
        ln_stun_transaction_cancel(&pair->check);
    if (g != ice->current)
        return;
    if (pair->sent_controlling == ice->controlling) {
        if (g->role_switches >= LN_ICE_ROLE_SWITCHES_MAX) {
            ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_ROLE_CONFLICT);
            return;
        }
        g->role_switches++;
        ln_ice_change_role(ice, !ice->controlling);
        ice->tie_breaker = ln_rng_u64(ice->env->rng);
    }
    if (pair->state == LN_ICE_PAIR_SUCCEEDED)
        return;
    ln_stun_transaction_cancel(&pair->check);
    ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_WAITING, LN_ICE_FAILURE_NONE);
    ln_ice_trigger(ice, pair, now);
}

static void check_succeeded(struct ln_ice *ice, struct ln_ice_pair *pair,
                            const struct ln_address *mapped, ln_time now)
{
    struct ln_ice_generation *g = pair->generation;
    struct ln_ice_local *local = ln_ice_local_seen_as(ice, g, pair->base, mapped);
    bool nominates = pair->nominating && pair->sent_controlling && ice->controlling;

    if (local)
        pair->local = local;
    pair->nominating = false;
    ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_SUCCEEDED, LN_ICE_FAILURE_NONE);
    ln_ice_check_list_thaw(&g->list, pair);
    if (nominates || (!ice->controlling && pair->nominate_requested &&
                      (!g->selected || g->selected->nominate_order < pair->nominate_order)))
        ln_ice_select(ice, pair, now);
    else if (!g->selected || ln_ice_is_standby(g, pair))
        ln_ice_keep_consent(ice, pair, now);
}

static void answer_succeeded(struct ln_ice *ice, struct ln_ice_pair *pair,
                             const struct ln_stun_message *message, const struct ln_address *mapped,
                             ln_time now)
{
    ln_duration rtt = -1;
    bool ordinary = ln_stun_transaction_answer(&pair->check, &message->id, now, &rtt);

    if (!ordinary)
        (void)ln_consent_answer(&pair->consent, &message->id, now, &rtt);
    else if (rtt < 0)
        rtt = now - pair->check.last_sent;
    pair->authenticated = true;
    ln_ice_heard(ice, pair, now);
    pair->responses_received++;
    ln_ice_pair_count_rtt(pair, rtt);
    ln_consent_renew(&pair->consent, now);
    if (ordinary)
        check_succeeded(ice, pair, mapped, now);
    if (pair->generation->selected && pair->generation->selected != pair && pair != ice->sending)
        ln_consent_rest(&pair->consent, ice->env->rng, now);
}

static int receive_answer(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                          const struct ln_stun_message *message)
{
    struct ln_ice_pair *pair = pair_of_answer(ice, &message->id);
    struct ln_address mapped;
    struct ln_bytes reason;
    uint16_t code = 0;

    if (!pair) {
        if (!ln_ice_gather_response(ice, now, path, message))
            return ln_ice_drop(ice, LN_ICE_DROP_NO_TRANSACTION, LN_ERR_NOT_FOUND);
        ln_ice_run(ice, now);
        return 0;
    }
    if (!ln_stun_check_integrity(message, text_bytes(pair->generation->remote_pwd)))
        return ln_ice_drop(ice, LN_ICE_DROP_INTEGRITY, LN_ERR_INTEGRITY);
    if (message->kind == LN_STUN_ERROR ? !ln_stun_find_error(message, &code, &reason)
                                       : !ln_stun_find_mapped(message, &mapped))
        return ln_ice_drop(ice, LN_ICE_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (!ln_path_equal(path, &pair->path)) {
        if (pair->state == LN_ICE_PAIR_IN_PROGRESS)
            ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_ASYMMETRIC);
    } else if (code == 487) {
        role_refused(ice, pair, now);
    } else if (code != 0) {
        if (pair->state == LN_ICE_PAIR_IN_PROGRESS)
            ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_REFUSED);
    } else {
        answer_succeeded(ice, pair, message, &mapped, now);
    }
    ln_ice_run(ice, now);
    return 0;
}

/* --- the door ------------------------------------------------------------------------------ */

static int unwrap_datagram(struct ln_ice *ice, ln_time now, const struct ln_packet *packet)
{
    struct ln_stun_message message;

    if (ln_packet_classify(packet->data, packet->len) != LN_PACKET_STUN)
        return ln_ice_is_proven(ice, &packet->path)
                   ? 1
                   : ln_ice_drop(ice, LN_ICE_DROP_UNCHECKED, LN_ERR_NOT_ALLOWED);
    if (packet->len > LN_ICE_UNWRAP_MAX || ln_stun_parse(packet->data, packet->len, &message) != 0)
        return ln_ice_drop(ice, LN_ICE_DROP_MALFORMED, LN_ERR_MALFORMED);
    if (!ln_ice_owns_link(ice, packet->path.link))
        return ln_ice_drop(ice, LN_ICE_DROP_UNKNOWN_LINK, LN_ERR_NOT_FOUND);
    if (message.method != LN_STUN_BINDING)
        return ln_ice_drop(ice, LN_ICE_DROP_NOT_A_CHECK, LN_ERR_MALFORMED);
    switch (message.kind) {
    case LN_STUN_REQUEST:
        return receive_request(ice, now, &packet->path, &message);
    case LN_STUN_INDICATION:
        return 0; /* a keepalive (RFC 8445, 11) */
    default:
        return receive_answer(ice, now, &packet->path, &message);
    }
}

static int next_of_stream(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    int result = ln_ice_tcp_next(ice, now, packet);

    if (result == 1) {
        result = unwrap_datagram(ice, now, packet);
        ln_ice_tcp_judge(ice);
    }
    return result;
}

static int next_of_relay(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    int result = ln_ice_relay_next(ice, now, packet);

    return result == 1 ? unwrap_datagram(ice, now, packet) : result;
}

int ln_ice_unwrap_more(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    int result = 0;

    while (!ice->closed && (ice->draining || (ice->tcp && ice->tcp->draining))) {
        result = ice->draining ? next_of_relay(ice, now, packet) : next_of_stream(ice, now, packet);
        if (result == 1)
            return 1;
    }
    ice->draining = NULL;
    return result;
}

int ln_ice_unwrap(struct ln_ice *ice, ln_time now, struct ln_packet *packet)
{
    int result;

    ice->now = now;
    if (ice->closed)
        return LN_ERR_CLOSED;
    if (ln_ice_tcp_unwrap(ice, now, packet))
        return ln_ice_unwrap_more(ice, now, packet);
    if (ln_ice_tcp_asks_unwrap(ice, now, packet))
        return 0;
    if (ice->relay_count > 0 && (result = ln_ice_relays_unwrap(ice, now, packet)) != 1)
        return result == LN_ERR_AGAIN ? ln_ice_unwrap_more(ice, now, packet) : result;
    return unwrap_datagram(ice, now, packet);
}
