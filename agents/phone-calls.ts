import { KeyedPrng } from '../harness/prng.js';
import type { Population } from './identity.js';

/** Keeps who calls whom apart from every other chance of a run. */
const CALLER_KEY = 0xca11e;

/**
 * Which phone places each call of a run, and which one it calls: by the seed, and the same for whoever asks. The caller is a
 * phone of the worker whose arrival it is (callNo modulo workers); the called is another of its tenant, as most calls of a PBX
 * are, or any other where a tenant has one phone.
 */
export class PhoneCalls {
  readonly #chance: KeyedPrng;

  constructor(
    private readonly population: Population,
    private readonly phones: number,
    private readonly workers: number,
    seed: number,
  ) {
    this.#chance = new KeyedPrng(seed ^ CALLER_KEY);
  }

  /** Its number in the population. */
  callerOf(callNo: number): number {
    const first = callNo % this.workers;
    const mine = Math.ceil((this.phones - first) / this.workers);
    return first + this.workers * this.#chance.at(callNo * 2).below(mine);
  }

  calledOf(callNo: number): number {
    const caller = this.callerOf(callNo);
    const members = this.population.members(this.population.tenant(caller));
    const n = members.length;
    const chance = this.#chance.at(callNo * 2 + 1);
    if (n < 2) return (caller + 1 + chance.below(this.phones - 1)) % this.phones;
    return members.at((members.indexOf(caller) + 1 + chance.below(n - 1)) % n);
  }
}
