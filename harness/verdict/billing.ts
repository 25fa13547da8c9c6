import type { OpenRun, Row } from './read.js';
import { num } from './rule.js';
import type { Billing } from './types.js';

/**
 * What the platform billed against what the wire saw. A record belongs to a call by the caller's Call-ID; where the platform does
 * not write that down, by the last nine digits of the called number, which are the call's own (agents/sip/invite.ts).
 *
 *   missing          the call was answered and is over, and no record says that it was answered
 *   duplicate        it was billed more than once
 *   wrong-duration   billed longer or shorter than it was
 *   never-answered   billed, though its caller never got an answer
 *   wrong-tenant     billed to another tenant than the calls of the same phones
 */
/** A BYE takes its time through the platform, and a record may tell whole seconds. */
const SLACK_MS = 1000;
/** Fewer calls of the same phones do not say whose they are. */
const TENANT_CALLS = 3;

/** `calls` is the view, or the table `graded` that the diagnosis has made of it. */
const matched = (calls: string): string => `CREATE OR REPLACE TEMP VIEW matched_cdrs AS
  WITH numbered AS (SELECT *, row_number() OVER () AS record,
         CASE WHEN regexp_matches(callee, '[0-9]{9}$') THEN right(callee, 9)::BIGINT END AS number FROM cdrs)
  SELECT n.*, coalesce(byId.callNo, byNumber.callNo) AS callNo
  FROM numbered n
    LEFT JOIN ${calls} byId ON n.callId <> '' AND byId.caller_callId = n.callId
    LEFT JOIN ${calls} byNumber ON byId.callNo IS NULL AND n.callId = '' AND byNumber.callNo = n.number`;

const billing = (calls: string): string => `CREATE OR REPLACE TEMP VIEW billing AS
  WITH rated AS (SELECT *, endedMs - answeredMs AS billed_ms FROM matched_cdrs WHERE answeredMs IS NOT NULL AND callNo IS NOT NULL),
  per_call AS (SELECT callNo, count(*) AS records, min(billed_ms) AS billed_ms, max(resolutionMs) AS resolution_ms, min(tenant) AS tenant
               FROM rated GROUP BY callNo),
  wire AS (SELECT callNo, caller_callId AS callId, answered, ended_ms, talk_ms, caller_worker AS worker, caller_tenant AS phones
           FROM ${calls} WHERE has_caller),
  owners AS (SELECT worker, phones, mode(tenant) AS owner, count(*) AS n FROM wire JOIN per_call USING (callNo) WHERE tenant <> '' GROUP BY worker, phones),
  joined AS (SELECT * FROM wire LEFT JOIN per_call USING (callNo) LEFT JOIN owners USING (worker, phones))
  SELECT callNo, callId, finding, talk_ms, billed_ms, coalesce(records, 0) AS records, tenant FROM (
    SELECT *, 'missing' AS finding FROM joined WHERE answered AND ended_ms IS NOT NULL AND records IS NULL
    UNION ALL SELECT *, 'duplicate' FROM joined WHERE records > 1
    UNION ALL SELECT *, 'wrong-duration' FROM joined WHERE answered AND ended_ms IS NOT NULL AND abs(billed_ms - talk_ms) > ${SLACK_MS} + resolution_ms
    UNION ALL SELECT *, 'never-answered' FROM joined WHERE NOT answered AND records > 0
    UNION ALL SELECT *, 'wrong-tenant' FROM joined WHERE tenant <> '' AND n >= ${TENANT_CALLS} AND tenant <> owner)
  WHERE EXISTS (FROM billed_run WHERE billed)`;

/** Makes the views matched_cdrs and billing. Not done for every run that is opened: they cost more to bind than most questions to answer. */
export async function openBilling(run: OpenRun, calls: 'calls' | 'graded'): Promise<void> {
  await run.exec(matched(calls));
  await run.exec(billing(calls));
}

/** After gradeCalls. Null where the platform's records could not be read. */
export async function judgeBilling(run: OpenRun): Promise<Billing | null> {
  if ((await run.one('SELECT billed FROM billed_run')).billed !== true) return null;
  await openBilling(run, 'graded');
  const found = await run.query('SELECT finding, count(*) AS n, min(callNo) AS example FROM billing GROUP BY finding');
  const of = (finding: string): number => num(found.find((r) => r.finding === finding) ?? {}, 'n');
  const sums: Row = await run.one(`SELECT
      (SELECT count(*) FROM cdrs) AS records, (SELECT count(*) FROM cdrs WHERE answeredMs IS NOT NULL) AS answered,
      (SELECT count(*) FROM matched_cdrs WHERE callNo IS NULL) AS strange,
      (SELECT count(*) FROM graded WHERE has_caller AND answered AND ended_ms IS NOT NULL) AS calls,
      (SELECT sum(talk_ms) FROM graded WHERE has_caller AND answered AND ended_ms IS NOT NULL) AS talk_ms,
      (SELECT sum(endedMs - answeredMs) FROM matched_cdrs WHERE answeredMs IS NOT NULL AND callNo IS NOT NULL) AS billed_ms`);
  return {
    records: num(sums, 'records'),
    answered: num(sums, 'answered'),
    callsAnswered: num(sums, 'calls'),
    missing: of('missing'),
    duplicate: of('duplicate'),
    wrongDuration: of('wrong-duration'),
    neverAnswered: of('never-answered'),
    wrongTenant: of('wrong-tenant'),
    strange: num(sums, 'strange'),
    talkMs: num(sums, 'talk_ms'),
    billedMs: num(sums, 'billed_ms'),
    examples: Object.fromEntries(found.map((r) => [String(r.finding), num(r, 'example')])),
  };
}
