// SPDX-License-Identifier: Apache-2.0
// The path between two browsers breaks, and linnet.js finds another. Needs nftables and a namespace of its own:
//   tests/support/netns node --test tests/browser/path.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { chromium, firefox, joinPage, press, seen, serve, until } from './support.mjs';

function nft(...words) {
  execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

// All ports of both ends: with the selected path alone dropped, a browser may know another already.
function allPorts(page) {
  return page.evaluate(async () => {
    const { _peer } = [...globalThis.room.participants.values()][0];
    const report = await _peer.connection.getStats();
    return [...report.values()].filter((s) => /^(local|remote)-candidate$/.test(s.type) && s.port > 9).map((s) => s.port);
  });
}

async function breakPath(a, b) {
  for (const [page, other] of [[a, 'Bob'], [b, 'Ada']]) {
    await until('picture', async () => (await seen(page, other))?.framesDecoded > 60);
    await page.evaluate(() => {
      globalThis.restarts = [];
      globalThis.room.addEventListener('icerestart', () => globalThis.restarts.push(Date.now()));
    });
  }
  const ports = new Set([...await allPorts(a), ...await allPorts(b)]);
  for (const protocol of ['udp', 'tcp']) {
    for (const which of ['sport', 'dport']) {
      nft('add', 'rule', 'inet', 'linnet', 'input', protocol, which, `{ ${[...ports].join(', ')} }`, 'drop');
    }
  }
  const start = Date.now();
  await until('the picture stops', async () => {
    const before = (await seen(a, 'Bob')).framesDecoded;
    await new Promise((resolve) => setTimeout(resolve, 600));
    return (await seen(a, 'Bob')).framesDecoded === before;
  });
  const marks = [(await seen(a, 'Bob')).framesDecoded, (await seen(b, 'Ada')).framesDecoded];
  await until('the picture goes on', async () => (await seen(a, 'Bob')).framesDecoded > marks[0] + 5
    && (await seen(b, 'Ada')).framesDecoded > marks[1] + 5);
  const took = Date.now() - start;
  const restarts = await Promise.all([a, b].map((page) => page.evaluate(() => globalThis.restarts)));
  assert.ok(restarts[0].length + restarts[1].length > 0, 'another path was found without a restart');
  assert.ok(took < 15000, `it took ${took} ms, with restarts at ${JSON.stringify(restarts.map((l) => l.map((t) => t - start)))}`);
  nft('flush', 'chain', 'inet', 'linnet', 'input');
  for (const page of [a, b]) await press(page, '#leave');
}

describe('the selected path is dropped', () => {
  let server;
  before(async () => {
    assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: it installs packet filter rules');
    server = await serve();
    nft('add', 'table', 'inet', 'linnet');
    nft('add', 'chain', 'inet', 'linnet', 'input', '{ type filter hook input priority 0 ; }');
  });
  after(async () => {
    nft('delete', 'table', 'inet', 'linnet');
    await server.stop();
  });

  for (const [kinds, launch] of [['Chromium and Chromium', [chromium, chromium]], ['Chromium and Firefox', [chromium, firefox]]]) {
    test(`${kinds}: frames again within 15 s, by an ICE restart`, async () => {
      const hosts = await Promise.all(launch.map((make) => make()));
      try {
        await breakPath(await joinPage(hosts[0], server, { name: 'Ada', room: kinds.replaceAll(' ', '-') }),
          await joinPage(hosts[1], server, { name: 'Bob', room: kinds.replaceAll(' ', '-') }));
      } finally {
        await Promise.all(hosts.map((host) => host.close()));
      }
    });
  }
});
