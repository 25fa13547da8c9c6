import { stretches } from '../platform.js';
import { type CauseRule, nice, num, span } from '../rule.js';

/**
 * The media relay has no port left. A careful platform refuses the call (Q.850 47, resource unavailable); a careless one
 * passes the SDP on unchanged, and both ends send to addresses that cannot be reached.
 *
 * Ruled out by: the relay's address in the SDP of both ends (nat-table-full), a trunk that gave the 503.
 */
/** A relay that does not count what it could not serve (RTPengine) has refused requests, and all of its pool is taken. */
const OUT_OF_PORTS =
  'alloc_failed > 0 OR unanchored > 0 OR (alloc_failed_total IS NULL AND (request_errors_total IS NULL OR request_errors > 0) AND ports_used >= 0.9 * ports_max)';

export const rtpPortExhausted: CauseRule = {
  name: 'rtp-port-exhausted',
  summary: 'The media relay, or a node without one, had no RTP port left',
  needs: ['relay'],
  cure: 'Widen the relay port range to at least 4 ports per concurrent call plus a quarter (port-min/port-max), refuse calls with 503 when none is left instead of passing the SDP on, and alarm at 80 % used.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE relay_out AS
       SELECT * FROM ${stretches('relay', OUT_OF_PORTS)}`,
  ],
  rule: `
    WITH watched AS (SELECT count(*) > 0 AS yes FROM relay),
    -- On a platform without a relay every good call has direct media, and that means nothing.
    anchoring AS (SELECT coalesce(avg((caller_remoteMediaPort <> callee_mediaPort)::INT), 1) > 0.5 AS yes
                  FROM graded WHERE answered AND NOT bad AND has_callee),
    hits AS (SELECT s.*, EXISTS (FROM relay_out WHERE coalesce(caller_rejectedMs, answered_ms) >= since - 1000
                                 AND started_ms <= until + 1000) AS seen FROM suspects s)
    SELECT callNo, CASE
        WHEN answered THEN CASE WHEN seen THEN 0.97 ELSE 0.75 END
        WHEN final_code = 488 THEN 0.7
        WHEN q850 = 47 THEN CASE WHEN seen THEN 0.97 ELSE 0.6 END
        ELSE 0.8 END AS confidence
    FROM hits, watched, anchoring
    -- 488 to an offer that the same platform takes in other calls is not about the offer: the node had nothing to answer it
    -- with (RFC 3261 21.4.26; Asterisk says so when it cannot bind another port).
    WHERE (failed AND final_code = 488 AND callee_startedMs IS NULL AND EXISTS (FROM graded WHERE answered))
      OR (seen OR NOT watched.yes)
      AND ((answered AND starved AND unanchored AND anchoring.yes)
        OR (failed AND final_code >= 500 AND q850 = 47)
        -- No Reason came: the relay's own count must say it, and no trunk may have refused.
        OR (failed AND final_code >= 500 AND q850 = 0 AND seen AND NOT EXISTS (
             FROM trunk WHERE rejected > 0 AND caller_rejectedMs BETWEEN t_prev - 500 AND t + 1000)))`,
  evidence: [
    {
      source: 'relay',
      sql: `SELECT greatest(sum(alloc_failed), sum(unanchored), sum(request_errors)) AS failed, max(ports_used) AS used, max(ports_max) AS ports_max, min(t_prev) AS since, max(t) AS until
            FROM relay WHERE ${OUT_OF_PORTS} HAVING count(*) > 0`,
      text: (r) =>
        r.used === undefined
          ? null
          : `the relay used ${nice(num(r, 'used'))} of ${nice(num(r, 'ports_max'))} ports and ${num(r, 'failed') > 0 ? `could not serve ${nice(num(r, 'failed'))} requests ` : 'had none for another call '}${span(r)}`,
    },
    {
      source: 'legs',
      sql: 'SELECT count(*) FILTER (answered AND unanchored) AS n, count(*) FILTER (dead_air) AS dead_air FROM mine',
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `in ${nice(num(r, 'n'))} answered calls the SDP bypassed the relay: each end was given the other's own address, and ${nice(num(r, 'dead_air'))} had no audio either way`,
    },
    {
      source: 'legs',
      sql: 'SELECT count(*) AS n, mode(final_code) AS code, mode(q850) AS q850 FROM mine WHERE NOT answered',
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `${nice(num(r, 'n'))} INVITEs were refused with ${num(r, 'code')}${num(r, 'q850') > 0 ? `, Reason Q.850 cause ${num(r, 'q850')} (47: resource unavailable)` : ''}`,
    },
  ],
};
