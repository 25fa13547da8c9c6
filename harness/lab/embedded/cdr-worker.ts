/**
 * The database's own thread. Each row is a transaction, as a PBX writes its CDRs. While another process holds the
 * database a commit waits, and everything behind it: that is the incident, so nothing here works around it.
 */
import { workerData } from 'node:worker_threads';
import Database from 'libsql';
import { monotonicUs } from '../../clock.js';
import {
  CdrRing,
  CLOSE_DRAIN,
  CLOSE_NOW,
  CLOSING,
  DONE,
  ENDED,
  FAILED,
  READY,
  STARTING,
  STATE,
  TAIL,
} from './cdr-ring.js';

/** SQLite's busy_timeout of the usual PBX set-up is 60 s: it is kept in slices, so that close() need not wait for it. */
const BUSY_TOTAL_US = 60_000_000;
const BUSY_SLICE_MS = 250;

const SCHEMA = `CREATE TABLE IF NOT EXISTS cdr (
  call_id TEXT NOT NULL, node INTEGER NOT NULL, tenant TEXT, caller TEXT, callee TEXT,
  start_ms REAL, answered_ms REAL, ended_ms REAL, code INTEGER NOT NULL)`;

interface Setup {
  shared: SharedArrayBuffer;
  file: string;
}

function run({ shared, file }: Setup): void {
  const ring = new CdrRing(shared);
  const { words } = ring;
  const setState = (state: number): void => {
    Atomics.store(words, STATE, state);
    Atomics.notify(words, STATE);
  };
  let db: Database.Database;
  let insert: Database.Statement;
  try {
    db = new Database(file);
    // NORMAL: safe against our own death, and no fsync per row, so that a slow disk does not look like a locked table.
    for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', `busy_timeout = ${BUSY_SLICE_MS}`]) {
      db.pragma(pragma);
    }
    db.exec(SCHEMA);
    insert = db.prepare('INSERT INTO cdr VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  } catch (error) {
    ring.put(0, String(error).slice(0, 100));
    setState(FAILED);
    return;
  }
  setState(READY);

  const commit = (row: number): string | null => {
    const cdr = JSON.parse(ring.text(row));
    const startUs = monotonicUs();
    for (;;) {
      try {
        insert.run(cdr);
        return null;
      } catch (error) {
        const busy = (error as { code?: string }).code === 'SQLITE_BUSY';
        if (!busy || monotonicUs() - startUs > BUSY_TOTAL_US) return String(error);
        if (Atomics.load(words, CLOSING) === CLOSE_NOW) return 'closed while the database was locked';
      }
    }
  };

  let done = 0;
  while (Atomics.load(words, CLOSING) !== CLOSE_NOW) {
    const tail = Atomics.load(words, TAIL);
    if (tail === done) {
      if (Atomics.load(words, CLOSING) === CLOSE_DRAIN) break;
      Atomics.wait(words, TAIL, tail, 1000);
      continue;
    }
    const startUs = monotonicUs();
    const error = commit(done);
    ring.finish(done, monotonicUs() - startUs, error);
    done = (done + 1) | 0;
    Atomics.store(words, DONE, done);
    Atomics.notify(words, DONE);
  }
  db.close();
  setState(ENDED);
}

if (Atomics.load(new Int32Array((workerData as Setup).shared), STATE) === STARTING) run(workerData as Setup);
