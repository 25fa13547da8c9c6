import { spawnSync } from 'node:child_process';
import { describeWith } from './judges.js';

/** What keeps TLS from being tried: certificates are made by openssl. Null when nothing does. */
export const OPENSSL_MISSING =
  spawnSync('openssl', ['version']).status === 0 ? null : 'openssl is not on PATH: apt-get install openssl';

/** Tests over TLS and WSS. */
export function describeWithOpenssl(name: string, tests: () => void): void {
  describeWith(OPENSSL_MISSING, name, tests);
}
