import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { webphoneUsersOf } from '../../harness/lab/kamailio/users.js';
import { openRun } from '../../harness/verdict/read.js';
import { BARESIP_MISSING, baresipIsThere, callWithBaresip } from '../support/baresip.js';
import { startCli } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';
import { ownAddress } from '../support/ports.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-baresip-runs-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const CALLER = { user: '500000', domain: 'strangers.test', password: 'not-ours' };
const TALK_S = 8;

describeWithKamailio("Debian's baresip", () => {
  // In CI it has to be there.
  const there = baresipIsThere() || process.env.CI !== undefined;
  it.skipIf(!there)(
    `calls a registered phone of ours through Kamailio, and is answered with audio${there ? '' : ` (${BARESIP_MISSING})`}`,
    async () => {
      if (!baresipIsThere()) throw new Error(BARESIP_MISSING);
      const host = ownAddress(60);
      const users = webphoneUsersOf({ count: 2 }, 1);
      const kamailio = await startKamailio({ host, users: [...users, CALLER] });
      try {
        const sets = ['phones=1', 'bootMs=1', 'atMs=1000', 'watchMs=24000', 'webphones=2', 'webphones.holdMs=2000'];
        const target = ['--target', `sip:${host}:5060`, '--set', `webphones.server=ws://${host}:8080`];
        const args = [...target, ...sets.flatMap((set) => ['--set', set])];
        const cli = startCli(['run', 'registration-storm', '--out', OUT, ...args]);
        // Until Kamailio itself knows the way to the phone.
        for (let i = 0; (await registered(kamailio.rpc.call('ul.dump'))) < 2 && i < 200; i++) await sleep(100);
        const at = { host: ownAddress(61), proxy: `${host}:5060`, seconds: TALK_S };
        const said = await callWithBaresip(CALLER, users[1]!, at);
        await cli.done;

        const run = await openRun(join(OUT, readdirSync(OUT)[0]!), {
          ...{ legs: 'webphones', registrations: 'webphone_registrations', media: true },
        });
        const legs = await run.query("SELECT * FROM legs WHERE peerAgent LIKE 'baresip%'");
        run.close();
        expect(said).toMatch(/Call established/);
        expect(legs).toHaveLength(1);
        const [leg] = legs;
        expect(leg).toMatchObject({ role_name: 'callee', outcome_name: 'completed', ended_by_name: 'them' });
        // A tone is nobody's mark: every packet of it is told from our own audio, and none is silence.
        expect(leg!.heardForeign).toBe(leg!.rtpReceived);
        expect(leg!.heardForeign).toBeGreaterThan(100);
        // And it heard us: by its own words, from the very port that the leg sent from, and by its RTCP reports.
        expect(said).toContain(`incoming rtp for 'audio' established, receiving from 127.0.0.2:${leg!.mediaPort}`);
        expect(leg!.rtpSent).toBeGreaterThan(100);
        expect(leg!.rtcpReceived).toBeGreaterThan(0);
      } finally {
        await kamailio.stop();
      }
    },
  );
});

/** Bindings in what Kamailio dumps of its locations. */
async function registered(dump: Promise<unknown>): Promise<number> {
  return JSON.stringify(await dump).split('"AoR":"9').length - 1;
}
