import { expect, it } from 'vitest';
import { chanceOfSplit } from './chance.js';

it('counts the ways: one bad of 20 against none of 200 is 20 of 220', () => {
  expect(chanceOfSplit(1, 20, 0, 200)).toBeCloseTo(20 / 220, 10);
});

it("is Fisher's: the lady tasting tea", () => {
  // 4 of 4 against 0 of 4: 1 of 70 ways.
  expect(chanceOfSplit(4, 4, 0, 4)).toBeCloseTo(1 / 70, 10);
  expect(chanceOfSplit(0, 4, 4, 4)).toBeCloseTo(1 / 70, 10);
  expect(chanceOfSplit(3, 4, 1, 4)).toBeCloseTo(17 / 70, 10);
});

it('equal shares are chance, and large counts do not overflow', () => {
  expect(chanceOfSplit(0, 20, 0, 100_000)).toBe(1);
  expect(chanceOfSplit(10, 20, 50_000, 100_000)).toBeGreaterThan(0.4);
  expect(chanceOfSplit(12, 20, 1000, 100_000)).toBeLessThan(1e-12);
});
