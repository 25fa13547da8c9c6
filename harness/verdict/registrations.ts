import { quantiles } from './kpi.js';
import type { OpenRun } from './read.js';
import { nice, num, seconds } from './rule.js';
import type { Mechanism, Registrations, WaveResult } from './types.js';

/** Counter by worker, summed, at each second of the frames. */
const FRAME = (name: string): string => `(SELECT sum(value) FROM (
  SELECT value, row_number() OVER (PARTITION BY worker ORDER BY tMs DESC) AS nth FROM frames WHERE name = '${name}') WHERE nth = 1)`;

/** What became of the phones that register; null in a run without them. Needs the tables that diagnose leaves. */
export async function judgeRegistrations(run: OpenRun): Promise<Registrations | null> {
  const r =
    await run.one(`SELECT count(DISTINCT phone) AS phones, count(DISTINCT tenant) AS tenants, count(*) AS attempts,
      count(*) FILTER (outcome_name = 'registered') AS registered, count(*) FILTER (outcome_name IN ('rejected', 'timeout', 'unconnected')) AS failed,
      count(*) FILTER (outcome_name = 'timeout') AS timeouts, count(*) FILTER (outcome_name = 'superseded') AS superseded,
      count(*) FILTER (outcome_name = 'open') AS open, sum(n401) AS challenged, sum(n503) AS refused,
      sum(retransmissions) AS retransmissions, ${FRAME('registeredPhones')} AS up,
      ${FRAME('registrationsBlocked')} AS blocked FROM registrations`);
  if (num(r, 'attempts') === 0) return null;
  const waves = await wavesOf(run);
  const last = waves[waves.length - 1];
  const [ineffective, all] = await ineffectiveOf(run);
  return {
    phones: num(r, 'phones'),
    tenants: num(r, 'tenants'),
    registeredAtEnd: num(r, 'up'),
    attempts: num(r, 'attempts'),
    blocked: num(r, 'blocked'),
    registered: num(r, 'registered'),
    failed: num(r, 'failed'),
    timeouts: num(r, 'timeouts'),
    superseded: num(r, 'superseded'),
    open: num(r, 'open'),
    challenged: num(r, 'challenged'),
    refused: num(r, 'refused'),
    retransmissions: num(r, 'retransmissions'),
    timeTo50Ms: last?.timeTo50Ms ?? null,
    timeTo95Ms: last?.timeTo95Ms ?? null,
    timeTo100Ms: last?.timeTo100Ms ?? null,
    rrdMs: await quantiles(run, RRD, 'true', 'registrations'),
    refreshRrdMs: await quantiles(run, RRD, "reason_name = 'refresh'", 'registrations'),
    ira: all > 0 ? ineffective / all : null,
    waves,
    mechanisms: await mechanismsOf(run, last?.sinceMs ?? 0),
  };
}

/** RFC 6076 4.1: first REGISTER to 200, the challenge between them included. */
export const RRD = "CASE WHEN outcome_name = 'registered' THEN doneMs - startedMs END";

/** RFC 6076 4.2: attempts that ended in a refusal other than a challenge, or in timer F; of all that ended. */
export async function ineffectiveOf(run: OpenRun, where = 'true'): Promise<[hit: number, total: number]> {
  const r = await run.one(`SELECT count(*) FILTER (outcome_name IN ('rejected', 'timeout', 'unconnected')) AS hit,
    count(*) FILTER (outcome_name IN ('rejected', 'timeout', 'unconnected', 'registered')) AS total FROM registrations WHERE ${where}`);
  return [num(r, 'hit'), num(r, 'total')];
}

/** Phones that hold a binding when the run ends, of all. */
export async function registeredShare(run: OpenRun): Promise<[hit: number, total: number]> {
  const r = await run.one(
    `SELECT count(DISTINCT phone) AS phones, ${FRAME('registeredPhones')} AS up FROM registrations`,
  );
  return [num(r, 'up'), num(r, 'phones')];
}

/**
 * Each wave, from its first phone's instant. A phone is down from its own instant until it is registered again; a share is
 * back when it is up and stays so. So a roll that never has many phones down at once is never below 95 %: 0 ms.
 */
