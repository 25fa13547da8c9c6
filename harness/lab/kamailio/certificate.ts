import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../../errors.js';

export interface Certificate {
  /** PEM files. Who trusts `ca` accepts the server; it is the certificate itself. */
  ca: string;
  key: string;
}

/** A day is longer than any run, and short enough that a key which is left behind is worth nothing. */
const DAYS = '1';

/** A certificate for one address, made by openssl in `dir`, and valid for a day. Throws NO_CAPABILITY without openssl. */
export function makeCertificate(dir: string, host: string): Certificate {
  const ca = join(dir, 'server.pem');
  const key = join(dir, 'server.key');
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=IP:${host}`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, '-days', DAYS, ...subject, '-keyout', key, '-out', ca], {
      stdio: 'pipe',
    });
  } catch (cause) {
    throw new HarnessError(
      'NO_CAPABILITY',
      'openssl cannot make a certificate for TLS and WSS: apt-get install openssl',
      { cause },
    );
  }
  return { ca, key };
}

/** The file that Kamailio's tls module reads. */
export function writeTlsConfig(dir: string, { ca, key }: Certificate): string {
  const file = join(dir, 'tls.cfg');
  const lines = ['[server:default]', 'method = TLSv1.2+', `certificate = ${ca}`, `private_key = ${key}`];
  writeFileSync(file, `${[...lines, 'verify_certificate = no', 'require_certificate = no'].join('\n')}\n`);
  return file;
}
