import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * Call records that wait for a slow database reached the platform's high-water mark, and it takes nothing in until they are fewer.
 * Nobody waits for the database itself, which tells it from db-stall: the threads are free, and the node is deaf all the same.
 *
 * Ruled out by: a queue below its mark; signalling threads that are all taken (db-stall); a refusal that has a Reason of its own.
 */
export const cdrBacklog: CauseRule = {
  name: 'cdr-backlog',
  summary: 'Call records that waited for the database reached their limit, and the nodes stopped taking calls',
  needs: ['cdr', 'node'],
  cure: 'Write records in batches and asynchronously to something that is always there (a local file, a stream), with a limit at which records, not calls, are given up; alarm on the length of the queue, and on the age of its oldest row.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE backlogs AS
       SELECT since, until + 2000 AS until,
         (SELECT bool_or(threads_busy >= threads_max) FROM node WHERE t BETWEEN s.since AND s.until) AS threads_out
       FROM ${stretches('cdr', 'pending_max > 0 AND pending >= 0.85 * pending_max', { joinMs: 2000 })} s`,
  ],
  rule: `
    SELECT callNo, 0.96 AS confidence
    FROM suspects JOIN backlogs ON
      (CASE WHEN answered THEN coalesce(bye_ms, answered_ms) ELSE started_ms END) <= until
      AND coalesce(ended_ms, bye_ms, started_ms) >= since
    WHERE threads_out IS NOT TRUE
      AND (outcome = 'timeout' OR cancelled_slow OR bye_failed OR no_ack
        OR (failed AND final_code IN (408, 500, 503, 504) AND q850 IN (0, 38, 41)))
    GROUP BY callNo`,
  evidence: [
    {
      source: 'cdr',
      sql: `SELECT max(pending) AS pending, max(pending_max) AS pending_max, max(oldest_pending_ms) AS oldest, min(t_prev) AS since, max(t) AS until
            FROM cdr WHERE pending_max > 0 AND pending >= 0.85 * pending_max HAVING count(*) > 0`,
      text: (r) =>
        r.pending === undefined
          ? null
          : `${nice(num(r, 'pending'))} call records waited, and the limit is ${nice(num(r, 'pending_max'))}, ${span(r)}${num(r, 'oldest') > 0 ? `; the oldest waited ${nice(num(r, 'oldest') / 1000)} s` : ''}`,
    },
    {
      source: 'node',
      sql: `SELECT max(threads_busy) AS busy, max(threads_max) AS threads, sum(inbox_dropped) AS dropped
            FROM node JOIN backlogs ON t BETWEEN since AND until HAVING max(threads_max) IS NOT NULL`,
      text: (r) =>
        r.busy === undefined
          ? null
          : `not the threads: at most ${nice(num(r, 'busy'))} of ${nice(num(r, 'threads'))} were busy, yet ${nice(num(r, 'dropped'))} datagrams were not taken in`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, count(*) FILTER (NOT answered AND caller_tryingMs IS NULL) AS untried, count(*) FILTER (bye_failed) AS byes FROM mine`,
      text: (r) =>
        `${nice(num(r, 'n'))} calls met it: ${nice(num(r, 'untried'))} INVITEs did not even get a 100, ${nice(num(r, 'byes'))} calls could not be hung up`,
    },
  ],
};
