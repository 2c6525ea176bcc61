// SPDX-License-Identifier: Apache-2.0
// A page (peer-page.js) at one end, `linnet peer` at the other, and the signalling between them.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { checksum, content } from './messages.js';
import { ROOT, until } from './support.mjs';

export const PAGE_TONE_HZ = 523;
const FILES = {
  '/peer-page.js': 'tests/browser/peer-page.js',
  '/messages.js': 'tests/browser/messages.js',
  '/test-picture.js': 'web/test-picture.js',
};

/** Serves the page's modules, and a page that loads them. */
export async function pages() {
  const server = http.createServer(async ({ url }, response) => {
    if (FILES[url]) {
      response.setHeader('content-type', 'text/javascript');
      response.end(await readFile(path.join(ROOT, FILES[url])));
    } else {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end('<!doctype html><title>peer</title><link rel="icon" href="data:,"><script type="module" src="/peer-page.js"></script>');
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}

/** The page in a browser; `problems` are its errors. */
export async function openPage(host, site) {
  const page = await host.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') page.problems.push(message.text()); });
  await page.goto(site.url);
  await until('the page', () => page.evaluate(() => globalThis.loaded));
  return page;
}

/** `linnet peer`: signalling goes to `toPage`, messages are compared with what was sent. */
class Peer extends LinnetPeer {
  received = 0;
  wrong = [];

  constructor({ offerer, messages }, toPage) {
    super([...(offerer ? ['--offer', '--data', 'chat'] : ['--answer']), '--video', 'test', '--audio', 'tone', '--echo'], (object) => {
      if ('data' in object || 'data64' in object) this.take(object);
      else if (isSignal(object)) toPage(object);
    });
    this.messages = messages;
  }

  take({ data, data64 }) {
    const i = this.received++;
    const text = data !== undefined;
    const expected = content(i, this.messages);
    if (text !== (typeof expected === 'string')
      || checksum(text ? data : Buffer.from(data64, 'base64')) !== checksum(expected)) this.wrong.push(i);
  }
}

/** Starts the other end of a page. `signals` are all lines of signalling that the page wrote. */
export async function startPeer(page, { offerer, messages }) {
  if (!page.bridged) {
    page.bridged = true;
    await page.exposeFunction('toPeer', (signal) => {
      page.peer.signals.push(signal);
      page.peer.send(signal);
    });
  }
  const toPage = (signal) => page.evaluate((s) => globalThis.end.fromPeer(s), signal).catch(() => {});
  const early = [];
  let opened = false;
  const peer = new Peer({ offerer, messages }, (signal) => { if (opened) toPage(signal); else early.push(signal); });
  page.peer = Object.assign(peer, { signals: [] });
  peer.open = () => {
    opened = true;
    early.forEach(toPage);
  };
  return peer;
}

/** Connects a page with its peer and waits for the channel; `configuration` is the page's RTCConfiguration. */
export async function connect(page, peer, { offerer, messages, configuration, timeout = 15000 }) {
  await page.evaluate((options) => globalThis.openEnd(options),
    { offerer, toneHz: PAGE_TONE_HZ, messages, label: 'chat', configuration });
  peer.open();
  await until('connected', () => page.evaluate(() => globalThis.end.pc.connectionState === 'connected'), { timeout });
  await until('a channel', () => page.evaluate(() => Boolean(globalThis.end.messages)));
}

export const one = (stats, type, kind) => stats.find((s) => s.type === type && (!kind || s.kind === kind));
export const trackIn = (stats, kind) => stats.find((s) => s.type === 'linnet-track' && s.direction === 'in' && s.kind === kind);

/** The browsers may have nominated several. Firefox names the one in use by `selected`. */
export function pairInUse(stats) {
  const id = one(stats, 'transport')?.selectedCandidatePairId;
  return stats.find((s) => s.type === 'candidate-pair' && (id ? s.id === id : s.selected ?? s.nominated));
}
