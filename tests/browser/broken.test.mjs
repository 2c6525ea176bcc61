// SPDX-License-Identifier: Apache-2.0
// A browser and our own participant in one room, while the WebSocket or the path breaks. Needs nftables and a
// namespace of its own:
//   tests/support/netns node --test tests/browser/broken.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { chromium, comeFirst, firefox, joinPage, press, serve, start, until } from './support.mjs';

comeFirst();

const NUMBERS = 100; // messages sent while the WebSocket is broken

function nft(...words) {
  execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function filter(...rules) {
  nft('flush', 'chain', 'inet', 'linnet', 'input');
  for (const rule of rules) nft('add', 'rule', 'inet', 'linnet', 'input', rule);
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Notes each picture of the other one that is shown, each message, each restart and each state of the room. */
function watch(page) {
  return page.evaluate(() => {
    const seen = globalThis.seen = { frames: [], messages: [], restarts: [], states: [] };
    const note = () => {
      const video = document.querySelector('.tile[data-participant] video');
      if (!video) {
        setTimeout(note, 50);
        return;
      }
      const next = (now) => {
        seen.frames.push(now);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
    };
    note();
    const { room } = globalThis;
    room.addEventListener('message', ({ detail }) => seen.messages.push(detail.data));
    room.addEventListener('icerestart', () => seen.restarts.push(performance.now()));
    room.addEventListener('state', ({ detail }) => seen.states.push(detail.state));
  });
}

const frames = (page) => page.evaluate(() => globalThis.seen.frames.length);
const peerOf = '[...globalThis.room.participants.values()][0]._peer';
const ufrag = (page) => page.evaluate(`/a=ice-ufrag:(\\S+)/.exec(${peerOf}.connection.remoteDescription.sdp)[1]`);

/** The page's own ports. The pair in use is among them; with that alone dropped, a browser may know another already. */
function portsOf(page) {
  return page.evaluate(`${peerOf}.connection.getStats().then((report) => [...new Set([...report.values()]
    .filter((s) => s.type === 'local-candidate' && s.port > 9).map((s) => s.port))])`);
}

/** How many frames our participant has received of the page, by its last line of figures. */
function framesAtStudio(studio) {
  const line = studio.output.trimEnd().split('\n').findLast((one) => one.startsWith('{"event":"figures"') && one.endsWith('}'));
  return line ? JSON.parse(line).videoIn?.frames ?? 0 : 0;
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`${name} and our participant`, () => {
    let server;
    let host;
    let studio;
    let page;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: it installs packet filter rules');
      nft('add', 'table', 'inet', 'linnet');
      nft('add', 'chain', 'inet', 'linnet', 'input', '{ type filter hook input priority 0 ; }');
      [server, host] = await Promise.all([serve(), launch()]);
      studio = await start(['join', server.origin, '--name', 'studio', '--video', 'test', '--audio', 'tone', '--echo', '--stats', 'json'],
        /"state":"joined"/);
      page = await joinPage(host, server, { name: 'Ada' });
      await watch(page);
      await until('the picture', async () => (await frames(page)) > 60);
    });
    after(async () => {
      nft('delete', 'table', 'inet', 'linnet');
      await host?.close();
      if (process.env.LINNET_SHOW) console.log(studio?.output, studio?.errors);
      await studio?.stop('SIGINT');
      await server?.stop('SIGINT');
    });

    test('the WebSocket is cut for 5 s: pictures go on, messages and an offer arrive once', async () => {
      const old = await ufrag(page);
      await page.evaluate(() => { globalThis.seen.frames = globalThis.seen.frames.slice(-1); });
      filter(`tcp dport ${server.port} reject with tcp reset`);
      await page.evaluate(() => globalThis.room._signalling.ping()); // it would take its time to notice
      await until('the room reconnects', () => page.evaluate(() => globalThis.room.state === 'reconnecting'), { timeout: 2000 });
      const sending = page.evaluate(async (count) => {
        for (let i = 0; i < count; i++) {
          await globalThis.room.send(`number ${i}`);
          await new Promise((resolve) => { setTimeout(resolve, 40); });
        }
      }, NUMBERS);
      await page.evaluate(`${peerOf}.restart()`);
      await Promise.all([sending, sleep(5000)]);
      assert.equal(await ufrag(page), old, 'nothing came through');
      filter();
      await until('the room is back', () => page.evaluate(() => globalThis.room.state === 'joined'), { timeout: 15000 });
      await until('the offer was answered', async () => (await ufrag(page)) !== old, { timeout: 10000 });
      await sleep(2000);
      const { messages, states, gap } = await page.evaluate(() => ({
        ...globalThis.seen,
        gap: Math.max(...globalThis.seen.frames.map((t, i, all) => t - (all[i - 1] ?? t))),
      }));
      assert.deepEqual(states, ['reconnecting', 'joined']);
      assert.deepEqual(messages, Array.from({ length: NUMBERS }, (_, i) => `number ${i}`));
      assert.ok(gap < 500, `a gap of ${gap} ms between pictures`);
    });

    test('the path is dropped: frames again within 15 s, by an ICE restart of linnet.js', async () => {
      await page.evaluate(() => { globalThis.seen.restarts = []; });
      const set = `{ ${(await portsOf(page)).join(', ')} }`;
      const begin = Date.now();
      filter(`udp sport ${set} drop`, `udp dport ${set} drop`);
      await sleep(1000);
      const count = await frames(page);
      const atStudio = framesAtStudio(studio);
      await until('the picture goes on', async () => (await frames(page)) > count + 10, { timeout: 30000 });
      await until('and towards us', () => framesAtStudio(studio) > atStudio + 10, { timeout: 30000 });
      const took = Date.now() - begin;
      const restarts = await page.evaluate(() => globalThis.seen.restarts.length);
      if (process.env.LINNET_SHOW) console.log({ took, restarts, set, after: await portsOf(page) });
      assert.ok(restarts > 0, 'another path was found without a restart');
      assert.ok(took < 15000, `it took ${took} ms`);
      await press(page, '#leave');
      assert.deepEqual(page.problems.filter((text) => !/WebSocket|can.t establish a connection|was interrupted/.test(text)), []);
    });
  });
}
