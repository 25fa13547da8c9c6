import { execFileSync } from 'node:child_process';
import { describeWith } from './judges.js';

const MISSING = 'tshark is not on PATH: apt-get install tshark';

function version(): string | null {
  try {
    return execFileSync('tshark', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}

/** Tests that need tshark. */
export function describeWithTshark(name: string, tests: () => void): void {
  describeWith(version() !== null ? null : MISSING, name, tests);
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
