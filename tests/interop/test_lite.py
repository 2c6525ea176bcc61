#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`linnet peer --ice-lite`, which sends no check, with full agents of other hands: Pion, aiortc, GStreamer (libnice),
@roamhq/wrtc (libwebrtc) and our own, each offering and answering. What the others send keeps consent: after half a
minute without any, nothing would come back."""
import contextlib
import time

from cases import converse
from relays import passes
from support import Pair, pair_of, peer, run_all, stats_of
from test_aiortc import aiortc
from test_gst import gst
from test_pion import pion
from test_wrtc import wrtc

LONG_S = 35  # longer than consent lasts (RFC 7675, 5.1)


def checked(pair):
    """That we are lite and said so; that all checks were theirs and were answered; who controls."""
    stats = pair.stats()
    assert "\r\na=ice-lite\r\n" in pair.descriptions(pair.linnet)[0]["sdp"]
    assert stats_of(stats, "transport")[0]["iceRole"] == "controlled", stats_of(stats, "transport")
    used = stats_of(stats, "candidate-pair", nominated=True)
    assert used and all(p["requestsSent"] == 0 for p in stats_of(stats, "candidate-pair")), used
    assert used[0]["requestsReceived"] > 0 and used[0]["responsesSent"] > 0, used
    assert {c["candidateType"] for c in stats_of(stats, "local-candidate")} == {"host"}


def echoed(pair, text):
    pair.linnet.send({"channel": "chat", "data": text})
    pair.wait(pair.linnet, lambda m: m.get("data") == text)


def with_media(start, offers, hertz):
    with pair_of(start, offers, ours=["--ice-lite"], media=True) as pair:
        passes(pair, hertz)
        checked(pair)


def test_all_keep_the_consent_of_a_lite_one():
    """Nothing is said for longer than consent lasts; then both ways work as before."""
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(pair_of(start, False, ours=["--ice-lite"])) for start in (pion, aiortc, gst, wrtc)]
        for pair in pairs:
            pair.opened(pair.linnet)
            echoed(pair, "before")
        time.sleep(LONG_S)
        for pair in pairs:
            echoed(pair, "after")
            checked(pair)


def test_pion_offers_to_a_lite_one():
    with_media(pion, True, 440)


def test_pion_answers_a_lite_one():
    with_media(pion, False, 440)


def test_aiortc_offers_to_a_lite_one():
    with_media(aiortc, True, 660)


def test_aiortc_answers_a_lite_one():
    with_media(aiortc, False, 660)


def test_gst_offers_to_a_lite_one():
    with_media(gst, True, 660)


def test_gst_answers_a_lite_one():
    with_media(gst, False, 660)


def test_wrtc_offers_to_a_lite_one():
    with_media(wrtc, True, 660)


def test_wrtc_answers_a_lite_one():
    with_media(wrtc, False, 660)



def test_linnet_and_a_lite_one():
    for lite in (["--ice-lite"], []), ([], ["--ice-lite"]), (["--ice-lite"], ["--ice-lite"]):
        ours, theirs = lite
        with Pair(peer("--offer", "--data", "chat", *ours), peer("--answer", "--echo", *theirs)) as pair:
            converse(pair)


if __name__ == "__main__":
    run_all(globals())
