# SPDX-License-Identifier: Apache-2.0
"""Every kind of client with every other: the two connect, by a direct path wherever theory allows one, else
by a relay (coturn, and `linnet turn`), and a message goes there and back on a data channel.

Theory (RFC 4787, RFC 5128): two clients reach each other directly when each can send to where the other's
packets seem to come from, and the NATs let them in. A symmetric NAT shows each destination another port, so
that whoever filters by port never lets it in: a symmetric one meets a filter by port only through a relay.
The carrier's NAT is independent of the endpoint, the home's before it filters by port. Without UDP there is
TCP to the relay; with only port 443, TLS to it."""
from world import KINDS, OWN_SERVERS, SERVERS, Call, expect_path

D, R = "direct", "relay"
EXPECTED = {
    #                 none full addr port symm carr nudp  443
    "none":          (D,   D,   D,   D,   D,   D,   R,   R),
    "full_cone":     (D,   D,   D,   D,   D,   D,   R,   R),
    "address_cone":  (D,   D,   D,   D,   D,   D,   R,   R),
    "port_cone":     (D,   D,   D,   D,   R,   D,   R,   R),
    "symmetric":     (D,   D,   D,   R,   R,   R,   R,   R),
    "carrier_grade": (D,   D,   D,   D,   R,   D,   R,   R),
    "udp_blocked":   (R,   R,   R,   R,   R,   R,   R,   R),
    "only_443":      (R,   R,   R,   R,   R,   R,   R,   R),
}
times = {}  # what was measured: (offerer, answerer) -> seconds


def expected(offerer, answerer):
    return EXPECTED[offerer][KINDS.index(answerer)]


def check(world, offerer, answerer, servers):
    with Call(world.at(offerer, "a"), world.at(answerer, "b"), *servers) as call:
        call.echo()
        expect_path(call, expected(offerer, answerer))
        times[offerer, answerer, servers] = call.seconds


def tests(world):
    def test_of(offerer, answerer, servers):
        return lambda: check(world, offerer, answerer, servers)

    everything = {}
    for offerer in KINDS:
        for answerer in KINDS:
            name = f"test_{offerer}_with_{answerer}"
            everything[name] = test_of(offerer, answerer, SERVERS)
            everything[name + "_by_linnet_turn"] = test_of(offerer, answerer, OWN_SERVERS)
    return everything


def report():
    """Milliseconds until both ends had the channel open; a star marks a relay."""
    for name, servers in (("coturn", SERVERS), ("linnet turn", OWN_SERVERS)):
        if not any(key[2] == servers for key in times):
            continue
        print(f"ms, {name}".ljust(16) + "".join(kind[:8].rjust(10) for kind in KINDS))
        for offerer in KINDS:
            row = ((times.get((offerer, answerer, servers)), expected(offerer, answerer)) for answerer in KINDS)
            print(offerer.ljust(16) + "".join(
                (f"{seconds * 1000:.0f}{'*' if path == R else ''}" if seconds is not None else "-").rjust(10) for seconds, path in row))
