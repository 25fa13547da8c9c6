import { describe, it } from 'vitest';

/**
 * Tests that need a program we did not write: skipped by name where it is missing, with what enables them, and failed
 * where CI should have had it. `missing`: null when nothing is.
 */
export function describeWith(missing: string | null, name: string, tests: () => void): void {
  if (missing === null) describe(name, tests);
  else if (process.env.CI) {
    it(name, () => {
      throw new Error(missing);
    });
  } else describe.skip(`${name} (${missing})`, tests);
}
