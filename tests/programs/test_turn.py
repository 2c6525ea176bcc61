# SPDX-License-Identifier: Apache-2.0
"""`linnet turn` from the outside: a relay with messages written here byte by byte, its policy, its metrics, its
credentials, its signals."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request

from support import LINNET, ROOT, SECONDS, Program, Server, folder, run, run_all, sentence, unused_port, write

MAGIC = 0x2112A442
ALLOCATE, REFRESH, SEND, DATA, PERMISSION, CHANNEL = 3, 4, 6, 7, 8, 9
CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 10, 11, 12


@contextlib.contextmanager
def turn(*arguments, users=("alice:secret",), listen=("--listen", "127.0.0.1:0")):
    options = [part for user in users for part in ("--user", user)]
    program = Program(LINNET, "turn", *listen, "--realm", "example.org", *options, *arguments)
    program.port = int(program.expect(r"turn:127\.0\.0\.1:(\d+)\?transport=udp").group(1))
    program.tcp = int(program.expect(r"turn:127\.0\.0\.1:(\d+)\?transport=tcp").group(1))
    program.expect("Ctrl-C")
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.send_signal(signal.SIGINT)
            program.process.wait(SECONDS)


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def peer_value(address):
    host, port = address
    ip = struct.unpack("!I", socket.inet_aton(host))[0]
    return struct.pack("!BBHI", 0, 1, port ^ (MAGIC >> 16), ip ^ MAGIC)


def address_of(value):
    _, _, port, ip = struct.unpack("!BBHI", value)
    return socket.inet_ntoa(struct.pack("!I", ip ^ MAGIC)), port ^ (MAGIC >> 16)


def parse(data):
    kind, length, magic = struct.unpack("!HHI", data[:8])
    assert magic == MAGIC and length == len(data) - 20, data
    attributes, at = {}, 20
    while at < len(data):
        number, size = struct.unpack("!HH", data[at:at + 4])
        attributes.setdefault(number, data[at + 4:at + 4 + size])
        at += 4 + size + -size % 4
    return kind, attributes


class Client:
    """A TURN client over UDP of a few lines; nothing of it is the library's."""

    def __init__(self, port, user="alice", password="secret", realm="example.org"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.user, self.realm, self.nonce = user, realm.encode(), b""
        self.key = hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()

    def receive(self):
        return self.socket.recv(2048)

    def request(self, method, *attributes):
        """(0, attributes) or (error code, attributes). A 401 or 438 is answered by itself, once."""
        for signed in (False, True) if not self.nonce else (True,):
            body = b"".join(attributes)
            if signed:
                body += attribute(6, self.user.encode()) + attribute(0x14, self.realm) + attribute(0x15, self.nonce)
            head = struct.pack("!HHI", method, len(body) + (24 if signed else 0), MAGIC) + os.urandom(12)
            if signed:
                body += attribute(8, hmac.new(self.key, head + body, hashlib.sha1).digest())
            self.socket.send(head + body)
            kind, answer = parse(self.receive())
            if not kind & 0x10:
                return 0, answer
            code = answer[9][2] * 100 + answer[9][3]
            self.nonce = answer.get(0x15, self.nonce)
            if signed or code != 401:
                return code, answer
        return None

    def allocate(self):
        return self.request(ALLOCATE, attribute(0x19, b"\x11\0\0\0"))

    def send(self, peer, data):
        body = attribute(0x12, peer_value(peer)) + attribute(0x13, data)
        self.socket.send(struct.pack("!HHI", SEND | 0x10, len(body), MAGIC) + os.urandom(12) + body)

    def close(self):
        self.request(REFRESH, attribute(0x0D, bytes(4)))
        self.socket.close()


class StreamClient(Client):
    """The same over TCP, a message at a time."""

    def __init__(self, port, *more):
        super().__init__(port, *more)
        self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, data
            data += piece
        return data

    def receive(self):
        head = self.read(20)
        return head + self.read(struct.unpack("!H", head[2:4])[0])

    def allocate(self):
        return self.request(ALLOCATE, attribute(0x19, b"\x06\0\0\0"))


def bound(server, connection):
    client = StreamClient(server.tcp)
    assert client.request(CONNECTION_BIND, attribute(0x2A, connection))[0] == 0
    return client.socket


def test_turn_relays_to_a_peer_and_back():
    with turn("--allow-peer", "127.0.0.0/8") as server, \
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(SECONDS)
        client = Client(server.port)
        code, answer = client.allocate()
        assert code == 0, code
        relayed = address_of(answer[0x16])
        assert relayed[0] == "127.0.0.1" and relayed[1] >= 49152, relayed
        assert client.request(PERMISSION, attribute(0x12, peer_value(peer.getsockname())))[0] == 0
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
        relayed = address_of(answer[0x16])
        code, answer = client.request(CONNECT, attribute(0x12, peer_value(peer.getsockname())))
        assert code == 0, code
        far, source = peer.accept()
        assert source == relayed, (source, relayed)
        far.sendall(b"first")  # before anybody is there to read it
        assert client.request(CONNECT, attribute(0x12, peer_value(peer.getsockname())))[0] == 446
        near = bound(server, answer[0x2A])
        assert near.recv(100) == b"first"
        near.sendall(b"second")
        assert far.recv(100) == b"second"
        far.close()
        assert near.recv(100) == b""
        code, _ = client.request(CONNECT, attribute(0x12, peer_value(("127.0.0.1", unused_port()))))
        assert code == 447, code
        with contextlib.closing(socket.create_connection(relayed, SECONDS)) as stranger:
            assert stranger.recv(100) == b""
        assert client.request(PERMISSION, attribute(0x12, peer_value(("127.0.0.1", 1))))[0] == 0
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
        code, answer = client.request(CONNECT, attribute(0x12, peer_value(peer.getsockname())))
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


class SecureClient(StreamClient):
    def __init__(self, port, *more):
        super().__init__(port, *more)
        self.socket = ssl._create_unverified_context().wrap_socket(self.socket)


def test_turn_holds_back_over_tls_as_well():
    """The sender is stuck until the reader begins; then every byte arrives, either way."""
    data = os.urandom(8 << 20)
    progress = [0]

    def send(sock):
        for at in range(0, len(data), 1 << 14):
            sock.sendall(data[at:at + (1 << 14)])
            progress[0] = at

    with folder() as place, contextlib.ExitStack() as stack:
        cert, key = certificate(place, "250101", "491231")
        server = stack.enter_context(turn("--allow-peer", "127.0.0.0/8", "--tcp-relay", "--tls-cert", cert, "--tls-key", key))
        peer = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        control, near = SecureClient(server.tcp), SecureClient(server.tcp)
        assert control.allocate()[0] == 0
        code, answer = control.request(CONNECT, attribute(0x12, peer_value(peer.getsockname())))
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
            assert client.request(PERMISSION, attribute(0x12, peer_value((host, 80))))[0] == 403, host
        client.close()
        assert Client(server.port, password="wrong").allocate()[0] == 401
        assert Client(server.port, user="mallory").allocate()[0] == 401


def test_turn_takes_ephemeral_credentials_that_it_minted():
    code, out, _ = run("turn", "credentials", "--secret", "north", "--user", "carol", "--ttl", "60")
    assert code == 0, out
    name, password = re.fullmatch(r"username +(\d+:carol)\ncredential +(\S+)\s*", out).groups()
    assert password == base64.b64encode(hmac.new(b"north", name.encode(), hashlib.sha1).digest()).decode()
    with turn("--secret", "south", "--secret", "north", users=()) as server:
        assert Client(server.port, name, password).allocate()[0] == 0
        assert Client(server.port, "1:carol", password).allocate()[0] == 401


def test_turn_metrics_and_log_tell_what_happened_without_addresses():
    port = unused_port()
    with turn("--metrics", f"127.0.0.1:{port}", "--log", "json") as server:
        client = Client(server.port)
        assert client.allocate()[0] == 0
        assert client.request(PERMISSION, attribute(0x12, peer_value(("10.0.0.1", 80))))[0] == 403
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
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(SECONDS)
        for name, out, back in (("alice", 700, 30), ("bob", 100, 900)):
            client = Client(server.port, name)
            code, answer = client.allocate()
            assert code == 0, code
            assert client.request(PERMISSION, attribute(0x12, peer_value(peer.getsockname())))[0] == 0
            client.send(peer.getsockname(), bytes(out))
            peer.recvfrom(2000)
            peer.sendto(bytes(back), address_of(answer[0x16]))
            client.socket.recv(2048)
            client.close()
            ended = json.loads(server.expect('"ended"').string)
            assert (ended["user"], ended["bytes_from_client"], ended["bytes_to_client"]) == (name, out, back), ended


def test_turn_has_a_unit_that_systemd_takes():
    """Checked by systemd's own tool, with our program in the place where a package puts it."""
    with open(os.path.join(ROOT, "docs/linnet-turn.service"), encoding="utf-8") as source:
        text = source.read()
    with folder() as place:
        unit = write(os.path.join(place, "linnet-turn.service"), text.replace("/usr/bin/linnet", LINNET))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0 and "linnet" not in done.stderr, done.stderr
    words = re.search(r"^ExecStart=\S+ (.*)$", text, re.M).group(1).split()
    known = run("turn", "--help")[1]
    assert words[0] == "turn" and all(word in known for word in words if word.startswith("--")), words


def test_turn_reads_its_configuration_again_and_keeps_what_is_right():
    with folder() as place:
        path = write(os.path.join(place, "linnet.yaml"), "turn:\n  users:\n    - dave:one\n")
        with turn("--config", path, users=()) as server:
            assert Client(server.port, "dave", "one").allocate()[0] == 0
            write(path, "turn:\n  users:\n    - dave:two\n")
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            assert Client(server.port, "dave", "one").allocate()[0] == 401
            assert Client(server.port, "dave", "two").allocate()[0] == 0
            write(path, "turn:\n  userz: []\n")
            server.process.send_signal(signal.SIGHUP)
            assert "did you mean turn.users?" in server.expect("userz", stream="err").string
            server.expect("stays in force", stream="err")
            assert Client(server.port, "dave", "two").allocate()[0] == 0


def test_turn_reads_its_limits_again():
    with folder() as place:
        path = write(os.path.join(place, "linnet.yaml"), "turn:\n  permissions: 128\n")
        with turn("--config", path) as server:
            client = Client(server.port)
            assert client.allocate()[0] == 0
            write(path, "turn:\n  user_allocations: 2\n  user_permissions: 1\n")
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            peers = [attribute(0x12, peer_value((f"198.51.100.{last}", 80))) for last in (60, 61)]
            assert client.request(PERMISSION, *peers)[0] == 508
            assert client.request(PERMISSION, peers[0])[0] == 0
            assert Client(server.port).allocate()[0] == 0
            assert Client(server.port).allocate()[0] == 486


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


def users_database(place, *users):
    """The table as coturn's turnadmin makes it."""
    path = os.path.join(place, "users.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE IF NOT EXISTS turnusers_lt (realm varchar(127) default '', name varchar(512), "
                     "hmackey char(128), PRIMARY KEY (realm,name))")
        for realm, name, password in users:
            key = hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest()
            base.execute("INSERT OR REPLACE INTO turnusers_lt VALUES (?, ?, ?)", (realm, name, key))
    return path


def test_turn_takes_users_from_a_database():
    with folder() as place:
        path = users_database(place, ("example.org", "erin", "one"), ("elsewhere.org", "frank", "two"))
        with turn("--users-database", path) as server:
            code, answer = Client(server.port, "erin", "one").allocate()
            assert code == 0, code
            assert Client(server.port, "alice", "secret").allocate()[0] == 0  # of the command line
            assert Client(server.port, "erin", "two").allocate()[0] == 401
            assert Client(server.port, "frank", "two").allocate()[0] == 401
            users_database(place, ("example.org", "erin", "three"), ("example.org", "gina", "four"))
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            assert Client(server.port, "erin", "one").allocate()[0] == 401
            assert Client(server.port, "erin", "three").allocate()[0] == 0
            assert Client(server.port, "gina", "four").allocate()[0] == 0
            with contextlib.closing(sqlite3.connect(path)) as base, base:
                base.execute("UPDATE turnusers_lt SET hmackey = 'secret' WHERE name = 'gina'")
            server.process.send_signal(signal.SIGHUP)
            assert "gina" in server.expect("hexadecimal digits", stream="err").string
            server.expect("stays in force", stream="err")
            assert Client(server.port, "gina", "four").allocate()[0] == 0
    for path in ("/nowhere/users.sqlite", os.path.abspath(__file__)):
        code, out, err = run("turn", "--users-database", path)
        assert code == 1 and out == "" and path in sentence(err), (code, err)


def eventually(check):
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counts(port):
    """What the server counts, by the name behind linnet_turn_; it is told after the answer that it is of, not before."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        return {name: int(value) for name, value in re.findall(r"linnet_turn_(\w+) (\d+)\n", answer.read().decode())}


def relayed_address(answer):
    return address_of(answer[0x16])


def udp_peer(host):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.bind((host, 0))
    return sock


def permit(client, address):
    return client.request(PERMISSION, attribute(0x12, peer_value(address)))[0]


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


class Redis:
    """Debian's redis-server in a folder of its own; what is said to it is written here byte by byte."""

    def __init__(self, place, port=0, password=""):
        self.port = port or unused_port()
        self.password = password
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
                                         place, *(("--requirepass", password) if password else ())],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "Ready to accept" in line:
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(SECONDS)

    def say(self, *commands):
        if self.password:
            commands = (("AUTH", self.password), *commands)
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), SECONDS)) as sock:
            for words in (*commands, ("QUIT",)):
                sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
                                                            for word in words))
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        assert b"-" not in answer.split(b"\r\n")[0][:1] and answer.endswith(b"+OK\r\n"), answer

    def user(self, name, password, realm="example.org"):
        return ("SET", f"turn/realm/{realm}/user/{name}/key", hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest())


