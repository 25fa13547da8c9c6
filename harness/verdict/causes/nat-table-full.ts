import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * The subscribers' router has no room for another UDP flow. SIP has its flow already, so the call is answered; its RTP is
 * a new flow, and is dropped. The relay never learns the address behind the NAT, so the other direction dies too.
 *
 * Ruled out by: an SDP that bypassed the relay (rtp-port-exhausted), audio that was there from the start (packet-loss),
 * a table that refused nothing while the call began.
 */
export const natTableFull: CauseRule = {
  name: 'nat-table-full',
  summary: 'The NAT session table was full when the calls were answered: their RTP never got through',
  needs: ['nat'],
  cure: 'Raise the session table (nf_conntrack_max, or the session limit of the router) above 2 entries per call plus one per phone, and shorten the idle timeout of UDP entries so that ended calls give theirs back; alarm at 80 %.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE nat_full AS
       SELECT * FROM ${stretches('nat', 'refused > 0 AND (sessions_max IS NULL OR sessions >= 0.9 * sessions_max)')}`,
  ],
  rule: `
    SELECT callNo, max(CASE WHEN starved AND dead_air THEN 0.96 WHEN starved THEN 0.9 WHEN late_audio THEN 0.85 ELSE 0.7 END) AS confidence
    FROM suspects JOIN nat_full ON
      -- The flow is refused with its first packet, just after the answer; a reading may be a second old.
      CASE WHEN answered THEN answered_ms ELSE started_ms END BETWEEN since - 1000 AND until + 1000
    WHERE NOT unanchored
      AND ((answered AND (starved OR late_audio))
        -- Or the INVITE itself was the flow that found no room: not even a 100 came back.
        OR (NOT answered AND outcome IN ('timeout', 'cancelled') AND caller_tryingMs IS NULL AND callee_startedMs IS NULL))
    GROUP BY callNo`,
  evidence: [
    {
      source: 'nat',
      sql: `SELECT sum(refused) AS refused, max(sessions) AS sessions, max(sessions_max) AS sessions_max, min(t_prev) AS since, max(t) AS until
            FROM nat WHERE refused > 0`,
      text: (r) =>
        `the NAT table held ${nice(num(r, 'sessions'))} of ${nice(num(r, 'sessions_max'))} sessions and refused new flows ${nice(num(r, 'refused'))} times ${span(r)}`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS calls, count(*) FILTER (dead_air) AS dead_air, count(*) FILTER (answered) AS answered,
              sum(b2a_recv) AS caller_heard, sum(a2b_recv) AS callee_heard FROM mine`,
      text: (r) =>
        `${nice(num(r, 'answered'))} of these calls were answered; in ${nice(num(r, 'dead_air'))} neither side heard the other (callers heard ${nice(num(r, 'caller_heard'))} packets, callees ${nice(num(r, 'callee_heard'))})`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, quantile_cont(talk_ms, 0.5) AS talk_ms, mode(q850) AS q850 FROM mine WHERE dropped`,
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `${nice(num(r, 'n'))} were hung up by the platform, ${nice(num(r, 'talk_ms') / 1000)} s after the answer in the middle case, Reason Q.850 cause ${num(r, 'q850')}`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, count(*) FILTER (NOT bad) AS fine FROM graded WHERE answered AND a2b_judged
            AND answered_ms < (SELECT min(since) FROM nat_full)`,
      text: (r) =>
        num(r, 'fine') === 0
          ? null
          : `${nice(num(r, 'fine'))} of ${nice(num(r, 'n'))} calls answered before the table filled are fine`,
    },
    {
      source: 'relay',
      sql: 'SELECT max(ports_used) AS used, max(ports_max) AS ports_max, sum(alloc_failed) AS failed FROM relay HAVING count(*) > 0',
      text: (r) =>
        r.used === undefined || num(r, 'failed') > 0
          ? null
          : `not the relay: at most ${nice(num(r, 'used'))} of ${nice(num(r, 'ports_max'))} ports used, no allocation failed`,
    },
  ],
};
