/* SPDX-License-Identifier: Apache-2.0
 * Connectivity checks going out (RFC 8445, 7.2): when, to whom, and the bytes.
 *
 * The first check leaves the moment there is a pair; a few more follow 5 ms apart, then Ta rules.
 * Triggered checks do not wait for ordinary ones (a bucket bounds them). A check that is under way
 * on a pair from which the other side is heard is repeated at once instead of at its next RTO: its
 * first copy may have met a closed NAT. */
#include "ice/agent.h"

#include "base/time.h"
#include "base/trace.h"

#include <stdio.h>
#include <string.h>

void ln_ice_pair_set_state(struct ln_ice *ice, struct ln_ice_pair *pair,
                           enum ln_ice_pair_state state, enum ln_ice_failure failure)
{
    if (pair->state == state && pair->failure == failure)
        return;
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_PAIR, ice->trace_id, pair->id,
                  pair->state, state, failure);
    pair->state = (uint8_t)state;
    pair->failure = (uint8_t)failure;
}

/* Nothing in the agent points to the pair afterwards. */
void ln_ice_pair_detach(struct ln_ice *ice, struct ln_ice_pair *pair)
{
    struct ln_ice_generation *g = pair->generation;

    if (g->selected == pair)
        g->selected = NULL;
    if (g->nominating == pair)
        g->nominating = NULL;
    if (ice->sending == pair)
        ice->sending = NULL;
    if (ice->hot == pair)
        ice->hot = NULL;
}

void ln_ice_pair_fail(struct ln_ice *ice, struct ln_ice_pair *pair, enum ln_ice_failure failure)
{
    if (pair->state == LN_ICE_PAIR_FAILED)
        return;
    ln_stun_transaction_cancel(&pair->check);
    ln_consent_stop(&pair->consent);
    ln_list_remove(&pair->triggered);
    ln_list_remove(&pair->busy);
    ln_list_remove(&pair->outbox);
    if (pair->generation->nominating == pair)
        pair->generation->nominating = NULL;
    pair->nominating = false;
    pair->generation->stirred = true;
    ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_FAILED, failure);
    ice->wake = true;
}

static void enqueue(struct ln_ice *ice, struct ln_ice_pair *pair)
{
    if ((pair->check.due || pair->consent.due) && ln_list_empty(&pair->outbox))
        ln_list_append(&ice->outbox, &pair->outbox);
}

static void mark_busy(struct ln_ice *ice, struct ln_ice_pair *pair)
{
    if (ln_list_empty(&pair->busy))
        ln_list_append(&ice->busy, &pair->busy);
}

void ln_ice_keep_consent(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    if (ice->config.lite)
        ln_consent_await(&pair->consent);
    else
        ln_consent_start(&pair->consent, ice->env->rng, now);
    mark_busy(ice, pair);
}

/* RFC 8445, 14.3, with a ceiling: many pairs should not make one lost packet cost ages. */
static ln_duration retransmission_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_check_list *list = &ice->current->list;
    int64_t unfinished = 0;
    ln_duration rto;
    size_t i;

    for (i = 0; i < list->count; i++)
        unfinished += list->pairs[i]->state == LN_ICE_PAIR_WAITING ||
                      list->pairs[i]->state == LN_ICE_PAIR_IN_PROGRESS;
    rto = ice->config.pacing * unfinished;
    if (rto > LN_ICE_RTO_MAX)
        rto = LN_ICE_RTO_MAX;
    return ln_time_max(rto, ice->config.rto);
}

void ln_ice_begin_check(struct ln_ice *ice, struct ln_ice_pair *pair, bool nominate, ln_time now)
{
    struct ln_stun_timing timing = { retransmission_timeout(ice), LN_STUN_RC, LN_STUN_RM, 0 };

    if (pair->base->tcp_type) {
        timing = (struct ln_stun_timing){ LN_STUN_TI_TCP, 1, 1, 0 };
    } else if (timing.rto ==
               ice->config.rto) { /* with many pairs the sum of all requests counts more */
        timing.wait_max = ln_time_max(timing.rto, LN_ICE_CHECK_WAIT_MAX);
        timing.rc = (uint8_t)(1 + LN_ICE_CHECK_TIME / timing.wait_max);
    }

    ln_list_remove(&pair->triggered);
    ln_stun_transaction_begin(&pair->check, timing, ice->env->rng, now);
    pair->nominating = nominate;
    if (pair->state != LN_ICE_PAIR_SUCCEEDED)
        ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_IN_PROGRESS, LN_ICE_FAILURE_NONE);
    mark_busy(ice, pair);
    enqueue(ice, pair);
}

/* Over TCP nothing is lost on the way, and nothing repeated (RFC 6544, 7.1). */
static void hasten(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    if (!pair->base->tcp_type)
        ln_stun_transaction_hasten(&pair->check, now, LN_ICE_HASTEN_SPACING);
    enqueue(ice, pair);
}

