#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libwebrtc (@roamhq/wrtc from npm: `npm ci --ignore-scripts` in this folder) at the other end of
`linnet peer`. Both ends number their pictures and read the other's; both listen to the other's tone."""
import os
from functools import partial

import support
from cases import (
    both_ways, channel_kinds, close_from_both_sides, converse, hears_660, renegotiate, repaired,
    they_send, too_large, we_send,
)
from lossy import LossyPath
from support import Lines, has_picture, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 262144
wrtc = partial(Lines, "node", os.path.join(HERE, "wrtc", "peer.mjs"))
pair_of = partial(support.pair_of, wrtc)


def test_wrtc_offers_data():
    with pair_of(True) as pair:
        converse(pair, LARGEST)


def test_wrtc_answers_data():
    with pair_of(False) as pair:
        converse(pair, LARGEST)


def test_wrtc_offers_without_trickle():
    with pair_of(True, "--no-trickle", ours=["--no-trickle"]) as pair:
        converse(pair, 1000)


def test_wrtc_answers_without_trickle():
    with pair_of(False, "--no-trickle", ours=["--no-trickle"]) as pair:
        converse(pair, 1000)


def test_wrtc_offers_and_channels_close():
    with pair_of(True) as pair:
        close_from_both_sides(pair)


def test_wrtc_answers_and_channels_close():
    with pair_of(False) as pair:
        close_from_both_sides(pair)


def test_wrtc_offers_unreliable_channels():
    with pair_of(True) as pair:
        channel_kinds(pair)


def test_wrtc_answers_unreliable_channels():
    with pair_of(False) as pair:
        channel_kinds(pair)


def test_wrtc_offers_media():
    with pair_of(True, media=True) as pair:
        both_ways(pair)


def test_wrtc_answers_media():
    with pair_of(False, media=True) as pair:
        both_ways(pair)


def test_wrtc_offers_and_we_restart_ice():
    with pair_of(True, media=True) as pair:
        renegotiate(pair, pair.linnet, "restart", has_picture, hears_660)


def test_wrtc_restarts_ice():
    with pair_of(False, media=True) as pair:
        renegotiate(pair, pair.other, "restart", has_picture, hears_660)


def test_wrtc_answers_and_offers_again():
    with pair_of(False, media=True) as pair:
        renegotiate(pair, pair.other, "offer", has_picture, hears_660)


def test_wrtc_takes_the_largest_and_we_refuse_more():
    with pair_of(False) as pair:
        too_large(pair, LARGEST)


def test_wrtc_offers_media_and_we_listen():
    with pair_of(True, "--media", data=False) as pair:
        they_send(pair)


def test_wrtc_answers_media_and_we_listen():
    with pair_of(False, "--media", ours=["--video", "recv", "--audio", "recv"], data=False) as pair:
        they_send(pair)


def test_wrtc_answers_and_listens():
    with pair_of(False, ours=["--video", "test", "--audio", "tone"], data=False) as pair:
        we_send(pair)


def test_wrtc_offers_over_a_lossy_path():
    with pair_of(True, data=False, media=True, path=LossyPath(0.03)) as pair:
        repaired(pair)


def test_wrtc_answers_over_a_lossy_path():
    with pair_of(False, data=False, media=True, path=LossyPath(0.03)) as pair:
        repaired(pair)


if __name__ == "__main__":
    run_all(globals())
