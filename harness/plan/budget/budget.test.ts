import { describe, expect, it } from 'vitest';
import { HarnessError } from '../../errors.js';
import { evaluate, type Measured } from './evaluate.js';
import { quantileInterval, samplesToDecide, wilson } from './interval.js';
import { parseBudget } from './parse.js';

const values: Record<string, Measured> = {
  drop_rate: { hit: 3, total: 100 },
  'drop_rate{tenant:acme,window:outside}': { hit: 0, total: 1000 },
  asr: { hit: 0, total: 0 },
  ser: { hit: 990, total: 1000 },
  srd_ms: Float64Array.from([10, 20, 30, 40]),
  pdd_ms: Float64Array.from({ length: 1000 }, (_, i) => i + 1),
  mos: new Float64Array(0),
  bad_calls: 3,
  one_way: 0,
  recovery_ms: 'no fault was on',
};
const judge = (text: string) => {
  const budget = parseBudget(text);
  return evaluate(budget, values[text.slice(0, text.lastIndexOf(':')).replace(/\s/g, '')]);
};

describe('a budget holds or not, and the line says why', () => {
  it.each([
    ['drop_rate: rate<0.3', true, 'drop_rate rate is 0.03; 95 % between 0.0103 and 0.0845'],
    ['drop_rate: rate < 0.01', false, 'drop_rate rate is 0.03, not < 0.01; 95 % between 0.0103 and 0.0845'],
    ['drop_rate:rate<=.03', true, 'drop_rate rate is 0.03; 95 % between 0.0103 and 0.0845; too few to tell: 100'],
    [
      'drop_rate: rate<0.05',
      true,
      'drop_rate rate is 0.03; 95 % between 0.0103 and 0.0845; too few to tell: 100, about 457 would',
    ],
    [
      'drop_rate{ tenant:acme, window:outside }: rate<0.005 warn',
      true,
      'drop_rate{tenant:acme,window:outside} rate is 0; 95 % between 0 and 0.00383',
    ],
    ['ser: rate>0.98 abortOnFail delayAbortEval=10s', true, 'ser rate is 0.99; 95 % between 0.982 and 0.995'],
    ['ser: rate==1', false, 'ser rate is 0.99, not == 1; 95 % between 0.982 and 0.995'],
    ['srd_ms: avg==25', true, 'srd_ms avg is 25'],
    ['srd_ms: min>=10', true, 'srd_ms min is 10'],
    ['srd_ms: max!=40', false, 'srd_ms max is 40, not != 40'],
    ['srd_ms: med===25', true, 'srd_ms med is 25'],
    ['srd_ms: p(95)<39', true, 'srd_ms p(95) is 38.5; too few to tell: 4 samples, 95 % between 20 and anything more'],
    [
      'srd_ms: p( 99.9 ) > 1e3',
      false,
      'srd_ms p(99.9) is 39.97, not > 1000; too few to tell: 4 samples, 95 % between 30 and anything more',
    ],
    ['pdd_ms: p(95)<1000', true, 'pdd_ms p(95) is 950.05'],
    ['pdd_ms: p(95)<955', true, 'pdd_ms p(95) is 950.05; too few to tell: 1000 samples, 95 % between 936 and 965'],
    ['srd_ms: p(0)<=10', true, 'srd_ms p(0) is 10'],
    ['srd_ms: p(100)<=40', true, 'srd_ms p(100) is 40'],
    ['bad_calls: count<3', false, 'bad_calls count is 3, not < 3'],
    ['one_way: value==0', true, 'one_way value is 0'],
    ['one_way: count > -1', true, 'one_way count is 0'],
  ])('%s', (text, ok, reason) => {
    expect(judge(text)).toMatchObject({ text, ok, reason, undecided: reason.includes('too few') });
  });

  it.each([
    ['asr: rate>=0', 'no data: asr is a share of 0 calls'],
    ['mos: avg>=0', 'no data: mos has no samples'],
    ['sdd_ms: max>=0', 'no data: sdd_ms was not measured'],
    ['dead_air: count==0', 'no data: dead_air was not measured'],
    ['recovery_ms: value<5000', 'no data: no fault was on'],
  ])('%s fails without data', (text, reason) => {
    expect(judge(text)).toMatchObject({ text, ok: false, actual: null, reason });
  });
});

