# SPDX-License-Identifier: Apache-2.0
"""`linnet serve --one-port`: pages, signalling, STUN and TURN at one address and port, with one certificate; who says
nothing, or takes nothing; another certificate while it runs."""
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import time

from support import (LINNET, ROOT, SECONDS, Program, folder, linnet, openssl, read_prometheus, run, run_all, sentence,
                     unused_port, write)
from turn_client import MAGIC, Client, StreamClient, address_of, parse

BINDING = struct.pack("!HHI", 1, 0, MAGIC) + b"one port all"


def certificate(place, name="localhost"):
    """A certificate for localhost and 127.0.0.1 that a client may trust, and its key; its fingerprint."""
    openssl(place, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
            "-out", "cert.pem", "-days", "30", "-subj", f"/CN={name}", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1")
    cert, key = os.path.join(place, "cert.pem"), os.path.join(place, "key.pem")
    with open(cert, encoding="ascii") as handle:
        return cert, key, hashlib.sha256(ssl.PEM_cert_to_DER_cert(handle.read())).hexdigest()


class OnePort(Program):
    """`linnet serve --one-port` with users and secrets, with a certificate if there is one in its folder."""

    def __init__(self, place, *arguments, extra=""):
        self.port = unused_port()
        self.cert = os.path.join(place, "cert.pem")
        self.secure = os.path.exists(self.cert)
        config = write(os.path.join(place, "linnet.yaml"), "turn:\n  users: [\"alice:secret\"]\n  secrets: [north]\n"
                       "  allow_peers: [127.0.0.0/8]\n  relay: [127.0.0.1]\n" + extra)
        tls = ("--tls-cert", self.cert, "--tls-key", os.path.join(place, "key.pem")) if self.secure else ()
        super().__init__("env", f"SSL_CERT_FILE={self.cert}", LINNET, "serve", "--one-port", "--listen",
                         f"127.0.0.1:{self.port}", "--config", config, *tls, *arguments)
        self.url = f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"
        self.expect("Ctrl-C ends it")

    def connect(self, tls=None, source="127.0.0.1", protocols=None):
        stream = socket.create_connection(("127.0.0.1", self.port), SECONDS, (source, 0))
        if not (self.secure if tls is None else tls):
            return stream
        context = ssl.create_default_context(cafile=self.cert)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(stream, server_hostname="localhost")

    def get(self, path, source="127.0.0.1"):
        """The body, by a connection of its own."""
        with self.connect(source=source) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return read_all(stream).partition(b"\r\n\r\n")[2]

    def metrics(self, source="127.0.0.1"):
        return read_prometheus(self.get("/metrics", source).decode())

    def until(self, wanted, source="127.0.0.1"):
        deadline = time.monotonic() + SECONDS
        while not wanted(figures := self.metrics(source)):
            assert time.monotonic() < deadline, figures
            time.sleep(0.05)


def read_all(stream):
    data = b""
    while piece := stream.recv(65536):
        data += piece
    return data


def read_until(stream, words):
    data = b""
    while words not in data:
        piece = stream.recv(4096)
        assert piece, data
        data += piece


def library():
    with open(os.path.join(ROOT, "web/linnet.js"), "rb") as handle:
        return handle.read()


class ClientOn(StreamClient):
    """On a stream that is open; its relay is one of UDP."""

    def __init__(self, stream):
        self.open = lambda _: stream
        super().__init__(None, realm="linnet")

    allocate = Client.allocate


def seen_by_stun(stream):
    stream.send(BINDING)
    return address_of(parse(stream.recv(2048))[1][0x20])


def end(server):
    server.signal(signal.SIGINT)
    assert server.end() == 0, server
    assert "ERROR" not in server.text("err"), server


def test_one_port_serves_pages_stun_and_turn_over_udp_tcp_and_tls():
    with folder() as place:
        certificate(place)
        with OnePort(place) as server:
            lines = [line for line in server.lines["out"] if f"127.0.0.1:{server.port} answers" in line]
            assert {line.split()[1] for line in lines} == {"udp", "tcp", "tls", "dtls"}, server
            assert server.get("/linnet.js") == library()
            with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
                udp.settimeout(SECONDS)
                udp.connect(("127.0.0.1", server.port))
                assert seen_by_stun(udp) == udp.getsockname()
            for tls in (False, True):
                with server.connect(tls) as stream:
                    assert seen_by_stun(stream) == stream.getsockname()
                    assert ClientOn(stream).allocate()[0] == 0
            figures = server.metrics()
            assert figures["linnet_turn_pages_total"] >= 2 and figures["linnet_turn_allocations_total"] == 2, figures
            with server.connect(False) as plain:  # where there is a certificate, no page comes without it
                plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                plain.settimeout(0.5)
                with contextlib.suppress(TimeoutError, ConnectionResetError):
                    assert plain.recv(100) == b""
            end(server)


def test_one_port_without_a_certificate_serves_http_and_turn():
    with folder() as place, OnePort(place) as server:
        assert server.get("/linnet.js") == library()
        with server.connect() as stream:
            assert ClientOn(stream).allocate()[0] == 0
        figures = server.metrics()
        assert figures["linnet_turn_pages_total"] == 0, "plain sockets are given away, not copied through"
        end(server)


def test_one_port_goes_by_the_first_byte_whatever_protocol_was_agreed():
    with folder() as place:
        certificate(place)
        with OnePort(place) as server:
            for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["stun.turn"], "stun.turn"), (["h3"], None),
                                    (["stun.nat-discovery"], "stun.nat-discovery")):
                with server.connect(protocols=offered) as stream:
                    assert stream.selected_alpn_protocol() == agreed, offered
                    stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    read_until(stream, b"ok\n")
                with server.connect(protocols=offered) as stream:
                    assert seen_by_stun(stream) == stream.getsockname()
            end(server)


