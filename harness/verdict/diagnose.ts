import { GENERATOR_DROPS } from './causes/generator-limited.js';
import { CAUSE_RULES } from './causes/index.js';
import { LITERATURE } from './causes/literature.js';
import { gradeCalls, readPlatform, type Source, sourcesSeen } from './platform.js';
import type { OpenRun, Row } from './read.js';
import { type CauseRule, nice, num } from './rule.js';
import type { CauseFinding, EvidenceLine } from './types.js';

/**
 * Names the cause of every bad call. Blind: it reads the legs, the telemetry, the frames and env.json through OpenRun,
 * which opens nothing else. Leaves the tables `graded`, `suspects` and `verdicts` (callNo, cause, confidence).
 *
 *   suspects --rule--> claims (callNo, cause, confidence) --most confident--> verdicts --no claim--> unknown
 */
export async function diagnose(run: OpenRun): Promise<CauseFinding[]> {
  await readPlatform(run);
  await gradeCalls(run);
  await run.exec(GENERATOR_DROPS);
  await run.exec('CREATE OR REPLACE TEMP TABLE claims (callNo BIGINT, cause VARCHAR, confidence DOUBLE, turn INTEGER)');
  for (const [turn, cause] of CAUSE_RULES.entries()) {
    for (const table of cause.prepare ?? []) await run.exec(table);
    await run.exec(`INSERT INTO claims SELECT callNo, '${cause.name}', confidence, ${turn} FROM (${cause.rule})`);
  }
  await run.exec(`CREATE OR REPLACE TEMP TABLE verdicts AS
    SELECT s.callNo, coalesce(c.cause, 'unknown') AS cause, coalesce(c.confidence, 0)::DOUBLE AS confidence
    FROM cases s LEFT JOIN (
      SELECT * FROM claims QUALIFY row_number() OVER (PARTITION BY callNo ORDER BY confidence DESC, turn) = 1) c USING (callNo)
    -- What a policy refused has no other cause.
    WHERE s.bad OR c.cause IS NOT NULL ORDER BY s.callNo`);
  const found = await run.query(`
    SELECT cause, count(*) AS calls, avg(confidence) AS confidence, min(wrong_ms) AS since, max(wrong_ms) AS until,
      min(coalesce(ended_ms, duration_ms)) AS known
    FROM verdicts JOIN cases USING (callNo), run_env GROUP BY cause ORDER BY (cause = 'unknown'), calls DESC, cause`);
  const findings: CauseFinding[] = [];
  const seen = await sourcesSeen(run);
  for (const row of found) findings.push(await finding(run, row, seen));
  for (const { name, phones } of CAUSE_RULES) {
    if (phones === undefined) continue;
    const [row] = await run.query(phones);
    if (row !== undefined && num(row, 'attempts') > 0) findings.push(await finding(run, { ...row, cause: name }, seen));
  }
  return findings;
}

type Named = Pick<CauseRule, 'summary' | 'needs' | 'cure' | 'evidence' | 'expected'>;

const UNKNOWN: Named = {
  needs: [...new Set(CAUSE_RULES.flatMap((r) => r.needs))] satisfies Source[],
  summary: 'No cause explains these calls with what was recorded',
  cure: 'Look at one of them with deadair autopsy, and add the telemetry that is missing.',
  evidence: [
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, count(*) FILTER (starved) AS starved, count(*) FILTER (poor_mos) AS poor, count(*) FILTER (dropped) AS dropped,
              count(*) FILTER (failed) AS failed, count(*) FILTER (cancelled_slow) AS given_up, count(*) FILTER (bye_failed) AS byes, count(*) FILTER (no_ack) AS no_ack, mode(final_code) FILTER (failed) AS code,
              quantile_cont(talk_ms, 0.5) FILTER (dropped) AS talk_ms FROM mine`,
      text: (r) =>
        [
          num(r, 'starved') > 0 ? `${nice(num(r, 'starved'))} without audio in a direction` : '',
          num(r, 'poor') > 0 ? `${nice(num(r, 'poor'))} with poor audio` : '',
          num(r, 'dropped') > 0
            ? `${nice(num(r, 'dropped'))} hung up by the other side, ${nice(num(r, 'talk_ms') / 1000)} s after the answer in the middle case`
            : '',
          num(r, 'failed') > 0
            ? `${nice(num(r, 'failed'))} failed${num(r, 'code') > 0 ? ` (mostly ${num(r, 'code')})` : ' without an answer'}`
            : '',
          num(r, 'given_up') > 0 ? `${nice(num(r, 'given_up'))} given up by callers who heard no ringing` : '',
          num(r, 'byes') > 0 ? `${nice(num(r, 'byes'))} whose BYE was refused or not answered` : '',
          num(r, 'no_ack') > 0 ? `${nice(num(r, 'no_ack'))} whose answer was never acknowledged` : '',
        ]
          .filter((part) => part !== '')
          .join('; ') || null,
    },
  ],
};

async function finding(run: OpenRun, row: Row, seen: ReadonlySet<string>): Promise<CauseFinding> {
  const name = String(row.cause);
  const rule: Named = CAUSE_RULES.find((r) => r.name === name) ?? UNKNOWN;
  await run.exec(`CREATE OR REPLACE TEMP TABLE mine AS
    SELECT s.*, confidence FROM cases s JOIN verdicts USING (callNo) WHERE cause = '${name}' ORDER BY callNo`);
  const evidence: EvidenceLine[] = [];
  for (const e of rule.evidence) {
    const values = await run.one(e.sql);
    const text = Object.keys(values).length === 0 ? null : e.text(values);
    if (text !== null) evidence.push({ text, source: e.source, values });
  }
  return {
    cause: name as CauseFinding['cause'],
    summary: rule.summary,
    calls: num(row, 'calls'),
    ...(row.attempts === undefined ? {} : { registrations: num(row, 'attempts') }),
    confidence: Number(num(row, 'confidence').toFixed(3)),
    sinceMs: num(row, 'since'),
    untilMs: num(row, 'until'),
    knownMs: num(row, 'known'),
    evidence,
    hop: LITERATURE[name as CauseFinding['cause']].hop,
    cure: rule.cure,
    see: LITERATURE[name as CauseFinding['cause']].see,
    missing: rule.needs.filter((s) => !seen.has(s)),
    ...(rule.expected ? { expected: true } : {}),
  };
}
