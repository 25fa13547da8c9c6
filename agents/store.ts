import { assert } from '../harness/errors.js';
import { type Layout, LEG_LAYOUT, type Leg, type LegField } from './record.js';
import { type RecordLog, RecordReader } from './record-reader.js';
import { REGISTRATION_LAYOUT, type Registration, type RegistrationField } from './registration-record.js';

/**
 * The records of one worker, in shared memory: the worker takes a slot, writes the record in place while it lives, and
 * hands it over when it ends; the collector copies it out and gives the slot back. Two single-producer
 * single-consumer rings of slot numbers, each as long as there are slots, so neither can overflow.
 *
 *      worker                          collector
 *      take()  <---- free ring <----   drain() gives back
 *      done()  ----> done ring ---->   drain() copies
 */
const HEADER_WORDS = 16;
const FREE_HEAD = 0;
const FREE_TAIL = 1;
const DONE_HEAD = 2;
const DONE_TAIL = 3;

export const SLOT_FREE = 0;
export const SLOT_OPEN = 1;
export const SLOT_DONE = 2;

/** Every kind of record says when it began, and its outcome 0 is `open`. */
export interface Begun {
  startedMs: number;
  outcome: number;
}

/** A record that was read before its end; null when it had not begun. */
export function asOpen<R extends Begun>(record: R, done: boolean): R | null {
  if (done) return record;
  return Number.isNaN(record.startedMs) ? null : { ...record, outcome: 0 };
}

/** What the control plane needs of a store: the real one, or the mirror of one that lies in another process. */
export interface RecordSource<F extends string, R> {
  /** Hands over every finished record, as bytes; `seen` may look at each where it lies. */
  drainTo(log: RecordLog<F, R>, seen?: (bytes: Uint8Array, at: number) => void): number;
  /** Records that are still open: for after the last drain. */
  readOpen(take: (record: R) => void): number;
}

export class RecordStore<F extends string, R extends Begun> implements RecordSource<F, R> {
  readonly capacity: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly #words: Int32Array;
  readonly #states: Int32Array;
  readonly #free: Int32Array;
  readonly #done: Int32Array;
  readonly #base: number;

  readonly #bytes: number;
  /** A record as it begins. */
  readonly #blank: Uint8Array;
  readonly #reader: RecordReader<F, R>;

  static bytesFor(layout: Layout<string>, capacity: number): number {
    const { bytes } = layout;
    return Math.ceil(((HEADER_WORDS + 3 * capacity) * 4) / bytes) * bytes + capacity * bytes;
  }

