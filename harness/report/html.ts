import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { diagnose } from '../verdict/diagnose.js';
import { type OpenRun, openRun, type Row } from '../verdict/read.js';
import type { Verdict } from '../verdict/types.js';
import { escapeXml as esc } from './format.js';
import { junitXml } from './junit.js';
import * as part from './sections.js';
import { type Plot, plotsOf } from './series.js';
import { STYLE } from './style.js';
import { summaryMarkdown, title } from './summary.js';
import { witnessHtml } from './witness.js';

/** Ladders shown: the first calls of each cause, so that a rare one is not buried under a common one. */
const PER_CAUSE = 5;
const MAX_CALLS = 20;

/** Draws the plots anew when the light changes or the window does. */
const DRAW = `
const draw = () => {
  const css = getComputedStyle(document.documentElement);
  const color = (name) => css.getPropertyValue('--' + name).trim();
  document.querySelectorAll('[data-plot]').forEach((el) => {
    const p = PLOTS[Number(el.dataset.plot)];
    el.replaceChildren();
    const axis = { stroke: color('soft'), grid: { stroke: color('line'), width: 1 }, ticks: { stroke: color('line'), width: 1 } };
    new uPlot({
      width: Math.max(280, el.clientWidth), height: 190, cursor: { sync: { key: 'run' } },
      scales: { x: { time: false }, y: { range: (u, lo, hi) => [Math.min(0, lo), hi > lo ? hi * 1.05 : (hi || 1)] } },
      axes: [{ ...axis, values: (u, v) => v.map((s) => s + ' s') }, { ...axis, size: 56 }],
      series: [{ label: 's of the run' }, ...p.lines.map((l) => ({ label: l.label, stroke: color(l.style), width: 1.6, spanGaps: true,
        points: { show: false }, ...(l.style === 'limit' ? { dash: [6, 4] } : {}) }))],
    }, [p.x, ...p.lines.map((l) => l.values)], el);
  });
};
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
let waiting = 0;
addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
`;

function uPlotFiles(): { js: string; css: string } {
  const require = createRequire(import.meta.url);
  const dist = join(dirname(require.resolve('uplot/package.json')), 'dist');
  return {
    js: readFileSync(join(dist, 'uPlot.iife.min.js'), 'utf8'),
    css: readFileSync(join(dist, 'uPlot.min.css'), 'utf8'),
  };
}

async function worst(run: OpenRun): Promise<Row[]> {
  return run.query(`SELECT c.*, cause FROM calls c JOIN (
      SELECT callNo, cause, row_number() OVER (PARTITION BY cause ORDER BY dead_air DESC, dropped DESC, failed DESC, mos NULLS LAST, callNo) AS nth
      FROM suspects JOIN verdicts USING (callNo) QUALIFY nth <= ${PER_CAUSE}) USING (callNo)
    ORDER BY nth, cause, callNo LIMIT ${MAX_CALLS}`);
}

/** A script may not contain its own end, nor open a comment. */
function inScript(text: string): string {
  return text.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--');
}

function page(v: Verdict, plots: readonly Plot[], calls: readonly Row[]): string {
  const { js, css } = uPlotFiles();
  const plotHtml = plots
    .map(
      (p, i) =>
        `<div class="plot"><h3>${esc(p.title)} <span class="soft">${esc(p.unit)}</span></h3><div data-plot="${i}"></div></div>`,
    )
    .join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${esc(`${v.outcome.word}: ${title(v)}`)}</title><style>${css}${STYLE}</style></head><body>
${part.heading(v)}
${part.registrations(v)}
${part.causes(v)}
${v.registrations !== null && v.calls.total === 0 ? '' : part.tiles(v)}
${witnessHtml(v)}
${part.budgets(v)}
${plots.length === 0 ? '' : `<h2>Over time</h2><div class="plots">${plotHtml}</div>`}
${part.worstCalls(calls)}
${part.faults(v)}
${part.generator(v)}
<h2>Have this run again</h2><pre>${esc(v.reproduce)}</pre>
<script>${inScript(js)}</script>
<script>const PLOTS = ${inScript(JSON.stringify(plots))};${DRAW}</script>
</body></html>
`;
}

/** The report as one file that needs no network. */
export async function reportHtml(runDir: string, verdict: Verdict): Promise<string> {
  const run = await openRun(runDir);
  try {
    await diagnose(run);
    return page(verdict, await plotsOf(run), await worst(run));
  } finally {
    run.close();
  }
}

/** report.html, summary.md and junit.xml beside verdict.json; returns the path of the first. */
export async function writeReports(runDir: string, verdict: Verdict): Promise<string> {
  const path = join(runDir, 'report.html');
  writeFileSync(path, await reportHtml(runDir, verdict));
  writeFileSync(join(runDir, 'summary.md'), summaryMarkdown(verdict));
  writeFileSync(join(runDir, 'junit.xml'), junitXml(verdict));
  return path;
}
