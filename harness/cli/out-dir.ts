import { makeDir } from '../collect/make-dir.js';

/** The directory that the runs' own directories go into, made if need be. */
export function makeOutDir(dir: string): string {
  makeDir(dir, `--out ${dir}`);
  return dir;
}
