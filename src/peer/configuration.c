/* SPDX-License-Identifier: Apache-2.0
 * RTCConfiguration checked and kept; ICE URLs (RFC 7064, 3.1; RFC 7065, 3.1). */
#include "peer/configuration.h"

#include "base/address.h"
#include "base/alloc.h"
#include "ice/addresses.h"
#include "stun/proxy.h"

#include <linnet/error.h>

#include <string.h>
#include <strings.h>

void ln_configuration_init(struct ln_configuration *configuration)
{
    memset(configuration, 0, sizeof *configuration);
    configuration->size = sizeof *configuration;
    configuration->max_message_size = 262144;
    configuration->send_buffer_limit = 64u << 20;
    configuration->start_bitrate_bps = 600000;
    configuration->min_bitrate_bps = 50000;
    configuration->max_bitrate_bps = 20000000;
}

static int parse_port(const char *text, size_t len, uint16_t *ret_port)
{
    uint32_t port = 0;
    size_t i;

    if (len == 0 || len > 5)
        return LN_ERR_SYNTAX;
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return LN_ERR_SYNTAX;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return LN_ERR_SYNTAX;
    *ret_port = (uint16_t)port;
    return 0;
}

/* host [":" port], the host an IP literal in brackets, an IPv4 address or a name. */
static int parse_host_port(const char *text, size_t len, struct ln_ice_url *url)
{
    const char *end = text + len, *host = text, *after;
    struct ln_address literal;
    size_t host_len, i;

    if (len > 0 && text[0] == '[') {
        after = memchr(text, ']', len);
        if (!after)
            return LN_ERR_SYNTAX;
        host = text + 1;
        host_len = (size_t)(after - host);
        after++;
    } else {
        after = memchr(text, ':', len);
        if (!after)
            after = end;
        host_len = (size_t)(after - host);
    }
    if (host_len == 0 || host_len >= sizeof url->host)
        return LN_ERR_SYNTAX;
    for (i = 0; i < host_len; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr("/?#@\\", host[i]))
            return LN_ERR_SYNTAX;
    memcpy(url->host, host, host_len);
    url->host[host_len] = '\0';
    if (host != text &&
        (ln_address_parse(url->host, &literal) != 0 || literal.family != LN_FAMILY_IPV6))
        return LN_ERR_SYNTAX;
    if (after == end)
        return 0;
    if (*after != ':')
        return LN_ERR_SYNTAX;
    return parse_port(after + 1, (size_t)(end - after - 1), &url->port);
}

int ln_ice_url_parse(const char *text, struct ln_ice_url *ret_url)
{
    static const char *const schemes[] = { "stun:", "stuns:", "turn:", "turns:" };
    struct ln_ice_url url = { 0 };
    const char *rest = NULL, *query;
    size_t len;
    bool secure, turn;
    int error;

    for (unsigned scheme = 0; scheme < 4; scheme++) {
        if (strncasecmp(text, schemes[scheme], strlen(schemes[scheme])) == 0) {
            url.scheme = scheme;
            rest = text + strlen(schemes[scheme]);
        }
    }
    if (!rest)
        return LN_ERR_SYNTAX;
    secure = url.scheme == LN_ICE_URL_STUNS || url.scheme == LN_ICE_URL_TURNS;
    turn = url.scheme == LN_ICE_URL_TURN || url.scheme == LN_ICE_URL_TURNS;
    url.port = secure ? 5349 : 3478;
    url.tcp = secure;
    query = strchr(rest, '?');
    len = query ? (size_t)(query - rest) : strlen(rest);
    error = parse_host_port(rest, len, &url);
    if (error)
        return error;
    if (query) {
        if (!turn || strncasecmp(query, "?transport=", 11) != 0)
            return LN_ERR_SYNTAX;
        if (strcasecmp(query + 11, "tcp") == 0)
            url.tcp = true;
        else if (strcasecmp(query + 11, "udp") == 0)
            url.tcp = false;
        else
            return LN_ERR_SYNTAX;
    }
    *ret_url = url;
    return 0;
}

