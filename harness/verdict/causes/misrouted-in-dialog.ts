import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * ACK, BYE or re-INVITE went to a node that does not have the dialog: it answers 481 (RFC 3261 12.2.2), or says nothing
 * to an ACK. Ruled out by: no stray request counted at the edge while the calls ended.
 */
export const misroutedInDialog: CauseRule = {
  name: 'misrouted-in-dialog',
  summary: 'Requests within a call were sent to a node that does not know the call',
  needs: ['edge'],
  cure: 'Keep a dialog on its node: Record-Route and loose routing, or dispatch by a hash of the Call-ID; never load-balance in-dialog requests anew.',
  prepare: [`CREATE OR REPLACE TEMP TABLE strays AS SELECT * FROM ${stretches('edge', 'stray_in_dialog > 0')}`],
  rule: `
    WITH watched AS (SELECT count(*) > 0 AS yes FROM edge),
    hits AS (SELECT s.*, EXISTS (FROM strays WHERE coalesce(bye_ms, answered_ms) <= until + 1000
                                 AND coalesce(ended_ms, bye_ms) >= since - 1000) AS seen FROM suspects s)
    SELECT callNo, CASE WHEN seen AND caller_byeCode = 481 THEN 0.95 WHEN seen THEN 0.85 ELSE 0.65 END AS confidence
    FROM hits, watched
    WHERE (seen OR NOT watched.yes)
      AND (caller_byeCode = 481 OR (seen AND (no_ack OR bye_failed)))`,
  evidence: [
    {
      source: 'edge',
      sql: 'SELECT sum(stray_in_dialog) AS strays, min(t_prev) AS since, max(t) AS until FROM edge WHERE stray_in_dialog > 0 HAVING count(*) > 0',
      text: (r) =>
        r.strays === undefined
          ? null
          : `${nice(num(r, 'strays'))} requests reached a node without their dialog ${span(r)}`,
    },
    {
      source: 'legs',
      sql: 'SELECT count(*) FILTER (caller_byeCode = 481) AS byes, count(*) FILTER (no_ack) AS acks FROM mine',
      text: (r) => `${nice(num(r, 'byes'))} BYEs were answered with 481, ${nice(num(r, 'acks'))} ACKs went astray`,
    },
  ],
};
