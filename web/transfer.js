// SPDX-License-Identifier: Apache-2.0
// Files over a data channel, the page's side of docs/transfer.md: codes, the proof of the code, messages,
// names, and both ends. What is written to and read from is given by the caller, so that this runs in
// node as well.
//
//   const receiver = new Receiver(pipe, { storage });    // pipe: see channelPipe()
//   receiver.onprogress = ({ name, done, total }) => ...
//   await receiver.run();
import { Spake2, passwordScalar } from './spake2.js';

export const CHUNK = 65536;
const CHUNK_HEAD = 45;
const WINDOW = 16 << 20;
const WINDOW_LEAST = 2 * CHUNK;
const TAKEN_EVERY = WINDOW / 8;
const AHEAD = 32;              // files asked for and not complete
const GETS_MOST = 64;
const ENTRIES_BYTES = 60000;
const ENTRIES_MOST = 250000;
const SENTENCE_MOST = 240;
const BUFFER_HIGH = 4 << 20;
const READ_BLOCK = 16 * CHUNK; // files are read in larger pieces than they are sent
const SIZE_MOST = 2 ** 53 - 1;
const PROTOCOL = 'linnet transfer 1';
const PART_ENDING = '.linnet.part';
const UNKNOWN = 2n ** 64n - 1n;
const DIFFERS = 2n ** 64n - 1n;

const T = {
  HELLO: 0x01, SHARE: 0x02, CONFIRM: 0x03, MANIFEST: 0x10, ENTRIES: 0x11, FILE: 0x12, CHUNK: 0x13, END: 0x14,
  MISSING: 0x15, READY: 0x20, GET: 0x21, TAKEN: 0x22, DONE: 0x23, CANCEL: 0x30,
};

export const REASON = { ASKED: 0, NAMES: 1, PROTOCOL: 2, LOCAL: 3, BUSY: 4, CODE: 5, USED: 6 };

/** Why a transfer ended early. `told`: the other side knows. */
export class TransferError extends Error {
  constructor(reason, sentence, told = false) {
    super(sentence);
    this.name = 'TransferError';
    this.reason = reason;
    this.told = told;
  }
}

// ------------------------------------------------------------------ codes

function random(below) {
  const most = Math.floor(2 ** 32 / below) * below;
  for (;;) {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    if (number < most) return number % below;
  }
}

const newNumber = () => 1000 + random(9000);

/** A code: { number, secret, text, room }. */
function codeOf(number, words) {
  const secret = words.join('-');
  return { number, secret, text: `${number}-${secret}`, room: `transfer-${number}` };
}

export const makeCode = (words) => codeOf(newNumber(), [0, 1, 2].map(() => words[random(words.length)]));
export const renumber = (code) => codeOf(newNumber(), code.secret.split('-'));

/** Reads what people type; throws a TransferError that names the word which is none. */
export function parseCode(text, words) {
  const [number, ...typed] = text.toLowerCase().split(/[\s,._-]+/).filter((part) => part);
  if (!/^[1-9]\d{3}$/.test(number ?? '') || typed.length !== 3) {
    throw new TransferError(REASON.CODE, 'A code is a number and three words, as 4711-anchor-velvet-otter.');
  }
  return codeOf(Number(number), typed.map((part) => {
    const word = part.length >= 4 && words.find((w) => w.startsWith(part));
    if (!word) throw new TransferError(REASON.CODE, `“${part}” is no word of a code.`);
    return word;
  }));
}

// ------------------------------------------------------------------ messages

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function pack(type, ...fields) {
  const length = 1 + fields.reduce((sum, [size, value]) => sum + (size || value.length), 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 1;
  bytes[0] = type;
  for (const [size, value] of fields) {
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value);
    else if (size === 4) view.setUint32(at, value);
    else if (size === 8) view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)));
    else bytes.set(value, at);
    at += size || value.length;
  }
  return bytes;
}

const malformed = () => new TransferError(REASON.PROTOCOL, 'a message made no sense');

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  take(length) {
    if (this.at + length > this.bytes.length) throw malformed();
    this.at += length;
    return this.at - length;
  }

  u8() { return this.view.getUint8(this.take(1)); }
  u16() { return this.view.getUint16(this.take(2)); }
  u32() { return this.view.getUint32(this.take(4)); }
  u64() { return this.view.getBigUint64(this.take(8)); }
  bytesOf(length) {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }
  rest() { return this.bytesOf(this.bytes.length - this.at); }
  left() { return this.bytes.length - this.at; }
}

