# SPDX-License-Identifier: Apache-2.0
"""In mid-call the NAT forgets its mappings and has another public address: sound flows again, both ways,
within a second at the median. The other side lets everybody in: were it behind a filter, only signalling or
a relay could bring the new address to it."""
import statistics
import time

from world import SECONDS, STUN, Call

TIMES = 5
LIMIT_S = 1.0
PAIRS = (("port_cone", "none"), ("symmetric", "none"), ("none", "port_cone"), ("full_cone", "full_cone"),
         ("carrier_grade", "full_cone"))
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


def check(world, ada, ben):
    first, second = (world.at(kind, f"{role}-of-{ada}-{ben}") for kind, role in ((ada, "ada"), (ben, "ben")))
    moving = second if ada == "none" else first
    with Call(first, second, "--ice-server", STUN, "--audio", "tone") as call:
        measured = []
        for _ in range(TIMES):
            until_received(call, 60, time.monotonic())
            world.rebind(moving)
            begin = time.monotonic()
            measured.append(until_received(call, 3, begin))  # what was on its way is less
        gaps[ada, ben] = measured
        assert statistics.median(measured) < LIMIT_S, measured


def tests(world):
    def test_of(pair):
        return lambda: check(world, *pair)

    return {f"test_{ada}_with_{ben}_when_the_nat_rebinds": test_of((ada, ben)) for ada, ben in PAIRS}


def report():
    for (ada, ben), measured in gaps.items():
        print(f"rebinding, {ada} with {ben}: sound again after {statistics.median(measured) * 1000:.0f} ms "
              f"(median of {len(measured)}, worst {max(measured) * 1000:.0f})")
