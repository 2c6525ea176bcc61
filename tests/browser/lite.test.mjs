// SPDX-License-Identifier: Apache-2.0
// `linnet peer --ice-lite`, which sends no check, with Chromium and Firefox, each offering and answering: messages and a
// picture, and after longer than consent lasts (RFC 7675, 5.1) still, for the browser's checks keep it.
//   node --test tests/browser/lite.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from './echo-call.mjs';
import { emptyPage, framesDecoded, inUse } from './end.mjs';
import { chromium, firefox, until } from './support.mjs';

const LONG_MS = 35000;

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`${name} with a lite agent`, () => {
    let host;
    let site;
    before(async () => {
      site = await emptyPage();
      host = await launch();
    });
    after(async () => {
      await host?.close();
      site?.close();
    });

    for (const role of ['offers', 'answers']) {
      test(`${name} ${role} to a lite agent`, async () => {
        const goesOn = async (page) => {
          const frames = async () => framesDecoded(await page.evaluate(() => globalThis.end.stats()));
          if (role === 'answers') await sleep(LONG_MS);
          const before = await frames();
          await until('more of the picture', async () => await frames() > before + 30, { timeout: 20000 });
        };
        const { ours, theirs, wrong } = await call(host, site, role === 'offers', ['--ice-lite', '--loopback'], goesOn);
        const transport = ours.find((s) => s.type === 'transport');
        const pairs = ours.filter((s) => s.type === 'candidate-pair');
        assert.equal(wrong, 0);
        assert.equal(inUse(ours)[0].candidateType, 'host');
        assert.equal(transport.iceRole, 'controlled');
        assert.ok(transport.selectedCandidatePairChanges <= 3, `${transport.selectedCandidatePairChanges} changes`);
        assert.ok(pairs.every((pair) => pair.requestsSent === 0), JSON.stringify(pairs));
        assert.ok(pairs.some((pair) => pair.requestsReceived > 0 && pair.responsesSent > 0), JSON.stringify(pairs));
        assert.ok(theirs.length > 0);
      });
    }
  });
}
