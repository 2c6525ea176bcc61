/* SPDX-License-Identifier: Apache-2.0
 * The agent's state (W3C RTCIceTransportState), the path that data takes, and events.
 *
 * Both are derived from the pairs at each run; set_state() is the one place where the state
 * changes. */
#include "ice/agent.h"

#include "base/time.h"
#include "base/trace.h"

#include <string.h>

void ln_ice_push_event(struct ln_ice *ice, const struct ln_ice_event_entry *entry)
{
    if (ln_ring_push(&ice->events, entry) != 0)
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0);
}

void ln_ice_push_error(struct ln_ice *ice, uint8_t server, const struct ln_address *base,
                       uint16_t code, uint8_t text)
{
    struct ln_ice_event_entry entry = {
        .kind = LN_ICE_EVENT_CANDIDATE_ERROR, .code = code, .server = server, .text = text
    };

    if (base && !ice->config.mdns_names)
        entry.address = *base;
    ln_ice_push_event(ice, &entry);
}

void ln_ice_set_state(struct ln_ice *ice, enum ln_ice_connection_state state)
{
    if (ice->state == state)
        return;
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_STATE, ice->trace_id, ice->state, state,
                  0, 0);
    ice->state = (uint8_t)state;
    ln_ice_push_event(
        ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_STATE, .value = (uint32_t)state });
}

void ln_ice_set_gathering(struct ln_ice *ice, enum ln_ice_gathering_state state)
{
    ice->current->gathering = (uint8_t)state;
    ln_ice_push_event(ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_GATHERING_STATE,
                                                         .value = (uint32_t)state });
}

enum ln_ice_connection_state ln_ice_state(const struct ln_ice *ice)
{
    return ice->state;
}

enum ln_ice_gathering_state ln_ice_gathering_state(const struct ln_ice *ice)
{
    return ice->current->gathering;
}

/* --- the path of data ---------------------------------------------------------------------- */

/* The others are not asked for consent after a nomination: each serves while its own lasts. */
static struct ln_ice_pair *best_consented(const struct ln_ice *ice)
{
    const struct ln_ice_check_list *list = &ice->current->list;

    for (size_t i = 0; i < list->count; i++)
        if (ln_ice_pair_consented(list->pairs[i], ice->now))
            return list->pairs[i];
    return NULL;
}

static struct ln_ice_pair *choose_sending(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    struct ln_ice_pair *best, *old;

    if (g->selected && ln_ice_pair_usable(g->selected))
        return g->selected;
    best = best_consented(ice);
    old = ice->previous ? ice->previous->selected : NULL;
    if (!old || !ln_ice_pair_usable(old))
        return best;
    /* The other side may have closed the sockets of the old path when it restarted, and says
     * nothing of it (Pion does); what was just answered is proven. A worse kind of path waits for
     * the nomination. */
    return best && ln_ice_pair_kind(best) >= ln_ice_pair_kind(old) ? best : old;
}

static void update_sending(struct ln_ice *ice)
{
    uint32_t id;

    ice->sending = choose_sending(ice);
    id = ice->sending ? ice->sending->id : 0;
    if (id == ice->announced)
        return;
    if (ice->sending) {
        ice->sending->awaits_since = LN_TIME_NEVER; /* what it was before does not count */
        ln_ice_relay_bind(ice, ice->sending);
    }
    if (ice->sending && ice->sending->generation == ice->current && ice->current->selected &&
        ice->sending != ice->current->selected && ice->sending->check.state != LN_STUN_RUNNING &&
        !ice->config.lite)
        ln_ice_begin_check(ice, ice->sending, false, ice->now); /* where we are now */
    ice->announced = id;
    ice->selected_changes += id != 0;
    ln_trace_emit(ice->env->trace, ice->now, LN_TRACE_ICE_SELECTED, ice->trace_id, id,
                  ice->sending ? ice->sending->current_rtt / 1000 : 0, 0, 0);
    ln_ice_push_event(
        ice, &(struct ln_ice_event_entry){ .kind = LN_ICE_EVENT_SELECTED_PAIR, .value = id });
}

