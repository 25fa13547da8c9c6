import { bucketOf, HISTOGRAM_BUCKETS } from './counters.js';

/**
 * How the control plane speaks to a worker whose thread never returns to its event loop: a few words of shared memory.
 * Int32: command, state. Float64: t0 (microseconds, monotonic), set before GO.
 */
export const COMMAND = { WAIT: 0, GO: 1, HANG_UP: 2, STOP: 3 } as const;
export const STATE = { LOADING: 0, LOADED: 1, READY: 2, IDLE: 3, STOPPED: 4 } as const;

const BYTES = 32 + HISTOGRAM_BUCKETS * 8;

export class Control {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  /** Time spent in turns of a length: microseconds by bucketOf(turn), waiting in bucket 0. So its p99 says what 1 % of the run was worse than. */
  readonly turns: Float64Array;
  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.#words = new Int32Array(shared, 0, 2);
    this.#doubles = new Float64Array(shared, 8, 3);
    this.turns = new Float64Array(shared, 32, HISTOGRAM_BUCKETS);
  }
  get command(): number {
    return Atomics.load(this.#words, 0);
  }
  set command(value: number) {
    Atomics.store(this.#words, 0, value);
    Atomics.notify(this.#words, 0);
  }
  /** Blocks the thread until there is a command. */
  awaitCommand(): void {
    Atomics.wait(this.#words, 0, COMMAND.WAIT);
  }
  get state(): number {
    return Atomics.load(this.#words, 1);
  }
  set state(value: number) {
    Atomics.store(this.#words, 1, value);
  }
  get t0Us(): number {
    return this.#doubles[0]!;
  }
  set t0Us(value: number) {
    this.#doubles[0] = value;
  }
  /** For what the loop measured of itself. */
  get busyUs(): number {
    return this.#doubles[1]!;
  }
  get idleUs(): number {
    return this.#doubles[2]!;
  }
  setTimes(busyUs: number, idleUs: number): void {
    const turnUs = busyUs - this.#doubles[1]!;
    if (turnUs > 0) this.turns[bucketOf(turnUs)]! += turnUs;
    this.turns[0]! += Math.max(0, idleUs - this.#doubles[2]!);
    this.#doubles[1] = busyUs;
    this.#doubles[2] = idleUs;
  }
}

/** Rows of numbers from a worker to the collector: a ring of snapshots, the oldest kept when it is full. */
export class SnapshotRing {
  readonly #words: Int32Array;
  readonly #rows: Float64Array;
  static bytes(width: number, capacity: number): number {
    return 16 + (width + 1) * capacity * 8;
  }
  constructor(
    shared: SharedArrayBuffer,
    private readonly width: number,
    private readonly capacity: number,
  ) {
    this.#words = new Int32Array(shared, 0, 4);
    this.#rows = new Float64Array(shared, 16, (width + 1) * capacity);
  }
  get lost(): number {
    return this.#words[2]!;
  }
  push(tMs: number, read: (column: number) => number): void {
    const tail = this.#words[1]!;
    if (tail - Atomics.load(this.#words, 0) >= this.capacity) {
      this.#words[2]!++;
      return;
    }
    let at = (tail % this.capacity) * (this.width + 1);
    this.#rows[at++] = tMs;
    for (let c = 0; c < this.width; c++) this.#rows[at + c] = read(c);
    Atomics.store(this.#words, 1, tail + 1);
  }
  drain(take: (tMs: number, values: Float64Array) => void): void {
    for (;;) {
      const head = this.#words[0]!;
      if (head === Atomics.load(this.#words, 1)) return;
      const at = (head % this.capacity) * (this.width + 1);
      take(this.#rows[at]!, this.#rows.subarray(at + 1, at + 1 + this.width));
      Atomics.store(this.#words, 0, head + 1);
    }
  }
}
