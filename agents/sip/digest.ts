/**
 * The arithmetic of Digest access authentication (RFC 7616 3.4, RFC 8760; without qop RFC 2069, RFC 3261 22.4), bytes in
 * and hex digits out. What the headers look like is in auth.ts.
 *
 * MD5 is done here and SHA-256 by node:crypto: with 60 to 140 bytes of input and the digits written in place, Node 20
 * needs 0.35-0.55 us for this MD5 and 0.6-1.0 us for its own, most of it the way there and back; its SHA-256 costs the same
 * as its MD5, which none of ours would reach.
 */
import { hash } from 'node:crypto';
import { assert } from '../../harness/errors.js';
import { ascii, writeBytes, writeHex, writeRange } from './text.js';

export const ALGORITHM = { MD5: 0, MD5_SESS: 1, SHA_256: 2, SHA_256_SESS: 3 } as const;
/** Two bits: 1 is -sess, 2 is SHA-256. A larger number is a stronger algorithm. */
export type Algorithm = (typeof ALGORITHM)[keyof typeof ALGORITHM];
/** As they stand in headers (RFC 7616 3.3). */
export const ALGORITHM_NAMES = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess'] as const;

export function isSession(algorithm: Algorithm): boolean {
  return (algorithm & 1) !== 0;
}
/** The one whose HA1 is kept in a database: without -sess. */
export function plain(algorithm: Algorithm): Algorithm {
  return (algorithm & 2) as Algorithm;
}
export function hexLength(algorithm: Algorithm): number {
  return algorithm >= ALGORITHM.SHA_256 ? 64 : 32;
}

export const QOP = { NONE: 0, AUTH: 1, AUTH_INT: 2 } as const;
export type Qop = (typeof QOP)[keyof typeof QOP];
export const QOP_NAMES = ['', 'auth', 'auth-int'] as const;

/** A span of bytes; one object is used again and again where it matters. */
export interface Span {
  bytes: Uint8Array;
  off: number;
  len: number;
}
/** `len` -1: nothing there. */
export function span(): Span {
  return { bytes: new Uint8Array(0), off: 0, len: -1 };
}

/** slice() of a Buffer would be a view of the same memory. */
export function copyOf(from: Span): Uint8Array {
  const bytes = new Uint8Array(from.len);
  writeRange(bytes, 0, from.bytes, from.off, from.len);
  return bytes;
}

/** Everything that is hashed comes from a datagram (2,048 bytes) or from a plan; two datagrams' worth is room enough. */
const INPUT_MAX = 4096;
const words = new Int32Array(INPUT_MAX / 4 + 32);
const input = new Uint8Array(words.buffer);
const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

const COLON = 58;
const QOP_BYTES = QOP_NAMES.map(ascii);
const HEX = ascii('0123456789abcdef');

/** Floor of 2^32 * |sin(i + 1)| (RFC 1321 3.4). */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 0x100000000) | 0);
const state = new Int32Array(4);

function rot(x: number, s: number): number {
  return (x << s) | (x >>> (32 - s));
}

/** One block of RFC 1321 3.4, words[o, o+16). Four steps a turn, so that the four variables need not change places. */
function block(o: number): void {
  const m = words;
  const k = SINES;
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 16; i += 4) {
    a = (b + rot((a + (d ^ (b & (c ^ d))) + m[o + i]! + k[i]!) | 0, 7)) | 0;
    d = (a + rot((d + (c ^ (a & (b ^ c))) + m[o + i + 1]! + k[i + 1]!) | 0, 12)) | 0;
    c = (d + rot((c + (b ^ (d & (a ^ b))) + m[o + i + 2]! + k[i + 2]!) | 0, 17)) | 0;
    b = (c + rot((b + (a ^ (c & (d ^ a))) + m[o + i + 3]! + k[i + 3]!) | 0, 22)) | 0;
  }
  for (let i = 16; i < 32; i += 4) {
    const g = 5 * i + 1;
    a = (b + rot((a + (c ^ (d & (b ^ c))) + m[o + (g & 15)]! + k[i]!) | 0, 5)) | 0;
    d = (a + rot((d + (b ^ (c & (a ^ b))) + m[o + ((g + 5) & 15)]! + k[i + 1]!) | 0, 9)) | 0;
    c = (d + rot((c + (a ^ (b & (d ^ a))) + m[o + ((g + 10) & 15)]! + k[i + 2]!) | 0, 14)) | 0;
    b = (c + rot((b + (d ^ (a & (c ^ d))) + m[o + ((g + 15) & 15)]! + k[i + 3]!) | 0, 20)) | 0;
  }
  for (let i = 32; i < 48; i += 4) {
    const g = 3 * i + 5;
    a = (b + rot((a + (b ^ c ^ d) + m[o + (g & 15)]! + k[i]!) | 0, 4)) | 0;
    d = (a + rot((d + (a ^ b ^ c) + m[o + ((g + 3) & 15)]! + k[i + 1]!) | 0, 11)) | 0;
    c = (d + rot((c + (d ^ a ^ b) + m[o + ((g + 6) & 15)]! + k[i + 2]!) | 0, 16)) | 0;
    b = (c + rot((b + (c ^ d ^ a) + m[o + ((g + 9) & 15)]! + k[i + 3]!) | 0, 23)) | 0;
  }
  for (let i = 48; i < 64; i += 4) {
    const g = 7 * i;
    a = (b + rot((a + (c ^ (b | ~d)) + m[o + (g & 15)]! + k[i]!) | 0, 6)) | 0;
    d = (a + rot((d + (b ^ (a | ~c)) + m[o + ((g + 7) & 15)]! + k[i + 1]!) | 0, 10)) | 0;
    c = (d + rot((c + (a ^ (d | ~b)) + m[o + ((g + 14) & 15)]! + k[i + 2]!) | 0, 15)) | 0;
    b = (c + rot((b + (d ^ (c | ~a)) + m[o + ((g + 21) & 15)]! + k[i + 3]!) | 0, 21)) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}

