/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network.h"

#include "ice/addresses.h"

#include <linnet/error.h>

#include <string.h>

static bool filter_valid(const char *command, const struct cli_texts *texts)
{
    struct ln_ice_filter filter;

    for (size_t i = 0; i < texts->count; i++)
        if (ln_ice_filter_parse(&texts->items[i], 1, &filter) != 0) {
            fprintf(stderr,
                    "linnet %s: --interface takes the name of an interface (with * and ?) or "
                    "ADDRESS[/BITS], with ! before it to leave it out, not \"%s\"\n",
                    command, texts->items[i]);
            return false;
        }
    return true;
}

static bool external_valid(const char *command, const struct cli_texts *texts)
{
    struct ln_ice_externals externals;

    for (size_t i = 0; i < texts->count; i++)
        if (ln_ice_externals_parse(&texts->items[i], 1, &externals) != 0) {
            fprintf(stderr,
                    "linnet %s: --external takes ADDRESS or ADDRESS=LOCAL, both IPv4 or both IPv6, "
                    "not \"%s\"\n",
                    command, texts->items[i]);
            return false;
        }
    if (ln_ice_externals_parse(texts->items, texts->count, &externals) != 0) {
        fprintf(stderr, "linnet %s: --external gives one address twice\n", command);
        return false;
    }
    return true;
}

bool cli_network_valid(const char *command, const char *url, struct cli_network *network)
{
    if (network->external_replaces && network->external.count == 0) {
        fprintf(stderr, "linnet %s: --external-replaces goes with --external\n", command);
        return false;
    }
    return filter_valid(command, &network->filter) && external_valid(command, &network->external) &&
           cli_proxy_choose(command, network->proxy, url, &network->proxy);
}

static enum ln_network_priority priority_of(const char *text)
{
    static const char *const names[] = { "none", "very-low", "low", "medium", "high" };
    unsigned i = 0;

    while (text && strcmp(names[i], text) != 0)
        i++;
    return (enum ln_network_priority)i;
}

void cli_network_apply(const struct cli_network *network, struct ln_network_options *ret_options)
{
    *ret_options = (struct ln_network_options){
        .address_filter = network->filter.items,
        .address_filter_count = network->filter.count,
        .external_addresses = network->external.items,
        .external_address_count = network->external.count,
        .external_replaces = network->external_replaces,
        .mdns_names = network->mdns_names,
        .ice_tcp = network->ice_tcp,
        .priority = priority_of(network->priority),
        .http_proxy = network->proxy,
    };
}
