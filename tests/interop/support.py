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


def stats_of(stats, kind, **members):
    return [s for s in stats if s["type"] == kind and all(s.get(k) == v for k, v in members.items())]


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
