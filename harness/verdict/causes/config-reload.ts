import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds, span } from '../rule.js';

/**
 * A node loaded its configuration, and was slow or deaf meanwhile: a brownout. Calls that were up have their audio; those that are
 * set up or taken down in that time wait, and some of them too long.
 *
 * Ruled out by: no reload counted by the node at that time; a database that did not commit (db-stall), since a reload that waits for
 * it is that one's work.
 */
export const configReload: CauseRule = {
  name: 'config-reload',
  summary: 'A node was loading its configuration, and answered late or not at all',
  needs: ['node'],
  cure: 'Reload what changed and nothing else, one node at a time and out of the dispatch list meanwhile; keep endpoints in a cache or a database that needs no reload, and reload outside the busy hour.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE reloads AS
       SELECT since, until + 2000 AS until FROM ${stretches('node', 'reloads > 0 OR reloading > 0', { joinMs: 2000 })}`,
  ],
  rule: `
    SELECT callNo, max(CASE WHEN caller_inviteRetransmits > 0 OR cancelled_slow OR bye_failed THEN 0.93 ELSE 0.85 END) AS confidence
    FROM suspects JOIN reloads ON
      (CASE WHEN answered THEN coalesce(bye_ms, answered_ms) ELSE started_ms END) <= until
      AND coalesce(ended_ms, bye_ms, started_ms) >= since
    WHERE (outcome IN ('timeout', 'dialog-lost', 'refresh-failed') OR cancelled_slow OR bye_failed OR no_ack
        OR (failed AND final_code IN (404, 408, 480, 500, 503, 504) AND q850 IN (0, 1, 3, 38, 41)))
      AND NOT starved
      AND NOT EXISTS (FROM cdr WHERE oldest_pending_ms > 1000 AND t BETWEEN since AND until)
    GROUP BY callNo`,
  evidence: [
    {
      source: 'node',
      sql: `SELECT string_agg(DISTINCT instance, ', ' ORDER BY instance) AS nodes, min(t_prev) AS since, max(t) AS until,
              sum(t - t_prev) FILTER (reloading > 0) AS took_ms FROM node WHERE reloads > 0 OR reloading > 0 HAVING count(*) > 0`,
      text: (r) =>
        r.nodes === undefined
          ? null
          : `${r.nodes} loaded the configuration ${span(r)}${num(r, 'took_ms') > 0 ? `, which took ${seconds(num(r, 'took_ms'))}` : ''}`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, sum(caller_inviteRetransmits) AS repeats, count(*) FILTER (bye_failed) AS byes,
              (SELECT count(*) FROM graded WHERE NOT bad AND answered) AS fine FROM mine`,
      text: (r) =>
        `${nice(num(r, 'n'))} calls were set up or taken down meanwhile and failed, after ${nice(num(r, 'repeats'))} repeated INVITEs; ${nice(num(r, 'fine'))} others of the run are fine`,
    },
  ],
};
