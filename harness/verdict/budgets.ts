import type { FaultRecord } from '../collect/schema.js';
import { evaluate, type Measured, name } from '../plan/budget/evaluate.js';
import type { MetricName } from '../plan/budget/metrics.js';
import { type Budget, parseBudget, type Tags } from '../plan/budget/parse.js';
import { RATIOS } from './kpi.js';
import type { OpenRun } from './read.js';
import { recoveryMs } from './recovery.js';
import { ineffectiveOf, RRD, registeredShare, wavesOf } from './registrations.js';
import { num } from './rule.js';
import { tenantNumber } from './tenants.js';
import type { BudgetResult } from './types.js';
import { inWindow, windowsOf } from './windows.js';
import { witnessRates } from './witness.js';

/** One figure of each call; NULLs are no samples. */
const CALL_TRENDS: { [M in MetricName]?: { column: string; where?: string } } = {
  srd_ms: { column: 'srd_ms' },
  srd_failed_ms: { column: 'srd_failed_ms' },
  sdd_ms: { column: 'sdd_ms' },
  sdt_ms: { column: 'talk_ms', where: 'completed' },
  pdd_ms: { column: 'pdd_ms' },
  lateness_ms: { column: 'lateness_ms' },
};
/** One of each direction that was judged, and what makes its unit of the column's. */
const AUDIO_TRENDS: { [M in MetricName]?: { column: string; factor: number } } = {
  mos: { column: 'mos', factor: 1 },
  loss_pct: { column: 'loss', factor: 100 },
  jitter_ms: { column: 'jitter_ms', factor: 1 },
};
const CALL_RATES: { [M in MetricName]?: { hit: string; of: string } } = {
  asr: RATIOS.asr,
  ser: RATIOS.ser,
  seer: RATIOS.seer,
  isa: RATIOS.isa,
  scr: RATIOS.scr,
  drop_rate: RATIOS.drop,
  bad_rate: { hit: 'bad', of: 'true' },
};
/** `of`: calls that have to be there, or "none of them" would be a guess. */
const CALL_COUNTS: { [M in MetricName]?: { hit: string; of: string } } = {
  bad_calls: { hit: 'bad', of: 'true' },
  unknown_cause: { hit: "callNo IN (SELECT callNo FROM verdicts WHERE cause = 'unknown')", of: 'true' },
  dead_air: { hit: 'dead_air', of: 'a2b_judged OR b2a_judged' },
  one_way: { hit: 'one_way', of: 'a2b_judged OR b2a_judged' },
  crossed_audio: { hit: 'crossed_audio', of: 'a2b_judged OR b2a_judged' },
};
/** Who heard a direction. */
const HEARD_BY: Record<string, readonly string[]> = { callee: ['a2b'], caller: ['b2a'] };

/** Judges the budgets one by one. Only what they name is read: a million samples are not free. */
export async function judgeBudgets(
  run: OpenRun,
  texts: readonly string[],
  faults: readonly FaultRecord[] = [],
): Promise<BudgetResult[]> {
  const known = new Map<string, Measured | undefined>();
  const results: BudgetResult[] = [];
  for (const budget of texts.map(parseBudget)) {
    const key = name(budget);
    if (!known.has(key)) known.set(key, await measure(run, budget, faults));
    results.push(asAborted(run, evaluate(budget, known.get(key))));
  }
  return results;
}

/** The budget that ended the run is crossed, whatever the calls that were hung up for it made of the figure. */
function asAborted({ env }: OpenRun, result: BudgetResult): BudgetResult {
  if (env.abortedBy?.budget !== result.text) return result;
  return { ...result, ok: false, reason: `${env.abortedBy.reason}, which ended the run; in the end ${result.reason}` };
}

