// SPDX-License-Identifier: Apache-2.0
// The page: a lobby with one Join button, a grid of participants, a chat. All that comes from others is
// shown as text, never as markup.
import * as linnet from './linnet.js';

const $ = (id) => document.getElementById(id);
const STATS_EVERY_MS = 2000;
const MESSAGES_SHOWN = 500;

let room = null;
let statsTimer = null;
const tiles = new Map(); // participant id ('' is ourselves) → tile
const last = new Map();  // participant id → the figures before, for rates

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function initials(name) {
  return [...name.trim()].slice(0, 2).join('').toUpperCase();
}

function show(node, text) {
  node.textContent = text ?? '';
  node.hidden = !text;
}

// ------------------------------------------------------------------ tiles

function addTile(id, name, own) {
  const tile = element('figure', own ? 'tile own' : 'tile');
  tile.dataset.participant = id;
  const video = element('video');
  video.autoplay = true;
  video.playsInline = true;
  video.muted = own;
  video.setAttribute('aria-label', own ? 'Your own picture' : `Picture of ${name}`);
  const avatar = element('div', 'avatar', initials(name));
  avatar.setAttribute('aria-hidden', 'true');
  const caption = element('figcaption');
  caption.append(element('span', 'who', own ? `${name} (you)` : name), element('span', 'figures'));
  tile.append(avatar, video, caption);
  $('grid').append(tile);
  tiles.set(id, tile);
  layout();
  return tile;
}

function removeTile(id) {
  tiles.get(id)?.remove();
  tiles.delete(id);
  last.delete(id);
  layout();
}

function layout() {
  $('grid').dataset.count = String(tiles.size);
}

async function play(tile, stream) {
  const video = tile.querySelector('video');
  if (video.srcObject !== stream) video.srcObject = stream;
  const refresh = () => {
    tile.classList.toggle('with-video', stream.getVideoTracks().some((t) => t.enabled && !t.muted));
  };
  for (const track of stream.getTracks()) track.onmute = track.onunmute = refresh;
  refresh();
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError' || tile.querySelector('.play')) return;
    const button = element('button', 'play', 'Play');
    button.type = 'button';
    button.onclick = () => {
      button.remove();
      video.play();
    };
    tile.append(button);
  }
}

// ------------------------------------------------------------------ chat

function addMessage(who, text, kind) {
  const item = element('li', kind);
  if (who) item.append(element('span', 'who', who));
  item.append(element('span', 'text', text));
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.children.length > MESSAGES_SHOWN) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// ------------------------------------------------------------------ figures

function rate(id, kind, entry) {
  const key = `${id}/${kind}`;
  const before = last.get(key);
  last.set(key, { bytes: entry.bytesReceived, time: entry.timestamp });
  if (!before || entry.timestamp <= before.time) return 0;
  return ((entry.bytesReceived - before.bytes) * 8000) / (entry.timestamp - before.time);
}

