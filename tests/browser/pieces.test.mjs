// SPDX-License-Identifier: Apache-2.0
// Messages in pieces between `linnet peer --parts` and a browser, which knows whole ones only and interleaves none: what
// we write in pieces comes whole, what it sends comes in parts, and one that we give up is never seen.
//   tests/support/netns node --test tests/browser/pieces.test.mjs
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, comeFirst, firefox, until } from './support.mjs';

const LARGEST = 262144; // what Chromium announces; Firefox takes more
const PIECE = 20000;

/** In the page: answers, and sends each message back. */
function openEnd() {
  const pc = new RTCPeerConnection();
  const end = globalThis.end = { pc, waiting: [], lengths: [] };
  pc.onicecandidate = ({ candidate }) => { if (candidate) globalThis.toPeer(candidate.toJSON()); };
  pc.ondatachannel = ({ channel }) => {
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => {
      end.lengths.push(data.length ?? data.byteLength);
      channel.send(data);
    };
  };
  end.take = async (signal) => {
    if (!signal.type) {
      if (pc.remoteDescription) await pc.addIceCandidate(signal);
      else end.waiting.push(signal);
      return;
    }
    await pc.setRemoteDescription(signal);
    for (const candidate of end.waiting.splice(0)) await pc.addIceCandidate(candidate);
    await pc.setLocalDescription();
    globalThis.toPeer(pc.localDescription.toJSON());
  };
}

/** Writes the bytes in pieces, all of them or only so many. */
function write(peer, bytes, pieces = Infinity) {
  for (let at = 0, i = 0; at < bytes.length && i < pieces; at += PIECE, i++)
    peer.send({ channel: 'x', data64: bytes.subarray(at, at + PIECE).toString('base64'), more: at + PIECE < bytes.length });
  if (pieces !== Infinity) peer.send({ channel: 'x', state: 'abandoned' });
}

/** What came back, message by message, each of the parts that make it. */
function joined(parts) {
  const messages = new Map();
  for (const part of parts) messages.set(part.message, [...(messages.get(part.message) ?? []), part]);
  return [...messages.values()].filter((all) => !all.at(-1).more)
    .map((all) => Buffer.concat(all.map(({ data64 }) => Buffer.from(data64, 'base64'))));
}

async function call(host, site) {
  const page = await host.newPage();
  const parts = [];
  const early = [];
  let ready = false;
  const toPage = (signal) => page.evaluate((s) => globalThis.end.take(s), signal);
  const bytes = Buffer.alloc(LARGEST, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  const peer = new LinnetPeer(['--offer', '--data', 'x', '--parts'], (object) => {
    if (object.state === 'open') {
      write(peer, bytes);
      write(peer, bytes, 5);
      peer.send({ channel: 'x', data: 'grü', more: true });
      peer.send({ channel: 'x', data: 'ße' });
    } else if ('message' in object) {
      parts.push(object);
    } else if (isSignal(object)) {
      if (ready) toPage(object);
      else early.push(object);
    }
  });
  try {
    await page.exposeFunction('toPeer', (signal) => peer.send(signal));
    await page.goto(site);
    await page.evaluate(openEnd);
    ready = true;
    for (const signal of early) await toPage(signal);
    const messages = await until('both messages', () => joined(parts).length === 2 && joined(parts), { timeout: 15000 });
    return { bytes, messages, parts, lengths: await page.evaluate(() => globalThis.end.lengths) };
  } finally {
    await peer.close();
    await page.close();
  }
}

comeFirst();

describe('messages in pieces', () => {
  let site;
  let server;
  before(async () => {
    server = http.createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>pieces</title><link rel="icon" href="data:,">');
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    site = `http://localhost:${server.address().port}/`;
  });
  after(() => server.close());

  for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
    test(`${name} sees ours whole, and we take its in parts`, async () => {
      const host = await launch();
      try {
        const run = await call(host, site);
        assert.deepEqual(run.lengths, [LARGEST, 'grüße'.length]);
        assert.ok(run.messages[0].equals(run.bytes), `${run.messages[0].length} bytes`);
        assert.equal(run.messages[1].toString(), 'grüße');
      } finally {
        await host.close();
      }
    });
  }
});
