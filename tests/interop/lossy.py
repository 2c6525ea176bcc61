# SPDX-License-Identifier: Apache-2.0
"""A path between two peers that loses datagrams, or takes its time: it puts itself into the candidates, the first
IPv4 one of each side, and drops the others. Seeded."""
import collections
import random
import re
import selectors
import socket
import threading
import time

CANDIDATE = re.compile(r"(candidate:\S+ 1 (?:udp|UDP) \d+ )(\d+\.\d+\.\d+\.\d+) (\d+) typ host")
LINE = re.compile(r"a=candidate:[^\r\n]*\r?\n")


class LossyPath:
    def __init__(self, loss, seed=1, delay_s=0):
        self.loss, self.random = 0, random.Random(seed)
        self.delay_s = delay_s
        self.under_way = collections.deque()  # (when it arrives, to which side, the datagram)
        self.planned = loss
        self.here = [self._socket(), self._socket()]  # what each side sends to
        self.peers = [None, None]  # where each side is
        self.dropped = 0
        self.selector = selectors.DefaultSelector()
        for side in (0, 1):
            self.selector.register(self.here[side], selectors.EVENT_READ, side)
        threading.Thread(target=self._run, daemon=True).start()

    @staticmethod
    def _socket():
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells our address
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((probe.getsockname()[0], 0))
        probe.close()
        return made

    def start(self):
        """From here on datagrams get lost."""
        self.loss = self.planned

    def _run(self):
        while True:
            wait = max(0, self.under_way[0][0] - time.monotonic()) if self.under_way else None
            for key, _ in self.selector.select(wait):
                self._take(key.data, *key.fileobj.recvfrom(65536))
            while self.under_way and self.under_way[0][0] <= time.monotonic():
                _, side, data = self.under_way.popleft()
                if self.peers[side]:
                    self.here[side].sendto(data, self.peers[side])

    def _take(self, side, data, source):
        self.peers[side] = source
        if self.random.random() < self.loss:
            self.dropped += 1
        else:
            self.under_way.append((time.monotonic() + self.delay_s, 1 - side, data))

    def _replace(self, side, text):
        """The candidate as the other side is to see it; None: not at all."""
        found = CANDIDATE.search(text)
        if not found:
            return None
        address = (found.group(2), int(found.group(3)))
        if self.peers[side] not in (None, address):
            return None
        self.peers[side] = address
        host, port = self.here[1 - side].getsockname()
        return text.replace(found.group(0), f"{found.group(1)}{host} {port} typ host")

    def carry(self, side, message):
        """A signalling line of `side`, changed; None: not to be carried."""
        if "sdp" in message:
            return dict(message, sdp=LINE.sub(lambda m: self._replace(side, m.group(0)) or "", message["sdp"]))
        if message.get("candidate"):
            text = self._replace(side, message["candidate"])
            return text and dict(message, candidate=text)
        return message
