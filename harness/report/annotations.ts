import type { Verdict } from '../verdict/types.js';
import { plural } from './format.js';
import { title } from './summary.js';

/**
 * Workflow commands of GitHub Actions, a line each: `cat annotations.txt` in a step puts them beside the job. What ends the
 * job is an error, what may be chance is a notice.
 */
export function annotations(v: Verdict): string {
  const out: string[] = [];
  const what = `deadair ${title(v)}`;
  if (v.outcome.word === 'INVALID') {
    for (const reason of v.outcome.reasons) out.push(command('error', `${what}: INVALID`, reason));
  } else {
    for (const reason of v.outcome.reasons) out.push(command('error', `${what}: FAIL`, reason));
    for (const b of v.budgets) {
      if (!b.ok && b.warn) out.push(command('warning', `${what}: budget`, `${b.text}: ${b.reason}`));
      else if (b.ok && b.undecided) out.push(command('notice', `${what}: budget`, `${b.text}: ${b.reason}`));
    }
  }
  for (const c of v.causes.filter((x) => x.expected !== true)) {
    out.push(command('warning', `${c.cause}: ${plural(c.calls, 'call')}`, `${c.summary}. Cure: ${c.cure}`));
  }
  return out.map((line) => `${line}\n`).join('');
}

function command(level: 'error' | 'warning' | 'notice', name: string, message: string): string {
  return `::${level} title=${escaped(name).replaceAll(':', '%3A').replaceAll(',', '%2C')}::${escaped(message)}`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
