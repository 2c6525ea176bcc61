// SPDX-License-Identifier: Apache-2.0
// libdatachannel through node-datachannel, measured as `linnet bench data` measures linnet: two peer connections in
// one process over loopback, one channel, reliable and ordered.
import { readFileSync } from 'node:fs';
import { cleanup, PeerConnection } from 'node-datachannel';
import { serveFar } from '../far.mjs';

const [bench, sizes] = process.argv.slice(2);
const row = values => console.log(JSON.stringify({ stack: 'datachannel', ...values }));
const quantile = (values, q) => values.sort((a, b) => a - b)[Math.floor(q * (values.length - 1) + 0.5)];
const residentKib = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4;
const cpuSeconds = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6; };

// The transport that a candidate is for is made by another thread, sometimes a little later.
function add(to, candidate, mid) {
  try {
    to.addRemoteCandidate(candidate, mid);
  } catch {
    setTimeout(add, 10, to, candidate, mid);
  }
}

// Candidates may come before the description that they belong to.
function signal(from, to) {
  const early = [];
  let described = false;
  from.onLocalCandidate((candidate, mid) => described ? add(to, candidate, mid) : early.push([candidate, mid]));
  from.onLocalDescription((sdp, type) => {
    to.setRemoteDescription(sdp, type);
    described = true;
    for (const [candidate, mid] of early) add(to, candidate, mid);
  });
}

async function connect() {
  const a = new PeerConnection('a', { iceServers: [] }), b = new PeerConnection('b', { iceServers: [] });
  signal(a, b);
  signal(b, a);
  const far = new Promise(resolve => { b.onDataChannel(resolve); });
  const channel = a.createDataChannel('bench');
  await new Promise(resolve => { channel.onOpen(resolve); });
  return { a, b, channel, far: await far };
}

async function transfer(bytes, seconds) {
  const { a, b, channel, far } = await connect();
  const message = Buffer.alloc(bytes);
  let received = 0, messages = 0, done = false;
  far.onMessage(data => { received += data.length; messages++; });
  channel.setBufferedAmountLowThreshold(4 << 20);
  const fill = () => { while (!done && channel.bufferedAmount() < 8 << 20) channel.sendMessageBinary(message); };
  channel.onBufferedAmountLow(fill);
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

async function far() {
  const b = new PeerConnection('far', { iceServers: [] });
  const gathered = new Promise(resolve => { b.onGatheringStateChange(state => state === 'complete' && resolve()); });
  let received = 0, message;
  const opened = new Promise(resolve => {
    b.onDataChannel(channel => {
      channel.onMessage(data => { received += data.length; });
      channel.setBufferedAmountLowThreshold(4 << 20);
      resolve(channel);
    });
  });
  await serveFar({
    cpuSeconds,
    answer: async sdp => {
      b.setRemoteDescription(sdp, 'offer');
      await gathered;
      return b.localDescription().sdp;
    },
    begin: async bytes => {
      const channel = await opened;
      const fill = () => { while (channel.bufferedAmount() < 8 << 20) channel.sendMessageBinary(message); };
      received = 0;
      if (bytes === 0) return;
      message = Buffer.alloc(bytes);
      channel.onBufferedAmountLow(fill);
      setInterval(fill, 1);
    },
    received: () => received,
  });
}

const benches = { data, far };
if (!benches[bench]) process.exit(1);
await benches[bench]();
cleanup();
process.exit(0);
