# SPDX-License-Identifier: Apache-2.0
"""`linnet serve` from the outside: what it serves and counts, and what it says when it cannot start."""
import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import urllib.error
import urllib.request
import zlib

from support import LINNET, ROOT, SECONDS, Program, Server, folder, linnet, run, run_all, sentence, unused_port, write

MAGIC = 0x2112A442
# A server's certificate and the key of another one: both are in order, and do not belong together.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUTOkkeAjEkLXgaTcUPkMiT6TQYIQwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLbGlubmV0LnRlc3QwIBcNMjYxMTIyMTMzMzUyWhgPMjEyNjEw
MjkxMzMzNTJaMBYxFDASBgNVBAMMC2xpbm5ldC50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEPLtwmEQgzxBz9M0TqXAjQ4DU5cjjFTVzvkVZKJ5JErMXjLVf
AJKl+QSSvYzw/ogDicHkJY6LE4gzpm2u/ceKMqNTMFEwHQYDVR0OBBYEFMyEnmP8
NYZQXCpfhL6cbEsDMlwhMB8GA1UdIwQYMBaAFMyEnmP8NYZQXCpfhL6cbEsDMlwh
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIpRxdU+17KgeQNR
7mHV1a4NVpimDLwle2W8VBB0hp/aAiBjbpSDXTqCzIDKDFI7tBit1OEAEh7Yq3DI
FZJrcGzXVQ==
-----END CERTIFICATE-----
"""
OTHER_KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgILSomIeJ5ZyGasEM
8cA5CDKdfBCUS6b3ZsveQ/iG3W6hRANCAATf1iPxpR18wONcqrqonYBwa2wQLea5
ENoispOjTRXOFSZ3xT382pkkxYn+YrPQVnKR7bfkaXAf22QVmIHfTj6+
-----END PRIVATE KEY-----
"""


def serve(*arguments):
    """A start that must fail: the exit code and the one sentence."""
    code, out, err = run("serve", *arguments)
    assert out == "", out
    return code, sentence(err)


def test_serve_has_page_library_and_health():
    with Server() as server:
        status, headers, body = server.get("/")
        assert status == 200 and headers["Content-Type"].startswith("text/html"), headers
        assert b"<title>" in body and b"Join" in body, body[:200]
        assert "default-src 'none'" in headers["Content-Security-Policy"], headers
        scripts = re.findall(r'<script[^>]* src="([^"]+)"', body.decode())
        assert scripts, body
        for path in [os.path.join("/", script.lstrip("./")) for script in scripts] + ["/linnet.js"]:
            status, headers, _ = server.get(path)
            assert status == 200 and "javascript" in headers["Content-Type"], (path, status, headers)
        with open(os.path.join(ROOT, "web/linnet.js"), "rb") as handle:
            assert server.get("/linnet.js")[2] == handle.read()
        status, headers, body = server.get("/healthz")
        assert status == 200 and body.strip() == b"ok", (status, body)
        assert server.get("/nothing")[0] == 404
        assert server.get("/../cli/main.c")[0] in (400, 404)
        assert server.get("/healthz", method="DELETE")[0] == 405
        assert server.stop() == 0 and server.text("err") == "", server


def test_serve_metrics_move():
    with Server() as server:
        before = server.metrics()
        assert before["linnet_joins_total"] == before["linnet_participants"] == before["linnet_rooms"] == 0, before
        server.get("/nothing")
        stun_binding(server.stun)
        send(server.stun, b"no stun at all")
        stun_binding(server.stun)
        with linnet("join", server.url, "--loopback", "--stats", "json") as guest:
            guest.expect_json(lambda m: m.get("state") == "joined")
            now = server.until(lambda m: m["linnet_signal_messages_total{type=\"join\"}"] == 1
                               and m["linnet_stun_malformed_total"] == 1)
            steps = {name: now[f"linnet_{name}"] - before[f"linnet_{name}"] for name in (
                "http_not_found_total", "joins_total", "participants", "rooms", "http_websockets", "websockets_opened_total",
                "stun_requests_total", "stun_answers_total", "stun_malformed_total")}
            asked, answered = steps.pop("stun_requests_total"), steps.pop("stun_answers_total")
            assert asked == answered + 1 and answered >= 2, (before, now)  # the self-test may have asked once more
            assert all(step == 1 for step in steps.values()), (steps, before, now)
            for name in ("http_requests_total", "signal_received_bytes_total", "signal_sent_bytes_total",
                         "stun_received_bytes_total", "stun_sent_bytes_total"):
                assert now[f"linnet_{name}"] > before[f"linnet_{name}"], (name, before, now)
            guest.signal(signal.SIGINT)
            assert guest.end() == 0, guest
        server.until(lambda m: m["linnet_participants"] == m["linnet_rooms"] == m["linnet_http_websockets"] == 0)