def allocates(server, name, password):
    client = Client(server.port, name, password)
    code = client.allocate()[0]
    if code == 0:
        client.close()
    return code


def redis_config(place, redis, seconds, more="  secrets: [one, two, three]\n"):
    path = os.path.join(place, "linnet.yaml")
    write(path, f"turn:\n  users_redis: 127.0.0.1:{redis}/3\n  redis_password: sesame\n  redis_seconds: {seconds}\n"
                f"  users: [\"alice:secret\"]\n{more}")
    return path


def test_turn_takes_users_and_secrets_from_redis_and_sees_them_change():
    metrics = unused_port()
    with folder() as place, Redis(place, password="sesame") as redis:
        many = [redis.user(f"user-{number}", f"word-{number}") for number in range(3000)]
        redis.say(("SELECT", "3"), redis.user("erin", "one"), redis.user("frank", "two", "elsewhere.org"),
                  redis.user("of/fice", "three"), redis.user("alice", "other"), *many,
                  ("SET", "turn/realm/example.org/user/gina/key", "secret"), ("SET", "turn/realm/exampleXorg/user/x/key", "y"),
                  ("SADD", "turn/realm/example.org/secret", "south", "x" * 300), ("RPUSH", "turn/realm/example.org/user/list/key", "z"))
        with turn("--config", redis_config(place, redis.port, 1), "--metrics", f"127.0.0.1:{metrics}") as server:
            eventually(lambda: allocates(server, "erin", "one") == 0)  # a slow machine reads them after the start
            for name, password, code in (("erin", "one", 0), ("of/fice", "three", 0), ("user-2999", "word-2999", 0),
                                         ("alice", "secret", 0), ("alice", "other", 401), ("erin", "two", 401),
                                         ("frank", "two", 401), ("gina", "secret", 401)):
                assert allocates(server, name, password) == code, (name, password)
            expiry = f"{int(time.time()) + 600}:hugo"
            assert allocates(server, expiry, base64.b64encode(hmac.digest(b"south", expiry.encode(), "sha1")).decode()) == 0
            told = counts(metrics)
            assert told["redis_up"] == 1 and told["redis_failures_total"] == 0, told
            assert told["redis_users"] == 3003 and told["redis_secrets"] == 1, told
            assert told["redis_bad_entries"] == 2, told
            redis.say(("SELECT", "3"), redis.user("erin", "four"), redis.user("ines", "five"),
                      ("DEL", "turn/realm/example.org/user/of/fice/key", "turn/realm/example.org/secret"))
            eventually(lambda: allocates(server, "ines", "five") == 0)
            assert allocates(server, "erin", "one") == 401 and allocates(server, "erin", "four") == 0
            assert allocates(server, "of/fice", "three") == 401
        with turn("--config", redis_config(place, redis.port, 86400)) as server:
            assert allocates(server, "jo", "six") == 401
            redis.say(("SELECT", "3"), redis.user("jo", "six"))
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            eventually(lambda: allocates(server, "jo", "six") == 0)