function text(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed();
  }
}

function sentence(bytes) {
  const said = text(bytes);
  // eslint-disable-next-line no-control-regex
  if (bytes.length > SENTENCE_MOST || /[\u0000-\u001f\u007f-\u009f]/.test(said)) throw malformed();
  return said;
}

const READERS = {
  [T.HELLO]: (r) => ({ version: r.u8(), share: r.bytesOf(65) }),
  [T.SHARE]: (r) => ({ share: r.bytesOf(65) }),
  [T.CONFIRM]: (r) => ({ digest: r.bytesOf(32) }),
  [T.MANIFEST]: (r) => ({ count: r.u32(), bytes: r.u64() }),
  [T.ENTRIES]: (r) => ({ data: r.rest() }),
  [T.FILE]: (r) => ({ file: r.u32(), chunk: r.u64() }),
  [T.CHUNK]: (r) => ({ file: r.u32(), chunk: r.u64(), digest: r.bytesOf(32), data: r.rest() }),
  [T.END]: (r) => ({ file: r.u32(), size: r.u64(), digest: r.bytesOf(32) }),
  [T.MISSING]: (r) => ({ file: r.u32(), sentence: sentence(r.rest()) }),
  [T.READY]: (r) => ({ bytes: r.u64() }),
  [T.GET]: (r) => ({ file: r.u32(), compare: r.u8(), chunk: r.u64(), digest: r.bytesOf(32) }),
  [T.TAKEN]: (r) => ({ bytes: r.u64() }),
  [T.DONE]: (r) => ({ count: r.u32() }),
  [T.CANCEL]: (r) => ({ reason: r.u8(), sentence: sentence(r.rest()) }),
};

export function readMessage(bytes) {
  const reader = new Reader(bytes);
  const type = reader.u8();
  if (!READERS[type]) throw malformed();
  const message = { type, ...READERS[type](reader) };
  if (reader.left() > 0 || message.compare > 1 || message.reason > REASON.USED
    || (type === T.CHUNK && (message.data.length === 0 || message.data.length > CHUNK))) throw malformed();
  return message;
}

// At a character's border.
function shorten(said) {
  let bytes = encoder.encode(said);
  for (let cut = said; bytes.length > SENTENCE_MOST; bytes = encoder.encode(cut)) cut = [...cut].slice(0, -1).join('');
  return bytes;
}

const cancelMessage = (reason, said) => pack(T.CANCEL, [1, reason], [0, shorten(said)]);

function readEntries(data) {
  const reader = new Reader(data);
  const entries = [];
  while (reader.left() > 0) {
    const kind = reader.u8();
    const mode = reader.u16();
    const time = Number(BigInt.asIntN(64, reader.u64()));
    const size = reader.u64();
    const name = text(reader.bytesOf(reader.u16()));
    if (kind > 1 || mode > 0o777 || (kind === 1 && size !== 0n)
      || (size !== UNKNOWN && size > BigInt(SIZE_MOST))) throw malformed();
    entries.push({ folder: kind === 1, mode, time, size: size === UNKNOWN ? null : Number(size), name });
  }
  return entries;
}

function packEntry(entry) {
  const name = encoder.encode(entry.name);
  return pack(entry.folder ? 1 : 0, [2, entry.mode], [8, Math.round(entry.time)],
    [8, entry.size ?? UNKNOWN], [2, name.length], [0, name]);
}

/** The digest of a chunk and all before it. */
export async function chain(digest, data) {
  const both = new Uint8Array(32 + data.length);
  both.set(digest);
  both.set(data, 32);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', both));
}

const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

// ------------------------------------------------------------------ names

const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u; // eslint-disable-line no-control-regex
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d) *(\.|$)/i;

function partProblem(part) {
  if (part === '') return 'has an empty part';
  if (part === '.' || part === '..') return 'has a part that is . or ..';
  if (/^[. ]*$/.test(part)) return 'has a part of dots and blanks only';
  if (encoder.encode(part).length > 240) return 'has a part that is too long';
  if (DEVICE.test(part)) return 'is the name of a device';
  if (part.toLowerCase().endsWith(PART_ENDING)) return 'ends as an unfinished file does';
  return null;
}

