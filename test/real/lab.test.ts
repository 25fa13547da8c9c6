import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, expect, it } from 'vitest';
import { LABEL } from '../../harness/lab/docker/labels.js';
import { runCommand, startCli } from '../support/cli.js';
import { describeWithStack, labelled, sweptAtTheEnd } from '../support/docker.js';
import { FULL, runOnStack, runScenario, sippThrough } from '../support/lab.js';

/** 5 calls a second for 30 s, then 50 in one second: 200, as `deadair run peak-dial --stack blueprint` has them. 80 in the short form. */
const CALLS = FULL ? 200 : 80;
const LOAD = FULL ? [] : ['--set', 'quietMs=6000'];
/** What differs between two counts of the same packets: those under way when a call ends. */
const AGREE = 0.01;

/** Of a query over a run's `legs` and `telemetry`. */
async function firstRow(dir: string, sql: string): Promise<number[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  for (const table of ['legs', 'telemetry']) {
    await connection.run(`CREATE VIEW ${table} AS FROM '${join(dir, `${table}.parquet`)}'`);
  }
  return (await connection.runAndReadAll(sql)).getRows()[0]!.map(Number);
}

for (const stack of ['naive', 'blueprint'] as const) {
  describeWithStack(stack, `the ${stack} stack`, (docker) => {
    sweptAtTheEnd(docker, stack);
    beforeAll(async () => {
      const up = await runCommand(['stack', 'up', stack], { limitMs: 240_000 });
      expect(up.stdout, up.stderr).toMatch(/ready in [\d.]+ s/);
    }, 300_000);

    it("carries an outsider's calls: SIPp in a container behind the router, to SIPp at the carrier's", async () => {
      expect(await sippThrough(docker, stack, 20)).toMatch(/Successful call\s*\|\s*\d+\s*\|\s*20\s/);
    });

    it(
      stack === 'naive'
        ? 'loses re-INVITEs to a node that never heard of the call, and says so'
        : 'keeps re-INVITEs on the node of the call',
      async () => {
        const { verdict } = await runOnStack(stack, '--incident', 'misrouted');
        const { total, answered } = verdict.calls;
        expect({ total, answered }).toEqual({ total: 40, answered: 40 });
        // How good the audio is depends on the machine, and that may have a cause of its own.
        const misrouted = verdict.causes.find((c) => c.cause === 'misrouted-in-dialog')?.calls ?? 0;
        if (stack === 'blueprint') {
          expect(verdict.calls.dropped).toBe(0);
          expect(misrouted).toBe(0);
        } else expect(misrouted).toBeGreaterThan(10);
      },
    );

    if (stack === 'blueprint')
      it('of all calls: both ends measured, none dropped, and every leg hears its own peer and nobody else', async () => {
        const { verdict, dir } = await runOnStack(stack, ...LOAD);
        const numbers = (sql: string): Promise<number[]> => firstRow(dir, sql);
        // How good the audio is depends on the machine, whose cores all of this shares; that it is theirs does not.
        expect(verdict.load).toMatchObject({ offered: CALLS, started: CALLS, ended: CALLS });
        expect(verdict.calls).toMatchObject({ total: CALLS, answered: CALLS, dropped: 0 });
        expect(
          await numbers(
            `SELECT count(*), count(*) FILTER (outcome_name = 'completed'), count(DISTINCT "callNo"),
                    count(*) FILTER ("heardPeer" > 200), sum("heardOther" + "heardForeign" + "heardSelf") FROM legs`,
          ),
        ).toEqual([2 * CALLS, 2 * CALLS, CALLS, 2 * CALLS, 0]);
        const [sent, received, callers] = (await numbers(
          `SELECT sum("rtpSent"), sum("rtpReceived"),
                  sum("rtpSent" + "rtpReceived" + "rtcpSent" + "rtcpReceived") FILTER (role_name = 'caller') FROM legs`,
        )) as [number, number, number];
        // The stack served other calls before this run.
        const said = async (source: string, metric: string): Promise<number> =>
          (
            await numbers(`SELECT sum(v) FROM (SELECT max(value) - min(value) AS v FROM telemetry
              WHERE source = '${source}' AND metric = '${metric}' GROUP BY instance)`)
          )[0]!;
        expect(Math.abs((await said('node', 'rtp_received_total')) / sent - 1)).toBeLessThan(AGREE);
        expect(Math.abs((await said('node', 'rtp_sent_total')) / received - 1)).toBeLessThan(AGREE);
        expect(Math.abs((await said('relay', 'packets_total')) / callers - 1)).toBeLessThan(AGREE);
      });

    if (FULL)
      it('registers its tenants, all of them, also after a storm', async () => {
        const load = ['bootMs=5000', 'atMs=10000', 'watchMs=20000'].flatMap((set) => ['--set', set]);
        const { verdict } = await runScenario('registration-storm', stack, '--incident', 'storm', ...load);
        expect(verdict.registrations).toMatchObject({ phones: 1000, registeredAtEnd: 1000 });
      });
  });
}

const INCIDENTS = [
  ['trunk-cps', 'trunk-cps-limit'],
  ['trunk-channels', 'trunk-channel-limit'],
  ['rtp-ports', 'rtp-port-exhausted'],
  ['nat-table', 'nat-table-full'],
] as const;

for (const stack of FULL ? (['naive', 'blueprint'] as const) : []) {
  describeWithStack(stack, `incidents on the ${stack} stack`, (docker) => {
    sweptAtTheEnd(docker, stack);

    it.each(INCIDENTS)('%s is named blindly: %s', async (incident, cause) => {
      const { verdict } = await runOnStack(stack, '--incident', incident);
      expect(verdict.calls.bad).toBeGreaterThan(5);
      expect(verdict.causes[0]).toMatchObject({ cause });
      expect(verdict.causes[0]!.calls / verdict.calls.bad).toBeGreaterThanOrEqual(0.95);
      expect(await labelled(docker, `${LABEL.stack}=${stack}`)).toEqual([]);
    });

    it('a run that is killed with -9 while calls are up leaves nothing', async () => {
      const running = startCli(['run', 'peak-dial', '--stack', stack], { limitMs: 400_000, cwd: '/tmp' });
      await running.says(/offered [1-9]/);
      process.kill(running.pid, 'SIGKILL');
      expect((await labelled(docker, `${LABEL.stack}=${stack}`)).length).toBeGreaterThan(0);
      for (let i = 0; i < 240; i++) {
        if ((await labelled(docker, `${LABEL.stack}=${stack}`)).length === 0) break;
        await sleep(250);
      }
      expect(await labelled(docker, `${LABEL.stack}=${stack}`)).toEqual([]);
    });
  });
}
