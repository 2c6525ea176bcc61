#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two `linnet peer` that may use nothing but relays, with Debian's coturn between them."""
import os
import re
import socket
import subprocess
import tempfile
import time

import relays
from support import Pair, peer, run_all

PORT, TLS_PORT = 13478, 15349


def turnserver(*more):
    """coturn on loopback; ended with the process object's kill()."""
    folder = tempfile.mkdtemp(prefix="linnet-coturn-")
    certificate, key = relays.certificate()
    server = subprocess.Popen(
        ["turnserver", "-n", "--listening-ip=127.0.0.1", f"--listening-port={PORT}", f"--tls-listening-port={TLS_PORT}",
         "--relay-ip=127.0.0.1", "--user=user:secret", "--realm=example.org", "--lt-cred-mech",
         "--allow-loopback-peers", "--no-cli", "--log-file=stdout", "--simple-log", f"--cert={certificate}",
         f"--pkey={key}", *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    os.environ["SSL_CERT_FILE"] = certificate  # what `linnet peer` trusts
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
            return server
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None, "turnserver did not start"
            time.sleep(0.05)


def relayed(url, protocol, more=(), credentials="user,secret", server_options=()):
    """Data, picture and sound through the relay; nobody learns an address that is not the relay's."""
    server = turnserver(*server_options)
    options = ["--loopback", "--policy", "relay", "--ice-server", f"{url},{credentials}", *more]
    try:
        ours = peer("--offer", "--data", "chat", "--video", "test", "--audio", "tone", *options)
        with Pair(ours, peer("--answer", "--echo", "--video", "test", "--audio", "tone", *options)) as pair:
            local, _ = relays.selected(relays.passes(pair))
            assert local["candidateType"] == "relay" and local["relayProtocol"] == protocol, local
            assert local["url"] == url, local
            hidden(pair)
    finally:
        server.kill()
        server.wait()


def hidden(pair):
    relays.only_relayed(pair, pair.linnet, pair.other)
    for source in (pair.linnet, pair.other):
        for message in pair.signalled[source]:
            for line in re.findall(r"candidate:\S.*", message.get("sdp", "") + message.get("candidate", "")):
                assert "raddr 0.0.0.0 rport 9" in line, line


def test_coturn_over_udp():
    relayed(f"turn:127.0.0.1:{PORT}?transport=udp", "udp")


def test_coturn_over_tcp():
    relayed(f"turn:127.0.0.1:{PORT}?transport=tcp", "tcp")


def test_coturn_over_tls():
    relayed(f"turns:localhost:{TLS_PORT}?transport=tcp", "tls")


def test_coturn_over_tls_to_an_address():
    relayed(f"turns:127.0.0.1:{TLS_PORT}", "tls")


def test_coturn_over_dtls():
    relayed(f"turns:localhost:{TLS_PORT}?transport=udp", "udp")


def test_coturn_is_not_trusted_without_its_certificate():
    server = turnserver()
    os.environ["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
    try:
        for transport in ("tcp", "udp"):
            ours = peer("--offer", "--data", "chat", "--loopback", "--policy", "relay", "--no-trickle", "--ice-server",
                        f"turns:localhost:{TLS_PORT}?transport={transport},user,secret")
            description = ours.expect(lambda m: m.get("type") == "offer", 5)
            assert "a=candidate" not in description["sdp"], description
            ours.end()
    finally:
        server.kill()
        server.wait()


def test_coturn_with_stale_nonces():
    relayed(f"turn:127.0.0.1:{PORT}", "udp", server_options=["--stale-nonce=1"])


def test_coturn_refuses_a_wrong_password():
    server = turnserver()
    try:
        ours = peer("--offer", "--data", "chat", "--loopback", "--policy", "relay", "--no-trickle", "--ice-server",
                    f"turn:127.0.0.1:{PORT},user,wrong")
        description = ours.expect(lambda m: m.get("type") == "offer", 5)  # says so at once
        assert "a=candidate" not in description["sdp"], description
        ours.end()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    run_all(globals())
