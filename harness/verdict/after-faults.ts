import type { FaultRecord } from '../collect/schema.js';
import type { OpenRun } from './read.js';
import { nice, num } from './rule.js';
import type { Recovery } from './types.js';

/** Of the calls before the first fault, this share may be bad: a platform that is sick at rest shows nothing of the fault. */
const SICK_SHARE = 0.2;
/** Fewer calls than this say nothing of a share. */
const SICK_CALLS = 10;

/** From the last removal to the last bad call. After the diagnosis, which knows nothing of faults. Null without faults. */
export async function judgeRecovery(run: OpenRun, faults: readonly FaultRecord[]): Promise<Recovery | null> {
  const removedMs = faults.reduce((last, f) => Math.max(last, f.removedAtMs ?? last), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(removedMs)) return null;
  const row = await run.one(`
    SELECT count(*) FILTER (started_ms >= ${removedMs}) AS after, max(wrong_ms) FILTER (wrong_ms >= ${removedMs}) AS last_bad,
      count(*) FILTER (wrong_ms >= ${removedMs}) AS bad
    FROM graded LEFT JOIN (SELECT callNo, wrong_ms FROM suspects) USING (callNo)`);
  const lastBadMs = row.last_bad === null || row.last_bad === undefined ? null : num(row, 'last_bad');
  const since = await run.one(
    `SELECT count(*) AS n FROM graded WHERE NOT bad AND started_ms >= ${lastBadMs ?? removedMs}`,
  );
  return {
    removedMs,
    lastBadMs,
    recoveryMs: num(row, 'after') === 0 ? null : lastBadMs === null ? 0 : lastBadMs - removedMs,
    badAfter: num(row, 'bad'),
    goodSince: num(since, 'n'),
  };
}

/** Why the run shows nothing of its faults: the platform was sick before the first; null when it was well, or hardly called. */
export async function sickAtRest(run: OpenRun, faults: readonly FaultRecord[]): Promise<string | null> {
  const firstMs = faults.reduce(
    (first, f) => Math.min(first, f.appliedAtMs ?? Number.POSITIVE_INFINITY),
    Number.POSITIVE_INFINITY,
  );
  if (!Number.isFinite(firstMs)) return null;
  const row = await run.one(`
    SELECT count(*) AS calls, count(*) FILTER (wrong_ms < ${firstMs}) AS bad
    FROM graded LEFT JOIN (SELECT callNo, wrong_ms FROM suspects) USING (callNo) WHERE started_ms < ${firstMs}`);
  const [calls, bad] = [num(row, 'calls'), num(row, 'bad')];
  if (calls < SICK_CALLS || bad / calls <= SICK_SHARE) return null;
  return `the platform was sick before the first fault: ${nice(bad)} of ${nice(calls)} calls had gone bad by then`;
}
