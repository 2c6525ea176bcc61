/* SPDX-License-Identifier: Apache-2.0
 * Options about the network that `linnet peer` and `linnet join` share: which addresses of this
 * machine are used, and how they are told. */
#ifndef LN_CLI_NETWORK_H
#define LN_CLI_NETWORK_H

#include "cli/proxy.h"

#include <linnet/configuration.h>

struct cli_network {
    struct cli_texts filter, external;
    bool external_replaces, mdns_names, ice_tcp;
    const char *priority, *proxy; /* as given, then as chosen */
};

/* For the member `field` (a struct cli_network) of the command's arguments. */
#define CLI_NETWORK_OPTIONS(type, field)                                                           \
    CLI_LIST("interface", "[!]NAME|ADDRESS[/BITS]", type, field.filter,                            \
             "use only these interfaces or addresses, or with ! all but these"),                   \
        CLI_LIST("external", "ADDRESS[=LOCAL]", type, field.external,                              \
                 "the address of a NAT that maps one to one, told beside ours"),                   \
        CLI_FLAG("external-replaces", type, field.external_replaces,                               \
                 "tell --external in place of this machine's addresses"),                          \
        CLI_FLAG("mdns-names", type, field.mdns_names,                                             \
                 "tell random names under .local, not this machine's addresses"),                  \
        CLI_FLAG("ice-tcp", type, field.ice_tcp, "gather TCP candidates too"),                     \
        CLI_CHOICE("dscp", "none very-low low medium high", type, field.priority,                  \
                   "the priority by which packets are marked for the network (none)"),             \
        CLI_PROXY_OPTION(type, field.proxy)

/* False with a sentence on standard error when a text is not in its form. `url`: the server of the
 * signalling, or NULL. */
bool cli_network_valid(const char *command, const char *url, struct cli_network *network);
/* Texts are borrowed. */
void cli_network_apply(const struct cli_network *network, struct ln_network_options *ret_options);

#endif
