# SPDX-License-Identifier: Apache-2.0
"""`linnet peer` from the outside: two of them through each other's lines, input that is wrong, and every
exit code."""
import base64
import contextlib
import hashlib
import json
import os
import signal
import time

from support import SECONDS, connect, folder, linnet, run, run_all, sentence, unused_port

PEER = ("peer", "--loopback")


def opened(peer, label="chat"):
    return peer.expect_json(lambda m: m.get("channel") == label and m.get("state") == "open")


def only_objects(peer):
    """Standard output holds one JSON object a line and nothing else."""
    assert peer.lines["out"], peer
    for line in peer.lines["out"]:
        assert isinstance(json.loads(line), dict), line


def test_peer_talks_to_peer_in_objects_of_one_line():
    with linnet(*PEER, "--offer", "--data", "chat", "--video", "test", "--audio", "tone") as ada, \
            linnet(*PEER, "--answer", "--echo", "--video", "test") as ben:
        connect(ada, ben)
        opened(ada)
        opened(ben)
        for text in ("hello", 'two\nlines, "quotes" and \u0000', "schön: 鳥", "x" * 262144, ""):
            ada.send({"channel": "chat", "data": text})
            assert ada.expect_json(lambda m: "data" in m) == {"channel": "chat", "data": text}
        ada.send({"channel": "chat", "data64": "AP+A"})
        assert ada.expect_json(lambda m: "data64" in m) == {"channel": "chat", "data64": "AP+A"}
        deadline = time.monotonic() + SECONDS
        read = 0
        while read < 20:
            assert time.monotonic() < deadline, ben
            ben.send({"cmd": "stats"})
            stats = ben.expect_json(lambda m: "stats" in m)["stats"]
            read = max([s.get("numbersRead", 0) for s in stats if s["type"] == "linnet-track"], default=0)
        assert {"peer-connection", "transport", "candidate-pair", "certificate", "data-channel", "inbound-rtp"} <= {
            s["type"] for s in stats}, stats
        assert all({"id", "type"} <= set(s) for s in stats) and len({s["id"] for s in stats}) == len(stats), stats
        ada.send({"cmd": "close"})
        assert ada.end() == 0 and not ada.left_behind(), ada
        assert ben.close() == 0 and not ben.left_behind(), ben
        only_objects(ada)
        only_objects(ben)


def test_peer_serves_many_on_one_port():
    names = ("ada", "ben", "cleo")
    port = unused_port()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(linnet("peer", "--loopback", "--many", "--echo", "--no-trickle", "--udp-port", str(port)))
        others = {name: stack.enter_context(linnet(*PEER, "--offer", "--data", "chat", "--no-trickle")) for name in names}
        for name, other in others.items():
            server.send(dict(other.expect_json(lambda m: m.get("type") == "offer"), peer=name))
        for _ in names:
            answer = server.expect_json(lambda m: m.get("type") == "answer")
            ports = {line.split()[5] for line in answer["sdp"].splitlines() if line.startswith("a=candidate:")}
            assert ports == {str(port)}, answer
            others[answer.pop("peer")].send(answer)
        for name, other in others.items():
            opened(other)
            other.send({"channel": "chat", "data": f"of {name}"})
            assert other.expect_json(lambda m: "data" in m) == {"channel": "chat", "data": f"of {name}"}
        server.send({"peer": "ada", "cmd": "close"})
        assert server.expect_json(lambda m: "ended" in m) == {"peer": "ada", "ended": 0}
        server.send({"peer": "nobody", "channel": "chat", "data": "?"})
        server.expect('there is no connection "nobody"', stream="err")
        assert server.close() == 0 and not server.left_behind(), server
        only_objects(server)


