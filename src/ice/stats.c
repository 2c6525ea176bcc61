/* SPDX-License-Identifier: Apache-2.0
 * What the statistics of webrtc-stats ask for: candidates, pairs and their counters. */
#include "ice/agent.h"

#include "base/address.h"

#include <stdio.h>
#include <string.h>

static const char *const drop_names[] = {
#define NAME(name, text) text,
    LN_ICE_DROP_TABLE(NAME)
#undef NAME
};

const char *ln_ice_drop_name(enum ln_ice_drop reason)
{
    return (size_t)reason < LN_ICE_DROPS ? drop_names[reason] : "unknown";
}

uint64_t ln_ice_dropped(const struct ln_ice *ice, enum ln_ice_drop reason)
{
    return (size_t)reason < LN_ICE_DROPS ? ice->drops[reason] : 0;
}

static struct ln_ice_pair *pair_of_path(struct ln_ice *ice, const struct ln_path *path)
{
    struct ln_ice_pair *pair;

    if (ice->hot && ln_path_equal(&ice->hot->path, path))
        return ice->hot;
    if (ice->sending && ln_path_equal(&ice->sending->path, path))
        return ice->sending;
    pair = ln_ice_check_list_find(&ice->current->list, path);
    return pair || !ice->previous ? pair : ln_ice_check_list_find(&ice->previous->list, path);
}

void ln_ice_count_sent(struct ln_ice *ice, ln_time now, const struct ln_path *path, size_t packets,
                       size_t bytes)
{
    struct ln_ice_pair *pair = pair_of_path(ice, path);

    if (!pair)
        return;
    pair->packets_sent += packets;
    pair->bytes_sent += bytes;
    pair->last_sent = now;
    ln_ice_awaits(pair, now);
    if (ice->config.lite)
        ln_ice_lite_sent(pair, now);
}

void ln_ice_count_received(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                           size_t packets, size_t bytes)
{
    struct ln_ice_pair *pair = pair_of_path(ice, path);

    if (!pair)
        return;
    pair->packets_received += packets;
    pair->bytes_received += bytes;
    pair->last_received = now;
    if (pair->authenticated || ln_ice_is_unchecked(ice, pair)) {
        ln_ice_heard(ice, pair, now);
        ln_ice_awaits(pair, now);
    }
    if (pair->authenticated && pair != ice->sending)
        ln_ice_standby_heard(ice, pair, now);
    if (pair == ice->sending && ice->state == LN_ICE_CONNECTION_STATE_DISCONNECTED)
        ice->wake = true;
}

void ln_ice_count_discarded(struct ln_ice *ice, size_t packets, size_t bytes)
{
    if (!ice->sending)
        return;
    ice->sending->packets_discarded += packets;
    ice->sending->bytes_discarded += bytes;
}

void ln_ice_describe_local(const struct ln_ice *ice, const struct ln_ice_generation *g,
                           const struct ln_ice_local *local, struct ln_candidate *ret_candidate)
{
    struct ln_candidate *c = ret_candidate;

    (void)ice;
    memset(c, 0, sizeof *c);
    snprintf(c->foundation, sizeof c->foundation, "%u", (unsigned)local->foundation);
    c->component = 1;
    c->protocol = local->tcp_type ? LN_CANDIDATE_TCP : LN_CANDIDATE_UDP;
    c->tcp_type = local->tcp_type;
    c->type = local->type;
    c->priority = local->priority;
    c->address = local->address;
    c->address.scope = 0;
    if (local->name)
        ln_ice_describe_name(local->name, c);
    c->related = local->related;
    c->related.scope = 0;
    memcpy(c->ufrag, g->ufrag, sizeof g->ufrag);
}

static void describe_remote(const struct ln_ice_generation *g, const struct ln_ice_remote *remote,
                            struct ln_candidate *c)
{
    memset(c, 0, sizeof *c);
    memcpy(c->foundation, remote->foundation_text, sizeof c->foundation);
    c->component = 1;
    c->protocol = remote->protocol;
    c->type = remote->type;
    c->tcp_type = remote->tcp_type;
    c->priority = remote->priority;
    c->address = remote->address;
    c->related = remote->related;
    if (remote->name) /* what a name hides is not told */
        snprintf(c->name, sizeof c->name, "%s", remote->name);
    if (g->remote_ufrag)
        snprintf(c->ufrag, sizeof c->ufrag, "%s", g->remote_ufrag);
}

