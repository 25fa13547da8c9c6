import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { monotonicUs } from '../clock.js';
import { entryArgs } from '../entry.js';
import { HarnessError } from '../errors.js';

/** How long after its end a lock may still be felt before we call it not removed. */
const PROOF_MS = 5_000;
const PROOF_EVERY_MS = 20;

export interface LockReleased {
  releasedAtUs: number;
  /** A write of ours went through afterwards. */
  proven: boolean;
  note: string;
}

export interface DatabaseLock {
  /** Microseconds of the machine's monotonic clock, told by the process that holds it. */
  readonly appliedAtUs: number;
  /** Settles when the lock is gone and that is proven, or was not within 5 s. */
  readonly released: Promise<LockReleased>;
  /** Lets go now. */
  cancel(): Promise<LockReleased>;
}

/** Lets another process hold the database for `forMs`; resolves when it holds. */
export function lockDatabase(file: string, options: { forMs: number }): Promise<DatabaseLock> {
  const args = entryArgs('db-lock-process', import.meta.url);
  const child = spawn(process.execPath, [...args, file, String(options.forMs)], { stdio: ['pipe', 'pipe', 'pipe'] });
  // A child that is gone closes the pipe; that it is gone is told by 'close'.
  child.stdin.on('error', () => undefined);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });

  return new Promise((resolve, reject) => {
    let appliedAtUs = Number.NaN;
    let releasedAtUs = Number.NaN;
    const gone = new Promise<void>((done) => {
      child.on('close', () => done());
      child.on('error', () => done());
    });
    const released = gone.then(async (): Promise<LockReleased> => {
      const told = !Number.isNaN(releasedAtUs);
      const proven = Number.isNaN(appliedAtUs) ? false : await writeGoesThrough(file);
      const how = told ? 'the lock process let go' : 'the lock process ended without a word';
      return {
        releasedAtUs: told ? releasedAtUs : monotonicUs(),
        proven,
        note: `${how}; ${proven ? 'a write of ours went through' : `no write went through in ${PROOF_MS / 1000} s`}`,
      };
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [word, us] = line.split(' ');
      if (word === 'released') releasedAtUs = Number(us);
      if (word !== 'locked') return;
      appliedAtUs = Number(us);
      const cancel = (): Promise<LockReleased> => {
        child.stdin.end();
        return released;
      };
      resolve({ appliedAtUs, released, cancel });
    });
    void gone.then(() => {
      // Of a stack trace, the line that names the error.
      const last = complaint.split('\n').find((line) => /^\s*\[?\w*Error\b[^(]*:/.test(line)) ?? 'no reason given';
      reject(new HarnessError('LAB_NOT_READY', `could not lock ${file}: ${last.trim()}`));
    });
  });
}

/** Tries a transaction of its own until it commits. */
async function writeGoesThrough(file: string): Promise<boolean> {
  const untilUs = monotonicUs() + PROOF_MS * 1000;
  while (monotonicUs() < untilUs) {
    if (tryWrite(file)) return true;
    await sleep(PROOF_EVERY_MS);
  }
  return false;
}

function tryWrite(file: string): boolean {
  const db = new Database(file);
  try {
    db.exec('BEGIN IMMEDIATE');
    db.exec('CREATE TABLE IF NOT EXISTS lock_probe (at_us REAL)');
    db.exec(`INSERT INTO lock_probe VALUES (${monotonicUs()})`);
    db.exec('COMMIT');
    return true;
  } catch {
    // Busy, or not a database any more: either way not proven.
    return false;
  } finally {
    db.close();
  }
}
