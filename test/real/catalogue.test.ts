import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Verdict } from '../../harness/verdict/types.js';

/**
 * Every incident of peak-dial and its cure on real sockets, as a user runs them: the command line, the full size. Four at
 * a time: most of a run is talk and waiting for timers, and one that was disturbed says so and is run again. DEADAIR_REAL_RUNS says how often (default 1).
 */
const CLI = fileURLToPath(new URL('../../dist/harness/cli/main.js', import.meta.url));
const RUNS = Number(process.env.DEADAIR_REAL_RUNS ?? 1);
const AT_ONCE = 4;
const INVALID = 112;

const CASES: { incident: string; cause: string | null; cures: boolean }[] = [
  { incident: 'none', cause: null, cures: false },
  { incident: 'nat-table', cause: 'nat-table-full', cures: true },
  { incident: 'rtp-ports', cause: 'rtp-port-exhausted', cures: true },
  { incident: 'trunk-cps', cause: 'trunk-cps-limit', cures: true },
  { incident: 'trunk-channels', cause: 'trunk-channel-limit', cures: true },
  { incident: 'db-stall', cause: 'db-stall', cures: true },
  { incident: 'misrouted', cause: 'misrouted-in-dialog', cures: true },
  { incident: 'session-timer', cause: 'session-expired', cures: true },
  { incident: 'packet-loss', cause: 'packet-loss', cures: false },
];

const out = mkdtempSync(join(tmpdir(), 'deadair-real-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

let free = AT_ONCE;
const queue: (() => void)[] = [];
async function turn<T>(work: () => Promise<T>): Promise<T> {
  if (free === 0) await new Promise<void>((go) => queue.push(go));
  else free--;
  try {
    return await work();
  } finally {
    const next = queue.shift();
    if (next === undefined) free++;
    else next();
  }
}

function run(args: string[]): Promise<{ code: number; verdict: Verdict }> {
  return new Promise((resolve, reject) => {
    const argv = [CLI, 'run', 'peak-dial', '--json', '--out', out, ...args];
    execFile(process.execPath, argv, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      try {
        resolve({ code, verdict: JSON.parse(stdout) as Verdict });
      } catch {
        reject(new Error(`no verdict (exit ${code}): ${stderr}`));
      }
    });
  });
}

/** A machine that was busy with something else gives an INVALID run: that says so itself, and is measured again. */
async function measured(args: string[]): Promise<{ code: number; verdict: Verdict }> {
  for (let attempt = 1; ; attempt++) {
    const result = await turn(() => run(args));
    if (result.code !== INVALID || attempt === 3) return result;
  }
}

describe.concurrent(`incidents on real sockets, ${RUNS} run(s) each`, () => {
  for (let n = 1; n <= RUNS; n++) {
    for (const { incident, cause, cures } of CASES) {
      it(`${incident} is ${cause === null ? 'healthy' : `named ${cause}`}, run ${n}`, async () => {
        const { code, verdict } = await measured(['--incident', incident, '--seed', String(100 + n)]);
        expect(verdict.outcome).toMatchObject({ word: cause === null ? 'PASS' : 'FAIL' });
        expect(code).toBe(cause === null ? 0 : 99);
        const bad = verdict.calls.bad;
        const named = verdict.causes.find((c) => c.cause === cause)?.calls ?? 0;
        if (cause === null) {
          expect(verdict.causes).toEqual([]);
          expect(bad).toBe(0);
        } else {
          expect(bad).toBeGreaterThan(10);
          expect(named / bad).toBeGreaterThanOrEqual(0.95);
        }
      });
      if (cures) {
        it(`${incident} is cured, run ${n}`, async () => {
          const { code, verdict } = await measured(['--incident', incident, '--cured', '--seed', String(100 + n)]);
          expect(verdict.causes).toEqual([]);
          expect(verdict.calls.bad).toBe(0);
          expect(verdict.outcome.word).toBe('PASS');
          expect(code).toBe(0);
        });
      }
    }
  }
});
