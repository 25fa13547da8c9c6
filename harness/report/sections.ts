import type { Row } from '../verdict/read.js';
import type { Quantiles, Verdict } from '../verdict/types.js';
import { audioStrips } from './audio-strip.js';
import { defectsOf } from './autopsy.js';
import { wordOf } from './budget-lines.js';
import { diffHeadline, movedText } from './diff-text.js';
import { count, decimals, duration, escapeXml as esc, percent, plural } from './format.js';
import { ladderText } from './ladder.js';
import { metBy, missingText, recoveryText, title } from './summary.js';
import { at, n } from './timeline.js';

/** Parts of the HTML report, in the order in which they are read. */

export function heading(v: Verdict): string {
  const reasons = v.outcome.reasons.map((r) => `<li>${esc(r)}</li>`).join('');
  return `<h1><span class="word ${v.outcome.word}">${v.outcome.word}</span>${esc(title(v))}</h1>
<p class="soft">run ${esc(v.run.id)}, started ${esc(v.run.startedAt)}, deadair ${esc(v.run.deadair)} on ${v.run.cpus} × ${esc(v.run.cpuModel)}${v.run.interrupted ? `, ended early: ${esc(v.run.interrupted)}` : ''}</p>
${reasons === '' ? '' : `<div class="card"><ul>${reasons}</ul></div>`}`;
}

export function causes(v: Verdict): string {
  if (v.causes.length === 0 && v.calls.total === 0 && v.registrations !== null) return '';
  if (v.causes.length === 0) return '<h2>Causes</h2><p>No call went bad.</p>';
  const heading =
    v.calls.bad > 0 ? `Why ${plural(v.calls.bad, 'call')} went bad` : 'What the platform refused, as configured';
  const cards = v.causes.map(
    (
      c,
    ) => `<div class="card"><h3>${esc(c.cause)} <span class="soft">${metBy(c)}${c.cause === 'unknown' ? '' : `, confidence ${decimals(c.confidence)}`}, from ${duration(c.sinceMs)} to ${duration(c.untilMs)} of the run${c.expected ? ', as configured' : ''}</span></h3>
<p>${esc(c.summary)}.</p><ul>${c.evidence.map((e) => `<li><span class="src">${esc(e.source)}</span>${esc(e.text)}</li>`).join('')}</ul><p><b>It dies at</b> ${esc(c.hop)}.</p>${c.missing.length === 0 ? '' : `<p class="soft">Not seen: ${esc(c.missing.join(', '))}. With it this would be surer, or ruled out.</p>`}<p class="cure"><b>Cure.</b> ${esc(c.cure)}</p><p class="soft">${esc(c.see)}</p></div>`,
  );
  return `<h2>${heading}</h2>${cards.join('')}${attribution(v)}`;
}

function attribution(v: Verdict): string {
  const a = v.attribution;
  if (a === null) return '';
  return `<p class="soft">Score: ${esc(a.injected)} was injected, and named in ${count(a.named)} of ${plural(a.badCalls, 'bad call')} (precision ${percent(a.precision)}, recall ${percent(a.recall)}). The diagnosis had not seen the plan.</p>`;
}

export function tiles(v: Verdict): string {
  const m = v.calls.metrics;
  const q = (x: Quantiles | null): string => (x === null ? '-' : `${duration(x.p50)} / ${duration(x.p95)}`);
  const list: [string, string, boolean][] = [
    ['offered', count(v.load.offered), false],
    ['blocked', count(v.load.blocked), v.load.blocked > 0],
    ['answered (ASR)', `${count(v.calls.answered)} (${percent(m.asr)})`, false],
    ['dropped', count(v.calls.dropped), v.calls.dropped > 0],
    ['bad calls', count(v.calls.bad), v.calls.bad > 0],
    ['open at the end', count(v.load.open), false],
    ['SRD p50 / p95', q(m.srdMs), false],
    ['answer p50 / p95', q(m.setupMs), false],
    ['SDD p50 / p95', q(m.sddMs), false],
    ['SER', percent(m.ser), false],
    ['SEER', percent(m.seer), false],
    ['ISA', percent(m.isa), (m.isa ?? 0) > 0],
    ['SCR', percent(m.scr), false],
    ['dead air', count(v.media.deadAir), v.media.deadAir > 0],
    ['one way', count(v.media.oneWay), v.media.oneWay > 0],
    ['poor MOS', count(v.media.poorMos), v.media.poorMos > 0],
    ['crossed audio', count(v.media.crossed), v.media.crossed > 0],
    ['MOS p50 / p5', v.media.mos === null ? '-' : `${decimals(v.media.mos.p50)} / ${decimals(v.media.mos.p5)}`, false],
  ];
  const tile = ([label, value, bad]: [string, string, boolean]): string =>
    `<div class="tile${bad ? ' bad' : ''}"><b>${esc(value)}</b><span>${label}</span></div>`;
  return `<h2>The run in numbers</h2><div class="tiles">${list.map(tile).join('')}</div>`;
}

