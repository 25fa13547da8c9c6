import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../harness/errors.js';
import type { Verdict } from '../harness/verdict/types.js';
import { type CliResult, runCommand, startCli } from './support/cli.js';
import { freePort, ownAddress } from './support/ports.js';

/** What a user gets wrong, or finds broken: one clear line, the documented exit code, nothing left running. */
const DIR = mkdtempSync(join(tmpdir(), 'deadair-errors-'));
const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.close();
  rmSync(DIR, { recursive: true, force: true });
});

/** A socket that hears and says nothing; returns its port. */
function silentSocket(host: string): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  return new Promise((resolve) => socket.bind(0, host, () => resolve(socket.address().port)));
}

function scenarioFile(name: string, text: string): string {
  const file = join(DIR, name);
  writeFileSync(file, text);
  return file;
}

/** Progress lines aside, standard error is one line, and it matches. */
function expectOneLine({ code, signal, stdout, stderr, leftRunning }: CliResult, exit: number, line: RegExp): void {
  const said = stderr
    .split('\n')
    .filter((text) => text !== '' && !/^[\w-]+ {2}\d+ s \(at most \d+ s\) {2}offered /.test(text));
  expect(said).toEqual([expect.stringMatching(line)]);
  expect({ code, signal, stdout, leftRunning }).toEqual({ code: exit, signal: null, stdout: '', leftRunning: false });
}

const BROKEN_TYPES = `import { defineScenario } from 'deadair';
export default defineScenario({ name: 'mine', summary: 'x', params: {}, build: () => ({ arrivals: 'many' }), budgets: [] });
`;

describe.concurrent('what cannot be used is one line and 104', () => {
  const run = (...flags: string[]): string[] => ['run', 'peak-dial', '--out', join(DIR, 'never'), ...flags];
  const cases: [name: string, args: () => string[], line: RegExp][] = [
    [
      'unknown scenario',
      () => ['run', 'peak-dail'],
      /^deadair: there is no scenario peak-dail \(did you mean peak-dial\?\)/,
    ],
    [
      'unknown incident',
      () => run('--incident', 'nat-tabel'),
      /^deadair: scenario peak-dial has no incident nat-tabel.*nat-table/,
    ],
    [
      'scenario file that is not there',
      () => ['run', './nowhere.ts'],
      /^deadair: there is no scenario file \.\/nowhere\.ts/,
    ],
    [
      'scenario file with a syntax error',
      () => ['run', scenarioFile('syntax.ts', 'export default {\n  name: "x",,\n};\n')],
      /^deadair: scenario .*syntax\.ts:2: Unexpected token$/,
    ],
    [
      'scenario file with a wrong shape',
      () => ['run', scenarioFile('shape.ts', BROKEN_TYPES), '--out', DIR],
      /^deadair: scenario .*shape\.ts: build\(\).*arrivals/,
    ],
    [
      'scenario file that throws',
      () => ['run', scenarioFile('throws.ts', 'throw new Error("no licence");\n')],
      /^deadair: scenario .*throws\.ts:1: Error: no licence$/,
    ],
    [
      'budget on a metric that does not exist',
      () => run('--budget', 'happiness: rate>0.9'),
      /^deadair: budget .*: there is no metric happiness/,
    ],
    ['budget that is no expression', () => run('--budget', 'asr: lots'), /^deadair: .*asr/],
    [
      '--set of an unknown parameter',
      () => run('--set', 'burts=5'),
      /^deadair: --set burts=5: there is no parameter burts.*burst/,
    ],
    ['--set of a bad value', () => run('--set', 'burst=many'), /^deadair: --set burst=many: burst must be a number/],
    ['--set without a value', () => run('--set', 'burst'), /^deadair: --set burst: expected key=value/],
    [
      'target that is no SIP URI',
      () => run('--target', 'http://127.0.0.1'),
      /^deadair: --target http:.*expected a SIP URI/,
    ],
    [
      'target outside loopback without authorisation',
      () => run('--target', 'sip:a@192.0.2.1'),
      /^deadair: --target sip:a@192\.0\.2\.1: 192\.0\.2\.1 is outside 127\.0\.0\.0\/8; .*--authorise 192\.0\.2\.1$/,
    ],
    [
      '--out below a file',
      () => ['run', 'peak-dial', '--out', '/dev/null/x'],
      /^deadair: --out \/dev\/null\/x: cannot be made \(\w+\)/,
    ],
    [
      '--log-file that cannot be opened',
      () => run('--log-file', '/dev/null/x'),
      /^deadair: --log-file \/dev\/null\/x: cannot be opened/,
    ],
    [
      'autopsy of an unknown run',
      () => ['autopsy', join(DIR, 'no-such-run')],
      /^deadair: no recorded run in .*no-such-run/,
    ],
  ];
  for (const [name, args, line] of cases) {
    it(name, async () => expectOneLine(await runCommand(args()), EXIT.BAD_CONFIG, line));
  }

  // A parent that exists and takes no directory: Node 20's own recursive mkdir never returns from it.
  for (const out of ['/proc', '/proc/deadair']) {
    it.skipIf(!existsSync('/proc/self'))(`--out ${out}`, async () => {
      const line = /^deadair: .*\/proc\/.*: cannot be made \(\w+\); give a directory that can be written$/;
      expectOneLine(await runCommand(['run', 'peak-dial', '--out', out]), EXIT.BAD_CONFIG, line);
    });
  }

  it('port in use', async () => {
    const host = ownAddress(20);
    const at = `${host}:${await silentSocket(host)}`;
    const result = await runCommand(['uas', '--listen', at]);
    expectOneLine(result, EXIT.BAD_CONFIG, new RegExp(`^deadair: ${at} is in use: `));
  });
});

