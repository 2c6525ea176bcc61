// SPDX-License-Identifier: Apache-2.0
// The page /receive: receives from and sends to `linnet send`, `linnet receive` and other pages. What comes
// from the other side is shown as text, never as markup.
import { ReceiverRoom, SenderRoom } from './meeting.js';
import { Memory, OwnFiles, canChoose, choose } from './storage.js';
import { MOST_TRIES, REASON, Receiver, Sender, TransferError, isBusy, makeCode, nameProblem, parseCode } from './transfer.js';

const $ = (id) => document.getElementById(id);
const BACK_WITHIN_MS = 120000; // a lost connection
const DIAL_AGAIN_MS = 1500;
const LAST_WORD_WITHIN_MS = 10000; // behind what is under way
const SHOW_EVERY_MS = 250;
const RATE_OVER_MS = 5000;

let words = [];
let running = null; // { stop() }
let chosen = [];    // what is to be sent

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function show(node, said) {
  node.textContent = said ?? '';
  node.hidden = !said;
}

// ------------------------------------------------------------------ figures

function bytesText(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; bytes >= 999.5 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${bytes.toFixed(unit > 0 && bytes < 9.95 ? 1 : 0)} ${units[unit]}`;
}

function timeText(seconds) {
  const whole = Math.round(seconds);
  return whole < 3600 ? `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} left`
    : `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, '0')} h left`;
}

class Figures {
  constructor() {
    this.samples = [];
    this.shownAt = 0;
    this.path = '';
  }

  show({ name, done, total }, now = performance.now()) {
    if (now - this.shownAt < SHOW_EVERY_MS && done !== total) return;
    this.shownAt = now;
    this.samples.push({ now, done });
    while (this.samples.length > 2 && now - this.samples[0].now > RATE_OVER_MS) this.samples.shift();
    const [first] = this.samples;
    const rate = now > first.now ? ((done - first.done) * 1000) / (now - first.now) : 0;
    const parts = [name, total === null ? bytesText(done) : `${bytesText(done)} of ${bytesText(total)}`];
    if (rate > 0) parts.push(`${bytesText(rate)}/s`);
    if (rate > 0 && total !== null && total > done) parts.push(timeText((total - done) / rate));
    if (this.path) parts.push(this.path);
    $('figures').textContent = parts.filter((part) => part).join(' · ');
    $('bar').hidden = total === null;
    if (total !== null) $('bar').value = total > 0 ? done / total : 1;
  }
}

// ------------------------------------------------------------------ one transfer at a time

function begin(what, stop) {
  running = { stop, stopped: false };
  show($('problem'), null);
  $('choose').hidden = true;
  $('transfer').hidden = false;
  $('what').textContent = what;
  $('status').textContent = 'Connecting …';
  $('figures').textContent = '';
  $('received').replaceChildren();
  for (const id of ['own-code', 'own-hint', 'save', 'bar', 'again']) $(id).hidden = true;
  $('stop').hidden = false;
  return running;
}

function finish(status, problem) {
  running = null;
  $('status').textContent = status;
  show($('problem'), problem);
  $('stop').hidden = true;
  $('save').hidden = true;
  $('again').hidden = false;
}

function stop() {
  if (!running) return;
  running.stopped = true;
  running.stop();
}

function explain(error) {
  const said = error.message || String(error);
  return `${said[0].toUpperCase()}${said.slice(1)}${/[.?!]$/.test(said) ? '' : '.'}`;
}

// ------------------------------------------------------------------ receiving

function describe(manifest) {
  const files = `${manifest.files} file${manifest.files === 1 ? '' : 's'}`;
  return manifest.bytes === null ? files : `${files}, ${bytesText(manifest.bytes)}`;
}

// Which storage is known when the manifest is: then the user is asked.
class Chosen {
  constructor() {
    this.storage = null;
  }

  async accept(manifest) {
    $('what').textContent = `To come: ${describe(manifest)}`;
    if (!this.storage && canChoose(manifest)) this.storage = await this.ask(manifest);
    this.storage ??= await OwnFiles.open() ?? new Memory();
    await this.storage.accept(manifest);
    $('status').textContent = 'Receiving …';
  }

  ask(manifest) {
    $('save').hidden = false;
    $('status').textContent = 'Where to?';
    return new Promise((resolve, reject) => {
      this.refuse = () => reject(new TransferError(REASON.ASKED, 'the receiver stopped it'));
      $('save').onclick = async () => {
        try {
          const storage = await choose(manifest);
          $('save').hidden = true;
          resolve(storage);
        } catch (error) {
          if (error.name !== 'AbortError') reject(error);
        }
      };
    });
  }

  folder(entry) { return this.storage.folder(entry); }
  look(entry) { return this.storage.look(entry); }
  open(entry, offset) { return this.storage.open(entry, offset); }
  async finished() { return this.storage ? this.storage.finished() : []; }
}

// Each file of the browser's own file system becomes a link; the only one is saved at once.
async function offerToSave(storage, missing) {
  const files = await storage.finished();
  globalThis.received = files; // at hand in the browser's console
  for (const { name, file } of files) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = name.slice(name.lastIndexOf('/') + 1);
    link.textContent = `${name} (${bytesText(file.size)})`;
    const item = document.createElement('li');
    item.append(link);
    $('received').append(item);
    if (files.length === 1) link.click();
  }
  for (const { name, sentence } of missing) {
    const item = document.createElement('li');
    item.textContent = `${name}: ${sentence}`;
    $('received').append(item);
  }
}

// One connection's worth. Resolves with whether all is here.
async function receiveOnce(task, room, storage, figures, missing) {
  const link = await room.dial();
  if (task.stopped) throw new TransferError(REASON.ASKED, 'the receiver stopped it');
  figures.path = await link.path();
  const receiver = new Receiver(link.pipe, storage);
  task.stop = () => {
    storage.refuse?.();
    receiver.cancel();
  };
  receiver.onprogress = (progress) => figures.show(progress);
  receiver.onmissing = ({ name }, sentence) => missing.push({ name, sentence });
  await receiver.run();
}

const mayComeBack = (error) => isBusy(error) || (error instanceof TransferError && error.reason === REASON.LOCAL && error.told);

async function receive(code) {
  const room = new ReceiverRoom('/ws', code);
  const task = begin('Receiving', () => room.leave());
  const storage = new Chosen();
  const figures = new Figures();
  const missing = [];
  let giveUpAt = Infinity;
  try {
    await room.enter();
    for (let proven = false; ; proven ||= storage.storage !== null) {
      try {
        missing.length = 0;
        await receiveOnce(task, room, storage, figures, missing);
        break;
      } catch (error) {
        if (task.stopped || !mayComeBack(error) || (!proven && !storage.storage && !isBusy(error))) throw error;
        giveUpAt = Math.min(giveUpAt, Date.now() + BACK_WITHIN_MS);
        if (Date.now() > giveUpAt) throw error;
        $('status').textContent = isBusy(error) ? 'The sender is busy; waiting …' : 'The connection was lost; trying again …';
        await pause(DIAL_AGAIN_MS);
      }
    }
    await offerToSave(storage, missing);
    $('what').textContent = 'Received';
    finish(missing.length > 0 ? 'Received in part' : 'Received');
  } catch (error) {
    finish('Ended', task.stopped ? 'You stopped it.' : explain(error));
  } finally {
    setTimeout(() => room.leave(), 1000); // the last words leave first
  }
}

// ------------------------------------------------------------------ sending

// A File as the Sender wants it.
function sendable(file, name) {
  return {
    name,
    folder: false,
    mode: 0o644,
    time: file.lastModified,
    size: file.size,
    slice: async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()),
  };
}

async function walk(entry, name, into) {
  if (entry.isFile) {
    into.push(sendable(await new Promise((resolve, reject) => { entry.file(resolve, reject); }), name));
    return;
  }
  into.push({ name, folder: true, mode: 0o755, time: Date.now(), size: 0 });
  const reader = entry.createReader();
  for (;;) { // browsers give a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (some.length === 0) return;
    for (const inside of some) await walk(inside, `${name}/${inside.name}`, into);
  }
}

function choosing(files) {
  for (const file of files) {
    const problem = nameProblem(file.name);
    if (problem) show($('problem'), `“${file.name}” ${problem}.`);
    else if (!chosen.some(({ name }) => name === file.name)) chosen.push(file);
  }
  $('chosen').replaceChildren(...chosen.filter((file) => !file.folder).slice(0, 100).map((file) => {
    const item = document.createElement('li');
    item.textContent = `${file.name} (${bytesText(file.size)})`;
    return item;
  }));
  $('send').disabled = chosen.length === 0;
}

async function drop(event) {
  event.preventDefault();
  $('drop').classList.remove('over');
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry);
  const into = [];
  for (const entry of entries) await walk(entry, entry.name, into);
  choosing(entries.length > 0 ? into : [...event.dataTransfer.files].map((file) => sendable(file, file.name)));
}

// Whoever has proven the code is served, one at a time; who lost the connection comes back.
function serve(room, task, figures, files) {
  return new Promise((resolve, reject) => {
    let sender = null;
    const end = (error) => (error ? reject(error) : resolve());
    task.stop = async () => {
      await Promise.race([sender?.cancel(), pause(LAST_WORD_WITHIN_MS)]);
      end(new TransferError(REASON.ASKED, 'stopped'));
    };
    room.onwrong = (error, link) => {
      setTimeout(() => link.close(), 1000);
      if (error.reason !== REASON.CODE) return;
      link.pipe.send(Sender.refusal()).catch(() => {});
      show($('own-hint'), `Somebody came with a wrong code (${room.wrong} of ${MOST_TRIES}).`);
      if (room.wrong >= MOST_TRIES) end(new TransferError(REASON.CODE, 'that was one wrong code too many: this one serves no more'));
    };
    room.onlink = async (link) => {
      sender?.pipe.fail(); // it is the same one, who comes back
      const mine = new Sender(link.pipe, files);
      sender = mine;
      $('status').textContent = 'Sending …';
      figures.path = await link.path();
      mine.onprogress = (progress) => figures.show(progress);
      try {
        await mine.run();
        end();
      } catch (error) {
        if (sender !== mine || task.stopped) return;
        if (!mayComeBack(error)) end(error);
        else $('status').textContent = 'The connection was lost; waiting for the receiver …';
      }
    };
  });
}

async function send(files) {
  const room = new SenderRoom('/ws', makeCode(words));
  const task = begin('Sending', () => room.leave());
  const figures = new Figures();
  try {
    await room.enter();
    show($('own-code'), room.code.text);
    show($('own-hint'), `linnet receive ${room.code.text} --to ${location.origin}, or this page elsewhere: ${location.origin}/receive#${room.code.text}`);
    $('status').textContent = 'Waiting for the receiver …';
    await serve(room, task, figures, files);
    $('what').textContent = 'Sent';
    finish('Sent');
  } catch (error) {
    finish('Ended', task.stopped ? 'You stopped it.' : explain(error));
  } finally {
    setTimeout(() => room.leave(), 500);
  }
}

