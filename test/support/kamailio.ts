import { describe, it } from 'vitest';
import { findKamailio, KAMAILIO_MISSING } from '../../harness/lab/kamailio/kamailio.js';

/** Tests that need the real Kamailio: skipped by name where it is missing, failed where CI should have had it. */
export function describeWithKamailio(name: string, tests: () => void): void {
  if (findKamailio() !== undefined) describe(name, tests);
  else if (process.env.CI) {
    it(name, () => {
      throw new Error(KAMAILIO_MISSING);
    });
  } else describe.skip(`${name} (${KAMAILIO_MISSING})`, tests);
}
