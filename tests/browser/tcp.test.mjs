// SPDX-License-Identifier: Apache-2.0
// No UDP passes: a browser, which gathers TCP candidates only actively, connects to the passive ones of
// `linnet peer --ice-tcp`, and messages and a picture go over the stream (RFC 6544, RFC 4571).
// Needs nftables and a namespace of its own:
//   tests/support/netns node --test tests/browser/tcp.test.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { call } from './echo-call.mjs';
import { emptyPage, inUse } from './end.mjs';
import { chromium, firefox } from './support.mjs';

function nft(...words) {
  execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  describe(`${name} where no UDP passes`, () => {
    let host;
    let site;
    before(async () => {
      assert.ok(process.env.LINNET_NETNS, 'run it by tests/support/netns: it installs packet filter rules');
      nft('add', 'table', 'inet', 'linnet');
      nft('add', 'chain', 'inet', 'linnet', 'output', '{ type filter hook output priority 0 ; }');
      nft('add', 'rule', 'inet', 'linnet', 'output', 'meta', 'l4proto', 'udp', 'drop');
      site = await emptyPage();
      host = await launch();
    });
    after(async () => {
      await host?.close();
      site?.close();
      nft('delete', 'table', 'inet', 'linnet');
    });

    for (const role of ['offers', 'answers']) {
      test(`${name} ${role}: messages and a picture over TCP`, async () => {
        const { ours, theirs, wrong } = await call(host, site, role === 'offers', ['--ice-tcp']);
        const [local, remote] = inUse(ours);
        assert.equal(wrong, 0);
        assert.deepEqual([local.protocol, local.candidateType, local.tcpType], ['tcp', 'host', 'passive']);
        assert.deepEqual([remote.protocol, remote.candidateType, remote.tcpType], ['tcp', 'prflx', 'active']);
        assert.equal(inUse(theirs)[0].protocol, 'tcp');
      });
    }
  });
}
