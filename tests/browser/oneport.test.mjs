// SPDX-License-Identifier: Apache-2.0
// A page, its signalling and its relay through ONE port with TLS (`linnet serve --one-port`), where nothing else passes:
// no UDP at all, and no TCP to other ports.
//   tests/support/netns node --test tests/browser/oneport.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from './certificate.mjs';
import { chromium, comeFirst, firefox, joinPage, press, seen, silentDevice, start, until } from './support.mjs';

const HOST = '10.77.0.2'; // tests/support/netns
const NAME = 'turn.test';
const PORT = 14443;
const PATIENCE = { timeout: 60000 }; // a busy machine starts browsers slowly

// What the browsers talk to each other and to themselves over loopback is not the network.
const FILTER = `
table inet oneport {
    chain output {
        type filter hook output priority 0; policy accept;
        ip daddr 127.0.0.0/8 meta l4proto tcp accept
        tcp dport ${PORT} accept
        tcp sport ${PORT} accept
        meta l4proto { tcp, udp } drop
    }
}`;

function nft(text) {
  execFileSync('nft', ['-f', '-'], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
}

async function serve(certificate) {
  const config = path.join(path.dirname(certificate.certificate), 'linnet.yaml');
  writeFileSync(config, `turn:\n  secrets: [north]\n  relay: [${HOST}]\n  allow_peers: [${HOST}/32]\n  workers: 1\n`);
  return start(['serve', '--one-port', '--listen', `${HOST}:${PORT}`, '--tls-cert', certificate.certificate, '--tls-key',
    certificate.key, '--config', config], /Ctrl-C ends it/);
}

/** Pages that use TURN by TLS alone: plain TURN would pass this filter too, but not one that looks for TLS. */
function byTls(host) {
  return { newPage: async () => {
    const page = await host.newPage();
    await page.evaluateOnNewDocument(() => {
      const Plain = globalThis.RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Plain {
        constructor({ iceServers, ...rest }) {
          const urls = (server) => [server.urls].flat().filter((url) => url.startsWith('turns:'));
          super({ ...rest, iceServers: iceServers.map((s) => ({ ...s, urls: urls(s) })).filter((s) => s.urls.length > 0) });
        }
      };
    });
    return page;
  } };
}

/** The candidates in use with the one other participant: [type, protocol to the relay]. */
function pathOf(page) {
  return page.evaluate(async () => {
    const [participant] = globalThis.room.participants.values();
    const stats = [...(await participant._peer.connection.getStats()).values()];
    const pair = stats.find((s) => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
    const local = stats.find((s) => s.id === pair?.localCandidateId);
    return [local?.candidateType, local?.relayProtocol];
  });
}

comeFirst();

// Firefox takes no address where a certificate is to be verified.
const browsers = [
  ['Chromium', chromium, HOST],
  ['Firefox', (options) => firefox({ ...options, prefs: { 'network.dns.forceResolve': HOST } }), NAME],
];

for (const [name, launch, address] of browsers) {
  describe(`${name} through one port`, () => {
    let certificate;
    let server;
    let host;
    let sound;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: the addresses are those of its network');
      certificate = await makeCertificate(`DNS:${NAME},IP:${HOST}`);
      server = await serve(certificate);
      server.origin = `https://${address}:${PORT}`;
      sound = name === 'Firefox' ? await silentDevice() : null;
      host = await launch({ env: sound?.env, authority: certificate.authority });
      nft(FILTER);
    });
    after(async () => {
      nft('delete table inet oneport');
      await host?.close();
      await sound?.close();
      await server?.stop('SIGINT');
      await certificate?.remove();
    });

    test(`${name} loads the page, signals and relays through one TLS port`, async () => {
      const a = await joinPage(byTls(host), server, { name: 'Ada' });
      const b = await joinPage(byTls(host), server, { name: 'Bob' });
      for (const [page, other] of [[a, 'Bob'], [b, 'Ada']]) {
        await until(`${other} is seen`, async () => {
          const s = await seen(page, other);
          return s?.state === 'connected' && s.framesDecoded > 10 && s.width > 0 && s.playing && s.audioBytes > 1000;
        }, PATIENCE);
        assert.deepEqual(await pathOf(page), ['relay', 'tls']);
      }
      for (const page of [a, b]) {
        await press(page, '#leave');
        assert.deepEqual(page.problems, []);
        await page.close();
      }
    });
  });
}
