# SPDX-License-Identifier: Apache-2.0
"""`linnet turn` from the outside: what it relays, over UDP, TCP and TLS, what it refuses, its metrics and its log."""
import contextlib
import json
import os
import re
import socket
import threading
import urllib.request

from support import SECONDS, Server, dated_certificate, folder, run_all, unused_port, write
from turn_client import (ALLOCATE, CHANNEL, CONNECTION_ATTEMPT, CONNECTION_BIND, DATA, Client, SecureClient, StreamClient,
                         address_of, attribute, connect_peer, counts, eventually, parse, peer_value, permit, relayed_address,
                         turn, udp_peer)


def bound(server, connection):
    client = StreamClient(server.tcp)
    assert client.request(CONNECTION_BIND, attribute(0x2A, connection))[0] == 0
    return client.socket


def test_turn_relays_to_a_peer_and_back():
    with turn("--allow-peer", "127.0.0.0/8") as server, \
            contextlib.closing(udp_peer("127.0.0.1")) as peer:
        client = Client(server.port)
        code, answer = client.allocate()
        assert code == 0, code
        relayed = relayed_address(answer)
        assert relayed[0] == "127.0.0.1" and relayed[1] >= 49152, relayed
        assert permit(client, peer.getsockname()) == 0
        client.send(peer.getsockname(), b"ping")
        data, source = peer.recvfrom(100)
        assert data == b"ping" and source == relayed, (data, source, relayed)
        peer.sendto(b"pong", relayed)
        kind, indication = parse(client.socket.recv(2048))
        assert kind == DATA | 0x10 and indication[0x13] == b"pong", kind
        assert address_of(indication[0x12]) == peer.getsockname()
        assert client.request(CHANNEL, attribute(0x0C, b"\x40\x00\0\0"), attribute(0x12, peer_value(peer.getsockname())))[0] == 0
        client.socket.send(b"\x40\x00\x00\x05hello")
        assert peer.recv(100) == b"hello"
        peer.sendto(b"world", relayed)
        assert client.socket.recv(100) == b"\x40\x00\x00\x05world"
        client.close()


def test_turn_connects_to_a_peer_by_tcp_and_lets_one_connect():
    with turn("--allow-peer", "127.0.0.0/8", "--tcp-relay") as server, \
            socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(SECONDS)
        client = StreamClient(server.tcp)
        code, answer = client.allocate()
        assert code == 0, code
        relayed = relayed_address(answer)
        code, answer = connect_peer(client, peer.getsockname())
        assert code == 0, code
        far, source = peer.accept()
        assert source == relayed, (source, relayed)
        far.sendall(b"first")  # before anybody is there to read it
        assert connect_peer(client, peer.getsockname())[0] == 446
        near = bound(server, answer[0x2A])
        assert near.recv(100) == b"first"
        near.sendall(b"second")
        assert far.recv(100) == b"second"
        far.close()
        assert near.recv(100) == b""
        code, _ = connect_peer(client, ("127.0.0.1", unused_port()))
        assert code == 447, code
        with contextlib.closing(socket.create_connection(relayed, SECONDS)) as stranger:
            assert stranger.recv(100) == b""
        assert permit(client, ("127.0.0.1", 1)) == 0
        with contextlib.closing(socket.create_connection(relayed, SECONDS)) as caller:
            kind, attempt = parse(client.receive())
            assert kind == CONNECTION_ATTEMPT | 0x10 and address_of(attempt[0x12]) == caller.getsockname(), kind
            near = bound(server, attempt[0x2A])
            caller.sendall(b"hello")
            assert near.recv(100) == b"hello"
            near.close()
            assert caller.recv(100) == b""
        client.close()


def test_turn_holds_a_writer_back_and_loses_no_byte():
    """A peer that does not read: the client's writes stop; once the peer reads, every byte arrives, in both
    directions at once."""
    size, pieces = 1 << 16, 1000
    block = os.urandom(size)
    with turn("--allow-peer", "127.0.0.0/8", "--tcp-relay") as server, \
            socket.create_server(("127.0.0.1", 0)) as peer:
        client = StreamClient(server.tcp)
        assert client.allocate()[0] == 0
        code, answer = connect_peer(client, peer.getsockname())
        assert code == 0, code
        far, _ = peer.accept()
        near = bound(server, answer[0x2A])
        for one, other in ((near, far), (far, near)):
            one.settimeout(1)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < pieces * size:
                    sent += one.send(block[sent % size:])
            assert size < sent < pieces * size, sent
            one.shutdown(socket.SHUT_WR) if one is far else None
            got = 0
            while got < sent:
                data = other.recv(size)
                assert data, (got, sent)
                for at in range(0, len(data), size):
                    start = (got + at) % size
                    assert data[at:at + size] == (block + block)[start:start + len(data[at:at + size])], got
                got += len(data)
        assert near.recv(100) == b""
        client.close()


