/* SPDX-License-Identifier: Apache-2.0
 * The agent's life and its endpoint (linnet/endpoint.h): everything else is called from here. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"

#include <ctype.h>
#include <string.h>

void ln_ice_config_init(struct ln_ice_config *config)
{
    *config = (struct ln_ice_config){
        .policy = LN_ICE_TRANSPORT_POLICY_ALL,
        .ipv4 = true,
        .ipv6 = true,
        .consent = true,
        .max_pairs = LN_ICE_PAIRS_MAX,
        .pacing = LN_MILLISECONDS(50), /* RFC 8445, 14.2 */
        .rto = LN_STUN_RTO,
        .settle = LN_MILLISECONDS(100),
        .settle_relayed = LN_SECONDS(2),
        .grace = LN_MILLISECONDS(1500),
        .patience = LN_MILLISECONDS(39500), /* RFC 8863, 4 */
    };
}

static bool config_valid(const struct ln_ice_config *c)
{
    return c->max_pairs > 0 && c->port_min <= c->port_max &&
           (c->port_min > 0) == (c->port_max > 0) && c->pacing >= LN_ICE_FAST_SPACING &&
           c->rto >= LN_STUN_RTO && c->settle >= 0 && c->settle_relayed >= 0 && c->grace >= 0 &&
           c->patience >= 0 && (c->server_count == 0 || c->servers) &&
           !(c->lite && c->policy == LN_ICE_TRANSPORT_POLICY_RELAY) &&
           (c->ufrag_first == 0 || isalnum((unsigned char)c->ufrag_first) ||
            c->ufrag_first == '+' || c->ufrag_first == '/');
}

/* Most agents have none of them; those that do pay for it. */
static int take_addresses(struct ln_ice *ice, const struct ln_ice_config *config)
{
    struct ln_allocator *allocator = ice->env->allocator;
    int error = 0;

    if (config->filter_count > 0) {
        ice->filter = ln_alloc_zero(allocator, sizeof *ice->filter);
        error = ice->filter ? ln_ice_filter_parse(config->filter, config->filter_count, ice->filter)
                            : LN_ERR_NOMEM;
    }
    if (!error && config->external_count > 0) {
        ice->externals = ln_alloc_zero(allocator, sizeof *ice->externals);
        error = ice->externals ? ln_ice_externals_parse(config->externals, config->external_count,
                                                        ice->externals)
                               : LN_ERR_NOMEM;
    }
    if (!error && config->http_proxy) {
        ice->proxy = ln_alloc_zero(allocator, sizeof *ice->proxy);
        error = ice->proxy ? ln_proxy_parse(config->http_proxy, ice->proxy) : LN_ERR_NOMEM;
    }
    ice->config.filter = ice->config.externals = NULL;
    ice->config.http_proxy = NULL;
    return error;
}

int ln_ice_create(struct ln_ice **ret_ice, const struct ln_ice_config *config,
                  const struct ln_env *env)
{
    struct ln_ice *ice;
    int error;

    if (!config_valid(config))
        return LN_ERR_INVALID_ARGUMENT;
    ice = ln_alloc_zero(env->allocator, sizeof *ice);
    if (!ice)
        return LN_ERR_NOMEM;
    ice->env = env;
    ice->config = *config;
    ice->config.servers = NULL;
    ice->config.server_count = 0;
    ice->config.mdns_names = config->mdns_names && !config->lite;
    ice->config.external_replaces = config->external_replaces || config->lite;
    ice->asked_to_control = config->controlling;
    ice->controlling = config->controlling && !config->lite;
    ice->tie_breaker = ln_rng_u64(env->rng);
    ice->trace_id = (uint32_t)ice->tie_breaker;
    ice->state = LN_ICE_CONNECTION_STATE_NEW;
    ice->previous_until = LN_TIME_NEVER;
    ln_list_init(&ice->busy);
    ln_list_init(&ice->outbox);
    ln_list_init(&ice->probe_outbox);
    ln_list_init(&ice->names_to_withdraw);
    ln_ring_init(&ice->answers, env->allocator, sizeof(struct ln_ice_answer_intent),
                 LN_ICE_ANSWERS_MAX);
    ln_ring_init(&ice->events, env->allocator, sizeof(struct ln_ice_event_entry),
                 LN_ICE_EVENTS_MAX);
    error = take_addresses(ice, config);
    if (!error) {
        ice->servers = ln_ice_servers_create(ice, config->servers, config->server_count,
                                             config->policy);
        if (!ice->servers || !(ice->current = ln_ice_generation_create(ice)) ||
            (config->tcp && ln_ice_tcp_create(ice) != 0))
            error = LN_ERR_NOMEM;
    }
    if (error) {
        ln_ice_free(ice);
        return error;
    }
    *ret_ice = ice;
    return 0;
}

