import type { Row } from '../verdict/read.js';
import { duration } from './format.js';
import { audioOf, type Moment, momentsOf, type Party } from './timeline.js';

/**
 * A call flow in text:
 *
 *      +0 ms   caller --INVITE--> platform              callee
 *     +30 ms     |<---180-----------|                      |
 */
const WIDTH = 19;

function lane(arrow: Moment['arrow'], left: Party, right: Party): string {
  if (!arrow || ![left, right].includes(arrow.from) || ![left, right].includes(arrow.to)) return ' '.repeat(WIDTH);
  const label = `${arrow.label} `;
  return arrow.from === left ? `${`-- ${label}`.padEnd(WIDTH - 1, '-')}>` : `<${`- ${label}`.padEnd(WIDTH - 1, '-')}`;
}

export function ladderText(row: Row): string {
  const moments = momentsOf(row).filter((m) => m.arrow);
  const first = moments[0]?.tMs ?? 0;
  const both = Boolean(row.has_callee);
  const head = `${' '.repeat(12)}caller${' '.repeat(WIDTH - 9)}platform${both ? `${' '.repeat(WIDTH - 8)}callee` : ''}`;
  const lines = [head];
  for (const m of moments) {
    const time = `+${duration(m.tMs - first)}`.padStart(10);
    const right = both ? `${lane(m.arrow, 'platform', 'callee')}|` : '';
    lines.push(`${time}   |${lane(m.arrow, 'caller', 'platform')}|${right}`);
  }
  for (const a of audioOf(row)) lines.push(`${' '.repeat(13)}${a.name} ${a.text}`);
  return lines.join('\n');
}