export function registrations(v: Verdict): string {
  const r = v.registrations;
  if (r === null) return '';
  const back = (ms: number | null): string => (ms === null ? 'never' : duration(ms));
  const list: [string, string, boolean][] = [
    ['registered at the end', `${count(r.registeredAtEnd)} of ${count(r.phones)}`, r.registeredAtEnd < r.phones],
    [
      '50 % / 95 % / 100 % back',
      [r.timeTo50Ms, r.timeTo95Ms, r.timeTo100Ms].map(back).join(' / '),
      r.timeTo100Ms === null,
    ],
    ['RRD p50 / p95', r.rrdMs === null ? '-' : `${duration(r.rrdMs.p50)} / ${duration(r.rrdMs.p95)}`, false],
    [
      'RRD of refreshes p50 / p95',
      r.refreshRrdMs === null ? '-' : `${duration(r.refreshRrdMs.p50)} / ${duration(r.refreshRrdMs.p95)}`,
      false,
    ],
    ['IRA', percent(r.ira), (r.ira ?? 0) > 0],
    ['attempts', count(r.attempts), false],
    ['challenged (401)', count(r.challenged), false],
    ['refused (503)', count(r.refused), r.refused > 0],
    ['timed out', count(r.timeouts), r.timeouts > 0],
    ['repeated', count(r.retransmissions), false],
  ];
  const tile = ([label, value, bad]: [string, string, boolean]): string =>
    `<div class="tile${bad ? ' bad' : ''}"><b>${esc(value)}</b><span>${label}</span></div>`;
  const why = r.mechanisms.map((m) => `<li><b>${esc(m.name)}</b>: ${esc(m.text)}</li>`).join('');
  const rows = r.waves.map(
    (w) =>
      `<tr><td>${w.wave}</td><td>${duration(w.sinceMs)}</td><td>${count(w.back)} of ${count(w.phones)}</td><td>${count(w.downMax)}</td>${[w.timeTo50Ms, w.timeTo95Ms, w.timeTo100Ms, w.tenantTimeTo100Ms.p50, w.tenantTimeTo100Ms.max].map((ms) => `<td>${back(ms)}</td>`).join('')}</tr>`,
  );
  const last = r.waves.at(-1);
  const slow = (last?.slowestTenants ?? []).map(
    (t) =>
      `<tr><td>${t.tenant}</td><td>${count(t.phones)}</td><td>${duration(t.sinceMs)}</td><td>${back(t.tookMs)}</td></tr>`,
  );
  const slowest =
    slow.length === 0
      ? ''
      : `<h3>Slowest tenants of the last wave</h3><div class="scroll" tabindex="0"><table><tr><th>tenant</th><th>phones</th><th>began at</th><th>all back after</th></tr>${slow.join('')}</table></div>`;
  return `<h2>Phones</h2><div class="tiles">${list.map(tile).join('')}</div>${why === '' ? '' : `<div class="card"><h3>What kept them waiting</h3><ul>${why}</ul></div>`}
<div class="scroll" tabindex="0"><table><tr><th>wave</th><th>at</th><th>back</th><th>down at once</th><th>50 %</th><th>95 %</th><th>100 %</th><th>a tenant (p50)</th><th>slowest tenant</th></tr>${rows.join('')}</table></div>${slowest}`;
}

export function budgets(v: Verdict): string {
  if (v.budgets.length === 0) return '';
  const rows = v.budgets.map(
    (b) =>
      `<tr><td class="${b.ok ? 'ok' : 'no'}">${wordOf(b)}</td><td><code>${esc(b.text)}</code></td><td>${esc(b.reason)}</td></tr>`,
  );
  return `<h2>Budgets</h2><div class="scroll" tabindex="0"><table>${rows.join('')}</table></div>`;
}

export function worstCalls(rows: readonly Row[], runDir: string): string {
  if (rows.length === 0) return '';
  const body = rows.map((r) => {
    const heard = (d: string): string =>
      at(r, `${d}_expected_pkts`) === null ? '-' : `${count(n(r, `${d}_recv`))} / ${count(n(r, `${d}_expected_pkts`))}`;
    return `<tr><td>${n(r, 'callNo')}</td><td>${duration(at(r, 'started_ms'))}</td><td>${esc(String(r.cause ?? '-'))}</td><td>${esc(defectsOf(r).join('; ') || String(r.outcome))}</td><td>${heard('a2b')}</td><td>${heard('b2a')}</td><td>${decimals(at(r, 'mos'))}</td></tr>
<tr><td></td><td colspan="6"><details><summary class="mono">${esc(String(r.caller_callId ?? r.callee_callId ?? ''))}</summary><pre tabindex="0">${esc([ladderText(r), ...audioStrips(r, runDir)].join('\n'))}</pre></details></td></tr>`;
  });
  return `<h2>Worst calls</h2><div class="scroll" tabindex="0"><table><tr><th>call</th><th>at</th><th>cause</th><th>what was wrong</th><th>callee heard</th><th>caller heard</th><th>MOS</th></tr>${body.join('')}</table></div>`;
}

