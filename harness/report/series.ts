import type { OpenRun } from '../verdict/read.js';

/** A plot of the report: one time axis in seconds of the run, some lines. */
export interface Line {
  label: string;
  /** Position in the palette; a limit is drawn grey and dashed. */
  style: 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'limit' | 'bad';
  values: (number | null)[];
}
export interface Plot {
  title: string;
  unit: string;
  x: number[];
  lines: Line[];
}

/** More points than this are more than a screen has. */
const MAX_POINTS = 600;

/** Runs `sql`, which gives one row per step `s` (0, 1, ...) and a column per line, and lays it on the common axis. */
async function plot(
  run: OpenRun,
  steps: number,
  stepMs: number,
  title: string,
  unit: string,
  sql: string,
  lines: readonly (readonly [column: string, label: string, style: Line['style']])[],
  empty: number | null = null,
): Promise<Plot | null> {
  const rows = await run.query(sql);
  if (rows.length === 0) return null;
  const x = Array.from({ length: steps }, (_, i) => (i * stepMs) / 1000);
  const out = lines.map(([, label, style]) => ({ label, style, values: new Array<number | null>(steps).fill(empty) }));
  for (const row of rows) {
    const s = Number(row.s);
    if (!(s >= 0 && s < steps)) continue;
    lines.forEach(([column], i) => {
      const value = row[column];
      out[i]!.values[s] = typeof value === 'number' ? Math.round(value * 1000) / 1000 : empty;
    });
  }
  const told = out.filter((l) => l.values.some((v) => v !== null));
  return told.length === 0 ? null : withoutFarLimit({ title, unit, x, lines: told });
}

/** A limit this many times above everything else flattens it to the axis: a word says as much. */
const FAR_LIMIT = 20;

function withoutFarLimit(p: Plot): Plot {
  const most = (lines: readonly Line[]): number => Math.max(...lines.flatMap((l) => l.values.map((v) => v ?? 0)));
  const limits = p.lines.filter((l) => l.style === 'limit');
  const others = p.lines.filter((l) => l.style !== 'limit');
  if (limits.length !== 1 || others.length === 0) return p;
  const [limit, rest] = [most(limits), most(others)];
  if (rest === 0 || limit < FAR_LIMIT * rest) return p;
  return { ...p, unit: `${p.unit}, of ${limit.toLocaleString('en-US')}`, lines: others };
}

type Of = (
  title: string,
  unit: string,
  sql: string,
  lines: Parameters<typeof plot>[6],
  empty?: number | null,
) => Promise<Plot | null>;

/** The workers' own counts, once a second; none in a run without phones that register. */
async function registrationPlots(
  run: OpenRun,
  of: Of,
  step: (t: string) => string,
  perSecond: number,
): Promise<(Plot | null)[]> {
  const n = await run.one('SELECT count(*) AS n FROM registrations');
  if (Number(n.n) === 0) return [];
  const rise = (name: string): string => `sum(rise) FILTER (name = '${name}') * ${perSecond} AS ${name}`;
  const names = ['registrationsStarted', 'register200', 'register401', 'register503'] as const;
  const lost = ['registerRetransmits', 'registerTimeouts'] as const;
  return [
    await of(
      'Registered phones',
      'phones',
      `SELECT s, sum(v) AS v FROM (SELECT ${step('tMs - 1')} AS s, worker, last(value ORDER BY tMs) AS v FROM frames
         WHERE name = 'registeredPhones' GROUP BY 1, 2) GROUP BY s`,
      [['v', 'registered', 'a']],
    ),
    await of(
      'Registrations per second',
      'per second',
      `SELECT s, ${[...names, ...lost].map(rise).join(', ')} FROM (
         SELECT ${step('tMs - 1')} AS s, name, value - coalesce(lag(value) OVER (PARTITION BY worker, name ORDER BY tMs), 0) AS rise
         FROM frames WHERE name LIKE 'regist%') GROUP BY s`,
      [
        ['registrationsStarted', 'attempts', 'limit'],
        ['register200', '200', 'a'],
        ['register401', '401', 'b'],
        ['register503', '503', 'c'],
        ['registerTimeouts', 'timeouts', 'bad'],
      ],
      0,
    ),
    // A roll restarts one tenant after the other: each tenant where its own restart began.
    await of(
      'A whole tenant back, by when its restart began',
      'ms',
      `SELECT ${step('since')} AS s, quantile_cont(took, 0.5) AS p50, max(took) AS most FROM (
         SELECT tenant, min(due) AS since, max(back) - min(due) AS took FROM (
           SELECT tenant, phone, min(intendedMs) FILTER (reason_name = 'wave') AS due, min(doneMs) FILTER (outcome_name = 'registered') AS back
           FROM registrations WHERE wave = (SELECT max(wave) FROM registrations) GROUP BY tenant, phone)
         GROUP BY tenant) GROUP BY 1`,
      [
        ['p50', 'p50', 'a'],
        ['most', 'slowest', 'bad'],
      ],
    ),
    // On an axis of its own: waves of repeats are ten times what is registered.
    await of(
      'REGISTERs repeated per second',
      'per second',
      `SELECT s, ${rise('registerRetransmits')} FROM (
         SELECT ${step('tMs - 1')} AS s, name, value - coalesce(lag(value) OVER (PARTITION BY worker, name ORDER BY tMs), 0) AS rise
         FROM frames WHERE name = 'registerRetransmits') GROUP BY s`,
      [['registerRetransmits', 'repeated', 'bad']],
      0,
    ),
    await of(
      'Messages waiting at the registrar',
      'messages',
      `SELECT ${step('t')} AS s, max(inbox_depth) AS v, max(inbox_max) AS most, sum(coalesce(inbox_dropped, 0) + coalesce(socket_dropped, 0)) AS dropped
       FROM registrar GROUP BY 1`,
      [
        ['v', 'waiting', 'a'],
        ['most', 'room', 'limit'],
        ['dropped', 'dropped', 'bad'],
      ],
    ),
  ];
}

