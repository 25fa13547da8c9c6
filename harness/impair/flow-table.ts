import { assert } from '../errors.js';

/**
 * Two unsigned 32-bit keys -> a number >= 0, on typed arrays: nothing is allocated per packet. Open addressing, linear
 * probing, at most half full; removal shifts back what follows, so that no tombstones pile up over a long run.
 */
export class FlowTable {
  size = 0;
  readonly limit: number;
  readonly #mask: number;
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;
  /** Value + 1; 0 = empty. */
  readonly #value: Int32Array;

  constructor(limit: number) {
    let slots = 16;
    while (slots < 2 * limit) slots *= 2;
    this.limit = limit;
    this.#mask = slots - 1;
    this.#a = new Uint32Array(slots);
    this.#b = new Uint32Array(slots);
    this.#value = new Int32Array(slots);
  }

  /** -1 when it is not there. */
  get(a: number, b: number): number {
    for (let i = this.#home(a, b); ; i = (i + 1) & this.#mask) {
      const value = this.#value[i]!;
      if (value === 0) return -1;
      if (this.#a[i] === a && this.#b[i] === b) return value - 1;
    }
  }

  /** The key must not be there yet. */
  add(a: number, b: number, value: number): void {
    assert(this.size < this.limit, 'flow table limit');
    let i = this.#home(a, b);
    while (this.#value[i] !== 0) i = (i + 1) & this.#mask;
    this.#a[i] = a;
    this.#b[i] = b;
    this.#value[i] = value + 1;
    this.size++;
  }

  delete(a: number, b: number): void {
    let hole = this.#home(a, b);
    while (this.#a[hole] !== a || this.#b[hole] !== b || this.#value[hole] === 0) {
      if (this.#value[hole] === 0) return;
      hole = (hole + 1) & this.#mask;
    }
    this.size--;
    // An entry may move into the hole unless its home lies cyclically after it (Knuth, vol. 3, 6.4, algorithm R).
    for (let i = (hole + 1) & this.#mask; this.#value[i] !== 0; i = (i + 1) & this.#mask) {
      const home = this.#home(this.#a[i]!, this.#b[i]!);
      if (((i - home) & this.#mask) < ((i - hole) & this.#mask)) continue;
      this.#a[hole] = this.#a[i]!;
      this.#b[hole] = this.#b[i]!;
      this.#value[hole] = this.#value[i]!;
      hole = i;
    }
    this.#value[hole] = 0;
  }

  #home(a: number, b: number): number {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    return (h ^ (h >>> 13)) & this.#mask;
  }
}
