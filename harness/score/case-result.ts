import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cause } from '../plan/causes.js';
import { loadScenario } from '../plan/load.js';
import { resolvePlan } from '../plan/resolve.js';
import { runPlan } from '../run.js';
import type { OutcomeWord } from '../verdict/types.js';
import type { ScoreCase } from './cases.js';

export interface Job extends ScoreCase {
  seed: number;
}

/** What the blind diagnosis said of one run. */
export interface CaseResult {
  name: string;
  seed: number;
  truth: Cause[];
  bad: number;
  word: OutcomeWord;
  /** Calls that had not ended when the run did, and that could not be started. */
  open: number;
  blocked: number;
  /** Bad calls by the cause that they were given, `unknown` among them. */
  named: Partial<Record<Cause, number>>;
  /** From the onset until the first call that has this cause was over, so that it could be named, ms. */
  namedAfterMs: Partial<Record<Cause, number>>;
}

/** One run, from plan to verdict, from the files alone; they are gone afterwards. */
export async function resultOf(job: Job): Promise<CaseResult> {
  const outDir = mkdtempSync(join(tmpdir(), 'deadair-score-'));
  try {
    const loaded = await loadScenario(job.scenario);
    const stamp = { now: new Date(0), suffix: `s${job.seed}` };
    const plan = resolvePlan(loaded, { ...job.options, seed: job.seed, simulate: job.real !== true }, stamp);
    const { verdict } = await runPlan(plan, { outDir, reports: false });
    // A limit is there from the beginning: its onset is when the first call went wrong. A fault has an instant of its own.
    const applied = verdict.faults.flatMap((f) => f.appliedAtMs ?? []);
    const onsetMs = Math.min(...applied, ...verdict.causes.map((c) => c.sinceMs));
    const named: CaseResult['named'] = {};
    const namedAfterMs: CaseResult['namedAfterMs'] = {};
    // What a policy refused is no bad call, but a finding all the same.
    let bad = verdict.calls.bad;
    for (const { cause, calls, registrations = 0, expected, knownMs } of verdict.causes) {
      named[cause] = calls + registrations;
      if (expected) bad += calls + registrations;
      namedAfterMs[cause] = Math.max(0, knownMs - onsetMs);
    }
    const { open, blocked } = verdict.load;
    return {
      ...{ name: job.name, seed: job.seed, truth: job.truth, named, namedAfterMs },
      ...{ bad, word: verdict.outcome.word, open, blocked },
    };
  } finally {
    rmSync(outDir, { recursive: true });
  }
}
