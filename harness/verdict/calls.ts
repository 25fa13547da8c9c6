import { LEG_COLUMNS, NAME_COLUMNS } from '../collect/legs.js';
import { JITTER_BUFFER_MS, PACKET_MS, POOR_MOS } from './mos.js';

/**
 * SQL of the view `calls`: one row per call. The caller's leg is the call; the callee's leg joins it by callNo, and is
 * NULL when the target's callee is not ours. A run that only answered (deadair uas) has callee legs alone.
 */

/** A direction is judged when it should have carried half a second of audio, and the call had time to be heard. */
const JUDGED_PACKETS = 25;
const JUDGED_TALK_MS = 2000;
/** Below 5 % of the packets that were sent, nobody understands a word: the direction is dead. */
const DEAD_SHARE = 0.05;
/** Packets that may be missing at both ends of a call, while paths are made and torn down, without being a loss: 0.5 s. */
const EDGE_PACKETS = 25;
/** Half a second of somebody else's audio; stragglers on a port that was used before are fewer. */
const CROSSED_PACKETS = 25;
/** A phone that rang later than this had no fair chance to be answered; RFC 3261 13.2.1 callers wait minutes, people do not. */
const SLOW_RING_MS = 3000;
/** BurstR above this leaves the range in which G.107 7.5 was fitted. */
const BURST_MAX = 8;

/** Outcomes of a leg that hung up because the other side, or its session, was gone. */
const GAVE_UP = "('session-expired', 'refresh-failed', 'dialog-lost')";

const names = [...LEG_COLUMNS, ...NAME_COLUMNS].map((c) => c.name);

/** Unsigned columns would overflow at the first subtraction, so views carry them signed. */
export const LEGS_SELECT = [...LEG_COLUMNS, ...NAME_COLUMNS]
  .map((c) =>
    c.type === 'UINTEGER'
      ? `"${c.name}"::BIGINT AS "${c.name}"`
      : c.type === 'USMALLINT' || c.type === 'UTINYINT'
        ? `"${c.name}"::INTEGER AS "${c.name}"`
        : `"${c.name}"`,
  )
  .join(', ');

const side = (prefix: string): string => names.map((n) => `"${n}" AS "${prefix}_${n}"`).join(', ');

/**
 * A call that the platform tried twice has two callee legs: the one that got furthest counts. Only such calls are sorted: a
 * window over every leg would cost more than all the rest of a million calls.
 */
const PAIRS = `CREATE TEMP VIEW pairs AS
  WITH callers AS (SELECT ${side('caller')} FROM legs WHERE role = 0),
       twice AS (SELECT callNo FROM legs WHERE role = 1 GROUP BY callNo HAVING count(*) > 1),
       callees AS (SELECT ${side('callee')} FROM legs WHERE role = 1 AND callNo NOT IN (FROM twice)
                   UNION ALL
                   SELECT ${side('callee')} FROM legs WHERE role = 1 AND callNo IN (FROM twice)
                   QUALIFY row_number() OVER (PARTITION BY callNo ORDER BY answeredMs NULLS LAST, startedMs, callId) = 1)
  SELECT coalesce(caller_callNo, callee_callNo) AS callNo, callers.*, callees.*,
         caller_callNo IS NOT NULL AS has_caller, callee_callNo IS NOT NULL AS has_callee
  FROM callers FULL JOIN callees ON caller_callNo = callee_callNo
  WHERE caller_callNo IS NOT NULL OR NOT EXISTS (FROM legs WHERE role = 0)`;

