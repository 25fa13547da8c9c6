import { expect, test } from 'vitest';
import { Habits, RINGS_OUT } from './habits.js';

test('a share of the calls fails for ordinary reasons, a third each, and always the same ones', () => {
  const habits = new Habits(0.3, 7);
  const count = new Map<number, number>();
  for (let callNo = 0; callNo < 30_000; callNo++) {
    const status = habits.statusOf(callNo);
    count.set(status, (count.get(status) ?? 0) + 1);
    if (callNo < 100) expect(new Habits(0.3, 7).statusOf(callNo)).toBe(status);
  }
  for (const status of [486, 404, RINGS_OUT]) expect(Math.abs(count.get(status)! / 30_000 - 0.1)).toBeLessThan(0.01);
  expect(count.get(200)).toBeGreaterThan(20_000);
});

test('nobody fails where nobody should', () => {
  const none = new Habits(0, 7);
  for (let callNo = 0; callNo < 1000; callNo++) expect(none.statusOf(callNo)).toBe(200);
});
