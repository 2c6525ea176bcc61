# SPDX-License-Identifier: Apache-2.0
"""Cases that every peer which speaks our JSON lines goes through, over a Pair from support. The other
end echoes what it hears on data channels."""
import base64
import os
import re
import subprocess
import time

from support import has_picture, has_tone, stats_of


def encode(data):
    return base64.b64encode(data).decode()


def converse(pair, largest=0):
    """Text and bytes on the channel "chat", there and back: small ones and the largest allowed."""
    pair.opened(pair.linnet)
    for text in ("grüße", "x" * 5000):
        pair.linnet.send({"channel": "chat", "data": text})
        pair.wait(pair.linnet, lambda m: m.get("data") == text)
    sizes = {1, 1200, 51200 if largest >= 51200 else 1000, largest or 1}
    for size in sorted(sizes):
        blob = encode((bytes(range(256)) * (size // 256 + 1))[:size])
        pair.linnet.send({"channel": "chat", "data64": blob})
        pair.wait(pair.linnet, lambda m: m.get("data64") == blob)


BULK_BYTES = int(os.environ.get("LINNET_BULK_BYTES", 8 << 20))
BULK_MESSAGE = 60000
BULK_SLOWEST = 100000  # bytes a second, of the slowest stack on a busy machine
LOSS = """
table inet lossy {
    chain input {
        type filter hook input priority 0
        meta l4proto udp numgen random mod 1000 < %d drop
    }
}
"""


def bulk(pair, most=None, per_mille=5):
    """LINNET_BULK_BYTES each way, or so many at most, with losses: both ends come to the same SHA-256."""
    size = min(BULK_BYTES, most or BULK_BYTES)
    assert "LINNET_NETNS" in os.environ, "losses are made in a namespace of its own (tests/support/netns)"
    pair.opened(pair.linnet)
    subprocess.run(("nft", "-f", "-"), input=LOSS % per_mille, text=True, check=True)
    try:
        for source, target in ((pair.linnet, pair.other), (pair.other, pair.linnet)):
            target.send({"channel": "chat", "sum": size})
            pair.wait(target, lambda m: m.get("summing") == size)
            begin = time.monotonic()
            source.send({"channel": "chat", "bulk": size, "size": BULK_MESSAGE})
            received = pair.wait(target, lambda m: "received" in m, 60 + size / BULK_SLOWEST)
            seconds = time.monotonic() - begin
            sent = pair.wait(source, lambda m: "sent" in m)
            assert received["received"] == sent["sent"] == size, (sent, received)
            assert (received["messages"], received["sha256"]) == (sent["messages"], sent["sha256"]), (sent, received)
            print(f"{size >> 20} MiB {'to' if source is pair.linnet else 'from'} the other end: {size / seconds / 1e6:.1f} MB/s")
    finally:
        subprocess.run(("nft", "delete", "table", "inet", "lossy"), check=True)


def too_large(pair, limit):
    """A message above what the other end takes is refused with a sentence, and the channel stays."""
    pair.opened(pair.linnet)
    for size in (limit + 1, limit):
        pair.linnet.send({"channel": "chat", "data64": encode(bytes(size))})
    answer = pair.wait(pair.linnet, lambda m: "data64" in m)
    assert len(base64.b64decode(answer["data64"])) == limit, len(answer["data64"])


def in_pieces(pair, largest):
    """A message that we write in pieces, which they see whole and send back, and we take in parts (--parts); one given
    up in its middle, which they never see; one above what they take, which is refused, and the channel stays."""
    pair.opened(pair.linnet)
    blob = (bytes(range(256)) * (largest // 256 + 1))[:largest]
    step = largest // 7

    def piece(at, more):
        pair.linnet.send({"channel": "chat", "data64": encode(blob[at:at + step]), "more": more})

    for at in range(0, largest, step):
        piece(at, at + step < largest)
    for at in range(0, largest // 2, step):
        piece(at, True)
    pair.linnet.send({"channel": "chat", "state": "abandoned"})
    for at in [0] * 9:
        piece(at, True)
    pair.linnet.send({"channel": "chat", "state": "abandoned"})
    pair.linnet.send({"channel": "chat", "data": "behind them"})
    for expected in (blob, b"behind them"):
        back = b""
        more = True
        while more:
            part = pair.wait(pair.linnet, lambda m: "message" in m)
            back += base64.b64decode(part["data64"])
            more = part["more"]
        assert back == expected, (len(back), len(expected))


def they_send(pair):
    """The other end sends, we only listen."""
    pair.until(has_picture, hears_660)
    assert not stats_of(pair.stats(), "outbound-rtp")


def we_send(pair):
    """We send, the other end only listens."""
    they_see_us(pair)
    assert not stats_of(pair.stats(), "inbound-rtp")


def close_from_both_sides(pair):
    """A channel that either side closes ends at both; others stay, and the same label opens again."""
    pair.opened(pair.linnet)
    for closer, witness in ((pair.linnet, pair.other), (pair.other, pair.linnet)):
        for opener in (pair.linnet, pair.other):
            opener.send({"channel": "short", "state": "open"})
            pair.opened(pair.linnet, "short")
            pair.opened(pair.other, "short")
            pair.linnet.send({"channel": "short", "data": "hello"})
            pair.wait(pair.linnet, lambda m: m.get("channel") == "short" and m.get("data") == "hello")
            closer.send({"channel": "short", "state": "closed"})
            pair.closed(witness, "short")
            pair.closed(closer, "short")
    pair.linnet.send({"channel": "chat", "data": "still here"})
    pair.wait(pair.linnet, lambda m: m.get("data") == "still here")


KINDS = {
    "unordered": {"ordered": False},
    "once": {"ordered": False, "maxRetransmits": 0},
    "thrice": {"maxRetransmits": 3, "protocol": "counting"},
    "timely": {"ordered": False, "maxPacketLifeTime": 500},
}


def channel_kinds(pair, kinds=KINDS):
    """Channels with every kind of reliability, opened by either side: the other side sees the same,
    and messages pass."""
    pair.opened(pair.linnet)
    for opener, witness, suffix in ((pair.linnet, pair.other, "-ours"), (pair.other, pair.linnet, "-theirs")):
        for name, members in kinds.items():
            label = name + suffix
            opener.send({"channel": label, "state": "open", **members})
            seen = pair.opened(witness, label)
            pair.opened(opener, label)
            for key, value in {"ordered": True, "protocol": "", **members}.items():
                assert seen.get(key) == value, (seen, members)
            for i in range(20):
                pair.linnet.send({"channel": label, "data": f"{label} {i}"})
                pair.wait(pair.linnet, lambda m: m.get("data") == f"{label} {i}")


def fragment(sdp):
    return re.search(r"a=ice-ufrag:(\S+)", sdp).group(1)


def renegotiate(pair, offerer, command, *wishes):
    """A second offer in mid-call, which restarts ICE when it is asked to: the call goes on."""
    wishes = wishes or (has_picture, lambda s: has_tone(s, 440))
    stats = pair.until(*wishes)
    before = has_picture(stats)["numbersRead"]
    pair.opened(pair.linnet)
    first = {p: pair.descriptions(p)[-1] for p in (pair.linnet, pair.other)}
    offerer.send({"cmd": command})
    for party in first:
        pair.described(party, 2)
    for party, description in first.items():
        restarted = fragment(description["sdp"]) != fragment(pair.descriptions(party)[-1]["sdp"])
        assert restarted == (command == "restart"), description
    pair.until(*wishes, lambda s: has_picture(s)["numbersRead"] > before + 60)
    pair.linnet.send({"channel": "chat", "data": "after"})
    pair.wait(pair.linnet, lambda m: m.get("data") == "after")
    pairs = [s for s in pair.stats() if s["type"] == "transport"]
    assert pairs and pairs[0]["dtlsState"] == "connected", pairs


def hears_660(stats):
    return has_tone(stats, 660)


def they_see_us(pair):
    """The other end reads our numbers and hears our tone of 440 Hz. Gives what it says."""
    tracks = {}

    def seen(_):
        pair.other.send({"cmd": "tracks"})
        tracks.update(pair.wait(pair.other, lambda m: "tracks" in m)["tracks"])
        return tracks.get("video", {}).get("read", 0) >= 30 and abs(tracks.get("audio", {}).get("hertz", 0) - 440) <= 5

    pair.until(seen)
    video = tracks["video"]
    assert video["disordered"] == 0 and video["read"] >= 0.9 * video["frames"], video
    assert video["width"] <= 640 and video["width"] * 3 == video["height"] * 4, video
    return tracks


def both_ways(pair):
    """Each end reads the other's numbers and hears the other's tone: ours 440 Hz, theirs 660."""
    pair.until(has_picture, hears_660)
    return they_see_us(pair)


def repaired(pair):
    """On a path that loses three in a hundred, pictures still come whole, in order, both ways, because
    each end asks again and the other answers."""
    pair.until(has_picture)
    pair.path.start()
    pair.until(lambda s: has_picture(s, 150),
               lambda s: all(stats_of(s, "inbound-rtp", kind="video")[0][k] > 0
                             for k in ("nackCount", "retransmittedPacketsReceived")),
               lambda s: stats_of(s, "outbound-rtp", kind="video")[0]["retransmittedPacketsSent"] > 0)
    they_see_us(pair)
    assert pair.path.dropped > 0
