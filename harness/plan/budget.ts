/**
 * Budgets in k6's threshold grammar, `metric: aggregation operator number`, as in `srd_ms: p(95)<500`.
 * Unlike k6, a budget that had no data fails: silence is not health.
 */
import { HarnessError } from '../errors.js';
import { didYouMean } from './nearest.js';

/** counter: how many. rate: the share of some that had a property, 0..1. trend: a set of samples. */
export type MetricKind = 'counter' | 'rate' | 'trend';

/** Names with a clause are those of RFC 6076; its ratios are percentages, ours go from 0 to 1 as k6's rates do. */
export const METRICS = {
  asr: { kind: 'rate', doc: 'answer seizure ratio: INVITEs answered with 200 / all INVITEs (ITU-T E.411)' },
  ser: { kind: 'rate', doc: 'session establishment ratio: 200 / INVITEs without those that got 3xx (RFC 6076 4.6)' },
  seer: {
    kind: 'rate',
    doc: 'session establishment effectiveness: 200, 480, 486, 600 or 603 / INVITEs without 3xx (RFC 6076 4.7)',
  },
  isa: { kind: 'rate', doc: 'ineffective session attempts: 408, 500, 503, 504 or nothing / INVITEs (RFC 6076 4.8)' },
  scr: { kind: 'rate', doc: 'session completion ratio: set up and ended as intended / INVITEs (RFC 6076 4.9)' },
  srd_ms: { kind: 'trend', doc: 'session request delay, successful: INVITE to first 18x or 200 (RFC 6076 4.3.1)' },
  srd_failed_ms: { kind: 'trend', doc: 'session request delay, failed: INVITE to 4xx-6xx (RFC 6076 4.3.2)' },
  sdd_ms: { kind: 'trend', doc: 'session disconnect delay: BYE to its 2xx (RFC 6076 4.4)' },
  sdt_ms: { kind: 'trend', doc: 'session duration: 200 to BYE of completed calls (RFC 6076 4.5.1)' },
  pdd_ms: { kind: 'trend', doc: 'post-dial delay: INVITE to first 18x' },
  drop_rate: { kind: 'rate', doc: 'answered calls that somebody else ended before the caller meant to / answered' },
  bad_rate: { kind: 'rate', doc: 'calls with any defect / calls started' },
  bad_calls: { kind: 'counter', doc: 'calls with any defect' },
  dead_air: { kind: 'counter', doc: 'answered calls in which neither side heard the other' },
  one_way: { kind: 'counter', doc: 'answered calls in which one side heard nothing' },
  crossed_audio: { kind: 'counter', doc: 'calls in which the audio of another call was heard' },
  unknown_cause: { kind: 'counter', doc: 'bad calls whose cause the diagnosis does not know' },
  blocked: { kind: 'counter', doc: 'calls that were due and that the generator could not start' },
  mos: { kind: 'trend', doc: 'mean opinion score of each direction of audio, 1..4.5 (ITU-T G.107)' },
  loss_pct: { kind: 'trend', doc: 'RTP packets lost of each direction of audio, per cent' },
  jitter_ms: { kind: 'trend', doc: 'interarrival jitter of each direction of audio (RFC 3550 6.4.1)' },
  rrd_ms: { kind: 'trend', doc: 'registration request delay: first REGISTER to its 200 (RFC 6076 4.1)' },
  ira: { kind: 'rate', doc: 'ineffective registration attempts: refused or timed out / ended (RFC 6076 4.2)' },
  registered_share: { kind: 'rate', doc: 'phones that hold a binding at the end of the run / phones' },
  time_to_95_ms: { kind: 'counter', doc: 'from the last wave’s first phone until 95 % of its phones were back, ms' },
  webphone_asr: { kind: 'rate', doc: 'calls of the sip.js webphones that were answered / tried' },
  webphone_heard: {
    kind: 'rate',
    doc: 'answered calls of the webphones with audio both ways / those that could be judged',
  },
  lateness_ms: { kind: 'trend', doc: 'how long after its intended instant a call was started: ours, not the target’s' },
} as const satisfies Record<string, { kind: MetricKind; doc: string }>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

export interface MetricValue {
  counter: number;
  rate: { hit: number; total: number };
  /** Sorted, smallest first. */
  trend: Float64Array;
}
/** A metric that is absent has no data; an absent counter is not the same as 0. */
export type MetricValues = { [M in MetricName]?: MetricValue[(typeof METRICS)[M]['kind']] };

/** k6's, without those for a gauge. `value` of a counter is its count. */
const AGGREGATIONS: Record<MetricKind, readonly string[]> = {
  counter: ['count', 'value'],
  rate: ['rate'],
  trend: ['avg', 'min', 'med', 'max', 'p(N)'],
};
const KNOWN_AGGREGATIONS = ['count', 'rate', 'value', 'avg', 'min', 'med', 'max', 'p(N)'];

