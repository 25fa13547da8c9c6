import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from '../certificate.js';

export interface CertificateFiles {
  /** PEM files. Who trusts `ca` accepts the server; it is the certificate itself. */
  ca: string;
  key: string;
}

/** A throw-away certificate for one address, as files in `dir`. Throws NO_CAPABILITY without openssl. */
export function writeCertificate(dir: string, host: string): CertificateFiles {
  const made = makeCertificate([host]);
  const files = { ca: join(dir, 'server.pem'), key: join(dir, 'server.key') };
  writeFileSync(files.ca, made.cert);
  writeFileSync(files.key, made.key, { mode: 0o600 });
  return files;
}

/** The file that Kamailio's tls module reads. */
export function writeTlsConfig(dir: string, { ca, key }: CertificateFiles): string {
  const file = join(dir, 'tls.cfg');
  const lines = ['[server:default]', 'method = TLSv1.2+', `certificate = ${ca}`, `private_key = ${key}`];
  writeFileSync(file, `${[...lines, 'verify_certificate = no', 'require_certificate = no'].join('\n')}\n`);
  return file;
}
