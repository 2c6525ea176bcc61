// SPDX-License-Identifier: Apache-2.0
// The page's side of a transfer: both ends against each other in memory, and the same answers as the program's
// side gives (tests/unit/transfer).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import './webcrypto.js';
import {
  CHUNK, Manifest, REASON, Receiver, Sender, TransferError, chain, identityOf, lastWord, makeCode, nameProblem, parseCode, prove,
  readMessage, renumber,
} from '../transfer.js';

const words = readFileSync(new URL('../words.txt', import.meta.url), 'utf8').trim().split('\n');
const bytes = (text) => new TextEncoder().encode(text);
const hex = (data) => Buffer.from(data).toString('hex');

function content(size, seed = 1) {
  const data = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

// Two pipes that are each other's ends; `life` messages from left to right, then they break.
function pipes(life = Infinity) {
  const make = () => ({ queue: [], wake: null });
  const sides = [make(), make()];
  let closed = false;
  let left = life;
  let most = 0;
  const stir = () => sides.forEach((side) => side.wake?.());
  const end = (mine, other, counts) => ({
    async next() {
      while (mine.queue.length === 0 && !closed) await new Promise((resolve) => { mine.wake = resolve; });
      return mine.queue.shift() ?? null;
    },
    ready: () => mine.queue.length > 0,
    async send(message) {
      if (counts && left-- <= 0) closed = true;
      if (closed) {
        stir();
        throw lastWord(mine.queue);
      }
      other.queue.push(message.slice());
      most = Math.max(most, other.queue.reduce((sum, m) => sum + m.length, 0));
      other.wake?.();
      await new Promise((resolve) => { setImmediate(resolve); });
    },
    async drained() {}, // what was sent is there
    fail() {
      closed = true;
      stir();
    },
    most: () => most,
  });
  return [end(sides[0], sides[1], true), end(sides[1], sides[0], false)];
}

const sendable = (name, data) => ({
  name, folder: false, mode: 0o644, time: 1e12, size: data.length, slice: async (from, to) => data.subarray(from, to),
});

// Keeps what came; unfinished files too.
class Store {
  constructor() {
    this.parts = new Map();
    this.whole = new Map();
    this.folders = [];
  }

  async accept(manifest) { this.manifest = manifest; }
  async folder({ name }) { this.folders.push(name); }

  async look({ name }) {
    const part = this.whole.get(name) ?? this.parts.get(name);
    return part ? { bytes: part.length, slice: async (from, to) => part.subarray(from, to) } : null;
  }

  async open({ name }, offset) {
    let data = (this.whole.get(name) ?? this.parts.get(name) ?? new Uint8Array()).slice(0, offset);
    this.whole.delete(name);
    return {
      write: async (more) => { data = Uint8Array.from([...data, ...more]); },
      close: async () => { this.whole.set(name, data); },
      abort: async () => { this.parts.set(name, data); },
    };
  }
}

async function transfer(files, store, life) {
  const [left, right] = pipes(life);
  const sender = new Sender(left, files);
  const receiver = new Receiver(right, store);
  const results = await Promise.allSettled([sender.run(), receiver.run()]);
  left.fail();
  return { sender, receiver, results, most: left.most() };
}

test('files of every size arrive', async () => {
  const files = [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5].map((size, i) => sendable(`f${i}`, content(size, i + 1)));
  files.push({ name: 'folder', folder: true, mode: 0o755, time: 0, size: 0 }, sendable('folder/größe', content(10)));
  const store = new Store();
  const { results } = await transfer(files, store);
  assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'fulfilled']);
  assert.deepEqual(store.folders, ['folder']);
  for (const file of files.filter(({ folder }) => !folder)) {
    assert.deepEqual(store.whole.get(file.name), await file.slice(0, file.size), file.name);
  }
});

