import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, it } from 'vitest';
import { startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { parseUsers } from '../../harness/plan/users.js';
import { describeWithKamailio } from '../support/kamailio.js';
import { startEdge } from '../support/kamailio-edge.js';
import { phonesCall } from '../support/phone-calls.js';
import { ownAddress } from '../support/ports.js';

/** Registered phones call each other through a proxy that we did not write, each as itself, with digest. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-kamailio-phones-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const PHONES = 30;

describeWithKamailio('registered phones through the real Kamailio', () => {
  it.concurrent.each(['udp', 'tcp', 'tls', 'ws'])(
    '%s: call as themselves, with digest, are called at their contacts, and refresh in mid-call',
    async (transport) => {
      const sets = [`phones=${PHONES}`, 'tenants=3', `transport=${transport}`];
      await phonesCall(join(OUT, transport), PHONES, ['--stack', 'kamailio'], sets);
    },
  );

  it.concurrent('of a CSV, where two tenants have the same numbers, by an edge: outbound proxy, Path, Service-Route', async () => {
    const [host, edge] = [ownAddress(70), ownAddress(71)];
    const file = join(OUT, 'phones.csv');
    const rows = ['north.test', 'south.test'].flatMap((domain) =>
      Array.from({ length: PHONES / 2 }, (_, i) => `${1001 + i};${domain};secret-${i}-${domain}`),
    );
    const csv = `SEQUENTIAL\n${rows.join('\n')}\n`;
    writeFileSync(file, csv);
    const users = parseUsers(csv, file, host, 1);
    const kamailio = await startKamailio({ host, users, serviceRoute: `sip:${host}:5060;lr` });
    try {
      const stopEdge = await startEdge(edge, host);
      const sets = [`users=${file}`, `outboundProxy=sip:${edge}:5060;lr`];
      await phonesCall(join(OUT, 'csv'), PHONES, ['--target', `sip:${host}:5060`], sets).finally(stopEdge);
    } finally {
      await kamailio.stop();
    }
  });
});