/** null if the name is taken, else why not, as ln_name_problem() says it. */
export function nameProblem(name) {
  if (name === '') return 'is empty';
  if (encoder.encode(name).length > 4000) return 'is too long';
  if (name.startsWith('/')) return 'is absolute';
  if (!name.isWellFormed?.() && /[\ud800-\udfff]/.test(name.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ''))) return 'is not UTF-8';
  if (CONTROLS.test(name)) return 'has a control character';
  if (name.includes('\\')) return 'has a backslash';
  const parts = name.split('/');
  if (parts.length > 64) return 'is too deep';
  return parts.map(partProblem).find((problem) => problem) ?? null;
}

/** The list of what is transferred; add() throws a TransferError for a name that is not taken. */
export class Manifest {
  constructor() {
    this.entries = [];
    this.names = new Map(); // folded: { spelling, kind }
    this.bytes = 0;         // null: unknown
    this.files = 0;
  }

  claim(spelling, kind) {
    const folded = spelling.split('/').map((part) => part.toLowerCase().replace(/[. ]+$/, '')).join('/');
    const known = this.names.get(folded);
    if (!known) this.names.set(folded, { spelling, kind });
    else if (known.spelling !== spelling) return 'differs from another by case only';
    else if (kind === 'implied') return known.kind === 'file' ? 'lies below a file' : null;
    else if (known.kind === 'implied' && kind === 'folder') known.kind = kind;
    else return 'comes twice';
    return null;
  }

  add(entry) {
    let problem = nameProblem(entry.name);
    for (let at = entry.name.indexOf('/'); !problem && at >= 0; at = entry.name.indexOf('/', at + 1)) {
      problem = this.claim(entry.name.slice(0, at), 'implied');
    }
    problem ??= this.claim(entry.name, entry.folder ? 'folder' : 'file');
    if (problem) {
      const shown = entry.name.slice(0, 63).replace(/[^\x21-\x7e]/g, '?');
      throw new TransferError(REASON.NAMES, `the name "${shown}" ${problem}`);
    }
    if (this.entries.length === ENTRIES_MOST) throw new TransferError(REASON.LOCAL, 'there are too many files');
    this.entries.push(entry);
    if (!entry.folder) this.files += 1;
    this.bytes = entry.size === null || this.bytes === null ? null : this.bytes + entry.size;
  }
}

// ------------------------------------------------------------------ the channel

const cancelled = (message) => new TransferError(message.reason, message.sentence || 'the other side stopped it', true);

/** Why nothing can be sent any more: what the other side said last, if that waits to be heard. */
export function lastWord(queue) {
  const said = queue.find((bytes) => bytes[0] === T.CANCEL);
  return said ? cancelled(readMessage(said)) : new TransferError(REASON.LOCAL, 'the connection was lost', true);
}

/** A data channel as a pipe: next() waits for a message (null: closed), send() for room. */
export function channelPipe(channel) {
  const queue = [];
  let wake = null;
  let closed = false;
  const stir = () => {
    wake?.();
    wake = null;
  };
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = 1 << 20;
  channel.onmessage = ({ data }) => {
    if (typeof data !== 'string') queue.push(new Uint8Array(data));
    stir();
  };
  const close = () => {
    closed = true;
    stir();
  };
  channel.addEventListener('close', close);
  channel.addEventListener('error', close);
  return {
    async next() {
      while (queue.length === 0 && !closed) await new Promise((resolve) => { wake = resolve; });
      return queue.shift() ?? null;
    },
    ready: () => queue.length > 0,
    async send(bytes) {
      while (!closed && channel.bufferedAmount > BUFFER_HIGH) {
        await new Promise((resolve) => {
          channel.addEventListener('bufferedamountlow', resolve, { once: true });
          channel.addEventListener('close', resolve, { once: true });
        });
      }
      if (closed || channel.readyState !== 'open') throw lastWord(queue);
      channel.send(bytes);
    },
    /** Resolves when all that was sent has left, or the channel is closed. */
    async drained() {
      while (!closed && channel.readyState === 'open' && channel.bufferedAmount > 0) {
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    },
    fail: close,
    closed: () => closed,
  };
}

async function receiveMessage(pipe) {
  const bytes = await pipe.next();
  if (!bytes) throw new TransferError(REASON.LOCAL, 'the connection was lost', true);
  const message = readMessage(bytes);
  if (message.type === T.CANCEL) throw cancelled(message);
  return message;
}

/** The fingerprint of a description as an identity: "sha-256 AB:CD:…". There must be one only. */
export function identityOf(sdp) {
  const found = new Set([...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)\s*$/gm)]
    .map(([, hash, value]) => `${hash.toLowerCase()} ${value.toUpperCase()}`));
  const [only] = found;
  if (found.size !== 1 || !only.startsWith('sha-256 ')) throw new TransferError(REASON.PROTOCOL, 'the certificate is not known');
  return only;
}