test('goes on where it broke', async () => {
  const files = [sendable('a', content(2 * CHUNK)), sendable('b', content(6 * CHUNK + 7, 2))];
  const store = new Store();
  let kept = 0;
  for (let tries = 0; store.whole.size < 2; tries++) {
    assert.ok(tries < 20);
    const { receiver } = await transfer(files, store, 8);
    kept += receiver.kept;
  }
  assert.ok(kept > 0);
  for (const file of files) assert.deepEqual(store.whole.get(file.name), await file.slice(0, file.size));
});

test('what is there of another file is not used', async () => {
  const store = new Store();
  store.parts.set('a', content(2 * CHUNK, 9));
  const file = sendable('a', content(3 * CHUNK));
  const { receiver, results } = await transfer([file], store);
  assert.equal(results[1].status, 'fulfilled');
  assert.equal(receiver.kept, 0);
  assert.deepEqual(store.whole.get('a'), await file.slice(0, file.size));
});

test('a file that cannot be read is told, and the others come', async () => {
  const broken = { ...sendable('broken', content(10)), slice: async () => { throw new Error('gone'); } };
  const [left, right] = pipes();
  const receiver = new Receiver(right, new Store());
  const missing = [];
  receiver.onmissing = ({ name }, sentence) => missing.push([name, sentence]);
  await Promise.all([new Sender(left, [broken, sendable('whole', content(10))]).run(), receiver.run()]);
  assert.deepEqual(missing, [['broken', 'gone']]);
  assert.ok(receiver.storage.whole.has('whole'));
});

test('a hostile name ends it with a sentence at both ends', async () => {
  for (const name of ['../x', '/etc/passwd', 'a\u001b[31m', 'con', 'x/../../y']) {
    const [left, right] = pipes();
    const sender = new Sender(left, []);
    sender.manifest.entries.push({ name, folder: false, mode: 0o644, time: 0, size: 1 }); // past its own check
    const [s, r] = await Promise.allSettled([sender.run(), new Receiver(right, new Store()).run()]);
    assert.equal(r.reason.reason, REASON.NAMES);
    assert.equal(s.reason.reason, REASON.NAMES);
    assert.equal(s.reason.message, r.reason.message);
  }
});

test('a damaged chunk is never written', async () => {
  const [left, right] = pipes();
  const { send } = left;
  left.send = (message) => {
    if (message[0] === 0x13) message[50] ^= 1;
    return send(message);
  };
  const store = new Store();
  const [s, r] = await Promise.allSettled([new Sender(left, [sendable('a', content(100))]).run(), new Receiver(right, store).run()]);
  assert.equal(r.reason.message, 'a chunk is damaged');
  assert.equal(s.reason.message, 'a chunk is damaged');
  assert.equal(store.parts.get('a').length, 0);
});

test('each end hears that the other stopped', async () => {
  for (const who of ['sender', 'receiver']) {
    const [left, right] = pipes();
    const ends = { sender: new Sender(left, [sendable('a', content(20 * CHUNK))]), receiver: new Receiver(right, new Store()) };
    ends.receiver.onprogress = () => ends[who].cancel();
    const results = await Promise.allSettled([ends.sender.run(), ends.receiver.run()]);
    for (const { reason } of results) assert.equal(reason.message, `the ${who} stopped it`);
  }
});

test('the code proves both ends, their roles and their certificates', async () => {
  const run = async (codeA, codeB, seenByA = 'S', seenByB = 'R') => {
    const [left, right] = pipes();
    const results = await Promise.allSettled([
      prove(right, 'receiver', parseCode(codeA, words), { receiver: 'R', sender: seenByA }),
      prove(left, 'sender', parseCode(codeB, words), { receiver: seenByB, sender: 'S' })
        .catch((error) => { left.fail(); throw error; }),
    ]);
    return results.map(({ status, reason }) => (status === 'fulfilled' ? 'proven' : reason.reason));
  };
  const code = '4711-anchor-velvet-otter';
  assert.deepEqual(await run(code, code), ['proven', 'proven']);
  assert.equal((await run('4711-anchor-velvet-onion', code))[1], REASON.CODE);
  assert.equal((await run('4712-anchor-velvet-otter', code))[1], REASON.CODE);
  assert.equal((await run(code, code, 'M', 'M'))[1], REASON.CODE); // somebody between
});

