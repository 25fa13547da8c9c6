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

describe('phones that call and are called at the contact that they registered', () => {
  it.each(['phones', 'outside'])('by %s: audio both ways, and on through their own refreshes', async (who) => {
    // Granted 60 s and refreshed after 30 to 36 s: within most calls.
    const { verdict, runDir } = await run([`calls=${who}`, 'expiresS=60', 'refreshMax=0.6']);
    expect(verdict.outcome).toEqual({ word: 'PASS', reasons: [] });
    const { calls, media, registrations } = verdict;
    expect(calls.total).toBeGreaterThan(30);
    expect(calls).toMatchObject({ answered: calls.total, completed: calls.total, bad: 0 });
    expect(media).toMatchObject({ judged: calls.total, oneWay: 0, deadAir: 0, crossed: 0 });
    expect(registrations).toMatchObject({ registeredAtEnd: 100, failed: 0 });
    const open = await openRun(runDir);
    const both = await open.one('SELECT count(*) FILTER (has_caller AND has_callee) AS n FROM calls');
    // Of a phone that was in the call at that moment: its REGISTERs go over the very port of the call.
    const refreshed = await open.one(`SELECT count(*) AS n FROM registrations r JOIN legs l
      ON l.phone = r.phone + 1 AND r.startedMs > l.answeredMs AND r.doneMs < l.byeMs WHERE reason_name = 'refresh'`);
    const known =
      await open.one(`SELECT count(*) FILTER (identity = 1) AS right, count(*) FILTER (identity = 2) AS wrong,
      count(DISTINCT phone) AS phones FROM legs WHERE role_name = 'callee'`);
    open.close();
    expect(both.n).toBe(calls.total);
    expect(refreshed.n).toBeGreaterThan(10);
    // A number that it does not know is no phone's call: who comes from outside has none.
    expect(known).toMatchObject(who === 'phones' ? { right: calls.total, wrong: 0 } : { right: 0 });
    expect(known.phones).toBeGreaterThan(20);
  });

  it('who is not registered is not there: 480, and the platform says so', async () => {
    const { verdict } = await run(['calls=outside', 'cps=1', 'registrar.dbLatencyMs=20000', 'watchMs=8000']);
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
