/**
 * Cuts a byte stream into SIP messages (RFC 3261 18.3): up to the empty line, and then as many bytes as Content-Length
 * says. CRLFs between messages are keep-alives (RFC 5626 3.5.1).
 *
 * Where no Content-Length can be read, nobody can tell where the next message begins: what there is of this one is handed
 * over, so that it can be answered 400, and the stream is at its end.
 */
const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const COLON = 58;

/** Longest message that is taken from a stream: as long as a datagram can be. */
export const STREAM_MESSAGE_MAX = 65_535;
/** What a connection holds before it has seen a longer message. */
const ROOM = 2048;

export interface FrameSink {
  /** `bytes[off, off + len)` is valid only during the call. */
  onMessage(bytes: Uint8Array, off: number, len: number): void;
  /** A CRLF between messages. */
  onCrlf(): void;
  /** The stream is at its end: a message longer than STREAM_MESSAGE_MAX, or one without a usable Content-Length. */
  onBroken(why: 'too long' | 'no length'): void;
}

export class Framer {
  #held = new Uint8Array(0);
  #length = 0;
  /** Up to here the held message's head is known to have no end. */
  #seen = 0;
  #broken = false;

  constructor(private readonly sink: FrameSink) {}

  push(chunk: Uint8Array): void {
    if (this.#broken) return;
    let bytes = chunk;
    let end = chunk.length;
    if (this.#length > 0) {
      this.#hold(chunk, 0, chunk.length);
      bytes = this.#held;
      end = this.#length;
    }
    const left = this.#cut(bytes, end);
    if (this.#broken) return;
    if (bytes === this.#held) {
      this.#held.copyWithin(0, left, end);
      this.#length = end - left;
    } else if (left < end) this.#hold(bytes, left, end - left);
  }

  /** Nothing more is handed over. */
  stop(): void {
    this.#broken = true;
  }

  #hold(bytes: Uint8Array, off: number, len: number): void {
    const wanted = this.#length + len;
    if (this.#held.length < wanted) {
      let room = Math.max(ROOM, this.#held.length);
      while (room < wanted) room *= 2;
      const grown = new Uint8Array(room);
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(off === 0 && len === bytes.length ? bytes : bytes.subarray(off, off + len), this.#length);
    this.#length = wanted;
  }

  /** Hands over every whole message; returns where the rest begins. */
  #cut(bytes: Uint8Array, end: number): number {
    let p = 0;
    while (!this.#broken) {
      while (p + 1 < end && bytes[p] === CR && bytes[p + 1] === LF) {
        p += 2;
        this.sink.onCrlf();
        if (this.#broken) return end;
      }
      if (p === end || (p + 1 === end && bytes[p] === CR)) break;
      const head = headEnd(bytes, p + this.#seen, end);
      if (head < 0) {
        if (end - p > STREAM_MESSAGE_MAX) return this.#break('too long', end);
        // The end may be cut within its four bytes.
        this.#seen = Math.max(0, end - p - 3);
        return p;
      }
      const length = contentLength(bytes, p, head);
      if (length < 0) {
        this.sink.onMessage(bytes, p, head - p);
        return this.#break('no length', end);
      }
      const total = head - p + length;
      if (total > STREAM_MESSAGE_MAX) return this.#break('too long', end);
      if (p + total > end) {
        this.#seen = Math.max(0, head - p - 4);
        return p;
      }
      this.sink.onMessage(bytes, p, total);
      p += total;
      this.#seen = 0;
    }
    return p;
  }

  #break(why: 'too long' | 'no length', end: number): number {
    if (this.#broken) return end;
    this.#broken = true;
    this.sink.onBroken(why);
    return end;
  }
}

/** Behind the first empty line at or after `from`; -1 when there is none yet. A line may end in LF alone. */
function headEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (bytes[i] !== LF) continue;
    if (i + 1 < end && bytes[i + 1] === LF) return i + 2;
    if (i + 2 < end && bytes[i + 1] === CR && bytes[i + 2] === LF) return i + 3;
  }
  return -1;
}

/** Of the head [off, head): its first Content-Length, or l; -1 when there is none, or it is no number. */
function contentLength(bytes: Uint8Array, off: number, head: number): number {
  for (let line = off; line < head; ) {
    let eol = line;
    while (bytes[eol] !== LF) eol++;
    const value = afterName(bytes, line, eol);
    if (value >= 0) return number(bytes, value, head);
    line = eol + 1;
  }
  return -1;
}

const NAME = 'content-length';

/** Behind the colon of a line that is a Content-Length; -1 for any other. */
function afterName(bytes: Uint8Array, line: number, eol: number): number {
  const first = bytes[line]! | 32;
  let p = line;
  if (first === 99) {
    for (let i = 0; i < NAME.length; i++, p++) {
      const c = bytes[p]!;
      if ((c >= 65 && c <= 90 ? c | 32 : c) !== NAME.charCodeAt(i)) return -1;
    }
  } else if (first === 108) p++;
  else return -1;
  while (p < eol && (bytes[p] === SP || bytes[p] === TAB)) p++;
  return bytes[p] === COLON ? p + 1 : -1;
}

/** Digits after white space, which may be folded (RFC 3261 7.3.1), and nothing else on the line. */
function number(bytes: Uint8Array, off: number, head: number): number {
  let p = off;
  while (p < head && isGap(bytes, p)) p++;
  let n = -1;
  for (; p < head && bytes[p]! >= 48 && bytes[p]! <= 57; p++) {
    n = Math.min((n < 0 ? 0 : n * 10) + (bytes[p]! - 48), STREAM_MESSAGE_MAX + 1);
  }
  while (p < head && isGap(bytes, p)) p++;
  return p < head && (bytes[p] === CR || bytes[p] === LF) ? n : -1;
}

function isGap(bytes: Uint8Array, at: number): boolean {
  const c = bytes[at];
  if (c === SP || c === TAB) return true;
  if (c !== CR && c !== LF) return false;
  const next = c === CR && bytes[at + 1] === LF ? bytes[at + 2] : bytes[at + 1];
  return next === SP || next === TAB;
}
