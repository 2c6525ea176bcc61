// SPDX-License-Identifier: Apache-2.0
// libdatachannel, as node-datachannel has it, in the JSON lines of `linnet peer`: offers or answers,
// echoes what it hears on data channels. For tests.
//
//   --offer | --answer   who begins
//   --data               a channel "chat" (with --offer)
import { createHash } from 'node:crypto';
import readline from 'node:readline';

import { cleanup, PeerConnection } from 'node-datachannel';

const has = (option) => process.argv.includes(option);
const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const channels = new Map();
const MESSAGE_BYTES = 16384;
const BUFFERED_MOST = 1 << 20;

/** Bulk, as docs/peer.md has it. */
class Sum {
  digest = Buffer.alloc(32);
  messages = 0;

  constructor(bytes) {
    this.bytes = this.left = bytes;
  }

  add(message) {
    this.digest = createHash('sha256').update(this.digest).update(message).digest();
    this.messages++;
    this.left -= message.length;
  }

  tell(channel, what) {
    write({ channel, [what]: this.bytes, messages: this.messages, sha256: this.digest.toString('hex') });
  }
}

const sums = new Map(); // of what comes on a channel

function makeUp(number, length) {
  const message = Buffer.allocUnsafe(length);
  for (let i = 8; i < length; i++)
    message[i] = (31 * i + number) & 255;
  message.writeBigUInt64BE(BigInt(number));
  return message;
}

async function sendBulk(channel, label, bytes, size = MESSAGE_BYTES) {
  const sum = new Sum(bytes);
  while (sum.left > 0) {
    while (channel.bufferedAmount() > BUFFERED_MOST)
      await new Promise((resolve) => setTimeout(resolve, 1));
    const message = makeUp(sum.messages, Math.min(size, sum.left));
    channel.sendMessageBinary(message);
    sum.add(message);
    if (sum.messages % 16 === 0)
      await new Promise((resolve) => setImmediate(resolve));
  }
  sum.tell(label, 'sent');
}

/** Whether the message was to be summed up. */
function summed(label, data) {
  const sum = sums.get(label);
  if (!sum)
    return false;
  sum.add(Buffer.from(data));
  if (sum.left <= 0) {
    sums.delete(label);
    sum.tell(label, 'received');
  }
  return true;
}

function use(channel) {
  const label = channel.getLabel();
  const opened = () => write({ channel: label, state: 'open', id: channel.getId(), protocol: channel.getProtocol() });
  channels.set(label, channel);
  channel.onClosed(() => write({ channel: label, state: 'closed' }));
  channel.onMessage((data) => {
    if (summed(label, data))
      return;
    if (typeof data === 'string')
      channel.sendMessage(data);
    else
      channel.sendMessageBinary(Buffer.from(data));
  });
  if (channel.isOpen())
    opened();
  else
    channel.onOpen(opened);
}

function open(pc, { channel, ordered = true, ...init }) {
  use(pc.createDataChannel(channel, { ...init, unordered: !ordered }));
}

function onChannelLine(pc, { state, ...line }) {
  const channel = channels.get(line.channel);
  if (state === 'open')
    open(pc, line);
  else if (state === 'closed')
    channel.close();
  else if (line.bulk)
    sendBulk(channel, line.channel, line.bulk, line.size);
  else if (line.sum) {
    sums.set(line.channel, new Sum(line.sum));
    write({ channel: line.channel, summing: line.sum });
  } else if (line.data !== undefined)
    channel.sendMessage(line.data);
  else
    channel.sendMessageBinary(Buffer.from(line.data64, 'base64'));
}

function onLine(pc, line) {
  if (line.channel)
    onChannelLine(pc, line);
  else if (line.type)
    pc.setRemoteDescription(line.sdp, line.type);
  else if (line.candidate)
    pc.addRemoteCandidate(line.candidate, line.sdpMid);
}

async function main() {
  const pc = new PeerConnection('peer', { iceServers: [] });
  pc.onLocalDescription((sdp, type) => write({ type, sdp }));
  pc.onLocalCandidate((candidate, sdpMid) => write({ candidate, sdpMid }));
  pc.onStateChange((connection) => write({ connection }));
  pc.onDataChannel(use);
  if (has('--data'))
    open(pc, { channel: 'chat' });
  for await (const text of readline.createInterface({ input: process.stdin }))
    onLine(pc, JSON.parse(text));
  pc.close();
  cleanup();
}

main().then(() => process.exit(0), (error) => { console.error('datachannel:', error); process.exit(1); });
