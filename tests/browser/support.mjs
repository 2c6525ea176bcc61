// SPDX-License-Identifier: Apache-2.0
// Real browsers and our own server for tests. Everything started here is ended here.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os, { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { trust } from './certificate.mjs';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export function binary() {
  const found = [process.env.LINNET_BINARY, `${ROOT}/build/cli/linnet`].find((p) => p && existsSync(p));
  if (!found) throw new Error('no linnet binary: build first, or set LINNET_BINARY');
  return found;
}

/** Starts `linnet ARGUMENTS`; resolves when `ready` (a RegExp) is seen on its output. */
export async function start(args, ready, { timeout = 15000 } = {}) {
  const child = spawn(binary(), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const started = { child, output: '', errors: '', match: null };
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  started.exited = exited;
  started.stop = async (signal = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
    const end = await exited;
    clearTimeout(timer);
    return end;
  };
  child.stderr.on('data', (data) => { started.errors += data; });
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`linnet ${args[0]}: not ready in time\n${started.output}${started.errors}`)), timeout);
    child.stdout.on('data', (data) => {
      started.output += data;
      started.match ??= ready.exec(started.output);
      if (started.match) {
        clearTimeout(timer);
        resolve();
      }
    });
    exited.then(({ code }) => {
      clearTimeout(timer);
      reject(new Error(`linnet ${args[0]} ended with ${code}\n${started.errors}`));
    });
  });
  return started;
}

/** `linnet serve --dev` on free ports; `origin` is where its page is. */
export async function serve(...args) {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const server = await start(['serve', '--dev', ...listen, '--stun', '127.0.0.1:0', ...args], /Ctrl-C ends it/);
  const [, , port] = /page +(https?):\/\/127\.0\.0\.1:(\d+)\//.exec(server.output);
  server.port = Number(port);
  server.origin = `http://localhost:${port}`;
  server.metrics = async () => {
    const text = await (await fetch(`${server.origin}/metrics`)).text();
    return new Map(text.split('\n').filter((l) => l && !l.startsWith('#'))
      .map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]));
  };
  return server;
}

/** A sound server with a silent device, for AudioContext in Firefox: without a device its clock stands still. */
export async function silentDevice() {
  const home = await mkdtemp(path.join(tmpdir(), 'linnet-sound-'));
  const socket = path.join(home, 'native');
  const child = spawn('pulseaudio', ['-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--disable-shm=yes',
    '-L', `module-native-protocol-unix socket=${socket} auth-anonymous=1`, '-L', 'module-null-sink rate=48000'],
  { stdio: 'ignore', env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home } });
  const exited = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  const close = async () => {
    child.kill();
    await exited;
    await rm(home, { recursive: true, force: true });
  };
  await until('pulseaudio listens', () => existsSync(socket), { timeout: 10000 }).catch(async (error) => {
    await close();
    throw error;
  });
  return { env: { PULSE_SERVER: `unix:${socket}` }, close };
}

/** authority: a PEM file of who signs the certificates of servers; `store` is where this browser keeps such. */
async function launch({ env, authority, store, ...options }) {
  const home = await mkdtemp(path.join(tmpdir(), 'linnet-browser-'));
  if (authority) trust(authority, path.join(home, store));
  const browser = await puppeteer.launch({
    headless: true,
    userDataDir: path.join(home, 'profile'),
    env: { ...process.env, ...env, HOME: home },
    protocolTimeout: 60000,
    ...options,
  });
  return {
    browser,
    newPage: () => browser.newPage(),
    close: async () => {
      await browser.close().catch(() => {});
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** media: false gives the page no permission to camera and microphone. */
export function chromium({ media = true, args = [], env, authority } = {}) {
  return launch({
    env,
    authority,
    store: '.pki/nssdb',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
      '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
      '--disable-backgrounding-occluded-windows',
      '--use-fake-device-for-media-stream',
      media ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts',
      ...args,
    ],
  });
}

export function firefox({ prefs = {}, env, authority } = {}) {
  return launch({
    env,
    authority,
    store: 'profile',
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.autoplay.default': 0,
      'app.update.enabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'media.gmp-manager.updateEnabled': false,
      'media.cubeb_latency_mtg_frames': 2048, // else a busy machine starves its audio clock
      ...prefs,
    },
  });
}

/** Sound and picture are in real time: what else the machine does gives way. Children inherit it; root is needed. */
export function comeFirst() {
  try {
    os.setPriority(-15);
  } catch { /* then as it is */ }
}

/** Asks until the answer is true (or anything that counts as it), and returns it. */
export async function until(what, ask, { timeout = 30000, every = 100 } = {}) {
  const end = Date.now() + timeout;
  let last;
  while (Date.now() < end) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
  throw new Error(`${what}: not in ${timeout} ms (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
}

/** Clicks without the mouse: a page in the background has no frames, for which the mouse waits. */
export function press(page, selector) {
  return page.$eval(selector, (node) => node.click());
}

/** Opens the page in a browser and presses Join. */
export async function joinPage(host, server, { room = 'demo', name, query = '' } = {}) {
  const page = await host.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') page.problems.push(message.text());
  });
  await page.goto(`${server.origin}/?room=${room}&name=${encodeURIComponent(name)}${query}`);
  await page.waitForFunction(() => document.getElementById('room').value !== '');
  await press(page, '#join');
  await until(`${name} has joined`, () => page.evaluate(() => globalThis.room?.state === 'joined'));
  return page;
}

/** The texts of the chat as the page shows them. */
export function chatOf(page) {
  return page.$$eval('#messages li:not(.event)', (items) => items.map((i) => i.querySelector('.text').textContent));
}

export async function say(page, text) {
  await page.$eval('#text', (node, value) => { node.value = value; }, text);
  await press(page, '#chat-form button');
}

/** Waits until each of two pages shows picture and sound of the other. */
export async function seeEachOther(a, nameA, b, nameB) {
  for (const [page, other] of [[a, nameB], [b, nameA]]) {
    await until(`${other} is seen`, async () => {
      const s = await seen(page, other);
      return s?.state === 'connected' && s.framesDecoded > 10 && s.width > 0 && s.playing && s.audioBytes > 1000;
    });
  }
}

/** What one page sees of the participant with this name. */
export function seen(page, name) {
  return page.evaluate(async (wanted) => {
    const participant = [...globalThis.room.participants.values()].find((p) => p.name === wanted);
    if (!participant) return null;
    const summary = (await globalThis.room.stats()).find((s) => s.participant === participant);
    const video = document.querySelector(`.tile[data-participant="${participant.id}"] video`);
    return {
      id: participant.id,
      state: participant.state,
      framesDecoded: summary?.inbound.video?.framesDecoded ?? 0,
      audioBytes: summary?.inbound.audio?.bytesReceived ?? 0,
      width: video?.videoWidth ?? 0,
      playing: video ? !video.paused && video.currentTime > 0 : false,
      roundTripMs: summary?.roundTripMs ?? null,
    };
  }, name);
}