bool ln_ice_send_path(const struct ln_ice *ice, struct ln_path *ret_path)
{
    if (ice->closed || !ice->sending || !ln_ice_pair_usable(ice->sending) ||
        (ice->config.lite && !ln_ice_lite_may_send(ice->sending)))
        return false;
    *ret_path = ice->sending->path;
    return true;
}

/* --- the state ----------------------------------------------------------------------------- */

/* Checks are under way that may give a new path. */
static bool checking(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;

    return g->remote_pwd && !g->selected && ln_ice_check_list_alive(&g->list);
}

/* When what is sent on has been silent for too long. */
static ln_time silent_at(const struct ln_ice *ice, const struct ln_ice_pair *pair)
{
    ln_time at = pair->alive_at + LN_ICE_SILENCE;

    if (ice->config.lite)
        return ln_ice_lite_silent_at(pair);
    if (pair->awaits_since == LN_TIME_NEVER || pair->consent.for_ever)
        return at;
    return ln_time_min(at,
                       pair->awaits_since + ln_time_max(LN_ICE_SILENCE_DATA,
                                                        2 * LN_ICE_QUIET_GAPS * pair->usual_gap));
}

static enum ln_ice_connection_state state_with_path(const struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_generation *g = ice->current;

    if (now >= silent_at(ice, ice->sending)) {
        if (ice->sending->generation == g)
            return LN_ICE_CONNECTION_STATE_DISCONNECTED;
        return checking(ice) ? LN_ICE_CONNECTION_STATE_CHECKING
                             : LN_ICE_CONNECTION_STATE_DISCONNECTED;
    }
    if (ice->sending == g->selected && g->remote_ended &&
        g->gathering == LN_ICE_GATHERING_STATE_COMPLETE)
        return LN_ICE_CONNECTION_STATE_COMPLETED;
    return LN_ICE_CONNECTION_STATE_CONNECTED;
}

static bool patience_over(const struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_generation *g = ice->current;

    return g->patience_from != LN_TIME_NEVER && now >= g->patience_from + ice->config.patience;
}

static enum ln_ice_connection_state state_without_path(const struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_generation *g = ice->current;
    /* Pairs of a lite agent come from the checks of others: while none is nominated, time tells. */
    bool alive = !ice->config.lite && ln_ice_check_list_alive(&g->list);

    if (g->consent_lost && !alive && !ln_ice_may_recover(ice))
        return LN_ICE_CONNECTION_STATE_FAILED;
    if (g->selected && g->selected->state == LN_ICE_PAIR_FAILED)
        return ln_ice_may_recover(ice) ? LN_ICE_CONNECTION_STATE_DISCONNECTED
                                       : LN_ICE_CONNECTION_STATE_FAILED;
    /* RFC 8863, 4: not before the timer, for a check may still come and bring a pair. */
    if (!alive && patience_over(ice, now))
        return LN_ICE_CONNECTION_STATE_FAILED;
    if (g->remote_pwd && g->remote_count > 0)
        return LN_ICE_CONNECTION_STATE_CHECKING;
    /* A restart that has nothing to check yet keeps what was known. */
    return ice->previous ? ice->state : LN_ICE_CONNECTION_STATE_NEW;
}

void ln_ice_state_run(struct ln_ice *ice, ln_time now)
{
    struct ln_ice_generation *g = ice->current;

    if (g->restamp && g->remote_pwd) {
        g->restamp = false;
        g->patience_from = now;
    }
    if (ice->previous && ln_time_due(ice->previous_until, now))
        ln_ice_drop_previous(ice);
    update_sending(ice);
    ln_ice_set_state(ice, ice->sending ? state_with_path(ice, now) : state_without_path(ice, now));
}

