import { basename } from 'node:path';
import { quoted } from '../collect/store.js';
import { HarnessError } from '../errors.js';
import { diagnose } from '../verdict/diagnose.js';
import { type OpenRun, openRun, type Row } from '../verdict/read.js';
import type { CauseFinding } from '../verdict/types.js';
import { dialogFacts } from './dialog-log.js';
import { duration, printable } from './format.js';
import { readingsAround } from './readings.js';
import { at, audioOf, momentsOf, n } from './timeline.js';

/**
 * One call's story, in the manner of an incident review. `call` is a call number or a Call-ID; without it the worst call
 * of the run is taken. The diagnosis is run anew, so this works on a folder that was never judged.
 */
export async function autopsyText(runDir: string, call?: string | number): Promise<string> {
  const run = await openRun(runDir);
  try {
    const causes = await diagnose(run);
    const callNo = call === undefined ? await worstCall(run) : await findCall(run, String(call));
    const row = await run.one(
      `SELECT c.*, v.cause, v.confidence FROM calls c LEFT JOIN verdicts v USING (callNo) WHERE callNo = ${callNo}`,
    );
    return await story(run, row, causes);
  } finally {
    run.close();
  }
}

function nothing(run: OpenRun, what: string): HarnessError {
  return new HarnessError('NO_SUCH_RUN', `${what} in run ${basename(run.runDir)}`);
}

async function findCall(run: OpenRun, call: string): Promise<number> {
  const byNumber = /^\d{1,10}$/.test(call) ? `callNo = ${call} OR` : '';
  const row = await run.one(
    `SELECT callNo FROM calls WHERE ${byNumber} caller_callId = ${quoted(call)} OR callee_callId = ${quoted(call)}
     ORDER BY (caller_callId = ${quoted(call)}) DESC LIMIT 1`,
  );
  if (row.callNo === undefined) throw nothing(run, `there is no call ${call}`);
  return n(row, 'callNo');
}

/** The call that its people would complain of first; of equals, the one whose cause is surest. */
async function worstCall(run: OpenRun): Promise<number> {
  const row = await run.one(`SELECT callNo FROM graded LEFT JOIN verdicts USING (callNo)
    ORDER BY bad DESC, (dead_air AND dropped) DESC, dead_air DESC, one_way DESC, crossed_audio DESC, dropped DESC, failed DESC,
      confidence DESC NULLS LAST, mos NULLS LAST, callNo LIMIT 1`);
  if (row.callNo === undefined) throw nothing(run, 'there is no call');
  return n(row, 'callNo');
}

/** Names of what is wrong with a call. */
const DEFECTS = {
  dead_air: 'neither side heard the other',
  one_way: 'one side heard nothing',
  poor_mos: 'poor audio',
  crossed_audio: "another call's audio was heard",
  dropped: 'hung up by neither party',
  failed: 'failed to set up',
  cancelled_slow: 'given up: no answer in time',
  no_ack: 'the answer was never acknowledged',
  bye_failed: 'could not be hung up in order',
} as const;

export function defectsOf(row: Row): string[] {
  return (Object.keys(DEFECTS) as (keyof typeof DEFECTS)[]).filter((k) => row[k] === true).map((k) => DEFECTS[k]);
}

async function story(run: OpenRun, row: Row, causes: readonly CauseFinding[]): Promise<string> {
  const start = at(row, 'started_ms') ?? 0;
  const defects = defectsOf(row);
  const ids = [row.caller_callId, row.callee_callId].filter((id) => typeof id === 'string' && id !== '');
  const out = [
    `call ${n(row, 'callNo')} of run ${run.env.runId}: ${defects.length === 0 ? `nothing wrong (${row.outcome})` : defects.join('; ')}`,
    `Call-ID ${printable([...new Set(ids)].join(' and '))}`,
    '',
  ];
  const lines = momentsOf(row).map((m) => ({ tMs: m.tMs, text: m.text }));
  const planned = at(row, 'caller_plannedEndMs');
  if (planned !== null && row.dropped === true)
    lines.push({ tMs: planned, text: 'the caller would have hung up here' });
  // Audio is told where it ends: after the last word, before the BYE.
  const end = at(row, 'talk_end_ms') ?? start;
  for (const a of audioOf(row)) lines.push({ tMs: end - 0.001, text: `${a.name} ${a.text}` });
  // What the platform said of itself when the call was decided, and when it ended.
  const decided = at(row, 'answered_ms') ?? at(row, 'caller_rejectedMs') ?? end;
  for (const tMs of new Set([decided, at(row, 'ended_ms') ?? end]))
    for (const r of await readingsAround(run, tMs)) lines.push({ tMs: tMs + 0.001, text: r });
  lines.sort((a, b) => a.tMs - b.tMs);
  for (const l of lines) out.push(`${`+${duration(Math.max(0, l.tMs - start))}`.padStart(11)}  ${l.text}`);

  const facts = dialogFacts(row);
  if (facts.length > 0) out.push('', ...facts);
  const cause = causes.find((c) => c.cause === row.cause);
  if (cause) {
    out.push(
      '',
      `cause     ${cause.cause}${cause.cause === 'unknown' ? '' : `, confidence ${n(row, 'confidence').toFixed(2)}`}`,
    );
    out.push(`          ${cause.summary}; ${cause.calls} calls of this run have it.`);
    out.push(...cause.evidence.map((e, i) => `${i === 0 ? 'evidence' : '        '}  [${e.source}] ${e.text}`));
    out.push(`cure      ${cause.cure}`);
  }
  return `${out.join('\n')}\n`;
}
