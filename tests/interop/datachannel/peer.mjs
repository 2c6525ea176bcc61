// SPDX-License-Identifier: Apache-2.0
// libdatachannel, as node-datachannel has it, in the JSON lines of `linnet peer`: offers or answers,
// echoes what it hears on data channels. For tests.
//
//   --offer | --answer   who begins
//   --data               a channel "chat" (with --offer)
import readline from 'node:readline';

import { cleanup, PeerConnection } from 'node-datachannel';

const has = (option) => process.argv.includes(option);
const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const channels = new Map();

function use(channel) {
  const label = channel.getLabel();
  const opened = () => write({ channel: label, state: 'open', id: channel.getId(), protocol: channel.getProtocol() });
  channels.set(label, channel);
  channel.onClosed(() => write({ channel: label, state: 'closed' }));
  channel.onMessage((data) => typeof data === 'string' ? channel.sendMessage(data)
    : channel.sendMessageBinary(Buffer.from(data)));
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
  else if (line.data !== undefined)
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
