import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usersOf, webphoneUsersOf } from '../../harness/lab/kamailio/users.js';
import { loadScenario } from '../../harness/plan/load.js';
import { resolvePlan } from '../../harness/plan/resolve.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { ASTERISK_WS, type Asterisk, describeWithAsterisk, startAsterisk } from '../support/asterisk.js';
import { runCommand } from '../support/cli.js';

/** Our phones at an Asterisk that Debian built: res_pjsip, digest, its media between the phones. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-asterisk-runs-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const PHONES = 40;
const WEBPHONES = 4;
const STORM = [`phones=${PHONES}`, 'tenants=4', 'phase=storm', 'bootMs=1000', 'atMs=3000', 'watchMs=12000'];
let runs = 0;

async function run(asterisk: Asterisk, scenario: string, set: readonly string[]): Promise<Verdict> {
  const out = join(OUT, String(runs++));
  const at = ['--target', `sip:${asterisk.ip}:5060`, '--authorise', asterisk.ip];
  const cli = await runCommand(['run', scenario, ...at, '--out', out, ...set.flatMap((s) => ['--set', s])]);
  expect(cli).toMatchObject({ signal: null, leftRunning: false });
  return JSON.parse(readFileSync(join(out, readdirSync(out)[0]!, 'verdict.json'), 'utf8')) as Verdict;
}

describeWithAsterisk('the real Asterisk 22', () => {
  let asterisk: Asterisk;
  beforeAll(async () => {
    const plan = resolvePlan(await loadScenario('registration-storm'), { target: 'sip:127.0.0.1', set: STORM });
    const users = [
      ...usersOf(plan.registrations!, null, plan.seed),
      ...webphoneUsersOf({ count: WEBPHONES }, plan.seed),
    ];
    asterisk = await startAsterisk(users);
  });
  afterAll(() => asterisk?.stop());

  it('phones register with digest on UDP, and sip.js webphones on WS call and are called, with audio both ways', async () => {
    const sets = [`webphones=${WEBPHONES}`, `webphones.server=${ASTERISK_WS(asterisk.ip)}`, 'webphones.holdMs=4000'];
    const verdict = await run(asterisk, 'registration-storm', [...STORM, ...sets]);
    expect(verdict.registrations).toMatchObject({ phones: PHONES, registeredAtEnd: PHONES, failed: 0 });
    expect(verdict.registrations!.challenged).toBeGreaterThanOrEqual(PHONES);
    const { webphones } = verdict.witness!;
    expect(webphones).toMatchObject({ phones: WEBPHONES, registered: WEBPHONES, failed: 0, broken: 0 });
    expect(webphones.tried).toBeGreaterThanOrEqual(WEBPHONES);
    expect(webphones.heardBoth).toBe(webphones.tried);
    // By its own count: webphones took their bindings back when they went.
    expect(asterisk.cli('pjsip show contacts')).toMatch(new RegExp(`Objects found: ${PHONES}\\b`));
  });

  it('answers our calls, and its tone is heard', async () => {
    const sets = ['burst=10', 'quietMs=1000', 'quietCps=0', 'holdMsMin=3000', 'holdMsMax=3000'];
    const verdict = await run(asterisk, 'peak-dial', sets);
    expect(verdict.calls).toMatchObject({ total: 10, answered: 10, completed: 10, dropped: 0 });
    expect(verdict.media).toMatchObject({ judged: 10, deadAir: 0, oneWay: 0 });
  });
});
