import { findKamailio, KAMAILIO_MISSING } from '../../harness/lab/kamailio/kamailio.js';
import { describeWith } from './judges.js';
import { OPENSSL_MISSING } from './openssl.js';

/** Tests that need the real Kamailio. */
export function describeWithKamailio(name: string, tests: () => void): void {
  describeWith(findKamailio() === undefined ? KAMAILIO_MISSING : OPENSSL_MISSING, name, tests);
}