function md5Hex(len: number, to: Uint8Array, at: number): void {
  input[len] = 0x80;
  const blocks = ((len + 8) >> 6) + 1;
  for (let i = len + 1; i < blocks * 64; i++) input[i] = 0;
  words[blocks * 16 - 2] = len * 8;
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  for (let i = 0; i < blocks; i++) block(i * 16);
  let p = at;
  for (let w = 0; w < 4; w++) {
    let v = state[w]!;
    for (let i = 0; i < 4; i++) {
      to[p++] = HEX[(v >>> 4) & 15]!;
      to[p++] = HEX[v & 15]!;
      v >>>= 8;
    }
  }
}

function nativeHex(name: string, bytes: Uint8Array, to: Uint8Array, at: number): void {
  // A latin1 string: half as many characters to carry over as hex, and cheaper to get than a Buffer.
  const digest = hash(name, bytes, 'binary');
  let p = at;
  for (let i = 0; i < digest.length; i++) {
    const v = digest.charCodeAt(i);
    to[p++] = HEX[v >>> 4]!;
    to[p++] = HEX[v & 15]!;
  }
}

/** Hex digits of the hash of input[0, len); the position after them. */
function finish(algorithm: Algorithm, len: number, to: Uint8Array, at: number): number {
  assert(len <= INPUT_MAX, `a digest of more than ${INPUT_MAX} bytes`);
  if (algorithm >= ALGORITHM.SHA_256) nativeHex('sha256', input.subarray(0, len), to, at);
  else if (littleEndian) md5Hex(len, to, at);
  else nativeHex('md5', input.subarray(0, len), to, at);
  return at + hexLength(algorithm);
}

/** Hash of bytes[off, off+len) as lower-case hex. */
export function writeHash(
  algorithm: Algorithm,
  bytes: Uint8Array,
  off: number,
  len: number,
  to: Uint8Array,
  at: number,
): number {
  return finish(algorithm, writeRange(input, 0, bytes, off, len), to, at);
}

/** H(username ":" realm ":" password), for the algorithm without -sess (RFC 7616 3.4.2). */
export function ha1Of(algorithm: Algorithm, user: Uint8Array, realm: Uint8Array, password: Uint8Array): Uint8Array {
  let p = writeBytes(input, 0, user);
  input[p++] = COLON;
  p = writeBytes(input, p, realm);
  input[p++] = COLON;
  p = writeBytes(input, p, password);
  const ha1 = new Uint8Array(hexLength(algorithm));
  finish(algorithm, p, ha1, 0);
  return ha1;
}

/** What a response is computed from, besides HA1. */
export interface DigestInput {
  algorithm: Algorithm;
  qop: Qop;
  /** Method of the request, as on the wire. */
  method: Uint8Array;
  uri: Span;
  /** Values without their quotes and escapes. */
  nonce: Span;
  cnonce: Span;
  nc: number;
  /** Only auth-int looks at it. */
  body: Span;
}

export function newInput(): DigestInput {
  const method = new Uint8Array(0);
  const [uri, nonce, cnonce, body] = [span(), span(), span(), span()];
  return { algorithm: ALGORITHM.MD5, qop: QOP.NONE, method, uri, nonce, cnonce, nc: 0, body };
}

/** What a challenge is answered with. */
export interface DigestSecret {
  readonly name: Uint8Array;
  ha1(algorithm: Algorithm, realm: Uint8Array): Uint8Array;
}

