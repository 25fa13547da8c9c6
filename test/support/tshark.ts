import { execFileSync } from 'node:child_process';
import { describe, it } from 'vitest';

const MISSING = 'tshark is not on PATH: apt-get install tshark';

function version(): string | null {
  try {
    return execFileSync('tshark', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}

/** Tests that need tshark: skipped by name where it is missing, failed where CI should have had it. */
export function describeWithTshark(name: string, tests: () => void): void {
  if (version() !== null) describe(name, tests);
  else if (process.env.CI) {
    it(name, () => {
      throw new Error(MISSING);
    });
  } else describe.skip(`${name} (${MISSING})`, tests);
}

/** One row per packet that passes the display filter, with the fields asked for. */
export function tshark(file: string, filter: string, fields: readonly string[]): string[][] {
  const args = ['-n', '-r', file, '-Y', filter, '-T', 'fields', ...fields.flatMap((f) => ['-e', f])];
  const out = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 << 20,
  });
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}
