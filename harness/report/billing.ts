import type { Billing } from '../verdict/types.js';
import { count, duration, escapeXml as esc, plural } from './format.js';

/** What the platform billed against what the wire saw, in words. */
const FINDINGS = [
  ['missing', 'missing', 'was answered, and no record says so'],
  ['duplicate', 'duplicate', 'was billed more than once'],
  ['wrongDuration', 'wrong-duration', 'was billed longer or shorter than it was'],
  ['neverAnswered', 'never-answered', 'was billed, and its caller never got an answer'],
  ['wrongTenant', 'wrong-tenant', 'was billed to another tenant than the other calls of its phones'],
] as const;

const found = (b: Billing): [n: number, name: string, words: string, example: number | undefined][] =>
  FINDINGS.filter(([key]) => b[key] > 0).map(([key, name, words]) => [b[key], name, words, b.examples[name]]);

/** One line; nothing where the records could not be read. */
export function billingLines(b: Billing | null): string[] {
  if (b === null) return [];
  const wrong = found(b).map(([n, name, , example]) => `${count(n)} ${name} (call ${example})`);
  const strange = b.strange === 0 ? '' : `, ${count(b.strange)} of calls that are not ours`;
  return [
    `${plural(b.callsAnswered, 'answered call')}, ${plural(b.records, 'record')}${strange}: ${wrong.length === 0 ? 'each billed once, for as long as it was' : wrong.join(', ')}; talked ${duration(b.talkMs)}, billed ${duration(b.billedMs)}`,
  ];
}

export function billingHtml(b: Billing | null): string {
  if (b === null) return '';
  const rows = found(b).map(
    ([n, name, words, example]) => `<li><b>${esc(name)}</b> ${plural(n, 'call')}: ${esc(words)} (call ${example})</li>`,
  );
  return `<h2>What was billed</h2><p>${esc(billingLines(b)[0]!)}.</p>${rows.length === 0 ? '' : `<div class="card"><ul>${rows.join('')}</ul><p class="soft">Each of them: <code>deadair query RUN "from billing"</code></p></div>`}`;
}
