// SPDX-License-Identifier: Apache-2.0
// One end of a call in a browser: a connection whose messages come back, and a picture to look at.
import http from 'node:http';

/** An empty page of a secure origin. */
export async function emptyPage() {
  const server = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end('<!doctype html><title>tcp</title><link rel="icon" href="data:,">');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}

/** In the page: a connection whose messages come back, and a picture to look at. A page that answers sends when it has
 *  been sent something: Chromium (156) takes what is sent as soon as a channel of the other side is `open`, and now and
 *  then the first of it never leaves. */
export function openEnd({ offers, messages, longest, configuration }) {
  const pc = new RTCPeerConnection(configuration);
  const end = { pc, received: 0, wrong: 0 };
  globalThis.end = end;
  const content = (i) => String.fromCharCode(97 + i % 26).repeat(1 + (i * 7919) % longest);
  const use = (channel) => {
    const sendAll = () => {
      channel.onmessage = ({ data }) => { if (data !== content(end.received++)) end.wrong++; };
      for (let i = 0; i < messages; i++) channel.send(content(i));
    };
    if (offers) channel.onopen = sendAll;
    else channel.onmessage = sendAll;
  };
  pc.ondatachannel = ({ channel }) => use(channel);
  pc.onicecandidate = ({ candidate }) => globalThis.toPeer(candidate ? candidate.toJSON() : { candidate: '' });
  pc.ontrack = ({ track }) => {
    const video = document.createElement('video');
    Object.assign(video, { muted: true, autoplay: true, srcObject: new MediaStream([track]) });
    document.body.append(video);
  };
  const local = async () => {
    await pc.setLocalDescription();
    globalThis.toPeer(pc.localDescription.toJSON());
  };
  const early = [];
  end.fromPeer = async (signal) => {
    if ('candidate' in signal) {
      if (pc.remoteDescription) await pc.addIceCandidate(signal);
      else early.push(signal);
      return;
    }
    await pc.setRemoteDescription(signal);
    if (signal.type === 'offer') await local();
    while (early.length > 0) await pc.addIceCandidate(early.shift());
  };
  end.stats = async () => [...(await pc.getStats()).values()];
  if (offers) {
    use(pc.createDataChannel('chat'));
    pc.addTransceiver('video', { direction: 'recvonly' });
    local();
  }
}

export const framesDecoded = (stats) => stats.find((s) => s.type === 'inbound-rtp' && s.kind === 'video')?.framesDecoded ?? 0;

/** The local and remote candidate of the pair that is in use. */
export function inUse(stats) {
  const id = stats.find((s) => s.type === 'transport')?.selectedCandidatePairId;
  const pair = stats.find((s) => s.type === 'candidate-pair' && (id ? s.id === id : s.selected ?? s.nominated));
  return [pair.localCandidateId, pair.remoteCandidateId].map((one) => stats.find((s) => s.id === one));
}
