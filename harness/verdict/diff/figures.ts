import { RATIOS } from '../kpi.js';
import type { OpenRun } from '../read.js';
import { RRD } from '../registrations.js';
import { num } from '../rule.js';
import { tenantName } from '../tenants.js';
import type { Moved } from './types.js';

/** What is compared between two runs, and when a difference is one that anybody would care about. */

interface Common {
  figure: string;
  tenant: string;
  unit: Moved['unit'];
  worse: 'more' | 'less';
  /** A smaller difference is none, however sure: absolute, in the figure's own unit. */
  margin: number;
}
export interface RateFigure extends Common {
  hit: number;
  total: number;
}
export interface TrendFigure extends Common {
  q: number;
  sorted: Float64Array;
}
export type Figure = RateFigure | TrendFigure;

/** Half a call in a hundred is noticed by nobody but a statistician. */
const SHARE_MARGIN = 0.002;

type Rate = { figure: string; worse: 'more' | 'less'; hit: string; of: string };
const HEARD = 'a2b_judged OR b2a_judged';
const RATES: readonly Rate[] = [
  { figure: 'asr', worse: 'less', ...RATIOS.asr },
  { figure: 'seer', worse: 'less', ...RATIOS.seer },
  { figure: 'isa', worse: 'more', ...RATIOS.isa },
  { figure: 'drop_rate', worse: 'more', ...RATIOS.drop },
  { figure: 'bad_rate', worse: 'more', hit: 'bad', of: 'true' },
  { figure: 'dead_air', worse: 'more', hit: 'dead_air', of: HEARD },
  { figure: 'one_way', worse: 'more', hit: 'one_way', of: HEARD },
  { figure: 'crossed_audio', worse: 'more', hit: 'crossed_audio', of: HEARD },
  { figure: 'poor_mos', worse: 'more', hit: 'poor_mos', of: HEARD },
];
const OF_TENANT = ['asr', 'drop_rate', 'bad_rate'];

interface Trend {
  figure: string;
  unit: 'ms' | 'MOS' | '%';
  q: readonly number[];
  worse: 'more' | 'less';
  /** Absolute; and of times also a tenth of what they were. */
  margin: number;
  sql: string;
}
const call = (column: string): string => `SELECT ${column} AS v FROM graded`;
const audio = (column: string, factor = 1): string =>
  `SELECT ${factor} * a2b_${column} AS v FROM graded WHERE a2b_judged UNION ALL SELECT ${factor} * b2a_${column} FROM graded WHERE b2a_judged`;
const TRENDS: readonly Trend[] = [
  { figure: 'srd_ms', unit: 'ms', q: [0.5, 0.95], worse: 'more', margin: 5, sql: call('srd_ms') },
  { figure: 'setup_ms', unit: 'ms', q: [0.5, 0.95], worse: 'more', margin: 20, sql: call('setup_ms') },
  { figure: 'sdd_ms', unit: 'ms', q: [0.5, 0.95], worse: 'more', margin: 5, sql: call('sdd_ms') },
  { figure: 'mos', unit: 'MOS', q: [0.05, 0.5], worse: 'less', margin: 0.1, sql: audio('mos') },
  { figure: 'loss_pct', unit: '%', q: [0.95], worse: 'more', margin: 0.5, sql: audio('loss', 100) },
  { figure: 'jitter_ms', unit: 'ms', q: [0.95], worse: 'more', margin: 2, sql: audio('jitter_ms') },
  {
    figure: 'rrd_ms',
    unit: 'ms',
    q: [0.5, 0.95],
    worse: 'more',
    margin: 5,
    sql: `SELECT ${RRD} AS v FROM registrations`,
  },
];

/** Of a run that was diagnosed. Figures without data are left out. */
export async function figuresOf(run: OpenRun): Promise<Figure[]> {
  const out: Figure[] = [];
  const share = { unit: 'share', margin: SHARE_MARGIN } as const;
  const counts = (rates: readonly Rate[]): string =>
    rates
      .map(
        (r) =>
          `count(*) FILTER (${r.of}) AS ${r.figure}_all, count(*) FILTER ((${r.of}) AND (${r.hit})) AS ${r.figure}_hit`,
      )
      .join(', ');
  const all = await run.one(`SELECT ${counts(RATES)} FROM graded`);
  for (const { figure, worse } of RATES) {
    const total = num(all, `${figure}_all`);
    if (total > 0) out.push({ ...share, figure, tenant: '', worse, hit: num(all, `${figure}_hit`), total });
  }
  const calls = num(all, 'bad_rate_all');
  for (const row of await run.query('SELECT cause, count(*) AS n FROM verdicts GROUP BY cause ORDER BY cause')) {
    out.push({ ...share, figure: `cause ${row.cause}`, tenant: '', worse: 'more', hit: num(row, 'n'), total: calls });
  }
  const { offered, blocked } = run.env.load;
  if (offered > 0) out.push({ ...share, figure: 'blocked', tenant: '', worse: 'more', hit: blocked, total: offered });
  const tried =
    await run.query(`SELECT tenant, count(*) FILTER (outcome_name IN ('rejected', 'timeout', 'unconnected')) AS hit,
      count(*) FILTER (outcome_name IN ('rejected', 'timeout', 'unconnected', 'registered')) AS total
    FROM registrations GROUP BY GROUPING SETS ((), (tenant)) ORDER BY tenant NULLS FIRST`);
  for (const row of tried) {
    const tenant = row.tenant === null ? '' : tenantName(run.env, num(row, 'tenant'));
    if (num(row, 'total') > 0)
      out.push({ ...share, figure: 'ira', tenant, worse: 'more', hit: num(row, 'hit'), total: num(row, 'total') });
  }
  if ((run.env.tenants?.length ?? 0) > 1) {
    const wanted = RATES.filter((r) => OF_TENANT.includes(r.figure));
    const rows = await run.query(
      `SELECT caller_tenant AS tenant, ${counts(wanted)} FROM graded WHERE has_caller GROUP BY 1 ORDER BY 1`,
    );
    for (const row of rows) {
      const tenant = tenantName(run.env, num(row, 'tenant'));
      for (const { figure, worse } of wanted) {
        const total = num(row, `${figure}_all`);
        if (total > 0) out.push({ ...share, figure, tenant, worse, hit: num(row, `${figure}_hit`), total });
      }
    }
  }
  for (const { figure, unit, q, worse, margin, sql } of TRENDS) {
    const reader = await run.connection.runAndReadAll(
      `SELECT v::DOUBLE AS v FROM (${sql}) WHERE v IS NOT NULL ORDER BY v`,
    );
    const sorted = Float64Array.from((reader.getColumnsJS()[0] ?? []) as number[]);
    if (sorted.length === 0) continue;
    for (const share of q) {
      const label = share === 0.5 ? 'p50' : `p${Math.round(share * 100)}`;
      out.push({ figure: `${figure} ${label}`, tenant: '', unit, worse, margin, q: share, sorted });
    }
  }
  return out;
}
