# SPDX-License-Identifier: Apache-2.0
"""A running `linnet turn`, its clients, of which nothing is the library's, with messages written here byte by byte, and
their peers."""
import contextlib
import hashlib
import hmac
import os
import re
import signal
import socket
import ssl
import struct
import time
import urllib.request

from support import LINNET, SECONDS, Program

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

    def __init__(self, port, user="alice", password="secret", realm="example.org", host="127.0.0.1"):
        self.socket = self.open((host, port))
        self.user, self.realm, self.nonce = user, realm.encode(), b""
        self.key = hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()

    def open(self, server):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(SECONDS)
        sock.connect(server)
        return sock

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

    def send(self, peer, data, *attributes):
        body = b"".join((attribute(0x12, peer_value(peer)), *attributes, attribute(0x13, data)))
        self.socket.send(struct.pack("!HHI", SEND | 0x10, len(body), MAGIC) + os.urandom(12) + body)

    def close(self):
        self.request(REFRESH, attribute(0x0D, bytes(4)))
        self.socket.close()


class StreamClient(Client):
    """The same over TCP, a message at a time."""

    def open(self, server):
        return socket.create_connection(server, SECONDS)

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


class SecureClient(StreamClient):
    """And inside TLS; whose certificate it is, is not asked."""

    def open(self, server):
        return ssl._create_unverified_context().wrap_socket(super().open(server))


def permit(client, address):
    return client.request(PERMISSION, attribute(0x12, peer_value(address)))[0]


def connect_peer(client, address):
    return client.request(CONNECT, attribute(0x12, peer_value(address)))


def relayed_address(answer):
    return address_of(answer[0x16])


def allocates(server, name, password):
    client = Client(server.port, name, password)
    code = client.allocate()[0]
    if code == 0:
        client.close()
    return code


def udp_peer(host):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.bind((host, 0))
    return sock


def counts(port):
    """What the server counts, by the name behind linnet_turn_; it is told after the answer that it is of, not before."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        return {name: int(value) for name, value in re.findall(r"linnet_turn_(\w+) (\d+)\n", answer.read().decode())}


def eventually(check):
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)
