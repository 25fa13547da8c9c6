import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultRecord } from './schema.js';

/** faults.jsonl of a run; empty when nothing was injected. */
export function loadFaults(runDir: string): FaultRecord[] {
  const path = join(runDir, 'faults.jsonl');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FaultRecord);
}
