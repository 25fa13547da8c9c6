/// <reference lib="dom" />
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

/** A report as a reader opens it: Debian's Chromium, from the disk, with no network to ask. */
const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const CHROMIUM = PATHS.find((path) => existsSync(path));
export const missingChromium = CHROMIUM === undefined ? 'needs Chromium: apt-get install chromium' : null;

/** Where screenshots are kept, to be looked at and uploaded; none without it. */
const SHOTS = process.env.DEADAIR_SCREENSHOTS;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface Seen {
  /** Errors of the page and its console. */
  errors: string[];
  /** Whatever it asked for beside itself. */
  requests: string[];
  /** Plots without a mark: every pixel has one colour. */
  blank: string[];
  plots: number;
  /** Of each plot that has one: where its first window is drawn, read back on the plot's own axis, s of the run. */
  windows: { from: number; to: number }[];
  /** Wider than the screen: a reader would have to scroll sideways. */
  overflows: boolean;
  violations: string[];
}

export async function look(browser: Browser, file: string, name: string, width: number, dark = false): Promise<Seen> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
    offline: true,
  });
  try {
    const page = await context.newPage();
    const errors: string[] = [];
    const requests: string[] = [];
    page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
    page.on('pageerror', (e) => errors.push(String(e)));
    page.on('request', (r) => requests.push(r.url()));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    const drawn = await marks(page);
    if (SHOTS !== undefined) {
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: join(SHOTS, `${name}-${width}${dark ? '-dark' : ''}.png`), fullPage: true });
    }
    const violations = await judged(page);
    return { errors, requests: requests.filter((r) => r !== url), ...drawn, violations };
  } finally {
    await context.close();
  }
}

function marks(page: Page): Promise<Pick<Seen, 'blank' | 'plots' | 'windows' | 'overflows'>> {
  return page.evaluate(() => {
    const blank: string[] = [];
    const windows: { from: number; to: number }[] = [];
    const plots = [...document.querySelectorAll<HTMLElement>('[data-plot]')];
    for (const plot of plots) {
      const canvas = plot.querySelector('canvas');
      const title = plot.closest('figure')?.querySelector('figcaption')?.textContent ?? '?';
      const over = plot.querySelector<HTMLElement>('.u-over');
      if (canvas === null || over === null) {
        blank.push(title);
        continue;
      }
      // Within the axes only: those have marks of their own. Grid lines are of one colour, the lines of the plot of others.
      const scale = canvas.width / canvas.clientWidth;
      const [x, y] = [over.offsetLeft * scale, over.offsetTop * scale];
      const { data } = canvas.getContext('2d')!.getImageData(x, y, over.clientWidth * scale, over.clientHeight * scale);
      let coloured = 0;
      for (let i = 0; i < data.length; i += 4) {
        const [r, g, b, a] = [data[i]!, data[i + 1]!, data[i + 2]!, data[i + 3]!];
        if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 40) coloured++;
      }
      if (coloured < 10) blank.push(title);
      const shaded = over.querySelector<HTMLElement>('.window');
      if (shaded === null) continue;
      // The axis is linear, from the first to the last second of the plot.
      const [, json] = /const PLOTS = (.*), WINDOWS = /.exec(document.scripts[1]!.textContent!)!;
      const xs = (JSON.parse(json!) as { x: number[] }[])[Number(plot.dataset.plot)]!.x;
      const perPixel = (xs[xs.length - 1]! - xs[0]!) / over.clientWidth;
      const from = xs[0]! + Number.parseFloat(shaded.style.left) * perPixel;
      windows.push({ from, to: from + Number.parseFloat(shaded.style.width) * perPixel });
    }
    const overflows = document.documentElement.scrollWidth > document.documentElement.clientWidth;
    return { blank, plots: plots.length, windows, overflows };
  });
}

/** What axe calls serious or critical. */
async function judged(page: Page): Promise<string[]> {
  const require = createRequire(import.meta.url);
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    };
    return (await axe.run()).violations.map((v) => ({ id: v.id, impact: v.impact, where: v.nodes[0]?.html ?? '' }));
  });
  return found
    .filter((v) => ['serious', 'critical'].includes(v.impact))
    .map((v) => `${v.id}: ${v.where.slice(0, 200)}`);
}
