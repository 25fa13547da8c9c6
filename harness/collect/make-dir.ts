import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HarnessError } from '../errors.js';

/** Makes a directory and its parents. `what` is how the user named it, for the one line that says why it cannot be. */
export function makeDir(dir: string, what: string = dir): void {
  try {
    make(resolve(dir));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new HarnessError('BAD_PLAN', `${what}: cannot be made (${code}); give a directory that can be written`, {
      cause,
    });
  }
}

/** Not mkdirSync's own recursion: in Node 20 that never returns where mkdir says ENOENT under a parent that exists (/proc). */
function make(dir: string): void {
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  if (dirname(dir) !== dir) make(dirname(dir));
  mkdirSync(dir);
}
