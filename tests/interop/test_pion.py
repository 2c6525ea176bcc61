#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pion (package golang-github-pion-webrtc.v3-dev) at the other end of `linnet peer`: data in both
roles, with trickled candidates."""
import base64
import os
import subprocess
import tempfile
import threading

from support import Lines, peer, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = None


def pion(*options):
    """Builds the Pion peer once (from Debian's sources, offline) and starts it."""
    global BUILT
    if BUILT is None:
        cache = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build-pion")
        source = os.path.join(cache, "src", "pionpeer")
        os.makedirs(source, exist_ok=True)
        for name in ("main.go", "go.mod"):
            with open(os.path.join(HERE, "pion", name)) as original, open(os.path.join(source, name), "w") as copy:
                copy.write(original.read())
        environment = dict(os.environ, GO111MODULE="off", GOPATH=f"{cache}:/usr/share/gocode",
                           GOCACHE=os.path.join(cache, "cache"), GOFLAGS="")
        subprocess.run(["go", "build", "-o", os.path.join(cache, "pionpeer"), "."], cwd=source,
                       env=environment, check=True)
        BUILT = os.path.join(cache, "pionpeer")
    return Lines(BUILT, *options)


def is_signalling(message):
    return "type" in message or "candidate" in message


def join(left, right):
    """Carries signalling lines between the two; other lines stay for the test."""
    news = {left: [], right: []}
    ready = threading.Condition()

    def carry(source, target):
        while (message := source.inbox.get()) is not None:
            if is_signalling(message):
                target.send(message)
            else:
                with ready:
                    news[source].append(message)
                    ready.notify_all()

    for pair in ((left, right), (right, left)):
        threading.Thread(target=carry, args=pair, daemon=True).start()

    def wait_for(source, wanted, seconds=30):
        with ready:
            assert ready.wait_for(lambda: any(wanted(m) for m in news[source]), seconds), news
            return next(m for m in news[source] if wanted(m))

    return wait_for


def converse(linnet, other, label="chat"):
    wait_for = join(linnet, other)
    wait_for(linnet, lambda m: m.get("state") == "open" and m.get("channel") == label)
    linnet.send({"channel": label, "data": "grüße"})
    wait_for(linnet, lambda m: m.get("data") == "grüße")
    blob = base64.b64encode(bytes(range(256)) * 200).decode()
    linnet.send({"channel": label, "data64": blob})
    wait_for(linnet, lambda m: m.get("data64") == blob)
    return wait_for


def test_pion_offers_data():
    other, linnet = pion("--offer"), peer("--answer")
    converse(linnet, other)
    assert linnet.end() == 0
    other.end()


def test_pion_answers_data():
    other, linnet = pion("--answer"), peer("--offer", "--data", "chat")
    converse(linnet, other)
    assert linnet.end() == 0
    other.end()


if __name__ == "__main__":
    run_all(globals())