def test_serve_keeps_its_figures_if_asked():
    with folder() as path:
        with Server("--config", write(f"{path}/c.yaml", "http:\n  metrics: no\n")) as server:
            assert server.get("/metrics")[0] == 404 and server.get("/healthz")[0] == 200


def request(attributes=b"", transaction=b"twelve bytes"):
    return struct.pack("!HHI", 0x0001, len(attributes), MAGIC) + transaction + attributes


def ask(address, packet):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(SECONDS)
        sock.connect(address)
        sock.send(packet)
        return sock.recv(2048), sock.getsockname()


def send(address, packet):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.sendto(packet, address)


def attributes_of(answer):
    at, found = 20, {}
    while at < len(answer):
        kind, length = struct.unpack_from("!HH", answer, at)
        found[kind] = (at, answer[at + 4:at + 4 + length])
        at += 4 + (length + 3) // 4 * 4
    assert at == len(answer), answer
    return found


def stun_binding(address):
    answer, own = ask(address, request())
    kind, length, magic = struct.unpack_from("!HHI", answer)
    assert (kind, length, magic, answer[8:20]) == (0x0101, len(answer) - 20, MAGIC, b"twelve bytes"), answer
    found = attributes_of(answer)
    _, family, port, ip = struct.unpack("!BBHI", found[0x0020][1])
    assert (family, port ^ (MAGIC >> 16)) == (1, own[1]), (found, own)
    assert socket.inet_ntoa(struct.pack("!I", ip ^ MAGIC)) == own[0], (found, own)
    if 0x8028 in found:
        at, value = found[0x8028]
        assert struct.unpack("!I", value)[0] == zlib.crc32(answer[:at]) ^ 0x5354554E, answer


def test_serve_answers_stun_with_the_address_it_sees():
    with Server() as server:
        for _ in range(3):
            stun_binding(server.stun)


def test_serve_answers_420_to_a_stun_attribute_it_must_understand():
    with Server() as server:
        answer, _ = ask(server.stun, request(struct.pack("!HHI", 0x7ABC, 4, 0)))
        assert struct.unpack_from("!H", answer)[0] == 0x0111, answer
        found = attributes_of(answer)
        assert found[0x0009][1][2] * 100 + found[0x0009][1][3] == 420, found
        assert struct.unpack_from("!H", found[0x000A][1])[0] == 0x7ABC, found


def test_serve_without_stun():
    with Server(stun="none") as server:
        assert server.get("/healthz")[0] == 200 and "stun" not in server.text(), server
        assert not any("_stun_" in name for name in server.metrics())


def test_serve_says_that_a_port_is_in_use():
    with Server() as server:
        where = server.url.removeprefix("http://")
        code, told = serve("--dev", "--listen", where, "--stun", "127.0.0.1:0")
        assert code == 1 and f"{where} is in use" in told and "choose another with --listen ADDR:PORT" in told, told
        stun = "%s:%d" % server.stun
        code, told = serve("--dev", "--listen", "127.0.0.1:0", "--stun", stun)
        assert code == 1 and f"{stun} is in use" in told and "--stun ADDR:PORT" in told, told
        assert server.get("/healthz")[0] == 200


def test_serve_says_that_an_address_is_not_of_this_machine():
    code, told = serve("--listen", "198.51.100.7:8080", "--stun", "none")
    assert code == 1 and "no address 198.51.100.7:8080" in told and "--listen" in told, told


