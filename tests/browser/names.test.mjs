// SPDX-License-Identifier: Apache-2.0
// Names in place of addresses: a browser finds `linnet peer --mdns-names` by its `.local` candidates alone. linnet is
// told no candidate of the page, so it cannot begin: whatever connects went to an address the browser looked up.
//   tests/support/netns node --test tests/browser/names.test.mjs
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LinnetPeer } from './linnet-peer.mjs';
import { chromium, firefox, until } from './support.mjs';

const NAME = /^candidate:\d+ 1 udp \d+ [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.local \d+ typ host/;

/** `lines`: what the peer has said. */
async function call(page, peer, lines) {
  const offer = await page.evaluate(async () => {
    globalThis.pc = new RTCPeerConnection();
    globalThis.heard = [];
    const channel = globalThis.pc.createDataChannel('chat');
    channel.onopen = () => channel.send('are you there?');
    channel.onmessage = ({ data }) => globalThis.heard.push(data);
    await globalThis.pc.setLocalDescription();
    return { type: 'offer', sdp: globalThis.pc.localDescription.sdp };
  });
  offer.sdp = offer.sdp.split('\r\n').filter((line) => !line.startsWith('a=candidate')).join('\r\n');
  peer.send(offer);
  const answer = await until('an answer', () => lines.find((line) => line.type === 'answer'));
  const told = () => lines.filter((line) => line.candidate).map((line) => line.candidate);
  await until('the end of candidates', () => lines.find((line) => line.candidate === ''));
  assert.ok(told().length >= 2, `IPv4 and IPv6: ${told()}`);
  for (const candidate of told()) assert.match(candidate, NAME);
  assert.ok(!/10\.77\.|fd77:/.test(JSON.stringify(lines)), 'no address of ours is told');
  await page.evaluate((remote) => globalThis.pc.setRemoteDescription(remote), answer);
  for (const line of lines.filter((l) => l.candidate)) {
    await page.evaluate((candidate) => globalThis.pc.addIceCandidate(candidate), line);
  }
  await until('an echo', () => page.evaluate(() => globalThis.heard.length > 0), { timeout: 20000 });
}

// Firefox looks names up only while it hides its own addresses.
const hiding = () => firefox({ prefs: { 'media.peerconnection.ice.obfuscate_host_addresses': true } });
for (const [kind, launch] of [['Chromium', chromium], ['Firefox', hiding]]) {
  describe(kind, () => {
    test('finds linnet by its .local names, and nothing shows an address', async () => {
      const host = await launch();
      const lines = [];
      const peer = new LinnetPeer(['--answer', '--echo', '--mdns-names'], (object) => lines.push(object));
      try {
        const page = await host.newPage();
        await call(page, peer, lines);
        const stats = await peer.stats();
        const kindOf = (type) => stats.filter((s) => s.type === type);
        for (const local of kindOf('local-candidate')) assert.match(local.address, /\.local$/);
        for (const remote of kindOf('remote-candidate')) assert.equal(remote.candidateType, 'prflx');
        await page.evaluate(() => globalThis.pc.close());
      } finally {
        await peer.close();
        await host.close();
      }
      assert.match(peer.errors, /^linnet peer: connecting\nlinnet peer: connected\n/);
    });
  });
}
