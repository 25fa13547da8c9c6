import { METHOD_NAMES } from '../collect/legs.js';
import type { OpenRun, Row } from './read.js';
import { num } from './rule.js';
import type { Quantiles, SipMetrics, Verdict } from './types.js';

/** Counts and metrics of a run, from the table `graded` that diagnose leaves, and RFC 6076 ratios over its callers. */

export async function quantiles(
  run: OpenRun,
  expression: string,
  where = 'true',
  from = 'graded',
): Promise<Quantiles | null> {
  const row =
    await run.one(`SELECT count(v) AS n, min(v) AS min, quantile_cont(v, [0.5, 0.95, 0.99]) AS q, max(v) AS max
    FROM (SELECT ${expression} AS v FROM ${from} WHERE ${where})`);
  return toQuantiles(row);
}

function toQuantiles(row: Row): Quantiles | null {
  if (num(row, 'n') === 0) return null;
  const q = (row.q as unknown as { items: number[] }).items ?? (row.q as unknown as number[]);
  return {
    n: num(row, 'n'),
    min: round(num(row, 'min')),
    p50: round(q[0]!),
    p95: round(q[1]!),
    p99: round(q[2]!),
    max: round(num(row, 'max')),
  };
}

/** Microseconds are beyond what the instants are good for. */
function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}

/** Both directions of audio as one set. */
const EACH_DIRECTION = (column: string): string =>
  `(SELECT a2b_${column} AS v FROM graded WHERE a2b_judged UNION ALL SELECT b2a_${column} FROM graded WHERE b2a_judged)`;

async function histogram(run: OpenRun, expression: string, where: string): Promise<Record<string, number>> {
  const rows = await run.query(
    `SELECT (${expression})::VARCHAR AS k, count(*) AS n FROM graded WHERE ${where} GROUP BY 1 ORDER BY n DESC, k`,
  );
  return Object.fromEntries(rows.map((r) => [String(r.k), num(r, 'n')]));
}

export async function callKpis(run: OpenRun): Promise<Verdict['calls']> {
  const c = await run.one(`SELECT count(*) AS total,
      count(*) FILTER (answered) AS answered, count(*) FILTER (completed) AS completed,
      count(*) FILTER (dropped) AS dropped, count(*) FILTER (outcome = 'rejected') AS rejected,
      count(*) FILTER (outcome = 'cancelled') AS cancelled, count(*) FILTER (outcome = 'timeout') AS timeout,
      count(*) FILTER (outcome = 'open') AS open, count(*) FILTER (bad) AS bad,
      count(*) FILTER (caller_count100 > 0) AS p100, count(*) FILTER (caller_count180 > 0) AS p180,
      count(*) FILTER (caller_count183 > 0) AS p183, count(*) FILTER (caller_count180 > 1) AS repeated180,
      coalesce(sum(caller_inviteRetransmits), 0) AS inviteSent, coalesce(sum(callee_inviteRetransmits), 0) AS inviteSeen,
      coalesce(sum(caller_byeRetransmits), 0) AS byeSent, coalesce(sum(caller_answerRetransmits), 0) AS answerSeen,
      coalesce(sum(callee_answerRetransmits), 0) AS answerSent, count(*) FILTER (caller_answerRetransmits > 0) AS callsWithAnswerSeen,
      count(*) FILTER (final_code BETWEEN 300 AND 399) AS redirects
    FROM graded`);
  return {
    total: num(c, 'total'),
    answered: num(c, 'answered'),
    completed: num(c, 'completed'),
    dropped: num(c, 'dropped'),
    rejected: num(c, 'rejected'),
    cancelled: num(c, 'cancelled'),
    timeout: num(c, 'timeout'),
    open: num(c, 'open'),
    bad: num(c, 'bad'),
    byOutcome: await histogram(run, 'outcome', 'true'),
    finalCodes: await histogram(run, 'final_code', 'true'),
    provisional: {
      '100': num(c, 'p100'),
      '180': num(c, 'p180'),
      '183': num(c, 'p183'),
      repeated180: num(c, 'repeated180'),
    },
    retransmissions: {
      inviteSent: num(c, 'inviteSent'),
      inviteSeen: num(c, 'inviteSeen'),
      byeSent: num(c, 'byeSent'),
      answerSeen: num(c, 'answerSeen'),
      answerSent: num(c, 'answerSent'),
      callsWithAnswerSeen: num(c, 'callsWithAnswerSeen'),
    },
    endedBy: await histogram(run, 'caller_ended_by_name', 'answered AND has_caller'),
    redirects: num(c, 'redirects'),
    retryAfterS: await quantiles(run, 'nullif(caller_retryAfterS, 0)'),
    inDialog: await inDialog(run),
    metrics: await sipMetrics(run),
  };
}

