// SPDX-License-Identifier: Apache-2.0
// linnet for browsers: rooms of a few participants who see, hear and message each other directly.
//
//   import * as linnet from './linnet.js';
//   const room = await linnet.join('/ws', { room: 'demo', name: 'Ada', video: true, audio: true });
//   room.addEventListener('track', ({ detail }) => { element.srcObject = detail.participant.stream; });
//   room.addEventListener('message', ({ detail }) => console.log(detail.participant.name, detail.data));
//   await room.send('hello');
//
// Signalling is docs/signalling.md. A broken WebSocket is resumed, a broken path is mended by an ICE
// restart; both happen without the application, which sees them as states.

const ACK_EVERY = 16;              // numbered messages between two acks ...
const ACK_AFTER_MS = 1000;         // ... or this long after the first
const ANSWER_WITHIN_MS = 10000;    // silence after a ping that means a dead socket
const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 10000;
const DISCONNECTED_FOR_MS = 3000;  // then ICE is restarted
const RESTART_AGAIN_MS = 8000;     // if that did not connect
const WATCH_EVERY_MS = 1000;       // how often arriving bytes are looked at
const FLOWING_FOR = 3;             // looks in which something came, before ...
const STALLED_FOR = 3;             // ... so many in which nothing came mean a broken path
const BUFFER_HIGH = 4 << 20;       // of a data channel: send() waits
const BUFFER_LOW = 1 << 20;
const UNREADY_MAX = 256;           // messages kept for a channel that is not open yet

export class LinnetError extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.name = 'LinnetError';
    this.code = code;
  }
}

/** Joins a room. Resolves with a Room; rejects with a LinnetError when the server refuses.
 *  url: of the WebSocket ('/ws', 'https://host', 'wss://host/ws').
 *  options: room, name, token; audio and video: true, false, constraints or a MediaStreamTrack. */
export async function join(url, options = {}) {
  const room = new Room(url, options);
  await room._start();
  return room;
}

/** Somebody else in the room. `stream` has its tracks, `state` is that of the connection to it:
 *  'new', 'connecting', 'connected', 'disconnected' or 'failed'. */
export class Participant {
  constructor(id, name) {
    this.id = id;
    this.name = name;
    this.state = 'new';
    this.stream = new MediaStream();
    this._peer = null;
  }
}

function emit(target, type, detail) {
  target.dispatchEvent(new CustomEvent(type, { detail }));
}

function socketUrl(url) {
  const full = new URL(url, globalThis.location?.href);
  full.protocol = full.protocol.replace(/^http/, 'ws');
  if (full.pathname === '/') full.pathname = '/ws';
  full.hash = '';
  return full.href;
}

// ------------------------------------------------------------------ signalling

// The WebSocket and the messages that must neither be lost nor come twice. Knows no peer connection.
export class Signalling extends EventTarget {
  constructor(url, joinMessage) {
    super();
    this.url = socketUrl(url);
    this.joinMessage = joinMessage;
    this.session = null;    // what `joined` said
    this.sent = [];         // numbered messages without an ack
    this.nextSeq = 1;
    this.received = 0;      // the last number that came
    this.unacked = 0;
    this.retries = 0;
    this.closed = false;
    this.open();
    this.onOnline = () => this.retryNow();
    globalThis.addEventListener?.('online', this.onOnline);
  }

  open() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch (error) {
      this.fail(new LinnetError('bad_url', error.message));
      return;
    }
    this.socket = socket;
    this.ready = false;
    socket.onopen = () => {
      this.write(this.session
        ? { type: 'resume', id: this.session.id, resume: this.session.resume, ack: this.received }
        : this.joinMessage);
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.take(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.broken(event.code);
    };
  }

