// SPDX-License-Identifier: Apache-2.0
// No UDP passes: a browser, which gathers TCP candidates only actively, connects to the passive ones of
// `linnet peer --ice-tcp`, and messages and a picture go over the stream (RFC 6544, RFC 4571).
// Needs nftables and a namespace of its own:
//   tests/support/netns node --test tests/browser/tcp.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { emptyPage, framesDecoded, inUse, openEnd } from './end.mjs';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, firefox, until } from './support.mjs';

const MESSAGES = 200;
const LONGEST = 60000; // bytes of a message
const FRAMES = 60;

function nft(...words) {
  execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** `linnet peer`: what it signals goes to `toPage`; it echoes messages and sends its test picture. */
function peerOf(offers, toPage) {
  return new LinnetPeer(['--ice-tcp', '--echo', '--video', 'test', ...(offers ? ['--offer', '--data', 'chat'] : ['--answer'])],
    (object) => { if (isSignal(object)) toPage(object); });
}

async function call(host, site, offers) {
  const page = await host.newPage();
  const early = [];
  let opened = false;
  const toPage = (signal) => page.evaluate((s) => globalThis.end.fromPeer(s), signal).catch(() => {});
  const peer = peerOf(!offers, (signal) => { if (opened) toPage(signal); else early.push(signal); });
  try {
    await page.exposeFunction('toPeer', (signal) => peer.send(signal));
    await page.goto(site.url);
    await page.evaluate(openEnd, { offers, messages: MESSAGES, longest: LONGEST });
    opened = true;
    early.forEach(toPage);
    await until('connected', () => page.evaluate(() => globalThis.end.pc.connectionState === 'connected'), { timeout: 20000 });
    await until('all messages', () => page.evaluate((n) => globalThis.end.received >= n, MESSAGES), { timeout: 40000 });
    await until('the picture', async () => framesDecoded(await page.evaluate(() => globalThis.end.stats())) >= FRAMES, { timeout: 40000 });
    return {
      ours: await peer.stats(),
      theirs: await page.evaluate(() => globalThis.end.stats()),
      wrong: await page.evaluate(() => globalThis.end.wrong),
    };
  } catch (error) {
    error.message += `\n${peer.errors}`;
    throw error;
  } finally {
    await peer.close();
    await page.close();
  }
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`${name} where no UDP passes`, () => {
    let host;
    let site;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: it installs packet filter rules');
      nft('add', 'table', 'inet', 'linnet');
      nft('add', 'chain', 'inet', 'linnet', 'output', '{ type filter hook output priority 0 ; }');
      nft('add', 'rule', 'inet', 'linnet', 'output', 'meta', 'l4proto', 'udp', 'drop');
      site = await emptyPage();
      host = await launch();
    });
    after(async () => {
      await host?.close();
      site?.close();
      nft('delete', 'table', 'inet', 'linnet');
    });

    for (const role of ['offers', 'answers']) {
      test(`${name} ${role}: messages and a picture over TCP`, async () => {
        const { ours, theirs, wrong } = await call(host, site, role === 'offers');
        const [local, remote] = inUse(ours);
        assert.equal(wrong, 0);
        assert.deepEqual([local.protocol, local.candidateType, local.tcpType], ['tcp', 'host', 'passive']);
        assert.deepEqual([remote.protocol, remote.candidateType, remote.tcpType], ['tcp', 'prflx', 'active']);
        assert.equal(inUse(theirs)[0].protocol, 'tcp');
      });
    }
  });
}