async function measure(
  run: OpenRun,
  { metric, tags }: Budget,
  faults: readonly FaultRecord[],
): Promise<Measured | undefined> {
  const trend = CALL_TRENDS[metric] ?? AUDIO_TRENDS[metric];
  const share = CALL_RATES[metric];
  const counter = CALL_COUNTS[metric];
  if (trend === undefined && share === undefined && counter === undefined) return ofRun(run, metric, tags, faults);
  const calls = chosen(run, tags, faults, { from: 'started_ms', to: 'ended_ms', tenant: 'caller_tenant' });
  if ('none' in calls) return calls.none;
  if (share !== undefined) return rate(run, share, calls.sql, tags);
  if (counter !== undefined) {
    const { hit, total } = await rate(run, counter, calls.sql, tags);
    return total > 0 ? hit : undefined;
  }
  const audio = AUDIO_TRENDS[metric];
  if (audio === undefined) {
    const { column, where = 'true' } = CALL_TRENDS[metric]!;
    return samples(run, `SELECT ${column} AS v FROM graded WHERE ${where} AND ${calls.sql}`);
  }
  const directions = tags.side === undefined ? ['a2b', 'b2a'] : HEARD_BY[tags.side]!;
  const each = directions.map(
    (d) => `SELECT ${audio.factor} * ${d}_${audio.column} AS v FROM graded WHERE ${d}_judged AND ${calls.sql}`,
  );
  return samples(run, each.join(' UNION ALL '));
}

/** What is not a figure of calls. */
async function ofRun(
  run: OpenRun,
  metric: MetricName,
  tags: Tags,
  faults: readonly FaultRecord[],
): Promise<Measured | undefined> {
  const share = ([hit, total]: [number, number]): Measured => ({ hit, total });
  switch (metric) {
    case 'rrd_ms':
    case 'ira': {
      const phones = chosen(run, tags, faults, { from: 'startedMs', to: 'doneMs', tenant: 'tenant' });
      if ('none' in phones) return phones.none;
      if (metric === 'ira') return share(await ineffectiveOf(run, phones.sql));
      return samples(run, `SELECT ${RRD} AS v FROM registrations WHERE ${phones.sql}`);
    }
    case 'registered_share':
      return share(await registeredShare(run));
    case 'time_to_95_ms':
      // A wave that never came back has no such time, and a budget without data fails.
      return (await wavesOf(run)).at(-1)?.timeTo95Ms ?? undefined;
    case 'webphone_asr':
      return (await witnessRates(run)).asr;
    case 'webphone_heard':
      return (await witnessRates(run)).heard;
    case 'recovery_ms':
      return recoveryMs(run, windowsOf(faults, run.env.durationMs, tags.fault), tags.fault);
    default:
      return run.env.load.blocked;
  }
}

interface Columns {
  from: string;
  to: string;
  tenant: string;
}

/** SQL for the rows that the tags choose, or why there can be none. */
function chosen(
  run: OpenRun,
  tags: Tags,
  faults: readonly FaultRecord[],
  columns: Columns,
): { sql: string } | { none: string } {
  const when = inWindow(tags, faults, run.env.durationMs, columns);
  if ('none' in when || tags.tenant === undefined) return when;
  const tenant = tenantNumber(run.env, tags.tenant);
  if (tenant === null) return { none: `there is no tenant ${tags.tenant} in this run` };
  return { sql: `${when.sql} AND ${columns.tenant} = ${tenant}` };
}

async function rate(
  run: OpenRun,
  { hit, of }: { hit: string; of: string },
  where: string,
  { cause }: Tags,
): Promise<{ hit: number; total: number }> {
  // Of the hits only: the share of all calls that went bad for this cause. Checked against the closed list when parsed.
  const named = cause === undefined ? 'true' : `callNo IN (SELECT callNo FROM verdicts WHERE cause = '${cause}')`;
  const row = await run.one(`SELECT count(*) AS total, count(*) FILTER ((${hit}) AND ${named}) AS hit
    FROM graded WHERE (${of}) AND ${where}`);
  return { hit: num(row, 'hit'), total: num(row, 'total') };
}

/** Sorted. */
async function samples(run: OpenRun, from: string): Promise<Float64Array> {
  const reader = await run.connection.runAndReadAll(
    `SELECT v::DOUBLE AS v FROM (${from}) WHERE v IS NOT NULL ORDER BY v`,
  );
  return Float64Array.from((reader.getColumnsJS()[0] ?? []) as number[]);
}
