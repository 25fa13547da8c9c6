import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '../harness/engine/types.js';
import { EXIT } from '../harness/errors.js';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { runPlan } from '../harness/run.js';
import { serveUas, type UasSummary } from '../harness/uas-server.js';
import { openRun } from '../harness/verdict/read.js';
import { freePort, ownAddress } from './support/ports.js';

/** A generator that is too slow, or half dead, must say so: its numbers are not the target's fault. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-generator-'));
const host = ownAddress();
const stop = new AbortController();
let target = '';
let served: Promise<UasSummary>;

beforeAll(async () => {
  const port = await freePort(host);
  target = `sip:service@${host}:${port}`;
  await new Promise<void>((listening, reject) => {
    served = serveUas({
      ...{ host, port, maxCalls: 8192, answerMs: 0, durationMs: null, media: 'none', signal: stop.signal },
      onListening: () => listening(),
    });
    served.catch(reject);
  });
});
afterAll(async () => {
  stop.abort();
  await served;
  rmSync(OUT, { recursive: true, force: true });
});

async function planOf(set: Record<string, number>): Promise<ReturnType<typeof resolvePlan>> {
  const all = { media: 'none', quietCps: 0, quietMs: 500, holdMsMin: 0, holdMsMax: 0, ...set };
  const assignments = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return resolvePlan(await loadScenario('peak-dial'), { target, set: assignments });
}

/** Callers' rows in legs.parquet, and how many of them are of one call. */
async function callerRows(runDir: string): Promise<{ rows: number; calls: number; open: number }> {
  const run = await openRun(runDir);
  try {
    const row = await run.one(`SELECT count(*) AS n, count(DISTINCT callNo) AS calls,
      count(*) FILTER (outcome_name = 'open') AS open FROM legs WHERE role = 0`);
    return { rows: Number(row.n), calls: Number(row.calls), open: Number(row.open) };
  } finally {
    run.close();
  }
}

describe('the generator', () => {
  it('that cannot reach its rate ends INVALID, and counts what it did not start', async () => {
    const plan = await planOf({ burst: 200_000, graceMs: 500 });
    const { verdict, exitCode, runDir } = await runPlan(plan, { outDir: OUT });
    const { load } = verdict;
    expect(exitCode).toBe(EXIT.INVALID);
    expect(verdict.outcome.word).toBe('INVALID');
    expect(verdict.outcome.reasons.join('; ')).toMatch(/could not start|placed late/);
    expect(load.offered).toBe(200_000);
    expect(load.offered).toBe(load.started + load.blocked);
    expect(load.started).toBe(load.ended + load.open);
    expect(load.blocked).toBe(Object.values(load.blockedBy).reduce((sum, n) => sum + n));
    expect((await callerRows(runDir)).rows).toBe(load.started);
  });

  it('of which a worker is killed in mid-run loses no count, and names the worker', async () => {
    const plan = await planOf({ ...{ burst: 800, callerWorkers: 2 }, holdMsMin: 100, holdMsMax: 900 });
    let workers: Worker[] = [];
    let killed = false;
    const onProgress = ({ ended, open }: Progress): void => {
      if (killed || ended < 100 || open < 20) return;
      killed = true;
      void workers[1]!.terminate();
    };
    const onWorkers = (agents: Worker[]): void => {
      workers = agents;
    };
    const { verdict, exitCode, runDir } = await runPlan(plan, { outDir: OUT, onProgress, onWorkers });
    const { load } = verdict;
    expect(killed).toBe(true);
    expect(exitCode).toBe(EXIT.INVALID);
    expect(verdict.outcome.reasons.join('; ')).toContain('worker agents-1 died');
    expect(verdict.generator.workers.map((w) => w.died)).toEqual([false, true]);
    expect(load.offered).toBe(800);
    expect(load.offered).toBe(load.started + load.blocked);
    expect(load.started).toBe(load.ended + load.open);
    expect(load.open).toBeGreaterThan(0);
    expect(await callerRows(runDir)).toEqual({ rows: load.started, calls: load.started, open: load.open });
  });
});
