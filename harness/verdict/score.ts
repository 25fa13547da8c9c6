import type { OpenRun } from './read.js';
import { num } from './rule.js';
import type { Attribution } from './types.js';

/**
 * The only part of the verdict that is told what was injected, by its caller, and after the diagnosis is done. With one
 * fault in a run that is healthy without it, every bad call is that fault's work.
 */
export async function score(run: OpenRun, injectedCause: string | null): Promise<Attribution | null> {
  if (injectedCause === null) return null;
  const rows = await run.query('SELECT cause, count(*) AS n FROM verdicts GROUP BY cause ORDER BY n DESC, cause');
  const named = Object.fromEntries(rows.map((r) => [String(r.cause), num(r, 'n')]));
  const badCalls = Object.values(named).reduce((sum, n) => sum + n, 0);
  const right = named[injectedCause] ?? 0;
  const anyName = badCalls - (named.unknown ?? 0);
  return {
    injected: injectedCause,
    badCalls,
    named: right,
    precision: anyName === 0 ? null : right / anyName,
    recall: badCalls === 0 ? null : right / badCalls,
    confusion: { [injectedCause]: named },
  };
}
