import type { RegistrationPlan } from '../harness/plan/types.js';
import type { Counters } from './counters.js';
import type { User } from './identity.js';
import type { RegistrationStore } from './store.js';
import type { UdpPort } from './wire/types.js';

/** What the phones of one worker are, and where they register. */
export interface RegistrantOptions {
  plan: RegistrationPlan;
  /** One for each phone of the population; null or absent: generated from the seed. */
  users?: readonly User[] | null;
  /** This worker's phones: first, first + stride, ... */
  first: number;
  stride: number;
  ip: number;
  /** The registrar, or an outbound proxy in front of it. */
  hopIp: number;
  hopPort: number;
  /** Route line of that proxy (RFC 3261 8.1.2); absent: none is in front. */
  route?: Uint8Array | null;
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

/** The calls of the phones, on the same ports. It reads what the registrant has parsed. */
export interface PhoneCallHandler {
  receive(port: UdpPort, srcIp: number, srcPort: number, nowUs: number): void;
  /** The connection from that port is gone. */
  lost(port: UdpPort, peerIp: number, peerPort: number, why: string, nowUs: number): void;
}
