# SPDX-License-Identifier: Apache-2.0
"""What `linnet turn` finds out about itself at its start, and what it says of its options without one."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess

from support import (LINNET, ROOT, SECONDS, Program, Server, dated_certificate, folder, linnet, run, run_all, sentence,
                     unused_port, write)
from turn_client import turn


def checks(*arguments, trust=""):
    """What `linnet turn` finds out about itself at the start: its lines, and the events of its log by what they are of."""
    program = Program("env", f"SSL_CERT_FILE={trust}", LINNET, "turn", "--listen", "127.0.0.1:0", "--user", "a:b", "--log",
                      "json", *arguments)
    program.expect("Ctrl-C")
    lines = [line[9:] for line in program.lines["out"] if line.startswith("  check  ")]
    events = [json.loads(line) for line in program.lines["out"] if '"self-test"' in line]
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(SECONDS) == 0
    return lines, {event["check"]: event for event in events}


def test_turn_tells_at_the_start_which_ports_answer_and_with_which_certificate():
    lines, events = checks()
    assert len(lines) == 3 and all("WARNING" not in line and "FAILED" not in line for line in lines), lines
    assert {check: event["verdict"] for check, event in events.items()} == {"udp": "ok", "tcp": "ok", "external": "ok"}
    with folder() as place:
        cert, key = dated_certificate(place, "250101", "491231")
        tls = ("--tls-cert", cert, "--tls-key", key)
        lines, events = checks(*tls, trust=cert)
        assert [event["verdict"] for event in events.values()] == ["ok"] * 6, events
        assert events["certificate"]["name"] == "turn.example.org", events
        assert any("turn.example.org, until 2049-12-31, is trusted" in line for line in lines), lines
        assert any(re.fullmatch(r"dtls 127\.0\.0\.1:\d+ answers", line) for line in lines), lines
        assert events["tls"]["port"] and "address" not in events["tls"], events
        lines, events = checks(*tls)
        assert events["certificate"]["verdict"] == "warning" and "not trusted" in events["certificate"]["text"], events


def test_turn_tells_at_the_start_that_its_certificate_is_over():
    with folder() as place:
        cert, key = dated_certificate(place, "200101", "200201")
        lines, events = checks("--tls-cert", cert, "--tls-key", key, trust=cert)
        assert events["certificate"]["verdict"] == "failed", events
        assert any(line.startswith("FAILED the certificate of turn.example.org, until 2020-02-01") for line in lines), lines


def test_turn_tells_at_the_start_which_port_does_not_answer():
    with folder() as place:  # a limit that the first question uses up
        path = write(os.path.join(place, "linnet.yaml"), "stun:\n  per_second: 1\n  burst: 1\n")
        lines, events = checks("--config", path)
        assert events["udp"]["verdict"] == "ok" and events["tcp"]["verdict"] == "failed", events
        assert any(line.startswith("FAILED tcp 127.0.0.1:") and "does not answer" in line for line in lines), lines


def test_turn_compares_its_external_address_with_what_another_server_sees():
    with turn() as outside:
        where = ("--check-stun", f"127.0.0.1:{outside.port}")
        lines, events = checks(*where)
        assert events["external"]["verdict"] == "ok" and "outside sees" in lines[-1], (lines, events)
        lines, events = checks(*where, "--relay", "127.0.0.1=203.0.113.5")
        assert events["external"]["verdict"] == "failed" and "203.0.113.5" not in json.dumps(events), events
        assert "203.0.113.5 is not what the outside sees, 127.0.0.1" in lines[-1], lines
        lines, events = checks(*where, "--relay", "127.0.0.1=203.0.113.5", "--log-addresses")
        assert events["external"]["seen"].startswith("127.0.0.1"), events
    lines, events = checks("--relay", "127.0.0.1=10.0.0.5")
    assert events["external"]["verdict"] == "warning" and "private address" in lines[-1], lines
    lines, events = checks("--check-stun", f"127.0.0.1:{unused_port()}")
    assert events["external"]["verdict"] == "warning" and "does not answer" in lines[-1], lines


def test_serve_tells_at_the_start_which_ports_answer():
    with Server() as server:
        lines = [line[9:] for line in server.lines["out"] if line.startswith("  check  ")]
        assert f"udp 127.0.0.1:{server.stun[1]} answers" in lines, lines
        assert len(lines) == 3 and lines[1].startswith("tcp ") and "this machine alone" in lines[2], lines
        assert server.stop() == 0


def test_turn_explains_its_policy_and_checks_its_configuration():
    code, out, _ = run("turn", "--explain-policy", "::ffff:127.0.0.1")
    assert code == 0 and "refused" in out and "maps an IPv4 address" in out, out
    code, out, _ = run("turn", "--explain-policy", "10.1.2.3", "--allow-peer", "10.1.0.0/16")
    assert code == 0 and "allowed" in out and "10.1.0.0/16" in out, out
    code, out, _ = run("turn", "--user", "a:secret-word", "--print-config")
    assert code == 0 and "a:***" in out and "secret-word" not in out, out
    code, out, _ = run("turn", "--relay", "10.0.0.5=192.0.2.77", "--explain-policy", "192.0.2.77")
    assert code == 0 and "refused: an address of this machine" in out, out
    assert run("turn", "--user", "a:b", "--check-config")[0] == 0
    code, out, _ = run("turn", "--users-redis", "[::1]:6380/2", "--redis-password", "sesame", "--print-config")
    assert code == 0 and "users_redis: [::1]:6380/2" in out and "***" in out and "sesame" not in out, out
    assert run("turn", "--users-redis", "redis.example.org", "--check-config")[0] == 0
    code, out, _ = run("turn", "--user", "a:b", "--shared-ports", "8", "--print-config")
    assert code == 0 and "  shared_ports: 8\n" in out, out


def test_turn_says_what_is_wrong_with_its_command_line():
    for words, wanted in ((("turn",), "--user"), (("turn", "--user", "nobody"), "NAME:PASSWORD"),
                          (("turn", "--user", "a:b", "--ports", "9-3"), "--ports"),
                          (("turn", "--user", "a:b", "--relay", "10.0.0.1:3"), "relay"),
                          (("turn", "--user", "a:b", "--allow-peer", "10.0.0.0/40"), "prefix"),
                          (("turn", "--user", "a:b", "--listen", "nowhere"), "listen"),
                          (("turn", "--user", "a:b", "--ports", "50000-50003", "--shared-ports", "5"), "shared_ports"),
                          (("turn", "--users-redis", "127.0.0.1:port"), "users_redis"),
                          (("turn", "--users-redis", "[::1:6379", "--check-config"), "users_redis"),
                          (("turn", "--users-redis", "host/x", "--check-config"), "users_redis"),
                          (("turn", "credential"), "credentials"),
                          (("turn", "credentials"), "--secret")):
        code, out, err = run(*words)
        assert code in (1, 2) and out == "" and wanted in sentence(err), (words, code, err)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, _, err = run("turn", "--user", "a:b", "--listen", f"127.0.0.1:{port}")
        assert code == 1 and "in use" in sentence(err), err


def test_turn_does_not_share_its_port_with_another_server():
    """However many workers share it: each server would have half of the clients."""
    words = ("turn", "--user", "a:b", "--workers", "2", "--listen", f"127.0.0.1:{unused_port()}")
    with linnet(*words) as server:
        server.expect("Ctrl-C ends it")
        code, _, err = run(*words)
        assert code == 1 and "in use" in sentence(err), err


def test_turn_has_a_unit_that_systemd_takes():
    """Checked by systemd's own tool, with our program in the place where a package puts it."""
    with open(os.path.join(ROOT, "docs/linnet-turn.service"), encoding="utf-8") as source:
        text = source.read()
    with folder() as place:
        unit = write(os.path.join(place, "linnet-turn.service"), text.replace("/usr/bin/linnet", LINNET))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0 and "linnet" not in done.stderr, done.stderr
    words = re.search(r"^ExecStart=\S+ (.*)$", text, re.M).group(1).split()
    known = run("turn", "--help")[1]
    assert words[0] == "turn" and all(word in known for word in words if word.startswith("--")), words


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
