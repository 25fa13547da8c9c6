import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HarnessError } from '../errors.js';

/** PEM. It signed itself, so it is its own authority as well. */
export interface Certificate {
  cert: string;
  key: string;
}

/** A throw-away certificate for these addresses, good for two days. Throws NO_CAPABILITY without an openssl on PATH. */
export function makeCertificate(hosts: readonly string[]): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'deadair-tls-'));
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const names = hosts.map((host) => `IP:${host}`).join(',');
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=deadair', '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert],
  ];
  try {
    execFileSync('openssl', args, { stdio: 'pipe', timeout: 20_000 });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'openssl is not on PATH: apt-get install openssl' : message.split('\n')[0];
    throw new HarnessError('NO_CAPABILITY', `no certificate for TLS and WSS can be made: ${why}`, {
      cause: error,
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
