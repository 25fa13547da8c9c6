import type { CauseFinding, Quantiles, Verdict } from '../verdict/types.js';
import { billingLines } from './billing.js';
import { budgetLine, byNeed, wordOf } from './budget-lines.js';
import { connectionLines } from './connections.js';
import { diffHeadline, diffMarkdown, movedText } from './diff-text.js';
import { count, decimals, duration, percent, plural } from './format.js';
import { witnessLines, witnessMarkdown } from './witness.js';

/** What a run came to, on one screen: the verdict, the counts, the causes with their evidence, how to have it again. */

/** Together at most 40 lines: a terminal's height, and what is read at three in the morning. */
const MAX_REASONS = 3;
const MAX_CAUSES = 3;
const MAX_EVIDENCE = 3;
const MAX_EVIDENCE_OF_MANY = 2;
const MAX_BUDGETS = 5;
const MAX_MOVED = 4;

const LABEL_WIDTH = 11;

/** `label` on the first line, the others below it. */
function block(label: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => (i === 0 ? label : '').padEnd(LABEL_WIDTH) + line);
}

export function title(v: Verdict): string {
  const { scenario, incident, cured, seed, mode } = v.run;
  const parts = [
    scenario ?? v.run.id,
    incident === null ? '' : `incident ${incident}${cured ? ', cured' : ''}`,
    seed === null ? '' : `seed ${seed}`,
    mode === 'simulated' ? 'simulated' : '',
    duration(v.run.durationMs),
  ];
  return parts.filter((p) => p !== '').join(' · ');
}

function quantileText(name: string, q: Quantiles | null): string {
  return q === null ? '' : `${name} p50 ${duration(q.p50)}, p95 ${duration(q.p95)}, p99 ${duration(q.p99)}`;
}

function callLines(v: Verdict): string[] {
  const { load, calls } = v;
  const why = Object.entries(load.blockedBy).filter(([, n]) => n > 0);
  const blocked = why.length === 0 ? '' : ` (${why.map(([k, n]) => `${k} ${count(n)}`).join(', ')})`;
  const lines = [
    `${count(load.offered)} offered, ${count(load.blocked)} blocked${blocked}, ${count(load.started)} started, ${count(load.ended)} ended, ${count(load.open)} open`,
    `${count(calls.answered)} answered (${percent(calls.metrics.asr)}): ${count(calls.completed)} completed, ${count(calls.dropped)} dropped; ${count(calls.rejected)} rejected, ${count(calls.cancelled)} cancelled, ${count(calls.timeout)} timed out`,
  ];
  const odd = Object.entries(calls.finalCodes).filter(([code]) => code !== '200' && code !== '0');
  if (odd.length > 0) lines.push(`final codes: ${odd.map(([code, n]) => `${code} × ${count(n)}`).join(', ')}`);
  const within = inDialogText(calls.inDialog);
  if (within !== '') lines.push(`within calls: ${within}`);
  return lines;
}

/** What happened within calls; nothing when nothing did. */
function inDialogText(d: Verdict['calls']['inDialog']): string {
  const parts: [number, string][] = [
    [d.reinvites, 're-INVITE'],
    [d.updates, 'UPDATE'],
    [d.pracks, 'PRACK'],
    [d.refreshes, 'refreshed'],
    [d.glares, 'glare (491)'],
    [d.transferred, `of ${count(d.transfers)} transferred`],
    [d.sessionExpired, 'session expired'],
    [d.refreshFailed, 'refresh failed'],
    [d.dialogLost, 'dialog lost'],
    [d.redirectsFollowed, 'redirected'],
    [d.challenges, 'challenged'],
    [d.forks, 'forked'],
  ];
  const refused = Object.entries(d.refused).map(([what, n]): [number, string] => [n, `refused ${what}`]);
  return [...parts, ...refused]
    .filter(([n]) => n > 0)
    .map(([n, what]) => `${count(n)} ${what}`)
    .join(', ');
}

function mediaLine(v: Verdict): string {
  const m = v.media;
  if (m.judged === 0) return 'no audio was judged';
  const found = [
    [m.deadAir, 'dead air'],
    [m.oneWay, 'one way'],
    [m.crossed, 'crossed'],
    [m.poorMos, 'poor MOS'],
  ] as const;
  const bad = found.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
  const mos = m.mos === null ? '' : `; MOS p50 ${decimals(m.mos.p50)}, p5 ${decimals(m.mos.p5)}`;
  return `${plural(m.judged, 'call')} heard (${m.backend}): ${bad.length === 0 ? 'all with audio both ways' : bad.join(', ')}${mos}`;
}

/** Calls, or attempts of phones to register. */
export function metBy(c: CauseFinding): string {
  return c.registrations === undefined ? plural(c.calls, 'call') : plural(c.registrations, 'registration');
}

