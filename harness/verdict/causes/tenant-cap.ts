import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * The platform itself refused the call, since its tenant has all the calls that it may have at once. The caller hears "busy"; nobody was
 * called. It is a policy that works, not a bad call, and is reported as expected.
 *
 * Ruled out by: a called party that heard of the call and was busy itself; a platform that counts no capped call, and gave no such Reason.
 */
export const tenantCap: CauseRule = {
  name: 'tenant-cap',
  summary: "A tenant's limit of calls at once was reached: the platform refused the next, as configured",
  needs: ['edge'],
  expected: true,
  cure: "Raise the tenant's limit, or sell it more; tell the tenant before it is reached, and answer with a Reason that says so.",
  prepare: [`CREATE OR REPLACE TEMP TABLE capped AS SELECT * FROM ${stretches('edge', 'capped > 0')}`],
  rule: `
    WITH hits AS (SELECT p.*, EXISTS (FROM capped WHERE caller_rejectedMs BETWEEN since - 1000 AND until + 1000) AS seen,
                    regexp_matches(lower(caller_reasonText), 'limit|tenant|cap ') AS told FROM policed p)
    SELECT callNo, CASE WHEN seen AND told THEN 0.98 WHEN seen THEN 0.9 ELSE 0.75 END AS confidence
    FROM hits WHERE final_code IN (403, 480, 486, 600, 603) AND (seen OR told)`,
  evidence: [
    {
      source: 'edge',
      sql: 'SELECT sum(capped) AS n, min(t_prev) AS since, max(t) AS until FROM edge WHERE capped > 0 HAVING count(*) > 0',
      text: (r) =>
        r.n === undefined ? null : `the platform refused ${nice(num(r, 'n'))} calls above a tenant's limit ${span(r)}`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, mode(final_code) AS code, mode(caller_reasonText) AS reason,
              (SELECT max(up) FROM (SELECT sum(d) OVER (ORDER BY t, d ROWS UNBOUNDED PRECEDING) AS up FROM (
                 SELECT started_ms AS t, 1 AS d FROM graded WHERE answered UNION ALL SELECT ended_ms, -1 FROM graded WHERE answered AND ended_ms IS NOT NULL))) AS up FROM mine`,
      text: (r) =>
        `${nice(num(r, 'n'))} callers got ${num(r, 'code')}${r.reason === '' || r.reason === null ? '' : ` "${r.reason}"`}, and nobody was called; at most ${nice(num(r, 'up'))} answered calls were up at once`,
    },
  ],
};
