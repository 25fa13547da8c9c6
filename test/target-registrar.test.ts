import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { runPlan } from '../harness/run.js';
import { answerWithSipp, describeWithSipp } from './support/sipp.js';

const out = mkdtempSync(join(tmpdir(), 'deadair-target-registrar-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const users = (name: string, ...rows: string[]): string => {
  writeFileSync(join(out, name), `SEQUENTIAL\n${rows.join('\n')}\n`);
  return `users=${join(out, name)}`;
};
const SHORT = ['bootMs=200', 'atMs=300', 'watchMs=900', 'refreshMin=1', 'refreshMax=1'];

describeWithSipp('phones of a CSV register with a registrar that is not ours', () => {
  const storm = loadScenario('registration-storm');

  it('answers its realm, opaque and choice of qop; name and secret come from the file', async () => {
    const sipp = await answerWithSipp('registrar', { host: '127.0.0.1', calls: 3 });
    const rows = ['1001', '1002', '1003'].map((u) => `${u};[authentication username=joe password=schmo]`);
    const target = `sip:127.0.0.1:${sipp.port}`;
    const plan = resolvePlan(await storm, { target, set: [users('good.csv', ...rows), ...SHORT] });
    const { verdict } = await runPlan(plan, { outDir: out });
    const served = await sipp.done;
    expect({ errors: served.errors, code: served.code, successful: served.successful }).toEqual({
      ...{ errors: '', code: 0, successful: 3 },
    });
    expect(verdict.registrations).toMatchObject({ phones: 3, registeredAtEnd: 3, challenged: 3, failed: 0 });
    expect(verdict.outcome).toEqual({ word: 'PASS', reasons: [] });
  });

  it('a wrong secret is refused, and the run says so', async () => {
    const sipp = await answerWithSipp('registrar', { host: '127.0.0.1', calls: 1 });
    const row = '1001;[authentication username=joe password=other]';
    const target = `sip:127.0.0.1:${sipp.port}`;
    const plan = resolvePlan(await storm, { target, set: [users('bad.csv', row), ...SHORT] });
    const { verdict } = await runPlan(plan, { outDir: out });
    expect(verdict.registrations).toMatchObject({ registeredAtEnd: 0, challenged: 1, failed: 1 });
    expect(verdict.outcome.word).toBe('FAIL');
    await sipp.stop();
  });

  it('one that is not there is silent, not slow', async () => {
    const plan = resolvePlan(await storm, { target: 'sip:127.0.0.1:9', set: [users('one.csv', '1;x'), ...SHORT] });
    plan.arrivals[0]!.durationMs = 5000;
    await expect(runPlan(plan, { outDir: out })).rejects.toThrow(/nothing listens on that UDP port/);
  });
});
