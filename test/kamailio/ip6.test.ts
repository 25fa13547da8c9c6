import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedKamailio, startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { usersOf } from '../../harness/lab/kamailio/users.js';
import { loadScenario } from '../../harness/plan/load.js';
import { resolvePlan } from '../../harness/plan/resolve.js';
import { KAMAILIO_PORTS } from '../../harness/plan/target.js';
import type { RunPlan, Transport } from '../../harness/plan/types.js';
import { runPlan } from '../../harness/run.js';
import { describeWithKamailio } from '../support/kamailio.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-kamailio-ip6-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const PHONES = 60;
const SETS = [`phones=${PHONES}`, 'tenants=6', 'phase=storm', 'bootMs=1000', 'atMs=1500', 'watchMs=2500'];

/** Contacts that Kamailio holds. */
interface Contacts {
  Domains: { Domain: { AoRs: { Info: { Contacts: { Contact: { Address: string } }[] } }[] | null } }[];
}

describeWithKamailio('phones register at the real Kamailio on [::1]', () => {
  let kamailio: StartedKamailio;
  const planOf = async (transport: Transport): Promise<RunPlan> => {
    const target = `sip:[::1]:${KAMAILIO_PORTS[transport]};transport=${transport}`;
    return resolvePlan(await loadScenario('registration-storm'), { target, set: SETS });
  };

  beforeAll(async () => {
    const { registrations, seed } = await planOf('udp');
    kamailio = await startKamailio({ host: '::1', users: usersOf(registrations!, null, seed) });
  }, 60_000);
  afterAll(() => kamailio?.stop());

  // Every transport: ['udp', 'tcp', 'tls', 'ws', 'wss']; those two have a Contact that names our address.
  it.each(['udp', 'tcp'] as const)('%s: with digest, twice; each at a contact in brackets', async (transport) => {
    const { verdict } = await runPlan(await planOf(transport), { outDir: OUT, ca: kamailio.ca });
    expect(verdict.registrations).toMatchObject({ phones: PHONES, registeredAtEnd: PHONES, failed: 0, timeouts: 0 });
    expect(verdict.registrations!.challenged).toBeGreaterThanOrEqual(2 * PHONES);
    const { Domains } = await kamailio.rpc.call<Contacts>('ul.dump');
    const contacts = Domains.flatMap((d) => d.Domain.AoRs ?? []).flatMap((aor) => aor.Info.Contacts);
    const over = `${transport === 'udp' ? '' : ';transport=tcp'};line=\\d+`;
    const ours = contacts.filter((c) => new RegExp(`^sip:\\d+@\\[::1\\]:\\d+${over};ob$`).test(c.Contact.Address));
    expect(ours).toHaveLength(PHONES);
  });
});
