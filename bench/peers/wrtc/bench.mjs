// SPDX-License-Identifier: Apache-2.0
// libwebrtc through @roamhq/wrtc, measured as `linnet bench` measures linnet: two peer connections in one
// process over loopback, one channel, reliable and ordered.
import wrtc from '@roamhq/wrtc';
import { readFileSync } from 'node:fs';

const [bench, sizes] = process.argv.slice(2);
const row = values => console.log(JSON.stringify({ stack: 'wrtc', ...values }));
const sorted = values => values.sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.floor(q * (values.length - 1) + 0.5)];
const residentKib = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4;
const cpuSeconds = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6; };

async function connect() {
  const a = new wrtc.RTCPeerConnection(), b = new wrtc.RTCPeerConnection();
  a.onicecandidate = e => e.candidate && b.addIceCandidate(e.candidate).catch(() => {});
  b.onicecandidate = e => e.candidate && a.addIceCandidate(e.candidate).catch(() => {});
  const far = new Promise(resolve => { b.ondatachannel = e => resolve(e.channel); });
  const channel = a.createDataChannel('bench');
  const open = new Promise(resolve => { channel.onopen = resolve; });
  const from = performance.now();
  const offer = await a.createOffer();
  await a.setLocalDescription(offer);
  await b.setRemoteDescription(offer);
  const answer = await b.createAnswer();
  await b.setLocalDescription(answer);
  await a.setRemoteDescription(answer);
  await open;
  const ms = performance.now() - from;
  return { a, b, channel, far: await far, ms };
}

async function setup(runs) {
  const ms = [];
  for (let i = 0; i < runs; i++) {
    const pair = await connect();
    ms.push(pair.ms);
    pair.a.close();
    pair.b.close();
  }
  row({ runs, connect_ms_median: quantile(ms, 0.5), connect_ms_p95: quantile(ms, 0.95), connect_ms_max: quantile(ms, 1) });
}

async function transfer(bytes, seconds) {
  const { a, b, channel, far } = await connect();
  const message = new Uint8Array(bytes);
  let received = 0, messages = 0, done = false;
  far.binaryType = 'arraybuffer';
  far.onmessage = e => { received += e.data.byteLength; messages++; };
  channel.bufferedAmountLowThreshold = 4 << 20;
  const fill = () => { while (!done && channel.bufferedAmount < 8 << 20) channel.send(message); };
  channel.onbufferedamountlow = fill;
  const from = performance.now(), cpu = cpuSeconds();
  fill();
  const pump = setInterval(fill, 1);
  await new Promise(resolve => setTimeout(resolve, seconds * 1000));
  const passed = (performance.now() - from) / 1000, used = cpuSeconds() - cpu;
  done = true;
  clearInterval(pump);
  const result = { mb: received / 1e6 / passed, messages: messages / passed, cpu: used / (received / 2 ** 30) };
  a.close();
  b.close();
  return result;
}

async function data() {
  for (const bytes of sizes.split(',').map(Number)) {
    const results = [];
    for (let i = 0; i < 5; i++) results.push(await transfer(bytes, 2));
    row({ message_bytes: bytes, runs: 5, mb_per_s: quantile(results.map(r => r.mb), 0.5),
      messages_per_s: quantile(results.map(r => r.messages), 0.5),
      cpu_s_per_gib: quantile(results.map(r => r.cpu), 0.5), rss_kib: residentKib() });
  }
}

async function idle() {
  const before = residentKib(), pairs = [];
  for (let i = 0; i < 250; i++) pairs.push(await connect());
  const from = performance.now(), cpu = cpuSeconds();
  await new Promise(resolve => setTimeout(resolve, 30000));
  row({ peers: 500, bytes_per_peer: Math.round((residentKib() - before) * 1024 / 500),
    idle_cores: (cpuSeconds() - cpu) / ((performance.now() - from) / 1000) });
}

await { setup: () => setup(250), data, idle }[bench]();
process.exit(0);
