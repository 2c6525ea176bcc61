/* SPDX-License-Identifier: Apache-2.0
 * Every kind of client with every other (net.h), with loss: direct where theory allows, else by our
 * own TURN server, over UDP, TCP or TLS. The same table as tests/nat/test_pairs.py. */
#include "base/time.h"
#include "tests/sim/call.h"
#include "tests/sim/turn_host.h"
#include "tests/support/test.h"

#include <string.h>

#define MS LN_MILLISECONDS
#define S  LN_SECONDS

/* --- the table */

enum { R, D };

/* clang-format off */
static const uint8_t direct[NET_KINDS][NET_KINDS] = {
    /*                     open full addr port symm carr nudp 443 */
    [net_open] =          { D,   D,   D,   D,   D,   D,   R,   R },
    [net_full_cone] =     { D,   D,   D,   D,   D,   D,   R,   R },
    [net_address_cone] =  { D,   D,   D,   D,   D,   D,   R,   R },
    [net_port_cone] =     { D,   D,   D,   D,   R,   D,   R,   R },
    [net_symmetric] =     { D,   D,   D,   R,   R,   R,   R,   R },
    [net_carrier_grade] = { D,   D,   D,   D,   R,   D,   R,   R },
    [net_udp_blocked] =   { R,   R,   R,   R,   R,   R,   R,   R },
    [net_only_443] =      { R,   R,   R,   R,   R,   R,   R,   R },
};
/* clang-format on */

static void selected(const struct party *party, struct ln_ice_candidate *ret_local,
                     struct ln_ice_candidate *ret_remote)
{
    ln_sctp_transport *sctp = ln_peer_connection_sctp(party->pc);

    CHECK(sctp != NULL);
    CHECK(ln_ice_transport_selected_candidate_pair(
        ln_dtls_transport_ice_transport(ln_sctp_transport_transport(sctp)), ret_local, ret_remote));
}

/* How a client of this kind reaches its relay, where it needs one. */
static bool is_way_of(enum net_kind kind, const struct ln_ice_candidate *local)
{
    if (kind == net_only_443)
        return strcmp(local->relay_protocol, "tls") == 0;
    if (kind == net_udp_blocked)
        return strcmp(local->relay_protocol, "udp") != 0;
    return true;
}

static void by_the_path_of_theory(struct call *call)
{
    bool wanted = direct[call->kinds[0]][call->kinds[1]] == D;

    for (int i = 0; i < 2; i++) {
        struct ln_ice_candidate local, remote;
        bool own, other;

        selected(&call->parties[i], &local, &remote);
        own = strcmp(local.type, "relay") == 0;
        other = strcmp(remote.type, "relay") == 0;
        if ((own || other) == wanted)
            ln_test_fail(wanted ? "a relay, where a direct path was to be had" : "no relay",
                         __FILE__, __LINE__);
        CHECK(own || !net_kinds[call->kinds[i]].udp_blocked);
        CHECK(!own || is_way_of(call->kinds[i], &local));
    }
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

/* --- over streams alone */

/* Firewalls that take no datagram and let nobody in unasked: two that connect at once meet. */
LN_SCENARIO(tcp_through_firewalls) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_NO_UDP,
    .ice_tcp = true,
    .messages = 20,
};

static void by_simultaneous_open(struct call *call)
{
    for (int i = 0; i < 2; i++) {
        struct ln_ice_candidate local, remote;

        selected(&call->parties[i], &local, &remote);
        CHECK(strcmp(local.protocol, "tcp") == 0 && strcmp(local.tcp_type, "so") == 0);
        CHECK(strcmp(remote.tcp_type, "so") == 0);
    }
}

/* NATs that take no datagram and let nobody in unasked: a server over TCP tells each side how it is
 * seen, and the two meet by simultaneous open. */
LN_SCENARIO(tcp_through_nats) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_TCP,
    .server = &turn_server_for_stun,
    .ice_tcp = true,
    .messages = 20,
    .holds = by_simultaneous_open,
};

static void by_a_relay_of_tcp(struct call *call)
{
    struct ln_ice_candidate local, remote;

    selected(&call->parties[0], &local, &remote);
    CHECK(strcmp(local.protocol, "tcp") == 0 && strcmp(local.type, "relay") == 0);
    CHECK(strcmp(local.relay_protocol, "tls") == 0);
    selected(&call->parties[1], &local, &remote);
    CHECK(strcmp(local.tcp_type, "active") == 0 && strcmp(remote.type, "relay") == 0);
}

/* One side reaches nothing but port 443 of its server, the other has TCP alone, and no relay. */
LN_SCENARIO(tcp_relayed) = {
    .line = { .delay = MS(30), .loss = 0.02 },
    .nat = NAT_TCP_443,
    .server = &turn_server,
    .server_of_first = true,
    .ice_tcp = true,
    .messages = 20,
    .length = S(5),
    .holds = by_a_relay_of_tcp,
};

/* The streams to the server break in the call, now of one side and now of the other, and the
 * allocations go on by new ones: nobody restarts anything. */
LN_SCENARIO(relay_streams_break_and_move) = {
    .line = { .delay = MS(30) },
    .nat = NAT_NO_UDP,
    .server = &turn_server,
    .messages = 40,
    .length = S(6),
    .acts = { { ACT_RESET, S(1), .host = 0 },
              { ACT_RESET, S(2), .host = 1 },
              { ACT_RESET, S(3), .host = 0 } },
};

/* The streams to the server break in the call, and a restart makes new ones. */
LN_SCENARIO(relay_streams_break) = {
    .line = { .delay = MS(30) },
    .nat = NAT_NO_UDP,
    .server = &turn_server,
    .messages = 40,
    .length = S(6),
    .acts = { { ACT_RESET, S(1), .host = 0 }, { ACT_RESTART, S(2), .host = 0 } },
};