function causeLines(c: CauseFinding, evidence: number): string[] {
  const sure = c.cause === 'unknown' ? '' : `, confidence ${decimals(c.confidence)}`;
  return [
    `${c.cause}: ${metBy(c)}${sure}, from ${duration(c.sinceMs)} to ${duration(c.untilMs)}${c.expected ? ' (as configured)' : ''}`,
    `  ${c.summary}.`,
    ...c.evidence.slice(0, evidence).map((e) => `  - [${e.source}] ${e.text}`),
    `  cure: ${c.cure}`,
  ];
}

function memoryLine({ generator }: Verdict): string[] {
  const { bytesPerPhone } = generator;
  return bytesPerPhone === undefined ? [] : [`${count(bytesPerPhone)} bytes of memory a phone, sockets aside`];
}

/** The phones that register: how many are back, how long it took, what it cost, and what held them up. */
function registrationLines(v: Verdict): string[] {
  const r = v.registrations;
  if (r === null) return [];
  const times = [
    ['50', r.timeTo50Ms],
    ['95', r.timeTo95Ms],
    ['100', r.timeTo100Ms],
  ] as const;
  const blocked = r.blocked > 0 ? `, ${count(r.blocked)} blocked` : '';
  return [
    `${count(r.registeredAtEnd)} of ${plural(r.phones, 'phone')} registered; last wave ${times.map(([share, ms]) => `${share} % ${ms === null ? 'never' : duration(ms)}`).join(', ')}`,
    `${plural(r.attempts, 'attempt')}${blocked}: ${count(r.registered)} registered, ${count(r.failed)} failed (${count(r.timeouts)} timed out); 401 × ${count(r.challenged)}, 503 × ${count(r.refused)}, ${count(r.retransmissions)} repeated`,
    [quantileText('RRD', r.rrdMs), quantileText('of refreshes', r.refreshRrdMs), `IRA ${percent(r.ira)}`]
      .filter((t) => t !== '')
      .join('; '),
    ...memoryLine(v),
    ...r.mechanisms.map((m) => `${m.name}: ${m.text}`),
  ];
}

export function summaryText(v: Verdict): string {
  const out = [`${v.outcome.word.padEnd(LABEL_WIDTH)}${title(v)}`];
  out.push(...v.outcome.reasons.slice(0, MAX_REASONS).map((r) => ' '.repeat(LABEL_WIDTH) + r), '');
  if (v.run.interrupted) out.push(...block('note', [`the run was ended early: ${v.run.interrupted}`]));
  if (v.registrations !== null) out.push(...block('phones', registrationLines(v)));
  if (v.registrations === null || v.load.offered > 0) out.push(...block('calls', callLines(v)));
  const setup = [quantileText('SRD', v.calls.metrics.srdMs), quantileText('answer', v.calls.metrics.setupMs)];
  const setupText = setup.filter((s) => s !== '').join('; ');
  if (setupText !== '') out.push(...block('setup', [setupText]));
  if (v.run.media === 'rtp') out.push(...block('audio', [mediaLine(v)]));
  out.push(...block('links', connectionLines(v)), ...block('webphones', witnessLines(v)));
  if (v.calls.total > 0 || v.registrations === null)
    out.push(...block('bad', [`${count(v.calls.bad)} of ${count(v.calls.total)} calls`]));
  if (v.calls.total > 0) out.push(...block('billed', billingLines(v.billing ?? null)));
  out.push('');

  const evidence = v.causes.length > 1 ? MAX_EVIDENCE_OF_MANY : MAX_EVIDENCE;
  for (const c of v.causes.slice(0, MAX_CAUSES)) out.push(...block('cause', causeLines(c, evidence)));
  const more = v.causes.slice(MAX_CAUSES);
  if (more.length > 0) out.push(...block('and', [more.map((c) => `${c.cause} (${count(c.calls)})`).join(', ')]));
  if (v.causes.length === 0 && (v.calls.total > 0 || v.registrations === null))
    out.push(...block('cause', ['none: no call went bad']));
  if (v.recovery !== null) out.push(...block('recovery', [recoveryText(v.recovery)]));
  const a = v.attribution;
  if (a !== null)
    out.push(
      ...block('score', [
        `injected ${a.injected}: named in ${count(a.named)} of ${plural(a.badCalls, 'bad call')}, precision ${percent(a.precision)}, recall ${percent(a.recall)}`,
      ]),
    );
  if (v.budgets.length > 0) {
    const sorted = byNeed(v.budgets);
    const lines = sorted.slice(0, MAX_BUDGETS).map(budgetLine);
    if (sorted.length > MAX_BUDGETS) lines.push(`and ${sorted.length - MAX_BUDGETS} more`);
    out.push(...block('budgets', lines));
  }
  if (v.baseline !== null)
    out.push(
      ...block('baseline', [
        diffHeadline(v.baseline),
        ...v.baseline.moved.slice(0, MAX_MOVED).map((x) => `${x.change} ${movedText(x)}`),
        ...v.baseline.notes,
      ]),
    );
  out.push(...block('generator', [v.generator.text]));
  if (v.sourcesMissing.length > 0) out.push(...block('not seen', [missingText(v)]));
  out.push(...block('again', [v.reproduce]));
  return `${out.join('\n')}\n`;
}

