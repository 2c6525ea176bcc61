/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ice/turn_host.h"

#include "tests/support/test.h"

#include <string.h>

static void start(struct turn_host *host, struct wire *wire, const struct ln_env *env,
                  struct ln_turn_config config)
{
    struct ln_turn_limits limits = { 0 };
    struct ln_turn_relay relay = { 0 };

    config.listen = host->listen;
    config.listen_count = 2;
    config.relays = &relay;
    config.relay_count = 1;
    config.policy = &host->policy;
    memset(host, 0, sizeof *host);
    CHECK(ln_address_parse("203.0.113.1:3478", &host->listen[0].address) == 0);
    host->listen[1] = host->listen[0];
    host->listen[1].stream = true;
    CHECK(ln_address_parse("203.0.113.1", &relay.bind) == 0);
    CHECK(ln_turn_credentials_create(&host->credentials, "example.org", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(host->credentials, "alice", "secret") == 0);
    CHECK(ln_turn_shared_create(&host->shared, test_env(), &limits) == 0);
    CHECK(ln_turn_prefix_parse("203.0.113.1/32", &host->policy.allow[0]) == 0);
    host->policy.allow_count = 1;
    config.shared = host->shared;
    config.credentials = host->credentials;
    CHECK(ln_turn_server_create(&host->server, &config, env) == 0);
    ln_turn_server_set_wall_offset(host->server, LN_SECONDS(1700000000));
    wire_add(wire, ln_turn_server_endpoint(host->server));
}

void turn_host_start(struct turn_host *host, struct wire *wire, const struct ln_env *env,
                     bool no_mobility)
{
    start(host, wire, env, (struct ln_turn_config){ .no_mobility = no_mobility });
}

void turn_host_start_tcp(struct turn_host *host, struct wire *wire, const struct ln_env *env)
{
    start(host, wire, env, (struct ln_turn_config){ .no_mobility = true, .tcp_relay = true });
}

void turn_host_start_tls(struct turn_host *host, struct wire *wire, const struct ln_env *env,
                         struct ln_certificate *certificate)
{
    start(host, wire, env,
          (struct ln_turn_config){ .no_mobility = true, .certificate = certificate });
}

void turn_host_stop(struct turn_host *host)
{
    ln_turn_server_free(host->server);
    ln_turn_shared_free(host->shared);
    ln_turn_credentials_free(host->credentials);
    memset(host, 0, sizeof *host);
}

void turn_host_set_nats(struct wire *wire, int first, int second)
{
    wire_interface(wire, first, "10.0.0.2");
    wire_interface(wire, second, "10.1.0.2");
    wire_set_nat(wire, first, 1, WIRE_NAT_PORT_RESTRICTED, "198.51.100.1");
    wire_set_nat(wire, second, 2, WIRE_NAT_PORT_RESTRICTED, "198.51.100.2");
}
