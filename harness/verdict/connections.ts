import type { OpenRun } from './read.js';
import { num } from './rule.js';
import type { Connections } from './types.js';

/** Counters of the workers (agents/counters.ts), at their last reading, summed. */
const FIELDS = {
  dialled: 'connectionsDialled',
  redialled: 'connectionsRedialled',
  made: 'connectionsMade',
  accepted: 'connectionsAccepted',
  refused: 'connectionsRefused',
  reset: 'connectionsReset',
  closed: 'connectionsClosed',
  timedOut: 'connectionsTimedOut',
  unreached: 'connectionsUnreached',
  tlsFailed: 'connectionsTlsFailed',
  webSocketFailed: 'connectionsWebSocketFailed',
  noRoom: 'connectionsNoRoom',
  tooLong: 'streamMessagesTooLong',
  unframed: 'streamMessagesUnframed',
  pings: 'keepAlivePings',
  pongs: 'keepAlivePongs',
  pongTimeouts: 'keepAliveTimeouts',
} as const satisfies Partial<Record<keyof Connections, string>>;

/** What became of the connections of TCP, TLS and WebSocket at our end; null in a run over UDP. */
export async function connectionsOf(run: OpenRun): Promise<Connections | null> {
  const last = (name: string): string =>
    `coalesce((SELECT sum(v) FROM (SELECT max(value) AS v FROM frames WHERE name = '${name}' GROUP BY worker)), 0)`;
  const r = await run.one(
    `SELECT ${Object.entries(FIELDS)
      .map(([field, name]) => `${last(name)} AS ${field}`)
      .join(', ')},
      coalesce((SELECT max(v) FROM (SELECT sum(v) AS v FROM (
        SELECT floor(tMs / 1000) AS s, max(value) AS v FROM frames WHERE name = 'connectionsOpen' GROUP BY s, worker) GROUP BY s)), 0) AS openMax`,
  );
  if (num(r, 'dialled') + num(r, 'accepted') + num(r, 'tlsFailed') + num(r, 'webSocketFailed') === 0) return null;
  const counts = Object.fromEntries(Object.keys(FIELDS).map((field) => [field, num(r, field)]));
  return { ...(counts as Record<keyof typeof FIELDS, number>), openMax: num(r, 'openMax') };
}
