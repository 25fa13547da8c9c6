/** Walking over SIP text byte by byte: white space, line ends, quoted strings, addresses (RFC 3261 25.1). */
const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const SEMI = 59;
const LT = 60;
const GT = 62;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;

export function allDigits(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! < 48 || bytes[i]! > 57) return false;
  return true;
}

export function isSpace(c: number): boolean {
  return c <= SP && (c === SP || c === TAB || c === CR || c === LF);
}

/** Where the next CR or LF is, or `limit`. Most bytes cost one compare: what is above CR is text. */
export function endOfText(bytes: Uint8Array, from: number, limit: number): number {
  let p = from;
  for (; p < limit; p++) {
    const c = bytes[p]!;
    if (c <= CR && (c === CR || c === LF)) break;
  }
  return p;
}

/** Length of the line end at `at`: CRLF, or CR or LF alone. The next datagram's bytes may lie at `limit`. */
export function lineEnd(bytes: Uint8Array, at: number, limit: number): number {
  return bytes[at] === CR && at + 1 < limit && bytes[at + 1] === LF ? 2 : 1;
}

export function sameBytes(bytes: Uint8Array, a: number, aLen: number, b: number, bLen: number): boolean {
  if (aLen !== bLen) return false;
  for (let i = 0; i < aLen; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

/** "SIP/2.0" at `at`, the letters in any case (RFC 3261 7.1). */
export function isVersion(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= 7 &&
    (bytes[at]! | 32) === 115 &&
    (bytes[at + 1]! | 32) === 105 &&
    (bytes[at + 2]! | 32) === 112 &&
    bytes[at + 3] === 47 &&
    bytes[at + 4] === 50 &&
    bytes[at + 5] === 46 &&
    bytes[at + 6] === 48
  );
}

export function afterQuoted(bytes: Uint8Array, start: number, end: number): number {
  let p = start + 1;
  while (p < end && bytes[p] !== QUOTE) p += bytes[p] === BACKSLASH ? 2 : 1;
  return p < end ? p + 1 : end;
}

/** Position after the addr-spec or name-addr: where header parameters begin (RFC 3261 20: outside <> they are the header's). */
export function afterAddress(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  while (p < end && bytes[p] !== LT && bytes[p] !== SEMI) p = bytes[p] === QUOTE ? afterQuoted(bytes, p, end) : p + 1;
  if (p < end && bytes[p] === LT) while (p < end && bytes[p] !== GT) p++;
  return p;
}

/**
 * The URI of a Contact, Route or Record-Route value: [off, len] through `out` (2 numbers), the first value if several.
 * False when there is none.
 */
export function uriOf(bytes: Uint8Array, off: number, len: number, out: Int32Array): boolean {
  const end = off + len;
  let p = off;
  while (p < end && bytes[p] !== LT && bytes[p] !== COMMA && bytes[p] !== SEMI) {
    p = bytes[p] === QUOTE ? afterQuoted(bytes, p, end) : p + 1;
  }
  if (p < end && bytes[p] === LT) {
    const start = p + 1;
    while (p < end && bytes[p] !== GT) p++;
    if (p >= end) return false;
    out[0] = start;
    out[1] = p - start;
  } else {
    let stop = p;
    while (stop > off && isSpace(bytes[stop - 1]!)) stop--;
    out[0] = off;
    out[1] = stop - off;
  }
  return out[1]! > 0;
}
