import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chanceOfSplit } from './chance.js';
import type { OpenRun, Row } from './read.js';
import { openRun } from './read.js';
import { nice, num } from './rule.js';
import type { Witness, WitnessFigures } from './types.js';

/** Another pair of files in the place of the engine's, judged by the same SQL: both witnesses are asked the same questions. */
const WEBPHONE_FILES = { legs: 'webphones', registrations: 'webphone_registrations', media: true };

/** Shares that differ by no more than this say the same. */
const SHARE_MARGIN = 0.05;
/** Nor do those that chance alone would part once in a hundred runs. */
const CHANCE_MAX = 0.01;
/** Fewer than this say nothing. */
const SAMPLES_MIN = 5;
/** A delay disagrees when one median is this many times the other, and a person would notice. */
const DELAY_RATIO = 3;
const DELAY_MARGIN_MS = 500;
/** Webphones that place their calls later than this are starved, and no witness: a browser is never this slow. */
const LATE_MS = 500;

/** What the webphones saw beside what the engine saw; null in a run without webphones. Needs the table `graded`. */
export async function judgeWitness(run: OpenRun): Promise<Witness | null> {
  if (!existsSync(join(run.runDir, `${WEBPHONE_FILES.legs}.parquet`))) return null;
  const own = await openRun(run.runDir, WEBPHONE_FILES);
  try {
    const webphones = await figuresOf(own, 'calls');
    const engine = await figuresOf(run, 'graded');
    const { late } = await own.one('SELECT quantile_cont(lateness_ms, 0.95) AS late FROM calls WHERE has_caller');
    const lateMs = typeof late === 'number' ? late : 0;
    const disagreements = lateMs > LATE_MS ? [] : disagreementsOf(webphones, engine);
    const comparable = comparablesOf(webphones, engine);
    const text = textOf(webphones, engine, disagreements, comparable, lateMs);
    return { webphones, engine, comparable, disagreements, latenessP95Ms: lateMs, text };
  } finally {
    own.close();
  }
}

/** Calls of the webphones that were answered, and that were heard both ways, for budgets: hit and total. */
export async function witnessRates(run: OpenRun): Promise<Record<'asr' | 'heard', { hit: number; total: number }>> {
  const w = await judgeWitness(run);
  return {
    asr: { hit: w?.webphones.connected ?? 0, total: w?.webphones.tried ?? 0 },
    heard: { hit: w?.webphones.heardBoth ?? 0, total: w?.webphones.judged ?? 0 },
  };
}

async function figuresOf(run: OpenRun, calls: string): Promise<WitnessFigures> {
  const c = await run.one(`SELECT count(*) AS tried, count(*) FILTER (answered) AS connected,
      count(*) FILTER (NOT answered AND outcome <> 'open') AS failed, count(*) FILTER (dropped OR bye_failed OR no_ack) AS broken,
      count(*) FILTER (a2b_judged OR b2a_judged) AS judged,
      count(*) FILTER ((a2b_judged OR b2a_judged) AND NOT coalesce(a2b_dead, false) AND NOT coalesce(b2a_dead, false) AND NOT crossed_audio) AS heard,
      quantile_cont(srd_ms, [0.5, 0.95]) AS srd, quantile_cont(setup_ms, [0.5, 0.95]) AS setup, quantile_cont(mos, 0.5) AS mos
    FROM ${calls} WHERE has_caller`);
  const up = await run.one(`SELECT count(*) AS phones, count(*) FILTER (outcome_name = 'registered') AS registered
    FROM (SELECT * FROM registrations WHERE outcome_name <> 'open'
      QUALIFY row_number() OVER (PARTITION BY phone ORDER BY doneMs DESC) = 1)`);
  // The most calls that were up in one instant.
  const most =
    await run.one(`SELECT max(up) AS up FROM (SELECT sum(n) OVER (ORDER BY t, n ROWS UNBOUNDED PRECEDING) AS up FROM (
      SELECT answered_ms AS t, 1 AS n FROM ${calls} WHERE answered AND has_caller
      UNION ALL SELECT talk_end_at, -1 FROM (SELECT answered_ms + talk_ms AS talk_end_at FROM ${calls} WHERE answered AND has_caller)))`);
  return {
    phones: num(up, 'phones'),
    registered: num(up, 'registered'),
    tried: num(c, 'tried'),
    connected: num(c, 'connected'),
    failed: num(c, 'failed'),
    broken: num(c, 'broken'),
    judged: num(c, 'judged'),
    heardBoth: num(c, 'heard'),
    upAtOnce: num(most, 'up'),
    srdMs: pair(c, 'srd'),
    setupMs: pair(c, 'setup'),
    mosP50: typeof c.mos === 'number' ? Number(c.mos.toFixed(2)) : null,
  };
}