def test_peer_sums_up_bulk_that_it_sends_and_receives():
    with linnet(*PEER, "--offer", "--data", "chat") as ada, linnet(*PEER, "--answer") as ben:
        connect(ada, ben)
        opened(ada)
        opened(ben)
        for source, target in ((ada, ben), (ben, ada)):
            size = 5000001
            target.send({"channel": "chat", "sum": size})
            target.expect_json(lambda m: m.get("summing") == size)
            source.send({"channel": "chat", "bulk": size, "size": 70000})
            sent = source.expect_json(lambda m: "sent" in m)
            received = target.expect_json(lambda m: "received" in m)
            assert received == {**{k: v for k, v in sent.items() if k != "sent"}, "received": size}
            digest = bytes(32)
            for k in range(72):
                length = min(70000, size - k * 70000)
                message = k.to_bytes(8, "big") + bytes((31 * i + k) & 255 for i in range(8, length))
                digest = hashlib.sha256(digest + message[:length]).digest()
            assert sent["messages"] == 72 and sent["sha256"] == digest.hex(), sent


def candidates_of(*options):
    """What an offer tells, as words, and how the program ended."""
    with linnet(*PEER, "--offer", "--data", "chat", "--no-trickle", *options) as peer:
        sdp = peer.expect_json(lambda m: m.get("type") == "offer")["sdp"]
        assert peer.close() == 0, peer
    return [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]


def test_peer_uses_the_interfaces_it_is_told_and_tells_external_addresses():
    told = candidates_of("--interface", "lo", "--interface", "!::1", "--external", "203.0.113.5=127.0.0.1")
    assert [(c[4], c[7]) for c in told] == [("127.0.0.1", "host"), ("203.0.113.5", "srflx")], told
    assert told[0][5] == told[1][5], told
    told = candidates_of("--interface", "127.0.0.0/8", "--external", "203.0.113.5=127.0.0.1", "--external-replaces")
    assert [(c[4], c[7]) for c in told] == [("203.0.113.5", "host")], told


def until_reported(peer, type_):
    deadline = time.monotonic() + SECONDS
    while True:
        peer.send({"cmd": "stats"})
        if any(s["type"] == type_ for s in peer.expect_json(lambda m: "stats" in m)["stats"]):
            return
        assert time.monotonic() < deadline, peer
        time.sleep(0.1)


def test_peer_writes_a_trace():
    with folder() as path:
        with linnet(*PEER, "--offer", "--data", "chat", "--video", "test", "--trace", f"{path}/ada") as ada, \
                linnet(*PEER, "--answer", "--echo", "--trace", f"{path}/ben") as ben:
            connect(ada, ben)
            opened(ada)
            ada.send({"channel": "chat", "data": "said in the clear"})
            ada.expect_json(lambda m: "data" in m)
            until_reported(ada, "remote-inbound-rtp")
            until_reported(ben, "remote-outbound-rtp")
            assert ada.close() == 0 and ben.close() == 0, (ada, ben)
        events = {}
        for who in ("ada", "ben"):
            assert os.stat(f"{path}/{who}").st_mode & 0o077 == 0
            with open(f"{path}/{who}", encoding="utf-8") as lines:
                events[who] = [json.loads(line) for line in lines]
            times = [event["time"] for event in events[who] if event["name"].startswith("transport:")]
            assert times == sorted(times) and times, times[:10]
            names = {event["name"] for event in events[who]}
            assert {"transport:packet_received", "transport:packet_sent", "sctp:packet_received", "rtcp:packet_received",
                    "ice:state", "dtls:state", "sctp:state"} <= names, names
        said = b"said in the clear".hex()
        assert any(said in e["packet"] for e in events["ben"] if e["name"] == "sctp:packet_received")
        assert not any(said in e["packet"] for e in events["ben"] if e["name"].startswith("transport:") and "packet" in e)
        assert any(e["name"] == "rtp:packet_received" for e in events["ben"])
        code, _, err = run("peer", "--offer", "--trace", f"{path}/none/x")
        assert code == 1 and "cannot be written" in sentence(err), (code, err)


