# SPDX-License-Identifier: Apache-2.0
"""`linnet diagnose` from the outside: what it says of a server that runs, of one that does not, and of wrong
words. What it says of NATs is in tests/nat/test_diagnose.py."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import threading
import time

from support import Server, folder, linnet, run, run_all, sentence, unused_port, write


def diagnose(*arguments):
    """Exit code, and the verdict with its steps by name."""
    code, out, err = run("diagnose", "--json", *arguments, seconds=40)
    assert err == "", err
    report = json.loads(out)
    assert set(report) == {"verdict", "text", "steps"}, report
    for step in report["steps"]:
        assert step["verdict"] in ("ok", "note", "warn", "fail") and step["text"], step
        assert step["verdict"] in ("ok", "note") or step.get("remedy"), step
    return code, report, {step["step"]: step for step in report["steps"]}


def test_diagnose_says_what_a_server_that_runs_gives():
    with Server() as server:
        code, report, steps = diagnose(server.url + "/")
        assert code == 0 and report["verdict"] == "ok", report
        assert steps["signalling"]["iceServers"] == 3 and steps["signalling"]["seenAs"] == "127.0.0.1", steps
        assert steps["clock"]["verdict"] == "ok" and abs(steps["clock"]["aheadMs"]) < 5000, steps
        assert steps["stun"]["server"] == f"127.0.0.1:{server.stun[1]}" and steps["stun"]["ms"] < 1000, steps
        assert steps["nat"]["mapping"] == "none" and steps["mtu"]["mtu"] == 1500, steps
        figures = server.until(lambda f: f["linnet_participants"] == 0)
        assert figures["linnet_participants"] == 0, figures


def test_diagnose_writes_a_line_a_step_with_what_to_try():
    with Server() as server:
        code, out, err = run("diagnose", server.url, seconds=40)
        lines = out.split("\n")
        assert code == 0 and err == "", (code, err)
        assert lines[0].startswith("ok    signalling  ") and lines[-1].startswith("ok    verdict     "), out
    code, out, err = run("diagnose", f"stun:127.0.0.1:{unused_port()}", seconds=40)
    assert code == 1 and "\n                  try: " in out, out


def test_diagnose_tells_what_the_servers_turn_saw_of_this_test():
    with Server() as server:
        code, report, steps = diagnose(server.url)
        seen = steps["server"]
        assert code == 0 and seen["verdict"] == "ok" and seen["wrongCredentials"] == 0, report
        assert {a["transport"] for a in seen["allocations"]} == {"udp", "tcp"}, seen
        for allocation in seen["allocations"]:
            assert allocation["address"] == "127.0.0.1" and allocation["relayed"].startswith("127.0.0.1:"), seen
            assert not allocation["open"] and allocation["bytesFromClient"] > 0 < allocation["bytesToClient"], seen
        # what one end sent over UDP the other one got, but for what is counted as dropped
        by_udp = [a for a in seen["allocations"] if a["transport"] == "udp"]
        assert len(by_udp) == 2, seen
        assert "the TURN server saw this test: udp from 127.0.0.1: 2 addresses given" in seen["text"], seen


def test_diagnose_tells_which_allocations_the_server_refused_and_why():
    with folder() as path:
        port = unused_port()
        config = write(os.path.join(path, "linnet.yaml"), f"turn:\n  port_min: {port}\n  port_max: {port}\n")
        with Server("--config", config) as server:
            _, report, steps = diagnose(server.url)
            refused = [a for a in steps["server"]["allocations"] if "relayed" not in a]
            assert refused and all(a["code"] == 508 for a in refused), report


def test_diagnose_tells_that_nobody_serves_the_page():
    code, report, steps = diagnose(f"http://127.0.0.1:{unused_port()}/")
    assert code == 1 and report["verdict"] == "fail" and "page's server" in report["text"], report
    assert steps["signalling"]["verdict"] == "fail" and "127.0.0.1" in steps["signalling"]["text"], steps


def test_diagnose_tells_that_a_room_wants_a_token():
    with folder() as path:
        config = write(os.path.join(path, "linnet.yaml"), "signal:\n  token: secret\n")
        with Server("--config", config) as server:
            code, _, steps = diagnose(server.url)
            assert code == 1 and "--token" in steps["signalling"]["remedy"], steps
            code, _, steps = diagnose("--token", "secret", server.url)
            assert code == 0 and steps["signalling"]["verdict"] == "ok", steps


def test_diagnose_tells_a_name_that_is_not_known():
    code, report, steps = diagnose("stun:nobody.invalid:3478")
    assert code == 1 and steps["name"]["verdict"] == "fail" and "nobody.invalid" in steps["name"]["text"], report
    code, report, steps = diagnose("stun:localhost:" + str(unused_port()))
    assert steps["name"]["verdict"] == "ok" and "127.0.0.1" in steps["name"]["addresses"], report


def test_diagnose_gives_a_server_that_is_silent_five_seconds():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        code, _, steps = diagnose(f"stun:127.0.0.1:{silent.getsockname()[1]}")
        assert code == 1 and "no answer" in steps["stun"]["text"] and "443" in steps["udp"]["remedy"], steps
        assert time.monotonic() - begin > 4, "it gave up early"


@contextlib.contextmanager
def turn_server(*arguments):
    """`linnet turn` for users ada:lovelace and the secret "shared"; gives host:port."""
    port = unused_port()
    with linnet("turn", "--listen", f"127.0.0.1:{port}", "--relay", "127.0.0.1", "--user", "ada:lovelace", "--secret", "shared",
                "--allow-peer", "127.0.0.0/8", *arguments) as server:
        server.expect("Ctrl-C ends it")
        yield f"127.0.0.1:{port}"


def minted(seconds):
    code, out, err = run("turn", "credentials", "--secret", "shared", "--user", "ada", "--ttl", str(seconds))
    assert code == 0, err
    return ",".join(line.split()[-1] for line in out.split("\n"))


def test_diagnose_measures_a_data_channel_through_the_relay():
    with turn_server() as address:
        code, report, steps = diagnose(f"turn:{address},ada,lovelace")
        assert code == 0 and steps["turn"]["relayed"].startswith("127.0.0.1:"), report
        assert steps["dtls"]["verdict"] == "ok" and steps["dtls"]["ms"] < 10000, steps
        loop = steps["loop"]
        assert loop["sent"] == 25 and loop["lost"] <= 5 and 0 < loop["roundTripMs"] < 500 and loop["mbitPerSecond"] > 0.5, loop
        code, _, steps = diagnose(f"turn:{address},{minted(60)}")
        assert code == 0 and steps["loop"]["sent"] == 25, steps


def test_diagnose_tells_apart_why_there_is_no_relay():
    with turn_server() as address:
        code, report, steps = diagnose(f"turn:{address},ada,wrong")
        assert code == 3 and "no relay" in report["text"], report
        assert steps["turn"]["code"] == 401 and "password is wrong" in steps["turn"]["text"], steps
        expired = minted(1)
        time.sleep(max(0, int(expired.partition(":")[0]) + 1 - time.time()))
        _, _, steps = diagnose(f"turn:{address},{expired}")
        assert "expired" in steps["turn"]["text"] and "new ones" in steps["turn"]["remedy"], steps
        name = minted(60).partition(",")[0]
        _, _, steps = diagnose(f"turn:{address},{name},bWFkZXVw")
        assert "same secret" in steps["turn"]["remedy"], steps
        _, _, steps = diagnose(f"turn:{address}")
        assert "no user name" in steps["turn"]["text"], steps
    code, _, steps = diagnose(f"turn:127.0.0.1:{unused_port()},ada,lovelace")
    assert code == 1 and steps["turn"]["code"] == 701, steps


def frame(text):
    """A WebSocket message of a server (RFC 6455, 5.2)."""
    data = text.encode()
    head = bytes((0x81, len(data))) if len(data) < 126 else bytes((0x81, 126)) + len(data).to_bytes(2, "big")
    return head + data


@contextlib.contextmanager
def page_server(seconds_ahead, *ice_servers):
    """Signalling whose clock is wrong: it takes any room and gives these servers. Gives its URL."""
    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request).group(1)
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            view = {"type": "view", "address": "127.0.0.1", "port": 1, "time": int((time.time() + seconds_ahead) * 1000)}
            connection.sendall(frame(json.dumps(view)) + frame(json.dumps({"type": "joined", "iceServers": ice_servers})))
            with contextlib.suppress(OSError):
                while connection.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_diagnose_tells_that_a_clock_is_wrong():
    with turn_server() as address:
        # Minted by a server whose clock is two hours behind, for one hour: expired by ours, valid by its own.
        name = f"{int(time.time()) - 3600}:ada"
        secret = base64.b64encode(hmac.digest(b"shared", name.encode(), "sha1")).decode()
        with page_server(-7200, {"urls": [f"turn:{address}"], "username": name, "credential": secret}) as url:
            code, _, steps = diagnose(url)
            assert code == 3 and steps["clock"]["verdict"] == "warn", steps
            assert abs(steps["clock"]["aheadMs"] - 7200000) < 30000 and "NTP" in steps["clock"]["remedy"], steps
            assert "clock" in steps["turn"]["text"] and "NTP" in steps["turn"]["remedy"], steps


def test_diagnose_tells_that_a_certificate_is_not_trusted():
    with folder() as path:
        key, certificate = (os.path.join(path, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        key, "-out", certificate, "-subj", "/CN=turn.test", "-days", "2"), check=True, capture_output=True)
        with turn_server("--tls-cert", certificate, "--tls-key", key) as address:
            _, _, steps = diagnose(f"turns:{address}?transport=tcp,ada,lovelace")
            assert "certificate" in steps["turn"]["text"] and "authority" in steps["turn"]["remedy"], steps


def test_diagnose_tells_that_the_relay_lets_nothing_pass():
    with turn_server("--deny-peer", "127.0.0.0/8") as address:
        code, _, steps = diagnose(f"turn:{address},ada,lovelace")
        assert code == 3 and steps["turn"]["verdict"] == "ok" and steps["dtls"]["verdict"] == "fail", steps
        assert "denied" in steps["dtls"]["remedy"], steps


def test_diagnose_without_a_server_says_what_it_wants():
    code, report, steps = diagnose()
    assert code == 3 and "stun:" in report["text"] and "ipv4" in steps, report


def test_diagnose_refuses_words_that_are_no_servers():
    for words in (("stun:",), ("turn:host:99999,u,p",), ("stun:a b",), ("stun:host?transport=tcp",)):
        code, out, err = run("diagnose", *words)
        assert code == 2 and out == "" and words[0] in sentence(err), (words, err)


if __name__ == "__main__":
    run_all(globals())
