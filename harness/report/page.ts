import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { escapeXml as esc } from './format.js';
import type { Plot } from './series.js';
import { STYLE } from './style.js';

/**
 * Draws the plots anew when the light changes, the window does, or the page goes to paper. The fault windows are elements
 * over the plot, so that they can be pointed at, read aloud, and found by a test.
 */
const DRAW = `
const draw = () => {
  const css = getComputedStyle(document.documentElement);
  const color = (name) => css.getPropertyValue('--' + name).trim();
  const shade = (u) => {
    u.over.querySelectorAll('.window').forEach((el) => el.remove());
    for (const w of WINDOWS) {
      const [left, right] = [w.from, w.to].map((s) => Math.max(0, Math.min(u.over.clientWidth, u.valToPos(s, 'x'))));
      const el = document.createElement('div');
      el.className = 'window';
      el.title = w.title;
      el.dataset.from = w.from;
      el.dataset.to = w.to;
      el.style.left = left + 'px';
      el.style.width = Math.max(2, right - left) + 'px';
      u.over.prepend(el);
    }
  };
  document.querySelectorAll('[data-plot]').forEach((el) => {
    const p = PLOTS[Number(el.dataset.plot)];
    el.replaceChildren();
    const axis = { stroke: color('soft'), grid: { stroke: color('line'), width: 1 }, ticks: { stroke: color('line'), width: 1 } };
    const u = new uPlot({
      width: Math.max(200, el.clientWidth), height: el.classList.contains('small') ? 110 : 190, cursor: { sync: { key: 'run' } },
      scales: { x: { time: false }, y: { range: (u, lo, hi) => { const top = hi > lo ? hi * 1.05 : (hi || 1); return [Math.min(0, lo) - top * 0.03, top]; } } },
      axes: [{ ...axis, values: (u, v) => v.map((s) => s + ' s') }, { ...axis, size: 56 }],
      series: [{ label: 's of the run' }, ...p.lines.map((l) => ({ label: l.label, stroke: color(l.style), width: 1.6, spanGaps: true,
        points: { show: l.values.filter((v) => v !== null).length < 3 }, ...(l.style === 'limit' ? { dash: [6, 4] } : {}) }))],
      hooks: { draw: [shade] },
    }, [p.x, ...p.lines.map((l) => l.values)], el);
    el.querySelector('canvas').setAttribute('aria-hidden', 'true');
  });
};
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
matchMedia('print').addEventListener('change', draw);
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

/** A stretch of the run that is shaded in every plot, seconds of the run. */
export interface ShadedWindow {
  from: number;
  to: number;
  title: string;
}

/** Parts of a page, as HTML; the plots come between `before` and `after`. */
export interface PlotsPage {
  title: string;
  head: string;
  before: string;
  plots: readonly Plot[];
  /** Small multiples: one for each tenant. */
  small?: { title: string; plots: readonly Plot[] };
  windows?: readonly ShadedWindow[];
  after: string;
}

const number = (x: number): string => String(Number(x.toPrecision(4)));

/** What a plot says, for those who cannot see it: the range of each line. */
function inWords(p: Plot): string {
  const ranges = p.lines.map(({ label, values }) => {
    const there = values.filter((v) => v !== null);
    const [low, high] = [Math.min(...there), Math.max(...there)];
    const peak = p.x[values.indexOf(high)]!;
    return low === high
      ? `${label} ${number(low)} throughout`
      : `${label} from ${number(low)} to ${number(high)}, the most at ${peak} s`;
  });
  return `${p.title}, ${p.unit}: ${ranges.join('; ')}.`;
}

function figure(p: Plot, i: number, small = false): string {
  return `<figure class="plot"><figcaption>${esc(p.title)} <span class="soft">${esc(p.unit)}</span><span class="unseen"> ${esc(inWords(p))}</span></figcaption><div data-plot="${i}"${small ? ' class="small"' : ''}></div></figure>`;
}

/** One file that needs no network. */
export function plotsPage({ title, head, before, plots, small, windows = [], after }: PlotsPage): string {
  const { js, css } = uPlotFiles();
  const multiples = small?.plots ?? [];
  const shaded = windows.map((w) => `<span class="key"></span>${esc(w.title)}`).join(', ');
  const story =
    plots.length === 0
      ? ''
      : `<h2>The story of the run</h2>${shaded === '' ? '' : `<p class="soft">Shaded: ${shaded}.</p>`}<div class="plots">${plots.map((p, i) => figure(p, i)).join('')}</div>`;
  const tenants =
    multiples.length === 0
      ? ''
      : `<h2>${esc(small!.title)}</h2><div class="multiples">${multiples.map((p, i) => figure(p, plots.length + i, true)).join('')}</div>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${esc(title)}</title><style>${css}${STYLE}</style></head><body>
<header>${head}</header>
<main>
${before}
${story}
${tenants}
${after}
</main>
<script>${inScript(js)}</script>
<script>const PLOTS = ${inScript(JSON.stringify([...plots, ...multiples]))}, WINDOWS = ${inScript(JSON.stringify(windows))};${DRAW}</script>
</body></html>
`;
}
