import type { Cause } from '../plan/causes.js';
import type { CaseResult } from './case-result.js';

/** How well one cause is named, over all runs. */
export interface CauseScore {
  cause: Cause;
  /** Calls rightly given this name. */
  right: number;
  /** Calls given this name in runs that did not inject it. */
  wrong: number;
  /** Bad calls of runs that injected it, and that were given another name or none. */
  missed: number;
  /** right / (right + wrong); null when it was never named. */
  precision: number | null;
  /** right / (right + missed); null when it was never injected. */
  recall: number | null;
  /** Runs that injected it. */
  runs: number;
  /** From the onset until it could first be named, median and longest over the runs, ms; null when it never was. */
  namedAfterMs: { p50: number; max: number } | null;
}

export interface ScoreTable {
  schema: 'deadair.score/1';
  runs: number;
  causes: CauseScore[];
  /** Means over the causes: precision over all that were named, recall over all that were injected. */
  macro: { precision: number | null; recall: number | null };
  /** Injected (several joined by +, or "nothing") -> named -> calls. */
  confusion: Record<string, Record<string, number>>;
  /** Runs in which something was named wrongly or missed, to have them again. */
  odd: { name: string; seed: number; named: CaseResult['named'] }[];
}

interface Count {
  right: number;
  wrong: number;
  missed: number;
  runs: number;
  afterMs: number[];
}

/**
 * Precision and recall by call. With one fault every bad call is its work. With two nobody knows whose work a call is:
 * either name is right, what has neither is missed by both in halves, and a fault that is not named at all has missed half
 * of the bad calls. An incident that made no bad call has missed one.
 */
export function tally(results: readonly CaseResult[]): ScoreTable {
  const counts = new Map<Cause, Count>();
  const of = (cause: Cause): Count => {
    let count = counts.get(cause);
    if (count === undefined) {
      count = { right: 0, wrong: 0, missed: 0, runs: 0, afterMs: [] };
      counts.set(cause, count);
    }
    return count;
  };
  const confusion: ScoreTable['confusion'] = {};
  const odd: ScoreTable['odd'] = [];
  for (const { name, seed, truth, bad, named, namedAfterMs } of results) {
    const row = truth.length === 0 ? 'nothing' : truth.join(' + ');
    confusion[row] ??= {};
    let right = 0;
    let wrong = 0;
    for (const [cause, calls] of Object.entries(named) as [Cause, number][]) {
      confusion[row]![cause] = (confusion[row]![cause] ?? 0) + calls;
      if (truth.includes(cause)) {
        of(cause).right += calls;
        right += calls;
      } else if (cause !== 'unknown') {
        of(cause).wrong += calls;
        wrong += calls;
      }
    }
    let missing = false;
    for (const cause of truth) {
      const count = of(cause);
      count.runs++;
      count.missed += (bad - right) / truth.length;
      const after = namedAfterMs[cause];
      if (after !== undefined) count.afterMs.push(after);
      if (named[cause] !== undefined) continue;
      missing = true;
      if (truth.length > 1 || bad === 0) count.missed += Math.max(1, bad / truth.length);
    }
    if (wrong > 0 || missing || right < bad) odd.push({ name, seed, named });
  }
  const causes = [...counts].map(([cause, c]) => scoreOf(cause, c)).sort((a, b) => a.cause.localeCompare(b.cause));
  return {
    schema: 'deadair.score/1',
    runs: results.length,
    causes,
    macro: { precision: mean(causes.map((c) => c.precision)), recall: mean(causes.map((c) => c.recall)) },
    confusion,
    odd,
  };
}

function scoreOf(cause: Cause, { right, wrong, missed, runs, afterMs }: Count): CauseScore {
  const sorted = [...afterMs].sort((a, b) => a - b);
  const share = (n: number, of: number): number | null => (of === 0 ? null : n / of);
  return {
    cause,
    ...{ right, wrong, missed, runs },
    precision: share(right, right + wrong),
    recall: runs === 0 ? null : share(right, right + missed),
    namedAfterMs: sorted.length === 0 ? null : { p50: sorted[sorted.length >> 1]!, max: sorted.at(-1)! },
  };
}

function mean(values: readonly (number | null)[]): number | null {
  const there = values.filter((v) => v !== null);
  return there.length === 0 ? null : there.reduce((sum, v) => sum + v, 0) / there.length;
}
