// SPDX-License-Identifier: Apache-2.0
// Chromium and Firefox at once, two pages of each, with one `linnet peer --many` on one UDP port; then where no UDP
// passes, on its one TCP port. Each page sends messages that come back to it alone, and sees the picture.
// Needs nftables and a namespace of its own:
//   tests/support/netns node --test tests/browser/port.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { emptyPage, framesDecoded, inUse, openEnd } from './end.mjs';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, firefox, until } from './support.mjs';

const UDP = 3500;
const TCP = 3501;
const PAGES = 2; // of each browser
const MESSAGES = 100;
const LONGEST = 20000; // bytes of a message
const FRAMES = 20;

function nft(...words) {
  execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function join(host, site, peer, ends, name) {
  const page = await host.newPage();
  ends.set(name, page);
  await page.exposeFunction('toPeer', (signal) => peer.send({ ...signal, peer: name }));
  await page.goto(site.url);
  await page.evaluate(openEnd, { offers: true, messages: MESSAGES, longest: LONGEST });
}

async function served(peer, page, name) {
  const options = { timeout: 40000 };
  await until(`${name}: connected`, () => page.evaluate(() => globalThis.end.pc.connectionState === 'connected'), options);
  await until(`${name}: all messages`, () => page.evaluate((n) => globalThis.end.received >= n, MESSAGES), options);
  await until(`${name}: the picture`, async () => framesDecoded(await page.evaluate(() => globalThis.end.stats())) >= FRAMES, options);
  assert.equal(await page.evaluate(() => globalThis.end.wrong), 0, name);
  return inUse(await peer.stats(name));
}

/** The local and remote candidate of each page's pair, as linnet has them. */
async function meeting(hosts, site) {
  const ends = new Map();
  const peer = new LinnetPeer(['--many', '--echo', '--video', 'test', '--udp-port', `${UDP}`, '--tcp-port', `${TCP}`], (line) => {
    const { peer: name, ...signal } = line;
    if (isSignal(signal)) ends.get(name).evaluate((one) => globalThis.end.fromPeer(one), signal).catch(() => {});
  });
  try {
    for (let i = 0; i < PAGES; i++)
      for (const [name, host] of hosts) await join(host, site, peer, ends, `${name} ${i}`);
    const pairs = [];
    for (const [name, page] of ends) pairs.push(await served(peer, page, name));
    for (const page of ends.values()) assert.equal(await page.evaluate(() => globalThis.end.pc.connectionState), 'connected');
    return pairs;
  } catch (error) {
    error.message += `\n${peer.errors}`;
    throw error;
  } finally {
    await peer.close();
    for (const page of ends.values()) await page.close();
  }
}

describe('one port for many browsers', () => {
  let hosts;
  let site;
  before(async () => {
    assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: it installs packet filter rules');
    site = await emptyPage();
    hosts = [['Chromium', await chromium()], ['Firefox', await firefox()]];
  });
  after(async () => {
    for (const [, host] of hosts ?? []) await host.close();
    site?.close();
  });

  test('Chromium and Firefox at once on one UDP port', async () => {
    const pairs = await meeting(hosts, site);
    assert.equal(pairs.length, 2 * PAGES);
    for (const [local] of pairs) assert.deepEqual([local.protocol, local.port], ['udp', UDP]);
    assert.equal(new Set(pairs.map(([, remote]) => `${remote.address} ${remote.port}`)).size, pairs.length);
  });

  test('Chromium and Firefox at once on one TCP port where no UDP passes', async () => {
    nft('add', 'table', 'inet', 'linnet');
    nft('add', 'chain', 'inet', 'linnet', 'output', '{ type filter hook output priority 0 ; }');
    nft('add', 'rule', 'inet', 'linnet', 'output', 'meta', 'l4proto', 'udp', 'drop');
    try {
      const pairs = await meeting(hosts, site);
      assert.equal(pairs.length, 2 * PAGES);
      for (const [local] of pairs) assert.deepEqual([local.protocol, local.tcpType, local.port], ['tcp', 'passive', TCP]);
    } finally {
      nft('delete', 'table', 'inet', 'linnet');
    }
  });
});
