#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc (package python3-aiortc) at the other end of `linnet peer`: data in both roles."""
import asyncio
import os

from aiortc import RTCPeerConnection, RTCSessionDescription

from support import is_description, peer, run_all

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


def test_aiortc_offers_data():
    asyncio.run(offer_from_aiortc())


def test_aiortc_answers_data():
    asyncio.run(offer_from_linnet())


if __name__ == "__main__":
    run_all(globals())
