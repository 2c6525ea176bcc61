/* SPDX-License-Identifier: Apache-2.0
 * A STUN server on the network of a call. */
#include "stun/server.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

#include <stdlib.h>

struct stun_host {
    struct ln_stun_server *server;
};

struct stun_host *stun_host_create(struct net *net, const struct ln_env *env, const char *ip)
{
    struct stun_host *stun = calloc(1, sizeof *stun);
    struct ln_stun_server_config config = { .listen_count = 1 };
    struct ln_address listen;

    CHECK(stun != NULL && ln_address_parse(ip, &listen) == 0);
    listen.port = 3478;
    config.listen = &listen;
    CHECK(ln_stun_server_create(&stun->server, &config, env) == 0);
    net_add_host(net, ln_stun_server_endpoint(stun->server), ip);
    return stun;
}

void stun_host_free(struct stun_host *stun)
{
    if (stun)
        ln_stun_server_free(stun->server);
    free(stun);
}