static int check_server(const struct ln_ice_server *server)
{
    struct ln_ice_url url;
    size_t i;
    int error;

    if (server->url_count == 0)
        return LN_ERR_SYNTAX;
    if (server->url_count > LN_CONFIGURATION_URLS_MAX)
        return LN_ERR_LIMIT;
    for (i = 0; i < server->url_count; i++) {
        error = ln_ice_url_parse(server->urls[i], &url);
        if (error)
            return error;
        if ((url.scheme == LN_ICE_URL_TURN || url.scheme == LN_ICE_URL_TURNS) &&
            (!server->username || !server->credential))
            return LN_ERR_INVALID_ACCESS;
    }
    return 0;
}

static const char *keep_text(struct ln_arena *arena, const char *text, bool *failed)
{
    const char *copy;

    if (!text)
        return NULL;
    copy = ln_arena_text(arena, text, strlen(text));
    *failed = *failed || !copy;
    return copy;
}

static int keep_servers(struct ln_configuration_store *store,
                        const struct ln_configuration *configuration)
{
    size_t count = configuration->ice_server_count, i, u;
    struct ln_ice_server *servers;
    bool failed = false;

    store->public.ice_servers = NULL;
    if (count == 0)
        return 0;
    servers = ln_arena_alloc(&store->arena, count * sizeof *servers);
    if (!servers)
        return LN_ERR_NOMEM;
    for (i = 0; i < count && !failed; i++) {
        const struct ln_ice_server *from = &configuration->ice_servers[i];
        const char **urls = ln_arena_alloc(&store->arena, from->url_count * sizeof *urls);

        failed = !urls;
        for (u = 0; u < from->url_count && !failed; u++)
            urls[u] = keep_text(&store->arena, from->urls[u], &failed);
        servers[i].urls = urls;
        servers[i].url_count = from->url_count;
        servers[i].username = keep_text(&store->arena, from->username, &failed);
        servers[i].credential = keep_text(&store->arena, from->credential, &failed);
    }
    if (failed)
        return LN_ERR_NOMEM;
    store->public.ice_servers = servers;
    return 0;
}

/* ICE reads them once more when it is made; what is kept has none. */
static int check_network(const struct ln_network_options *network)
{
    struct ln_ice_filter filter;
    struct ln_ice_externals externals;
    struct ln_proxy proxy;
    int error = network->http_proxy ? ln_proxy_parse(network->http_proxy, &proxy) : 0;

    ln_wipe(&proxy, sizeof proxy);
    if (error)
        return error;
    if ((unsigned)network->priority > LN_NETWORK_PRIORITY_HIGH)
        return LN_ERR_INVALID_ARGUMENT;
    error = ln_ice_filter_parse(network->address_filter, network->address_filter_count, &filter);
    return error ? error
                 : ln_ice_externals_parse(network->external_addresses,
                                          network->external_address_count, &externals);
}

int ln_configuration_store_init(struct ln_configuration_store *store,
                                struct ln_allocator *allocator,
                                const struct ln_configuration *configuration)
{
    struct ln_configuration defaults;
    size_t i;
    int error = 0;

    ln_configuration_init(&defaults);
    if (!configuration)
        configuration = &defaults;
    if (configuration->size != sizeof *configuration ||
        configuration->port_min > configuration->port_max ||
        (configuration->ice_lite &&
         configuration->ice_transport_policy == LN_ICE_TRANSPORT_POLICY_RELAY) ||
        (unsigned)configuration->data_congestion_control > LN_DATA_CONGESTION_CONTROL_RENO)
        return LN_ERR_INVALID_ARGUMENT;
    if (configuration->ice_server_count > LN_CONFIGURATION_SERVERS_MAX)
        return LN_ERR_LIMIT;
    for (i = 0; i < configuration->ice_server_count && !error; i++)
        error = check_server(&configuration->ice_servers[i]);
    if (!error)
        error = check_network(&configuration->network);
    if (error)
        return error;
    store->public = *configuration;
    store->public.network = (struct ln_network_options){ 0 };
    store->public.certificates = NULL;
    store->public.certificate_count = 0;
    ln_arena_init(&store->arena, allocator, 1u << 20);
    error = keep_servers(store, configuration);
    if (error)
        ln_configuration_store_deinit(store);
    return error;
}

void ln_configuration_store_deinit(struct ln_configuration_store *store)
{
    ln_arena_deinit(&store->arena);
}