export async function wavesOf(run: OpenRun): Promise<WaveResult[]> {
  // Of all phones, not of the wave's alone: a wave may reach few.
  const all = '(SELECT count(DISTINCT phone) FROM registrations)';
  const lastBelow = (share: number): string =>
    `CASE WHEN bool_or(until IS NULL AND down > ${share} * ${all}) THEN NULL ELSE coalesce(max(until) FILTER (down > ${share} * ${all}), any_value(since)) - any_value(since) END`;
  const rows = await run.query(`
    WITH starts AS (SELECT wave, phone, any_value(tenant) AS tenant, min(intendedMs) AS due FROM registrations WHERE reason_name = 'wave' GROUP BY wave, phone),
    backs AS (SELECT s.wave, s.phone, s.tenant, s.due, min(r.doneMs) FILTER (r.outcome_name = 'registered') AS back
      FROM starts s LEFT JOIN registrations r ON r.wave = s.wave AND r.phone = s.phone GROUP BY ALL),
    waves AS (SELECT wave, min(due) AS since, count(*) AS phones, count(back) AS back FROM backs GROUP BY wave),
    changes AS (SELECT wave, t, sum(n) AS n FROM (
      SELECT wave, due AS t, 1 AS n FROM backs UNION ALL SELECT wave, back, -1 FROM backs WHERE back IS NOT NULL) GROUP BY wave, t),
    levels AS (SELECT wave, t, sum(n) OVER w AS down, lead(t) OVER w AS until FROM changes WINDOW w AS (PARTITION BY wave ORDER BY t)),
    tenants AS (SELECT wave, tenant, min(due) AS since, count(*) AS phones, max(coalesce(back, 'infinity'::DOUBLE)) - min(due) AS took FROM backs GROUP BY wave, tenant)
    SELECT wave, (SELECT list({tenant: tenant, sinceMs: since, phones: phones, tookMs: nullif(took, 'infinity')} ORDER BY took DESC, tenant)[1:${SLOWEST}] FROM tenants t WHERE t.wave = levels.wave) AS slowest,
      any_value(phones) AS phones, any_value(since) AS since, any_value(back) AS back, max(down) AS down,
      ${lastBelow(0.5)} AS t50, ${lastBelow(0.05)} AS t95, ${lastBelow(0)} AS t100,
      (SELECT nullif(quantile_cont(took, 0.5), 'infinity') FROM tenants t WHERE t.wave = levels.wave) AS tenant50,
      (SELECT nullif(max(took), 'infinity') FROM tenants t WHERE t.wave = levels.wave) AS tenant_max
    FROM levels JOIN waves USING (wave) GROUP BY wave ORDER BY wave`);
  const or = (x: unknown): number | null => (typeof x === 'number' ? Math.round(x * 1000) / 1000 : null);
  return rows.map((row) => ({
    wave: num(row, 'wave'),
    sinceMs: num(row, 'since'),
    phones: num(row, 'phones'),
    back: num(row, 'back'),
    downMax: num(row, 'down'),
    timeTo50Ms: or(row.t50),
    timeTo95Ms: or(row.t95),
    timeTo100Ms: or(row.t100),
    tenantTimeTo100Ms: { p50: or(row.tenant50), max: or(row.tenant_max) },
    slowestTenants: tenantsIn(row.slowest),
  }));
}

function tenantsIn(list: unknown): WaveResult['slowestTenants'] {
  return ((list ?? []) as Record<string, unknown>[]).map((e) => ({
    tenant: Number(e.tenant),
    sinceMs: Number(e.sinceMs),
    phones: Number(e.phones),
    tookMs: typeof e.tookMs === 'number' ? Math.round(e.tookMs * 1000) / 1000 : null,
  }));
}

/** Tenants named for each wave: the ones that would call first. */
const SLOWEST = 5;

/** Readings at which every thread waited, for how much of the time until the phones were back. */
const BUSY_SHARE = 0.25;
/** Datagrams lost at a full buffer: below this share they are noise. */
const DROPPED_SHARE = 0.01;
/** A limit is below capacity when threads were idle for this much of the time in which it refused. */
const IDLE_SHARE = 0.5;
/** T2: how often a phone repeats itself when nobody answers (RFC 3261 17.1.2.2). */
const T2_READINGS = 16;