  constructor(layout: Layout<F>, shared: SharedArrayBuffer, capacity: number) {
    assert(capacity > 0 && (capacity & (capacity - 1)) === 0, 'a store has room for a power of two');
    assert(shared.byteLength === RecordStore.bytesFor(layout, capacity), 'size of a store');
    this.#bytes = layout.bytes;
    this.#blank = new Uint8Array(layout.bytes);
    const blank = new Float64Array(this.#blank.buffer);
    for (const time of layout.times) blank[layout.offsets[time] >> 3] = Number.NaN;
    this.capacity = capacity;
    this.#words = new Int32Array(shared, 0, HEADER_WORDS);
    this.#states = new Int32Array(shared, HEADER_WORDS * 4, capacity);
    this.#free = new Int32Array(shared, (HEADER_WORDS + capacity) * 4, capacity);
    this.#done = new Int32Array(shared, (HEADER_WORDS + 2 * capacity) * 4, capacity);
    this.#base = shared.byteLength - capacity * this.#bytes;
    this.u8 = new Uint8Array(shared);
    this.u16 = new Uint16Array(shared);
    this.u32 = new Uint32Array(shared);
    this.f64 = new Float64Array(shared);
    this.#reader = new RecordReader(layout, shared);
  }

  /** A zeroed slot, times NaN, outcome open; -1 when all are in use. Worker side. */
  take(): number {
    const head = this.#words[FREE_HEAD]!;
    if (head === Atomics.load(this.#words, FREE_TAIL)) return -1;
    const slot = this.#free[this.#mod(head)]!;
    Atomics.store(this.#words, FREE_HEAD, (head + 1) | 0);
    this.u8.set(this.#blank, this.at(slot));
    Atomics.store(this.#states, slot, SLOT_OPEN);
    return slot;
  }

  /** It is over. Worker side. */
  done(slot: number): void {
    Atomics.store(this.#states, slot, SLOT_DONE);
    const tail = this.#words[DONE_TAIL]!;
    this.#done[this.#mod(tail)] = slot;
    Atomics.store(this.#words, DONE_TAIL, (tail + 1) | 0);
  }

  /** Hands every finished record to `take`, then frees its slot. Collector side; returns how many. */
  drain(take: (record: R) => void): number {
    return this.#drain((slot) => take(this.read(slot)));
  }

  drainTo(log: RecordLog<F, R>, seen?: (bytes: Uint8Array, at: number) => void): number {
    return this.#drain((slot) => {
      seen?.(this.u8, this.at(slot));
      log.append(this.u8, this.at(slot));
    });
  }

  /** The same, each record only lent. */
  drainBytes(take: (bytes: Uint8Array) => void): number {
    return this.#drain((slot) => take(this.#bytesOf(slot)));
  }

  #drain(take: (slot: number) => void): number {
    let count = 0;
    for (;;) {
      const head = this.#words[DONE_HEAD]!;
      if (head === Atomics.load(this.#words, DONE_TAIL)) return count;
      const slot = this.#done[this.#mod(head)]!;
      take(slot);
      Atomics.store(this.#words, DONE_HEAD, (head + 1) | 0);
      Atomics.store(this.#states, slot, SLOT_FREE);
      const tail = this.#words[FREE_TAIL]!;
      this.#free[this.#mod(tail)] = slot;
      Atomics.store(this.#words, FREE_TAIL, (tail + 1) | 0);
      count++;
    }
  }

  /**
   * Records that are still open: read when the worker has stopped or died, after the last drain(). One that was over when its
   * worker was killed before it could hand it over is among them, as it ended; one that had not begun is not.
   */
  readOpen(take: (record: R) => void): number {
    return this.#open((slot, done) => {
      const record = asOpen(this.read(slot), done);
      if (record !== null) take(record);
      return record !== null;
    });
  }

  /** The same as bytes that are only lent, begun or not, and whether each was over. */
  openBytes(take: (bytes: Uint8Array, done: boolean) => void): number {
    return this.#open((slot, done) => {
      take(this.#bytesOf(slot), done);
      return true;
    });
  }

  #open(take: (slot: number, done: boolean) => boolean): number {
    let count = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const state = Atomics.load(this.#states, slot);
      if (state !== SLOT_FREE && take(slot, state === SLOT_DONE)) count++;
    }
    return count;
  }

  #bytesOf(slot: number): Uint8Array {
    const start = this.at(slot);
    return this.u8.subarray(start, start + this.#bytes);
  }

  /** Byte offset of a slot in the views. */
  at(slot: number): number {
    return this.#base + slot * this.#bytes;
  }

  setF64(slot: number, offset: number, value: number): void {
    this.f64[(this.at(slot) + offset) >> 3] = value;
  }
  setU32(slot: number, offset: number, value: number): void {
    this.u32[(this.at(slot) + offset) >> 2] = value;
  }
  setU16(slot: number, offset: number, value: number): void {
    this.u16[(this.at(slot) + offset) >> 1] = value > 65535 ? 65535 : value;
  }
  setU8(slot: number, offset: number, value: number): void {
    this.u8[this.at(slot) + offset] = value;
  }
  getF64(slot: number, offset: number): number {
    return this.f64[(this.at(slot) + offset) >> 3]!;
  }
  getU16(slot: number, offset: number): number {
    return this.u16[(this.at(slot) + offset) >> 1]!;
  }
  /** Adds one, and stops at 65,535. */
  incU16(slot: number, offset: number): void {
    const i = (this.at(slot) + offset) >> 1;
    if (this.u16[i]! < 65535) this.u16[i]!++;
  }
  /** Adds one, and stops at 255. */
  incU8(slot: number, offset: number): void {
    const i = this.at(slot) + offset;
    if (this.u8[i]! < 255) this.u8[i]!++;
  }
  /** Copies up to `max` bytes; the rest of the field stays zero. */
  setText(slot: number, offset: number, max: number, bytes: Uint8Array, from: number, length: number): void {
    const to = this.at(slot) + offset;
    const n = length < max ? length : max;
    for (let i = 0; i < n; i++) this.u8[to + i] = bytes[from + i]!;
  }

  read(slot: number): R {
    return this.#reader.read(this.at(slot));
  }

  /** Of a new store. */
  protected freeAll(): void {
    for (let i = 0; i < this.capacity; i++) this.#free[i] = i;
    this.#words[FREE_TAIL] = this.capacity;
  }

  #mod(n: number): number {
    return n & (this.capacity - 1);
  }
}

export class LegStore extends RecordStore<LegField, Leg> {
  constructor(shared: SharedArrayBuffer, capacity: number) {
    super(LEG_LAYOUT, shared, capacity);
  }

  static create(capacity: number): { shared: SharedArrayBuffer; store: LegStore } {
    const shared = new SharedArrayBuffer(RecordStore.bytesFor(LEG_LAYOUT, capacity));
    const store = new LegStore(shared, capacity);
    store.freeAll();
    return { shared, store };
  }
}

export class RegistrationStore extends RecordStore<RegistrationField, Registration> {
  constructor(shared: SharedArrayBuffer, capacity: number) {
    super(REGISTRATION_LAYOUT, shared, capacity);
  }

  static create(capacity: number): { shared: SharedArrayBuffer; store: RegistrationStore } {
    const shared = new SharedArrayBuffer(RecordStore.bytesFor(REGISTRATION_LAYOUT, capacity));
    const store = new RegistrationStore(shared, capacity);
    store.freeAll();
    return { shared, store };
  }
}
