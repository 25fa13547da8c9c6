import { assert } from '../../harness/errors.js';

/**
 * Hashed timing wheel over typed arrays: set and clear are O(1), nothing is allocated. A timer is a number the owner
 * chose (transaction index x 2 + kind), so there is at most one deadline per number. Resolution 1 ms. The wheel is 4.096 s
 * long; a later deadline waits in a second wheel, by turns of the first, and comes over when its turn begins. So the
 * refresh of a registered phone, minutes away, is not met again and again.
 */
const SLOTS = 4096;
const TICK_US = 1000;
const NONE = -1;

export class TimerWheel {
  readonly #dueTick: Float64Array;
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  /** 1: it waits in the second wheel. */
  readonly #far: Uint8Array;
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  readonly #farHeads = new Int32Array(SLOTS).fill(NONE);
  #tick: number;
  #armed = 0;
  #farArmed = 0;

  constructor(capacity: number, nowUs: number) {
    this.#dueTick = new Float64Array(capacity).fill(NONE);
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#prev = new Int32Array(capacity).fill(NONE);
    this.#far = new Uint8Array(capacity);
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
    this.#link(id, tick, tick - this.#tick >= SLOTS ? 1 : 0);
    this.#armed++;
  }

  clear(id: number): void {
    if (this.#dueTick[id] === NONE) return;
    this.#unlink(id);
    this.#dueTick[id] = NONE;
    this.#armed--;
  }

  isSet(id: number): boolean {
    return this.#dueTick[id] !== NONE;
  }

  #link(id: number, tick: number, far: 0 | 1): void {
    const heads = far === 1 ? this.#farHeads : this.#heads;
    const slot = far === 1 ? Math.floor(tick / SLOTS) & (SLOTS - 1) : tick & (SLOTS - 1);
    const head = heads[slot]!;
    this.#far[id] = far;
    this.#farArmed += far;
    this.#next[id] = head;
    this.#prev[id] = NONE;
    if (head !== NONE) this.#prev[head] = id;
    heads[slot] = id;
  }

  #unlink(id: number): void {
    const due = this.#dueTick[id]!;
    const next = this.#next[id]!;
    const prev = this.#prev[id]!;
    if (next !== NONE) this.#prev[next] = prev;
    if (prev !== NONE) this.#next[prev] = next;
    else if (this.#far[id] === 0) this.#heads[due & (SLOTS - 1)] = next;
    else this.#farHeads[Math.floor(due / SLOTS) & (SLOTS - 1)] = next;
    this.#farArmed -= this.#far[id]!;
  }

  /** A turn begins: what is due in it comes over; what is due 4.7 hours later shares its slot, and stays. */
  #turn(turn: number): void {
    let id = this.#farHeads[turn & (SLOTS - 1)]!;
    while (id !== NONE) {
      const next = this.#next[id]!;
      const due = this.#dueTick[id]!;
      if (Math.floor(due / SLOTS) <= turn) {
        this.#unlink(id);
        this.#link(id, due, 0);
      }
      id = next;
    }
  }

  /** Fires every timer due by nowUs, in order of ticks. `fire` may set and clear timers, its own too. */
  advance(nowUs: number, fire: (id: number) => void): void {
    const now = Math.floor(nowUs / TICK_US);
    if (this.#armed === 0) {
      if (now > this.#tick) this.#tick = now;
      return;
    }
    // After a long stall one turn of the wheel visits every slot once: enough.
    if (now - this.#tick > SLOTS) {
      const to = now - SLOTS;
      for (let turn = Math.floor(this.#tick / SLOTS) + 1; turn <= to / SLOTS; turn++) this.#turn(turn);
      this.#tick = to;
    }
    while (this.#tick < now) {
      this.#tick++;
      const slot = this.#tick & (SLOTS - 1);
      if (slot === 0 && this.#farArmed > 0) this.#turn(this.#tick / SLOTS);
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

  /** When advance() should next be called, us: exact if within 64 ms, else 64 ms from now or when a turn begins. */
  nextUs(): number {
    if (this.#armed === 0) return Number.POSITIVE_INFINITY;
    for (let ahead = 1; ahead <= 64; ahead++) {
      const tick = this.#tick + ahead;
      const slot = tick & (SLOTS - 1);
      if (slot === 0 && this.#farArmed > 0) return tick * TICK_US;
      for (let id = this.#heads[slot]!; id !== NONE; id = this.#next[id]!) {
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
