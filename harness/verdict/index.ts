import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type FaultRecord, TELEMETRY_SOURCES } from '../collect/schema.js';
import { quoted } from '../collect/store.js';
import type { RunPlan } from '../plan/types.js';
import { judgeRecovery, sickAtRest } from './after-faults.js';
import { judgeBilling } from './billing.js';
import { judgeBudgets } from './budgets.js';
import { connectionsOf } from './connections.js';
import { diagnose } from './diagnose.js';
import { diffWith } from './diff/compare.js';
import { callKpis, mediaKpis } from './kpi.js';
import { generatorText, invalidReasons, outcomeOf } from './outcome.js';
import { sourcesSeen } from './platform.js';
import { type OpenRun, openRun } from './read.js';
import { judgeRegistrations } from './registrations.js';
import { num } from './rule.js';
import { score } from './score.js';
import type { Verdict } from './types.js';
import { judgeWitness } from './witness.js';

export interface JudgeOptions {
  /** For the score alone; null when nothing was injected or nobody knows. */
  injectedCause: string | null;
  budgets: readonly string[];
  faults: readonly FaultRecord[];
  /** Directory of an earlier run: what got worse fails this one. */
  baseline?: string;
  /** What the user types to have this run again. */
  command: string;
}

/** Judges results/<run-id>/ and writes verdict.json and causes.parquet into it. */
export async function judge(runDir: string, options: JudgeOptions): Promise<Verdict> {
  const run = await openRun(runDir);
  try {
    const causes = await diagnose(run);
    const verdict = await compose(run, causes, options);
    await run.exec(
      `COPY (SELECT * FROM verdicts ORDER BY callNo) TO ${quoted(resolve(runDir, 'causes.parquet'))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
    );
    writeFileSync(join(runDir, 'verdict.json'), `${JSON.stringify(verdict, null, 2)}\n`);
    return verdict;
  } finally {
    run.close();
  }
}

async function compose(run: OpenRun, causes: Verdict['causes'], options: JudgeOptions): Promise<Verdict> {
  const { env } = run;
  const { startedAt, durationMs, node, os, cpus, cpuModel, deadair, callee, media, interrupted } = env;
  const budgets = await judgeBudgets(run, options.budgets, options.faults);
  const baseline = options.baseline === undefined ? null : await diffWith(options.baseline, run);
  const calls = await callKpis(run);
  const heard = await run.one(
    'SELECT count(*) AS n FROM graded WHERE NOT has_caller OR final_code > 0 OR caller_tryingMs IS NOT NULL OR caller_ringingMs IS NOT NULL',
  );
  const seen = await sourcesSeen(run);
  const spoilt = causes.find((c) => c.cause === 'generator-limited')?.calls ?? 0;
  const answersCame = calls.total === 0 || num(heard, 'n') > 0;
  const reasons = invalidReasons(env, options.faults, answersCame, spoilt);
  const sick = await sickAtRest(run, options.faults);
  return {
    schema: 'deadair.verdict/1',
    run: {
      id: env.runId,
      ...label(run.runDir),
      ...{ startedAt, durationMs, node, os, cpus, cpuModel, deadair, callee, media, interrupted },
    },
    outcome: outcomeOf(sick === null ? reasons : [sick, ...reasons], budgets, baseline),
    load: { ...env.load, latenessMs: env.generator.callLatenessMs },
    calls,
    media: await mediaKpis(run),
    registrations: await judgeRegistrations(run),
    connections: await connectionsOf(run),
    witness: await judgeWitness(run),
    billing: await judgeBilling(run),
    causes,
    perCall: 'causes.parquet',
    attribution: await score(run, options.injectedCause),
    budgets,
    baseline,
    faults: [...options.faults],
    recovery: await judgeRecovery(run, options.faults),
    generator: { ...env.generator, text: generatorText(env.generator) },
    sourcesMissing: TELEMETRY_SOURCES.filter((s) => !seen.has(s)),
    reproduce: options.command,
  };
}

/** What the run was called, for the heading of the report; read when the diagnosis is over, and it may be missing. */
function label(runDir: string): Pick<Verdict['run'], 'scenario' | 'incident' | 'cured' | 'seed' | 'mode'> {
  const path = join(runDir, 'plan.json');
  if (!existsSync(path)) return { scenario: null, incident: null, cured: null, seed: null, mode: null };
  const { scenario, incident, cured, seed, mode } = JSON.parse(readFileSync(path, 'utf8')) as RunPlan;
  return { scenario, incident, cured, seed, mode };
}
