// SPDX-License-Identifier: Apache-2.0
// The browser's end of peer.test.mjs: sends a test picture, a tone with beeps and messages, and measures
// what comes from the other end. Loaded by an empty page; the test calls what `globalThis.end` offers.
import { drawTestPicture, readTestPicture } from './test-picture.js';
import { checksum, content, sizeOf } from './messages.js';

const WIDTH = 640;
const HEIGHT = 480;
const LOOK_WIDTH = 320; // pictures are made smaller before their pixels are fetched
const LOOK_HEIGHT = 240;
const FRAME_MS = 1000 / 30;
const BEEP_HZ = 1000;
const BEEP_MS = 100;
const NEAR_MS = 500; // a beep belongs to the flash that is nearer than this

const DETECTOR = `
// Blocks of 5 ms by Goertzel's recursion; says when a beep began, in seconds of the audio clock.
registerProcessor('beeps', class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 200);
    this.c = 2 * Math.cos(2 * Math.PI * ${BEEP_HZ} / sampleRate);
    this.s1 = this.s2 = this.energy = this.count = this.run = 0;
    this.inside = false;
  }
  process([[samples]]) {
    if (!samples) return true;
    for (let i = 0; i < samples.length; i++) {
      const s = samples[i] + this.c * this.s1 - this.s2;
      this.s2 = this.s1;
      this.s1 = s;
      this.energy += samples[i] ** 2;
      if (++this.count === this.size) this.block(currentTime + (i + 1 - this.size) / sampleRate);
    }
    return true;
  }
  block(start) {
    const power = Math.max(0, this.s1 ** 2 + this.s2 ** 2 - this.c * this.s1 * this.s2);
    const amplitude = 2 * Math.sqrt(power) / this.size;
    const share = this.energy > 0 ? amplitude ** 2 / 2 * this.size / this.energy : 0;
    const on = amplitude > 0.02 && share > (this.inside ? 0.15 : 0.3);
    this.s1 = this.s2 = this.energy = this.count = 0;
    if (on === this.inside) {
      this.run = 0;
      return;
    }
    if (this.run++ === 0) this.start = start;
    if (this.run < (on ? 2 : 4)) return;
    this.inside = on;
    this.run = 0;
    if (on) this.port.postMessage(this.start);
  }
});
`;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Our picture and our tone as one stream. Both follow Date.now(): each second begins with flash and beep. */
async function makeSource(audio, toneHz) {
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
  document.body.append(canvas);
  const ctx = canvas.getContext('2d');
  drawTestPicture(ctx, WIDTH, HEIGHT, 0, Date.now());
  const stream = canvas.captureStream(0);
  const [track] = stream.getVideoTracks();
  let number = 1;
  let due = performance.now();
  const tick = () => {
    drawTestPicture(ctx, WIDTH, HEIGHT, number++, Date.now());
    (track.requestFrame ? track : stream).requestFrame();
    due = Math.max(due + FRAME_MS, performance.now() - FRAME_MS);
    setTimeout(tick, due - performance.now());
  };
  tick();

  const destination = audio.createMediaStreamDestination();
  destination.channelCount = 1;
  const gain = (value) => new GainNode(audio, { gain: value });
  const beep = gain(0);
  const tone = new OscillatorNode(audio, { frequency: toneHz });
  tone.connect(gain(0.25)).connect(destination);
  tone.start();
  const whistle = new OscillatorNode(audio, { frequency: BEEP_HZ });
  whistle.connect(beep).connect(destination);
  whistle.start();
  let planned = 0;
  setInterval(() => { // each second's beep is planned shortly before it
    const now = Date.now();
    const second = Math.ceil(now / 1000) * 1000;
    if (second === planned || second - now > 500) return;
    planned = second;
    const at = audio.currentTime + (second - now) / 1000;
    beep.gain.setValueAtTime(0, at);
    beep.gain.linearRampToValueAtTime(0.35, at + 0.002);
    beep.gain.setValueAtTime(0.35, at + BEEP_MS / 1000);
    beep.gain.linearRampToValueAtTime(0, at + BEEP_MS / 1000 + 0.002);
  }, 50);
  stream.addTrack(destination.stream.getAudioTracks()[0]);
  return stream;
}