function describe({ participant, roundTripMs, inbound }) {
  const parts = [];
  const { video, audio } = inbound;
  let bits = 0;
  if (audio) bits += rate(participant.id, 'audio', audio);
  if (video) {
    bits += rate(participant.id, 'video', video);
    if (video.frameWidth) parts.push(`${video.frameWidth}×${video.frameHeight}`);
    if (video.framesPerSecond) parts.push(`${Math.round(video.framesPerSecond)} fps`);
  }
  if (bits > 0) parts.push(bits > 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`);
  if (roundTripMs !== null) parts.push(`${Math.round(roundTripMs)} ms`);
  return parts.join(' · ');
}

async function showFigures() {
  if (!room) return;
  for (const summary of await room.stats()) {
    const figures = tiles.get(summary.participant.id)?.querySelector('.figures');
    if (figures) {
      const { state } = summary.participant;
      figures.textContent = state === 'connected' ? describe(summary) : state;
    }
  }
}

// ------------------------------------------------------------------ room

const STATES = {
  connecting: 'Connecting …',
  joined: '',
  reconnecting: 'The connection to the server broke; reconnecting …',
  left: '',
};

function listen(joined) {
  joined.addEventListener('state', ({ detail }) => {
    $('status').textContent = STATES[detail.state];
    if (detail.state === 'left') showLobby();
  });
  joined.addEventListener('participant', ({ detail: { participant } }) => {
    addTile(participant.id, participant.name, false);
    addMessage('', `${participant.name} joined`, 'event');
  });
  joined.addEventListener('participantleft', ({ detail: { participant } }) => {
    removeTile(participant.id);
    addMessage('', `${participant.name} left`, 'event');
  });
  joined.addEventListener('participantstate', ({ detail: { participant, state } }) => {
    const tile = tiles.get(participant.id);
    if (!tile) return;
    tile.dataset.state = state;
    tile.querySelector('.figures').textContent = state === 'connected' ? '' : state;
  });
  joined.addEventListener('track', ({ detail: { participant, stream } }) => {
    const tile = tiles.get(participant.id);
    if (tile) play(tile, stream);
  });
  joined.addEventListener('message', ({ detail: { participant, data } }) => {
    addMessage(participant.name, typeof data === 'string' ? data : `(${data.byteLength} bytes)`);
  });
  joined.addEventListener('error', ({ detail }) => {
    console.warn(detail.code, detail.sentence);
    if (joined.state === 'left' || detail.code === 'replaced') show($('problem'), detail.sentence);
  });
}

function showLobby() {
  clearInterval(statsTimer);
  room = null;
  globalThis.room = null;
  for (const id of [...tiles.keys()]) removeTile(id);
  $('messages').replaceChildren();
  $('call').hidden = true;
  $('lobby').hidden = false;
  $('room-name').hidden = true;
  $('join').disabled = false;
  $('join').textContent = 'Join';
  document.title = 'linnet';
}

function showCall() {
  $('lobby').hidden = true;
  $('call').hidden = false;
  show($('room-name'), room.options.room);
  document.title = `${room.options.room} · linnet`;
  const own = addTile('', room.name, true);
  play(own, room.localStream);
  $('grid').prepend(own);
  for (const participant of room.participants.values()) {
    const tile = tiles.get(participant.id) ?? addTile(participant.id, participant.name, false);
    if (participant.stream.getTracks().length > 0) play(tile, participant.stream);
  }
  const problem = room.mediaProblem;
  const has = room.localStream.getTracks().length > 0;
  show($('notice'), problem && `${problem.message} ${has ? 'You joined with what there is.' : 'You joined to watch: the others cannot see or hear you.'}`);
  $('audio').hidden = room.localStream.getAudioTracks().length === 0;
  $('video').hidden = room.localStream.getVideoTracks().length === 0;
  for (const id of ['audio', 'video']) $(id).setAttribute('aria-pressed', 'false');
  statsTimer = setInterval(showFigures, STATS_EVERY_MS);
}

async function joinRoom(event) {
  event.preventDefault();
  const query = new URLSearchParams(location.search);
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  const options = { room: $('room').value, name: $('name').value.trim() || 'guest' };
  options.audio = query.get('audio') === '0' ? false : { echoCancellation: true };
  options.video = query.get('video') === '0' ? false : { width: { ideal: 640 }, height: { ideal: 480 } };
  if (token) options.token = token;
  show($('problem'), null);
  $('join').disabled = true;
  $('join').textContent = 'Joining …';
  try {
    room = await linnet.join('/ws', options);
    globalThis.room = room; // at hand in the browser's console
    listen(room);
    localStorage.setItem('name', options.name);
    showCall();
  } catch (error) {
    show($('problem'), error.message);
    $('join').disabled = false;
    $('join').textContent = 'Join';
  }
}

function toggle(kind, on, off) {
  const button = $(kind);
  const muted = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(muted));
  button.textContent = muted ? off : on;
  room.mute(kind, muted);
  if (kind === 'video') tiles.get('')?.classList.toggle('with-video', !muted);
}

function start() {
  const query = new URLSearchParams(location.search);
  $('room').value = query.get('room') ?? 'demo';
  $('name').value = query.get('name') ?? localStorage.getItem('name') ?? '';
  if (!globalThis.isSecureContext) {
    show($('problem'), 'This page is not from https: or localhost, so the browser gives it no camera and microphone. You can join to watch.');
  }
  $('join-form').addEventListener('submit', joinRoom);
  $('leave').addEventListener('click', () => room?.leave());
  $('audio').addEventListener('click', () => toggle('audio', 'Mute', 'Unmute'));
  $('video').addEventListener('click', () => toggle('video', 'Camera off', 'Camera on'));
  $('chat-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('text').value.trim();
    if (!text || !room) return;
    room.send(text);
    addMessage(room.name, text, 'own');
    $('text').value = '';
  });
  if (!$('name').value) $('name').focus();
}

start();
