import type { Wire } from './wire/types.js';

/** One wake-up for all arrivals of two milliseconds, each at most that much late. */
const GATHER_US = 2000;

/** At most this many starts between two looks at the network: a burst must not deafen us. */
export const STARTS_PER_TICK = 64;

/** When the next arrival of a worker wants its turn. On a real wire arrivals share one; in virtual time a turn costs nothing. */
export class ArrivalTurn {
  readonly #us: number;
  constructor(wire: Wire) {
    this.#us = wire.kind === 'memory' ? 0 : GATHER_US;
  }
  /** `started` in this turn: when it took as many as it may, more were due. */
  nextUs(arrivalUs: number, nowUs: number, started: number): number {
    return started === STARTS_PER_TICK || this.#us === 0 ? arrivalUs : Math.max(arrivalUs, nowUs + this.#us);
  }
}
