// SPDX-License-Identifier: Apache-2.0
// SNAP (draft-hancke-tsvwg-snap) with browsers: Chromium, which knows it behind a field trial, in both roles; and what
// browsers that do not know it make of an offer that has it.
//   tests/support/netns node --test tests/browser/snap.test.mjs
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, firefox, until } from './support.mjs';

const MESSAGES = 50;

/** In the page: the other end of the line, which sends back what it gets. */
function openEnd(offerer) {
  const pc = new RTCPeerConnection();
  const end = globalThis.end = { pc, waiting: [], texts: [] };
  const use = (channel) => {
    channel.onopen = () => { for (let i = 0; i < 50; i++) channel.send(`page ${i}`); };
    channel.onmessage = ({ data }) => end.texts.push(data);
  };
  const describe = async () => {
    await pc.setLocalDescription();
    globalThis.toPeer(pc.localDescription.toJSON());
  };
  pc.onicecandidate = ({ candidate }) => { if (candidate) globalThis.toPeer(candidate.toJSON()); };
  pc.ondatachannel = ({ channel }) => use(channel);
  end.take = async (signal) => {
    if (!signal.type) {
      if (pc.remoteDescription) await pc.addIceCandidate(signal);
      else end.waiting.push(signal);
      return;
    }
    await pc.setRemoteDescription(signal);
    for (const candidate of end.waiting.splice(0)) await pc.addIceCandidate(candidate);
    if (signal.type === 'offer') await describe();
  };
  if (offerer) {
    use(pc.createDataChannel('x'));
    return describe();
  }
  return null;
}

/** One call between a page and `linnet peer --snap`: both descriptions, the texts at both ends, our states of SCTP. */
async function call(host, site, pageOffers) {
  const folder = await mkdtemp(path.join(tmpdir(), 'linnet-snap-'));
  const trace = path.join(folder, 'trace');
  const page = await host.newPage();
  const run = { sdp: {}, texts: [] };
  const note = (signal) => { if (signal.type) run.sdp[signal.type] = signal.sdp; };
  let ready = false;
  const early = [];
  const toPage = (signal) => page.evaluate((s) => globalThis.end.take(s), signal);
  const peer = new LinnetPeer([...(pageOffers ? ['--answer'] : ['--offer', '--data', 'x', '--snap']), '--trace', trace], (object) => {
    if (object.state === 'open') for (let i = 0; i < MESSAGES; i++) peer.send({ channel: 'x', data: `linnet ${i}` });
    else if ('data' in object) run.texts.push(object.data);
    else if (isSignal(object)) {
      note(object);
      if (ready) toPage(object);
      else early.push(object);
    }
  });
  try {
    await page.exposeFunction('toPeer', (signal) => { note(signal); peer.send(signal); });
    await page.goto(site);
    await page.evaluate(openEnd, pageOffers);
    ready = true;
    for (const signal of early) await toPage(signal);
    run.pageTexts = await until('the messages', async () => {
      const texts = await page.evaluate(() => globalThis.end.texts);
      return texts.length === MESSAGES && run.texts.length === MESSAGES && texts;
    }, { timeout: 15000 });
  } finally {
    await peer.close();
    const lines = (await readFile(trace, 'utf8')).split('\n').filter((l) => l.includes('"sctp:state"'));
    run.states = lines.map((l) => JSON.parse(l)).map((event) => `${event.old}-${event.new}`);
    await rm(folder, { recursive: true, force: true });
    await page.close();
  }
  return run;
}

const numbers = (who) => Array.from({ length: MESSAGES }, (_, i) => `${who} ${i}`);

describe('SNAP', () => {
  let site;
  let server;
  before(async () => {
    server = http.createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>snap</title><link rel="icon" href="data:,">');
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    site = `http://localhost:${server.address().port}/`;
  });
  after(() => server.close());

  const known = () => chromium({ args: ['--force-fieldtrials=WebRTC-Sctp-Snap/Enabled/'] });
  for (const [name, launch, pageOffers, used] of [
    ['Chromium that knows SNAP offers', known, true, true],
    ['Chromium that knows SNAP answers', known, false, true],
    ['Chromium that does not know SNAP answers', chromium, false, false],
    ['Firefox, which does not know SNAP, answers', firefox, false, false],
  ]) {
    test(`${name}: messages pass both ways`, async () => {
      const host = await launch();
      try {
        const run = await call(host, site, pageOffers);
        assert.match(run.sdp.offer, /^a=sctp-init:/m);
        assert.equal(/^a=sctp-init:/m.test(run.sdp.answer), used);
        assert.deepEqual(run.texts, numbers('page'));
        assert.deepEqual(run.pageTexts, numbers('linnet'));
        assert.equal(run.states[0], used ? '0-3' : '0-1', `${run.states}`);
      } finally {
        await host.close();
      }
    });
  }
});
