import { assert } from '../../harness/errors.js';

/**
 * Who sends when. A period (20 ms) is cut into phases; each leg sits in one of them for life, so one tick
 * takes out a whole phase and nothing drifts: instant n of a leg is phase + n * period.
 *
 * Legs gather in as few phases as keep a burst within BURST packets, evenly spaced: a wake-up is then paid for hundreds of
 * packets, and no queue on the way (a link's has 1,000 places, txqueuelen) sees more at once. A new leg goes to the emptiest
 * phase that is in use, the soonest among equals.
 */
export const BURST = 500;

export class PhaseWheel {
  readonly phases: number;
  readonly width: number;
  /** `width` legs for each phase; only the first counts[phase] of them are there. */
  readonly legs: Int32Array;
  readonly counts: Int32Array;
  readonly #phaseOf: Int32Array;
  readonly #placeOf: Int32Array;
  size = 0;

  /** `phases`: a power of two. */
  constructor(phases: number, maxLegs: number) {
    assert(phases >= 2 && (phases & (phases - 1)) === 0, 'phases are a power of two');
    this.phases = phases;
    // The emptiest of p phases with n legs in all has at most n/p, and p grows before that is more than BURST.
    this.width = Math.max(Math.min(maxLegs, BURST), Math.ceil(maxLegs / phases)) + 1;
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
    const step = this.#step();
    let best = Math.ceil(soonest / step) * step;
    if (best >= this.phases) best = 0;
    for (let k = step, phase = best; k < this.phases; k += step) {
      phase += step;
      if (phase >= this.phases) phase -= this.phases;
      if (this.counts[phase]! < this.counts[best]!) best = phase;
    }
    const place = this.counts[best]!++;
    assert(place < this.width, 'wheel phase holds its share');
    this.legs[best * this.width + place] = leg;
    this.#phaseOf[leg] = best;
    this.#placeOf[leg] = place;
    this.size++;
  }

  /** Distance of the phases in use: it is halved as long as bursts would be too large, so each use is part of the next. */
  #step(): number {
    let step = this.phases >> 1;
    while (step > 1 && this.size >= (this.phases / step) * BURST) step >>= 1;
    return step;
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