def test_serve_names_file_and_line_of_a_mistake():
    with folder() as path:
        file = f"{path}/linnet.yaml"
        for text, line, part in (("signal:\n  rooms: 3\n  roms: 4\n", 3, "there is no key signal.roms; did you mean signal.rooms?"),
                                 ("lisen: 127.0.0.1:0\n", 1, "did you mean listen?"),
                                 ("# a\n\nhttp:\n  metrics: maybe\n", 4, "http.metrics must be true or false"),
                                 ("signal:\n  rooms: many\n", 2, 'a number from 1 to 100000, not "many"'),
                                 ("signal:\n  room_participants: 1\n", 2, "a number from 2 to 100"),
                                 ("signal:\n  origins: everywhere\n", 2, "must be a list"),
                                 ("signal:\n  ice_servers:\n    - url: http://x\n", 3, "begins with stun: or turn:"),
                                 ("signal:\n  room_tokens:\n    - room: a\n", 3, "has a room and a token"),
                                 ("tls: yes\n", 1, "must hold keys and values"),
                                 ("listen: [\n", 2, "not YAML"),
                                 ("a: b: c\n", 1, "not YAML"),
                                 ("hippopotamus: 1\n", 1, "docs/linnet.yaml has all of them")):
            code, told = serve("--config", write(file, text))
            assert code == 1 and told.startswith(f"{file}:{line}: ") and part in told, (text, code, told)
        code, told = serve("--config", f"{path}/nothing.yaml")
        assert code == 1 and f"{path}/nothing.yaml: cannot be read: No such file" in told, told


def test_serve_takes_the_sample_configuration():
    with Server("--config", os.path.join(ROOT, "docs/linnet.yaml")) as server:
        assert server.get("/healthz")[0] == 200 and server.stop() == 0, server


def test_serve_dev_makes_a_certificate_for_other_addresses():
    with Server(listen="0.0.0.0:0", stun="none") as server:
        assert server.url.startswith("https://127.0.0.1:"), server
        assert "The certificate was made just now" in server.text(), server
        status, _, body = server.get("/")
        assert status == 200 and b"<title>" in body, status
        try:
            urllib.request.urlopen(server.url, timeout=SECONDS)
            raise AssertionError("nobody vouches for this certificate")
        except urllib.error.URLError as error:
            assert isinstance(error.reason, ssl.SSLCertVerificationError), error
        with linnet("join", server.url, "--insecure", "--duration", "1") as guest:
            assert guest.end() == 0, guest
        assert server.stop() == 0, server


def test_serve_says_which_file_of_tls_is_wrong():
    with folder() as path:
        certificate, key = write(f"{path}/c.pem", CERTIFICATE), write(f"{path}/k.pem", OTHER_KEY)
        garbage = write(f"{path}/g.pem", "garbage\n")
        for files, part in (((f"{path}/none.pem", key), "cannot be read"),
                            ((certificate, f"{path}/none.pem"), "cannot be read"),
                            ((garbage, garbage), "not valid PEM"),
                            ((certificate, key), "do not belong together")):
            code, told = serve("--listen", "127.0.0.1:0", "--stun", "none", "--tls-cert", files[0], "--tls-key", files[1])
            assert code == 1 and part in told and "--tls-cert and --tls-key" in told, (files, code, told)


def test_serve_ends_by_signals_and_leaves_nothing():
    port = unused_port()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):  # and the port is free at once
        with Server("--studio", listen=f"127.0.0.1:{port}") as server:
            server.until(lambda m: m["linnet_participants"] == 1)
            with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as idle:
                idle.send(b"GET / HT")
                assert server.stop(number) == 0 and not server.left_behind(), server
                assert server.text("err") == "", server


def test_serve_ends_while_a_call_goes_on():
    with Server("--studio", stun="none") as server:
        with linnet("join", server.url, "--loopback", "--stats", "json") as guest:
            guest.expect_json(lambda m: m["event"] == "figures" and m["state"] == "connected")
            assert server.stop(signal.SIGTERM) == 0 and not server.left_behind(), server
            guest.signal(signal.SIGINT)
            assert guest.end() == 0, guest


def test_serve_refuses_malformed_requests_and_counts_them():
    with Server(stun="none") as server:
        host, port = server.url.removeprefix("http://").split(":")
        for text in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n"):
            with contextlib.closing(socket.create_connection((host, int(port)), SECONDS)) as sock:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(text)
                    answer = sock.recv(4096)
                    assert answer == b"" or re.match(rb"HTTP/1\.[01] 4\d\d", answer), answer
        assert server.until(lambda m: m["linnet_http_bad_requests_total"] >= 1)
        assert server.get("/healthz")[0] == 200


def test_serve_uses_the_usual_ports():
    """Only in a network of its own: elsewhere the ports may be taken."""
    if not os.environ.get("LINNET_NETNS"):
        return
    with Program(LINNET, "serve", "--dev") as server:
        server.expect(r"page +http://127\.0\.0\.1:8080/$")
        server.expect(r"stun +stun:127\.0\.0\.1:3478$")
        stun_binding(("127.0.0.1", 3478))
        server.signal(signal.SIGTERM)
        assert server.end() == 0, server


if __name__ == "__main__":
    run_all(globals())