ln_time ln_ice_state_next_timeout(const struct ln_ice *ice)
{
    const struct ln_ice_generation *g = ice->current;
    ln_time next = ice->previous ? ice->previous_until : LN_TIME_NEVER;

    if (ice->sending && (ice->state == LN_ICE_CONNECTION_STATE_CONNECTED ||
                         ice->state == LN_ICE_CONNECTION_STATE_COMPLETED))
        next = ln_time_min(next, silent_at(ice, ice->sending));
    if (ice->sending && ice->sending->generation == g && ice->sending != g->selected &&
        !ice->sending->consent.active && !ice->sending->consent.for_ever)
        next = ln_time_min(next, ice->sending->consent.valid_until);
    if (!ice->sending && g->patience_from != LN_TIME_NEVER &&
        ice->state != LN_ICE_CONNECTION_STATE_FAILED &&
        (ice->config.lite || !ln_ice_check_list_alive(&g->list)))
        next = ln_time_min(next, g->patience_from + ice->config.patience);
    return next;
}

/* --- events -------------------------------------------------------------------------------- */

static void fill_error(const struct ln_ice *ice, const struct ln_ice_event_entry *entry,
                       struct ln_ice_event *event)
{
    static const char *const sentences[] = {
        "the server's name was not found",
        "the server did not answer",
        "the server cannot be reached from this address",
        "the server answered with an error",
        "the server's answer makes no sense",
        "the server refuses the user name or the password",
        "the server gives this user no further allocation",
        "the server has no relayed address left",
        "the server names another one that cannot be asked",
        "the server's certificate is not trusted, or it speaks no TLS",
        "the proxy's name was not found",
        "the proxy cannot be reached from this address",
        "the proxy did not answer",
        "the proxy asks for a user name and password, or refuses them",
        "the proxy does not let us connect to the server",
        "the proxy's answer makes no sense",
    };

    event->error.url = ln_ice_server_url(ice->current, entry->server);
    event->error.address = entry->address;
    event->error.code = entry->code;
    strncpy(event->error.text, sentences[entry->text], sizeof event->error.text - 1);
}

/* False if the candidate is gone (its generation was dropped meanwhile). */
static bool fill_candidate(const struct ln_ice *ice, uint32_t id, struct ln_ice_event *event)
{
    LN_LIST_EACH (at, &ice->current->locals) {
        const struct ln_ice_local *local = LN_CONTAINER(at, struct ln_ice_local, in_generation);

        if (local->id != id)
            continue;
        ln_ice_describe_local(ice, ice->current, local, &event->candidate.candidate);
        event->candidate.url = ln_ice_server_url(ice->current, local->server);
        event->candidate.relay_protocol = ln_ice_relay_protocol(ice->current, local);
        return true;
    }
    return false;
}

bool ln_ice_poll_event(struct ln_ice *ice, struct ln_ice_event *ret_event)
{
    struct ln_ice_event_entry entry;

    while (ln_ring_pop(&ice->events, &entry)) {
        memset(ret_event, 0, sizeof *ret_event);
        ret_event->kind = entry.kind;
        switch (ret_event->kind) {
        case LN_ICE_EVENT_GATHERING_STATE:
            ret_event->gathering_state = entry.value;
            return true;
        case LN_ICE_EVENT_STATE:
            ret_event->state = entry.value;
            return true;
        case LN_ICE_EVENT_SELECTED_PAIR:
            ret_event->pair = entry.value;
            return true;
        case LN_ICE_EVENT_ROLE:
            ret_event->controlling = entry.value != 0;
            return true;
        case LN_ICE_EVENT_CANDIDATE_ERROR:
            fill_error(ice, &entry, ret_event);
            return true;
        case LN_ICE_EVENT_CANDIDATE:
            if (fill_candidate(ice, entry.value, ret_event))
                return true;
            break;
        }
    }
    return false;
}
