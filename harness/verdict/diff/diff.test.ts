import { rmSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { prng } from '../../prng.js';
import { judge } from '../index.js';
import { goodCall, platformBye, refused, SyntheticRun } from '../testing.js';
import { compareFigures, diffRuns } from './compare.js';
import type { Figure } from './figures.js';
import { benjaminiHochberg, holm, quantilesDiffer, sharesDiffer } from './tests.js';

const CALLS = 20_000;
const TENANTS = 40;

/** What a run of 20,000 calls of 40 tenants gives by chance: shares and delays, drawn from the seed. */
function figures(seed: number, dropRate: number, slower = 1): Figure[] {
  const chance = prng(seed);
  const hits = (n: number, p: number): number => {
    let hit = 0;
    for (let i = 0; i < n; i++) if (chance.next() < p) hit++;
    return hit;
  };
  const rate = (figure: string, p: number, tenant = '', total = CALLS): Figure => ({
    ...{ figure, tenant, unit: 'share', worse: 'more', margin: 0.002, total },
    hit: hits(total, p),
  });
  // Whole milliseconds, as a simulated network gives them.
  const delays = Float64Array.from({ length: CALLS }, () =>
    Math.round(slower * (30 + 20 * -Math.log(1 - chance.next()))),
  ).sort();
  const trend = (q: number): Figure => ({
    ...{ figure: `srd_ms p${100 * q}`, tenant: '', unit: 'ms', worse: 'more', margin: 5, q },
    sorted: delays,
  });
  return [
    rate('drop_rate', dropRate),
    ...Array.from({ length: 12 }, (_, i) => rate(`other ${i}`, 0.005 * (i + 1))),
    ...Array.from({ length: TENANTS }, (_, i) => rate('drop_rate', dropRate, `t${i}`, CALLS / TENANTS)),
    trend(0.5),
    trend(0.95),
  ];
}

it('two runs that differ by chance alone: no change in at least 19 of 20 pairs', () => {
  let quiet = 0;
  for (let pair = 0; pair < 20; pair++) {
    const { moved, compared } = compareFigures(figures(2 * pair, 0.01), figures(2 * pair + 1, 0.01));
    expect(compared).toBe(15 + TENANTS);
    if (moved.length === 0) quiet++;
  }
  expect(quiet).toBeGreaterThanOrEqual(19);
});

it('1 % more drops of 20,000 calls is told, each time, and nothing else is', () => {
  for (let pair = 0; pair < 5; pair++) {
    const { moved } = compareFigures(figures(100 + pair, 0.01), figures(200 + pair, 0.02));
    const all = moved.filter((m) => m.tenant === '');
    expect(all.map((m) => [m.figure, m.change])).toEqual([['drop_rate', 'worse']]);
    expect(all[0]!.p).toBeLessThan(1e-9);
  }
});

it('a fifth slower is told, a hair slower is not, however sure', () => {
  const moved = (slower: number) => compareFigures(figures(1, 0), figures(2, 0, slower)).moved.map((m) => m.figure);
  expect(moved(1.2)).toEqual(expect.arrayContaining(['srd_ms p50', 'srd_ms p95']));
  expect(moved(1.05)).toEqual([]);
});

it('tests, against figures worked by hand', () => {
  // Fisher: 3 of 4 against 1 of 4; 17 of the 70 tables are as far apart, so one side is 17/70.
  expect(sharesDiffer(3, 4, 1, 4)).toBeCloseTo(2 * (17 / 70), 9);
  const low = Float64Array.from({ length: 50 }, (_, i) => i);
  expect(quantilesDiffer(low, low, 0.5)).toBe(1);
  expect(
    quantilesDiffer(
      low,
      low.map((x) => x + 100),
      0.5,
    ),
  ).toBeLessThan(1e-20);
  expect(holm([0.01, 0.04, 0.03], 0.05)).toEqual([true, false, false]);
  expect(benjaminiHochberg([0.01, 0.04, 0.03], 0.05)).toEqual([true, true, true]);
});

const before = new SyntheticRun();
const after = new SyntheticRun();
afterAll(() => {
  for (const { dir } of [before, after]) rmSync(dir, { recursive: true, force: true });
});

it('from files: what got worse, its cause too, fails a run that has a baseline', async () => {
  for (let i = 0; i < 400; i++) {
    before.addPair(goodCall(i, i * 100));
    const now = goodCall(i, i * 100);
    if (i % 8 === 0) platformBye(now, 5000, 41);
    if (i % 100 === 1) after.add(refused(i, i * 100, 486));
    else after.addPair(now);
  }
  const [a, b] = [await before.finish(), await after.finish()];
  const verdict = await judge(b, { injectedCause: null, budgets: [], faults: [], command: '', baseline: a });
  expect(verdict.outcome).toMatchObject({ word: 'FAIL' });
  expect(verdict.outcome.reasons).toContain("drop_rate is worse than the baseline's: 12.6 %, was 0 %");
  expect(verdict.baseline?.moved.map((m) => m.figure)).toEqual(expect.arrayContaining(['drop_rate', 'cause unknown']));
  expect((await diffRuns(a, a)).moved).toEqual([]);
  expect((await diffRuns(b, a)).moved.every((m) => m.change === 'better')).toBe(true);
});
