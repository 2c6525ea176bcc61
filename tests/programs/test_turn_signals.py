# SPDX-License-Identifier: Apache-2.0
"""The signals of `linnet turn`, and of `linnet serve` with its relay: SIGHUP reads the configuration again, SIGTERM
drains."""
import json
import os
import re
import signal
import urllib.error
import urllib.request

from support import SECONDS, Server, folder, run, run_all, unused_port, write
from turn_client import PERMISSION, Client, attribute, peer_value, turn


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


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
