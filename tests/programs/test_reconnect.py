# SPDX-License-Identifier: Apache-2.0
"""Calls that come back: two `linnet join` whose server, or one of which, is gone for a while."""
import contextlib
import json
import signal
import subprocess
import time
import urllib.parse

from support import Server, dead_paths, folder, in_network, linnet, own_network, run_all, unused_port, write


def join(server, name):
    return linnet("join", server.url, "--loopback", "--stats", "json", "--chat", "--name", name, "--video", "test")


def joined(guest):
    return guest.expect_json(lambda m: m.get("state") == "joined")


def of(name):
    return lambda m: m.get("participant", {}).get("name") == name


def sees(guest, name, more_than=0):
    """Frames of `name` that `guest` has seen, once there are more."""
    def fits(m):
        return m["event"] == "figures" and of(name)(m) and m["state"] == "connected" and m.get("videoIn", {}).get("frames", 0) > more_than

    return guest.expect_json(fits, 60)["videoIn"]["frames"]


def says(guest, other, text):
    guest.send(text)
    return other.expect_json(lambda m: m["event"] == "message" and m["text"] == text)


def talk(ada, ben, word):
    """Both see each other, and what either says arrives."""
    for guest, name in ((ada, "ben"), (ben, "ada")):
        sees(guest, name, sees(guest, name))
    says(ada, ben, f"{word} from ada")
    says(ben, ada, f"{word} from ben")


def heard(guest):
    return [line for line in guest.lines["out"] if '"message"' in line]


def figures(guest):
    return [line for line in guest.lines["out"] if '"figures"' in line]


def ip(*words):
    subprocess.run(in_network("ip", *words), check=True, capture_output=True)


@contextlib.contextmanager
def moving_address():
    """An interface "moving" with one address; the call that it gives replaces that by one of another network."""
    ip("link", "add", "moving", "type", "veth", "peer", "name", "moved")
    try:
        ip("address", "add", "10.78.0.2/24", "dev", "moving")
        for end in ("moving", "moved"):
            ip("link", "set", end, "up")

        def move():
            ip("address", "delete", "10.78.0.2/24", "dev", "moving")
            ip("address", "add", "10.79.0.2/24", "dev", "moving")

        yield move
    finally:
        ip("link", "delete", "moving")


