// SPDX-License-Identifier: Apache-2.0
// Names in place of addresses: a browser finds `linnet peer --mdns-names` by its `.local` candidates alone. linnet is
// told no candidate of the page, so it cannot begin: whatever connects went to an address the browser looked up.
//   tests/support/netns node --test tests/browser/names.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { describe, test } from 'node:test';
import { binary, chromium, firefox, until } from './support.mjs';

const NAME = /^candidate:\d+ 1 udp \d+ [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.local \d+ typ host/;

class Peer {
  lines = [];
  errors = '';

  constructor() {
    this.child = spawn(binary(), ['peer', '--answer', '--echo', '--mdns-names'], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (data) => { this.errors += data; });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.lines.push(JSON.parse(line)));
  }

  send(object) { this.child.stdin.write(`${JSON.stringify(object)}\n`); }

  async stats() {
    this.send({ cmd: 'stats' });
    return (await until('the statistics of linnet', () => this.lines.find((line) => line.stats))).stats;
  }

  async close() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.exited;
    clearTimeout(timer);
  }
}

async function call(page, peer) {
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
  const answer = await until('an answer', () => peer.lines.find((line) => line.type === 'answer'));
  const told = () => peer.lines.filter((line) => line.candidate).map((line) => line.candidate);
  await until('the end of candidates', () => peer.lines.find((line) => line.candidate === ''));
  assert.ok(told().length >= 2, `IPv4 and IPv6: ${told()}`);
  for (const candidate of told()) assert.match(candidate, NAME);
  assert.ok(!/10\.77\.|fd77:/.test(JSON.stringify(peer.lines)), 'no address of ours is told');
  await page.evaluate((remote) => globalThis.pc.setRemoteDescription(remote), answer);
  for (const line of peer.lines.filter((l) => l.candidate)) {
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
      const peer = new Peer();
      try {
        const page = await host.newPage();
        await call(page, peer);
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
