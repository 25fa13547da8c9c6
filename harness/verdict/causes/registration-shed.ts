import { type CauseRule, nice, num, seconds, span } from '../rule.js';

/**
 * A limit in front of the registrar lets in so many first REGISTERs and answers the others with 503 and Retry-After. It is a policy: the
 * phones come back a little later, and what they do not do is drown the registrar. A limit below what the registrar can do is one too
 * many, and the run's mechanisms say so.
 *
 * Ruled out by: 503s without a limit that counts them.
 */
export const registrationShed: CauseRule = {
  name: 'registration-shed',
  summary: 'A limit in front of the registrar sent phones away for a while: a policy that does its work',
  needs: [],
  expected: true,
  cure: 'Nothing, if phones are back in time: Retry-After spreads them. Where its threads were idle meanwhile raise the limit to three quarters of what the registrar can do.',
  rule: 'SELECT NULL::BIGINT AS callNo, 0.0 AS confidence WHERE false',
  phones: `
    WITH told AS (SELECT sum(refused) AS refused, max(limit_per_s) AS limit_per_s, min(t_prev) FILTER (refused > 0) AS since, max(t) FILTER (refused > 0) AS until FROM registrar),
    sent_away AS (SELECT sum(n503) AS attempts, min(doneMs) AS known FROM registrations WHERE n503 > 0)
    SELECT 0 AS calls, attempts, since, until, known, CASE WHEN limit_per_s > 0 THEN 0.95 ELSE 0.8 END AS confidence
    FROM told, sent_away WHERE refused > 0 AND attempts > 0 AND attempts >= 0.5 * refused`,
  evidence: [
    {
      source: 'registrar',
      sql: 'SELECT sum(refused) AS refused, max(limit_per_s) AS limit_per_s, min(t_prev) AS since, max(t) AS until, 100 * avg(threads_busy / threads_max) AS busy FROM registrar WHERE refused > 0 HAVING count(*) > 0',
      text: (r) =>
        r.refused === undefined
          ? null
          : `the limit of ${nice(num(r, 'limit_per_s'))} first REGISTERs a second refused ${nice(num(r, 'refused'))} ${span(r)}, while ${nice(num(r, 'busy'))} % of the registrar's threads had work`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) FILTER (n503 > 0) AS away, count(DISTINCT phone) FILTER (n503 > 0) AS phones, sum(n503) AS refusals,
              (SELECT count(DISTINCT phone) FROM registrations WHERE outcome_name = 'registered' AND phone IN (SELECT phone FROM registrations WHERE n503 > 0)) AS back,
              quantile_cont(doneMs - startedMs, 0.5) FILTER (n503 > 0) AS took_ms FROM registrations`,
      text: (r) =>
        `${nice(num(r, 'phones'))} phones were sent away ${nice(num(r, 'refusals'))} times; ${nice(num(r, 'back'))} of them got in later (${seconds(num(r, 'took_ms'))} an attempt in the middle case)`,
    },
  ],
};
