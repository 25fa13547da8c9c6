/**
 * Budgets in k6's threshold grammar, `metric{tag:value}: aggregation operator number`, as in `srd_ms: p(95)<500`, and after
 * it k6's options as words: `abortOnFail`, `delayAbortEval=10s`; and `warn`.
 * Unlike k6, a budget that had no data fails: silence is not health.
 */
import { HarnessError } from '../../errors.js';
import { CAUSES } from '../causes.js';
import { didYouMean } from '../nearest.js';
import {
  AGGREGATIONS,
  isMetric,
  KNOWN_AGGREGATIONS,
  LIVE_METRICS,
  METRIC_NAMES,
  METRICS,
  type MetricKind,
  type MetricName,
  SIDES,
  TAGS_OF,
  type TagName,
  WINDOWS,
} from './metrics.js';

export type Operator = '<' | '<=' | '>' | '>=' | '==' | '!=' | '===';
export type Tags = { [T in TagName]?: string };

export interface Budget {
  metric: MetricName;
  tags: Tags;
  aggregation: string;
  /** 0..100; null unless the aggregation is p(N). */
  percentile: number | null;
  operator: Operator;
  limit: number;
  /** Crossed, it is told, and does not fail the run. */
  warn: boolean;
  /** Crossed for sure, it ends the run; but not before so many ms of it. Null: it does not. */
  abortAfterMs: number | null;
  /** As it was written. */
  text: string;
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const EXPRESSION = new RegExp(
  String.raw`^(\w+(?:\(\s*(${NUMBER})\s*\))?)\s*(<=|>=|===|==|!=|<|>)\s*(${NUMBER})((?:\s+[A-Za-z]\w*(?:=\S*)?)*)$`,
);
const OPTIONS = ['warn', 'abortOnFail', 'delayAbortEval=10s'];

export function parseBudget(source: string): Budget {
  const text = source.trim();
  const bad = (why: string): HarnessError => new HarnessError('BAD_BUDGET', `budget "${text}": ${why}`);
  const parts = /^([^:{]*)(?:\{([^}]*)\})?\s*:(.*)$/s.exec(text);
  const metric = parts?.[1]?.trim() ?? '';
  if (parts === null || metric === '') throw bad('expected "metric: expression", for example "drop_rate: rate<0.01"');
  if (!isMetric(metric)) {
    throw bad(
      `there is no metric ${metric}${didYouMean(metric, METRIC_NAMES)}; there are ${[...METRIC_NAMES].sort().join(', ')}`,
    );
  }
  const tags = parseTags(metric, parts[2], bad);
  const expression = parts[3]!.trim();
  const match = EXPRESSION.exec(expression);
  if (match === null) {
    throw bad(
      `cannot read "${expression}"; expected an aggregation, one of < <= > >= == != ===, and a number without a unit, for example "${example(METRICS[metric].kind)}"`,
    );
  }
  const [, written = '', n, operator, limit, words = ''] = match;
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
  const options = parseOptions(words.split(/\s+/).filter(Boolean), bad);
  if (options.abortAfterMs !== null) {
    if (!LIVE_METRICS.includes(metric)) {
      throw bad(`abortOnFail needs what is known while calls are up; ${metric} is not, ${LIVE_METRICS.join(', ')} are`);
    }
    if (Object.keys(tags).length > 0) throw bad('abortOnFail is for the whole run; leave the tags out');
  }
  return {
    metric,
    tags,
    aggregation,
    percentile,
    operator: operator as Operator,
    limit: Number(limit),
    ...options,
    text,
  };
}

function parseTags(metric: MetricName, written: string | undefined, bad: (why: string) => HarnessError): Tags {
  const tags: Tags = {};
  if (written === undefined) return tags;
  const known: readonly TagName[] = TAGS_OF[METRICS[metric].of];
  for (const pair of written.split(',')) {
    const [, name = '', value = ''] = /^\s*(\w+)\s*:\s*(.*?)\s*$/.exec(pair) ?? [];
    if (value === '')
      throw bad(`cannot read the tag "${pair.trim()}"; expected tag:value, for example {window:outside}`);
    const tag = known.find((t) => t === name);
    if (tag === undefined) {
      const there = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
      throw bad(`${metric} has no tag ${name}${didYouMean(name, known)}; ${there}`);
    }
    if (tags[tag] !== undefined) throw bad(`the tag ${name} is there twice`);
    const choices = CHOICES[tag];
    if (choices !== undefined && !choices.includes(value)) {
      throw bad(`there is no ${name} ${value}${didYouMean(value, choices)}; there are ${choices.join(', ')}`);
    }
    tags[tag] = value;
  }
  return tags;
}

const CHOICES: { [T in TagName]?: readonly string[] } = { window: WINDOWS, side: SIDES, cause: CAUSES };

function parseOptions(
  words: readonly string[],
  bad: (why: string) => HarnessError,
): Pick<Budget, 'warn' | 'abortAfterMs'> {
  let [warn, abort, delayMs] = [false, false, null as number | null];
  for (const word of words) {
    const [name, value] = word.split('=', 2);
    if (word === 'warn') warn = true;
    else if (word === 'abortOnFail') abort = true;
    else if (name === 'delayAbortEval') {
      const [, n, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value ?? '') ?? [];
      if (n === undefined) throw bad(`${word}: expected a time with its unit, for example delayAbortEval=10s`);
      delayMs = Number(n) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
    } else throw bad(`there is no option ${word}${didYouMean(name ?? '', OPTIONS)}; there are ${OPTIONS.join(', ')}`);
  }
  if (delayMs !== null && !abort) throw bad('delayAbortEval is of abortOnFail, which is not there');
  if (warn && abort) throw bad('warn and abortOnFail exclude each other');
  return { warn, abortAfterMs: abort ? (delayMs ?? 0) : null };
}

function example(kind: MetricKind): string {
  return { counter: 'count==0', rate: 'rate<0.01', trend: 'p(95)<500' }[kind];
}
