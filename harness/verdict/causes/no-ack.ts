import { type CauseRule, nice, num, seconds } from '../rule.js';

/**
 * The callee's 200 OK was never acknowledged: it repeats the 200 until 64*T1 = 32 s and gives up (RFC 3261 13.3.1.4).
 * Where a B2BUA is between, it is the B2BUA that misses the ACK: it repeats the 200 to the caller, and ends both legs after 32 s.
 * Ruled out by: audio that stopped (a hang-up for want of it may come at 30 s too), stalled signalling threads (db-stall), stray in-dialog requests at the edge (misrouted-in-dialog).
 */
export const noAck: CauseRule = {
  name: 'no-ack',
  summary: 'The ACK of the answer never reached the callee',
  needs: [],
  cure: 'Follow the ACK: it goes to the Contact of the 200 OK along its Record-Route. Look for a private address in Contact, a missing Record-Route, or a firewall that drops what a SIP helper rewrote.',
  rule: `SELECT callNo, CASE WHEN NOT no_ack THEN 0.85 WHEN caller_ackCount > 0 THEN 0.8 ELSE 0.6 END AS confidence
    FROM suspects WHERE no_ack
      -- Repeats at 0.5, 1.5, 3.5, 7.5 s and then every 4 s; the BYE at 64*T1.
      OR (dropped AND NOT starved AND caller_ackCount > 0 AND caller_answerRetransmits >= 7
        AND talk_ms BETWEEN 31000 AND 36000 AND bye_ms - least(caller_lastRtpMs, callee_lastRtpMs) < 5000)`,
  evidence: [
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, avg(caller_answerRetransmits) AS repeats, avg(ended_ms - answered_ms) AS after_ms FROM mine WHERE NOT no_ack`,
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `${nice(num(r, 'n'))} callers sent their ACK and still got the 200 OK ${nice(num(r, 'repeats'))} times more, then a BYE ${seconds(num(r, 'after_ms'))} after the answer, while both sides heard each other`,
    },
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, avg(callee_answerRetransmits) AS repeats, count(*) FILTER (caller_ackCount > 0) AS sent,
              avg(ended_ms - answered_ms) AS after_ms FROM mine WHERE no_ack`,
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `callees repeated their 200 OK ${nice(num(r, 'repeats'))} times and got no ACK, though ${nice(num(r, 'sent'))} of ${nice(num(r, 'n'))} callers had sent one; the calls ended ${seconds(num(r, 'after_ms'))} after the answer`,
    },
  ],
};
