/* SPDX-License-Identifier: Apache-2.0
 * A configuration that the peer connection keeps: the public structure with copies of its texts. */
#ifndef LN_PEER_CONFIGURATION_H
#define LN_PEER_CONFIGURATION_H

#include "base/arena.h"

#include <linnet/configuration.h>

#define LN_CONFIGURATION_SERVERS_MAX 32u
#define LN_CONFIGURATION_URLS_MAX    16u

struct ln_configuration_store {
    struct ln_configuration public; /* its pointers go into the arena */
    struct ln_arena arena;
};

/* Checks and copies. Returns 0, LN_ERR_SYNTAX (a URL), LN_ERR_INVALID_ACCESS (a TURN server without
 * credentials, or an expired certificate), LN_ERR_INVALID_ARGUMENT, LN_ERR_LIMIT, LN_ERR_NOMEM;
 * store is then empty. Certificates are not referenced here. */
LN_NODISCARD int ln_configuration_store_init(struct ln_configuration_store *store,
                                             struct ln_allocator *allocator,
                                             const struct ln_configuration *configuration);
void ln_configuration_store_deinit(struct ln_configuration_store *store);

/* One URL of an RTCIceServer (RFC 7064, RFC 7065). */
struct ln_ice_url {
    enum { LN_ICE_URL_STUN, LN_ICE_URL_STUNS, LN_ICE_URL_TURN, LN_ICE_URL_TURNS } scheme;
    char host[256];
    uint16_t port;
    bool tcp; /* ?transport=tcp, or the secure schemes' default */
};

LN_NODISCARD int ln_ice_url_parse(const char *text, struct ln_ice_url *ret_url);

#endif
