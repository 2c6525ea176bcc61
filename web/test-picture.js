// SPDX-License-Identifier: Apache-2.0
// The test picture in a page: draws it on a canvas, reads it back from pixels. The layout, and what each
// bit means, is docs/test-picture.md; src/media/frame/test_picture.c draws and reads the same.

const ROWS = 24; // the height's unit
const CODE_TOP = 18;
const CODE_ROWS = 6;
const CODE_COLUMNS = 16;
const CODE_BITS = CODE_ROWS * CODE_COLUMNS;
const FLASH_ROWS = 2;
const BARS_BOTTOM = 9;
const CONTRAST_MIN = 64 * 255 / 219; // full range here, limited range in C
const SIDE_MIN = 64;
const FLASH_MS = 100;
const BARS = ['#bfbfbf', '#bfbf00', '#00bfbf', '#00bf00', '#bf00bf', '#bf0000', '#0000bf', '#000'];
const DARK = '#1c1c1c';

const edge = (side, n, parts) => Math.floor(side * n / parts);

function crc16(bytes) { // CRC-16/CCITT-FALSE
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** The 12 bytes of a code: number (32 bits), time in ms (48), check (16); all big-endian. */
export function encodeTestCode(number, timeMs) {
  const code = new Uint8Array(12);
  const view = new DataView(code.buffer);
  const time = Math.floor(timeMs);
  view.setUint32(0, number);
  view.setUint16(4, Math.floor(time / 2 ** 32));
  view.setUint32(6, time % 2 ** 32);
  view.setUint16(10, crc16(code.subarray(0, 10)));
  return code;
}

/** {number, timeMs}, or null when the check fails. */
export function decodeTestCode(code) {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  if (view.getUint16(10) !== crc16(code.subarray(0, 10)))
    return null;
  return { number: view.getUint32(0), timeMs: view.getUint16(4) * 2 ** 32 + view.getUint32(6) };
}

/** Whether a picture of this time shows the flash: the first 100 ms of each second. */
export const testPictureFlashAt = (timeMs) => Math.floor(timeMs) % 1000 < FLASH_MS;

const swing = (number, steps, span) => {
  const n = number % (2 * steps);
  return Math.floor(span * (n < steps ? n : 2 * steps - n) / steps);
};

function drawText(ctx, text, width, top, bottom) {
  const size = Math.min((bottom - top) * 0.9, width * 15 / 16 / (text.length * 0.62));
  ctx.font = `${Math.floor(size)}px monospace`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillText(text, width / 2, (top + bottom) / 2);
}

function drawPeople(ctx, width, height, number, timeMs) {
  const y = (row) => edge(height, row, ROWS);
  const radius = Math.floor(height / 16);
  BARS.forEach((colour, i) => {
    const left = edge(width, i, BARS.length);
    ctx.fillStyle = colour;
    ctx.fillRect(left, y(FLASH_ROWS), edge(width, i + 1, BARS.length) - left,
      y(BARS_BOTTOM) - y(FLASH_ROWS));
  });
  ctx.fillStyle = DARK;
  ctx.fillRect(0, y(BARS_BOTTOM), width, y(CODE_TOP) - y(BARS_BOTTOM));
  ctx.fillStyle = '#fff';
  ctx.beginPath?.();
  ctx.arc?.(radius + swing(number, 90, width - 2 * radius),
    y(FLASH_ROWS) + radius + swing(number, 37, y(BARS_BOTTOM) - y(FLASH_ROWS) - 2 * radius),
    radius, 0, 2 * Math.PI);
  ctx.fill?.();
  drawText(ctx, new Date(timeMs).toISOString().slice(11, 23), width, y(9), y(13));
  drawText(ctx, String(number).padStart(10, '0'), width, y(13), y(17));
  ctx.fillRect(0, y(17), Math.floor(Math.floor(timeMs) % 1000 * width / 1000), y(18) - y(17));
}

/**
 * Draws the picture on the whole of a 2D context.
 *
 * number  of the frame, 0 to 2^32 - 1
 * timeMs  of the capture, 0 to 2^48 - 1, for instance Date.now()
 * flash   whether the band on top is white; testPictureFlashAt(timeMs) by default
 */
export function drawTestPicture(ctx, width, height, number, timeMs,
  flash = testPictureFlashAt(timeMs)) {
  ctx.fillStyle = flash ? '#fff' : '#000';
  ctx.fillRect(0, 0, width, edge(height, FLASH_ROWS, ROWS));
  drawPeople(ctx, width, height, number, timeMs);
  if (width < SIDE_MIN || height < SIDE_MIN)
    return;
  const code = encodeTestCode(number, timeMs);
  for (let bit = 0; bit < CODE_BITS; bit++) {
    const column = bit % CODE_COLUMNS;
    const row = CODE_TOP + Math.floor(bit / CODE_COLUMNS);
    const left = edge(width, column, CODE_COLUMNS);
    const top = edge(height, row, ROWS);
    ctx.fillStyle = code[bit >> 3] >> (7 - bit % 8) & 1 ? '#fff' : '#000';
    ctx.fillRect(left, top, edge(width, column + 1, CODE_COLUMNS) - left,
      edge(height, row + 1, ROWS) - top);
  }
}

/** The mean brightness of 5 x 5 points over the middle half of a cell of a grid. */
function sample({ data, width, height }, column, columns, row, rows) {
  let sum = 0;
  for (let i = 0; i < 5; i++) {
    const y = Math.floor(height * (8 * row + 2 + i) / (8 * rows));
    for (let j = 0; j < 5; j++) {
      const at = 4 * (y * width + Math.floor(width * (8 * column + 2 + j) / (8 * columns)));
      sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    }
  }
  return sum / 25;
}

/**
 * Reads the code from an ImageData (or {data, width, height} of RGBA) in any size that the picture was
 * scaled to. Returns {number, timeMs, flash}, or null when there is none that can be trusted.
 */
export function readTestPicture(image) {
  if (image.width < SIDE_MIN || image.height < SIDE_MIN)
    return null;
  const values = Array.from({ length: CODE_BITS }, (_, bit) =>
    sample(image, bit % CODE_COLUMNS, CODE_COLUMNS, CODE_TOP + Math.floor(bit / CODE_COLUMNS), ROWS));
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (high - low < CONTRAST_MIN)
    return null;
  const middle = (low + high) / 2;
  const code = new Uint8Array(CODE_BITS / 8);
  values.forEach((value, bit) => {
    if (value > middle)
      code[bit >> 3] |= 0x80 >> bit % 8;
  });
  const what = decodeTestCode(code);
  if (!what)
    return null;
  let flash = 0;
  for (let column = 0; column < CODE_COLUMNS; column++)
    flash += sample(image, column, CODE_COLUMNS, 0, ROWS / FLASH_ROWS);
  return { ...what, flash: flash / CODE_COLUMNS > middle };
}
