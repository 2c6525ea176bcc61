#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TURN server under load for a long time: a thousand allocations with channels, two hundred of them given up and made
anew again and again while data passes. Its memory must be flat and no descriptor may be left.

    python3 tests/soak/turn.py [SECONDS]      600 if not said; part of ./check soak"""
import contextlib
import os
import random
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../programs"))
from support import folder, run_all, write  # noqa: E402
from turn_client import CHANNEL, Client, attribute, peer_value, turn  # noqa: E402

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 600
CLIENTS, CHANGED, TALKING = 1000, 200, 300
GROWTH_KIB = 1024  # after the first tenth of the time: nothing grows with what came and went


def memory(program):
    with open(f"/proc/{program.process.pid}/status", encoding="ascii") as handle:
        return int(next(line for line in handle if line.startswith("RssAnon")).split()[1])


def descriptors(program):
    return len(os.listdir(f"/proc/{program.process.pid}/fd"))


def client(port, peer):
    one = Client(port)
    assert one.allocate()[0] == 0
    assert one.request(CHANNEL, attribute(0x0C, b"\x40\0\0\0"), attribute(0x12, peer_value(peer)))[0] == 0
    return one


def test_soak_a_thousand_allocations_come_and_go():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with folder() as place, contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        config = write(os.path.join(place, "linnet.yaml"), "stun:\n  per_second: 1000000\n  burst: 1000000\n")
        with turn("--config", config, "--allow-peer", "127.0.0.0/8") as server:
            at_first, clients, start, warm, made = descriptors(server), [], time.monotonic(), None, 0
            while time.monotonic() - start < SECONDS:
                while len(clients) < CLIENTS:
                    clients.append(client(server.port, peer.getsockname()))
                    made += 1
                for one in random.sample(clients, TALKING):
                    one.socket.send(b"\x40\x00\x03\xe8" + bytes(1000))
                for _ in range(CHANGED):
                    clients.pop(random.randrange(len(clients))).close()
                if warm is None and time.monotonic() - start > SECONDS / 10:
                    warm = memory(server)
            at_last = memory(server)
            for one in clients:
                one.close()
            deadline = time.monotonic() + 10
            while descriptors(server) > at_first and time.monotonic() < deadline:
                time.sleep(0.05)
            print(f"{made} allocations; {warm} KiB, then {at_last} KiB", file=sys.stderr)
            assert descriptors(server) == at_first, descriptors(server)
            assert made > CLIENTS and at_last - warm < GROWTH_KIB, (made, warm, at_last)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    run_all(globals())
