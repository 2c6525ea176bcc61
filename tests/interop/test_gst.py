#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GStreamer's webrtcbin (gstreamer1.0-plugins-bad, python3-gst-1.0) at the other end of `linnet peer`.
Both ends number their pictures and read the other's; both listen to the other's tone."""
import os
from functools import partial

import support
from cases import (
    both_ways, channel_kinds, close_from_both_sides, converse, hears_660, renegotiate, they_send,
    too_large, we_send,
)
from support import Lines, has_picture, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 65536
gst = partial(Lines, "/usr/bin/python3", os.path.join(HERE, "gst", "peer.py"))
pair_of = partial(support.pair_of, gst)


def test_gst_offers_data():
    with pair_of(True) as pair:
        converse(pair, LARGEST)


def test_gst_answers_data():
    with pair_of(False) as pair:
        converse(pair, LARGEST)


def test_gst_offers_and_we_do_not_trickle():
    with pair_of(True, ours=["--no-trickle"]) as pair:
        converse(pair, 1000)


def test_gst_offers_and_channels_close():
    with pair_of(True) as pair:
        close_from_both_sides(pair)


def test_gst_answers_and_channels_close():
    with pair_of(False) as pair:
        close_from_both_sides(pair)


def test_gst_offers_unreliable_channels():
    with pair_of(True) as pair:
        channel_kinds(pair)


def test_gst_answers_unreliable_channels():
    with pair_of(False) as pair:
        channel_kinds(pair)


def test_gst_offers_media():
    with pair_of(True, data=False, media=True) as pair:
        both_ways(pair)


def test_gst_answers_media():
    with pair_of(False, data=False, media=True) as pair:
        both_ways(pair)


def test_gst_offers_media_and_data():
    with pair_of(True, media=True) as pair:
        both_ways(pair)
        converse(pair, 1000)


def test_gst_answers_and_we_offer_again():
    with pair_of(False, media=True) as pair:
        renegotiate(pair, pair.linnet, "offer", has_picture, hears_660)


def test_gst_takes_the_largest_and_we_refuse_more():
    with pair_of(False) as pair:
        too_large(pair, LARGEST)


def test_gst_offers_media_and_we_listen():
    with pair_of(True, "--media", data=False) as pair:
        they_send(pair)


def test_gst_answers_media_and_we_listen():
    with pair_of(False, "--media", ours=["--video", "recv", "--audio", "recv"], data=False) as pair:
        they_send(pair)


def test_gst_answers_and_listens():
    with pair_of(False, ours=["--video", "test", "--audio", "tone"], data=False) as pair:
        we_send(pair)


if __name__ == "__main__":
    run_all(globals())
