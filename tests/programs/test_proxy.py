# SPDX-License-Identifier: Apache-2.0
"""`--proxy`: signalling and TURN by way of an HTTP proxy of another hand (tinyproxy), from a network that has nothing
else, and what is said when it does not let us."""
import contextlib
import json
import os
import re
import socket
import threading

from support import LINNET, Program, folder, linnet, run, run_all, sentence, unused_port, write
from test_oneport import OnePort, certificate


class Tinyproxy(Program):
    def __init__(self, place, *lines):
        self.port = unused_port()
        config = write(os.path.join(place, f"tinyproxy-{self.port}.conf"), "\n".join(
            (f"Port {self.port}", "Listen 127.0.0.1", "Timeout 60", "LogLevel Info", *lines)) + "\n")
        super().__init__("tinyproxy", "-d", "-c", config)
        self.expect("Accepting connections|Starting main loop", stream="out")
        self.url = f"http://127.0.0.1:{self.port}"

    def asked_for(self):
        """The servers that tunnels were asked for, as they were named."""
        return re.findall(r"Request \(file descriptor \d+\): CONNECT (\S+) HTTP/1.1", self.text("out") + self.text("err"))


@contextlib.contextmanager
def network(*lines):
    with folder() as place:
        certificate(place)
        with OnePort(place) as server, Tinyproxy(place, *lines) as proxy:
            yield server, proxy


def environment(**values):
    return ["env", *(f"{name}={value}" for name, value in values.items())]


def diagnose(server, *arguments, **values):
    program = Program(*environment(SSL_CERT_FILE=server.cert, **values), LINNET, "diagnose", "--json", *arguments)
    code = program.end(90)
    report = json.loads(program.text("out"))
    return code, {step["step"]: step for step in report["steps"]}, report


def turns(server, host="localhost"):
    return f"turns:{host}:{server.port},alice,secret"


def test_proxy_joins_a_room_through_a_tunnel():
    with network("BasicAuth ann secret") as (server, proxy):
        url = proxy.url.replace("//", "//ann:secret@")
        with linnet("join", server.url, "--insecure", "--loopback", "--stats", "json", "--name", "ada", "--proxy", url) as ada:
            ada.expect_json(lambda m: m.get("state") == "joined")
            with linnet("join", server.url, "--insecure", "--loopback", "--stats", "json", "--name", "ben", "--proxy",
                        url) as ben:
                ben.expect_json(lambda m: m["event"] == "figures" and m["state"] == "connected")
        assert proxy.asked_for().count(f"127.0.0.1:{server.port}") >= 2, proxy


def test_proxy_reaches_the_relay_over_tls_and_over_tcp():
    with network("BasicAuth ann secret") as (server, proxy):
        url = proxy.url.replace("//", "//ann:s%65cret@")
        for target in (turns(server), turns(server).replace("turns:", "turn:").replace(",alice", "?transport=tcp,alice")):
            code, steps, report = diagnose(server, target, "--proxy", url)
            assert steps["turn"]["verdict"] == "ok" and steps["loop"]["sent"] == 25, report
        # both ends of each loop asked for the server by its name
        assert proxy.asked_for().count(f"localhost:{server.port}") >= 4, proxy


def test_proxy_on_this_machine_serves_sockets_of_other_addresses():
    with network() as (server, proxy):
        with linnet("peer", "--offer", "--data", "chat", "--policy", "relay", "--ice-server",
                    f"turn:127.0.0.1:{server.port}?transport=tcp,alice,secret", "--proxy", proxy.url) as peer:
            peer.expect_json(lambda m: " typ relay " in m.get("candidate", ""))
        assert f"127.0.0.1:{server.port}" in proxy.asked_for(), proxy