describe.concurrent('a target that does not answer is one line and 112', () => {
  const dial = (target: string): Promise<CliResult> =>
    runCommand([
      ...['run', 'peak-dial', '--target', `sip:a@${target}`, '--out', join(DIR, 'silent')],
      ...['--set', 'media=none', '--set', 'quietMs=200', '--set', 'burst=5'],
    ]);

  it('nobody listens there', async () => {
    const host = ownAddress(21);
    const at = `${host}:${await freePort(host)}`;
    const line = new RegExp(`^deadair: ${at} does not answer: nothing listens on that UDP port \\(ICMP`);
    expectOneLine(await dial(at), EXIT.INVALID, line);
  });

  it('somebody listens and is silent', async () => {
    const host = ownAddress(22);
    const at = `${host}:${await silentSocket(host)}`;
    expectOneLine(await dial(at), EXIT.INVALID, new RegExp(`^deadair: ${at} does not answer: no reply to any request`));
  });
});

describe.concurrent('SIGINT in mid-run', () => {
  it('hangs up, saves what was measured, and exits 105', async () => {
    const host = ownAddress(23);
    const at = `${host}:${await freePort(host)}`;
    const out = join(DIR, 'interrupted');
    const uas = startCli(['uas', '--listen', at, '--media', 'none', '--json']);
    await uas.says(/listening on /);
    const run = startCli([
      ...['run', 'peak-dial', '--target', `sip:a@${at}`, '--out', out, '--no-default-budgets'],
      ...['--set', 'media=none', '--set', 'quietMs=100', '--set', 'quietCps=0', '--set', 'burst=20'],
      // Calls that would come later were never offered.
      ...['--set', 'plateauCps=1', '--set', 'plateauMs=60000'],
    ]);
    await run.says(/answered 2\d /);
    run.interrupt();
    const { code, stdout, stderr, leftRunning } = await run.done;
    expect({ code, leftRunning }).toEqual({ code: EXIT.INTERRUPTED, leftRunning: false });
    expect(stderr).toMatch(/^deadair: SIGINT: stopping, results are being saved/m);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toContain('report: ');
    const [runId] = readdirSync(out);
    const files = ['causes.parquet', 'env.json', 'legs.parquet', 'plan.json', 'report.html', 'verdict.json'];
    expect(readdirSync(join(out, runId!))).toEqual(expect.arrayContaining(files));
    const { load, calls, run: about } = JSON.parse(readFileSync(join(out, runId!, 'verdict.json'), 'utf8')) as Verdict;
    expect(about.interrupted).toBe('interrupted');
    expect(load).toMatchObject({ blocked: 0, started: load.offered, ended: load.offered, open: 0 });
    expect(calls).toMatchObject({ completed: load.offered, bad: 0 });

    uas.interrupt();
    const answered = await uas.done;
    expect(answered.code).toBe(EXIT.PASS);
    // Every BYE came.
    expect(JSON.parse(answered.stdout)).toMatchObject({ received: load.offered, completed: load.offered, open: 0 });
  });

  it('twice ends at once, even while a database is locked', async () => {
    const run = startCli([
      ...['run', 'peak-dial', '--incident', 'db-stall', '--out', join(DIR, 'twice'), '--set', 'media=none'],
      ...['--set', 'stallAtMs=500', '--set', 'stallMs=60000', '--set', 'holdMsMin=100', '--set', 'holdMsMax=200'],
    ]);
    await run.says(/ offered [1-9]/);
    run.interrupt();
    await run.says(/SIGINT: stopping/);
    run.interrupt();
    const { code, signal, stderr, leftRunning } = await run.done;
    expect({ code, signal, leftRunning }).toEqual({ code: EXIT.INTERRUPTED, signal: null, leftRunning: false });
    expect(stderr).not.toMatch(/panicked|^ +at /m);
  });
});