/** Why phones were not back at once, from what the registrar told of itself; the heaviest first. */
async function mechanismsOf(run: OpenRun, sinceMs: number): Promise<Mechanism[]> {
  const since = Math.max(0, sinceMs - 250);
  const r =
    await run.one(`SELECT count(*) AS readings, sum(registers) AS handled, sum(coalesce(inbox_dropped, 0) + coalesce(socket_dropped, 0)) AS dropped, sum(refused) AS refused,
      max(inbox_max) AS room, max(inbox_depth) AS depth, max(threads_max) AS threads, max(limit_per_s) AS limit_per_s,
      count(*) FILTER (threads_busy >= threads_max) AS full, count(*) FILTER (inbox_depth > 0 OR inbox_dropped > 0 OR refused > 0) AS pressed,
      count(*) FILTER (refused > 0) AS refusing, avg(threads_busy / threads_max) FILTER (refused > 0) AS busy_refusing,
      quantile_cont(db_latency_ms, 0.5) FILTER (threads_busy >= threads_max) AS db_ms, max(db_latency_ms) AS db_max,
      sum(unheard) AS unheard, sum(t - t_prev) FILTER (unreachable > 0) AS out_ms
    FROM registrar WHERE t > ${since}`);
  if (num(r, 'readings') === 0) return [];
  const found: Mechanism[] = [];
  const dropped = num(r, 'dropped');
  // A target that tells nothing of itself handled what it answered.
  const handled = r.handled === null ? await answeredOf(run) : num(r, 'handled');
  if (dropped > DROPPED_SHARE * (dropped + handled)) {
    const beat = await beatOf(run, since);
    const inStep =
      beat === null || beat < 2
        ? ''
        : `; phones that were dropped repeat in step: the busiest quarter second of every 4 s (T2) brings ${nice(beat)} times the average`;
    found.push({
      name: 'receive-buffer-overflow',
      text: `${nice(dropped)} of ${nice(dropped + handled)} REGISTERs were dropped at the registrar's full receive buffer${num(r, 'room') > 0 ? ` (room for ${nice(num(r, 'room'))})` : ''}${inStep}`,
      values: { dropped, handled, room: num(r, 'room'), beat },
    });
  }
  const full = num(r, 'full');
  if (full >= 2 && full >= BUSY_SHARE * Math.max(1, num(r, 'pressed')) && num(r, 'db_max') > 0) {
    found.push({
      name: 'database-wait',
      text: `all ${nice(num(r, 'threads'))} threads of the registrar waited for the database in ${nice(full)} of ${nice(num(r, 'readings'))} readings; an answer took ${nice(num(r, 'db_ms'))} ms in the middle case`,
      values: { full, readings: num(r, 'readings'), dbLatencyMs: num(r, 'db_ms') },
    });
  }
  if (num(r, 'refusing') >= 2 && num(r, 'busy_refusing') < IDLE_SHARE) {
    found.push({
      name: 'limit-below-capacity',
      text: `the limit of ${nice(num(r, 'limit_per_s'))} first REGISTERs a second refused ${nice(num(r, 'refused'))} while ${nice(100 * (1 - num(r, 'busy_refusing')))} % of the threads were idle`,
      values: { refused: num(r, 'refused'), busyShare: num(r, 'busy_refusing') },
    });
  } else if (num(r, 'refused') > 0) {
    found.push({
      name: 'shed-by-limit',
      text: `the limit of ${nice(num(r, 'limit_per_s'))} first REGISTERs a second refused ${nice(num(r, 'refused'))}, and the threads had work meanwhile`,
      values: { refused: num(r, 'refused'), busyShare: num(r, 'busy_refusing') },
    });
  }
  if (num(r, 'unheard') > 0) {
    found.unshift({
      name: 'registrar-unreachable',
      text: `the registrar could not be reached for ${seconds(num(r, 'out_ms'))}: ${nice(num(r, 'unheard'))} REGISTERs went nowhere`,
      values: { unheard: num(r, 'unheard'), forMs: num(r, 'out_ms') },
    });
  }
  return found;
}

/** Answers that came back to phones. */
async function answeredOf(run: OpenRun): Promise<number> {
  const answers = ['register200', 'register401', 'register503', 'registerRejected'];
  const r = await run.one(`SELECT ${answers.map((name) => `coalesce(${FRAME(name)}, 0)`).join(' + ')} AS n`);
  return num(r, 'n');
}

/** Load of the busiest reading of every T2 over the average, folded over the first 32 s; null without load. */
async function beatOf(run: OpenRun, sinceMs: number): Promise<number | null> {
  const r = await run.one(`SELECT max(n) / avg(n) AS beat FROM (
      SELECT nth % ${T2_READINGS} AS phase, sum(load) AS n FROM (
        SELECT row_number() OVER (ORDER BY t) AS nth, coalesce(registers, 0) + coalesce(retransmits, 0) + coalesce(inbox_dropped, 0) + coalesce(socket_dropped, 0) AS load
        FROM registrar WHERE t > ${sinceMs} AND t < ${sinceMs} + 32000)
      WHERE nth > ${T2_READINGS} GROUP BY phase)`);
  return typeof r.beat === 'number' && Number.isFinite(r.beat) ? Number(r.beat.toFixed(2)) : null;
}
