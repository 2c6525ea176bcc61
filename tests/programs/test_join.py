# SPDX-License-Identifier: Apache-2.0
"""`linnet join` from the outside: rooms of two, chat, snapshots, figures, and every exit code."""
import os
import signal
import struct
import time
import uuid
import zlib

from support import Server, folder, linnet, run_all, sentence, unused_port, write


def join(server, *arguments):
    return linnet("join", server.url, "--loopback", "--stats", "json", *arguments)


def is_figures(message, *members):
    return message["event"] == "figures" and message["state"] == "connected" and all(m in message for m in members)


def sees_and_hears(message):
    if not is_figures(message, "videoIn", "audioIn", "videoOut", "audioOut", "roundTripMs"):
        return False
    video, audio = message["videoIn"], message["audioIn"]
    return video["numbersRead"] >= 30 and video["framesPerSecond"] >= 10 and abs(audio.get("frequencyHz", 0) - 440) < 5


def check_figures(message):
    video, audio = message["videoIn"], message["audioIn"]
    assert (video["width"], video["height"]) == (640, 480) and video["codec"] == "VP8", video
    assert 10 <= video["framesPerSecond"] <= 40 and video["bitsPerSecond"] > 50000, video
    assert video["numbersDisordered"] == 0 and video["keyFrames"] >= 1 and video["packets"] > 30, video
    assert 0 <= video["loss"] < 0.05 and 0 <= audio["loss"] < 0.05, message
    assert audio["codec"] == "opus" and audio["samples"] > 0 and -40 < audio["levelDbov"] <= 0, audio
    assert 0 <= message["roundTripMs"] < 2000 and message["iceRestarts"] == 0, message
    assert message["videoOut"]["frames"] > 30 and message["audioOut"]["frames"] > 30, message


def test_two_joins_see_and_hear_each_other():
    with Server() as server, join(server, "--name", "ada", "--video", "test", "--audio", "tone") as ada:
        ada.expect_json(lambda m: m.get("state") == "joined")
        with join(server, "--name", "ben", "--video", "test", "--audio", "tone") as ben:
            assert ada.expect_json(lambda m: m["event"] == "joined")["participant"]["name"] == "ben"
            for guest, other in ((ada, "ben"), (ben, "ada")):
                figures = guest.expect_json(sees_and_hears)
                assert figures["participant"]["name"] == other, figures
                check_figures(figures)
            ben.signal(signal.SIGINT)
            assert ben.end() == 0 and not ben.left_behind() and ben.text("err") == "", ben
        assert ada.expect_json(lambda m: m["event"] == "left")["participant"]["name"] == "ben"
        ada.signal(signal.SIGTERM)
        assert ada.end() == 0 and not ada.left_behind() and ada.text("err") == "", ada


def test_studio_echoes_what_join_says():
    with Server("--studio") as server, join(server, "--chat", "--name", "eve") as guest:
        guest.expect_json(lambda m: is_figures(m) and m["participant"]["name"] == "studio")
        for text in (uuid.uuid4().hex, "schön: 鳥", "x" * 4000):
            guest.send(text)
            answer = guest.expect_json(lambda m: m["event"] == "message")
            assert answer["participant"]["name"] == "studio" and answer["text"] == text, answer
        guest.process.stdin.write(b"\xff\xfe\n")
        guest.process.stdin.flush()
        guest.expect("the line is not UTF-8", stream="err")
        guest.send("after it")
        assert guest.expect_json(lambda m: m["event"] == "message")["text"] == "after it"
        guest.process.stdin.close()  # it goes on without
        guest.expect_json(lambda m: is_figures(m, "videoIn"))
        guest.signal(signal.SIGINT)
        assert guest.end() == 0, guest


def test_join_writes_lines_for_people():
    with Server("--studio") as server, linnet("join", server.url, "--loopback", "--chat") as guest:
        guest.expect("^studio joined the room$")
        guest.expect(r"^studio +connected .*sees 640x480 [\d.]+ fps \d+ kbit/s loss [\d.]+ % jitter .*rtt [\d.]+ ms")
        guest.send("hello")
        guest.expect("^<studio> hello$")
        guest.send("\x1b[2Jhello")
        guest.expect(lambda line: line == "<studio> ?[2Jhello")
        guest.signal(signal.SIGINT)
        assert guest.end() == 0 and "\x1b" not in guest.text(), guest


def read_png(path):
    """Size and pixel rows of an 8-bit RGB or RGBA PNG; every checksum must be right."""
    with open(path, "rb") as handle:
        data = handle.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, chunks = 8, []
    while at < len(data):
        length, = struct.unpack_from("!I", data, at)
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        assert struct.unpack_from("!I", data, at + 8 + length)[0] == zlib.crc32(kind + body), kind
        chunks.append((kind, body))
        at += 12 + length
    assert at == len(data) and chunks[0][0] == b"IHDR" and chunks[-1] == (b"IEND", b""), [c[0] for c in chunks]
    width, height, depth, colour, *rest = struct.unpack("!IIBBBBB", chunks[0][1])
    assert depth == 8 and colour in (2, 6) and rest == [0, 0, 0], chunks[0]
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    row = 1 + width * (3 if colour == 2 else 4)
    assert len(pixels) == row * height, (len(pixels), row, height)
    return width, height, [pixels[i:i + row] for i in range(0, len(pixels), row)]


