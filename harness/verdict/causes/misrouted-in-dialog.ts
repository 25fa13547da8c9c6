import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * ACK, BYE or re-INVITE went to a node that does not have the dialog: it answers 481 (RFC 3261 12.2.2), or says nothing
 * to an ACK. The party that asked gives the call up (12.2.1.2) though it lives on at the other end.
 * Ruled out by: no stray request counted at the edge while the calls ended.
 */
/** Outcomes of a party that found its dialog gone. */
const GAVE_UP = "('dialog-lost', 'refresh-failed')";

export const misroutedInDialog: CauseRule = {
  name: 'misrouted-in-dialog',
  summary: 'Requests within a call were sent to a node that does not know the call',
  needs: ['edge'],
  cure: 'Keep a dialog on its node: Record-Route and loose routing, or dispatch by a hash of the Call-ID; never load-balance in-dialog requests anew.',
  prepare: [`CREATE OR REPLACE TEMP TABLE strays AS SELECT * FROM ${stretches('edge', 'stray_in_dialog > 0')}`],
  rule: `
    WITH watched AS (SELECT count(stray_in_dialog_total) > 0 AS yes FROM edge),
    hits AS (SELECT s.*, EXISTS (FROM strays WHERE coalesce(bye_ms, answered_ms) <= until + 1000
                                 AND coalesce(ended_ms, bye_ms) >= since - 1000) AS seen FROM suspects s),
    asked AS (SELECT *,
      -- A BYE that crosses the other end's own finds nothing either, wherever it goes.
      coalesce((caller_byeCode = 481 AND coalesce(callee_ended_by_name NOT IN ('us', 'timer'), true)) OR (caller_midCode = 481 AND outcome IN ${GAVE_UP})
        OR (callee_midCode = 481 AND callee_outcome_name IN ${GAVE_UP}), false) AS unknown_there,
      -- No answer at all, while the other end had not hung up.
      coalesce((outcome = 'dialog-lost' AND caller_midCode = 408 AND coalesce(callee_byeMs >= bye_ms, true))
        OR (callee_outcome_name = 'dialog-lost' AND callee_midCode = 408 AND coalesce(caller_byeMs >= callee_byeMs, true)), false) AS unheard
      FROM hits)
    SELECT callNo, CASE WHEN seen AND unknown_there THEN 0.95 WHEN seen THEN 0.85 ELSE 0.65 END AS confidence
    FROM asked, watched
    WHERE (seen OR NOT watched.yes) AND (unknown_there OR unheard OR (seen AND (no_ack OR bye_failed)))`,
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
      sql: `SELECT count(*) FILTER (caller_byeCode = 481) AS byes, count(*) FILTER (no_ack) AS acks,
              count(*) FILTER (caller_midCode = 481 OR callee_midCode = 481) AS others FROM mine`,
      text: (r) =>
        `${nice(num(r, 'byes'))} BYEs and the re-INVITEs or UPDATEs of ${nice(num(r, 'others'))} calls were answered with 481, ${nice(num(r, 'acks'))} ACKs went astray`,
    },
  ],
};
