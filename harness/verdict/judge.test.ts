import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { judge } from './index.js';
import { invalidReasons } from './outcome.js';
import { openRun } from './read.js';
import { deafen, goodCall, platformBye, refused, SyntheticRun } from './testing.js';

const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

const OPTIONS = { injectedCause: null, budgets: [], faults: [], command: 'deadair run peak-dial' } as const;

async function natRun(legsReversed = false): Promise<string> {
  const run = new SyntheticRun();
  const legs = [];
  for (let i = 0; i < 40; i++) {
    const pair = goodCall(i + 1, 1000 * i);
    if (i >= 20) {
      platformBye(pair, 30_000, 44);
      deafen(pair.caller);
      deafen(pair.callee);
    }
    legs.push(pair.caller, pair.callee);
  }
  run.add(...(legsReversed ? legs.reverse() : legs)).calm(80_000, ['nat']);
  run.telemetry('nat', 80_000, (t) => ({ sessions: 1000, sessions_max: 1000, refused_total: t < 20_000 ? 0 : t }));
  dirs.push(run.dir);
  return run.finish();
}

describe('judge', () => {
  it('names the cause, scores it, and FAILs by the budget', async () => {
    const dir = await natRun();
    const verdict = await judge(dir, {
      ...OPTIONS,
      injectedCause: 'nat-table-full',
      budgets: ['dead_air: count==0', 'asr: rate>0.9'],
    });
    expect(verdict.attribution).toMatchObject({ badCalls: 20, named: 20, precision: 1, recall: 1 });
    expect(verdict.outcome.word).toBe('FAIL');
    expect(verdict.budgets.map((b) => b.ok)).toEqual([false, true]);
    expect(verdict.calls).toMatchObject({ total: 40, answered: 40, dropped: 20, bad: 20 });
    expect(verdict.media.deadAir).toBe(20);
    expect(JSON.parse(readFileSync(join(dir, 'verdict.json'), 'utf8'))).toEqual(verdict);
    expect(readdirSync(dir)).toContain('causes.parquet');
  });

  it('is blind: the plan and the faults change no cause', async () => {
    const dir = await natRun();
    const plan = join(dir, 'plan.json');
    const run = new SyntheticRun(dir).store;
    run.writeJson('plan.json', { scenario: 'peak-dial', incident: 'packet-loss', cured: false, seed: 1, mode: 'real' });
    run.appendFault({
      kind: 'db-lock',
      intendedAtMs: 0,
      appliedAtMs: 0,
      removedAtMs: 9,
      provenRemoved: true,
      note: '',
    });
    const told = await judge(dir, OPTIONS);
    rmSync(plan);
    rmSync(join(dir, 'faults.jsonl'));
    const blind = await judge(dir, OPTIONS);
    expect(blind.causes).toEqual(told.causes);
    expect(blind.causes.map((c) => c.cause)).toEqual(['nat-table-full']);
  });

  it('cannot look at the plan, even if a rule tried to', async () => {
    const dir = await natRun();
    const open = await openRun(dir);
    for (const name of ['plan.json', 'faults.jsonl', 'env.json'])
      await expect(open.query(`SELECT * FROM read_text('${dir}/${name}')`), name).rejects.toThrow(/disabled/);
    await expect(open.exec('SET enable_external_access = true')).rejects.toThrow();
    expect(await open.query('SELECT count(*) AS n FROM legs')).toEqual([{ n: 80 }]);
    open.close();
  });

  it('the same legs in another order are the same bytes', async () => {
    const hash = (dir: string) =>
      createHash('sha256')
        .update(readFileSync(join(dir, 'legs.parquet')))
        .digest('hex');
    expect(hash(await natRun())).toBe(hash(await natRun(true)));
  });

  it('a run without calls or telemetry can be judged, and a budget without data fails', async () => {
    const run = new SyntheticRun();
    dirs.push(run.dir);
    const verdict = await judge(await run.finish(), { ...OPTIONS, budgets: ['mos: min>3.6', 'dead_air: count==0'] });
    expect(verdict.outcome.word).toBe('FAIL');
    expect(verdict.budgets.map((b) => b.actual)).toEqual([null, null]);
    expect(verdict.sourcesMissing).toHaveLength(6);
  });

  it("a target's callee is not ours: one direction is judged, the other is not guessed", async () => {
    const run = new SyntheticRun();
    dirs.push(run.dir);
    const deaf = goodCall(2, 0).caller;
    deafen(deaf);
    run.add(goodCall(1, 0).caller, deaf, refused(3, 0, 503), refused(4, 0, 302));
    const verdict = await judge(await run.finish(), OPTIONS);
    expect(verdict.media).toMatchObject({ oneWay: 1, deadAir: 0 });
    expect(verdict.calls.finalCodes).toEqual({ '200': 2, '302': 1, '503': 1 });
    expect(verdict.calls.redirects).toBe(1);
    expect(verdict.calls.metrics.ser).toBeCloseTo(2 / 3);
  });

  it('a folder without a run is one clear error', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'deadair-none-'));
    dirs.push(dir);
    await expect(openRun(dir)).rejects.toMatchObject({ code: 'NO_SUCH_RUN' });
  });
});

describe('INVALID', () => {
  it.each([
    ['placed late', { generator: { callLatenessMs: { p50: 1, p99: 101, max: 200 } } }],
    ['RTP was sent late', { generator: { rtpLatenessMs: { p50: 1, p99: 21, max: 200 } } }],
    ['dropped', { generator: { receiveDropped: 1000 } }],
    ['died', { generator: { workers: [{ name: 'caller-0', died: true, cpuBusy: 0 }] } }],
    [
      'could not start',
      { load: { offered: 100, started: 98, ended: 98, blocked: 2, blockedBy: { blockedMaxCalls: 2 } } },
    ],
    ['do not add up', { load: { offered: 100 } }],
    [
      'could not start 2 of 100 registrations',
      { registrations: { offered: 100, blocked: 2, started: 98, ended: 98, open: 0 } },
    ],
    ['registrations do not add up', { registrations: { offered: 100, blocked: 0, started: 98, ended: 98, open: 0 } }],
  ])('%s', async (text, more) => {
    const run = new SyntheticRun();
    dirs.push(run.dir);
    const open = await openRun(await run.finish(more));
    const reasons = invalidReasons(open.env, [], true);
    open.close();
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain(text);
  });
});
