/* SPDX-License-Identifier: Apache-2.0
 * Bindings at STUN servers, kept alive (RFC 8445, 5.1.1.2, 11): server-reflexive candidates. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

static bool has_probe(const struct ln_ice_generation *g, ln_link link, size_t server)
{
    LN_LIST_EACH (at, &g->probes) {
        const struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        if (probe->link == link && probe->server == server)
            return true;
    }
    return false;
}

static void begin_probe(struct ln_ice *ice, struct ln_ice_probe *probe, ln_time now)
{
    struct ln_stun_timing timing = { ice->config.rto, LN_ICE_PROBE_RC, LN_ICE_PROBE_RM };

    ln_stun_transaction_begin(&probe->transaction, timing, ice->env->rng, now);
    ln_list_remove(&probe->outbox);
    ln_list_append(&ice->probe_outbox, &probe->outbox);
}

static void add_probe(struct ln_ice *ice, const struct ln_ice_link *link, size_t server,
                      const struct ln_address *to, ln_time now)
{
    struct ln_ice_probe *probe;

    if (has_probe(ice->current, link->link, server) ||
        ln_address_is_loopback(to) != ln_address_is_loopback(&link->address))
        return;
    probe = ln_alloc_zero(ice->env->allocator, sizeof *probe);
    if (!probe)
        return;
    probe->to = *to;
    probe->base = link->address;
    probe->link = link->link;
    probe->preference = link->preference;
    probe->server = (uint8_t)server;
    probe->keepalive_at = LN_TIME_NEVER;
    ln_list_init(&probe->outbox);
    ln_list_append(&ice->current->probes, &probe->in_generation);
    begin_probe(ice, probe, now);
}

bool ln_ice_link_is_ours(const struct ln_ice *ice, const struct ln_ice_link *link)
{
    return link->state == LN_ICE_LINK_OPEN && link->generation == ice->current && !link->apart;
}

void ln_ice_want_probes(struct ln_ice *ice, ln_time now)
{
    const struct ln_ice_servers *set = ice->current->servers;
    size_t i, s, a;

    for (i = 0; i < ice->link_count; i++)
        for (s = 0; ln_ice_link_is_ours(ice, &ice->links[i]) && s < set->count; s++) {
            const struct ln_ice_server_entry *server = &set->entries[s];

            for (a = 0; !server->relays && server->transport == LN_ICE_OVER_UDP &&
                        server->state == LN_ICE_SERVER_READY && a < server->address_count;
                 a++)
                if (server->addresses[a].family == ice->links[i].address.family)
                    add_probe(ice, &ice->links[i], s, &server->addresses[a], now);
        }
}

void ln_ice_probe_instead(struct ln_ice *ice, ln_link link, size_t server,
                          const struct ln_address *to)
{
    for (size_t i = 0; i < ice->link_count; i++)
        if (ice->links[i].link == link && ln_ice_link_is_ours(ice, &ice->links[i]) &&
            ln_ice_open_to_all(ice) && ln_ice_is_gathering(ice->current))
            add_probe(ice, &ice->links[i], server, to, ice->now);
}

void ln_ice_probe_failed(struct ln_ice *ice, struct ln_ice_probe *probe, uint16_t code,
                         enum ln_ice_error_text text)
{
    if (!probe->done)
        ln_ice_push_error(ice, probe->server, &probe->base, code, (uint8_t)text);
    probe->done = true;
    ln_stun_transaction_cancel(&probe->transaction);
}

void ln_ice_run_probe(struct ln_ice *ice, struct ln_ice_probe *probe, ln_time now)
{
    ln_stun_transaction_on_timeout(&probe->transaction, now);
    if (probe->transaction.state == LN_STUN_TIMED_OUT)
        ln_ice_probe_failed(ice, probe, 701, LN_ICE_TEXT_TIMEOUT);
    if (ln_time_due(probe->keepalive_at, now)) {
        if (!ice->current->selected)
            begin_probe(ice, probe, now);
        probe->keepalive_at = ice->current->selected ? LN_TIME_NEVER : now + LN_ICE_KEEPALIVE;
    }
    if (probe->transaction.due && ln_list_empty(&probe->outbox))
        ln_list_append(&ice->probe_outbox, &probe->outbox);
}

bool ln_ice_gather_response(struct ln_ice *ice, ln_time now, const struct ln_path *path,
                            const struct ln_stun_message *message)
{
    LN_LIST_EACH (at, &ice->current->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);
        struct ln_bytes reason;
        struct ln_address mapped;
        uint16_t code;

        if (probe->link != path->link || !ln_address_equal(&probe->to, &path->remote) ||
            !ln_stun_transaction_answer(&probe->transaction, &message->id, now, NULL))
            continue;
        if (message->kind == LN_STUN_ERROR) {
            ln_ice_probe_failed(ice, probe,
                                ln_stun_find_error(message, &code, &reason) ? code : 500,
                                LN_ICE_TEXT_REFUSED);
        } else if (!ln_stun_find_mapped(message, &mapped) || mapped.family != probe->base.family ||
                   ln_address_is_unspecified(&mapped) || ln_address_is_multicast(&mapped) ||
                   mapped.port == 0) {
            ln_ice_probe_failed(ice, probe, 701, LN_ICE_TEXT_NONSENSE);
        } else if (!probe->done) {
            struct ln_ice_local *host = ln_ice_find_host(ice->current, probe->link);

            probe->done = probe->answered = true;
            probe->mapped = host && ln_ice_add_server_reflexive(ice, host, probe->server, &mapped);
            if (probe->mapped)
                probe->keepalive_at = now + LN_ICE_KEEPALIVE;
        }
        return true;
    }
    return false;
}

/* Type and code (RFC 792, RFC 4443) of the port that is closed, and of the packet that was too big:
 * it was no check, then. */