/** What happened within calls. Each request is counted where it was sent, at the end of ours that sent it. */
async function inDialog(run: OpenRun): Promise<Verdict['calls']['inDialog']> {
  const both = (column: string): string => `coalesce(sum(caller_${column}), 0) + coalesce(sum(callee_${column}), 0)`;
  const ended = (outcome: string): string =>
    `count(*) FILTER (caller_outcome_name = '${outcome}' OR callee_outcome_name = '${outcome}')`;
  const r = await run.one(`SELECT ${both('reinvitesSent')} AS reinvites, ${both('updatesSent')} AS updates,
      coalesce(sum(greatest(coalesce(caller_holds, 0), coalesce(callee_holds, 0))), 0) AS holds,
      ${both('refreshes')} AS refreshes, coalesce(sum(greatest(coalesce(caller_glares, 0), coalesce(callee_glares, 0))), 0) AS glares,
      coalesce(sum(greatest(coalesce(caller_pracks, 0), coalesce(callee_pracks, 0))), 0) AS pracks,
      count(*) FILTER (greatest(coalesce(caller_transfers, 0), coalesce(callee_transfers, 0)) > 0) AS transfers,
      count(*) FILTER (greatest(coalesce(caller_transferCode, 0), coalesce(callee_transferCode, 0)) BETWEEN 200 AND 299) AS transferred,
      count(*) FILTER (greatest(coalesce(caller_sessionExpiresS, 0), coalesce(callee_sessionExpiresS, 0)) > 0) AS timed,
      coalesce(sum(caller_redirects), 0) AS redirects, coalesce(sum(caller_challenges), 0) AS challenges,
      coalesce(sum(caller_forks), 0) AS forks,
      ${ended('session-expired')} AS expired, ${ended('refresh-failed')} AS refreshFailed, ${ended('dialog-lost')} AS lost
    FROM graded`);
  const methods = `[${METHOD_NAMES.map((name) => `'${name}'`).join(', ')}]`;
  const refused = (side: string): string =>
    `SELECT ${methods}[${side}_midMethod + 1] || ' ' || ${side}_midCode AS k FROM graded WHERE ${side}_midCode > 0`;
  const rows = await run.query(
    `SELECT k, count(*) AS n FROM (${refused('caller')} UNION ALL ${refused('callee')}) GROUP BY k ORDER BY n DESC, k`,
  );
  return {
    reinvites: num(r, 'reinvites'),
    updates: num(r, 'updates'),
    holds: num(r, 'holds'),
    glares: num(r, 'glares'),
    pracks: num(r, 'pracks'),
    transfers: num(r, 'transfers'),
    transferred: num(r, 'transferred'),
    sessionTimers: num(r, 'timed'),
    refreshes: num(r, 'refreshes'),
    sessionExpired: num(r, 'expired'),
    refreshFailed: num(r, 'refreshFailed'),
    dialogLost: num(r, 'lost'),
    redirectsFollowed: num(r, 'redirects'),
    challenges: num(r, 'challenges'),
    forks: num(r, 'forks'),
    refused: Object.fromEntries(rows.map((row) => [String(row.k), num(row, 'n')])),
  };
}

