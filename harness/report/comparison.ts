import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { diagnose } from '../verdict/diagnose.js';
import { openRun } from '../verdict/read.js';
import type { Verdict } from '../verdict/types.js';
import { count, decimals, duration, escapeXml as esc, percent } from './format.js';
import { plotsPage } from './page.js';
import { type Line, type Plot, plotsOf } from './series.js';

/** Runs of one scenario side by side, from their own files. */

export interface ComparedRun {
  label: string;
  runDir: string;
}
interface Read extends ComparedRun {
  verdict: Verdict;
  plots: Plot[];
}

/** What a row says of each run; null where it has nothing to say. */
type Row = [name: string, cell: (v: Verdict) => string | null];

const back = (ms: number | null): string => (ms === null ? 'never' : duration(ms));

/** From the end of the last fault, when the wave began before it: what the platform and its phones made of it. */
function afterOutage(v: Verdict, ms: number | null): string | null {
  const since = v.registrations?.waves.at(-1)?.sinceMs;
  const end = v.faults.reduce((latest, f) => Math.max(latest, f.removedAtMs ?? 0), 0);
  if (since === undefined || end <= since) return null;
  return ms === null ? 'never' : duration(Math.max(0, ms - (end - since)));
}

const ROWS: Row[] = [
  ['verdict', (v) => v.outcome.word],
  ['registered at the end', (v) => of(v, (r) => `${count(r.registeredAtEnd)} of ${count(r.phones)}`)],
  ['time to 50 %', (v) => of(v, (r) => back(r.timeTo50Ms))],
  ['time to 95 %', (v) => of(v, (r) => back(r.timeTo95Ms))],
  ['time to 100 %', (v) => of(v, (r) => back(r.timeTo100Ms))],
  ['100 % after the fault', (v) => of(v, (r) => afterOutage(v, r.timeTo100Ms))],
  ['down at once', (v) => of(v, (r) => count(r.waves.at(-1)?.downMax ?? 0))],
  ['attempts', (v) => of(v, (r) => count(r.attempts))],
  ['repeated', (v) => of(v, (r) => count(r.retransmissions))],
  ['refused (503)', (v) => of(v, (r) => count(r.refused))],
  ['timed out', (v) => of(v, (r) => count(r.timeouts))],
  ['IRA', (v) => of(v, (r) => percent(r.ira))],
  ['mechanisms', (v) => of(v, (r) => r.mechanisms.map((m) => m.name).join(', ') || 'none')],
  ['calls offered', (v) => calls(v, () => count(v.load.offered))],
  ['answered (ASR)', (v) => calls(v, () => percent(v.calls.metrics.asr))],
  ['dropped', (v) => calls(v, () => count(v.calls.dropped))],
  ['bad calls', (v) => calls(v, () => count(v.calls.bad))],
  ['dead air, one way', (v) => calls(v, () => `${count(v.media.deadAir)}, ${count(v.media.oneWay)}`)],
  ['MOS p50', (v) => calls(v, () => decimals(v.media.mos?.p50 ?? null))],
  ['causes', (v) => calls(v, () => v.causes.map((c) => `${c.cause} (${count(c.calls)})`).join(', ') || 'none')],
];

function of(v: Verdict, cell: (r: NonNullable<Verdict['registrations']>) => string | null): string | null {
  return v.registrations === null ? null : cell(v.registrations);
}
function calls(v: Verdict, cell: () => string): string | null {
  return v.load.offered === 0 ? null : cell();
}

/** The table: a row of labels first, then a row for everything that at least one run can say. */
export function comparisonRows(runs: readonly { label: string; verdict: Verdict }[]): string[][] {
  const rows = ROWS.map(([name, cell]) => ({ name, cells: runs.map(({ verdict }) => cell(verdict)) }));
  return [
    ['', ...runs.map((r) => r.label)],
    ...rows.filter((r) => r.cells.some((c) => c !== null)).map((r) => [r.name, ...r.cells.map((c) => c ?? '-')]),
  ];
}

/** Curves that say most when they lie on each other, by the plot's title and the line's label in the runs' own reports. */
const SHARED: [plot: string, line: string][] = [
  ['Registered phones', 'registered'],
  ['Registrations per second', 'attempts'],
  ['Registrations per second', '200'],
  ['Registrations per second', '503'],
  ['REGISTERs repeated per second', 'repeated'],
  ['Messages waiting at the registrar', 'dropped'],
  ['Calls up', 'up'],
  ['Calls per second', 'went bad'],
  ['Setup: INVITE to 200 OK', 'p95'],
  ['MOS, by the second of the answer', 'p50'],
  ['NAT sessions', 'in use'],
  ['Relay ports', 'in use'],
];
/** Eight hues; the first four are those of every report. */
const STYLES: Line['style'][] = ['a', 'bad', 'c', 'b', 'd', 'e', 'f', 'limit'];

