import { assert } from '../../harness/errors.js';

/**
 * Who sends in which half millisecond. A period (20 ms) is cut into phases; each leg sits in one of them for life, so one
 * tick takes out a whole phase and nothing drifts: instant n of a leg is phase + n * period. A new leg goes to the
 * emptiest phase, the soonest among equals: 150 calls answered in one millisecond do not then send in one millisecond.
 */
export class PhaseWheel {
  readonly phases: number;
  readonly width: number;
  /** `width` legs for each phase; only the first counts[phase] of them are there. */
  readonly legs: Int32Array;
  readonly counts: Int32Array;
  readonly #phaseOf: Int32Array;
  readonly #placeOf: Int32Array;
  size = 0;

  constructor(phases: number, maxLegs: number) {
    this.phases = phases;
    // The emptiest of p phases with n legs in all has at most n/p: no phase can outgrow this.
    this.width = Math.ceil(maxLegs / phases) + 1;
    this.legs = new Int32Array(phases * this.width);
    this.counts = new Int32Array(phases);
    this.#phaseOf = new Int32Array(maxLegs).fill(-1);
    this.#placeOf = new Int32Array(maxLegs);
  }

  has(leg: number): boolean {
    return this.#phaseOf[leg]! >= 0;
  }

  /** `soonest` is the phase that comes up next. */
  add(leg: number, soonest: number): void {
    assert(this.#phaseOf[leg] === -1, 'leg is not in the wheel yet');
    let best = soonest;
    for (let k = 1; k < this.phases; k++) {
      const phase = (soonest + k) % this.phases;
      if (this.counts[phase]! < this.counts[best]!) best = phase;
    }
    const place = this.counts[best]!++;
    assert(place < this.width, 'wheel phase holds its share');
    this.legs[best * this.width + place] = leg;
    this.#phaseOf[leg] = best;
    this.#placeOf[leg] = place;
    this.size++;
  }

  remove(leg: number): void {
    const phase = this.#phaseOf[leg]!;
    if (phase < 0) return;
    const last = --this.counts[phase]!;
    const moved = this.legs[phase * this.width + last]!;
    this.legs[phase * this.width + this.#placeOf[leg]!] = moved;
    this.#placeOf[moved] = this.#placeOf[leg]!;
    this.#phaseOf[leg] = -1;
    this.size--;
  }

  /** How many phases from `phase` on (itself included) until one has legs; -1 when none has. */
  untilBusy(phase: number): number {
    for (let k = 0; k < this.phases; k++) if (this.counts[(phase + k) % this.phases]! > 0) return k;
    return -1;
  }
}
