import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { mostCalls } from '../examples/run.js';
import { runCli } from '../harness/cli/program.js';
import { callParams, callPlan, defineScenario, embeddedConfig, embeddedParams, run } from '../harness/index.js';

const DIR = mkdtempSync(join(tmpdir(), 'deadair-api-'));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

it('the example finds where the carrier ends', async () => {
  expect(await mostCalls(DIR)).toBe(80);
});

it('a scenario of the program itself, with progress and an early end', async () => {
  const mine = defineScenario({
    name: 'mine',
    summary: 'ten calls',
    params: { ...callParams, ...embeddedParams },
    build: (p) => ({
      arrivals: [{ name: 'ten', durationMs: 1000, fromCps: 10, toCps: 10 }],
      drainMs: 60_000,
      call: callPlan(p),
      platform: embeddedConfig(p),
    }),
    budgets: ['asr: rate==1'],
  });
  const stop = new AbortController();
  const { verdict, exitCode } = await run(mine, {
    ...{ outDir: DIR, simulate: true, set: ['media=none'], signal: stop.signal },
    onProgress: (p) => p.answered === 10 && stop.abort(),
  });
  expect([verdict.load.offered, verdict.load.open, exitCode]).toEqual([10, 10, 105]);
  await expect(run(mine, { outDir: DIR, set: ['nothing=1'] })).rejects.toMatchObject({
    code: 'BAD_PLAN',
    exitCode: 104,
  });
});

it('deadair init writes a scenario that teaches, and that runs', async () => {
  const file = join(DIR, 'office.ts');
  expect(await runCli(['init', file])).toBe(0);
  const request = { outDir: DIR, simulate: true, set: ['cps=5', 'holdMsMin=4000', 'holdMsMax=5000'] };
  const { verdict } = await run(file, request);
  expect(verdict.outcome).toEqual({ word: 'PASS', reasons: [] });
  const lunch = await run(file, { ...request, incident: 'small-carrier' });
  expect(lunch.verdict.causes.map((c) => c.cause)).toEqual(['trunk-channel-limit']);
  // It never overwrites.
  expect(await runCli(['init', file])).toBe(104);
});
