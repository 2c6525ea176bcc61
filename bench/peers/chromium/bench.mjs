// SPDX-License-Identifier: Apache-2.0
// Chromium, measured as `linnet bench data` measures linnet: two peer connections of one page over loopback, one
// channel, reliable and ordered; or one of them, as the far end of `linnet bench mixed`.
import { readdirSync, readFileSync } from 'node:fs';
import puppeteer from 'puppeteer-core';
import { serveFar } from '../far.mjs';

const [bench, sizes] = process.argv.slice(2);
const row = values => console.log(JSON.stringify({ stack: 'chromium', ...values }));
const quantile = (values, q) => values.sort((a, b) => a - b)[Math.floor(q * (values.length - 1) + 0.5)];

const browser = await puppeteer.launch({
  headless: true,
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--disable-features=WebRtcHideLocalIpsWithMdns', '--allow-loopback-in-peer-connection'],
});

// The browser is many processes: all that descend from the first.
function cpuSeconds() {
  const processes = new Map();
  for (const name of readdirSync('/proc').filter(n => /^\d+$/.test(n))) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      processes.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch { /* it has ended */ }
  }
  const ours = pid => pid === browser.process().pid || (processes.has(pid) && pid > 1 && ours(processes.get(pid).parent));
  return [...processes].filter(([pid]) => ours(pid)).reduce((sum, [, p]) => sum + p.ticks, 0) / 100;
}

function inPage() {
  const gathered = pc => new Promise(resolve => { pc.onicecandidate = e => e.candidate || resolve(pc.localDescription.sdp); });
  globalThis.end = { received: 0 };

  end.opened = new Promise(resolve => {
    end.take = channel => {
      channel.binaryType = 'arraybuffer';
      channel.onmessage = e => { end.received += e.data.byteLength; end.messages++; };
      resolve(channel);
    };
  });
  end.begin = async (bytes, from) => {
    const channel = from ?? await end.opened, message = new Uint8Array(bytes);
    end.received = end.messages = 0;
    if (bytes === 0) return;
    const fill = () => { while (channel.readyState === 'open' && channel.bufferedAmount < 8 << 20) channel.send(message); };
    channel.bufferedAmountLowThreshold = 4 << 20;
    channel.onbufferedamountlow = fill;
    fill();
  };
  end.answer = async sdp => {
    end.pc = new RTCPeerConnection();
    end.pc.ondatachannel = e => end.take(e.channel);
    const whole = gathered(end.pc);
    await end.pc.setRemoteDescription({ type: 'offer', sdp });
    await end.pc.setLocalDescription();
    return whole;
  };
  end.withItself = async () => {
    const a = new RTCPeerConnection();
    const channel = a.createDataChannel('bench');
    const open = new Promise(resolve => { channel.onopen = resolve; });
    const whole = gathered(a);
    await a.setLocalDescription();
    await a.setRemoteDescription({ type: 'answer', sdp: await end.answer(await whole) });
    await open;
    end.near = { a, channel };
  };
  end.close = () => {
    end.near.a.close();
    end.pc.close();
  };
}

async function openPage() {
  const page = await browser.newPage();
  await page.goto('about:blank');
  await page.evaluate(inPage);
  return page;
}

async function transfer(bytes, seconds) {
  const page = await openPage();
  await page.evaluate(() => end.withItself());
  const from = performance.now(), cpu = cpuSeconds();
  await page.evaluate(size => end.begin(size, end.near.channel), bytes);
  await new Promise(resolve => setTimeout(resolve, seconds * 1000));
  const passed = (performance.now() - from) / 1000, used = cpuSeconds() - cpu;
  const { received, messages } = await page.evaluate(() => ({ received: end.received, messages: end.messages }));
  await page.evaluate(() => end.close());
  await page.close();
  return { mb: received / 1e6 / passed, messages: messages / passed, cpu: used / (received / 2 ** 30) };
}

async function data() {
  for (const bytes of sizes.split(',').map(Number)) {
    const results = [];
    for (let i = 0; i < 3; i++) results.push(await transfer(bytes, 3));
    row({ message_bytes: bytes, runs: 3, mb_per_s: quantile(results.map(r => r.mb), 0.5),
      messages_per_s: quantile(results.map(r => r.messages), 0.5), cpu_s_per_gib: quantile(results.map(r => r.cpu), 0.5) });
  }
}

async function far() {
  const page = await openPage();
  await serveFar({
    cpuSeconds,
    answer: sdp => page.evaluate(offer => end.answer(offer), sdp),
    begin: bytes => page.evaluate(size => end.begin(size), bytes),
    received: () => page.evaluate(() => end.received),
  });
}

try {
  await { data, far }[bench]();
} finally {
  await browser.close();
}