// ------------------------------------------------------------------ the page

async function start() {
  if (!globalThis.isSecureContext) {
    show($('problem'), 'This page is not from https: or localhost, so the browser has no cryptography for it to prove a code with.');
    return;
  }
  words = (await (await fetch('/words.txt')).text()).trim().split('\n');
  $('code').value = decodeURIComponent(location.hash.slice(1));
  $('receive-form').addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      receive(parseCode($('code').value, words));
    } catch (error) {
      show($('problem'), explain(error));
    }
  });
  $('send-form').addEventListener('submit', (event) => {
    event.preventDefault();
    send(chosen);
  });
  $('pick').addEventListener('change', () => choosing([...$('pick').files].map((file) => sendable(file, file.name))));
  $('drop').addEventListener('dragover', (event) => {
    event.preventDefault();
    $('drop').classList.add('over');
  });
  $('drop').addEventListener('dragleave', () => $('drop').classList.remove('over'));
  $('drop').addEventListener('drop', drop);
  $('stop').addEventListener('click', stop);
  $('again').addEventListener('click', () => {
    chosen = [];
    choosing([]);
    $('transfer').hidden = true;
    $('choose').hidden = false;
    show($('problem'), null);
    $('status').textContent = '';
  });
  document.body.dataset.ready = 'true';
}

start();
