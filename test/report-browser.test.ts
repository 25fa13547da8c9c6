import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { runPlan } from '../harness/run.js';
import { launch, look, missingChromium } from './support/chromium.js';
import { describeWith } from './support/judges.js';

/** The reports of the scenarios, opened by a real browser. DEADAIR_SCREENSHOTS=dir keeps what it saw. */
const DIR = mkdtempSync(join(tmpdir(), 'deadair-browser-'));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

const CASES = [
  {
    name: 'peak-dial',
    incident: 'none',
    set: ['burst=30', 'quietMs=1000', 'media=none', 'holdMsMin=3000', 'holdMsMax=5000'],
  },
  { name: 'peak-dial', incident: 'db-stall', set: ['stallMs=6000', 'plateauMs=10000', 'media=none'] },
  { name: 'peak-dial', incident: 'nat-table', set: ['burst=40', 'nat.maxSessions=30'] },
  { name: 'registration-storm', incident: 'outage', set: ['phones=400', 'tenants=20'] },
] as const;

describeWith(missingChromium, 'the report in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  for (const { name, incident, set } of CASES) {
    it(`${name}, ${incident}`, async () => {
      const plan = resolvePlan(await loadScenario(name), { incident, set, simulate: true });
      const { runDir, verdict } = await runPlan(plan, { outDir: DIR });
      const file = join(runDir, 'report.html');
      const fault = verdict.faults[0];
      for (const [width, dark] of [
        [1440, false],
        [390, true],
      ] as const) {
        const seen = await look(browser, file, `${name}-${incident}`, width, dark);
        expect(seen).toMatchObject({ errors: [], requests: [], blank: [], overflows: false, violations: [] });
        expect(seen.plots).toBeGreaterThan(1);
        expect(seen.windows).toHaveLength(fault === undefined ? 0 : seen.plots);
        // A pixel of a small plot is a fifth of a second.
        for (const { from, to } of seen.windows) {
          expect(Math.abs(from - fault!.appliedAtMs! / 1000)).toBeLessThan(0.5);
          expect(Math.abs(to - fault!.removedAtMs! / 1000)).toBeLessThan(0.5);
        }
      }
      expect(statSync(file).size).toBeLessThan(3_000_000);
    });
  }
});
