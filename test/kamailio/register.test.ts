import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { usersOf } from '../../harness/lab/kamailio/users.js';
import { loadScenario } from '../../harness/plan/load.js';
import { resolvePlan } from '../../harness/plan/resolve.js';
import { runPlan } from '../../harness/run.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';
import { ownAddress } from '../support/ports.js';

/** Our phones at a registrar that we did not write. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-kamailio-runs-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const PHONES = 200;
const SETS = [`phones=${PHONES}`, 'tenants=10', 'phase=storm', 'bootMs=2000', 'atMs=3000', 'watchMs=5000'];

/** Bindings that Kamailio holds, by what it says of itself. */
interface Bindings {
  Domains: { Domain: { AoRs: { Info: { AoR: string } }[] | null } }[];
}

describeWithKamailio('phones register at the real Kamailio', () => {
  it.each(['udp', 'tcp', 'tls', 'ws', 'wss'])(
    'with digest, on %s, twice: every one is back after the storm',
    async (transport) => {
      const out = join(OUT, `stack-${transport}`);
      const sets = [...SETS, `transport=${transport}`].flatMap((set) => ['--set', set]);
      const cli = await runCommand(['run', 'registration-storm', '--stack', 'kamailio', '--out', out, ...sets]);
      expect(cli).toMatchObject({ signal: null, leftRunning: false });
      const verdict = JSON.parse(readFileSync(join(out, readdirSync(out)[0]!, 'verdict.json'), 'utf8')) as Verdict;
      expect(verdict.registrations).toMatchObject({ phones: PHONES, registeredAtEnd: PHONES, failed: 0, timeouts: 0 });
      // Every phone forgot its nonce in the storm, so each was challenged twice.
      expect(verdict.registrations!.challenged).toBeGreaterThanOrEqual(2 * PHONES);
    },
  );

  it.each(['MD5', 'SHA-256'] as const)('%s: Kamailio itself counts every phone once', async (digest) => {
    const host = ownAddress(digest === 'MD5' ? 40 : 41);
    const loaded = await loadScenario('registration-storm');
    const plan = resolvePlan(loaded, { target: `sip:${host}:5060`, set: SETS });
    const kamailio = await startKamailio({ host, users: usersOf(plan.registrations!, null, plan.seed), digest });
    try {
      const { verdict } = await runPlan(plan, { outDir: join(OUT, digest) });
      expect(verdict.registrations).toMatchObject({ registeredAtEnd: PHONES, failed: 0 });
      const { Domains } = await kamailio.rpc.call<Bindings>('ul.dump');
      const names = Domains.flatMap((d) => d.Domain.AoRs ?? []).map((aor) => aor.Info.AoR);
      expect(new Set(names).size).toBe(PHONES);
      expect(names).toHaveLength(PHONES);
    } finally {
      await kamailio.stop();
    }
  });

  it('a wrong password is no registration', async () => {
    const host = ownAddress(42);
    const loaded = await loadScenario('registration-storm');
    const plan = resolvePlan(loaded, { target: `sip:${host}:5060`, set: [...SETS, 'phones=20', 'phase=steady'] });
    const users = usersOf(plan.registrations!, null, plan.seed).map((user) => ({ ...user, password: 'another' }));
    const kamailio = await startKamailio({ host, users });
    try {
      const { verdict, exitCode } = await runPlan(plan, { outDir: join(OUT, 'wrong') });
      expect(verdict.registrations).toMatchObject({ registeredAtEnd: 0, registered: 0 });
      expect(exitCode).toBe(99);
    } finally {
      await kamailio.stop();
    }
  });
});
