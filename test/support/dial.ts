import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Verdict } from '../../harness/verdict/types.js';
import { type CliResult, runCommand } from './cli.js';
import { ownAddress } from './ports.js';
import { answerWithSipp, type SippResult } from './sipp.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-sipp-runs-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

let runs = 0;
const sets = (set: Record<string, number | string>): string[] =>
  Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);

export interface Dialled {
  cli: CliResult;
  sipp: SippResult;
  verdict: Verdict;
}

/** peak-dial without audio and quiet time, at a SIPp that answers in its own way. `net`: of the test file's addresses. */
export async function dial(
  scenario: string,
  calls: number,
  set: Record<string, number | string>,
  flags: readonly string[] = [],
  net = 10,
): Promise<Dialled> {
  const host = ownAddress(net + runs);
  const out = join(OUT, String(runs++));
  const sipp = await answerWithSipp(scenario, { host, calls });
  const target = `sip:service@${host}:${sipp.port}`;
  const base = { media: 'none', quietCps: 0, quietMs: 1000, holdMsMin: 100, holdMsMax: 300, ...set };
  try {
    const cli = await runCommand(['run', 'peak-dial', '--target', target, '--out', out, ...sets(base), ...flags]);
    const [run] = readdirSync(out);
    const verdict = JSON.parse(readFileSync(join(out, run!, 'verdict.json'), 'utf8')) as Verdict;
    return { cli, sipp: await sipp.done, verdict };
  } finally {
    await sipp.stop();
  }
}
