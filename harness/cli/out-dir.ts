import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HarnessError } from '../errors.js';

/** The directory that the runs' own directories go into, made if need be. */
export function makeOutDir(dir: string): string {
  try {
    make(resolve(dir));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const message = `--out ${dir}: cannot be made (${code}); give a directory that can be written`;
    throw new HarnessError('BAD_PLAN', message, { cause });
  }
  return dir;
}

/** Not mkdirSync's own recursion: in Node 20 that never returns where mkdir says ENOENT under a parent that exists (/proc). */
function make(dir: string): void {
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  if (dirname(dir) !== dir) make(dirname(dir));
  mkdirSync(dir);
}