void ln_ice_free(struct ln_ice *ice)
{
    if (!ice)
        return;
    ln_ice_generation_free(ice, ice->previous);
    ln_ice_generation_free(ice, ice->current);
    ln_ice_names_free(ice);
    ln_ice_relays_free(ice);
    ln_ice_tcp_free(ice);
    ln_ice_servers_unref(ice, ice->servers);
    ln_ring_deinit(&ice->answers);
    ln_ring_deinit(&ice->events);
    ln_free(ice->env->allocator, ice->links);
    ln_free(ice->env->allocator, ice->known);
    ln_free(ice->env->allocator, ice->early);
    ln_free(ice->env->allocator, ice->filter);
    ln_free(ice->env->allocator, ice->externals);
    if (ice->proxy)
        ln_wipe(ice->proxy, sizeof *ice->proxy);
    ln_free(ice->env->allocator, ice->proxy);
    ln_free(ice->env->allocator, ice);
}

void ln_ice_close(struct ln_ice *ice)
{
    if (ice->closed)
        return;
    ln_ice_release_relays(ice, ice->current);
    if (ice->previous)
        ln_ice_release_relays(ice, ice->previous);
    ln_ice_close_links(ice);
    ln_ice_tcp_release(ice, NULL);
    ice->closed = true;
    ice->wake = false;
    ice->sending = NULL;
    ln_ice_set_state(ice, LN_ICE_CONNECTION_STATE_CLOSED);
}

uint32_t ln_ice_new_id(struct ln_ice *ice)
{
    return ++ice->last_id;
}

uint32_t ln_ice_new_request(struct ln_ice *ice)
{
    ice->last_request = (ice->last_request + 1) & 0xffffffu;
    return ((uint32_t)ice->config.request_tag << 24) | ice->last_request;
}

int ln_ice_drop(struct ln_ice *ice, enum ln_ice_drop reason, int error)
{
    ice->drops[reason]++;
    return error;
}

bool ln_ice_owns_link(const struct ln_ice *ice, ln_link link)
{
    size_t i;

    for (i = 0; i < ice->link_count; i++)
        if (ice->links[i].state == LN_ICE_LINK_OPEN && ice->links[i].link == link)
            return true;
    return ln_ice_is_tcp(link) ? ln_ice_tcp_owns(ice, link) : ln_ice_relays_own(ice, link);
}

bool ln_ice_owns_request(const struct ln_ice *ice, uint32_t id)
{
    return id >> 24 == ice->config.request_tag;
}

/* --- endpoint ------------------------------------------------------------------------------ */

void ln_ice_run(struct ln_ice *ice, ln_time now)
{
    ice->now = now;
    if (ice->closed)
        return;
    do {
        ice->wake = false;
        ln_ice_process_early(ice, now);
        ln_ice_relays_run(ice, now);
        ln_ice_tcp_run(ice, now);
        ln_ice_gather_run(ice, now);
        ln_ice_lite_run(ice, now);
        ln_ice_checks_run(ice, now);
        ln_ice_rest_run(ice, now);
        ln_ice_nominate_run(ice, now);
        ln_ice_state_run(ice, now);
        ln_ice_quiet_run(ice, now); /* of the path that was just chosen */
    } while (ice->wake);            /* a pair that failed may let another be nominated at once */
}

