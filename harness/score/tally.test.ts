import { expect, test } from 'vitest';
import { scoreText } from '../cli/score.js';
import type { CaseResult } from './case-result.js';
import { tally } from './tally.js';

function run(truth: CaseResult['truth'], bad: number, named: CaseResult['named']): CaseResult {
  const namedAfterMs = Object.fromEntries(Object.keys(named).map((cause) => [cause, 1500]));
  return { name: 'x', seed: 1, truth, bad, named, namedAfterMs, word: 'FAIL', open: 0, blocked: 0 };
}
const causeOf = (results: CaseResult[], cause: string) => tally(results).causes.find((c) => c.cause === cause);

test('every bad call of one fault is its work', () => {
  const results = [run(['db-stall'], 10, { 'db-stall': 8, 'node-down': 1, unknown: 1 })];
  expect(causeOf(results, 'db-stall')).toMatchObject({ right: 8, missed: 2, precision: 1, recall: 0.8 });
  // A name that was never injected is wrong, and its precision of 0 is in the mean.
  expect(causeOf(results, 'node-down')).toMatchObject({ wrong: 1, precision: 0, recall: null });
  expect(tally(results).macro).toEqual({ precision: 0.5, recall: 0.8 });
});

test('of two faults either name is right; a fault that is not named has missed half', () => {
  const two = ['db-stall', 'packet-loss'] as CaseResult['truth'];
  expect(tally([run(two, 10, { 'db-stall': 4, 'packet-loss': 6 })]).macro).toEqual({ precision: 1, recall: 1 });
  const half = [run(two, 10, { 'db-stall': 10 })];
  expect(causeOf(half, 'db-stall')).toMatchObject({ right: 10, missed: 0 });
  expect(causeOf(half, 'packet-loss')).toMatchObject({ right: 0, missed: 5, recall: 0, namedAfterMs: null });
});

test('a name where nothing was injected is wrong; an incident without a bad call is missed', () => {
  const results = [run([], 2, { 'trunk-cps-limit': 2 }), run(['trunk-cps-limit'], 0, {})];
  expect(causeOf(results, 'trunk-cps-limit')).toMatchObject({ wrong: 2, missed: 1, precision: 0, recall: 0 });
  expect(tally(results).odd).toHaveLength(2);
  expect(tally(results).confusion).toEqual({ nothing: { 'trunk-cps-limit': 2 }, 'trunk-cps-limit': {} });
});

test('the table has no hole in it', () => {
  const text = scoreText(tally([run(['db-stall'], 10, { 'db-stall': 8, unknown: 2 }), run([], 0, {})]));
  expect(text).toContain('db-stall  1.000      0.800   1     8      0      2       1.5 s        1.5 s');
  expect(text).toContain('macro');
  expect(text).not.toMatch(/undefined|NaN|null/);
});
