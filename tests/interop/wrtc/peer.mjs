// SPDX-License-Identifier: Apache-2.0
// libwebrtc, as @roamhq/wrtc has it, in the JSON lines of `linnet peer`: offers or answers, echoes what
// it hears on data channels, sends numbered pictures and a tone of 660 Hz, reads the numbers and the
// pitch of what it receives. For tests.
//
//   --offer | --answer   who begins
//   --media              sends sound and picture
//   --data               a channel "chat" (with --offer)
//   --no-trickle         all candidates in the description
//
// {"cmd":"tracks"} is answered by {"tracks":{kind:{…}}}; offer and restart are as in `linnet peer`.
import readline from 'node:readline';

import wrtc from '@roamhq/wrtc';

import { decodeTestCode, encodeTestCode } from '../../../web/test-picture.js';

const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard;
const has = (option) => process.argv.includes(option);
const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const [WIDTH, HEIGHT, FPS, RATE, HERTZ] = [320, 240, 30, 48000, 660];
const [COLUMNS, ROWS, CODE_ROW, CODE_BITS] = [16, 24, 18, 96];

const timers = [];
const channels = new Map();
const tracks = {};

function drawPicture(number) {
  const data = new Uint8ClampedArray(WIDTH * HEIGHT * 3 / 2).fill(128);
  const code = encodeTestCode(number, Date.now());
  for (let y = 0; y < HEIGHT; y++) {
    const row = Math.floor(y * ROWS / HEIGHT);
    for (let x = 0; x < WIDTH; x++) {
      const bit = (row - CODE_ROW) * COLUMNS + Math.floor(x * COLUMNS / WIDTH);
      data[y * WIDTH + x] = row < CODE_ROW ? 16 + (x + 4 * number) % 220
        : code[bit >> 3] >> (7 - bit % 8) & 1 ? 235 : 16;
    }
  }
  return { width: WIDTH, height: HEIGHT, data };
}

/** The number in a picture, or null. */
function readPicture({ width, height, data }) {
  const means = [];
  for (let bit = 0; bit < CODE_BITS; bit++) {
    let sum = 0;
    for (let i = 0; i < 25; i++) {
      const y = Math.floor(height * (8 * (CODE_ROW + Math.floor(bit / COLUMNS)) + 2 + Math.floor(i / 5)) / (8 * ROWS));
      const x = Math.floor(width * (8 * (bit % COLUMNS) + 2 + i % 5) / (8 * COLUMNS));
      sum += data[y * width + x];
    }
    means.push(sum / 25);
  }
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const code = new Uint8Array(12);
  means.forEach((mean, bit) => { code[bit >> 3] |= (mean > (low + high) / 2) << (7 - bit % 8); });
  return high - low < 64 ? null : decodeTestCode(code)?.number ?? null;
}

/** The pitch from the crossings of zero, each placed between its two samples. */
function pitch(samples, rate) {
  const crossings = [];
  for (let i = 1; i < samples.length; i++)
    if (samples[i - 1] < 0 && samples[i] >= 0)
      crossings.push(i - 1 + samples[i - 1] / (samples[i - 1] - samples[i]));
  if (crossings.length < 2)
    return 0;
  const periods = crossings.slice(1).map((c, i) => c - crossings[i]).sort((a, b) => a - b);
  return rate / periods[Math.floor(periods.length / 2)]; // the median: a beep now and then says nothing
}

/** Calls tick(n) at n * period, without drift. */
function every(period, tick) {
  const started = performance.now();
  let n = 0;
  timers.push(setInterval(() => {
    for (; n * period <= performance.now() - started; n++)
      tick(n);
  }, period / 2));
}

function addTracks(pc) {
  const stream = new wrtc.MediaStream();
  const video = new RTCVideoSource();
  const audio = new RTCAudioSource();
  pc.addTrack(audio.createTrack(), stream);
  pc.addTrack(video.createTrack(), stream);
  every(1000 / FPS, (n) => video.onFrame(drawPicture(n)));
  every(10, (n) => {
    const count = RATE / 100;
    const samples = Int16Array.from({ length: count },
      (_, i) => 8000 * Math.sin(2 * Math.PI * HERTZ * (n * count + i) / RATE));
    audio.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: count });
  });
}