export function generator(v: Verdict): string {
  const g = v.generator;
  const rows = [
    [
      'calls after their instant',
      `p50 ${duration(g.callLatenessMs.p50)}, p99 ${duration(g.callLatenessMs.p99)}, max ${duration(g.callLatenessMs.max)}`,
    ],
    [
      'RTP after its instant',
      `p50 ${duration(g.rtpLatenessMs.p50)}, p99 ${duration(g.rtpLatenessMs.p99)}, max ${duration(g.rtpLatenessMs.max)}`,
    ],
    ['RTP sent / received', `${count(g.rtpSent)} / ${count(g.rtpReceived)}`],
    [
      'dropped by ourselves',
      `${count(g.sendDropped)} sending, ${count(g.receiveDropped)} receiving; ${count(g.unreachable)} unreachable, ${count(g.parseRejected)} not parsed`,
    ],
    ['workers', g.workers.map((w) => `${w.name} ${w.died ? 'died' : percent(w.cpuBusy)}`).join(', ')],
    ...(g.bytesPerPhone === undefined
      ? []
      : [['memory a phone that registers', `${count(g.bytesPerPhone)} bytes, sockets aside`]]),
    ['media, wire', `${g.mediaBackend}, ${g.wire}`],
    ['telemetry missing', v.sourcesMissing.length === 0 ? 'none' : missingText(v)],
  ];
  return `<h2>How the generator fared</h2><p>${esc(g.text)}.</p><div class="scroll" tabindex="0"><table>${rows.map(([k, x]) => `<tr><th>${esc(k!)}</th><td>${esc(x!)}</td></tr>`).join('')}</table></div>`;
}

export function faults(v: Verdict): string {
  if (v.faults.length === 0) return '';
  const rows = v.faults.map(
    (f) =>
      `<tr><td>${esc(f.kind)}</td><td>${esc([f.on, f.backend].filter((x) => x !== undefined).join(', by '))}</td><td>${duration(f.intendedAtMs)}</td><td>${duration(f.appliedAtMs)}</td><td>${duration(f.removedAtMs)}</td><td>${f.provenRemoved ? 'proven' : '<span class="no">not proven</span>'}</td><td>${esc(f.note)}</td></tr>`,
  );
  return `<h2>Faults that were injected</h2><div class="scroll" tabindex="0"><table><tr><th>fault</th><th>on</th><th>meant for</th><th>applied</th><th>removed</th><th>removal</th><th></th></tr>${rows.join('')}</table></div>${v.recovery === null ? '' : `<p>${esc(recoveryText(v.recovery))}.</p>`}`;
}

export function baseline(v: Verdict): string {
  if (v.baseline === null) return '';
  const { moved, notes, before } = v.baseline;
  const rows = moved.map(
    (m) => `<tr><td class="${m.change === 'worse' ? 'no' : 'ok'}">${m.change}</td><td>${esc(movedText(m))}</td></tr>`,
  );
  const told = notes.map((n) => `<li>${esc(n)}</li>`).join('');
  return `<h2>Against the baseline</h2><p>${esc(diffHeadline(v.baseline))}, against <code>${esc(before)}</code>.</p>
${rows.length === 0 ? '' : `<div class="scroll" tabindex="0"><table>${rows.join('')}</table></div>`}${told === '' ? '' : `<ul>${told}</ul>`}`;
}

/** What was injected against what was named; one row, as a run has one injected cause. */
export function confusion(v: Verdict): string {
  if (v.attribution === null || v.attribution.badCalls === 0) return '';
  const { confusion: matrix, injected } = v.attribution;
  const named = [...new Set(Object.values(matrix).flatMap((row) => Object.keys(row)))];
  const rows = Object.entries(matrix).map(
    ([is, row]) =>
      `<tr><th scope="row">${esc(is)}</th>${named.map((n) => `<td${n === is ? ' class="hit"' : ''}>${count(row[n] ?? 0)}</td>`).join('')}</tr>`,
  );
  return `<h2>Injected against named</h2><p class="soft">${esc(injected)} was injected; the diagnosis did not know.</p>
<div class="scroll" tabindex="0"><table class="matrix"><tr><th scope="col">injected</th>${named.map((n) => `<th scope="col">named ${esc(n)}</th>`).join('')}</tr>${rows.join('')}</table></div>`;
}

/** The command, and what lies beside this file. */
export function reproduce(v: Verdict): string {
  return `<h2>Have this run again</h2><pre tabindex="0">${esc(v.reproduce)}</pre>
<p class="soft">Beside this file: verdict.json, summary.md, junit.xml and annotations.txt for a CI; legs, telemetry, frames and causes as Parquet, for
<code>deadair query</code> and <code>deadair autopsy</code>; plan.json, env.json, faults.jsonl.</p>`;
}
