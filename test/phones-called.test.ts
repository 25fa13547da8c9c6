import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { runPlan } from '../harness/run.js';
import { openRun } from '../harness/verdict/read.js';
import type { Verdict } from '../harness/verdict/types.js';

const out = mkdtempSync(join(tmpdir(), 'deadair-phones-called-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const storm = loadScenario('registration-storm');
const SMALL = ['phones=100', 'tenants=10', 'bootMs=2000', 'atMs=5000', 'watchMs=20000', 'cps=2'];

async function run(set: string[], simulate = true): Promise<{ verdict: Verdict; runDir: string }> {
  return runPlan(resolvePlan(await storm, { simulate, set: [...SMALL, ...set] }), { outDir: out });
}

describe('phones that are called at the contact that they registered', () => {
  it('answer with audio both ways, and go on through their own refreshes', async () => {
    // Granted 60 s and refreshed after 30 to 36 s: within most calls.
    const { verdict, runDir } = await run(['expiresS=60', 'refreshMax=0.6']);
    expect(verdict.outcome).toEqual({ word: 'PASS', reasons: [] });
    const { calls, media, registrations } = verdict;
    expect(calls.total).toBeGreaterThan(30);
    expect(calls).toMatchObject({ answered: calls.total, completed: calls.total, bad: 0 });
    expect(media).toMatchObject({ judged: calls.total, oneWay: 0, deadAir: 0, crossed: 0 });
    expect(registrations).toMatchObject({ registeredAtEnd: 100, failed: 0 });
    const open = await openRun(runDir);
    const both = await open.one('SELECT count(*) FILTER (has_caller AND has_callee) AS n FROM calls');
    const refreshed = await open.one(`SELECT count(*) AS n FROM registrations r JOIN calls c
      ON r.startedMs > c.answered_ms AND r.doneMs < c.ended_ms WHERE reason_name = 'refresh'`);
    open.close();
    expect(both.n).toBe(calls.total);
    expect(refreshed.n).toBeGreaterThan(50);
  });

  it('who is not registered is not there: 480, and the platform says so', async () => {
    const { verdict } = await run(['cps=1', 'registrar.dbLatencyMs=20000', 'watchMs=8000']);
    expect(verdict.calls.total).toBeGreaterThan(5);
    expect(verdict.calls.finalCodes).toEqual({ '480': verdict.calls.total });
  });

  it('does the same on real sockets', async () => {
    const { verdict } = await run(['watchMs=6000', 'holdMsMin=2000', 'holdMsMax=3000'], false);
    expect(verdict.calls.total).toBeGreaterThan(10);
    expect(verdict.calls).toMatchObject({ answered: verdict.calls.total, dropped: 0 });
    expect(verdict.media).toMatchObject({ judged: verdict.calls.total, oneWay: 0, deadAir: 0, crossed: 0 });
  });
});