def test_turn_goes_on_without_redis_and_takes_it_back():
    metrics = unused_port()
    with folder() as place, contextlib.ExitStack() as stack:
        redis = stack.enter_context(Redis(place, password="sesame"))
        redis.say(("SELECT", "3"), redis.user("erin", "one"))
        server = stack.enter_context(turn("--config", redis_config(place, redis.port, 1), "--metrics", f"127.0.0.1:{metrics}"))
        eventually(lambda: allocates(server, "erin", "one") == 0)
        client = Client(server.port, "erin", "one")
        assert client.allocate()[0] == 0
        redis.process.kill()
        redis.process.wait(SECONDS)
        server.expect("those that are known go on", stream="err")
        told = counts(metrics)
        assert told["redis_up"] == 0 and told["redis_failures_total"] >= 1 and told["redis_users"] == 1, told
        assert allocates(server, "erin", "one") == 0
        assert client.request(REFRESH, attribute(0x0D, struct.pack("!I", 600)))[0] == 0
        server.process.send_signal(signal.SIGHUP)  # nor does a reload need it
        server.expect("configuration was read again", stream="err")
        assert allocates(server, "erin", "one") == 0
        redis = stack.enter_context(Redis(place, redis.port, "sesame"))
        redis.say(("SELECT", "3"), redis.user("erin", "one"), redis.user("kim", "seven"))
        eventually(lambda: allocates(server, "kim", "seven") == 0)
        server.expect("redis .*read again", stream="err")
        assert counts(metrics)["redis_up"] == 1