@contextlib.contextmanager
def broken_streams(port):
    """Whoever speaks to this TCP port is reset."""
    for words in (("add", "table", "inet", "broken"), ("add", "chain", "inet", "broken", "input", "{ type filter hook input priority 0 ; }"),
                  ("add", "rule", "inet", "broken", "input", "tcp", "dport", str(port), "reject", "with", "tcp", "reset")):
        subprocess.run(in_network("nft", *words), check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(in_network("nft", "delete", "table", "inet", "broken"), check=True, capture_output=True)


def end(*guests):
    for guest in guests:
        guest.signal(signal.SIGINT)
        assert guest.end() == 0, guest


def test_a_participant_that_slept_goes_on_where_it_was():
    """Stopped until the other one has restarted ICE three times in vain; the room keeps its place."""
    with Server() as server, join(server, "ada") as ada, join(server, "ben") as ben:
        talk(ada, ben, "before")
        ben.signal(signal.SIGSTOP)
        ada.expect_json(lambda m: of("ben")(m) and m.get("state") == "disconnected", 40)
        for number in range(5):
            ada.send(f"meanwhile {number}")
        ada.expect_json(lambda m: m["event"] == "figures" and m["iceRestarts"] >= 3, 60)
        ben.signal(signal.SIGCONT)
        talk(ada, ben, "after")
        meanwhile = [line for line in heard(ben) if "meanwhile" in line]
        assert len(meanwhile) == 5 and all(f"meanwhile {i}" in line for i, line in enumerate(meanwhile)), meanwhile
        end(ada, ben)


def test_a_participant_that_slept_too_long_joins_anew():
    """Stopped until the room has given up its place."""
    with folder() as path:
        file = write(f"{path}/c.yaml", "signal:\n  idle_seconds: 5\n  grace_seconds: 2\n")
        with Server("--config", file) as server, join(server, "ada") as ada, join(server, "ben") as ben:
            talk(ada, ben, "before")
            ben.signal(signal.SIGSTOP)
            ada.expect_json(lambda m: m["event"] == "left" and of("ben")(m), 60)
            ben.signal(signal.SIGCONT)
            ada.expect_json(lambda m: m["event"] == "joined" and of("ben")(m), 60)
            talk(ada, ben, "after")
            end(ada, ben)


def test_a_call_outlives_its_server():
    """Killed and started again at the same address: pictures go on meanwhile, afterwards all is as before."""
    port = unused_port()
    with Server(listen=f"127.0.0.1:{port}") as server, join(server, "ada") as ada, join(server, "ben") as ben:
        talk(ada, ben, "before")
        server.signal(signal.SIGKILL)
        server.end()
        for guest in (ada, ben):
            guest.expect_json(lambda m: m.get("state") == "reconnecting")
        talk(ada, ben, "without a server")
        with Server(listen=f"127.0.0.1:{port}"):
            for guest in (ada, ben):
                joined(guest)
            talk(ada, ben, "after")
            for guest, other in ((ada, "ben"), (ben, "ada")):
                words = [line for line in heard(guest)]
                assert len(words) == 3 and all(f"from {other}" in line for line in words), words
            end(ada, ben)


def test_a_lost_path_is_replaced_by_an_ice_restart_and_no_message_is_lost():
    """Every path that the two have is dead at once, and stays so: only new sockets connect them again."""
    with own_network(), Server() as server, join(server, "ada") as ada, join(server, "ben") as ben:
        talk(ada, ben, "before")
        with dead_paths(ada, ben):
            for number in range(5):
                ada.send(f"meanwhile {number}")
            for guest in (ada, ben):
                guest.expect_json(lambda m: m["event"] == "figures" and m["state"] == "disconnected", 60)
            talk(ada, ben, "after")
            lines = map(json.loads, figures(ada) + figures(ben))
            assert any(line["iceRestarts"] >= 1 for line in lines)  # by whoever was first
            meanwhile = [line for line in heard(ben) if "meanwhile" in line]
            assert len(meanwhile) == 5 and all(f"meanwhile {i}" in line for i, line in enumerate(meanwhile)), meanwhile
            end(ada, ben)


def test_a_lost_websocket_is_resumed_and_no_message_is_lost_or_doubled():
    """The server's port answers with resets for five seconds: pictures go on, what is said waits and comes once."""
    with own_network(), Server() as server, join(server, "ada") as ada, join(server, "ben") as ben:
        talk(ada, ben, "before")
        with broken_streams(urllib.parse.urlsplit(server.url).port):
            for guest in (ada, ben):
                guest.expect_json(lambda m: m.get("state") == "reconnecting", 60)
            for number in range(5):
                ada.send(f"meanwhile {number}")
            for guest, name in ((ada, "ben"), (ben, "ada")):
                sees(guest, name, sees(guest, name))
            time.sleep(5)
        for guest in (ada, ben):
            joined(guest)
        talk(ada, ben, "after")
        meanwhile = [line for line in heard(ben) if "meanwhile" in line]
        assert len(meanwhile) == 5 and all(f"meanwhile {i}" in line for i, line in enumerate(meanwhile)), meanwhile
        assert all('"iceRestarts":0' in line for line in figures(ada)[-1:]), figures(ada)[-1:]
        end(ada, ben)


def test_a_changed_address_is_followed_and_no_message_is_lost():
    """The only address goes and another comes: the machine has moved to another network."""
    with own_network(), moving_address() as move, Server() as server:
        guests = [linnet("join", server.url, "--interface", "moving", "--stats", "json", "--chat", "--name", name, "--video", "test")
                  for name in ("ada", "ben")]
        with guests[0] as ada, guests[1] as ben:
            talk(ada, ben, "before")
            move()
            for number in range(5):
                ada.send(f"meanwhile {number}")
            talk(ada, ben, "after")
            meanwhile = [line for line in heard(ben) if "meanwhile" in line]
            assert len(meanwhile) == 5 and all(f"meanwhile {i}" in line for i, line in enumerate(meanwhile)), meanwhile
            end(ada, ben)


if __name__ == "__main__":
    run_all(globals())
