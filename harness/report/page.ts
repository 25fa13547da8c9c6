import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { escapeXml as esc } from './format.js';
import type { Plot } from './series.js';
import { STYLE } from './style.js';

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

/** A script may not contain its own end, nor open a comment. */
function inScript(text: string): string {
  return text.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--');
}

/** Parts of a page, as HTML; the plots come between `before` and `after`. */
export interface PlotsPage {
  title: string;
  head: string;
  before: string;
  plots: readonly Plot[];
  after: string;
}

/** One file that needs no network. */
export function plotsPage({ title, head, before, plots, after }: PlotsPage): string {
  const { js, css } = uPlotFiles();
  const plotHtml = plots
    .map(
      (p, i) =>
        `<div class="plot"><h3>${esc(p.title)} <span class="soft">${esc(p.unit)}</span></h3><div data-plot="${i}"></div></div>`,
    )
    .join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${esc(title)}</title><style>${css}${STYLE}</style></head><body>
${head}
${before}
${plots.length === 0 ? '' : `<h2>Over time</h2><div class="plots">${plotHtml}</div>`}
${after}
<script>${inScript(js)}</script>
<script>const PLOTS = ${inScript(JSON.stringify(plots))};${DRAW}</script>
</body></html>
`;
}