/** Times of the call as its caller saw them; RFC 6076 metrics by their clauses. */
const TIMED = `CREATE TEMP VIEW timed AS
  SELECT *,
    CASE WHEN has_caller THEN caller_startedMs  ELSE callee_startedMs  END AS started_ms,
    CASE WHEN has_caller THEN caller_answeredMs ELSE callee_answeredMs END AS answered_ms,
    CASE WHEN has_caller THEN caller_byeMs      ELSE callee_byeMs      END AS bye_ms,
    CASE WHEN has_caller THEN caller_endedMs    ELSE callee_endedMs    END AS ended_ms,
    CASE WHEN has_caller THEN caller_outcome_name ELSE callee_outcome_name END AS outcome,
    CASE WHEN has_caller THEN caller_finalCode ELSE callee_finalCode END AS final_code,
    CASE WHEN has_caller THEN caller_q850Cause ELSE callee_q850Cause END AS q850,
    CASE WHEN has_caller THEN caller_sipCause  ELSE callee_sipCause  END AS sip_cause,
    answered_ms IS NOT NULL AS answered,
    -- How late the call was placed: our own fault.
    caller_startedMs - caller_intendedMs AS lateness_ms,
    coalesce(bye_ms, ended_ms, env.duration_ms) AS talk_end_ms,
    -- From the 2xx to the BYE, or to the end of the run. RFC 6076 4.5.1 (SDT), for completed calls.
    CASE WHEN answered THEN talk_end_ms - answered_ms END AS talk_ms,
    -- Post-dial delay: INVITE to the first 18x, what the caller hears as ringing.
    caller_ringingMs - caller_startedMs AS pdd_ms,
    -- RFC 6076 4.3.1 (SRD, successful): INVITE to the first status that is not 100; the 2xx where no 18x came.
    CASE WHEN answered THEN least(caller_ringingMs, answered_ms) - caller_startedMs END AS srd_ms,
    -- RFC 6076 4.3.2 (SRD, failed): INVITE to its 4xx-6xx, but for the challenges 401, 402 and 407; the 487 that our own
    -- CANCEL asked for is none.
    CASE WHEN final_code >= 400 AND final_code NOT IN (401, 402, 407) AND outcome = 'rejected' THEN caller_rejectedMs - caller_startedMs END AS srd_failed_ms,
    -- INVITE to 2xx; holds the callee's ringing time.
    answered_ms - caller_startedMs AS setup_ms,
    -- RFC 6076 4.4 (SDD): BYE sent to its answer, or to Timer F.
    CASE WHEN caller_ended_by_name = 'us' AND caller_byeMs IS NOT NULL THEN caller_endedMs - caller_byeMs END AS sdd_ms
  FROM pairs, run_env AS env`;

/**
 * One direction of audio, in steps that read each other's columns. `at` is the leg that heard it, `from` the leg that
 * sent it. What was sent is counted where it was sent when that leg is ours, else 50 packets a second are expected. A
 * B2BUA may number the packets anew, so sequence gaps alone would miss what it starved: the larger count is taken.
 */
interface Direction {
  name: 'a2b' | 'b2a';
  at: 'caller' | 'callee';
  from: 'caller' | 'callee';
  sentElse: string;
}
const DIRECTIONS: readonly Direction[] = [
  { name: 'a2b', at: 'callee', from: 'caller', sentElse: 'NULL' },
  {
    name: 'b2a',
    at: 'caller',
    from: 'callee',
    // The peer promised audio when its SDP had a port, but for the time that we put it on hold.
    sentElse: `CASE WHEN caller_remoteMediaPort > 0 THEN floor(greatest(0, talk_ms - caller_heldMs) / ${PACKET_MS}) END`,
  },
];

const STEPS: readonly ((d: Direction) => string)[] = [
  ({ name, at, from, sentElse }) => `
    -- What was sent while the hearing leg was still there: after a slow BYE the other end goes on talking to nobody.
    -- While it was on hold, it was to say nothing.
    CASE WHEN media AND answered THEN CASE WHEN has_${from} THEN least(${from}_rtpSent,
      ceil(greatest(0, coalesce(${at}_byeMs, ${at}_endedMs, duration_ms) - ${at}_answeredMs - coalesce(${at}_heldMs, 0)) / ${PACKET_MS})) ELSE ${sentElse} END END AS ${name}_expected_pkts,
    CASE WHEN media AND answered AND has_${at} THEN ${at}_rtpReceived - least(${at}_rtpDuplicate, ${at}_rtpReceived) END AS ${name}_recv,
    ${at}_jitterMs AS ${name}_jitter_ms,
    ${at}_maxGapMs AS ${name}_max_gap_ms,
    -- From the answer to the first packet heard.
    ${at}_firstRtpMs - answered_ms AS ${name}_first_ms`,
  ({ name, at }) => `
    coalesce(${name}_expected_pkts >= ${JUDGED_PACKETS} AND ${name}_recv IS NOT NULL, false) AS ${name}_judged,
    -- Share lost by sequence number: what the network did between the last numbering and us.
    ${at}_rtpLost / greatest(1.0, ${at}_rtpLost + ${name}_recv) AS ${name}_seq_loss,
    CASE WHEN ${name}_recv > 0 THEN ${at}_rtpSilence / ${name}_recv::DOUBLE END AS ${name}_silence`,
  ({ name, at }) => `
    -- Share of packets missing, 0..1: lost by sequence number, or never seen at all.
    CASE WHEN ${name}_judged THEN least(1.0, greatest(${name}_seq_loss,
      (${name}_expected_pkts - ${name}_recv - ${EDGE_PACKETS}) / ${name}_expected_pkts::DOUBLE, 0.0)) END AS ${name}_loss,
    -- Came, but too late for a ${JITTER_BUFFER_MS} ms jitter buffer.
    CASE WHEN ${name}_judged THEN ${at}_rtpLate / greatest(1.0, ${name}_recv) END AS ${name}_late,
    ${name}_judged AND talk_ms > ${JUDGED_TALK_MS} AND ${name}_recv < ${DEAD_SHARE} * ${name}_expected_pkts AS ${name}_dead`,
  ({ name, at, from }) => `
    -- G.107 7.5: mean length of a run of losses over that of random loss, 1 / (1 - Ppl).
    CASE WHEN ${name}_judged THEN CASE WHEN ${at}_lossEvents = 0 THEN 1.0 ELSE
      least(${BURST_MAX}.0, greatest(1.0, ${at}_rtpLost / ${at}_lossEvents * (1 - ${name}_loss))) END END AS ${name}_burst_r,
    ${PACKET_MS + JITTER_BUFFER_MS}.0 + coalesce(${at}_rttMs, ${from}_rttMs, 0) / 2 AS ${name}_delay_ms,
    CASE WHEN ${name}_judged THEN 100 * least(1.0, ${name}_loss + ${name}_late) END AS ${name}_lost_pct`,
  ({ name }) => `
    -- NULL when the direction could not be judged, which DuckDB's least() and greatest() would pass over.
    CASE WHEN ${name}_judged THEN g107_mos(${name}_lost_pct, ${name}_burst_r, ${name}_delay_ms) END AS ${name}_mos`,
];