  write(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  take(text) {
    const message = JSON.parse(text);
    clearTimeout(this.answerTimer);
    this.answerTimer = null;
    if (message.seq !== undefined) {
      if (message.seq <= this.received) return;
      this.received = message.seq;
      this.owe();
    }
    switch (message.type) {
      case 'joined': this.joined(message); break;
      case 'resumed': this.resumed(message); break;
      case 'ack':
      case 'pong': this.acknowledged(message.ack); break;
      case 'error': this.refused(message); break;
      default: emit(this, 'message', message);
    }
  }

  joined(message) {
    this.session = message;
    this.sent = [];
    this.nextSeq = 1;
    this.received = 0;
    this.settled();
    emit(this, 'joined', message);
  }

  resumed(message) {
    this.acknowledged(message.ack);
    for (const one of this.sent) this.write(one);
    this.settled();
    emit(this, 'resumed', message);
  }

  settled() {
    this.ready = true;
    this.retries = 0;
    clearInterval(this.pingTimer);
    this.pingTimer = setInterval(() => this.ping(), this.session.pingSeconds * 1000);
  }

  ping() {
    this.write({ type: 'ping', ack: this.received });
    this.unacked = 0;
    this.answerTimer ??= setTimeout(() => {
      this.answerTimer = null;
      this.abandonSocket();
    }, ANSWER_WITHIN_MS);
  }

  refused(message) {
    if (message.of === 'resume' && message.code === 'resume_failed') {
      this.session = null;
      emit(this, 'lost');
      this.write(this.joinMessage); // the same socket may join anew
    } else if (message.of === 'join') {
      this.fail(new LinnetError(message.code, message.sentence));
    } else {
      emit(this, 'refused', message);
    }
  }

  // An ack is owed: at once after a few messages, else soon.
  owe() {
    this.unacked += 1;
    if (this.unacked >= ACK_EVERY) this.acknowledge();
    else this.ackTimer ??= setTimeout(() => this.acknowledge(), ACK_AFTER_MS);
  }

  acknowledge() {
    clearTimeout(this.ackTimer);
    this.ackTimer = null;
    this.unacked = 0;
    if (this.ready) this.write({ type: 'ack', ack: this.received });
  }

  acknowledged(ack) {
    while (this.sent.length > 0 && this.sent[0].seq <= ack) this.sent.shift();
  }

  // A message that must arrive, now or on the next socket.
  send(message) {
    const numbered = { ...message, seq: this.nextSeq++ };
    this.sent.push(numbered);
    if (this.ready) this.write(numbered);
  }

  abandonSocket() {
    const socket = this.socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.broken(1006);
  }

  broken(code) {
    this.ready = false;
    clearInterval(this.pingTimer);
    clearTimeout(this.answerTimer);
    this.answerTimer = null;
    if (this.closed) return;
    if (!this.session && this.retries === 0 && !this.everJoined()) {
      this.fail(new LinnetError('unreachable',
        'The server cannot be reached; is it running, and is this page from it?'));
      return;
    }
    if (code === 4001) { // another socket resumed this session
      this.fail(new LinnetError('replaced', 'This session went on elsewhere.'));
      return;
    }
    emit(this, 'broken');
    const most = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.retries);
    this.retries += 1;
    this.retryTimer = setTimeout(() => this.open(), most / 2 + Math.random() * most / 2);
  }

  everJoined() {
    this.wasJoined ||= this.session !== null;
    return this.wasJoined;
  }

  retryNow() {
    if (this.retryTimer) this.open();
    else if (this.ready) this.ping(); // is it still alive?
  }

  fail(error) {
    this.close();
    emit(this, 'failed', error);
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    globalThis.removeEventListener?.('online', this.onOnline);
    for (const timer of [this.retryTimer, this.ackTimer, this.answerTimer]) clearTimeout(timer);
    clearInterval(this.pingTimer);
    if (this.ready) this.write({ type: 'leave' });
    this.ready = false;
    this.socket?.close(1000);
  }
}

// ------------------------------------------------------------------ one peer connection

// Perfect negotiation (W3C webrtc-pc, 10.7) with one participant, its data channel, its ICE restarts.
class Peer {
  constructor(room, participant, first) {
    this.room = room;
    this.participant = participant;
    this.polite = room.id < participant.id;
    this.makingOffer = false;
    this.ignoreOffer = false;
    this.settingAnswer = false;
    this.waiting = [];      // messages for a channel that is not open yet
    this.restarts = 0;
    this.flow = { bytes: 0, moving: 0, still: 0 };
    this.connection = new RTCPeerConnection({ iceServers: room._signalling.session.iceServers });
    this.listen();
    this.addTracks(first);
    if (first) this.useChannel(this.connection.createDataChannel('chat'));
  }

