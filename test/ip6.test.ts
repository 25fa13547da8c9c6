import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Verdict } from '../harness/verdict/types.js';
import { type CliResult, runCommand, startCli } from './support/cli.js';
import { freePort } from './support/ports.js';
import { answerWithSipp, callWithSipp, describeWithSipp } from './support/sipp.js';

/** Calls over [::1], against SIPp and against ourselves. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-ip6-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const HOST = '::1';
const CALLS = 100;
const SIGNALLING = { media: 'none', quietCps: 0, quietMs: 500, holdMsMin: 100, holdMsMax: 300, burst: CALLS };
let runs = 0;

async function dial(target: string, set: object): Promise<{ cli: CliResult; verdict: Verdict; dir: string }> {
  const out = join(OUT, String(runs++));
  const sets = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const cli = await runCommand(['run', 'peak-dial', '--target', target, '--out', out, '--no-default-budgets', ...sets]);
  const dir = join(out, readdirSync(out)[0]!);
  return { cli, verdict: JSON.parse(readFileSync(join(dir, 'verdict.json'), 'utf8')) as Verdict, dir };
}

describeWithSipp('over [::1], against SIPp', () => {
  it.each([
    ['udp', 'u1'],
    ['tcp', 't1'],
  ] as const)('%s: calls to its -sn uas, none fails', async (transport, t) => {
    const sipp = await answerWithSipp('uas', { host: HOST, calls: CALLS, transport: t });
    try {
      const { verdict } = await dial(`sip:service@[${HOST}]:${sipp.port};transport=${transport}`, SIGNALLING);
      expect(verdict.calls).toMatchObject({ total: CALLS, answered: CALLS, completed: CALLS, bad: 0 });
      expect(await sipp.done).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0 });
    } finally {
      await sipp.stop();
    }
  });

  it.each([
    ['udp', 'u1'],
    ['tcp', 't1'],
  ] as const)('%s: calls of its -sn uac to deadair uas, none fails', async (transport, t) => {
    const at = `[${HOST}]:${await freePort(HOST)}`;
    const uas = startCli(['uas', '--listen', at, '--transport', transport, '--media', 'none', '--json']);
    await uas.says(/^deadair: listening on \[::1\]:/m);
    const sipp = await (await callWithSipp(at, { host: HOST, calls: CALLS, rate: 300, transport: t })).done;
    uas.interrupt();
    const { code, stdout } = await uas.done;
    expect(sipp).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0 });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      received: CALLS,
      completed: CALLS,
      noAck: 0,
      open: 0,
      parseRejected: 0,
    });
  });
});

describe('over [::1], against ourselves', () => {
  it('audio both ways, from sockets; what raw cannot do is named', async () => {
    const at = `[${HOST}]:${await freePort(HOST)}`;
    const uas = startCli(['uas', '--listen', at, '--json']);
    await uas.says(/^deadair: listening on \[::1\]:.*media (sockets|dgram)/m);
    const calls = { quietCps: 0, quietMs: 500, holdMsMin: 1500, holdMsMax: 1500, burst: 10 };
    const { verdict, dir } = await dial(`sip:service@${at}`, calls);
    uas.interrupt();
    const heard = JSON.parse((await uas.done).stdout) as { rtpReceived: number; rtpLost: number };
    expect(verdict.calls).toMatchObject({ answered: 10, completed: 10, bad: 0 });
    expect(verdict.media).toMatchObject({ judged: 10, oneWay: 0, deadAir: 0 });
    expect(['sockets', 'dgram']).toContain(verdict.generator.mediaBackend);
    expect(heard.rtpReceived).toBeGreaterThan(10 * 50);
    const { stdout } = await runCommand(['autopsy', dir, '1']);
    expect(stdout).toMatch(/send audio to \[::1\]:\d+/);
  });

  it('an address that is not loopback wants to be named, in whichever way it is written', async () => {
    const target = ['run', 'peak-dial', '--target', 'sip:[fd00:0:0::9]:5060', '--set', 'burst=1'];
    const refused = await runCommand(target);
    expect(refused.code).toBe(104);
    expect(refused.stderr).toContain('[fd00::9] is not ::1; if you may load it, add --authorise fd00::9');
    const other = await runCommand([...target, '--authorise', 'fd00::8']);
    expect(other.code).toBe(104);
  });
});
