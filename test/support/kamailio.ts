import { findKamailio, KAMAILIO_MISSING } from '../../harness/lab/kamailio/kamailio.js';
import { describeWith } from './judges.js';

/** Tests that need the real Kamailio. */
export function describeWithKamailio(name: string, tests: () => void): void {
  describeWith(findKamailio() !== undefined ? null : KAMAILIO_MISSING, name, tests);
}
