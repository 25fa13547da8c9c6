import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, expect, it } from 'vitest';
import { LABEL } from '../../harness/lab/docker/labels.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand, startCli } from '../support/cli.js';
import { describeWithStack, labelled, sweptAtTheEnd } from '../support/docker.js';

const out = mkdtempSync(join(tmpdir(), 'deadair-lab-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** 5 calls a second for 30 s, then 50 in one second: 200. */
const LOAD = ['--set', 'quietMs=30000', '--set', 'burst=50'];

describeWithStack('blueprint', 'a run on the blueprint stack', (docker) => {
  sweptAtTheEnd(docker, 'blueprint');

  it('of 200 calls: both ends measured, none dropped, and every leg hears its own peer and nobody else', async () => {
    const args = ['run', 'peak-dial', '--stack', 'blueprint', '--json', '--out', out, ...LOAD];
    const { code, stdout, stderr } = await runCommand(args, { limitMs: 400_000 });
    expect(stderr).toMatch(/stack blueprint: ready in [\d.]+ s/);
    const verdict = JSON.parse(stdout) as Verdict;
    expect(verdict.outcome).toMatchObject({ word: 'PASS' });
    expect(code).toBe(0);
    const run = join(out, readdirSync(out)[0]!);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INT, count(*) FILTER (outcome_name = 'completed')::INT, count(DISTINCT "callNo")::INT,
              count(*) FILTER ("heardPeer" > 1000)::INT, sum("heardOther" + "heardForeign" + "heardSelf")::INT
       FROM '${join(run, 'legs.parquet')}'`,
    );
    expect(reader.getRows()[0]).toEqual([400, 400, 200, 400, 0]);
    expect(await labelled(docker, `${LABEL.stack}=blueprint`)).toEqual([]);
  });

  it('that is killed with -9 while calls are up leaves no container, network or volume', async () => {
    const running = startCli(['run', 'peak-dial', '--stack', 'blueprint', '--out', out, ...LOAD], { limitMs: 400_000 });
    await running.says(/offered [1-9]/);
    process.kill(running.pid, 'SIGKILL');
    expect((await labelled(docker, `${LABEL.stack}=blueprint`)).length).toBeGreaterThan(0);
    for (let i = 0; i < 240; i++) {
      if ((await labelled(docker, `${LABEL.stack}=blueprint`)).length === 0) break;
      await sleep(250);
    }
    expect(await labelled(docker, `${LABEL.stack}=blueprint`)).toEqual([]);
  });
});