void ln_ice_trigger(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    switch (pair->state) {
    case LN_ICE_PAIR_SUCCEEDED:
        hasten(ice, pair, now); /* a nomination */
        /* Consent that ran out while nobody wanted the pair is asked for again. */
        if (pair->consent.active || now < pair->consent.valid_until || pair->consent.lost ||
            pair->check.state == LN_STUN_RUNNING)
            return;
        break;
    case LN_ICE_PAIR_IN_PROGRESS:
        hasten(ice, pair, now);
        return;
    case LN_ICE_PAIR_FAILED:
        if (pair->failure == LN_ICE_FAILURE_CONSENT ||
            pair->failure == LN_ICE_FAILURE_LINK_CLOSED ||
            pair->failure == LN_ICE_FAILURE_ADDRESS_GONE)
            return; /* final */
        break;
    default:
        break;
    }
    ln_ice_pair_set_state(ice, pair, LN_ICE_PAIR_WAITING, LN_ICE_FAILURE_NONE);
    ln_ice_check_list_trigger(&pair->generation->list, pair);
}

/* --- schedule ------------------------------------------------------------------------------ */

static bool may_check(const struct ln_ice *ice)
{
    return ice->current->remote_pwd != NULL && !ice->closed && !ice->config.lite;
}

/* Ordinary checks end with the nomination (RFC 8445, 8.1.2), but for pairs that would be a standby;
 * triggered ones go on. */
static struct ln_ice_pair *ordinary(const struct ln_ice *ice)
{
    return ice->current->selected ? ln_ice_standby_wanted(ice->current)
                                  : ln_ice_check_list_ordinary(&ice->current->list);
}

static bool triggered_allowed(const struct ln_ice_generation *g, ln_time now)
{
    return g->triggered_at <= now + LN_ICE_FAST_SPACING * (ln_duration)(LN_ICE_TRIGGERED_BURST - 1);
}

static void start_checks(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *pair;

    while ((pair = ln_ice_check_list_triggered(&g->list)) && triggered_allowed(g, now)) {
        g->triggered_at = ln_time_max(g->triggered_at, now) + LN_ICE_FAST_SPACING;
        ln_ice_begin_check(ice, pair, false, now);
    }
    if (g->ordinary_at > now || !(pair = ordinary(ice)))
        return;
    ln_ice_check_list_begun(&g->list, pair);
    ln_ice_begin_check(ice, pair, false, now);
    g->ordinary_count++;
    g->ordinary_at = now + (g->ordinary_count < LN_ICE_FAST_CHECKS ? LN_ICE_FAST_SPACING
                                                                   : ice->config.pacing);
}

static void run_pair(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    ln_stun_transaction_on_timeout(&pair->check, now);
    ln_consent_on_timeout(&pair->consent, ice->env->rng, now);
    if (pair->consent.due && pair->base->relay &&
        ln_consent_waits_since(&pair->consent) != LN_TIME_NEVER)
        ln_ice_relays_doubt(ice, pair->base->relay, ln_consent_waits_since(&pair->consent), now);
    if (pair->check.state == LN_STUN_TIMED_OUT) {
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_TIMEOUT);
        return;
    }
    if (pair->consent.lost) {
        pair->generation->consent_lost |= pair->generation->selected == pair;
        ln_ice_pair_fail(ice, pair, LN_ICE_FAILURE_CONSENT);
        return;
    }
    enqueue(ice, pair);
    if (pair->check.state != LN_STUN_RUNNING && !pair->consent.active)
        ln_list_remove(&pair->busy);
}

void ln_ice_checks_run(struct ln_ice *ice, ln_time now)
{
    LN_LIST_EACH_SAFE (at, after, &ice->busy) {
        run_pair(ice, LN_CONTAINER(at, struct ln_ice_pair, busy), now);
    }
    if (may_check(ice))
        start_checks(ice, now);
}

ln_time ln_ice_checks_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    ln_time next = LN_TIME_NEVER;

    LN_LIST_EACH (at, &ice->busy) {
        const struct ln_ice_pair *pair = LN_CONTAINER(at, struct ln_ice_pair, busy);

        next = ln_time_min(next, ln_stun_transaction_next_timeout(&pair->check));
        next = ln_time_min(next, ln_consent_next_timeout(&pair->consent));
    }
    if (!may_check(ice))
        return next;
    if (ln_ice_check_list_triggered(&g->list))
        next = ln_time_min(
            next, ln_time_add(g->triggered_at,
                              -LN_ICE_FAST_SPACING * (ln_duration)(LN_ICE_TRIGGERED_BURST - 1)));
    if (ordinary(ice))
        next = ln_time_min(next, g->ordinary_at);
    return next;
}

/* --- bytes --------------------------------------------------------------------------------- */

/* Of the candidate that the other side would make of our check. */
static uint32_t reflexive_priority(const struct ln_ice_local *base)
{
    return base->tcp_type ? ln_candidate_tcp_priority(LN_CANDIDATE_PRFLX, base->preference)
                          : ln_candidate_priority(LN_CANDIDATE_PRFLX, base->preference);
}

