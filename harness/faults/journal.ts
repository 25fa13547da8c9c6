/**
 * What is being done to whom, and how it is undone, on disk from before the first fault until the last is proven gone. So a
 * command that comes later can undo what a killed watchdog left.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Lease } from './lease.js';
import { processStart } from './perform.js';

export interface Journal {
  run: string;
  engine: string;
  authorised: string[];
  leases: Lease[];
  /** The process that answers for them, by number and start. */
  watchdog: number;
  start?: string | undefined;
}

/** $XDG_STATE_HOME/deadair/leases, as the freedesktop base directories have it; DEADAIR_STATE in the stead of the first two. */
export function journalFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env.DEADAIR_STATE;
  return join(own ?? join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'deadair'), 'leases');
}

export function writeJournal(journal: Omit<Journal, 'start'>): void {
  const folder = journalFolder();
  mkdirSync(folder, { recursive: true });
  const { run, engine, authorised, leases, watchdog } = journal;
  const text = JSON.stringify({ run, engine, authorised, leases, watchdog, start: processStart(watchdog) });
  const path = join(folder, `${run}.json`);
  // Whole or not at all.
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

export function closeJournal(run: string): void {
  rmSync(join(journalFolder(), `${run}.json`), { force: true });
}

export function readJournals(): Journal[] {
  let names: string[];
  try {
    names = readdirSync(journalFolder());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(journalFolder(), name), 'utf8')) as Journal);
}

/** Nobody answers for it any more. */
export function isOrphan({ watchdog, start }: Journal): boolean {
  return start === undefined || processStart(watchdog) !== start;
}