const AUDIO = STEPS.map(
  (step, i) =>
    `CREATE TEMP VIEW audio_${i + 1} AS SELECT *,${DIRECTIONS.map(step).join(',')} FROM ${i === 0 ? 'timed' : `audio_${i}`}`,
);

const CALLS = `CREATE TEMP VIEW calls AS
  SELECT *,
    -- RFC 6076 4.9: answered, and ended by the wish of a party: the caller's, or the callee's own.
    outcome = 'completed' OR (outcome = 'dropped' AND NOT dropped) AS completed,
    (dead_air OR one_way OR poor_mos OR crossed_audio OR dropped OR failed OR cancelled_slow OR no_ack OR bye_failed) AS bad
  FROM (SELECT *,
    least(a2b_mos, b2a_mos) AS mos,
    -- Both directions dead; or one, and the other alive or not ours to see.
    a2b_dead AND b2a_dead AS dead_air,
    a2b_dead <> b2a_dead AS one_way,
    coalesce(NOT a2b_dead AND NOT b2a_dead AND talk_ms > ${JUDGED_TALK_MS} AND least(a2b_mos, b2a_mos) < ${POOR_MOS}, false) AS poor_mos,
    coalesce(caller_heardOther, 0) >= ${CROSSED_PACKETS} OR coalesce(callee_heardOther, 0) >= ${CROSSED_PACKETS} AS crossed_audio,
    -- Somebody between the parties hung up. A callee of ours that hung up meant it; a foreign one says so with cause 16.
    -- A party of ours that found the dialog or the session gone, and said BYE for that, did not mean to end the call.
    has_caller AND (outcome IN ${GAVE_UP} OR coalesce(callee_outcome_name IN ${GAVE_UP}, false) OR (outcome = 'dropped'
      AND CASE WHEN has_callee THEN callee_ended_by_name <> 'us' ELSE q850 <> 16 END)) AS dropped,
    -- 408 and 5xx are the platform's words, unless the callee itself said them, and so is 488, as all callers offer the same;
    -- other 4xx and 6xx are its users'.
    has_caller AND (outcome = 'timeout' OR (outcome = 'rejected' AND (final_code IN (408, 488) OR final_code BETWEEN 500 AND 599)
      AND coalesce(callee_outcome_name, '') <> 'rejected')) AS failed,
    -- The caller gave up on a phone that never rang, rang too late, or was in fact answered. Ringing out is the callee's choice.
    -- An answer that crossed the CANCEL is ended at once, so it has no planned end (RFC 3261 15).
    has_caller AND CASE outcome
      WHEN 'cancelled' THEN pdd_ms IS NULL OR pdd_ms > ${SLOW_RING_MS} OR callee_answeredMs IS NOT NULL
      WHEN 'completed' THEN caller_plannedEndMs IS NULL AND (pdd_ms IS NULL OR pdd_ms > ${SLOW_RING_MS})
      ELSE false END AS cancelled_slow,
    coalesce(callee_outcome_name = 'no-ack', false) AS no_ack,
    coalesce(caller_outcome_name = 'bye-failed', false) OR coalesce(callee_outcome_name = 'bye-failed', false) AS bye_failed
  FROM audio_${STEPS.length})`;

export const CALLS_VIEWS: readonly string[] = [PAIRS, TIMED, ...AUDIO, CALLS];
