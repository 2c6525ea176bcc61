// SPDX-License-Identifier: Apache-2.0
// Two browsers in one room through `linnet serve --dev`, by way of the page and linnet.js.
//   tests/support/netns node --test tests/browser/room.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chatOf, chromium, firefox, joinPage, press, say, seeEachOther, seen, serve, until } from './support.mjs';

let server;
before(async () => { server = await serve(); });
after(async () => {
  const { code } = await server.stop('SIGINT');
  assert.equal(code, 0);
});

async function chat(a, b) {
  await say(a, 'hello from a');
  await say(b, 'hello from b');
  await until('both messages on both sides', async () => {
    const [x, y] = [await chatOf(a), await chatOf(b)];
    return x.length === 2 && y.length === 2 && x.includes('hello from b') && y.includes('hello from a');
  });
}

// Sizes from one byte to 256 KiB, content made from the number; answers how many came back wrong.
async function manyMessages(a, b, count) {
  await b.evaluate(() => {
    globalThis.got = [];
    globalThis.room.addEventListener('message', ({ detail: { data } }) => {
      if (typeof data !== 'string') globalThis.got.push(new Uint8Array(data));
    });
  });
  await a.evaluate(async (n) => {
    for (let i = 0; i < n; i++) {
      const size = Math.min(262144, 1 + Math.floor((262144 * i * i) / (n * n)));
      await globalThis.room.send(new Uint8Array(size).fill(i % 251).buffer);
    }
    await globalThis.room.send(new Uint8Array(262144).fill(7).buffer);
  }, count);
  await until('all messages', () => b.evaluate((n) => globalThis.got.length === n + 1, count));
  const wrong = await b.evaluate((n) => globalThis.got.slice(0, n)
    .filter((m, i) => m.some((x) => x !== i % 251)).length, count);
  assert.equal(wrong, 0);
}

async function leave(...pages) {
  for (const page of pages) {
    await press(page, '#leave');
    assert.deepEqual(page.problems, []);
    await page.close();
  }
}

describe('two Chromium pages', () => {
  let host;
  before(async () => { host = await chromium(); });
  after(() => host.close());

  test('see, hear and message each other', async () => {
    const a = await joinPage(host, server, { name: 'Ada' });
    const b = await joinPage(host, server, { name: 'Bob' });
    await seeEachOther(a, 'Ada', b, 'Bob');
    await chat(a, b);
    await manyMessages(a, b, 100);
    await leave(b);
    await until('Bob is gone', async () => (await seen(a, 'Bob')) === null);
    await leave(a);
  });

  test('go on when the WebSocket breaks, and lose nothing that was said meanwhile', async () => {
    const a = await joinPage(host, server, { name: 'Ada', room: 'broken' });
    const b = await joinPage(host, server, { name: 'Bob', room: 'broken' });
    await seeEachOther(a, 'Ada', b, 'Bob');
    const before = await server.metrics();
    const id = await a.evaluate(() => globalThis.room.id);
    await a.evaluate(() => {
      globalThis.states = [];
      globalThis.room.addEventListener('state', ({ detail }) => globalThis.states.push(detail.state));
      const signalling = globalThis.room._signalling;
      signalling.retries = 3; // two seconds at most
      signalling.abandonSocket();
    });
    const framesBefore = (await seen(a, 'Bob')).framesDecoded;
    const c = await joinPage(host, server, { name: 'Cy', room: 'broken' }); // Ada hears of it later
    await until('Ada is back', () => a.evaluate(() => globalThis.room.state === 'joined'));
    assert.deepEqual(await a.evaluate(() => globalThis.states), ['reconnecting', 'joined']);
    assert.equal(await a.evaluate(() => globalThis.room.id), id);
    await seeEachOther(a, 'Ada', c, 'Cy');
    assert.ok((await seen(a, 'Bob')).framesDecoded > framesBefore);
    const figures = await server.metrics();
    assert.equal(figures.get('linnet_resumes_total') - before.get('linnet_resumes_total'), 1);
    assert.equal(figures.get('linnet_participants_lost_total'), 0);
    await leave(a, b, c);
  });

  test('restart ICE without the application', async () => {
    const a = await joinPage(host, server, { name: 'Ada', room: 'restart' });
    const b = await joinPage(host, server, { name: 'Bob', room: 'restart' });
    await seeEachOther(a, 'Ada', b, 'Bob');
    const ufrag = (page) => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(
      [...globalThis.room.participants.values()][0]._peer.connection.localDescription.sdp)[1]);
    const old = await ufrag(a);
    await Promise.all([a, b].map((page) => page.evaluate(() => globalThis.dispatchEvent(new Event('online')))));
    await until('new credentials', async () => (await ufrag(a)) !== old);
    const frames = (await seen(a, 'Bob')).framesDecoded;
    await until('frames go on', async () => (await seen(a, 'Bob')).framesDecoded > frames + 10);
    assert.equal((await seen(a, 'Bob')).state, 'connected');
    await leave(a, b);
  });

  test('a name or message that looks like markup is shown as text', async () => {
    const evil = '<img src=x onerror="globalThis.pwned=1">';
    const a = await joinPage(host, server, { name: 'Ada', room: 'markup', query: '&video=0&audio=0' });
    const b = await joinPage(host, server, { name: evil.slice(0, 40), room: 'markup', query: '&video=0&audio=0' });
    await until('connected', async () => (await seen(a, evil.slice(0, 40)))?.state === 'connected');
    await say(b, evil);
    await until('the message is there', async () => (await chatOf(a)).includes(evil));
    assert.equal(await a.evaluate(() => document.querySelectorAll('#grid img, #messages img').length), 0);
    assert.equal(await a.evaluate(() => globalThis.pwned), undefined);
    await leave(a, b);
  });
});

describe('Chromium and Firefox', () => {
  let hosts;
  before(async () => { hosts = await Promise.all([chromium(), firefox()]); });
  after(() => Promise.all(hosts.map((host) => host.close())));

  for (const [first, second] of [[0, 1], [1, 0]]) {
    test(`see, hear and message each other, ${['Chromium', 'Firefox'][second]} offering`, async () => {
      const room = `mixed-${first}`;
      const a = await joinPage(hosts[first], server, { name: 'Ada', room });
      const b = await joinPage(hosts[second], server, { name: 'Bob', room });
      await seeEachOther(a, 'Ada', b, 'Bob');
      await chat(a, b);
      await manyMessages(a, b, 30);
      await manyMessages(b, a, 30);
      await leave(a, b);
    });
  }
});

describe('without a camera or permission', () => {
  let hosts;
  before(async () => { hosts = await Promise.all([chromium(), chromium({ media: false })]); });
  after(() => Promise.all(hosts.map((host) => host.close())));

  test('the page joins to watch and says why', async () => {
    const a = await joinPage(hosts[0], server, { name: 'Ada', room: 'watch' });
    const b = await joinPage(hosts[1], server, { name: 'Eve', room: 'watch' });
    await until('Ada is seen', async () => {
      const s = await seen(b, 'Ada');
      return s?.state === 'connected' && s.framesDecoded > 10 && s.width > 0;
    });
    const notice = await b.$eval('#notice', (n) => (n.hidden ? '' : n.textContent));
    assert.match(notice, /not allowed.*watch/);
    await chat(a, b);
    await leave(a, b);
  });
});
