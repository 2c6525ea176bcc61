// SPDX-License-Identifier: Apache-2.0
// A browser against `linnet peer`: sound, picture and messages at once, each browser in both roles.
//   tests/support/netns node --test tests/browser/peer.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, one, openPage, PAGE_TONE_HZ, pages, pairInUse, startPeer, trackIn } from './both-ends.mjs';
import { chromium, comeFirst, firefox, silentDevice, until } from './support.mjs';

const SECONDS = 20;
const MESSAGES = 1000;
const TONE_HZ = 440; // ours, docs/test-picture.md

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const near = (a, b, share) => Math.abs(a - b) <= share * Math.max(a, b);

/** Nothing here takes longer than a few seconds; what hangs is to be named. */
function within(what, promise, ms = 10000) {
  let timer;
  return Promise.race([promise, new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer in ${ms} ms`)), ms);
  })]).finally(() => clearTimeout(timer));
}

/** Connects, sends all messages, and answers what both ends saw in SECONDS. */
async function call(page, offerer) {
  const run = { bandwidthAfter: null, syncs: [] };
  const peer = await startPeer(page, { offerer: !offerer, messages: MESSAGES });
  try {
    await connect(page, peer, { offerer, messages: MESSAGES });
    const start = Date.now();
    page.evaluate((seconds) => globalThis.end.messages.send(seconds), SECONDS - 2).catch((error) => { run.sending = error; });
    while (Date.now() - start < SECONDS * 1000) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const bitrate = pairInUse(await within('getStats() of the page',
        page.evaluate(async () => [...(await globalThis.end.pc.getStats()).values()])))
        ?.availableOutgoingBitrate;
      const sync = one(await within('the statistics of linnet', peer.stats()), 'linnet-sync')?.flashToBeepMs;
      if (sync !== undefined && sync !== run.syncs.at(-1)) run.syncs.push(sync);
      if (bitrate > 1e6) run.bandwidthAfter ??= Date.now() - start;
      run.bitrate = bitrate;
    }
    await until('all messages', () => page.evaluate((n) => globalThis.end.messages.received >= n, MESSAGES), { timeout: 20000 })
      .catch((error) => { run.late = error.message; });
    [run.ours, run.theirs] = await Promise.all([peer.stats(), page.evaluate(() => globalThis.report())]);
  } finally {
    run.exit = await peer.close();
    run.peer = peer;
    if (process.env.LINNET_SHOW) show(run);
  }
  return run;
}

function show({ ours = [], theirs = { stats: [] }, peer, ...rest }) {
  const { stats, ...seen } = theirs;
  const parts = (all) => all.filter((s) => ['outbound-rtp', 'inbound-rtp', 'remote-inbound-rtp', 'linnet-track', 'linnet-sync'].includes(s.type)
    || (s.type === 'candidate-pair' && s.nominated));
  console.log(JSON.stringify({ ...rest, errors: peer.errors, received: peer.received, wrong: peer.wrong.length, seen }, null, 1));
  for (const s of parts(ours)) console.log('ours  ', JSON.stringify(s));
  for (const s of parts(stats)) console.log('theirs', JSON.stringify(s));
}

function checkMessages(run) {
  const { peer, theirs: { messages } } = run;
  assert.equal(run.sending, undefined);
  assert.equal(messages.sent, MESSAGES);
  assert.deepEqual([peer.received, peer.wrong], [MESSAGES, []], 'what linnet received');
  assert.deepEqual([messages.received, messages.wrong], [MESSAGES, []], 'what linnet sent back');
}

/** One direction: `sender` and `receiver` are reports, `got` how many numbers were read in order. */
function checkPicture(name, sender, receiver, got) {
  const sent = one(sender, 'outbound-rtp', 'video');
  const received = one(receiver, 'inbound-rtp', 'video');
  assert.ok(sent.framesEncoded > SECONDS * 15, `${name}: only ${sent.framesEncoded} frames encoded`);
  assert.ok(got.read >= 0.95 * sent.framesEncoded,
    `${name}: ${got.read} numbers read in order of ${sent.framesEncoded} encoded, ${JSON.stringify(got)}`);
  assert.equal(got.disordered, 0, `${name}: pictures out of order: ${JSON.stringify(got)}`);
  assert.ok(near(sent.framesEncoded, received.framesDecoded, 0.05),
    `${name}: ${sent.framesEncoded} frames encoded, ${received.framesDecoded} decoded`);
}

function checkPackets(name, sender, receiver) {
  for (const kind of ['audio', 'video']) {
    const { packetsSent } = one(sender, 'outbound-rtp', kind);
    const { packetsReceived, packetsLost } = one(receiver, 'inbound-rtp', kind);
    assert.ok(packetsSent > 100 && near(packetsSent, packetsReceived + packetsLost, 0.02),
      `${name}: ${kind}: ${packetsSent} packets sent, ${packetsReceived} received, ${packetsLost} lost`);
  }
}

comeFirst();

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`${name} and linnet peer`, () => {
    let host;
    let site;
    let sound;
    before(async () => {
      sound = name === 'Firefox' ? await silentDevice() : null; // Chromium has one of its own
      site = await pages();
      host = await launch({ env: sound?.env });
    });
    after(async () => {
      await host?.close();
      await sound?.close();
      site?.close();
    });

    for (const role of ['offers', 'answers']) {
      describe(`${name} ${role}`, () => {
        let run;
        before(async () => {
          const page = await openPage(host, site);
          run = await call(page, role === 'offers');
          run.problems = page.problems;
          await page.close();
        });

        test('connects without an error', () => {
          assert.deepEqual([run.problems, run.theirs.errors], [[], []]);
          assert.equal(run.theirs.state, 'connected');
          assert.equal(run.exit, 0, run.peer.errors);
        });
        test('messages of 1 B to 256 KiB arrive unchanged both ways', () => checkMessages(run));
        test('the picture towards linnet is read frame by frame', () => {
          const track = trackIn(run.ours, 'video');
          checkPicture('to linnet', run.theirs.stats, run.ours, { read: track.numbersRead, missing: track.numbersMissing, disordered: track.numbersDisordered });
        });
        test('the picture from linnet is read frame by frame',
          () => checkPicture('from linnet', run.ours, run.theirs.stats, run.theirs.watch));
        test('the tones keep their pitch', () => {
          const heard = trackIn(run.ours, 'audio').frequencyHz;
          assert.ok(Math.abs(heard - PAGE_TONE_HZ) < 5, `linnet heard ${heard} Hz`);
          assert.ok(Math.abs(run.theirs.hertz - TONE_HZ) < 5, `the page heard ${run.theirs.hertz} Hz`);
        });
        test('flash and beep come together', () => {
          assert.ok(run.syncs.length > SECONDS / 2 && Math.abs(median(run.syncs)) < 80, `at linnet: ${run.syncs}`);
          const { pairs, medianMs } = run.theirs.sync;
          assert.ok(pairs > SECONDS / 2 && Math.abs(medianMs) < 80, `at the page: ${JSON.stringify(run.theirs.sync)}`);
        });
        test('the statistics of both ends agree', () => {
          checkPackets('to linnet', run.theirs.stats, run.ours);
          checkPackets('from linnet', run.ours, run.theirs.stats);
          for (const [end, stats] of [['linnet', run.ours], ['the page', run.theirs.stats]]) {
            const trip = pairInUse(stats)?.currentRoundTripTime;
            assert.ok(trip >= 0 && trip < 1, `round trip at ${end}: ${trip}`);
          }
        });
        if (name === 'Chromium') {
          test('availableOutgoingBitrate passes 1 Mbit/s', () => {
            assert.notEqual(run.bandwidthAfter, null, `it stayed at ${run.bitrate}`);
          });
        }
      });
    }
  });
}
