/** SIPp as peer and as rival. Files of a trial live in one folder that the caller made. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endsWithUs } from './children.js';

/** Socket buffers of each SIPp, both ways: its default of 64 KiB loses a burst of 100 INVITEs. */
const BUFFER_BYTES = 4 << 20;

/** 'v3.6.1' or null when there is no SIPp. */
export function sippVersion(): string | null {
  const out = spawnSync('sipp', ['-v'], { encoding: 'utf8' });
  return /SIPp (v[\d.]+)/.exec(out.stdout ?? '')?.[1] ?? null;
}

export interface SippCounts {
  created: number;
  successful: number;
  failed: number;
  retransmits: number;
}

export interface Sipp {
  child: ChildProcess;
  stats: string;
}

/** The scenarios lie beside the sources, which the compiled files are not. */
function scenario(name: string): string {
  const here = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(here) ? here : fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));
}

export function startSipp(file: string, name: string, dir: string, args: readonly string[]): Sipp {
  const stats = join(dir, `${name}.csv`);
  const common = ['-nostdin', '-trace_stat', '-stf', stats, '-fd', '3600', '-buff_size', String(BUFFER_BYTES)];
  const child = endsWithUs(
    spawn('sipp', ['-sf', scenario(file), ...common, ...args], { cwd: dir, stdio: ['ignore', 'ignore', 'ignore'] }),
  );
  return { child, stats };
}

/** Waits for the end, or ends it after the limit. Returns the exit code, or null when it was ended. */
export async function ended({ child }: Sipp, limitMs: number): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await once(child, 'exit');
  clearTimeout(timer);
  return child.exitCode;
}

/** SIGUSR1 lets SIPp finish and write its last statistics. */
export async function stopSipp(sipp: Sipp): Promise<void> {
  sipp.child.kill('SIGUSR1');
  await ended(sipp, 3_000);
}

/** Last line of -trace_stat, cumulative columns. */
export function countsOf(sipp: Sipp): SippCounts {
  const lines = readFileSync(sipp.stats, 'utf8').trim().split('\n');
  const names = lines[0]!.split(';');
  const values = lines.at(-1)!.split(';');
  const get = (name: string): number => Number(values[names.indexOf(name)]);
  return {
    created: get('TotalCallCreated'),
    successful: get('SuccessfulCall(C)'),
    failed: get('FailedCall(C)'),
    retransmits: get('Retransmissions(C)'),
  };
}