static int write_check(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now,
                       const struct ln_stun_id *id, bool nominate, struct ln_transmit *out)
{
    const struct ln_ice_generation *g = pair->generation;
    char username[2 * LN_CANDIDATE_UFRAG_MAX + 2];
    struct ln_stun_builder b;
    size_t head = ln_ice_headroom(ice, &pair->path);
    int len;

    snprintf(username, sizeof username, "%s:%s", g->remote_ufrag, g->ufrag);
    ln_transmit_begin(out);
    ln_stun_begin(&b, out->data + head, out->cap - head - LN_ICE_TAILROOM, LN_STUN_REQUEST,
                  LN_STUN_BINDING, id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, reflexive_priority(pair->base));
    ln_stun_add_u64(&b, ice->controlling ? LN_STUN_ICE_CONTROLLING : LN_STUN_ICE_CONTROLLED,
                    ice->tie_breaker);
    if (nominate && ice->controlling)
        ln_stun_add(&b, LN_STUN_USE_CANDIDATE, NULL, 0);
    ln_stun_add_integrity(
        &b, (struct ln_bytes){ (const uint8_t *)g->remote_pwd, strlen(g->remote_pwd) });
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    if (len < 0)
        return len;
    out->len = head + (size_t)len;
    out->path = pair->path;
    pair->sent_controlling = ice->controlling;
    pair->requests_sent++;
    return ln_ice_wrap(ice, now, out);
}

static int write_answer(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_answer_intent *intent = ln_ring_at(&ice->answers, 0);
    size_t head = ln_ice_headroom(ice, &intent->path);
    struct ln_stun_builder b;
    int len;

    ln_transmit_begin(out);
    ln_stun_begin(&b, out->data + head, out->cap - head - LN_ICE_TAILROOM,
                  intent->code ? LN_STUN_ERROR : LN_STUN_SUCCESS, LN_STUN_BINDING, &intent->id);
    if (intent->code)
        ln_stun_add_error(&b, intent->code, NULL);
    if (intent->code == 420)
        ln_stun_add_unknown(&b, intent->unknown, intent->unknown_count);
    if (!intent->code)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &intent->path.remote);
    ln_stun_add_integrity(&b,
                          (struct ln_bytes){ (const uint8_t *)intent->pwd, strlen(intent->pwd) });
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    out->path = intent->path;
    ln_ring_pop(&ice->answers, NULL);
    if (len < 0)
        return len;
    out->len = head + (size_t)len;
    return ln_ice_wrap(ice, now, out);
}

static int write_probe(const struct ln_ice_probe *probe, struct ln_transmit *out)
{
    struct ln_stun_builder b;
    int len;

    ln_transmit_begin(out);
    ln_stun_begin(&b, out->data, out->cap, LN_STUN_REQUEST, LN_STUN_BINDING,
                  &probe->transaction.id);
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    if (len < 0)
        return len;
    out->len = (size_t)len;
    out->path = (struct ln_path){ probe->link, probe->base, probe->to };
    return 1;
}

static bool ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now)
{
    return pair->base->tcp_type ? ln_ice_tcp_ready(ice, pair, now)
                                : ln_ice_relay_ready(ice, pair, now);
}

/* The next check of a pair, 0 when it has none or waits for its relay or its stream. */
static int poll_pair(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now,
                     struct ln_transmit *out)
{
    struct ln_stun_id id;

    if ((pair->check.due || pair->consent.due) && !ready(ice, pair, now))
        return 0;
    if (ln_stun_transaction_take(&pair->check, now))
        return write_check(ice, pair, now, &pair->check.id, pair->nominating, out);
    if (ln_consent_take(&pair->consent, ice->env->rng, now, &id)) {
        pair->consent_requests_sent++;
        return write_check(ice, pair, now, &id, false, out);
    }
    ln_list_remove(&pair->outbox);
    return 0;
}

int ln_ice_poll_check(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    int n;

    if (ice->closed || (ice->answers.count == 0 && ln_list_empty(&ice->outbox) &&
                        ln_list_empty(&ice->probe_outbox)))
        return 0;
    if (out->cap < LN_ICE_CHECK_MAX)
        return LN_ERR_NO_SPACE;
    while (ice->answers.count > 0)
        if (write_answer(ice, now, out) == 1)
            return 1;
    LN_LIST_EACH_SAFE (at, after, &ice->outbox) {
        n = poll_pair(ice, LN_CONTAINER(at, struct ln_ice_pair, outbox), now, out);
        if (n == 1)
            return 1;
    }
    while (!ln_list_empty(&ice->probe_outbox)) {
        struct ln_ice_probe *probe = LN_CONTAINER(ice->probe_outbox.next, struct ln_ice_probe,
                                                  outbox);

        ln_list_remove(&probe->outbox);
        if (ln_stun_transaction_take(&probe->transaction, now))
            return write_probe(probe, out);
    }
    return 0;
}