def test_peer_opens_and_closes_channels_by_lines():
    with linnet(*PEER, "--offer", "--data", "chat", "--no-trickle") as ada, \
            linnet(*PEER, "--answer", "--no-trickle") as ben:
        connect(ada, ben)
        opened(ada)
        opened(ben)
        ben.send({"channel": "more", "state": "open", "ordered": False, "maxRetransmits": 2, "protocol": "p"})
        told = opened(ada, "more")
        assert (told["ordered"], told["maxRetransmits"], told["protocol"]) == (False, 2, "p"), told
        opened(ben, "more")
        ada.send({"channel": "more", "state": "closed"})
        for peer in (ada, ben):
            peer.expect_json(lambda m: m.get("channel") == "more" and m.get("state") == "closed")
        assert not any("candidate" in json.loads(line) for line in ada.lines["out"] + ben.lines["out"])
        for peer in (ada, ben):
            assert peer.close() == 0, peer


def parts_of(peer, wanted=lambda m: True):
    """The parts of the next message, up to the last or to its end without one."""
    parts = [peer.expect_json(lambda m: "message" in m and wanted(m))]
    while parts[-1].get("more"):
        parts.append(peer.expect_json(lambda m: m.get("message") == parts[0]["message"]))
    return parts


def joined(parts):
    return b"".join(base64.b64decode(part["data64"]) for part in parts if "data64" in part)


def test_peer_sends_and_takes_messages_in_pieces():
    with linnet(*PEER, "--offer", "--data", "chat") as ada, linnet(*PEER, "--answer", "--parts") as ben:
        connect(ada, ben)
        opened(ada)
        opened(ben)
        ada.send({"channel": "chat", "data": "grü", "more": True})
        first = ben.expect_json(lambda m: "message" in m)
        assert first["text"] and first["more"], first
        ada.send({"channel": "chat", "data": "ße"})
        assert (joined([first]) + joined(parts_of(ben))).decode() == "grüße"
        piece = bytes(range(256)) * 2048
        for i in range(24):
            ada.send({"channel": "chat", "data64": base64.b64encode(piece).decode(), "more": i < 23})
        ada.send({"channel": "chat", "data": "behind it"})
        parts = parts_of(ben)
        assert joined(parts) == piece * 24 and not any(part["text"] for part in parts), len(parts)
        assert joined(parts_of(ben)) == b"behind it"
        ada.send({"channel": "chat", "data": "half", "more": True})
        ben.expect_json(lambda m: "message" in m)
        ada.send({"channel": "chat", "state": "abandoned"})
        assert ben.expect_json(lambda m: m.get("state") == "abandoned")["channel"] == "chat"
        # What ben takes is of any size, what ada takes is not.
        big = {"channel": "chat", "data64": base64.b64encode(piece).decode(), "more": True}
        ben.send(big)
        ada.send({"channel": "chat", "data": "still here"})
        assert joined(parts_of(ben)) == b"still here"
        for peer in (ada, ben):
            assert peer.close() == 0, peer
        assert "larger than allowed" in "".join(ben.lines["err"]), ben
    code, _, err = run("peer", "--offer", "--echo", "--parts")
    assert code == 2 and "--parts" in sentence(err), (code, err)


def test_peer_ends_with_0_by_input_signal_command_and_duration():
    assert run("peer", "--answer") == (0, "", "")
    code, out, err = run("peer", "--answer", input_=b'{"cmd":"close"}\n{"cmd":"stats"}\n')
    assert (code, out, err) == (0, "", ""), (code, out, err)
    for number in (signal.SIGINT, signal.SIGTERM):
        with linnet("peer", "--offer", "--data", "x") as peer:
            peer.expect_json(lambda m: m.get("type") == "offer")
            peer.signal(number)
            assert peer.end() == 0 and not peer.left_behind(), peer
    with linnet("peer", "--answer", "--duration", "1") as peer:
        assert peer.end() == 0, peer


