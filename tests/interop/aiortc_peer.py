#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc in the JSON lines of `linnet peer`: offers or answers, echoes what it hears on data channels,
sends numbered pictures and a tone of 660 Hz, reads the numbers and the pitch of what it receives. For
tests.

  --offer | --answer   who begins
  --media              sends sound and picture
  --data               a channel "chat" (with --offer)
  --pcmu               wants G.711 for sound
  --ice-server URL,USER,PASSWORD
  --policy relay       nothing but the relay of that server

{"cmd":"tracks"} is answered by {"tracks":{kind:{...}}}. Its candidates are all in its description; those
of the other end may trickle."""
import asyncio
import base64
import fractions
import hashlib
import json
import sys
import time

import av
import numpy
from aiortc import (RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCRtpSender, RTCSessionDescription,
                    VideoStreamTrack, rtcicetransport)
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp

import picture

OPTIONS = set(sys.argv[1:])


class RelayOnly(rtcicetransport.Connection):
    """aiortc has no policy, and aioice's hides candidates of the host but checks from them all the same: it gets none."""

    async def get_component_candidates(self, component, addresses, timeout=5):
        return await super().get_component_candidates(component, [], timeout)


def configuration():
    if "--policy" in OPTIONS:
        rtcicetransport.Connection = RelayOnly
    servers = []
    if "--ice-server" in OPTIONS:
        url, user, password = sys.argv[sys.argv.index("--ice-server") + 1].split(",")
        servers.append(RTCIceServer(urls=url, username=user, credential=password))
    return RTCConfiguration(iceServers=servers)


def write(line):
    print(json.dumps(line), flush=True)


class Sum:
    """Bulk, as docs/peer.md has it."""

    def __init__(self, size):
        self.size = self.left = size
        self.digest, self.messages = bytes(32), 0

    def add(self, message):
        self.digest = hashlib.sha256(self.digest + message).digest()
        self.messages += 1
        self.left -= len(message)

    def tell(self, label, what):
        write({"channel": label, what: self.size, "messages": self.messages, "sha256": self.digest.hex()})


def make_up(number, length):
    body = (31 * numpy.arange(length, dtype=numpy.int64) + number) & 255
    return (number.to_bytes(8, "big") + body.astype(numpy.uint8).tobytes()[8:])[:length]


class NumberedPictures(VideoStreamTrack):
    number = -1

    async def recv(self):
        timestamp, base = await self.next_timestamp()
        self.number += 1
        frame = av.VideoFrame.from_ndarray(picture.draw_i420(320, 240, self.number), format="yuv420p")
        frame.pts, frame.time_base = timestamp, base
        return frame