function pair(row: Row, key: string): { p50: number; p95: number } | null {
  const cell = row[key] as unknown as { items: number[] } | number[] | null;
  const list = cell === null || Array.isArray(cell) ? cell : cell.items;
  if (list === null || list === undefined) return null;
  const [p50 = 0, p95 = 0] = list.map((x) => Math.round(x * 10) / 10);
  return { p50, p95 };
}

interface Share {
  what: string;
  of: (f: WitnessFigures) => [hit: number, total: number];
}
const SHARES: readonly Share[] = [
  { what: 'registered', of: (f) => [f.registered, f.phones] },
  { what: 'answered', of: (f) => [f.connected, f.connected + f.failed] },
  { what: 'heard both ways', of: (f) => [f.heardBoth, f.judged] },
];

/** What both have enough samples of. */
function comparablesOf(webphones: WitnessFigures, engine: WitnessFigures): string[] {
  return SHARES.filter(({ of }) => of(webphones)[1] >= SAMPLES_MIN && of(engine)[1] >= SAMPLES_MIN).map((s) => s.what);
}

function disagreementsOf(webphones: WitnessFigures, engine: WitnessFigures): string[] {
  const out: string[] = [];
  for (const { what, of } of SHARES) {
    const [w, n] = of(webphones);
    const [e, m] = of(engine);
    if (n < SAMPLES_MIN || m < SAMPLES_MIN || !apart(w, n, e, m)) continue;
    out.push(`${what}: engine ${share(e, m)}, webphones ${share(w, n)}`);
  }
  const [a, b] = [webphones.srdMs?.p50, engine.srdMs?.p50];
  if (a !== undefined && b !== undefined && webphones.connected >= SAMPLES_MIN && engine.connected >= SAMPLES_MIN) {
    const [less, more] = [Math.min(a, b), Math.max(a, b)];
    if (more - less > DELAY_MARGIN_MS && more > DELAY_RATIO * less)
      out.push(`ringing after: engine ${nice(b)} ms, webphones ${nice(a)} ms (p50)`);
  }
  return out;
}

/** Two shares that differ, and not by chance. */
function apart(w: number, n: number, e: number, m: number): boolean {
  return Math.abs(w / n - e / m) > SHARE_MARGIN && chanceOfSplit(n - w, n, m - e, m) < CHANCE_MAX;
}

function share(hit: number, total: number): string {
  return `${nice((100 * hit) / total)} % of ${nice(total)}`;
}

/** One line. */
function textOf(
  webphones: WitnessFigures,
  engine: WitnessFigures,
  disagreements: readonly string[],
  comparable: readonly string[],
  lateMs: number,
): string {
  if (webphones.tried === 0 && webphones.registered === 0)
    return 'the webphones did nothing: neither registered nor called';
  if (lateMs > LATE_MS)
    return `the webphones were starved of CPU (calls ${nice(lateMs)} ms late at p95): they are no witness of the platform`;
  if (disagreements.length > 0) return `DISAGREE: ${disagreements.join('; ')}`;
  if (comparable.length > 0) return `agree with the engine: ${comparable.join(', ')}`;
  if (engine.tried === 0 && engine.phones === 0) return 'the engine did nothing that could be compared';
  return 'too few of either to compare';
}
