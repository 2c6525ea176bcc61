# SPDX-License-Identifier: Apache-2.0
"""In mid-call the NAT forgets its mappings and has another public address: sound flows again, both ways,
within a second at the median. The other side lets everybody in.

Where the other side is behind a filter, nothing that comes from the new address reaches it. A relay that both
sides keep warm carries on: the side that moved takes its allocation along (RFC 8016), and sound flows again within
a second as well. Without a relay nobody but signalling can help: the application restarts ICE when it hears that
the connection is lost, and sound flows a second after that. How long the hearing takes is told.

Chromium has its own ideas of when a path is dead; with it a few seconds are allowed, and told."""
import statistics
import time

from world import OWN_TURN_UDP, SECONDS, STUN, TURN_UDP, Call, Chromium, Peer

TIMES = 5
LIMIT_S = 1.0
PAIRS = (("port_cone", "none"), ("symmetric", "none"), ("none", "port_cone"), ("full_cone", "full_cone"),
         ("carrier_grade", "full_cone"))
FILTERED = (("port_cone", "port_cone"), ("address_cone", "port_cone"), ("symmetric", "address_cone"),
            ("port_cone", "carrier_grade"))
FILTERED_TIMES = 2
CALLS = 3  # with a relay: in each the direct path is lost once, and then the relayed one
RELAYS = {"linnet turn": OWN_TURN_UDP, "coturn": TURN_UDP}
HEARD_LIMIT_S = 6  # src/ice/agent.h: 2 s without a sign of life under data
CHROMIUM_LIMIT_S = 6.0
PATIENCE = 60  # a busy machine starts browsers slowly
gaps = {}


def received(peer):
    return sum(s["packetsReceived"] for s in peer.stats().values() if s["type"] == "inbound-rtp")


def until_received(call, more, begin):
    """Seconds until both ends have so many packets more than now."""
    wanted = {peer: received(peer) + more for peer in (call.ada, call.ben)}
    last = 0
    for peer, count in wanted.items():
        while received(peer) < count:
            assert time.monotonic() - begin < SECONDS, f"nothing is received\n{call.ada}\n{call.ben}"
            time.sleep(0.01)
        last = max(last, time.monotonic() - begin)
    return last


def measure(world, call, moving):
    measured = []
    for _ in range(TIMES):
        until_received(call, 60, time.monotonic())
        begin = time.monotonic()
        world.rebind(moving)
        measured.append(until_received(call, 3, begin))  # what was on its way is less
    return measured


def measure_with_restart(world, call, moving):
    """The same, with an application that restarts ICE; seconds from the restart, and until it was due."""
    measured, heard = [], []
    for _ in range(FILTERED_TIMES):
        until_received(call, 60, time.monotonic())
        begin = time.monotonic()
        world.rebind(moving)
        call.ada.expect("linnet peer: disconnected", stream="err")
        restarted = time.monotonic()
        heard.append(restarted - begin)
        call.ada.send({"cmd": "restart"})
        measured.append(until_received(call, 3, restarted))
        call.ada.expect("linnet peer: connected", stream="err")
    return measured, heard


def check(world, ada, ben):
    first, second = (world.at(kind, f"{role}-of-{ada}-{ben}") for kind, role in ((ada, "ada"), (ben, "ben")))
    moving = second if ada == "none" else first
    with Call(first, second, "--ice-server", STUN, "--audio", "tone") as call:
        measured = gaps[ada, ben] = measure(world, call, moving)
        assert statistics.median(measured) < LIMIT_S, measured


def check_filtered(world, ada, ben):
    first, second = (world.at(kind, f"{role}-of-filtered-{ada}-{ben}") for kind, role in ((ada, "ada"), (ben, "ben")))
    with Call(first, second, "--ice-server", STUN, "--audio", "tone") as call:
        gaps[ada, f"{ben} that filters, from the restart"], heard = measure_with_restart(world, call, first)
        gaps[ada, f"{ben} that filters, until it was told"] = heard
        assert statistics.median(gaps[ada, f"{ben} that filters, from the restart"]) < LIMIT_S, gaps
        assert max(heard) < HEARD_LIMIT_S, heard


def relay_is_warm(peer):
    """Whether a pair through a relay has been checked."""
    stats = peer.stats()
    return any(s["type"] == "candidate-pair" and s["state"] == "succeeded" and stats[s["localCandidateId"]]["candidateType"] == "relay"
               for s in stats.values())


def check_with_relay(world, ada, ben, relay):
    """`ada` moves, from a direct path to her relay and then on it; both sides know the server."""
    first, second = (world.at(kind, f"{role}-of-{relay}-{ada}-{ben}") for kind, role in ((ada, "ada"), (ben, "ben")))
    measured = gaps[ada, f"{ben} that filters, by way of {relay}"] = []
    for _ in range(CALLS):
        with Call(first, second, "--ice-server", STUN, "--ice-server", RELAYS[relay], "--audio", "tone") as call:
            deadline = time.monotonic() + SECONDS
            while not relay_is_warm(call.ada):
                assert time.monotonic() < deadline, f"no relay is kept warm\n{call.ada}"
                time.sleep(0.05)
            for _ in range(2):
                until_received(call, 60, time.monotonic())
                begin = time.monotonic()
                world.rebind(first)
                measured.append(until_received(call, 3, begin))
    assert statistics.median(measured) < LIMIT_S, measured


def check_chromium(world, moves):
    """Linnet offers; the one that moves stands behind a NAT."""
    kinds = ("port_cone", "none") if moves == "linnet" else ("none", "port_cone")
    client, with_chromium = (world.at(kind, f"{moves}-moves-{i}") for i, kind in enumerate(kinds))
    ada = Peer(client, "--offer", "--data", "chat", "--ice-server", STUN, "--audio", "tone")
    ben = Chromium(world.browser(with_chromium), "--answer", "--ice-server", STUN, "--audio")
    with Call(ada, ben, wait=PATIENCE) as call:
        measured = measure(world, call, client if moves == "linnet" else with_chromium)
        gaps[tuple(name + " that moves" * (name == moves) for name in ("linnet", "chromium"))] = measured
        assert statistics.median(measured) < CHROMIUM_LIMIT_S, measured


def tests(world):
    def test_of(pair):
        return lambda: check(world, *pair)

    def filtered_of(pair):
        return lambda: check_filtered(world, *pair)

    def relayed_of(pair, relay):
        return lambda: check_with_relay(world, *pair, relay)

    def chromium_of(moves):
        return lambda: check_chromium(world, moves)

    everything = {f"test_{ada}_with_{ben}_when_the_nat_rebinds": test_of((ada, ben)) for ada, ben in PAIRS}
    everything.update({f"test_{ada}_with_{ben}_when_the_nat_rebinds_and_only_signalling_helps": filtered_of((ada, ben))
                       for ada, ben in FILTERED})
    everything.update({f"test_{ada}_with_{ben}_when_the_nat_rebinds_and_a_relay_of_{relay.replace(' ', '_')}_is_warm": relayed_of((ada, ben), relay)
                       for ada, ben in FILTERED for relay in RELAYS})
    everything.update({f"test_chromium_when_the_nat_of_{moves}_rebinds": chromium_of(moves) for moves in ("linnet", "chromium")})
    return everything


def report():
    for (ada, ben), measured in gaps.items():
        if not measured:
            continue  # its test failed
        print(f"rebinding, {ada} with {ben}: sound again after {statistics.median(measured) * 1000:.0f} ms "
              f"(median of {len(measured)}, worst {max(measured) * 1000:.0f})")