function watchVideo(track) {
  const seen = tracks.video = { frames: 0, read: 0, disordered: 0, width: 0, height: 0 };
  let last = -1;
  new RTCVideoSink(track).onframe = ({ frame }) => {
    const number = readPicture(frame);
    seen.frames++;
    [seen.width, seen.height] = [frame.width, frame.height];
    if (number === null)
      return;
    seen.read++;
    seen.disordered += number <= last;
    last = number;
  };
}

function watchAudio(track) {
  const seen = tracks.audio = { samples: 0, hertz: 0 };
  let heard = [];
  new RTCAudioSink(track).ondata = ({ samples, sampleRate, channelCount }) => {
    for (let i = 0; i < samples.length; i += channelCount)
      heard.push(samples[i]);
    seen.samples += samples.length / channelCount;
    if (heard.length > sampleRate / 2) {
      seen.hertz = pitch(heard, sampleRate);
      heard = [];
    }
  };
}

function use(channel) {
  channels.set(channel.label, channel);
  channel.binaryType = 'arraybuffer';
  const opened = () => write({ channel: channel.label, state: 'open', id: channel.id, ordered: channel.ordered,
    protocol: channel.protocol, maxRetransmits: channel.maxRetransmits, maxPacketLifeTime: channel.maxPacketLifeTime });
  channel.onopen = opened;
  if (channel.readyState === 'open')
    opened();
  channel.onclose = () => write({ channel: channel.label, state: 'closed' });
  channel.onmessage = ({ data }) => channel.send(data);
}

function onChannelLine({ channel: label, state, data, data64, ...init }, pc) {
  if (state === 'open')
    use(pc.createDataChannel(label, init));
  else if (state === 'closed')
    channels.get(label).close();
  else
    channels.get(label).send(data ?? Buffer.from(data64, 'base64'));
}

async function gathered(pc) {
  while (pc.iceGatheringState !== 'complete')
    await new Promise((resolve) => { pc.onicegatheringstatechange = resolve; });
}

async function describe(pc, description) {
  await pc.setLocalDescription(description);
  if (has('--no-trickle'))
    await gathered(pc);
  write({ type: pc.localDescription.type, sdp: pc.localDescription.sdp });
}

async function onLine(pc, line) {
  if (line.cmd === 'tracks')
    write({ tracks });
  else if (line.cmd)
    await describe(pc, await pc.createOffer({ iceRestart: line.cmd === 'restart' }));
  else if (line.channel)
    onChannelLine(line, pc);
  else if (line.type) {
    await pc.setRemoteDescription(line);
    if (line.type === 'offer')
      await describe(pc, await pc.createAnswer());
  } else if (line.candidate !== undefined)
    await pc.addIceCandidate(line.candidate ? line : null).catch((error) => console.error('wrtc:', error.message));
}

async function main() {
  const pc = new wrtc.RTCPeerConnection();
  pc.onicecandidate = ({ candidate }) => { if (candidate && !has('--no-trickle')) write(candidate); };
  pc.onconnectionstatechange = () => write({ connection: pc.connectionState });
  pc.ondatachannel = ({ channel }) => use(channel);
  pc.ontrack = ({ track }) => (track.kind === 'video' ? watchVideo : watchAudio)(track);
  if (has('--media'))
    addTracks(pc);
  if (has('--data'))
    use(pc.createDataChannel('chat'));
  if (has('--offer'))
    await describe(pc, await pc.createOffer());
  for await (const text of readline.createInterface({ input: process.stdin }))
    await onLine(pc, JSON.parse(text));
  timers.forEach(clearInterval);
  pc.close();
  process.exit(0);
}

main().catch((error) => { console.error('wrtc:', error); process.exit(1); });
