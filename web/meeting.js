// SPDX-License-Identifier: Apache-2.0
// Where the ends of a transfer meet (docs/transfer.md): the room of a code, and a data channel to the
// other end whose certificate the code has proven.
//
//   const room = new ReceiverRoom(url, code); await room.enter(); const link = await room.dial();
//   see ReceiverRoom and SenderRoom
import { Signalling } from './linnet.js';
import { MOST_TRIES, REASON, TransferError, channelPipe, identityOf, prove, renumber } from './transfer.js';

const LABEL = 'transfer';
const OPEN_WITHIN_MS = 20000;
const SENDER_WITHIN_MS = 30000;
const PROOF_WITHIN_MS = 15000;
const SILENT_FOR_MS = 6000;    // disconnected so long is broken
const ROOMS_TRIED = 20;

const lost = (sentence) => new TransferError(REASON.LOCAL, sentence, true);

function within(promise, ms, sentence) {
  let timer;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(lost(sentence)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The room of a code. Resolves once it is entered; others(): who was there before. */
function enter(url, room, name) {
  const signalling = new Signalling(url, { type: 'join', room, name });
  return new Promise((resolve, reject) => {
    signalling.addEventListener('joined', ({ detail }) => resolve({ signalling, session: detail }), { once: true });
    signalling.addEventListener('failed', ({ detail }) => reject(lost(detail.message)), { once: true });
  });
}

/** One peer connection and its channel, to one participant. */
class Link {
  constructor(signalling, session, other) {
    this.signalling = signalling;
    this.other = other;
    this.connection = new RTCPeerConnection({ iceServers: session.iceServers });
    this.connection.onicecandidate = ({ candidate }) => {
      if (candidate) this.say({ type: 'candidate', candidate: candidate.toJSON() });
    };
    this.opened = new Promise((resolve, reject) => {
      this.open = resolve;
      this.refuse = reject;
    });
    this.opened.catch(() => {});
    this.connection.onconnectionstatechange = () => this.onState();
    this.connection.ondatachannel = ({ channel }) => {
      if (channel.label === LABEL && !this.channel) this.use(channel);
    };
  }

  say(message) {
    this.signalling.send({ ...message, to: this.other });
  }

  use(channel) {
    this.channel = channel;
    this.pipe = channelPipe(channel);
    if (channel.readyState === 'open') this.open();
    else channel.addEventListener('open', () => this.open(), { once: true });
  }

  onState() {
    const state = this.connection.connectionState;
    clearTimeout(this.silence);
    if (state === 'failed' || state === 'closed') this.broken();
    if (state === 'disconnected') this.silence = setTimeout(() => this.broken(), SILENT_FOR_MS);
  }

  broken() {
    this.refuse(lost('no path to the other side was found'));
    this.pipe?.fail();
  }

  async offer() {
    this.use(this.connection.createDataChannel(LABEL));
    await this.connection.setLocalDescription();
    this.say({ type: 'offer', description: this.connection.localDescription.toJSON() });
  }

  async take(message) {
    if (message.type === 'candidate') {
      await this.connection.addIceCandidate(message.candidate).catch(() => {});
      return;
    }
    await this.connection.setRemoteDescription(message.description);
    if (message.type !== 'offer') return;
    await this.connection.setLocalDescription();
    this.say({ type: 'answer', description: this.connection.localDescription.toJSON() });
  }

  /** Proves the code over the open channel. */
  async proveAs(role, code) {
    const ours = identityOf(this.connection.localDescription.sdp);
    const theirs = identityOf(this.connection.remoteDescription.sdp);
    await within(prove(this.pipe, role, code, role === 'receiver' ? { receiver: ours, sender: theirs }
      : { receiver: theirs, sender: ours }), PROOF_WITHIN_MS, 'the other side does not answer');
  }

  /** 'host', 'srflx', 'prflx' or 'relay'; '' while there is none. */
  async path() {
    const report = await this.connection.getStats();
    for (const pair of report.values()) {
      if (pair.type !== 'candidate-pair' || !pair.nominated || pair.state !== 'succeeded') continue;
      const types = [report.get(pair.localCandidateId)?.candidateType, report.get(pair.remoteCandidateId)?.candidateType];
      return ['relay', 'srflx', 'prflx', 'host'].find((type) => types.includes(type)) ?? '';
    }
    return '';
  }

  close() {
    clearTimeout(this.silence);
    this.pipe?.fail();
    this.connection.close();
  }
}

/** The receiver's room: dial() makes a link to the sender, anew after each that broke. */
export class ReceiverRoom {
  constructor(url, code) {
    this.url = url;
    this.code = code;
    this.sender = null;
    this.link = null;
  }

  async enter() {
    const { signalling, session } = await enter(this.url, this.code.room, 'receiver');
    this.signalling = signalling;
    this.session = session;
    this.came = new Promise((resolve) => { this.onCame = resolve; });
    const see = ({ id, name }) => {
      if (name !== 'sender') return;
      this.sender = id;
      this.onCame();
    };
    session.participants.forEach(see);
    signalling.addEventListener('message', ({ detail: message }) => {
      if (message.type === 'presence' && message.event === 'joined') see(message.participant);
      else if (message.type === 'presence' && message.participant.id === this.sender) this.sender = null;
      else if (message.from === this.link?.other) this.link.take(message).catch(() => this.link?.broken());
    });
  }

  /** Resolves with a link whose other end knows the code. */
  async dial() {
    if (!this.sender) await within(this.came, SENDER_WITHIN_MS, 'nobody sends under this code');
    this.link?.close();
    this.link = new Link(this.signalling, this.session, this.sender);
    await this.link.offer();
    await within(this.link.opened, OPEN_WITHIN_MS, 'no path to the other side was found in time');
    await this.link.proveAs('receiver', this.code);
    return this.link;
  }

  leave() {
    this.link?.close();
    this.signalling?.close();
  }
}

/** The sender's room. onlink(link): somebody has proven the code; onwrong(error): somebody has not. */
export class SenderRoom {
  constructor(url, code) {
    this.url = url;
    this.code = code;
    this.links = new Map();
    this.wrong = 0; // codes
  }

  /** Enters a room where nobody is; `code` has its number then. */
  async enter() {
    for (let tried = 0; tried < ROOMS_TRIED; tried++) {
      const { signalling, session } = await enter(this.url, this.code.room, 'sender');
      if (session.participants.length === 0) {
        this.signalling = signalling;
        this.session = session;
        signalling.addEventListener('message', ({ detail }) => this.take(detail));
        return;
      }
      signalling.close();
      this.code = renumber(this.code);
    }
    throw lost('the server has no free number');
  }

  take(message) {
    if (message.type === 'offer') {
      this.links.get(message.from)?.close();
      const link = new Link(this.signalling, this.session, message.from);
      this.links.set(message.from, link);
      this.welcome(link);
    }
    const link = this.links.get(message.from);
    link?.take(message).catch(() => link.broken());
  }

  async welcome(link) {
    try {
      await within(link.opened, OPEN_WITHIN_MS, 'no path to the other side was found in time');
      await link.proveAs('sender', this.code);
      if (this.wrong >= MOST_TRIES) throw lost('the code serves no more'); // whatever came at the same time
      this.onlink?.(link);
    } catch (error) {
      if (error.reason === REASON.CODE) this.wrong += 1;
      this.onwrong?.(error, link);
    }
  }

  leave() {
    for (const link of this.links.values()) link.close();
    this.signalling?.close();
  }
}
