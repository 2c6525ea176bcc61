/* SPDX-License-Identifier: Apache-2.0
 * Every kind of client with every other (net.h), with loss: direct where theory allows, else by our
 * own TURN server. The same table as tests/nat/test_pairs.py, whose clients without UDP need
 * streams, which this network has not. */
#include "base/alloc.h"
#include "base/time.h"
#include "servers/turn/core/turn.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define MS LN_MILLISECONDS
#define S  LN_SECONDS

#define TURN_USER     "ada"
#define TURN_PASSWORD "lovelace"

/* --- the server */

struct turn_host {
    struct ln_turn_shared *shared;
    struct ln_turn_credentials *credentials;
    struct ln_turn_policy policy;
    struct ln_turn_server *server;
};

static void *turn_host_create(struct net *net, const char *ip)
{
    struct turn_host *turn = calloc(1, sizeof *turn);
    struct ln_turn_limits limits = { .allocations = 100 };
    struct ln_turn_listen listen = { .stream = false };
    struct ln_turn_relay relay = { .bind = { 0 } };
    struct ln_turn_config config = {
        .listen = &listen, .listen_count = 1, .relays = &relay, .relay_count = 1
    };

    CHECK(turn != NULL && ln_address_parse(ip, &relay.bind) == 0);
    listen.address = relay.bind;
    listen.address.port = 3478;
    turn->policy.allow_count = 1; /* the simulated internet is made of reserved addresses */
    CHECK(ln_turn_prefix_parse("0.0.0.0/0", &turn->policy.allow[0]) == 0);
    CHECK(ln_turn_shared_create(&turn->shared, test_env(), &limits) == 0);
    CHECK(ln_turn_credentials_create(&turn->credentials, "sim.test", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(turn->credentials, TURN_USER, TURN_PASSWORD) == 0);
    config.shared = turn->shared;
    config.credentials = turn->credentials;
    config.policy = &turn->policy;
    CHECK(ln_turn_server_create(&turn->server, &config, test_env()) == 0);
    ln_turn_server_set_wall_offset(turn->server, LN_SECONDS(1700000000));
    net_add_host(net, ln_turn_server_endpoint(turn->server), ip);
    return turn;
}

static void turn_host_free(void *server)
{
    struct turn_host *turn = server;

    ln_turn_server_free(turn->server);
    ln_turn_credentials_free(turn->credentials);
    ln_turn_shared_free(turn->shared);
    free(turn);
}

static const char *const turn_urls[] = { "turn:203.0.113.1:3478" };
static const struct server_hooks turn_server = {
    .create = turn_host_create,
    .free = turn_host_free,
    .ice = { .urls = turn_urls,
             .url_count = 1,
             .username = TURN_USER,
             .credential = TURN_PASSWORD },
};

/* --- the table */

enum { R, D };

/* clang-format off */
static const uint8_t direct[NET_KINDS][NET_KINDS] = {
    /*                     open full addr port symm carr */
    [net_open] =          { D,   D,   D,   D,   D,   D },
    [net_full_cone] =     { D,   D,   D,   D,   D,   D },
    [net_address_cone] =  { D,   D,   D,   D,   D,   D },
    [net_port_cone] =     { D,   D,   D,   D,   R,   D },
    [net_symmetric] =     { D,   D,   D,   R,   R,   R },
    [net_carrier_grade] = { D,   D,   D,   D,   R,   D },
};
/* clang-format on */

static bool by_relay(const struct party *party)
{
    ln_sctp_transport *sctp = ln_peer_connection_sctp(party->pc);
    struct ln_ice_candidate local, remote;

    CHECK(sctp != NULL);
    CHECK(ln_ice_transport_selected_candidate_pair(
        ln_dtls_transport_ice_transport(ln_sctp_transport_transport(sctp)), &local, &remote));
    return strcmp(local.type, "relay") == 0 || strcmp(remote.type, "relay") == 0;
}

static void by_the_path_of_theory(struct call *call)
{
    bool wanted = direct[call->kinds[0]][call->kinds[1]] == D;

    for (int i = 0; i < 2; i++)
        if (by_relay(&call->parties[i]) == wanted)
            ln_test_fail(wanted ? "a relay, where a direct path was to be had" : "no relay",
                         __FILE__, __LINE__);
}

LN_SCENARIO(every_pair_by_theory) = {
    .line = { .delay = MS(30) },
    .nat = NAT_PAIRS,
    .server = &turn_server,
    .messages = 10,
    .length = S(3),
    .open_within_p95 = S(2),
    .holds = by_the_path_of_theory,
};

/* A lost answer may leave a call on the relay although a direct path was there: it opens. */
LN_SCENARIO(every_pair_with_loss) = {
    .line = { .delay = MS(30), .loss = 0.1 },
    .nat = NAT_PAIRS,
    .server = &turn_server,
    .messages = 10,
};