export type Operator = '<' | '<=' | '>' | '>=' | '==' | '!=' | '===';

export interface Budget {
  metric: MetricName;
  aggregation: string;
  /** 0..100; null unless the aggregation is p(N). */
  percentile: number | null;
  operator: Operator;
  limit: number;
  /** As it was written. */
  text: string;
}

export interface BudgetResult {
  text: string;
  ok: boolean;
  /** null: no data. */
  actual: number | null;
  reason: string;
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const EXPRESSION = new RegExp(String.raw`^(\w+(?:\(\s*(${NUMBER})\s*\))?)\s*(<=|>=|===|==|!=|<|>)\s*(${NUMBER})$`);

export function parseBudget(source: string): Budget {
  const text = source.trim();
  const bad = (why: string): HarnessError => new HarnessError('BAD_BUDGET', `budget "${text}": ${why}`);
  const colon = text.indexOf(':');
  if (colon < 1) throw bad('expected "metric: expression", for example "drop_rate: rate<0.01"');
  const metric = text.slice(0, colon).trim();
  if (metric.includes('{')) throw bad('tags in braces are not supported; name the metric alone');
  if (!isMetric(metric)) {
    throw bad(
      `there is no metric ${metric}${didYouMean(metric, METRIC_NAMES)}; there are ${[...METRIC_NAMES].sort().join(', ')}`,
    );
  }
  const expression = text.slice(colon + 1).trim();
  const match = EXPRESSION.exec(expression);
  if (match === null) {
    throw bad(
      `cannot read "${expression}"; expected an aggregation, one of < <= > >= == != ===, and a number without a unit, for example "${example(METRICS[metric].kind)}"`,
    );
  }
  const [, written = '', n, operator, limit] = match;
  const aggregation = n === undefined ? written : `p(${Number(n)})`;
  const name = n === undefined ? written : `${written.slice(0, written.indexOf('('))}(N)`;
  if (!KNOWN_AGGREGATIONS.includes(name)) {
    throw bad(`there is no aggregation ${written}; there are ${KNOWN_AGGREGATIONS.join(', ')}`);
  }
  const { kind } = METRICS[metric];
  if (!AGGREGATIONS[kind].includes(name)) {
    throw bad(`${metric} is a ${kind}, which has ${AGGREGATIONS[kind].join(', ')}, not ${written}`);
  }
  const percentile = n === undefined ? null : Number(n);
  if (percentile !== null && !(percentile >= 0 && percentile <= 100)) throw bad('N of p(N) must be between 0 and 100');
  return { metric, aggregation, percentile, operator: operator as Operator, limit: Number(limit), text };
}

export function evaluate(budget: Budget, values: MetricValues): BudgetResult {
  const { text } = budget;
  const actual = aggregate(budget, values);
  if (typeof actual === 'string') return { text, ok: false, actual: null, reason: `no data: ${actual}` };
  const ok = holds(actual, budget.operator, budget.limit);
  const what = `${budget.metric} ${budget.aggregation} is ${round(actual)}`;
  return { text, ok, actual, reason: ok ? what : `${what}, not ${budget.operator} ${budget.limit}` };
}

/** The number, or why there is none. */
function aggregate(budget: Budget, values: MetricValues): number | string {
  const { metric } = budget;
  const value: number | { hit: number; total: number } | Float64Array | undefined = values[metric];
  if (value === undefined) return `${metric} was not measured`;
  if (typeof value === 'number') return Number.isFinite(value) ? value : `${metric} is not a number`;
  if (value instanceof Float64Array) {
    return value.length === 0 ? `${metric} has no samples` : ofTrend(budget, value);
  }
  return value.total > 0 ? value.hit / value.total : `${metric} is a share of 0 calls`;
}

function ofTrend(budget: Budget, sorted: Float64Array): number {
  switch (budget.aggregation) {
    case 'avg':
      return sorted.reduce((sum, x) => sum + x, 0) / sorted.length;
    case 'min':
      return sorted[0]!;
    case 'max':
      return sorted[sorted.length - 1]!;
    default:
      return quantile(sorted, budget.percentile === null ? 0.5 : budget.percentile / 100);
  }
}

/** Linear between the two closest ranks, as k6 does. `sorted` must not be empty. */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low]!;
  return low + 1 < sorted.length ? a + (sorted[low + 1]! - a) * (at - low) : a;
}

function holds(actual: number, operator: Operator, limit: number): boolean {
  switch (operator) {
    case '<':
      return actual < limit;
    case '<=':
      return actual <= limit;
    case '>':
      return actual > limit;
    case '>=':
      return actual >= limit;
    case '!=':
      return actual !== limit;
    default:
      return actual === limit;
  }
}

function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

function example(kind: MetricKind): string {
  return { counter: 'count==0', rate: 'rate<0.01', trend: 'p(95)<500' }[kind];
}

function round(x: number): number {
  return Number(x.toPrecision(6));
}
