# SPDX-License-Identifier: Apache-2.0
"""The path gets narrower in mid-transfer: the router's way out falls from 1500 bytes to 1300, and it tells the
sender (ICMP) or not. The transfer goes on, and what had been cut too large by then arrives in fragments: it leaves
without DF, so that the router may cut it. Afterwards nothing is too large any more."""
import time

from world import SECONDS, STUN, Call

BEFORE, AFTER = 4 << 20, 4 << 20  # bytes carried while the path is as it is
MEANWHILE = 160 << 20  # while it falls
NARROW = 1300
PATIENCE = 120
NO_ICMP = """
table ip silent {
    chain output {
        type filter hook output priority 0
        icmp type destination-unreachable drop
    }
}
"""
# Before the kernel puts fragments together.
FRAGMENTS = """
table ip fragments {
    counter seen { }
    chain prerouting {
        type filter hook prerouting priority -450
        ip frag-off & 0x3fff != 0 counter name seen
    }
}
"""
LARGE = """
table ip large {
    counter seen { }
    chain forward {
        type filter hook forward priority 0
        iifname "lan" ip length > %d counter name seen
    }
}
"""


def count(namespace, table):
    """Packets counted since the last time."""
    words = namespace.run("nft", "reset", "counter", "ip", table, "seen").split()
    return int(words[words.index("packets") + 1])


def begin(call, size):
    call.ben.send({"channel": "chat", "sum": size})
    call.ben.expect_json(lambda m: m.get("summing") == size)
    call.ada.send({"channel": "chat", "bulk": size, "size": 60000})


def end(call, size):
    received = call.ben.expect_json(lambda m: m.get("received") == size, PATIENCE)
    sent = call.ada.expect_json(lambda m: m.get("sent") == size)
    assert (received["messages"], received["sha256"]) == (sent["messages"], sent["sha256"]), (sent, received)


def check(world, tells):
    name = "told" if tells else "silent"
    first, second = world.at("port_cone", f"ada-pmtu-{name}"), world.at("none", f"ben-pmtu-{name}")
    router = first.nats[0]
    second.host.nft(FRAGMENTS)
    router.nft(LARGE % NARROW)
    if not tells:
        router.nft(NO_ICMP)
    with Call(first, second, "--ice-server", STUN) as call:
        begin(call, BEFORE)
        end(call, BEFORE)
        assert count(router, "large") > 0, "no packets as large as the path allows were found"
        assert count(second.host, "fragments") == 0
        begin(call, MEANWHILE)
        deadline = time.monotonic() + SECONDS
        while count(router, "large") < 20:
            assert time.monotonic() < deadline, "nothing large comes"
        router.ip(f"link set wan mtu {NARROW}")
        count(router, "large")
        end(call, MEANWHILE)
        too_large = count(router, "large")
        fragments = count(second.host, "fragments")
        assert too_large > 0, "it had ended before the path fell"
        assert fragments > 0, "nothing left without DF"
        begin(call, AFTER)
        end(call, AFTER)
        left = count(router, "large"), count(second.host, "fragments")
        assert left[1] == 0, f"still too large: {left}"


def tests(world):
    return {"test_a_path_that_gets_narrower_and_says_so_carries_on": lambda: check(world, True),
            "test_a_path_that_gets_narrower_silently_carries_on": lambda: check(world, False)}
