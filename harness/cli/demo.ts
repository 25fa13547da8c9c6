import { join } from 'node:path';
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../errors.js';
import type { RunResult } from '../run.js';
import type { Verdict } from '../verdict/types.js';
import { onInterrupt } from './interrupt.js';
import { makeOutDir } from './out-dir.js';
import { printResult, table } from './output.js';

/**
 * Three runs of one morning, at the same time: healthy, broken, mended. A smaller office than the scenario's, and a table to
 * match, so that three platforms with all their audio fit a laptop of two cores.
 */
const SCENARIO = 'peak-dial';
const SMALLER = ['burst=60', 'quietCps=3'];
const RUNS = [
  { label: 'control', options: { set: SMALLER } },
  { label: 'naive', options: { incident: 'nat-table', set: [...SMALLER, 'nat.maxSessions=40'] } },
  { label: 'cured', options: { incident: 'nat-table', cured: true, set: SMALLER } },
] as const;
type Label = (typeof RUNS)[number]['label'];

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description("ten o'clock three times at once: healthy, with a NAT table that is too small, and cured")
    .option('--out <dir>', 'where the directories of the runs are made', 'results')
    .option('--simulate', 'seeded network and virtual time instead of sockets and real time')
    .option('--log-file <file>', 'log here instead of to standard error')
    .action(demo);
}

async function demo(flags: { out: string; simulate?: boolean; logFile?: string }): Promise<void> {
  const [{ loadScenario }, { resolvePlan }, { openLog }, { progressPrinter }, { runPlan }] = await Promise.all([
    import('../plan/load.js'),
    import('../plan/resolve.js'),
    import('./log.js'),
    import('./progress.js'),
    import('../run.js'),
  ]);
  const loaded = await loadScenario(SCENARIO);
  const log = openLog(flags.logFile);
  const outDir = makeOutDir(flags.out);
  const progress = progressPrinter(process.stderr);
  const interrupt = onInterrupt();
  // One run that cannot go on ends the other two, and only then is it reported: nothing is left running.
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupt.signal, failed.signal]);
  try {
    const settled = await Promise.allSettled(
      RUNS.map(async ({ label, options }) => {
        try {
          const plan = resolvePlan(loaded, { ...options, ...(flags.simulate ? { simulate: true } : {}) });
          const onProgress = (p: Parameters<typeof progress.update>[1]): void => progress.update(label, p);
          return await runPlan(plan, { outDir, onProgress, signal, log });
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
    );
    progress.done();
    if (failed.signal.aborted) throw failed.signal.reason;
    const results = new Map<Label, RunResult>();
    for (const [i, outcome] of settled.entries()) {
      if (outcome.status === 'fulfilled') results.set(RUNS[i]!.label, outcome.value);
    }
    printResult(sideBySide(results));
    process.exitCode = interrupt.signal.aborted ? EXIT.INTERRUPTED : exitCodeOf(results);
  } finally {
    progress.done();
    interrupt.release();
  }
}

/** The naive run is meant to fail its budgets; the other two are not, and none may be invalid. */
export function exitCodeOf(results: ReadonlyMap<string, { exitCode: ExitCode }>): ExitCode {
  for (const [label, { exitCode }] of results) {
    if (exitCode !== EXIT.PASS && !(label === 'naive' && exitCode === EXIT.FAIL)) return exitCode;
  }
  return EXIT.PASS;
}

const ROWS: [string, (v: Verdict) => string][] = [
  ['incident', (v) => `${v.run.incident ?? 'none'}${v.run.cured ? ', cured' : ''}`],
  ['verdict', (v) => v.outcome.word],
  ['calls offered', (v) => String(v.load.offered)],
  ['answered', (v) => String(v.calls.answered)],
  ['dropped', (v) => String(v.calls.dropped)],
  ['dead air', (v) => String(v.media.deadAir)],
  ['one way', (v) => String(v.media.oneWay)],
  ['bad calls', (v) => String(v.calls.bad)],
  ['ASR', (v) => ratio(v.calls.metrics.asr)],
  ['drop rate', (v) => ratio(v.calls.metrics.dropRate)],
  ['MOS median', (v) => v.media.mos?.p50.toFixed(2) ?? '-'],
  ['cause', (v) => v.causes.map((c) => `${c.cause} (${c.calls})`).join(', ') || 'none'],
];

function sideBySide(results: ReadonlyMap<string, RunResult>): string {
  const runs = [...results];
  const rows = ROWS.map(([name, cell]) => [name, ...runs.map(([, result]) => cell(result.verdict))]);
  const reports = runs.map(([label, result]) => [label, join(result.runDir, 'report.html')]);
  const lines = [table([['', ...runs.map(([label]) => label)], ...rows], '  '), ''];
  for (const [label, { verdict }] of runs) {
    for (const cause of verdict.causes.slice(0, 1)) {
      lines.push(`  ${label}: ${cause.summary}`, `  cure: ${cause.cure}`, '');
    }
    if (verdict.outcome.word === 'INVALID')
      lines.push(`  ${label} is INVALID: ${verdict.outcome.reasons.join('; ')}`, '');
  }
  const naive = results.get('naive');
  if (naive) lines.push(`  one call, moment by moment: deadair autopsy ${naive.runDir}`, '');
  lines.push('  reports', table(reports, '    '));
  return lines.join('\n');
}

function ratio(x: number | null): string {
  return x === null ? '-' : `${(x * 100).toFixed(1)} %`;
}