/** Counts pictures, in order and read, and notes when a flash began. */
class Watch {
  pictures = 0;
  read = 0;
  disordered = 0;
  repeated = 0;
  missing = 0;
  unread = 0;
  flashes = [];
  gapMs = 0;
  #last = null;
  #flash = false;
  #shown = 0;

  constructor(video) {
    const canvas = Object.assign(document.createElement('canvas'), { width: LOOK_WIDTH, height: LOOK_HEIGHT });
    this.ctx = canvas.getContext('2d', { willReadFrequently: true });
    const next = (now) => {
      this.take(video, now);
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  }

  /** Every decoded frame, where the browser hands them out: those that come too fast to be shown too. */
  async readAll(track) {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 60 }).readable.getReader();
    this.all = true;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.count(this.look(value));
      value.close();
    }
  }

  look(image) {
    this.ctx.drawImage(image, 0, 0, LOOK_WIDTH, LOOK_HEIGHT);
    return readTestPicture(this.ctx.getImageData(0, 0, LOOK_WIDTH, LOOK_HEIGHT));
  }

  count(what) {
    this.pictures++;
    if (!what) {
      this.unread++;
      return;
    }
    const step = this.#last === null ? 1 : what.number - this.#last;
    if (step === 0 && !this.all) { // shown once more, not decoded once more
      this.repeated++;
      return;
    }
    if (step <= 0) {
      this.disordered++;
      return;
    }
    this.read++;
    this.missing += step - 1;
    this.#last = what.number;
  }

  take(video, shown) {
    const what = this.look(video);
    if (!this.all) this.count(what);
    if (what && what.flash && !this.#flash) this.flashes.push(shown);
    this.#flash = Boolean(what?.flash);
    if (this.#shown) this.gapMs = Math.max(this.gapMs, shown - this.#shown);
    this.#shown = shown;
  }
}

/** Listens to a stream: the loudest frequency, and when beeps began. */
class Ear {
  beeps = [];
  #readings = [];

  constructor(audio, stream) {
    const source = audio.createMediaStreamSource(stream);
    const detector = new AudioWorkletNode(audio, 'beeps', { numberOfOutputs: 0 });
    this.audio = audio;
    this.analyser = new AnalyserNode(audio, { fftSize: 32768, smoothingTimeConstant: 0 });
    source.connect(detector);
    source.connect(this.analyser);
    detector.port.onmessage = ({ data }) => this.beeps.push(this.time(data));
    // The audio clock advances in steps, and stands still when the device starves: the most advanced
    // reading of the last second is the true one.
    setInterval(() => {
      this.#readings.push(audio.currentTime * 1000 - performance.now());
      if (this.#readings.length > 50) this.#readings.shift();
    }, 20);
  }

  /** On the page's clock, when the page hears it. What device and screen add is the browser's affair. */
  time(seconds) {
    return seconds * 1000 - Math.max(...this.#readings);
  }

  frequency() {
    const bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(bins);
    let best = 1;
    for (let i = 1; i < bins.length - 1; i++) if (bins[i] > bins[best]) best = i;
    const [a, b, c] = [bins[best - 1], bins[best], bins[best + 1]];
    return (best + (a - c) / (2 * (a - 2 * b + c))) * this.audio.sampleRate / this.analyser.fftSize;
  }
}

class Messages {
  received = 0;
  wrong = [];
  sent = 0;

  constructor(channel, count) {
    this.channel = channel;
    this.count = count;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = 1 << 18;
    channel.onmessage = ({ data }) => this.take(data);
  }

  /** They come back from the other end's --echo, in order. */
  take(data) {
    const i = this.received++;
    const expected = content(i, this.count);
    if (typeof data !== typeof expected || checksum(data) !== checksum(expected)) this.wrong.push([i, data.length ?? data.byteLength]);
  }

  /** Evenly over `seconds`. */
  async send(seconds) {
    const { channel } = this;
    if (channel.readyState !== 'open') await new Promise((resolve) => { channel.onopen = resolve; });
    const start = performance.now();
    for (; this.sent < this.count; this.sent++) {
      const early = start + this.sent * seconds * 1000 / this.count - performance.now();
      if (early > 0) await new Promise((resolve) => { setTimeout(resolve, early); });
      if (channel.bufferedAmount + sizeOf(this.sent, this.count) > 1 << 20)
        await new Promise((resolve) => { channel.onbufferedamountlow = resolve; });
      channel.send(content(this.sent, this.count));
    }
  }
}

/** A device that was just opened may need seconds until its clock runs evenly. */
async function steadyClock(audio) {
  const offset = () => audio.currentTime * 1000 - performance.now();
  const readings = [];
  for (let i = 0; i < 80; i++) {
    readings.push(offset());
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    const last = readings.slice(-15);
    if (last.length === 15 && Math.max(...last) - Math.min(...last) < 60) return;
  }
}

/** options: offerer, toneHz, messages, label, configuration. `toPeer` is what the test exposes. */
async function open({ offerer, toneHz, messages, label, configuration }) {
  const audio = new AudioContext({ latencyHint: 'interactive', sampleRate: 48000 });
  await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([DETECTOR], { type: 'text/javascript' })));
  await steadyClock(audio);
  const pc = new RTCPeerConnection(configuration);
  const source = await makeSource(audio, toneHz);
  for (const track of source.getTracks()) pc.addTrack(track, source);
  const video = Object.assign(document.createElement('video'), { autoplay: true, playsInline: true });
  document.body.append(video);
  const state = { pc, audio, video, errors: [] };
  pc.ontrack = ({ track, streams: [stream] }) => {
    if (video.srcObject !== stream) video.srcObject = stream;
    if (track.kind === 'video') {
      state.watch = new Watch(video);
      if (globalThis.MediaStreamTrackProcessor) state.watch.readAll(track.clone());
    } else {
      state.ear = new Ear(audio, stream);
    }
  };
  pc.onicecandidate = ({ candidate }) => { if (candidate) globalThis.toPeer(candidate.toJSON()); };
  const use = (channel) => { state.messages = new Messages(channel, messages); };
  const describe = async () => {
    await pc.setLocalDescription();
    await globalThis.toPeer(pc.localDescription.toJSON());
  };
  let order = Promise.resolve();
  state.fromPeer = (signal) => {
    order = order.then(async () => {
      if (!signal.type) return pc.addIceCandidate(signal);
      await pc.setRemoteDescription(signal);
      return signal.type === 'offer' ? describe() : undefined;
    }).catch((error) => state.errors.push(`${error} ${JSON.stringify(signal)}`));
  };
  if (offerer) {
    use(pc.createDataChannel(label));
    await describe();
  } else {
    pc.ondatachannel = ({ channel }) => use(channel);
  }
  globalThis.end = state;
}

function sync({ watch, ear }) {
  const { beeps } = ear;
  const differences = watch.flashes.map((flash) => {
    const nearest = beeps.reduce((a, b) => (Math.abs(b - flash) < Math.abs(a - flash) ? b : a), Infinity);
    return nearest - flash;
  }).filter((d) => Math.abs(d) < NEAR_MS);
  return { pairs: differences.length, medianMs: median(differences), differences };
}

async function report() {
  const { watch, ear, messages, pc, audio, errors } = globalThis.end;
  const stats = [...(await pc.getStats()).values()];
  return {
    stats,
    errors,
    state: pc.connectionState,
    audioState: audio.state,
    hertz: ear?.frequency(),
    sync: watch && ear ? sync(globalThis.end) : null,
    watch: watch && { all: Boolean(watch.all), pictures: watch.pictures, read: watch.read, disordered: watch.disordered,
      missing: watch.missing, repeated: watch.repeated, unread: watch.unread, gapMs: watch.gapMs },
    messages: messages && { received: messages.received, sent: messages.sent, wrong: messages.wrong },
  };
}

Object.assign(globalThis, { openEnd: open, report });
globalThis.loaded = true;
