import { availableParallelism } from 'node:os';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CaseResult } from '../harness/score/case-result.js';
import { catalogue, type ScoreCase } from '../harness/score/cases.js';
import { runJobs } from '../harness/score/pool.js';
import { type ScoreTable, tally } from '../harness/score/tally.js';

/**
 * The whole catalogue in simulation, at its default size: every incident is named by a diagnosis that knows nothing of it, and
 * nothing is named where nothing is wrong: neither after a cure, nor where people are merely busy. A few seeds here;
 * `deadair score --seeds 20`, or DEADAIR_SCORE_SEEDS=20, is the long form (10 minutes).
 */
const SEEDS = Number(process.env.DEADAIR_SCORE_SEEDS ?? 2);
/** Each run takes a second or two of one core, and a machine may be busy. */
const TIMEOUT_MS = 1_800_000;
const SHARE = 0.95;
const LEAST = 0.97;
const POLICIES: readonly string[] = ['tenant-cap', 'registration-shed'];

const CASES: ScoreCase[] = await catalogue();
let results: CaseResult[];
let table: ScoreTable;

beforeAll(async () => {
  const jobs = CASES.flatMap((c) => Array.from({ length: SEEDS }, (_, i) => ({ ...c, seed: i + 1 })));
  results = await runJobs(jobs, { processes: availableParallelism() });
  table = tally(results);
}, TIMEOUT_MS);

/** What is wrong in a line each, so that a failure names its seeds. */
function wrong(name: string, is: (r: CaseResult) => boolean): string[] {
  const runs = results.filter((r) => r.name === name);
  expect(runs).toHaveLength(SEEDS);
  return runs.filter((r) => !is(r)).map((r) => `${name}, seed ${r.seed}: ${r.word}, ${JSON.stringify(r.named)}`);
}

test('the catalogue is the one that was promised', () => {
  const names = CASES.map((c) => c.name);
  for (const incident of ['nat-table', 'rtp-ports', 'trunk-cps', 'trunk-channels', 'db-stall']) {
    expect(names).toContain(`peak-dial ${incident}`);
    expect(names).toContain(`peak-dial ${incident}, cured`);
  }
  expect(names).toContain('peak-dial packet-loss');
  expect(names).not.toContain('peak-dial packet-loss, cured');
  expect(names).toEqual(expect.arrayContaining(['peak-dial none', 'peak-dial ordinary failures']));
  expect(CASES.filter((c) => c.truth.length === 2).length).toBeGreaterThanOrEqual(6);
});

describe('healthy, cured, or only human: nothing is named', () => {
  test.each(CASES.filter((c) => c.truth.length === 0))('$name', ({ name }) => {
    expect(wrong(name, (r) => r.bad === 0 && Object.keys(r.named).length === 0)).toEqual([]);
    expect(wrong(name, (r) => r.word === 'PASS')).toEqual([]);
    expect(wrong(name, (r) => r.open === 0 && r.blocked === 0)).toEqual([]);
  });
});

describe('an incident is named', () => {
  test.each(CASES.filter((c) => c.truth.length === 1))('$name: $truth', ({ name, truth }) => {
    expect(wrong(name, (r) => r.bad > 0)).toEqual([]);
    expect(wrong(name, (r) => (r.named[truth[0]!] ?? 0) >= SHARE * r.bad)).toEqual([]);
    // A measurement that blames itself is no finding about the platform, and the defaults are budgets that fail.
    // A policy that does its work may keep every budget.
    const words = POLICIES.includes(truth[0]!) ? ['FAIL', 'PASS'] : ['FAIL'];
    expect(wrong(name, (r) => words.includes(r.word))).toEqual([]);
    expect(wrong(name, (r) => r.open === 0 && r.blocked === 0)).toEqual([]);
  });
});

describe('two at once are two causes', () => {
  test.each(CASES.filter((c) => c.truth.length === 2))('$name: $truth', ({ name, truth }) => {
    expect(wrong(name, (r) => truth.every((cause) => (r.named[cause] ?? 0) > 0))).toEqual([]);
    expect(wrong(name, (r) => truth.reduce((n, cause) => n + (r.named[cause] ?? 0), 0) >= SHARE * r.bad)).toEqual([]);
  });
});

test(`macro precision and recall are ${LEAST} at least, over every cause`, () => {
  expect(table.macro.precision).toBeGreaterThanOrEqual(LEAST);
  expect(table.macro.recall).toBeGreaterThanOrEqual(LEAST);
  for (const cause of table.causes) expect(cause.namedAfterMs, cause.cause).not.toBeNull();
});
