# SPDX-License-Identifier: Apache-2.0
"""A TURN client of a few lines (tests/programs/turn_client.py), to be run in a namespace:

    relay_client.py SERVER PORT USER PASSWORD REALM PERMITTED

It allocates with DONT-FRAGMENT and says its relayed address; then it sends to whoever spoke to it, as the lines that it
reads want it ({"send": bytes, "whole": true or false}), and says what comes: lengths of data, and ICMP."""
import json
import os
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs"))

from turn_client import ALLOCATE, Client, address_of, attribute, parse, permit  # noqa: E402

DONT_FRAGMENT, ICMP = 0x1A, 0x8004


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    server, port, user, password, realm, permitted = sys.argv[1:]
    client = Client(int(port), user, password, realm, server)
    client.socket.settimeout(None)
    code, answer = client.request(ALLOCATE, attribute(0x19, b"\x11\0\0\0"), attribute(DONT_FRAGMENT, b""))
    assert code == 0, code
    assert permit(client, (permitted, 0)) == 0
    say(relayed=address_of(answer[0x16]))
    peer = None

    def send():
        for line in sys.stdin:
            order = json.loads(line)
            client.send(peer, bytes(order["send"]), *([attribute(DONT_FRAGMENT, b"")] if order["whole"] else []))
        os._exit(0)

    while True:
        _, came = parse(client.socket.recv(65536))
        about = address_of(came[0x12])
        if ICMP in came:
            kind, code, mtu = struct.unpack("!xxBBI", came[ICMP])
            say(icmp=[kind, code, mtu], right=about == peer)
        elif peer is None:
            peer = about
            threading.Thread(target=send, daemon=True).start()
            say(peer=peer)
        else:
            say(data=len(came[0x13]))


main()