def test_turn_holds_back_over_tls_as_well():
    """The sender is stuck until the reader begins; then every byte arrives, either way."""
    data = os.urandom(8 << 20)
    progress = [0]

    def send(sock):
        for at in range(0, len(data), 1 << 14):
            sock.sendall(data[at:at + (1 << 14)])
            progress[0] = at

    with folder() as place, contextlib.ExitStack() as stack:
        cert, key = dated_certificate(place, "250101", "491231")
        server = stack.enter_context(turn("--allow-peer", "127.0.0.0/8", "--tcp-relay", "--tls-cert", cert, "--tls-key", key))
        peer = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        control, near = SecureClient(server.tcp), SecureClient(server.tcp)
        assert control.allocate()[0] == 0
        code, answer = connect_peer(control, peer.getsockname())
        assert code == 0, code
        far, _ = peer.accept()
        far.settimeout(SECONDS)
        assert near.request(CONNECTION_BIND, attribute(0x2A, answer[0x2A]))[0] == 0
        for one, other in ((near.socket, far), (far, near.socket)):
            thread = threading.Thread(target=send, args=(one,), daemon=True)
            thread.start()
            last = -1
            while thread.is_alive() and progress[0] != last:
                last = progress[0]
                thread.join(0.5)
            received = bytearray()
            while len(received) < len(data):
                piece = other.recv(1 << 16)
                assert piece, len(received)
                received += piece
            assert received == data
            thread.join(SECONDS)
        control.close()


def test_turn_refuses_local_peers_and_wrong_passwords():
    with turn() as server:
        client = Client(server.port)
        assert client.allocate()[0] == 0
        for host in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "192.168.1.1"):
            assert permit(client, (host, 80)) == 403, host
        client.close()
        assert Client(server.port, password="wrong").allocate()[0] == 401
        assert Client(server.port, user="mallory").allocate()[0] == 401


def test_turn_metrics_and_log_tell_what_happened_without_addresses():
    port = unused_port()
    with turn("--metrics", f"127.0.0.1:{port}", "--log", "json") as server:
        client = Client(server.port)
        assert client.allocate()[0] == 0
        assert permit(client, ("10.0.0.1", 80)) == 403
        events = [json.loads(server.expect('"event"').string) for _ in range(2)]
        assert [event["event"] for event in events] == ["allocated", "refused-peer"], events
        assert events[0]["user"] == "alice" and events[1]["reason"] == "private", events
        assert "127.0.0.1" not in json.dumps(events) and "10.0.0.1" not in json.dumps(events), events
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS).read().decode()
        assert 'linnet_turn_allocations{transport="udp"} 1\n' in text, text
        assert 'linnet_turn_refused_peers_by_class_total{class="private"} 1\n' in text, text
        assert "linnet_turn_challenges_total 1\n" in text, text
        client.close()
        ended = json.loads(server.expect('"ended"').string)
        assert ended["reason"] == "deleted" and ended["bytes_to_client"] == 0, ended
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS).read().decode()
        assert 'linnet_turn_ended_total{reason="deleted"} 1\n' in text, text
        assert 'linnet_turn_ended_total{reason="expired"} 0\n' in text, text


def test_turn_log_tells_the_bytes_of_each_user():
    """As each allocation ends: what it relayed, both ways, and for whom."""
    users = ("alice:secret", "bob:secret")
    with turn("--allow-peer", "127.0.0.0/8", "--log", "json", users=users) as server, \
            contextlib.closing(udp_peer("127.0.0.1")) as peer:
        for name, out, back in (("alice", 700, 30), ("bob", 100, 900)):
            client = Client(server.port, name)
            code, answer = client.allocate()
            assert code == 0, code
            assert permit(client, peer.getsockname()) == 0
            client.send(peer.getsockname(), bytes(out))
            peer.recvfrom(2000)
            peer.sendto(bytes(back), relayed_address(answer))
            client.socket.recv(2048)
            client.close()
            ended = json.loads(server.expect('"ended"').string)
            assert (ended["user"], ended["bytes_from_client"], ended["bytes_to_client"]) == (name, out, back), ended


def test_turn_nonces_of_a_fleet_with_one_key_are_good_at_each_server_and_after_a_restart():
    with folder() as place:
        same = write(os.path.join(place, "same.yaml"), "turn:\n  nonce_key: one for all\n")
        client = None
        for path, taken in ((same, True), (same, True), (None, False)):
            with turn(*(("--config", path) if path else ())) as server:
                if client is None:
                    client = Client(server.port)
                    assert client.allocate()[0] == 0
                    continue
                client.socket.connect(("127.0.0.1", server.port))
                assert client.allocate()[0] == (0 if taken else 438)


