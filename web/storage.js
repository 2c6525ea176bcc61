// SPDX-License-Identifier: Apache-2.0
// Where a page puts what it receives, without holding it in memory: a file or folder that the user
// chose, written as it comes; else the browser's own file system, from which the user saves it; else, for
// small things, memory.

const MEMORY_MOST = 256 << 20;
const COMMIT_EVERY = 32 << 20;   // what is written to the own file system counts from then on
const PART_ENDING = '.linnet.part';

class NoRoom extends Error {}

async function folderOf(root, name, create = true) {
  let folder = root;
  for (const part of name.split('/').slice(0, -1)) folder = await folder.getDirectoryHandle(part, { create });
  return folder;
}

const lastPart = (name) => name.slice(name.lastIndexOf('/') + 1);

async function exists(folder, name) {
  try {
    return await folder.getFileHandle(name);
  } catch (error) {
    if (error.name === 'NotFoundError') return null;
    throw error;
  }
}

// Browsers write to a copy that replaces the file when it is closed.
async function writerOf(handle, offset) {
  const stream = await handle.createWritable({ keepExistingData: offset > 0 });
  if (offset > 0) await stream.seek(offset);
  return stream;
}

/** The one file that the user named in a dialogue. */
export class ChosenFile {
  constructor(handle) {
    this.handle = handle;
  }

  async accept(manifest) {
    if (manifest.entries.length !== 1 || manifest.files !== 1) throw new Error('more than one file comes');
  }

  async folder() {}
  async look() { return null; }

  async open() {
    const stream = await writerOf(this.handle, 0);
    return { write: (bytes) => stream.write(bytes), close: () => stream.close(), abort: () => stream.abort() };
  }

  async finished() { return []; }
}

/** A folder that the user chose. What is there already is left alone. */
export class ChosenFolder {
  constructor(root) {
    this.root = root;
    this.left = [];
  }

  async accept(manifest) {
    const there = [];
    for (const { name, folder } of manifest.entries) {
      if (folder) continue;
      const at = await folderOf(this.root, name).catch(() => null);
      if (!at || await exists(at, lastPart(name)).catch(() => true)) there.push(name);
    }
    if (there.length > 0) throw new Error(`${there[0]} is there already`);
  }

  async folder({ name }) {
    await folderOf(this.root, `${name}/x`);
  }

  async look() { return null; }

  async open({ name }) {
    const folder = await folderOf(this.root, name);
    const stream = await writerOf(await folder.getFileHandle(lastPart(name), { create: true }), 0);
    return {
      write: (bytes) => stream.write(bytes),
      close: () => stream.close(),
      abort: async () => {
        await stream.abort();
        await folder.removeEntry(lastPart(name)).catch(() => {});
      },
    };
  }

  async finished() { return []; }
}

/** The browser's own file system. Unfinished files stay and are gone on with, also by another visit. */
export class OwnFiles {
  static async open() {
    const root = await navigator.storage?.getDirectory?.().catch(() => null);
    if (!root) return null;
    try {
      const probe = await root.getFileHandle('probe', { create: true });
      await (await probe.createWritable()).close();
      await root.removeEntry('probe');
    } catch {
      return null;
    }
    return new OwnFiles(await root.getDirectoryHandle('received', { create: true }));
  }

  constructor(root) {
    this.root = root;
    this.whole = [];
  }

  async accept(manifest) {
    const { quota, usage } = await navigator.storage.estimate();
    if (manifest.bytes !== null && quota - usage < manifest.bytes) {
      throw new NoRoom('the browser has too little room for this');
    }
  }

  async folder() {}

  // Names of the other side are data here, not paths.
  async partOf({ name, size }) {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${size} ${name}`));
    return Array.from(new Uint8Array(digest).subarray(0, 12), (byte) => byte.toString(16).padStart(2, '0')).join('') + PART_ENDING;
  }

  async look(entry) {
    const handle = await exists(this.root, await this.partOf(entry));
    if (!handle) return null;
    const file = await handle.getFile();
    return { bytes: file.size, slice: async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()) };
  }

  async open(entry, offset) {
    const handle = await this.root.getFileHandle(await this.partOf(entry), { create: true });
    let stream = await writerOf(handle, offset);
    let at = offset;
    let committed = offset;
    return {
      write: async (bytes) => {
        await stream.write(bytes);
        at += bytes.length;
        if (at - committed < COMMIT_EVERY) return;
        await stream.close();
        committed = at;
        stream = await writerOf(handle, at);
      },
      close: async () => {
        await stream.truncate(at);
        await stream.close();
        this.whole.push({ entry, handle });
      },
      abort: () => stream.close().catch(() => {}), // what is there counts
    };
  }

  /** Files to be saved: { name, file, forget() }. */
  async finished() {
    return Promise.all(this.whole.map(async ({ entry, handle }) => ({
      name: entry.name, file: await handle.getFile(), forget: () => this.root.removeEntry(handle.name).catch(() => {}),
    })));
  }
}

/** Memory, for what is small. */
export class Memory {
  constructor() {
    this.whole = [];
  }

  async accept(manifest) {
    this.left = MEMORY_MOST;
    if (manifest.bytes !== null && manifest.bytes > MEMORY_MOST) {
      throw new NoRoom('this browser can save nothing as large; use linnet receive');
    }
  }

  async folder() {}
  async look() { return null; }

  async open(entry) {
    const pieces = [];
    return {
      write: async (bytes) => {
        this.left -= bytes.length;
        if (this.left < 0) throw new NoRoom('this browser can save nothing as large; use linnet receive');
        pieces.push(bytes.slice());
      },
      close: async () => { this.whole.push({ name: entry.name, file: new Blob(pieces), forget() {} }); },
      abort: async () => {},
    };
  }

  async finished() { return this.whole; }
}

/** Whether the user can choose where to, and things are written there as they come. */
export const canChoose = (manifest) => (manifest.entries.length === 1 && manifest.files === 1
  ? 'showSaveFilePicker' in globalThis : 'showDirectoryPicker' in globalThis);

/** Asks the user; rejects with an AbortError when he declines. Needs a click. */
export async function choose(manifest) {
  if (manifest.entries.length === 1 && manifest.files === 1) {
    return new ChosenFile(await globalThis.showSaveFilePicker({ suggestedName: lastPart(manifest.entries[0].name) }));
  }
  return new ChosenFolder(await globalThis.showDirectoryPicker({ mode: 'readwrite' }));
}
