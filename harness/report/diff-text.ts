import type { Diff, Moved, Side } from '../verdict/diff/types.js';
import { count, duration, plural } from './format.js';

/** What moved between two runs, for a terminal and for Markdown. */

function figure({ value, interval, n }: Side, unit: Moved['unit']): string {
  if (unit === 'share') {
    const span = interval === null ? '' : `, 95 % ${pct(interval.low)} to ${pct(interval.high)}`;
    return `${pct(value)} % of ${count(n)}${span}`;
  }
  if (unit === 'ms') return duration(value);
  return unit === '%' ? `${value.toFixed(2)} %` : value.toFixed(2);
}

const pct = (share: number): string => String(Number((100 * share).toPrecision(3)));

function chance(p: number): string {
  return p < 1e-6 ? 'chance below one in a million' : `chance ${Number(p.toPrecision(2))}`;
}

export function movedText(m: Moved): string {
  const of = m.tenant === '' ? '' : ` of ${m.tenant}`;
  return `${m.figure}${of}: ${figure(m.before, m.unit)} -> ${figure(m.after, m.unit)} (${chance(m.p)})`;
}

export function diffHeadline(d: Diff): string {
  const [worse, better] = (['worse', 'better'] as const).map((c) => d.moved.filter((m) => m.change === c).length);
  const of = `${plural(d.compared, 'figure')} compared`;
  if (d.moved.length === 0) return `no change beyond noise: ${of}`;
  return `${worse} worse, ${better} better beyond noise: ${of}`;
}

export function diffText(d: Diff): string {
  const out = [`${diffHeadline(d)}`, `before     ${d.before}`, `after      ${d.after}`];
  for (const m of d.moved) out.push(`${m.change.toUpperCase().padEnd(10)} ${movedText(m)}`);
  for (const note of d.notes) out.push(`note       ${note}`);
  return out.join('\n');
}

export function diffMarkdown(d: Diff): string[] {
  const rows = d.moved.map((m) => `- **${m.change}** ${movedText(m)}`);
  const notes = d.notes.map((n) => `- note: ${n}`);
  return [`**Against the baseline** \`${d.before}\`: ${diffHeadline(d)}`, '', ...rows, ...notes, ''];
}
