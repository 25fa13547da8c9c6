import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../harness/errors.js';
import { makeCertificate } from '../harness/lab/certificate.js';
import type { Verdict } from '../harness/verdict/types.js';
import { runCommand, startCli } from './support/cli.js';
import { describeWithOpenssl } from './support/openssl.js';
import { freePort, ownAddress } from './support/ports.js';

/** Every transport through the whole house: phones, calls and audio at the embedded platform, and what cannot be. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-transports-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

let runs = 0;
async function run(scenario: string, set: Record<string, number | string>, flags: readonly string[] = []) {
  const out = join(OUT, String(runs++));
  const sets = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const cli = await runCommand(['run', scenario, '--out', out, '--no-default-budgets', ...sets, ...flags]);
  const [dir] = readdirSync(out);
  const verdict = JSON.parse(readFileSync(join(out, dir!, 'verdict.json'), 'utf8')) as Verdict;
  return { cli, verdict };
}

const CALLS = { quietCps: 0, quietMs: 500, burst: 20, holdMsMin: 500, holdMsMax: 900, ringMsMin: 0, ringMsMax: 50 };
const PHONES = { phones: 60, tenants: 6, bootMs: 500, atMs: 1000, watchMs: 4000, phonesPerConnection: 1 };

function throughTheHouse(transport: string): void {
  it(`20 calls with audio and 60 phones over ${transport}, at the embedded platform`, async () => {
    const calls = await run('peak-dial', { transport, ...CALLS });
    expect(calls.verdict.load).toMatchObject({ offered: 20, started: 20, ended: 20, open: 0 });
    expect(calls.verdict.calls).toMatchObject({ answered: 20, completed: 20 });
    expect(calls.verdict.calls.retransmissions).toMatchObject({ inviteSent: 0, byeSent: 0 });
    const phones = await run('registration-storm', { transport, ...PHONES });
    expect(phones.verdict.registrations).toMatchObject({ phones: 60, registered: 60, timeouts: 0 });
  });
}

for (const transport of ['tcp', 'ws']) throughTheHouse(transport);
describeWithOpenssl('with certificates', () => {
  for (const transport of ['tls', 'wss']) throughTheHouse(transport);
});

it('an outage over TCP cuts every connection, refuses new ones, and all phones come back', async () => {
  const outage = { ...PHONES, atMs: 2000, outageMs: 2000, watchMs: 9000, retryMs: 1000, overMs: 100 };
  const { verdict, cli } = await run('registration-storm', { transport: 'tcp', ...outage }, ['--incident', 'outage']);
  const { registrations, connections } = verdict;
  expect(registrations).toMatchObject({ phones: 60, timeouts: 0 });
  // Each phone was refused at least once, and registered before and after.
  expect(registrations!.failed).toBeGreaterThanOrEqual(60);
  expect(registrations!.registered).toBeGreaterThanOrEqual(120);
  expect(connections).toMatchObject({ openMax: 60, accepted: 0, tlsFailed: 0, noRoom: 0 });
  const { made, redialled, refused, closed, reset, dialled } = connections!;
  expect(made).toBeGreaterThanOrEqual(120);
  expect(redialled).toBe(dialled - 60);
  expect(refused).toBeGreaterThanOrEqual(60);
  expect(closed + reset).toBeGreaterThanOrEqual(60);
  expect(cli.stdout).toMatch(/^links +[\d,]+ dialled \([\d,]+ of them anew\), .* refused \d+/m);
  // Of 60 phones it says nothing: the workers' own tables are more than that.
  expect(verdict.generator.bytesPerPhone).toBeUndefined();
});

describeWithOpenssl('certificates', () => {
  it('one that is not trusted: no call, one line; trusted by tls_ca, or unchecked with a warning: calls', async () => {
    const host = ownAddress(60);
    const at = `${host}:${await freePort(host)}`;
    const { cert, key } = makeCertificate([host]);
    const [certFile, keyFile] = [join(OUT, 'cert.pem'), join(OUT, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const files = ['--tls-cert', certFile, '--tls-key', keyFile];
    const uas = startCli(['uas', '--listen', at, '--transport', 'tls', ...files, '--media', 'none']);
    await uas.says(/^deadair: listening on .*TLS/m);
    const set = { ...CALLS, media: 'none', burst: 5 };
    const target = ['--target', `sips:x@${at}`];
    const refused = await run('peak-dial', set, target);
    expect(refused.cli).toMatchObject({ code: EXIT.INVALID });
    expect(refused.cli.stderr).toMatch(/does not answer: the TLS handshake failed; .*tls_ca=FILE/);
    const trusted = await run('peak-dial', { ...set, tls_ca: certFile }, target);
    expect(trusted.verdict.calls).toMatchObject({ completed: 5 });
    const unchecked = await run('peak-dial', { ...set, tls_verify: 'off' }, target);
    expect(unchecked.verdict.calls).toMatchObject({ completed: 5 });
    expect(unchecked.cli.stdout).toMatch(/WARNING tls-unverified/);
    expect(trusted.cli.stdout).not.toMatch(/WARNING/);
    uas.interrupt();
    await uas.done;
  });
});

describe.concurrent('what does not fit together is one line and 104', () => {
  const cases: [string[], RegExp][] = [
    [['--set', 'transport=tcp', '--simulate'], /--simulate: the simulated network carries datagrams only/],
    [['--set', 'tls_verify=off'], /--set tls_verify=off: transport udp has no certificates/],
    [['--set', 'transport=ws', '--set', 'tls_ca=x'], /--set tls_ca: transport ws has no certificates/],
    [['--set', 'transport=tls', '--set', 'tls_ca=x'], /--set tls_ca: the embedded platform makes its own authority/],
    [['--target', 'sips:a@127.0.0.1', '--set', 'tls_ca=/nowhere.pem'], /no such file, or not readable/],
    [['--target', 'sip:a@127.0.0.1;transport=tls', '--set', 'transport=ws'], /the target's URI says tls/],
    [['--target', 'sips:a@127.0.0.1;transport=udp'], /transport udp is not supported with sips:; it may be tls or wss/],
  ];
  for (const [flags, line] of cases) {
    it(flags.join(' '), async () => {
      const { code, stderr } = await runCommand(['run', 'peak-dial', '--out', join(OUT, 'bad'), ...flags]);
      expect(code).toBe(EXIT.BAD_CONFIG);
      expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(line)]);
    });
  }

  it('calls to phones that are not on UDP', async () => {
    const set = ['transport=tcp', 'phones=10', 'tenants=1', 'cps=1'].flatMap((s) => ['--set', s]);
    const { code, stderr } = await runCommand(['run', 'registration-storm', '--out', join(OUT, 'calls'), ...set]);
    expect(code).toBe(EXIT.BAD_CONFIG);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/calls registered phones over UDP only/)]);
  });

  it('more connections than open files', async () => {
    const set = ['transport=tcp', 'phones=100000', 'tenants=10', 'watchMs=1000'].flatMap((s) => ['--set', s]);
    const { code, stderr } = await runCommand(['run', 'registration-storm', '--out', join(OUT, 'many'), ...set]);
    expect(code).toBe(EXIT.BAD_CONFIG);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/100000 connections are more than the 16384/)]);
  });
});