/** How long calls went on going wrong once the last fault was gone. */
export function recoveryText({ recoveryMs, badAfter, goodSince }: NonNullable<Verdict['recovery']>): string {
  if (recoveryMs === null) return 'nobody called after the last fault: nothing is known of the recovery';
  if (badAfter === 0) return `at once: none of the ${plural(goodSince, 'call')} after the last fault went wrong`;
  const since = goodSince === 0 ? 'no good call since' : `${plural(goodSince, 'good call')} since`;
  return `${duration(recoveryMs)} from the last fault to the last bad call (${plural(badAfter, 'bad call')}), ${since}`;
}

/** What could not be asked, and what that means for the causes. */
export function missingText(v: Verdict): string {
  const doubtful = v.causes.filter((c) => c.missing.length > 0).map((c) => c.cause);
  const rests =
    doubtful.length === 0
      ? 'no cause above needed it'
      : `${doubtful.join(', ')} rest${doubtful.length === 1 ? 's' : ''} on what the calls show`;
  return `no telemetry from ${v.sourcesMissing.join(', ')}: ${rests}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** The same for a pull request or a ticket. */
export function summaryMarkdown(v: Verdict): string {
  const out = [`## ${v.outcome.word}: ${title(v)}`, ''];
  for (const r of v.outcome.reasons) out.push(`- ${r}`);
  if (v.outcome.reasons.length > 0) out.push('');
  for (const line of registrationLines(v)) out.push(`- ${line}`);
  if (v.registrations !== null) out.push('');
  for (const line of connectionLines(v)) out.push(`Connections: ${line}.`, '');
  out.push(...witnessMarkdown(v));
  const { metrics } = v.calls;
  const rows: [string, string][] = [
    [
      'offered / blocked / started / ended / open',
      [v.load.offered, v.load.blocked, v.load.started, v.load.ended, v.load.open].map(count).join(' / '),
    ],
    ['answered (ASR)', `${count(v.calls.answered)} (${percent(metrics.asr)})`],
    ['dropped', count(v.calls.dropped)],
    ['bad calls', count(v.calls.bad)],
    [
      'SRD p50 / p95 / p99',
      metrics.srdMs === null
        ? '-'
        : [metrics.srdMs.p50, metrics.srdMs.p95, metrics.srdMs.p99].map(duration).join(' / '),
    ],
    ['SER / SEER / ISA / SCR', [metrics.ser, metrics.seer, metrics.isa, metrics.scr].map(percent).join(' / ')],
    [
      'dead air / one way / crossed / poor MOS',
      [v.media.deadAir, v.media.oneWay, v.media.crossed, v.media.poorMos].map(count).join(' / '),
    ],
    ['MOS p50 / p5', v.media.mos === null ? '-' : `${decimals(v.media.mos.p50)} / ${decimals(v.media.mos.p5)}`],
  ];
  out.push('| | |', '| --- | --- |', ...rows.map(([k, x]) => `| ${k} | ${cell(x)} |`), '');
  for (const c of v.causes) {
    out.push(
      `### ${c.cause}: ${metBy(c)}${c.cause === 'unknown' ? '' : `, confidence ${decimals(c.confidence)}`}`,
      '',
      `${c.summary}.`,
      '',
    );
    out.push(...c.evidence.map((e) => `- \`${e.source}\` ${e.text}`), '', `**Cure:** ${c.cure}`, '');
  }
  for (const line of billingLines(v.billing ?? null)) out.push(`Billed: ${line}.`, '');
  if (v.recovery !== null) out.push(`Recovery: ${recoveryText(v.recovery)}.`, '');
  if (v.budgets.length > 0) {
    out.push('| budget | | measured |', '| --- | --- | --- |');
    out.push(
      ...v.budgets.map((b) => `| \`${cell(b.text)}\` | ${b.ok ? 'kept' : `**${wordOf(b)}**`} | ${cell(b.reason)} |`),
      '',
    );
  }
  if (v.baseline !== null) out.push(...diffMarkdown(v.baseline));
  if (v.sourcesMissing.length > 0) out.push(`Not seen: ${missingText(v)}.`, '');
  out.push(`Generator: ${v.generator.text}.`, '', '```sh', v.reproduce, '```', '');
  return out.join('\n');
}
