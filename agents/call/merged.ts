import type { SipMessage } from '../sip/parse.js';

const EMPTY = -1;

/**
 * INVITEs that have a call, so that one that comes by two ways is told from two calls (RFC 3261 8.2.2.2): same From tag,
 * Call-ID and CSeq, another branch. By two 32-bit hashes, as server transactions are found; open addressing, at most half
 * full.
 */
export class MergedRequests {
  readonly #a: Int32Array;
  readonly #b: Int32Array;
  readonly #in: Uint8Array;
  readonly #table: Int32Array;
  readonly #mask: number;
  #hashA = 0;
  #hashB = 0;

  constructor(capacity: number) {
    this.#a = new Int32Array(capacity);
    this.#b = new Int32Array(capacity);
    this.#in = new Uint8Array(capacity);
    let size = 16;
    while (size < capacity * 2) size *= 2;
    this.#table = new Int32Array(size).fill(EMPTY);
    this.#mask = size - 1;
  }

  has(msg: SipMessage): boolean {
    this.#hash(msg);
    for (let i = this.#hashA & this.#mask; ; i = (i + 1) & this.#mask) {
      const slot = this.#table[i]!;
      if (slot === EMPTY) return false;
      if (this.#a[slot] === this.#hashA && this.#b[slot] === this.#hashB) return true;
    }
  }

  /** The INVITE that has() was asked about last has this slot now. */
  add(slot: number): void {
    this.#a[slot] = this.#hashA;
    this.#b[slot] = this.#hashB;
    this.#in[slot] = 1;
    let i = this.#hashA & this.#mask;
    while (this.#table[i] !== EMPTY) i = (i + 1) & this.#mask;
    this.#table[i] = slot;
  }

  /** Moves later entries of the same run back (no tombstones). */
  remove(slot: number): void {
    if (this.#in[slot] === 0) return;
    this.#in[slot] = 0;
    const table = this.#table;
    const mask = this.#mask;
    let hole = this.#a[slot]! & mask;
    while (table[hole] !== slot) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; table[i] !== EMPTY; i = (i + 1) & mask) {
      const home = this.#a[table[i]!]! & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      table[hole] = table[i]!;
      hole = i;
    }
    table[hole] = EMPTY;
  }

  #hash(msg: SipMessage): void {
    const { bytes } = msg;
    let a = 0x811c9dc5 ^ msg.cseq;
    let b = 0x9e3779b9 ^ Math.imul(msg.cseq, 0x85ebca6b);
    for (let i = msg.callIdOff, end = i + msg.callIdLen; i < end; i++) {
      a = Math.imul(a ^ bytes[i]!, 0x01000193);
      b = Math.imul(b + bytes[i]!, 0x5bd1e995) ^ (b >>> 13);
    }
    for (let i = msg.fromTagOff, end = i + msg.fromTagLen; i < end; i++) {
      a = Math.imul(a ^ bytes[i]!, 0x01000193);
      b = Math.imul(b + bytes[i]!, 0x5bd1e995) ^ (b >>> 13);
    }
    a ^= a >>> 15;
    a = Math.imul(a, 0x2c1b3c6d);
    this.#hashA = a ^ (a >>> 12);
    this.#hashB = b | 0;
  }
}
