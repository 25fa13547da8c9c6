import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { identityOf } from '../../agents/identity.js';
import { startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { webphoneUsersOf } from '../../harness/lab/kamailio/users.js';
import { openRun } from '../../harness/verdict/read.js';
import { BARESIP_MISSING, baresipIsThere, callWithBaresip } from '../support/baresip.js';
import { startCli } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';
import { ownAddress } from '../support/ports.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-baresip-runs-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const CALLERS = ['500000', '500001'].map((user) => ({ user, domain: 'strangers.test', password: 'not-ours' }));
const TALK_S = 8;

describeWithKamailio("Debian's baresip", () => {
  // In CI it has to be there.
  const there = baresipIsThere() || process.env.CI !== undefined;
  it.skipIf(!there)(
    `calls registered phones of ours through Kamailio, the engine's and sip.js's, and is answered with audio${there ? '' : ` (${BARESIP_MISSING})`}`,
    async () => {
      if (!baresipIsThere()) throw new Error(BARESIP_MISSING);
      const host = ownAddress(60);
      const users = webphoneUsersOf({ count: 2 }, 1);
      const phone = identityOf(0, 1, 1, 1);
      const kamailio = await startKamailio({ host, users: [...users, phone, ...CALLERS] });
      try {
        const sets = [
          'phones=1',
          'tenants=1',
          'answer=true',
          'bootMs=1',
          'atMs=1000',
          'watchMs=24000',
          'webphones=2',
          'webphones.holdMs=2000',
        ];
        const target = ['--target', `sip:${host}:5060`, '--set', `webphones.server=ws://${host}:8080`];
        const args = [...target, ...sets.flatMap((set) => ['--set', set])];
        const cli = startCli(['run', 'registration-storm', '--out', OUT, ...args]);
        // Until Kamailio itself knows the way to the phone.
        for (let i = 0; (await registered(kamailio.rpc.call('ul.dump'))) < 3 && i < 200; i++) await sleep(100);
        const at = (n: number) => ({ host: ownAddress(61 + n), proxy: `${host}:5060`, seconds: TALK_S });
        const [said, saidToo] = await Promise.all([
          callWithBaresip(CALLERS[0]!, users[1]!, at(0)),
          callWithBaresip(CALLERS[1]!, phone, at(1)),
        ]);
        await cli.done;

        const dir = join(OUT, readdirSync(OUT)[0]!);
        const witness = { legs: 'webphones', registrations: 'webphone_registrations', media: true } as const;
        isAnswered(await legOf(dir, witness), said, '127.0.0.2');
        const leg = await legOf(dir);
        isAnswered(leg, saidToo, '127.0.0.1');
        // It is phone 0, and the call is nobody's in the plan.
        expect(leg).toMatchObject({ phone: 1, identity: 0 });
      } finally {
        await kamailio.stop();
      }
    },
  );
});

async function legOf(dir: string, how?: Parameters<typeof openRun>[1]): Promise<Record<string, unknown>> {
  const run = await openRun(dir, how);
  const legs = await run.query("SELECT * FROM legs WHERE peerAgent LIKE 'baresip%'");
  run.close();
  expect(legs).toHaveLength(1);
  return legs[0]!;
}

function isAnswered(leg: Record<string, unknown>, said: string, ip: string): void {
  expect(said).toMatch(/Call established/);
  expect(leg).toMatchObject({ role_name: 'callee', outcome_name: 'completed', ended_by_name: 'them' });
  // A tone is nobody's mark: every packet of it is told from our own audio, and none is silence.
  expect(leg.heardForeign).toBe(leg.rtpReceived);
  expect(leg.heardForeign).toBeGreaterThan(100);
  // And it heard us: by its own words, from the very port that the leg sent from, and by its RTCP reports.
  expect(said).toContain(`incoming rtp for 'audio' established, receiving from ${ip}:${leg.mediaPort}`);
  expect(leg.rtpSent).toBeGreaterThan(100);
  expect(leg.rtcpReceived).toBeGreaterThan(0);
}

/** Bindings in what Kamailio dumps of its locations. */
async function registered(dump: Promise<unknown>): Promise<number> {
  return JSON.stringify(await dump).split('"AoR":').length - 1;
}
