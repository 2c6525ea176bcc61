#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pion (package golang-github-pion-webrtc.v3-dev) at the other end of `linnet peer`, with trickled
candidates. It sends our packets back to us: our own picture numbers and our own tone return."""
import contextlib
import fcntl
import filecmp
import os
import shutil
import subprocess
from functools import partial

import support
from cases import bulk, channel_kinds, close_from_both_sides, converse, in_pieces, renegotiate
from support import Lines, has_picture, has_tone, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = None
LARGEST = 65535  # Pion reads no larger messages


def build(cache, source):
    """Unless it was built of the same sources."""
    program, files = os.path.join(cache, "pionpeer"), ["main.go", "go.mod"]
    if os.path.exists(program) and filecmp.cmpfiles(os.path.join(HERE, "pion"), source, files, shallow=False)[0] == files:
        return
    with contextlib.suppress(FileNotFoundError):
        os.remove(program)  # nothing old is left if this does not build
    for name in files:
        shutil.copyfile(os.path.join(HERE, "pion", name), os.path.join(source, name))
    environment = dict(os.environ, GO111MODULE="off", GOPATH=f"{cache}:/usr/share/gocode",
                       GOCACHE=os.path.join(cache, "cache"), GOFLAGS="")
    subprocess.run(["go", "build", "-o", program, "."], cwd=source, env=environment, check=True)


def pion(*options):
    """Builds the Pion peer once (from Debian's sources, offline) and starts it. Of several test programs at a time
    one builds, and the others wait."""
    global BUILT
    if BUILT is None:
        cache = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build-pion")
        source = os.path.join(cache, "src", "pionpeer")
        os.makedirs(source, exist_ok=True)
        with open(os.path.join(cache, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            build(cache, source)
        BUILT = os.path.join(cache, "pionpeer")
    return Lines(BUILT, *options)


pair_of = partial(support.pair_of, pion)


def tracks(pair):
    pair.other.send({"cmd": "tracks"})
    return pair.wait(pair.other, lambda m: "tracks" in m)["tracks"]


def test_pion_and_linnet_carry_bulk_both_ways_with_loss():
    with pair_of(False) as pair:
        bulk(pair)


def test_pion_offers_data():
    with pair_of(True) as pair:
        converse(pair, LARGEST)


def test_pion_answers_data():
    with pair_of(False) as pair:
        converse(pair, LARGEST)


def test_pion_without_trickle():
    with pair_of(True, ours=["--no-trickle"]) as pair:
        converse(pair, 1000)


def test_pion_offers_with_an_rsa_certificate():
    with pair_of(True, "--rsa") as pair:
        converse(pair, 1000)


def test_pion_answers_with_an_rsa_certificate():
    with pair_of(False, "--rsa") as pair:
        converse(pair, 1000)


def test_pion_takes_a_message_in_pieces():
    with pair_of(True, ours=["--parts"]) as pair:
        in_pieces(pair, LARGEST)


def test_pion_offers_and_channels_close():
    with pair_of(True) as pair:
        close_from_both_sides(pair)


def test_pion_answers_and_channels_close():
    with pair_of(False) as pair:
        close_from_both_sides(pair)


def test_pion_offers_unreliable_channels():
    with pair_of(True) as pair:
        channel_kinds(pair)


def test_pion_answers_unreliable_channels():
    with pair_of(False) as pair:
        channel_kinds(pair)


def media(offers):
    with pair_of(offers, media=True) as pair:
        pair.until(has_picture, lambda s: has_tone(s, 440))
        seen = tracks(pair)
        assert seen["video"]["codec"] == "video/VP8" and seen["audio"]["codec"] == "audio/opus", seen
        assert seen["video"]["missing"] == 0 and seen["audio"]["missing"] == 0, seen
        pair.other.send({"cmd": "pli"})
        pair.until(lambda _: tracks(pair)["video"]["keyFrames"] > seen["video"]["keyFrames"])


def test_pion_offers_media():
    media(True)


def test_pion_answers_media():
    media(False)


def test_pion_offers_and_we_restart_ice():
    with pair_of(True, media=True) as pair:
        renegotiate(pair, pair.linnet, "restart")


def test_pion_answers_and_we_restart_ice():
    with pair_of(False, media=True) as pair:
        renegotiate(pair, pair.linnet, "restart")


def test_pion_restarts_ice():
    with pair_of(False, media=True) as pair:
        renegotiate(pair, pair.other, "restart")


def test_pion_offers_and_we_offer_again():
    with pair_of(True, media=True) as pair:
        renegotiate(pair, pair.linnet, "offer")


def test_pion_offers_again():
    with pair_of(True, media=True) as pair:
        renegotiate(pair, pair.other, "offer")


def over_tcp(offers, ours=("--ice-tcp",)):
    """Our active candidate with Pion's passive one (RFC 6544): it offers nothing else."""
    with pair_of(offers, "--tcp", ours=ours, media=True) as pair:
        converse(pair, LARGEST)
        pair.until(has_picture, lambda s: has_tone(s, 440))
        candidates = {s["id"]: s for s in pair.stats() if s["type"] in ("local-candidate", "remote-candidate")}
        transport = next(s for s in pair.stats() if s["type"] == "transport")
        chosen = next(s for s in pair.stats() if s["id"] == transport["selectedCandidatePairId"])
        ends = [candidates[chosen[end]] for end in ("localCandidateId", "remoteCandidateId")]
        assert [(end["protocol"], end["tcpType"]) for end in ends] == [("tcp", "active"), ("tcp", "passive")], ends


def test_pion_offers_over_tcp():
    over_tcp(True)


def test_pion_answers_over_tcp():
    over_tcp(False)


def test_pion_on_a_shared_port():
    for offers in (True, False):
        with pair_of(offers, ours=["--udp-port", "0"]) as pair:
            converse(pair, 10000)


def test_pion_on_a_shared_tcp_port():
    over_tcp(True, ["--udp-port", "0", "--tcp-port", "0"])


if __name__ == "__main__":
    run_all(globals())
