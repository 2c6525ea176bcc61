// SPDX-License-Identifier: Apache-2.0
// What `./run` starts, seen by a browser: the native participant "studio" plays, listens and echoes.
//   tests/support/netns node --test tests/browser/studio.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, firefox, joinPage, press, seen, serve, until } from './support.mjs';

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  test(`${name} and studio see, hear and message each other`, async () => {
    const server = await serve('--studio');
    const browser = await launch();
    let end;
    try {
      const page = await joinPage(browser, server, { name: 'Ada' });
      await until('studio is seen and heard', async () => {
        const s = await seen(page, 'studio');
        return s?.state === 'connected' && s.framesDecoded > 60 && s.width === 640 && s.playing && s.audioBytes > 1000;
      });
      await page.$eval('#text', (node) => { node.value = 'echo this'; });
      await press(page, '#chat-form button');
      await until('studio echoes', () => page.$$eval('#messages .text', (items) =>
        items.filter((item) => item.textContent === 'echo this').length === 2));
      await until('studio sees and hears', () =>
        /^Ada +connected +sees \d+x\d+ [1-9][\d.]* fps .* hears -\d+ dB/m.test(server.output));
      assert.deepEqual(page.problems, []);
    } finally {
      await browser.close();
      end = await server.stop('SIGINT');
    }
    assert.equal(end.code, 0);
  });
}
