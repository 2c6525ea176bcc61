#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc (package python3-aiortc) at the other end of `linnet peer`. Both ends number their pictures and
read the other's; both listen to the other's tone."""
import os
from functools import partial

import support
from cases import (
    both_ways, bulk, channel_kinds, close_from_both_sides, converse, hears_660, renegotiate, repaired,
    they_send, too_large, we_send,
)
from lossy import LossyPath
from support import Lines, has_picture, run_all, stats_of

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 65536
aiortc = partial(Lines, "/usr/bin/python3", os.path.join(HERE, "aiortc_peer.py"))
pair_of = partial(support.pair_of, aiortc)


def test_aiortc_and_linnet_carry_bulk_both_ways_with_loss():
    with pair_of(False) as pair:
        bulk(pair)


def test_aiortc_offers_data():
    with pair_of(True) as pair:
        converse(pair, LARGEST)


def test_aiortc_answers_data():
    with pair_of(False) as pair:
        converse(pair, LARGEST)


def test_aiortc_without_trickle():
    for offers in (True, False):
        with pair_of(offers, ours=["--no-trickle"]) as pair:
            converse(pair, 1000)


def test_aiortc_offers_and_channels_close():
    with pair_of(True) as pair:
        close_from_both_sides(pair)


def test_aiortc_answers_and_channels_close():
    with pair_of(False) as pair:
        close_from_both_sides(pair)


def test_aiortc_offers_unreliable_channels():
    with pair_of(True) as pair:
        channel_kinds(pair)


def test_aiortc_answers_unreliable_channels():
    with pair_of(False) as pair:
        channel_kinds(pair)


def media(offers, *more, codec="audio/opus"):
    with pair_of(offers, *more, media=True) as pair:
        seen = both_ways(pair)
        assert seen["video"]["monotone"]
        stats = pair.stats()
        assert stats_of(stats, "codec", mimeType=codec) and stats_of(stats, "codec", mimeType="video/VP8"), stats
        converse(pair, 1000)


def test_aiortc_offers_media():
    media(True)


def test_aiortc_answers_media():
    media(False)


def test_aiortc_offers_pcmu():
    media(True, "--pcmu", codec="audio/PCMU")


def test_aiortc_answers_pcmu():
    media(False, "--pcmu", codec="audio/PCMU")


def test_aiortc_offers_and_we_offer_again():
    with pair_of(True, media=True) as pair:
        renegotiate(pair, pair.linnet, "offer", has_picture, hears_660)


def test_aiortc_takes_the_largest_and_we_refuse_more():
    with pair_of(False) as pair:
        too_large(pair, LARGEST)


def test_aiortc_offers_media_and_we_listen():
    with pair_of(True, "--media", data=False) as pair:
        they_send(pair)


def test_aiortc_answers_media_and_we_listen():
    with pair_of(False, "--media", ours=["--video", "recv", "--audio", "recv"], data=False) as pair:
        they_send(pair)


def test_aiortc_answers_and_listens():
    with pair_of(False, ours=["--video", "test", "--audio", "tone"], data=False) as pair:
        we_send(pair)


def test_aiortc_offers_over_a_lossy_path():
    with pair_of(True, data=False, media=True, path=LossyPath(0.03)) as pair:
        repaired(pair)


def test_aiortc_answers_over_a_lossy_path():
    with pair_of(False, data=False, media=True, path=LossyPath(0.03)) as pair:
        repaired(pair)


if __name__ == "__main__":
    run_all(globals())