def test_one_port_is_what_participants_are_told_and_two_of_them_meet():
    with folder() as place:
        cert, _, _ = certificate(place)
        with OnePort(place) as server:
            def join(name):
                return linnet("join", server.url, "--insecure", "--loopback", "--stats", "json", "--name", name, "--chat")

            with join("ada") as ada:
                ada.expect_json(lambda m: m.get("state") == "joined")
                with join("ben") as ben:
                    ben.expect_json(lambda m: m["event"] == "figures" and m["state"] == "connected")
                    ben.send("through one port")
                    assert ada.expect_json(lambda m: m["event"] == "message")["text"] == "through one port"
            code, out, err = (lambda p: (p.end(60), p.text("out"), p.text("err")))(
                Program("env", f"SSL_CERT_FILE={cert}", LINNET, "diagnose", "--json", "--insecure", server.url))
            report = json.loads(out)
            urls = json.dumps(report)
            for url in (f"turn:127.0.0.1:{server.port}?transport=udp", f"turn:127.0.0.1:{server.port}?transport=tcp",
                        f"turns:127.0.0.1:{server.port}?transport=tcp"):
                assert url in urls, (url, report)
            assert code in (0, 3) and err == "", (code, report, err)
            end(server)


def test_one_port_loses_nothing_for_a_reader_who_is_slow():
    with folder() as place:
        certificate(place)
        with OnePort(place) as server, server.connect() as stream:
            stream.sendall(b"GET /linnet.js HTTP/1.1\r\nHost: x\r\n\r\n" * 5 +
                           b"GET /linnet.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b""
            while piece := stream.recv(3000):
                data += piece
                time.sleep(0.002)
            assert data.count(library()) == 6, len(data)
            end(server)


def test_one_port_takes_a_request_whose_client_ends_at_once():
    with folder() as place:
        certificate(place)
        with OnePort(place) as server:
            before = server.metrics()["linnet_http_requests_total"]
            for _ in range(20):
                with server.connect() as stream:
                    stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            server.until(lambda f: f["linnet_http_requests_total"] >= before + 20)
            server.until(lambda f: f["linnet_http_connections"] == 1 and f['linnet_turn_sessions{transport="tls"}'] <= 1)
            end(server)


def test_one_port_lets_others_in_while_one_source_holds_connections_open():
    """ATTACKS 19 and 64: half a ClientHello, a handshake and then silence, half a request."""
    with folder() as place, contextlib.ExitStack() as stack:
        certificate(place)
        server = stack.enter_context(OnePort(place, extra="  workers: 1\n  source_streams: 6\n  stream_seconds: 3\nhttp:\n  head_seconds: 2\n"))
        half = [stack.enter_context(server.connect(False, "127.0.0.2")) for _ in range(3)]
        for stream in half:
            stream.sendall(b"\x16\x03\x01\x02\x00\x01")
        silent = [stack.enter_context(server.connect(True, "127.0.0.2")) for _ in range(2)]
        waiting = [stack.enter_context(server.connect(False, "127.0.0.2")) for _ in range(20)]
        assert server.get("/healthz", "127.0.0.3").strip() == b"ok"
        figures = server.metrics("127.0.0.3")
        assert figures["linnet_turn_streams_refused_total"] >= 19, figures
        for stream in half + silent + waiting:
            with contextlib.suppress(ConnectionResetError, ssl.SSLError):
                assert stream.recv(100) == b"", "it was closed"
        slow = [stack.enter_context(server.connect(True, "127.0.0.2")) for _ in range(5)]
        for stream in slow:  # no guests any more: HTTP's own limits are theirs
            stream.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert server.get("/healthz", "127.0.0.2").strip() == b"ok"
        for stream in slow:
            assert read_all(stream).startswith(b"HTTP/1.1 408 ")
        server.until(lambda f: f["linnet_http_connections"] == 1 and f['linnet_turn_sessions{transport="tls"}'] <= 1 and
                     f['linnet_turn_sessions{transport="tcp"}'] == 0, "127.0.0.3")
        end(server)


def presented(port, *how):
    """The fingerprint of the certificate that a server presents, as OpenSSL's client sees it."""
    with Program("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts", *how) as client:
        client.expect("END CERTIFICATE")
        text = client.text()
    pem = re.search(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", text, re.S).group(0)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_one_port_has_one_certificate_and_reads_it_again_without_a_restart():
    with folder() as place:
        _, _, first = certificate(place)
        with OnePort(place) as server, server.connect() as held:
            assert presented(server.port) == presented(server.port, "-dtls") == first
            _, _, second = certificate(place, "another")
            server.signal(signal.SIGHUP)
            server.expect("was read again", stream="err")
            assert presented(server.port) == presented(server.port, "-dtls") == second
            held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")  # what is there goes on
            read_until(held, b"ok\n")
            write(os.path.join(place, "cert.pem"), "nothing")
            server.signal(signal.SIGHUP)
            server.expect("stays in force", stream="err")
            assert presented(server.port) == second
            end(server)


def test_serve_reads_the_certificate_of_its_pages_again():
    for stun in ("none", "127.0.0.1:0"):
        with folder() as place:
            cert, key, first = certificate(place)
            with linnet("serve", "--listen", "127.0.0.1:0", "--stun", stun, "--tls-cert", cert, "--tls-key", key) as server:
                port = int(server.expect(r"page +https://127\.0\.0\.1:(\d+)/").group(1))
                server.expect("Ctrl-C ends it")
                assert presented(port) == first
                _, _, second = certificate(place, "another")
                server.signal(signal.SIGHUP)
                server.expect("certificate was read again", stream="err")
                assert presented(port) == second
                write(cert, "nothing")
                server.signal(signal.SIGHUP)
                server.expect("stays in force", stream="err")
                assert presented(port) == second
                end(server)


def test_serve_checks_its_configuration():
    with folder() as place:
        cert, key, _ = certificate(place)
        right = ("serve", "--check-config", "--one-port", "--listen", "127.0.0.1:443", "--tls-cert", cert, "--tls-key", key)
        assert run(*right) == (0, "the configuration is right", "")
        code, _, err = run("serve", "--check-config", "--one-port", "--listen", "127.0.0.1:0")
        assert code == 2 and "--listen" in sentence(err), err
        code, _, err = run("serve", "--check-config", "--one-port", "--listen", "127.0.0.1:443", "--stun", "none")
        assert code == 2 and "none" in sentence(err), err
        write(key, "nothing")
        code, _, err = run(*right)
        assert code == 1 and "--tls-key" in sentence(err), err


def test_one_port_says_that_the_port_is_in_use():
    with contextlib.closing(socket.socket()) as other:
        port = unused_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        code, _, err = run("serve", "--one-port", "--listen", f"127.0.0.1:{port}")
        assert code == 1 and "in use" in sentence(err) and str(port) in err, err


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
