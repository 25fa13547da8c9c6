import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds } from '../rule.js';

/**
 * RFC 4028: the session was not refreshed in time, and a user agent hung up (section 10: up to 32 s before it expires).
 * Min-SE is 90 s at least, so no call expires in its first 58 s; a drop at 30 s is something else.
 * A refresh that got 481 is no expiry: the request went to somebody who does not know the call (misrouted-in-dialog).
 * Ruled out by: a direction without audio.
 */
export const sessionExpired: CauseRule = {
  name: 'session-expired',
  summary: 'The session timer ran out without a refresh (RFC 4028)',
  needs: ['node'],
  cure: 'Let the refresh re-INVITE or UPDATE through (it is routed like any request within the dialog), or let the side that can refresh be the refresher; do not just raise Session-Expires.',
  prepare: [`CREATE OR REPLACE TEMP TABLE expiries AS SELECT * FROM ${stretches('node', 'session_expired > 0')}`],
  rule: `
    WITH hits AS (SELECT s.*, EXISTS (FROM expiries WHERE bye_ms BETWEEN since - 1000 AND until + 1000) AS seen FROM suspects s),
    asked AS (SELECT *,
      -- What our own ends say of it is no guess.
      coalesce(outcome = 'session-expired' OR callee_outcome_name = 'session-expired'
        OR (outcome = 'refresh-failed' AND caller_midCode <> 481)
        OR (callee_outcome_name = 'refresh-failed' AND callee_midCode <> 481), false) AS told FROM hits)
    SELECT callNo, CASE WHEN seen OR told THEN 0.92 ELSE 0.8 END AS confidence FROM asked
    WHERE dropped AND NOT starved AND (told OR (talk_ms >= 58000
      AND (seen OR sip_cause = 408 OR lower(caller_reasonText) LIKE '%session%expir%' OR lower(caller_reasonText) LIKE '%session%time%')))`,
  evidence: [
    {
      source: 'legs',
      sql: 'SELECT count(*) AS n, quantile_cont(talk_ms, 0.5) AS talk_ms, quantile_cont(mos, 0.5) AS mos FROM mine',
      text: (r) =>
        `${nice(num(r, 'n'))} calls with good audio were hung up by neither party's wish, ${seconds(num(r, 'talk_ms'))} after the answer in the middle case`,
    },
    {
      source: 'legs',
      sql: `SELECT mode(greatest(coalesce(caller_sessionExpiresS, 0), coalesce(callee_sessionExpiresS, 0))) AS expires,
              coalesce(sum(caller_refreshes), 0) + coalesce(sum(callee_refreshes), 0) AS refreshed,
              count(*) FILTER (caller_midCode > 0 OR callee_midCode > 0) AS unanswered,
              coalesce(sum(caller_updatesSent), 0) + coalesce(sum(callee_updatesSent), 0) AS updates,
              coalesce(sum(caller_reinvitesSent), 0) + coalesce(sum(callee_reinvitesSent), 0) AS reinvites FROM mine`,
      text: (r) =>
        num(r, 'expires') === 0
          ? null
          : `sessions of ${num(r, 'expires')} s were agreed; ${nice(num(r, 'updates'))} UPDATEs and ${nice(num(r, 'reinvites'))} re-INVITEs went out, ${nice(num(r, 'refreshed'))} refreshes were answered, and in ${nice(num(r, 'unanswered'))} calls one was refused or got no answer`,
    },
    {
      source: 'node',
      sql: 'SELECT sum(session_expired) AS n FROM node HAVING sum(session_expired) > 0',
      text: (r) => (r.n === undefined ? null : `the nodes counted ${nice(num(r, 'n'))} expired sessions`),
    },
  ],
};
