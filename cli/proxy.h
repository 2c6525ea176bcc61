/* SPDX-License-Identifier: Apache-2.0
 * --proxy, and the environment's word about it: https_proxy or HTTPS_PROXY, unless no_proxy or
 * NO_PROXY names the host that is wanted. */
#ifndef LN_CLI_PROXY_H
#define LN_CLI_PROXY_H

#include "cli/options.h"

#define CLI_PROXY_OPTION(type, field)                                                              \
    CLI_TEXT("proxy", "http://[USER:PASSWORD@]HOST:PORT|none", type, field,                        \
             "an HTTP proxy for signalling, and for TURN over TCP and TLS ($https_proxy)")

/* The proxy's URL, or NULL, for `given` (NULL: not given; "none": none) and a connection to `url`
 * (NULL: to several hosts). It stays valid. False after one sentence when --proxy is not in its
 * form; one of the environment that is of no use is told and left out. */
bool cli_proxy_choose(const char *command, const char *given, const char *url,
                      const char **ret_proxy);

#endif
