/** Writing SIP text into a byte buffer without strings. Every function returns the position after what it wrote. */
import { hasIp6, ip6Ascii, isIp6, readIp6 } from '../wire/ip6.js';

/** A plain array, no Buffer: where the same code reads both, V8 makes it slower for all. */
export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function writeBytes(to: Uint8Array, at: number, bytes: Uint8Array): number {
  const n = bytes.length;
  // TypedArray.set costs ~60 ns whatever its size; a plain loop wins below ~40 bytes.
  // At the end of the buffer the loop drops what has no room, as every other writer here does; set() would throw.
  if (n > 40 && at + n <= to.length) to.set(bytes, at);
  else for (let i = 0; i < n; i++) to[at + i] = bytes[i]!;
  return at + n;
}

export function writeRange(to: Uint8Array, at: number, from: Uint8Array, off: number, len: number): number {
  for (let i = 0; i < len; i++) to[at + i] = from[off + i]!;
  return at + len;
}

export function writeUint(to: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let v = value; v >= 10; v = Math.floor(v / 10)) digits++;
  let v = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const q = Math.floor(v / 10);
    to[i] = 48 + (v - q * 10);
    v = q;
  }
  return at + digits;
}

export function digitsOf(value: number): number {
  let digits = 1;
  for (let v = value; v >= 10; v = Math.floor(v / 10)) digits++;
  return digits;
}

/** Fixed width, leading zeros. */
export function writePadded(to: Uint8Array, at: number, value: number, width: number): number {
  let v = value;
  for (let i = at + width - 1; i >= at; i--) {
    const q = Math.floor(v / 10);
    to[i] = 48 + (v - q * 10);
    v = q;
  }
  return at + width;
}

const HEX = ascii('0123456789abcdef');

export function writeHex(to: Uint8Array, at: number, value: number, width: number): number {
  let v = value;
  for (let i = at + width - 1; i >= at; i--) {
    to[i] = HEX[v & 15]!;
    v >>>= 4;
  }
  return at + width;
}

/** -1 when it is not `width` hex digits (lower case). */
export function readHex(bytes: Uint8Array, at: number, width: number): number {
  let v = 0;
  for (let i = 0; i < width; i++) {
    const c = bytes[at + i]!;
    if (c >= 48 && c <= 57) v = v * 16 + (c - 48);
    else if (c >= 97 && c <= 102) v = v * 16 + (c - 87);
    else return -1;
  }
  return v;
}

/** An IPv6 address without brackets: as in SDP (RFC 4566 9) and `received` (RFC 3261 25.1). */
export function writeIp(to: Uint8Array, at: number, ip: number): number {
  if (isIp6(ip)) return writeBytes(to, at, ip6Ascii(ip));
  let p = writeUint(to, at, ip >>> 24);
  to[p++] = 46;
  p = writeUint(to, p, (ip >>> 16) & 255);
  to[p++] = 46;
  p = writeUint(to, p, (ip >>> 8) & 255);
  to[p++] = 46;
  return writeUint(to, p, ip & 255);
}

/**
 * The address at [off, off+len): a dotted quad or, where this process has IPv6, an address of that, in brackets or not;
 * -1 when it is neither.
 */
export function readIp(bytes: Uint8Array, off: number, len: number): number {
  const ip = readQuad(bytes, off, len);
  return ip < 0 && hasIp6() ? readIp6(bytes, off, len) : ip;
}

function readQuad(bytes: Uint8Array, off: number, len: number): number {
  let ip = 0;
  let octet = -1;
  let dots = 0;
  for (let i = off; i < off + len; i++) {
    const c = bytes[i]!;
    if (c === 46) {
      if (octet < 0 || ++dots > 3) return -1;
      ip = ip * 256 + octet;
      octet = -1;
    } else if (c >= 48 && c <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + (c - 48);
      if (octet > 255) return -1;
    } else return -1;
  }
  return dots === 3 && octet >= 0 ? ip * 256 + octet : -1;
}

/** Digits at [off, end) until something else; -1 when there is none or it passes 2^32. */
export function readUint(bytes: Uint8Array, off: number, end: number): number {
  let v = -1;
  for (let i = off; i < end; i++) {
    const c = bytes[i]!;
    if (c < 48 || c > 57) break;
    v = (v < 0 ? 0 : v * 10) + (c - 48);
    if (v > 0xffffffff) return -1;
  }
  return v;
}

/** ASCII without case; `lower` must be lower case. */
export function equalsIgnoreCase(bytes: Uint8Array, off: number, len: number, lower: Uint8Array): boolean {
  if (len !== lower.length) return false;
  for (let i = 0; i < len; i++) {
    let c = bytes[off + i]!;
    if (c >= 65 && c <= 90) c |= 32;
    if (c !== lower[i]) return false;
  }
  return true;
}

export function equalsBytes(bytes: Uint8Array, off: number, len: number, other: Uint8Array): boolean {
  if (len !== other.length) return false;
  for (let i = 0; i < len; i++) if (bytes[off + i] !== other[i]) return false;
  return true;
}

export function latin1(bytes: Uint8Array, off: number, len: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + off, len).toString('latin1');
}
