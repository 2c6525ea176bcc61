// SPDX-License-Identifier: Apache-2.0
// Files between the terminal and the page /receive, both ways, in real browsers.
//   tests/support/netns node --test tests/browser/transfer.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { binary, chromium, firefox, press, serve, until } from './support.mjs';

const SIZE = 24 * 1024 * 1024 + 123;

let server;
let place;
before(async () => {
  server = await serve();
  place = await mkdtemp(path.join(tmpdir(), 'linnet-transfer-'));
});
const programs = [];
after(async () => {
  for (const child of programs) child.kill('SIGKILL'); // those of a test that failed
  await rm(place, { recursive: true, force: true });
  assert.equal((await server.stop('SIGINT')).code, 0);
});

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

function content(size) {
  const data = Buffer.alloc(size);
  for (let i = 0, state = 7; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

/** `linnet ARGUMENTS`, whose end is awaited by ended(). */
function linnet(...args) {
  const child = spawn(binary(), [...args, '--to', server.origin, '--loopback'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const program = { child, out: '', err: '' };
  programs.push(child);
  child.stdout.on('data', (data) => { program.out += data; });
  child.stderr.on('data', (data) => { program.err += data; });
  program.end = new Promise((resolve) => { child.once('exit', resolve); });
  program.ended = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 60000);
    const code = await program.end;
    clearTimeout(timer);
    return code;
  };
  program.code = () => until('a code', () => /^code {2}(\S+)$/m.exec(program.out)?.[1]);
  return program;
}

// Nobody answers a dialogue here: without them; or, in their place, one that first is declined and then gives a
// place in the page's own file system, to which the page writes as to any that a user chooses.
function withoutDialogues() {
  delete globalThis.showSaveFilePicker;
  delete globalThis.showDirectoryPicker;
}

function answerDialogues() {
  globalThis.asked = [];
  const answer = async (how, options, handle) => {
    globalThis.asked.push([how, options]);
    if (globalThis.asked.length === 1) throw new DOMException('declined', 'AbortError');
    return handle(await navigator.storage.getDirectory());
  };
  globalThis.showSaveFilePicker = (options) =>
    answer('file', options, (root) => root.getFileHandle(`chosen ${options.suggestedName}`, { create: true }));
  globalThis.showDirectoryPicker = (options) =>
    answer('folder', options, (root) => root.getDirectoryHandle('chosen folder', { create: true }));
}

async function open(host, hash = '', dialogues = withoutDialogues) {
  const page = await host.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') page.problems.push(message.text());
  });
  await page.evaluateOnNewDocument(dialogues);
  await page.goto(`${server.origin}/receive${hash}`);
  await until('the page is ready', () => page.evaluate(() => document.body.dataset.ready === 'true'));
  return page;
}

const status = (page) => page.$eval('#status', (node) => node.textContent);

