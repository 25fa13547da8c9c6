/**
 * Datagrams under way in the memory world: a calendar of ticks of 100 us, each a first-in first-out list. All of it is
 * typed arrays: a datagram is an index. Bytes lie in slots of DATAGRAM_MAX, of which only the used part is ever touched;
 * the slot freed last is taken first, while it is still in the cache.
 */
import { assert } from '../../harness/errors.js';
import { DATAGRAM_MAX } from './types.js';

export const TICK_US = 100;
/** Ticks of the calendar: the longest delay is one less (1.6 s). */
const WHEEL = 16_384;
export const DELAY_MAX_US = (WHEEL - 2) * TICK_US;
/** Datagrams under way at most: 128 MiB. Beyond that a send is refused, and counted, like a full socket buffer. */
export const IN_FLIGHT_MAX = 65_536;
const FIRST_CAPACITY = 1024;
const NONE = -1;

export class PacketWheel {
  /** Of datagram i: bytes at i * DATAGRAM_MAX, and where it goes. Replaced when the wheel grows. */
  bytes = new Uint8Array(FIRST_CAPACITY * DATAGRAM_MAX);
  words = new Int32Array(this.bytes.buffer);
  length = new Int32Array(FIRST_CAPACITY);
  /** Indexes of the sending and the receiving endpoint. */
  src = new Int32Array(FIRST_CAPACITY);
  dst = new Int32Array(FIRST_CAPACITY);
  #next = new Int32Array(FIRST_CAPACITY);
  readonly #head = new Int32Array(WHEEL).fill(NONE);
  readonly #tail = new Int32Array(WHEEL).fill(NONE);
  #free = NONE;
  #capacity = 0;
  /** No datagram is due before this tick. */
  #cursor = 0;
  inFlight = 0;

  constructor() {
    this.#adopt(FIRST_CAPACITY);
  }

  /** A datagram to be filled in and put on the calendar, or -1 when IN_FLIGHT_MAX are under way. */
  take(): number {
    if (this.#free === NONE && !this.#grow()) return NONE;
    const i = this.#free;
    this.#free = this.#next[i]!;
    this.inFlight++;
    return i;
  }

  /** At once after take(), and never for a tick that is past or under delivery. */
  put(i: number, tick: number): void {
    const at = tick & (WHEEL - 1);
    this.#next[i] = NONE;
    const tail = this.#tail[at]!;
    if (tail === NONE) this.#head[at] = i;
    else this.#next[tail] = i;
    this.#tail[at] = i;
    if (tick < this.#cursor || this.inFlight === 1) this.#cursor = tick;
  }

  /** The first tick not after `limit` that has datagrams, or -1. */
  firstTick(limit: number): number {
    if (this.inFlight === 0) {
      this.#cursor = limit + 1;
      return NONE;
    }
    while (this.#cursor <= limit) {
      if (this.#head[this.#cursor & (WHEEL - 1)] !== NONE) return this.#cursor;
      this.#cursor++;
    }
    return NONE;
  }

  /** Takes the oldest datagram of a tick off the calendar; -1 when there is none. Give it back with release(). */
  shift(tick: number): number {
    const at = tick & (WHEEL - 1);
    const i = this.#head[at]!;
    if (i === NONE) return NONE;
    this.#head[at] = this.#next[i]!;
    if (this.#head[at] === NONE) this.#tail[at] = NONE;
    return i;
  }

  release(i: number): void {
    this.#next[i] = this.#free;
    this.#free = i;
    this.inFlight--;
  }

  #grow(): boolean {
    if (this.#capacity >= IN_FLIGHT_MAX) return false;
    const capacity = this.#capacity * 2;
    const bytes = new Uint8Array(capacity * DATAGRAM_MAX);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer);
    this.length = grown(this.length, capacity);
    this.src = grown(this.src, capacity);
    this.dst = grown(this.dst, capacity);
    this.#next = grown(this.#next, capacity);
    this.#adopt(capacity);
    return true;
  }

  #adopt(capacity: number): void {
    assert(this.#free === NONE, 'the wheel grows only when it is used up');
    for (let i = capacity - 1; i >= this.#capacity; i--) {
      this.#next[i] = this.#free;
      this.#free = i;
    }
    this.#capacity = capacity;
  }
}

function grown(old: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(capacity);
  array.set(old);
  return array;
}
