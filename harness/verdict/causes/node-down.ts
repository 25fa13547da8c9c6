import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * A node, or the whole platform, answered nothing for a while. The edge says it found no node; or a node's readings
 * stop; or, with no telemetry at all, nearly every call of some seconds timed out while others of the run went well.
 * Ruled out by: a database stall at that time.
 */
export const nodeDown: CauseRule = {
  name: 'node-down',
  summary: 'A node was down or cut off',
  needs: ['edge', 'node'],
  cure: 'Probe nodes with OPTIONS every few seconds and take one out after two failures; fail INVITEs over to the next node before the caller gives up, and keep dialog state where another node can read it.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE outages AS
       SELECT since, until, 0.85 AS confidence, 'edge' AS told_by FROM ${stretches('edge', 'no_node > 0')}
       UNION ALL
       -- A node that gives no reading for five of its intervals while other readings go on: when all stop, it is the collector.
       SELECT t AS since, coalesce(t_next, duration_ms) AS until, 0.75, 'node'
       FROM (SELECT *, lead(t) OVER (PARTITION BY instance ORDER BY t) AS t_next,
               median(t - t_prev) OVER (PARTITION BY instance) AS pace FROM node) AS n, run_env
       WHERE coalesce(t_next, duration_ms) - t > greatest(3000, 5 * pace)
         AND EXISTS (FROM telemetry x WHERE x.tMs > n.t + 3 * pace AND x.tMs < coalesce(t_next, duration_ms))
       UNION ALL
       -- Second by second: two outages are not one long one.
       SELECT a, b, 0.5, 'legs' FROM (
         SELECT floor(started_ms / 1000) * 1000 AS a, floor(started_ms / 1000) * 1000 + 1000 AS b,
           count(*) AS n, avg((outcome = 'timeout')::INT) AS share FROM graded WHERE has_caller GROUP BY 1, 2)
       WHERE n >= 3 AND share >= 0.9 AND EXISTS (FROM graded WHERE answered)`,
  ],
  rule: `
    SELECT callNo, max(confidence) AS confidence
    FROM suspects JOIN outages ON started_ms BETWEEN since - 1000 AND until + 1000 OR wrong_ms BETWEEN since - 1000 AND until + 33000
    WHERE (outcome = 'timeout' OR bye_failed OR cancelled_slow OR (failed AND final_code IN (408, 480, 500, 503, 504) AND q850 IN (0, 38, 41)))
      AND NOT EXISTS (FROM cdr WHERE oldest_pending_ms > 1000 AND t BETWEEN started_ms AND coalesce(ended_ms, wrong_ms) + 5000)
    GROUP BY callNo`,
  evidence: [
    {
      source: 'legs',
      sql: `SELECT (SELECT min(since) FROM outages) AS since, (SELECT max(until) FROM outages) AS until, count(*) AS n,
              sum(caller_inviteRetransmits) AS repeats, count(*) FILTER (caller_tryingMs IS NULL) AS untried FROM mine`,
      text: (r) =>
        `${nice(num(r, 'n'))} calls got no answer ${span(r)}, ${nice(num(r, 'untried'))} of them not even a 100 after ${nice(num(r, 'repeats'))} repeated INVITEs`,
    },
    {
      source: 'edge',
      sql: 'SELECT sum(no_node) AS n FROM edge HAVING sum(no_node) > 0',
      text: (r) => (r.n === undefined ? null : `the edge found no node for ${nice(num(r, 'n'))} requests`),
    },
  ],
};
