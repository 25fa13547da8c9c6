import { type Evidence, nice, num, span } from './rule.js';

/**
 * What both trunk causes share. A trunk refuses for one of two reasons, and its numbers tell which when it gave none:
 * at a channel limit the calls stand at their highest, flat, whenever one is refused; at a CPS limit the calls go on
 * rising (or falling) while the trunk accepts as many in a second as it ever does. A trunk that refuses while it accepts
 * little or nothing has neither limit: it is broken, and `looks_like` is NULL.
 */
export const TRUNK_REFUSALS = `CREATE OR REPLACE TEMP TABLE trunk_refusals AS
  WITH peak AS (SELECT instance, max(calls) AS most FROM trunk GROUP BY instance),
  shape AS (SELECT instance, avg((calls >= most - greatest(1, 0.01 * most))::INT) AS at_peak
            FROM trunk JOIN peak USING (instance) WHERE rejected > 0 GROUP BY instance),
  seconds AS (SELECT instance, floor(t / 1000) AS s, sum(attempts - rejected) AS accepted, sum(rejected) AS refused
              FROM trunk GROUP BY ALL),
  pace AS (SELECT instance, coalesce(max(accepted) FILTER (refused > 0) >= 0.8 * max(accepted), false) AS at_pace
           FROM seconds GROUP BY instance)
  SELECT instance, t_prev, t, rejected, calls, most, attempts,
    -- A trunk that counts its refusals by their reason has said it.
    CASE WHEN refused_cps > 0 THEN 42 WHEN refused_channels > 0 THEN 34 END AS said,
    CASE WHEN at_peak >= 0.8 THEN 34 WHEN at_pace THEN 42 END AS looks_like,
    1000.0 * (attempts - rejected) / greatest(1, t - t_prev) AS accepted_per_s
  FROM trunk JOIN peak USING (instance) JOIN shape USING (instance) JOIN pace USING (instance) WHERE rejected > 0`;

/** Calls refused with a 5xx whose Reason, or for want of one the trunk's numbers, speak for the Q.850 `cause`. */
export function refusedBy(cause: 34 | 42): string {
  return `
    WITH watched AS (SELECT count(*) > 0 AS yes FROM trunk),
    hits AS (SELECT s.*, r.looks_like, r.said, coalesce(r.refused, false) AS refused FROM suspects s LEFT JOIN (
      SELECT callNo, max(looks_like) AS looks_like, max(said) AS said, true AS refused
      FROM suspects JOIN trunk_refusals ON caller_rejectedMs BETWEEN t_prev - 500 AND t + 1000 GROUP BY callNo) r USING (callNo))
    SELECT callNo, CASE
        WHEN said = ${cause} THEN 0.97
        WHEN q850 = ${cause} AND refused THEN 0.97
        WHEN q850 = ${cause} AND NOT watched.yes THEN 0.85
        WHEN q850 = ${cause} THEN 0.6
        ELSE 0.75 END AS confidence
    FROM hits, watched
    WHERE failed AND final_code BETWEEN 500 AND 599 AND NOT answered
      -- A B2BUA in between may make 34 of every 503 (chan_pjsip does): then the trunk's own word counts.
      AND (CASE WHEN said IS NOT NULL AND q850 IN (0, 34, 42) THEN said ELSE q850 END = ${cause} OR (q850 = 0 AND looks_like = ${cause}))`;
}

export const refusalEvidence: readonly Evidence[] = [
  {
    source: 'trunk',
    sql: `SELECT sum(rejected) AS rejected, max(most) AS most, quantile_cont(accepted_per_s, 0.5) AS accepted_per_s,
            count(DISTINCT instance) AS trunks, min(t_prev) AS since, max(t) AS until FROM trunk_refusals HAVING count(*) > 0`,
    text: (r) =>
      r.rejected === undefined
        ? null
        : `${nice(num(r, 'trunks'))} trunk${num(r, 'trunks') === 1 ? '' : 's'} refused ${nice(num(r, 'rejected'))} INVITEs ${span(r)}, while accepting about ${nice(num(r, 'accepted_per_s'))} a second; at most ${nice(num(r, 'most'))} calls were up on one`,
  },
  {
    source: 'legs',
    sql: 'SELECT count(*) AS n, mode(final_code) AS code, mode(q850) AS q850, quantile_cont(srd_failed_ms, 0.5) AS after_ms FROM mine',
    text: (r) =>
      `callers got ${num(r, 'code')}${num(r, 'q850') > 0 ? ` with Reason Q.850 cause ${num(r, 'q850')}` : ' without a Reason'} after ${nice(num(r, 'after_ms'))} ms`,
  },
];

/** Highest number of calls that callers tried within one second. */
export const BUSIEST_SECOND: Evidence = {
  source: 'legs',
  sql: 'SELECT max(n) AS busiest FROM (SELECT count(*) AS n FROM graded WHERE has_caller GROUP BY floor(started_ms / 1000))',
  text: (r) => `the busiest second of the run had ${nice(num(r, 'busiest'))} new calls`,
};