def test_turn_starts_without_redis_and_says_so():
    with folder() as place:
        port = unused_port()
        with turn("--config", redis_config(place, port, 1)) as server:
            server.expect("refused; it is tried again", stream="err")
            assert allocates(server, "alice", "secret") == 0 and allocates(server, "erin", "one") == 401
            with Redis(place, port, "sesame") as redis:
                redis.say(("SELECT", "3"), redis.user("erin", "one"))
                eventually(lambda: allocates(server, "erin", "one") == 0)
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
            with turn("--config", redis_config(place, silent.getsockname()[1], 1)) as server:
                server.expect("does not answer", stream="err")
                assert allocates(server, "alice", "secret") == 0
        with Redis(place, password="another") as redis:
            with turn("--config", redis_config(place, redis.port, 1)) as server:
                server.expect("WRONGPASS|invalid", stream="err")
                assert allocates(server, "alice", "secret") == 0


def answering(answer):
    """A server that says the same to everybody, whatever he asked."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                sock = server.accept()[0]
                with sock, contextlib.suppress(OSError):
                    sock.recv(4096)
                    sock.sendall(answer)
                    sock.recv(4096)
    threading.Thread(target=serve, daemon=True).start()
    return server


def test_turn_takes_nothing_from_what_is_no_redis():
    scan, secrets = b"*2\r\n$1\r\n0\r\n*1\r\n$%d\r\n%s\r\n", b"*1\r\n:7\r\n"
    key = b"turn/realm/example.org/user/erin/key"
    for answer, wanted in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"), (b"+OK\r\n", "another kind"),
                           (b"*2\r\n:0\r\n*0\r\n", "another kind"), (b"", "closed|does not answer"),
                           (b"-LOADING the data\r\n", "LOADING"),
                           (scan % (len(key), key) + b"*-1\r\n" + secrets, "another kind"),
                           (scan % (len(key), key) + b"*3\r\n:1\r\n*0\r\n$-1\r\n" + b"+odd\r\n", "another kind")):
        with contextlib.closing(answering(answer)) as server:
            with turn("--users-redis", f"127.0.0.1:{server.getsockname()[1]}") as program:
                program.expect(wanted, stream="err")
                assert allocates(program, "alice", "secret") == 0 and allocates(program, "erin", "one") == 401
    odd = (b"other", b"turn/realm/example.org/user/", key[:-4])  # no keys that were asked for
    keys = b"*2\r\n$1\r\n0\r\n*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(name), name) for name in odd)
    values = b"*2\r\n" + 2 * (b"$32\r\n" + 32 * b"a" + b"\r\n")
    with contextlib.closing(answering(keys + values + secrets)) as server:
        metrics = unused_port()
        with turn("--users-redis", f"127.0.0.1:{server.getsockname()[1]}", "--metrics", f"127.0.0.1:{metrics}") as program:
            assert allocates(program, "alice", "secret") == 0
            eventually(lambda: counts(metrics)["redis_bad_entries"] >= 3)
            assert counts(metrics)["redis_users"] == 0


def test_serve_takes_users_from_redis():
    with folder() as place, Redis(place) as redis:
        path = os.path.join(place, "linnet.yaml")
        write(path, f"turn:\n  realm: example.org\n  users_redis: 127.0.0.1:{redis.port}\n  redis_seconds: 1\n")
        redis.say(redis.user("erin", "one"))
        with Server("--config", path) as server:
            server.port = server.stun[1]
            eventually(lambda: allocates(server, "erin", "one") == 0)
            redis.say(redis.user("erin", "two"))
            eventually(lambda: allocates(server, "erin", "two") == 0)
            assert server.metrics()["linnet_turn_redis_users"] == 1
            assert server.stop() == 0


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


def test_turn_drains_and_takes_it_back():
    port = unused_port()
    health = f"http://127.0.0.1:{port}/healthz"
    with turn("--metrics", f"127.0.0.1:{port}") as server:
        first = Client(server.port)
        assert first.allocate()[0] == 0
        server.process.send_signal(signal.SIGTERM)
        server.expect("drains: 1 allocations", stream="err")
        try:
            urllib.request.urlopen(health, timeout=SECONDS)
            raise AssertionError("healthy while draining")
        except urllib.error.HTTPError as error:
            assert error.code == 503, error
        assert Client(server.port).allocate()[0] == 508
        server.process.send_signal(signal.SIGHUP)
        server.expect("takes allocations again", stream="err")
        server.expect("read again", stream="err")
        second = Client(server.port)
        assert second.allocate()[0] == 0
        server.process.send_signal(signal.SIGTERM)
        server.expect("drains: 2 allocations", stream="err")
        first.close()
        second.close()
        assert server.process.wait(SECONDS) == 0


def test_turn_ends_a_drain_at_its_deadline_or_at_once_when_told_twice():
    with folder() as place:
        for seconds, more in ((1, 0), (3600, 1)):
            path = write(os.path.join(place, "linnet.yaml"), f"turn:\n  drain_seconds: {seconds}\n")
            with turn("--config", path) as server:
                assert Client(server.port).allocate()[0] == 0
                server.process.send_signal(signal.SIGTERM)
                server.expect(f"drains: 1 allocations are left, at most {seconds} s", stream="err")
                for _ in range(more):
                    server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(SECONDS) == 0


def test_serve_gives_participants_a_turn_server_that_takes_them():
    with Server() as server:
        name, password = re.search(r"turn +turn:\S+, also over TCP at port \d+; user (\S+) password (\S+)",
                                   server.text()).groups()
        client = Client(server.stun[1], name, password, "linnet")
        assert client.allocate()[0] == 0
        assert client.request(PERMISSION, attribute(0x12, peer_value(("10.0.0.1", 80))))[0] == 403
        assert server.metrics()['linnet_turn_allocations{transport="udp"}'] == 1
        client.close()
        assert Client(server.stun[1], name, "wrong", "linnet").allocate()[0] == 401
        assert server.stop() == 0


def openssl(place, *words):
    subprocess.run(("openssl", *words), cwd=place, check=True, capture_output=True, timeout=SECONDS)


def certificate(place, start, end):
    """A certificate for turn.example.org that is valid between the two (YYMMDD), and its key."""
    write(os.path.join(place, "ca.conf"), "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
          "policy=p\nx509_extensions=v3\ndefault_md=sha256\n[p]\ncommonName=supplied\n"
          "[v3]\nsubjectAltName=DNS:turn.example.org\nbasicConstraints=CA:TRUE\n")
    write(os.path.join(place, "index.txt"), "")
    write(os.path.join(place, "serial"), "01\n")
    openssl(place, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
            "-out", "request.pem", "-subj", "/CN=another name")
    openssl(place, "ca", "-config", "ca.conf", "-selfsign", "-batch", "-notext", "-keyfile", "key.pem", "-in",
            "request.pem", "-out", "cert.pem", "-startdate", f"{start}000000Z", "-enddate", f"{end}000000Z")
    return os.path.join(place, "cert.pem"), os.path.join(place, "key.pem")


def checks(*arguments, trust=""):
    """What `linnet turn` finds out about itself at the start: its lines, and the events of its log by what they are of."""
    program = Program("env", f"SSL_CERT_FILE={trust}", LINNET, "turn", "--listen", "127.0.0.1:0", "--user", "a:b", "--log",
                      "json", *arguments)
    program.expect("Ctrl-C")
    lines = [line[9:] for line in program.lines["out"] if line.startswith("  check  ")]
    events = [json.loads(line) for line in program.lines["out"] if '"self-test"' in line]
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(SECONDS) == 0
    return lines, {event["check"]: event for event in events}


def test_turn_tells_at_the_start_which_ports_answer_and_with_which_certificate():
    lines, events = checks()
    assert len(lines) == 3 and all("WARNING" not in line and "FAILED" not in line for line in lines), lines
    assert {check: event["verdict"] for check, event in events.items()} == {"udp": "ok", "tcp": "ok", "external": "ok"}
    with folder() as place:
        cert, key = certificate(place, "250101", "491231")
        tls = ("--tls-cert", cert, "--tls-key", key)
        lines, events = checks(*tls, trust=cert)
        assert [event["verdict"] for event in events.values()] == ["ok"] * 6, events
        assert events["certificate"]["name"] == "turn.example.org", events
        assert any("turn.example.org, until 2049-12-31, is trusted" in line for line in lines), lines
        assert any(re.fullmatch(r"dtls 127\.0\.0\.1:\d+ answers", line) for line in lines), lines
        assert events["tls"]["port"] and "address" not in events["tls"], events
        lines, events = checks(*tls)
        assert events["certificate"]["verdict"] == "warning" and "not trusted" in events["certificate"]["text"], events


def test_turn_tells_at_the_start_that_its_certificate_is_over():
    with folder() as place:
        cert, key = certificate(place, "200101", "200201")
        lines, events = checks("--tls-cert", cert, "--tls-key", key, trust=cert)
        assert events["certificate"]["verdict"] == "failed", events
        assert any(line.startswith("FAILED the certificate of turn.example.org, until 2020-02-01") for line in lines), lines


def test_turn_tells_at_the_start_which_port_does_not_answer():
    with folder() as place:  # a limit that the first question uses up
        path = write(os.path.join(place, "linnet.yaml"), "stun:\n  per_second: 1\n  burst: 1\n")
        lines, events = checks("--config", path)
        assert events["udp"]["verdict"] == "ok" and events["tcp"]["verdict"] == "failed", events
        assert any(line.startswith("FAILED tcp 127.0.0.1:") and "does not answer" in line for line in lines), lines


def test_turn_compares_its_external_address_with_what_another_server_sees():
    with turn() as outside:
        where = ("--check-stun", f"127.0.0.1:{outside.port}")
        lines, events = checks(*where)
        assert events["external"]["verdict"] == "ok" and "outside sees" in lines[-1], (lines, events)
        lines, events = checks(*where, "--relay", "127.0.0.1=203.0.113.5")
        assert events["external"]["verdict"] == "failed" and "203.0.113.5" not in json.dumps(events), events
        assert "203.0.113.5 is not what the outside sees, 127.0.0.1" in lines[-1], lines
        lines, events = checks(*where, "--relay", "127.0.0.1=203.0.113.5", "--log-addresses")
        assert events["external"]["seen"].startswith("127.0.0.1"), events
    lines, events = checks("--relay", "127.0.0.1=10.0.0.5")
    assert events["external"]["verdict"] == "warning" and "private address" in lines[-1], lines
    lines, events = checks("--check-stun", f"127.0.0.1:{unused_port()}")
    assert events["external"]["verdict"] == "warning" and "does not answer" in lines[-1], lines


def test_serve_tells_at_the_start_which_ports_answer():
    with Server() as server:
        lines = [line[9:] for line in server.lines["out"] if line.startswith("  check  ")]
        assert f"udp 127.0.0.1:{server.stun[1]} answers" in lines, lines
        assert len(lines) == 3 and lines[1].startswith("tcp ") and "this machine alone" in lines[2], lines
        assert server.stop() == 0


def test_serve_reads_its_users_and_secrets_again():
    with folder() as place:
        path = write(os.path.join(place, "linnet.yaml"), "turn:\n  users:\n    - dave:one\n")
        with Server("--config", path) as server:
            port = server.stun[1]
            assert Client(port, "dave", "one", "linnet").allocate()[0] == 0
            write(path, "turn:\n  users:\n    - dave:two\n")
            server.process.send_signal(signal.SIGHUP)
            server.expect("linnet serve: the configuration was read again", stream="err")
            assert Client(port, "dave", "one", "linnet").allocate()[0] == 401
            assert Client(port, "dave", "two", "linnet").allocate()[0] == 0
            write(path, "turn:\n  users: []\n  userz: []\n")
            server.process.send_signal(signal.SIGHUP)
            server.expect("stays in force", stream="err")
            assert Client(port, "dave", "two", "linnet").allocate()[0] == 0
            assert server.get("/healthz")[0] == 200 and server.stop() == 0


def test_serve_signs_for_participants_with_the_secret_that_is_in_force():
    def text(secret):
        return f"turn:\n  secrets:\n    - {secret}\n  allow_peers:\n    - 127.0.0.0/8\n"

    with folder() as place:
        path = write(os.path.join(place, "linnet.yaml"), text("north"))
        with Server("--config", path) as server:
            write(path, text("south"))
            server.process.send_signal(signal.SIGHUP)
            server.expect("the configuration was read again", stream="err")
            code, out, err = run("diagnose", "--json", server.url, seconds=40)
            steps = {step["step"]: step["verdict"] for step in json.loads(out)["steps"]}
            assert code == 0 and steps["turn"] == "ok", (code, out, err)
            figures = server.metrics()
            assert figures["linnet_turn_allocations_total"] > 0, figures
            assert figures["linnet_turn_wrong_credentials_total"] == 0, figures
            write(path, "turn:\n  users:\n    - dave:one\n")
            server.process.send_signal(signal.SIGHUP)
            server.expect("by a restart only", stream="err")
            assert server.stop() == 0


def test_serve_drains_and_takes_it_back():
    with Server() as server:
        name, password = re.search(r"user (\S+) password (\S+)", server.text()).groups()
        first = Client(server.stun[1], name, password, "linnet")
        assert first.allocate()[0] == 0
        server.process.send_signal(signal.SIGTERM)
        server.expect("linnet serve: drains: 1 allocations", stream="err")
        assert server.get("/healthz")[0] == 503
        assert Client(server.stun[1], name, password, "linnet").allocate()[0] == 508
        server.process.send_signal(signal.SIGHUP)
        server.expect("takes allocations again", stream="err")
        server.expect("read again", stream="err")
        assert server.get("/healthz")[0] == 200
        second = Client(server.stun[1], name, password, "linnet")  # with --dev the secret is as it was
        assert second.allocate()[0] == 0
        server.process.send_signal(signal.SIGTERM)
        server.expect("drains: 2 allocations", stream="err")
        first.close()
        second.close()
        assert server.process.wait(SECONDS) == 0


def test_turn_explains_its_policy_and_checks_its_configuration():
    code, out, _ = run("turn", "--explain-policy", "::ffff:127.0.0.1")
    assert code == 0 and "refused" in out and "maps an IPv4 address" in out, out
    code, out, _ = run("turn", "--explain-policy", "10.1.2.3", "--allow-peer", "10.1.0.0/16")
    assert code == 0 and "allowed" in out and "10.1.0.0/16" in out, out
    code, out, _ = run("turn", "--user", "a:secret-word", "--print-config")
    assert code == 0 and "a:***" in out and "secret-word" not in out, out
    code, out, _ = run("turn", "--relay", "10.0.0.5=192.0.2.77", "--explain-policy", "192.0.2.77")
    assert code == 0 and "refused: an address of this machine" in out, out
    assert run("turn", "--user", "a:b", "--check-config")[0] == 0
    code, out, _ = run("turn", "--users-redis", "[::1]:6380/2", "--redis-password", "sesame", "--print-config")
    assert code == 0 and "users_redis: [::1]:6380/2" in out and "***" in out and "sesame" not in out, out
    assert run("turn", "--users-redis", "redis.example.org", "--check-config")[0] == 0
    code, out, _ = run("turn", "--user", "a:b", "--shared-ports", "8", "--print-config")
    assert code == 0 and "  shared_ports: 8\n" in out, out


def test_turn_says_what_is_wrong_with_its_command_line():
    for words, wanted in ((("turn",), "--user"), (("turn", "--user", "nobody"), "NAME:PASSWORD"),
                          (("turn", "--user", "a:b", "--ports", "9-3"), "--ports"),
                          (("turn", "--user", "a:b", "--relay", "10.0.0.1:3"), "relay"),
                          (("turn", "--user", "a:b", "--allow-peer", "10.0.0.0/40"), "prefix"),
                          (("turn", "--user", "a:b", "--listen", "nowhere"), "listen"),
                          (("turn", "--user", "a:b", "--ports", "50000-50003", "--shared-ports", "5"), "shared_ports"),
                          (("turn", "--users-redis", "127.0.0.1:port"), "users_redis"),
                          (("turn", "--users-redis", "[::1:6379", "--check-config"), "users_redis"),
                          (("turn", "--users-redis", "host/x", "--check-config"), "users_redis"),
                          (("turn", "credential"), "credentials"),
                          (("turn", "credentials"), "--secret")):
        code, out, err = run(*words)
        assert code in (1, 2) and out == "" and wanted in sentence(err), (words, code, err)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, _, err = run("turn", "--user", "a:b", "--listen", f"127.0.0.1:{port}")
        assert code == 1 and "in use" in sentence(err), err


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
