import type { Row } from '../verdict/read.js';
import type { Moment } from './timeline.js';

/** What happened within the dialog, from the record's dialogLog: '>H2000:200' is a hold that was sent and answered 200. */
const ENTRY = /([<>])([A-Z])(\d+):(\d+)/g;

const NAMES: Record<string, { text: string; label: string }> = {
  I: { text: 're-INVITE', label: 'INVITE' },
  H: { text: 'hold (re-INVITE)', label: 'INVITE hold' },
  R: { text: 'resume (re-INVITE)', label: 'INVITE resume' },
  M: { text: 're-INVITE to another port', label: 'INVITE' },
  U: { text: 'UPDATE', label: 'UPDATE' },
  S: { text: 'session refresh', label: 'refresh' },
  F: { text: 'REFER', label: 'REFER' },
  N: { text: 'NOTIFY', label: 'NOTIFY' },
  P: { text: 'PRACK', label: 'PRACK' },
};

const n = (row: Row, key: string): number => Number(row[key] ?? 0);
const result = (code: number): string => (code === 0 ? 'no answer' : String(code));

export function dialogMoments(row: Row): Moment[] {
  const out: Moment[] = [];
  for (const side of ['caller', 'callee'] as const) {
    const startedMs = row[`${side}_startedMs`];
    if (typeof startedMs !== 'number') continue;
    for (const [, way, letter, ms, code] of String(row[`${side}_dialogLog`] ?? '').matchAll(ENTRY)) {
      const name = NAMES[letter!];
      if (name === undefined) continue;
      const sent = way === '>';
      const status = Number(code);
      // The status of a NOTIFY is what it told of the transfer, not its answer.
      const outcome = letter === 'N' ? `tells of ${status}` : `answered ${result(status)}`;
      const text =
        status === 0
          ? `${name.text} of the ${side}: no answer`
          : `${name.text} ${sent ? 'of' : 'reaches'} the ${side}, ${outcome}`;
      const [from, to] = sent ? ([side, 'platform'] as const) : (['platform', side] as const);
      out.push({ tMs: startedMs + Number(ms), text, arrow: { from, to, label: name.label } });
    }
  }
  return out;
}

/** The session timer and the outcome of a transfer, as one line each; empty without. */
export function dialogFacts(row: Row): string[] {
  const facts: string[] = [];
  for (const side of ['caller', 'callee'] as const) {
    const seconds = n(row, `${side}_sessionExpiresS`);
    const who = n(row, `${side}_refresher`) === 1 ? 'refreshed by' : 'refreshed by the other side of';
    if (seconds > 0)
      facts.push(
        `${side}: session of ${seconds} s, ${who} the ${side}, ${n(row, `${side}_refreshes`)} refreshes answered`,
      );
  }
  return facts;
}