export function sharedPlots(runs: readonly { label: string; plots: Plot[] }[]): Plot[] {
  const out: Plot[] = [];
  for (const [title, label] of SHARED) {
    const found = runs.map((run) => {
      const plot = run.plots.find((p) => p.title === title);
      return { run, plot, line: plot?.lines.find((l) => l.label === label) };
    });
    const told = found.filter((f) => f.line?.values.some((x) => x !== null && x !== 0));
    if (told.length === 0) continue;
    // Runs differ in length; steps do not, but where one is much longer.
    const longest = found.reduce(
      (most, f) => ((f.plot?.x.length ?? 0) > most.length ? f.plot!.x : most),
      [] as number[],
    );
    const lines = found.map(({ run, plot, line }, i): Line => {
      const at = new Map(plot?.x.map((x, k) => [x, line?.values[k] ?? null]));
      return { label: run.label, style: STYLES[i % STYLES.length]!, values: longest.map((x) => at.get(x) ?? null) };
    });
    const what = ['registered', 'up', 'in use', 'p50', 'p95'].includes(label) ? '' : `: ${label}`;
    out.push({ title: `${title}${what}`, unit: told[0]!.plot!.unit, x: longest, lines });
  }
  return out;
}

/** Reads the runs, and writes comparison.html and comparison.json into `dir`. */
export async function writeComparison(
  dir: string,
  title: string,
  command: string,
  runs: readonly ComparedRun[],
): Promise<{ path: string; rows: string[][] }> {
  const read: Read[] = [];
  for (const run of runs) {
    const verdict = JSON.parse(readFileSync(join(run.runDir, 'verdict.json'), 'utf8')) as Verdict;
    const open = await openRun(run.runDir);
    try {
      await diagnose(open);
      read.push({ ...run, verdict, plots: await plotsOf(open) });
    } finally {
      open.close();
    }
  }
  mkdirSync(dir, { recursive: true });
  const rows = comparisonRows(read);
  const path = join(dir, 'comparison.html');
  writeFileSync(path, page(title, command, read, rows));
  const json = {
    schema: 'deadair.comparison/1',
    title,
    command,
    runs: read.map(({ label, verdict }) => ({
      label,
      run: verdict.run.id,
      outcome: verdict.outcome,
      registrations: verdict.registrations,
      load: verdict.load,
    })),
    rows,
  };
  writeFileSync(join(dir, 'comparison.json'), `${JSON.stringify(json, null, 2)}\n`);
  return { path, rows };
}

function page(title: string, command: string, runs: readonly Read[], rows: readonly string[][]): string {
  const [head, ...body] = rows;
  const cells = (row: readonly string[], tag: string): string =>
    `<tr><th>${esc(row[0]!)}</th>${row
      .slice(1)
      .map((c) => `<${tag}>${esc(c)}</${tag}>`)
      .join('')}</tr>`;
  const why = runs
    .map(({ label, verdict: v }) => {
      const told = [
        ...v.outcome.reasons.map((r) => `${v.outcome.word}: ${r}`),
        ...(v.registrations?.mechanisms ?? []).map((m) => `${m.name}: ${m.text}`),
        ...v.causes.slice(0, 2).map((c) => `${c.cause}: ${c.summary}`),
      ];
      const list =
        told.length === 0
          ? '<p>Nothing stood in the way.</p>'
          : `<ul>${told.map((t) => `<li>${esc(t)}</li>`).join('')}</ul>`;
      const report = `../${basename(v.run.id)}/report.html`;
      return `<div class="card"><h3>${esc(label)} <span class="soft"><a href="${esc(report)}">its report</a></span></h3>${list}</div>`;
    })
    .join('');
  return plotsPage({
    title,
    head: `<h1>${esc(title)}</h1>`,
    before: `<div class="scroll"><table>${cells(head!, 'th')}${body.map((row) => cells(row, 'td')).join('')}</table></div>`,
    plots: sharedPlots(runs),
    after: `<h2>What stood in the way</h2>${why}<h2>Have this again</h2><pre>${esc(command)}</pre>`,
  });
}
