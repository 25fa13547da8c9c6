import { existsSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { join } from 'node:path';
import { hasIp6, ip6Texts } from '../agents/wire/ip6.js';
import { monotonicUs } from './clock.js';
import { loadFaults } from './collect/faults.js';
import type { CaptureWish } from './collect/pcap.js';
import type { EnvRecord } from './collect/schema.js';
import { RunStore } from './collect/store.js';
import { Recorder, writeCaptures } from './engine/capture.js';
import { readLab } from './engine/lab.js';
import { runReal } from './engine/real.js';
import { runSimulated } from './engine/simulated.js';
import { tenantDomains } from './engine/tenants.js';
import type { EngineOptions, EngineOutcome } from './engine/types.js';
import { EXIT, type ExitCode, HarnessError } from './errors.js';
import { bringUp } from './lab/stack.js';
import type { RunPlan } from './plan/types.js';
import { captureKeys } from './verdict/capture-keys.js';
import { judge } from './verdict/index.js';
import { readEnv } from './verdict/read.js';
import type { Verdict } from './verdict/types.js';
import { packageVersion } from './version.js';

export interface RunOptions extends EngineOptions {
  /** The run's own directory, named by its runId, is made in here. */
  outDir: string;
  /** Directory of an earlier run that this one may not be worse than. */
  baseline?: string;
  /** Which calls' packets are written as pcap/*.pcap; none without it. */
  pcap?: CaptureWish;
  /** false: verdict.json only, no HTML, JUnit or Markdown. */
  reports?: boolean;
}

export interface RunResult {
  runDir: string;
  verdict: Verdict;
  exitCode: ExitCode;
  /** Files in the run's directory, and how many packets were too old for the taps; null when none were asked for. */
  captures: { files: string[]; forgotten: number } | null;
}

/**
 * One run, from plan to verdict: plan.json, the engine's rows, env.json, and then, from the files alone, verdict.json and
 * the reports. Throws HarnessError; what was measured until then is kept in the run's directory.
 */
export async function runPlan(plan: RunPlan, options: RunOptions): Promise<RunResult> {
  const runDir = join(options.outDir, plan.runId);
  if (existsSync(runDir))
    throw new HarnessError('BAD_PLAN', `${runDir} exists already: a run never overwrites another`);
  // A baseline or a stack that cannot be used leaves no directory.
  if (options.baseline !== undefined) readEnv(options.baseline);
  if (plan.target.kind === 'stack') readLab(plan.target);
  const store = new RunStore(runDir);
  store.writeJson('plan.json', plan);
  const startedAt = new Date().toISOString();
  const recorder = options.pcap === undefined ? undefined : new Recorder();
  const engineOptions = recorder === undefined ? options : { ...options, recorder };
  const engine =
    plan.mode === 'simulated' ? runSimulated(plan, store, engineOptions) : await runOnStack(plan, store, engineOptions);
  // The taps' clock is the machine's, or virtual and then begins when the run was started.
  const epochUs =
    plan.mode === 'simulated'
      ? Date.parse(startedAt) * 1000 - (recorder?.t0Us ?? 0)
      : Date.now() * 1000 - monotonicUs();
  const tenants = tenantDomains(plan);
  const env: EnvRecord = {
    schema: 'deadair.env/1',
    runId: plan.runId,
    startedAt,
    durationMs: engine.durationMs,
    node: process.version,
    os: `${type()} ${release()}`,
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model ?? 'unknown',
    deadair: packageVersion(),
    interrupted: engine.silent ?? engine.interrupted ?? engine.aborted?.reason ?? null,
    ...(engine.aborted === null ? {} : { abortedBy: engine.aborted }),
    ...(tenants === undefined ? {} : { tenants }),
    load: engine.load,
    ...(engine.registrations === null ? {} : { registrations: engine.registrations }),
    generator: engine.generator,
    sources: engine.sources,
    callee: engine.callee,
    media: plan.call.media,
    ...(hasIp6() ? { ipv6: ip6Texts() } : {}),
  };
  store.writeJson('env.json', env);
  await store.finish();
  const verdict = await judge(runDir, {
    injectedCause: plan.injectedCause,
    budgets: plan.budgets,
    faults: loadFaults(runDir),
    command: plan.command,
    ...(options.baseline === undefined ? {} : { baseline: options.baseline }),
  });
  let captures: RunResult['captures'] = null;
  if (recorder !== undefined && options.pcap !== undefined) {
    const keys = await captureKeys(runDir, options.pcap);
    captures = { files: writeCaptures(runDir, recorder, keys, epochUs), forgotten: recorder.forgotten };
  }
  if (options.reports !== false) {
    const { writeReports } = await import('./report/html.js');
    await writeReports(runDir, verdict);
  }
  if (engine.silent !== null) throw new HarnessError('TARGET_SILENT', `${engine.silent} (results in ${runDir})`);
  return { runDir, verdict, exitCode: exitCodeOf(verdict, engine.interrupted !== null), captures };
}

/** What the plan wants brought up stands for exactly as long as the engine runs. */
async function runOnStack(plan: RunPlan, store: RunStore, options: RunOptions): Promise<EngineOutcome> {
  const stack = await bringUp(plan);
  try {
    return await runReal(plan, store, stack === null ? options : { ...options, ca: stack.ca });
  } finally {
    await stack?.stop();
  }
}

export function exitCodeOf(verdict: Verdict, interrupted: boolean): ExitCode {
  if (interrupted) return EXIT.INTERRUPTED;
  if (verdict.outcome.word === 'INVALID') return EXIT.INVALID;
  return verdict.outcome.word === 'FAIL' ? EXIT.FAIL : EXIT.PASS;
}
