import type { Verdict } from '../verdict/types.js';
import { escapeXml } from './format.js';
import { summaryText } from './summary.js';

/**
 * For a CI that reads JUnit XML: one case for whether the measurement can be trusted (an error, not a failure, when it
 * cannot), and one for each budget.
 */
export function junitXml(v: Verdict): string {
  const suite = escapeXml(`deadair.${v.run.scenario ?? v.run.id}${v.run.incident ? `.${v.run.incident}` : ''}`);
  const time = (v.run.durationMs / 1000).toFixed(3);
  const invalid = v.outcome.word === 'INVALID';
  const cases: string[] = [];
  const measurement = invalid
    ? `<error message="${escapeXml(v.outcome.reasons[0] ?? 'invalid')}">${escapeXml(v.outcome.reasons.join('\n'))}</error>`
    : '';
  cases.push(testcase(suite, 'the measurement can be trusted', measurement));
  for (const b of v.budgets) {
    // A budget of an invalid run is neither kept nor crossed.
    const body = invalid
      ? '<skipped message="the measurement cannot be trusted"/>'
      : b.ok || b.warn
        ? ''
        : `<failure message="${escapeXml(b.reason)}">${escapeXml(causesText(v))}</failure>`;
    cases.push(testcase(suite, escapeXml(b.text), body));
  }
  const failures = invalid ? 0 : v.budgets.filter((b) => !b.ok && !b.warn).length;
  const skipped = invalid ? v.budgets.length : 0;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${cases.length}" failures="${failures}" errors="${invalid ? 1 : 0}" time="${time}">`,
    `<testsuite name="${suite}" tests="${cases.length}" failures="${failures}" errors="${invalid ? 1 : 0}" skipped="${skipped}" time="${time}" timestamp="${escapeXml(v.run.startedAt)}">`,
    ...cases,
    `<system-out>${escapeXml(summaryText(v))}</system-out>`,
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testcase(suite: string, name: string, body: string): string {
  return `<testcase classname="${suite}" name="${name}"${body === '' ? '/>' : `>${body}</testcase>`}`;
}

function causesText(v: Verdict): string {
  return v.causes
    .map(
      (c) => `${c.cause}: ${c.calls} calls. ${c.summary}. ${c.evidence.map((e) => e.text).join('; ')}. Cure: ${c.cure}`,
    )
    .join('\n');
}
