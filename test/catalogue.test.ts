import { describe, expect, test } from 'vitest';
import { CATALOGUE_TIMEOUT_MS, incidents, judged, wrong } from './support/catalogue.js';

/** Every incident as it is: the diagnosis, which knows nothing of it, names the cause of the bad calls. */
const ALL = (await incidents()).filter((i) => i.cause !== null);
const SHARE = 0.95;

describe('naive', () => {
  test('the catalogue is the one that was promised', () => {
    const names = ['nat-table', 'rtp-ports', 'trunk-cps', 'trunk-channels', 'db-stall', 'packet-loss'];
    expect(ALL.map((i) => i.name)).toEqual(expect.arrayContaining(names));
    expect(ALL.filter((i) => !i.hasCure).map((i) => i.name)).toEqual(['packet-loss']);
  });

  test.each(ALL)(
    '$name: $cause',
    async ({ name, cause }) => {
      const runs = await judged(name, false);
      expect(wrong(runs, (r) => r.bad > 0)).toEqual([]);
      expect(wrong(runs, (r) => (r.named[cause!] ?? 0) >= SHARE * r.bad)).toEqual([]);
      // A measurement that blames itself is no finding about the platform, and the defaults are budgets that fail.
      expect(wrong(runs, (r) => r.verdict.outcome.word === 'FAIL')).toEqual([]);
      expect(
        wrong(runs, ({ verdict: { load } }) => load.blocked === 0 && load.started === load.ended + load.open),
      ).toEqual([]);
      expect(wrong(runs, (r) => r.verdict.load.open === 0)).toEqual([]);
    },
    CATALOGUE_TIMEOUT_MS,
  );
});
