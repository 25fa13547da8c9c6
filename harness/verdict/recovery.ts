import { wilson } from '../plan/budget/interval.js';
import type { OpenRun } from './read.js';
import { num } from './rule.js';
import type { FaultWindow } from './windows.js';

/** Calls that are looked at together: one bad call of one would say too much, and a minute of them too late. */
const GROUP = 10;
/** So unlikely are as many bad calls in a group, if calls went as before, that it is still sick. */
const CHANCE_MAX = 0.01;

/**
 * From the end of the last fault until calls that begin go as well as before the first, ms: begun after it, in groups of
 * ten, up to the last group that has more bad calls than the share before the fault explains. A text: there is no such time.
 */
export async function recoveryMs(run: OpenRun, windows: readonly FaultWindow[], kind = ''): Promise<number | string> {
  if (windows.length === 0) return kind === '' ? 'no fault was on' : `no fault ${kind} was on`;
  const since = Math.min(...windows.map((w) => w.fromMs));
  const until = Math.max(...windows.map((w) => w.toMs));
  const before = await run.one(
    `SELECT count(*) AS n, count(*) FILTER (bad) AS bad FROM graded WHERE coalesce(ended_ms, ${since}) < ${since}`,
  );
  // With nothing to compare, a tenth of bad calls in ten is already too many.
  const n = num(before, 'n');
  const share = n === 0 ? 0.01 : wilson(num(before, 'bad'), n).high;
  const groups = await run.query(`SELECT count(*) AS n, count(*) FILTER (bad) AS bad, max(started_ms) AS last FROM (
      SELECT bad, started_ms, (row_number() OVER (ORDER BY started_ms, callNo) - 1) // ${GROUP} AS nth FROM graded WHERE started_ms >= ${until})
    GROUP BY nth ORDER BY nth`);
  if (groups.length === 0) return 'no call began after the fault';
  const sick = groups.map((g) => num(g, 'bad') > 0 && tail(num(g, 'bad'), num(g, 'n'), share) < CHANCE_MAX);
  const last = sick.lastIndexOf(true);
  if (last < 0) return 0;
  if (last === groups.length - 1) return 'calls still went worse than before the fault when the run ended';
  return num(groups[last]!, 'last') - until;
}

/** How likely are `k` or more of `n` at a share of `p` each (binomial). */
export function tail(k: number, n: number, p: number): number {
  let term = (1 - p) ** n;
  let below = 0;
  for (let i = 0; i < k; i++) {
    below += term;
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
  }
  return Math.max(0, 1 - below);
}