  listen() {
    const pc = this.connection;
    pc.onnegotiationneeded = () => this.negotiate();
    pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.send({ type: 'candidate', candidate: candidate.toJSON() });
    };
    pc.oniceconnectionstatechange = () => this.onIceState();
    pc.onconnectionstatechange = () => this.onState();
    pc.ondatachannel = ({ channel }) => {
      if (channel.label === 'chat') this.useChannel(channel);
    };
    pc.ontrack = ({ track }) => this.onTrack(track);
  }

  // Our tracks; who offers first also asks for the kinds it has nothing to send of.
  addTracks(first) {
    const stream = this.room.localStream;
    for (const kind of ['audio', 'video']) {
      const track = stream.getTracks().find((t) => t.kind === kind);
      if (track) this.connection.addTrack(track, stream);
      else if (first) this.connection.addTransceiver(kind, { direction: 'recvonly' });
    }
  }

  send(message) {
    this.room._signalling.send({ ...message, to: this.participant.id });
  }

  async negotiate() {
    try {
      this.makingOffer = true;
      await this.connection.setLocalDescription();
      this.send({ type: 'offer', description: this.connection.localDescription.toJSON() });
    } catch (error) {
      this.room._problem('negotiation', error);
    } finally {
      this.makingOffer = false;
    }
  }

  async takeDescription(description) {
    const pc = this.connection;
    const stable = pc.signalingState === 'stable' || this.settingAnswer;
    const collision = description.type === 'offer' && (this.makingOffer || !stable);
    this.ignoreOffer = !this.polite && collision;
    if (this.ignoreOffer) return;
    this.settingAnswer = description.type === 'answer';
    try {
      await pc.setRemoteDescription(description); // rolls our own offer back if need be
    } finally {
      this.settingAnswer = false;
    }
    if (description.type === 'offer') {
      await pc.setLocalDescription();
      this.send({ type: 'answer', description: pc.localDescription.toJSON() });
    }
  }

  async takeCandidate(candidate) {
    try {
      await this.connection.addIceCandidate(candidate);
    } catch (error) {
      if (!this.ignoreOffer) throw error;
    }
  }

  async take(message) {
    try {
      if (message.type === 'candidate') await this.takeCandidate(message.candidate);
      else await this.takeDescription(message.description);
    } catch (error) {
      if (this.connection.signalingState !== 'closed') this.room._problem(message.type, error);
    }
  }

  // ---- states ----

  onState() {
    const state = this.connection.connectionState;
    if (state === 'connected') this.watchTimer ??= setInterval(() => this.watch(), WATCH_EVERY_MS);
    if (state === 'closed' || state === this.participant.state) return;
    this.participant.state = state;
    emit(this.room, 'participantstate', { participant: this.participant, state });
  }

  onIceState() {
    clearTimeout(this.restartTimer);
    switch (this.connection.iceConnectionState) {
      case 'failed': this.restart(); break;
      case 'disconnected': // the polite one leaves the other a little more time
        this.restartTimer = setTimeout(() => this.restart(),
          DISCONNECTED_FOR_MS + (this.polite ? 1500 : 0));
        break;
      case 'connected':
      case 'completed': this.restarts = 0; break;
      default: break;
    }
  }

  // Browsers call a path broken only after five seconds or more. Where sound or picture came all the
  // time and now nothing at all comes, three are enough.
  async watch() {
    const report = await this.connection.getStats();
    const { flow } = this;
    let bytes = 0;
    for (const entry of report.values()) {
      if (entry.type === 'candidate-pair') bytes += entry.bytesReceived ?? 0;
    }
    const moved = bytes > flow.bytes + 500; // checks alone are less
    flow.still = moved ? 0 : flow.still + 1;
    flow.moving = moved ? flow.moving + 1 : flow.moving;
    flow.bytes = bytes;
    if (flow.still === STALLED_FOR) {
      if (flow.moving >= FLOWING_FOR) this.restart();
      flow.moving = 0;
    }
  }

  restart() {
    clearTimeout(this.restartTimer);
    if (this.connection.signalingState === 'closed') return;
    this.connection.restartIce();
    emit(this.room, 'icerestart', { participant: this.participant });
    const wait = RESTART_AGAIN_MS * Math.min(4, 2 ** this.restarts);
    this.restarts += 1;
    this.restartTimer = setTimeout(() => {
      if (!['connected', 'completed'].includes(this.connection.iceConnectionState)) this.restart();
    }, wait);
  }

  onTrack(track) {
    const { stream } = this.participant;
    if (!stream.getTracks().includes(track)) stream.addTrack(track);
    track.onended = () => stream.removeTrack(track);
    emit(this.room, 'track', { participant: this.participant, track, stream });
  }

  // ---- messages ----

  useChannel(channel) {
    this.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFER_LOW;
    channel.onopen = () => {
      for (const data of this.waiting.splice(0)) channel.send(data);
      emit(this.room, 'channelopen', { participant: this.participant });
    };
    channel.onmessage = ({ data }) => {
      emit(this.room, 'message', { participant: this.participant, data });
    };
  }

  async sendMessage(data) {
    const { channel } = this;
    if (channel?.readyState === 'closed' || channel?.readyState === 'closing') return;
    if (channel?.readyState !== 'open') {
      if (this.waiting.length < UNREADY_MAX) this.waiting.push(data);
      return;
    }
    channel.send(data);
    if (channel.bufferedAmount > BUFFER_HIGH) {
      await new Promise((resolve) => {
        channel.addEventListener('bufferedamountlow', resolve, { once: true });
        channel.addEventListener('close', resolve, { once: true });
      });
    }
  }

  close() {
    clearTimeout(this.restartTimer);
    clearInterval(this.watchTimer);
    this.connection.close();
  }
}

