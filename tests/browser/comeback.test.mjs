// SPDX-License-Identifier: Apache-2.0
// The page comes back by itself: from a server that was killed, a minute of sleep, another address. What was said
// arrives once and in order. A lost WebSocket and a lost path are tested in room.test.mjs and broken.test.mjs.
//   tests/support/netns node --test tests/browser/comeback.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chatOf, chromium, firefox, joinPage, say, seeEachOther, seen, serve, until } from './support.mjs';

const SLEEP_MS = 60000;
const words = (from, count = 3) => Array.from({ length: count }, (_, i) => `${from} ${i}`);
const hosts = [];

before(async () => { hosts.push(await chromium(), await chromium(), await firefox()); });
after(() => Promise.all(hosts.map((host) => host.close())));

async function tell(page, texts) {
  for (const text of texts) await say(page, text);
}

/** All that was said before and after, each once, in the order of each speaker. */
async function heardOnce(pages, texts) {
  for (const page of pages) {
    await until(`all of ${texts.length} messages`, async () => (await chatOf(page)).length >= texts.length, { timeout: 60000 });
    const heard = await chatOf(page);
    assert.deepEqual([...heard].sort(), [...texts].sort());
    for (const speaker of ['before', 'ada', 'after']) {
      const own = (text) => text.startsWith(speaker);
      assert.deepEqual(heard.filter(own), texts.filter(own));
    }
  }
}

async function goOn(page, name) {
  const { framesDecoded } = await seen(page, name);
  await until(`${name} goes on`, async () => (await seen(page, name))?.framesDecoded > framesDecoded + 10, { timeout: 60000 });
}

describe('a server that is killed and starts again at its address', () => {
  for (const [name, first, second] of [['two pages of Chromium', 0, 1], ['Chromium and Firefox', 0, 2]]) {
    test(`${name} go on without it and join it anew`, async () => {
      const server = await serve();
      const a = await joinPage(hosts[first], server, { name: 'Ada', room: 'restarted' });
      const b = await joinPage(hosts[second], server, { name: 'Bob', room: 'restarted' });
      await seeEachOther(a, 'Ada', b, 'Bob');
      await tell(a, words('before'));
      await server.stop('SIGKILL');
      for (const page of [a, b]) await until('it is missed', () => page.evaluate(() => globalThis.room.state === 'reconnecting'));
      await goOn(a, 'Bob');
      await tell(a, words('ada'));
      const again = await serve('--listen', `127.0.0.1:${server.port}`);
      try {
        for (const page of [a, b]) await until('joined anew', () => page.evaluate(() => globalThis.room.state === 'joined'));
        await seeEachOther(a, 'Ada', b, 'Bob');
        await goOn(a, 'Bob');
        await goOn(b, 'Ada');
        await tell(a, words('after'));
        await heardOnce([a, b], [...words('before'), ...words('ada'), ...words('after')]);
        await Promise.all([a.close(), b.close()]);
      } finally {
        await again.stop('SIGINT');
      }
    });
  }
});

/** All processes of a browser: those that descend from its first. */
function processesOf(host) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1]));
    } catch { /* it has ended */ }
  }
  const first = host.browser.process().pid;
  const descends = (pid) => pid === first || (parents.has(pid) && descends(parents.get(pid)));
  return [...parents.keys()].filter(descends);
}

test('a browser that slept for a minute goes on where it was', async () => {
  const server = await serve();
  try {
    const a = await joinPage(hosts[0], server, { name: 'Ada', room: 'asleep' });
    const b = await joinPage(hosts[1], server, { name: 'Bob', room: 'asleep' });
    await seeEachOther(a, 'Ada', b, 'Bob');
    await tell(a, words('before'));
    const asleep = processesOf(hosts[1]);
    for (const pid of asleep) process.kill(pid, 'SIGSTOP');
    try {
      await tell(a, words('ada'));
      await sleep(SLEEP_MS);
    } finally {
      for (const pid of asleep) process.kill(pid, 'SIGCONT');
    }
    for (const page of [a, b]) {
      await until('both are in the room', () => page.evaluate(() => globalThis.room.state === 'joined' && globalThis.room.participants.size === 1));
    }
    await seeEachOther(a, 'Ada', b, 'Bob');
    await goOn(a, 'Bob');
    await goOn(b, 'Ada');
    await tell(a, words('after'));
    await heardOnce([a, b], [...words('before'), ...words('ada'), ...words('after')]);
    await Promise.all([a.close(), b.close()]);
  } finally {
    await server.stop('SIGINT');
  }
});

const ip = (...args) => execFileSync('ip', args, { stdio: 'ignore' });

test('browsers whose machine moves to another network go on there', async () => {
  const server = await serve();
  try {
    const a = await joinPage(hosts[0], server, { name: 'Ada', room: 'moved' });
    const b = await joinPage(hosts[1], server, { name: 'Bob', room: 'moved' });
    await seeEachOther(a, 'Ada', b, 'Bob');
    await tell(a, words('before'));
    ip('address', 'delete', '10.77.0.2/24', 'dev', 'v0');
    ip('address', 'delete', 'fd77::2/64', 'dev', 'v0');
    ip('address', 'add', '10.78.0.2/24', 'dev', 'v0');
    ip('route', 'add', 'default', 'dev', 'v0');
    try {
      await tell(a, words('ada'));
      await goOn(a, 'Bob');
      await goOn(b, 'Ada');
      await tell(a, words('after'));
      await heardOnce([a, b], [...words('before'), ...words('ada'), ...words('after')]);
      await Promise.all([a.close(), b.close()]);
    } finally {
      ip('address', 'delete', '10.78.0.2/24', 'dev', 'v0');
      ip('address', 'add', '10.77.0.2/24', 'dev', 'v0');
      ip('address', 'add', 'fd77::2/64', 'dev', 'v0', 'nodad');
      ip('route', 'add', 'default', 'via', '10.77.0.1');
    }
  } finally {
    await server.stop('SIGINT');
  }
});
