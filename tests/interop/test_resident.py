#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coturn's test client (package coturn), and that of aioice, against a TURN server whose peer lives in the server's own
program (tests/interop/resident_host.c): by every transport, with channels and indications. Nothing is lost, no packet between
relay and peer saw a socket, and of the peer's address nothing but its port is reached. In the namespace of
tests/support/netns: its address is private, and the server is not told to allow it."""
import asyncio
import os
import socket

import aioice

from relays import all_came_back, neighbours, tls_options, turnutils
from support import Lines, ROOT, run_all

HOST_PROGRAM = os.environ.get("RESIDENT_HOST", os.path.join(ROOT, "build-san/tests/resident-host"))
HOST = "10.77.0.2"
SECONDS = 60  # a deadline for what went wrong
MESSAGES, CLIENTS = 20, 3


class Resident(Lines):
    """The program, with an echo."""

    def __init__(self, *more, shared=0):
        with neighbours(HOST) as (self.peer, _):
            pass  # closed again: they are the program's
        super().__init__(HOST_PROGRAM, "echo", HOST, str(self.peer), str(shared), *more)
        self.ports = self.expect(lambda m: "udp" in m)


def run_client(resident, *options, transport="udp", peer=None):
    return turnutils(HOST, resident.ports[transport], *options, "-e", HOST, "-r", str(peer or resident.peer), messages=MESSAGES,
                     clients=CLIENTS)


def client(*options, transport="udp", more=()):
    resident = Resident(*more)
    ran = run_client(resident, *options, transport=transport)
    stats = resident.stats()
    assert resident.end() == 0
    sent = all_came_back(*ran, MESSAGES * CLIENTS)
    assert stats["packets_in"] == stats["handed_to_residents"] == stats["resident_handed_in"] >= sent, stats
    assert stats["packets_out"] == stats["handed_from_residents"] == stats["resident_handed_out"] >= sent, stats
    assert stats["resident_received"] == stats["resident_sent"] == stats["resident_dropped_spoofed"] == 0, stats


def test_turnutils_reach_a_peer_of_the_same_program_over_udp():
    client()
    client("-s")
    client("-c")


def test_turnutils_reach_a_peer_of_the_same_program_over_tcp():
    client("-t", transport="tcp")
    client("-t", "-s", transport="tcp")


def test_turnutils_reach_a_peer_of_the_same_program_over_tls_and_dtls():
    files = tls_options()[1::2]
    client("-S", "-t", transport="tcp", more=files)
    client("-S", more=files)


class Answers(asyncio.DatagramProtocol):
    """What came back to one of aioice's clients."""

    def __init__(self):
        self.queue = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.queue.put_nowait((data, addr))


async def share_a_port(resident, transport, count):
    """So many clients of aioice on one relay port: each gets back what it sent, and nothing else."""
    ends = [await aioice.turn.create_turn_endpoint(Answers, (HOST, resident.ports[transport]), "u", "p", transport=transport)
            for _ in range(count)]
    assert len({end.get_extra_info("sockname") for end, _ in ends}) == 1
    for turn in range(MESSAGES):
        for number, (end, _) in enumerate(ends):
            end.sendto(f"{number} {turn}".encode(), (HOST, resident.peer))
        for number, (_, answers) in enumerate(ends):
            data, address = await asyncio.wait_for(answers.queue.get(), SECONDS)
            assert (data, tuple(address)) == (f"{number} {turn}".encode(), (HOST, resident.peer)), (number, data, address)
    assert all(answers.queue.empty() for _, answers in ends)
    for end, _ in ends:
        end.close()
    await asyncio.sleep(0)


def test_aioice_reaches_a_peer_of_the_same_program_by_one_relay_port_for_all():
    """Of any other peer, all but the first were refused: 508."""
    resident = Resident(shared=1)
    for transport in ("udp", "tcp"):
        asyncio.run(share_a_port(resident, transport, 8))
    stats = resident.stats()
    assert resident.end() == 0
    assert stats["handed_to_residents"] == stats["handed_from_residents"] == 2 * 8 * MESSAGES, stats
    assert stats["collisions"] == 0 and stats["resident_received"] == stats["resident_sent"] == 0, stats


def test_turnutils_reach_no_other_port_of_that_address():
    """A socket of another program, right beside."""
    resident = Resident()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        other.setblocking(False)
        code, text, command = run_client(resident, "-c", peer=other.getsockname()[1])
        stats = resident.stats()
        assert code != 0 or "tot_recv_msgs=0" in text, (command, text[-2000:])
        try:
            raise AssertionError(other.recvfrom(65536))
        except BlockingIOError:
            pass
    assert stats["refused_peers"] > 0 and stats["handed_to_residents"] == 0, stats
    assert resident.end() == 0


if __name__ == "__main__":
    run_all(globals())