def test_proxy_is_taken_from_the_environment_unless_that_says_no():
    with network() as (server, proxy):
        diagnose(server, turns(server), https_proxy=proxy.url)
        assert f"localhost:{server.port}" in proxy.asked_for(), proxy
        before = len(proxy.asked_for())
        bare = proxy.url.replace("http://", "")
        with Program(*environment(HTTPS_PROXY=bare, no_proxy="example.org,127.0.0.1"), LINNET, "join", server.url,
                     "--insecure", "--loopback", "--stats", "json") as ada:
            ada.expect_json(lambda m: m.get("state") == "joined")
        with Program(*environment(https_proxy=proxy.url), LINNET, "join", server.url, "--insecure", "--loopback",
                     "--stats", "json", "--proxy", "none") as ada:
            ada.expect_json(lambda m: m.get("state") == "joined")
        # not even what the library underneath would read by itself
        with Program(*environment(http_proxy=proxy.url), LINNET, "join", server.url, "--insecure", "--loopback",
                     "--stats", "json") as ada:
            ada.expect_json(lambda m: m.get("state") == "joined")
        assert len(proxy.asked_for()) == before, proxy
        with Program(*environment(HTTPS_PROXY=bare), LINNET, "join", server.url, "--insecure", "--loopback", "--stats",
                     "json") as ada:
            ada.expect_json(lambda m: m.get("state") == "joined")
        assert len(proxy.asked_for()) == before + 1, proxy


def test_proxy_sends_and_receives_a_file():
    with network() as (server, proxy), folder() as place:
        source = write(os.path.join(place, "hello.txt"), "through the proxy")
        common = ("--to", server.url, "--insecure", "--loopback", "--proxy", proxy.url)
        with linnet("send", source, "--no-qr", *common) as sender:
            code = sender.expect(r"\b(\d+-\w+-\w+-\w+)\b").group(1)
            target = os.path.join(place, "in")
            os.mkdir(target)
            assert run("receive", code, "-o", target, *common, seconds=60)[0] == 0
            with open(os.path.join(target, "hello.txt"), encoding="ascii") as handle:
                assert handle.read() == "through the proxy"
            assert sender.end() == 0
        assert proxy.asked_for().count(f"127.0.0.1:{server.port}") >= 2, proxy


def test_proxy_that_does_not_let_us_is_told():
    with network("BasicAuth ann secret") as (server, proxy):
        wrong = proxy.url.replace("//", "//ann:wrong@")
        _, steps, report = diagnose(server, turns(server), "--proxy", wrong)
        assert "the proxy asks for a user name and password, or refuses them" in steps["turn"]["text"], report
        _, steps, report = diagnose(server, turns(server), "--proxy", f"http://127.0.0.1:{unused_port()}")
        assert "the proxy cannot be reached" in steps["turn"]["text"], report
        with linnet("join", server.url, "--insecure", "--proxy", wrong) as ada:
            ada.expect("the proxy refuses; its user name or password")
    with network("ConnectPort 443") as (server, proxy):
        _, steps, report = diagnose(server, turns(server), "--proxy", proxy.url)
        assert "the proxy does not let us connect" in steps["turn"]["text"], report


def test_proxy_that_says_nonsense_or_nothing_is_given_up():
    answers = {"nonsense": b"SSH-2.0-OpenSSH_9.2\r\n", "endless": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 3000, "silent": b""}
    words = {"nonsense": "makes no sense", "endless": "makes no sense", "silent": "did not answer"}
    with folder() as place, socket.socket() as listener:
        certificate(place)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        said = {}
        held = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    stream = listener.accept()[0]
                    held.append(stream)
                    stream.sendall(answers[said["now"]])

        threading.Thread(target=serve, daemon=True).start()
        with OnePort(place) as server:
            for said["now"] in answers:
                _, steps, report = diagnose(server, turns(server), "--proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
                assert "proxy" in json.dumps(steps["turn"]) and words[said["now"]] in json.dumps(steps["turn"]), report
        for stream in held:
            stream.close()


def test_proxy_must_be_in_its_form():
    for command in (("join", "http://h/"), ("peer", "--offer"), ("send", "x"), ("receive", "4711-anchor-velvet-otter"),
                    ("diagnose", "stun:127.0.0.1")):
        for wrong in ("proxy:3128", "socks5://h:1", "http://", "http://" + "u" * 96 + "@h"):
            code, _, err = run(*command, "--proxy", wrong)
            assert code == 2 and "--proxy takes http://HOST:PORT" in sentence(err), (command, wrong, err)


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