def test_turn_shares_ports_among_clients_whose_peers_differ():
    metrics = unused_port()
    with turn("--allow-peer", "127.0.0.0/8", "--shared-ports", "1", "--workers", "1", "--metrics",
              f"127.0.0.1:{metrics}") as server, contextlib.closing(udp_peer("127.0.0.2")) as one, \
            contextlib.closing(udp_peer("127.0.0.3")) as two:
        clients = [Client(server.port) for _ in range(3)]
        relayed = {relayed_address(client.allocate()[1]) for client in clients}
        assert len(relayed) == 1, relayed
        port = relayed.pop()
        assert permit(clients[0], one.getsockname()) == permit(clients[1], two.getsockname()) == 0
        assert permit(clients[2], one.getsockname()) == 508
        for client, peer, data in ((clients[0], one, b"to one"), (clients[1], two, b"to two")):
            client.send(peer.getsockname(), data)
            assert peer.recvfrom(100) == (data, port)
            peer.sendto(data[::-1], port)
            kind, attributes = parse(client.receive())
            assert kind == DATA | 0x10 and attributes[0x13] == data[::-1], attributes
        assert permit(clients[2], port) == permit(clients[0], port) == 0  # to each other, at the same address
        clients[2].send(port, b"to the first")
        assert parse(clients[0].receive())[1][0x13] == b"to the first"
        assert permit(clients[1], port) == 508
        wanted = {"shared_ports": 1, "shared_port_relays": 3, "collisions_total": 2, "handed_over_total": 1}
        eventually(lambda: wanted.items() <= counts(metrics).items())
        for client in clients:
            client.close()


def nobody_listens_at():
    with contextlib.closing(udp_peer("127.0.0.1")) as sock:
        return sock.getsockname()


def learns_that_nobody_listens(client):
    code, answer = client.request(ALLOCATE, attribute(0x19, b"\x11\0\0\0"), attribute(0x1A, b""))  # DONT-FRAGMENT
    assert code == 0, code
    peer = nobody_listens_at()
    permit(client, peer)
    client.send(peer, b"hello?")
    kind, indication = parse(client.receive())
    assert kind == DATA | 0x10 and 0x13 not in indication, (kind, indication)
    assert address_of(indication[0x12]) == peer
    assert indication[0x8004] == bytes((0, 0, 3, 3, 0, 0, 0, 0)), indication  # RFC 8656, 18.13; RFC 792
    client.close()


def test_turn_tells_a_client_that_nobody_listens_at_a_peers_port():
    for shared in ((), ("--shared-ports", "1")):
        metrics = unused_port()
        with turn("--allow-peer", "127.0.0.0/8", "--metrics", f"127.0.0.1:{metrics}", *shared) as server:
            learns_that_nobody_listens(Client(server.port))
            learns_that_nobody_listens(StreamClient(server.tcp))
            eventually(lambda: counts(metrics)["icmp_told_total"] == 2)  # noqa: B023
            told = counts(metrics)
            assert told["icmp_limited_total"] == told["icmp_ignored_total"] == 0, told


def test_turn_hands_over_in_memory_whichever_workers_its_clients_are_at():
    """Sixteen pairs at four workers: hardly all of them can be at one."""
    metrics, port, rounds = unused_port(), unused_port(), 20
    with turn("--allow-peer", "127.0.0.0/8", "--workers", "4", "--metrics", f"127.0.0.1:{metrics}", "--listen",
              f"127.0.0.1:{port}", listen=()) as server:
        clients = [Client(server.port) for _ in range(32)]
        relayed = [relayed_address(client.allocate()[1]) for client in clients]
        for number, client in enumerate(clients):
            assert permit(client, relayed[number ^ 1]) == 0
        for turn_number in range(rounds):
            for number, client in enumerate(clients):
                client.send(relayed[number ^ 1], f"{turn_number} {number}".encode())
            for number, client in enumerate(clients):
                kind, attributes = parse(client.receive())
                assert kind == DATA | 0x10 and attributes[0x13] == f"{turn_number} {number ^ 1}".encode(), attributes
                assert address_of(attributes[0x12]) == relayed[number ^ 1]
        eventually(lambda: counts(metrics)["handed_over_total"] == 32 * rounds)
        told = counts(metrics)
        assert 0 < told["handed_to_workers_total"] <= 32 * rounds and told["dropped_exchange_total"] == 0, told
        for client in clients:
            client.close()


def test_serve_gives_participants_a_turn_server_that_takes_them():
    with Server() as server:
        name, password = re.search(r"turn +turn:\S+, also over TCP at port \d+; user (\S+) password (\S+)",
                                   server.text()).groups()
        client = Client(server.stun[1], name, password, "linnet")
        assert client.allocate()[0] == 0
        assert permit(client, ("10.0.0.1", 80)) == 403
        assert server.metrics()['linnet_turn_allocations{transport="udp"}'] == 1
        client.close()
        assert Client(server.stun[1], name, "wrong", "linnet").allocate()[0] == 401
        assert server.stop() == 0


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
