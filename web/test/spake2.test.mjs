// SPDX-License-Identifier: Apache-2.0
// SPAKE2 of the page by the vectors of RFC 9382, which the C one gives as well (tests/unit/crypto).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import './webcrypto.js';
import { Spake2, bytesFrom, numberFrom, passwordScalar } from '../spake2.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
const number = (text) => numberFrom(bytes(text));

const vectors = readFileSync(new URL('../../tests/unit/crypto/spake2.txt', import.meta.url), 'utf8')
  .split('\n\n').slice(1).map((block) => Object.fromEntries(block.trim().split('\n').map((line) => {
    const [name, value = ''] = line.split(' ');
    return [name, value];
  })));

test('gives shares, keys and confirmations of RFC 9382', async () => {
  assert.equal(vectors.length, 4);
  for (const v of vectors) {
    const a = new Spake2('A', number(v.w), number(v.x));
    const b = new Spake2('B', number(v.w), number(v.y));
    assert.equal(hex(a.share), v.pA);
    assert.equal(hex(b.share), v.pB);
    await a.finish(b.share, v.A, v.B);
    await b.finish(a.share, v.A, v.B);
    for (const side of [a, b]) assert.equal(hex(side.key), v.Ke);
    assert.equal(hex(a.confirmation), v.cA);
    assert.equal(hex(b.confirmation), v.cB);
    assert.ok(a.confirmed(b.confirmation) && b.confirmed(a.confirmation));
    assert.ok(!a.confirmed(a.confirmation));
  }
});

test('agrees only on the same secret, identities and additional data', async () => {
  const run = async (secretB, idB, additionalB) => {
    const a = new Spake2('A', await passwordScalar('apple-bread', '4711', 'test'));
    const b = new Spake2('B', await passwordScalar(secretB, '4711', 'test'));
    await a.finish(b.share, 'a', 'b', 'v1');
    await b.finish(a.share, 'a', idB, additionalB);
    assert.equal(a.confirmed(b.confirmation), b.confirmed(a.confirmation));
    return a.confirmed(b.confirmation);
  };
  assert.ok(await run('apple-bread', 'b', 'v1'));
  assert.ok(!await run('apple-breed', 'b', 'v1'));
  assert.ok(!await run('apple-bread', 'x', 'v1'));
  assert.ok(!await run('apple-bread', 'b', 'v2'));
});

test('refuses shares that are no points or give the key away', async () => {
  const a = new Spake2('A', 1n);
  const b = new Spake2('B', 1n);
  const off = b.share.slice();
  off[64] ^= 1;
  const hybrid = b.share.slice();
  hybrid[0] = 6;
  const n = bytes('04d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49'
    + '07d60aa6bfade45008a636337f5168c64d9bd36034808cd564490b1e656edbe7');
  const high = new Uint8Array(65).fill(255);
  high[0] = 4;
  for (const share of [new Uint8Array(65), off, hybrid, n, high, b.share.subarray(1)]) {
    await assert.rejects(a.finish(share, '', ''), RangeError);
  }
  await a.finish(b.share, '', '');
});

// tests/unit/crypto/test_spake2.c expects the same number.
test('makes the scalar of a text as the program does', async () => {
  const w = await passwordScalar('anchor-velvet-otter', '4711', 'linnet transfer 1');
  assert.equal(hex(bytesFrom(w)), '1b3076e1b3a220745c59e7f89ed837b99abfe5fb51be77804074a8cd0eed6c9d');
});
