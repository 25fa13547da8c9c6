import { join } from 'node:path';
import { EXIT, type ExitCode, HarnessError } from '../errors.js';
import type { LoadedScenario } from '../plan/load.js';
import type { PlanOptions } from '../plan/resolve.js';
import type { RunResult } from '../run.js';
import { onInterrupt } from './interrupt.js';
import { makeOutDir } from './out-dir.js';
import { printResult, table } from './output.js';

interface CompareFlags extends PlanOptions {
  compare: string | true;
  out: string;
  json?: boolean;
  logFile?: string;
}

/**
 * One run after the other, then all of them in one report. They are compared, not judged: a budget that is crossed is shown,
 * and only a run that cannot be trusted (INVALID) changes the exit code.
 */
export async function runCompared(loaded: LoadedScenario, flags: CompareFlags): Promise<void> {
  const [{ comparedPlans }, { openLog }, { progressPrinter }, { runPlan }] = await Promise.all([
    import('../plan/compare.js'),
    import('./log.js'),
    import('./progress.js'),
    import('../run.js'),
  ]);
  const plans = comparedPlans(loaded, flags, flags.compare);
  const outDir = makeOutDir(flags.out);
  const log = openLog(flags.logFile);
  const progress = progressPrinter(process.stderr);
  const interrupt = onInterrupt();
  const results: { label: string; result: RunResult }[] = [];
  try {
    for (const { label, plan } of plans) {
      if (interrupt.signal.aborted) break;
      const result = await runPlan(plan, {
        outDir,
        onProgress: (p) => progress.update(label, p),
        signal: interrupt.signal,
        log,
      });
      progress.done();
      results.push({ label, result });
    }
    const [first] = plans;
    if (first === undefined) throw new HarnessError('BAD_PLAN', '--compare: nothing to compare');
    const { writeComparison } = await import('../report/comparison.js');
    const { incident, scenario, seed, mode, runId } = first.plan;
    const title = [
      scenario,
      `incident ${incident}`,
      `seed ${seed}`,
      ...(mode === 'simulated' ? ['simulated'] : []),
      'compared',
    ];
    const dir = join(outDir, `${runId.slice(0, -2)}-compared`);
    const runs = results.map(({ label, result }) => ({ label, runDir: result.runDir }));
    const { path, rows } = await writeComparison(dir, title.join(' · '), commandOf(flags, first.plan.command), runs);
    if (flags.json)
      printResult(
        JSON.stringify(
          results.map(({ label, result }) => ({ label, verdict: result.verdict })),
          null,
          2,
        ),
      );
    else printResult(comparisonText(rows, path));
    process.exitCode = interrupt.signal.aborted
      ? EXIT.INTERRUPTED
      : comparedExit(results.map((r) => r.result.exitCode));
  } finally {
    progress.done();
    interrupt.release();
  }
}

/** Rows of lists are too wide for a terminal: they follow the table, a line for each run. */
const LISTS = ['mechanisms', 'causes'];

function comparisonText(rows: readonly string[][], path: string): string {
  const lists = rows.filter(([name]) => LISTS.includes(name!));
  const labels = rows[0]!.slice(1);
  const lines = lists.flatMap(([name, ...cells]) => cells.map((cell, i) => [name!, labels[i]!, cell]));
  const below = lines.length === 0 ? '' : `\n\n${table(lines, '  ')}`;
  return `${table(
    rows.filter((row) => !lists.includes(row)),
    '  ',
  )}${below}\n\nreport: ${path}`;
}

export function comparedExit(codes: readonly ExitCode[]): ExitCode {
  return codes.find((code) => code !== EXIT.PASS && code !== EXIT.FAIL) ?? EXIT.PASS;
}

/** The first run's command, less the value that is its own. */
function commandOf({ compare }: CompareFlags, command: string): string {
  const own = command.lastIndexOf(' --set ');
  const rest = command.slice(own + ' --set '.length).replace(/^\S+/, '');
  return `${command.slice(0, own)}${rest} --compare${compare === true ? '' : ` ${compare}`}`;
}
