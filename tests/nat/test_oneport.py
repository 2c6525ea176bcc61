# SPDX-License-Identifier: Apache-2.0
"""Two clients that are let out to TCP port 443 and nowhere else, or to an HTTP proxy and nowhere else, meet in a room:
page, signalling and relay are at one port of `linnet serve --one-port`, and nothing but its address is given."""
import os
import subprocess
import time

from support import LINNET, SECONDS, Program, write
from world import OWN_TURN_2

URL = f"https://{OWN_TURN_2}/"
PROXY_PORT = 3128
# What a client behind a proxy may do: talk to it.
PROXY_ALONE = """
table inet alone {{
    chain output {{
        type filter hook output priority 0; policy drop;
        oifname "lo" accept
        ip daddr {proxy} tcp dport {port} accept
        meta l4proto tcp reject with tcp reset
    }}
}}
"""
times = {}


def serve(world):
    config = write(os.path.join(world.folder.name, "oneport.yaml"),
                   f"turn:\n  secrets: [north]\n  relay: [{OWN_TURN_2}]\n  allow_peers: [203.0.113.0/24]\n")
    server = Program(*world.own_turn.command(
        LINNET, "serve", "--one-port", "--listen", f"{OWN_TURN_2}:443", "--tls-cert", world.certificate, "--tls-key", world.key,
        "--config", config))
    server.expect("Ctrl-C ends it")
    return server


def join(client, name, *arguments):
    return Program(*client.command(LINNET, "join", URL, "--insecure", "--stats", "json", "--name", name, "--chat", *arguments))


def meet(name, ada_client, ben_client, *arguments):
    """Both are in the room, connected, and what one says the other hears."""
    begin = time.monotonic()
    with join(ada_client, "ada", *arguments) as ada:
        ada.expect_json(lambda m: m.get("state") == "joined")
        with join(ben_client, "ben", *arguments) as ben:
            ben.expect_json(lambda m: m["event"] == "figures" and m["state"] == "connected", 2 * SECONDS)
            times[name] = time.monotonic() - begin
            ben.send(f"hello from {name}\n")
            assert ada.expect_json(lambda m: m["event"] == "message")["text"] == f"hello from {name}"


def page(client):
    """What a browser would load first."""
    return subprocess.run(client.command("openssl", "s_client", "-quiet", "-connect", f"{OWN_TURN_2}:443"),
                          input=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", capture_output=True,
                          timeout=SECONDS, check=False).stdout


def by_port_443(world):
    with serve(world) as server:
        clients = [world.at("only_443", f"oneport-{side}") for side in ("ada", "ben")]
        assert b"<title>" in page(clients[0]), server
        meet("only port 443", *clients)


def by_proxy(world):
    with serve(world) as server:
        proxy = world.at("none", "oneport-proxy")
        config = write(os.path.join(world.folder.name, "proxy.conf"), f"Port {PROXY_PORT}\nTimeout 60\nLogLevel Info\n")
        address = proxy.public
        with Program(*proxy.command("tinyproxy", "-d", "-c", config)) as running:
            running.expect("Starting main loop")
            clients = [world.at("none", f"oneport-proxied-{side}") for side in ("ada", "ben")]
            for client in clients:
                client.host.nft(PROXY_ALONE.format(proxy=address, port=PROXY_PORT))
            assert page(clients[0]) == b"", "there is no other way out"
            meet("only a proxy", *clients, "--proxy", f"http://{address}:{PROXY_PORT}")
            assert running.text().count(f"CONNECT {OWN_TURN_2}:443") >= 4, running
        assert server.process.poll() is None


def both(world):
    by_port_443(world)
    by_proxy(world)


def tests(world):
    return {"test_oneport_by_port_443_alone_and_by_a_proxy_alone": lambda: both(world)}


def report():
    for name, seconds in times.items():
        print(f"{name}: in the room and connected after {seconds * 1000:.0f} ms")
