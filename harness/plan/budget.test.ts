import { describe, expect, it } from 'vitest';
import { HarnessError } from '../errors.js';
import { evaluate, type MetricValues, parseBudget } from './budget.js';

const values: MetricValues = {
  drop_rate: { hit: 3, total: 100 },
  asr: { hit: 0, total: 0 },
  srd_ms: Float64Array.from([10, 20, 30, 40]),
  mos: new Float64Array(0),
  bad_calls: 3,
  one_way: 0,
};

describe('a budget holds or not', () => {
  it.each([
    ['drop_rate: rate<0.05', true, 0.03, 'drop_rate rate is 0.03'],
    ['drop_rate: rate < 0.01', false, 0.03, 'drop_rate rate is 0.03, not < 0.01'],
    ['drop_rate:rate<=.03', true, 0.03, 'drop_rate rate is 0.03'],
    ['srd_ms: avg==25', true, 25, 'srd_ms avg is 25'],
    ['srd_ms: min>=10', true, 10, 'srd_ms min is 10'],
    ['srd_ms: max!=40', false, 40, 'srd_ms max is 40, not != 40'],
    ['srd_ms: med===25', true, 25, 'srd_ms med is 25'],
    ['srd_ms: p(95)<39', true, 38.5, 'srd_ms p(95) is 38.5'],
    ['srd_ms: p( 99.9 ) > 1e3', false, 39.97, 'srd_ms p(99.9) is 39.97, not > 1000'],
    ['srd_ms: p(0)<=10', true, 10, 'srd_ms p(0) is 10'],
    ['srd_ms: p(100)<=40', true, 40, 'srd_ms p(100) is 40'],
    ['bad_calls: count<3', false, 3, 'bad_calls count is 3, not < 3'],
    ['one_way: value==0', true, 0, 'one_way value is 0'],
    ['one_way: count > -1', true, 0, 'one_way count is 0'],
  ])('%s', (text, ok, actual, reason) => {
    const result = evaluate(parseBudget(text), values);
    expect(result).toMatchObject({ text, ok, reason });
    expect(result.actual).toBeCloseTo(actual, 9);
  });

  it.each([
    ['asr: rate>=0', 'no data: asr is a share of 0 calls'],
    ['mos: avg>=0', 'no data: mos has no samples'],
    ['sdd_ms: max>=0', 'no data: sdd_ms was not measured'],
    ['dead_air: count==0', 'no data: dead_air was not measured'],
  ])('%s fails without data', (text, reason) => {
    expect(evaluate(parseBudget(text), values)).toEqual({ text, ok: false, actual: null, reason });
  });
});

describe('a budget that cannot be read is one line', () => {
  const shape = 'an aggregation, one of < <= > >= == != ===, and a number without a unit';
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
    ['mos{side:caller}: avg>4', 'tags in braces are not supported; name the metric alone'],
  ])('%s', (text, why) => {
    expect(() => parseBudget(text)).toThrow(new HarnessError('BAD_BUDGET', `budget "${text}": ${why}`));
  });

  it('suggests the metric that was meant', () => {
    expect(() => parseBudget('droprate: rate<1')).toThrow(
      'budget "droprate: rate<1": there is no metric droprate (did you mean drop_rate?); there are asr, ',
    );
    expect(() => parseBudget('toString: rate<1')).toThrow('there is no metric toString');
    expect(() => parseBudget('http_req_duration: p(95)<1')).toThrow('no metric http_req_duration; there are asr');
  });
});
