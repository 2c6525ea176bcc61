#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GStreamer's webrtcbin in the JSON lines of `linnet peer`: offers or answers, echoes what it hears on
data channels, sends numbered pictures (VP8) and a tone of 660 Hz (Opus), reads the numbers and the pitch
of what it receives. Its certificate is RSA. For tests.

  --offer | --answer   who begins
  --media              sends sound and picture
  --data               a channel "chat" (with --offer)
  --ice-server URL,USER,PASSWORD
  --policy relay       nothing but relays

{"cmd":"tracks"} is answered by {"tracks":{kind:{...}}}.

All work happens on the main loop: webrtcbin's own threads must not be held up, and promises are kept
until they are answered."""
import base64
import json
import os
import re
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstApp, GstSdp, GstWebRTC  # noqa: E402, F401

import numpy  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import picture  # noqa: E402

WIDTH, HEIGHT, FPS = 320, 240, 30
OPTIONS = set(sys.argv[1:])
VIDEO = ("appsrc name=pictures is-live=true format=time do-timestamp=true "
         f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! queue ! "
         "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=60 target-bitrate=500000 ! "
         "rtpvp8pay picture-id-mode=15-bit pt={pt} ! "
         "capsfilter caps=application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload={pt}")
AUDIO = ("audiotestsrc is-live=true wave=sine freq=660 volume=0.3 samplesperbuffer=960 ! "
         "audio/x-raw,rate=48000,channels=1 ! opusenc ! rtpopuspay pt={pt} ! "
         "capsfilter caps=application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload={pt}")
DECODE = {"VP8": "rtpvp8depay ! vp8dec ! videoconvert ! video/x-raw,format=GRAY8 ! "
                 "appsink name=sink emit-signals=true sync=false",
          "OPUS": "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! "
                  "appsink name=sink emit-signals=true sync=false"}
lock = threading.Lock()


def write(line):
    with lock:
        print(json.dumps(line), flush=True)


class Peer:
    def __init__(self):
        self.pipeline = Gst.Pipeline.new()
        self.webrtc = Gst.ElementFactory.make("webrtcbin", "webrtc")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        if "--ice-server" in OPTIONS:
            url, user, password = sys.argv[sys.argv.index("--ice-server") + 1].split(",")
            self.webrtc.set_property("turn-server", url.replace(":", f"://{user}:{password}@", 1))
        if "--policy" in OPTIONS:
            self.webrtc.set_property("ice-transport-policy", GstWebRTC.WebRTCICETransportPolicy.RELAY)
        self.pipeline.add(self.webrtc)
        self.kept, self.channels, self.parts = [], {}, []
        self.numbers, self.size, self.heard = picture.Numbers(), (0, 0), numpy.zeros(0)
        self.drawn = 0
        self.loop = GLib.MainLoop()
        self.webrtc.connect("on-ice-candidate", lambda _, index, text: write(
            {"candidate": text, "sdpMLineIndex": index, "sdpMid": None}))
        self.webrtc.connect("on-data-channel", lambda _, channel: self.use(channel))  # at once: a message may follow
        self.webrtc.connect("pad-added", lambda _, pad: self.receive(pad))
        self.webrtc.connect("notify::connection-state", lambda w, _: write(
            {"connection": w.get_property("connection-state").value_nick}))
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.fail(m.parse_error()))

    def fail(self, why):
        print("gst:", why, file=sys.stderr, flush=True)
        self.loop.quit()

    def later(self, function, *arguments):
        GLib.idle_add(lambda: function(*arguments) and False)

    def ask(self, signal, *arguments, then):
        """Emits a signal that is answered by a promise; then() runs on the main loop, with the text of
        the description where the answer is one (its own memory ends with the callback)."""
        def answered(done):
            reply = done.get_reply()
            found = [kind for kind in ("offer", "answer") if reply and reply.has_field(kind)]
            self.later(then, *((kind, reply.get_value(kind).sdp.as_text()) for kind in found))

        promise = Gst.Promise.new_with_change_func(answered)
        self.kept.append(promise)
        self.webrtc.emit(signal, *arguments, promise)

    def description(self, kind, text):
        _, message = GstSdp.SDPMessage.new_from_text(text)
        types = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
        made = GstWebRTC.WebRTCSessionDescription.new(types[kind], message)
        self.kept += [message, made]
        return made

    # --- sound and picture

    def send(self, index, description, pt):
        """Encodes and sends as the m-line of this index."""
        source = Gst.parse_bin_from_description(description.format(pt=pt), True)
        self.pipeline.add(source)
        pad = self.webrtc.request_pad_simple(f"sink_{index}")
        assert source.get_static_pad("src").link(pad) == Gst.PadLinkReturn.OK
        self.parts.append(source)
        pictures = source.get_by_name("pictures")
        if pictures:
            GLib.timeout_add(1000 // FPS, self.draw, pictures)
        source.sync_state_with_parent()

    def draw(self, pictures):
        data = picture.draw_i420(WIDTH, HEIGHT, self.drawn).tobytes()
        self.drawn += 1
        pictures.emit("push-buffer", Gst.Buffer.new_wrapped(data))
        return True

    def receive(self, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        encoding = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        part = Gst.parse_bin_from_description("queue ! " + DECODE[encoding], True)
        part.get_by_name("sink").connect("new-sample", self.on_picture if encoding == "VP8" else self.on_sound)
        self.pipeline.add(part)
        self.parts.append(part)
        part.sync_state_with_parent()
        assert pad.link(part.get_static_pad("sink")) == Gst.PadLinkReturn.OK

    def on_picture(self, sink):
        sample = sink.emit("pull-sample")
        caps, buffer = sample.get_caps().get_structure(0), sample.get_buffer()
        width, height = caps.get_value("width"), caps.get_value("height")
        data = numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), "u1")
        self.size = width, height
        self.numbers.add(data.reshape(height, -1)[:, :width])
        return Gst.FlowReturn.OK

    def on_sound(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        self.heard = numpy.append(self.heard, numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), "<i2"))
        return Gst.FlowReturn.OK

    def tracks(self):
        n, last = self.numbers, self.heard[-24000:]
        return {"video": {"frames": n.frames, "read": n.read, "disordered": n.disordered, "width": self.size[0],
                          "height": self.size[1]},
                "audio": {"samples": len(self.heard), "hertz": picture.pitch(last, 48000) if len(last) == 24000 else 0}}

    # --- data channels

    def use(self, channel):
        label = channel.get_property("label")
        self.channels[label] = channel
        channel.connect("notify::ready-state", lambda *_: self.tell(channel, label))
        channel.connect("on-message-string", lambda c, text: self.later(c.send_string, text))
        channel.connect("on-message-data", lambda c, data: self.later(c.send_data, data))
        self.tell(channel, label)

    told = {}

    def tell(self, channel, label):
        states = {int(GstWebRTC.WebRTCDataChannelState.OPEN): "open", int(GstWebRTC.WebRTCDataChannelState.CLOSED): "closed"}
        state = states.get(int(channel.get_property("ready-state")))  # 0, a new one's, has no name
        if not state or self.told.get(channel) == state:
            return
        self.told[channel] = state
        retransmits, life = channel.get_property("max-retransmits"), channel.get_property("max-packet-lifetime")
        write({"channel": label, "state": state, "ordered": channel.get_property("ordered"),
               "protocol": channel.get_property("protocol") or "",
               "maxRetransmits": None if retransmits < 0 else retransmits,
               "maxPacketLifeTime": None if life < 0 else life})

    def open(self, label, line):
        options = Gst.Structure.new_empty("options")
        for key, name, kind in (("ordered", "ordered", bool), ("protocol", "protocol", str),
                                ("maxRetransmits", "max-retransmits", int),
                                ("maxPacketLifeTime", "max-packet-lifetime", int)):
            if key in line:
                options.set_value(name, kind(line[key]))
        self.use(self.webrtc.emit("create-data-channel", label, options))

    def on_channel_line(self, line):
        label = line["channel"]
        if line.get("state") == "open":
            self.open(label, line)
        elif line.get("state") == "closed":
            self.channels[label].close()
        elif "data" in line:
            self.channels[label].send_string(line["data"])
        else:
            self.channels[label].send_data(GLib.Bytes.new(base64.b64decode(line["data64"])))

    # --- signalling

    def offer(self):
        self.ask("create-offer", None, then=self.describe)

    def describe(self, made):
        kind, text = made
        self.ask("set-local-description", self.description(kind, text),
                 then=lambda: write({"type": kind, "sdp": text}))

    def answer(self, text):
        if "--media" in OPTIONS:
            for index, section in enumerate(re.split(r"\r?\nm=", text)[1:]):
                for source, pattern in ((VIDEO, r"a=rtpmap:(\d+) VP8/"), (AUDIO, r"a=rtpmap:(\d+) opus/")):
                    found = re.search(pattern, section)
                    if found and index not in self.sending:
                        self.sending.add(index)
                        self.send(index, source, found.group(1))
        self.ask("create-answer", None, then=self.describe)

    sending = set()

    def on_description(self, line):
        self.ask("set-remote-description", self.description(line["type"], line["sdp"]),
                 then=lambda: self.answer(line["sdp"]) if line["type"] == "offer" else None)

    def on_line(self, line):
        if line.get("cmd") == "tracks":
            write({"tracks": self.tracks()})
        elif line.get("cmd") == "offer":
            self.offer()
        elif "channel" in line:
            self.on_channel_line(line)
        elif "type" in line:
            self.on_description(line)
        elif line.get("candidate"):
            self.webrtc.emit("add-ice-candidate", line.get("sdpMLineIndex") or 0, line["candidate"])

    def listen(self):
        for text in sys.stdin:
            self.later(self.on_line, json.loads(text))
        GLib.idle_add(self.loop.quit)

    def run(self):
        self.pipeline.set_state(Gst.State.READY)
        if "--media" in OPTIONS and "--offer" in OPTIONS:
            self.send(0, AUDIO, 111)
            self.send(1, VIDEO, 96)
            self.sending = {0, 1}
        if "--data" in OPTIONS:
            self.open("chat", {})
        self.pipeline.set_state(Gst.State.PLAYING)
        threading.Thread(target=self.listen, daemon=True).start()
        if "--offer" in OPTIONS:
            GLib.timeout_add(50, lambda: self.offer() and False)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)


Gst.init(None)
Peer().run()
os._exit(0)