/** Which calls of the table `graded` a ratio counts, of which. */
interface Ratio {
  hit: string;
  of: string;
}
const DIRECT = 'has_caller AND NOT coalesce(final_code BETWEEN 300 AND 399, false)';
export const RATIOS = {
  ser: { hit: 'answered', of: DIRECT },
  seer: { hit: 'answered OR final_code IN (480, 486, 600, 603)', of: DIRECT },
  isa: { hit: "NOT answered AND (final_code IN (408, 500, 503, 504) OR outcome = 'timeout')", of: 'has_caller' },
  scr: { hit: 'completed', of: 'has_caller' },
  asr: { hit: 'answered', of: 'has_caller' },
  drop: { hit: 'dropped', of: 'has_caller AND answered' },
} as const satisfies Record<string, Ratio>;

/** hit and total of every ratio. */
async function ratios(run: OpenRun): Promise<Record<keyof typeof RATIOS, [number, number]>> {
  const names = Object.keys(RATIOS) as (keyof typeof RATIOS)[];
  const columns = names.map((name) => {
    const { hit, of } = RATIOS[name];
    return `count(*) FILTER ((${of}) AND (${hit})) AS ${name}_hit, count(*) FILTER (${of}) AS ${name}_all`;
  });
  const r = await run.one(`SELECT ${columns.join(', ')} FROM graded`);
  const of = (name: string): [number, number] => [num(r, `${name}_hit`), num(r, `${name}_all`)];
  return { ser: of('ser'), seer: of('seer'), isa: of('isa'), scr: of('scr'), asr: of('asr'), drop: of('drop') };
}

async function sipMetrics(run: OpenRun): Promise<SipMetrics> {
  const of = await ratios(run);
  const share = ([hit, total]: [number, number]): number | null => (total === 0 ? null : hit / total);
  return {
    srdMs: await quantiles(run, 'srd_ms'),
    srdFailedMs: await quantiles(run, 'srd_failed_ms'),
    pddMs: await quantiles(run, 'pdd_ms'),
    setupMs: await quantiles(run, 'setup_ms'),
    sddMs: await quantiles(run, 'sdd_ms'),
    sdtMs: await quantiles(run, 'talk_ms', 'completed'),
    ser: share(of.ser),
    seer: share(of.seer),
    isa: share(of.isa),
    scr: share(of.scr),
    asr: share(of.asr),
    dropRate: share(of.drop),
  };
}

export async function mediaKpis(run: OpenRun): Promise<Verdict['media']> {
  const m = await run.one(`SELECT count(*) FILTER (answered AND (a2b_judged OR b2a_judged)) AS judged,
      count(*) FILTER (one_way) AS oneWay, count(*) FILTER (dead_air) AS deadAir,
      count(*) FILTER (crossed_audio) AS crossed, count(*) FILTER (poor_mos) AS poorMos FROM graded`);
  const mos = await run.one(
    `SELECT count(v) AS n, quantile_cont(v, 0.05) AS p5, quantile_cont(v, 0.5) AS p50, min(v) AS min FROM ${EACH_DIRECTION('mos')}`,
  );
  const each = async (column: string, factor: number): Promise<Quantiles | null> =>
    toQuantiles(
      await run.one(`SELECT count(v) AS n, min(v) AS min, quantile_cont(v, [0.5, 0.95, 0.99]) AS q, max(v) AS max
        FROM (SELECT ${factor} * v AS v FROM ${EACH_DIRECTION(column)})`),
    );
  return {
    backend: run.env.generator.mediaBackend,
    judged: num(m, 'judged'),
    oneWay: num(m, 'oneWay'),
    deadAir: num(m, 'deadAir'),
    crossed: num(m, 'crossed'),
    poorMos: num(m, 'poorMos'),
    mos:
      num(mos, 'n') === 0
        ? null
        : { p5: round(num(mos, 'p5')), p50: round(num(mos, 'p50')), min: round(num(mos, 'min')) },
    lossPct: await each('loss', 100),
    jitterMs: await each('jitter_ms', 1),
  };
}
