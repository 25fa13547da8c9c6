import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Progress } from '../engine/types.js';
import { EXIT, HarnessError } from '../errors.js';
import { netRaw, nodeVersion, openFiles, portRange, receiveBuffer } from './checks.js';
import { exitCodeOf } from './demo.js';

import { table } from './output.js';
import { report, runCli } from './program.js';
import { describe as describeProgress, progressPrinter } from './progress.js';

let out = '';
let err = '';
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

describe('the command line', () => {
  it.each([
    ['run', "deadair: missing required argument 'scenario'\n"],
    ['run peak-dial --seeed 1', "deadair: unknown option '--seeed' (Did you mean --seed?)\n"],
    ['frobnicate', "deadair: unknown command 'frobnicate'\n"],
    ['run peak-dial --seed x', 'deadair: --seed x: must be a whole number from 0 to 4294967295\n'],
    [
      'uas --listen 127.0.0.1',
      'deadair: --listen 127.0.0.1: expected host:port, for example 127.0.0.1:5060 or [::1]:5060\n',
    ],
    ['uas --listen 0.0.0.0:5060', 'deadair: --listen 0.0.0.0:5060: 0.0.0.0 is no address of one host; name one\n'],
  ])('%s is one line and 104', async (line, said) => {
    expect(await runCli(line.split(' '))).toBe(EXIT.BAD_CONFIG);
    expect(err).toBe(said);
    expect(out).toBe('');
  });

  it('refuses an --out that cannot be made', async () => {
    expect(await runCli(['run', 'peak-dial', '--out', '/dev/null/x'])).toBe(EXIT.BAD_CONFIG);
    // ENOTDIR or EEXIST, by the version of Node.
    expect(err).toMatch(
      /^deadair: --out \/dev\/null\/x: cannot be made \(E\w+\); give a directory that can be written\n$/,
    );
  });

  it('lists scenarios, incidents and cures on standard output', async () => {
    expect(await runCli(['scenarios', 'peak-dial'])).toBe(EXIT.PASS);
    expect(out).toMatch(/^peak-dial: /);
    expect(out).toContain('nat.maxSessions');
    expect(out).toContain('no cure: the link is outside');
    expect(err).toBe('');
    out = '';
    await runCli(['scenarios', '--json']);
    expect(JSON.parse(out)[0].incidents[0].name).toBe('none');
  });

  it('shows a stack for bugs only', () => {
    expect(report(new HarnessError('PORT_IN_USE', 'port 5060 is taken'))).toBe(104);
    expect(err).toBe('deadair: port 5060 is taken\n');
    expect(report(new HarnessError('TARGET_SILENT', 'x'))).toBe(EXIT.INVALID);
    expect(report(new TypeError('ours'))).toBe(EXIT.INTERNAL);
    expect(err).toMatch(/TypeError: ours\n +at /);
  });
});

describe('doctor', () => {
  it('reads what the system says', () => {
    expect(nodeVersion('20.18.3').state).toBe('missing');
    expect(nodeVersion('24.0.0').state).toBe('ok');
    expect(netRaw('Name:\tnode\nCapEff:\t0000000000002000\n').state).toBe('ok');
    expect(netRaw('CapEff:\t000001ffffffdfff\n').state).toBe('warn');
    expect(netRaw(undefined).state).toBe('warn');
    const limits = 'Max open files            1024                 20000                files     \n';
    expect(openFiles(limits)).toMatchObject({ state: 'warn', found: 'soft 1024, hard 20000', mend: 'ulimit -n 20000' });
    expect(receiveBuffer('212992\n').state).toBe('warn');
    expect(receiveBuffer(undefined)).toMatchObject({ state: 'warn', found: 'unknown' });
    expect(portRange('32768\t60999\n')).toMatchObject({ state: 'ok', found: '32768-60999' });
  });

  it('prints one line for each check', async () => {
    expect(await runCli(['doctor', '--json'])).toBe(EXIT.PASS);
    const checks = JSON.parse(out) as { name: string; state: string; mend: string }[];
    expect(checks.map((c) => c.name)).toContain('CAP_NET_RAW');
    for (const c of checks) expect(c.mend === '').toBe(c.state === 'ok');
  });
});

describe('progress', () => {
  const at = (tMs: number): Progress => ({
    ...{ tMs, endMs: 47_000, offered: 170, started: 170, blocked: 0, open: 5, answered: 170, ended: 165, bad: [] },
  });

  it('tells how calls went bad so far, the most first', () => {
    const bad: Progress['bad'] = [
      ['503', 12],
      ['dropped (Q.850 44)', 3],
    ];
    expect(describeProgress('x', { ...at(5000), bad })).toMatch(
      /ended 165 {2}BAD 15 \(12 × 503, 3 × dropped \(Q\.850 44\)\)$/,
    );
  });

  it('is a plain line every 5 s without a terminal', () => {
    const written: string[] = [];
    const printer = progressPrinter({ write: (text) => written.push(text) });
    for (let t = 0; t <= 12_000; t += 500) printer.update('peak-dial', at(t));
    printer.done();
    expect(written).toHaveLength(3);
    expect(written[1]).toBe(
      'peak-dial  5 s (at most 47 s)  offered 170  started 170  answered 170  open 5  ended 165\n',
    );
  });

  it('tells of phones that register, beside calls or alone', () => {
    const phones = { phones: 1000, registered: 998, attempts: 1204, failed: 7, blocked: 0 };
    const alone = { ...at(5000), offered: 0, started: 0, answered: 0, open: 0, ended: 0, phones };
    expect(describeProgress('storm', alone)).toMatch(/^storm .* {2}registered 998\/1000 {2}attempts 1204 {2}failed 7$/);
    expect(describeProgress('peak', { ...at(5000), phones: { ...phones, blocked: 3 } })).toMatch(
      /ended 165 {2}registered 998\/1000 .* BLOCKED 3$/,
    );
  });

  it('is one rewritten line on a terminal, no wider than it', () => {
    const written: string[] = [];
    let now = 0;
    const printer = progressPrinter({ write: (text) => written.push(text), isTTY: true, columns: 40 }, () => now);
    for (; now < 1000; now += 50) {
      printer.update('control', at(now));
      printer.update('naive', at(now));
    }
    printer.done();
    expect(written).toHaveLength(6);
    for (const text of written) {
      expect(text.endsWith('\x1b[K')).toBe(true);
      expect(text.slice(0, -3)).toMatch(/^\r[^\n\r]{0,39}$/);
    }
  });
});

describe('the demo', () => {
  it('passes when only the naive run fails', () => {
    const of = (control: 0 | 99 | 112, naive: 0 | 99 | 112, cured: 0 | 99 | 112) =>
      exitCodeOf(
        new Map([
          ['control', { exitCode: control }],
          ['naive', { exitCode: naive }],
          ['cured', { exitCode: cured }],
        ]),
      );
    expect(of(0, 99, 0)).toBe(0);
    expect(of(0, 112, 0)).toBe(112);
    expect(of(99, 99, 0)).toBe(99);
    expect(of(0, 99, 99)).toBe(99);
  });
});

it('tables have aligned columns and no trailing blanks', () => {
  expect(
    table([
      ['a', 'bb', ''],
      ['ccc', 'd', 'e'],
    ]),
  ).toBe('a    bb\nccc  d   e');
});