/** Proves the code. role: 'receiver' or 'sender'. identities: { receiver, sender }. Throws a TransferError
 *  with the reason CODE when the other does not know it, or somebody stands between. */
export async function prove(pipe, role, code, identities) {
  const w = await passwordScalar(code.secret, String(code.number), PROTOCOL);
  const spake2 = new Spake2(role === 'receiver' ? 'A' : 'B', w);
  const expect = async (type) => {
    const message = await receiveMessage(pipe);
    if (message.type !== type || (type === T.HELLO && message.version !== 1)) throw malformed();
    return message;
  };
  const finish = async (share) => {
    try {
      await spake2.finish(share, identities.receiver, identities.sender, PROTOCOL);
    } catch (error) {
      throw error instanceof RangeError ? malformed() : error;
    }
  };
  const check = async () => {
    if (!spake2.confirmed((await expect(T.CONFIRM)).digest)) {
      throw new TransferError(REASON.CODE, role === 'sender' ? 'the code is wrong'
        : 'the other side does not know the code, or somebody stands between');
    }
  };
  if (role === 'receiver') {
    await pipe.send(pack(T.HELLO, [1, 1], [0, spake2.share]));
    await finish((await expect(T.SHARE)).share);
    await pipe.send(pack(T.CONFIRM, [0, spake2.confirmation]));
    await check();
  } else {
    await finish((await expect(T.HELLO)).share);
    await pipe.send(pack(T.SHARE, [0, spake2.share]));
    await check();
    await pipe.send(pack(T.CONFIRM, [0, spake2.confirmation]));
  }
}

// An end that fails tells the other why; one that was stopped has said so already.
async function telling(end, run) {
  try {
    return await run();
  } catch (error) {
    if (end.stopped) throw end.stopped;
    const wrong = error instanceof TransferError ? error : new TransferError(REASON.LOCAL, error.message);
    if (!wrong.told) await end.pipe.send(cancelMessage(wrong.reason, wrong.message)).catch(() => {});
    throw wrong;
  }
}

// ------------------------------------------------------------------ the sending end

/** Sends to one receiver. files: [{ name, folder, mode, time, size, slice(from, to) → Promise of bytes }].
 *  onprogress({ name, done, total }). */
export class Sender {
  constructor(pipe, files) {
    this.pipe = pipe;
    this.files = files;
    this.manifest = new Manifest();
    for (const file of files) this.manifest.add(file);
    this.sent = 0;
    this.taken = 0;
    this.skipped = 0;
    this.window = 0;
    this.gets = [];
    this.done = false;
    this.stopped = null;
  }

  run() {
    return telling(this, async () => {
      await this.tellManifest();
      while (!this.done) {
        if (this.gets.length > 0) await this.serve(this.gets.shift());
        else await this.hear();
      }
    });
  }

  /** What a guest without the code is told. */
  static refusal() {
    return cancelMessage(REASON.CODE, 'the code is wrong');
  }

  /** Ends it, and tells the other side; resolves when that has left. */
  async cancel() {
    this.stopped = new TransferError(REASON.ASKED, 'the sender stopped it', true);
    await this.pipe.send(cancelMessage(REASON.ASKED, 'the sender stopped it')).then(() => this.pipe.drained()).catch(() => {});
    this.pipe.fail();
  }

  async tellManifest() {
    const { entries, bytes } = this.manifest;
    await this.pipe.send(pack(T.MANIFEST, [4, entries.length], [8, bytes ?? UNKNOWN]));
    for (let at = 0; at < entries.length;) {
      const packed = [];
      for (let length = 1; at < entries.length; at++) {
        const entry = packEntry(entries[at]);
        length += entry.length;
        if (length > ENTRIES_BYTES) break;
        packed.push([0, entry]);
      }
      await this.pipe.send(pack(T.ENTRIES, ...packed));
    }
  }

