import { describe, expect, test } from 'vitest';
import { CATALOGUE_TIMEOUT_MS, incidents, judged, wrong } from './support/catalogue.js';

/** The control run and every cure: no bad call, no cause named, and the budgets hold. */
const ALL = await incidents();

describe('healthy', () => {
  test.each([
    { name: 'none', cured: false },
    ...ALL.filter((i) => i.hasCure).map(({ name }) => ({ name, cured: true })),
  ])(
    '$name, cured: $cured',
    async ({ name, cured }) => {
      const runs = await judged(name, cured);
      expect(wrong(runs, (r) => r.bad === 0 && r.verdict.calls.bad === 0)).toEqual([]);
      expect(wrong(runs, (r) => r.verdict.outcome.word === 'PASS')).toEqual([]);
      expect(wrong(runs, (r) => r.verdict.load.open === 0 && r.verdict.load.blocked === 0)).toEqual([]);
      expect(wrong(runs, (r) => r.verdict.calls.total === r.verdict.load.started)).toEqual([]);
    },
    CATALOGUE_TIMEOUT_MS,
  );
});
