import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../harness/errors.js';
import { type CliResult, runCommand, startCli } from './support/cli.js';

/** docs/exit-codes.md, row by row: each code as a command of the user's gives it. */
const DIR = mkdtempSync(join(tmpdir(), 'deadair-exit-'));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

const SMALL = ['--out', DIR, '--set', 'burst=20', '--set', 'quietMs=200', '--set', 'media=none'];
const QUICK = [
  ...SMALL,
  '--set',
  'holdMsMin=500',
  '--set',
  'holdMsMax=600',
  '--set',
  'ringMsMin=50',
  '--set',
  'ringMsMax=100',
];
const SIMULATED = ['run', 'peak-dial', '--simulate', ...QUICK, '--no-default-budgets'];

/** Something of ours breaks a moment after the command begins. */
function broken(): NodeJS.ProcessEnv {
  const file = join(DIR, 'breaks.mjs');
  writeFileSync(
    file,
    "setInterval(() => { if (process.listenerCount('uncaughtException') > 0) throw new Error('out of cheese'); }, 2);\n",
  );
  return { NODE_OPTIONS: `--import=${file}` };
}

interface Row {
  run: () => Promise<CliResult>;
  says: RegExp;
}
const DRIVEN: Record<string, Row[]> = {
  'a run that goes well': [
    {
      run: () => runCommand([...SIMULATED, '--budget', 'asr: rate>0.5', '--budget', 'asr: rate<0.5 warn']),
      says: /^PASS/,
    },
  ],
  'an error thrown where none may be': [
    {
      run: () => startCli(SIMULATED, { env: broken() }).done,
      says: /a bug of deadair.*\nError: out of cheese\n +at /s,
    },
  ],
  'a budget that is crossed': [
    { run: () => runCommand([...SIMULATED, '--budget', 'asr: rate<0.5']), says: /^FAIL .*CROSSED asr: rate<0.5/s },
    { run: () => runCommand([...SIMULATED, '--budget', 'mos: min>3']), says: /CROSSED mos: min>3 {2}\(no data: / },
    {
      run: () => runCommand([...SIMULATED, '--budget', 'srd_ms: max<1 abortOnFail']),
      says: /\(srd_ms max was \S+ at \d\.\d s, not < 1, which ended the run; in the end /,
    },
  ],
  'a budget on a metric that does not exist': [
    { run: () => runCommand([...SIMULATED, '--budget', 'happiness: rate>0.9']), says: /there is no metric happiness/ },
  ],
  'SIGINT in the middle of a run': [{ run: interrupted, says: /SIGINT: stopping, results are being saved/ }],
  'more calls than the generator has room for': [
    { run: () => runCommand([...SIMULATED, '--set', 'maxCallsPerWorker=4']), says: /^INVALID .*could not start/s },
  ],
};

async function interrupted(): Promise<CliResult> {
  const run = startCli(['run', 'peak-dial', ...SMALL, '--no-default-budgets']);
  await run.says(/offered [1-9]/);
  run.interrupt();
  return run.done;
}

const rows = [...readFileSync('docs/exit-codes.md', 'utf8').matchAll(/^\| (\d+) \| (\w+) \| (.*?) \| (.*?) \|$/gm)].map(
  ([, code, name, , by]) => ({ code: Number(code), name: name!, by: by! }),
);

describe('the table of exit codes', () => {
  it('has every code that there is, and no other', () => {
    expect(Object.fromEntries(rows.map((r) => [r.name, r.code]))).toEqual(EXIT);
    expect(rows.map((r) => r.by).sort()).toEqual(Object.keys(DRIVEN).sort());
  });

  describe.concurrent('is what commands do', () => {
    for (const { code, name, by } of rows) {
      for (const [i, { run, says }] of (DRIVEN[by] ?? []).entries()) {
        it(`${code} ${name}: ${by}${i === 0 ? '' : ` (${i + 1})`}`, async () => {
          const { code: got, stdout, stderr } = await run();
          expect(stdout + stderr).toMatch(says);
          expect(got).toBe(code);
        });
      }
    }
  });
});
