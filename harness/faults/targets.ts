import { HarnessError } from '../errors.js';
import type { Part } from '../lab/docker/parts.js';
import { didYouMean } from '../plan/nearest.js';
import type { FaultTarget } from './lease.js';

/** Agents are phones on one side and called parties on the other. */
const SIDES: Readonly<Record<string, string>> = { subscriber: 'phones', carrier: 'callees' };

/** Every part with the name that `on=` has for it: `nat` where there is one, `node-1`, `node-2` where there are several. */
export function targetsOf(parts: readonly Part[]): FaultTarget[] {
  const roleOf = ({ role, side }: Part): string => (role === 'agent' ? (SIDES[side] ?? role) : role);
  const counts = new Map<string, number>();
  return parts.map((part) => {
    const role = roleOf(part);
    const n = (counts.get(role) ?? 0) + 1;
    counts.set(role, n);
    const alone = parts.filter((other) => roleOf(other) === role).length === 1 && role !== 'node';
    const name = role === '' ? part.service : alone ? role : `${role}-${n}`;
    return { ...part, role, name };
  });
}

/** A role is every part that plays it. Throws BAD_PLAN. */
export function select(targets: readonly FaultTarget[], on: string, where: string): FaultTarget[] {
  const found = targets.filter((t) => t.name === on || t.service === on || t.role === on || `${t.role}-1` === on);
  const exact = found.filter((t) => t.name === on || t.service === on);
  if (exact.length > 0) return exact;
  if (found.length > 0) return found;
  const names = [...new Set(targets.flatMap((t) => [t.name, t.service]))].filter((name) => name !== '');
  throw new HarnessError(
    'BAD_PLAN',
    `${where}: on=${on}: there is no such part${didYouMean(on, names)}; there are ${names.join(', ')}`,
  );
}