  async hear() {
    if (this.stopped) throw this.stopped;
    const message = await receiveMessage(this.pipe);
    switch (message.type) {
      case T.READY:
        if (this.window > 0 || message.bytes < WINDOW_LEAST) throw malformed();
        this.window = Number(message.bytes);
        break;
      case T.GET:
        if (!this.window || this.gets.length === GETS_MOST || !this.manifest.entries[message.file]
          || this.manifest.entries[message.file].folder) throw malformed();
        this.gets.push(message);
        break;
      case T.TAKEN:
        if (Number(message.bytes) < this.taken || Number(message.bytes) > this.sent) throw malformed();
        this.taken = Number(message.bytes);
        this.tellProgress();
        break;
      case T.DONE:
        this.done = true;
        this.taken = this.sent;
        this.tellProgress();
        break;
      default: throw malformed();
    }
  }

  tellProgress() {
    this.onprogress?.({ name: this.present ?? '', done: this.taken + this.skipped, total: this.manifest.bytes });
  }

  // The bytes of one chunk; files are read in larger blocks.
  async read(file, chunk) {
    const from = chunk * CHUNK;
    const to = Math.min(from + CHUNK, file.size);
    if (this.block?.file !== file || from < this.block.from || to > this.block.from + this.block.bytes.length) {
      this.block = { file, from, bytes: await file.slice(from, Math.min(from + READ_BLOCK, file.size)) };
    }
    return this.block.bytes.subarray(from - this.block.from, to - this.block.from);
  }

  // What the receiver has, read and compared: where to begin.
  async compare(file, get) {
    let digest = new Uint8Array(32);
    const chunks = Number(get.chunk);
    const all = Math.ceil(file.size / CHUNK);
    if (chunks > all || (get.compare && chunks !== all)) return { chunk: 0, digest, same: false };
    for (let i = 0; i < chunks; i++) digest = await chain(digest, await this.read(file, i));
    if (!same(digest, get.digest)) return { chunk: 0, digest: new Uint8Array(32), same: false };
    return { chunk: chunks, digest, same: true };
  }

  async serve(get) {
    const file = this.files[get.file];
    this.present = file.name;
    try {
      const start = await this.compare(file, get);
      if (get.compare && !start.same) {
        await this.pipe.send(pack(T.FILE, [4, get.file], [8, DIFFERS]));
        return;
      }
      await this.pipe.send(pack(T.FILE, [4, get.file], [8, start.chunk]));
      this.skipped += Math.min(start.chunk * CHUNK, file.size);
      await this.sendChunks(get.file, file, start);
    } catch (error) {
      if (error instanceof TransferError) throw error;
      await this.pipe.send(pack(T.MISSING, [4, get.file], [0, shorten(error.message)]));
    }
  }

  async sendChunks(index, file, { chunk, digest }) {
    for (; chunk * CHUNK < file.size; chunk++) {
      const data = await this.read(file, chunk);
      if (data.length === 0) break; // it shrank
      while (this.sent - this.taken + CHUNK > this.window || this.pipe.ready()) await this.hear();
      if (this.done) return;
      if (this.stopped) throw this.stopped;
      digest = await chain(digest, data);
      const message = new Uint8Array(CHUNK_HEAD + data.length);
      message.set(pack(T.CHUNK, [4, index], [8, chunk], [0, digest]));
      message.set(data, CHUNK_HEAD);
      await this.pipe.send(message);
      this.sent += data.length;
    }
    await this.pipe.send(pack(T.END, [4, index], [8, Math.min(chunk * CHUNK, file.size)], [0, digest]));
  }
}

// ------------------------------------------------------------------ the receiving end

/** Receives from a sender. storage:
 *    accept(manifest)     before anything comes; throws to refuse
 *    folder(entry)
 *    look(entry)          what is there of it: { bytes, slice(from, to) → Promise of bytes }, or null
 *    open(entry, offset)  → { write(bytes), close(), abort() }, each a promise: writing goes on at offset
 *  onprogress({ name, done, total }), onmissing(entry, sentence). */
export class Receiver {
  constructor(pipe, storage) {
    this.pipe = pipe;
    this.storage = storage;
    this.manifest = new Manifest();
    this.next = 0;
    this.asked = [];
    this.taken = 0;
    this.told = 0;
    this.kept = 0;
    this.stopped = null;
  }

