import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { startKamailio } from '../../harness/lab/kamailio/kamailio.js';
import { webphoneUsersOf } from '../../harness/lab/kamailio/users.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';
import { ownAddress } from '../support/ports.js';

/** sip.js, which we did not write, through Kamailio, which we did not write. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-webphones-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const STORM = ['phones=20', 'tenants=2', 'bootMs=1000', 'atMs=2000', 'watchMs=12000'];
const sets = (...set: string[]): string[] =>
  [...STORM, 'webphones=4', 'webphones.holdMs=4000', ...set].flatMap((s) => ['--set', s]);
let runs = 0;

async function run(...args: string[]): Promise<Verdict> {
  const out = join(OUT, String(runs++));
  const cli = await runCommand(['run', 'registration-storm', '--out', out, ...args]);
  expect(cli).toMatchObject({ signal: null, leftRunning: false });
  return JSON.parse(readFileSync(join(out, readdirSync(out)[0]!, 'verdict.json'), 'utf8')) as Verdict;
}

describeWithKamailio('webphones through the real Kamailio', () => {
  it.each(['ws', 'wss'])('%s: register, call, are called, hang up, with audio both ways', async (transport) => {
    const verdict = await run('--stack', 'kamailio', ...sets(`webphones.transport=${transport}`));
    const { webphones } = verdict.witness!;
    expect(webphones).toMatchObject({ phones: 4, registered: 4, failed: 0, broken: 0 });
    expect(webphones.tried).toBeGreaterThanOrEqual(4);
    expect(webphones.connected).toBe(webphones.tried);
    expect(webphones.judged).toBe(webphones.tried);
    expect(webphones.heardBoth).toBe(webphones.tried);
    expect(verdict.budgets.filter((b) => b.text.startsWith('webphone_')).map((b) => b.ok)).toEqual([true, true]);
  });

  it('wss: a certificate that nobody vouches for is refused, and the run says so', async () => {
    const host = ownAddress(52);
    const users = webphoneUsersOf({ count: 4 }, 1);
    const kamailio = await startKamailio({ host, users });
    const at = ['--target', `sip:${host}:5060`];
    const server = `webphones.server=wss://${host}:8443`;
    try {
      const other = fileURLToPath(new URL('other-authority.pem', import.meta.url));
      const distrusted = await run(...at, ...sets(server, `webphones.ca=${other}`));
      expect(distrusted.witness!.webphones).toMatchObject({ phones: 4, registered: 0, connected: 0 });
      expect(distrusted.budgets.find((b) => b.text.startsWith('webphone_asr'))!.ok).toBe(false);
      const trusted = await run(...at, ...sets(server, `webphones.ca=${kamailio.ca}`));
      expect(trusted.witness!.webphones).toMatchObject({ phones: 4, registered: 4, failed: 0 });
    } finally {
      await kamailio.stop();
    }
  });
});
