import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds, span } from '../rule.js';

/**
 * The database did not commit for seconds, and signalling threads waited for it: nobody is left to answer SIP.
 * A stall begins when its oldest row began to wait, and its effect lasts until the inbox is worked off.
 *
 * Ruled out by: free signalling threads (rows may wait in a queue without hurting a call), a refusal that has a
 * Reason of its own.
 */
export const dbStall: CauseRule = {
  name: 'db-stall',
  summary: 'The database stalled, and the signalling threads waited for it',
  needs: ['cdr', 'node'],
  cure: 'Take CDR writes off the signalling path: queue them in memory or on disk with a limit and an alarm, write with a timeout and a circuit breaker, and watch the age of the oldest pending row.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE stalls AS
       SELECT since, until + 5000 AS until,
         (SELECT coalesce(bool_or(threads_busy >= threads_max), NULL) FROM node
          WHERE t BETWEEN s.since AND s.until + 1000) AS threads_out
       FROM ${stretches('cdr', 'oldest_pending_ms > 1000', { since: 't - oldest_pending_ms', joinMs: 2000 })} s`,
  ],
  rule: `
    SELECT callNo, max(CASE WHEN threads_out THEN 0.95 ELSE 0.7 END) AS confidence
    FROM suspects JOIN stalls ON
      -- The time that signalling had to work and did not: setting up, or taking down.
      (CASE WHEN answered THEN coalesce(bye_ms, answered_ms) ELSE started_ms END) <= until
      AND coalesce(ended_ms, bye_ms, started_ms) >= since
    WHERE (threads_out OR threads_out IS NULL)
      AND (outcome = 'timeout' OR cancelled_slow OR bye_failed OR no_ack
        OR (failed AND final_code IN (408, 500, 503, 504) AND q850 IN (0, 38, 41, 102)))
    GROUP BY callNo`,
  evidence: [
    {
      source: 'cdr',
      sql: `SELECT max(oldest_pending_ms) AS oldest_ms, max(pending) AS pending, min(t - oldest_pending_ms) AS since, max(t) AS until
            FROM cdr WHERE oldest_pending_ms > 1000 HAVING count(*) > 0`,
      text: (r) =>
        r.oldest_ms === undefined
          ? null
          : `call records waited up to ${seconds(num(r, 'oldest_ms'))} for the database, ${nice(num(r, 'pending'))} at once, ${span(r)}`,
    },
    {
      source: 'node',
      sql: `SELECT max(threads_busy) AS busy, max(threads_max) AS threads, max(inbox_depth) AS inbox, sum(inbox_dropped) AS dropped
            FROM node JOIN stalls ON t BETWEEN since AND until HAVING count(*) > 0`,
      text: (r) =>
        r.busy === undefined
          ? null
          : `${nice(num(r, 'busy'))} of ${nice(num(r, 'threads'))} signalling threads of a node were busy meanwhile, up to ${nice(num(r, 'inbox'))} messages waited for one, ${nice(num(r, 'dropped'))} were dropped`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) FILTER (NOT answered) AS setups, sum(caller_inviteRetransmits) AS invites, count(*) FILTER (bye_failed) AS byes,
              count(*) FILTER (NOT answered AND caller_tryingMs IS NULL) AS untried FROM mine`,
      text: (r) =>
        `${nice(num(r, 'setups'))} calls were given up before an answer (${nice(num(r, 'untried'))} without even a 100, ${nice(num(r, 'invites'))} INVITEs repeated), ${nice(num(r, 'byes'))} could not be hung up`,
    },
  ],
};
