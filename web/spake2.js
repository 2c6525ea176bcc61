// SPDX-License-Identifier: Apache-2.0
// SPAKE2 over P-256 with SHA-256, HKDF and HMAC (RFC 9382), the page's side of src/crypto/spake2.h: two
// who share a weak secret agree on a strong key, and each learns that the other knew it.
//
//   const spake2 = new Spake2('A', await passwordScalar(secret, salt, info));
//   send(spake2.share);
//   await spake2.finish(theirShare, idA, idB, additional);
//   send(spake2.confirmation); if (!spake2.confirmed(theirs)) ...
//
// Points are BigInts in projective coordinates; one addition formula is complete (it has no special
// cases), and a multiplication does the same steps for every scalar. BigInt itself is not
// constant-time: scalars here are used once, and nobody but the page's own browser can time them.
// Hashes are WebCrypto's, which browsers give to secure contexts only.

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const G = [0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n, 1n];
// RFC 9382, 4, with their second coordinates.
const M = [0x886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12fn,
  0x5ff355163e43ce224e0b0e65ff02ac8e5c7be09419c785e0ca547d55a12e2d20n, 1n];
const N = [0xd8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49n,
  0x07d60aa6bfade45008a636337f5168c64d9bd36034808cd564490b1e656edbe7n, 1n];
const INFINITY = [0n, 1n, 0n];

const SHARE_LENGTH = 65;

const mod = (a, m = P) => {
  const r = a % m;
  return r < 0n ? r + m : r;
};

// ------------------------------------------------------------------ the group

// Complete addition on y² = x³ - 3x + b in projective coordinates: the formulas of Renes, Costello and
// Batina (2016), for a = -3, expanded: with the products of coordinates named by them,
//   xx = x1x2, yy = y1y2, zz = z1z2, xy = x1y2 + x2y1, yz = y1z2 + y2z1, xz = x1z2 + x2z1.
function add([x1, y1, z1], [x2, y2, z2]) {
  const xx = mod(x1 * x2);
  const yy = mod(y1 * y2);
  const zz = mod(z1 * z2);
  const xy = mod((x1 + y1) * (x2 + y2) - xx - yy);
  const yz = mod((y1 + z1) * (y2 + z2) - yy - zz);
  const xz = mod((x1 + z1) * (x2 + z2) - xx - zz);
  const u = mod(3n * (xz - B * zz));             // -(a xz + 3b zz)
  const v = mod(3n * (B * xz - 3n * zz - xx));   // a xx - a² zz + 3b xz, with its factor
  const s = mod(3n * (xx - zz));                 // 3 xx + a zz
  const minus = mod(yy - u);
  const plus = mod(yy + u);
  return [mod(plus * xy - v * yz), mod(plus * minus + s * v), mod(minus * yz + s * xy)];
}

function multiply(point, scalar) {
  const pair = [INFINITY, point]; // they differ by the point all the time
  for (let bit = 255n; bit >= 0n; bit--) {
    const set = Number((scalar >> bit) & 1n);
    pair[1 - set] = add(pair[0], pair[1]);
    pair[set] = add(pair[set], pair[set]);
  }
  return pair[0];
}

const negate = ([x, y, z]) => [x, mod(-y), z];
const isInfinity = (point) => point[2] === 0n;

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) {
    if (e & 1n) result = mod(result * b);
  }
  return result;
}

// ------------------------------------------------------------------ bytes

export function numberFrom(bytes) {
  let hex = '0x0';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return BigInt(hex);
}

export function bytesFrom(number, length = 32) {
  const hex = number.toString(16).padStart(2 * length, '0');
  return Uint8Array.from(hex.match(/../g), (digits) => parseInt(digits, 16));
}

function join(...pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function pointBytes(point) {
  const inverse = power(point[2], P - 2n);
  return join([4], bytesFrom(mod(point[0] * inverse)), bytesFrom(mod(point[1] * inverse)));
}

function pointFrom(bytes) {
  if (bytes.length !== SHARE_LENGTH || bytes[0] !== 4) throw new RangeError('no uncompressed point');
  const x = numberFrom(bytes.subarray(1, 33));
  const y = numberFrom(bytes.subarray(33));
  if (x >= P || y >= P || mod(y * y - x * x * x + 3n * x - B) !== 0n) {
    throw new RangeError('not on the curve');
  }
  return [x, y, 1n];
}

// ------------------------------------------------------------------ hashes

const encode = (value) => (typeof value === 'string' ? new TextEncoder().encode(value) : value);

async function hkdf(secret, salt, info, length) {
  const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, key, 8 * length);
  return new Uint8Array(bits);
}

async function hmac(secret, data) {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data));
}

/** The scalar of a secret text, as ln_spake2_password() makes it. */
export async function passwordScalar(secret, salt, info) {
  return mod(numberFrom(await hkdf(encode(secret), encode(salt), encode(info), 40)), ORDER);
}

// ------------------------------------------------------------------ the exchange

function randomScalar() {
  return 1n + mod(numberFrom(crypto.getRandomValues(new Uint8Array(40))), ORDER - 1n);
}

export class Spake2 {
  /** role: 'A' or 'B'; w: of passwordScalar(); scalar: given for vectors only. */
  constructor(role, w, scalar = randomScalar()) {
    this.role = role;
    this.w = w;
    this.scalar = scalar;
    const ours = role === 'A' ? M : N;
    this.share = pointBytes(add(multiply(G, scalar), multiply(ours, w)));
  }

  /** Takes the other's share. Throws a RangeError when it is no point or gives the key away. */
  async finish(theirShare, idA, idB, additional = '') {
    const theirs = this.role === 'A' ? N : M;
    const difference = add(pointFrom(theirShare), negate(multiply(theirs, this.w)));
    if (isInfinity(difference)) throw new RangeError('a share that gives the key away');
    const secret = pointBytes(multiply(difference, this.scalar));
    const [shareA, shareB] = this.role === 'A' ? [this.share, theirShare] : [theirShare, this.share];
    const transcript = join(...[encode(idA), encode(idB), shareA, shareB, secret, bytesFrom(this.w)]
      .flatMap((field) => [bytesFrom(BigInt(field.length), 8).reverse(), field]));
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', transcript));
    const keys = await hkdf(digest.subarray(16), new Uint8Array(0),
      join(encode('ConfirmationKeys'), encode(additional)), 32);
    const a = await hmac(keys.subarray(0, 16), transcript);
    const b = await hmac(keys.subarray(16), transcript);
    this.key = digest.slice(0, 16);
    [this.confirmation, this.expected] = this.role === 'A' ? [a, b] : [b, a];
  }

  /** Whether the other's confirmation is right; looks at every byte. */
  confirmed(theirs) {
    if (theirs.length !== this.expected.length) return false;
    return theirs.reduce((difference, byte, i) => difference | (byte ^ this.expected[i]), 0) === 0;
  }
}
