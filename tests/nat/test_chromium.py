# SPDX-License-Identifier: Apache-2.0
"""The diagonal and the hard rows of test_pairs.py with Chromium at one side, offering and answering; and Chromium
where no UDP passes, without a relay, connecting to a relay of TCP of ours (RFC 6062)."""
import threading

from test_pairs import expected
from world import KINDS, SERVERS, TURN_TLS, Call, Chromium, Peer, expect_path, options

# The diagonal, and each kind with the symmetric one, both ways round.
PAIRS = sorted({(kind, kind) for kind in KINDS} | {(kind, "symmetric") for kind in KINDS} | {("symmetric", kind) for kind in KINDS})
PATIENCE = 60  # a busy machine starts browsers slowly
two_at_a_time = threading.Semaphore(2)
times = {}


def check_in_turn(*arguments):
    with two_at_a_time:
        check(*arguments)


def check(world, chromium_at, linnet_at, offers):
    browser = world.browser(world.at(chromium_at, "c"))
    client = world.at(linnet_at, "d")
    ada, ben = (("--offer", "--data", "chat", *SERVERS), ("--answer", "--echo", *SERVERS))
    if offers:
        call = Call(Chromium(browser, *ada), Peer(client, *ben), wait=PATIENCE)
    else:
        call = Call(Peer(client, *ada), Chromium(browser, *ben), wait=PATIENCE)
    with call:
        call.echo()
        expect_path(call, expected(chromium_at, linnet_at))
        times[chromium_at, linnet_at, offers] = call.seconds


NO_UDP = """
table inet firewall {
    chain output {
        type filter hook output priority 0; policy accept;
        oifname != "lo" meta l4proto udp drop
    }
}
"""


def by_a_relay_of_tcp(world):
    """It offers: so the relay has its address and lets it in before it knows of the relay. coturn's, over TLS."""
    ours, theirs = world.at("only_443", "e"), world.at("none", "e")
    theirs.host.nft(NO_UDP)
    with two_at_a_time, Call(Chromium(world.browser(theirs), "--offer", "--data", "chat"),
                             Peer(ours, "--answer", "--echo", "--ice-tcp", *options(TURN_TLS)), wait=PATIENCE) as call:
        call.echo()
        local, remote = call.ben.selected()
        assert [(end["candidateType"], end["protocol"], end["tcpType"]) for end in (local, remote)] == [
            ("relay", "tcp", "passive"), ("prflx", "tcp", "active")], (local, remote)
        assert call.ada.selected()[1]["candidateType"] == "relay", call.ada.selected()


def tests(world):
    def test_of(chromium_at, linnet_at, offers):
        return lambda: check_in_turn(world, chromium_at, linnet_at, offers)

    pairs = {f"test_chromium_{at}_with_{other}": test_of(at, other, i % 2 == 0)
             for i, (at, other) in enumerate(PAIRS)}
    return {**pairs, "test_chromium_connects_to_a_relay_of_tcp": lambda: by_a_relay_of_tcp(world)}


def report():
    for (at, other, offers), seconds in sorted(times.items()):
        print(f"chromium {at} with linnet {other}, {'chromium' if offers else 'linnet'} offering: {seconds * 1000:.0f} ms")
