# SPDX-License-Identifier: Apache-2.0
"""What the interop tests lean on: `linnet peer` as a process that speaks JSON lines, and a runner that
ends with `N passed, N failed`."""
import json
import os
import queue
import subprocess
import sys
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINNET = os.environ.get("LINNET", os.path.join(ROOT, "build/cli/linnet"))


class Lines:
    """A process with JSON lines on standard input and output."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)
        self.inbox = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.inbox.put(json.loads(line))
        self.inbox.put(None)

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def receive(self, seconds=20):
        return self.inbox.get(timeout=seconds)

    def expect(self, wanted, seconds=20, other=lambda message: None):
        """The next message for which wanted() is true; what comes before goes to other()."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(max(0.01, deadline - time.monotonic()))
            if message is None:
                raise AssertionError("the process ended")
            if wanted(message):
                return message
            other(message)

    def stats(self, seconds=10):
        self.send({"cmd": "stats"})
        return self.expect(lambda m: "stats" in m, seconds)["stats"]

    def end(self, seconds=10):
        """Closes its input and gives its exit code."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()


def peer(*options):
    return Lines(LINNET, "peer", *options)


def is_description(message):
    return "type" in message


def stats_of(stats, type_, **members):
    return [s for s in stats if s["type"] == type_ and all(s.get(k) == v for k, v in members.items())]


def has_picture(stats, read=30):
    """The picture that linnet receives: enough numbers read, none out of order, few missing."""
    for track in stats_of(stats, "linnet-track", direction="in", kind="video"):
        if track.get("numbersRead", 0) >= read:
            assert track["numbersDisordered"] == 0, track
            assert track["numbersMissing"] <= track["numbersRead"] // 10, track
            return track
    return None


def has_tone(stats, hertz, within=5):
    """The tone that linnet hears."""
    for track in stats_of(stats, "linnet-track", direction="in", kind="audio"):
        if abs(track.get("frequencyHz", 0) - hertz) <= within:
            return track
    return None


class Pair:
    """Two JSON-lines peers whose signalling is carried across; other lines stay for the test. `path`
    may put itself between them (lossy.py)."""

    def __init__(self, linnet, other, path=None):
        self.linnet, self.other, self.path = linnet, other, path
        self.lines = {linnet: [], other: []}
        self.signalled = {linnet: [], other: []}
        self.ended = set()
        self.ready = threading.Condition()
        for way in ((linnet, other), (other, linnet)):
            threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source, target):
        while (message := source.inbox.get()) is not None:
            if "type" in message or "candidate" in message:
                with self.ready:
                    self.signalled[source].append(message)
                    self.ready.notify_all()
                if self.path:
                    message = self.path.carry(0 if source is self.linnet else 1, message)
                try:
                    if message:
                        target.send(message)
                except (BrokenPipeError, ValueError):
                    pass
            else:
                with self.ready:
                    self.lines[source].append(message)
                    self.ready.notify_all()
        with self.ready:
            self.ended.add(source)
            self.ready.notify_all()

    def wait(self, source, wanted, seconds=15):
        """Takes the first line of `source` for which wanted() is true; those before it stay."""
        with self.ready:
            def found():
                return any(wanted(m) for m in self.lines[source])

            self.ready.wait_for(lambda: found() or source in self.ended, seconds)
            seen = {name: self.lines[p][-5:] for name, p in (("linnet", self.linnet), ("other", self.other))}
            assert found(), seen
            message = next(m for m in self.lines[source] if wanted(m))
            self.lines[source].remove(message)
            return message

    def descriptions(self, source):
        return [m for m in self.signalled[source] if "type" in m]

    def described(self, source, count, seconds=10):
        """Waits until `source` has said its count-th description."""
        with self.ready:
            assert self.ready.wait_for(lambda: len(self.descriptions(source)) >= count, seconds), "no description"

    def opened(self, source, label="chat"):
        return self.wait(source, lambda m: m.get("channel") == label and m.get("state") == "open")

    def closed(self, source, label="chat"):
        return self.wait(source, lambda m: m.get("channel") == label and m.get("state") == "closed")

    def stats(self):
        self.linnet.send({"cmd": "stats"})
        return self.wait(self.linnet, lambda m: "stats" in m)["stats"]

    def until(self, *wishes, seconds=15):
        """Asks linnet for its figures until every wish, a function of them, is granted."""
        deadline = time.monotonic() + seconds
        while True:
            stats = self.stats()
            if all(wish(stats) for wish in wishes):
                return stats
            assert time.monotonic() < deadline, [s for s in stats if s["type"] in ("linnet-track", "inbound-rtp")]
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        """Both end; after a test that went well linnet has to say that all was well."""
        try:
            code = self.linnet.end()
        finally:
            self.other.end()
        assert kind is not None or code == 0, f"linnet ended with {code}"


def pair_of(start, offers, *more, ours=(), data=True, media=False, path=None):
    """Another stack, which start(*options) starts, and linnet, connected; `offers`: the other begins."""
    theirs = ["--offer" if offers else "--answer", *more]
    ours = ["--answer" if offers else "--offer", *ours]
    if data:
        theirs += ["--data"] if offers else []
        ours += [] if offers else ["--data", "chat"]
    if media:
        theirs += ["--media"]
        ours += ["--video", "test", "--audio", "tone"]
    other = start(*theirs)
    return Pair(peer(*ours), other, path)


def run_all(namespace):
    """Runs every function named test_..., one after another."""
    passed = failed = 0
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, function in list(namespace.items()):
        if not name.startswith("test_") or wanted not in name:
            continue
        started = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {name}", flush=True)
            traceback.print_exc()
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    os._exit(1 if failed or not passed else 0)
