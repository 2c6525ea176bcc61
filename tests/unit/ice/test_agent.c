/* SPDX-License-Identifier: Apache-2.0
 * Two agents find each other: host, server-reflexive and peer-reflexive paths, trickle, roles. */
#include "tests/unit/ice/agents.h"

static struct agents s; /* large; cleared by agents_init() */

static bool lan(void)
{
    agents_init(&s);
    if (!agents_create(&s))
        return false;
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    return true;
}

LN_TEST(agent, connects_two_hosts_in_two_round_trips)
{
    ln_time begin;

    if (lan()) {
        begin = s.wire.now;
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(5)));
        CHECK(s.a.connected_at - begin <= 3 * s.wire.delay);
        CHECK(s.b.connected_at - begin <= 3 * s.wire.delay);
        CHECK(s.wire.now - begin <= 6 * s.wire.delay);
        CHECK(side_was(&s.a, LN_ICE_CONNECTION_STATE_CHECKING));
        CHECK(side_was(&s.a, LN_ICE_CONNECTION_STATE_CONNECTED));
        CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
        CHECK_EQUAL(side_selected(&s.a).current_rtt, 2 * s.wire.delay);
    }
    agents_free(&s);
}
