import type { Row } from '../verdict/read.js';
import { dialogMoments } from './dialog-log.js';
import { duration, endpoint, printable } from './format.js';

/** One call as a list of moments, from a row of the view `calls`. The autopsy prints it, the ladder draws it. */

export type Party = 'caller' | 'platform' | 'callee';

export interface Moment {
  /** ms of the run. */
  tMs: number;
  text: string;
  /** The message on the wire, when there was one. */
  arrow?: { from: Party; to: Party; label: string };
}

export function at(row: Row, key: string): number | null {
  const value = row[key];
  return typeof value === 'number' ? value : null;
}

export function n(row: Row, key: string): number {
  return Number(row[key] ?? 0);
}

/** Reason header as it stood on the wire, from the codes and text that were kept. */
export function reasonText(row: Row, side: 'caller' | 'callee'): string {
  const parts: string[] = [];
  if (n(row, `${side}_q850Cause`) > 0) parts.push(`Q.850;cause=${n(row, `${side}_q850Cause`)}`);
  if (n(row, `${side}_sipCause`) > 0) parts.push(`SIP;cause=${n(row, `${side}_sipCause`)}`);
  const text = printable(String(row[`${side}_reasonText`] ?? ''));
  if (parts.length === 0) return text === '' ? '' : ` (${text})`;
  return `, Reason ${parts.join(', ')}${text === '' ? '' : ` "${text}"`}`;
}

const times = (k: number): string => (k === 1 ? 'once' : `${k} times`);

/** Who hung up on the caller: with a foreign callee the far side is all that can be said. */
function otherSide(row: Row): string {
  if (!row.has_callee) return 'the other side';
  return row.callee_ended_by_name === 'us' ? 'the callee' : 'the platform';
}

/** Outcomes of a party that said BYE because the other side, or the session, was gone. */
const GAVE_UP = ['session-expired', 'refresh-failed', 'dialog-lost'];

export function momentsOf(row: Row, ipv6?: readonly string[]): Moment[] {
  const out: Moment[] = [];
  const add = (key: string, text: string, arrow?: Moment['arrow']): void => {
    const tMs = at(row, key);
    if (tMs !== null) out.push(arrow ? { tMs, text, arrow } : { tMs, text });
  };
  const toPlatform = (label: string) => ({ from: 'caller', to: 'platform', label }) as const;
  const toCaller = (label: string) => ({ from: 'platform', to: 'caller', label }) as const;
  const toCallee = (label: string) => ({ from: 'platform', to: 'callee', label }) as const;
  const fromCallee = (label: string) => ({ from: 'callee', to: 'platform', label }) as const;

  const due = at(row, 'caller_intendedMs');
  const late = at(row, 'lateness_ms');
  const repeats = n(row, 'caller_inviteRetransmits');
  add(
    'caller_startedMs',
    `INVITE sent${due === null ? '' : ` (due at ${(due / 1000).toFixed(3)} s of the run, ${duration(late)} late)`}${repeats > 0 ? `, and repeated ${times(repeats)}` : ''}`,
    toPlatform('INVITE'),
  );
  add('caller_tryingMs', '100 Trying', toCaller('100'));
  add('callee_startedMs', 'INVITE reaches the callee', toCallee('INVITE'));
  add('callee_ringingMs', 'callee rings', fromCallee('180'));
  const ring = n(row, 'caller_count180') > 0 ? '180 Ringing' : '183 Session Progress';
  add('caller_ringingMs', ring, toCaller(ring.slice(0, 3)));
  const answers = n(row, 'callee_answerRetransmits');
  add(
    'callee_answeredMs',
    `callee answers: 200 OK${answers > 0 ? `, repeated ${times(answers)}` : ''}`,
    fromCallee('200'),
  );
  const media =
    n(row, 'caller_remoteMediaPort') > 0
      ? `, send audio to ${endpoint(n(row, 'caller_remoteMediaIp'), n(row, 'caller_remoteMediaPort'), ipv6)}`
      : ', no audio in its SDP';
  add('caller_answeredMs', `200 OK${media}`, toCaller('200'));
  add('caller_ackedMs', 'ACK sent', toPlatform('ACK'));
  add('callee_ackedMs', 'ACK reaches the callee', toCallee('ACK'));
  add('caller_firstRtpMs', 'caller hears the first RTP packet');
  add('callee_firstRtpMs', 'callee hears the first RTP packet');
  const end = at(row, 'talk_end_ms');
  for (const side of ['caller', 'callee'] as const) {
    const last = at(row, `${side}_lastRtpMs`);
    if (last !== null && end !== null && end - last > 1000)
      add(`${side}_lastRtpMs`, `${side} hears the last RTP packet, ${duration(end - last)} before the end`);
  }
  const retry = n(row, 'caller_retryAfterS');
  add(
    'caller_rejectedMs',
    `${n(row, 'caller_finalCode')}${reasonText(row, 'caller')}${retry > 0 ? `, Retry-After ${retry} s` : ''}`,
    toCaller(String(n(row, 'caller_finalCode'))),
  );
  const byeByUs =
    row.caller_ended_by_name === 'us' || ['bye-failed', ...GAVE_UP].includes(String(row.caller_outcome_name));
  const byes = n(row, 'caller_byeRetransmits');
  if (byeByUs) add('caller_byeMs', `BYE sent${byes > 0 ? `, and repeated ${times(byes)}` : ''}`, toPlatform('BYE'));
  else add('caller_byeMs', `BYE from ${otherSide(row)}${reasonText(row, 'caller')}`, toCaller('BYE'));
  if (row.callee_ended_by_name === 'us' || ['no-ack', ...GAVE_UP].includes(String(row.callee_outcome_name)))
    add('callee_byeMs', 'callee sends BYE', fromCallee('BYE'));
  else add('callee_byeMs', `BYE reaches the callee${reasonText(row, 'callee')}`, toCallee('BYE'));
  out.push(...dialogMoments(row));
  add('ended_ms', `the call is over for the caller: ${endText(row)}`);
  return out.sort((a, b) => a.tMs - b.tMs);
}

