import { KeyedPrng } from '../harness/prng.js';

/** The phone rings and nobody comes: the caller gives up. */
export const RINGS_OUT = 0;
const BUSY = 486;
const WRONG_NUMBER = 404;
/** Keeps this chance apart from the ringing time's and the caller's. */
const HABIT_KEY = 0x40000000;

/**
 * What people do, with nothing wrong: a share of the called are busy, do not answer, or are not there, a third each.
 * By call number, so that the same calls fail whatever else happens.
 */
export class Habits {
  readonly #chance: KeyedPrng;
  constructor(
    private readonly share: number,
    seed: number,
  ) {
    this.#chance = new KeyedPrng(seed);
  }

  /** Final status of the INVITE: 200, 486, 404, or RINGS_OUT for none. */
  statusOf(callNo: number): number {
    if (this.share === 0) return 200;
    const x = this.#chance.at(callNo + HABIT_KEY).next();
    if (x >= this.share) return 200;
    const third = Math.floor((3 * x) / this.share);
    return third === 0 ? BUSY : third === 1 ? WRONG_NUMBER : RINGS_OUT;
  }
}
