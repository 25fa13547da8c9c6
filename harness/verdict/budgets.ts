import { evaluate, type MetricValues, parseBudget } from '../plan/budget.js';
import { ratios } from './kpi.js';
import type { OpenRun } from './read.js';
import { ineffectiveOf, RRD, registeredShare, wavesOf } from './registrations.js';
import { num } from './rule.js';
import type { BudgetResult } from './types.js';
import { witnessRates } from './witness.js';

/** Sorted samples of an expression over the calls; NULLs are no samples. */
async function trend(run: OpenRun, from: string): Promise<Float64Array> {
  const reader = await run.connection.runAndReadAll(
    `SELECT v::DOUBLE AS v FROM (${from}) WHERE v IS NOT NULL ORDER BY v`,
  );
  return Float64Array.from((reader.getColumnsJS()[0] ?? []) as number[]);
}

/** Everything that a budget can be set on. Only what the texts name is read: a million samples are not free. */
export async function metricValues(run: OpenRun, wanted: ReadonlySet<string>): Promise<MetricValues> {
  const values: MetricValues = {};
  const calls = (column: string, where = 'true'): string => `SELECT ${column} AS v FROM graded WHERE ${where}`;
  const bothWays = (column: string, factor = 1): string =>
    `SELECT ${factor} * a2b_${column} AS v FROM graded WHERE a2b_judged UNION ALL SELECT ${factor} * b2a_${column} FROM graded WHERE b2a_judged`;
  const trends = {
    srd_ms: calls('srd_ms'),
    srd_failed_ms: calls('srd_failed_ms'),
    sdd_ms: calls('sdd_ms'),
    sdt_ms: calls('talk_ms', 'completed'),
    pdd_ms: calls('pdd_ms'),
    mos: bothWays('mos'),
    loss_pct: bothWays('loss', 100),
    jitter_ms: bothWays('jitter_ms'),
    lateness_ms: calls('lateness_ms'),
    rrd_ms: `SELECT ${RRD} AS v FROM registrations`,
  } as const;
  for (const name of Object.keys(trends) as (keyof typeof trends)[])
    if (wanted.has(name)) values[name] = await trend(run, trends[name]);

  const of = await ratios(run);
  const rate = ([hit, total]: [number, number]) => ({ hit, total });
  values.asr = rate(of.asr);
  values.ser = rate(of.ser);
  values.seer = rate(of.seer);
  values.isa = rate(of.isa);
  values.scr = rate(of.scr);
  values.drop_rate = rate(of.drop);
  const n =
    await run.one(`SELECT count(*) AS calls, count(*) FILTER (bad) AS bad, count(*) FILTER (crossed_audio) AS crossed,
      count(*) FILTER (dead_air) AS dead_air, count(*) FILTER (one_way) AS one_way,
      count(*) FILTER (a2b_judged OR b2a_judged) AS heard,
      (SELECT count(*) FROM verdicts WHERE cause = 'unknown') AS unknown FROM graded`);
  values.bad_rate = { hit: num(n, 'bad'), total: num(n, 'calls') };
  if (num(n, 'calls') > 0) {
    values.bad_calls = num(n, 'bad');
    values.unknown_cause = num(n, 'unknown');
  }
  // Where no audio was listened to, "no dead air" would be a guess.
  if (num(n, 'heard') > 0) {
    values.dead_air = num(n, 'dead_air');
    values.one_way = num(n, 'one_way');
    values.crossed_audio = num(n, 'crossed');
  }
  if (wanted.has('ira')) values.ira = rate(await ineffectiveOf(run));
  if (wanted.has('registered_share')) values.registered_share = rate(await registeredShare(run));
  // A wave that never came back has no such time, and a budget without data fails.
  const to95Ms = wanted.has('time_to_95_ms') ? (await wavesOf(run)).at(-1)?.timeTo95Ms : null;
  if (typeof to95Ms === 'number') values.time_to_95_ms = to95Ms;
  if (wanted.has('webphone_asr') || wanted.has('webphone_heard')) {
    const witness = await witnessRates(run);
    values.webphone_asr = witness.asr;
    values.webphone_heard = witness.heard;
  }
  values.blocked = run.env.load.blocked;
  return values;
}

export async function judgeBudgets(run: OpenRun, texts: readonly string[]): Promise<BudgetResult[]> {
  const budgets = texts.map(parseBudget);
  const values = await metricValues(run, new Set(budgets.map((b) => b.metric)));
  return budgets.map((b) => evaluate(b, values));
}
