# SPDX-License-Identifier: Apache-2.0
"""A relay's peer stands behind a router whose link to him takes 1300 bytes. What is to stay whole (DONT-FRAGMENT) and
is too large for that link, or for the server's own, does not arrive, and the client learns how much would; what may be
cut arrives. When the peer has gone, the client learns that nobody listens there."""
import os

from support import Program
from world import OWN_TURN, PASSWORD, USER

HERE = os.path.dirname(os.path.abspath(__file__))
NARROW, WIDE, HEADERS = 1300, 1500, 28  # of IPv4 and UDP
PEER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
while True:
    data, source = s.recvfrom(65536)
    print(len(data), flush=True)
    s.sendto(data[:100], source)
"""


def send(client, size, whole):
    client.send({"send": size, "whole": whole})


def arrives(client, peer, size, whole):
    send(client, size, whole)
    peer.expect(rf"^{size}$")
    client.expect_json(lambda m: m.get("data") == min(size, 100))


def icmp(client, *expected):
    found = client.expect_json(lambda m: "icmp" in m)
    assert found["icmp"] == list(expected) and found["right"], (found, expected)


def check(world):
    near, far = world.at("none", "relay-path"), world.at("port_cone", "relay-path")
    far.nats[0].ip(f"link set lan mtu {NARROW}")
    with Program(*near.command("python3", os.path.join(HERE, "relay_client.py"), OWN_TURN, "3478", USER, PASSWORD,
                               "linnet", far.public)) as client:
        relayed = client.expect_json(lambda m: "relayed" in m)["relayed"]
        with Program(*far.command("python3", "-c", PEER, *map(str, relayed))) as peer:
            client.expect_json(lambda m: "peer" in m)
            arrives(client, peer, NARROW - HEADERS, True)
            send(client, NARROW - HEADERS + 1, True)
            icmp(client, 3, 4, NARROW)  # the router's word
            send(client, WIDE - HEADERS, True)
            icmp(client, 3, 4, NARROW)
            send(client, WIDE - HEADERS + 1, True)
            icmp(client, 3, 4, WIDE)  # the server's own link's
            arrives(client, peer, WIDE - HEADERS + 1, False)
            arrives(client, peer, WIDE - HEADERS, False)
            arrives(client, peer, NARROW - HEADERS, True)
        send(client, 100, False)
        icmp(client, 3, 3, 0)


def tests(world):
    return {"test_a_relays_client_learns_how_much_the_path_to_its_peer_takes": lambda: check(world)}
