// SPDX-License-Identifier: Apache-2.0
// Bulk between `linnet peer` and a browser, both ways, with losses: both ends come to the same SHA-256.
// LINNET_BULK_BYTES says how much; ./check long takes 1 GiB.
//   tests/support/netns node --test tests/browser/bulk.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, firefox, until } from './support.mjs';

const BYTES = Number(process.env.LINNET_BULK_BYTES ?? 8 << 20);
const MESSAGE = 60000;
const SLOWEST = 500000; // bytes a second
const TIMEOUT = 60000 + BYTES / SLOWEST * 1000;
const LOSS = `
table inet lossy {
    chain input {
        type filter hook input priority 0
        meta l4proto udp numgen random mod 1000 < 5 drop
    }
}
`;

/** In the page: answers linnet's offer; sends and sums up bulk as docs/peer.md has it. */
function answering() {
  const end = globalThis.end = { pc: new RTCPeerConnection(), lines: [] };
  const say = (line) => globalThis.toPeer(line);
  const hex = (digest) => [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  class Sum {
    digest = new Uint8Array(32);
    messages = 0;
    #work = Promise.resolve();

    constructor(bytes) { this.bytes = this.left = bytes; }

    /** Digests are made one after another, while messages come. */
    add(message) {
      this.messages++;
      this.left -= message.length;
      this.#work = this.#work.then(async () => {
        const both = new Uint8Array(32 + message.length);
        both.set(this.digest);
        both.set(message, 32);
        this.digest = new Uint8Array(await crypto.subtle.digest('SHA-256', both));
      });
      return this.#work;
    }

    async result() {
      await this.#work;
      return { bytes: this.bytes, messages: this.messages, sha256: hex(this.digest) };
    }
  }

  function makeUp(number, length) {
    const message = new Uint8Array(length);
    for (let i = 8; i < length; i++) message[i] = 31 * i + number;
    new DataView(message.buffer).setBigUint64(0, BigInt(number));
    return message;
  }

  end.pc.onicecandidate = ({ candidate }) => { if (candidate) say(candidate.toJSON()); };
  end.pc.ondatachannel = ({ channel }) => {
    end.channel = Object.assign(channel, { binaryType: 'arraybuffer', bufferedAmountLowThreshold: 1 << 18 });
    channel.onmessage = ({ data }) => {
      end.sum.add(new Uint8Array(data));
      if (end.sum.left <= 0) end.summed = true;
    };
  };
  end.signal = async (line) => {
    if (!line.type) return line.candidate && end.pc.addIceCandidate(line);
    await end.pc.setRemoteDescription(line);
    await end.pc.setLocalDescription();
    return say(end.pc.localDescription.toJSON());
  };
  end.expect = (bytes) => { end.sum = new Sum(bytes); };
  end.sendBulk = async (bytes, size) => {
    const sum = new Sum(bytes);
    while (sum.left > 0) {
      if (end.channel.bufferedAmount > 1 << 20)
        await new Promise((resolve) => { end.channel.onbufferedamountlow = resolve; });
      const message = makeUp(sum.messages, Math.min(size, sum.left));
      end.channel.send(message);
      await sum.add(message);
      if (sum.messages % 64 === 0) await new Promise((resolve) => { setTimeout(resolve); }); // the test's questions get their turn
    }
    end.made = await sum.result();
  };
}

/** An empty page at both ends of its signalling with `linnet peer`. */
async function connected(browser, site) {
  const page = await browser.newPage();
  const said = [];
  let open;
  let signals = new Promise((resolve) => { open = resolve; });
  const peer = new LinnetPeer(['--offer', '--data', 'chat'], (line) => {
    if (isSignal(line)) signals = signals.then(() => page.evaluate((l) => globalThis.end.signal(l), line));
    else said.push(line);
  });
  await page.goto(site);
  await page.exposeFunction('toPeer', (line) => peer.send(line));
  await page.evaluate(answering);
  open();
  peer.said = async (wanted) => {
    await until(wanted, () => said.some((line) => wanted in line), { timeout: TIMEOUT });
    return said.find((line) => wanted in line);
  };
  await until('the channel at linnet', () => said.some((line) => line.state === 'open'), { timeout: 30000 });
  await until('the channel in the page', () => page.evaluate(() => globalThis.end.channel?.readyState === 'open'));
  return { page, peer };
}

async function carry(browser, site, name) {
  const { page, peer } = await connected(browser, site);
  const speak = (way, start) => console.log(`${name}: ${BYTES >> 20} MiB ${way}: ${(BYTES / (Date.now() - start) / 1000).toFixed(1)} MB/s`);
  let start = Date.now();
  await page.evaluate((bytes) => globalThis.end.expect(bytes), BYTES);
  peer.send({ channel: 'chat', bulk: BYTES, size: MESSAGE });
  const { sent, ...ours } = await peer.said('sent');
  await until('all in the page', () => page.evaluate(() => globalThis.end.summed), { timeout: TIMEOUT });
  speak('to it', start);
  const theirs = await page.evaluate(() => globalThis.end.sum.result());
  assert.deepEqual(theirs, { bytes: sent, messages: ours.messages, sha256: ours.sha256 });

  start = Date.now();
  peer.send({ channel: 'chat', sum: BYTES });
  await peer.said('summing');
  await page.evaluate((bytes, size) => { globalThis.end.sendBulk(bytes, size); }, BYTES, MESSAGE); // longer than a call may take
  await until('all is sent', () => page.evaluate(() => globalThis.end.made), { timeout: TIMEOUT });
  const made = await page.evaluate(() => globalThis.end.made);
  const { received, messages, sha256 } = await peer.said('received');
  speak('from it', start);
  assert.deepEqual({ bytes: received, messages, sha256 }, made);
  await page.close();
  assert.equal(await peer.close(), 0, peer.errors);
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`bulk with ${name}`, { timeout: 2 * TIMEOUT + 60000 }, () => {
    let server, host;

    before(async () => {
      server = http.createServer((_, response) => {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end('<!doctype html><title>bulk</title><link rel="icon" href="data:,">');
      });
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      host = await launch();
      execFileSync('nft', ['-f', '-'], { input: LOSS });
    });
    after(async () => {
      execFileSync('nft', ['delete', 'table', 'inet', 'lossy']);
      await host?.close();
      server?.close();
    });

    test(`${name} and linnet carry bulk both ways with loss`, () =>
      carry(host, `http://localhost:${server.address().port}/`, name));
  });
}
