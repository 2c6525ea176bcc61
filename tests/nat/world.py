# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder share: one internet with a client of each kind on two sides, servers on it,
and two peers that connect through it."""
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs"))

from support import LINNET, SECONDS, Program, connect, kill, started  # noqa: E402
from topology import KINDS, OWN_TURN, OWN_TURN_2, SERVER, SERVER_2, Internet  # noqa: E402, F401

CHROMIUM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chromium.mjs")
USER, PASSWORD = "ada", "lovelace"
STUN = f"stun:{SERVER}:3478"
OWN_STUN = f"stun:{OWN_TURN}:3480"


def turn_urls(host):
    """Over UDP, TCP, and TLS on port 443."""
    return tuple(f"{url},{USER},{PASSWORD}" for url in (
        f"turn:{host}:3478", f"turn:{host}:3478?transport=tcp", f"turns:{host}:443?transport=tcp"))


def options(*servers):
    return tuple(word for server in servers for word in ("--ice-server", server))


TURN_UDP, TURN_TCP, TURN_TLS = turn_urls(SERVER)
SERVERS = options(STUN, TURN_UDP, TURN_TCP, TURN_TLS)  # coturn
OWN_TURN_UDP, OWN_TURN_TCP, OWN_TURN_TLS = turn_urls(OWN_TURN)
OWN_SERVERS = options(f"stun:{OWN_TURN}:3478", *turn_urls(OWN_TURN))


class World(Internet):
    """Clients are made when first asked for, in the order of the asking."""

    def __enter__(self):
        super().__enter__()
        self.made = {}
        self.browsers = {}
        self.lock = threading.Lock()
        self.browser_lock = threading.Lock()
        self.folder = tempfile.TemporaryDirectory(prefix="linnet-nat-")
        self.key, self.certificate = self.make_certificate()
        return self

    def __exit__(self, *_):
        for process in started:
            kill(process)
        self.end()

    def end(self):
        super().end()
        self.folder.cleanup()

    def at(self, kind, side="a", **options):
        """The client of a kind on one of the sides."""
        with self.lock:
            if (kind, side) not in self.made:
                self.made[kind, side] = self.client(kind, "-" + side, **options)
            return self.made[kind, side]

    def browser(self, client):
        """Chromium on a client, started when first asked for."""
        with self.browser_lock:
            if client not in self.browsers:
                self.browsers[client] = Browser(client)
            return self.browsers[client]

    def close_browsers(self):
        for browser in self.browsers.values():
            browser.send("end")
            browser.close()

    def make_certificate(self):
        key, certificate = (os.path.join(self.folder.name, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-subj", "/CN=turn.test", "-addext",
                        f"subjectAltName=IP:{SERVER},IP:{OWN_TURN},IP:{OWN_TURN_2}", "-days", "2"), check=True, capture_output=True)
        os.environ["SSL_CERT_FILE"] = certificate  # our peers trust it
        return key, certificate

    def start_own_turn(self):
        """`linnet turn` on the same ports. The internet of this test is made of reserved addresses."""
        server = Program(*self.own_turn.command(
            LINNET, "turn", "--listen", f"{OWN_TURN}:3478", "--listen", f"{OWN_TURN}:443", "--relay", OWN_TURN,
            "--user", f"{USER}:{PASSWORD}", "--allow-peer", "203.0.113.0/24", "--tcp-relay", "--tls-cert", self.certificate, "--tls-key", self.key))
        server.expect("Ctrl-C ends it")
        return server

    def start_own_stun(self):
        """Another one at two addresses, which makes it answer by RFC 5780."""
        server = Program(*self.own_turn.command(
            LINNET, "turn", "--listen", f"{OWN_TURN}:3480", "--listen", f"{OWN_TURN_2}:3480", "--user", f"{USER}:{PASSWORD}"))
        server.expect("Ctrl-C ends it")
        return server

    def start_coturn(self):
        """STUN with RFC 5780 on two addresses, TURN over UDP and TCP, and over TLS on port 443."""
        server = Program(*self.server.command(
            "turnserver", "-n", f"--listening-ip={SERVER}", f"--listening-ip={SERVER_2}", "--listening-port=3478",
            "--tls-listening-port=443", f"--relay-ip={SERVER}", f"--user={USER}:{PASSWORD}", "--realm=nat.test",
            "--lt-cred-mech", "--no-cli", f"--cert={self.certificate}", f"--pkey={self.key}", "--log-file=stdout",
            f"--pidfile={self.folder.name}/turnserver.pid", f"--userdb={self.folder.name}/turndb"))
        self.wait_for_stun()
        return server

    def wait_for_stun(self):
        deadline = time.monotonic() + SECONDS
        while subprocess.run(self.server.command("timeout", "1", "turnutils_stunclient", SERVER), check=False,
                             capture_output=True).returncode != 0:
            assert time.monotonic() < deadline, "the STUN server does not answer"


class Browser(Program):
    """Chromium on a client, for Chromium(...)."""

    def __init__(self, client):
        super().__init__(*client.command("node", CHROMIUM, "host"))
        self.client = client
        self.endpoint = self.expect_json(lambda m: "browser" in m, 60)["browser"]


class End(Program):
    """An end of a call that speaks the lines of `linnet peer`."""

    def opened(self, label="chat", seconds=SECONDS):
        return self.expect_json(lambda m: m.get("channel") == label and m.get("state") == "open", seconds)

    def stats(self):
        self.send({"cmd": "stats"})
        return {s["id"]: s for s in self.expect_json(lambda m: "stats" in m)["stats"]}

    def selected(self):
        """The two candidates of the selected pair."""
        stats = self.stats()
        transport = next(s for s in stats.values() if s["type"] == "transport")
        pair = stats[transport["selectedCandidatePairId"]]
        return stats[pair["localCandidateId"]], stats[pair["remoteCandidateId"]]


class Peer(End):
    """`linnet peer` on a client."""

    def __init__(self, client, *arguments):
        super().__init__(*client.command(LINNET, "peer", *arguments))


class Chromium(End):
    """A page of a browser."""

    def __init__(self, browser, *arguments):
        super().__init__(*browser.client.command("node", CHROMIUM, browser.endpoint, *arguments))


def path_of(peer):
    """`direct`, or `relay` when either end is one."""
    kinds = [candidate["candidateType"] for candidate in peer.selected()]
    return "relay" if "relay" in kinds else "direct"


SETTLE_S = 40  # until the pair is chosen, also by a browser on a busy machine: what is valid first carries data meanwhile


def expect_path(call, wanted):
    """Both ends come to have a path of the wanted kind selected."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        paths = path_of(call.ada), path_of(call.ben)
        if paths == (wanted, wanted):
            return
        assert time.monotonic() < deadline, f"{wanted} was expected: {paths} {call.ada.selected()}"
        time.sleep(0.05)


class Call:
    """Two peers, the first of which offers; `seconds` from the start of both until both had the channel open."""

    def __init__(self, ada, ben, *arguments, wait=SECONDS):
        self.ada = ada if isinstance(ada, Program) else Peer(ada, "--offer", "--data", "chat", *arguments)
        self.ben = ben if isinstance(ben, Program) else Peer(ben, "--answer", "--echo", *arguments)
        begin = time.monotonic()
        try:
            connect(self.ada, self.ben)
            self.ada.opened(seconds=wait)
            self.ben.opened()
        except AssertionError as error:
            self.__exit__()
            raise AssertionError(f"they do not connect: {error}\n{self.ben}") from None
        self.seconds = time.monotonic() - begin

    def echo(self, text="hello"):
        self.ada.send({"channel": "chat", "data": text})
        assert self.ada.expect_json(lambda m: m.get("data") == text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in (self.ada, self.ben):
            peer.__exit__(*_)
