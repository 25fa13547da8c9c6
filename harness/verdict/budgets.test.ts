import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultRecord } from '../collect/schema.js';
import { judge } from './index.js';
import { tail } from './recovery.js';
import { deafen, goodCall, platformBye, refused, SyntheticRun } from './testing.js';
import type { Verdict } from './types.js';

/**
 * 100 calls, one a second, of two tenants in turn. From 30 s to 50 s a fault is on: every call that begins then is refused,
 * and so are those of the 10 s after it. Call 5 is one way, long before.
 */
const fault: FaultRecord = {
  kind: 'db-lock',
  intendedAtMs: 30_000,
  appliedAtMs: 30_000,
  removedAtMs: 50_000,
  provenRemoved: true,
  note: '',
};
const run = new SyntheticRun();
let verdict: Verdict;
const BUDGETS: [text: string, ok: boolean, reason: string][] = [
  ['asr: rate>=0.7', true, 'asr rate is 0.7; 95 % between 0.604 and 0.781; too few to tell: 100'],
  [
    'asr{window:during}: rate>0.5',
    false,
    'asr{window:during} rate is 0.130435, not > 0.5; 95 % between 0.0454 and 0.321',
  ],
  [
    'asr{fault:db-lock}: rate<0.2',
    true,
    'asr{fault:db-lock} rate is 0.130435; 95 % between 0.0454 and 0.321; too few to tell: 23, about 128 would',
  ],
  ['asr{window:before}: rate==1', true, 'asr{window:before} rate is 1; 95 % between 0.875 and 1'],
  [
    'asr{window:outside}: rate>0.9',
    false,
    'asr{window:outside} rate is 0.87013, not > 0.9; 95 % between 0.777 and 0.928; too few to tell: 77, about 388 would',
  ],
  ['asr{window:after}: rate>0.5', true, 'asr{window:after} rate is 0.8; 95 % between 0.67 and 0.888'],
  ['asr{fault:router-reload}: rate>0', false, 'no data: no fault router-reload was on'],
  ['isa{tenant:acme}: rate<0.5', true, 'isa{tenant:acme} rate is 0.3; 95 % between 0.191 and 0.438'],
  [
    'isa{tenant:globex.test,window:before}: rate==0',
    true,
    'isa{tenant:globex.test,window:before} rate is 0; 95 % between 0 and 0.228',
  ],
  ['isa{tenant:1}: rate<0.9', true, 'isa{tenant:1} rate is 0.3; 95 % between 0.191 and 0.438'],
  ['isa{tenant:initech}: rate<0.9', false, 'no data: there is no tenant initech in this run'],
  ['one_way: count==0', false, 'one_way count is 1, not == 0'],
  ['one_way: count==0 warn', false, 'one_way count is 1, not == 0'],
  ['one_way{tenant:acme}: count==0', true, 'one_way{tenant:acme} count is 0'],
  ['bad_calls{cause:unknown}: count==31', true, 'bad_calls{cause:unknown} count is 31'],
  ['bad_rate{cause:db-stall}: rate==0', true, 'bad_rate{cause:db-stall} rate is 0; 95 % between 0 and 0.037'],
  ['mos{side:caller}: min>4', true, 'mos{side:caller} min is 4.3646'],
  ['mos{side:callee}: min>4', false, 'mos{side:callee} min is 1.19798, not > 4'],
  ['recovery_ms: value<5000', false, 'recovery_ms value is 9000.3, not < 5000'],
  ['recovery_ms{fault:nothing}: value<5000', false, 'no data: no fault nothing was on'],
  ['rrd_ms: p(95)<500', false, 'no data: rrd_ms has no samples'],
];

beforeAll(async () => {
  for (let i = 0; i < 100; i++) {
    const atMs = i * 1000;
    if (i >= 30 && i < 60) {
      const leg = refused(i, atMs, 503);
      leg.tenant = i % 2;
      run.add(leg);
      continue;
    }
    const pair = goodCall(i, atMs, 3000);
    for (const leg of [pair.caller, pair.callee]) leg.tenant = i % 2;
    if (i === 5) deafen(pair.callee);
    run.addPair(pair);
  }
  verdict = await judge(await run.finish({ tenants: ['acme.test', 'globex.test'] }), {
    injectedCause: null,
    budgets: BUDGETS.map(([text]) => text),
    faults: [fault],
    command: 'deadair',
  });
});
afterAll(() => rmSync(run.dir, { recursive: true, force: true }));

it.each(BUDGETS.map(([text, ok, reason], i) => ({ text, ok, reason, i })))('$text', ({ text, ok, reason, i }) => {
  expect(verdict.budgets[i]).toMatchObject({ text, ok, reason });
});

it('a warning alone fails nothing; what is crossed does, and is a reason', () => {
  expect(verdict.outcome.word).toBe('FAIL');
  expect(verdict.outcome.reasons).toContain('one_way: count==0: one_way count is 1, not == 0');
  expect(verdict.outcome.reasons.join()).not.toContain('warn');
});

describe('recovery', () => {
  const recovery = async (bad: readonly number[], faults: FaultRecord[] = [fault]): Promise<string> => {
    const one = new SyntheticRun();
    for (let i = 0; i < 100; i++) {
      const pair = goodCall(i, i * 1000, 3000);
      if (bad.includes(i)) platformBye(pair, 1000, 41);
      one.addPair(pair);
    }
    const options = { injectedCause: null, budgets: ['recovery_ms: value<1'], faults, command: '' };
    const judged = await judge(await one.finish(), options);
    rmSync(one.dir, { recursive: true });
    return judged.budgets[0]!.reason;
  };

  it('is at once when calls after the fault go as those before', async () => {
    expect(await recovery([40, 41, 42])).toBe('recovery_ms value is 0');
  });
  it('is not there when the run ends sick, or nothing was done', async () => {
    const late = Array.from({ length: 20 }, (_, i) => 80 + i);
    expect(await recovery(late)).toBe('no data: calls still went worse than before the fault when the run ended');
    expect(await recovery([], [])).toBe('no data: no fault was on');
  });
  it('a bad call now and then is no sickness where there were such before', async () => {
    expect(await recovery([3, 13, 23, 55, 75])).toBe('recovery_ms value is 0');
  });
  it('tail of the binomial, against the sum by hand', () => {
    expect(tail(2, 3, 0.5)).toBeCloseTo(0.5, 12);
    expect(tail(0, 10, 0.3)).toBe(1);
  });
});
