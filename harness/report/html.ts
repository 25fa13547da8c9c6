import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diagnose } from '../verdict/diagnose.js';
import { type OpenRun, openRun, type Row } from '../verdict/read.js';
import type { Verdict } from '../verdict/types.js';
import { annotations } from './annotations.js';
import { billingHtml } from './billing.js';
import { connectionsHtml } from './connections.js';
import { junitXml } from './junit.js';
import { plotsPage, type ShadedWindow } from './page.js';
import * as part from './sections.js';
import { type Plot, plotsOf } from './series.js';
import { summaryMarkdown, title } from './summary.js';
import { tenantPlots } from './tenant-series.js';
import { witnessHtml } from './witness.js';

/** Ladders shown: the first calls of each cause, so that a rare one is not buried under a common one. */
const PER_CAUSE = 5;
const MAX_CALLS = 20;

async function worst(run: OpenRun): Promise<Row[]> {
  return run.query(`SELECT c.*, cause FROM calls c JOIN (
      SELECT callNo, cause, row_number() OVER (PARTITION BY cause ORDER BY dead_air DESC, dropped DESC, failed DESC, mos NULLS LAST, callNo) AS nth
      FROM cases JOIN verdicts USING (callNo) QUALIFY nth <= ${PER_CAUSE}) USING (callNo)
    ORDER BY nth, cause, callNo LIMIT ${MAX_CALLS}`);
}

/** When faults were on, as they really came and went. */
function windowsOf(v: Verdict): ShadedWindow[] {
  return v.faults
    .filter((f) => f.appliedAtMs !== null)
    .map((f) => {
      const [from, to] = [f.appliedAtMs! / 1000, (f.removedAtMs ?? v.run.durationMs) / 1000];
      return { from, to, title: `${f.kind}, ${from.toFixed(1)} s to ${to.toFixed(1)} s` };
    });
}

/** In a run without calls, what only calls move says nothing. */
function told(p: Plot): boolean {
  return p.lines.some((l) => l.style !== 'limit' && l.values.some((x) => x !== null && x !== 0));
}

interface Drawn {
  plots: readonly Plot[];
  tenants: readonly Plot[];
  calls: readonly Row[];
}

function page(v: Verdict, { plots, tenants, calls }: Drawn, runDir: string): string {
  return plotsPage({
    title: `${v.outcome.word}: ${title(v)}`,
    head: part.heading(v),
    before: [
      part.registrations(v),
      part.causes(v),
      v.registrations !== null && v.calls.total === 0 ? '' : part.tiles(v),
      billingHtml(v.billing ?? null),
      connectionsHtml(v),
      witnessHtml(v),
      part.budgets(v),
      part.baseline(v),
    ].join('\n'),
    plots: v.calls.total === 0 ? plots.filter(told) : plots,
    small: { title: 'Tenants, the worst first', plots: tenants },
    windows: windowsOf(v),
    after: [
      part.worstCalls(calls, runDir),
      part.confusion(v),
      part.faults(v),
      part.generator(v),
      part.reproduce(v),
    ].join('\n'),
  });
}

/** The report as one file that needs no network. */
export async function reportHtml(runDir: string, verdict: Verdict): Promise<string> {
  const run = await openRun(runDir);
  try {
    await diagnose(run);
    const drawn = { plots: await plotsOf(run), tenants: await tenantPlots(run), calls: await worst(run) };
    return page(verdict, drawn, runDir);
  } finally {
    run.close();
  }
}

/** report.html, summary.md, junit.xml and annotations.txt beside verdict.json; returns the path of the first. */
export async function writeReports(runDir: string, verdict: Verdict): Promise<string> {
  const path = join(runDir, 'report.html');
  writeFileSync(path, await reportHtml(runDir, verdict));
  writeFileSync(join(runDir, 'summary.md'), summaryMarkdown(verdict));
  writeFileSync(join(runDir, 'junit.xml'), junitXml(verdict));
  writeFileSync(join(runDir, 'annotations.txt'), annotations(verdict));
  return path;
}
