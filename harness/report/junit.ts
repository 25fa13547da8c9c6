import type { Verdict } from '../verdict/types.js';
import { diffText, movedText } from './diff-text.js';
import { escapeXml } from './format.js';
import { summaryText } from './summary.js';

/**
 * For a CI that reads JUnit XML, in the strict form that the common schema asks for: one case for whether the measurement can
 * be trusted (an error, not a failure, when it cannot), and one for each budget and for the baseline.
 */
export function junitXml(v: Verdict): string {
  const suite = escapeXml(`deadair.${v.run.scenario ?? v.run.id}${v.run.incident ? `.${v.run.incident}` : ''}`);
  const time = (v.run.durationMs / 1000).toFixed(3);
  const invalid = v.outcome.word === 'INVALID';
  const cases: Case[] = [
    { name: 'the measurement can be trusted', body: invalid ? problem('error', v.outcome.reasons) : '' },
  ];
  for (const b of v.budgets) {
    cases.push({
      name: b.text,
      body: b.ok || b.warn ? '' : problem('failure', [b.reason, causesText(v)]),
      log: b.reason,
    });
  }
  if (v.baseline !== null) {
    const worse = v.baseline.moved.filter((m) => m.change === 'worse').map(movedText);
    const body = worse.length === 0 ? '' : problem('failure', worse);
    cases.push({ name: `not worse than ${v.baseline.before}`, body, log: diffText(v.baseline) });
  }
  // What a broken measurement kept or crossed is neither.
  if (invalid) for (const c of cases.slice(1)) c.body = '<skipped/>';
  const withTag = (tag: string): number => cases.filter((c) => c.body.startsWith(`<${tag}`)).length;
  const counts = `tests="${cases.length}" failures="${withTag('failure')}" errors="${withTag('error')}"`;
  const properties: [string, string | number | null][] = [
    ['run', v.run.id],
    ['outcome', v.outcome.word],
    ['seed', v.run.seed],
    ['reproduce', v.reproduce],
  ];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts} time="${time}">`,
    // The schema has no zone and no fraction in an instant; ours are UTC.
    `<testsuite name="${suite}" id="0" package="deadair" hostname="localhost" ${counts} skipped="${withTag('skipped')}" time="${time}" timestamp="${escapeXml(v.run.startedAt.slice(0, 19))}">`,
    '<properties>',
    ...properties
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `<property name="${name}" value="${escapeXml(String(value))}"/>`),
    '</properties>',
    ...cases.map((c) => testcase(suite, c)),
    `<system-out>${escapeXml(summaryText(v))}</system-out>`,
    '<system-err/>',
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

interface Case {
  name: string;
  body: string;
  log?: string;
}

function problem(tag: 'error' | 'failure', lines: readonly string[]): string {
  const type = tag === 'error' ? 'invalid' : 'crossed';
  return `<${tag} type="${type}" message="${escapeXml(lines[0] ?? type)}">${escapeXml(lines.join('\n'))}</${tag}>`;
}

function testcase(suite: string, { name, body, log }: Case): string {
  const out = log === undefined || body === '<skipped/>' ? '' : `<system-out>${escapeXml(log)}</system-out>`;
  return `<testcase classname="${suite}" name="${escapeXml(name)}" time="0">${body}${out}</testcase>`;
}

function causesText(v: Verdict): string {
  return v.causes
    .map(
      (c) => `${c.cause}: ${c.calls} calls. ${c.summary}. ${c.evidence.map((e) => e.text).join('; ')}. Cure: ${c.cure}`,
    )
    .join('\n');
}
