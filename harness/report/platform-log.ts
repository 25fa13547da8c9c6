import { quoted } from '../collect/store.js';
import type { OpenRun, Row } from '../verdict/read.js';
import { printable } from './format.js';
import { at } from './timeline.js';

/** What a service said of no call in particular is shown around the moments at which the call was decided and ended. */
const NEAR_MS = 1_500;
const LINES_MAX = 12;
const WIDTH = 160;

/** Lines of the platform's own logs that belong to a call: those with its Call-ID, and then those of its decisive moments. */
export async function logLinesOf(run: OpenRun, row: Row): Promise<{ tMs: number; text: string }[]> {
  const ids = [row.caller_callId, row.callee_callId].filter((id) => typeof id === 'string' && id !== '');
  const moments = ['answered_ms', 'caller_rejectedMs', 'bye_ms', 'ended_ms'].flatMap((key) => at(row, key) ?? []);
  if (ids.length === 0 || moments.length === 0) return [];
  const mine = `callId IN (${ids.map((id) => quoted(String(id))).join(', ')})`;
  const near = moments.map((t) => `tMs BETWEEN ${t - NEAR_MS} AND ${t + NEAR_MS}`).join(' OR ');
  const rows = await run.query(
    `SELECT tMs, instance, line, ${mine} AS mine FROM logs WHERE ${mine} OR (callId = '' AND (${near})) ORDER BY mine DESC, tMs, instance, line LIMIT ${LINES_MAX}`,
  );
  return rows.map((r) => {
    const text = printable(String(r.line));
    return {
      tMs: Number(r.tMs),
      text: `${r.instance} says: ${text.length > WIDTH ? `${text.slice(0, WIDTH)}...` : text}`,
    };
  });
}
