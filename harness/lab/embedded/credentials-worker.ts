/**
 * The subscriber database's own thread: a row read for each look-up, a row written for each contact. While another
 * process holds the database both wait, and everything behind them: that is the incident, so nothing here works around it.
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
import { PRAGMAS } from './credentials-sqlite.js';

/** As for CDRs: kept in slices, so that close() need not wait for it. */
const BUSY_TOTAL_US = 60_000_000;
const BUSY_SLICE_MS = 250;

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
  let find: Database.Statement;
  let save: Database.Statement;
  let remove: Database.Statement;
  try {
    db = new Database(file);
    for (const pragma of [...PRAGMAS, `busy_timeout = ${BUSY_SLICE_MS}`]) db.pragma(pragma);
    find = db.prepare('SELECT ha1, ha1_sha256 FROM subscriber WHERE user = ? AND realm = ?');
    save = db.prepare('INSERT OR REPLACE INTO location VALUES (?, ?, ?, ?, ?, ?, ?)');
    remove = db.prepare('DELETE FROM location WHERE aor = ? AND contact = ?');
  } catch (error) {
    ring.put(0, String(error).slice(0, 100));
    setState(FAILED);
    return;
  }
  setState(READY);

  /** The answer as text. */
  const query = (asked: (string | number)[]): string => {
    if (asked.length === 2) {
      const row = find.get(asked) as { ha1: string; ha1_sha256: string } | undefined;
      return JSON.stringify(row === undefined ? [] : [row.ha1, row.ha1_sha256]);
    }
    if (asked[4] === 0) remove.run([asked[0], asked[1]]);
    else save.run(asked);
    return '';
  };

  /** Puts the answer in the question's place; what went wrong, or null. */
  const answer = (row: number): string | null => {
    const asked = JSON.parse(ring.text(row)) as (string | number)[];
    const startUs = monotonicUs();
    for (;;) {
      try {
        ring.put(row, query(asked));
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
    const error = answer(done);
    ring.finish(done, monotonicUs() - startUs, error);
    done = (done + 1) | 0;
    Atomics.store(words, DONE, done);
    Atomics.notify(words, DONE);
  }
  db.close();
  setState(ENDED);
}

if (Atomics.load(new Int32Array((workerData as Setup).shared), STATE) === STARTING) run(workerData as Setup);