/** Connections at our end; none over UDP. */
async function connectionPlots(of: Of, step: (t: string) => string, perSecond: number): Promise<(Plot | null)[]> {
  const rises = { made: ['Made'], refused: ['Refused', 'Unreached', 'TimedOut'], lost: ['Reset', 'Closed'] };
  const columns = Object.entries(rises).map(
    ([column, names]) =>
      `sum(rise) FILTER (name IN (${names.map((n) => `'connections${n}'`).join(', ')})) * ${perSecond} AS ${column}`,
  );
  const frames = `FROM frames WHERE name LIKE 'connections%' AND (SELECT max(value) FROM frames WHERE name IN ('connectionsDialled', 'connectionsAccepted')) > 0`;
  return [
    await of(
      'Connections open',
      'connections',
      `SELECT s, sum(v) AS v FROM (SELECT ${step('tMs - 1')} AS s, worker, last(value ORDER BY tMs) AS v ${frames} AND name = 'connectionsOpen' GROUP BY 1, 2) GROUP BY s`,
      [['v', 'open', 'a']],
    ),
    await of(
      'Connections per second',
      'per second',
      `SELECT s, ${columns.join(', ')} FROM (
         SELECT ${step('tMs - 1')} AS s, name, value - coalesce(lag(value) OVER (PARTITION BY worker, name ORDER BY tMs), 0) AS rise ${frames}) GROUP BY s`,
      [
        ['made', 'made', 'a'],
        ['refused', 'refused or never made', 'bad'],
        ['lost', 'reset or closed', 'c'],
      ],
      0,
    ),
  ];
}

