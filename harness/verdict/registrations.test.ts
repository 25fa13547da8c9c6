import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../plan/load.js';
import { resolvePlan } from '../plan/resolve.js';
import { runPlan } from '../run.js';
import type { Registrations, Verdict } from './types.js';

const out = mkdtempSync(join(tmpdir(), 'deadair-registrations-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const loaded = await loadScenario('registration-storm');

/** A tenth of the population, and a tenth of the buffer. */
const SMALL = ['phones=1000', 'tenants=50', 'bootMs=4000', 'atMs=10000', 'watchMs=90000'];
const SMALL_BUFFER = 'registrar.receiveBufferBytes=21299';
let runs = 0;

async function run(
  incident: string,
  set: string[],
): Promise<{ verdict: Verdict; r: Registrations; bytes: Buffer; dir: string }> {
  const stamp = { now: new Date(0), suffix: `n${runs++}` };
  const plan = resolvePlan(loaded, { incident, simulate: true, set: [...SMALL, ...set] }, stamp);
  const { verdict, runDir } = await runPlan(plan, { outDir: out });
  const bytes = readFileSync(join(runDir, 'registrations.parquet'));
  return { verdict, r: verdict.registrations!, bytes, dir: runDir };
}
const names = (r: Registrations): string[] => r.mechanisms.map((m) => m.name);
const conserve = (r: Registrations): void => expect(r.attempts).toBe(r.registered + r.failed + r.superseded + r.open);

describe('registration-storm', () => {
  it('steady: everybody registers and refreshes, and nothing is named', async () => {
    const { verdict, r } = await run('none', ['expiresS=60']);
    expect(verdict.outcome).toEqual({ word: 'PASS', reasons: [] });
    expect(r).toMatchObject({ phones: 1000, tenants: 50, registeredAtEnd: 1000, failed: 0, challenged: 1000, ira: 0 });
    expect(r.refreshRrdMs!.n).toBeGreaterThan(1500);
    expect(names(r)).toEqual([]);
    conserve(r);
  });

  it('storm: a small buffer and waves in step; a large one, a cache and a limit each cure it in their way', async () => {
    const naive = await run('storm', [SMALL_BUFFER, 'overMs=100', 'registrar.dbLatencyMs=20']);
    expect(names(naive.r)).toEqual(['receive-buffer-overflow', 'database-wait']);
    expect(naive.r.mechanisms[0]!.text).toMatch(/in step/);
    const cure = (name: string): ReturnType<typeof run> =>
      run('storm', [SMALL_BUFFER, 'overMs=100', 'registrar.dbLatencyMs=20', `cure=${name}`]);
    const buffer = await cure('bigger-receive-buffer');
    const cached = await cure('cached-credentials');
    const limited = await cure('rate-limited-edge');
    conserve(naive.r);
    const naiveMs = naive.r.timeTo95Ms ?? 90_000;
    conserve(limited.r);
    expect(limited.r.registeredAtEnd).toBeGreaterThan(950);
    for (const { r } of [buffer, cached]) {
      expect(r.registeredAtEnd).toBe(1000);
      conserve(r);
    }
    expect(buffer.r.timeTo95Ms!).toBeLessThan(naiveMs / 2);
    expect(names(buffer.r)).toEqual(['database-wait']);
    expect(cached.r.timeTo100Ms!).toBeLessThan(500);
    expect(limited.r.timeTo95Ms!).toBeLessThan(naiveMs);
    expect(limited.r.refused).toBeGreaterThan(300);
    expect(naive.verdict.outcome.word).toBe('FAIL');
    const html = readFileSync(join(naive.dir, 'report.html'), 'utf8');
    expect(html).toContain('Registered phones');
    expect(html).toContain('receive-buffer-overflow');
  });

  it('outage: nobody hears them, then all come back; phones that notice at different times hardly matter', async () => {
    const outage = await run('outage', [SMALL_BUFFER]);
    expect(names(outage.r)[0]).toBe('registrar-unreachable');
    expect(outage.r.timeTo50Ms!).toBeGreaterThan(19_000);
    const [fault] = outage.verdict.faults;
    expect(fault).toMatchObject({ kind: 'registrar-outage', provenRemoved: true });
    // As the registrar's own readings tell it, which come every 250 ms.
    expect(fault!.appliedAtMs! - 10_000).toBeLessThanOrEqual(250);
    expect(fault!.removedAtMs! - 30_000).toBeGreaterThanOrEqual(0);
    expect(fault!.note).toMatch(/messages to the registrar were lost; then it was heard again/);
    const spread = await run('outage', [SMALL_BUFFER, 'cure=staggered-expiry']);
    expect(spread.r.waves[1]!.downMax).toBeLessThan(200);
    expect(spread.r.timeTo50Ms).toBe(0);
  });

  it('a limit below what the registrar can do is named as that', async () => {
    const { r } = await run('storm', ['registrar.limitPerS=20', 'watchMs=60000', 'overMs=100']);
    expect(names(r)).toEqual(['limit-below-capacity']);
    conserve(r);
  });

  it('firmware-roll: few phones are down at once', async () => {
    const { r, dir } = await run('firmware-roll', ['rollMs=30000']);
    expect(r.timeTo95Ms).toBe(0);
    expect(r.waves[1]!.downMax).toBeLessThan(50);
    const slowest = r.waves[1]!.slowestTenants;
    expect(slowest.map((t) => t.phones)).toEqual([20, 20, 20, 20, 20]);
    expect(slowest[0]!.tookMs).toBe(r.waves[1]!.tenantTimeTo100Ms.max);
    expect(slowest[0]!.sinceMs).toBeGreaterThanOrEqual(r.waves[1]!.sinceMs);
    expect(readFileSync(join(dir, 'report.html'), 'utf8')).toContain('Slowest tenants of the last wave');
  });

  it('the same seed gives the same bytes', async () => {
    const [one, two] = [await run('storm', [SMALL_BUFFER]), await run('storm', [SMALL_BUFFER])];
    expect(one.bytes.equals(two.bytes)).toBe(true);
  });
});
