import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, describe, expect, test } from 'vitest';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { summaryText } from '../harness/report/summary.js';
import { type RunResult, runPlan } from '../harness/run.js';
import { catalogue } from '../harness/score/cases.js';
import { judge } from '../harness/verdict/index.js';
import type { Verdict } from '../harness/verdict/types.js';

/** What the diagnosis knows, and what it says when it knows less. One simulated run of each incident, judged three times. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-blind-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const CASES = (await catalogue()).filter((c) => c.truth.length > 0);
const runs = new Map<string, RunResult>();

async function played(name: string): Promise<RunResult> {
  let run = runs.get(name);
  if (run === undefined) {
    const { scenario, options } = CASES.find((c) => c.name === name)!;
    const plan = resolvePlan(await loadScenario(scenario), { ...options, simulate: true });
    run = await runPlan(plan, { outDir: OUT, reports: false });
    runs.set(name, run);
  }
  return run;
}

const again = (runDir: string): Promise<Verdict> =>
  judge(runDir, { injectedCause: null, budgets: [], faults: [], command: '' });

describe('the diagnosis is blind: without plan and faults it says the same', () => {
  test.each(CASES)('$name', async ({ name }) => {
    const { runDir, verdict } = await played(name);
    for (const file of ['plan.json', 'faults.jsonl', 'verdict.json', 'causes.parquet'])
      rmSync(join(runDir, file), { force: true });
    const blind = await again(runDir);
    expect(blind.causes.length).toBeGreaterThan(0);
    expect(blind.causes).toEqual(verdict.causes);
    expect(blind.run.incident).toBeNull();
  });
});

/** As on a user's platform: nothing is known of it but what our own phones that call it saw. */
async function wireOnly(runDir: string): Promise<Verdict> {
  rmSync(join(runDir, 'telemetry.parquet'));
  const instance = await DuckDBInstance.create(':memory:');
  const db = await instance.connect();
  const [from, to] = [join(runDir, 'legs.parquet'), join(runDir, 'callers.parquet')];
  await db.run(`COPY (FROM read_parquet('${from}') WHERE role = 0) TO '${to}' (FORMAT parquet)`);
  db.closeSync();
  instance.closeSync();
  renameSync(to, from);
  return again(runDir);
}

/** What the wire alone can tell; where it cannot, how the call ended, or nothing: never another cause. */
const FROM_THE_WIRE: Record<string, string> = {
  'peak-dial trunk-cps': 'trunk-cps-limit',
  'peak-dial trunk-channels': 'trunk-channel-limit',
  // The callers' SDP names an address that no good call has: the callee's own, or that of a relay that is dead. Nobody can tell.
  'peak-dial rtp-ports': 'unknown',
  'peak-dial packet-loss': 'packet-loss',
  'peak-dial nat-table': 'rtp-timeout',
  'peak-dial db-stall': 'unknown',
};

describe('a platform without collectors', () => {
  test.each(Object.entries(FROM_THE_WIRE))('%s: %s', async (name, cause) => {
    const { runDir, verdict: full } = await played(name);
    const verdict = await wireOnly(runDir);
    expect(verdict.causes.map((c) => c.cause)).toEqual([cause]);
    const [found] = verdict.causes;
    expect(found!.calls).toBeGreaterThan(0.5 * full.calls.bad);
    expect(verdict.sourcesMissing).toEqual(['nat', 'edge', 'node', 'relay', 'trunk', 'cdr']);
    if (cause === 'packet-loss') return;
    // What is missing costs confidence, and is named.
    expect(found!.confidence).toBeLessThan(full.causes[0]!.confidence);
    expect(found!.missing.length).toBeGreaterThan(0);
    expect(summaryText(verdict)).toContain(
      `no telemetry from nat, edge, node, relay, trunk, cdr: ${cause} rests on what the calls show`,
    );
  });
});
