import type { LogRecord } from './cdrs.js';

/** A line longer than this says nothing more to whoever reads it. */
const LINE_MAX = 400;
/** Call-IDs of ours: `<run tag>-<call number>@<address>` (agents/sip/invite.ts). */
const CALL_ID = /\b[0-9a-z]+-\d+@[0-9a-f.:]+/;
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** A container's log with the engine's stamps (RFC 3339, UTC), as rows on the run's clock. A line without a stamp is left out. */
export function logRecords(text: string, instance: string, t0EpochMs: number): LogRecord[] {
  const out: LogRecord[] = [];
  for (const raw of text.split('\n')) {
    const match = /^(\d{4}-\d\d-\d\dT\S+Z) (.*)$/.exec(raw);
    if (match === null) continue;
    const line = match[2]!.replace(ESCAPES, '').trim();
    if (line === '') continue;
    const tMs = Date.parse(match[1]!) - t0EpochMs;
    out.push({ tMs, instance, callId: CALL_ID.exec(line)?.[0] ?? '', line: line.slice(0, LINE_MAX) });
  }
  return out;
}
