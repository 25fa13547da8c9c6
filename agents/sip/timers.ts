import { assert } from '../../harness/errors.js';

/**
 * Hashed timing wheel over typed arrays: set and clear are O(1), nothing is allocated. A timer is a number the owner
 * chose (transaction index x 2 + kind), so there is at most one deadline per number. Resolution 1 ms; a deadline
 * further away than the wheel is long (4.096 s) is met again on each turn, 8 times for a 32 s timer B.
 */
const SLOTS = 4096;
const TICK_US = 1000;
const NONE = -1;

export class TimerWheel {
  readonly #dueTick: Float64Array;
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  #tick: number;
  #armed = 0;

  constructor(capacity: number, nowUs: number) {
    this.#dueTick = new Float64Array(capacity).fill(NONE);
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#prev = new Int32Array(capacity).fill(NONE);
    this.#tick = Math.floor(nowUs / TICK_US);
  }

  get armed(): number {
    return this.#armed;
  }

  /** (Re)arms timer `id`; never fires before `dueUs`. */
  set(id: number, dueUs: number): void {
    if (this.#dueTick[id] !== NONE) this.clear(id);
    let tick = Math.ceil(dueUs / TICK_US);
    if (tick <= this.#tick) tick = this.#tick + 1;
    this.#dueTick[id] = tick;
    const slot = tick & (SLOTS - 1);
    const head = this.#heads[slot]!;
    this.#next[id] = head;
    this.#prev[id] = NONE;
    if (head !== NONE) this.#prev[head] = id;
    this.#heads[slot] = id;
    this.#armed++;
  }

  clear(id: number): void {
    const due = this.#dueTick[id]!;
    if (due === NONE) return;
    const next = this.#next[id]!;
    const prev = this.#prev[id]!;
    if (next !== NONE) this.#prev[next] = prev;
    if (prev !== NONE) this.#next[prev] = next;
    else this.#heads[due & (SLOTS - 1)] = next;
    this.#dueTick[id] = NONE;
    this.#armed--;
  }

  isSet(id: number): boolean {
    return this.#dueTick[id] !== NONE;
  }

  /** Fires every timer due by nowUs, in order of ticks. `fire` may set and clear timers, its own too. */
  advance(nowUs: number, fire: (id: number) => void): void {
    const now = Math.floor(nowUs / TICK_US);
    if (this.#armed === 0) {
      if (now > this.#tick) this.#tick = now;
      return;
    }
    // After a long stall one turn of the wheel visits every slot once: enough.
    if (now - this.#tick > SLOTS) this.#tick = now - SLOTS;
    while (this.#tick < now) {
      this.#tick++;
      const slot = this.#tick & (SLOTS - 1);
      let id = this.#heads[slot]!;
      while (id !== NONE) {
        if (this.#dueTick[id]! <= now) {
          this.clear(id);
          fire(id);
          // `fire` may have changed this list in any way: start it again (fired timers are gone from it).
          id = this.#heads[slot]!;
        } else id = this.#next[id]!;
      }
    }
  }

  /** When advance() should next be called, us: exact if within 64 ms, else 64 ms from now. */
  nextUs(): number {
    if (this.#armed === 0) return Number.POSITIVE_INFINITY;
    for (let ahead = 1; ahead <= 64; ahead++) {
      const tick = this.#tick + ahead;
      for (let id = this.#heads[tick & (SLOTS - 1)]!; id !== NONE; id = this.#next[id]!) {
        if (this.#dueTick[id]! <= tick) return tick * TICK_US;
      }
    }
    return (this.#tick + 64) * TICK_US;
  }
}

/** Numbers 0..capacity-1, handed out and taken back; last freed goes out last, so that late packets find it idle. */
export class IndexPool {
  readonly #ring: Int32Array;
  #head = 0;
  #free: number;
  constructor(readonly capacity: number) {
    this.#ring = Int32Array.from({ length: capacity }, (_, i) => i);
    this.#free = capacity;
  }
  get used(): number {
    return this.capacity - this.#free;
  }
  /** -1 when none is left. */
  take(): number {
    if (this.#free === 0) return -1;
    const index = this.#ring[this.#head]!;
    this.#head = this.#head + 1 === this.capacity ? 0 : this.#head + 1;
    this.#free--;
    return index;
  }
  give(index: number): void {
    assert(this.#free < this.capacity, 'index given back once');
    let tail = this.#head + this.#free;
    if (tail >= this.capacity) tail -= this.capacity;
    this.#ring[tail] = index;
    this.#free++;
  }
}