def test_join_writes_a_snapshot():
    with folder() as path, Server("--studio") as server:
        picture = f"{path}/seen.png"
        with join(server, "--snapshot", picture) as guest:
            written = guest.expect_json(lambda m: m["event"] == "snapshot")
            assert written["path"] == picture and written["error"] == "", written
            first = read_png(picture)
            assert first[:2] == (640, 480) and all(row[0] <= 4 for row in first[2]), first[:2]
            assert len({bytes(row) for row in first[2]}) > 20, "a picture of one colour"
            frames = guest.expect_json(lambda m: is_figures(m, "videoIn"))["videoIn"]["frames"]
            guest.expect_json(lambda m: is_figures(m, "videoIn") and m["videoIn"]["frames"] > frames)
            guest.signal(signal.SIGINT)
            assert guest.end() == 0, guest
        assert read_png(picture) != first, "it is written again at the end"
        assert os.listdir(path) == ["seen.png"], os.listdir(path)


def test_join_leaves_after_its_duration():
    with Server() as server, join(server, "--duration", "1") as guest:
        guest.expect_json(lambda m: m.get("state") == "joined")
        begin = time.monotonic()
        assert guest.end() == 0 and 0.5 < time.monotonic() - begin < 10, guest
        server.until(lambda m: m["linnet_participants"] == 0)


def test_join_without_a_picture_says_so():
    with folder() as path, Server() as server:
        with join(server, "--snapshot", f"{path}/seen.png", "--duration", "1") as guest:
            assert guest.end() == 1 and "no picture came" in sentence(guest.text("err")), guest
        assert not os.path.exists(f"{path}/seen.png")


def test_join_says_that_the_snapshot_cannot_be_written():
    with folder() as path, Server("--studio") as server:
        with join(server, "--snapshot", f"{path}/no/seen.png") as guest:
            guest.expect_json(lambda m: m["event"] == "snapshot")
            guest.signal(signal.SIGINT)
            assert guest.end() == 1, guest
            assert f"{path}/no/seen.png cannot be written" in sentence(guest.text("err")), guest


def test_join_is_refused_without_the_token():
    with folder() as path:
        file = write(f"{path}/c.yaml", "signal:\n  token: open sesame\n")
        with Server("--config", file) as server:
            for token in ([], ["--token", "wrong"]):
                with join(server, *token) as guest:
                    assert guest.end() == 4 and "could not be joined" in sentence(guest.text("err")), guest
            with join(server, "--token", "open sesame", "--duration", "1") as guest:
                assert guest.end() == 0, guest
            assert server.metrics()['linnet_signal_errors_total{code="not_allowed"}'] == 2


def test_join_is_refused_by_a_full_room():
    with folder() as path:
        file = write(f"{path}/c.yaml", "signal:\n  room_participants: 2\n")
        with Server("--config", file) as server, join(server) as one, join(server) as two:
            for guest in (one, two):
                guest.expect_json(lambda m: m.get("state") == "joined")
            with join(server) as third:
                assert third.end() == 4 and "full" in sentence(third.text("err")), third
            with join(server, "--room", "other", "--duration", "1") as third:
                assert third.end() == 0, third


def test_join_gives_up_a_server_that_is_not_there_after_30_s():
    begin = time.monotonic()
    with linnet("join", f"ws://127.0.0.1:{unused_port()}/ws") as guest:
        assert guest.end(45) == 3 and "could not be reached in 30 s" in sentence(guest.text("err")), guest
        assert time.monotonic() - begin >= 29, guest


def test_join_does_not_trust_a_certificate_made_just_now_30_s():
    with Server(listen="0.0.0.0:0", stun="none") as server, linnet("join", server.url) as guest:
        assert guest.end(45) == 3 and "could not be reached in 30 s" in sentence(guest.text("err")), guest
        assert server.metrics()["linnet_joins_total"] == 0


def test_join_can_be_ended_while_it_waits():
    with linnet("join", f"ws://127.0.0.1:{unused_port()}/ws") as guest:
        guest.expect("connecting")
        guest.signal(signal.SIGINT)
        assert guest.end() == 0 and not guest.left_behind(), guest


def test_join_comes_back_when_the_server_does():
    port = unused_port()
    with Server(listen=f"127.0.0.1:{port}") as server, join(server) as guest:
        guest.expect_json(lambda m: m.get("state") == "joined")
        assert server.stop() == 0, server
        guest.expect_json(lambda m: m.get("event") == "state" and m["state"] != "joined")
        with Server(listen=f"127.0.0.1:{port}") as again:
            guest.expect_json(lambda m: m.get("state") == "joined")
            again.until(lambda m: m["linnet_participants"] == 1)
            guest.signal(signal.SIGINT)
            assert guest.end() == 0, guest


if __name__ == "__main__":
    run_all(globals())
