import { type CauseRule, nice, num, seconds } from '../rule.js';

/**
 * The callee's 200 OK was never acknowledged: it repeats the 200 until 64*T1 = 32 s and gives up (RFC 3261 13.3.1.4).
 * Ruled out by: stalled signalling threads (db-stall), stray in-dialog requests at the edge (misrouted-in-dialog).
 */
export const noAck: CauseRule = {
  name: 'no-ack',
  summary: 'The ACK of the answer never reached the callee',
  needs: [],
  cure: 'Follow the ACK: it goes to the Contact of the 200 OK along its Record-Route. Look for a private address in Contact, a missing Record-Route, or a firewall that drops what a SIP helper rewrote.',
  rule: `SELECT callNo, CASE WHEN caller_ackCount > 0 THEN 0.8 ELSE 0.6 END AS confidence FROM suspects WHERE no_ack`,
  evidence: [
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, avg(callee_answerRetransmits) AS repeats, count(*) FILTER (caller_ackCount > 0) AS sent,
              avg(ended_ms - answered_ms) AS after_ms FROM mine`,
      text: (r) =>
        `callees repeated their 200 OK ${nice(num(r, 'repeats'))} times and got no ACK, though ${nice(num(r, 'sent'))} of ${nice(num(r, 'n'))} callers had sent one; the calls ended ${seconds(num(r, 'after_ms'))} after the answer`,
    },
  ],
};
