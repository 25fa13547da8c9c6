import type { FaultRecord } from '../collect/schema.js';
import type { Tags } from '../plan/budget/parse.js';

/** When faults were on, ms of the run. Budgets may know; the diagnosis does not. */

export interface FaultWindow {
  kind: string;
  fromMs: number;
  toMs: number;
}

/** One that was never taken away lasts until the run ends. */
export function windowsOf(faults: readonly FaultRecord[], durationMs: number, kind?: string): FaultWindow[] {
  return faults
    .filter((f) => f.appliedAtMs !== null && (kind === undefined || f.kind === kind))
    .map((f) => ({ kind: f.kind, fromMs: f.appliedAtMs!, toMs: f.removedAtMs ?? durationMs }))
    .sort((a, b) => a.fromMs - b.fromMs);
}

/**
 * SQL for what happened from `from` to `to` (columns of ms), by the window that the tags name; a fault alone means during
 * it. A text, when there is no such window: nothing can have happened in it.
 */
export function inWindow(
  { window, fault }: Tags,
  faults: readonly FaultRecord[],
  durationMs: number,
  { from, to }: { from: string; to: string },
): { sql: string } | { none: string } {
  const which = window ?? (fault === undefined ? undefined : 'during');
  if (which === undefined) return { sql: 'true' };
  const windows = windowsOf(faults, durationMs, fault);
  const until = `coalesce(${to}, ${durationMs})`;
  const inAny = windows.map((w) => `(${from} < ${w.toMs} AND ${until} >= ${w.fromMs})`).join(' OR ');
  if (windows.length === 0) {
    if (which === 'outside' || which === 'before') return { sql: 'true' };
    return { none: fault === undefined ? 'no fault was on' : `no fault ${fault} was on` };
  }
  const first = Math.min(...windows.map((w) => w.fromMs));
  const last = Math.max(...windows.map((w) => w.toMs));
  switch (which) {
    case 'before':
      return { sql: `${until} < ${first}` };
    case 'after':
      return { sql: `${from} >= ${last}` };
    case 'outside':
      return { sql: `NOT (${inAny})` };
    default:
      return { sql: `(${inAny})` };
  }
}
