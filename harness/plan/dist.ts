import type { Prng } from '../prng.js';
import type { DurationDist } from './types.js';

/** One duration, ms. Takes exactly one number from `rng` unless it is fixed, so streams stay aligned. */
export function draw(dist: DurationDist, rng: Prng): number {
  switch (dist.kind) {
    case 'fixed':
      return dist.ms;
    case 'uniform':
      return dist.minMs + (dist.maxMs - dist.minMs) * rng.next();
    case 'exponential': {
      // next() is in [0, 1), so the logarithm's argument is never 0.
      const ms = -dist.meanMs * Math.log(1 - rng.next());
      return Math.min(dist.maxMs, Math.max(dist.minMs, ms));
    }
  }
}

/** Expected duration, ms. */
export function mean(dist: DurationDist): number {
  switch (dist.kind) {
    case 'fixed':
      return dist.ms;
    case 'uniform':
      return (dist.minMs + dist.maxMs) / 2;
    case 'exponential':
      // min + the integral of the survival function exp(-t/mean) from min to max, since draws are clamped, not redrawn.
      if (dist.meanMs === 0) return dist.minMs;
      return dist.minMs + dist.meanMs * (Math.exp(-dist.minMs / dist.meanMs) - Math.exp(-dist.maxMs / dist.meanMs));
  }
}

/** Longest duration that can be drawn, ms. */
export function longest(dist: DurationDist): number {
  return dist.kind === 'fixed' ? dist.ms : dist.maxMs;
}
