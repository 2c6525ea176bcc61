// SPDX-License-Identifier: Apache-2.0
// Chromium as one end of a pair, with the lines of `linnet peer` (docs/peer.md) on standard input and output.
//   node chromium.mjs host                   launches it, writes {"browser": ENDPOINT}, and ends it with standard input
//   node chromium.mjs ENDPOINT OPTIONS...    a connection in a page of its own
// Options: --offer, --data LABEL, --echo, --audio, --ice-server URL[,USER,PASSWORD], --policy.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const BROWSER = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../browser');
const { resolve } = createRequire(path.join(BROWSER, 'support.mjs'));
const { default: puppeteer } = await import(pathToFileURL(resolve('puppeteer-core')));
const { chromium } = await import(pathToFileURL(path.join(BROWSER, 'support.mjs')));

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Lines of standard input; those that come before anybody asks wait. */
async function* lines() {
  for (;;) {
    while (waiting.length > 0) yield waiting.shift();
    if (ended) return;
    await new Promise((resolve) => { wake = resolve; });
  }
}
const waiting = [];
let ended = false;
let wake = () => {};
createInterface({ input: process.stdin })
  .on('line', (line) => { waiting.push(line); wake(); })
  .on('close', () => { ended = true; wake(); });

async function host() {
  const running = await chromium({ args: ['--disable-features=WebRtcHideLocalIpsWithMdns', '--ignore-certificate-errors'] });
  write({ browser: running.browser.wsEndpoint() });
  for await (const line of lines()) if (line === 'end') break;
  await running.close();
}

function options(words) {
  const o = { data: [], iceServers: [] };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--data') {
      o.data.push(words[++i]);
    } else if (words[i] === '--ice-server') {
      const [urls, username, credential] = words[++i].split(',');
      o.iceServers.push({ urls, username, credential });
    } else if (words[i] === '--policy') {
      o.policy = words[++i];
    } else {
      o[words[i].slice(2)] = true;
    }
  }
  return o;
}

/** In the page: `write` is exposed, `take` is called with each line that comes. */
async function open(o) {
  const pc = new RTCPeerConnection({ iceServers: o.iceServers, iceTransportPolicy: o.policy ?? 'all' });
  const channels = new Map();
  const { write: tell } = globalThis;
  const use = (channel) => {
    channels.set(channel.label, channel);
    const opened = () => tell({ channel: channel.label, state: 'open' });
    channel.onopen = opened;
    if (channel.readyState === 'open') opened();
    channel.onmessage = ({ data }) => {
      tell({ channel: channel.label, data });
      if (o.echo) channel.send(data);
    };
  };
  const describe = async () => {
    await pc.setLocalDescription();
    await tell(pc.localDescription.toJSON());
  };
  pc.onicecandidate = ({ candidate }) => { if (candidate) tell(candidate.toJSON()); };
  pc.ondatachannel = ({ channel }) => use(channel);
  if (o.audio) {
    const audio = new AudioContext();
    const to = audio.createMediaStreamDestination();
    const tone = new OscillatorNode(audio);
    tone.connect(to);
    tone.start();
    pc.addTrack(to.stream.getAudioTracks()[0], to.stream);
  }
  let order = Promise.resolve();
  globalThis.take = (line) => {
    order = order.then(async () => {
      if (line.type) {
        await pc.setRemoteDescription(line);
        if (line.type === 'offer') await describe();
      } else if ('candidate' in line) {
        await pc.addIceCandidate(line);
      } else if (line.cmd === 'stats') {
        await tell({ stats: [...(await pc.getStats()).values()] });
      } else if (line.channel) {
        channels.get(line.channel).send(line.data);
      }
    }).catch((error) => tell({ error: `${error} ${JSON.stringify(line)}` }));
  };
  if (o.offer) {
    for (const label of o.data) use(pc.createDataChannel(label));
    await describe();
  }
}

async function peer(endpoint, words) {
  const browser = await puppeteer.connect({ browserWSEndpoint: endpoint });
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.exposeFunction('write', write);
  await page.evaluate(open, options(words));
  for await (const line of lines()) await page.evaluate((text) => globalThis.take(JSON.parse(text)), line);
  await context.close();
  await browser.disconnect();
}

const [what, ...words] = process.argv.slice(2);
await (what === 'host' ? host() : peer(what, words));