/** A name and its secret. HA1 is computed when the realm is first met, and kept. */
export class DigestUser implements DigestSecret {
  #ha1: Uint8Array | null = null;
  #realm: Uint8Array | null = null;
  constructor(
    readonly name: Uint8Array,
    readonly password: Uint8Array,
  ) {}

  ha1(algorithm: Algorithm, realm: Uint8Array): Uint8Array {
    const kept = this.#ha1;
    if (kept !== null && kept.length === hexLength(algorithm)) {
      if (this.#realm === realm || equal(this.#realm!, realm)) return kept;
    }
    this.#realm = realm;
    this.#ha1 = ha1Of(plain(algorithm), this.name, realm, this.password);
    return this.#ha1;
  }
}

const session = new Uint8Array(64);
const bodyHash = new Uint8Array(64);

/** HA2 by method and URI: a fleet registers at a few hundred URIs, thousands of times each. Direct mapped. */
const CACHE_SIZE = 8192;
interface Ha2Entry {
  algorithm: Algorithm;
  method: Uint8Array;
  uri: Uint8Array;
  hex: Uint8Array;
}
const cache = new Array<Ha2Entry | undefined>(CACHE_SIZE);

/** H(method ":" uri), or H(method ":" uri ":" H(body)) for auth-int (RFC 7616 3.4.3). */
function ha2Of(q: DigestInput): Uint8Array {
  const { uri, method } = q;
  const algorithm = plain(q.algorithm);
  if (q.qop === QOP.AUTH_INT) {
    const hex = hexLength(algorithm);
    writeHash(algorithm, q.body.bytes, q.body.off, q.body.len, bodyHash, 0);
    let p = writeMethodUri(method, uri);
    input[p++] = COLON;
    finish(algorithm, writeRange(input, p, bodyHash, 0, hex), bodyHash, 0);
    return bodyHash;
  }
  let key = algorithm + method[0]! * 31;
  for (let i = uri.off, end = uri.off + uri.len; i < end; i++) key = (Math.imul(key, 31) + uri.bytes[i]!) | 0;
  key = (key ^ (key >>> 15)) & (CACHE_SIZE - 1);
  const known = cache[key];
  if (known !== undefined && known.algorithm === algorithm && same(known.uri, uri) && equal(known.method, method)) {
    return known.hex;
  }
  const hex = new Uint8Array(hexLength(algorithm));
  finish(algorithm, writeMethodUri(method, uri), hex, 0);
  cache[key] = {
    algorithm,
    method: copyOf({ bytes: method, off: 0, len: method.length }),
    uri: copyOf(uri),
    hex,
  };
  return hex;
}

function writeMethodUri(method: Uint8Array, uri: Span): number {
  const p = writeBytes(input, 0, method);
  input[p] = COLON;
  return writeRange(input, p + 1, uri.bytes, uri.off, uri.len);
}

/**
 * The response as hex, KD(HA1, nonce ":" nc ":" cnonce ":" qop ":" HA2) (RFC 7616 3.4.1), or KD(HA1, nonce ":" HA2) when
 * the challenge had no qop (RFC 3261 22.4). `ha1` is that of the algorithm without -sess.
 */
export function writeResponse(q: DigestInput, ha1: Uint8Array, to: Uint8Array, at: number): number {
  const { algorithm, qop, nonce, cnonce } = q;
  const hex = hexLength(algorithm);
  const ha2 = ha2Of(q);
  let p = writeRange(input, 0, ha1, 0, hex);
  if (isSession(algorithm)) {
    // H( H(user:realm:password) ":" nonce ":" cnonce ) (RFC 7616 3.4.2).
    input[p++] = COLON;
    p = writeRange(input, p, nonce.bytes, nonce.off, nonce.len);
    input[p++] = COLON;
    finish(algorithm, writeRange(input, p, cnonce.bytes, cnonce.off, cnonce.len), session, 0);
    p = writeRange(input, 0, session, 0, hex);
  }
  input[p++] = COLON;
  p = writeRange(input, p, nonce.bytes, nonce.off, nonce.len);
  input[p++] = COLON;
  if (qop !== QOP.NONE) {
    p = writeHex(input, p, q.nc, 8);
    input[p++] = COLON;
    p = writeRange(input, p, cnonce.bytes, cnonce.off, cnonce.len);
    input[p++] = COLON;
    p = writeBytes(input, p, QOP_BYTES[qop]!);
    input[p++] = COLON;
  }
  return finish(algorithm, writeRange(input, p, ha2, 0, hex), to, at);
}

/** Exact, whatever the length of the common part. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function same(a: Uint8Array, b: Span): boolean {
  if (a.length !== b.len) return false;
  for (let i = 0; i < b.len; i++) if (a[i] !== b.bytes[b.off + i]) return false;
  return true;
}
