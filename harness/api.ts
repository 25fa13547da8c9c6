import type { Progress } from './engine/types.js';
import type { PlanOptions } from './plan/resolve.js';
import type { Params, Scenario } from './plan/scenario.js';
import type { RunResult } from './run.js';

/** What `deadair run` takes, by the same names. */
export interface RunRequest extends PlanOptions {
  /** Where the directory of the run is made; default: results. */
  outDir?: string;
  /** Directory of an earlier run that this one may not be worse than. */
  baseline?: string;
  /** Ends the run in good order: what was measured is kept. */
  signal?: AbortSignal;
  onProgress?: (p: Progress) => void;
}

/**
 * One run, as `deadair run` does it, without its printing: of a scenario of ours by name, a file by path, or one that
 * defineScenario() returned. Resolves when the reports are written, also for FAIL and INVALID: see `exitCode` and `verdict`. Rejects
 * with HarnessError (`code`, `exitCode`, one line of `message`) for what cannot be used.
 */
export async function run<const P extends Params>(
  scenario: string | Scenario<P>,
  request: RunRequest = {},
): Promise<RunResult> {
  // Scenario files import this module for their types: what runs them is loaded when it is needed.
  const [{ acceptScenario, loadScenario }, { resolvePlan }, { runPlan }, { makeDir }] = await Promise.all([
    import('./plan/load.js'),
    import('./plan/resolve.js'),
    import('./run.js'),
    import('./collect/make-dir.js'),
  ]);
  const { outDir = 'results', baseline, signal, onProgress, ...options } = request;
  const loaded = typeof scenario === 'string' ? await loadScenario(scenario) : acceptScenario(scenario);
  const plan = resolvePlan(loaded, options);
  makeDir(outDir);
  return runPlan(plan, {
    outDir,
    ...(baseline === undefined ? {} : { baseline }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}