// ------------------------------------------------------------------ camera and microphone

const MEDIA_SENTENCES = {
  insecure: 'Browsers give camera and microphone only to pages from https: or from localhost.',
  unsupported: 'This browser has no access to cameras and microphones.',
  NotAllowedError: 'The browser was not allowed to use camera or microphone.',
  NotFoundError: 'No camera or microphone was found.',
  NotReadableError: 'Camera or microphone is in use by another program.',
  OverconstrainedError: 'No camera or microphone can do what was asked for.',
};

function mediaProblem(code, error) {
  return new LinnetError(code, MEDIA_SENTENCES[code] ?? `No camera or microphone: ${error?.message}`);
}

// What can be had of what is wanted: both, or one of them. `problem` says why something is missing.
async function openMedia({ audio = false, video = false }) {
  const stream = new MediaStream();
  const wanted = {};
  for (const [kind, value] of [['audio', audio], ['video', video]]) {
    if (value instanceof MediaStreamTrack) stream.addTrack(value);
    else if (value) wanted[kind] = value;
  }
  if (Object.keys(wanted).length === 0) return { stream, problem: null };
  if (!navigator.mediaDevices) {
    const code = globalThis.isSecureContext === false ? 'insecure' : 'unsupported';
    return { stream, problem: mediaProblem(code) };
  }
  const attempts = [wanted];
  if (wanted.audio && wanted.video) attempts.push({ audio: wanted.audio }, { video: wanted.video });
  let problem = null;
  for (const attempt of attempts) {
    try {
      const got = await navigator.mediaDevices.getUserMedia(attempt);
      got.getTracks().forEach((track) => stream.addTrack(track));
      return { stream, problem };
    } catch (error) {
      problem ??= mediaProblem(error.name, error);
      if (error.name === 'NotAllowedError') break; // asking again would only annoy
    }
  }
  return { stream, problem };
}

// ------------------------------------------------------------------ room

/** A room that was joined. Events (all with `detail`):
 *  state {state}                      'connecting', 'joined', 'reconnecting', 'left'
 *  participant, participantleft       {participant}
 *  participantstate                   {participant, state}
 *  track                              {participant, track, stream}
 *  message                            {participant, data}: a text or an ArrayBuffer
 *  channelopen, icerestart            {participant}
 *  error                              {code, sentence}: something went wrong, the room goes on */
export class Room extends EventTarget {
  constructor(url, options) {
    super();
    this.url = url;
    this.options = options;
    this.state = 'connecting';
    this.id = null;
    this.name = options.name ?? 'guest';
    this.participants = new Map();
    this.localStream = new MediaStream();
    this.mediaProblem = null;   // why there is no camera or microphone; joined view-only
  }

  async _start() {
    const { stream, problem } = await openMedia(this.options);
    this.localStream = stream;
    this.mediaProblem = problem;
    this._ownsTracks = stream.getTracks()
      .filter((t) => t !== this.options.audio && t !== this.options.video);
    const message = { type: 'join', room: this.options.room ?? 'demo', name: this.name };
    if (this.options.token !== undefined) message.token = this.options.token;
    try {
      await this._connect(message);
    } catch (error) {
      this.leave();
      throw error;
    }
    this._watchNetwork();
  }

