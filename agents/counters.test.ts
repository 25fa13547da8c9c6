import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketOf, bucketTop, COUNTER_INDEX, COUNTERS, Counters, HISTOGRAM_BUCKETS, quantileUs } from './counters.js';

/** Whole microseconds at every magnitude, and around every power of two. */
const us = fc.oneof(
  fc.nat(100),
  fc.tuple(fc.nat(36), fc.double({ min: 0.5, max: 1, noNaN: true })).map(([bits, x]) => Math.floor(2 ** bits * x)),
  fc.tuple(fc.integer({ min: 3, max: 36 }), fc.integer({ min: -2, max: 2 })).map(([bits, d]) => 2 ** bits + d),
);
const BEYOND = 2 ** 36;

test('a bucket holds its values to a sixteenth, and never understates them', () => {
  fc.assert(
    fc.property(us, (v) => {
      const b = bucketOf(v);
      expect(Number.isInteger(b) && b >= 0 && b < HISTOGRAM_BUCKETS).toBe(true);
      if (v >= BEYOND) return;
      const top = bucketTop(b);
      expect(top).toBeGreaterThanOrEqual(v);
      expect(top - v).toBeLessThanOrEqual(v / 16);
      // The buckets do not overlap: the one before ends at or below this value.
      if (b > 0) expect(bucketTop(b - 1)).toBeLessThanOrEqual(v);
    }),
    { numRuns: 5000 },
  );
});

test('buckets rise with their values, and so do their tops', () => {
  fc.assert(
    fc.property(us, us, (a, b) => {
      if (a <= b) expect(bucketOf(a)).toBeLessThanOrEqual(bucketOf(b));
    }),
    { numRuns: 3000 },
  );
  for (let b = 1; b < HISTOGRAM_BUCKETS; b++) expect(bucketTop(b)).toBeGreaterThan(bucketTop(b - 1));
});

test('what is early counts as 0, and what is beyond the scale in the last bucket', () => {
  expect([bucketOf(-1), bucketOf(-1e9), bucketOf(0), bucketOf(0.9)]).toEqual([0, 0, 0, 0]);
  expect([bucketOf(1e12), bucketOf(Number.MAX_SAFE_INTEGER)]).toEqual([HISTOGRAM_BUCKETS - 1, HISTOGRAM_BUCKETS - 1]);
});

test('quantiles of several histograms are those of all their values, sorted, to a sixteenth', () => {
  const values = fc.array(fc.nat(50_000_000), { minLength: 1, maxLength: 200 });
  const q = fc.constantFrom(0, 0.01, 0.5, 0.9, 0.99, 0.999, 1);
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 3 }), q, (lists, quantile) => {
      const histograms = lists.map((list) => {
        const h = new Float64Array(HISTOGRAM_BUCKETS);
        for (const v of list) h[bucketOf(v)]!++;
        return h;
      });
      const sorted = lists.flat().sort((a, b) => a - b);
      const rank = Math.max(0, Math.ceil(quantile * sorted.length - 1e-9) - 1);
      const exact = sorted[rank]!;
      const got = quantileUs(histograms, quantile);
      expect(got).toBeGreaterThanOrEqual(exact);
      expect(got - exact).toBeLessThanOrEqual(exact / 16);
    }),
    { numRuns: 500 },
  );
  expect(quantileUs([new Float64Array(HISTOGRAM_BUCKETS)], 0.99)).toBe(0);
  expect(quantileUs([], 0.99)).toBe(0);
});

test('counters and histograms share one memory without touching each other', () => {
  const a = new Counters();
  const b = new Counters(a.shared);
  a.values.fill(1);
  a.callLateness.fill(2);
  a.rtpLateness.fill(3);
  for (const name of COUNTERS) expect(b.get(name)).toBe(1);
  expect(b.callLateness.every((n) => n === 2) && b.rtpLateness.every((n) => n === 3)).toBe(true);
  a.add(COUNTER_INDEX.started);
  a.add(COUNTER_INDEX.started, 5);
  expect([b.get('started'), b.get('ended')]).toEqual([7, 1]);
});
