import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { describeWith } from './judges.js';
import { freePort } from './ports.js';

/** SIPp 3.6 or later on PATH: the program we did not write. */
const SIPP = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((dir) => (isProgram(join(dir, 'sipp')) ? ['sipp'] : []))[0];
const MISSING = 'SIPp is not on PATH: apt-get install sip-tester';

/** Those that still run: a test that failed half-way did not wait for its own. */
const live = new Set<ChildProcess>();
afterAll(() => {
  for (const child of live) child.kill('SIGKILL');
});

/** Tests that need SIPp. */
export function describeWithSipp(name: string, tests: () => void): void {
  describeWith(SIPP !== undefined ? null : MISSING, name, tests);
}

export interface SippResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  created: number;
  successful: number;
  failed: number;
  retransmissions: number;
  /** What it complained about. */
  errors: string;
}

export interface Sipp {
  host: string;
  port: number;
  done: Promise<SippResult>;
  stop(): Promise<SippResult>;
}

interface SippOptions {
  host: string;
  calls: number;
  /** t1: one TCP connection, tn: one for each call. Default: one UDP socket. */
  transport?: 'u1' | 't1' | 'tn';
  /** Its own -timeout does not always end a scenario, so it is ended from outside. */
  limitMs?: number;
}

/** A SIPp that answers `calls` calls: `uas` is its built-in one, anything else a file of test/sipp/. Listens when resolved. */
export async function answerWithSipp(scenario: string, options: SippOptions): Promise<Sipp> {
  const port = await freePort(options.host);
  const sipp = start(scenario === 'uas' ? ['-sn', 'uas'] : ['-sf', fileOf(scenario)], port, options);
  let over = false;
  void sipp.done.then(() => {
    over = true;
  });
  while (!over && !isBound(options, port)) await sleep(20);
  if (over) throw new Error(`SIPp ended at once: ${JSON.stringify(await sipp.done)}`);
  return sipp;
}

/** SIPp's built-in caller, or one of test/sipp/, at `rate` calls a second. */
export async function callWithSipp(
  target: string,
  options: SippOptions & { rate: number; scenario?: string },
): Promise<Sipp> {
  const { scenario } = options;
  const which = scenario === undefined ? ['-sn', 'uac'] : ['-sf', fileOf(scenario)];
  const args = [...which, target, '-r', String(options.rate), '-d', '200'];
  return start(args, await freePort(options.host), options);
}

const fileOf = (scenario: string): string => fileURLToPath(new URL(`../sipp/${scenario}.xml`, import.meta.url));

function start(args: string[], port: number, { host, calls, limitMs = 60_000, transport = 'u1' }: SippOptions): Sipp {
  const dir = mkdtempSync(join(tmpdir(), 'deadair-sipp-'));
  const [stats, errors] = [join(dir, 'stats.csv'), join(dir, 'errors.log')];
  const common = [
    '-i',
    host,
    '-p',
    String(port),
    '-m',
    String(calls),
    '-nostdin',
    '-fd',
    '1',
    '-t',
    transport,
    ...(transport === 'tn' ? ['-max_socket', '1000'] : []),
  ];
  const traces = ['-trace_stat', '-stf', stats, '-trace_err', '-error_file', errors];
  const child = spawn(SIPP!, [...args, ...common, ...traces], { cwd: dir, stdio: 'ignore' });
  live.add(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const done = new Promise<SippResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      live.delete(child);
      const result = { code, signal, ...lastStatistics(stats), errors: existsSync(errors) ? read(errors) : '' };
      rmSync(dir, { recursive: true, force: true });
      resolve(result);
    });
  });
  return {
    host,
    port,
    done,
    stop: () => {
      child.kill('SIGKILL');
      return done;
    },
  };
}

function read(file: string): string {
  return readFileSync(file, 'latin1');
}

/** The last line of SIPp's statistics file; (C) columns are cumulative. */
function lastStatistics(file: string): Pick<SippResult, 'created' | 'successful' | 'failed' | 'retransmissions'> {
  const lines = existsSync(file) ? read(file).trim().split('\n') : [];
  const names = (lines[0] ?? '').split(';');
  const values = (lines.length > 1 ? lines.at(-1)! : '').split(';');
  const of = (name: string): number => Number(values[names.indexOf(name)] ?? Number.NaN);
  return {
    created: of('TotalCallCreated'),
    successful: of('SuccessfulCall(C)'),
    failed: of('FailedCall(C)'),
    retransmissions: of('Retransmissions(C)'),
  };
}

/** /proc/net/udp and tcp have addresses as words of a little-endian machine: 127.0.0.1:5060 is 0100007F:13C4. */
function isBound({ host, transport = 'u1' }: SippOptions, port: number): boolean {
  const hex = (n: number, width: number): string => n.toString(16).toUpperCase().padStart(width, '0');
  const is6 = host.includes(':');
  if (is6 && host !== '::1') throw new Error(`${host}: of IPv6 only ::1 is known here`);
  const parts = host.split('.').reverse();
  const address = is6 ? `${'0'.repeat(24)}01000000` : parts.map((part) => hex(Number(part), 2)).join('');
  const file = `/proc/net/${transport === 'u1' ? 'udp' : 'tcp'}${is6 ? '6' : ''}`;
  return read(file).includes(` ${address}:${hex(port, 4)} `);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
