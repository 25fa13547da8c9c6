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

/**
 * 5 calls a second for 30 s, then 50 in one second: 200. Two cores carry all parts of the platform and both ends of about 85
 * calls with audio at once, but not of 200: so they talk for 7 s.
 */
const CALLS = 200;
const LOAD = ['quietMs=30000', 'burst=50', 'holdMsMin=6000', 'holdMsMax=8000'].flatMap((set) => ['--set', set]);
/** What differs between two counts of the same packets: those under way when a call ends. */
const AGREE = 0.01;

describeWithStack('blueprint', 'a run on the blueprint stack', (docker) => {
  sweptAtTheEnd(docker, 'blueprint');

  it('of 200 calls: both ends measured, none dropped, and every leg hears its own peer and nobody else', async () => {
    const args = ['run', 'peak-dial', '--stack', 'blueprint', '--json', '--out', out, ...LOAD];
    const { stdout, stderr } = await runCommand(args, { limitMs: 400_000 });
    expect(stderr).toMatch(/stack blueprint: ready in [\d.]+ s/);
    const verdict = JSON.parse(stdout) as Verdict;
    // How good the audio is depends on the machine, whose cores all of this shares; that it is theirs does not.
    expect(verdict.load).toMatchObject({ offered: CALLS, started: CALLS, ended: CALLS });
    expect(verdict.calls).toMatchObject({ total: CALLS, answered: CALLS, dropped: 0 });
    const run = join(out, readdirSync(out)[0]!);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const query = async (sql: string): Promise<number[]> =>
      (await connection.runAndReadAll(sql)).getRows()[0]!.map(Number);
    const legs = `'${join(run, 'legs.parquet')}'`;
    expect(
      await query(
        `SELECT count(*), count(*) FILTER (outcome_name = 'completed'), count(DISTINCT "callNo"),
                count(*) FILTER ("heardPeer" > 200), sum("heardOther" + "heardForeign" + "heardSelf") FROM ${legs}`,
      ),
    ).toEqual([2 * CALLS, 2 * CALLS, CALLS, 2 * CALLS, 0]);
    const [sent, received, callers] = (await query(
      `SELECT sum("rtpSent"), sum("rtpReceived"),
              sum("rtpSent" + "rtpReceived" + "rtcpSent" + "rtcpReceived") FILTER (role_name = 'caller') FROM ${legs}`,
    )) as [number, number, number];
    const said = async (metric: string): Promise<number> => {
      const last = `SELECT max(value) AS v FROM '${join(run, 'telemetry.parquet')}' WHERE metric = '${metric}' GROUP BY instance`;
      return (await query(`SELECT sum(v) FROM (${last})`))[0]!;
    };
    expect(Math.abs((await said('rtp_received_total')) / sent - 1)).toBeLessThan(AGREE);
    expect(Math.abs((await said('rtp_sent_total')) / received - 1)).toBeLessThan(AGREE);
    expect(Math.abs((await said('packets_total')) / callers - 1)).toBeLessThan(AGREE);
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
