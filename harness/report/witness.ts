import type { Verdict, WitnessFigures } from '../verdict/types.js';
import { count, decimals, duration, escapeXml as esc, percent } from './format.js';

/** What the webphones saw, and what the engine saw of the same: label, webphones, engine. */
export function witnessRows({ webphones, engine }: NonNullable<Verdict['witness']>): [string, string, string][] {
  const row = (label: string, of: (f: WitnessFigures) => string): [string, string, string] => [
    label,
    of(webphones),
    of(engine),
  ];
  const share = (hit: number, total: number): string =>
    total === 0 ? '-' : `${count(hit)} of ${count(total)} (${percent(hit / total)})`;
  const delay = (q: { p50: number; p95: number } | null): string =>
    q === null ? '-' : `${duration(q.p50)} / ${duration(q.p95)}`;
  return [
    row('registered', (f) => share(f.registered, f.phones)),
    row('calls tried', (f) => count(f.tried)),
    row('connected', (f) => share(f.connected, f.tried)),
    row('failed', (f) => count(f.failed)),
    row('broken off', (f) => count(f.broken)),
    row('up at once', (f) => count(f.upAtOnce)),
    row('ringing after, p50 / p95', (f) => delay(f.srdMs)),
    row('answered after, p50 / p95', (f) => delay(f.setupMs)),
    row('heard both ways', (f) => share(f.heardBoth, f.judged)),
    row('MOS, p50', (f) => decimals(f.mosP50)),
  ];
}

/** For the terminal: the one line, and the figures that people ask for first. */
export function witnessLines(v: Verdict): string[] {
  if (v.witness === null) return [];
  const rows = witnessRows(v.witness).filter(([label]) => IN_TERMINAL.has(label));
  return [v.witness.text, ...rows.map(([label, ours, engines]) => `${label}: ${ours}; engine ${engines}`)];
}
const IN_TERMINAL = new Set(['registered', 'connected', 'up at once', 'ringing after, p50 / p95', 'heard both ways']);

export function witnessMarkdown(v: Verdict): string[] {
  if (v.witness === null) return [];
  const rows = witnessRows(v.witness).map((cells) => `| ${cells.join(' | ')} |`);
  return [
    `**Webphones (sip.js)** ${v.witness.text}`,
    '',
    '| | webphones | engine |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ];
}

export function witnessHtml(v: Verdict): string {
  if (v.witness === null) return '';
  const { text, disagreements } = v.witness;
  const rows = witnessRows(v.witness).map(
    (cells) =>
      `<tr>${cells.map((cell, i) => (i === 0 ? `<th>${esc(cell)}</th>` : `<td>${esc(cell)}</td>`)).join('')}</tr>`,
  );
  return `<h2>An independent witness: webphones (sip.js)</h2><p class="${disagreements.length === 0 ? 'ok' : 'no'}">${esc(text)}</p>
<div class="scroll"><table><tr><th></th><th>webphones</th><th>engine</th></tr>${rows.join('')}</table></div>`;
}
