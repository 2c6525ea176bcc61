# SPDX-License-Identifier: Apache-2.0
"""The diagonal and the hard rows of test_pairs.py with Chromium at one side, offering and answering."""
import threading

from test_pairs import expected
from world import KINDS, SERVERS, Call, Chromium, Peer, expect_path

# The diagonal, and each kind with the symmetric one, both ways round.
PAIRS = sorted({(kind, kind) for kind in KINDS} | {(kind, "symmetric") for kind in KINDS} | {("symmetric", kind) for kind in KINDS})
PATIENCE = 60  # a busy machine starts browsers slowly
two_at_a_time = threading.Semaphore(2)
times = {}


def check_in_turn(*arguments):
    with two_at_a_time:
        check(*arguments)


def check(world, chromium_at, linnet_at, offers):
    browser = world.browser(world.at(chromium_at, "c"))
    client = world.at(linnet_at, "d")
    ada, ben = (("--offer", "--data", "chat", *SERVERS), ("--answer", "--echo", *SERVERS))
    if offers:
        call = Call(Chromium(browser, *ada), Peer(client, *ben), wait=PATIENCE)
    else:
        call = Call(Peer(client, *ada), Chromium(browser, *ben), wait=PATIENCE)
    with call:
        call.echo()
        expect_path(call, expected(chromium_at, linnet_at))
        times[chromium_at, linnet_at, offers] = call.seconds


def tests(world):
    def test_of(chromium_at, linnet_at, offers):
        return lambda: check_in_turn(world, chromium_at, linnet_at, offers)

    return {f"test_chromium_{at}_with_{other}": test_of(at, other, i % 2 == 0)
            for i, (at, other) in enumerate(PAIRS)}


def report():
    for (at, other, offers), seconds in sorted(times.items()):
        print(f"chromium {at} with linnet {other}, {'chromium' if offers else 'linnet'} offering: {seconds * 1000:.0f} ms")
