import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds } from '../rule.js';

/**
 * RFC 4028: the session was not refreshed in time, and a user agent hung up (section 10: up to 32 s before it expires).
 * Min-SE is 90 s at least, so no call expires in its first 58 s; a drop at 30 s is something else.
 * Ruled out by: a direction without audio.
 */
export const sessionExpired: CauseRule = {
  name: 'session-expired',
  summary: 'The session timer ran out without a refresh (RFC 4028)',
  needs: ['node'],
  cure: 'Let the refresh re-INVITE or UPDATE through (it is routed like any request within the dialog), or let the side that can refresh be the refresher; do not just raise Session-Expires.',
  prepare: [`CREATE OR REPLACE TEMP TABLE expiries AS SELECT * FROM ${stretches('node', 'session_expired > 0')}`],
  rule: `
    WITH hits AS (SELECT s.*, EXISTS (FROM expiries WHERE bye_ms BETWEEN since - 1000 AND until + 1000) AS seen FROM suspects s)
    SELECT callNo, CASE WHEN seen THEN 0.92 ELSE 0.8 END AS confidence FROM hits
    WHERE dropped AND NOT starved AND talk_ms >= 58000
      AND (seen OR sip_cause = 408 OR lower(caller_reasonText) LIKE '%session%expir%' OR lower(caller_reasonText) LIKE '%session%time%')`,
  evidence: [
    {
      source: 'legs',
      sql: 'SELECT count(*) AS n, quantile_cont(talk_ms, 0.5) AS talk_ms, quantile_cont(mos, 0.5) AS mos FROM mine',
      text: (r) =>
        `${nice(num(r, 'n'))} calls with good audio were hung up by the platform, ${seconds(num(r, 'talk_ms'))} after the answer in the middle case`,
    },
    {
      source: 'node',
      sql: 'SELECT sum(session_expired) AS n FROM node HAVING sum(session_expired) > 0',
      text: (r) => (r.n === undefined ? null : `the nodes counted ${nice(num(r, 'n'))} expired sessions`),
    },
  ],
};
