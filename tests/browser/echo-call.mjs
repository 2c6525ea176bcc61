// SPDX-License-Identifier: Apache-2.0
// One call between a page and `linnet peer`, which echoes messages and sends its test picture: the page looks
// whether all messages come back as they were, and at the picture.
import { framesDecoded, openEnd } from './end.mjs';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { until } from './support.mjs';

const MESSAGES = 200;
const LONGEST = 60000; // bytes of a message
const FRAMES = 60;

function peerOf(offers, options, toPage) {
  const peer = new LinnetPeer([...options, '--echo', '--video', 'test', ...(offers ? ['--offer', '--data', 'chat'] : ['--answer'])],
    (object) => {
      if (isSignal(object)) toPage(object);
      else if (offers && object.channel && object.state === 'open') peer.send({ channel: object.channel, data: 'begin' });
    });
  return peer;
}

/** The page offers, or answers; `options` are those of `linnet peer`. Gives both ends' statistics and how many messages
 *  were not what had been sent, after `meanwhile(page)`. */
export async function call(host, site, offers, options, meanwhile = () => {}) {
  const page = await host.newPage();
  const early = [];
  let opened = false;
  const toPage = (signal) => page.evaluate((s) => globalThis.end.fromPeer(s), signal).catch(() => {});
  const peer = peerOf(!offers, options, (signal) => { if (opened) toPage(signal); else early.push(signal); });
  try {
    await page.exposeFunction('toPeer', (signal) => peer.send(signal));
    await page.goto(site.url);
    await page.evaluate(openEnd, { offers, messages: MESSAGES, longest: LONGEST });
    opened = true;
    early.forEach(toPage);
    await until('connected', () => page.evaluate(() => globalThis.end.pc.connectionState === 'connected'), { timeout: 20000 });
    await until('all messages', () => page.evaluate((n) => globalThis.end.received >= n, MESSAGES), { timeout: 40000 });
    await until('the picture', async () => framesDecoded(await page.evaluate(() => globalThis.end.stats())) >= FRAMES, { timeout: 40000 });
    await meanwhile(page, peer);
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
