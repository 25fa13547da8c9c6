import type { OpenRun } from '../verdict/read.js';
import { count, duration } from './format.js';
import { n } from './timeline.js';

/** What the platform said of itself around an instant, a line per source that had something to say. */
export async function readingsAround(run: OpenRun, tMs: number): Promise<string[]> {
  const out: string[] = [];
  const near = `t BETWEEN ${tMs - 2000} AND ${tMs + 2000}`;
  const nearest = `ORDER BY abs(t - ${tMs}), t LIMIT 1`;
  const nat = await run.one(`SELECT * FROM nat WHERE ${near} ${nearest}`);
  if (nat.t !== undefined)
    out.push(
      `platform: NAT table ${count(n(nat, 'sessions'))} of ${count(n(nat, 'sessions_max'))} sessions${rose(nat.refused, 'new flow', 'refused')}`,
    );
  const relay = await run.one(`SELECT * FROM relay WHERE ${near} ${nearest}`);
  if (relay.t !== undefined)
    out.push(
      `platform: relay ${count(n(relay, 'ports_used'))} of ${count(n(relay, 'ports_max'))} ports${rose(relay.alloc_failed, 'allocation', 'failed')}`,
    );
  const node =
    await run.one(`SELECT max(threads_busy) AS busy, max(threads_max) AS most, max(inbox_depth) AS inbox, sum(inbox_dropped) AS dropped
    FROM node WHERE ${near} HAVING max(threads_busy) >= max(threads_max) OR sum(inbox_dropped) > 0`);
  if (node.busy !== undefined)
    out.push(
      `platform: a node had ${count(n(node, 'busy'))} of ${count(n(node, 'most'))} signalling threads busy, ${count(n(node, 'inbox'))} messages waited${rose(node.dropped, 'message', 'dropped')}`,
    );
  const trunk = await run.one(
    `SELECT sum(rejected) AS rejected, max(calls) AS calls FROM trunk WHERE ${near} HAVING sum(rejected) > 0`,
  );
  if (trunk.calls !== undefined)
    out.push(`platform: trunk at ${count(n(trunk, 'calls'))} calls${rose(trunk.rejected, 'INVITE', 'refused')}`);
  const cdr = await run.one(
    `SELECT max(oldest_pending_ms) AS oldest FROM cdr WHERE ${near} HAVING max(oldest_pending_ms) > 1000`,
  );
  if (cdr.oldest !== undefined)
    out.push(`platform: the oldest call record had waited ${duration(n(cdr, 'oldest'))} for the database`);
  return out;
}

function rose(by: unknown, what: string, verb: string): string {
  const k = Number(by ?? 0);
  return k > 0 ? `, ${count(k)} ${what}${k === 1 ? '' : 's'} ${verb} since the reading before` : '';
}
