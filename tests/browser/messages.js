// SPDX-License-Identifier: Apache-2.0
// A thousand messages that both ends can make by themselves: sizes from one byte to 256 KiB, evenly over
// the powers of two, text and binary in turn. Used in the page and in the test.

export const LARGEST = 262144;

/** The size of message i of count, in bytes; the last is the largest there is. */
export function sizeOf(i, count) {
  return Math.round(LARGEST ** (((i * 7919 + count - 1 - (count - 1) * 7919 % count + count) % count) / (count - 1)));
}

function* numbers(seed) {
  for (let x = seed * 2654435761 >>> 0 || 1; ;) {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    yield x;
  }
}

/** Message i: every other one text, of letters with one, two, three and four bytes. */
export function content(i, count) {
  const size = sizeOf(i, count);
  const block = [];
  const next = numbers(i + 1);
  if (i % 2 === 0) {
    const bytes = new Uint8Array(size);
    for (let k = 0; k < Math.min(size, 251); k++) bytes[k] = next.next().value;
    for (let k = 251; k < size; k++) bytes[k] = bytes[k - 251] + 1;
    return bytes;
  }
  const letters = ['a', 'ß', '€', '😀', '"', '\\', '\u0001'];
  for (let k = 0; k < 100; k++) block.push(letters[next.next().value % letters.length]);
  const unit = block.join('');
  const unitBytes = new TextEncoder().encode(unit).length;
  const text = unit.repeat(Math.floor(size / unitBytes));
  return text + 'x'.repeat(size - unitBytes * Math.floor(size / unitBytes));
}

/** FNV-1a over the bytes, and the length: the same for ArrayBuffer, Uint8Array and text. */
export function checksum(data) {
  let bytes = data;
  if (typeof data === 'string') bytes = new TextEncoder().encode(data);
  else if (!ArrayBuffer.isView(data)) bytes = new Uint8Array(data);
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return `${bytes.length}:${hash >>> 0}`;
}
