#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc (package python3-aiortc) at the other end of `linnet peer`: data, picture and sound in both
roles. Both ends number their pictures and read the other's numbers; both listen to the other's tone."""
import asyncio
import fractions
import time

import av
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack

import picture
from support import has_picture, has_tone, is_description, peer, run_all

MESSAGES = ["one", "zwei", "€" * 100] + [bytes([i % 256]) * n for i, n in enumerate((1, 1000, 16384, 65535))]


def description_of(pc):
    return {"type": pc.localDescription.type, "sdp": pc.localDescription.sdp}


async def exchange(pc, channel, done):
    """Sends the messages and waits for their echo."""
    back = []

    @channel.on("message")
    def on_message(message):
        back.append(message)
        if len(back) == len(MESSAGES):
            done.set_result(back)

    def start():
        for message in MESSAGES:
            channel.send(message)

    if channel.readyState == "open":
        start()
    else:
        channel.on("open", start)
    assert await asyncio.wait_for(done, 20) == MESSAGES
    await pc.close()


async def ask(function, *arguments):
    return await asyncio.get_event_loop().run_in_executor(None, function, *arguments)


async def offer_from_aiortc():
    linnet = peer("--answer", "--echo", "--no-trickle")
    pc = RTCPeerConnection()
    channel = pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())
    linnet.send(description_of(pc))
    answer = await ask(linnet.expect, is_description)
    await pc.setRemoteDescription(RTCSessionDescription(**answer))
    await exchange(pc, channel, asyncio.get_event_loop().create_future())
    assert await ask(linnet.end) == 0


async def offer_from_linnet():
    linnet = peer("--offer", "--data", "chat", "--echo", "--no-trickle")
    pc = RTCPeerConnection()
    done = asyncio.get_event_loop().create_future()
    opened = asyncio.get_event_loop().create_future()
    pc.on("datachannel", lambda channel: opened.set_result(channel))
    await pc.setRemoteDescription(RTCSessionDescription(**await ask(linnet.expect, is_description)))
    await pc.setLocalDescription(await pc.createAnswer())
    linnet.send(description_of(pc))
    channel = await asyncio.wait_for(opened, 20)
    assert channel.label == "chat"
    await exchange(pc, channel, done)
    assert await ask(linnet.end) == 0


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


class Watcher:
    """What aiortc decodes of linnet's tracks."""

    def __init__(self, pc):
        self.numbers, self.heard, self.rate = picture.Numbers(), numpy.zeros(0), 0
        self.timestamps = []
        self.tasks = []
        pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.watch(track))))

    async def watch(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.numbers.add(frame.to_ndarray(format="gray"))
                self.timestamps.append(frame.pts)
            else:
                channels = len(frame.layout.channels)
                self.rate = frame.sample_rate
                self.heard = numpy.append(self.heard, frame.to_ndarray().reshape(-1, channels)[:, 0])

    def hears(self, hertz):
        half = self.rate // 2
        return half and len(self.heard) >= half and abs(picture.pitch(self.heard[-half:], self.rate) - hertz) <= 5

    def satisfied(self):
        return self.numbers.read >= 30 and self.hears(440)


def prefer(pc, kind, mime):
    for transceiver in pc.getTransceivers():
        if transceiver.kind == kind:
            codecs = [c for c in RTCRtpSender.getCapabilities(kind).codecs if c.mimeType == mime]
            transceiver.setCodecPreferences(codecs)


async def both_ways(linnet, watcher):
    """Until each end has seen and heard the other."""
    deadline = time.monotonic() + 15
    while True:
        stats = await ask(linnet.stats)
        if watcher.satisfied() and has_picture(stats) and has_tone(stats, 660):
            break
        assert time.monotonic() < deadline, (vars(watcher.numbers), len(watcher.heard), stats)
        await asyncio.sleep(0.3)
    assert watcher.numbers.disordered == 0
    assert watcher.numbers.read >= 0.9 * watcher.numbers.frames
    assert watcher.timestamps == sorted(set(watcher.timestamps))


async def media(offers, audio="audio/opus"):
    linnet = peer("--answer" if offers else "--offer", "--video", "test", "--audio", "tone", "--no-trickle")
    pc = RTCPeerConnection()
    watcher = Watcher(pc)
    try:
        if not offers:
            await pc.setRemoteDescription(RTCSessionDescription(**await ask(linnet.expect, is_description)))
        pc.addTrack(NumberedPictures())
        pc.addTrack(Tone())
        prefer(pc, "audio", audio)
        await pc.setLocalDescription(await (pc.createOffer() if offers else pc.createAnswer()))
        linnet.send(description_of(pc))
        if offers:
            await pc.setRemoteDescription(RTCSessionDescription(**await ask(linnet.expect, is_description)))
        await both_ways(linnet, watcher)
    finally:
        for task in watcher.tasks:
            task.cancel()
        await pc.close()
        code = await ask(linnet.end)
    assert code == 0


def test_aiortc_offers_media():
    asyncio.run(media(True))


def test_aiortc_answers_media():
    asyncio.run(media(False))


def test_aiortc_offers_pcmu():
    asyncio.run(media(True, "audio/PCMU"))


def test_aiortc_answers_pcmu():
    asyncio.run(media(False, "audio/PCMU"))


def test_aiortc_offers_data():
    asyncio.run(offer_from_aiortc())


def test_aiortc_answers_data():
    asyncio.run(offer_from_linnet())


if __name__ == "__main__":
    run_all(globals())