void ln_ice_on_timeout(struct ln_ice *ice, ln_time now)
{
    ln_ice_run(ice, now);
}

ln_time ln_ice_next_timeout(const struct ln_ice *ice)
{
    ln_time next;

    if (ice->closed)
        return LN_TIME_NEVER;
    if (ice->wake)
        return LN_TIME_IMMEDIATE;
    next = ln_ice_checks_next_timeout(ice);
    next = ln_time_min(next, ln_ice_nominate_next_timeout(ice));
    next = ln_time_min(next, ln_ice_quiet_next_timeout(ice));
    next = ln_time_min(next, ln_ice_lite_next_timeout(ice));
    next = ln_time_min(next, ln_ice_gather_next_timeout(ice));
    next = ln_time_min(next, ln_ice_relays_next_timeout(ice));
    next = ln_time_min(next, ln_ice_tcp_next_timeout(ice));
    return ln_time_min(next, ln_ice_state_next_timeout(ice));
}

int ln_ice_poll_transmit(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    int n = ice->relay_count > 0 ? ln_ice_relays_poll(ice, now, out) : 0;

    if (n == 0)
        n = ln_ice_tcp_asks_poll(ice, now, out);
    if (n == 0)
        n = ln_ice_tcp_relayed_poll(ice, now, out);
    if (n == 0)
        n = ln_ice_poll_check(ice, now, out);
    if (n == 0 && ice->tcp && ice->relay_count > 0) /* a check may have asked for a connection */
        n = ln_ice_relays_poll(ice, now, out);
    return n;
}

int ln_ice_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    int found = ln_ice_gather_poll_request(ice, ret_request);

    if (!found)
        found = ln_ice_names_poll_request(ice, ret_request);
    if (!found)
        found = ln_ice_tcp_poll_request(ice, ret_request);
    if (!found)
        found = ln_ice_relays_poll_request(ice, ret_request);
    return found ? found : ln_ice_remote_poll_request(ice, ret_request);
}

void ln_ice_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    ice->now = now;
    if (answer->kind == LN_ANSWER_SEND_FAILED)
        ln_ice_send_failed(ice, &answer->path, &answer->icmp);
    else if (!ln_ice_gather_answer(ice, now, answer) && !ln_ice_tcp_answer(ice, now, answer) &&
             !ln_ice_relays_answer(ice, now, answer) && !ln_ice_names_answer(ice, answer) &&
             !ln_ice_remote_answer(ice, answer))
        return;
    ln_ice_run(ice, now);
}

static void endpoint_receive(void *object, ln_time now, struct ln_packet *packet)
{
    if (ln_ice_unwrap(object, now, packet) == 1)
        while (ln_ice_unwrap_more(object, now, packet) == 1)
            ;
}

static void endpoint_on_timeout(void *object, ln_time now)
{
    ln_ice_on_timeout(object, now);
}

static ln_time endpoint_next_timeout(const void *object)
{
    return ln_ice_next_timeout(object);
}

static int endpoint_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    return ln_ice_poll_transmit(object, now, out);
}

static int endpoint_poll_request(void *object, struct ln_request *ret_request)
{
    return ln_ice_poll_request(object, ret_request);
}

static void endpoint_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    ln_ice_answer(object, now, answer);
}

struct ln_endpoint ln_ice_endpoint(struct ln_ice *ice)
{
    static const struct ln_endpoint_ops ops = {
        endpoint_receive,       endpoint_on_timeout,   endpoint_next_timeout,
        endpoint_poll_transmit, endpoint_poll_request, endpoint_answer,
    };

    return (struct ln_endpoint){ &ops, ice };
}
