import { describe, expect, it } from 'vitest';
import { prng } from '../prng.js';
import { draw, longest, mean } from './dist.js';
import type { DurationDist } from './types.js';

const DISTS: DurationDist[] = [
  { kind: 'fixed', ms: 250 },
  { kind: 'uniform', minMs: 200, maxMs: 800 },
  { kind: 'exponential', meanMs: 1000, minMs: 300, maxMs: 2500 },
  { kind: 'exponential', meanMs: 0, minMs: 0, maxMs: 10 },
];

describe.each(DISTS)('$kind', (dist) => {
  it('draws within its bounds, with its mean, the same for the same seed', () => {
    const drawn = Array.from(
      { length: 20_000 },
      (() => {
        const rng = prng(5);
        return () => draw(dist, rng);
      })(),
    );
    const average = drawn.reduce((sum, ms) => sum + ms, 0) / drawn.length;
    expect(Math.abs(average - mean(dist))).toBeLessThan(0.02 * mean(dist) + 1e-9);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(longest(dist));
    expect(drawn[0]).toBe(draw(dist, prng(5)));
  });
});