class Tone(AudioStreamTrack):
    """660 Hz, 20 ms a frame, on time."""

    count, rate, started = 0, 48000, None

    async def recv(self):
        samples = self.rate // 50
        self.started = self.started or time.monotonic()
        await asyncio.sleep(max(0, self.started + self.count / self.rate - time.monotonic()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(picture.tone(samples, self.count, self.rate).tobytes())
        frame.pts, frame.sample_rate = self.count, self.rate
        frame.time_base = fractions.Fraction(1, self.rate)
        self.count += samples
        return frame


class Peer:
    def __init__(self):
        self.pc = RTCPeerConnection(configuration())
        self.numbers, self.size, self.timestamps = picture.Numbers(), (0, 0), []
        self.heard, self.rate = numpy.zeros(0), 48000
        self.channels, self.tasks, self.sums = {}, [], {}
        self.pc.on("datachannel", self.use)
        self.pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.watch(track))))
        self.pc.on("connectionstatechange", lambda: write({"connection": self.pc.connectionState}))

    # --- sound and picture

    def send(self):
        self.pc.addTrack(Tone())
        self.pc.addTrack(NumberedPictures())
        for transceiver in self.pc.getTransceivers():
            if transceiver.kind == "audio":
                wanted = "audio/PCMU" if "--pcmu" in OPTIONS else "audio/opus"
                transceiver.setCodecPreferences(
                    [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.mimeType == wanted])

    async def watch(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.size = frame.width, frame.height
                self.numbers.add(frame.to_ndarray(format="gray"))
                self.timestamps.append(frame.pts)
            else:
                channels = len(frame.layout.channels)
                self.rate = frame.sample_rate
                self.heard = numpy.append(self.heard, frame.to_ndarray().reshape(-1, channels)[:, 0])

    def tracks(self):
        n, last = self.numbers, self.heard[-(self.rate // 2):]
        return {"video": {"frames": n.frames, "read": n.read, "disordered": n.disordered, "width": self.size[0],
                          "height": self.size[1],
                          "monotone": self.timestamps == sorted(set(self.timestamps))},
                "audio": {"samples": len(self.heard),
                          "hertz": picture.pitch(last, self.rate) if len(last) == self.rate // 2 else 0}}

    # --- data channels

    def use(self, channel):
        label = channel.label
        self.channels[label] = channel

        def opened():
            write({"channel": label, "state": "open", "id": channel.id, "ordered": channel.ordered,
                   "protocol": channel.protocol, "maxRetransmits": channel.maxRetransmits,
                   "maxPacketLifeTime": channel.maxPacketLifeTime})

        channel.on("open", opened)
        channel.on("close", lambda: write({"channel": label, "state": "closed"}))
        channel.on("message", lambda message: self.take(channel, message))
        if channel.readyState == "open":
            opened()

    def take(self, channel, message):
        total = self.sums.get(channel.label)
        if total is None:
            channel.send(message)
            return
        total.add(message)
        if total.left <= 0:
            del self.sums[channel.label]
            total.tell(channel.label, "received")

    async def send_bulk(self, channel, size, message_size=16384):
        total = Sum(size)
        while total.left > 0:
            while channel.bufferedAmount > 1 << 20:
                await asyncio.sleep(0.001)
            message = make_up(total.messages, min(message_size, total.left))
            channel.send(message)
            total.add(message)
            await asyncio.sleep(0)
        total.tell(channel.label, "sent")

    def on_channel_line(self, line):
        label, state = line.pop("channel"), line.pop("state", None)
        if state == "open":
            self.use(self.pc.createDataChannel(label, **line))
        elif state == "closed":
            self.channels[label].close()
        elif "bulk" in line:
            self.tasks.append(asyncio.ensure_future(self.send_bulk(self.channels[label], line["bulk"], line["size"])))
        elif "sum" in line:
            self.sums[label] = Sum(line["sum"])
            write({"channel": label, "summing": line["sum"]})
        else:
            self.channels[label].send(line["data"] if "data" in line else base64.b64decode(line["data64"]))

    # --- signalling

    async def describe(self, description):
        await self.pc.setLocalDescription(description)
        write({"type": self.pc.localDescription.type, "sdp": self.pc.localDescription.sdp})

    async def on_candidate(self, line):
        if line["candidate"]:
            candidate = candidate_from_sdp(line["candidate"].split(":", 1)[1])
            candidate.sdpMid, candidate.sdpMLineIndex = line.get("sdpMid"), line.get("sdpMLineIndex")
            await self.pc.addIceCandidate(candidate)

    async def on_line(self, line):
        if line.get("cmd") == "tracks":
            write({"tracks": self.tracks()})
        elif line.get("cmd") == "offer":
            await self.describe(await self.pc.createOffer())
        elif "channel" in line:
            self.on_channel_line(line)
        elif "candidate" in line:
            await self.on_candidate(line)
        else:
            if "--media" in OPTIONS and not self.pc.getSenders():
                self.send()
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp=line["sdp"], type=line["type"]))
            if line["type"] == "offer":
                await self.describe(await self.pc.createAnswer())

    async def run(self):
        if "--offer" in OPTIONS:
            if "--media" in OPTIONS:
                self.send()
            if "--data" in OPTIONS:
                self.use(self.pc.createDataChannel("chat"))
            await self.describe(await self.pc.createOffer())
        reader = asyncio.StreamReader(limit=1 << 22)
        await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while text := await reader.readline():
            await self.on_line(json.loads(text))
        for task in self.tasks:
            task.cancel()
        await self.pc.close()


asyncio.run(Peer().run())
