/**
 * Datagrams that wait for their instant: bytes in slots, and a binary heap by instant and order of arrival, so that two
 * of one instant leave as they came. Typed arrays, grown on demand to a limit.
 */

/** Longest datagram that is kept, as in agents/wire. */
export const SLOT_BYTES = 2048;
/** 32 MiB of slots; 80 ms of 200,000 packets a second. Beyond it a datagram is lost, and counted by the line. */
export const HELD_MAX = 16_384;
/** Numbers that the owner keeps with each: who sent it, where it goes. */
export const META = 4;

export class Held {
  size = 0;
  bytes = new Uint8Array(64 * SLOT_BYTES);
  length = new Int32Array(64);
  meta = new Float64Array(64 * META);
  #dueUs = new Float64Array(64);
  #order = new Float64Array(64);
  /** Slots, the next to leave first. */
  #heap = new Int32Array(64);
  #free: Int32Array = Int32Array.from({ length: 64 }, (_, i) => 63 - i);
  #freeCount = 64;
  #orders = 0;

  /** A slot to be filled in and put, or -1 when HELD_MAX are taken. */
  take(): number {
    if (this.#freeCount === 0 && !this.#grow()) return -1;
    return this.#free[--this.#freeCount]!;
  }

  put(slot: number, dueUs: number): void {
    this.#dueUs[slot] = dueUs;
    this.#order[slot] = this.#orders++;
    this.#heap[this.size] = slot;
    this.#up(this.size++);
  }

  /** Another instant for one that waits; it is then the last of that instant. */
  move(slot: number, dueUs: number): void {
    const at = this.#heap.indexOf(slot);
    this.#removeAt(at);
    this.put(slot, dueUs);
  }

  /** Instant of the first; Infinity when nothing waits. */
  get firstUs(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#dueUs[this.#heap[0]!]!;
  }

  dueUs(slot: number): number {
    return this.#dueUs[slot]!;
  }

  /** The slot of the first; give it back with release(). */
  shift(): number {
    const slot = this.#heap[0]!;
    this.#removeAt(0);
    return slot;
  }

  release(slot: number): void {
    this.#free[this.#freeCount++] = slot;
  }

  #removeAt(at: number): void {
    const last = this.#heap[--this.size]!;
    if (at === this.size) return;
    this.#heap[at] = last;
    this.#up(at);
    this.#down(at);
  }

  #before(a: number, b: number): boolean {
    const d = this.#dueUs[a]! - this.#dueUs[b]!;
    // Infinity - Infinity is NaN: then the order decides, too.
    return d < 0 || (!(d > 0) && this.#order[a]! < this.#order[b]!);
  }

  #up(from: number): void {
    const heap = this.#heap;
    const slot = heap[from]!;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(slot, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = slot;
  }

  #down(from: number): void {
    const heap = this.#heap;
    const slot = heap[from]!;
    let i = from;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, slot)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = slot;
  }

  #grow(): boolean {
    const old = this.length.length;
    if (old >= HELD_MAX) return false;
    const bytes = new Uint8Array(2 * old * SLOT_BYTES);
    bytes.set(this.bytes);
    this.bytes = bytes;
    const length = new Int32Array(2 * old);
    length.set(this.length);
    this.length = length;
    const heap = new Int32Array(2 * old);
    heap.set(this.#heap);
    this.#heap = heap;
    this.meta = doubled(this.meta);
    this.#dueUs = doubled(this.#dueUs);
    this.#order = doubled(this.#order);
    this.#free = new Int32Array(2 * old);
    for (let i = 0; i < old; i++) this.#free[i] = 2 * old - 1 - i;
    this.#freeCount = old;
    return true;
  }
}

function doubled(old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const array = new Float64Array(old.length * 2);
  array.set(old);
  return array;
}