const char *ln_ice_relay_protocol(const struct ln_ice_generation *g,
                                  const struct ln_ice_local *local)
{
    /* RTCIceServerTransportProtocol; DTLS goes over UDP. */
    static const char *const protocols[] = { [LN_ICE_OVER_UDP] = "udp",
                                             [LN_ICE_OVER_TCP] = "tcp",
                                             [LN_ICE_OVER_TLS] = "tls",
                                             [LN_ICE_OVER_DTLS] = "udp" };

    return local->type == LN_CANDIDATE_RELAY
               ? protocols[g->servers->entries[local->server].transport]
               : NULL;
}

static void fill_local(const struct ln_ice *ice, const struct ln_ice_generation *g,
                       const struct ln_ice_local *local, struct ln_ice_candidate_info *info)
{
    info->id = local->id;
    ln_ice_describe_local(ice, g, local, &info->candidate);
    info->url = ln_ice_server_url(g, local->server);
    info->relay_protocol = ln_ice_relay_protocol(g, local);
    info->remote = false;
    info->signalled = local->signalled;
}

static void fill_remote(const struct ln_ice_generation *g, const struct ln_ice_remote *remote,
                        struct ln_ice_candidate_info *info)
{
    info->id = remote->id;
    describe_remote(g, remote, &info->candidate);
    info->url = info->relay_protocol = NULL;
    info->remote = true;
    info->signalled = remote->signalled;
}

/* The old generation's pair that still matters, or NULL. */
static const struct ln_ice_pair *old_pair(const struct ln_ice *ice)
{
    return ice->previous ? ice->previous->selected : NULL;
}

bool ln_ice_local_candidate(const struct ln_ice *ice, size_t i,
                            struct ln_ice_candidate_info *ret_info)
{
    LN_LIST_EACH (at, &ice->current->locals) {
        if (i-- == 0) {
            fill_local(ice, ice->current, LN_CONTAINER(at, struct ln_ice_local, in_generation),
                       ret_info);
            return true;
        }
    }
    if (i != 0 || !old_pair(ice))
        return false;
    fill_local(ice, ice->previous, old_pair(ice)->local, ret_info);
    return true;
}

bool ln_ice_remote_candidate(const struct ln_ice *ice, size_t i,
                             struct ln_ice_candidate_info *ret_info)
{
    LN_LIST_EACH (at, &ice->current->remotes) {
        if (i-- == 0) {
            fill_remote(ice->current, LN_CONTAINER(at, struct ln_ice_remote, in_generation),
                        ret_info);
            return true;
        }
    }
    if (i != 0 || !old_pair(ice))
        return false;
    fill_remote(ice->previous, old_pair(ice)->remote, ret_info);
    return true;
}

static void fill_pair(const struct ln_ice *ice, const struct ln_ice_pair *pair,
                      struct ln_ice_pair_info *info)
{
    *info = (struct ln_ice_pair_info){
        .id = pair->id,
        .local_id = pair->local->id,
        .remote_id = pair->remote->id,
        .state = pair->state,
        .failure = pair->failure,
        .nominated = pair->nominated,
        .selected = pair == ice->sending,
        .priority = pair->priority,
        .path = pair->path,
        .packets_sent = pair->packets_sent,
        .packets_received = pair->packets_received,
        .bytes_sent = pair->bytes_sent,
        .bytes_received = pair->bytes_received,
        .requests_sent = pair->requests_sent,
        .requests_received = pair->requests_received,
        .responses_sent = pair->responses_sent,
        .responses_received = pair->responses_received,
        .consent_requests_sent = pair->consent_requests_sent,
        .packets_discarded = pair->packets_discarded,
        .bytes_discarded = pair->bytes_discarded,
        .last_sent = pair->last_sent,
        .last_received = pair->last_received,
        .current_rtt = pair->current_rtt,
        .total_rtt = pair->total_rtt,
    };
}

bool ln_ice_pair(const struct ln_ice *ice, size_t i, struct ln_ice_pair_info *ret_info)
{
    const struct ln_ice_pair *old = old_pair(ice);

    if (i < ice->current->list.count)
        fill_pair(ice, ice->current->list.pairs[i], ret_info);
    else if (i == ice->current->list.count && old)
        fill_pair(ice, old, ret_info);
    else
        return false;
    return true;
}

bool ln_ice_selected_pair(const struct ln_ice *ice, struct ln_ice_pair_info *ret_info)
{
    if (!ice->sending)
        return false;
    fill_pair(ice, ice->sending, ret_info);
    return true;
}

uint32_t ln_ice_selected_pair_changes(const struct ln_ice *ice)
{
    return ice->selected_changes;
}