function endText(row: Row): string {
  const code = n(row, 'caller_byeCode');
  switch (row.outcome) {
    case 'completed':
      return code > 0 ? `completed, BYE answered ${code}` : 'completed';
    case 'dropped':
      return 'dropped before it meant to hang up';
    case 'rejected':
      return `rejected with ${n(row, 'caller_finalCode')}`;
    case 'cancelled':
      return 'given up, CANCEL sent';
    case 'timeout':
      return 'no answer at all (RFC 3261 timer B)';
    case 'session-expired':
      return 'nobody refreshed the session in time (RFC 4028), BYE sent';
    case 'refresh-failed':
      return `the refresh of the session failed (${n(row, 'caller_midCode')}), BYE sent`;
    case 'dialog-lost':
      return `a request within the call got ${n(row, 'caller_midCode')}, BYE sent`;
    case 'bye-failed':
      return code > 0 ? `BYE refused with ${code}` : 'BYE never answered (timer F)';
    default:
      return String(row.outcome);
  }
}

export interface AudioLine {
  name: string;
  text: string;
}

/** Each direction of audio in a sentence. */
export function audioOf(row: Row): AudioLine[] {
  const lines: AudioLine[] = [];
  for (const [key, name] of [
    ['a2b', 'RTP caller->callee'],
    ['b2a', 'RTP callee->caller'],
  ] as const) {
    const sent = at(row, `${key}_expected_pkts`);
    const heard = at(row, `${key}_recv`);
    if (sent === null) continue;
    if (heard === null) {
      lines.push({ name, text: `${sent} packets sent; the far end is not ours to hear` });
      continue;
    }
    const details: string[] = [];
    const loss = at(row, `${key}_loss`);
    if (heard > 0 && loss !== null && loss > 0) details.push(`${(100 * loss).toFixed(1)} % missing`);
    if (heard > 0) details.push(`jitter ${duration(at(row, `${key}_jitter_ms`))}`);
    if (heard > 0) details.push(`longest gap ${duration(at(row, `${key}_max_gap_ms`))}`);
    const mos = at(row, `${key}_mos`);
    if (heard > 0 && mos !== null) details.push(`MOS ${mos.toFixed(2)}`);
    const tail = details.length > 0 ? `: ${details.join(', ')}` : '';
    lines.push({ name, text: `${heard} of ${sent} packets${tail}` });
  }
  return lines;
}
