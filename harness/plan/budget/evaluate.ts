import { type Interval, quantileInterval, samplesToDecide, wilson, holds as within } from './interval.js';
import type { METRICS, MetricName } from './metrics.js';
import type { Budget, Operator } from './parse.js';

export interface MetricValue {
  counter: number;
  rate: { hit: number; total: number };
  /** Sorted, smallest first. */
  trend: Float64Array;
}
/** A text says why there is no data; an absent counter is not the same as 0. */
export type Measured = MetricValue[keyof MetricValue] | string;
export type MetricValues = { [M in MetricName]?: MetricValue[(typeof METRICS)[M]['kind']] | string };

export interface BudgetResult {
  text: string;
  ok: boolean;
  /** A budget that only warns: crossed, it does not fail the run. */
  warn: boolean;
  /** null: no data. */
  actual: number | null;
  /** 95 % of a rate (Wilson), null for everything else. */
  interval: Interval | null;
  /** The sample is too small: chance alone may have put it on this side of the limit. */
  undecided: boolean;
  reason: string;
}

export function evaluate(budget: Budget, value: Measured | undefined): BudgetResult {
  const { text, warn, metric, aggregation, operator, limit } = budget;
  const none = noData(metric, value);
  if (none !== null || value === undefined || typeof value === 'string') {
    const reason = `no data: ${none}`;
    return { text, ok: false, warn, actual: null, interval: null, undecided: false, reason };
  }
  const actual = aggregate(budget, value);
  const ok = holds(actual, operator, limit);
  const what = `${name(budget)} ${aggregation} is ${round(actual)}${ok ? '' : `, not ${operator} ${limit}`}`;
  const doubt = doubtOf(budget, value);
  const reason = [what, ...doubt.said].join('; ');
  return { text, ok, warn, actual, interval: doubt.interval, undecided: doubt.undecided, reason };
}

/** As it was narrowed: `drop_rate{tenant:acme}`. */
export function name({ metric, tags }: Pick<Budget, 'metric' | 'tags'>): string {
  const written = Object.entries(tags).map(([tag, value]) => `${tag}:${value}`);
  return written.length === 0 ? metric : `${metric}{${written.join(',')}}`;
}

/** Why there is nothing to judge; null when there is. */
function noData(metric: MetricName, value: Measured | undefined): string | null {
  if (value === undefined) return `${metric} was not measured`;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${metric} is not a number`;
  if (value instanceof Float64Array) return value.length === 0 ? `${metric} has no samples` : null;
  return value.total > 0 ? null : `${metric} is a share of 0 calls`;
}

interface Doubt {
  interval: Interval | null;
  undecided: boolean;
  said: string[];
}
const NO_DOUBT: Doubt = { interval: null, undecided: false, said: [] };

/** Whether so few samples can tell. Nothing parts a share from 0 or 1, nor from one number: these are about this run alone. */
function doubtOf(budget: Budget, value: Exclude<Measured, string>): Doubt {
  const { operator, limit } = budget;
  const exact = operator === '==' || operator === '===' || operator === '!=';
  if (typeof value === 'number') return NO_DOUBT;
  if (value instanceof Float64Array) {
    const q = budget.percentile === null ? (budget.aggregation === 'med' ? 0.5 : null) : budget.percentile / 100;
    if (q === null || exact || q === 0 || q === 1) return NO_DOUBT;
    const { low, high } = quantileInterval(value, q);
    const undecided = (low === null || low <= limit) && (high === null || limit <= high);
    const span = `95 % between ${low === null ? 'anything less' : round(low)} and ${high === null ? 'anything more' : round(high)}`;
    return { interval: null, undecided, said: undecided ? [`too few to tell: ${value.length} samples, ${span}`] : [] };
  }
  const { hit, total } = value;
  const interval = wilson(hit, total);
  const said = [`95 % between ${round(interval.low, 3)} and ${round(interval.high, 3)}`];
  const undecided = !exact && limit > 0 && limit < 1 && within(interval, limit);
  if (undecided) {
    const wanted = samplesToDecide(hit, total, limit);
    said.push(`too few to tell: ${total}${wanted === null ? '' : `, about ${wanted} would`}`);
  }
  return { interval, undecided, said };
}

function aggregate(budget: Budget, value: Exclude<Measured, string>): number {
  if (typeof value === 'number') return value;
  return value instanceof Float64Array ? ofTrend(budget, value) : value.hit / value.total;
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

function round(x: number, digits = 6): number {
  return Number(x.toPrecision(digits));
}