static bool is_icmp(const struct ln_path *path, const struct ln_icmp *icmp, struct ln_icmp v4,
                    struct ln_icmp v6)
{
    struct ln_icmp wanted = path->remote.family == LN_FAMILY_IPV4 ? v4 : v6;

    return icmp->type == wanted.type && icmp->code == wanted.code;
}

static bool is_port_closed(const struct ln_path *path, const struct ln_icmp *icmp)
{
    return is_icmp(path, icmp, (struct ln_icmp){ .type = 3, .code = 3 },
                   (struct ln_icmp){ .type = 1, .code = 4 });
}

static bool is_too_big(const struct ln_path *path, const struct ln_icmp *icmp)
{
    return is_icmp(path, icmp, (struct ln_icmp){ .type = 3, .code = 4 },
                   (struct ln_icmp){ .type = 2 });
}

/* Anybody can forge it: a pair that was heard of, or has consent, stays. */
static void fail_pair(struct ln_ice *ice, const struct ln_path *path, const struct ln_icmp *icmp)
{
    struct ln_ice_pair *pair = ln_ice_check_list_find(&ice->current->list, path);
    enum ln_ice_failure failure = LN_ICE_FAILURE_UNREACHABLE;

    if (!pair || pair->authenticated || pair->state != LN_ICE_PAIR_IN_PROGRESS ||
        is_too_big(path, icmp) || ++pair->send_failures < LN_ICE_SEND_FAILURES)
        return;
    if (icmp->type != 0)
        failure = is_port_closed(path, icmp) ? LN_ICE_FAILURE_NOBODY_LISTENS
                                             : LN_ICE_FAILURE_NO_WAY;
    ln_ice_pair_fail(ice, pair, failure);
}

void ln_ice_send_failed(struct ln_ice *ice, const struct ln_path *path, const struct ln_icmp *icmp)
{
    ln_ice_relays_send_failed(ice, path);
    LN_LIST_EACH (at, &ice->current->probes) {
        struct ln_ice_probe *probe = LN_CONTAINER(at, struct ln_ice_probe, in_generation);

        if (probe->link == path->link && ln_address_equal(&probe->to, &path->remote) &&
            !probe->done && ++probe->send_failures >= 2)
            ln_ice_probe_failed(ice, probe, 701, LN_ICE_TEXT_UNREACHABLE);
    }
    fail_pair(ice, path, icmp);
}