// tests/unit/transfer/test_message.c expects the same.
test('the chain stands for all before', async () => {
  const first = await chain(new Uint8Array(32), bytes('abc'));
  assert.equal(hex(await chain(first, bytes('defg'))), '9984cc5df844cc43a0173a1165ef7c5eeb859f65c04f632c052799285cf6c9ea');
});

test('codes come back from what people type, and wrong words are named', () => {
  for (const typed of ['4711 anchor velvet otter', '4711-ANCH, velv.otte', ' 4711_anchor-velvet-otter ']) {
    assert.equal(parseCode(typed, words).text, '4711-anchor-velvet-otter');
  }
  assert.deepEqual(parseCode('4711-anchor-velvet-otter', words),
    { number: 4711, secret: 'anchor-velvet-otter', text: '4711-anchor-velvet-otter', room: 'transfer-4711' });
  assert.throws(() => parseCode('4711-anchor-velvit-otter', words), /velvit/);
  for (const typed of ['', '4711', '0711-anchor-velvet-otter', '4711-anchor-velvet', '4711-anchor-velvet-otter-maple']) {
    assert.throws(() => parseCode(typed, words), TransferError);
  }
  for (let i = 0; i < 100; i++) {
    const code = makeCode(words);
    assert.deepEqual(parseCode(code.text, words), code);
    assert.equal(renumber(code).secret, code.secret);
  }
});

test('names are judged as the program judges them', () => {
  for (const name of ['a', 'a/b/c.txt', '.hidden', '..a', 'a..', 'with blank', '日本語.txt', 'console.log', 'com10', '-rf']) {
    assert.equal(nameProblem(name), null, name);
  }
  for (const [name, problem] of [
    ['', 'is empty'], ['/x', 'is absolute'], ['a//b', 'has an empty part'], ['a/..', 'has a part that is . or ..'],
    [' . ', 'has a part of dots and blanks only'], ['a\\b', 'has a backslash'], ['a\u0000', 'has a control character'],
    ['a\u202eb', 'has a control character'], ['x/AUX.txt', 'is the name of a device'], ['lpt9', 'is the name of a device'],
    ['a.Linnet.PART', 'ends as an unfinished file does'], ['w'.repeat(241), 'has a part that is too long'],
    ['a/'.repeat(64) + 'a', 'is too deep'],
  ]) assert.equal(nameProblem(name), problem, name);
  const manifest = new Manifest();
  const add = (name, folder = false) => manifest.add({ name, folder, size: 1 });
  add('Photos', true);
  add('Photos/a');
  for (const [name, problem] of [['Photos/a', /comes twice/], ['photos/b', /by case only/], ['Photos/A', /by case only/],
    ['Photos/a.', /by case only/], ['Photos/a/b', /below a file/]]) assert.throws(() => add(name), problem);
});

test('one certificate is an identity, two are none', () => {
  assert.equal(identityOf('v=0\r\na=fingerprint:SHA-256 ab:cd\r\na=fingerprint:sha-256 AB:CD\r\n'), 'sha-256 AB:CD');
  assert.throws(() => identityOf('a=fingerprint:sha-256 AB\r\na=fingerprint:sha-256 CD\r\n'), TransferError);
  assert.throws(() => identityOf('a=fingerprint:sha-1 AB\r\n'), TransferError);
  assert.throws(() => identityOf('v=0\r\n'), TransferError);
});

// What the fuzzer of the program's side was fed: nothing but a message or a TransferError comes of it.
test('what is no message is refused', () => {
  for (let i = 0; i < 2000; i++) {
    const data = content(i % 60, i);
    if (data.length > 0) data[0] = [1, 2, 3, 16, 17, 18, 19, 20, 21, 32, 33, 34, 35, 48][i % 14];
    try {
      assert.equal(typeof readMessage(data).type, 'number');
    } catch (error) {
      assert.ok(error instanceof TransferError, error);
    }
  }
});
