import type { Readings } from './rtpengine.js';

/**
 * The line of `nat-status` in a router's container (docker/nat), as readings of source `nat`. A limit of 0 is none, and
 * then there is no `sessions_max`. null: it did not answer, or with something else.
 */
export function routerReadings(line: string | null): Readings | null {
  const numbers = /"sessions":(\d+),"limit":(\d+),"refusedPackets":(\d+)/
    .exec(line ?? '')
    ?.slice(1)
    .map(Number);
  if (numbers === undefined) return null;
  const [sessions = 0, limit = 0, refused = 0] = numbers;
  return { sessions, refused_total: refused, ...(limit === 0 ? {} : { sessions_max: limit }) };
}
