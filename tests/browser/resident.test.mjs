// SPDX-License-Identifier: Apache-2.0
// Browsers that may use nothing but a relay, and the peer that they call lives in the program of the TURN server
// (tests/interop/resident_host.c): what goes between the two never sees a socket.
//   tests/support/netns node --test tests/browser/resident.test.mjs
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from './certificate.mjs';
import { emptyPage, inUse, openEnd } from './end.mjs';
import { isSignal, LinnetPeer } from './linnet-peer.mjs';
import { chromium, comeFirst, firefox, ROOT, until } from './support.mjs';

const HOST = '10.77.0.2'; // tests/support/netns; private, and the server is not told to allow it
const PORT = 23000; // of the peer
const PROGRAM = process.env.RESIDENT_HOST ?? path.join(ROOT, 'build-san/tests/resident-host');
const MESSAGES = 200;
const LONGEST = 60000; // bytes of a message
const PATIENCE = { timeout: 40000 };

comeFirst();

/** A call until all messages have come back; what the page, and the program, saw. */
async function call(host, site, certificate, protocol) {
  const page = await host.newPage();
  const ports = {};
  const signals = [];
  const peer = new LinnetPeer([HOST, PORT, 0, ...(protocol === 'tls' ? [certificate.certificate, certificate.key] : [])],
    (object) => {
      if ('udp' in object) Object.assign(ports, object);
      if (isSignal(object)) page.evaluate((signal) => globalThis.end.fromPeer(signal), object).catch(() => {});
    }, [PROGRAM, 'peer']);
  try {
    await until('the server', () => ports.udp, PATIENCE);
    const urls = protocol === 'udp' ? `turn:${HOST}:${ports.udp}?transport=udp`
      : `${protocol === 'tls' ? 'turns' : 'turn'}:${HOST}:${ports.tcp}?transport=tcp`;
    await page.exposeFunction('toPeer', (signal) => { signals.push(signal); peer.send(signal); });
    await page.goto(site.url);
    await page.evaluate(openEnd, { offers: true, messages: MESSAGES, longest: LONGEST,
      configuration: { iceServers: [{ urls, username: 'u', credential: 'p' }], iceTransportPolicy: 'relay' } });
    await until('all messages', () => page.evaluate((n) => globalThis.end.received >= n, MESSAGES), PATIENCE);
    return {
      signals,
      theirs: await page.evaluate(() => globalThis.end.stats()),
      wrong: await page.evaluate(() => globalThis.end.wrong),
      counts: await peer.stats(),
    };
  } catch (error) {
    error.message += `\n${peer.errors}`;
    throw error;
  } finally {
    assert.equal(await peer.close(), 0, peer.errors);
    await page.close();
  }
}

for (const [name, launch, protocols] of [['Chromium', chromium, ['udp', 'tcp', 'tls']], ['Firefox', firefox, ['udp', 'tcp']]]) {
  describe(`${name} and a peer in the server's program`, () => {
    let certificate;
    let host;
    let site;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: the addresses are those of its network');
      certificate = await makeCertificate(`IP:${HOST}`);
      site = await emptyPage();
      host = await launch({ authority: certificate.authority });
    });
    after(async () => {
      await host?.close();
      site?.close();
      await certificate?.remove();
    });

    for (const protocol of protocols) {
      test(`${name} calls it over ${protocol} and no packet sees a socket in between`, async () => {
        const { signals, theirs, wrong, counts } = await call(host, site, certificate, protocol);
        const [own, remote] = inUse(theirs);
        assert.equal(wrong, 0);
        assert.deepEqual([own.candidateType, own.relayProtocol], ['relay', protocol]);
        assert.equal(remote.port, PORT);
        const lines = signals.flatMap((s) => (s.candidate ?? s.sdp ?? '').match(/candidate:\S.*/g) ?? []);
        assert.ok(lines.length > 0 && lines.every((line) => line.includes(' typ relay ')), lines.join('\n'));
        assert.ok(counts.handed_to_residents > MESSAGES && counts.handed_from_residents > MESSAGES, JSON.stringify(counts));
        assert.equal(counts.packets_in, counts.handed_to_residents, JSON.stringify(counts));
        assert.ok(counts.packets_out <= counts.handed_from_residents, JSON.stringify(counts));
        assert.deepEqual([counts.resident_received, counts.resident_sent, counts.resident_dropped_spoofed], [0, 0, 0]);
      });
    }
  });
}
