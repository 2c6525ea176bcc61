// SPDX-License-Identifier: Apache-2.0
// The test picture in JavaScript against that in C: common vectors, and each reads what the other drew.
// `node web/test/test-picture.test.mjs --write` writes from-js.pgm anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import {
  decodeTestCode, drawTestPicture, encodeTestCode, readTestPicture, testPictureFlashAt,
} from '../test-picture.js';

const fixture = (name) => new URL(name, import.meta.url);
const FROM_JS = { number: 2882400001, timeMs: 1700000000777, flash: true };

// As much of a canvas context as rectangles need.
class Canvas {
  constructor(width, height) {
    Object.assign(this, { width, height, fillStyle: '#000' });
    this.data = new Uint8ClampedArray(4 * width * height);
  }

  fillRect(left, top, width, height) {
    const hex = this.fillStyle.slice(1);
    const digits = hex.length === 3 ? [...hex].map((c) => c + c) : hex.match(/../g);
    const rgba = [...digits.map((d) => parseInt(d, 16)), 255];
    for (let y = top; y < top + height; y++)
      for (let x = left; x < left + width; x++)
        this.data.set(rgba, 4 * (y * this.width + x));
  }

  fillText() {}
}

function drawn(width, height, number, timeMs, flash) {
  const canvas = new Canvas(width, height);
  drawTestPicture(canvas, width, height, number, timeMs, flash);
  return canvas;
}

// Luma of limited range, as in a decoded picture.
function toPgm({ data, width, height }) {
  const luma = Buffer.alloc(width * height);
  for (let i = 0; i < luma.length; i++)
    luma[i] = Math.round(16 + (65.738 * data[4 * i] + 129.057 * data[4 * i + 1] +
      25.064 * data[4 * i + 2]) / 256);
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), luma]);
}

function fromPgm(bytes) {
  const [, width, height] = /^P5\n(\d+) (\d+)\n255\n/.exec(bytes.toString('latin1'));
  const luma = bytes.subarray(bytes.length - width * height);
  const data = new Uint8ClampedArray(4 * luma.length);
  luma.forEach((y, i) => data.fill((y - 16) * 255 / 219, 4 * i, 4 * i + 3));
  return { data, width: Number(width), height: Number(height) };
}

if (process.argv.includes('--write'))
  writeFileSync(fixture('from-js.pgm'),
    toPgm(drawn(160, 120, FROM_JS.number, FROM_JS.timeMs, FROM_JS.flash)));

const VECTORS = [
  [0, 0, '00000000000000000000e139'],
  [1, 1000, '000000010000000003e8702d'],
  [123456789, 1700000000123, '075bcd15018bcfe5687b0ccd'],
  [4294967295, 281474976710655, 'ffffffffffffffffffffa6e1'],
  [305419896, 170135984804404, '123456789abcdef0123488d5'],
];

test('codes are those of the document, and C has the same', () => {
  for (const [number, timeMs, hex] of VECTORS) {
    assert.equal(Buffer.from(encodeTestCode(number, timeMs)).toString('hex'), hex);
    assert.deepEqual(decodeTestCode(Buffer.from(hex, 'hex')), { number, timeMs });
  }
});

test('what is drawn is read, in every size', () => {
  for (const [width, height] of [[640, 480], [320, 240], [1280, 720], [64, 64], [99, 77], [480, 640]])
    for (const [number, timeMs] of VECTORS)
      for (const flash of [true, false])
        assert.deepEqual(readTestPicture(drawn(width, height, number, timeMs, flash)),
          { number, timeMs, flash });
});

test('a picture drawn by the C code is read', () => {
  assert.deepEqual(readTestPicture(fromPgm(readFileSync(fixture('from-c.pgm')))),
    { number: 3000000001, timeMs: 1234567890042, flash: true });
});

test('the picture that C reads is what is drawn here', () => {
  const bytes = toPgm(drawn(160, 120, FROM_JS.number, FROM_JS.timeMs, FROM_JS.flash));
  assert.ok(bytes.equals(readFileSync(fixture('from-js.pgm'))));
  assert.deepEqual(readTestPicture(fromPgm(bytes)), FROM_JS);
});

test('nothing is read where there is no code', () => {
  assert.equal(readTestPicture(new Canvas(640, 480)), null);
  assert.equal(readTestPicture(drawn(63, 64, 1, 1, false)), null);
  const canvas = drawn(160, 120, 5, 5, false);
  canvas.fillStyle = '#fff';
  canvas.fillRect(0, 90, 10, 5);
  assert.equal(readTestPicture(canvas), null);
});

test('the flash lasts a tenth of each second, and is the default', () => {
  assert.equal(testPictureFlashAt(5099.9), true);
  assert.equal(testPictureFlashAt(5100), false);
  assert.equal(readTestPicture(drawn(160, 120, 1, 5050)).flash, true);
  assert.equal(readTestPicture(drawn(160, 120, 1, 5150)).flash, false);
});
