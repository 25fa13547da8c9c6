import { DATAGRAM_MAX } from '../wire/types.js';

/**
 * Messages kept for retransmission, in fixed slots; grows by chunks up to a named limit. A slot is held only while
 * RFC 3261 wants the message back: an established call holds none.
 */
const CHUNK_BITS = 8;
const CHUNK_SLOTS = 1 << CHUNK_BITS;

export class MessageSlab {
  readonly #chunks: Uint8Array[] = [];
  readonly #lengths: Int32Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  constructor(readonly limit: number) {
    this.#lengths = new Int32Array(limit);
    this.#free = new Int32Array(limit);
  }

  /** Slots that hold a message now. */
  get used(): number {
    return Math.min(this.limit, this.#chunks.length * CHUNK_SLOTS) - this.#freeCount;
  }

  /** A copy of bytes[off, off+len), or -1 at the limit. */
  keep(bytes: Uint8Array, off: number, len: number): number {
    if (len > DATAGRAM_MAX) return -1;
    if (this.#freeCount === 0 && !this.#grow()) return -1;
    const ref = this.#free[--this.#freeCount]!;
    this.put(ref, bytes, off, len);
    return ref;
  }

  put(ref: number, bytes: Uint8Array, off: number, len: number): void {
    this.chunk(ref).set(bytes.subarray(off, off + len), this.offset(ref));
    this.#lengths[ref] = len;
  }

  drop(ref: number): void {
    this.#free[this.#freeCount++] = ref;
  }

  chunk(ref: number): Uint8Array {
    return this.#chunks[ref >> CHUNK_BITS]!;
  }
  offset(ref: number): number {
    return (ref & (CHUNK_SLOTS - 1)) * DATAGRAM_MAX;
  }
  length(ref: number): number {
    return this.#lengths[ref]!;
  }

  #grow(): boolean {
    const first = this.#chunks.length * CHUNK_SLOTS;
    if (first >= this.limit) return false;
    this.#chunks.push(new Uint8Array(CHUNK_SLOTS * DATAGRAM_MAX));
    const last = Math.min(first + CHUNK_SLOTS, this.limit);
    for (let ref = last - 1; ref >= first; ref--) this.#free[this.#freeCount++] = ref;
    return true;
  }
}
