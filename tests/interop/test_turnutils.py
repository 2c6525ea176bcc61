#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coturn's test client (package coturn) against `linnet turn`: every transport of a client, channels, indications and
TCP relays, through a peer and from client to client. What it reports as lost must be nothing."""
import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading

from relays import all_came_back, free_port, metrics, neighbours, tls_options, turn_server, turnutils
from support import LINNET, run_all

SECONDS = 60  # a deadline for what went wrong; each run takes about six seconds
MESSAGES, CLIENTS = 10, 2


def echo(sock):
    """A peer that sends everything back."""
    with contextlib.suppress(OSError):
        while True:
            data, source = sock.recvfrom(65536)
            sock.sendto(data, source)


def client(*options, transport="udp", more=(), port=0, credentials=("-u", "u", "-w", "p"), after=None):
    """Runs the client with a peer that echoes; `after` looks at the server."""
    with turn_server(*more, port=port) as ports, neighbours("127.0.0.1") as (peer, sockets):
        for sock in sockets:
            threading.Thread(target=echo, args=(sock,), daemon=True).start()
        ran = turnutils("127.0.0.1", ports[transport], *options, "-e", "127.0.0.1", "-r", str(peer), credentials=credentials,
                        messages=MESSAGES, clients=CLIENTS)
        all_came_back(*ran, MESSAGES * CLIENTS)
        assert re.search(r"Total lost packets 0 \(", ran[1]), ran[1][-2000:]
        if after:
            after()


def test_turnutils_over_udp_with_channels():
    client()


def test_turnutils_over_udp_with_indications():
    client("-s")


def test_turnutils_with_dont_fragment():
    """It asks for it in Allocate, and has it in each Send indication: so many leave with DF."""
    port = free_port(socket.SOCK_STREAM)

    def count(at_least, at_most):
        sent = int(re.search(r"linnet_turn_whole_total (\d+)", metrics(port)).group(1))
        assert at_least <= sent <= at_most, sent

    counted = ("--metrics", f"127.0.0.1:{port}")
    every = MESSAGES * CLIENTS
    client("-g", "-s", more=counted, after=lambda: count(every, 4 * every))
    client("-g", "-s", "-t", transport="tcp", more=counted, after=lambda: count(every, 4 * every))
    client("-g", more=counted, after=lambda: count(0, 0))  # on channels it has no place


def test_turnutils_over_udp_without_pairs_of_ports():
    client("-c")


def test_turnutils_over_udp_from_client_to_client():
    client("-y")


def test_turnutils_over_tcp_with_channels():
    client("-t", transport="tcp")


def test_turnutils_over_tcp_with_indications():
    client("-t", "-s", transport="tcp")


def test_turnutils_over_tcp_from_client_to_client():
    client("-t", "-y", transport="tcp")


def test_turnutils_over_dtls_with_channels():
    client("-S", more=tls_options())


def test_turnutils_over_dtls_from_client_to_client():
    client("-S", "-y", more=tls_options())


def test_turnutils_over_tls_with_channels():
    client("-S", "-t", transport="tcp", more=tls_options())


def test_turnutils_over_tls_from_client_to_client():
    client("-S", "-t", "-y", transport="tcp", more=tls_options())


def tcp_client(*options, more=(), port=0):
    """TCP allocations (RFC 6062): each client connects to another's relay, which announces it; both bind it."""
    metrics_port = free_port(socket.SOCK_STREAM)
    with turn_server("--tcp-relay", "--metrics", f"127.0.0.1:{metrics_port}", *more, port=port) as ports:
        done = turnutils("127.0.0.1", ports["tcp"], "-T", *options, messages=MESSAGES, clients=CLIENTS)
        try:
            all_came_back(*done, MESSAGES * CLIENTS)
        except AssertionError:
            print(re.sub(r"#.*\n|\S+ 0\n", "", metrics(metrics_port)))  # why the server ended a connection, if it did
            raise


def test_turnutils_with_tcp_relays():
    tcp_client()
    tcp_client("-c")


def test_turnutils_with_tcp_relays_over_tls():
    tcp_client("-c", "-S", more=tls_options())


def test_turnutils_with_workers_that_share_a_port():
    """A reserved port is redeemed at whatever worker the second connection comes to; clients of different workers
    reach each other."""
    client(more=("--workers", "4"), port=free_port())
    client("-y", more=("--workers", "4"), port=free_port())


def test_turnutils_with_shared_ports():
    """The same peer is permitted on the ports of two clients, which make two allocations each: with one port less, two
    would share one, and a permission collide. From client to client as well. A pair of ports, which coturn's client asks
    for without -c, stays one allocation's."""
    client("-c", more=("--shared-ports", "4", "--workers", "1"))
    client("-c", "-y", more=("--shared-ports", "4", "--workers", "1"))
    client(more=("--shared-ports", "1", "--workers", "1"))


def test_turnutils_with_tcp_relays_and_workers_that_share_a_port():
    """A data connection comes to the worker of its allocation."""
    tcp_client("-c", more=("--workers", "4"), port=free_port())


def test_turnutils_finds_out_what_there_is_before_it():
    """Behaviour discovery needs two addresses with two ports each; on the loopback there is no NAT."""
    for port in range(22000, 23000, 2):
        process = subprocess.Popen([LINNET, "turn", "--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.2:{port}",
                                    "--user", "u:p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if any("Ctrl-C" in line for line in process.stdout):
            break
        process.wait()
    try:
        done = subprocess.run(["timeout", "-k", "1", str(SECONDS), "turnutils_natdiscovery", "-m", "-f", "-p", str(port),
                               "-L", "127.0.0.1", "127.0.0.1"], capture_output=True, text=True, check=False)
    finally:
        process.kill()
        process.wait()
    text = done.stdout + done.stderr
    assert f"Other addr: : 127.0.0.2:{port + 1}" in text or f"127.0.0.2:{port + 1}" in text, text
    assert "No NAT" in text and "Endpoint Independent" in text, text


def test_turnutils_with_ephemeral_credentials():
    client(credentials=("-u", "carol", "-W", "north"))


def test_turnutils_with_users_that_turnadmin_wrote():
    """The database is coturn's own: its users have MD5 keys alone, and that is what everybody is offered."""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "users.sqlite")
        subprocess.run(["turnadmin", "-a", "-b", path, "-u", "carol", "-r", "ex", "-p", "hers"], check=True,
                       capture_output=True, cwd=place, timeout=SECONDS)
        client(more=("--users-database", path), credentials=("-u", "carol", "-w", "hers"))


def test_turnutils_with_users_that_turnadmin_wrote_to_redis():
    port = free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory() as place:
        redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place],
                                 stdout=subprocess.PIPE, text=True)
        try:
            assert any("Ready to accept" in line for line in redis.stdout)
            base = ["turnadmin", "-N", f"ip=127.0.0.1 port={port} dbname=2", "-r", "ex"]
            for words in (("-a", "-u", "carol", "-p", "hers"), ("-s", "west")):
                subprocess.run([*base, *words], check=True, capture_output=True, cwd=place, timeout=SECONDS)
            options = ("--users-redis", f"127.0.0.1:{port}/2")
            client(more=options, credentials=("-u", "carol", "-w", "hers"))
            client(more=options, credentials=("-u", "dora", "-W", "west"))
        finally:
            redis.kill()
            redis.wait()


if __name__ == "__main__":
    run_all(globals())
