import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { quoted } from '../collect/store.js';
import { HarnessError } from '../errors.js';
import { diagnose } from '../verdict/diagnose.js';
import { type OpenRun, openRun, type Row } from '../verdict/read.js';
import type { CauseFinding } from '../verdict/types.js';
import { WORST_FIRST } from '../verdict/worst.js';
import { audioStrips } from './audio-strip.js';
import { dialogFacts } from './dialog-log.js';
import { duration, printable } from './format.js';
import { ladderText } from './ladder.js';
import { logLinesOf } from './platform-log.js';
import { readingsAround } from './readings.js';
import { at, audioOf, momentsOf, n } from './timeline.js';

export interface AutopsyWish {
  /** A call number or a Call-ID. */
  call?: string;
  /** Calls that were given this cause. */
  cause?: string;
  /** So many of the worst; one without it. */
  worst?: number;
}

/**
 * A call's story, in the manner of an incident review, or those of several. Without a wish the worst call of the run is taken.
 * The diagnosis is run anew, so this works on a folder that was never judged. Throws NO_SUCH_RUN when nothing fits the wish.
 */
export async function autopsyText(runDir: string, wish: AutopsyWish = {}): Promise<string> {
  const run = await openRun(runDir);
  try {
    const causes = await diagnose(run);
    const calls = wish.call === undefined ? await worstCalls(run, causes, wish) : [await findCall(run, wish.call)];
    const stories: string[] = [];
    for (const callNo of calls) {
      const row = await run.one(
        `SELECT c.*, v.cause, v.confidence FROM calls c LEFT JOIN verdicts v USING (callNo) WHERE callNo = ${callNo}`,
      );
      stories.push(await story(run, row, causes));
    }
    return stories.join(`\n${'='.repeat(100)}\n\n`);
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

/** The calls that their people would complain of first. */
async function worstCalls(run: OpenRun, causes: readonly CauseFinding[], wish: AutopsyWish): Promise<number[]> {
  const { cause, worst = 1 } = wish;
  const rows = await run.query(`SELECT callNo FROM graded LEFT JOIN verdicts USING (callNo)
    ${cause === undefined ? '' : `WHERE cause = ${quoted(cause)}`} ORDER BY ${WORST_FIRST} LIMIT ${worst}`);
  if (rows.length > 0) return rows.map((row) => n(row, 'callNo'));
  if (cause === undefined) throw nothing(run, 'there is no call');
  const there = causes.map((c) => c.cause).join(', ');
  throw nothing(run, `no call was given the cause ${cause}; there ${there === '' ? 'is none' : `are ${there}`}`);
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
  const lines = momentsOf(row, run.env.ipv6).map((m) => ({ tMs: m.tMs, text: m.text }));
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
  for (const said of await logLinesOf(run, row)) lines.push(said);
  lines.sort((a, b) => a.tMs - b.tMs);
  for (const l of lines) out.push(`${`+${duration(Math.max(0, l.tMs - start))}`.padStart(11)}  ${l.text}`);

  const facts = dialogFacts(row);
  if (facts.length > 0) out.push('', ...facts);
  const strips = audioStrips(row, run.runDir);
  if (strips.length > 0) out.push('', ...strips);

  const cause = causes.find((c) => c.cause === row.cause);
  if (cause) {
    out.push(
      '',
      `cause     ${cause.cause}${cause.cause === 'unknown' ? '' : `, confidence ${n(row, 'confidence').toFixed(2)}`}`,
    );
    out.push(`          ${cause.summary}; ${cause.calls} calls of this run have it.`);
    out.push(...cause.evidence.map((e, i) => `${i === 0 ? 'evidence' : '        '}  [${e.source}] ${e.text}`));
    if (cause.missing.length > 0)
      out.push(`not seen  ${cause.missing.join(', ')}: with it this would be surer, or ruled out`);
    out.push(`dies at   ${cause.hop}`);
    out.push(`cure      ${cause.cure}`);
    out.push(`see       ${cause.see}`);
  }
  out.push('', ladderText(row));
  const pcap = join(run.runDir, 'pcap', `call-${n(row, 'callNo')}.pcap`);
  if (existsSync(pcap)) out.push('', `packets   ${pcap}`);
  return `${out.join('\n')}\n`;
}