  _connect(message) {
    const signalling = new Signalling(this.url, message);
    this._signalling = signalling;
    signalling.addEventListener('message', ({ detail }) => this._take(detail));
    signalling.addEventListener('broken', () => this._setState('reconnecting'));
    signalling.addEventListener('resumed', () => this._setState('joined'));
    signalling.addEventListener('lost', () => this._dropAll());
    signalling.addEventListener('refused', ({ detail }) => emit(this, 'error', detail));
    return new Promise((resolve, reject) => {
      signalling.addEventListener('joined', ({ detail }) => {
        this._joined(detail);
        resolve();
      });
      signalling.addEventListener('failed', ({ detail }) => {
        reject(detail);
        if (this.state !== 'connecting') {
          emit(this, 'error', { code: detail.code, sentence: detail.message });
          this.leave();
        }
      });
    });
  }

  _joined(message) {
    this.id = message.id;
    this.name = message.name;
    for (const { id, name } of message.participants) this._add(id, name, true);
    this._setState('joined');
  }

  _setState(state) {
    if (this.state === state || this.state === 'left') return;
    this.state = state;
    emit(this, 'state', { state });
  }

  _problem(code, error) {
    emit(this, 'error', { code, sentence: error.message });
  }

  // first: we came later, so the first offer is ours
  _add(id, name, first) {
    const participant = new Participant(id, name);
    this.participants.set(id, participant);
    emit(this, 'participant', { participant });
    if (first) participant._peer = new Peer(this, participant, true);
    return participant;
  }

  _remove(participant) {
    participant._peer?.close();
    this.participants.delete(participant.id);
    emit(this, 'participantleft', { participant });
  }

  _dropAll() {
    for (const participant of [...this.participants.values()]) this._remove(participant);
  }

  _take(message) {
    if (message.type === 'presence') {
      const { id, name } = message.participant;
      const known = this.participants.get(id);
      if (message.event === 'left') {
        if (known) this._remove(known);
      } else if (!known) {
        this._add(id, name, false);
      }
      return;
    }
    const participant = this.participants.get(message.from);
    if (!participant) return; // it has left meanwhile
    participant._peer ??= new Peer(this, participant, false);
    participant._peer.take(message);
  }

  // A new network means new addresses: do not wait until the old path has failed.
  _watchNetwork() {
    this._onNetwork = () => {
      for (const { _peer } of this.participants.values()) _peer?.restart();
    };
    globalThis.addEventListener?.('online', this._onNetwork);
    navigator.connection?.addEventListener?.('typechange', this._onNetwork);
    this._onHide = () => this.leave();
    globalThis.addEventListener?.('pagehide', this._onHide);
  }

  /** Sends a text, ArrayBuffer or view to everybody (or to one participant). Resolves when it has
   *  been handed to the data channels; waits while their buffers are full. */
  async send(data, participant = null) {
    if (this.state === 'left') throw new LinnetError('left', 'This room was left.');
    const to = participant ? [participant] : [...this.participants.values()];
    await Promise.all(to.map(({ _peer }) => _peer?.sendMessage(data)));
  }

  /** Switches what we send off and on without renegotiation. */
  mute(kind, muted) {
    for (const track of this.localStream.getTracks()) {
      if (track.kind === kind) track.enabled = !muted;
    }
  }

  /** For each participant {participant, roundTripMs, inbound, outbound, report}: inbound and
   *  outbound by kind, report the browser's own RTCStatsReport. */
  async stats() {
    const all = [...this.participants.values()].filter(({ _peer }) => _peer);
    return Promise.all(all.map(async (participant) => {
      const report = await participant._peer.connection.getStats();
      return summarize(participant, report);
    }));
  }

  /** Leaves the room and stops the camera and microphone that join() opened. */
  leave() {
    if (this.state === 'left') return;
    for (const participant of this.participants.values()) participant._peer?.close();
    this._signalling?.close();
    this._ownsTracks?.forEach((track) => track.stop());
    globalThis.removeEventListener?.('online', this._onNetwork);
    globalThis.removeEventListener?.('pagehide', this._onHide);
    navigator.connection?.removeEventListener?.('typechange', this._onNetwork);
    this._setState('left');
  }
}

function summarize(participant, report) {
  const summary = { participant, roundTripMs: null, inbound: {}, outbound: {}, report };
  for (const entry of report.values()) {
    if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') {
      if (entry.currentRoundTripTime !== undefined) {
        summary.roundTripMs = entry.currentRoundTripTime * 1000;
      }
    } else if (entry.type === 'inbound-rtp') {
      summary.inbound[entry.kind] = entry;
    } else if (entry.type === 'outbound-rtp') {
      summary.outbound[entry.kind] = entry;
    }
  }
  return summary;
}