describe('a budget that cannot be read is one line', () => {
  const shape = 'an aggregation, one of < <= > >= == != ===, and a number without a unit';
  const live = 'asr, ser, seer, isa, srd_ms, srd_failed_ms, sdd_ms, pdd_ms, drop_rate, blocked, lateness_ms';
  it.each([
    ['rate<0.01', 'expected "metric: expression", for example "drop_rate: rate<0.01"'],
    ['mos:', `cannot read ""; expected ${shape}, for example "p(95)<500"`],
    ['pdd_ms: p(95)<500ms', `cannot read "p(95)<500ms"; expected ${shape}, for example "p(95)<500"`],
    ['drop_rate: rate=0', `cannot read "rate=0"; expected ${shape}, for example "rate<0.01"`],
    ['drop_rate: rate<0.01 && rate>0', `cannot read "rate<0.01 && rate>0"; expected ${shape}, for example "rate<0.01"`],
    ['pdd_ms: p(101)<5', 'N of p(N) must be between 0 and 100'],
    ['pdd_ms: p95<5', 'there is no aggregation p95; there are count, rate, value, avg, min, med, max, p(N)'],
    ['pdd_ms: rate<5', 'pdd_ms is a trend, which has avg, min, med, max, p(N), not rate'],
    ['drop_rate: p(95)<5', 'drop_rate is a rate, which has rate, not p(95)'],
    ['dead_air: rate<5', 'dead_air is a counter, which has count, value, not rate'],
    ['mos{side}: avg>4', 'cannot read the tag "side"; expected tag:value, for example {window:outside}'],
    ['mos{sid:caller}: avg>4', 'mos has no tag sid (did you mean side?); it has tenant, window, fault, side'],
    ['mos{side:callers}: avg>4', 'there is no side callers (did you mean caller?); there are caller, callee'],
    [
      'asr{window:durin}: rate>0',
      'there is no window durin (did you mean during?); there are during, outside, before, after',
    ],
    ['blocked{tenant:acme}: count==0', 'blocked has no tag tenant; it has none'],
    ['asr{tenant:a,tenant:b}: rate>0', 'the tag tenant is there twice'],
    [
      'asr: rate>0.9 wran',
      'there is no option wran (did you mean warn?); there are warn, abortOnFail, delayAbortEval=10s',
    ],
    [
      'asr: rate>0.9 abortOnFail delayAbortEval=10',
      'delayAbortEval=10: expected a time with its unit, for example delayAbortEval=10s',
    ],
    ['asr: rate>0.9 delayAbortEval=10s', 'delayAbortEval is of abortOnFail, which is not there'],
    ['asr: rate>0.9 warn abortOnFail', 'warn and abortOnFail exclude each other'],
    ['mos: avg>4 abortOnFail', `abortOnFail needs what is known while calls are up; mos is not, ${live} are`],
    ['asr{tenant:acme}: rate>0.9 abortOnFail', 'abortOnFail is for the whole run; leave the tags out'],
  ])('%s', (text, why) => {
    expect(() => parseBudget(text)).toThrow(new HarnessError('BAD_BUDGET', `budget "${text}": ${why}`));
  });

  it('a cause is of the closed list', () => {
    expect(() => parseBudget('bad_calls{cause:db-stal}: count==0')).toThrow(
      'there is no cause db-stal (did you mean db-stall?); there are nat-table-full,',
    );
  });

  it('suggests the metric that was meant', () => {
    expect(() => parseBudget('droprate: rate<1')).toThrow(
      'budget "droprate: rate<1": there is no metric droprate (did you mean drop_rate?); there are asr, ',
    );
    expect(() => parseBudget('toString: rate<1')).toThrow('there is no metric toString');
    expect(() => parseBudget('http_req_duration: p(95)<1')).toThrow('no metric http_req_duration; there are asr');
  });
});

describe('intervals', () => {
  it("Wilson's, against figures worked by hand", () => {
    // 3 of 100: centre 0.0473, half-width 0.0371 (z = 1.96).
    expect(wilson(3, 100).low).toBeCloseTo(0.01025, 4);
    expect(wilson(3, 100).high).toBeCloseTo(0.08452, 4);
    // 0 of n ends at z²/(n + z²).
    expect(wilson(0, 10).high).toBeCloseTo(3.8415 / 13.8415, 4);
    expect(wilson(10, 10).low).toBeCloseTo(1 - wilson(0, 10).high, 12);
    expect(wilson(10, 10).high).toBe(1);
  });

  it('says how many samples would decide, and they do', () => {
    const n = samplesToDecide(3, 100, 0.05)!;
    expect(wilson(0.03 * n, n).high).toBeLessThan(0.05);
    expect(wilson(0.03 * (n - 10), n - 10).high).toBeGreaterThanOrEqual(0.05);
  });

  it('of a quantile by ranks: none where the sample has no such rank', () => {
    const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    expect(quantileInterval(hundred, 0.5)).toEqual({ low: 40, high: 61 });
    expect(quantileInterval(hundred, 0.99)).toEqual({ low: 97, high: null });
  });
});
