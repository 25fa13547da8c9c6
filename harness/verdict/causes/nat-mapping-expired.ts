import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds, span } from '../rule.js';

/**
 * The router forgot an idle mapping: what the platform sends to the phone then ends at the router, while the phone still gets out.
 * Either the mapping of SIP, so that a BYE, re-INVITE or UPDATE from the other side never arrives and the phone goes on talking to
 * nobody; or that of RTP, so that a direction which was heard falls silent for good.
 *
 * Ruled out by: audio that was never heard (nat-table-full, rtp-port-exhausted); a router that is watched, and turned nothing away
 * when the phone should have heard it.
 */
/** A BYE takes this long when it needs repeating; a mapping that is gone keeps it away for good. */
const UNHEARD_MS = 3000;

export const natMappingExpired: CauseRule = {
  name: 'nat-mapping-expired',
  summary: 'The router had forgotten the idle mapping to the phone: what was sent to it never arrived',
  needs: ['nat'],
  cure: "Have phones keep their mappings alive (RFC 5626 CRLF or STUN, RFC 6263 for RTP) more often than the router forgets, at most every 25 s over UDP, or use TCP; raise the router's UDP timeout to the 2 minutes that RFC 4787 REQ-5 asks for.",
  prepare: [
    // What comes to a port without a mapping is counted by some routers; that mappings were forgotten, by others.
    `CREATE OR REPLACE TEMP TABLE turned_away AS SELECT * FROM ${stretches('nat', 'no_session > 0', { joinMs: 4000 })}`,
    `CREATE OR REPLACE TEMP TABLE forgotten AS SELECT t FROM nat WHERE expired > 0`,
    `CREATE OR REPLACE TEMP TABLE mapping_lost AS
       SELECT callNo, answered_ms, CASE
         -- The callee's BYE went out, and the caller never got one.
         WHEN callee_ended_by_name = 'us' AND callee_byeMs IS NOT NULL AND coalesce(bye_ms, ended_ms, duration_ms) > callee_byeMs + ${UNHEARD_MS}
           AND (caller_byeCode IN (0, 481) OR outcome IN ('bye-failed', 'open', 'completed')) THEN callee_byeMs
         -- A request of the callee's side within the call got no answer, and the caller knew of nothing.
         WHEN callee_outcome_name IN ('dialog-lost', 'refresh-failed') AND callee_midCode = 408 AND caller_byeMs > callee_byeMs THEN callee_byeMs
         -- What the caller heard stopped long before the end, though the callee could still hear the caller.
         WHEN caller_firstRtpMs IS NOT NULL AND caller_lastRtpMs < talk_end_ms - 5000 AND callee_lastRtpMs > caller_lastRtpMs + 4000
           AND coalesce(caller_holds, 0) > 0 THEN caller_lastRtpMs END AS lost_ms
       FROM suspects, run_env WHERE answered AND NOT dead_air`,
  ],
  rule: `
    WITH watched AS (SELECT count(no_session) + count(expired) > 0 AS yes FROM nat),
    hits AS (SELECT m.*, EXISTS (FROM turned_away WHERE lost_ms BETWEEN since - 1500 AND until + 1500) AS away,
               EXISTS (FROM forgotten WHERE t BETWEEN answered_ms AND lost_ms + 1500) AS gone
             FROM mapping_lost m WHERE lost_ms IS NOT NULL)
    SELECT callNo, CASE WHEN away OR gone THEN 0.96 ELSE 0.65 END AS confidence FROM hits, watched WHERE away OR gone OR NOT watched.yes`,
  evidence: [
    {
      source: 'nat',
      sql: `SELECT sum(no_session) AS away, sum(expired) AS expired, min(t_prev) FILTER (no_session > 0) AS since, max(t) FILTER (no_session > 0) AS until
            FROM nat HAVING coalesce(sum(no_session), 0) + coalesce(sum(expired), 0) > 0`,
      text: (r) =>
        num(r, 'away') === 0
          ? num(r, 'expired') === 0
            ? null
            : `the router had forgotten ${nice(num(r, 'expired'))} idle mappings`
          : `the router turned ${nice(num(r, 'away'))} packets from outside away for want of a mapping ${span(r)}${num(r, 'expired') > 0 ? `; it had forgotten ${nice(num(r, 'expired'))} idle ones` : ''}`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, quantile_cont(lost_ms - mine.answered_ms, 0.5) AS after_ms, quantile_cont(coalesce(bye_ms, ended_ms, talk_end_ms) - lost_ms, 0.5) AS alone_ms,
              count(*) FILTER (caller_byeCode = 481) AS unknown FROM mine JOIN mapping_lost USING (callNo)`,
      text: (r) =>
        `${nice(num(r, 'n'))} callers did not hear what was sent to them ${seconds(num(r, 'after_ms'))} after the answer and went on for ${seconds(num(r, 'alone_ms'))} in the middle case; ${nice(num(r, 'unknown'))} of their BYEs got 481, since the call was long over`,
    },
    {
      source: 'legs',
      sql: 'SELECT sum(a2b_recv) AS callee_heard, sum(b2a_recv) AS caller_heard FROM mine',
      text: (r) =>
        `until then there was audio: callers heard ${nice(num(r, 'caller_heard'))} packets, callees ${nice(num(r, 'callee_heard'))}`,
    },
  ],
};
