import type { RegistrationPlan } from '../harness/plan/types.js';
import type { Counters } from './counters.js';
import type { User } from './identity.js';
import type { RegistrationStore } from './store.js';

/** What the phones of one worker are, and where they register. */
export interface RegistrantOptions {
  plan: RegistrationPlan;
  /** One for each phone of the population; null or absent: generated from the seed. */
  users?: readonly User[] | null;
  /** This worker's phones: first, first + stride, ... */
  first: number;
  stride: number;
  ip: number;
  /** Where its phones are called: their contact. Absent: the port that they register from, which takes no calls. */
  calledAt?: { ip: number; port: number } | null;
  /** The registrar, or an outbound proxy in front of it. */
  hopIp: number;
  hopPort: number;
  seed: number;
  /** 16 bits that mark this worker's branches and tags. */
  salt: number;
  runTag: string;
  worker: number;
  t0Us: number;
  /** No attempt begins after this. */
  untilMs: number;
  store: RegistrationStore;
  counters: Counters;
}
