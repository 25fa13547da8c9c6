import type { Prng } from '../../harness/prng.js';
import type { MediaEngine } from '../rtp/media.js';
import type { LegStore, RegistrationStore } from '../store.js';

/** What every webphone of a thread shares. */
export interface Host {
  legs: LegStore;
  registrations: RegistrationStore;
  media: MediaEngine;
  /** Where audio is sent from. */
  ip: number;
  server: string;
  worker: number;
  expiresS: number;
  patienceMs: number;
  ringMs: () => number;
  /** For a synchronisation source. */
  chance: Prng;
  nowUs: () => number;
  /** Of the run. */
  nowMs: () => number;
  /** The loop has something to do before the deadline that it was told. */
  poke: () => void;
  /** Number of the call that the webphone of that name is placing; -1: none. */
  callOf: (user: string) => number;
}
