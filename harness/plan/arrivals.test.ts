import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARRIVALS_MAX, arrivalInstants, arrivalsEndMs, stageCalls } from './arrivals.js';
import type { ArrivalStage } from './types.js';

const rate = fc.double({ min: 0, max: 200, noNaN: true });
const stages = fc.array(
  fc.record({ name: fc.constant('s'), durationMs: fc.integer({ min: 1, max: 5000 }), fromCps: rate, toCps: rate }),
  { minLength: 1, maxLength: 6 },
);
const flat = (durationMs: number, cps: number): ArrivalStage => ({ name: 's', durationMs, fromCps: cps, toCps: cps });

describe('arrivals', () => {
  it('are the rounded integral of the rate, sorted, within the stages', () => {
    fc.assert(
      fc.property(stages, fc.nat(), (list, seed) => {
        const at = arrivalInstants(list, seed);
        const calls = list.reduce((sum, s) => sum + stageCalls(s), 0);
        // Sums of doubles: a total that lies on one half may fall to either side.
        expect(Math.abs(at.length - calls)).toBeLessThanOrEqual(0.5 + 1e-9);
        const end = arrivalsEndMs(list);
        for (let i = 0; i < at.length; i++) {
          expect(at[i]).toBeGreaterThanOrEqual(i === 0 ? 0 : at[i - 1]!);
          expect(at[i]).toBeLessThanOrEqual(end + 1e-6);
        }
      }),
    );
  });

  it('put call i where the integral reaches i + 1/2, however many stages there are', () => {
    fc.assert(
      fc.property(stages, (list) => {
        const at = arrivalInstants(list, 1);
        for (let i = 0; i < at.length; i++) expect(integralAt(list, at[i]!)).toBeCloseTo(i + 0.5, 5);
      }),
    );
  });

  it('do not drift: a million calls at 3 a second', () => {
    const at = arrivalInstants([flat(1_000_000_000 / 3, 3)], 1);
    expect(at.length).toBe(1_000_000);
    expect(at[999_999]).toBeCloseTo(999_999.5 / 0.003, 3);
  });

  it('carry the fraction of a call from stage to stage', () => {
    // 10 x 0.3 calls
    expect(arrivalInstants(Array<ArrivalStage>(10).fill(flat(300, 1)), 1).length).toBe(3);
  });

  it('of peak-dial: 20 quiet, 150 in one second', () => {
    const at = arrivalInstants([flat(4000, 5), flat(1000, 150)], 1);
    expect(at.length).toBe(170);
    expect(at.filter((t) => t < 4000).length).toBe(20);
    expect(at[0]).toBeCloseTo(100, 9);
    expect(at[169]).toBeLessThan(5000);
  });

  it('handle ramps from and to nothing, and silence', () => {
    const up = arrivalInstants([{ name: 'up', durationMs: 10_000, fromCps: 0, toCps: 20 }], 1);
    expect(up.length).toBe(100);
    expect(up[49]).toBeCloseTo(1000 * Math.sqrt(49.5), 6);
    const down = arrivalInstants([{ name: 'down', durationMs: 10_000, fromCps: 20, toCps: 0 }], 1);
    expect(down[50]).toBeCloseTo(10_000 - up[49]!, 6);
    expect(arrivalInstants([flat(1000, 0)], 1).length).toBe(0);
  });

  it('by Poisson have the mean of the rate, and the seed decides them', () => {
    const stage = { ...flat(100_000, 100), poisson: true };
    const at = arrivalInstants([stage], 7);
    // Standard deviation 100.
    expect(Math.abs(at.length - 10_000)).toBeLessThan(500);
    expect(arrivalInstants([stage], 7)).toEqual(at);
    expect(arrivalInstants([stage], 8)).not.toEqual(at);
    // Gaps are exponential: the variance of counts in a second is the mean of them.
    const counts = new Float64Array(100);
    for (const t of at) counts[Math.floor(t / 1000)]! += 1;
    const variance = counts.reduce((sum, n) => sum + (n - 100) ** 2, 0) / 100;
    expect(variance).toBeGreaterThan(50);
    expect(variance).toBeLessThan(180);
  });

  it('are bounded', () => {
    expect(() => arrivalInstants([flat(1_000_000, 11_000)], 1)).toThrow(
      'arrivals: 11,000,000 calls are more than the 10 million of one run; lower the rate or the duration of a stage',
    );
    expect(ARRIVALS_MAX).toBe(10_000_000);
  });
});

function integralAt(list: readonly ArrivalStage[], ms: number): number {
  let calls = 0;
  let startMs = 0;
  for (const s of list) {
    const t = Math.min(Math.max(ms - startMs, 0), s.durationMs) / 1000;
    calls += s.fromCps * t + ((s.toCps - s.fromCps) / (s.durationMs / 1000)) * (t ** 2 / 2);
    startMs += s.durationMs;
  }
  return calls;
}
