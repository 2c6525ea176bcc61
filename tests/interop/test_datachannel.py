#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libdatachannel (node-datachannel from npm: `npm ci --ignore-scripts` in this folder) at the other end of
`linnet peer`: data in both roles."""
import json
import os
import shutil
import subprocess
import tempfile

from cases import bulk, close_from_both_sides, converse, in_pieces, too_large
from lossy import LossyPath
from support import LINNET, ROOT, Lines, Pair, peer, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 262144


def pair_of(offers, *ours, path=None):
    """libdatachannel and linnet connected; `offers` says whether libdatachannel begins."""
    other = Lines("node", os.path.join(HERE, "datachannel", "peer.mjs"), *(["--offer", "--data"] if offers else []))
    return Pair(peer(*(["--answer"] if offers else ["--offer", "--data", "chat"]), *ours), other, path)


def test_datachannel_offers_data():
    with pair_of(True) as pair:
        converse(pair, LARGEST)


def test_datachannel_answers_data():
    with pair_of(False) as pair:
        converse(pair, LARGEST)


def test_datachannel_gives_our_sctp_init_back_and_we_shake_hands():
    """It repeats attributes that it does not know in its answer: that is no INIT of its own (SNAP)."""
    with pair_of(False, "--snap") as pair:
        converse(pair, LARGEST)
        (offer,) = [m["sdp"] for m in pair.signalled[pair.linnet] if m.get("type") == "offer"]
        (answer,) = [m["sdp"] for m in pair.signalled[pair.other] if m.get("type") == "answer"]
        (init,) = [line for line in offer.splitlines() if line.startswith("a=sctp-init:")]
        assert init in answer.splitlines(), answer


def test_datachannel_without_trickle():
    """Over a path that takes a few milliseconds: libdatachannel keeps the fingerprint of an answer only after ICE and
    DTLS know of it, and refuses our certificate ("unknown CA") when the whole handshake is done by then."""
    for offers in (True, False):
        with pair_of(offers, "--no-trickle", path=LossyPath(0, delay_s=0.01)) as pair:
            converse(pair, 1000)


def test_datachannel_takes_the_largest_and_we_refuse_more():
    with pair_of(False) as pair:
        too_large(pair, LARGEST)


def test_datachannel_takes_a_message_in_pieces():
    for offers in (True, False):
        with pair_of(offers, "--parts") as pair:
            in_pieces(pair, LARGEST)


def test_datachannel_and_linnet_carry_bulk_both_ways_with_loss():
    with pair_of(False) as pair:
        bulk(pair)


def test_datachannel_offers_and_channels_close():
    with pair_of(True) as pair:
        close_from_both_sides(pair)


def test_datachannel_answers_and_channels_close():
    with pair_of(False) as pair:
        close_from_both_sides(pair)


def test_bench_measures_us_with_it_at_the_other_end():
    """The figures are not judged here: the machine is busy with other tests."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("run", "far.mjs", "datachannel/bench.mjs"):
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, "bench/peers", name), os.path.join(folder, name))
        os.symlink(os.path.join(HERE, "node_modules"), os.path.join(folder, "datachannel/node_modules"))
        ran = subprocess.run([LINNET, "bench", "mixed", "--runs", "1", "--seconds", "1", "--json"], env={**os.environ, "LINNET_BENCH_PEERS": folder},
                             stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    rows = json.loads(ran.stdout)["rows"]
    assert [(row["stack"], row["direction"]) for row in rows] == [("linnet and datachannel", "forth"), ("linnet and datachannel", "back")], rows
    for row in rows:
        for member in ("mb_per_s", "own_cpu_s_per_gib", "far_cpu_s_per_gib"):
            assert row[member] > 0, row


if __name__ == "__main__":
    run_all(globals())
