import { existsSync, readFileSync } from 'node:fs';

/** Of our package.json, which is one folder further up from dist than from the sources. */
export function packageVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    const file = new URL(up, import.meta.url);
    if (!existsSync(file)) continue;
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
    if (name === 'deadair' && version !== undefined) return version;
  }
  return 'unknown';
}
