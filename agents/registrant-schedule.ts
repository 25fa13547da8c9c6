import type { RegistrationPlan, RetryPolicy } from '../harness/plan/types.js';
import { KeyedPrng, subSeed } from '../harness/prng.js';
import type { Population } from './identity.js';

/** When each phone of one worker takes part in each wave, in order of time. */
export interface Schedule {
  /** ms since t0. */
  dueMs: Float64Array;
  /** Index within the worker. */
  phone: Uint32Array;
  wave: Uint8Array;
}

/** The phones `first`, `first + stride`, ... of the population. */
export function scheduleOf(
  plan: RegistrationPlan,
  population: Population,
  first: number,
  stride: number,
  seed: number,
): Schedule {
  const { phones, waves } = plan;
  const mine = phonesOf(plan, first, stride);
  const dueMs: number[] = [];
  const phone: number[] = [];
  const wave: number[] = [];
  waves.forEach(({ atMs, overMs, order, share: part = 1 }, w) => {
    const ranks = order === 'shuffled' ? shuffled(phones, subSeed(seed, `wave-${w}`)) : null;
    for (let i = 0; i < mine; i++) {
      const number = first + i * stride;
      const share = ranks === null ? population.tenant(number) / population.tenants : ranks[number]! / phones;
      if (share >= part) continue;
      dueMs.push(atMs + (overMs * share) / part);
      phone.push(i);
      wave.push(w);
    }
  });
  const sorted = Uint32Array.from(dueMs.keys()).sort((a, b) => dueMs[a]! - dueMs[b]! || a - b);
  return {
    dueMs: Float64Array.from(sorted, (i) => dueMs[i]!),
    phone: Uint32Array.from(sorted, (i) => phone[i]!),
    wave: Uint8Array.from(sorted, (i) => wave[i]!),
  };
}

export function phonesOf({ phones }: RegistrationPlan, first: number, stride: number): number {
  return Math.max(0, Math.ceil((phones - first) / stride));
}

/** The rank of each phone in a random order. */
function shuffled(phones: number, seed: number): Uint32Array {
  const chance = new KeyedPrng(seed);
  const keys = Float64Array.from({ length: phones }, (_, i) => chance.at(i).next());
  const order = Uint32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
  const ranks = new Uint32Array(phones);
  order.forEach((phone, rank) => {
    ranks[phone] = rank;
  });
  return ranks;
}

/** What `immediate` means: a phone needs a moment, and an error that costs a microsecond must not become a busy loop. */
export const IMMEDIATE_MS = 100;

/**
 * How long a phone waits after its nth failure in a row. A Retry-After (s; -1: none) replaces what a fixed policy says,
 * and is the least that RFC 5626 4.5 waits.
 */
export function retryDelayMs(policy: RetryPolicy, failures: number, retryAfterS: number, chance: number): number {
  if (policy.kind === 'rfc5626') {
    const upperMs = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures, 30));
    return Math.max(retryAfterS * 1000, upperMs * (0.5 + 0.5 * chance));
  }
  if (retryAfterS >= 0) return Math.max(IMMEDIATE_MS, retryAfterS * 1000);
  return policy.kind === 'fixed' ? Math.max(IMMEDIATE_MS, policy.ms) : IMMEDIATE_MS;
}