  run() {
    return telling(this, async () => {
      try {
        await this.takeManifest();
        await this.storage.accept(this.manifest);
        await this.pipe.send(pack(T.READY, [8, WINDOW]));
        for (await this.ask(); this.asked.length > 0; await this.ask()) await this.takeFile(this.asked.shift());
        await this.pipe.send(pack(T.DONE, [4, this.manifest.files]));
      } finally {
        await this.writer?.abort();
        this.writer = null;
      }
    });
  }

  /** Ends it, and tells the other side. */
  cancel() {
    this.stopped = new TransferError(REASON.ASKED, 'the receiver stopped it', true);
    this.pipe.send(cancelMessage(REASON.ASKED, 'the receiver stopped it')).catch(() => {}).finally(() => this.pipe.fail());
  }

  async hear() {
    if (this.stopped) throw this.stopped;
    return receiveMessage(this.pipe);
  }

  async takeManifest() {
    const head = await this.hear();
    if (head.type !== T.MANIFEST) throw malformed();
    if (head.count > ENTRIES_MOST) throw new TransferError(REASON.LOCAL, 'there are too many files');
    while (this.manifest.entries.length < head.count) {
      const message = await this.hear();
      if (message.type !== T.ENTRIES) throw malformed();
      for (const entry of readEntries(message.data)) this.manifest.add(entry);
      if (this.manifest.entries.length > head.count) throw malformed();
    }
  }

  // Asks for files ahead, with what is there of each.
  async ask() {
    const { entries } = this.manifest;
    for (; this.next < entries.length && this.asked.length < AHEAD; this.next++) {
      const entry = entries[this.next];
      if (entry.folder) {
        await this.storage.folder(entry);
        continue;
      }
      const file = { index: this.next, entry, chunk: 0, digest: new Uint8Array(32) };
      const found = await this.storage.look(entry);
      const chunks = Math.floor(Math.min(found?.bytes ?? 0, entry.size ?? 0) / CHUNK); // a stream passes once
      for (; file.chunk < chunks; file.chunk++) {
        file.digest = await chain(file.digest, await found.slice(file.chunk * CHUNK, (file.chunk + 1) * CHUNK));
      }
      await this.pipe.send(pack(T.GET, [4, file.index], [1, 0], [8, file.chunk], [0, file.digest]));
      this.asked.push(file);
    }
  }

  async takeFile(file) {
    const expect = async () => {
      const message = await this.hear();
      if (message.file !== file.index) throw malformed();
      return message;
    };
    let message = await expect();
    if (message.type === T.FILE) {
      if (Number(message.chunk) === 0) {
        file.chunk = 0;
        file.digest = new Uint8Array(32);
      } else if (Number(message.chunk) !== file.chunk) {
        throw malformed();
      }
      let size = file.chunk * CHUNK;
      this.kept += size;
      this.writer = await this.storage.open(file.entry, size);
      for (message = await expect(); message.type === T.CHUNK; message = await expect()) {
        size = await this.takeChunk(file, message, size);
      }
      if (message.type === T.END) {
        if (Number(message.size) !== size || !same(message.digest, file.digest)) throw malformed();
        const { writer } = this;
        this.writer = null;
        await writer.close();
        this.tellProgress(file);
        return;
      }
      await this.writer.abort();
      this.writer = null;
    }
    if (message.type !== T.MISSING) throw malformed();
    this.onmissing?.(file.entry, message.sentence);
  }

  async takeChunk(file, message, size) {
    const { data } = message;
    if (Number(message.chunk) !== file.chunk || size % CHUNK !== 0
      || size + data.length > (file.entry.size ?? SIZE_MOST)) throw malformed();
    file.digest = await chain(file.digest, data);
    if (!same(file.digest, message.digest)) throw new TransferError(REASON.PROTOCOL, 'a chunk is damaged');
    await this.writer.write(data);
    file.chunk += 1;
    this.taken += data.length;
    if (this.taken - this.told >= TAKEN_EVERY) {
      this.told = this.taken;
      await this.pipe.send(pack(T.TAKEN, [8, this.taken]));
    }
    this.tellProgress(file);
    return size + data.length;
  }

  tellProgress(file) {
    this.onprogress?.({ name: file.entry.name, done: this.kept + this.taken, total: this.manifest.bytes });
  }
}

/** Wrong codes that a sender takes in all. */
export const MOST_TRIES = 3;

/** Whether somebody else is being served. */
export const isBusy = (error) => error instanceof TransferError && error.reason === REASON.BUSY;
