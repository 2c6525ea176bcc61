// SPDX-License-Identifier: Apache-2.0
// A browser that may use nothing but a relay, and the relay is ours: `linnet turn` over UDP, TCP and TLS, its certificate
// signed by an authority that the browser was told to trust. At the other end `linnet peer`, which needs no relay.
//   tests/support/netns node --test tests/browser/relay.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, one, openPage, PAGE_TONE_HZ, pages, pairInUse, startPeer, trackIn } from './both-ends.mjs';
import { makeCertificate } from './certificate.mjs';
import { chromium, comeFirst, firefox, silentDevice, start, until } from './support.mjs';

const HOST = '10.77.0.2'; // tests/support/netns
const NAME = 'turn.test';
const MESSAGES = 100;
const PICTURES = 60;
const PATIENCE = { timeout: 30000 }; // a busy machine starts browsers slowly

async function turn({ certificate, key }) {
  const server = await start(['turn', '--listen', `${HOST}:0`, '--realm', 'example.org', '--user', 'ada:lovelace',
    '--allow-peer', `${HOST}/32`, '--tls-cert', certificate, '--tls-key', key], /Ctrl-C ends it/);
  server.port = (transport) => new RegExp(`turn:${HOST}:(\\d+)\\?transport=${transport}`).exec(server.output)[1];
  return server;
}

const relayOnly = (url) => ({ iceServers: [{ urls: url, username: 'ada', credential: 'lovelace' }], iceTransportPolicy: 'relay' });

/** A call until messages, picture and tone have passed both ways; what both ends saw. */
async function call(page, offerer, url) {
  const configuration = relayOnly(url);
  const run = {};
  const peer = run.peer = await startPeer(page, { offerer: !offerer, messages: MESSAGES });
  const look = async () => {
    [run.ours, run.theirs] = await Promise.all([peer.stats(), page.evaluate(() => globalThis.report())]);
    return run;
  };
  try {
    await connect(page, peer, { offerer, messages: MESSAGES, configuration, ...PATIENCE });
    await page.evaluate(() => globalThis.end.messages.send(1));
    await until('all messages', () => page.evaluate((n) => globalThis.end.messages.received >= n, MESSAGES), PATIENCE);
    await until('picture and tone at both ends', async () => {
      const { ours, theirs } = await look();
      return trackIn(ours, 'video')?.numbersRead >= PICTURES && theirs.watch?.read >= PICTURES
        && Math.abs(trackIn(ours, 'audio')?.frequencyHz - PAGE_TONE_HZ) < 5;
    }, PATIENCE).catch((error) => { run.unseen = `${error.message} ${JSON.stringify([run.theirs?.watch, trackIn(run.ours ?? [], 'video')])}`; });
  } finally {
    run.exit = await peer.close();
  }
  return run;
}

/** `own` is the browser's end: a relayed candidate by this protocol, and no other one told to anybody. */
function checkPath({ ours, theirs, peer }, protocol) {
  const find = (stats, id) => stats.find((s) => s.id === id);
  const own = find(theirs.stats, pairInUse(theirs.stats).localCandidateId);
  assert.deepEqual([own.candidateType, own.relayProtocol], ['relay', protocol], JSON.stringify(own));
  const seen = find(ours, pairInUse(ours).remoteCandidateId);
  assert.equal(seen.address, HOST, JSON.stringify(seen));
  assert.equal(seen.port, own.port, 'linnet sends to the relay');
  const lines = peer.signals.flatMap((s) => (s.candidate ?? s.sdp ?? '').match(/candidate:\S.*/g) ?? []);
  assert.ok(lines.length > 0);
  for (const line of lines) assert.match(line, / typ relay /);
}

comeFirst();

/** Relayed candidates that a page gathers by this server within a few seconds. */
function gather(page, url) {
  return page.evaluate(async (configuration) => {
    const pc = new RTCPeerConnection(configuration);
    const found = [];
    pc.onicecandidate = ({ candidate }) => { if (candidate?.candidate) found.push(candidate.candidate); };
    pc.createDataChannel('chat');
    await pc.setLocalDescription();
    await Promise.race([
      new Promise((resolve) => { pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === 'complete') resolve(); }; }),
      new Promise((resolve) => { setTimeout(resolve, 5000); })]);
    pc.close();
    return found;
  }, relayOnly(url));
}

// Firefox takes no address where a certificate is to be verified; Chromium asks the system's name servers in any case.
const browsers = [
  ['Chromium', chromium, HOST],
  ['Firefox', (options) => firefox({ ...options, prefs: { 'network.dns.forceResolve': HOST } }), NAME],
];

for (const [name, launch, secureHost] of browsers) {
  describe(`${name} through our relay`, () => {
    let certificate;
    let server;
    const url = (protocol) => (protocol === 'tls' ? `turns:${secureHost}:${server.port('tcp')}?transport=tcp`
      : `turn:${HOST}:${server.port(protocol)}?transport=${protocol}`);
    let host;
    let site;
    let sound;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: the addresses are those of its network');
      certificate = await makeCertificate(`DNS:${NAME},IP:${HOST}`);
      server = await turn(certificate);
      sound = name === 'Firefox' ? await silentDevice() : null;
      site = await pages();
      host = await launch({ env: sound?.env, authority: certificate.authority });
    });
    after(async () => {
      await host?.close();
      await sound?.close();
      site?.close();
      await server?.stop('SIGINT'); // not waiting for allocations, as SIGTERM would
      await certificate?.remove();
    });

    for (const [protocol, role] of ['udp', 'tcp', 'tls'].flatMap((p) => [[p, 'offers'], [p, 'answers']])) {
      test(`${name} ${role} over ${protocol} and all passes through the relay`, async () => {
        const page = await openPage(host, site);
        const run = await call(page, role === 'offers', url(protocol));
        assert.deepEqual([page.problems, run.theirs.errors], [[], []]);
        assert.equal(run.unseen, undefined);
        assert.deepEqual([run.peer.received, run.peer.wrong], [MESSAGES, []], 'what linnet received');
        assert.deepEqual(run.theirs.messages.wrong, [], 'what linnet sent back');
        checkPath(run, protocol);
        assert.equal(one(run.ours, 'transport').dtlsState, 'connected');
        assert.equal(run.exit, 0, run.peer.errors);
        await page.close();
      });
    }

    test(`${name} takes no relay whose certificate it does not trust`, async () => {
      const stranger = await launch({});
      try {
        const page = await openPage(stranger, site);
        assert.deepEqual(await gather(page, url('tls')), []);
        assert.equal((await gather(page, url('tcp'))).length, 1, 'the same server without TLS');
      } finally {
        await stranger.close();
      }
    });
  });
}
