/* SPDX-License-Identifier: Apache-2.0
 * The servers that candidates come from: a counted set. A generation holds the set that it began to
 * gather with, so that servers may be exchanged at any time (W3C setConfiguration) and what an old
 * generation says of its servers stays true. Credentials are wiped with the set. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"

#include <string.h>

static uint16_t default_port(const struct ln_ice_server_address *from)
{
    bool secure = from->transport == LN_ICE_OVER_TLS || from->transport == LN_ICE_OVER_DTLS;

    return from->port ? from->port : secure ? LN_STUN_TLS_PORT : LN_STUN_PORT;
}

static int copy_server(struct ln_ice_server_entry *server, struct ln_allocator *allocator,
                       const struct ln_proxy *proxy, const struct ln_ice_server_address *from)
{
    server->url = ln_alloc_text(allocator, from->url ? from->url : "");
    server->host = ln_alloc_text(allocator, from->host);
    server->username = ln_alloc_text(allocator, from->username ? from->username : "");
    server->password = ln_alloc_text(allocator, from->password ? from->password : "");
    if (!server->url || !server->host || !server->username || !server->password)
        return LN_ERR_NOMEM;
    server->relays = from->relays;
    server->transport = (uint8_t)from->transport;
    server->port = default_port(from);
    server->proxied = proxy && from->relays &&
                      (from->transport == LN_ICE_OVER_TCP || from->transport == LN_ICE_OVER_TLS);
    if (ln_address_parse(server->proxied ? proxy->host : from->host, &server->addresses[0]) == 0) {
        server->addresses[0].port = server->proxied ? proxy->port : server->port;
        server->address_count = 1;
        server->state = LN_ICE_SERVER_READY;
    }
    return 0;
}

struct ln_ice_servers *ln_ice_servers_create(struct ln_ice *ice,
                                             const struct ln_ice_server_address *from, size_t count,
                                             enum ln_ice_transport_policy policy)
{
    struct ln_ice_servers *set;
    size_t i;

    if (count > LN_ICE_SERVERS_MAX)
        count = LN_ICE_SERVERS_MAX;
    if (ice->config.lite) /* host candidates only (RFC 8445, 2.5) */
        count = 0;
    set = ln_alloc_zero(ice->env->allocator, sizeof *set + count * sizeof set->entries[0]);
    if (!set)
        return NULL;
    set->references = 1;
    set->policy = (uint8_t)policy;
    for (i = 0; i < count; i++) {
        set->count++;
        if (copy_server(&set->entries[i], ice->env->allocator, ice->proxy, &from[i]) != 0) {
            ln_ice_servers_unref(ice, set);
            return NULL;
        }
        set->relays = set->relays || from[i].relays;
    }
    return set;
}

void ln_ice_servers_unref(struct ln_ice *ice, struct ln_ice_servers *set)
{
    struct ln_allocator *allocator = ice->env->allocator;
    size_t i;

    if (!set || --set->references > 0)
        return;
    for (i = 0; i < set->count; i++) {
        struct ln_ice_server_entry *server = &set->entries[i];

        if (server->password)
            ln_wipe(server->password, strlen(server->password));
        ln_free(allocator, server->url);
        ln_free(allocator, server->host);
        ln_free(allocator, server->username);
        ln_free(allocator, server->password);
    }
    ln_free(allocator, set);
}

int ln_ice_set_servers(struct ln_ice *ice, const struct ln_ice_server_address *servers,
                       size_t count, enum ln_ice_transport_policy policy)
{
    struct ln_ice_servers *set;

    if (ice->closed)
        return LN_ERR_CLOSED;
    set = ln_ice_servers_create(ice, servers, count, policy);
    if (!set)
        return LN_ERR_NOMEM;
    ln_ice_servers_unref(ice, ice->servers);
    ice->servers = set;
    if (ice->current->gathering == LN_ICE_GATHERING_STATE_NEW) {
        ln_ice_servers_unref(ice, ice->current->servers);
        ice->current->servers = set;
        set->references++;
    }
    return 0;
}

const char *ln_ice_server_url(const struct ln_ice_generation *g, int server)
{
    return server >= 0 ? g->servers->entries[server].url : NULL;
}
