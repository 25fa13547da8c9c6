import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Docker } from '../../harness/lab/docker/engine.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from './cli.js';
import { runBeside } from './docker.js';

/** The longer form of the lab's tests: `npm run test:lab`. */
export const FULL = process.env.DEADAIR_LAB === 'full';

const SIPP_IMAGE = 'deadair/sipp:0.1.0';
const out = mkdtempSync(join(tmpdir(), 'deadair-lab-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

export interface LabRun {
  verdict: Verdict;
  dir: string;
  code: number | null;
  stderr: string;
}

/** `deadair run peak-dial --stack NAME ...`, as a user types it. */
export async function runOnStack(stack: string, ...args: string[]): Promise<LabRun> {
  return runScenario('peak-dial', stack, ...args);
}

export async function runScenario(scenario: string, stack: string, ...args: string[]): Promise<LabRun> {
  const all = ['run', scenario, '--stack', stack, '--json', '--out', out, ...args];
  const before = new Set(readdirSync(out));
  const { stdout, stderr, code } = await runCommand(all, { limitMs: 400_000 });
  const name = readdirSync(out).find((entry) => !before.has(entry));
  if (name === undefined || stdout === '') throw new Error(`${all.join(' ')}: ${stderr}`);
  const dir = join(out, name);
  return { verdict: JSON.parse(stdout) as Verdict, dir, code, stderr };
}

/** SIPp at both ends, from behind the router to the carrier's side: what its caller says. */
export async function sippThrough(docker: Docker, stack: string, calls: number): Promise<string> {
  const files = resolve(import.meta.dirname, '../sipp');
  const edge = stack === 'naive' ? '10.213.20.10' : '10.213.60.10';
  const common = ['-m', String(calls), '-timeout', '60', '-nostdin'];
  const callee = runBeside(
    docker,
    { stack, service: 'callees' },
    { image: SIPP_IMAGE, files, command: ['-sn', 'uas', ...common] },
  );
  const caller = await runBeside(
    docker,
    { stack, service: 'subscribers' },
    {
      image: SIPP_IMAGE,
      files,
      command: [
        ...['-sf', '/files/through-proxies.xml', `${edge}:5060`, '-s', '15551230000', '-i', lanOf(stack), '-p', '5070'],
        // Its process number is the same in every container, and so would its Call-IDs be.
        ...['-r', '10', '-d', '1000', '-cid_str', `%u-${calls}-%p@%s`, ...common],
      ],
    },
  );
  expect(caller, caller.words).toMatchObject({ code: 0 });
  await callee;
  return caller.words;
}

function lanOf(stack: string): string {
  return stack === 'naive' ? '10.213.11.20' : '10.213.51.20';
}