/** Needs the tables that diagnose leaves. */
export async function plotsOf(run: OpenRun): Promise<Plot[]> {
  const duration = Math.max(1000, run.env.durationMs);
  const stepMs = Math.max(1000, Math.ceil(duration / MAX_POINTS / 1000) * 1000);
  const steps = Math.ceil(duration / stepMs);
  const perSecond = 1000 / stepMs;
  const step = (t: string): string => `floor((${t}) / ${stepMs})`;
  const of = (
    title: string,
    unit: string,
    sql: string,
    lines: Parameters<typeof plot>[6],
    empty: number | null = null,
  ): Promise<Plot | null> => plot(run, steps, stepMs, title, unit, sql, lines, empty);

  const gauge = (source: string, columns: string): string =>
    `SELECT s, ${columns} FROM (SELECT ${step('t')} AS s, instance, * EXCLUDE (instance) FROM ${source}) GROUP BY s`;

  const counted = Number((await run.one("SELECT count(*) AS n FROM frames WHERE name = 'offered'")).n) > 0;

  const plots = [
    ...(await registrationPlots(run, of, step, perSecond)),
    ...(await connectionPlots(of, step, perSecond)),
    await of(
      'Calls per second',
      'calls/s',
      `WITH e AS (
         SELECT ${step('started_ms')} AS s, 1 AS started, 0 AS answered, 0 AS bad FROM graded WHERE has_caller
         UNION ALL SELECT ${step('answered_ms')}, 0, 1, 0 FROM graded WHERE answered AND has_caller
         UNION ALL SELECT ${step('wrong_ms')}, 0, 0, 1 FROM suspects),
       -- The workers' own counts, so that what was blocked is seen too; cumulative, once a second.
       o AS (SELECT ${step('tMs - 1')} AS s, greatest(0, sum(rise)) AS offered FROM (
         SELECT tMs, value - coalesce(lag(value) OVER (PARTITION BY worker ORDER BY tMs), 0) AS rise
         FROM frames WHERE name = 'offered') GROUP BY 1)
       SELECT s, sum(started) * ${perSecond} AS started, sum(answered) * ${perSecond} AS answered, sum(bad) * ${perSecond} AS bad,
         any_value(offered) * ${perSecond} AS offered
       FROM e FULL JOIN o USING (s) GROUP BY s`,
      [
        ...(counted ? ([['offered', 'offered', 'limit']] as const) : []),
        ['started', 'started', 'a'],
        ['answered', 'answered', 'b'],
        ['bad', 'went bad', 'bad'],
      ],
      0,
    ),
    await of(
      'Calls up',
      'calls',
      `SELECT s, sum(n) OVER (ORDER BY s) AS open FROM (SELECT s, sum(n) AS n FROM (
         SELECT s::DOUBLE AS s, 0 AS n FROM range(${steps}) r(s)
         UNION ALL SELECT ${step('started_ms')}, 1 FROM graded
         UNION ALL SELECT ${step('ended_ms')} + 1, -1 FROM graded WHERE ended_ms IS NOT NULL) GROUP BY s)`,
      [['open', 'up', 'a']],
    ),
    await of(
      'Setup: INVITE to 200 OK',
      'ms',
      `SELECT ${step('started_ms')} AS s, quantile_cont(setup_ms, 0.5) AS p50, quantile_cont(setup_ms, 0.95) AS p95
       FROM graded WHERE setup_ms IS NOT NULL GROUP BY 1`,
      [
        ['p50', 'p50', 'a'],
        ['p95', 'p95', 'b'],
      ],
    ),
    await of(
      'MOS, by the second of the answer',
      'MOS',
      `SELECT ${step('answered_ms')} AS s, quantile_cont(mos, 0.5) AS p50, min(mos) AS min FROM graded WHERE mos IS NOT NULL GROUP BY 1`,
      [
        ['p50', 'p50', 'a'],
        ['min', 'worst', 'bad'],
      ],
    ),
    await of('NAT sessions', 'sessions', gauge('nat', 'max(sessions) AS v, max(sessions_max) AS most'), [
      ['v', 'in use', 'a'],
      ['most', 'limit', 'limit'],
    ]),
    // On an axis of its own: every packet of a refused flow may count, and would flatten the sessions.
    await of('New flows refused by the NAT', 'per step', gauge('nat', 'nullif(sum(refused), 0) AS refused'), [
      ['refused', 'refused', 'bad'],
    ]),
    await of(
      'Relay ports',
      'ports',
      gauge('relay', 'max(ports_used) AS v, max(ports_max) AS most, sum(alloc_failed) AS failed'),
      [
        ['v', 'in use', 'a'],
        ['most', 'limit', 'limit'],
        ['failed', 'failed', 'bad'],
      ],
    ),
    await of(
      'Signalling threads of the busiest node',
      'threads',
      gauge('node', 'max(threads_busy) AS v, max(threads_max) AS most'),
      [
        ['v', 'busy', 'a'],
        ['most', 'limit', 'limit'],
      ],
    ),
    await of('Messages waiting at the busiest node', 'messages', gauge('node', 'max(inbox_depth) AS v'), [
      ['v', 'waiting', 'a'],
    ]),
    await of('Oldest call record waiting for the database', 'ms', gauge('cdr', 'max(oldest_pending_ms) AS v'), [
      ['v', 'age', 'a'],
    ]),
    await of(
      'Trunks',
      'calls',
      `SELECT s, sum(v) AS v, sum(r) AS rejected FROM (
         SELECT ${step('t')} AS s, instance, max(calls) AS v, sum(rejected) AS r FROM trunk GROUP BY 1, 2) GROUP BY s`,
      [
        ['v', 'up', 'a'],
        ['rejected', 'refused', 'bad'],
      ],
    ),
  ];
  return plots.filter((p) => p !== null);
}
