#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Allocations that follow their client (RFC 8016), with another's server and another's client: our client moves one at
coturn, coturn's client moves one at `linnet turn`. A small NAT of our own gives new mappings."""
import os
import re
import select
import socket
import threading
import time

from relays import certificate, free_port, turn_server
from support import Pair, peer, run_all
from test_coturn import PORT, TLS_PORT, turnserver
from test_turnutils import client as turnutils

LIMIT_S = 3.0  # 300 ms of silence, and what a busy machine adds


class Nat:
    """Datagrams from one client to one server and back, from a port that rebind() changes."""

    def __init__(self, server_port):
        self.server = ("127.0.0.1", server_port)
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(("127.0.0.1", 0))
        self.port = self.inside.getsockname()[1]
        self.outside = {}  # by client
        self.lock = threading.Lock()
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.rebind()
        self.inside.close()

    def rebind(self):
        with self.lock:
            for sock in self.outside.values():
                sock.close()
            self.outside = {}

    def mapping(self, client):
        if client not in self.outside:
            self.outside[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.outside[client].bind(("127.0.0.1", 0))
        return self.outside[client]

    def run(self):
        while self.running:
            with self.lock:
                outside = dict(self.outside)
            try:
                ready, _, _ = select.select([self.inside, *outside.values()], [], [], 0.02)
            except (OSError, ValueError):
                continue  # one was just closed
            for sock in ready:
                with self.lock:
                    self.carry(sock, outside)

    def carry(self, sock, outside):
        try:
            data, source = sock.recvfrom(65536)
            if sock is self.inside:
                self.mapping(source).sendto(data, self.server)
            else:
                self.inside.sendto(data, next(client for client, one in outside.items() if one is sock))
        except OSError:
            pass  # closed meanwhile, or nobody listens


def echo(pair, text):
    pair.linnet.send({"channel": "chat", "data": text})
    pair.wait(pair.linnet, lambda m: m.get("data") == text)


def follows(server_port, moved, credentials="user,secret", times=3, scheme="turn:127.0.0.1"):
    """Our client behind the NAT; sound flows both ways. After each new mapping it goes on by itself: by the same
    allocation if the server gives tickets, else by another."""
    with Nat(server_port) as nat:
        options = ["--loopback", "--policy", "relay"]
        ours = peer("--offer", "--data", "chat", "--audio", "tone", *options, "--ice-server",
                    f"{scheme}:{nat.port}?transport=udp,{credentials}")
        other = peer("--answer", "--echo", "--audio", "tone", *options, "--ice-server",
                     f"{scheme}:{server_port}?transport=udp,{credentials}")
        with Pair(ours, other) as pair:
            pair.opened(pair.linnet)
            echo(pair, "before")
            for i in range(times):
                time.sleep(1)
                nat.rebind()
                begin = time.monotonic()
                echo(pair, f"after {i}")
                print(f"mobility: an answer {1000 * (time.monotonic() - begin):.0f} ms after the mapping changed")
                assert time.monotonic() - begin < LIMIT_S
            stats = {s["id"]: s for s in pair.stats()}
            transport = next(s for s in stats.values() if s["type"] == "transport")
            local = stats[stats[transport["selectedCandidatePairId"]]["localCandidateId"]]
            told = {line.split()[5] for message in pair.signalled[pair.linnet]
                    for line in re.findall(r"candidate:\S.*", (message.get("sdp") or "") + (message.get("candidate") or ""))}
            assert (str(local["port"]) in told) == moved, (local, told)


def test_coturn_moves_the_allocation_of_our_client():
    server = turnserver("--mobility")
    try:
        follows(PORT, True)
    finally:
        server.kill()
        server.wait()


def test_coturn_moves_the_allocation_of_our_client_over_dtls():
    server = turnserver("--mobility")
    try:
        follows(TLS_PORT, True, scheme="turns:localhost")
    finally:
        server.kill()
        server.wait()


def test_our_server_moves_allocations_over_dtls():
    cert, key = certificate()
    os.environ["SSL_CERT_FILE"] = cert
    with turn_server("--workers", "4", "--tls-cert", cert, "--tls-key", key, port=free_port()) as ports:
        follows(ports["udp"], True, "u,p", scheme="turns:localhost")


def test_coturn_without_mobility_gives_our_client_another_allocation():
    server = turnserver()
    try:
        follows(PORT, False)
    finally:
        server.kill()
        server.wait()


def test_our_server_moves_allocations_whichever_worker_hears_the_client():
    with turn_server("--workers", "4", port=free_port()) as ports:
        follows(ports["udp"], True, "u,p", times=8)  # each new port goes to one of four


def test_turnutils_moves_its_allocation_at_our_server():
    turnutils("-M")


def test_turnutils_moves_its_allocation_among_workers():
    turnutils("-M", more=("--workers", "4"), port=free_port())


if __name__ == "__main__":
    run_all(globals())