def test_peer_gives_up_after_30_s_with_3():
    begin = time.monotonic()
    with linnet("peer", "--offer", "--data", "x") as peer:
        assert peer.end(45) == 3 and "not connected within 30 seconds" in sentence(peer.text("err")), peer
        assert time.monotonic() - begin >= 29 and not peer.left_behind(), peer
        only_objects(peer)


def test_peer_fails_with_1_when_the_other_vanished_for_30_s():
    with linnet(*PEER, "--offer", "--data", "chat") as ada, linnet(*PEER, "--answer") as ben:
        connect(ada, ben)
        opened(ada)
        opened(ben)
        ben.signal(signal.SIGKILL)
        begin = time.monotonic()
        assert ada.end(50) == 1 and time.monotonic() - begin > 10, ada
        assert "linnet peer: failed" in ada.text("err"), ada


def test_peer_goes_on_after_lines_that_are_wrong():
    wrong = (("nonsense", "no JSON object"), ("[1]", "it is another value"), ('"text"', "no JSON object"),
             ('{"cmd":"stats"', "no JSON object"), ("{}", "a line needs type, candidate, channel or cmd"),
             ('{"cmd":5}', "a line needs type"), ('{"cmd":"sats"}', 'unknown command "sats"'),
             ('{"channel":"x","data":"y"}', 'there is no channel "x"'), ('{"channel":5,"data":"y"}', "named by its label"),
             ('{"candidate":5}', "a candidate is a text"), ('{"type":5}', "a description needs sdp and a type"),
             ('{"type":"bid","sdp":"v=0"}', "a description needs sdp and a type"),
             ('{"type":"offer"}', "a description needs sdp and a type"),
             ('{"type":"answer","sdp":"v=0\\r\\n"}', "cannot be set in the signaling state stable"))
    with linnet(*PEER, "--answer", "--echo") as ben, linnet(*PEER, "--offer", "--data", "chat") as ada:
        for line, part in wrong:
            ben.send(line)
            told = ben.expect(".", stream="err").string
            assert told.startswith("linnet") and part in told, (line, told)
        ben.send("")  # an empty line is none
        connect(ada, ben)
        opened(ada)
        opened(ben)
        for peer in (ada, ben):
            assert peer.close() == 0, peer
        only_objects(ben)


def test_peer_goes_on_after_a_description_that_is_wrong():
    offers = (("garbage", 'not "v=0"'), ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio\r\n", "SDP line 5: m= line has too few fields"))
    with linnet(*PEER, "--answer") as ben, linnet(*PEER, "--offer", "--data", "chat") as ada:
        for sdp, part in offers:
            ben.send({"type": "offer", "sdp": sdp})
            told = ben.expect(".", stream="err").string
            assert told.startswith("linnet peer: ") and "Error)" in told and part in told, (sdp, told)
        ada.expect_json(lambda m: m.get("type") == "offer")
        ada.send({"type": "answer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"})
        ada.expect(r"the offer has 1 sections, the answer 0 \(InvalidAccessError\)", stream="err")
        connect(ada, ben)
        opened(ada)
        opened(ben)
        ada.send({"candidate": "candidate:garbage", "sdpMid": "0"})
        ada.expect(r"\(OperationError\)", stream="err")
        ada.send({"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host", "sdpMid": "nine"})
        ada.expect(r"\(OperationError\)", stream="err")
        ada.send({"channel": "chat", "data": "still there"})
        ben.expect_json(lambda m: m.get("data") == "still there")
        for peer in (ada, ben):
            assert peer.close() == 0, peer


def test_peer_whose_last_description_was_wrong_ends_with_1():
    code, out, err = run("peer", "--answer", input_=b'{"type":"offer","sdp":"garbage"}\n')
    assert code == 1 and out == "" and 'not "v=0"' in sentence(err), (code, out, err)


if __name__ == "__main__":
    run_all(globals())