// Names and checksums of what a page has received.
function received(page) {
  return page.evaluate(() => Promise.all(globalThis.received.map(async ({ name, file }) => {
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return [name, Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')];
  })));
}

// Names, sizes and checksums of all files below a place in the page's own file system.
function written(page, place) {
  return page.evaluate(async (at) => {
    const all = [];
    const walk = async (folder, prefix) => {
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === 'directory') {
          await walk(handle, `${prefix}${name}/`);
          continue;
        }
        const data = await (await handle.getFile()).arrayBuffer();
        const digest = await crypto.subtle.digest('SHA-256', data);
        all.push([prefix + name, data.byteLength, Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')]);
      }
    };
    const root = await navigator.storage.getDirectory();
    await walk(at ? await root.getDirectoryHandle(at) : root, '');
    return all.sort();
  }, place);
}

/** Asked where to, declines once, then chooses. */
async function chooseAPlace(page) {
  await press(page, '#receive');
  await until('the page asks', async () => (await status(page)) === 'Where to?');
  await press(page, '#save');
  await until('it was declined', () => page.evaluate(() => globalThis.asked.length === 1));
  assert.equal(await status(page), 'Where to?');
  await press(page, '#save');
  await until('it is received', async () => (await status(page)) === 'Received', { timeout: 90000 });
}

// Puts files on the page as a user would who chose them; answers their checksums.
async function choose(page, files) {
  await page.evaluate((list) => {
    const transfer = new DataTransfer();
    for (const [name, size] of list) {
      const data = new Uint8Array(size);
      for (let i = 0, state = 7; i < size; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        data[i] = state >>> 24;
      }
      transfer.items.add(new File([data], name, { lastModified: 1.5e12 }));
    }
    const pick = document.getElementById('pick');
    pick.files = transfer.files;
    pick.dispatchEvent(new Event('change'));
  }, files);
}

/** Downloads of this browser go to a folder without a question. */
async function downloading(launch, folder) {
  await mkdir(folder);
  const host = await launch({
    media: false,
    prefs: { 'browser.download.folderList': 2, 'browser.download.dir': folder, 'browser.download.useDownloadDir': true },
  });
  if (launch === chromium) {
    const session = await host.browser.target().createCDPSession();
    await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  }
  return host;
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(name, () => {
    let host, downloads;
    before(async () => {
      downloads = path.join(place, `${name}-downloads`);
      host = await downloading(launch, downloads);
    });
    after(() => host.close());

    test(`${name} saves what it received among its downloads`, async () => {
      const data = content(SIZE);
      const file = path.join(place, `saved by ${name}.bin`);
      await writeFile(file, data);
      const sender = linnet('send', file);
      const page = await open(host, `#${await sender.code()}`);
      await press(page, '#receive');
      await until('it is received', async () => (await status(page)) === 'Received', { timeout: 90000 });
      const saved = path.join(downloads, path.basename(file));
      await until('it is saved', async () => (await stat(saved).catch(() => null))?.size === SIZE, { timeout: 30000 });
      assert.equal(sha256(await readFile(saved)), sha256(data));
      assert.deepEqual(page.problems, []);
      await page.close();
    });

    test(`${name} writes a file to the place that the user chose`, async () => {
      const data = content(SIZE);
      const file = path.join(place, `chosen in ${name}.bin`);
      await writeFile(file, data);
      const sender = linnet('send', file);
      const page = await open(host, `#${await sender.code()}`, answerDialogues);
      await chooseAPlace(page);
      assert.deepEqual(await page.evaluate(() => globalThis.asked.at(-1)), ['file', { suggestedName: `chosen in ${name}.bin` }]);
      assert.deepEqual((await written(page)).filter(([at]) => at.startsWith('chosen ')),
        [[`chosen chosen in ${name}.bin`, SIZE, sha256(data)]]);
      assert.equal(await sender.ended(), 0, sender.err);
      assert.deepEqual(page.problems, []);
      await page.evaluate(async (at) => (await navigator.storage.getDirectory()).removeEntry(at), `chosen chosen in ${name}.bin`);
      await page.close();
    });

    test(`${name} writes a folder to the place that the user chose, and overwrites nothing there`, async () => {
      const folder = path.join(place, `${name}-chosen`);
      await mkdir(path.join(folder, 'sub', 'none'), { recursive: true });
      await writeFile(path.join(folder, 'empty'), '');
      await writeFile(path.join(folder, 'sub', 'größe.txt'), 'hello');
      const sender = linnet('send', folder);
      const page = await open(host, `#${await sender.code()}`, answerDialogues);
      await chooseAPlace(page);
      assert.deepEqual(await page.evaluate(() => globalThis.asked.at(-1)), ['folder', { mode: 'readwrite' }]);
      const whole = [[`${name}-chosen/empty`, 0, sha256('')], [`${name}-chosen/sub/größe.txt`, 5, sha256('hello')]];
      assert.deepEqual(await written(page, 'chosen folder'), whole);
      assert.equal(await sender.ended(), 0, sender.err);
      await page.close();

      const again = linnet('send', folder);
      const other = await open(host, `#${await again.code()}`, answerDialogues);
      await press(other, '#receive');
      await until('the page asks', async () => (await status(other)) === 'Where to?');
      await press(other, '#save');
      await until('it was declined', () => other.evaluate(() => globalThis.asked.length === 1));
      await press(other, '#save');
      await until('it ended', async () => /is there already/.test(await other.$eval('#problem', (node) => node.textContent)));
      assert.deepEqual(await written(other, 'chosen folder'), whole);
      assert.notEqual(await again.ended(), 0);
      await other.close();
    });

    test(`a file from the terminal arrives in ${name} unchanged`, async () => {
      const data = content(SIZE);
      const file = path.join(place, `${name}.bin`);
      await writeFile(file, data);
      const sender = linnet('send', file);
      const page = await open(host, `#${await sender.code()}`);
      await press(page, '#receive');
      await until('it is received', async () => (await status(page)) === 'Received', { timeout: 90000 });
      assert.deepEqual(await received(page), [[`${name}.bin`, sha256(data)]]);
      assert.equal(await sender.ended(), 0, sender.err);
      assert.match(await page.$eval('#received', (node) => node.textContent), /25 MB/);
      assert.deepEqual(page.problems, []);
      await page.close();
    });

    test(`a folder from the terminal arrives in ${name}`, async () => {
      const folder = path.join(place, `${name}-tree`);
      await mkdir(path.join(folder, 'sub'), { recursive: true });
      await writeFile(path.join(folder, 'empty'), '');
      await writeFile(path.join(folder, 'sub', 'größe.txt'), 'hello');
      const sender = linnet('send', folder);
      const page = await open(host, `#${await sender.code()}`);
      await press(page, '#receive');
      await until('it is received', async () => (await status(page)) === 'Received');
      assert.deepEqual((await received(page)).sort(),
        [[`${name}-tree/empty`, sha256('')], [`${name}-tree/sub/größe.txt`, sha256('hello')]]);
      assert.equal(await sender.ended(), 0, sender.err);
      await page.close();
    });

    test(`files from ${name} arrive at the terminal unchanged`, async () => {
      const page = await open(host);
      await choose(page, [['big.bin', SIZE], ['empty', 0], ['größe', 70000]]);
      await press(page, '#send');
      const code = await until('a code', () => page.$eval('#own-code', (node) => !node.hidden && node.textContent));
      const to = path.join(place, `${name}-to`);
      const receiver = linnet('receive', code, '-o', to);
      assert.equal(await receiver.ended(), 0, receiver.err);
      await until('the page knows', async () => (await status(page)) === 'Sent');
      assert.deepEqual((await readdir(to)).sort(), ['big.bin', 'empty', 'größe']);
      for (const [file, size] of [['big.bin', SIZE], ['empty', 0], ['größe', 70000]]) {
        assert.equal(sha256(await readFile(path.join(to, file))), sha256(content(size)), file);
      }
      assert.equal((await stat(path.join(to, 'big.bin'))).mtimeMs, 1.5e12);
      assert.deepEqual(page.problems, []);
      await page.close();
    });

    test(`${name} is told that the code is wrong, and tells of three wrong ones`, async () => {
      const sender = linnet('send', path.join(place, `${name}.bin`));
      const code = await sender.code();
      const page = await open(host, `#${code.replace(/[a-z]+$/, code.endsWith('walnut') ? 'zebra' : 'walnut')}`);
      await press(page, '#receive');
      assert.equal(await until('it ended', () => page.$eval('#problem', (node) => !node.hidden && node.textContent)), 'The code is wrong.');
      sender.child.kill('SIGINT');
      assert.equal(await sender.ended(), 130);
      await press(page, '#again');
      await choose(page, [['a', 5]]);
      await press(page, '#send');
      const own = await until('a code', () => page.$eval('#own-code', (node) => !node.hidden && node.textContent));
      for (let i = 0; i < 3; i++) {
        const receiver = linnet('receive', own.replace(/[a-z]+$/, own.endsWith('walnut') ? 'zebra' : 'walnut'), '-o', place);
        assert.equal(await receiver.ended(), 4, receiver.err);
      }
      await until('it ended', async () => (await page.$eval('#problem', (node) => node.textContent)).includes('one wrong code too many'));
      await page.close();
    });
  });
}

test('files go from a page in Chromium to one in Firefox', async () => {
  const hosts = await Promise.all([chromium({ media: false }), firefox()]);
  try {
    const page = await open(hosts[0]);
    await choose(page, [['from page.bin', 5000000], ['small', 3]]);
    await press(page, '#send');
    const code = await until('a code', () => page.$eval('#own-code', (node) => !node.hidden && node.textContent));
    const other = await open(hosts[1], `#${code}`);
    await press(other, '#receive');
    await until('it is received', async () => (await status(other)) === 'Received', { timeout: 60000 });
    assert.deepEqual((await received(other)).sort(), [['from page.bin', sha256(content(5000000))], ['small', sha256(content(3))]]);
    await until('the sender knows', async () => (await status(page)) === 'Sent');
    assert.deepEqual([...page.problems, ...other.problems], []);
  } finally {
    await Promise.all(hosts.map((host) => host.close()));
  }
});

describe('a hostile page', () => {
  let host;
  before(async () => { host = await chromium({ media: false }); });
  after(() => host.close());

  test('writes nothing outside the folder of the terminal', async () => {
    const to = path.join(place, 'hostile');
    for (const name of ['../escaped', '/tmp/escaped', 'a/../../escaped', 'NUL', 'x\u001b[2J']) {
      const page = await open(host);
      await page.evaluate(async (hostile) => {
        const { Sender, makeCode } = await import('/transfer.js');
        const { SenderRoom } = await import('/meeting.js');
        const words = (await (await fetch('/words.txt')).text()).trim().split('\n');
        const room = new SenderRoom('/ws', makeCode(words));
        room.onlink = (link) => {
          const sender = new Sender(link.pipe, []);
          sender.manifest.entries.push({ name: hostile, folder: false, mode: 0o644, time: 0, size: 4 }); // past its own check
          sender.run().catch((error) => { globalThis.ended = error.message; });
        };
        await room.enter();
        globalThis.code = room.code.text;
      }, name);
      const receiver = linnet('receive', await page.evaluate(() => globalThis.code), '-o', to);
      assert.equal(await receiver.ended(), 5, receiver.err);
      assert.match(receiver.err, /ended: the name "[^\u001b]*" (has|is) /);
      await until('the page hears of it', () => page.evaluate(() => globalThis.ended?.startsWith('the name "')));
      assert.deepEqual(await readdir(to), []);
      await page.close();
    }
    assert.deepEqual((await readdir(place)).filter((name) => name.includes('escaped')), []);
  });

  test('stops in the midst, and the terminal says so', async () => {
    const page = await open(host);
    await choose(page, [['big.bin', 4 * SIZE]]);
    await press(page, '#send');
    const code = await until('a code', () => page.$eval('#own-code', (node) => !node.hidden && node.textContent));
    const receiver = linnet('receive', code, '-o', path.join(place, 'stopped'));
    await until('it sends', async () => (await status(page)) === 'Sending …');
    await press(page, '#stop');
    assert.equal(await receiver.ended(), 5, receiver.err);
    assert.match(receiver.err, /the sender stopped it/);
    await page.close();
  });
});
