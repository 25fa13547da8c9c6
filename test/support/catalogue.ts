import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario } from '../../harness/plan/load.js';
import { resolvePlan } from '../../harness/plan/resolve.js';
import { incidentsOf } from '../../harness/plan/scenario.js';
import { runPlan } from '../../harness/run.js';
import type { Verdict } from '../../harness/verdict/types.js';

/** Check 2 of the main job: peak-dial in simulation, at its default size. */
export const CATALOGUE_SEEDS = 20;
/** Each takes a second or two of one core, and a machine may be busy. */
export const CATALOGUE_TIMEOUT_MS = 600_000;

export interface Judged {
  seed: number;
  verdict: Verdict;
  /** Calls by the cause that was named for them. */
  named: Record<string, number>;
  bad: number;
}

export async function incidents(): Promise<{ name: string; cause: string | null; hasCure: boolean }[]> {
  const { scenario } = await loadScenario('peak-dial');
  return Object.entries(incidentsOf(scenario)).map(([name, incident]) => ({
    name,
    cause: incident.cause,
    hasCure: incident.cure !== undefined,
  }));
}

/** One whole run per seed, to the verdict, from the files alone. */
export async function judged(incident: string, cured: boolean): Promise<Judged[]> {
  const loaded = await loadScenario('peak-dial');
  const out: Judged[] = [];
  for (let seed = 1; seed <= CATALOGUE_SEEDS; seed++) {
    const outDir = mkdtempSync(join(tmpdir(), 'deadair-catalogue-'));
    try {
      const stamp = { now: new Date(0), suffix: `s${seed}` };
      const plan = resolvePlan(loaded, { incident, cured, seed, simulate: true }, stamp);
      const { verdict } = await runPlan(plan, { outDir });
      const named = Object.fromEntries(verdict.causes.map((c) => [c.cause, c.calls]));
      out.push({ seed, verdict, named, bad: Object.values(named).reduce((a, b) => a + b, 0) });
    } finally {
      rmSync(outDir, { recursive: true });
    }
  }
  return out;
}

/** What is wrong in a line each, so that a failure names its seeds. */
export function wrong(runs: readonly Judged[], is: (run: Judged) => boolean): string[] {
  return runs.filter((r) => !is(r)).map((r) => `seed ${r.seed}: ${r.verdict.outcome.word}, ${JSON.stringify(r.named)}`);
}
